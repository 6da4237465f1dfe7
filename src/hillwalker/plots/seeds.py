"""One training from many seeds: every curve, and their median and middle half over them.

Computes nothing: medians and quartiles are the record's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from hillwalker.errors import InputError, explain, unknown_name
from hillwalker.plots import BLUE, SMALL, VERMILION, style
from hillwalker.plots.history import nice_ticks, panels_of, shade, spans_decades
from hillwalker.training.seeds import SeedCurves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_seeds(seeds: SeedCurves, metrics: Sequence[str] | None = None) -> Figure:
    """Return a panel a metric: each seed's curve thin, their median thick, their middle half shaded.

    `metrics` are names such as "val_loss", by default all. Raises InputError for an unknown one, or no seed.
    """
    chosen = list(seeds.curves if metrics is None else metrics)
    for name in chosen:
        if name not in seeds.curves:
            raise unknown_name("metric", name, seeds.curves, "history.seeds.plot([{}])")
    if not seeds.seeds or not chosen:
        raise InputError(explain("a picture of no seeds.", "at least one.", "model.fit(X, y, seeds=30).seeds.plot()"))
    panels = panels_of(len(chosen))
    for panel, name in zip(panels, chosen, strict=True):
        _draw(panel, seeds, name)
    return cast("Figure", panels[0].get_figure(root=True))


def _draw(axes: Axes, seeds: SeedCurves, name: str) -> None:
    colour, line = (VERMILION, "--") if name.startswith("val_") else (BLUE, "-")
    curves = seeds.curves[name]
    low, middle, high = seeds.quartiles(name)
    epochs = np.arange(1, curves.shape[1] + 1)
    count, marker = len(seeds.seeds), "o" if len(epochs) == 1 else ""
    for number, curve in enumerate(curves):
        label = "each seed" if number == 0 else None
        faint = max(0.12, min(0.5, 4 / count))
        axes.plot(epochs, curve, color=colour, alpha=faint, linewidth=0.8, marker=marker, label=label)
    shade(axes, low, high, colour, line, "middle half")
    axes.plot(
        epochs, middle, color=colour, linestyle=line, linewidth=2, marker=marker, label=f"median of {count} seeds"
    )
    drawn = curves[np.isfinite(curves)]
    if spans_decades(drawn.tolist(), name):
        axes.set_yscale("log")
    elif len(drawn) and len(epochs) > 1:
        axes.yaxis.set_major_locator(nice_ticks())
    axes.xaxis.set_major_locator(nice_ticks(integer=True))
    style(axes, "epoch", name.replace("_", " "))
    legend = axes.legend(fontsize=SMALL, framealpha=0.85, edgecolor="none")
    legend.legend_handles[0].set_alpha(0.7)  # type: ignore[union-attr]
