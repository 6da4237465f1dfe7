"""`hw.compare_batch_sizes`: the runs are compare's; steps, seconds, memory, the target and the sentence are its own."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy import stats

import hillwalker as hw
from hillwalker.choosing import BatchSizes
from hillwalker.choosing.batch_sizes import common_target
from hillwalker.choosing.statistics import median_interval
from hillwalker.errors import InputError, InputTypeError, StateError
from hillwalker.layers import Dense, Input

RANDOM = np.random.default_rng(4)
X = RANDOM.normal(size=(250, 3)).astype(np.float32)
Y = (X @ np.array([1.0, -2.0, 0.5]) + 0.3 * RANDOM.normal(size=250)).astype(np.float32)


def model(optimizer="adam", **told):
    made = hw.Sequential([Input((3,)), Dense(8, activation="relu", **told), Dense(1)])
    made.compile(optimizer, "mse")
    return made


def found(*sizes, **told) -> BatchSizes:
    settings = {"seeds": 6, "epochs": 30, "verbose": 0, "model": model(hw.optimizers.Adam(0.01))} | told
    return hw.compare_batch_sizes(X=X, y=Y, batch_sizes=list(sizes or (10, 50, 200)), **settings)


def test_the_runs_are_those_of_compare_and_the_model_stays():
    network = model()
    before = network.get_weights()
    mine = found(50, 10, model=network, epochs=5)
    theirs = hw.compare(network, X, Y, {"batch_size": [10, 50]}, seeds=6, epochs=5, verbose=0)
    assert mine.sizes == (10, 50)
    assert np.array_equal(mine.comparison.curves["val_loss"], theirs.curves["val_loss"])
    assert all((one == two).all() for one, two in zip(before, network.get_weights(), strict=True))


def test_the_way_to_the_target_is_counted_on_the_curves():
    record = found(target=0.5)
    curves = record.comparison.curves["val_loss"]
    assert record.steps_an_epoch.tolist() == [20, 4, 1]  # of 200 rows, 50 are held out
    for size in range(3):
        for seed in range(6):
            epoch = next((n + 1 for n, loss in enumerate(curves[size, seed, 0]) if loss <= 0.5), math.inf)
            assert record.epochs_to_target[size, seed] == epoch
            assert record.steps_to_target[size, seed] == epoch * record.steps_an_epoch[size]
    assert record.seconds_an_epoch == pytest.approx(record.comparison.seconds[:, :, 0] / 30)
    row = record.table[0]
    assert row.epochs[0] == np.median(record.epochs_to_target[0])
    assert row.seconds[0] == np.median(record.seconds_to_target[0])
    assert row.val_loss[0] == pytest.approx(curves[0, :, 0, -1].mean())


def test_the_target_is_reached_by_three_quarters_of_all_sizes_runs():
    record = found(10, 50, seeds=8)
    lowest = record.comparison.curves["val_loss"][:, :, 0].min(axis=-1)
    assert record.target == max(np.sort(own)[5] for own in lowest)  # 6 of 8
    assert all(row.arrived >= 6 for row in record.table)
    assert common_target(record.comparison, record.constant_loss) == record.target


def test_a_size_that_comes_nowhere_sets_no_target():
    record = found(10, 200, epochs=8)  # eight steps of 200 rows
    fast, slow = record.table
    assert record.target < 0.5 * record.constant_loss
    assert fast.arrived >= 5  # three quarters of six, rounded up
    assert slow.arrived == 0
    assert slow.seconds == (math.inf, math.inf, math.inf)
    assert "never" in str(record)
    assert record.batch_size == 10
    record.plot()


def test_memory_is_that_of_the_plan():
    memory = found(10).memory[0]
    assert memory.batch == 10 * (3 + 1) * 4
    assert memory.activations == 10 * (8 + 1) * 4
    assert memory.gradients == 10 * (8 + 1) * 4 + (3 * 8 + 8 + 8 + 1) * 4
    assert memory.total == memory.batch + memory.activations + memory.gradients
    unbuilt = hw.Sequential([Dense(8, activation="relu"), Dense(1)])
    unbuilt.compile("adam", "mse")
    assert found(10, model=unbuilt).memory[0] == memory
    assert not unbuilt.built


def test_noise_is_the_spread_of_batches_drawn_without_replacement():
    network = hw.Sequential([Input((3,)), Dense(1)])
    network.compile(hw.optimizers.SGD(0.05), "mse")
    record = hw.compare_batch_sizes(network, X, Y, [1, 6, 200], seeds=[7], epochs=1, verbose=0)
    W, b = hw.copies(network, [7])[0].get_weights()
    errors = 2 * (X[:200] @ W[:, 0] + b[0] - Y[:200])
    rows = np.column_stack([errors[:, None] * X[:200], errors])  # each row's gradient
    whole = rows.mean(axis=0)
    random = np.random.default_rng(1)
    drawn = [rows[random.permutation(200)[:6]].mean(axis=0) - whole for _ in range(4000)]
    spread = np.sqrt(np.mean(np.square(drawn).sum(axis=1))) / np.linalg.norm(whole)
    assert record.noise[1] == pytest.approx(spread, rel=0.03)
    exact = np.sqrt(np.mean(np.square(rows - whole).sum(axis=1))) / np.linalg.norm(whole)
    assert record.noise[0] == pytest.approx(exact, rel=1e-4)
    assert record.noise[2] == 0


def test_a_loss_of_whole_batches_has_no_noise_to_tell():
    network = hw.Sequential([Input((3,)), Dense(1)])
    network.compile("sgd", lambda y_true, y_pred: np.mean((y_true - y_pred) ** 2))
    record = found(50, model=network, seeds=2, epochs=2)
    assert np.isnan(record.noise).all()
    assert record.to_dict()["noise"] == [None]
    record.plot(kind="trade-offs")


def test_the_trade_offs_are_drawn_by_size():
    figure = found(10, 200, epochs=8).plot(kind="trade-offs")
    assert figure.axes[1].get_title(loc="left") == "Convergence (×: not within 8 epochs)"
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["10", "all\n200"]
    with pytest.raises(InputError, match="'trade-offs'"):
        found(10, epochs=1, seeds=1).plot(kind="trade")


def test_the_constant_is_the_training_rows_mean():
    record = found(10)
    assert record.constant_loss == pytest.approx(float(np.mean((Y[200:] - Y[:200].mean()) ** 2)), rel=1e-5)
    given = found(10, validation_data=(X[:40], Y[:40]))
    assert given.rows == 250
    assert given.constant_loss == pytest.approx(float(np.mean((Y[:40] - Y.mean()) ** 2)), rel=1e-5)


def test_the_answer_says_how_sure_it_is():
    clear = found(10, 200, epochs=10)
    assert clear.answer.startswith("Batch size 10: its final validation loss, ")
    assert "is the lowest by more than the noise of 6 seeds" in clear.answer
    close = found(20, 25, epochs=60)
    assert close.not_told_from_best == (20, 25)
    assert "6 seeds do not tell from that of" in close.answer
    assert "surely below" not in close.answer
    nothing = hw.compare_batch_sizes(model(), X, RANDOM.permutation(Y), [10], seeds=6, epochs=5, verbose=0)
    assert "not surely below the" in nothing.answer


def test_sizes_that_only_overfit_are_named():
    random = np.random.default_rng(2)
    x = random.normal(size=(300, 8))
    y = x[:, 0] + random.normal(size=300)
    wide = hw.Sequential([Input((8,)), Dense(64, activation="relu"), Dense(1)])
    wide.compile(hw.optimizers.Adam(0.01), "mse")
    record = hw.compare_batch_sizes(wide, x, y, [4, 48], 8, 60, 0.8, verbose=0)
    lowest = record.comparison.curves["val_loss"][:, :, 0].min(axis=-1)
    assert record.not_told_from_best == (48,)
    assert record.as_good_if_stopped == (4,)
    assert stats.ttest_rel(lowest[0], lowest[1]).pvalue > 0.05 or lowest[0].mean() < lowest[1].mean()
    assert "stopped at their best epochs, 4 would be as good" in record.answer
    stopped = hw.compare_batch_sizes(wide, x, y, [4, 48], 8, 60, 0.8, early_stopping=10, verbose=0)
    assert 4 in stopped.not_told_from_best


def test_of_those_not_told_apart_the_quickest_is_chosen():
    record = found(20, 25, epochs=60)
    seconds = {row.size: row.seconds[0] for row in record.table}
    assert record.batch_size == min(seconds, key=seconds.get)


def test_where_all_fail_it_is_said():
    record = found(10, 50, model=model(hw.optimizers.SGD(1e12)), epochs=3)
    assert record.answer.startswith("No batch size trains")
    assert record.table[0].failed == 6
    assert "never" in str(record)
    json.dumps(record.to_dict(), allow_nan=False)
    record.plot()


def test_one_seed_has_no_interval():
    record = found(10, 50, seeds=1)
    assert math.isnan(record.table[0].seconds[1])
    assert "(" not in record.answer.split(", and it takes")[0].removeprefix("Batch size")
    record.plot()


def test_records_and_pictures():
    record = found(10, 50, epochs=10)
    told = json.loads(json.dumps(record.to_dict(), allow_nan=False))
    assert told["sizes"] == [10, 50]
    assert told["memory"][0]["total"] == record.memory[0].total
    assert told["comparison"]["labels"] == ["batch_size=10", "batch_size=50"]
    frame = record.to_frame()
    assert list(frame.index) == [10, 50]
    assert frame["steps"].tolist() == [row.steps[0] for row in record.table]
    assert len(record.comparison.to_frame()) == 2 * 6 * 10
    figure = record.plot("Title")
    assert [axes.get_xlabel() for axes in figure.axes] == ["epoch", "step", "training time (ms)", "validation loss"]
    by_step = figure.axes[1].lines[0]
    assert by_step.get_xdata().tolist() == [20.0 * epoch for epoch in range(1, 11)]
    assert by_step.get_ydata() == pytest.approx(np.median(record.comparison.curves["val_loss"][0, :, 0], axis=0))


def test_a_killed_comparison_goes_on_from_its_folder(tmp_path):
    first = found(10, 50, seeds=2, folder=tmp_path)
    again = found(10, 50, seeds=2, folder=tmp_path)
    assert np.array_equal(first.comparison.seconds, again.comparison.seconds)  # nothing was trained


@pytest.mark.parametrize(
    ("told", "error", "words"),
    [
        ({"batch_sizes": []}, InputError, "no batch sizes"),
        ({"batch_sizes": [0]}, InputError, "batch_sizes=0"),
        ({"batch_sizes": [16, 201]}, InputError, r"batch_sizes=\[16, 201\] for 200 rows to train on"),
        ({"target": math.nan}, InputError, "target=nan"),
        ({"target": "low"}, InputError, "target='low'"),
        ({"seeds": 0, "batch_sizes": [16]}, InputError, "seeds=0"),
        ({"validation_split": 0}, InputError, "nothing to validate on"),
        ({"model": 3}, InputTypeError, "of 3"),
        ({"model": hw.Sequential([Input((3,)), Dense(1)])}, StateError, "before compile"),
    ],
    ids=str,
)
def test_bad_input_is_refused(told, error, words):
    with pytest.raises(error, match=words):
        hw.compare_batch_sizes(**{"model": model(), "X": X, "y": Y, "verbose": 0, **told})


# The interval of a median


def test_the_interval_of_a_median_is_of_two_values():
    assert median_interval(np.arange(1.0, 11.0)) == (5.5, 2.0, 9.0)  # Conover (1999), table A3: 2nd to 9th of 10
    assert median_interval(np.arange(20.0)) == (9.5, 5.0, 14.0)  # the 6th and the 15th
    assert math.isnan(median_interval(np.arange(5.0))[1])
    assert median_interval(np.full(6, math.inf)) == (math.inf, math.inf, math.inf)
    assert math.isnan(median_interval(np.array([]))[0])


def test_the_interval_of_a_median_holds_it_as_often_as_it_says():
    random = np.random.default_rng(0)
    held = 0
    for _ in range(2000):
        _, low, high = median_interval(random.exponential(size=10))
        held += low <= math.log(2) <= high
    exact = 1 - 2 * stats.binom.cdf(1, 10, 0.5)  # 0.979
    assert held / 2000 == pytest.approx(exact, abs=0.012)
