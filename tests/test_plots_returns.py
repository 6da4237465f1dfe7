"""The picture of a study of returns shows what the record holds."""

from __future__ import annotations

import numpy as np
import pytest

import hillwalker as hw
from hillwalker.errors import InputError
from hillwalker.finance import Settings, load_sp500, returns
from hillwalker.plots.returns import plot_returns

FEW = {
    "models": ["zero"],
    "settings": Settings(units=(4,), seeds=2, epochs=3, line="none"),
    "first": 4000,
    "verbose": 0,
}


def test_the_lead_and_what_it_earned_are_the_records():
    study = returns(load_sp500(), **FEW)
    left, right = study.plot().axes
    losses = study.losses["S&P 500"]
    known = np.isfinite(losses["network"])
    line = left.get_lines()[1].get_ydata()
    assert line[-1] == pytest.approx((losses["network"] - losses["constant"])[known].sum())
    held, ours = (one.get_ydata() for one in right.get_lines()[1:])
    assert ours[-1] == pytest.approx(np.prod(1 + study.economics["S&P 500"].net))
    prices = load_sp500()
    begin = int(np.searchsorted(prices.dates, study["S&P 500"].dates[0]))
    assert held[-1] == pytest.approx(prices.close[-1] / prices.close[begin])


def test_a_quantile_shows_the_days_below_it():
    study = returns(load_sp500(), hw.losses.Pinball(0.05), **(FEW | {"models": ["volatility"]}))
    right = plot_returns(study).axes[1]
    below = right.collections[1].get_offsets()
    one = study["S&P 500"]
    assert len(below) == int((one.actual < one.forecasts["network"])[one.scored].sum())


def test_longer_horizons_have_no_line_of_buying_and_holding():
    study = returns(load_sp500(), horizon=5, **FEW)
    assert len(study.plot().axes[1].get_lines()) == 2
    with pytest.raises(InputError):
        plot_returns(study, ["nothing"])
    with pytest.raises(InputError, match="no series"):
        plot_returns(study, [])
