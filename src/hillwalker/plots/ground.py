"""What pictures of a walk and pictures of a loss surface share: the ground in contours, and what lies off it.

The levels at which contours are drawn are chosen here, and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hillwalker.plots import GREY, SMALL, TEXT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

LEVELS = 16
STEEP = 60.0  # how many times as high as its lower tenth a ground is whose levels are spaced by equal ratios
HALO = "white"


def levels_of(values: Array) -> tuple[Array, bool]:
    """Return the heights of the contours, and whether they are spaced by equal ratios above the lowest.

    >>> levels_of(np.linspace(0.0, 1.0, 100))[1], levels_of(np.logspace(-3.0, 3.0, 100))[1]
    (False, True)
    """
    finite = np.sort(values[np.isfinite(values)])
    if not finite.size:
        return np.array([0.0, 1.0]), False
    low, lower, high = float(finite[0]), float(np.quantile(finite, 0.1)), float(finite[-1])
    if high - low <= 1e-12 * max(1.0, abs(high)):
        return np.array([low - 0.5, low + 0.5]), False
    if high - low <= STEEP * (lower - low):
        from matplotlib.ticker import MaxNLocator

        return np.asarray(MaxNLocator(nbins=LEVELS, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)), False
    first = float(np.quantile(finite, 0.005)) - low or 1e-6 * (high - low)
    return low + np.concatenate([[0.0], np.geomspace(first, high - low, LEVELS - 1)]), True


def draw_ground(axes: Axes, x: Array, y: Array, values: Array, bar_label: str | None = None) -> None:
    """Draw heights (rows, columns) as filled contours, dark where it is low; what is not finite is a hatched gap."""
    from matplotlib.colors import BoundaryNorm

    levels, _ = levels_of(values)
    shown = np.ma.masked_invalid(values)
    axes.patch.set(hatch="xxx", facecolor="white", edgecolor="#BBBBBB")
    norm = BoundaryNorm(levels, colours().N)
    filled = axes.contourf(x, y, shown, levels=levels, cmap=colours(), norm=norm)
    axes.contour(x, y, shown, levels=levels[1:-1], colors=GREY, linewidths=0.5, alpha=0.7, linestyles="solid")
    if bar_label is not None:
        bar = axes.figure.colorbar(filled, ax=axes, ticks=levels[:: max(1, len(levels) // 6)], format="%.3g")
        bar.set_label(bar_label, fontsize=TEXT)
        bar.ax.tick_params(labelsize=SMALL)
        bar.ax.grid(visible=False)


def colours() -> Any:
    """Return the colours of heights: blue-grey below, sand above; their lightness tells them apart without colour."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("ground", ["#6F93B5", "#B4C9DC", "#F4F2EA", "#DCC69A"])


def with_halo(width: float) -> list[Any]:
    """Return the effect that sets lines and text off from the ground by a white border."""
    from matplotlib import patheffects

    return [patheffects.withStroke(linewidth=width, foreground=HALO)]
