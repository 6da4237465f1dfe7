"""How forecasts of volatility did, in pictures: the network's lead over time, and how often its intervals hold.

Nothing is computed here but cumulative sums and months' means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hillwalker.errors import InputError, explain
from hillwalker.finance.averages import LEAST_DAYS
from hillwalker.finance.prices import Array
from hillwalker.finance.volatility import BAR
from hillwalker.finance.walk_forward import NETWORK, SeriesForecasts
from hillwalker.plots import BLACK, BLUE, GREY, ORANGE, SMALL, TEXT, new_figure, style
from hillwalker.plots.volatility import WIDTH, chosen_series, days_forecast, name_dates

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hillwalker.finance.volatility import SeriesResult, VolatilityStudy

USUAL = "log-HAR"  # the usual bar
MONTH = 22  # days


# --- losses over time -------------------------------------------------------------------------------------------------


def plot_loss_differences(study: VolatilityStudy) -> Figure:
    """Return a figure of the network's lead over time: a panel a series and rival, with the test's p.

    sum over days so far of (QLIKE of the network - QLIKE of the rival): below 0 the network is ahead, and where a line
    falls it gains. The rivals are HAR-X and log-HAR, or the first two of those that were tried. The ground is shaded
    where the last 22 days' mean variance is among the highest tenth.

    Raises InputError for a study without the network, without a rival, or without a day that has come.

    >>> from hillwalker.finance import load_sp500, volatility
    >>> study = volatility(load_sp500(), models=["HAR-X", "network"], seeds=2, first=4700, verbose=0)
    >>> [axes.get_title(loc="left") for axes in plot_loss_differences(study).axes]
    ['S&P 500, against HAR-X (p = ...)']
    """
    chosen = [one for one in chosen_series(study) if one.scored.any()]
    if not chosen or not rivals_of(chosen[0]):
        passed = "a study in which nothing stands beside the network on days that have come."
        raise InputError(explain(passed, "one with a rival.", 'volatility(prices, models=["HAR-X", "network"])'))
    results = {one.name: one for one in study.results}
    rivals = rivals_of(chosen[0])
    figure = new_figure(WIDTH, 2.7 * len(chosen) + 0.6)
    panels = figure.subplots(len(chosen), len(rivals), squeeze=False)
    for row, one in zip(panels, chosen, strict=True):
        for axes, rival in zip(row, rivals, strict=True):
            _difference(axes, one, results[one.name], rival)
        row[0].set_ylabel("QLIKE − rival's QLIKE, summed", fontsize=TEXT)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=3, fontsize=SMALL, frameon=False)
    return figure


def rivals_of(one: SeriesForecasts) -> list[str]:
    """Return the models that the network's losses are drawn against: HAR-X and log-HAR, or the first two."""
    others = [name for name in one.forecasts if name != NETWORK]
    return [name for name in (BAR, USUAL) if name in others] or others[:2]


def _difference(axes: Axes, one: SeriesForecasts, result: SeriesResult, rival: str) -> None:
    when, actual, test = days_forecast(one)[one.scored], one.actual[one.scored], result.tests.get(rival)
    total = np.cumsum(result.losses[NETWORK] - result.losses[rival])
    _shade_crises(axes, when, np.exp(actual))
    axes.axhline(0, color=BLACK, linewidth=1)
    marker = "o" if len(total) == 1 else ""
    axes.plot(when, total, color=BLUE, linewidth=1.6, marker=marker, label="below 0: the network is ahead")
    p = p_in_words(None if test is None else test.p)
    style(axes, "", "", f"{one.name}, against {rival} ({p})")
    name_dates(axes, 6)
    axes.margins(x=0.01)


def p_in_words(p: float | None) -> str:
    """Return a test's p as a legend says it.

    >>> p_in_words(0.0004), p_in_words(0.0421), p_in_words(None)
    ('p < .001', 'p = .042', 'too few days to test')
    """
    if p is None:
        return "too few days to test"
    return "p < .001" if p < 0.001 else f"p = {p:.3f}".replace("0.", ".", 1)


def _shade_crises(axes: Axes, when: NDArray[np.datetime64], variance: Array) -> None:
    """Shade the days after which the mean variance of a month is among the highest tenth."""
    if len(variance) < 10 * MONTH:
        return
    months = np.convolve(variance, np.full(MONTH, 1 / MONTH), mode="valid")
    high = np.concatenate([np.zeros(MONTH - 1, bool), months >= np.quantile(months, 0.9)])
    axes.fill_between(
        when, 0, 1, where=high.tolist(), transform=axes.get_xaxis_transform(), facecolor=(GREY, 0.22), linewidth=0,
        label="stormiest tenth of months",
    )  # fmt: skip


# --- intervals --------------------------------------------------------------------------------------------------------


def plot_coverage(study: VolatilityStudy) -> Figure:
    """Return a figure of how often what came lay within the intervals, by year, a panel a series.

    A dot is a year's share, its line Wilson's 95 % interval with days that resemble their neighbours reckoned with
    (`finance.coverage`), the dashed line what the interval promises. Years of fewer than 10 days are left out.

    Raises InputError for a study without intervals, or without a year of 10 days.

    >>> from hillwalker.finance import load_sp500, volatility
    >>> study = volatility(load_sp500(), models=["HAR-X", "network"], seeds=2, first=4700, verbose=0)
    >>> [axes.get_ylabel() for axes in plot_coverage(study).axes]
    ['days inside, %']
    """
    found = {one.name: one.by_year for one in study.results}
    chosen = [one for one in chosen_series(study) if found[one.name]]
    if not chosen:
        passed = "a study without intervals of days that have come."
        raise InputError(
            explain(passed, f"one with {LEAST_DAYS} such days in a year.", "volatility(prices, first=750)")
        )
    figure = new_figure(WIDTH, 2.9 * len(chosen) + 0.3)
    for axes, one in zip(np.ravel(figure.subplots(len(chosen), 1, squeeze=False)), chosen, strict=True):
        for (level, years), colour, marker in zip(found[one.name].items(), (ORANGE, BLUE), "so", strict=False):
            shares = 100 * np.array([(told.share, told.low, told.high) for told in years.values()]).T
            place = np.array(list(years), dtype=float) + (0.08 if level == max(one.intervals) else -0.08)
            ends = np.abs(shares[1:] - shares[0])
            axes.errorbar(place, shares[0], yerr=ends, fmt=marker, color=colour, markersize=6, elinewidth=1.3,
                          label=f"{100 * level:.0f} % interval")  # fmt: skip
            axes.axhline(100 * level, color=colour, linestyle="--", linewidth=1.2, zorder=1)
        style(axes, "", "days inside, %", one.name)
        axes.set_ylim(0, 103)
        shown = sorted({year for years in found[one.name].values() for year in years})
        step = 1 + len(shown) // 20
        axes.set_xticks(shown[::step], [str(year) for year in shown[::step]])
        margin = 0.6 + max(0, 6 - len(shown)) / 2  # so that the two dots of a lone year stand together
        axes.set_xlim(shown[0] - margin, shown[-1] + margin)
        axes.legend(fontsize=SMALL, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    return figure
