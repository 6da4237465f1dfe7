"""The curves of a training: one panel a metric, training and validation in it, the best epoch marked.

Smooths nothing and hides nothing; what is not finite leaves a gap.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from hillwalker.errors import InputError, explain, unknown_name
from hillwalker.plots import BLUE, GREEN, SMALL, TEXT, VERMILION, new_figure, style
from hillwalker.training.history import History, direction

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 3  # panels side by side at most


def plot_history(
    history: History, metrics: Sequence[str] | None = None, title: str | None = None, axes: Any = None
) -> Figure:
    """Return a figure of a history's curves.

    `metrics` are names without "val_", by default all; `axes` are one matplotlib Axes a metric to draw into, by
    default those of a new figure. Raises InputError for an unknown metric and for an empty history.

    >>> figure = plot_history(History([0, 1], {"loss": [2.0, 1.0], "val_loss": [2.5, 1.5]}))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['loss']
    """
    known = list(dict.fromkeys(name.removeprefix("val_") for name in history.history))
    known.sort(key=lambda name: (name != "loss", name == "learning_rate"))  # the loss first, the learning rate last
    chosen = known if metrics is None else [name.removeprefix("val_") for name in metrics]
    for name in chosen:
        if name not in known:
            raise unknown_name("metric", name, known, "history.plot(metrics=[{}])")
    if not history.epoch or not chosen:
        raise InputError(
            explain("a history without epochs.", "at least one epoch.", "model.fit(X, y, epochs=10).plot()")
        )
    panels = panels_of(len(chosen)) if axes is None else list(np.ravel(np.asarray(axes, dtype=object)))
    if len(panels) < len(chosen):
        fix = "history.plot(metrics=[...])"
        raise InputError(explain(f"{len(panels)} axes for {len(chosen)} metrics.", "one axes a metric.", fix))
    for panel, name in zip(panels, chosen, strict=False):
        _draw(panel, history, name)
    figure = cast("Figure", panels[0].get_figure(root=True))
    if title is not None:
        figure.suptitle(title, fontsize=TEXT + 2, fontweight="bold", x=0.01, ha="left")
    return figure


def panels_of(count: int) -> list[Axes]:
    """Return the panels of a new figure, at most three side by side."""
    columns = 2 if count == 4 else min(count, COLUMNS)
    rows = math.ceil(count / columns)
    figure = new_figure(width=7.0 if columns == 1 else 5.2 * columns, height=4.2 if count == 1 else 3.6 * rows)
    return [figure.add_subplot(rows, columns, place + 1) for place in range(count)]


def _draw(axes: Axes, history: History, name: str) -> None:
    drawn: list[float] = []
    for metric, label, colour, line in (
        (name, "training", BLUE, "-"),
        (f"val_{name}", "validation", VERMILION, "--"),
    ):
        if metric not in history.history:
            continue
        epochs = [epoch + 1 for epoch in history.epochs_of(metric)]  # counted from 1, as the progress bar does
        values = [float(value) for value in history.history[metric]]
        marker = "o" if len(values) == 1 else ""
        label = label if name != "learning_rate" else "learning rate"
        axes.plot(epochs, values, color=colour, linestyle=line, linewidth=1.8, marker=marker, label=label)
        drawn += [value for value in values if math.isfinite(value)]
        drawn += _band(axes, history, metric, label, colour, line)
    _mark_best(axes, history, name)
    if spans_decades(drawn, name):
        axes.set_yscale("log")
    elif drawn and len(history.epoch) > 1:
        axes.yaxis.set_major_locator(nice_ticks())
    axes.xaxis.set_major_locator(nice_ticks(integer=True))
    style(axes, "epoch", axis_label(history, name))
    axes.legend(fontsize=SMALL, framealpha=0.85, edgecolor="none")


def _band(axes: Axes, history: History, metric: str, label: str, colour: str, line: str) -> list[float]:
    """Draw the middle half of the other seeds' curves; return its lowest and highest value."""
    if history.seeds is None or metric not in history.seeds.curves:
        return []
    low, _, high = history.seeds.quartiles(metric)
    shade(axes, low, high, colour, line, f"{label}, middle half of {len(history.seeds.seeds)} seeds")
    known = np.concatenate([low, high])
    known = known[np.isfinite(known)]
    return [float(known.min()), float(known.max())] if len(known) else []


def shade(axes: Axes, low: Any, high: Any, colour: str, line: str, label: str) -> None:
    """Shade a band over the epochs, its edges in the curve's own line; of one epoch, a bar."""
    epochs = np.arange(1, len(low) + 1)
    if len(epochs) == 1:
        axes.vlines(epochs, low, high, color=colour, alpha=0.35, linewidth=9, label=label)
    else:
        axes.fill_between(
            epochs, low, high, facecolor=(colour, 0.2), edgecolor=(colour, 0.6), linewidth=0.8, linestyle=line,
            label=label,
        )  # fmt: skip


def _mark_best(axes: Axes, history: History, name: str) -> None:
    metric = f"val_{name}" if f"val_{name}" in history.history else name
    if direction(metric) is None or not any(math.isfinite(value) for value in history.history[metric]):
        return
    epoch = history.best_epoch(metric)
    value = history.history[metric][history.epochs_of(metric).index(epoch)]
    # The value stands in the legend and not beside the mark, where it would lie on the curves.
    label = f"best {'validation' if metric != name else 'training'}: {value:.4g} at epoch {epoch + 1}"
    axes.plot(
        [epoch + 1], [value], marker="o", markersize=9, markerfacecolor="none", markeredgecolor=GREEN,
        markeredgewidth=2.2, linestyle="none", label=label, zorder=5,
    )  # fmt: skip


def spans_decades(values: Iterable[float], name: str) -> bool:
    """Tell whether a loss falls by more than a hundred times; then a scale of powers of ten shows it all."""
    known = list(values)
    falls = name == "learning_rate" or direction(name) == "min"
    return (
        falls and bool(known) and min(known) > 0 and max(known) / min(known) > (5 if name == "learning_rate" else 100)
    )


def nice_ticks(integer: bool = False) -> Any:
    """Return a locator of few round ticks."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=6, integer=integer, min_n_ticks=1 if integer else 3)


def axis_label(history: History, name: str) -> str:
    """Return what stands beside the axis of a metric."""
    loss = history.params.get("loss")
    if name == "loss" and isinstance(loss, str) and loss:
        return f"loss\n({loss.replace('_', ' ')})"
    return name.replace("_", " ")
