"""`hw.compare`: what varies, how runs are paired and written down, and what the numbers are worth."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from scipy import stats

import hillwalker as hw
from hillwalker.choosing import splits, statistics, variants
from hillwalker.choosing.runs import LEDGER
from hillwalker.errors import FileError, HillwalkerWarning, InputError, InputTypeError, StateError
from hillwalker.layers import Activation, BatchNormalization, Dense, Dropout, Input

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(120, 4)).astype(np.float32)
Y = (X[:, :1] - X[:, 1:2] ** 2 + 0.1 * RANDOM.normal(size=(120, 1))).astype(np.float32)


def small(*hidden, optimizer="adam", loss="mse", **told):
    layers = hidden or (Dense(8, activation="relu"),)
    model = hw.Sequential([Input((4,)), *layers, Dense(1)])
    model.compile(optimizer, loss, **told)
    return model


def run(model, vary, **told):
    settings = {"seeds": 3, "epochs": 4, "verbose": 0} | told
    return hw.compare(model, X, Y, vary=vary, **settings)


# Runs are those of fit


def test_each_run_is_the_fit_of_a_copy():
    model = small()
    before = model.get_weights()
    comparison = run(model, {"learning_rate": [0.001, 0.01], "batch_size": [16, 50]})
    assert comparison.labels[3] == "learning_rate=0.01, batch_size=50"
    copy = hw.copies(model, [2])[0]
    copy.compile(hw.optimizers.Adam(0.01), "mse")
    history = copy.fit(X, Y, batch_size=50, epochs=4, validation_split=0.2, verbose=0)
    assert comparison.curves["loss"][3, 2, 0].tolist() == history.history["loss"]
    assert comparison.curves["val_loss"][3, 2, 0].tolist() == history.history["val_loss"]
    assert comparison.runs[3, 2, 0] == history.history["val_loss"][-1]
    assert all((mine == its).all() for mine, its in zip(before, model.get_weights(), strict=True))
    assert model.optimizer.iterations == 0


def test_threads_and_company_change_no_number():
    vary = {"units": [4, (8, 4)], "dropout": [0, 0.5]}
    one, two = run(small(), vary, threads=1), run(small(), vary, threads=2)
    alone = run(small(), [{"units": (8, 4), "dropout": 0.5}])
    for name, curve in one.curves.items():
        assert np.array_equal(curve, two.curves[name])
        assert np.array_equal(curve[3], alone.curves[name][0])


def test_seeds_start_alike_where_shapes_allow():
    comparison = run(small(), {"learning_rate": [0.0, 0.5]}, shuffle=False, batch_size=96, epochs=1)
    assert np.array_equal(comparison.curves["loss"][0], comparison.curves["loss"][1])
    assert len(set(comparison.curves["loss"][0, :, 0, 0])) == 3


def test_a_model_without_a_shape_starts_from_the_seeds_alone():
    def unbuilt():
        model = hw.Sequential([Dense(8, activation="relu"), Dense(1)])
        model.compile("adam", "mse")
        return model

    one, two = run(unbuilt(), {"batch_size": [16, 32]}), run({"small": (given := unbuilt())}, None, batch_size=32)
    assert np.array_equal(one.curves["loss"][1], two.curves["loss"][0])
    assert np.array_equal(one.curves["loss"], run(small(), {"batch_size": [16, 32]}).curves["loss"])
    assert not given.built


# What can vary


@pytest.mark.parametrize(
    ("settings", "check"),
    [
        ({"units": 5}, lambda m: [layer.units for layer in m.layers if isinstance(layer, Dense)] == [5, 1]),
        ({"units": (5, 3)}, lambda m: [layer.units for layer in m.layers if isinstance(layer, Dense)] == [5, 3, 1]),
        ({"depth": 3}, lambda m: [layer.units for layer in m.layers if isinstance(layer, Dense)] == [8, 8, 8, 1]),
        ({"activation": "tanh"}, lambda m: [layer.activation.name for layer in m.layers] == ["tanh", "linear"]),
        ({"dropout": 0.25}, lambda m: m.layers[1].rate == 0.25 and isinstance(m.layers[2], Dense)),
        ({"dropout": 0}, lambda m: len(m.layers) == 2),
        ({"l2": 0.1}, lambda m: all(layer.kernel_regularizer.l2 == 0.1 for layer in m.layers)),
        ({"l1": 0.1, "l2": 0.2}, lambda m: (m.layers[0].kernel_regularizer.l1, m.layers[0].kernel_regularizer.l2)
         == (0.1, 0.2)),
        ({"initializer": "he_normal"}, lambda m: all("He" in type(layer.kernel_initializer).__name__
                                                     for layer in m.layers)),
        ({"optimizer": "sgd", "learning_rate": 0.3, "momentum": 0.9},
         lambda m: m.optimizer.get_config()["momentum"] == 0.9 and m.optimizer.learning_rate == 0.3),
        ({"optimizer": "rmsprop"}, lambda m: type(m.optimizer).__name__ == "RMSprop"),
        ({"schedule": hw.schedules.ExponentialDecay(0.1, 10, 0.5)}, lambda m: m.optimizer.schedule is not None),
        ({"clipnorm": 1.0}, lambda m: m.optimizer.clipnorm == 1.0),
        ({"loss": "mae"}, lambda m: m.loss == "mae"),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_a_setting_changes_the_model(settings, check):
    named = variants.settings_of([settings])[0]
    made = variants.changed(small(), named)
    assert check(made)
    hw.fit_many([made], X, Y, verbose=0)


def test_depth_keeps_what_follows_a_hidden_layer():
    model = small(Dense(6), BatchNormalization(), Activation("relu"), Dropout(0.1), Dense(5, activation="tanh"))
    kinds = [type(layer).__name__ for layer in variants.changed(model, {"depth": 1}).layers]
    assert kinds == ["Dense", "BatchNormalization", "Activation", "Dropout", "Dense"]
    deeper = variants.changed(model, {"depth": 4}).layers
    assert [layer.units for layer in deeper if isinstance(layer, Dense)] == [6, 5, 5, 5, 1]
    activations = variants.changed(model, {"activation": "elu"}).layers
    assert [activations[0].activation.name, activations[2].activation.name] == ["linear", "elu"]
    assert activations[4].activation.name == "elu"


def test_random_draws_are_a_function_of_their_seed():
    vary = {
        "learning_rate": lambda random: 10 ** random.uniform(-4, -1),
        "units": [4, 8],
        "l2": stats.loguniform(1e-5, 1),
    }
    one, two = (variants.settings_of(vary, draws=6, seed=3) for _ in range(2))
    assert one == two
    assert one != variants.settings_of(vary, draws=6, seed=4)
    assert all(1e-4 <= chosen["learning_rate"] <= 0.1 and chosen["units"] in (4, 8) for chosen in one)
    comparison = run(small(), vary, draws=6, seeds=1)
    assert len(comparison.labels) == 6


@pytest.mark.filterwarnings("ignore::hillwalker.errors.MistakeWarning")
def test_models_by_label():
    comparison = hw.compare({"small": small(Dense(2)), "large": small(Dense(32))}, X, Y, seeds=2, epochs=2, verbose=0)
    assert comparison.labels == ("small", "large")
    assert comparison.operations.tolist() == [6 * 10 * 96 * 2, 6 * 160 * 96 * 2]


def test_early_stopping_scores_where_the_weights_went_back_to():
    comparison = run(small(), {"patience": [2], "learning_rate": [0.1]}, epochs=200)
    curve = comparison.curves["val_loss"][0, 0, 0]
    assert comparison.epochs[0, 0, 0] < 200
    assert np.isnan(curve[comparison.epochs[0, 0, 0] :]).all()
    assert comparison.runs[0, 0, 0] == np.nanmin(curve)


def test_penalties_are_no_part_of_the_score():
    comparison = run(small(), {"l2": [0.0, 0.5]}, epochs=2)
    copy = hw.copies(variants.changed(small(), {"l2": 0.5}), [0])[0]
    copy.fit(X, Y, epochs=2, validation_split=0.2, verbose=0)
    error = float(np.mean((copy.predict(X[96:], verbose=0) - Y[96:]) ** 2))
    assert comparison.runs[1, 0, 0] == pytest.approx(error, rel=1e-5)
    assert comparison.curves["val_loss"][1, 0, 0, -1] > 1.1 * error


def test_a_run_that_fails_is_infinitely_bad_and_the_others_go_on():
    with np.errstate(all="ignore"):
        comparison = run(small(optimizer="sgd"), {"learning_rate": [0.01, 1e30]})
    assert comparison.failed[1].all()
    assert not comparison.failed[0].any()
    assert comparison.best == "learning_rate=0.01"
    assert comparison.table[1].failed == 3
    assert comparison.table[1].probability == 0
    assert "inf" in str(comparison)


# Splits


def test_folds_hold_out_each_row_once_and_stratify():
    labels = np.repeat([0, 1], [90, 10])
    parts = splits.folds(100, 5, 0, labels)
    assert sorted(np.concatenate([held_out for _, held_out in parts]).tolist()) == list(range(100))
    assert all(labels[held_out].sum() == 2 and not set(held_out) & set(trained) for trained, held_out in parts)


def test_folds_may_be_given_as_rows():
    parts = [(np.arange(30, 120), np.arange(30)), (np.arange(60), np.arange(60, 120))]
    comparison = run(small(), {"learning_rate": [0.001, 0.01]}, folds=parts, seeds=[4])
    copy = hw.copies(small(), [4])[0]
    copy.compile(hw.optimizers.Adam(0.01), "mse")
    history = copy.fit(X[:60], Y[:60], epochs=4, validation_data=(X[60:], Y[60:]), verbose=0)
    assert comparison.curves["val_loss"].shape == (2, 1, 2, 4)
    assert comparison.curves["val_loss"][1, 0, 1] == pytest.approx(history.history["val_loss"], rel=1e-5)


@pytest.mark.parametrize("parts", [[], [([0, 1], [120])], [([0, 1], [])], [([0.5], [1])], ["ab"], [([0], [1], [2])]])
def test_folds_that_are_no_rows_are_refused(parts):
    with pytest.raises(InputError):
        run(small(), {"learning_rate": [0.001, 0.01]}, folds=parts)


def test_each_seed_may_cut_folds_anew(tmp_path):
    told = {"folds": 3, "cut_anew": True, "seeds": 2, "folder": tmp_path}
    once, again = run(small(), {"batch_size": [8, 32]}, **told), run(small(), {"batch_size": [8, 32]}, **told)
    np.testing.assert_array_equal(once.curves["val_loss"], again.curves["val_loss"])
    alike = run(small(), {"batch_size": [8, 32]}, folds=3, seeds=2)
    np.testing.assert_array_equal(once.curves["val_loss"][:, 0], alike.curves["val_loss"][:, 0])
    assert (once.curves["val_loss"][:, 1] != alike.curves["val_loss"][:, 1]).all()
    for wrong in ({"folds": None}, {"folds": 3, "time_ordered": True}, {"folds": [([0, 1], [2])]}):
        with pytest.raises(InputError, match="cut_anew"):
            run(small(), {"batch_size": [8, 32]}, **(told | wrong))


def test_folds_in_time_never_look_ahead():
    comparison = run(small(), {"units": [4]}, folds=3, time_ordered=True, seeds=2)
    assert comparison.runs.shape == (1, 2, 3)
    for past, future in splits.folds_in_time(120, 3):
        assert past.max() < future.min()
    assert comparison.overlap == pytest.approx(np.mean([1, 1 / 2, 1 / 3]))
    assert comparison.scores.shape == (1, 3)


def test_sorted_rows_are_told():
    with pytest.warns(HillwalkerWarning, match="sorted by y"):
        hw.compare(small(), X, np.arange(120.0), seeds=1, epochs=1, verbose=0)


# Statistics


def test_quantile_is_students():
    for freedom in range(1, 40):
        assert statistics.student_quantile(0.975, freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=2e-3)
        assert statistics.student_quantile(0.9, freedom) == pytest.approx(stats.t.ppf(0.9, freedom), rel=2e-3)


def test_interval_covers_as_often_as_it_says():
    random = np.random.default_rng(1)
    inside = 0
    for _ in range(2000):
        mean, low, high = statistics.interval(random.normal(3.0, 2.0, size=6))
        inside += low <= 3.0 <= high
        assert low < mean < high
    assert inside / 2000 == pytest.approx(0.95, abs=0.02)


def test_probability_of_being_best():
    random = np.random.default_rng(2)
    noise = random.normal(size=(1, 30))
    clear = noise + np.array([[0.0], [1.0], [2.0]])  # paired: the noise is the same for all
    assert statistics.probability_of_being_best(clear).tolist() == [1, 0, 0]
    equal = random.normal(size=(2, 400))
    equal -= equal.mean(axis=1, keepdims=True)
    assert statistics.probability_of_being_best(equal) == pytest.approx([0.5, 0.5], abs=0.05)
    tied = np.ones((4, 3))
    assert statistics.probability_of_being_best(tied) == pytest.approx([0.25] * 4)
    assert statistics.probability_of_being_best(np.array([[np.inf, 1.0], [1.0, 1.0]])).tolist() == [0, 1]


def test_the_answer_tells_noise_from_a_difference():
    vary = [{"learning_rate": 0.0}, {"batch_size": 96}, {"batch_size": 97}]  # all 96 rows in both, so nothing differs
    comparison = run(small(), vary, seeds=8, epochs=20)
    assert comparison.best == "batch_size=96"
    assert comparison.is_real("learning_rate=0", comparison.best)
    assert not comparison.is_real("batch_size=97", "batch_size=96")
    assert comparison.answer.endswith("but 8 seeds do not tell it from batch_size=97.")
    clear = run(small(), vary[:2], seeds=8, epochs=20)
    assert clear.answer.endswith("better than every other by more than the noise of 8 seeds.")


def test_metrics_that_grow_are_better():
    labels = (X[:, 0] > 0).astype(np.float32)
    model = hw.Sequential([Input((4,)), Dense(8, activation="relu"), Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    comparison = hw.compare(
        model, X, labels, vary={"learning_rate": [1e-6, 0.03]}, seeds=3, epochs=10, metric="val_accuracy", verbose=0
    )
    assert comparison.best == "learning_rate=0.03"
    assert comparison.table[0].mean > comparison.table[1].mean


# The ledger


def test_a_killed_comparison_goes_on_where_it_was(tmp_path):
    folder = tmp_path / "compared"
    vary = {"units": [4, 8], "learning_rate": [0.001, 0.01]}
    whole = run(small(), vary, folder=folder)
    ledger = folder / LEDGER
    lines = ledger.read_text().splitlines()
    assert len(lines) == 12
    ledger.write_text("\n".join(lines[:5]) + "\n" + lines[5][:40])  # killed in the middle of a line
    again = run(small(), vary, folder=folder)
    assert np.array_equal(whole.curves["val_loss"], again.curves["val_loss"])
    assert len(ledger.read_text().splitlines()) == 12
    more = run(small(), vary, folder=folder, seeds=4)
    assert len(ledger.read_text().splitlines()) == 16
    assert np.array_equal(more.curves["loss"][:, :3], whole.curves["loss"])
    hw.compare(small(), X + 1, Y, vary=vary, seeds=3, epochs=4, verbose=0, folder=folder)  # other data, other runs
    assert len(ledger.read_text().splitlines()) == 28


def test_what_is_known_is_not_trained_again(tmp_path, monkeypatch):
    run(small(), {"units": [4, 8]}, folder=tmp_path)
    monkeypatch.setattr("hillwalker.choosing.runs.fit_many", lambda *args, **kw: pytest.fail("trained again"))
    run(small(), {"units": [4, 8]}, folder=tmp_path)


def test_a_damaged_ledger_is_told(tmp_path):
    run(small(), {"units": [4]}, folder=tmp_path)
    (tmp_path / LEDGER).write_text("{}\n")
    with pytest.raises(FileError, match="line 1 is no run"):
        run(small(), {"units": [4]}, folder=tmp_path)


PROGRAM = """
import numpy as np, hillwalker as hw, sys
from hillwalker.layers import Dense, Input
X = np.random.default_rng(0).normal(size=(2000, 4)).astype(np.float32); y = X[:, :1]
model = hw.Sequential([Input((4,)), Dense(32, activation="relu"), Dense(1)]); model.compile("adam", "mse")
print("begun", flush=True)
c = hw.compare(model, X, y, vary={"units": [8, 16, 32]}, seeds=400, epochs=20, verbose=0, folder=sys.argv[1])
print(int(c.done.sum()), c.interrupted, c.scores.shape[1] > 0, flush=True)
"""


def test_ctrl_c_keeps_what_is_done(tmp_path):
    program = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert program.stdout.readline() == "begun\n"
    ledger = tmp_path / LEDGER
    while not (ledger.exists() and ledger.read_text().count("\n") > 10):
        time.sleep(0.02)
    os.kill(program.pid, signal.SIGINT)
    said, _ = program.communicate(timeout=60)
    done, interrupted, scored = said.split()
    assert 10 < int(done) < 1200
    assert (interrupted, scored) == ("True", "True")
    assert ledger.read_text().count("\n") - int(done) in (0, 1)  # Ctrl-C may come between the two


# Records and pictures


def test_records_are_plain(tmp_path):
    comparison = run(small(), {"units": [4, (8, 4)], "optimizer": ["sgd", hw.optimizers.Adam(0.1)]})
    told = json.loads(json.dumps(comparison.to_dict()))
    assert told["settings"][3]["units"] == "8-4"
    frame = comparison.to_frame()
    assert len(frame) == 4 * 3 * 4
    assert set(frame.columns) == {"variant", "units", "optimizer", "seed", "fold", "epoch", "loss", "val_loss"}
    chosen = frame[(frame["seed"] == 1) & (frame["variant"] == comparison.labels[2])]
    assert chosen["val_loss"].tolist() == comparison.curves["val_loss"][2, 1, 0].tolist()


def test_the_picture_shows_each_variant():
    comparison = run(small(), {"batch_size": [16, 64, 128]})
    figure = comparison.plot()
    left, right = figure.axes
    assert [text.get_text() for text in left.get_legend().get_texts()] == [row.label for row in comparison.table]
    assert len(right.get_yticklabels()) == 3
    assert left.get_xlabel() == "epoch"
    assert left.get_ylabel() == "val loss"
    with pytest.raises(InputError, match="metric 'val_los'"):
        comparison.plot("val_los")


def test_far_off_scores_do_not_hide_the_others():
    with np.errstate(all="ignore"):
        comparison = run(small(optimizer="sgd"), {"learning_rate": [0.01, 0.02, 0.03, 0.04, 0.05, 1e30]})
    comparison.curves["val_loss"][4] *= 1e6
    figure = comparison.plot()
    texts = [text.get_text() for text in figure.axes[1].texts]
    assert any("failed in 3 runs" in text for text in texts)
    assert any("off the scale" in text for text in texts)


# Bad input


@pytest.mark.parametrize(
    ("told", "error", "words"),
    [
        ({"vary": {"learning_rte": [1]}}, InputError, "learning_rate"),
        ({"vary": {"batch_size": 16}}, InputTypeError, "a list of values"),
        ({"vary": {"batch_size": []}}, InputTypeError, "a list of values"),
        ({"vary": "batch_size"}, InputTypeError, "settings and the values"),
        ({"vary": {"batch_size": [0]}}, InputError, "batch_size=0"),
        ({"vary": {"units": [0]}}, InputError, "units"),
        ({"vary": {"depth": [0]}}, InputError, "depth=0"),
        ({"vary": {"dropout": [1.0]}}, InputError, "rop"),
        ({"vary": {"optimizer": ["adamm"]}}, InputError, "adam"),
        ({"vary": {"momentum": [0.9]}}, InputError, "momentum=0.9 for Adam"),
        ({"vary": {"loss": ["mse", "mae"]}}, InputError, "different losses"),
        ({"vary": {"units": [4]}, "seeds": 0}, InputError, "seeds=0"),
        ({"vary": {"units": [4]}, "seeds": [1, 1]}, InputError, "each once"),
        ({"vary": {"units": [4]}, "seeds": "3"}, InputTypeError, "how many"),
        ({"vary": {"units": [4]}, "epochs": 0}, InputError, "epochs=0"),
        ({"vary": {"units": [4]}, "folds": 1}, InputError, "2 folds or more"),
        ({"vary": {"units": [4]}, "folds": 100}, InputError, "folds=100 of 120 rows"),
        ({"vary": {"units": [4]}, "folds": 3, "validation_data": (X, Y)}, InputError, "one of them"),
        ({"vary": {"units": [4]}, "validation_split": 0.0}, InputError, "nothing to validate"),
        ({"vary": {"units": [4]}, "metric": "val_acc"}, InputError, "val_loss"),
        ({"vary": {"units": [4]}, "reference": "units=5"}, InputError, "units=4"),
        ({"vary": {"units": [4]}, "early_stopping": 0}, InputError, "early_stopping=0"),
        ({"vary": {"learning_rate": lambda random: 0.1}}, InputTypeError, "draws"),
        ({"vary": {"learning_rate": lambda random: 0.1}, "draws": 0}, InputError, "draws=0"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_bad_input_is_told_before_anything_is_trained(told, error, words, monkeypatch):
    monkeypatch.setattr("hillwalker.choosing.experiment.in_portions", lambda *args: pytest.fail("trained"))
    with pytest.raises(error, match=words):
        hw.compare(small(), X, Y, verbose=0, **told)


def test_models_must_be_compiled_and_labelled():
    with pytest.raises(StateError, match="not compiled"):
        hw.compare(hw.Sequential([Input((4,)), Dense(1)]), X, Y)
    with pytest.raises(InputTypeError, match="models by label"):
        hw.compare([small()], X, Y)
    with pytest.raises(InputError, match="one of them"):
        hw.compare({"a": small()}, X, Y, vary={"units": [4]})
    bare = hw.Sequential([Input((4,)), Dense(1)])
    bare.compile("adam", "mse")
    with pytest.raises(InputError, match="without a hidden dense layer"):
        hw.compare(bare, X, Y, vary={"units": [4]})
