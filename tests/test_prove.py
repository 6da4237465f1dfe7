"""The proof of no leak holds for the chain as it is, and fails for every leak that is built in here."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hillwalker.errors import InputError
from hillwalker.finance import load_sp500, network, prove, prove_no_leak, walk_forward
from hillwalker.finance.baselines import BASELINES, Forecast
from hillwalker.finance.prices import parkinson_variance
from hillwalker.finance.prove import Proof, Stage, corrupted
from hillwalker.finance.proxies import PROXIES

FEW = {"origins": 2, "verbose": 0}
TINY = dataclasses.replace(prove.QUICK, units=(4,), seeds=1, epochs=2)


def newest(days: int = 1000):
    prices = load_sp500()
    columns = {name: getattr(prices, name)[-days:] for name in ("dates", "open", "high", "low", "close", "volume")}
    return dataclasses.replace(prices, remarks=(), **columns)


def leaks(**told):
    proof = prove_no_leak(newest(), **(FEW | {"settings": TINY, "baselines": {}} | told))
    return {stage.name for stage in proof.stages if not stage.holds}


def test_the_whole_chain_holds_on_real_prices():
    proof = prove_no_leak(load_sp500(), origins=3, verbose=0)
    assert proof.holds, str(proof)
    assert {stage.name for stage in proof.stages} >= {
        *BASELINES,
        "proxies",
        "network, refitted",
        "network, warm",
        prove.RETURNS,
    }
    assert all(stage.compared > 100 for stage in proof.stages)
    assert str(proof).endswith("No leak.")


@pytest.mark.parametrize("horizon", [1, 5])
def test_it_holds_for_other_horizons(horizon):
    assert leaks(horizon=horizon, baselines={"log-HAR": BASELINES["log-HAR"]}) == set()


def test_a_baseline_that_knows_tomorrow_is_found():
    def seer(features, training, test):
        return Forecast(np.nan_to_num(features.y[test]), 0.0)

    assert leaks(baselines={"seer": seer, "log-HAR": BASELINES["log-HAR"]}) == {"seer"}


def test_a_correction_from_all_days_is_found():
    def loose(features, training, test):
        return Forecast(np.zeros(test.stop - test.start), float(np.nanmean(features.y)))

    assert leaks(baselines={"loose": loose}) == {"loose"}


def test_a_proxy_that_looks_at_the_next_day_is_found(monkeypatch):
    def smooth(prices):
        variance = parkinson_variance(prices)
        return np.convolve(np.nan_to_num(variance, nan=1e-4), [0.25, 0.5, 0.25], mode="same") + 1e-12

    monkeypatch.setitem(PROXIES, "smooth", smooth)
    found = leaks(proxy="smooth")
    assert {"proxies", "volatility features", "network, refitted"} <= found


def test_labels_that_are_not_purged_are_found(monkeypatch):
    known = walk_forward.__globals__["_known"]
    monkeypatch.setitem(walk_forward.__globals__, "_known", lambda features, day: known(features, day) + 3)
    assert leaks(horizon=5) & {"network, refitted", "network, warm"}


def test_scaling_by_all_days_is_found(monkeypatch):
    everything = {}

    def remembered(parts, settings, seed=0, threads=None):
        fitted = fit(parts, settings, seed, threads)
        if parts[0].X.shape[1] != everything["X"].shape[1]:  # those of returns are left in peace
            return fitted
        base = dataclasses.replace(fitted.bases[0], mean=everything["X"].mean(axis=0))
        return dataclasses.replace(fitted, bases=(base,))

    made = prove.volatility_features

    def features(*given, **told):
        one = made(*given, **told)
        everything["X"] = one.X
        return one

    fit = network.fit_networks
    monkeypatch.setattr(prove, "volatility_features", features)
    monkeypatch.setitem(walk_forward.__globals__, "fit_networks", remembered)
    assert "network, refitted" in leaks()


def test_a_proof_that_sees_nothing_does_not_hold():
    blind = Proof("x", (Stage("blind", 1, 10, None, False),))
    assert not blind.holds
    assert "could not be seen" in str(blind)
    assert blind.to_dict()["holds"] is False


def test_corrupted_days_are_possible_days():
    prices = newest(300)
    wild = corrupted(prices, 250)  # Prices itself refuses impossible ones
    assert (wild.high[251:] > wild.low[251:]).all()
    assert np.array_equal(wild.dates, prices.dates)


def test_too_few_days_are_refused():
    with pytest.raises(InputError, match="days of prices"):
        prove_no_leak(newest(370), verbose=0)
