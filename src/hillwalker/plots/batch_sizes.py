"""Batch sizes beside each other: the validation loss by epoch, step and second, where it ends, and what it costs.

Medians and quartiles are all that is computed here.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from hillwalker.plots import BLACK, BLUE, GREEN, GREY, PURPLE, SMALL, TEXT, VERMILION, new_figure, style
from hillwalker.plots.comparison import MOST, draw_band, draw_scores, scale
from hillwalker.scores import rounded

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hillwalker.choosing import BatchSizes


def plot_batch_sizes(found: BatchSizes, title: str | None = None) -> Figure:
    """Return four panels: validation loss by epoch, by step and by second, and the final one with its interval.

    Lines are medians over the seeds, bands their middle half; the dashed line is the target. Of more than seven sizes,
    the best seven have curves.
    """
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(11.0, max(7.6, 4.4 + 0.42 * len(found.sizes)))
    panels = figure.subplots(2, 2)
    shown = [found.sizes.index(size) for size in _shown(found)]
    steps = found.steps_an_epoch
    seconds = [row.seconds_an_epoch[0] for row in found.table]
    longest = max((each for each in seconds if math.isfinite(each)), default=1.0) * found.comparison.epochs.max()
    unit, name = (1.0, "s") if longest >= 1 else (1000.0, "ms")
    curves, bands = found.comparison.curves["val_loss"][:, :, 0], found.comparison.quartiles("val_loss")
    axes: Axes
    for axes, widths, label, heading in (
        (panels[0, 0], np.ones(len(steps)), "epoch", "By epoch: the same rows seen"),
        (panels[0, 1], steps, "step", "By step: the same number of updates"),
        (panels[1, 0], unit * np.array(seconds), f"training time ({name})", "By time: what is waited for"),
    ):
        for place, number in enumerate(shown):
            x = widths[number] * np.arange(1, curves.shape[-1] + 1)
            draw_band(axes, x, bands[number], place, f"batch size {found.sizes[number]}")
        scale(axes, [curves[number] for number in shown])
        if math.isfinite(found.target):
            axes.axhline(found.target, color=GREY, linestyle="--", linewidth=1.2, label="target")
        if label == "epoch":
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        else:
            axes.set_xscale("log")
            _name_one_two_five(axes)
        style(axes, label, "validation loss", heading)
    places = {found.comparison.labels[number]: place for place, number in enumerate(shown)}
    draw_scores(panels[1, 1], found.comparison, _labels(found), places, in_order=True)
    style(panels[1, 1], "validation loss", "", "At the end: mean and its 95 % interval")
    handles, names = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4, fontsize=SMALL, frameon=False)
    if title is not None:
        figure.suptitle(title, fontsize=TEXT + 2, fontweight="bold", x=0.01, ha="left")
    return figure


def _name_one_two_five(axes: Axes) -> None:
    """Name 2 and 5 between powers of ten, where few of these are in sight."""
    from matplotlib.ticker import LogLocator, NullFormatter

    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 300 else (1.0,)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())


def _shown(found: BatchSizes) -> list[int]:
    rows = [found.sizes[found.comparison.number_of(row.label)] for row in found.comparison.table[:MOST]]
    return sorted(rows)


def _labels(found: BatchSizes) -> dict[str, str]:
    return {
        label: f"{row.size} ({_bytes(row.memory.total)} a step)"
        for label, row in zip(found.comparison.labels, found.table, strict=True)
    }


def _bytes(count: Any) -> str:
    return f"{count / 1e6:.3g} MB" if count >= 1e6 else f"{count / 1e3:.3g} kB"


def plot_batch_trade_offs(found: BatchSizes, title: str | None = None) -> Figure:
    """Return four panels over the batch size: time of an epoch, steps to the target, noise and memory of a step.

    Bars are 95 % intervals over the seeds. A size that does not reach the target is marked with a cross at the top.
    """
    figure = new_figure(9.0, 6.4)
    panels = figure.subplots(2, 2)
    seconds = np.array([row.seconds_an_epoch for row in found.table])
    steps = np.array([row.steps for row in found.table])
    kilobytes = np.array([row.memory.total for row in found.table]) / 1000
    draw = functools.partial(_trade_off, found)
    draw(panels[0, 0], 1000 * seconds, BLUE, "o", "milliseconds an epoch", "Time")
    draw(panels[0, 1], steps, GREEN, "s", f"steps to loss {rounded(found.target)}", "Convergence")
    draw(panels[1, 0], _alone(found.noise), VERMILION, "^", "spread / length of the gradient", "Noise of a step")
    draw(panels[1, 1], _alone(kilobytes), PURPLE, "D", "kilobytes a step", "Memory")
    if title is not None:
        figure.suptitle(title, fontsize=TEXT + 2, fontweight="bold", x=0.01, ha="left")
    return figure


def _alone(values: Any) -> Any:
    """Return numbers without intervals in the form of those that have them."""
    return np.column_stack([values, np.full((len(values), 2), np.nan)])


def _trade_off(found: BatchSizes, axes: Axes, values: Any, colour: str, marker: str, label: str, title: str) -> None:
    from matplotlib.ticker import FixedLocator, NullLocator

    sizes = np.array(found.sizes)
    middle, low, high = values.T
    seen = np.isfinite(middle)
    axes.set_xscale("log")
    if seen.any() and middle[seen].min() > 0 and middle[seen].max() > 8 * middle[seen].min():
        axes.set_yscale("log")
    axes.plot(sizes[seen], middle[seen], color=colour, marker=marker, linewidth=1.8)
    top = axes.get_ylim()[1]
    known = seen & ~np.isnan(low)
    axes.vlines(sizes[known], low[known], np.minimum(high[known], 1e3 * top), color=colour, linewidth=1.4)
    finite = np.isfinite(high) & known
    axes.set_ylim(top=max([top, *(1.05 * high[finite])]))
    missed = sizes[~seen]
    if len(missed):
        place = axes.get_xaxis_transform()
        axes.plot(missed, [0.93] * len(missed), "x", color=BLACK, markersize=9, transform=place)
        title += f" (×: not within {found.comparison.epochs.max()} epochs)"
    if axes.get_yscale() == "linear":
        axes.set_ylim(bottom=0)
    style(axes, "rows in a batch", label, title)
    axes.xaxis.set_major_locator(FixedLocator(found.sizes))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{size:,}" if size < found.rows else f"all\n{size:,}" for size in found.sizes])
