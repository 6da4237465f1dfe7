"""Forecasts of volatility in pictures: what came and what was forecast, with intervals, in percent a year.

Nothing is computed here but means of days. How the losses and the intervals did, `volatility_scores.py` draws, and how
the networks learned, `window_curves.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hillwalker.errors import InputError, explain, unknown_name
from hillwalker.finance.prices import Array, annualised_percent
from hillwalker.finance.volatility import BAR
from hillwalker.finance.walk_forward import NETWORK, SeriesForecasts
from hillwalker.plots import BLACK, BLUE, GREY, SMALL, TEXT, VERMILION, new_figure, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hillwalker.finance.volatility import VolatilityStudy

WIDTH = 10.0  # inches
MOST_SERIES = 6  # drawn unasked: more make a picture that nobody reads
NEWEST = 120  # days of the closer look
BINS, ROWS_A_BIN = 10, 20  # bins of the forecast, and how many days one has to have
PALE = "#A3A3A3"
UNIT = "volatility, % a year"
GROUND, MIDDLE = (BLUE, 0.16), (BLUE, 0.30)  # of the 90 % and the 50 % interval


def plot_forecasts(study: VolatilityStudy, series: Sequence[str] | None = None, days: int | None = None) -> Figure:
    """Return a figure of what was forecast and what came: all days, the newest ones, and along the diagonal.

    sqrt(252 variance) in percent, at the last day forecast; the forecast of days that have not come is marked with its
    interval. On the right, each day's forecast against what came, and the means of tenths of the days.

    Args:
        study: what `finance.volatility` returns.
        series: names of series; None: the first six.
        days: how many of the newest days are drawn once more; None: 120.

    Raises InputError for an unknown series, and for a study without the network.

    >>> from hillwalker.finance import load_sp500, volatility
    >>> study = volatility(load_sp500(), models=["HAR-X", "network"], seeds=2, first=4700, verbose=0)
    >>> [axes.get_title(loc="left") for axes in plot_forecasts(study).axes]
    ['S&P 500, all 310 days', 'The newest 120 days', 'Forecast against what came']
    """
    chosen = chosen_series(study, series)
    newest = NEWEST if days is None else days
    figure = new_figure(WIDTH, 6.4 * len(chosen) + 0.4)
    rows = figure.add_gridspec(2 * len(chosen), 2, width_ratios=(1.7, 1), height_ratios=(1, 1.12) * len(chosen))
    for number, one in enumerate(chosen):
        above = figure.add_subplot(rows[2 * number, :])
        _over_time(above, one, len(one.dates), f"{one.name}, all {len(one.dates):,} days")
        few = min(newest, len(one.dates))
        closer = figure.add_subplot(rows[2 * number + 1, 0])
        _over_time(closer, one, few, f"The newest {few:,} days")
        _mark_coming(closer, one)
        _against(figure.add_subplot(rows[2 * number + 1, 1]), one)
        if number == 0:
            handles, labels = closer.get_legend_handles_labels()
            # The closer look has one entry more, the forecast of days to come, and lines that can be told apart.
            figure.legend(handles, labels, loc="outside upper left", ncols=3, fontsize=SMALL, frameon=False)
    return figure


def chosen_series(study: VolatilityStudy, series: Sequence[str] | None = None) -> list[SeriesForecasts]:
    """Return the series to draw, or raise InputError where one is unknown or the network made no forecasts."""
    known = [one.name for one in study.walk.series]
    for name in series or ():
        if name not in known:
            raise unknown_name("series", name, known, "plot_forecasts(study, series=[{}])")
    chosen = [study[name] for name in (known[:MOST_SERIES] if series is None else series)]
    if not chosen or any(NETWORK not in one.forecasts for one in chosen):
        passed = "a study without forecasts of the network."
        raise InputError(explain(passed, "one with them.", 'volatility(prices, models=["HAR-X", "network"])'))
    return chosen


# --- forecasts --------------------------------------------------------------------------------------------------------


def days_forecast(one: SeriesForecasts) -> NDArray[np.datetime64]:
    """Return the last day that each forecast is of, (rows,); for days that have not come, weekdays after the close.

    >>> one = SeriesForecasts("x", np.array(["2024-01-05"], "M8[D]"), np.array(["NaT"], "M8[D]"), np.zeros(1), {}, {},
    ...                       np.zeros((1, 1)), np.zeros(1, int), {})
    >>> days_forecast(one).astype(str).tolist()
    ['2024-01-08']
    """
    told = one.target_dates.astype("datetime64[D]")
    open_end = np.isnat(told)
    told[open_end] = np.busday_offset(one.dates[open_end].astype("datetime64[D]"), one.horizon, roll="backward")
    return told


def _over_time(axes: Axes, one: SeriesForecasts, newest: int, title: str) -> None:
    rows, few = slice(len(one.dates) - newest, None), newest <= 400
    when = days_forecast(one)[rows]
    for level, colour in zip(sorted(one.intervals, reverse=True), (GROUND, MIDDLE), strict=False):
        low, high = (_percent(end[rows]) for end in one.intervals[level])
        axes.fill_between(when, low, high, facecolor=colour, linewidth=0, label=f"{100 * level:.0f} % interval")
    marker: dict[str, Any] = {"marker": "o", "markersize": 2.5} if few else {}
    # The grey of thousands of days would hide the forecasts, so there it is thin and pale.
    grey, thin = (GREY, 0.9) if few else (PALE, 0.5)
    axes.plot(when, _percent(one.actual[rows]), color=grey, linewidth=thin, label="what came", **marker)
    if BAR in one.forecasts:
        line: dict[str, Any] = {"linewidth": 0.5, "zorder": 3}
        line = {"linewidth": 0.8, "linestyle": "--", "zorder": 4} if few else line
        axes.plot(when, _percent(one.forecasts[BAR][rows]), color=BLACK, label=BAR, **line)
    network = _percent(one.forecasts[NETWORK][rows])
    axes.plot(when, network, color=VERMILION, linewidth=1.8 if few else 0.7, label=NETWORK, zorder=3.5)
    _log_scale(axes.set_yscale, axes.yaxis)
    style(axes, "", UNIT, title)
    name_dates(axes, 8)
    axes.margins(x=0.01)


def _mark_coming(axes: Axes, one: SeriesForecasts) -> None:
    """Mark the newest forecast, of days that have not come, with its widest interval and its numbers."""
    if not np.isnat(one.target_dates[-1]) or not np.isfinite(one.forecasts[NETWORK][-1]):
        return
    day, middle = days_forecast(one)[-1], float(_percent(one.forecasts[NETWORK][-1:])[0])
    said = f"{middle:.1f} %"
    if one.intervals:
        level = max(one.intervals)
        low, high = (float(_percent(end[-1:])[0]) for end in one.intervals[level])
        if np.isfinite([low, high]).all():
            axes.plot([day, day], [low, high], color=BLACK, linewidth=1.4, marker="_", markersize=9, zorder=6)
            said += f" ({100 * level:.0f} %: {low:.1f} to {high:.1f})"
    axes.plot(
        [day], [middle], color=VERMILION, markeredgecolor=BLACK, marker="D", markersize=8, linestyle="none",
        clip_on=False, label=f"to come, forecast after {one.dates[-1]}", zorder=7,
    )  # fmt: skip
    # In the corner and not beside the mark, where it would lie on the lines.
    axes.text(0.995, 0.985, f"to come: {said}", transform=axes.transAxes, ha="right", va="top", fontsize=SMALL,
              bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5}, zorder=8)  # fmt: skip
    low_end, high_end = axes.get_ylim()
    axes.set_ylim(low_end, high_end * 1.35)


def _against(axes: Axes, one: SeriesForecasts) -> None:
    known = one.scored & np.isfinite(one.forecasts[NETWORK])
    forecast, actual = np.exp(one.forecasts[NETWORK][known]), np.exp(one.actual[known])
    style(axes, f"forecast {UNIT}", "what came, % a year", "Forecast against what came")
    if not len(actual):
        axes.text(0.5, 0.5, "no day has come yet", transform=axes.transAxes, ha="center", color=GREY, fontsize=TEXT)
        return
    x, y = annualised_percent(forecast), annualised_percent(actual)
    opacity = float(np.clip(15 / np.sqrt(len(x)), 0.15, 0.8))
    axes.scatter(x, y, s=8, alpha=opacity, color=GREY, linewidths=0, label="a day")
    axes.plot([x.min(), x.max()], [x.min(), x.max()], color=BLACK, linewidth=1.1, linestyle="--", label="as forecast")
    bins = min(BINS, len(x) // ROWS_A_BIN)
    if bins >= 2:
        parts = np.array_split(np.argsort(forecast), bins)
        means = [annualised_percent(np.array([values[part].mean() for part in parts])) for values in (forecast, actual)]
        what = "mean of a tenth of the days" if bins == BINS else f"mean of 1 of {bins} parts"
        axes.scatter(means[0], means[1], s=48, color=VERMILION, edgecolors=BLACK, linewidths=0.8, zorder=5, label=what)
    _log_scale(axes.set_xscale, axes.xaxis)
    _log_scale(axes.set_yscale, axes.yaxis)
    legend: Any = axes.legend(
        fontsize=SMALL - 1, framealpha=0.85, edgecolor="none", loc="lower right", handlelength=1.4
    )
    legend.legend_handles[0].set_alpha(0.9)


def name_dates(axes: Axes, most: int) -> None:
    """Write years, months or days along the axis, as few as are read."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=most)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _percent(log_variance: Array) -> Array:
    return annualised_percent(np.exp(log_variance))


def _log_scale(set_scale: Any, axis: Any) -> None:
    """Powers of ten with the numbers people read (2, 5, 10, 20), not 10^1."""
    from matplotlib.ticker import LogLocator, NullFormatter, NullLocator, StrMethodFormatter

    set_scale("log")
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
