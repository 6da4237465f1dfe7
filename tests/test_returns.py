"""Returns: a planted signal is found, noise is not called one, and nothing comes from the future."""

from __future__ import annotations

import dataclasses
import json
import math
import sys

import numpy as np
import pytest

import hillwalker as hw
import hillwalker.finance.network as network_module
from hillwalker.errors import InputError, InputTypeError
from hillwalker.finance.economics import directional, out_of_sample
from hillwalker.finance.features import return_features
from hillwalker.finance.network import Settings
from hillwalker.finance.phrases import table
from hillwalker.finance.prices import Prices, load_sp500
from hillwalker.finance.return_baselines import BOOSTING, CONSTANT, ReturnBaselines, losses_of_days
from hillwalker.finance.returns import _money, loss_of_errors, returns
from hillwalker.finance.returns_study import Learning
from hillwalker.finance.returns_words import change

walk_module = sys.modules["hillwalker.finance.walk_forward"]
FEW = Settings(units=(16,), seeds=3, epochs=12, line="none")
FOUND = "ignore:Passed. positions with a Sharpe"  # a planted signal is too good to be true, and told so


def prices_of(percents: np.ndarray, name: str = "made", seed: int = 0) -> Prices:
    """Prices with these log returns in percent, and ranges that know nothing of the next day."""
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(percents) / 100)
    opened = np.concatenate([[100.0], close[:-1]])
    wide = np.exp(0.004 + 0.004 * random.random((2, len(close))))
    high, low = np.maximum(opened, close) * wide[0], np.minimum(opened, close) / wide[1]
    dates = np.busday_offset("2000-01-03", np.arange(len(close)))
    return Prices(name, dates, opened, high, low, close, 1e6 * (1 + random.random(len(close))))


def noise(days: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=days)


def autoregressive(days: int, seed: int = 0, by: float = 0.3) -> np.ndarray:
    values = noise(days, seed)
    for day in range(1, days):
        values[day] += by * values[day - 1]
    return values


def bent(days: int, seed: int = 0) -> np.ndarray:
    """Returns that rise after a large move of either sign three days before: no straight line sees it."""
    values = noise(days, seed)
    for day in range(3, days):
        values[day] += 0.4 * (abs(values[day - 3]) - 0.85)
    return values


def until(prices: Prices, day: str) -> Prices:
    rows = prices.dates <= np.datetime64(day)
    names = ("dates", "open", "high", "low", "close", "volume")
    return Prices(prices.name, *(getattr(prices, name)[rows] for name in names))


def study_of(percents: np.ndarray, loss: object = "mse", **more: object):
    told = {"settings": FEW, "models": [], "threads": 1, "verbose": 0} | more
    return returns(prices_of(percents), loss, **told)


# What is there is found


@pytest.mark.filterwarnings(FOUND)
def test_planted_autoregression_is_a_signal():
    study = study_of(autoregressive(2500), models=["zero", "line", "AR(1)"])
    assert study.verdict == "signal"
    score = study.scores["made"]["network"]
    assert score.r2 > 0.03
    assert score.r2_p < 0.001
    assert score.hit_rate > 0.55
    assert score.hit_p < 0.001
    assert study.pooled["AR(1)"].difference > -0.02  # nothing beats what made the data by much
    assert study.economics["made"].p_flat < 0.05
    assert study.sentences[0].startswith("Signal: over")


@pytest.mark.filterwarnings(FOUND)
def test_a_bend_is_seen_by_the_network_and_not_by_the_line():
    how = dataclasses.replace(FEW, epochs=60, learning_rate=2e-3)
    study = study_of(bent(4000), models=["line"], settings=how)
    assert study.verdict == "signal"
    assert study.pooled["line"].better == "network"
    assert study.comparisons["made"]["line"].p < 0.05


