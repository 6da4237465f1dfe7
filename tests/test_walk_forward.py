"""Walk-forward: windows that never look ahead, networks that start at the line, intervals that hold what they say."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import hillwalker as hw
from hillwalker.errors import InputError, InputTypeError
from hillwalker.finance import load_sp500, volatility_features
from hillwalker.finance.baselines import Forecast, least_squares
from hillwalker.finance.evaluate import qlike
from hillwalker.finance.features import Features, return_features
from hillwalker.finance.intervals import conformal_intervals
from hillwalker.finance.network import (
    Part,
    Settings,
    base_of,
    fit_networks,
    fit_on,
    fresh,
    split_in_time,
    together,
)
from hillwalker.finance.walk_forward import NETWORK, walk_forward
from hillwalker.finance.windows import cadence_of, walk_forward_windows, windows_of

FEW = Settings(units=(8,), seeds=3, epochs=4)


def made(rows: int = 400, seed: int = 0, horizon: int = 1, bend: float = 0.0, name: str = "one") -> Features:
    """Features of which the target is a line of the inputs, a bend and noise."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(rows, 4))
    y = X @ [0.5, -0.3, 0.0, 0.2] - 9 + bend * np.abs(X[:, 0]) + 0.3 * random.normal(size=rows)
    days = np.datetime64("2010-01-01") + np.arange(rows + horizon)
    names = ("log variance, day", "log variance, week", "log variance, month", "return")
    return Features(days[:rows], days[horizon:], X, y, names, (), horizon)


def part_of(features: Features, rows: slice = slice(None)) -> Part:
    return Part(features.dates[rows], features.X[rows], features.y[rows])


# Windows


@pytest.mark.parametrize("horizon", [1, 5, 22])
@pytest.mark.parametrize("length", [None, 100])
@pytest.mark.parametrize("refits", [1, 21, "yearly"])
def test_windows_learn_only_from_labels_that_are_known(horizon, length, refits):
    windows = walk_forward_windows(1000, first=300, refits=refits, horizon=horizon, length=length)
    forecast = np.concatenate([np.arange(1000)[window.test] for window in windows])
    np.testing.assert_array_equal(forecast, np.arange(300, 1000))  # each day once
    for window in windows:
        last = window.training.stop - 1
        assert last + horizon <= window.test.start  # its label ends on the day at whose close it is learned
        assert last + 1 + horizon > window.test.start  # and no label that is known is left out
        assert window.learned == (window.training.stop if length is None else min(length, window.training.stop))


def test_cadences_have_names():
    assert [cadence_of(name) for name in ("daily", "weekly", "monthly", "quarterly", "yearly")] == [1, 5, 21, 63, 252]
    with pytest.raises(InputError, match=r'refits="fortnightly"|fortnightly'):
        cadence_of("fortnightly")
    with pytest.raises(InputError):
        cadence_of(0)


def test_windows_of_ones_own_are_refused_where_they_shuffle_or_look_ahead():
    rows = np.arange(10)
    assert windows_of([(rows[:5], rows[5:])], 10)[0].training == slice(0, 5)
    shuffled = np.random.default_rng(0).permutation(rows)
    with pytest.raises(InputError, match="shuffled"):
        windows_of([(shuffled[:5], shuffled[5:])], 10)
    with pytest.raises(InputError, match="learns from rows up to 6"):
        windows_of([(rows[:7], rows[5:])], 10)
    with pytest.raises(InputError, match="learns from rows up to 4 and forecasts from row 5 on, 3 days ahead"):
        windows_of([(rows[:5], rows[5:])], 10, horizon=3)
    with pytest.raises(InputError, match="forecasts days again"):
        windows_of([(rows[:5], rows[5:8]), (rows[:5], rows[6:])], 10)
    with pytest.raises(InputTypeError):
        windows_of([(rows[:5] * 1.0, rows[5:])], 10)
    with pytest.raises(InputError, match="no windows"):
        windows_of([], 10)


def test_too_short_a_series_is_refused():
    with pytest.raises(InputError, match="none is left to forecast"):
        walk_forward_windows(700)
    with pytest.raises(InputError, match="400 days"):
        walk_forward(made(), verbose=0)


# Networks


