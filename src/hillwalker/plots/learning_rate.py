"""The learning-rate sweep: loss against rate, what published rules read from it, and where it blows up."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from hillwalker.choosing.learning_rate import Sweep
from hillwalker.plots import BLUE, COLOURS, GREY, SMALL, TEXT, VERMILION, new_figure, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = ("o", "s", "D", "^", "v", "P", "X")


def plot_learning_rate_sweep(sweep: Sweep, title: str | None = None) -> Figure:
    """Return a figure of a sweep: each batch's loss faint, the smoothed loss, the rules' rates marked and named.

    The rates from which on the smoothed loss rises are shaded.

    >>> rates, losses = np.logspace(-3, 0, 4), np.array([2.0, 1.5, 1.0, 8.0])
    >>> figure = plot_learning_rate_sweep(Sweep(rates, losses, losses, 1.0, {"steepest": 0.01}))
    >>> figure.axes[0].get_xscale()
    'log'
    """
    figure = new_figure(8.4, 4.8)
    draw_sweep(figure.add_subplot(), sweep)
    if title is not None:
        figure.suptitle(title, fontsize=TEXT + 2, fontweight="bold", x=0.01, ha="left")
    return figure


def draw_sweep(axes: Axes, sweep: Sweep) -> None:
    """Draw a sweep into one panel, its legend beside it."""
    rates, smoothed = sweep.rates, sweep.smoothed
    axes.plot(rates, sweep.losses, ".", color=GREY, alpha=0.5, markersize=5, label="each batch")
    axes.plot(rates, smoothed, color=BLUE, linewidth=2.2, label="smoothed")
    axes.set_xscale("log")
    _heights(axes, sweep)
    finite = np.isfinite(smoothed)
    if (rising := sweep.rises_from) is not None:
        axes.axvspan(rising, rates[-1], color=VERMILION, alpha=0.10, linewidth=0, label="the loss rises")
    for number, (name, rate) in enumerate(sweep.suggestions.items()):
        height = float(np.interp(math.log(rate), np.log(rates[finite]), smoothed[finite]))
        axes.axvline(rate, color=COLOURS[(number + 1) % len(COLOURS)], linewidth=1.0, linestyle=":")
        axes.plot(
            [rate], [height], MARKERS[number % len(MARKERS)], color=COLOURS[(number + 1) % len(COLOURS)],
            markersize=8, markeredgecolor="white", linestyle="none", label=f"{name}: {rate:.2g}", zorder=5,
        )  # fmt: skip
    if sweep.stopped_at is not None:
        axes.axvline(sweep.stopped_at, color=VERMILION, linewidth=1.4, label=f"stopped: {sweep.stopped_at:.2g}")
    loss = f"\n({sweep.loss.replace('_', ' ')})" if sweep.loss else ""
    style(axes, "learning rate", f"loss{loss}")
    axes.legend(
        fontsize=SMALL, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0, frameon=False, labelspacing=0.7
    )


def _heights(axes: Axes, sweep: Sweep) -> None:
    """Let the smoothed curve fill the panel; a batch far above it, at the end, is cut off."""
    smoothed = sweep.smoothed[np.isfinite(sweep.smoothed)]
    losses = sweep.losses[np.isfinite(sweep.losses)]
    if len(smoothed) == 0:
        return
    low, first = float(min(smoothed.min(), np.percentile(losses, 2))), float(smoothed[0])
    high = max(float(np.percentile(losses[: max(1, len(losses) * 3 // 4)], 98)), first, low)
    margin = (high - low) or abs(high) or 1.0
    axes.set_ylim(low - 0.08 * margin, high + 0.35 * margin)
