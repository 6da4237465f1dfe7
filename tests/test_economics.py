"""What forecasts of returns are worth: the day that is earned, costs, and formulas against loops and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hillwalker.errors import HillwalkerWarning, InputError
from hillwalker.finance.economics import directional, economics, out_of_sample, performance, positions


@pytest.fixture
def returns():
    return 0.01 * np.random.default_rng(0).normal(size=500)


# --- the day that is earned -------------------------------------------------------------------------------------------


def test_a_position_earns_the_next_day_and_nothing_else(returns):
    held = np.zeros(500)
    held[200] = 1.0
    net = economics(returns, held, cost=0).net
    assert len(net) == 499
    assert net[200] == returns[201]  # row 200 is the step from day 200 to day 201
    assert np.count_nonzero(net) == 1
    as_targets = economics(np.append(returns[1:], 0.0), held, cost=0, next_day=True)
    assert as_targets.net[200] == returns[201]


def test_knowing_todays_return_is_worth_nothing_and_knowing_tomorrows_everything(returns):
    today = economics(returns, positions(returns), cost=0)
    with pytest.warns(HillwalkerWarning, match="too good to be true"):
        tomorrow = economics(returns, positions(np.append(returns[1:], 0.0)), cost=0)
    with pytest.warns(HillwalkerWarning, match="own_day_returns"):  # each day's own return, said to be the next day's
        economics(returns, positions(returns), cost=0, next_day=True)
    assert today.p_flat > 0.05
    assert (tomorrow.net >= 0).all()
    assert tomorrow.p_flat < 1e-6


def test_no_days_money_depends_on_later_days(returns):
    clean = economics(returns, positions(returns)).net
    for day in (50, 200, 498):
        later = np.where(np.arange(500) > day, -3 * returns, returns)
        np.testing.assert_array_equal(economics(later, positions(later)).net[:day], clean[:day])


def test_the_last_position_earns_nothing(returns):
    held = positions(returns)
    other = np.append(held[:-1], 77.0)
    np.testing.assert_array_equal(economics(returns, held).net, economics(returns, other).net)


# --- money ------------------------------------------------------------------------------------------------------------


def test_costs_and_turnover_by_hand():
    returns = np.full(12, 0.01)
    held = np.array([1.0, 1.0, -1.0, 0.0, 0.5, *[0.5] * 7])
    found = economics(returns, held, cost=10)
    wanted = 0.01 * held[:11]
    wanted[[0, 2, 3, 4]] -= 0.001 * np.array([1, 2, 1, 0.5])
    np.testing.assert_allclose(found.net, wanted)
    assert found.strategy.turnover == pytest.approx(4.5 * 252 / 11)
    assert found.buy_and_hold.turnover == pytest.approx(252 / 11)
    assert found.buy_and_hold.yearly_return == pytest.approx((1.009 * 1.01**10) ** (252 / 11) - 1)
    assert (found.flat.yearly_return, found.flat.turnover, found.flat.drawdown) == (0, 0, 0)
    assert math.isnan(found.flat.sharpe)


def test_always_long_is_buy_and_hold(returns):
    found = economics(returns, np.ones(500))
    assert found.strategy == found.buy_and_hold
    assert found.p_hold == 1.0


def test_drawdown_and_ruin_by_hand():
    falling = np.array([0.1, -0.5, 0.2, -0.3, 1.0, *[0.0] * 10])
    assert performance(falling, np.zeros(15)).drawdown == pytest.approx(1 - 0.5 * 1.2 * 0.7)
    ruined = performance(np.array([0.1, -1.5, 3.0, *[0.0] * 10]), np.zeros(13))
    assert (ruined.drawdown, ruined.yearly_return) == (1.0, -1.0)


def test_the_sharpe_ratios_error_is_los_for_independent_returns():
    random = np.random.default_rng(0)
    ratio = 0.1
    found = [performance(0.01 * (ratio + random.normal(size=1000)), np.zeros(1000)) for _ in range(400)]
    sharpes, errors = (np.array([getattr(one, name) for one in found]) for name in ("sharpe", "sharpe_error"))
    wanted = math.sqrt(252 * (1 + ratio**2 / 2) / 1000)  # Lo 2002, independent normal returns
    assert sharpes.mean() == pytest.approx(ratio * math.sqrt(252), rel=0.1)
    assert sharpes.std() == pytest.approx(wanted, rel=0.1)
    assert errors.mean() == pytest.approx(wanted, rel=0.1)


def test_a_record_of_money_is_a_table(returns):
    found = economics(returns, positions(returns))
    assert list(found.to_frame().index) == ["strategy", "buy_and_hold", "flat"]
    told = found.to_dict()
    assert told["flat"]["sharpe"] is None
    assert told["net"] == found.net.tolist()


def test_positions_by_size_are_limited():
    forecast = np.array([0.03, -0.03, 0.005, 0.0])
    np.testing.assert_array_equal(positions(forecast, limit=2.0), [2, -2, 2, 0])
    np.testing.assert_allclose(positions(forecast, scale=0.01, limit=2.0), [2, -2, 0.5, 0])
    with pytest.raises(InputError, match="scale=0"):
        positions(forecast, scale=0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: (100 * r, np.ones(500)), "lowest return -"),
        (lambda r: (r, np.ones(499)), r"positions of shape \(499,\)"),
        (lambda r: (r, np.append(np.ones(499), np.nan)), "positions with 1 numbers missing.*row 499"),
        (lambda r: (r[:10], np.ones(10)), "more than 10 days"),
    ],
)
def test_returns_that_cannot_be_earned_are_refused(returns, change, words):
    with pytest.raises(InputError, match=words):
        economics(*change(returns))
    with pytest.raises(InputError, match="cost=-1"):
        economics(returns, np.ones(500), cost=-1)


# --- directions and R² ------------------------------------------------------------------------------------------------


def test_directions_by_hand():
    actual = np.array([1.0, 1, 1, -1, -1, -1, 1, -1, 1, 1, -1, -1])
    said = np.array([1.0, 1, 1, -1, -1, 1, -1, -1, 1, 1, -1, -1])
    found = directional(actual, said)
    n, a, f = 12, 0.5, 0.5
    variance = 0.5 * 0.5 / n - 4 * a * f * (1 - a) * (1 - f) / n**2
    assert (found.hit_rate, found.by_luck, found.always_up) == (10 / 12, 0.5, 0.5)
    assert found.statistic == pytest.approx((10 / 12 - 0.5) / math.sqrt(variance))
    assert found.p == pytest.approx(math.erfc(found.statistic / math.sqrt(2)) / 2)


def test_luck_in_directions_is_found_as_rarely_as_stated_in_a_rising_market():
    random = np.random.default_rng(0)
    p = [directional(0.1 + random.normal(size=500), 0.2 + random.normal(size=500)).p for _ in range(1000)]
    assert 0.03 <= np.mean(np.array(p) < 0.05) <= 0.07


def test_always_up_has_no_skill():
    found = directional(0.5 + np.random.default_rng(0).normal(size=500), np.ones(500))
    assert found.hit_rate == found.always_up > 0.6
    assert math.isnan(found.p)
    assert found.to_dict()["p"] is None


@pytest.mark.parametrize("horizon", [1, 5])
def test_the_mean_of_the_past_by_a_loop(returns, horizon):
    past, forecast = returns[:100], np.full(400, 0.001)
    actual = returns[100:]
    means = np.array([np.concatenate([past, actual[: max(0, row - horizon + 1)]]).mean() for row in range(400)])
    wanted = 1 - ((actual - forecast) ** 2).sum() / ((actual - means) ** 2).sum()
    assert out_of_sample(actual, forecast, past, horizon).r2 == pytest.approx(wanted, rel=1e-10)


def test_a_signal_has_an_r2_and_noise_has_not(returns):
    random = np.random.default_rng(1)
    signal = 0.003 * random.normal(size=500)
    found = out_of_sample(returns + signal, signal, past=np.zeros(100))
    assert found.r2 > 0.03
    assert found.p < 0.01
    noise = out_of_sample(returns, signal, past=np.zeros(100))
    assert noise.r2 < 0
    assert noise.p > 0.05
    with pytest.raises(InputError, match="past of shape"):
        out_of_sample(returns, signal, past=np.array([]))
