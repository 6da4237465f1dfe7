"""Finance: the proof of no leak, the proxy, the baselines and what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hillwalker.errors import InputError
from hillwalker.finance import (
    Prices,
    annualised_percent,
    load_sp500,
    log_har,
    log_har_x,
    log_to_mean,
    parkinson_variance,
    persistence,
    qlike,
    volatility_features,
)


def toy(days: int = 80, seed: int = 0) -> Prices:
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(0.01 * random.normal(size=days)))
    open_ = close * np.exp(0.004 * random.normal(size=days))
    return Prices(
        "toy",
        np.datetime64("2024-01-01") + np.arange(days),
        open_,
        np.maximum(open_, close) * (1 + 0.01 * random.random(days)),
        np.minimum(open_, close) * (1 - 0.01 * random.random(days)),
        close,
        1e6 * (1 + random.random(days)),
    )


def corrupted(prices: Prices, day: int) -> Prices:
    """Replace everything after `day` by other, wild prices."""
    wild = toy(len(prices), seed=99)
    later = np.arange(len(prices)) > day
    columns = {
        name: np.where(later, 1000 * getattr(wild, name), getattr(prices, name))
        for name in ("open", "high", "low", "close", "volume")
    }
    return dataclasses.replace(prices, **columns)


def test_no_feature_up_to_day_t_sees_anything_after_it():
    prices = toy()
    clean = volatility_features(prices)
    for day in range(22, len(prices) - 1):
        dirty = volatility_features(corrupted(prices, day))
        known = clean.dates <= prices.dates[day]
        assert known.sum() == day - 20
        assert np.array_equal(clean.X[known], dirty.X[: known.sum()])  # bit for bit
        assert np.array_equal(clean.y[known][:-1], dirty.y[: known.sum() - 1])
        if day < len(prices) - 2:
            assert not np.array_equal(clean.X, dirty.X)  # the corruption is there to be seen


def test_no_feature_of_the_sp500_sees_the_future():
    prices = load_sp500()
    clean = volatility_features(prices)
    for day in (100, 1000, 2500, 4000, 5000):
        later = np.arange(len(prices)) > day
        scale = np.where(later, 3.0, 1.0)
        dirty = volatility_features(
            dataclasses.replace(
                prices,
                open=prices.open * scale,
                high=prices.high * scale**2,
                low=prices.low * np.where(later, 1.5, 1.0),
                close=prices.close * scale,
                volume=prices.volume * scale,
            )
        )
        known = clean.dates <= prices.dates[day]
        assert np.array_equal(clean.X[known], dirty.X[known])


def fading(values, decay):
    """The exponential mean as a sum of all days, each with its weight: the first has that of all before it."""
    means = []
    for day in range(len(values)):
        weights = (1 - decay) * decay ** np.arange(day, -1, -1)
        weights[0] = decay**day
        means.append(weights @ values[: day + 1])
    return np.array(means)


def test_features_are_what_their_names_say():
    prices = toy()
    features = volatility_features(prices)
    log_variance = np.log(parkinson_variance(prices))
    returns = 100 * np.log(prices.close[1:] / prices.close[:-1])
    day = 30  # the 31st day; rows begin with the 22nd
    row = features.X[day - 21]
    assert features.dates[day - 21] == prices.dates[day]
    assert features.target_dates[day - 21] == prices.dates[day + 1]
    wanted = {
        "log variance, day": log_variance[day],
        "log variance, week": log_variance[day - 4 : day + 1].mean(),
        "log variance, month": log_variance[day - 21 : day + 1].mean(),
        "return": returns[day - 1],
        "return, 4 days ago": returns[day - 5],
        "negative return": min(returns[day - 1], 0),
        "log variance, fading": fading(log_variance, 0.7)[day],
        "variance, fading": np.log(fading(np.exp(log_variance), 0.94)[day]),
        "negative returns, fading": np.log(fading(np.minimum(returns, 0) ** 2, 0.8)[day - 1] + 0.01),
        "high beside the month's": np.log(prices.high[day] / prices.high[day - 21 : day + 1].max()),
        "change of log volume": np.log(prices.volume[day] / prices.volume[day - 1]),
        "volume beside the month's": np.log(prices.volume[day]) - np.log(prices.volume[day - 21 : day + 1]).mean(),
    }
    for name, value in wanted.items():
        np.testing.assert_allclose(row[features.names.index(name)], value, rtol=1e-12)
    np.testing.assert_allclose(features.y[day - 21], log_variance[day + 1], rtol=1e-12)


def test_days_without_volume_are_masked_and_reported():
    prices = toy()
    volume = prices.volume.copy()
    volume[40] = 0
    features = volatility_features(dataclasses.replace(prices, volume=volume))
    assert np.isfinite(features.X).all()
    assert len(features.y) == len(volatility_features(prices).y) - 2  # the day itself and the change after it
    assert features.notes[0] == f"1 day without volume (the first: {prices.dates[40]})"
    assert features.notes[1].startswith("2 later days left out")


def test_a_day_without_a_range_has_no_variance():
    prices = toy()
    flat = dataclasses.replace(prices, high=prices.close, low=prices.close, open=prices.close)
    assert np.isnan(parkinson_variance(flat)).all()
    assert flat.notes == (f"80 days whose high equals its low (the first: {prices.dates[0]})",)


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("close", lambda p: np.where(np.arange(80) == 3, np.nan, p.close), "close with 1 missing.*2024-01-04"),
        ("low", lambda p: -p.low, "low with 80 missing"),
        ("high", lambda p: p.low, "outside the day's low to high"),
        ("open", lambda p: p.open[:5], "open of shape"),
        ("dates", lambda p: np.sort(np.r_[p.dates[:1], p.dates[:-1]]), "1 repeated dates, the first 2024-01-01"),
        ("dates", lambda p: p.dates[::-1], "run backwards 79 times"),
    ],
)
def test_prices_that_cannot_be_are_refused(column, values, words):
    prices = toy()
    with pytest.raises(InputError, match=words):
        dataclasses.replace(prices, **{column: values(prices)})


def test_too_few_days_are_refused():
    prices = toy()
    short = Prices("short", *(getattr(prices, f.name)[:29] for f in dataclasses.fields(prices)[1:]))
    with pytest.raises(InputError, match="29 days"):
        volatility_features(short)


def test_the_sp500_is_the_whole_series():
    prices = load_sp500()
    assert (len(prices), str(prices.dates[0]), str(prices.dates[-1])) == (5031, "1999-01-04", "2018-12-31")
    assert prices.close[-1] == pytest.approx(2506.850098)
    assert annualised_percent(np.nanmean(parkinson_variance(prices))) == pytest.approx(15.4, abs=1.0)


def test_persistence_is_the_days_own_variance():
    features = volatility_features(toy())
    np.testing.assert_array_equal(persistence(features, slice(0, 40), slice(1, None)).values, features.y[:-1])


def test_baselines_are_fitted_on_the_training_rows_alone():
    features = volatility_features(toy())
    changed = dataclasses.replace(features, y=np.where(np.arange(len(features.y)) < 40, features.y, 50.0))
    for baseline in (log_har, log_har_x):
        clean, other = (baseline(which, slice(0, 40), slice(40, None)) for which in (features, changed))
        np.testing.assert_array_equal(clean.values, other.values)
        assert clean.correction == other.correction


def test_least_squares_leaves_no_error_that_its_inputs_explain():
    features = volatility_features(load_sp500())
    errors = features.y - log_har_x(features, slice(None), slice(None)).values
    np.testing.assert_allclose(features.X.T @ errors / len(errors), 0, atol=1e-9)
    with pytest.raises(InputError, match="rows for 3 inputs"):
        log_har(features, slice(0, 4), slice(4, None))


def test_the_correction_is_where_qlike_of_the_training_days_is_smallest():
    random = np.random.default_rng(0)
    actual, forecast = random.normal(size=500), random.normal(size=500)
    best = log_to_mean(actual, forecast)
    for step in (-0.01, 0.01):
        assert qlike(actual, forecast + best).mean() < qlike(actual, forecast + best + step).mean()