@pytest.mark.filterwarnings(FOUND)
def test_several_series_are_pooled_and_corrected_for_their_number():
    several = {"signal": prices_of(autoregressive(1800, 1), "a"), "noise": prices_of(noise(1600, 2), "b", 1)}
    study = returns(several, settings=FEW, models=["line"], panel=False, threads=1, verbose=0)
    assert study.names == ("signal", "noise")
    assert study.verdict == "signal"
    assert study.found == ("signal",)
    tests = study.comparisons
    p = sorted([tests["signal"][CONSTANT].p, tests["noise"][CONSTANT].p])
    assert min(study.holm[CONSTANT].values()) == pytest.approx(min(2 * p[0], 1))
    assert study.pooled[CONSTANT].series == 2
    assert "better on 1 of 2" in study.sentences[0]
    assert max(len(line) for line in str(study).splitlines()) <= 100


def test_networks_of_a_quantile_are_fitted_each_alone_unless_asked_for():
    several = {"a": prices_of(noise(900, 1)), "b": prices_of(noise(900, 2))}
    told = {"settings": FEW, "models": [], "threads": 1, "verbose": 0}
    level = hw.losses.Pinball(0.2)
    alone = returns(several, level, **told)
    assert not alone.walk.panel
    assert returns(several, level, panel=True, **told).walk.panel
    assert returns(several, **told).walk.panel
    single = returns({"b": several["b"]}, level, **told)
    np.testing.assert_array_equal(alone["b"].forecasts["network"], single["b"].forecasts["network"])


def test_a_signal_needs_both_the_pooled_test_and_one_series_of_its_own():
    study = study_of(noise(900, 1))
    better = dataclasses.replace(study.pooled[CONSTANT], better="network", difference=-0.1, p=0.001)
    level = dataclasses.replace(better, better=None, p=0.5)
    worse = dataclasses.replace(better, better=CONSTANT, difference=0.1)

    def verdict(pooled, own, p):
        tests = {"made": {CONSTANT: own}}
        told = {"pooled": {CONSTANT: pooled}, "comparisons": tests, "holm": {CONSTANT: {"made": p}}}
        found = dataclasses.replace(study, **told)
        assert found.sentences[0].startswith("Signal" if found.verdict == "signal" else "No signal")
        return found.verdict

    assert verdict(better, better, 0.001) == "signal"
    assert verdict(better, better, 0.2) == "no-signal"
    assert verdict(level, better, 0.001) == "no-signal"
    assert verdict(better, worse, 0.001) == "no-signal"
    assert verdict(worse, worse, 0.001) == "no-signal"


@pytest.mark.parametrize("horizon", [1, 4])
def test_scores_are_of_the_days_that_can_be_judged_and_of_the_past_that_was_known(horizon):
    prices = prices_of(noise(1100, 3))
    study = returns(prices, horizon=horizon, settings=FEW, models=["line"], threads=1, verbose=0)
    one, features = study["made"], return_features(prices, horizon)
    actual, forecast = one.actual[one.scored], one.forecasts["line"][one.scored]
    hits = directional(actual[::horizon], forecast[::horizon])
    score = study.scores["made"]["line"]
    assert (score.hit_rate, score.always_up, score.hit_p) == (hits.hit_rate, hits.always_up, hits.p)
    first = int(np.searchsorted(features.dates, one.dates[0]))
    fit = out_of_sample(actual, forecast, features.y[: first - horizon + 1], horizon)
    assert (score.r2, score.r2_p) == (pytest.approx(fit.r2, abs=1e-12), pytest.approx(fit.p, abs=1e-9))


# What is not there is not found


def test_random_walks_are_hardly_ever_called_a_signal():
    verdicts = [study_of(noise(1500, seed), seed=seed).verdict for seed in range(10)]
    assert verdicts.count("signal") <= 1


