"""How good forecasts are: of log variance on logs and on the variance itself, calibrated or not, covered or not.

Nothing is fitted to the days that are scored, but for `calibration`, whose line describes them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hillwalker import records
from hillwalker.choosing.constants import best_constant
from hillwalker.errors import InputError, explain
from hillwalker.finance.averages import LEAST_DAYS, hac_lags, long_run_covariance, small_sample
from hillwalker.finance.prices import Array
from hillwalker.losses import QLIKE, Loss
from hillwalker.scores import regression_scores


def qlike(log_actual: Array, log_forecast: Array) -> Array:
    """Return the QLIKE loss of each forecast of log variance, shape (rows,).

    r - ln r - 1, with r = actual variance / forecast variance (`losses.QLIKE`, on logs). Its ranking survives
    the noise of an unbiased proxy (Patton 2011). Targets may span one day or more: then both are logs of means.

    >>> qlike(np.log([1.0, 2.0]), np.log([1.0, 1.0])).round(4).tolist()
    [0.0, 0.3069]
    """
    loss = QLIKE(from_log=True)
    values = loss.values(np.exp(log_actual)[:, np.newaxis], np.asarray(log_forecast)[:, np.newaxis])
    return values.astype(np.float64)


def log_to_mean(log_actual: Array, log_forecast: Array) -> float:
    """Return what to add to forecasts of log variance before exp, so that they aim at the mean variance (Duan 1983).

    c = ln mean exp(y - f), from training days: exp of a mean log lies below the mean.

    >>> round(log_to_mean(np.log([1.0, 3.0]), np.zeros(2)), 4)
    0.6931
    """
    return float(np.log(np.exp(log_actual - log_forecast).mean()))


def best_shift(loss: Loss, errors: Array) -> float:
    """Return the number that is best to forecast of errors (rows,) under a loss: of the squared error their mean.

    >>> from hillwalker import losses
    >>> round(best_shift(losses.get("mae"), np.array([1.0, 2.0, 9.0])), 3)
    2.0
    """
    return float(best_constant(loss, errors[:, np.newaxis], None, 1, "linear")[0])


def score(log_actual: Array, log_forecast: Array, correction: float = 0.0) -> dict[str, float]:
    """Return RMSE, MAE and R² on log variance, and mean QLIKE with `correction` added to the forecast first.

    Whatever days a target spans: the scores are means over rows. How sure a difference is, `comparing.py` says.

    >>> score(np.array([0.0, 2.0]), np.array([1.0, 1.0]))
    {'RMSE': 1.0, 'MAE': 1.0, 'R²': 0.0, 'QLIKE': 0.543...}
    """
    return {
        **regression_scores(log_actual, log_forecast),
        "QLIKE": float(qlike(log_actual, log_forecast + correction).mean()),
    }


@dataclass(frozen=True)
class Calibration(records.OneRow):
    """The line actual = intercept + slope · forecast; calibrated forecasts have 0 and 1 (Mincer and Zarnowitz 1969).

    `p`: how likely the line lies as far from 0 and 1 by chance; the errors reckon with days that resemble their
    neighbours.
    """

    intercept: float
    intercept_error: float
    slope: float
    slope_error: float
    r2: float
    p: float
    days: int


@dataclass(frozen=True)
class Coverage(records.OneRow):
    """The share of days whose outcome fell into its interval, and the 95 % interval of that share."""

    share: float
    low: float
    high: float
    below: float
    above: float
    days: int


def calibration(actual: Array, forecast: Array, horizon: int = 1) -> Calibration:
    """Return the line that explains what happened by what was forecast, both (days,): slope 1, intercept 0 are right.

    b = (XᵀX)⁻¹ Xᵀy, X = [1, forecast];  covariance (XᵀX)⁻¹ S (XᵀX)⁻¹ · days, S of X · residual
    (`long_run_covariance`);  p of both at once by F(2, freedom) (`small_sample`)

    A slope below 1: forecasts differ more from day to day than they should. On logs, give log variances as they are,
    without the correction that aims at the mean variance.

    Raises InputError for fewer than 10 days, and where the forecast never changes.

    >>> random = np.random.default_rng(0)
    >>> forecast = random.normal(size=4000)
    >>> line = calibration(0.5 * forecast + random.normal(size=4000), forecast)
    >>> round(line.slope, 1), line.p < 0.001
    (0.5, True)
    """
    actual, forecast = _same_days(actual, forecast)
    days = len(actual)
    if np.ptp(forecast) == 0:
        raise InputError(explain(f"a forecast that is {forecast[0]:g} on every day.", "a forecast that changes."))
    X = np.column_stack([np.ones(days), forecast])
    inverse = np.linalg.inv(X.T @ X / days)
    line = inverse @ (X.T @ actual / days)
    residuals = actual - X @ line
    lags = hac_lags(days, horizon)
    share, freedom = small_sample(days, lags)
    covariance = inverse @ long_run_covariance(X * residuals[:, np.newaxis], lags) @ inverse / (share * days)
    away = line - np.array([0.0, 1.0])
    spread = float(np.square(actual - actual.mean()).sum())
    r2 = 1 - float(residuals @ residuals) / spread if spread else math.nan
    if float(residuals @ residuals) <= 1e-20 * max(spread, 1e-300):  # a perfect line: nothing is left to chance
        p = 1.0 if np.allclose(away, 0, atol=1e-8) else 0.0
        return Calibration(float(line[0]), 0.0, float(line[1]), 0.0, r2, p, days)
    F = float(away @ np.linalg.solve(covariance, away)) / 2 * (freedom - 1) / freedom  # Hotelling's scaling
    p = (1 + 2 * F / (freedom - 1)) ** (-(freedom - 1) / 2)  # F(2, n) has this tail exactly
    errors = np.sqrt(np.diag(covariance))
    return Calibration(float(line[0]), float(errors[0]), float(line[1]), float(errors[1]), r2, p, days)


def coverage(actual: Array, low: Array, high: Array, horizon: int = 1) -> Coverage:
    """Return how often what happened lay within low to high, each (days,), and how sure that share is.

    Wilson's (1927) interval, with as many independent days as the share's error is worth:
    n = days · share (1 - share) / S, at most all days  (`long_run_covariance` of the hits)

    Raises InputError for fewer than 10 days, and where low lies above high.

    >>> actual = np.random.default_rng(0).normal(size=1000)
    >>> found = coverage(actual, np.full(1000, -1.645), np.full(1000, 1.645))
    >>> round(found.share, 2), found.low < 0.9 < found.high
    (0.91, True)
    """
    actual, low, high = _same_days(actual, low, high)
    if (crossed := low > high).any():
        passed = f"{crossed.sum()} intervals whose low lies above their high, the first in row {int(crossed.argmax())}."
        raise InputError(explain(passed, "low <= high on every day."))
    days = len(actual)
    hits = ((low <= actual) & (actual <= high)).astype(np.float64)
    share = float(hits.mean())
    lags = hac_lags(days, horizon)
    unsure = float(long_run_covariance(hits[:, np.newaxis], lags)[0, 0]) / small_sample(days, lags)[0]
    worth = min(float(days), days * share * (1 - share) / unsure) if unsure > 0 else float(days)
    z = 1.959963984540054
    centre = (share + z**2 / (2 * worth)) / (1 + z**2 / worth)
    half = z / (1 + z**2 / worth) * math.sqrt(share * (1 - share) / worth + z**2 / (4 * worth**2))
    below, above = float((actual < low).mean()), float((actual > high).mean())
    return Coverage(share, max(0.0, centre - half), min(1.0, centre + half), below, above, days)


def _same_days(*columns: Array) -> list[Array]:
    """Return columns as float64, or raise InputError unless all are finite, (days,), of the same 10 days or more."""
    checked = [np.asarray(column, dtype=np.float64) for column in columns]
    shapes = [column.shape for column in checked]
    if len(set(shapes)) > 1 or len(shapes[0]) != 1 or shapes[0][0] < LEAST_DAYS:
        raise InputError(explain(f"shapes {shapes}.", f"one number a day in each, {LEAST_DAYS} days or more."))
    if not all(np.isfinite(column).all() for column in checked):
        raise InputError(explain("numbers that are missing or infinite.", "a number for every day.", "leave them out"))
    return checked
