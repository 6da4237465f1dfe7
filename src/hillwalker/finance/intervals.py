"""How far off forecasts are: intervals made of the errors that were known when the forecast was made.

Split conformal prediction on a rolling window (Vovk, Gammerman and Shafer 2005): no distribution is assumed, and the
share of days that lie inside is measured, not promised, since the errors of a year ago need not be this year's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hillwalker.finance.prices import Array

NEWEST = 504  # errors: two years


def conformal_intervals(
    dates: NDArray[np.datetime64],
    target_dates: NDArray[np.datetime64],
    actual: Array,
    forecast: Array,
    levels: Sequence[float],
    earlier: Array | None = None,
    newest: int = NEWEST,
) -> dict[float, tuple[Array, Array]]:
    """Return by level the ends of each day's interval, two arrays (rows,), NaN where too few errors are known yet.

    forecast + q(a / 2) ... forecast + q(1 - a / 2), q the quantiles of the errors actual - forecast of forecasts whose
    days have all come (target_dates <= date), the `newest` of them; a = 1 - level. The ranks are those of n + 1 errors,
    so that with n exchangeable errors at least `level` of the days lie inside. `earlier`: errors from before the first
    forecast, oldest first, of days that were not learned from.

    >>> days = np.arange("2024-01-01", "2024-01-31", dtype="datetime64[D]")
    >>> errors = np.tile([-1.0, 0.0, 1.0], 10)
    >>> low, high = conformal_intervals(days, days + 1, errors, np.zeros(30), [0.5])[0.5]
    >>> bool(np.isnan(low[0])), low[-1].tolist(), high[-1].tolist()
    (True, -1.0, 1.0)
    """
    errors = actual - forecast
    known = np.searchsorted(target_dates[~np.isnat(target_dates)], dates, side="right")
    before = np.array([]) if earlier is None else earlier[np.isfinite(earlier)]
    ends = {level: (np.full(len(dates), np.nan), np.full(len(dates), np.nan)) for level in levels}
    for row, count in enumerate(known.tolist()):
        pool = errors[max(0, count - newest) : count]
        pool = pool[np.isfinite(pool)]
        if len(pool) < newest and len(before):
            pool = np.concatenate([before[-(newest - len(pool)) :], pool])
        pool = np.sort(pool)
        for level, (low, high) in ends.items():
            rank = math.floor((len(pool) + 1) * (1 - level) / 2)  # of the lower end, from 1
            if rank >= 1:
                low[row], high[row] = forecast[row] + pool[rank - 1], forecast[row] + pool[len(pool) - rank]
    return ends
