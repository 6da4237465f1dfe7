"""The race of learning rates: each rate's validation losses, what decided, and the range test under it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hillwalker.plots import BLACK, BLUE, GREEN, GREY, SMALL, VERMILION, new_figure, style
from hillwalker.plots.learning_rate import draw_sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hillwalker.choosing import LearningRate


def plot_race(found: LearningRate) -> Figure:
    """Return the race's figure: validation loss by rate, a dot a run, and below it the range test if there was one.

    Runs far above the constant prediction are drawn as crosses at the upper edge.
    """
    figure = new_figure(8.5, 4.6 if found.sweep is None else 8.0)
    panels = figure.subplots(1 if found.sweep is None else 2, 1, squeeze=False, sharex=found.sweep is not None)[:, 0]
    _race(panels[0], found)
    if found.sweep is not None:
        draw_sweep(panels[1], found.sweep)
        panels[1].set_title("The range test, for comparison", fontsize=SMALL + 2, loc="left")
    return figure


def _race(axes: Axes, found: LearningRate) -> None:
    low, top = _heights(found)
    for number, rate in enumerate(found.rates):
        own = found.scores[number][~np.isnan(found.scores[number])]
        inside = own[own < top]
        spread = rate * 10.0 ** np.linspace(-0.06, 0.06, max(len(own), 1))
        axes.scatter(spread[: len(inside)], inside, s=16, color=BLUE, alpha=0.55, linewidths=0, zorder=2)
        outside = len(own) - len(inside)
        if outside:
            axes.scatter(
                spread[len(inside) : len(own)], np.full(outside, top), s=26, marker="x", color=VERMILION, zorder=3
            )
    axes.scatter([], [], s=16, color=BLUE, alpha=0.55, label="one run")
    axes.scatter([], [], s=26, marker="x", color=VERMILION, label="far above, or not finite")
    smoothed = np.minimum(found.smoothed, top)
    axes.plot(found.rates, smoothed, color=BLACK, linewidth=1.6, label="mean, smoothed: what decides")
    axes.axhline(found.constant_loss, color=GREY, linestyle="--", linewidth=1.3, label="constant prediction")
    if len(found.constant_losses) > 1:
        lowest, highest = found.constant_losses.min(), found.constant_losses.max()
        axes.axhspan(lowest, highest, color=GREY, alpha=0.12, linewidth=0, label="the same, by split", zorder=0)
    if found.learning_rate is not None and found.interval is not None:
        ends = found.interval[0] * 10**-0.12, found.interval[1] * 10**0.12
        axes.axvspan(*ends, color=GREEN, alpha=0.13, linewidth=0, label="not told from the best")
        axes.axvline(
            found.learning_rate, color=GREEN, linewidth=2.0, linestyle="-.", label=f"chosen: {found.learning_rate:.3g}"
        )
    axes.set_xscale("log")
    axes.set_ylim(low - 0.05 * (top - low), top + 0.05 * (top - low))
    title = "No rate helps" if found.learning_rate is None else f"The race: {found.runs} trainings"
    style(axes, "learning rate", "validation loss", title)
    axes.legend(fontsize=SMALL, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _heights(found: LearningRate) -> tuple[float, float]:
    """Return the least and the largest loss shown: the constant prediction's and the best rate's lie between."""
    finite = found.scores[np.isfinite(found.scores)]
    low = min(float(finite.min()) if finite.size else found.constant_loss, float(found.constant_losses.min()))
    above = max(float(found.smoothed.min()) - found.constant_loss, 0.0)
    top = found.constant_loss + 2 * above + 0.35 * (found.constant_loss - low)
    return low, top if top > low else low + (abs(low) or 1.0)
