"""`hw.find_learning_rate`: a race that finds what training finds, says when nothing helps, and touches no model."""

from __future__ import annotations

import json
import os
import signal
import threading

import numpy as np
import pytest

import hillwalker as hw
from hillwalker import config
from hillwalker.choosing import race, splits, statistics
from hillwalker.errors import InputError, InputTypeError, StateError
from hillwalker.layers import Dense, Input

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(150, 3)).astype(np.float32)
Y = (X[:, 0] - np.abs(X[:, 1]) + 0.1 * RANDOM.normal(size=150)).astype(np.float32)
Y = (Y - Y.mean()) / Y.std()
NOISE = RANDOM.normal(size=(150, 3)).astype(np.float32)
OPTIMIZERS = {
    "sgd": lambda rate: hw.optimizers.SGD(rate),
    "momentum": lambda rate: hw.optimizers.SGD(rate, momentum=0.9),
    "adam": lambda rate: hw.optimizers.Adam(rate),
    "rmsprop": lambda rate: hw.optimizers.RMSprop(rate),
}
FEW = (0.001, 0.01, 0.1)


def made(optimizer="adam", loss="mse", outputs=1, activation="linear", **dense):
    model = hw.Sequential([Input((3,)), Dense(8, activation="tanh", **dense), Dense(outputs, activation=activation)])
    model.compile(optimizer, loss)
    return model


def find(model=None, x=X, y=Y, epochs=12, batch_size=16, **told):
    return hw.find_learning_rate(model or made(), x, y, epochs, batch_size, **({"sweep": False, "verbose": 0} | told))


def without_times(found):
    return {name: value for name, value in found.to_dict().items() if name != "seconds"}


# What it finds


@pytest.mark.filterwarnings("ignore::hillwalker.errors.HillwalkerWarning")  # high rates fail, as they should
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_its_rate_is_nearly_the_best_on_other_rows_from_other_seeds(name):
    make = OPTIMIZERS[name]
    found = find(made(make(0.5)), X[:100], Y[:100])
    losses = []
    for rate in found.rates:
        several = hw.copies(made(make(rate)), range(100, 110))
        histories = hw.fit_many(several, X[:100], Y[:100], batch_size=16, epochs=12, verbose=0)
        ended = [
            model.evaluate(X[100:], Y[100:], verbose=0) if history.stop_reason is None else np.inf
            for model, history in zip(several, histories, strict=True)
        ]
        losses.append(np.mean(ended))
    chosen = losses[list(found.rates).index(found.learning_rate)]
    gain = np.mean((Y[100:] - Y[:100].mean()) ** 2) - min(losses)
    assert gain > 0.5
    assert (chosen - min(losses)) / gain < 0.1
    assert found.interval[0] <= found.learning_rate <= found.interval[1]
    assert 0 <= found.regret_bound < 1


@pytest.mark.parametrize("seed", [0, 7])
def test_nothing_helps_on_noise(seed):
    found = find(x=NOISE, seed=seed)
    assert (found.learning_rate, found.interval, found.regret_bound) == (None, None, None)
    assert found.reason.startswith("No rate helps: the best, ")
    labels = (NOISE[:, 2] > 0).astype(np.float32)
    found = find(made(loss="binary_crossentropy", activation="sigmoid"), y=labels, seed=seed)
    assert found.learning_rate is None
    assert found.constant_loss == pytest.approx(np.log(2), rel=0.02)


def test_labels_and_classes():
    two = (X[:, 0] > 0).astype(np.float32)
    assert find(made(loss="binary_crossentropy", activation="sigmoid"), y=two).learning_rate is not None
    logits = made(loss=hw.losses.BinaryCrossentropy(from_logits=True))
    found = find(logits, y=two)
    assert found.learning_rate is not None
    assert found.constant_loss == pytest.approx(np.log(2), rel=0.02)
    three = np.digitize(X[:, 0], [-0.5, 0.5])
    found = find(made(loss="sparse_categorical_crossentropy", outputs=3, activation="softmax"), y=three)
    assert found.learning_rate is not None
    parts = splits.folds(150, 5, 0, three)
    shares = [np.bincount(three[held], minlength=3) for _, held in parts]
    assert np.ptp(shares, axis=0).max() <= 1  # each part holds every class alike


