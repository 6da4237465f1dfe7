"""Predictions beside what came: amounts over time and along the diagonal, classes as a table of counts.

Every number shown arrives as an argument but for counts and bins; nothing is fitted or smoothed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hillwalker.plots import BLACK, BLUE, GREY, SMALL, TEXT, VERMILION, new_figure, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
BINS = 10  # of predicted probability
MOST_LABELS = 12  # classes whose counts still fit into the squares


def plot_predicted_vs_actual(
    actual: Array,
    predicted: Array,
    *,
    name: str,
    note: str = "",
    dates: NDArray[np.datetime64] | None = None,
    in_time: bool = False,
    logarithmic: bool = False,
) -> Figure:
    """Return two panels of predicted amounts (rows,) against actual ones (rows,).

    On the left both over time, where the rows are in time (`dates`, or `in_time` for row numbers), else each row's
    error against its prediction; on the right actual against predicted with the line of perfect prediction. `name`
    names the amount with its unit; `note` is written into the right panel; `logarithmic` scales both by powers of ten.
    """
    figure, left, right = _two_panels(4.4, 1.55)
    if dates is not None or in_time:
        _over_time(left, actual, predicted, np.arange(len(actual)) if dates is None else dates, name, logarithmic)
    else:
        left.scatter(predicted, actual - predicted, s=12, alpha=_opacity(len(actual)), color=BLUE, linewidths=0)
        left.axhline(0, color=BLACK, linewidth=1, linestyle="--")
        style(left, f"predicted {name}", "actual - predicted", "Errors of the test rows")
    _along_diagonal(right, actual, predicted, name, note, logarithmic)
    return figure


def _two_panels(height: float, ratio: float) -> tuple[Figure, Axes, Axes]:
    figure = new_figure(11.0, height)
    figure.set_layout_engine("constrained", wspace=0.06)
    left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [ratio, 1]})
    return figure, left, right


def _opacity(rows: int) -> float:
    return float(np.clip(60 / np.sqrt(rows) / 3, 0.3, 0.85))


def _over_time(axes: Axes, actual: Array, predicted: Array, when: Any, name: str, logarithmic: bool) -> None:
    axes.plot(when, actual, color=GREY, linewidth=0.8, alpha=0.75, label="actual")
    axes.plot(when, predicted, color=VERMILION, linewidth=1.3, label="predicted")
    if logarithmic:
        _log_scale(axes.set_yscale, axes.yaxis)
    is_date = np.issubdtype(np.asarray(when).dtype, np.datetime64)
    style(axes, *(("", name, "Over time, test days") if is_date else ("test row", name, "In order, test rows")))
    axes.margins(y=0.14)  # room for the legend
    legend = axes.legend(fontsize=SMALL, framealpha=0.85, edgecolor="none", loc="upper left", ncols=2)
    for line in legend.get_lines():
        line.set_linewidth(2.5)


def _along_diagonal(axes: Axes, actual: Array, predicted: Array, name: str, note: str, logarithmic: bool) -> None:
    axes.scatter(predicted, actual, s=12, alpha=_opacity(len(actual)), color=BLUE, linewidths=0)
    both = np.concatenate([actual, predicted])
    low, high = float(both.min()), float(both.max())
    axes.plot([low, high], [low, high], color=BLACK, linewidth=1, linestyle="--", label="perfect prediction")
    if logarithmic:
        _log_scale(axes.set_xscale, axes.xaxis)
        _log_scale(axes.set_yscale, axes.yaxis)
    style(axes, f"predicted {name}", f"actual {name}", note or None)
    axes.legend(fontsize=SMALL, framealpha=0.85, edgecolor="none", loc="upper left")


def _log_scale(set_scale: Any, axis: Any) -> None:
    """Powers of ten with the numbers people read (2, 5, 10, 20), not 10^1."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    set_scale("log")
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def plot_classes(
    labels: NDArray[np.int64], probabilities: Array, classes: Sequence[object], *, name: str, note: str = ""
) -> Figure:
    """Return the table of counts (rows: the true class) and, beside it, whether the probabilities can be believed.

    `labels` (rows,) are class numbers, `probabilities` (rows, classes). On the right, for two classes the second one's
    probability, for more that of the class chosen: predicted in ten bins against how often it came true; a bin without
    rows is left out, and a dot's area is its number of rows.
    """
    predicted = probabilities.argmax(axis=1)
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(counts, (labels, predicted), 1)
    figure, left, right = _two_panels(4.8, 1.15)
    _counts(left, counts, [str(value) for value in classes], name)
    if len(classes) == 2:
        _calibration(right, probabilities[:, 1], labels == 1, f"probability of {classes[1]}", note)
    else:
        _calibration(right, probabilities.max(axis=1), predicted == labels, "probability of the class chosen", note)
    return figure


def _counts(axes: Axes, counts: NDArray[np.int64], names: list[str], name: str) -> None:
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    style(axes, f"predicted {name}", f"actual {name}", "Counts of the test rows")
    axes.grid(visible=False)
    axes.set_xticks(range(len(names)), names, rotation=0 if sum(map(len, names)) < 40 else 45)
    axes.set_yticks(range(len(names)), names)
    if len(names) <= MOST_LABELS:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if share[row, column] > 0.55 else BLACK
            axes.text(column, row, f"{count}", ha="center", va="center", color=colour, fontsize=TEXT)


def _calibration(axes: Axes, probability: Array, came_true: NDArray[np.bool_], what: str, note: str) -> None:
    bins = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
    rows = np.bincount(bins, minlength=BINS)
    filled = rows > 0
    means = np.bincount(bins, weights=probability, minlength=BINS)[filled] / rows[filled]
    rates = np.bincount(bins, weights=came_true.astype(np.float64), minlength=BINS)[filled] / rows[filled]
    axes.plot([0, 1], [0, 1], color=BLACK, linewidth=1, linestyle="--", label="perfectly calibrated")
    axes.scatter(
        means, rates, s=25 + 250 * rows[filled] / rows.sum(), color=BLUE, zorder=3, label="test rows, in ten bins"
    )
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(-0.03, 1.03)
    style(axes, f"predicted {what}", "share that came true", note or None)
    legend: Any = axes.legend(fontsize=SMALL, framealpha=0.85, edgecolor="none", loc="best")
    legend.legend_handles[1].set_sizes([50])
