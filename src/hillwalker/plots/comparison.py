"""The curves of a comparison, each variant's median with the band of its seeds, beside the scores and their intervals.

Computes nothing: medians and quartiles are the record's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hillwalker.plots import BLACK, COLOURS, GREY, LINE_STYLES, SMALL, new_figure, style
from hillwalker.scores import rounded

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hillwalker.choosing import Comparison, Row

MOST = 7  # variants whose curves are told apart by colour and line; of more, the best
MOST_IN_LEGEND = 4
MOST_ROWS = 20  # variants whose scores are drawn


def plot_comparison(comparison: Comparison, metric: str | None = None) -> Figure:
    """Return two panels: a metric by epoch, median and band (quartiles) over the runs; and each variant's score.

    `metric` is the one compared unless told. On the right, the mean with its 95 % interval, best at the top.
    Raises InputError for an unknown metric.
    """
    name = comparison.metric if metric is None else metric
    bands = comparison.quartiles(name)
    rows = comparison.table
    shown = [comparison.labels.index(row.label) for row in rows[:MOST]]
    figure = new_figure(11.0, max(4.4, 1.4 + 0.42 * min(len(rows), MOST_ROWS)))
    left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1.35, 1]})
    for place, number in enumerate(shown):
        draw_band(left, np.arange(1, bands.shape[-1] + 1), bands[number], place, comparison.labels[number])
    scale(left, [comparison.curves[name][number] for number in shown])
    runs = comparison.runs.shape[1] * comparison.runs.shape[2]
    title = f"Median and middle half of {runs} runs" + (f", the best {MOST} variants" if len(rows) > MOST else "")
    style(left, "epoch", name.replace("_", " "), title)
    if len(shown) <= MOST_IN_LEGEND:  # of more, the labels on the right have the curves' colours
        left.legend(fontsize=SMALL, framealpha=0.85, edgecolor="none")
    labels = {row.label: f"{row.label}\n{row.probability:.0%} to be best" for row in rows}
    draw_scores(right, comparison, labels, {row.label: place for place, row in enumerate(rows[:MOST])})
    style(right, comparison.metric.replace("_", " "), "", "Mean score and its 95 % interval")
    return figure


def draw_band(axes: Axes, x: Any, band: Any, place: int, label: str) -> None:
    """Draw a median and the middle half about it, `band` (3, len(x)), in the colour and line of this place."""
    low, middle, high = band
    colour, line = COLOURS[place], LINE_STYLES[place]
    axes.plot(x, middle, color=colour, linestyle=line, linewidth=1.8, label=label)
    axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)


def scale(axes: Axes, curves: list[Any]) -> None:
    """Use a logarithmic scale for curves that span two powers of ten."""
    values = np.concatenate([curve[np.isfinite(curve)].ravel() for curve in curves])
    if values.size and values.min() > 0 and values.max() / values.min() > 100:
        axes.set_yscale("log")


def draw_scores(
    axes: Axes, comparison: Comparison, labels: Mapping[str, str], places: Mapping[str, int], in_order: bool = False
) -> None:
    """Draw each variant's mean score with its interval, named by `labels` and coloured by `places`; the rest grey."""
    rows = comparison.table[:MOST_ROWS]
    low, high = _range_of(rows)
    if in_order:
        rows = tuple(sorted(rows, key=lambda row: comparison.labels.index(row.label)))
    colours = [COLOURS[places[row.label]] if row.label in places else GREY for row in rows]
    for place, (row, colour) in enumerate(zip(rows, colours, strict=True)):
        if not low <= row.mean <= high:
            words = (
                f"failed in {row.failed} runs" if not np.isfinite(row.mean) else f"off the scale: {rounded(row.mean)}"
            )
            axes.text(high, place, words, va="center", ha="right", fontsize=SMALL, color=GREY)
            continue
        if np.isfinite(row.low):
            axes.plot([row.low, row.high], [place, place], color=colour, linewidth=2.2, solid_capstyle="butt")
        axes.plot([row.mean], [place], marker="o", color=colour, markeredgecolor=BLACK, markersize=6)
    axes.set_yticks(range(len(rows)), [labels[row.label] for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(low, high)
    axes.tick_params(axis="y", length=0)
    if len(comparison.table) > MOST_IN_LEGEND:
        for text, colour in zip(axes.get_yticklabels(), colours, strict=True):
            text.set_color(colour)


def _range_of(rows: Sequence[Row]) -> tuple[float, float]:
    """Return the scale's ends: all means but those so far off that the others would be one dot."""
    means = [row.mean for row in rows if np.isfinite(row.mean)]
    if not means:
        return 0.0, 1.0
    quarter, half, three_quarters = np.quantile(means, [0.25, 0.5, 0.75])
    reach = 6 * max(three_quarters - quarter, abs(half) * 0.02, 1e-12)
    near = [row for row in rows if abs(row.mean - half) <= reach]
    ends = [end for row in near for end in (row.mean, row.low, row.high) if abs(end - half) <= 2 * reach]
    margin = 0.06 * (max(ends) - min(ends) or abs(half) or 1.0)
    return min(ends) - margin, max(ends) + margin
