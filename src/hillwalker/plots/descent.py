"""The hill-walker's path: on the curve, on the contours, or its height by step; a path or several in, a figure out.

Nothing is computed but the layout; steps that are not finite are left out, and the title says so.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from hillwalker.errors import InputTypeError, explain
from hillwalker.plots import BLACK, COLOURS, GREY, LINE_STYLES, SMALL, TEXT, VERMILION, new_figure, style
from hillwalker.plots.ground import draw_ground, with_halo
from hillwalker.seeing.descent import Path, Paths

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hillwalker.seeing.ground import Terrain

MARKS = ("o", "s", "^", "D", "v", "P", "X")
COLUMNS = 3  # panels side by side at most
START = {"marker": "s", "color": BLACK, "markersize": 8}
END = {"marker": "D", "markerfacecolor": "white", "markeredgewidth": 2.0, "markersize": 7.5}
LOWEST = {"marker": "*", "color": BLACK, "markersize": 14}


def plot_descent(path: Path | Paths, title: str | None = None) -> Figure:
    """Return a figure of a walk, or of several.

    One variable: the curve with the steps on it, a panel each. Two variables: contours with the paths over them. More:
    the function's value by step. Raises InputTypeError for what is no path.

    >>> from hillwalker import hills
    >>> from hillwalker.seeing.descent import descend
    >>> figure = plot_descent(descend(hills.parabola, start=4.0, steps=5))
    >>> figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()
    ('x', 'value of parabola')
    """
    if not isinstance(path, (Path, Paths)):
        fix = "hw.plots.plot_descent(hw.descend(f, start))"
        raise InputTypeError(explain(f"{type(path).__name__}.", "a Path or Paths, as hw.descend returns.", fix))
    paths = [path] if isinstance(path, Path) else list(path)
    terrain = paths[0].terrain
    if terrain is None:
        figure = _by_step(paths)
    elif len(terrain.axes) == 1:
        figure = _on_the_curve(paths, terrain)
    else:
        figure = _on_the_contours(paths, terrain)
    if title is not None:
        figure.suptitle(title, fontsize=TEXT + 2, fontweight="bold", x=0.01, ha="left")
    return figure


def _outcome(path: Path) -> str:
    """Return how a walk ended, in a few words."""
    steps = f"{path.steps} step{'s' if path.steps != 1 else ''}"
    if path.stop_reason and not math.isfinite(path.values[-1]):
        return f"{steps}, then no longer finite"
    where = " (diverges)" if path.climbed else ""
    return f"{steps}, ends at {path.values[-1]:.3g}{where}"


def _on_the_curve(paths: list[Path], terrain: Terrain) -> Figure:
    from matplotlib.lines import Line2D

    columns = 2 if len(paths) == 4 else min(len(paths), COLUMNS)
    rows = math.ceil(len(paths) / columns)
    figure = new_figure(width=7.0 if columns == 1 else 4.3 * columns, height=4.2 if rows == 1 else 3.8 * rows)
    first: Axes | None = None
    for number, path in enumerate(paths):
        axes = figure.add_subplot(rows, columns, number + 1, sharex=first, sharey=first)
        first = first or axes
        _draw_on_the_curve(axes, path, terrain)
        style(axes, path.variables[0], f"value of {path.function}" if number % columns == 0 else "")
        axes.set_title(f"{path.label}\n{_outcome(path)}", fontsize=TEXT, loc="left")
    assert first is not None
    marks = [Line2D([], [], linestyle="none", label="start", **START)]  # type: ignore[arg-type]
    marks += [Line2D([], [], linestyle="none", label="end", color=BLACK, **END)]  # type: ignore[arg-type]
    figure.legend(handles=marks, loc="outside lower left", fontsize=SMALL, frameon=False, ncols=2)
    return figure


def _draw_on_the_curve(axes: Axes, path: Path, terrain: Terrain) -> None:
    (x,) = terrain.axes
    finite = terrain.values[np.isfinite(terrain.values)]
    low, high = float(finite.min()), float(finite.max())
    axes.plot(x, terrain.values, color=GREY, linewidth=1.6, zorder=2)
    places, heights = path.positions[:, 0], path.values
    colour = VERMILION if path.climbed else COLOURS[0]
    axes.plot(places, heights, color=colour, linewidth=1.0, alpha=0.8, zorder=3)
    axes.plot(
        places, heights, "o", color=colour, markersize=4.5, markeredgecolor="white", markeredgewidth=0.5, zorder=4
    )
    axes.plot(places[:1], heights[:1], linestyle="none", label="start", zorder=6, **START)  # type: ignore[arg-type]
    inside = (places >= x[0]) & (places <= x[-1])
    if inside[-1] and math.isfinite(heights[-1]):
        axes.plot(places[-1:], heights[-1:], linestyle="none", label="end", color=colour, zorder=5, **END)  # type: ignore[arg-type]
    axes.set(xlim=(x[0], x[-1]), ylim=(low - 0.06 * (high - low), high + 0.04 * (high - low)))


def _on_the_contours(paths: list[Path], terrain: Terrain) -> Figure:
    x, y = terrain.axes
    lines = len(paths) + (1 if len(terrain.minima) else 0)
    figure = new_figure(width=7.0, height=4.6 + 0.24 * lines)
    axes = figure.add_subplot()
    draw_ground(axes, x, y, terrain.values, f"value of {paths[0].function}")
    for number, path in enumerate(paths):
        colour = COLOURS[number % len(COLOURS)]
        axes.plot(
            path.positions[:, 0], path.positions[:, 1], color=colour,
            linewidth=1.4 + 1.6 * (len(paths) - 1 - number) / max(1, len(paths) - 1),  # where they overlap, all show
            linestyle=LINE_STYLES[number % len(LINE_STYLES)], marker=MARKS[number % len(MARKS)],
            markersize=4.5 + 1.5 * (len(paths) - 1 - number) / max(1, len(paths) - 1), markeredgecolor="white",
            markeredgewidth=0.4, markevery=max(1, path.steps // 25), label=f"{path.label}: {_outcome(path)}", zorder=4,
        )  # fmt: skip
    start = paths[0].positions[0]
    axes.plot(start[:1], start[1:], linestyle="none", label="start", zorder=6, **START)  # type: ignore[arg-type]
    if len(terrain.minima):
        label = "lowest point" if len(terrain.minima) == 1 else "lowest points"
        halo = with_halo(2.5)
        axes.plot(*terrain.minima.T, linestyle="none", label=label, zorder=5, path_effects=halo, **LOWEST)  # type: ignore[arg-type]
    axes.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    style(axes, *paths[0].variables)
    axes.grid(visible=False)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", fontsize=SMALL, frameon=False)
    return figure


def _by_step(paths: list[Path]) -> Figure:
    figure = new_figure(width=7.0, height=4.0 + 0.24 * len(paths))
    axes = figure.add_subplot()
    for number, path in enumerate(paths):
        axes.plot(
            path.values, color=COLOURS[number % len(COLOURS)], linewidth=1.8,
            linestyle=LINE_STYLES[number % len(LINE_STYLES)], label=f"{path.label}: {_outcome(path)}",
        )  # fmt: skip
    drawn = np.concatenate([path.values[np.isfinite(path.values)] for path in paths])
    if drawn.min() > 0 and drawn.max() / drawn.min() > 100:
        axes.set_yscale("log")
    style(axes, "step", f"value of {paths[0].function}")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", fontsize=SMALL, frameon=False)
    return figure
