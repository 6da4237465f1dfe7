"""Baselines: against independent formulas, with awkward data, and the proof that none of them sees the future."""

from __future__ import annotations

import dataclasses
import importlib.util
from types import SimpleNamespace

import numpy as np
import pytest
import statsmodels.api as sm

from hillwalker.errors import HillwalkerWarning, InputError, MissingDependencyError
from hillwalker.finance import garch as garch_models
from hillwalker.finance import load_sp500, log_to_mean, volatility_features
from hillwalker.finance.baselines import (
    BASELINES,
    HAR_INPUTS,
    boosting,
    ewma,
    garch,
    gjr,
    log_har,
    log_har_x,
    persistence,
    rolling_mean,
)

TRAINING, TEST = slice(0, 596), slice(600, 640)  # with a horizon of 5 days, the labels of row 595 are known at row 600


@pytest.fixture(scope="module")
def features():
    whole = volatility_features(load_sp500())
    rows = slice(0, 700)
    return dataclasses.replace(
        whole, dates=whole.dates[rows], target_dates=whole.target_dates[rows], X=whole.X[rows], y=whole.y[rows]
    )


@pytest.mark.parametrize("horizon", [1, 5])
@pytest.mark.parametrize("name", BASELINES)
def test_no_forecast_sees_anything_after_its_day(features, name, horizon):
    features = dataclasses.replace(features, horizon=horizon)
    clean = BASELINES[name](features, TRAINING, TEST)
    random = np.random.default_rng(1)
    for row in (600, 601, 617, 638):
        X, y = features.X.copy(), features.y.copy()
        y[TRAINING.stop :] = random.normal(0, 50, size=len(y) - TRAINING.stop)  # not a label that was known
        X[row + 1 :] = random.normal(0, 50, size=X[row + 1 :].shape)
        dirty = BASELINES[name](dataclasses.replace(features, X=X, y=y), TRAINING, TEST)
        known = row + 1 - TEST.start
        np.testing.assert_array_equal(clean.values[:known], dirty.values[:known])  # bit for bit
        assert clean.correction == dirty.correction
        assert not np.array_equal(clean.values, dirty.values)  # the corruption is there to be seen
        shorter = dataclasses.replace(features, X=X[: row + 1], y=y[: row + 1])  # nor does it count the days to come
        short = BASELINES[name](shorter, TRAINING, slice(TEST.start, row + 1))
        np.testing.assert_allclose(short.values, clean.values[:known], rtol=1e-12)


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_learns_from_its_training_rows(features, name):
    other = dataclasses.replace(features, y=features.y + np.where(np.arange(700) < 300, 1.0, 0.0))
    before, after = (BASELINES[name](which, TRAINING, TEST) for which in (features, other))
    assert before.values.shape == (40,)
    assert (before.correction, before.values.mean()) != (after.correction, after.values.mean())


def test_a_forecast_is_a_record(features):
    forecast = persistence(features, TRAINING, TEST)
    np.testing.assert_allclose(forecast.variance, np.exp(forecast.values) * np.exp(forecast.correction))
    assert forecast.to_dict()["values"] == forecast.values.tolist()
    assert list(forecast.to_frame()["variance"]) == forecast.variance.tolist()


def test_the_correction_is_that_of_the_training_rows(features):
    for baseline in (persistence, rolling_mean, ewma, garch, gjr, log_har, log_har_x):
        forecast = baseline(features, TRAINING, TEST)
        of_training = baseline(features, TRAINING, TRAINING).values
        assert forecast.correction == log_to_mean(features.y[TRAINING], of_training)
        if baseline is not persistence:  # a forecast of the mean log is right on average
            assert (features.y[TRAINING] - of_training).mean() == pytest.approx(0, abs=1e-9)


def test_rolling_mean_and_ewma_against_loops(features):
    variance = np.exp(features.column(HAR_INPUTS[0]))
    rolling = np.log([variance[max(0, row - 21) : row + 1].mean() for row in range(700)])
    weights = [0.06 * 0.94 ** np.arange(row + 1)[::-1] for row in range(700)]
    fading = np.log([weight @ variance[: len(weight)] + 0.94 ** len(weight) * variance[0] for weight in weights])
    for baseline, wanted in ((rolling_mean, rolling), (ewma, fading)):
        wanted = wanted + (features.y - wanted)[TRAINING].mean()
        np.testing.assert_allclose(baseline(features, TRAINING, TEST).values, wanted[TEST], rtol=1e-10)


def test_lines_against_statsmodels(features):
    har = [features.names.index(name) for name in HAR_INPUTS]
    for baseline, columns in ((log_har, har), (log_har_x, list(range(len(features.names))))):
        X = sm.add_constant(features.X[:, columns])
        wanted = sm.OLS(features.y[TRAINING], X[TRAINING]).fit().predict(X[TEST])
        np.testing.assert_allclose(baseline(features, TRAINING, TEST).values, wanted, rtol=1e-9)


# --- HAR-X in windows where least squares alone would fall ------------------------------------------------------------


def test_constant_and_repeated_inputs_change_nothing(features):
    wanted = log_har_x(features, TRAINING, TEST)
    frozen = np.where(np.arange(700) < TEST.start, 7.0, 1e6)  # constant as long as one learns, then wild
    X = np.column_stack([features.X, frozen, features.X[:, 0], 2 * features.X[:, 1] - 3, np.zeros(700)])
    found = log_har_x(dataclasses.replace(features, X=X), TRAINING, TEST)
    np.testing.assert_allclose(found.values, wanted.values, rtol=1e-8)


