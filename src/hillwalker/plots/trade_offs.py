"""What a batch size costs and brings: a panel each for time, memory, noise and the way to a loss."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hillwalker.choosing.trade_offs import BatchTradeOffs
from hillwalker.plots import BLACK, BLUE, GREEN, PURPLE, VERMILION, new_figure, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_batch_trade_offs(found: BatchTradeOffs) -> Figure:
    """Return four panels over the batch size: milliseconds an epoch, steps to the goal, noise, memory.

    A size that did not reach the goal is marked with a cross at the top.
    """
    figure = new_figure(9.0, 6.4)
    panels = figure.subplots(2, 2)
    milliseconds = [1000 * value for value in found.seconds]
    kilobytes = [value / 1000 for value in found.memory]
    _draw(panels[0, 0], found, milliseconds, BLUE, "o", "milliseconds an epoch", "Time")
    _draw(panels[0, 1], found, found.steps, GREEN, "s", f"steps to loss {found.goal:g}", "Convergence")
    _draw(panels[1, 0], found, found.noise, VERMILION, "^", "spread / length of the gradient", "Noise of a step")
    _draw(panels[1, 1], found, kilobytes, PURPLE, "D", "kilobytes a batch", "Memory")
    return figure


def _draw(
    axes: Axes, found: BatchTradeOffs, values: list[float], colour: str, marker: str, label: str, title: str
) -> None:
    from matplotlib.ticker import FixedLocator, NullLocator

    drawn = [(size, value) for size, value in zip(found.batch_sizes, values, strict=True) if math.isfinite(value)]
    axes.set_xscale("log")
    if drawn and min(value for _, value in drawn) > 0 and max(v for _, v in drawn) > 8 * min(v for _, v in drawn):
        axes.set_yscale("log")
    axes.plot([size for size, _ in drawn], [value for _, value in drawn], color=colour, marker=marker, linewidth=1.8)
    missed = [size for size in found.batch_sizes if size not in {size for size, _ in drawn}]
    if missed:
        place = axes.get_xaxis_transform()
        axes.plot(missed, [0.93] * len(missed), "x", color=BLACK, markersize=9, transform=place)
        title += f" (×: not within {found.epochs_tried} epochs)"
    if axes.get_yscale() == "linear":
        axes.set_ylim(bottom=0)
    style(axes, "rows in a batch", label, title)
    axes.xaxis.set_major_locator(FixedLocator(found.batch_sizes))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{size:,}" if size < found.rows else f"all\n{size:,}" for size in found.batch_sizes])
