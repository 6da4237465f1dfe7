"""A network's loss surface: contours, three dimensions, or a curve; the training path on it, its epochs numbered.

Nothing is computed but the layout; losses that are not finite are gaps.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hillwalker.errors import InputError, InputTypeError, explain
from hillwalker.plots import BLACK, GREY, SMALL, TEXT, VERMILION, new_figure, style
from hillwalker.plots.ground import colours, draw_ground, levels_of, with_halo
from hillwalker.seeing.landscape import PathOnSurface, Surface

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

NUMBERED = 7  # epochs on a path that are numbered, at most
APART = 0.06  # of the picture's width: numbers nearer to each other than this are left out
MODEL: dict[str, Any] = {"marker": "*", "color": BLACK, "markersize": 15, "linestyle": "none"}
PATH: dict[str, Any] = {"color": VERMILION, "linewidth": 1.8, "marker": "o", "markersize": 4.0}


def plot_surface(surface: Surface, title: str | None = None) -> Figure:
    """Return a figure of a loss surface as contours, at levels of equal ratios where it spans decades.

    The training path lies on it with some of its epochs numbered; the model's place is marked. A line is a curve.
    Raises InputTypeError for what is no Surface, InputError where no loss is finite.

    >>> from hillwalker import Sequential, layers
    >>> from hillwalker.seeing.landscape import landscape
    >>> model = Sequential([layers.Input((1,)), layers.Dense(1)])
    >>> model.compile(loss="mse")
    >>> figure = plot_surface(landscape(model, np.array([[1.0], [2.0]]), np.array([3.0, 5.0]), resolution=11))
    >>> figure.axes[1].get_ylabel()
    'loss (mean squared error)'
    """
    _check(surface)
    figure = new_figure(width=7.0, height=5.4)
    axes = figure.add_subplot()
    if surface.is_line:
        _draw_line(axes, surface)
    else:
        draw_ground(axes, surface.x, surface.y, surface.losses, f"loss ({surface.loss_name})")
        if surface.path is not None:
            places = surface.path.places
            axes.plot(*places.T, label=_of_path(surface, surface.path), path_effects=with_halo(3.0), zorder=4, **PATH)
            _number(axes, surface, surface.path)
        axes.plot(*surface.place, label=_of_model(surface), path_effects=with_halo(2.5), zorder=5, **MODEL)
        axes.set(xlim=(surface.x[0], surface.x[-1]), ylim=(surface.y[0], surface.y[-1]))
        style(axes, *surface.labels)
        axes.grid(visible=False)
    _entitle(figure, axes, title)
    return figure


def plot_surface_3d(
    surface: Surface, title: str | None = None, elevation: float = 35.0, azimuth: float = -60.0
) -> Figure:
    """Return a figure of a loss surface in three dimensions, seen from `elevation` and `azimuth` degrees.

    Heights are powers of ten where the loss spans decades. The training path lies above the surface, at the losses of
    its places on the plane. Raises InputTypeError for what is no Surface, InputError for a line or where no loss is
    finite.

    >>> from hillwalker import Sequential, layers
    >>> from hillwalker.seeing.landscape import landscape
    >>> model = Sequential([layers.Input((1,)), layers.Dense(1)])
    >>> model.compile(loss="mse")
    >>> surface = landscape(model, np.array([[1.0], [2.0]]), np.array([3.0, 5.0]), resolution=11)
    >>> plot_surface_3d(surface).axes[0].name
    '3d'
    """
    _check(surface)
    if surface.is_line:
        passed = "a surface that is a line."
        raise InputError(explain(passed, "a plane, of two directions.", "hw.plots.plot_surface(surface)"))
    figure = new_figure(width=7.0, height=6.0)
    axes: Any = figure.add_subplot(projection="3d", computed_zorder=False)
    is_steep = levels_of(surface.losses)[1] and float(np.nanmin(surface.losses)) > 0

    def height(losses: Any) -> Array:
        finite = np.where(np.isfinite(losses), losses, np.nan)
        return np.log10(finite) if is_steep else finite

    x, y = np.meshgrid(surface.x, surface.y)
    z = height(surface.losses)
    low, high = float(np.nanmin(z)), float(np.nanmax(z))
    axes.plot_surface(
        x, y, z, cmap=colours(), rcount=60, ccount=60, edgecolor=GREY, linewidth=0.15, alpha=0.9, zorder=1
    )
    lift = 0.02 * (high - low)
    if surface.path is not None:
        lines = height(surface.path.plane_losses) + lift
        inside = _inside(surface, surface.path)
        shown = np.where(inside, lines, np.nan)
        axes.plot(*surface.path.places.T, shown, label=_of_path(surface, surface.path), zorder=4, **PATH)
        for number in _numbered(surface, surface.path):
            place = (*surface.path.places[number], shown[number] + 1.5 * lift)
            text = str(surface.path.epochs[number])
            axes.text(*place, text, fontsize=SMALL, color=BLACK, zorder=6, path_effects=with_halo(2.5))
    at = float(height(surface.loss)) + lift
    axes.plot([surface.place[0]], [surface.place[1]], [at], label=_of_model(surface), zorder=5, **MODEL)
    axes.set_xlabel(_folded(surface.labels[0]), fontsize=TEXT, labelpad=14)
    axes.set_ylabel(_folded(surface.labels[1]), fontsize=TEXT, labelpad=14)
    axes.set_zlabel(f"loss ({surface.loss_name})", fontsize=TEXT, labelpad=20)
    if is_steep:
        marks = _round_numbers(10**low, 10**high)
        axes.set_zticks(np.log10(marks), [f"{mark:.3g}" for mark in marks])
    axes.locator_params(axis="x", nbins=5)
    axes.locator_params(axis="y", nbins=5)
    axes.tick_params(labelsize=SMALL)
    axes.tick_params(axis="z", pad=8)
    axes.view_init(elev=elevation, azim=azimuth)
    axes.set_box_aspect(None, zoom=0.88)
    _entitle(figure, axes, title)
    return figure


def _check(surface: Any) -> None:
    fix = "hw.plots.plot_surface(hw.landscape(model, X, y))"
    if not isinstance(surface, Surface):
        raise InputTypeError(explain(f"{type(surface).__name__}.", "a Surface, as hw.landscape returns.", fix))
    if not np.isfinite(surface.losses).any():
        raise InputError(explain("a surface of which no loss is finite.", "a finite loss somewhere.", fix))


def _draw_line(axes: Axes, surface: Surface) -> None:
    losses = surface.losses[0]
    axes.plot(surface.x, np.where(np.isfinite(losses), losses, np.nan), color=GREY, linewidth=2.0, label="on the line")
    if surface.path is not None:
        axes.plot(surface.path.places[:, 0], surface.path.losses, label="training path, its own loss", **PATH)
    axes.plot([surface.place[0]], [surface.loss], label=_of_model(surface), zorder=5, **MODEL)
    if levels_of(losses)[1] and np.nanmin(losses) > 0:
        axes.set_yscale("log")
    axes.set_xlim(surface.x[0], surface.x[-1])
    style(axes, surface.labels[0], f"loss ({surface.loss_name})")


def _number(axes: Axes, surface: Surface, path: PathOnSurface) -> None:
    for number in _numbered(surface, path):
        axes.annotate(
            str(path.epochs[number]), tuple(path.places[number]), xytext=(5, 5), textcoords="offset points",
            fontsize=SMALL, color=BLACK, path_effects=with_halo(2.5), zorder=6, annotation_clip=True,
        )  # fmt: skip


def _inside(surface: Surface, path: PathOnSurface) -> NDArray[np.bool_]:
    x, y = path.places.T
    inside: NDArray[np.bool_] = (x >= surface.x[0]) & (x <= surface.x[-1]) & (y >= surface.y[0]) & (y <= surface.y[-1])
    return inside


def _numbered(surface: Surface, path: PathOnSurface) -> list[int]:
    """Return which epochs get their number: evenly chosen, inside the picture, not too near to each other."""
    if _is_short(surface, path):
        return []
    inside, size = _inside(surface, path), _size(surface)
    chosen: list[int] = []
    evenly = np.unique(np.linspace(0, len(path.epochs) - 1, NUMBERED).round().astype(int))
    for number in [*evenly[:1], *evenly[:0:-1]]:  # the first and the last before those between
        near = [np.abs((path.places[number] - path.places[other]) / size).max() < APART for other in chosen]
        if inside[number] and not any(near):
            chosen.append(int(number))
    return chosen


def _round_numbers(low: float, high: float) -> list[float]:
    """Return a few of 1, 2, 5, 10, 20, ... between two numbers above 0."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits, every in (((1, 2, 5), 1), ((1, 3), 1), ((1,), 1), ((1,), 1 + len(powers) // 6)):
        marks = [digit * 10.0**power for power in powers[::every] for digit in digits]
        inside = [mark for mark in marks if low <= mark <= high]
        if len(inside) <= 7:
            return inside
    return inside


def _size(surface: Surface) -> Array:
    return np.array([surface.x[-1] - surface.x[0], surface.y[-1] - surface.y[0]])


def _is_short(surface: Surface, path: PathOnSurface) -> bool:
    """Return whether a path is hardly more than a dot, as most are in random directions."""
    return bool((np.ptp(path.places, axis=0) < APART * _size(surface)).all())


def _of_path(surface: Surface, path: PathOnSurface) -> str:
    return "training path: hardly moves on this plane" if _is_short(surface, path) else "training path, by epoch"


def _of_model(surface: Surface) -> str:
    return f"the model: loss {surface.loss:.4g}"


def _folded(label: str) -> str:
    return label.replace(" of the path (", "\n(").replace(" direction", "\ndirection")


def _entitle(figure: Figure, axes: Any, title: str | None) -> None:
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", fontsize=SMALL, frameon=False, ncols=2)
    if title is not None:
        figure.suptitle(title, fontsize=TEXT + 2, fontweight="bold", x=0.01, ha="left")