def test_fewer_rows_than_inputs_are_told_and_do_not_run_away(features):
    few = slice(588, 596)
    with pytest.warns(HillwalkerWarning, match=r"8 training rows for the \d\d inputs"):
        forecast = log_har_x(features, few, TEST).values
    y = features.y[few]
    half = np.ptp(y) / 2
    assert ((forecast >= y.min() - half) & (forecast <= y.max() + half)).all()
    with pytest.raises(InputError, match=r"4 training rows for \d\d inputs"), pytest.warns(HillwalkerWarning):
        log_har_x(features, slice(0, 4), TEST)


def test_a_short_window_keeps_har_x_in_reach(features):
    short = slice(596 - len(features.names) - 3, 596)  # where least squares is at its worst
    forecast = log_har_x(features, short, TEST).values
    assert np.isfinite(forecast).all()
    assert np.abs(forecast - features.y[short].mean()).max() <= 1.5 * np.ptp(features.y[short])


# --- GARCH ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asymmetric", [False, True])
def test_the_filter_is_that_of_arch(features, asymmetric):
    from arch import arch_model

    returns = features.column("return")
    found = garch_models.fit(returns[TRAINING], asymmetric)
    names = ("mean", "omega", "alpha", *(("gamma",) if asymmetric else ()), "beta")
    model = arch_model(returns, vol="GARCH", p=1, o=int(asymmetric), q=1, rescale=False)
    fixed = model.fix([getattr(found, name) for name in names])
    coming = garch_models.next_variances(found, returns)
    # arch assumes another variance for the first day, and beta^400 has forgotten it.
    np.testing.assert_allclose(coming[400:-1], fixed.conditional_volatility[401:] ** 2, rtol=1e-9)
    ahead = fixed.forecast(horizon=5).variance.to_numpy()[-1]
    assert garch_models.mean_ahead(found, coming, 5)[-1] == pytest.approx(ahead.mean(), rel=1e-9)


def test_the_fit_is_that_of_arch_in_any_unit(features):
    from arch import arch_model

    returns = features.column("return")[TRAINING]
    wanted = arch_model(returns, vol="GARCH", p=1, o=1, q=1, dist="t", rescale=False).fit(disp="off").params
    found = garch_models.fit(returns, asymmetric=True)
    for name, other in (("alpha", "alpha[1]"), ("gamma", "gamma[1]"), ("beta", "beta[1]"), ("omega", "omega")):
        assert getattr(found, name) == pytest.approx(wanted[other], abs=2e-3)
    scaled = garch_models.fit(returns / 100, asymmetric=True)  # fractions, not percents
    assert scaled.beta == pytest.approx(found.beta, abs=1e-4)
    assert scaled.omega == pytest.approx(found.omega / 1e4, rel=1e-2)


def test_a_garch_filter_by_hand():
    model = garch_models.Garch(mean=0.5, omega=0.1, alpha=0.05, gamma=0.1, beta=0.8, start=2.0)
    first = 0.1 + 0.05 * 1.0**2 + 0.8 * 2.0  # a gain of 1 beside the mean
    second = 0.1 + 0.15 * 2.0**2 + 0.8 * first  # a loss of 2
    np.testing.assert_allclose(garch_models.next_variances(model, np.array([1.5, -1.5])), [first, second])
    third = 0.1 + (0.05 + 0.05 + 0.8) * second
    assert garch_models.mean_ahead(model, np.array([second]), 2)[0] == pytest.approx((second + third) / 2)


def test_what_garch_cannot_be_fitted_to_is_refused():
    with pytest.raises(InputError, match="99 returns for GARCH"):
        garch_models.fit(np.random.default_rng(0).normal(size=99))
    with pytest.raises(InputError, match="standard deviation 0"):
        garch_models.fit(np.zeros(300))


def test_a_fit_that_did_not_converge_is_told(features, monkeypatch):
    import arch

    parameters = {"mu": 0.0, "omega": 0.1, "alpha[1]": 0.1, "beta[1]": 0.8, "nu": 8.0}
    stopped = SimpleNamespace(convergence_flag=4, params=parameters)
    model = SimpleNamespace(fit=lambda **_: stopped)
    monkeypatch.setattr(arch, "arch_model", lambda *_, **__: model)
    with pytest.warns(HillwalkerWarning, match="did not converge"):
        assert np.isfinite(garch(features, TRAINING, TEST).values).all()


# --- boosting ---------------------------------------------------------------------------------------------------------


def test_boosting_chooses_its_trees_on_the_last_rows_and_purges_before_them(features, monkeypatch):
    import sklearn.ensemble

    seen = []
    original = sklearn.ensemble.HistGradientBoostingRegressor

    class Watched(original):
        def fit(self, X, y):
            seen.append((len(X), self.early_stopping, self.max_iter))
            return super().fit(X, y)

    monkeypatch.setattr(sklearn.ensemble, "HistGradientBoostingRegressor", Watched)
    boosting(dataclasses.replace(features, horizon=5), slice(0, 500), TEST)
    assert [(rows, early) for rows, early, _ in seen] == [(396, False), (500, False)]  # 400 less the 4 not yet known
    assert 1 <= seen[1][2] <= seen[0][2]
    with pytest.raises(InputError, match="99 training rows"):
        boosting(features, slice(0, 99), TEST)


@pytest.mark.parametrize(("name", "package"), [("GARCH(1,1)", "finance"), ("boosting", "sklearn")])
def test_a_missing_package_is_named_with_the_line_that_installs_it(features, monkeypatch, name, package):
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)
    with pytest.raises(MissingDependencyError, match=rf"pip install 'hillwalker\[{package}\]'"):
        BASELINES[name](features, TRAINING, TEST)