def test_returns_of_the_market_have_no_signal():
    study = returns(until(load_sp500(), "2014-12-31"), seeds=5, models=["zero", "line"], threads=1, verbose=0)
    assert study.verdict == "no-signal"
    assert study.sentences[0].startswith("No signal: over 3,209 days (2002-04-04 to 2014-12-31)")
    assert any("buy-and-hold earned" in said for said in study.sentences)
    assert study.learning.diverges_early
    assert any(said.startswith("Early divergence") for said in study.sentences)


def test_networks_that_never_learn_are_the_constant_and_not_a_lead_by_rounding():
    study = study_of(noise(1600, 3), settings=dataclasses.replace(FEW, learning_rate=0.3, epochs=2))
    assert study.learning.idle == len(study.walk.windows)
    assert study.pooled[CONSTANT].difference == 0
    assert study.pooled[CONSTANT].p == 1
    assert any("no epoch helped" in said for said in study.sentences)


@pytest.mark.parametrize("level", [0.05, 0.9])
def test_quantiles_cover_what_they_say(level):
    study = study_of(noise(3000, 1), hw.losses.Pinball(level))
    check = study.quantiles["made"]
    assert check.share == pytest.approx(level, abs=0.02)
    assert check.low <= level <= check.high
    assert check.p > 0.05
    assert not study.economics  # the sign of a quantile is no bet
    assert "quantile" in str(study)


def test_kupiecs_p_is_that_of_the_likelihood_ratio():
    stats = pytest.importorskip("scipy.stats")
    check = study_of(noise(1200, 5), hw.losses.Pinball(0.2)).quantiles["made"]
    below = round(check.share * check.days)
    ratio = 2 * (stats.binom.logpmf(below, check.days, check.share) - stats.binom.logpmf(below, check.days, 0.2))
    assert check.p == pytest.approx(stats.chi2.sf(ratio, 1), abs=1e-6)


@pytest.mark.filterwarnings(FOUND)
def test_spread_that_is_known_is_a_signal_of_a_quantile_but_not_of_direction():
    size = np.repeat([0.5, 2.0], 100)[np.arange(3000) % 200]
    percents = noise(3000, 0) * size
    quantile = study_of(percents, hw.losses.Pinball(0.05), models=["volatility"])
    assert quantile.verdict == "signal"
    assert "not which way they go" in quantile.sentences[0]
    assert quantile.pooled["volatility"].difference > -0.05
    assert study_of(percents).verdict == "no-signal"


# Nothing comes from the future


@pytest.mark.parametrize(("loss", "horizon"), [("mse", 1), (hw.losses.Pinball(0.1), 3)])
def test_a_corrupted_future_changes_no_forecast_to_the_bit(loss, horizon):
    percents = autoregressive(1100)
    changed = percents.copy()
    day = 960
    changed[day + 1 :] = 3 * noise(1100 - day - 1, 9)
    told = {"settings": FEW, "horizon": horizon, "refits": 63, "threads": 1, "verbose": 0}
    one, other = (returns(prices_of(values), loss, **told)["made"] for values in (percents, changed))
    same = one.dates <= prices_of(percents).dates[day]
    assert 100 < same.sum() < len(same)
    for model, forecast in one.forecasts.items():
        np.testing.assert_array_equal(forecast[same], other.forecasts[model][same], err_msg=model)
    assert not np.array_equal(one.forecasts["network"], other.forecasts["network"])


# Money


def test_costs_lower_what_is_earned_and_nothing_else():
    free, dear = (study_of(noise(1400, 4), cost=cost) for cost in (0, 20))
    one, other = free.economics["made"], dear.economics["made"]
    assert one.strategy.turnover == other.strategy.turnover > 1
    assert other.strategy.yearly_return < one.strategy.yearly_return
    assert dear.before_costs["made"] == free.before_costs["made"] == one.strategy
    assert (other.net <= one.net).all()
    np.testing.assert_array_equal(free["made"].forecasts["network"], dear["made"].forecasts["network"])