@pytest.mark.parametrize("loss", ["mse", "qlike", "mae", "huber"])
@pytest.mark.parametrize("line", ["held", "trained"])
@pytest.mark.parametrize("units", [(8,), (8, 6)])
def test_untrained_networks_are_the_line(loss, line, units):
    part = part_of(made())
    settings = Settings(units=units, seeds=2, loss=loss, line=line)
    base = base_of(part, settings)
    models = fresh([part], [base], settings, seed=0)
    x, t = together([part], [base], settings)
    wanted = least_squares(base.inputs(part.X), part.y).predict(base.inputs(part.X))
    for model in models:
        got = base.line.predict(base.inputs(part.X)) + base.spread * model.predict(x, verbose=0)[:, 0]
        np.testing.assert_allclose(got - got.mean(), wanted - wanted.mean(), atol=2e-5)
    assert len(t) == len(part.y)
    assert not np.array_equal(models[0].get_weights()[0], models[1].get_weights()[0])


def test_networks_learn_a_bend_that_the_line_cannot():
    bent = made(1500, bend=1.0)
    fitted = fit_networks([part_of(bent, slice(0, 1000))], dataclasses.replace(FEW, units=(16,), epochs=60), seed=0)
    assert fitted.curves.chosen > 10
    left = bent.y[1000:] - fitted.members(0, bent.X[1000:]).mean(axis=0)
    line = bent.y[1000:] - fitted.bases[0].line.predict(fitted.bases[0].inputs(bent.X[1000:]))
    assert left.std() < 0.75 * line.std()


def test_where_nothing_is_to_be_gained_the_line_remains():
    """Noise alone is left over: most choices are of few epochs, and forecasts stay at the line's."""
    straight = made(1200)
    fitted = fit_networks([part_of(straight, slice(0, 800))], FEW, seed=0)
    base = fitted.bases[0]
    x = straight.X[800:]
    away = fitted.members(0, x).mean(axis=0) - base.line.predict(base.inputs(x))
    assert np.abs(away).mean() < 0.2 * base.spread


def test_the_step_to_the_mean_is_of_the_training_days_alone_and_none_with_qlike():
    part = part_of(made())
    fitted = fit_networks([part], FEW, seed=0)
    left = part.y - fitted.members(0, part.X).mean(axis=0)
    assert fitted.corrections[0] == pytest.approx(np.log(np.exp(left).mean()))
    assert fit_networks([part], dataclasses.replace(FEW, loss="qlike"), seed=0).corrections == (0.0,)


def test_a_loss_that_is_not_symmetric_starts_at_its_own_constant():
    part = part_of(made())
    base = base_of(part, Settings(loss=hw.losses.Pinball(0.9), line="none", of_logs=False))
    assert base.line.intercept == pytest.approx(np.quantile(part.y, 0.9), abs=0.02)


def test_validation_days_are_the_newest_of_all_series():
    first, second = made(300), made(300, seed=1)
    second = dataclasses.replace(second, dates=second.dates + 100, target_dates=second.target_dates + 100)
    early, late = split_in_time([part_of(first), part_of(second)], 0.2)
    assert max(part.dates.max() for part in early) < min(part.dates.min() for part in late if len(part.y))
    assert sum(len(part.y) for part in early + late) == 600


def test_a_warm_start_takes_in_new_days_once_a_batch_is_full():
    features = made(600)
    settings = dataclasses.replace(FEW, batch_size=64, epochs=20)
    features.y[:] += np.abs(features.X[:, 0])  # a bend, so that epochs are chosen
    fitted = fit_networks([part_of(features, slice(0, 400))], settings, seed=0)
    assert fitted.curves.chosen
    before = fitted.models[0].get_weights()
    later = fit_on(fitted, [part_of(features, slice(0, 463))])
    assert later.rows == 400
    np.testing.assert_array_equal(later.models[0].get_weights()[0], before[0])
    assert later.bases[0].line.intercept != fitted.bases[0].line.intercept
    full = fit_on(later, [part_of(features, slice(0, 464))])
    assert full.rows == 464
    assert not np.array_equal(full.models[0].get_weights()[0], before[0])


@pytest.mark.parametrize(
    ("told", "words"),
    [({"line": "curve"}, "line='curve'"), ({"seeds": 0}, "seeds"), ({"validation_share": 1.0}, "validation_share"),
     ({"loss": "mze"}, "mse"), ({"loss": "qlike", "of_logs": False}, "qlike")],
)  # fmt: skip
def test_settings_that_make_no_network_are_refused(told, words):
    with pytest.raises(InputError, match=words):
        Settings(**told)


# The walk


def test_a_walk_is_what_its_windows_are_one_by_one():
    features = made(500)
    walk = walk_forward(features, models=["HAR-X", NETWORK], settings=FEW, first=300, refits=100, verbose=0)
    one = walk.series[0]
    for number, begin in enumerate((300, 400)):
        rows = slice(begin, begin + 100)
        fitted = fit_networks([part_of(features, slice(0, begin))], FEW, seed=0)
        members = fitted.members(0, features.X[rows]) + fitted.corrections[0]
        np.testing.assert_array_equal(one.members[:, one.window == number], members)
        line = least_squares(features.X[:begin], features.y[:begin])
        got = (one.forecasts["HAR-X"] - one.corrections["HAR-X"])[one.window == number]
        np.testing.assert_allclose(got, line.predict(features.X[rows]), atol=1e-9)
    np.testing.assert_allclose(one.forecasts[NETWORK], one.members.mean(axis=0), atol=1e-12)


