"""What a day's four prices say about the day's variance, which nobody sees: proxies, by name in `PROXIES`.

Each is the daily variance of log returns, as a fraction squared (0.0001 is 1 % a day), and uses no later day. Where a
proxy is zero it is NaN instead, for a logarithm follows: on days whose high equals their low, which `prices.notes`
counts, and as each function says.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hillwalker.errors import InputError, explain
from hillwalker.finance.prices import Array, Prices, parkinson_variance


def garman_klass_variance(prices: Prices) -> Array:
    """Return each day's variance from its range and the way from open to close, shape (days,).

    v = ln(high / low)^2 / 2 - (2 ln 2 - 1) ln(close / open)^2     (Garman and Klass 1980)

    Less noisy than Parkinson's if the open is real. Its trap: it trusts the open; an S&P 500 whose open equals the
    previous close on 40 % of days breaks it. Assumes no drift, and leaves out the night. NaN where high equals low.

    >>> dates = np.array(["2024-01-02"], dtype="datetime64[D]")
    >>> one = np.ones(1)
    >>> day = Prices("toy", dates, open=one, high=np.exp(0.02) * one, low=one, close=np.exp(0.01) * one, volume=one)
    >>> float(np.round(garman_klass_variance(day)[0], 8))
    0.00016137
    """
    from_open = np.log(prices.close / prices.open)
    return _positive_or_nan(np.log(prices.high / prices.low) ** 2 / 2 - (2 * np.log(2) - 1) * from_open**2)


def rogers_satchell_variance(prices: Prices) -> Array:
    """Return each day's variance from its range, whatever its drift, shape (days,).

    v = ln(high / open) ln(high / close) + ln(low / open) ln(low / close)     (Rogers and Satchell 1991)

    Its traps: a day that opens at one end of its range and closes at the other shows 0, so it is NaN; it trusts the
    open, and leaves out the night.

    >>> dates = np.array(["2024-01-02"], dtype="datetime64[D]")
    >>> one = np.ones(1)
    >>> day = Prices("toy", dates, open=one, high=np.exp(0.02) * one, low=one, close=np.exp(0.01) * one, volume=one)
    >>> float(np.round(rogers_satchell_variance(day)[0], 8))
    0.0002
    """
    return _positive_or_nan(_rogers_satchell(prices))


def yang_zhang_variance(prices: Prices, length: int = 22) -> Array:
    """Return the mean variance of each day and the `length - 1` days before it, nights included, shape (days,).

    v = var(ln(open / previous close)) + k var(ln(close / open)) + (1 - k) mean(Rogers-Satchell),
    k = 0.34 / (1.34 + (n + 1) / (n - 1)),  n = length,  var divided by n - 1     (Yang and Zhang 2000)

    Whatever the drift, and the least noisy of those that see the night. Its trap: it is a mean of many days, not of the
    day itself, so as a target it makes forecasts look better than they are. The first `length` days are NaN. Raises
    InputError for a length below 2.

    >>> from hillwalker.finance import load_sp500
    >>> variance = yang_zhang_variance(load_sp500())
    >>> int(np.isnan(variance).sum()), float(np.round(variance[-1], 6))
    (22, 0.000281)
    """
    if length < 2:
        raise InputError(explain(f"length={length}.", "2 days or more.", "yang_zhang_variance(prices, length=22)"))
    weight = 0.34 / (1.34 + (length + 1) / (length - 1))
    nights = np.log(prices.open[1:] / prices.close[:-1])
    trading = np.log(prices.close / prices.open)[1:]
    variance = np.full(len(prices), np.nan)
    if len(nights) >= length:
        windows = np.lib.stride_tricks.sliding_window_view
        variance[length:] = (
            windows(nights, length).var(axis=1, ddof=1)
            + weight * windows(trading, length).var(axis=1, ddof=1)
            + (1 - weight) * windows(_rogers_satchell(prices)[1:], length).mean(axis=1)
        )
    return _positive_or_nan(variance)


def squared_return(prices: Prices) -> Array:
    """Return each day's squared return from the previous close, shape (days,).

    v = ln(close / previous close)^2

    The only one that needs no range and sees the whole day and night. Its trap: it is by far the noisiest (about five
    times Parkinson's variance), so scores against it say little. NaN on the first day and where the close did not move.

    >>> dates = np.array(["2024-01-02", "2024-01-03"], dtype="datetime64[D]")
    >>> close = np.exp(np.array([0.0, 0.01]))
    >>> squared_return(Prices("toy", dates, close, close, close, close, volume=close)).round(6).tolist()
    [nan, 0.0001]
    """
    return _positive_or_nan(np.r_[np.nan, np.diff(np.log(prices.close)) ** 2])


def _rogers_satchell(prices: Prices) -> Array:
    up, down = np.log(prices.high / prices.open), np.log(prices.low / prices.open)
    back = np.log(prices.close / prices.open)
    return np.asarray(up * (up - back) + down * (down - back))


def _positive_or_nan(variance: Array) -> Array:
    return np.where(variance > 0, variance, np.nan)


PROXIES: dict[str, Callable[[Prices], Array]] = {
    "parkinson": parkinson_variance,
    "garman_klass": garman_klass_variance,
    "rogers_satchell": rogers_satchell_variance,
    "yang_zhang": yang_zhang_variance,
    "squared_return": squared_return,
}
