"""The curves of several trainings: overlaid, or a panel each with training, validation and the gap between.

Nothing is hidden: a curve that ends in a loss that is not finite is marked where it broke off.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from hillwalker.errors import InputError, InputTypeError, explain, unknown_name
from hillwalker.plots import BLUE, COLOURS, LINE_STYLES, SMALL, TEXT, VERMILION, new_figure, style
from hillwalker.plots.history import axis_label, nice_ticks, panels_of, spans_decades
from hillwalker.training.history import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RUNAWAY = 1000.0  # times as large as every curve that stays finite: such a curve is cut off
BANDS = ("quartiles", "range")
CALL = 'plot_histories({"small": history}, {})'


def plot_histories(
    histories: Any,
    metric: str = "loss",
    validation: bool = True,
    panels: bool = False,
    band: str = "quartiles",
    title: str | None = None,
) -> Figure:
    """Return a figure that compares trainings by one metric.

    Args:
        histories: label -> History, or label -> [History, ...] (several seeds: the median is drawn, and a band); or a
            list of histories.
        metric: its name, without "val_".
        validation: whether the validation's curve is drawn too, dashed, where there is one.
        panels: a panel for each label, with the gap between training and validation shaded; else all in one.
        band: of several seeds, the "quartiles" or the whole "range".
        title: above the figure.

    A training whose curve is not finite breaks off at a cross. Raises InputError for an unknown metric, for a label
    without an epoch, and for an empty list.

    >>> good, slow = (History([0, 1], {"loss": [2.0, last]}) for last in (0.5, 1.9))
    >>> figure = plot_histories({"just right": good, "too low": slow})
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['just right', 'too low']
    """
    groups = _groups(histories, metric)
    if band not in BANDS:
        raise unknown_name("band", band, BANDS, "plot_histories(histories, band={})")
    drawn = _drawn(groups, metric, validation)
    top = _top(groups, metric, drawn) if drawn else None
    if panels:
        axes = panels_of(len(groups))
        figure = cast("Figure", axes[0].get_figure(root=True))
        for panel, (name, group) in zip(axes, groups.items(), strict=True):
            _panel(panel, name, group, metric, validation, band, top)
        _same_heights(axes)
    else:
        figure = new_figure(8.2, 4.6)
        axes = [figure.add_subplot()]
        for number, (name, group) in enumerate(groups.items()):
            colour, line = COLOURS[number % len(COLOURS)], LINE_STYLES[number % len(LINE_STYLES)]
            _draw(axes[0], group, metric, name, colour, line if not validation else "-", band, top)
            if validation and _has(group, f"val_{metric}"):
                _draw(axes[0], group, f"val_{metric}", f"{name}, validation", colour, "--", band, top)
    first = next(iter(groups.values()))[0]
    for place, panel in enumerate(axes):
        shown = [value for value in drawn if top is None or value <= top]
        is_log = spans_decades(shown, metric)
        if is_log:
            panel.set_yscale("log")
        if top is not None:
            low = min(shown)
            panel.set_ylim(low / 1.3 if is_log else low - 0.06 * (top - low), top)
        panel.xaxis.set_major_locator(nice_ticks(integer=True))
        heading = list(groups)[place] if panels else None
        style(panel, "epoch", axis_label(first, metric) if place % 3 == 0 or not panels else "", heading)
        many = len(panel.get_legend_handles_labels()[0]) > 4
        where: dict[str, Any] = {"framealpha": 0.85, "edgecolor": "none"}
        if many and not panels:
            where = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "frameon": False}
        panel.legend(fontsize=SMALL, **where)
    if title is not None:
        figure.suptitle(title, fontsize=TEXT + 2, fontweight="bold", x=0.01, ha="left")
    return figure


def _groups(histories: Any, metric: str) -> dict[str, list[History]]:
    if isinstance(histories, History):
        histories = [histories]
    if not isinstance(histories, Mapping):
        if not isinstance(histories, Sequence) or isinstance(histories, str):
            passed = f"histories of type {type(histories).__name__}."
            raise InputTypeError(explain(passed, "{label: History} or [History, ...].", CALL.replace(", {}", "")))
        histories = {f"training {number}": history for number, history in enumerate(histories, start=1)}
    if not histories:
        raise InputError(explain("no histories.", "at least one.", CALL.replace(", {}", "")))
    groups: dict[str, list[History]] = {}
    for name, given in histories.items():
        group = [given] if isinstance(given, History) else list(given) if isinstance(given, (list, tuple)) else [given]
        for history in group:
            if not isinstance(history, History):
                passed = f"{type(history).__name__} under the label {name!r}."
                raise InputTypeError(explain(passed, "a History, or a list of them.", "model.fit(X, y)"))
            if not history.epoch:
                raise InputError(
                    explain(f"a history without epochs, {name!r}.", "at least one epoch.", "model.fit(X, y, epochs=10)")
                )
            if metric not in history.history:
                raise unknown_name("metric", metric, history.history, "plot_histories(histories, metric={})")
        if not group:
            raise InputError(explain(f"an empty list under the label {name!r}.", "at least one history."))
        groups[str(name)] = group
    return groups


def _has(group: list[History], metric: str) -> bool:
    return all(metric in history.history for history in group)


def _drawn(groups: dict[str, list[History]], metric: str, validation: bool) -> list[float]:
    names = [metric, f"val_{metric}"] if validation else [metric]
    values = [
        value for group in groups.values() for one in group for name in names for value in one.history.get(name, [])
    ]
    return [float(value) for value in values if math.isfinite(value)]


def _curve(history: History, metric: str) -> tuple[Any, Any]:
    """Return epochs, counted from 1 as the progress bar does, and values, NaN where they are not finite."""
    epochs = np.array(history.epochs_of(metric), dtype=float) + 1
    values = np.array(history.history[metric], dtype=float)
    return epochs, np.where(np.isfinite(values), values, np.nan)


def _draw(
    axes: Axes, group: list[History], metric: str, name: str, colour: str, line: Any, band: str, top: float | None
) -> None:
    if len(group) == 1:
        epochs, values = _curve(group[0], metric)
    else:
        epochs, table = _table(group, metric)
        values = np.nanmedian(table, axis=0)
        low, high = np.nanpercentile(table, [25, 75] if band == "quartiles" else [0, 100], axis=0)
        axes.fill_between(epochs, low, high, color=colour, alpha=0.18, linewidth=0)
        name = f"{name} ({len(group)} runs)"
    breaks = [] if metric.startswith("val_") else [place for one in group if (place := _break(one, metric))]
    if breaks:
        name += f",\nnot finite from epoch {min(epoch for epoch, _ in breaks):g}"
    marker = "o" if len(values) == 1 and not breaks else ""
    axes.plot(epochs, values, color=colour, linestyle=line, linewidth=1.9, marker=marker, label=name)
    for epoch, last in breaks:
        at = top if top is not None else last
        if not math.isfinite(at):  # the first number already was none: the legend tells
            continue
        axes.plot(
            [epoch - 1 if last <= at else epoch],
            [min(last, at)],
            "x",
            color=colour,
            markersize=10,
            markeredgewidth=2.5,
            clip_on=False,
            zorder=6,
        )


def _table(group: list[History], metric: str) -> tuple[Any, Any]:
    """Return the epochs of all runs, and a row of values a run, NaN where a run has none."""
    curves = [_curve(history, metric) for history in group]
    epochs = np.unique(np.concatenate([where for where, _ in curves]))
    table = np.full((len(group), len(epochs)), np.nan)
    for row, (where, values) in zip(table, curves, strict=True):
        row[np.searchsorted(epochs, where)] = values
    kept = ~np.isnan(table).all(axis=0)
    return epochs[kept], table[:, kept]


def _break(history: History, metric: str) -> tuple[float, float] | None:
    """Return the epoch from which a curve is no number, and the last number before; None for a whole curve."""
    epochs, values = _curve(history, metric)
    broken = np.flatnonzero(np.isnan(values))
    if not len(broken):
        return None
    return float(epochs[broken[0]]), float(values[broken[0] - 1]) if broken[0] else math.inf


def _top(groups: dict[str, list[History]], metric: str, drawn: list[float]) -> float | None:
    """Return where to cut off curves that run away to infinity, so that the others can be read; None: nowhere."""
    whole = [
        value for group in groups.values() for one in group if not _break(one, metric) for value in one.history[metric]
    ]
    whole = [value for value in whole if math.isfinite(value)]
    if not whole or max(drawn) <= RUNAWAY * max(whole) or max(whole) <= 0:
        return None
    return 1.5 * max(whole)


def _panel(
    axes: Axes, name: str, group: list[History], metric: str, validation: bool, band: str, top: float | None
) -> None:
    _draw(axes, group, metric, "training", BLUE, "-", band, top)
    if not (validation and _has(group, f"val_{metric}")):
        return
    _draw(axes, group, f"val_{metric}", "validation", VERMILION, "--", band, top)
    if len(group) == 1:
        epochs, values = _curve(group[0], f"val_{metric}")
        where, training = _curve(group[0], metric)
        below = np.interp(epochs, where, training)
        axes.fill_between(epochs, below, values, color=VERMILION, alpha=0.12, linewidth=0, label="the gap")


def _same_heights(axes: Sequence[Axes]) -> None:
    limits = [panel.get_ylim() for panel in axes]
    low, high = min(low for low, _ in limits), max(high for _, high in limits)
    for panel in axes:
        panel.set_ylim(low, high)
