"""What forecasts of returns are worth: directions, money after costs, and R² against the mean of the past.

A position taken at a day's close earns the next day's return, and nothing else: whoever lets it earn its own day's
return has a fortune on paper. All returns are simple, as fractions: 0.01 is one percent.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from hillwalker import records
from hillwalker.errors import HillwalkerWarning, InputError, explain
from hillwalker.finance.averages import LEAST_DAYS, hac_lags, long_run_covariance, mean_test, small_sample
from hillwalker.finance.prices import TRADING_DAYS, Array

TOO_GOOD = 3.0  # a Sharpe ratio that nobody reaches with daily forecasts of returns, but everybody with a leak


@dataclass(frozen=True)
class Directional(records.OneRow):
    """How often the direction was right, beside what luck and "always up" would have reached on the same days.

    `by_luck`: the rate of a forecast with as many ups, independent of what happened; `p`: how likely so high a rate is
    by luck (one-sided), NaN where the forecast or the actual has but one direction.
    """

    hit_rate: float
    by_luck: float
    always_up: float
    statistic: float
    p: float
    days: int


@dataclass(frozen=True)
class Performance:
    """One way to invest, after costs, a year of 252 days: return, volatility, Sharpe ratio and its error, and the rest.

    `drawdown`: the deepest fall from a peak, as a fraction; `turnover`: how much is bought and sold in a year, 1 being
    the whole capital. Sharpe ratios are of returns as they are: no interest is taken off; NaN where nothing moves.
    """

    yearly_return: float
    volatility: float
    sharpe: float
    sharpe_error: float
    drawdown: float
    turnover: float


@dataclass(frozen=True)
class Economics:
    """The forecast's positions beside buy-and-hold and beside doing nothing, on the same days, after costs.

    `net` (days,): what the positions earned each day; `p_hold`, `p_flat`: how likely so large a difference of mean
    daily returns from buy-and-hold's, from nothing, is by chance (two-sided); `cost`: of a trade, in basis points.
    """

    strategy: Performance
    buy_and_hold: Performance
    flat: Performance
    p_hold: float
    p_flat: float
    cost: float
    days: int
    net: Array

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists and numbers."""
        performances = {name: records.plain(vars(part)) for name, part in self._parts().items()}
        rest = ("p_hold", "p_flat", "cost", "days", "net")
        return {**performances, **{name: records.plain(getattr(self, name)) for name in rest}}

    def to_frame(self) -> Any:
        """Return one row each for the strategy, buy-and-hold and doing nothing."""
        parts = self._parts()
        columns: dict[str, Any] = {name: [vars(part)[name] for part in parts.values()] for name in vars(self.flat)}
        return records.to_frame({"": list(parts), **columns}, "", "economics(...).to_frame()")

    def _parts(self) -> dict[str, Performance]:
        return {"strategy": self.strategy, "buy_and_hold": self.buy_and_hold, "flat": self.flat}


@dataclass(frozen=True)
class OutOfSample(records.OneRow):
    """R² against the mean of the past; p: how likely so good a forecast is by luck (one-sided, Clark and West 2007)."""

    r2: float
    p: float
    days: int


def directional(actual: Array, forecast: Array) -> Directional:
    """Return how often forecast and actual, both (days,), are on the same side of 0; above 0 is up.

    P = share of hits;  P* = a f + (1 - a)(1 - f), a and f the shares of ups;
    t = (P - P*) / sqrt(V(P) - V(P*))     (Pesaran and Timmermann 1992)

    Raises InputError for fewer than 10 days or numbers that are not finite.

    >>> actual = np.random.default_rng(0).normal(size=1000)
    >>> found = directional(actual, np.ones(1000))  # "always up" is right half of the time, and knows nothing
    >>> round(found.hit_rate, 1), found.hit_rate == found.always_up == found.by_luck, found.p
    (0.5, True, nan)
    """
    actual, forecast = _days(actual=actual, forecast=forecast)
    days = len(actual)
    up, said_up = actual > 0, forecast > 0
    hits, a, f = float((up == said_up).mean()), float(up.mean()), float(said_up.mean())
    luck = a * f + (1 - a) * (1 - f)
    of_luck = ((2 * a - 1) ** 2 * f * (1 - f) + (2 * f - 1) ** 2 * a * (1 - a)) / days
    of_luck += 4 * a * f * (1 - a) * (1 - f) / days**2
    variance = luck * (1 - luck) / days - of_luck
    if min(a, f) == 0 or max(a, f) == 1 or variance <= 0:
        return Directional(hits, luck, a, math.nan, math.nan, days)
    statistic = (hits - luck) / math.sqrt(variance)
    return Directional(hits, luck, a, statistic, math.erfc(statistic / math.sqrt(2)) / 2, days)


