"""Tests of forecasts: against other people's formulas, and by simulation where there is nothing to be found."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from hillwalker.errors import InputError
from hillwalker.finance import evaluate, qlike
from hillwalker.finance.averages import hac_lags, long_run_covariance, mean_test, small_sample, two_sided
from hillwalker.finance.comparing import diebold_mariano, holm, model_confidence_set, pooled_diebold_mariano


def autoregressive(random, days, correlation, series=1):
    values = random.normal(size=(days + 100, series))
    for day in range(1, len(values)):
        values[day] += correlation * values[day - 1]
    return values[100:]


# --- averages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("freedom", [1, 2.5, 9, 30.4, 500])
@pytest.mark.parametrize("statistic", [0.0, 0.3, -2.0, 8.0])
def test_students_tail_is_scipys(statistic, freedom):
    assert two_sided(statistic, freedom) == pytest.approx(2 * stats.t.sf(abs(statistic), freedom), rel=1e-6)


def test_the_long_run_variance_is_statsmodels():
    values = autoregressive(np.random.default_rng(0), 300, 0.6)[:, 0]
    fit = sm.OLS(values, np.ones(300)).fit(cov_type="HAC", cov_kwds={"maxlags": 20})
    ours = long_run_covariance(values[:, np.newaxis], 20)[0, 0] / 300
    assert ours == pytest.approx(fit.cov_params()[0, 0], rel=1e-10)


def test_the_correction_is_harveys_for_his_own_weights():
    days, horizon = 200, 4  # weights of 1 for all lags below the horizon
    lags = np.arange(-horizon + 1, horizon)
    ours = 1 - len(lags) / days + np.abs(lags).sum() / days**2
    assert ours == pytest.approx((days + 1 - 2 * horizon + horizon * (horizon - 1) / days) / days)
    lags = np.arange(-20, 21)  # and the same sums with the weights that are used here
    weights = 1 - np.abs(lags) / 21
    assert small_sample(days, 20)[0] == pytest.approx(1 - weights.sum() / days + weights @ np.abs(lags) / days**2)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.7])
def test_where_there_is_no_difference_one_is_found_as_rarely_as_stated(correlation):
    losses = autoregressive(np.random.default_rng(0), 750, correlation, series=1000)
    assert np.mean([mean_test(column).p < 0.05 for column in losses.T]) <= 0.07


def test_overlapping_targets_of_a_month_are_no_evidence_either():
    daily = np.random.default_rng(0).normal(size=(771, 500))
    monthly = np.lib.stride_tricks.sliding_window_view(daily, 22, axis=0).mean(axis=2)
    assert np.mean([mean_test(column, horizon=22).p < 0.05 for column in monthly.T]) <= 0.07
    assert hac_lags(100, horizon=22) == 63


# --- Diebold and Mariano ----------------------------------------------------------------------------------------------


def test_diebold_mariano_by_hand_and_by_statsmodels():
    random = np.random.default_rng(0)
    actual, a = random.normal(size=400), random.normal(size=400)
    b = a + 0.3 * random.normal(size=400)
    losses = (actual - a) ** 2, (actual - b) ** 2
    found = diebold_mariano(*losses, names=("one", "other"))
    d = losses[0] - losses[1]
    centred = d - d.mean()
    variance = centred @ centred / 400
    for lag in range(1, 27):  # 1.3 sqrt(400)
        variance += 2 * (1 - lag / 27) * (centred[lag:] @ centred[:-lag]) / 400
    share = 1 - 27 / 400 + 26 * 28 / (3 * 400**2)
    assert found.lags == 26
    assert found.statistic == pytest.approx(d.mean() / math.sqrt(variance / share / 400))
    assert found.p == pytest.approx(2 * stats.t.sf(abs(found.statistic), 1.5 * 400 / 27), rel=1e-6)
    tools = sm.tsa.stattools
    if hasattr(tools, "diebold_mariano_test"):  # from statsmodels 0.15 on
        theirs = tools.diebold_mariano_test(actual, a, b, lags=26)
        assert found.statistic == pytest.approx(theirs.statistic * math.sqrt(share), rel=1e-9)


def test_a_real_difference_is_found_and_the_better_one_named():
    random = np.random.default_rng(0)
    noise = random.normal(size=750)
    a, b = noise + 0.1 * random.normal(size=750), noise + 0.05
    assert diebold_mariano(a, b, names=("network", "HAR")).better == "network"
    swapped = diebold_mariano(b, a, names=("HAR", "network"))
    assert swapped.better == "network"
    assert swapped.p == diebold_mariano(a, b).p
    assert swapped.to_dict()["names"] == ["HAR", "network"]
    assert swapped.to_frame().loc[0, ["a", "loss_a"]].tolist() == ["HAR", b.mean()]


def test_the_same_forecast_twice_is_not_better_than_itself():
    losses = np.random.default_rng(0).normal(size=100)
    same, always = diebold_mariano(losses, losses), diebold_mariano(losses, losses + 0.5)
    assert (same.p, same.statistic, same.better) == (1.0, 0.0, None)
    assert (always.p, always.better) == (pytest.approx(0, abs=1e-9), "a")


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (np.zeros(9), np.zeros(9), r"shape \(9,\)"),
        (np.zeros(20), np.zeros(21), r"\(20,\) and \(21,\)"),
        (np.zeros(20), np.append(np.zeros(19), np.nan), "1 values that are missing.*row 19"),
    ],
)
def test_losses_that_cannot_be_compared_are_refused(a, b, words):
    with pytest.raises(InputError, match=words):
        diebold_mariano(a, b)


def test_series_that_say_the_same_are_one_witness():
    random = np.random.default_rng(0)
    dates = np.datetime64("2020-01-01") + np.arange(300)
    a, b = random.normal(size=(2, 300))
    alone = diebold_mariano(a, b)
    names = [f"series {number}" for number in range(10)]
    pooled = pooled_diebold_mariano(dict.fromkeys(names, a), dict.fromkeys(names, b), dict.fromkeys(names, dates))
    assert pooled.p == pytest.approx(alone.p)
    assert (pooled.days, pooled.series) == (300, 10)
    with pytest.raises(InputError, match="the same series"):
        pooled_diebold_mariano({"one": a}, {"two": b}, {"one": dates})
    with pytest.raises(InputError, match="300 and 299 losses"):
        pooled_diebold_mariano({"one": a}, {"one": b[1:]}, {"one": dates})


def test_series_of_different_days_are_averaged_day_by_day():
    random = np.random.default_rng(0)
    days = np.datetime64("2020-01-01") + np.arange(300)
    dates = {"early": days[:200], "late": days[100:]}
    a = {name: random.normal(size=200) for name in dates}
    b = {name: random.normal(size=200) for name in dates}
    differences = [
        np.mean([(a[name] - b[name])[dates[name] == day][0] for name in dates if day in dates[name]]) for day in days
    ]
    found = pooled_diebold_mariano(a, b, dates)
    wanted = mean_test(np.array(differences))
    assert (found.difference, found.p) == (pytest.approx(wanted.mean), pytest.approx(wanted.p))


# --- many models ------------------------------------------------------------------------------------------------------


def test_the_confidence_set_keeps_the_best_and_its_twin():
    noise = np.random.default_rng(0).normal(size=(4, 500))
    noise -= noise.mean(axis=1, keepdims=True)
    losses = {
        "bad": noise[0] + 1,
        "best": noise[1] - 0.02,
        "twin": noise[1] - 0.02,
        "good": noise[2],
        "worst": noise[3] + 2,
    }
    found = model_confidence_set(losses)
    assert set(found.included) == {"best", "twin", "good"}
    assert found.p_values["best"] == found.p_values["twin"] == 1.0
    assert list(found.p_values)[-1] == "worst"
    assert found.p_values == model_confidence_set(losses, seed=0).p_values
    assert list(found.to_frame().index[:2]) == ["best", "twin"]
    assert found.to_dict()["block"] == 22
    assert model_confidence_set({"one": noise[0]}).included == ("one",)
    assert model_confidence_set({"one": noise[0], "two": noise[0]}).included == ("one", "two")
    with pytest.raises(InputError, match="one finite loss a day"):
        model_confidence_set({"one": noise[0], "two": noise[1][1:]})


def test_holm_is_statsmodels():
    p = {"a": 0.2, "b": 0.001, "c": 0.04, "d": 0.011, "e": 0.9}
    np.testing.assert_allclose(list(holm(p).values()), multipletests(list(p.values()), method="holm")[1])
    assert list(holm(p)) == list(p)
    with pytest.raises(InputError, match="p = nan for 'a'"):
        holm({"a": math.nan})


# --- calibration and coverage -----------------------------------------------------------------------------------------


def test_the_calibration_line_is_statsmodels():
    random = np.random.default_rng(0)
    forecast = autoregressive(random, 500, 0.9)[:, 0]
    actual = 0.3 + 0.8 * forecast + autoregressive(random, 500, 0.5)[:, 0]
    found = evaluate.calibration(actual, forecast)
    lags = hac_lags(500)
    fit = sm.OLS(actual, sm.add_constant(forecast)).fit(cov_type="HAC", cov_kwds={"maxlags": lags})
    share, freedom = small_sample(500, lags)
    np.testing.assert_allclose([found.intercept, found.slope], fit.params)
    np.testing.assert_allclose([found.intercept_error, found.slope_error], fit.bse / math.sqrt(share))
    assert found.r2 == pytest.approx(fit.rsquared)
    wald = float(fit.wald_test((np.eye(2), np.array([0.0, 1.0])), use_f=False, scalar=True).statistic) * share
    wanted = stats.f.sf(wald / 2 * (freedom - 1) / freedom, 2, freedom - 1)
    assert found.p == pytest.approx(wanted, rel=1e-6)


def test_calibrated_forecasts_are_called_so_as_often_as_stated():
    random = np.random.default_rng(0)
    forecasts = autoregressive(random, 750, 0.9, series=400)
    errors = autoregressive(random, 750, 0.3, series=400)
    found = [evaluate.calibration(f + e, f) for f, e in zip(forecasts.T, errors.T, strict=True)]
    assert np.mean([line.p < 0.05 for line in found]) <= 0.07
    assert evaluate.calibration(forecasts[:, 0], forecasts[:, 0]).p == 1.0
    with pytest.raises(InputError, match="a forecast that is 3"):
        evaluate.calibration(forecasts[:, 0], np.full(750, 3.0))


def test_coverage_is_wilsons_where_days_are_independent_or_better():
    actual = np.tile([0.0] * 9 + [5.0], 50)  # every tenth day, so that no cluster widens the interval
    found = evaluate.coverage(actual, np.full(500, -1.0), np.full(500, 1.0))
    low, high = proportion_confint(450, 500, method="wilson")
    assert (found.share, found.below, found.above) == (0.9, 0.0, 0.1)
    np.testing.assert_allclose([found.low, found.high], [low, high])
    clustered = evaluate.coverage(np.sort(actual), np.full(500, -1.0), np.full(500, 1.0))
    assert clustered.high - clustered.low > 2 * (high - low)
    everything = evaluate.coverage(actual, np.full(500, -9.0), np.full(500, 9.0))
    assert everything.low < everything.share == everything.high == 1.0
    with pytest.raises(InputError, match="500 intervals whose low lies above"):
        evaluate.coverage(actual, np.full(500, 1.0), np.full(500, -1.0))


def test_qlike_knows_no_horizon():
    daily = np.array([1.0, 4.0, 9.0])
    forecast = np.array([2.0, 2.0, 5.0])
    r = daily.mean() / forecast.mean()
    assert qlike(np.log([daily.mean()]), np.log([forecast.mean()]))[0] == pytest.approx(r - math.log(r) - 1)
