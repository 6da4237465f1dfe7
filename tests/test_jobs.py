"""The two jobs: what is learned, on which rows, what is refused, and that a saved model predicts the same."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn import datasets

from hillwalker import jobs
from hillwalker.errors import FileError, InputError, StateError
from hillwalker.jobs import Options, predict, split_rows, train

FAST = Options(hidden=(16,), epochs=60)


def cancer() -> pl.DataFrame:
    data = datasets.load_breast_cancer()
    columns = {name: data.data[:, number] for number, name in enumerate(data.feature_names)}
    return pl.DataFrame(columns).with_columns(diagnosis=pl.Series(np.array(["malignant", "benign"])[data.target]))


def wave(rows: int = 300) -> pl.DataFrame:
    x = np.linspace(-3, 3, rows)
    order = np.random.default_rng(0).permutation(rows)
    return pl.DataFrame({"x": x[order], "kind": np.array(["a", "b"])[order % 2], "y": (np.sin(x) * 50 + 200)[order]})


def test_two_classes_are_learned_and_beat_the_class_shares():
    training = train(cancer(), "diagnosis", FAST)
    assert training.scores["accuracy"] > 0.93
    assert training.scores["log loss"] < training.constant_scores["log loss"] / 3
    assert training.chance < 1e-6
    shares = np.bincount((cancer()["diagnosis"].to_numpy() == "malignant")[training.rows[2]]) / 114
    assert training.constant_scores["accuracy"] == pytest.approx(shares[0])


def test_many_classes_are_learned():
    data = datasets.load_iris()
    frame = pl.DataFrame(data.data, schema=["a", "b", "c", "d"]).with_columns(species=pl.Series(data.target))
    training = train(frame, "species", Options(hidden=(16,), epochs=200, learning_rate=0.01))
    assert training.scores["accuracy"] > 0.85
    assert training.probabilities.shape == (30, 3)
    np.testing.assert_allclose(training.probabilities.sum(axis=1), 1, atol=1e-6)


def test_regression_is_learned_and_scored_in_the_targets_units():
    training = train(wave(), "y", Options(hidden=(32,), epochs=400, learning_rate=0.01))
    assert training.scores["R²"] > 0.98
    assert training.scores["RMSE"] < 6
    assert 25 < training.constant_scores["RMSE"] < 45  # the standard deviation of 50 sin x
    assert training.actual.min() > 149


def test_noise_is_not_called_a_success():
    random = np.random.default_rng(1)
    frame = pl.DataFrame({"a": random.normal(size=300), "b": random.normal(size=300), "y": random.normal(size=300)})
    training = train(frame, "y", FAST)
    assert training.chance > 0.05 or training.scores["RMSE"] > training.constant_scores["RMSE"]


def test_the_same_seed_gives_the_same_network():
    one, two = (train(wave(), "y", FAST) for _ in range(2))
    np.testing.assert_array_equal(one.predicted, two.predicted)
    assert one.history.history == two.history.history


def test_the_test_rows_teach_nothing():
    frame = wave()
    test = train(frame, "y", FAST).rows[2]
    y = frame["y"].to_numpy().copy()
    y[test] = 1000 + np.arange(len(test))
    one, two = train(frame, "y", FAST), train(frame.with_columns(y=pl.Series(y)), "y", FAST)
    np.testing.assert_array_equal(one.predicted, two.predicted)
    assert one.encoder == two.encoder


def test_rows_in_time_are_split_in_time():
    parts = split_rows(10, 0.2, 0.3, shuffle=False, seed=0)
    assert [part.tolist() for part in parts] == [[0, 1, 2, 3, 4], [5, 6], [7, 8, 9]]
    drawn = split_rows(10, 0.2, 0.3, shuffle=True, seed=0)
    assert sorted(np.concatenate(drawn).tolist()) == list(range(10))
    assert [len(part) for part in drawn] == [5, 2, 3]


def test_a_time_column_orders_the_rows_and_is_no_input():
    frame = wave().with_columns(day=pl.col("x"))
    training = train(frame, "y", Options(hidden=(4,), epochs=2, time_column="day"))
    assert training.encoder.feature_names == ("x", "kind=a", "kind=b")
    np.testing.assert_allclose(training.actual, np.sin(np.linspace(-3, 3, 300)[-60:]) * 50 + 200, rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"epochs": 0}, "epochs 0"),
        ({"hidden": ()}, r"hidden \(\)"),
        ({"hidden": (8, -1)}, "hidden -1"),
        ({"batch_size": 2.5}, r"batch_size 2\.5"),
        ({"learning_rate": -1.0}, r"learning_rate -1\.0"),
        ({"learning_rate": float("nan")}, "learning_rate nan"),
        ({"test_split": 0.0}, r"test_split 0\.0"),
        ({"test_split": 0.5, "validation_split": 0.5}, "less than 1 together"),
        ({"seed": -1}, "seed -1"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(settings, words):
    with pytest.raises(InputError, match=words):
        Options(**settings)


def test_too_few_rows_and_too_rare_classes_are_refused():
    with pytest.raises(InputError, match="4 rows, to be split into"):
        train(pl.DataFrame({"x": [1, 2, 3, 4], "y": [0.5, 1, 2, 3]}), "y", Options(test_split=0.05))
    labels = ["a", "b"] * 20
    labels[-1] = "rare"
    with pytest.raises(InputError, match="'rare' is in none of the training rows"):
        train(pl.DataFrame({"x": range(40), "y": labels}), "y", Options(time_ordered=True))


def test_an_unknown_time_column_is_refused():
    with pytest.raises(InputError, match="time column 'tim'"):
        train(wave(), "y", Options(time_column="tim"))


def test_an_interruption_before_the_first_epoch_is_not_judged(monkeypatch):
    class Interrupted(jobs.Sequential):
        def fit(self, *arguments, **settings):
            return jobs.History(interrupted=True)

    monkeypatch.setattr(jobs, "Sequential", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(wave(), "y", FAST)


# --- predict


def test_a_saved_model_predicts_what_it_predicted_in_training(tmp_path):
    frame = cancer()
    training = train(frame, "diagnosis", FAST)
    training.model.save(tmp_path / "m.safetensors")
    frame.select(reversed(frame.columns)).write_csv(tmp_path / "t.csv")
    prediction = predict(tmp_path / "m.safetensors", tmp_path / "t.csv")
    np.testing.assert_allclose(prediction.probabilities[training.rows[2]], training.probabilities, atol=1e-6)
    assert set(prediction.values.tolist()) == {"benign", "malignant"}
    assert prediction.scores["accuracy"] > 0.93
    assert prediction.remarks == ()


def test_the_target_may_be_absent_and_other_columns_present():
    training = train(wave(), "y", FAST)
    table = wave().drop("y").with_columns(other=pl.lit(1))
    prediction = predict(training.model, table)
    np.testing.assert_allclose(prediction.values[training.rows[2]], training.predicted, rtol=1e-5)
    assert (prediction.scores, prediction.actual) == (None, None)
    assert prediction.remarks == ("columns not used: other",)


def test_a_target_that_cannot_be_scored_is_a_remark():
    training = train(wave(), "y", FAST)
    prediction = predict(training.model, wave(5).with_columns(y=pl.lit(None, dtype=pl.Float64)))
    assert prediction.scores is None
    assert prediction.remarks == ("not scored: missing values in 'y' (5, first in row 1).",)


def test_a_model_without_a_table_is_refused(tmp_path):
    model = train(wave(), "y", FAST).model
    model.preprocessing = None
    with pytest.raises(FileError, match="saved by `hillwalker train`"):
        predict(model, wave())
    with pytest.raises((FileError, StateError)):
        predict(tmp_path / "absent.safetensors", wave())
