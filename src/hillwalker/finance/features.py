"""From prices to inputs and a target, leak-free by construction: row t uses days up to t and nothing later.

No scaling and no split happens here: both depend on which days are for training.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hillwalker.errors import InputError, explain
from hillwalker.finance.prices import Array, Prices, parkinson_variance

WEEK, MONTH = 5, 22  # trading days
LAGS = 5


@dataclass(frozen=True)
class VolatilityFeatures:
    """What is known at the close of each day, and the next day's log variance.

    `dates` (rows,): the day at whose close the inputs are known; `target_dates` (rows,): the day that is predicted;
    `X` (rows, inputs); `y` (rows,): log Parkinson variance of the target day; `names`: one an input; `notes`: days left
    out, and why; `horizon`: days whose mean variance is predicted.
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


def trailing_mean(values: Array, length: int) -> Array:
    """Return the mean of each day and the `length - 1` days before it, NaN where they are too few, shape (days,).

    Each window is summed by itself, never as a difference of running sums: a running sum would carry one bad day, or
    its rounding, into every later window.

    >>> trailing_mean(np.array([1.0, 2.0, 6.0]), 2).tolist()
    [nan, 1.5, 4.0]
    """
    means = np.full(len(values), np.nan)
    if len(values) >= length:
        means[length - 1 :] = np.lib.stride_tricks.sliding_window_view(values, length).mean(axis=1)
    return means


def lagged(values: Array, lag: int) -> Array:
    """Return the values of `lag` days ago, NaN on the first `lag` days, shape (days,).

    >>> lagged(np.array([1.0, 2.0, 6.0]), 1).tolist()
    [nan, 1.0, 2.0]
    """
    return values.copy() if lag == 0 else np.concatenate([np.full(lag, np.nan), values[:-lag]])


def volatility_features(prices: Prices) -> VolatilityFeatures:
    """Return the inputs of every day t and the target of day t + 1, days with an undefined number left out.

    Inputs (11): log variance of the day, its mean over 5 and over 22 days (Corsi 2009); the returns of the last five
    days in percent; the last return where it is negative (leverage), and the mean of negative returns over 5 days; the
    change of log volume. Target: log variance of the next day.

    Raises InputError where fewer than 30 days are given.

    >>> from hillwalker.finance.prices import load_sp500
    >>> features = volatility_features(load_sp500())
    >>> features.X.shape, bool(np.isfinite(features.X).all()), str(features.dates[0]), str(features.target_dates[0])
    ((5008, 11), True, '1999-02-04', '1999-02-05')
    """
    if len(prices) < MONTH + 8:
        raise InputError(explain(f"{len(prices)} days of prices.", f"{MONTH + 8} days or more.", None))
    with np.errstate(divide="ignore"):
        log_volume = np.where(prices.volume > 0, np.log(prices.volume), np.nan)  # a day without volume is masked
    log_variance = np.log(parkinson_variance(prices))
    returns = np.concatenate([[np.nan], 100 * np.diff(np.log(prices.close))])
    losses = np.minimum(returns, 0)
    inputs = {
        "log variance, day": log_variance,
        "log variance, week": trailing_mean(log_variance, WEEK),
        "log variance, month": trailing_mean(log_variance, MONTH),
        **{f"return, {lag} days ago" if lag else "return": lagged(returns, lag) for lag in range(LAGS)},
        "negative return": losses,
        "negative returns, week": trailing_mean(losses, WEEK),
        "change of log volume": log_volume - lagged(log_volume, 1),
    }
    X = np.column_stack(list(inputs.values()))[:-1]  # the last day has no next day
    y = log_variance[1:]
    usable = np.isfinite(X).all(axis=1) & np.isfinite(y)
    begun = np.arange(len(usable)) >= MONTH
    left_out = int((~usable & begun).sum())
    notes = prices.notes + (
        (f"{left_out} later days left out: a number in reach of them is undefined",) if left_out else ()
    )
    usable &= begun
    return VolatilityFeatures(
        prices.dates[:-1][usable], prices.dates[1:][usable], X[usable], y[usable], tuple(inputs), notes
    )