@pytest.mark.parametrize("horizon", [1, 3])
def test_positions_are_held_for_the_horizon(horizon):
    percents = noise(1000, 6)
    prices = prices_of(percents)
    one = study_of(percents, horizon=horizon)["made"]
    after, before = _money(one, prices, 10.0)
    close = dict(zip(prices.dates, prices.close, strict=True))
    signs, held, grown = np.sign(one.forecasts["network"]), 0.0, 1.0
    for row in range(len(one.dates) - 1):  # the last day's next one has not come
        position = sum(signs[max(row - horizon + 1, 0) : row + 1]) / horizon
        earned = position * (close[one.dates[row + 1]] / close[one.dates[row]] - 1)
        assert after.net[row] == pytest.approx(earned - 0.001 * abs(position - held), abs=1e-12)
        held, grown = position, grown * (1 + earned)
    assert len(after.net) == len(one.dates) - 1
    assert before.yearly_return == pytest.approx(grown ** (252 / len(after.net)) - 1)
    assert before.turnover == after.strategy.turnover


# Baselines


def test_baselines_are_what_numpy_says():
    features = return_features(prices_of(autoregressive(1000, 2)))
    past, rows = slice(0, 800), slice(800, 810)
    X, y, own = features.X, features.y[past], features.column("return")
    mean, tail = ReturnBaselines(hw.losses.get("mse")), ReturnBaselines(hw.losses.Pinball(0.1))
    assert mean.constant(features, past, rows).values == pytest.approx(np.full(10, y.mean()))
    assert tail.constant(features, past, rows).values == pytest.approx(np.full(10, np.quantile(y, 0.1)), abs=0.02)
    assert not mean.zero(features, past, rows).values.any()
    slope, intercept = np.polyfit(own[past], y, 1)
    assert mean.autoregression(features, past, rows).values == pytest.approx(intercept + slope * own[rows])
    solved = np.linalg.lstsq(np.column_stack([np.ones(800), X[past]]), y, rcond=None)[0]
    wanted = solved[0] + X[rows] @ solved[1:]
    assert mean.line(features, past, rows).values == pytest.approx(wanted, abs=1e-6)
    shifted = tail.line(features, past, rows).values - wanted
    left = y - solved[0] - X[past] @ solved[1:]
    assert shifted == pytest.approx(np.full(10, np.quantile(left, 0.1)), abs=0.02)
    size = 100 * np.exp(features.column("variance, fading") / 2)
    multiple = tail.spread(features, past, rows).values / size[rows]
    assert multiple == pytest.approx(np.full(10, np.quantile(y / size[past], 0.1)), abs=0.02)


@pytest.mark.parametrize("loss", ["mse", "mae", hw.losses.Pinball(0.2)])
def test_boosting_finds_the_signal_and_stays_at_the_constant_where_there_is_none(loss):
    found, past, rows = ReturnBaselines(hw.losses.get(loss)), slice(0, 1200), slice(1200, 1900)
    signal, none = return_features(prices_of(autoregressive(2000, by=0.6))), return_features(prices_of(noise(2000, 8)))
    gains = []
    for features in (signal, none):
        trees, constant = (one(features, past, rows).values for one in (found.boosting, found.constant))
        by_day = [losses_of_days(found.loss, features.y[rows], forecast).mean() for forecast in (trees, constant)]
        gains.append(1 - by_day[0] / by_day[1])
    assert gains[0] > 0.08
    assert -0.03 < gains[1] < 0.02


def test_boosting_chooses_its_trees_after_rows_whose_targets_were_known(monkeypatch):
    seen = []
    monkeypatch.setattr(ReturnBaselines, "_count", lambda self, early, late: seen.append((early, late)) or 0)
    features = return_features(prices_of(noise(700, 1)), horizon=20)
    ReturnBaselines(hw.losses.get("mse")).boosting(features, slice(100, 600), slice(620, 622))
    (early, late), first = seen[0], 600 - 100  # the last fifth of 500 rows: 400 to 500
    assert len(early[1]) == 400 - 20 + 1
    np.testing.assert_array_equal(late[1], features.y[500:600])
    assert features.target_dates[100 : 100 + len(early[1])].max() <= features.dates[first]