def positions(forecast: Array, scale: float | None = None, limit: float = 1.0) -> Array:
    """Return what share of the capital to hold at each day's close, from the forecast made then, shape (days,).

    sign of the forecast · limit;  with `scale`, forecast / scale, no further than ± limit. A scale comes from training
    days: the spread of the days that are judged is not known in time.

    >>> positions(np.array([0.02, -0.001])).tolist(), positions(np.array([0.02, -0.001]), scale=0.01).tolist()
    ([1.0, -1.0], [1.0, -0.1])
    """
    if limit <= 0 or (scale is not None and scale <= 0):
        raise InputError(explain(f"scale={scale}, limit={limit}.", "numbers above 0."))
    forecast = np.asarray(forecast, dtype=np.float64)
    return np.asarray(np.sign(forecast) * limit if scale is None else np.clip(forecast / scale, -limit, limit))


def economics(returns: Array, positions: Array, cost: float = 5.0, next_day: bool = False) -> Economics:
    """Return what positions earn after costs, beside buy-and-hold and doing nothing, on the same days.

    net(t + 1) = position(t) · return(t + 1) - cost · |position(t) - position(t - 1)|

    One begins with nothing and does not sell at the end.

    Args:
        returns: each day's own simple return, in order, (days,).
        positions: the share of the capital that is held from each day's close to the next, below 0 sold short, (days,).
            That of the last day earns nothing, for its next day is not there.
        cost: of trading the whole capital once, in basis points (hundredths of a percent), half of the spread included.
        next_day: whether row t of `returns` already holds the return of the day after, as a target does; then every
            position earns its row's return.

    Raises InputError where shapes differ, for 10 days or fewer, returns below -1 and negative costs; warns with
    HillwalkerWarning where the Sharpe ratio less two errors is above 3, which is a leak far more often than a talent.

    >>> returns = np.tile([0.01, -0.01], 100)
    >>> seer = economics(returns, np.append(np.sign(returns[1:]), 0), cost=0)  # who knows tomorrow wins every day
    >>> blind = economics(returns, np.sign(returns), cost=0)  # who knows only today loses here, every day
    >>> float(seer.net.min()), float(blind.net.max())
    (0.01, -0.01)
    """
    returns, held = _days(returns=returns, positions=positions)
    if cost < 0 or (returns < -1).any():
        passed = f"cost={cost:g}, lowest return {returns.min():g}."
        fix = "np.expm1(log_returns), or percents / 100"
        raise InputError(explain(passed, "costs of 0 or more; simple returns as fractions, -1 or above.", fix))
    earned = returns if next_day else returns[1:]
    held = held[: len(earned)]
    net, traded = _net(earned, held, cost)
    hold, hold_traded = _net(earned, np.ones(len(earned)), cost)
    strategy = performance(net, traded)
    if strategy.sharpe - 2 * strategy.sharpe_error > TOO_GOOD:
        passed = f"positions with a Sharpe ratio of {strategy.sharpe:.1f} over {len(earned)} days, too good to be true."
        expected = "positions from forecasts that were made before the day they earn."
        fix = "economics(own_day_returns, positions): each position then earns the next day's return"
        warnings.warn(explain(passed, expected, fix if next_day else None), HillwalkerWarning, stacklevel=2)
    return Economics(
        strategy,
        performance(hold, hold_traded),
        performance(np.zeros(len(earned)), np.zeros(len(earned))),
        mean_test(net - hold).p,
        mean_test(net).p,
        cost,
        len(earned),
        net,
    )


