"""Proxies of a day's variance: on simulated days each has the expectation, and the trap, that its docstring claims."""

from __future__ import annotations

import numpy as np
import pytest

from hillwalker.errors import InputError
from hillwalker.finance import PROXIES, Prices, load_nasdaq, read_prices, yang_zhang_variance

VARIANCE, STEPS, DAYS = 1e-4, 1000, 6000
NIGHT = 0.5e-4
# The highest of finitely many steps lies below the highest of the path: by 0.5826 standard deviations of a step
# (Broadie, Glasserman and Kou 1997), so the range is too small by twice that. E[range] = sqrt(8 v / pi).
BIAS, MEAN_RANGE = 2 * 0.5826 / np.sqrt(STEPS), np.sqrt(8 / np.pi)
# What that takes from each proxy, as a share of the variance; worked out from the formulas, to first order.
LOST = {
    "parkinson": 2 * BIAS * MEAN_RANGE / (4 * np.log(2)),
    "garman_klass": 2 * BIAS * MEAN_RANGE / 2,
    "rogers_satchell": BIAS * MEAN_RANGE,
    "yang_zhang": BIAS * MEAN_RANGE,
    "squared_return": 0.0,
}


def simulated(drift: float = 0.0, night: float = 0.0, days: int = DAYS, seed: int = 0) -> Prices:
    """Return days of Brownian motion with `drift` a day, and over night jumps with variance `night`."""
    random = np.random.default_rng(seed)
    rows: list[np.ndarray] = []
    for _ in range(days // 500):
        steps = random.normal(drift / STEPS, np.sqrt(VARIANCE / STEPS), size=(500, STEPS))
        path = np.cumsum(steps, axis=1)
        rows.append(np.c_[np.maximum(path.max(axis=1), 0), np.minimum(path.min(axis=1), 0), path[:, -1]])
    high, low, close = np.concatenate(rows).T
    jumps = np.sqrt(night) * random.normal(size=days)
    opening = np.cumsum(jumps + np.r_[0.0, close[:-1]])
    dates = np.datetime64("2000-01-01") + np.arange(days)
    four = (np.exp(opening + way) for way in (0.0, high, low, close))
    return Prices("simulated", dates, *four, volume=np.ones(days))


@pytest.fixture(scope="module")
def driftless() -> Prices:
    return simulated()


def test_without_drift_every_proxy_means_the_variance(driftless):
    for name, proxy in PROXIES.items():
        values = proxy(driftless)
        assert np.nanmin(values) > 0
        assert np.nanmean(values) / VARIANCE == pytest.approx(1 - LOST[name], abs=0.04), name


def test_the_order_of_their_noise(driftless):
    noise = {name: np.nanvar(proxy(driftless)) for name, proxy in PROXIES.items()}
    assert noise["garman_klass"] < noise["parkinson"] < noise["squared_return"]
    assert noise["rogers_satchell"] < noise["parkinson"]
    assert noise["squared_return"] / noise["parkinson"] == pytest.approx(5, rel=0.15)


def test_drift_misleads_all_but_rogers_satchell_and_yang_zhang():
    means = {name: np.nanmean(proxy(simulated(drift=0.02))) / VARIANCE for name, proxy in PROXIES.items()}
    assert means["rogers_satchell"] == pytest.approx(1 - BIAS * 2, abs=0.06)
    assert means["yang_zhang"] == pytest.approx(1 - BIAS * 2, abs=0.06)
    assert means["squared_return"] == pytest.approx(5, rel=0.05)  # variance + drift²
    assert means["parkinson"] > 1.5
    assert means["garman_klass"] > 1.1


def test_only_the_squared_return_and_yang_zhang_see_the_night():
    means = {name: np.nanmean(proxy(simulated(night=NIGHT))) / VARIANCE for name, proxy in PROXIES.items()}
    for name, mean in means.items():
        seen = 1.5 if name in ("squared_return", "yang_zhang") else 1.0
        assert mean == pytest.approx(seen - LOST[name], abs=0.06), name


def test_garman_klass_trusts_the_open():
    """Where the open is the previous close though a night lies between, it counts part of the night as the day's."""
    days = simulated(night=NIGHT)
    opening = np.r_[days.open[0], days.close[:-1]]
    high, low = np.maximum(days.high, opening), np.minimum(days.low, opening)
    stale = Prices("stale", days.dates, opening, high, low, days.close, days.volume)
    assert np.nanmean(PROXIES["garman_klass"](stale)) > 1.1 * np.nanmean(PROXIES["garman_klass"](days))


def test_no_proxy_is_ever_zero_so_that_a_logarithm_is_never_minus_infinity():
    close = np.r_[np.full(30, 100.0), 101.0, 102.0, 102.0]
    dates = np.datetime64("2024-01-01") + np.arange(33)
    flat = Prices("flat", dates, close, close, close, close, volume=np.ones(33))
    for name, proxy in PROXIES.items():
        values = np.log(proxy(flat))
        assert values.shape == (33,)
        assert not np.isinf(values).any(), name
        if name not in ("squared_return", "yang_zhang"):
            assert np.isnan(values).all()
    assert flat.notes == ("33 days whose high equals its low (the first: 2024-01-01)",)
    one_way = Prices("one way", dates[:1], *(np.array([price]) for price in (1.0, 2.0, 1.0, 2.0)), volume=np.ones(1))
    assert np.isnan(PROXIES["rogers_satchell"](one_way)).all()
    assert PROXIES["garman_klass"](one_way)[0] > 0


@pytest.mark.parametrize("name", PROXIES)
def test_no_proxy_sees_a_later_day(name):
    prices = load_nasdaq()
    whole = PROXIES[name](prices)
    for days in (1, 2, 22, 23, 100, 3000):
        columns = (getattr(prices, column)[:days] for column in ("dates", "open", "high", "low", "close", "volume"))
        np.testing.assert_array_equal(PROXIES[name](Prices("early", *columns)), whole[:days])


@pytest.mark.parametrize("name", PROXIES)
def test_the_unit_of_money_does_not_matter(name):
    prices = load_nasdaq()
    frame = prices.to_frame()
    frame[["open", "high", "low", "close"]] /= 100
    np.testing.assert_allclose(PROXIES[name](read_prices(frame)), PROXIES[name](prices), rtol=1e-6, atol=1e-12)


def test_yang_zhang_by_hand_and_its_length():
    prices = load_nasdaq()
    n, day = 5, 100
    rows = slice(day - n + 1, day + 1)
    nights = np.log(prices.open[rows] / prices.close[day - n : day])
    trading = np.log(prices.close[rows] / prices.open[rows])
    up, down = np.log(prices.high / prices.open)[rows], np.log(prices.low / prices.open)[rows]
    satchell = (up * (up - trading) + down * (down - trading)).mean()
    k = 0.34 / (1.34 + (n + 1) / (n - 1))
    wanted = nights.var(ddof=1) + k * trading.var(ddof=1) + (1 - k) * satchell
    values = yang_zhang_variance(prices, length=n)
    assert values[day] == pytest.approx(wanted, rel=1e-10)
    assert np.isnan(values[:n]).all()
    assert np.isfinite(values[n:]).all()
    with pytest.raises(InputError, match="length=1"):
        yang_zhang_variance(prices, length=1)