def test_what_diverges_is_not_chosen():
    found = find(made("sgd"), rates=[0.01, 0.1, 1e3, 1e5])
    assert found.learning_rate in (0.01, 0.1)
    assert (found.failed[2:] == 5).all()
    assert np.isinf(found.scores[2:, :5]).all()
    assert found.interval[1] <= 0.1


def test_where_everything_diverges_nothing_helps():
    found = find(made("sgd"), rates=[1e4, 1e5, 1e6])
    assert found.learning_rate is None
    assert "no training ended with a finite loss" in found.reason
    assert "-" in str(found)
    found.plot()


def test_a_rate_that_fails_now_and_then_may_win_and_says_so():
    scores = np.full((3, 10), 0.1) + np.linspace(0, 0.001, 10)
    scores[0] += 1.0
    scores[2] += 1.0
    scores[1, 9] = np.inf
    found = judged(scores, constant=[2.0] * 5, failed=[0, 1, 0])
    assert found.learning_rate == 0.01
    assert "1 of its 10 runs ended without a finite loss." in found.reason


# Its runs


def test_a_run_is_the_fit_of_a_copy_on_the_other_rows():
    found = find(rates=FEW, seeds=5, seed=3)
    for unit in (0, 4, 6):
        training, held_out = splits.folds(150, 5, [3, unit // 5])[unit % 5]  # cut anew for every five seeds
        place = int(np.argmax(~np.isnan(found.scores[:, unit])))
        (copy,) = hw.copies(made(hw.optimizers.Adam(FEW[place])), [3 + unit])
        data = X[held_out], Y[held_out]
        history = copy.fit(X[training], Y[training], 16, epochs=12, validation_data=data, verbose=0)
        assert found.scores[place, unit] == pytest.approx(history.history["val_loss"][-1], rel=1e-6)


def test_the_better_half_runs_on_and_of_it_the_better():
    found = find(seeds=2)
    units = (~np.isnan(found.scores)).sum(axis=1)
    assert sorted(units) == [2] * 6 + [4] * 3 + [8] * 4
    assert found.runs == 13 * 2 + 7 * 2 + 4 * 4 == units.sum()
    assert units[list(found.rates).index(found.learning_rate)] == 8
    first = race.smooth(race.capped(found.scores[:, :2], found.constant_loss))
    assert set(np.argsort(first, kind="stable")[:7]) == set(np.flatnonzero(units > 2))


def test_threads_and_time_change_no_number():
    one, two = find(threads=1), find(threads=2)
    assert without_times(one) == without_times(two) == without_times(find())


def test_seeds_are_others_for_another_seed():
    assert without_times(find(rates=FEW, seed=1)) != without_times(find(rates=FEW))
    assert find(rates=FEW, seed=1).scores[0, 0] != find(rates=FEW).scores[0, 1]


def bits(model):
    slots = {name: slot.tobytes() for name, slot in model.state.slots.items()}
    optimizer = model.optimizer
    return model.state.parameters.tobytes(), slots, int(optimizer.iterations), float(optimizer.learning_rate)


def test_the_model_is_left_as_it_was_and_goes_on_as_if_nothing_had_been():
    models = [made() for _ in range(2)]
    models[1].set_weights(models[0].get_weights())
    for model in models:
        model.state.seed = 5
        model.fit(X, Y, epochs=2, verbose=0)
    model, twin = models
    before, history = bits(model), dict(model.history.history)
    config.set_random_seed(3)
    find(model, sweep=True)
    drawn = config.next_seed()
    config.set_random_seed(3)
    assert drawn == config.next_seed()
    assert bits(model) == before
    assert model.history.history == history
    last = [each.fit(X, Y, epochs=2, verbose=0).history["loss"] for each in (model, twin)]
    assert last[0] == last[1]
    assert bits(model) == bits(twin)


def test_an_unbuilt_model_stays_unbuilt():
    model = hw.Sequential([Dense(8, activation="tanh"), Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    assert find(model, y=np.digitize(X[:, 0], [-0.5, 0.5])).learning_rate is not None
    assert not model.built


def test_rows_in_time_are_never_validated_on_before_they_are_passed():
    parts = splits.last_in_time(150, 5, 0.4)
    assert [(len(past), held.tolist()) for past, held in parts[:1]] == [(90, list(range(90, 102)))]
    assert all(past.max() < held.min() for past, held in parts)
    assert np.concatenate([held for _, held in parts]).tolist() == list(range(90, 150))
    found, changed = find(time_ordered=True, rates=FEW), None
    later = Y.copy()
    later[102:] = 50.0  # after the first stretch
    changed = find(y=later, time_ordered=True, rates=FEW)
    assert (found.scores[:, 0] == changed.scores[:, 0]).all()
    assert (found.scores[:, 1] != changed.scores[:, 1]).all()
    assert found.constant_losses[0] == pytest.approx(np.mean((Y[90:102] - Y[:90].mean()) ** 2), rel=1e-5)
    assert found.overlap == pytest.approx(np.mean([12 / 90, 12 / 102, 12 / 114, 12 / 126, 12 / 138]))


def test_validation_data_of_ones_own():
    apart = X[100:], Y[100:]
    found = find(x=X[:100], y=Y[:100], validation_data=apart, rates=FEW)
    (copy,) = hw.copies(made(hw.optimizers.Adam(0.01)), [2])
    history = copy.fit(X[:100], Y[:100], 16, epochs=12, validation_data=apart, verbose=0)
    assert found.scores[1, 2] == history.history["val_loss"][-1]
    np.testing.assert_allclose(found.constant_losses, [np.mean((Y[100:] - Y[:100].mean()) ** 2)], rtol=1e-5)
    assert found.overlap == 0
    weighted = find(x=X[:100], y=Y[:100], validation_data=(*apart, np.full(50, 2.0)), rates=FEW)
    np.testing.assert_allclose(weighted.scores, 2 * found.scores, rtol=1e-6)
    np.testing.assert_allclose(weighted.constant_losses, 2 * found.constant_losses, rtol=1e-6)


def test_weights_count_in_losses_and_in_the_constant():
    weights = np.where(np.arange(150) % 2, 2.0, 0.0)
    found = find(rates=FEW, sample_weight=weights)
    training, held_out = splits.folds(150, 5, 0)[0]
    constant = np.average(Y[training], weights=weights[training])
    by_hand = np.mean(weights[held_out] * (Y[held_out] - constant) ** 2)
    assert found.constant_losses[0] == pytest.approx(by_hand, rel=1e-5)


def test_early_stopping_counts_where_the_best_weights_are():
    found = find(rates=FEW, early_stopping=3, epochs=40)
    training, held_out = splits.folds(150, 5, 0)[1]
    (copy,) = hw.copies(made(hw.optimizers.Adam(0.1)), [1])
    stopping = hw.callbacks.EarlyStopping(patience=3, restore_best_weights=True)
    told = {"epochs": 40, "validation_data": (X[held_out], Y[held_out]), "callbacks": [stopping], "verbose": 0}
    history = copy.fit(X[training], Y[training], 16, **told)
    assert found.scores[2, 1] == pytest.approx(min(history.history["val_loss"]), rel=1e-6)


def test_penalties_are_no_part_of_a_score():
    found = find(made(kernel_regularizer=hw.regularizers.L2(0.1)), rates=FEW)
    training, held_out = splits.folds(150, 5, 0)[0]
    (copy,) = hw.copies(made(hw.optimizers.Adam(0.01), kernel_regularizer=hw.regularizers.L2(0.1)), [0])
    copy.fit(X[training], Y[training], 16, epochs=12, verbose=0)
    plain = np.mean((copy.predict(X[held_out], verbose=0)[:, 0] - Y[held_out]) ** 2)
    assert found.scores[1, 0] == pytest.approx(plain, rel=1e-5)


def test_the_grid_given_is_the_grid():
    found = find(rates=FEW)
    assert found.rates.tolist() == list(FEW)
    assert found.scores.shape == (3, 20)
    assert find().rates[[4, 6]].tolist() == pytest.approx([0.001, 0.01])


def test_ctrl_c_ends_it():
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        find(epochs=300_000)  # the test ends when it is interrupted, on a fast machine too
    timer.join()


# What decides


def judged(scores, constant, failed=None, overlap=0.25, racing=None):
    scores = np.asarray(scores, float)
    rates = 10.0 ** np.arange(-3, len(scores) - 3)
    told = np.zeros(len(scores), np.int64) if failed is None else np.array(failed)
    racing = np.arange(len(scores)) if racing is None else np.array(racing)
    return race.judged(rates, scores, told, np.asarray(constant, float), overlap, racing, None, 0.0)


def test_smoothing_by_hand():
    means = np.array([[4.0], [1.0], [2.0], [8.0]])
    expected = [0.8 * 4 + 0.2 * 1, 0.6 * 1 + 0.2 * (4 + 2), 0.6 * 2 + 0.2 * (1 + 8), 0.8 * 8 + 0.2 * 2]
    np.testing.assert_allclose(race.smooth(means), expected)
    np.testing.assert_allclose(race.smooth(means, 0.0), means[:, 0])


def test_a_rate_beside_divergence_does_not_win_by_luck():
    scores = np.array([[0.50] * 5, [0.32] * 5, [0.31] * 5, [np.inf] * 5])
    assert judged(scores, [1.0] * 5).learning_rate == 0.01
    assert judged(scores[:3], [1.0] * 5).learning_rate == pytest.approx(0.1)


def test_capping_by_hand():
    nan, inf = np.nan, np.inf
    scores = np.array([[1.0, 2.0], [0.5, 9.0], [inf, nan]])
    # the best mean is 1.5 and the constant 2: none counts for more than 2 + (2 - 1.5)
    np.testing.assert_allclose(race.capped(scores, 2.0), [[1.0, 2.0], [0.5, 2.5], [2.5, nan]])
    # nothing is better than the constant: what is not finite is as bad as the worst that is
    np.testing.assert_allclose(race.capped(scores, 1.0), [[1.0, 2.0], [0.5, 9.0], [9.0, nan]])
    assert race.capped(np.array([[inf], [inf]]), 1.0).tolist() == [[1.0], [1.0]]


def test_where_every_rate_is_worse_than_a_constant_the_best_of_them_is_named():
    found = find(y=1e-3 * Y, rates=[0.001, 0.01, 0.1], epochs=4)
    assert found.learning_rate is None
    assert "the best, 0.1, has" in found.reason
    assert f"{np.nanmean(found.scores[2]):.4g}" in found.reason


def test_a_rate_is_not_better_for_having_left_before_the_hard_split():
    scores = np.array([[1.0, 5.0], [1.1, 5.1], [1.05, np.nan]])
    np.testing.assert_allclose(race.paired_means(scores), [3.0, 3.1, 3.05])


def test_intervals_over_splits_by_hand():
    values = np.array([1.0, 2.0, 3.0, 2.0, np.nan, 5.0])  # splits 0, 1, 2, 0, 1, 2: means 1.5, 2, 4
    mean, low, high = race.over_splits(values, 3, 0.5)
    half = statistics.student_quantile(0.975, 2) * np.sqrt((1 / 3 + 0.5) * np.var([1.5, 2.0, 4.0], ddof=1))
    assert (mean, low, high) == pytest.approx((2.5, 2.5 - half, 2.5 + half))
    assert race.over_splits(values, 1, 0.0)[0] == pytest.approx(2.6)  # one split: the units themselves


def test_interval_and_bound_by_hand():
    noise = np.array([-0.02, -0.01, 0.0, 0.01, 0.02])
    scores = np.array([0.8 + noise, 0.305 - noise, 0.3 + noise, 0.31 + 5 * noise, 0.7 + noise])
    found = judged(scores, [1.0] * 5, racing=[1, 2, 3])
    assert found.learning_rate == 1.0 / 10
    assert found.interval == pytest.approx((0.01, 1.0))  # the ends are surely worse
    gain, t = 0.7, statistics.student_quantile(0.975, 4)
    spread = np.sqrt((1 / 5 + 0.25) * np.var(noise, ddof=1))
    lows = [0.005 - t * 2 * spread, 0.01 - t * 4 * spread]  # differences of -2 and of 4 times the noise
    assert found.regret_bound == pytest.approx(-min(lows) / gain, rel=1e-3)
    assert "From 0.01 to 1 none is worse by more than noise" in found.reason


def test_the_bound_is_of_rates_that_raced_or_are_neighbours():
    noise = np.array([-0.02, -0.01, 0.0, 0.01, 0.02])
    scores = np.array([0.8 + 30 * noise, 0.305 - noise, 0.3 + noise, 0.31 + 5 * noise, 0.7 + noise])
    apart = judged(scores, [1.0] * 5, racing=[1, 2, 3])
    near = judged(scores, [1.0] * 5, racing=[0, 1, 2, 3])
    assert apart.regret_bound == judged(scores[1:], [1.0] * 5, racing=[0, 1, 2]).regret_bound < near.regret_bound


def test_a_gain_in_every_part_is_one_however_unequal():
    gains = np.array([0.03, 0.02, 0.04, 0.05, 0.9])
    scores = np.tile(1 - gains, (3, 1)) + np.array([[0.3], [0.0], [0.3]])
    assert race.over_splits(scores[1] - 1.0, 5, 0.25, race.ONE_SIDED)[2] > 0  # the interval alone holds zero
    assert judged(scores, [1.0] * 5).learning_rate == 0.01
    scores[:, 0] += 0.04
    assert judged(scores, [1.0] * 5).learning_rate is None


def test_where_a_run_failed_no_rate_is_as_good():
    noise = np.array([-0.02, -0.01, 0.0, 0.01, 0.02])
    scores = [0.9 + noise, 0.3 + noise, 0.29 + noise, np.array([0.1, 0.1, 0.1, 0.1, np.inf])]
    found = judged(scores, [1.0] * 5, failed=[0, 0, 0, 1], racing=[0, 1, 2])
    assert found.interval == pytest.approx((0.01, 0.1))


def test_a_surely_worse_rate_is_as_good_if_it_hardly_matters():
    noise = np.array([-0.02, -0.01, 0.0, 0.01, 0.02])
    base = 0.3 + noise
    found = judged([base + 0.1, base + 0.013, base, base + 0.015], [1.0] * 5)  # 2 % of the gain is 0.014
    assert found.interval == pytest.approx((0.01, 0.1))
    assert found.regret_bound == 0.0


# Records, pictures, bad input


def test_records_are_plain():
    found = find(rates=FEW, sweep=True)
    told = found.to_dict()
    assert json.loads(json.dumps(told))["rates"] == list(FEW)
    assert set(told["sweep"]["suggestions"]) <= {"steepest", "valley", "minimum/10", "slide", "lightning"}
    frame = found.to_frame()
    assert len(frame) == found.runs
    assert sorted(set(frame["rate"])) == list(FEW)
    assert find(rates=FEW).to_dict()["sweep"] is None
    lines = str(found).splitlines()
    assert "<- chosen" in "\n".join(lines)
    assert lines[-1] == found.reason
    assert len(lines) == 1 + 3 + 1


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"rates": [0.1, 0.01, 0.001]}, "three rising numbers above 0 or more"),
        ({"rates": [0.1, 0.2]}, "three rising numbers above 0 or more"),
        ({"rates": [0.0, 0.1, 0.2]}, "three rising numbers above 0 or more"),
        ({"rates": "fast"}, "three rising numbers above 0 or more"),
        ({"rates": [0.1, 0.2, np.nan]}, "three rising numbers above 0 or more"),
        ({"seeds": 1}, "one run tells nothing of noise"),
        ({"seeds": 2.5}, "seeds"),
        ({"seed": -1}, "seed"),
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"early_stopping": True}, "early_stopping"),
        ({"early_stopping": 0}, "early_stopping"),
        ({"validation_data": X}, r"\(X, y\) or \(X, y, sample_weight\)"),
        ({"validation_data": (X[:, :2], Y)}, r"validation X of shape \(150, 2\)"),
        ({"validation_data": (X, Y), "time_ordered": True}, "one of them"),
        ({"x": X[:9], "y": Y[:9]}, "10 or more, of which parts are held out"),
        ({"x": X[:24], "y": Y[:24], "time_ordered": True}, "24 rows, in time"),
        ({"y": Y[:10]}, "rows"),
        ({"sample_weight": np.ones(3)}, "sample_weight"),
    ],
)
def test_bad_input_is_refused_before_anything_is_trained(told, words, monkeypatch):
    monkeypatch.setattr(race, "in_portions", lambda *_: pytest.fail("something was trained"))
    with pytest.raises(InputError, match=words):
        find(**told)


def test_models_that_cannot_race():
    with pytest.raises(StateError, match="compiled"):
        find(hw.Sequential([Input((3,)), Dense(1)]))
    with pytest.raises(InputTypeError, match="a model"):
        find(object())
    scheduled = made(hw.optimizers.SGD(hw.optimizers.schedules.ExponentialDecay(0.1, 100, 0.9)))
    with pytest.raises(InputError, match="a schedule"):
        find(scheduled)