@pytest.mark.parametrize("horizon", [1, 5])
@pytest.mark.parametrize("length", [None, 200])
def test_a_walk_by_dates_has_the_windows_that_are_promised_by_rows(horizon, length):
    features = made(500, horizon=horizon)
    told = {"first": 300, "refits": 40, "length": length}
    walk = walk_forward(features, models=["log-HAR"], verbose=0, **told)
    promised = walk_forward_windows(500, horizon=horizon, **told)
    assert [window.rows for window in walk.windows] == [window.learned for window in promised]
    assert [window.start for window in walk.windows] == [features.dates[window.test.start] for window in promised]


@pytest.mark.parametrize("refits", [100, 20])
@pytest.mark.parametrize("panel", [True, False])
@pytest.mark.parametrize("horizon", [1, 3])
def test_nothing_of_a_forecast_day_or_later_reaches_a_forecast(refits, panel, horizon):
    several = {name: made(400, seed, horizon) for seed, name in enumerate(("one", "two"))}
    told = {"models": ["log-HAR", NETWORK], "settings": FEW, "first": 300, "refits": refits, "panel": panel}
    clean = walk_forward(several, verbose=0, **told)
    for day in (310, 345):
        wild = {}
        for name, one in several.items():
            random = np.random.default_rng(9)
            later = np.arange(len(one.y)) > day
            unknown = np.arange(len(one.y)) > day - horizon  # labels of which a day lies after `day`
            wild[name] = dataclasses.replace(
                one,
                X=np.where(later[:, np.newaxis], random.normal(size=one.X.shape) * 50, one.X),
                y=np.where(unknown, random.normal(size=one.y.shape) * 50, one.y),
            )
        dirty = walk_forward(wild, verbose=0, **told)
        for name in several:
            a, b = clean[name], dirty[name]
            known = a.dates <= several[name].dates[day]
            assert known.sum() == day - 299
            for model in a.forecasts:
                np.testing.assert_array_equal(a.forecasts[model][known], b.forecasts[model][known])
            np.testing.assert_array_equal(a.members[:, known], b.members[:, known])
            for level in a.intervals:
                np.testing.assert_array_equal(a.intervals[level][0][known], b.intervals[level][0][known])
            assert not np.array_equal(a.forecasts[NETWORK], b.forecasts[NETWORK])  # the corruption is there to be seen


def test_series_of_different_lengths_walk_together_by_date():
    long, short = made(500), made(400, seed=1)
    short = dataclasses.replace(short, dates=short.dates + 100, target_dates=short.target_dates + 100)
    walk = walk_forward({"long": long, "short": short}, models=["log-HAR", NETWORK], settings=FEW, first=300,
                        refits=50, verbose=0)  # fmt: skip
    assert walk.panel
    assert (len(walk["long"].dates), len(walk["short"].dates)) == (200, 100)
    assert walk["short"].dates[0] == short.dates[300]
    with pytest.raises(InputError, match="series 'middle'"):
        walk["middle"]


def test_series_of_different_inputs_walk_alone():
    fewer = made(seed=1)
    fewer = dataclasses.replace(fewer, X=fewer.X[:, :3], names=fewer.names[:3])
    told = {"models": ["log-HAR", NETWORK], "settings": FEW, "first": 300, "refits": 100, "verbose": 0}
    with pytest.raises(InputError, match=r"different inputs \(3 and 4 of them\)"):
        walk_forward({"one": made(), "fewer": fewer}, **told)
    walk = walk_forward({"one": made(), "fewer": fewer}, panel=False, **told)
    assert not walk.panel
    assert len(walk["fewer"].dates) == 100


def test_the_last_days_are_forecast_though_their_targets_have_not_come():
    features = volatility_features(load_sp500(), open_end=True)
    assert np.isnan(features.y[-1])
    assert np.isnat(features.target_dates[-1])
    walk = walk_forward(features, models=["log-HAR", NETWORK], settings=FEW, first=4500, verbose=0)
    one = walk.series[0]
    assert np.isfinite(one.forecasts[NETWORK]).all()
    assert one.scored.sum() == len(one.dates) - 1
    assert str(one.dates[-1]) == "2018-12-31"