def performance(net: Array, traded: Array) -> Performance:
    """Return the measures of daily net returns and of the shares of the capital that were traded, both (days,).

    Sharpe = sqrt(252) mean / deviation; its error from the spread over days of
    (r - mean) / deviation - (Sharpe / 2)((r - mean)² / deviation² - 1)     (Lo 2002, neighbouring days included)

    >>> performance(np.tile([0.02, -0.01], 126), np.zeros(252)).drawdown.__round__(4)
    0.01
    """
    days = len(net)
    wealth = np.cumprod(np.concatenate([[1.0], np.maximum(1 + net, 0)]))  # who has lost everything stays out
    drawdown = float((1 - wealth / np.maximum.accumulate(wealth)).max())
    mean, deviation = float(net.mean()), float(net.std())
    sharpe = error = math.nan
    if deviation > 1e-12 * abs(mean):
        ratio, centred = mean / deviation, (net - mean) / deviation
        influence = centred - ratio / 2 * (centred**2 - 1)
        lags = hac_lags(days)
        spread = float(long_run_covariance(influence[:, np.newaxis], lags)[0, 0]) / small_sample(days, lags)[0]
        sharpe, error = math.sqrt(TRADING_DAYS) * ratio, math.sqrt(TRADING_DAYS * max(spread, 0.0) / days)
    year = TRADING_DAYS / days
    return Performance(
        float(wealth[-1]) ** year - 1,
        math.sqrt(TRADING_DAYS) * deviation,
        sharpe,
        error,
        drawdown,
        float(traded.sum()) * year,
    )


def out_of_sample(actual: Array, forecast: Array, past: Array, horizon: int = 1) -> OutOfSample:
    """Return R² of forecasts against the mean of all returns known when each was made (Campbell and Thompson 2008).

    R² = 1 - sum (y - f)² / sum (y - m)², m(t) = mean of `past` and of the y whose days were over at row t
    p: of mean (y - m)² - (y - f)² + (m - f)² (`mean_test`), since a forecast with no signal loses a little to m

    Args:
        actual: what was forecast, (days,).
        forecast: of the same days, (days,).
        past: what was known before the first of them, one number or more.
        horizon: how many days a target spans.

    >>> actual = np.random.default_rng(0).normal(size=500)
    >>> found = out_of_sample(actual, np.zeros(500), past=np.array([0.0]))
    >>> abs(found.r2) < 0.02
    True
    """
    actual, forecast = _days(actual=actual, forecast=forecast)
    past = np.asarray(past, dtype=np.float64)
    if past.ndim != 1 or len(past) == 0 or not np.isfinite(past).all():
        raise InputError(
            explain(f"past of shape {past.shape}.", "one finite number or more from before the first day.")
        )
    days = len(actual)
    over = np.maximum(np.arange(days) - horizon + 1, 0)  # how many of `actual` were over at each row
    sums = np.concatenate([[0.0], np.cumsum(actual)])
    mean = (past.sum() + sums[over]) / (len(past) + over)
    of_mean, of_forecast = np.square(actual - mean), np.square(actual - forecast)
    r2 = 1 - float(of_forecast.sum()) / float(of_mean.sum()) if of_mean.any() else math.nan
    test = mean_test(of_mean - of_forecast + np.square(mean - forecast), horizon)
    p = test.p / 2 if test.mean > 0 else 1 - test.p / 2
    return OutOfSample(r2, p, days)


def _net(earned: Array, held: Array, cost: float) -> tuple[Array, Array]:
    traded = np.abs(np.diff(held, prepend=0.0))
    return held * earned - cost / 10_000 * traded, traded


def _days(**columns: Array) -> list[Array]:
    """Return columns as float64, or raise InputError unless all are finite and of the same days."""
    checked = {name: np.asarray(column, dtype=np.float64) for name, column in columns.items()}
    shapes = {column.shape for column in checked.values()}
    if len(shapes) > 1 or len(next(iter(shapes))) != 1 or next(iter(shapes))[0] <= LEAST_DAYS:
        passed = ", ".join(f"{name} of shape {column.shape}" for name, column in checked.items()) + "."
        raise InputError(explain(passed, f"one number a day in each, more than {LEAST_DAYS} days."))
    for name, column in checked.items():
        if (missing := ~np.isfinite(column)).any():
            passed = (
                f"{name} with {missing.sum()} numbers missing or infinite, the first in row {int(missing.argmax())}."
            )
            raise InputError(explain(passed, "a number for every day."))
    return list(checked.values())