# Losses


@pytest.mark.parametrize(
    ("loss", "symmetric", "any_unit", "level"),
    [
        ("mse", True, True, None),
        ("mae", True, True, None),
        ("huber", True, False, None),
        ("log_cosh", True, False, None),
        (hw.losses.Pinball(0.05), False, True, 0.05),
        (hw.losses.Pinball(0.5), True, True, 0.5),
        (hw.losses.AsymmetricSquaredError(3.0), False, True, None),
        (lambda y_true, y_pred: np.abs(y_true - y_pred) ** 1.5, True, True, None),
    ],
)
def test_what_a_loss_looks_at_is_seen(loss, symmetric, any_unit, level):
    asked = loss_of_errors(loss)
    assert (asked.symmetric, asked.any_unit, asked.level) == (symmetric, any_unit, level)


def test_a_loss_of_ones_own():
    def steep(y_true, y_pred):
        return np.where(y_pred > y_true, 4.0, 1.0) * np.square(y_pred - y_true)

    study = study_of(noise(1000, 7), steep, settings=dataclasses.replace(FEW, epochs=3), models=["line"])
    assert study.loss.name == "steep"
    assert math.isnan(study.scores["made"]["network"].r2)
    assert study["made"].forecasts["constant"].mean() < -0.2  # too high costs four times as much
    assert "R²" not in str(study).split("\n\n")[1]


def test_units_of_a_loss_that_looks_at_sizes_are_told():
    assert any("units of their spread" in note for note in study_of(noise(900, 1), "huber").notes)


@pytest.mark.parametrize(
    "loss", ["qlike", "mape", "msle", "poisson", "binary_crossentropy", "hinge", "cosine_similarity"]
)
def test_losses_of_more_than_the_error_are_refused(loss):
    with pytest.raises(InputError, match="a loss of the error y - p"):
        returns(load_sp500(), loss)


def test_a_loss_without_a_value_a_day_is_refused():
    with pytest.raises(InputError, match="a value for each day"):
        returns(load_sp500(), lambda y_true, y_pred: np.mean(np.square(y_true - y_pred)))


@pytest.mark.parametrize(
    ("told", "error", "match"),
    [
        ({"loss": "mze"}, InputError, "mse"),
        ({"loss": hw.losses.Pinball(1.0)}, InputError, "between 0 and 1"),
        ({"cost": -1}, InputError, "basis points, 0 or more"),
        ({"cost": "low"}, InputError, "basis points"),
        ({"cost": math.nan}, InputError, "basis points"),
        ({"horizon": 0}, InputError, "horizon"),
        ({"refits": "hourly"}, InputError, "hourly"),
        ({"first": 10_000}, InputError, "none is left to forecast"),
        ({"models": "line"}, InputTypeError, r"models=\['line'\]"),
        ({"models": ["lines"]}, InputError, "line"),
        ({"models": ["volatility"]}, InputError, "'volatility'"),
        ({"seeds": 0}, InputError, "seeds"),
        ({"settings": {"units": (4,)}}, InputTypeError, "settings of type dict"),
        ({"loss": "mae", "settings": Settings(loss="huber")}, InputError, "one loss"),
        ({"first": 5020}, InputError, "10 days or fewer|none is left"),
    ],
)
def test_bad_input_is_refused_with_what_to_do(told, error, match):
    with pytest.raises(error, match=match) as caught:
        returns(load_sp500(), **({"verbose": 0, "models": [], "settings": FEW} | told))
    assert "Expected" in str(caught.value)


@pytest.mark.parametrize("prices", [None, 3, {}])
def test_what_is_no_price_is_refused(prices):
    with pytest.raises((InputError, InputTypeError)):
        returns(prices, verbose=0)


