"""Would more rows help? The loss by how many rows were trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hillwalker.plots import BLUE, GREY, SMALL, TEXT, new_figure, style
from hillwalker.plots.history import nice_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from hillwalker.diagnosis import RowsCurve


def plot_rows(curve: RowsCurve) -> Figure:
    """Return a figure of the held-out loss by how many rows were trained on, and what the last doubling brought.

    Thin lines are the held-out parts, each on the same rows throughout, the thick line is their mean; rows lie on a
    scale on which each doubling is as wide as the one before. A curve that still falls at its right end asks for more
    rows.

    >>> import numpy as np
    >>> from hillwalker.diagnosis import RowsCurve
    >>> losses = np.array([[0.8, 0.9], [0.6, 0.7], [0.5, 0.58]])
    >>> (axes,) = plot_rows(RowsCurve(np.array([50, 100, 200]), losses, 0.5)).axes
    >>> axes.get_xlabel(), [label.get_text() for label in axes.get_xticklabels()]
    ('rows trained on', ['50', '100', '200'])
    """
    from matplotlib.ticker import NullLocator

    figure = new_figure(7.0, 3.9)
    axes = figure.subplots()
    style(axes, "rows trained on", "held-out loss")
    axes.set_title(_in_two_lines(curve.sentence), fontsize=TEXT, loc="left")
    for number, part in enumerate(curve.losses.T):
        axes.plot(
            curve.rows, part, color=GREY, alpha=0.45, linewidth=1.0, label=None if number else "each held-out part"
        )
    means = curve.losses.mean(axis=1)
    axes.plot(curve.rows, means, color=BLUE, linewidth=2.4, marker="o", markersize=7, label="their mean")
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
    for count, mean in zip(curve.rows, means, strict=True):
        axes.annotate(
            f"{mean:.4g}", (count, mean), xytext=(5, 8), textcoords="offset points", fontsize=SMALL,
            color=BLUE, bbox=ground,
        )  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.set_xticks(curve.rows, [str(count) for count in curve.rows])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.margins(x=0.14, y=0.12)
    axes.yaxis.set_major_locator(nice_ticks())
    axes.legend(fontsize=SMALL, framealpha=0.85, edgecolor="none")
    return figure


def _in_two_lines(sentence: str) -> str:
    first, _, second = sentence.partition(": ")
    return f"{first}:\n{second}"