def test_seeds_repeat_a_walk_to_the_bit_whatever_the_threads():
    features = made(500)
    told = {"models": [NETWORK], "settings": FEW, "first": 300, "refits": 100, "verbose": 0}
    once, again = walk_forward(features, threads=1, **told), walk_forward(features, threads=2, **told)
    other = walk_forward(features, seed=7, **told)
    np.testing.assert_array_equal(once.series[0].members, again.series[0].members)
    assert not np.array_equal(once.series[0].members, other.series[0].members)


def test_ctrl_c_leaves_the_windows_that_are_done():
    def impatient(features, training, test):
        if training.stop > 350:
            raise KeyboardInterrupt
        return Forecast(np.zeros(test.stop - test.start), 0.0)

    told = {"models": ["impatient", NETWORK], "baselines": {"impatient": impatient}, "settings": FEW, "verbose": 0}
    walk = walk_forward(made(), first=300, refits=40, **told)
    assert walk.interrupted
    assert len(walk.windows) == 2
    assert len(walk.series[0].dates) == 80
    assert np.isfinite(walk.series[0].forecasts[NETWORK]).all()
    with pytest.raises(KeyboardInterrupt):
        walk_forward(made(), first=380, refits=40, **told)


def test_a_last_day_without_a_number_is_told():
    prices = load_sp500()
    volume = prices.volume.copy()
    volume[-1] = np.nan
    features = volatility_features(dataclasses.replace(prices, volume=volume), open_end=True)
    assert "nothing is forecast from the last day, 2018-12-31: it has no change of log volume" in features.notes[-1]


def test_baselines_of_ones_own_walk_along():
    def yesterday(features, training, test):
        return Forecast(np.full(test.stop - test.start, features.y[training][-1]), 0.0)

    walk = walk_forward(
        made(), baselines={"yesterday": yesterday}, models=["yesterday"], first=300, refits=100, verbose=0
    )
    assert (walk.series[0].forecasts["yesterday"] == made().y[299]).all()
    with pytest.raises(InputError, match="model 'tomorrow'"):
        walk_forward(made(), models=["tomorrow"], first=300, verbose=0)


def test_ones_own_windows_are_walked_once_they_are_honest():
    rows = np.arange(400)
    walk = walk_forward(made(), models=["log-HAR"], windows=[(rows[50:300], rows[300:350])], verbose=0)
    assert len(walk.series[0].dates) == 50
    with pytest.raises(InputError, match="shuffled"):
        walk_forward(made(), models=["log-HAR"], windows=[(rows[::-1], rows[300:])], verbose=0)


# Intervals


def test_intervals_hold_what_they_say_on_errors_of_one_kind():
    random = np.random.default_rng(0)
    days = np.datetime64("2000-01-01") + np.arange(4000)
    actual = random.standard_t(4, size=4000)
    for level, (low, high) in conformal_intervals(days, days + 1, actual, np.zeros(4000), (0.5, 0.9)).items():
        known = np.isfinite(low)
        inside = ((low <= actual) & (actual <= high))[known].mean()
        assert level - 0.01 < inside < level + 0.03
        assert np.argmax(known) < 30


def test_intervals_use_errors_of_days_that_have_come():
    days = np.datetime64("2000-01-01") + np.arange(100)
    actual = np.zeros(100)
    actual[50:] = 100.0
    low, high = conformal_intervals(days, days + 5, actual, np.zeros(100), (0.5,))[0.5]
    assert (high[:55] <= 0)[30:].all()  # the error of day 50 is known at the close of day 55
    earlier = conformal_intervals(days, days + 5, actual, np.zeros(100), (0.5,), earlier=np.array([-1.0, 0.0, 1.0]))[
        0.5
    ]
    assert np.isfinite(earlier[0][0])
    assert np.isnan(low[0])


def test_volatility_of_the_sp500_is_forecast_better_by_the_line_than_by_har():
    """The features do it: a fact of these data, and a sign that nothing is shifted by a day."""
    features = volatility_features(load_sp500())
    one = walk_forward(features, models=["log-HAR", "HAR-X"], first=2000, verbose=0).series[0]
    losses = {name: qlike(one.actual, forecast).mean() for name, forecast in one.forecasts.items()}
    assert losses["HAR-X"] < 0.95 * losses["log-HAR"]


def test_returns_have_features_of_their_own():
    prices = load_sp500()
    features = return_features(prices, horizon=5)
    row = 1000
    day = int(np.searchsorted(prices.dates, features.dates[row]))
    assert features.y[row] == pytest.approx(100 * np.log(prices.close[day + 5] / prices.close[day]))
    assert features.target_dates[row] == prices.dates[day + 5]
