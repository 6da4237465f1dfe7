"""How good forecasts of log variance are, on logs and on the variance itself.

Nothing is fitted to the days that are scored.
"""

from __future__ import annotations

import numpy as np

from hillwalker.finance.prices import Array
from hillwalker.losses import QLIKE
from hillwalker.scores import regression_scores


def qlike(log_actual: Array, log_forecast: Array) -> Array:
    """Return the QLIKE loss of each forecast of log variance, shape (rows,).

    r - ln r - 1, with r = actual variance / forecast variance (`losses.QLIKE`, on logs). Its ranking survives
    the noise of an unbiased proxy (Patton 2011).

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


def score(log_actual: Array, log_forecast: Array, correction: float = 0.0) -> dict[str, float]:
    """Return RMSE, MAE and R² on log variance, and mean QLIKE with `correction` added to the forecast first.

    >>> score(np.array([0.0, 2.0]), np.array([1.0, 1.0]))
    {'RMSE': 1.0, 'MAE': 1.0, 'R²': 0.0, 'QLIKE': 0.543...}
    """
    return {
        **regression_scores(log_actual, log_forecast),
        "QLIKE": float(qlike(log_actual, log_forecast + correction).mean()),
    }
