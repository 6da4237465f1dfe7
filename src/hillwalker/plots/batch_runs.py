"""Trainings of several batch sizes beside each other: the batches' losses, and the loss on all rows over them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from hillwalker.choosing.batch_runs import BatchSizeRuns
from hillwalker.plots import COLOURS, GREY, LINE_STYLES, SMALL, TEXT, new_figure, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


HIGHEST = 1e100  # that is drawn; near the largest float, matplotlib's own arithmetic overflows


def plot_batch_runs(runs: BatchSizeRuns, title: str | None = None) -> Figure:
    """Return a figure of trainings of several batch sizes: each step's batch loss faint, the loss on all rows over it.

    A panel for each size, on the same scale, against the epochs; the steps stand in its heading.

    >>> from hillwalker.choosing.batch_runs import BatchRun
    >>> run = BatchRun(2, np.array([1.0, 0.5]), np.array([0, 2]), np.array([1.0, 0.4]))
    >>> [axes.get_title(loc="left") for axes in plot_batch_runs(BatchSizeRuns((run,), 4, "mean_squared_error")).axes]
    ['batch size 2: 2 steps']
    """
    count = len(runs.runs)
    columns = min(count, 3)
    rows = math.ceil(count / columns)
    figure = new_figure(max(5.6, 4.0 * columns), 3.5 * rows + 0.6)
    first: Axes | None = None
    for place, run in enumerate(runs.runs):
        axes = figure.add_subplot(rows, columns, place + 1, sharey=first)
        first = first or axes
        an_epoch = max(1, runs.rows // run.size)
        losses = np.where(run.losses < HIGHEST, run.losses, np.nan)
        axes.plot(np.arange(len(losses)) / an_epoch, losses, color=GREY, alpha=0.5, linewidth=0.9, label="each batch")
        whole = np.where(run.whole < HIGHEST, run.whole, np.nan)
        colour = COLOURS[place % len(COLOURS)]
        line = LINE_STYLES[place % len(LINE_STYLES)]
        axes.plot(run.steps / an_epoch, whole, color=colour, linestyle=line, linewidth=2.2, label="all rows")
        name = f"batch size {run.size}: {len(losses)} step{'s' if len(losses) != 1 else ''}"
        if run.size == runs.rows and count > 1:
            name = f"all {run.size} rows: {len(losses)} step{'s' if len(losses) != 1 else ''}"
        loss = f"loss\n({runs.loss.replace('_', ' ')})" if place % columns == 0 else ""
        style(axes, "epoch", loss, name)
    _heights(figure.axes, runs)
    corner: Any = "lower right" if figure.axes[0].get_yscale() == "log" else "upper right"
    for axes in figure.axes:
        axes.legend(fontsize=SMALL, loc=corner, framealpha=0.85, edgecolor="none")
    if title is not None:
        figure.suptitle(title, fontsize=TEXT + 2, fontweight="bold", x=0.01, ha="left")
    return figure


def _heights(axes: list[Axes], runs: BatchSizeRuns) -> None:
    """Choose one scale for all panels; single batches far above the rest are cut off."""
    losses = np.concatenate([run.losses for run in runs.runs] + [run.whole for run in runs.runs])
    losses = losses[np.isfinite(losses)]
    whole = np.concatenate([run.whole for run in runs.runs])
    whole = whole[np.isfinite(whole)]
    if len(losses) == 0:
        return
    low, high = np.percentile(losses, [2, 98])
    if len(whole) and whole.max() <= 100 * np.median(whole):
        low, high = min(low, whole.min()), max(min(high, 3 * whole.max()), whole.max())
    if whole.size and whole.min() > 0 and whole.max() / whole.min() > 100:
        axes[0].set_ylim(max(low, whole.min() / 3) / 1.3, min(high, HIGHEST) * 2)
        axes[0].set_yscale("log")
        return
    margin = (high - low) or 1.0
    axes[0].set_ylim(low - 0.05 * margin, high + 0.25 * margin)
