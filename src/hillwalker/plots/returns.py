"""A study of returns in one picture: the network's lead over the constant, and what its signs earned or missed.

Nothing is computed here but cumulative sums and products.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hillwalker.errors import InputError, explain
from hillwalker.finance.walk_forward import NETWORK, SeriesForecasts
from hillwalker.plots import BLACK, BLUE, GREY, ORANGE, SMALL, TEXT, VERMILION, new_figure, style
from hillwalker.plots.volatility import WIDTH, days_forecast, name_dates
from hillwalker.plots.volatility_scores import p_in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hillwalker.finance.returns_study import ReturnsStudy

CONSTANT = "constant"
MOST = 6  # series in one figure


def plot_returns(study: ReturnsStudy, series: list[str] | None = None) -> Figure:
    """Return two panels a series: the network's lead over the best constant of the past, and what came of it.

    On the left, the sum over days so far of (loss of the network - loss of the constant): below 0 the network is ahead.
    On the right, what 1 became by the signs of its forecasts, after costs, beside buying once and holding; of a
    quantile, each return and the quantile that was forecast, days below it marked.

    Args:
        study: what `finance.returns` returns.
        series: names of series; None: the first six.

    Raises InputError for an unknown series.

    >>> from hillwalker.finance import load_sp500, returns
    >>> study = returns(load_sp500(), models=[], seeds=2, first=4600, verbose=0)
    >>> [axes.get_title(loc="left") for axes in plot_returns(study).axes]
    ['S&P 500, against the constant (p = ...)', 'S&P 500, what 1 became']
    """
    chosen = [study[name] for name in series] if series is not None else list(study.walk.series)[:MOST]
    if not chosen:
        raise InputError(explain("no series.", "one or more.", f"plot_returns(study, {list(study.names)!r})"))
    figure = new_figure(WIDTH, 3.1 * len(chosen) + 0.5)
    figure.set_layout_engine("constrained", wspace=0.05)
    panels = figure.subplots(len(chosen), 2, squeeze=False)
    for (left, right), one in zip(panels, chosen, strict=True):
        _lead(left, study, one)
        if one.name in study.economics:
            _wealth(right, study, one)
        else:
            _below(right, study, one)
    handles, labels = panels[0, 1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower right", ncols=2, fontsize=SMALL, frameon=False)
    return figure


def _lead(axes: Axes, study: ReturnsStudy, one: SeriesForecasts) -> None:
    losses = study.losses[one.name]
    known = np.isfinite(losses[NETWORK])
    total = np.cumsum(losses[NETWORK][known] - losses[CONSTANT][known])
    test = study.comparisons[one.name].get(CONSTANT)
    axes.axhline(0, color=BLACK, linewidth=1)
    axes.plot(days_forecast(one)[known], total, color=BLUE, linewidth=1.6)
    p = p_in_words(None if test is None else test.p)
    style(axes, "", "loss less the constant's, summed", f"{one.name}, against the constant ({p})")
    axes.text(0.02, 0.04, "below 0: the network is ahead", transform=axes.transAxes, fontsize=SMALL, color=GREY)
    name_dates(axes, 6)


def _wealth(axes: Axes, study: ReturnsStudy, one: SeriesForecasts) -> None:
    found = study.economics[one.name]
    when = one.dates[: found.days]
    axes.axhline(1, color=BLACK, linewidth=1)
    if one.horizon == 1:
        held = np.exp(np.cumsum(np.nan_to_num(one.actual[: found.days])) / 100)
        axes.plot(when, held, color=GREY, linewidth=1.4, label="buy and hold")
    net = np.cumprod(np.maximum(1 + found.net, 0))
    label = f"the network's signs, after {found.cost:g} basis points a trade"
    axes.plot(when, net, color=VERMILION, linewidth=1.6, label=label)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "25" else "")
    style(axes, "", "value of 1 invested", f"{one.name}, what 1 became")
    name_dates(axes, 6)


def _below(axes: Axes, study: ReturnsStudy, one: SeriesForecasts) -> None:
    known = one.scored
    when, actual, forecast = days_forecast(one)[known], one.actual[known], one.forecasts[NETWORK][known]
    axes.scatter(when, actual, s=5, color=GREY, alpha=0.5, linewidths=0)
    title = f"{one.name}, returns and what was forecast"
    if one.name in study.quantiles:
        check = study.quantiles[one.name]
        below = actual < forecast
        axes.scatter(when[below], actual[below], s=12, color=VERMILION, linewidths=0, label="a day below it")
        title = f"{one.name}: {100 * check.share:.1f} % of days below the {100 * check.level:g} % quantile"
    axes.plot(when, forecast, color=ORANGE, linewidth=1.2, label="the forecast")
    style(axes, "", "return, %", title)
    axes.title.set_fontsize(TEXT)
    name_dates(axes, 6)
