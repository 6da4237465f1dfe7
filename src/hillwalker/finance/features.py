"""From prices to inputs and targets, leak-free by construction: row t uses days up to t and nothing later.

No scaling and no split happens here: both depend on which days are for training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import checks, records
from hillwalker.errors import InputError, explain, unknown_name
from hillwalker.finance.prices import Array, Prices
from hillwalker.finance.proxies import PROXIES

WEEK, MONTH, QUARTER = 5, 22, 66  # trading days
LAGS = 5
SLOW, FAST = 0.94, 0.8  # what a day's weight in an exponential mean is multiplied by with each day that passes
DOWNSIDE_FLOOR = 1e-2  # squared percent: the logarithm of nothing but gains
VOLUME_SHARE = 0.95  # of the first month's days that must have one, or volumes are no input
LEAST_DAYS = MONTH + 8


@dataclass(frozen=True)
class Features:
    """What is known at the close of each day, and what is to be forecast of the days that follow.

    `dates` (rows,): the day at whose close the inputs are known; `target_dates` (rows,): the last day that is
    predicted, NaT where it has not come yet; `X` (rows, inputs); `y` (rows,): of volatility the log of the mean daily
    variance of the next `horizon` days, of returns the log return over them in percent, NaN where they have not come
    yet; `names`: one an input; `notes`: days left out, and why; `horizon`: days that a target spans.
    """

    dates: NDArray[np.datetime64]
    target_dates: NDArray[np.datetime64]
    X: Array
    y: Array
    names: tuple[str, ...]
    notes: tuple[str, ...]
    horizon: int = 1

    def column(self, name: str) -> Array:
        """Return one input by name, shape (rows,)."""
        return np.asarray(self.X[:, self.names.index(name)])

    def to_frame(self) -> Any:
        """Return one row a day: its date, the inputs by name, the target."""
        columns = {"date": self.dates, **dict(zip(self.names, self.X.T, strict=True)), "target": self.y}
        return records.to_frame(columns, index="date", call="features.to_frame()")

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, numbers and strings."""
        return {
            "dates": self.dates.astype(str).tolist(),
            "target_dates": [None if np.isnat(day) else str(day) for day in self.target_dates],
            "names": list(self.names),
            "X": records.plain(self.X),
            "y": records.plain(self.y),
            "horizon": self.horizon,
            "notes": list(self.notes),
        }


def trailing_mean(values: Array, length: int) -> Array:
    """Return the mean of each day and the `length - 1` days before it, NaN where they are too few, shape (days,).

    Each window is summed by itself, never as a difference of running sums: a running sum would carry one bad day, or
    its rounding, into every later window. Days without a value are passed over as long as half of the window has one.

    >>> trailing_mean(np.array([1.0, 2.0, 6.0]), 2).tolist()
    [nan, 1.5, 4.0]
    """
    means = np.full(len(values), np.nan)
    if len(values) >= length:
        windows = np.lib.stride_tricks.sliding_window_view(values, length)
        known = np.isfinite(windows)
        count = known.sum(axis=1)
        sums = np.where(known, windows, 0.0).sum(axis=1)
        means[length - 1 :] = np.where(2 * count >= length, sums / np.maximum(count, 1), np.nan)
    return means


def trailing_maximum(values: Array, length: int) -> Array:
    """Return the highest of each day and the `length - 1` days before it, NaN where they are too few, shape (days,).

    >>> trailing_maximum(np.array([1.0, 3.0, 2.0]), 2).tolist()
    [nan, 3.0, 3.0]
    """
    highest = np.full(len(values), np.nan)
    if len(values) >= length:
        highest[length - 1 :] = np.lib.stride_tricks.sliding_window_view(values, length).max(axis=1)
    return highest


def exponential_mean(values: Array, decay: float) -> Array:
    """Return m of each day, (days,): m = decay · m of the day before + (1 - decay) · value; the first is a value.

    A day without a value leaves m as it was. `decay` = 0.94 is RiskMetrics' (J.P. Morgan 1996).

    >>> exponential_mean(np.array([1.0, np.nan, 3.0]), 0.5).tolist()
    [1.0, 1.0, 2.0]
    """
    means, mean = np.empty(len(values)), np.nan
    for day, value in enumerate(values.tolist()):
        if value == value:
            mean = value if mean != mean else decay * mean + (1 - decay) * value
        means[day] = mean
    return means


def lagged(values: Array, lag: int) -> Array:
    """Return the values of `lag` days ago, NaN on the first `lag` days, shape (days,).

    >>> lagged(np.array([1.0, 2.0, 6.0]), 1).tolist()
    [nan, 1.0, 2.0]
    """
    return values.copy() if lag == 0 else np.concatenate([np.full(lag, np.nan), values[:-lag]])


def volatility_features(prices: Prices, horizon: int = 1, proxy: str = "parkinson", open_end: bool = False) -> Features:
    """Return the inputs of every day t and the target of days t + 1 to t + h, days with an undefined number left out.

    Inputs (15): log variance of the day, its mean over 5 and over 22 days (Corsi 2009), its exponential mean; log of
    the exponential mean of the variance; the returns of the last five days in percent; the last return where it is
    negative (leverage), and log of the exponential mean of squared negative returns; the high beside the month's
    highest; the change of log volume, and log volume beside its mean over the month. Without volumes the last two are
    left out. They were chosen on the development part of six series (docs/volatility.md).

    y_t = ln(mean of the variances of t + 1 ... t + h)

    Args:
        prices: daily.
        horizon: h, in days.
        proxy: how one day's variance is measured, a name in `finance.PROXIES`.
        open_end: whether the last days are kept whose target has not come yet: they are what one wants to forecast.

    Raises InputError where fewer than 30 days are given, or more than half of the days have no variance.

    >>> from hillwalker.finance.prices import load_sp500
    >>> features = volatility_features(load_sp500())
    >>> features.X.shape, bool(np.isfinite(features.X).all()), str(features.dates[0]), str(features.target_dates[0])
    ((5009, 15), True, '1999-02-03', '1999-02-04')
    """
    variance, log_variance = _variances(prices, horizon, proxy)
    ahead = np.full((len(prices), horizon), np.nan)
    for step in range(1, horizon + 1):
        ahead[:-step, step - 1] = variance[step:]
    return _usable(prices, _inputs(prices, variance, log_variance), np.log(ahead.mean(axis=1)), horizon, open_end)