# The record


def test_the_study_as_text_frame_and_json():
    pytest.importorskip("pandas")
    study = study_of(noise(1000, 2), models=["line", "boosting"])
    text, told, frame = str(study), json.loads(json.dumps(study.to_dict(), allow_nan=False)), study.to_frame()
    assert max(len(line) for line in text.splitlines()) <= 100
    assert all(said[:30] in text for said in study.sentences[:1])
    assert told["verdict"] == study.verdict
    assert set(told["scores"]["made"]) == {"network", "constant", "line", "boosting"}
    assert len(frame) == len(study["made"].dates)
    last = frame.iloc[-1]
    assert np.isnan(last["actual"])
    assert np.isnan(last["loss of network"])
    assert np.isfinite(last["network"])  # tomorrow's forecast is there
    scored = frame[frame["actual"].notna()]
    assert scored["loss of line"].mean() == pytest.approx(study.scores["made"]["line"].loss)
    np.testing.assert_allclose(scored["loss of network"], np.square(scored["actual"] - scored["network"]))
    assert frame["net"].notna().sum() == study.economics["made"].days
    assert study.scores["made"]["line"].to_frame()["loss"].item() == study.scores["made"]["line"].loss
    epochs = study.learning.to_frame()
    assert epochs[epochs["window"] == 0]["validation"].tolist() == study.learning.validation[0].tolist()


def test_the_constant_is_judged_whether_asked_for_or_not():
    assert CONSTANT in study_of(noise(900, 1), models=["network"]).pooled
    assert BOOSTING in study_of(noise(900, 1), models=None).pooled


@pytest.mark.parametrize("done", [0, 1])
def test_ctrl_c_keeps_the_series_that_are_done(done, monkeypatch):
    real, calls = network_module.fit_networks, []

    def stopped(*told):
        calls.append(1)
        if len(calls) > 2 * done:  # two windows a series
            raise KeyboardInterrupt
        return real(*told)

    monkeypatch.setattr(walk_module, "fit_networks", stopped)
    several = {"a": prices_of(noise(1100, 1)), "b": prices_of(noise(1100, 2))}
    told = {"settings": FEW, "models": [], "panel": False, "threads": 1, "verbose": 0}
    if not done:
        with pytest.raises(KeyboardInterrupt):
            returns(several, **told)
        return
    study = returns(several, **told)
    assert study.walk.interrupted
    assert study.names == ("a",)
    assert "interrupted" in str(study)


def curves(validation: list[list[float]], training: list[float]) -> Learning:
    return Learning(np.array([training] * len(validation)), np.array(validation), (1,) * len(validation), None, None)


def test_early_divergence_is_named_where_most_windows_turn_up_early():
    up, down, falls = [0.99, 1.0, 1.02, 1.05], [0.98, 0.97, 0.96, 0.95], [1.0, 0.9, 0.8, 0.7]
    assert curves([up] * 4, falls).diverges_early
    assert curves([up] * 4, falls).best_epoch == 1
    assert not curves([down] * 4, falls).diverges_early
    late = [0.98, 0.95, 0.93, 0.99]
    assert curves([late] * 4, falls).risen == 1
    assert not curves([late] * 4, falls).diverges_early  # it turns up, but in the second half
    assert not curves([up, up, down, down], falls).diverges_early  # half of the windows only
    assert not curves([up] * 4, falls[::-1]).diverges_early  # training did not learn anything


def test_changes_are_told_in_their_direction_and_tables_stand_in_columns():
    one = study_of(noise(900, 1)).pooled[CONSTANT]
    assert change(dataclasses.replace(one, means=(0.9, 1.0))) == "10.00 % lower"
    assert change(dataclasses.replace(one, means=(1.1, 1.0))) == "10.00 % higher"
    assert [len(line) for line in table([["a", "b"], ["long", "10"]])] == [8, 8]
