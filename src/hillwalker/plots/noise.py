"""The noise of gradients by batch size, as it was measured and as theory has it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from hillwalker.choosing.noise import GradientNoise, NoiseCourse
from hillwalker.plots import BLUE, GREEN, GREY, SMALL, TEXT, VERMILION, new_figure, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_gradient_noise(noise: GradientNoise, title: str | None = None) -> Figure:
    """Return a figure of the gradient's relative error (left) and direction (right) by batch size, with theory's line.

    Points are medians of batches really drawn, bars their quartiles; the noise scale is marked with its interval. Where
    a training was recorded, its noise scale by epoch stands below.

    >>> from hillwalker.choosing.noise import BatchNoise
    >>> one = BatchNoise(8, (0.4, 0.5, 0.6), (0.7, 0.8, 0.9), 0.5, 0.5)
    >>> record = GradientNoise(12.0, (8.0, 20.0), 12.0, 1.0, 1.0, 100, "rows", (one,), 50)
    >>> plot_gradient_noise(record).axes[0].get_yscale()
    'log'
    """
    figure = new_figure(11.0, 4.9 if noise.course is None else 8.6)
    top: Any = figure
    if noise.course is not None:
        parts: Any = figure.subfigures(2, 1)
        top = parts[0]
        _course(parts[1], noise.course, noise)
    left, right = top.subplots(1, 2)
    sizes = np.array([one.size for one in noise.batches])
    errors = np.array([one.error for one in noise.batches])
    left.plot(
        sizes, [one.root for one in noise.batches], color=GREY, linestyle=":", linewidth=1.8, label="theory, 1/√B"
    )
    theory = np.array([one.theory if one.theory > 0 else math.nan for one in noise.batches])
    name = f"theory, drawn from {noise.rows} rows"
    left.plot(sizes, theory, color=VERMILION, linestyle="--", linewidth=1.8, label=name)
    seen = sizes < noise.rows  # a batch of all rows has no error, and no place on a scale of powers of ten
    _bars(left, sizes[seen], errors[seen], "measured: median, quartiles")
    left.axhline(1.0, color=GREY, linewidth=0.8)
    cosines = np.array([one.cosine for one in noise.batches])
    _bars(right, sizes, cosines, "measured: median, quartiles")
    right.axhline(1.0, color=GREY, linewidth=0.8)
    for axes in (left, right):
        axes.set_xscale("log", base=2)
        low, high = noise.interval
        if math.isfinite(noise.noise_scale) and noise.noise_scale > 0:
            label = f"noise scale: {noise.noise_scale:.3g} rows"
            axes.axvline(noise.noise_scale, color=GREEN, linewidth=1.6, linestyle="-.", label=label)
            if math.isfinite(low) and low > 0:
                edge = high if math.isfinite(high) else axes.get_xlim()[1]
                axes.axvspan(low, edge, color=GREEN, alpha=0.12, linewidth=0, label="its 95 % interval")
        _sizes(axes, sizes, noise)
    left.set_yscale("log")
    low, high = left.get_ylim()
    left.set_ylim(low / 1.3, high * 1.3)
    left.yaxis.set_major_formatter("{x:g}")
    left.yaxis.set_minor_formatter(_sparse())
    style(left, "batch size B (rows)", "error of the gradient, |g_B − g| / |g|", "How far off a batch's gradient is")
    style(right, "batch size B (rows)", "cosine to the gradient of all rows", "How well it points")
    handles, names = left.get_legend_handles_labels()
    top.legend(handles, names, loc="outside lower center", ncols=3, fontsize=SMALL, frameon=False)
    if title is not None:
        figure.suptitle(title, fontsize=TEXT + 2, fontweight="bold", x=0.01, ha="left")
    return figure


def _course(figure: Any, course: NoiseCourse, noise: GradientNoise) -> None:
    axes = figure.subplots()
    scale = np.where(np.isfinite(course.noise_scale) & (course.noise_scale > 0), course.noise_scale, np.nan)
    axes.plot(course.epochs, scale, color=BLUE, marker="o", markersize=4, linewidth=1.6, label="at these weights")
    axes.set_yscale("log", base=2)
    low, high = axes.get_ylim() if np.isfinite(scale).any() else (1.0, float(noise.rows))
    low, high = max(low / 2, 0.25), high * 2
    known = ~np.isnan(course.low) & (course.low > 0)
    ends = np.clip(course.low, low, high), np.clip(course.high, low, high)
    axes.fill_between(course.epochs, *ends, where=known, color=BLUE, alpha=0.16, linewidth=0, label="its 95 % interval")
    drowned = np.isinf(course.noise_scale)
    if drowned.any():
        words = "no signal told from noise"
        heights = np.full(drowned.sum(), high / 1.15)
        axes.plot(course.epochs[drowned], heights, color=VERMILION, marker="^", markersize=6, linewidth=0, label=words)
    over = course.over()
    if math.isfinite(over) and over > 0:
        axes.axhline(over, color=GREEN, linestyle="-.", linewidth=1.6, label=f"over the training: {over:.3g} rows")
    axes.set_ylim(low, high)
    axes.yaxis.set_major_formatter("{x:g}")
    style(axes, "epoch", "noise scale (rows)", "How it went on as the network learned")
    figure.legend(loc="outside lower center", ncols=4, fontsize=SMALL, frameon=False)


def _bars(axes: Axes, sizes: Any, quartiles: Any, label: str) -> None:
    if not len(sizes):
        return
    spread = [quartiles[:, 1] - quartiles[:, 0], quartiles[:, 2] - quartiles[:, 1]]
    axes.errorbar(
        sizes, quartiles[:, 1], yerr=spread, color=BLUE, marker="o", markersize=6, linewidth=1.4, capsize=3, label=label
    )


def _sizes(axes: Axes, sizes: Any, noise: GradientNoise) -> None:
    """Put a tick at each batch size and leave room for the noise scale, if it is not far away."""
    low, high = float(sizes.min()), float(sizes.max())
    if math.isfinite(noise.noise_scale):
        low, high = min(low, max(noise.noise_scale, low / 32)), max(high, min(noise.noise_scale, high * 32))
    axes.set_xlim(low / 1.5, high * 1.5)
    first, last = math.ceil(math.log2(low / 1.5)), math.floor(math.log2(high * 1.5))
    skip = max(1, math.ceil((last - first + 1) / 9))
    ticks = [2.0**power for power in range(first, last + 1, skip)]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])


def _sparse() -> Any:
    """Return a formatter that names 2 and 5 between the powers of ten."""
    from matplotlib.ticker import FuncFormatter

    def text(value: float, position: int | None) -> str:
        digit = value / 10 ** math.floor(math.log10(value)) if value > 0 else 0
        return f"{value:g}" if round(digit) in (2, 5) else ""

    return FuncFormatter(text)