def return_features(prices: Prices, horizon: int = 1, proxy: str = "parkinson", open_end: bool = False) -> Features:
    """Return the inputs of every day t and the return of days t + 1 to t + h, days with an undefined number left out.

    Inputs: those of `volatility_features`, and the mean returns of the last 5, 22 and 66 days in percent.

    y_t = 100 ln(close of t + h / close of t)

    Takes what `volatility_features` takes, and raises what it raises.

    >>> from hillwalker.finance.prices import load_sp500
    >>> features = return_features(load_sp500())
    >>> features.names[-1], features.y[:2].round(2).tolist()
    ('mean return, quarter', [0.32, 0.76])
    """
    variance, log_variance = _variances(prices, horizon, proxy)
    returns = np.concatenate([[np.nan], 100 * np.diff(np.log(prices.close))])
    lengths = {"week": WEEK, "month": MONTH, "quarter": QUARTER}
    means = {f"mean return, {name}": trailing_mean(returns, length) for name, length in lengths.items()}
    y = np.concatenate([100 * np.log(prices.close[horizon:] / prices.close[:-horizon]), np.full(horizon, np.nan)])
    return _usable(prices, _inputs(prices, variance, log_variance) | means, y, horizon, open_end)


def _variances(prices: Prices, horizon: int, proxy: str) -> tuple[Array, Array]:
    """Return each day's variance and its logarithm, NaN where a day shows none."""
    checks.positive_integer("horizon", horizon, "volatility_features(prices, horizon=1)")
    if proxy not in PROXIES:
        raise unknown_name("proxy", proxy, PROXIES, "volatility_features(prices, proxy={})")
    if len(prices) < LEAST_DAYS + horizon:
        raise InputError(explain(f"{len(prices)} days of prices.", f"{LEAST_DAYS + horizon} days or more.", None))
    variance = PROXIES[proxy](prices)
    known = np.isfinite(variance) & (variance > 0)
    if (~known).sum() > len(prices) / 2:
        raise InputError(
            explain(
                f"prices of which {(~known).sum()} of {len(prices)} days show no variance ({proxy}).",
                "days whose high lies above their low.",
                "take prices with each day's high and low, or proxy='squared_return'",
            )
        )
    variance = np.where(known, variance, np.nan)
    return variance, np.log(variance)


def _inputs(prices: Prices, variance: Array, log_variance: Array) -> dict[str, Array]:
    returns = np.concatenate([[np.nan], 100 * np.diff(np.log(prices.close))])
    losses = np.minimum(returns, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_volume = np.where(prices.volume > 0, np.log(prices.volume), np.nan)  # a day without volume is masked
    inputs = {
        "log variance, day": log_variance,
        "log variance, week": trailing_mean(log_variance, WEEK),
        "log variance, month": trailing_mean(log_variance, MONTH),
        "log variance, fading": exponential_mean(log_variance, 0.7),
        "variance, fading": np.log(exponential_mean(variance, SLOW)),
        **{f"return, {lag} days ago" if lag else "return": lagged(returns, lag) for lag in range(LAGS)},
        "negative return": losses,
        "negative returns, fading": np.log(exponential_mean(losses**2, FAST) + DOWNSIDE_FLOOR),
        "high beside the month's": np.log(prices.high / trailing_maximum(prices.high, MONTH)),
    }
    if np.isfinite(log_volume[:MONTH]).mean() >= VOLUME_SHARE:  # decided by the first days: never by later ones
        inputs["change of log volume"] = log_volume - lagged(log_volume, 1)
        inputs["volume beside the month's"] = log_volume - trailing_mean(log_volume, MONTH)
    return inputs


def _usable(prices: Prices, inputs: dict[str, Array], y: Array, horizon: int, open_end: bool) -> Features:
    """Return the rows of which everything is known, and with `open_end` the last ones, whose target has not come."""
    days, X = len(y), np.column_stack(list(inputs.values()))
    last = np.concatenate([prices.dates[horizon:], np.full(horizon, "NaT", "datetime64[D]")])
    to_come = np.arange(days) >= days - horizon
    usable = np.isfinite(X).all(axis=1) & (np.isfinite(y) | to_come)
    begun = np.arange(days) >= np.flatnonzero(np.isfinite(X).all(axis=1))[:1].sum()
    left_out = int((~usable & begun).sum())
    notes = list(prices.notes)
    if left_out:
        notes.append(f"{left_out} later days left out: a number in reach of them is undefined")
    if open_end and not usable[-1]:
        lost = ", ".join(name for name, values in inputs.items() if not np.isfinite(values[-1]))
        notes.append(f"nothing is forecast from the last day, {prices.dates[-1]}: it has no {lost}")
    usable &= begun & (open_end | ~to_come)
    return Features(prices.dates[usable], last[usable], X[usable], y[usable], tuple(inputs), tuple(notes), horizon)
