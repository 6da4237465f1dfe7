"""Curves from logs as their writers write them, and what is said of those that cannot be read."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import hillwalker as hw
from hillwalker import records
from hillwalker.diagnosis.log_names import name_columns
from hillwalker.diagnosis.logs import read_curves
from hillwalker.errors import InputError, InputTypeError
from hillwalker.training.history import History

NAN, INF = math.nan, math.inf


def same(curve, expected):
    np.testing.assert_allclose(curve, expected, rtol=1e-6)


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def trained(rate: float, callbacks=(), **settings):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3))
    hw.utils.set_random_seed(1)
    model = hw.Sequential([hw.layers.Dense(8, activation="relu"), hw.layers.Dense(1)])
    model.compile(optimizer=hw.optimizers.SGD(rate), loss="mse", metrics=["mae"])
    return model.fit(X, X.sum(axis=1), verbose=0, validation_split=0.2, callbacks=list(callbacks), **settings)


# hillwalker's own


def test_a_history_its_dict_its_frames_its_file_and_its_curves_are_the_same(tmp_path):
    logger = hw.callbacks.CSVLogger(tmp_path / "training.csv", separator=";")
    history = trained(0.01, [logger], epochs=5, validation_freq=2)
    plain = history.to_dict()
    saved = write(tmp_path, "history.json", json.dumps(plain))
    frame = history.to_frame()
    curves = read_curves(history)
    assert curves.epochs.tolist() == [0, 1, 2, 3, 4]
    assert np.isnan(curves.val_loss).tolist() == [True, False, True, False, True]
    assert list(curves.metrics) == ["mae", "val_mae"]
    others = [plain, saved, tmp_path / "training.csv", frame, pl.from_pandas(frame.reset_index()), curves.to_dict()]
    for other in [*others, write(tmp_path, "frame.csv", frame.to_csv()), write(tmp_path, "f.json", frame.to_json())]:
        read = read_curves(other)
        same(read.loss, curves.loss)
        same(read.val_loss, curves.val_loss)
        assert read.epochs.tolist() == curves.epochs.tolist()
    assert read_curves(curves) is curves


@pytest.mark.filterwarnings("ignore::hillwalker.errors.HillwalkerWarning")
def test_a_training_that_diverged_at_once_is_curves_of_one_epoch(tmp_path):
    history = trained(1000.0, [hw.callbacks.CSVLogger(tmp_path / "training.csv")], epochs=5)
    saved = write(tmp_path, "plain.json", json.dumps(records.plain(history.to_dict())))
    assert "null" in saved.read_text()
    for source in (history, tmp_path / "training.csv", history.to_dict(), saved):
        assert read_curves(source).loss.tolist() == [INF]
    assert "finite" in read_curves(saved).stop_reason


def test_curves_saved_as_json_read_back_infinite(tmp_path):
    curves = read_curves({"loss": [1.0, 1.2, INF], "val_loss": [1.0, 2.0, NAN], "mae": [1.0, NAN, 1.0]})
    again = read_curves(write(tmp_path, "curves.json", json.dumps(curves.to_dict())))
    for read in (curves, again):
        assert read.loss.tolist() == [1.0, 1.2, INF]
        assert read.val_loss.tolist() == [1.0, 2.0, INF]
        same(read.metrics["mae"], [1.0, NAN, 1.0])


# Keras


def test_a_keras_history_or_its_model_with_validation_every_other_epoch():
    history = SimpleNamespace(  # as Keras 3.15 left it; it drops the fifth epoch's validation
        history={"loss": [3.4, 3.1, 2.8, 2.5, 2.3], "learning_rate": [0.01] * 5, "val_loss": [3.38, 3.04]},
        epoch=[0, 1, 2, 3, 4],
        params={"verbose": 0, "epochs": 5, "steps": 2},
    )
    for source in (history, SimpleNamespace(history=history), history.history):
        curves = read_curves(source)
        same(curves.val_loss, [NAN, 3.38, NAN, 3.04, NAN])
        same(curves.learning_rate, [0.01] * 5)


# names


@pytest.mark.parametrize(
    ("loss", "val_loss"),
    [
        ("loss", "val_loss"),
        ("train/loss", "valid/loss"),
        ("train_loss", "valid_loss"),
        ("Train Loss", "validation loss"),
        ("loss", "eval_loss"),
        ("Loss/train", "Loss/val"),
        ("trainLoss", "valLoss"),
        ("training_loss", "test_loss"),
        ("train", "validation"),
        ("train_mse", "val_mse"),
        ("Training error", "Validation error"),
        ("avg_train_loss", "avg_val_loss"),
        ("mse_loss", "val_mse_loss"),
    ],
)
def test_losses_are_known_by_many_names(loss, val_loss):
    columns = ["Epoch", "lr", "accuracy", val_loss, loss]
    found = {"epoch": "Epoch", "learning_rate": "lr", "loss": loss, "val_loss": val_loss}
    assert name_columns(columns, "a log") == found


def test_the_validation_loss_goes_before_the_test_loss():
    assert name_columns(["loss", "test_loss", "val_loss"], "a log")["val_loss"] == "val_loss"


def test_the_loss_of_the_epoch_goes_before_that_of_its_steps_and_no_metric_is_called_loss():
    curves = read_curves({"train_loss_epoch": [2.0, 1.0], "loss": [3.0, 3.0], "mae": [1.0, 1.0]})
    assert curves.loss.tolist() == [2.0, 1.0]
    assert list(curves.metrics) == ["mae"]


def test_two_training_losses_are_a_tie_and_no_loss_is_told(tmp_path):
    path = write(tmp_path, "log.csv", "epoch,train_loss,training_loss,val_loss\n0,1,1,1\n1,1,1,1\n")
    with pytest.raises(InputError) as error:
        read_curves(path)
    assert str(error.value).splitlines() == [
        "Passed: log.csv with 2 columns that may be the training loss: train_loss, training_loss.",
        "Expected: one training loss, at most one validation loss; "
        "its columns are 'epoch', 'train_loss', 'training_loss', 'val_loss'.",
        'Try: hw.diagnose({"loss": frame["train_loss"], "val_loss": frame["..."]})',
    ]
    with pytest.raises(InputError, match=r"without a column that is a loss by its name(.|\n)*'accuracy', 'speed'"):
        read_curves({"accuracy": [0.1, 0.2], "speed": [3, 4]})


# where the loss was no number


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ([1, NAN, NAN], [1, INF, INF]),
        ([1, NAN, 0.5], [1, 0.5]),  # a blank, as frames write it: this epoch has no loss
        ([1, 0.8, None], [1, 0.8]),
        ([1, 30.0, None], [1, 30.0, INF]),  # grown beyond ten times the first
        (["1", "Infinity"], [1, INF]),
        (["1", "NaN"], [1, INF]),
        ([NAN, NAN], [INF, INF]),
    ],
)
def test_a_loss_that_was_no_number(loss, expected):
    assert read_curves({"loss": loss}).loss.tolist() == expected


def test_validation_that_ends_in_nan_is_a_blank_in_the_rhythm_of_validation():
    blank = read_curves({"loss": [5, 4, 3, 2, 1], "val_loss": [NAN, 2, NAN, 2, NAN]})
    assert np.isnan(blank.val_loss[-1])
    diverged = read_curves({"loss": [5, 4, 3, 2, 1], "val_loss": [3, 2, 9, NAN, NAN]})
    assert np.isinf(diverged.val_loss[-1])


# frames and arrays


def test_frames_arrays_and_rows():
    table = {"epoch": [1, 2, 3], "train_loss": [3.0, 2.0, 1.0], "val_loss": [3.0, None, 2.0], "run": ["a", "a", "a"]}
    nullable = pd.DataFrame(table).convert_dtypes()
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    nested = [{"epoch": e, "train": {"loss": 4.0 - e}, "val": {"loss": {1: 3.0, 3: 2.0}.get(e)}} for e in (1, 2, 3)]
    for source in (pd.DataFrame(table), nullable, pl.DataFrame(table), rows, nested):
        curves = read_curves(source)
        assert curves.epochs.tolist() == [1, 2, 3]
        assert curves.loss.tolist() == [3.0, 2.0, 1.0]
        same(curves.val_loss, [3.0, NAN, 2.0])
        assert not curves.metrics
    for source in ([3.0, 2.0], (3.0, 2.0), np.array([3, 2]), pd.Series([3.0, 2.0]), pl.Series([3.0, 2.0])):
        assert read_curves(source).loss.tolist() == [3.0, 2.0]
    assert read_curves(np.array([[3.0, 4.0], [2.0, 3.0]])).val_loss.tolist() == [4.0, 3.0]


# scikit-learn


def test_scikit_learn_with_early_stopping():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3))
    network = {"hidden_layer_sizes": (8,), "early_stopping": True, "n_iter_no_change": 3, "random_state": 0}
    regressor = MLPRegressor(**network, learning_rate_init=0.05).fit(X, X.sum(axis=1))
    curves = read_curves(regressor)
    assert curves.loss.tolist() == regressor.loss_curve_
    assert curves.metrics["val_r2_score"].tolist() == regressor.validation_scores_
    assert curves.val_loss is None
    assert curves.stop_reason
    assert read_curves(regressor.loss_curve_).loss.tolist() == regressor.loss_curve_
    inner = MLPClassifier(**network, learning_rate_init=0.05)
    search = GridSearchCV(make_pipeline(StandardScaler(), inner), {"mlpclassifier__alpha": [0.01]}, cv=2)
    assert "val_accuracy" in read_curves(search.fit(X, X[:, 0] > 0)).metrics
    for without in (MLPRegressor(), MLPRegressor(solver="lbfgs", max_iter=500).fit(X[:9], X[:9, 0]), StandardScaler()):
        with pytest.raises(InputError, match="without loss_curve_"):
            read_curves(without)


# what holds no curves


@pytest.mark.parametrize("source", [None, 3.5, object(), {"loss": 0.5}, [[1.0, 2.0, 3.0]], ["low"], [], {}, [None]])
def test_other_things_are_told(source):
    with pytest.raises((InputError, InputTypeError)) as error:
        read_curves(source)
    assert "Expected: " in str(error.value)


def test_a_model_that_was_not_trained_is_told():
    with pytest.raises(InputTypeError, match=r"a Sequential(.|\n)*hw\.diagnose\(model\.fit"):
        read_curves(hw.Sequential([hw.layers.Dense(1)]))


def test_a_history_without_epochs_and_a_frame_with_twins_are_told():
    with pytest.raises(InputError, match="without a single value"):
        read_curves(History())
    with pytest.raises(InputError, match="two columns 'loss'"):
        read_curves(pd.DataFrame([[1.0, 2.0], [1.0, 2.0]], columns=["loss", "loss"]))
