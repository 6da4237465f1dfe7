"""A comparison as a map: the mean score by two settings, the best marked, and what cannot be told from it outlined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hillwalker.plots import BLACK, GREY, SMALL, TEXT, VERMILION, new_figure, style
from hillwalker.scores import rounded
from hillwalker.training.history import direction

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hillwalker.choosing.grid import Grid

MOST_NUMBERS = 12  # rows and columns, up to which each cell tells its number
REACH = 4.0  # colours reach from the best score to so many times as far as the middle one


def plot_heatmap(grid: Grid, title: str | None = None) -> Figure:
    """Return the map of a grid: the lighter, the better; hatched where runs failed, outlined where as good as the best.

    >>> from hillwalker.choosing.grid import Grid
    >>> grid = Grid("learning_rate", "batch_size", ("0.01", "0.1"), ("16",), "val_loss", np.array([[1.0, 2.0]]),
    ...             np.array([[0, 3]]), np.array([[True, False]]), (0, 0), 3, ())
    >>> plot_heatmap(grid).axes[0].get_xlabel()
    'learning rate'
    """
    from matplotlib import colormaps
    from matplotlib.colors import Normalize

    rows, columns = grid.means.shape
    figure = new_figure(max(6.5, 2.6 + 0.78 * min(columns, 16)), max(4.2, 2.0 + 0.52 * min(rows, 16)))
    axes = figure.subplots()
    low, high = _reach(grid)
    better_is_less = direction(grid.metric) != "max"
    colours = colormaps["viridis_r" if better_is_less else "viridis"]
    shown = np.where(np.isfinite(grid.means), np.clip(grid.means, low, high), np.nan)
    scale = Normalize(low, high)
    image = axes.imshow(shown, cmap=colours, norm=scale, aspect="auto", origin="lower")
    beyond = grid.means[np.isfinite(grid.means)]
    bar = figure.colorbar(image, ax=axes, extend=_extended(beyond, low, high), shrink=0.9)
    bar.set_label(f"mean {grid.metric.replace('_', ' ')}", fontsize=TEXT)
    bar.ax.tick_params(labelsize=SMALL)
    _marks(axes, grid)
    if max(rows, columns) <= MOST_NUMBERS:
        _numbers(axes, grid, shown, colours, scale)
    heading = f"Mean of {grid.runs} runs a cell" if grid.runs > 1 else "One run a cell"
    if grid.others:
        heading += f", each at its best {', '.join(name.replace('_', ' ') for name in grid.others)}"
    style(axes, grid.x.replace("_", " "), grid.y.replace("_", " "), heading if title is None else title)
    axes.grid(visible=False)
    _ticks(axes, grid)
    _legend(figure, grid)
    return figure


def _reach(grid: Grid) -> tuple[float, float]:
    """Return the scale's ends: scores far worse than most would leave the others one colour."""
    finite = grid.means[np.isfinite(grid.means)]
    if not finite.size:
        return 0.0, 1.0
    if direction(grid.metric) == "max":
        low, high = float(finite.min()), float(finite.max())
        low = max(low, high - REACH * float(high - np.median(finite)))
    else:
        low, high = float(finite.min()), float(finite.max())
        high = min(high, low + REACH * float(np.median(finite) - low))
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _extended(finite: Any, low: float, high: float) -> Any:
    if not finite.size:
        return "neither"
    return "max" if finite.max() > high else "min" if finite.min() < low else "neither"


def _marks(axes: Axes, grid: Grid) -> None:
    from matplotlib.patches import Rectangle

    for row, column in np.ndindex(*grid.means.shape):
        corner = (column - 0.5, row - 0.5)
        if grid.failed[row, column]:
            part = Rectangle(corner, 1, 1, fill=False, hatch="////", edgecolor=VERMILION, linewidth=0)
            axes.add_patch(part)
        if grid.as_good[row, column]:
            for colour, width in (("white", 3.4), (BLACK, 1.8)):  # seen on light and on dark
                frame = Rectangle((column - 0.46, row - 0.45), 0.92, 0.9, fill=False, edgecolor=colour, linewidth=width)
                axes.add_patch(frame)
    row, column = grid.best
    small = max(grid.means.shape) > MOST_NUMBERS
    offset = 0.0 if small else 0.28
    axes.plot(column, row + offset, marker="*", color="white", markeredgecolor=BLACK, markersize=12, linewidth=0)


def _numbers(axes: Axes, grid: Grid, shown: Any, colours: Any, scale: Any) -> None:
    for row, column in np.ndindex(*grid.means.shape):
        mean, failed = grid.means[row, column], grid.failed[row, column]
        if np.isnan(mean):
            continue
        background = colours(scale(shown[row, column]))[:3] if np.isfinite(mean) else (1.0, 1.0, 1.0)
        light = float(np.dot(background, (0.299, 0.587, 0.114)))
        words = "failed" if not np.isfinite(mean) else f"{mean:.3g}"
        box: Any = {"facecolor": background, "edgecolor": "none", "pad": 1.0} if failed else None
        colour = BLACK if light > 0.5 else "white"
        height = row - 0.12 if (row, column) == grid.best else row
        axes.text(column, height, words, ha="center", va="center", fontsize=SMALL, color=colour, bbox=box)


def _ticks(axes: Axes, grid: Grid) -> None:
    def every(count: int, most: int) -> range:
        return range(0, count, -(-count // most))

    columns, rows = every(len(grid.x_labels), 12), every(len(grid.y_labels), 16)
    longest = max((len(grid.x_labels[place]) for place in columns), default=0)
    slant: dict[str, Any] = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if longest > 7 else {}
    axes.set_xticks(list(columns), [grid.x_labels[place] for place in columns], **slant)
    axes.set_yticks(list(rows), [grid.y_labels[place] for place in rows])
    axes.tick_params(length=0)
    axes.spines[["bottom", "left"]].set_visible(False)


def _legend(figure: Figure, grid: Grid) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    best = float(grid.means[grid.best])
    told = "the best" if not np.isfinite(best) else f"the best: {rounded(best)}"
    handles: list[Any] = [
        Line2D([], [], marker="*", color="white", markeredgecolor=BLACK, markersize=12, linewidth=0, label=told)
    ]
    if grid.as_good.sum() > 1:
        handles.append(Patch(fill=False, edgecolor=BLACK, linewidth=1.8, label="not told from the best"))
    if grid.failed.any():
        handles.append(Patch(fill=False, edgecolor=VERMILION, hatch="////", linewidth=0, label="runs failed"))
    if np.isnan(grid.means).any():
        handles.append(Patch(facecolor="white", edgecolor=GREY, label="not tried"))
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=SMALL, frameon=False)
