"""A gradient check as a picture: each weight's worst relative error on a logarithmic scale, and the tolerance.

An error of exactly 0 is drawn at the left edge.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hillwalker.plots import BLACK, BLUE, GREY, SMALL, VERMILION, new_figure, style
from hillwalker.seeing.gradient_check import GradientCheck

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 40  # weights that fit; beyond, the worst ones are drawn
LEAST = 1e-16  # relative; float64 knows no smaller error


def plot_gradient_check(check: GradientCheck, title: str | None = None) -> Figure:
    """Return a figure of the relative error of each weight's gradient.

    Weights that pass are round and blue, those that fail are vermilion crosses; above 40 weights the worst 40 are
    drawn.

    >>> import numpy as np, hillwalker as hw
    >>> model = hw.Sequential([hw.Input((2,)), hw.layers.Dense(1)])
    >>> model.compile(loss="mse")
    >>> figure = plot_gradient_check(hw.check_gradients(model, np.eye(2), np.ones(2)))
    >>> figure.axes[0].get_xscale()
    'log'
    """
    drawn = list(check.parameters)
    if len(drawn) > MOST:
        worst = sorted(drawn, key=lambda one: -one.worst_error)[:MOST]
        drawn = [one for one in drawn if one in worst]
    figure = new_figure(7.0, max(2.2, 1.3 + 0.28 * len(drawn)))
    axes = figure.add_subplot()
    errors = [min(max(one.worst_error, LEAST), 1e3) if not math.isnan(one.worst_error) else 1e3 for one in drawn]
    for is_good, colour, marker, label in ((True, BLUE, "o", "passed"), (False, VERMILION, "X", "failed")):
        places = [place for place, one in enumerate(drawn) if check.fails(one) is not is_good]
        if places:
            axes.hlines(places, LEAST / 3, [errors[place] for place in places], color=colour, linewidth=1.4)
            at = [errors[place] for place in places]
            axes.plot(at, places, marker, color=colour, markersize=8, label=label)
    axes.axvline(check.tolerance, color=BLACK, linestyle="--", linewidth=1.4, label=f"tolerance {check.tolerance:.0e}")
    for place, one in enumerate(drawn):
        if one.kinks:
            text = f"{one.kinks} at a kink"
            axes.annotate(
                text, (errors[place], place), (9, 0), "data", "offset points",
                va="center", fontsize=SMALL, color=GREY,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlim(LEAST / 3, max(30.0, 30 * max(errors)) * (1e3 if any(one.kinks for one in drawn) else 1))
    axes.set_yticks(range(len(drawn)), [_short(one.name) for one in drawn])
    axes.set_ylim(len(drawn) - 0.4, -0.6)
    verdict = "passed" if check.passed else "FAILED"
    left_out = f"; the worst {MOST} of {len(check.parameters)} weights" if len(drawn) < len(check.parameters) else ""
    style(axes, "worst relative error, gradient against central differences", "")
    axes.set_title(title or f"Gradient check {verdict}{left_out}", fontsize=SMALL + 2, loc="left")
    figure.legend(fontsize=SMALL, frameon=False, ncols=3, loc="outside lower center")
    return figure


def _short(name: str) -> str:
    return name if len(name) <= 24 else "…" + name[-23:]
