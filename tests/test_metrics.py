"""Metrics: against Keras and scikit-learn, batch by batch, names, states, bad input."""

import json
import warnings

import numpy as np
import pytest
import sklearn.metrics

from hillwalker import losses, metrics
from hillwalker.errors import HillwalkerWarning, InputError, InputTypeError

I = np.arange(40)  # noqa: E741  # the row number
WEIGHT = (I % 3 + 1).astype("float32") / 2
BINARY = (I * 7 % 5 < 2).astype("float32")[:, None], (I * 37 % 101 / 101).astype("float32")[:, None]
_RAW = np.exp(np.stack([np.sin(I * 1.0), np.cos(I * 2.0), np.sin(I * 3.0 + 1)], axis=1))
CLASSES = np.eye(3, dtype="float32")[I * 2 % 3], (_RAW / _RAW.sum(axis=1, keepdims=True)).astype("float32")
DATA = {"binary": BINARY, "classes": CLASSES}

# From Keras 3.15 (JAX backend, float32): the data above in batches of 16, 16 and 8 rows, weights included.
GOLDEN = [
    ("AUC", {}, "binary", 0.6190159),
    ("AUC", {"curve": "PR"}, "binary", 0.5545937),
    ("AUC", {"curve": "PR", "summation_method": "minoring", "num_thresholds": 11}, "binary", 0.4019219),
    ("Precision", {}, "binary", 0.4390244),
    ("Recall", {"thresholds": 0.3}, "binary", 0.78125),
    ("FalsePositives", {}, "binary", 11.5),
    ("BinaryAccuracy", {}, "binary", 0.5316456),
    ("BinaryCrossentropy", {"label_smoothing": 0.1}, "binary", 0.9747291),
    ("F1Score", {"average": "macro", "threshold": 0.4}, "binary", 0.5432098),
    ("R2Score", {}, "binary", -0.1620886),
    ("RootMeanSquaredError", {}, "binary", 0.5291959),
    ("CategoricalAccuracy", {}, "classes", 0.2151899),
    ("TopKCategoricalAccuracy", {"k": 2}, "classes", 0.6708861),
    ("FBetaScore", {"average": "weighted", "beta": 2.0}, "classes", 0.2142401),
    ("AUC", {"multi_label": True}, "classes", 0.3930351),
    ("Precision", {"top_k": 2, "class_id": 1}, "classes", 0.46875),
    ("CosineSimilarity", {}, "classes", 0.4183934),
]


def in_batches(metric, y_true, y_pred, weight=None, size=16):
    for start in range(0, len(y_true), size):
        rows = slice(start, start + size)
        metric.update_state(y_true[rows], y_pred[rows], None if weight is None else weight[rows])
    return metric.result()


@pytest.mark.parametrize(("name", "arguments", "data", "expected"), GOLDEN)
def test_weighted_batches_agree_with_keras(name, arguments, data, expected):
    metric = getattr(metrics, name)(**arguments)
    assert in_batches(metric, *DATA[data], WEIGHT) == pytest.approx(expected, rel=3e-6)


@pytest.mark.parametrize(("name", "arguments", "data", "_expected"), GOLDEN)
def test_batches_do_not_matter_and_a_state_can_be_taken_up(name, arguments, data, _expected):
    y_true, y_pred = DATA[data]
    whole, first, second = (getattr(metrics, name)(**arguments) for _ in range(3))
    whole.update_state(y_true, y_pred)
    in_batches(first, y_true[:24], y_pred[:24])
    second.update_state(y_true[:3], y_pred[:3])  # overwritten by set_state
    second.set_state(first.get_state())
    in_batches(second, y_true[24:], y_pred[24:])
    assert second.result() == pytest.approx(whole.result(), rel=1e-6)
    second.reset_state()
    second.update_state(y_true, y_pred)
    assert second.result() == pytest.approx(whole.result(), rel=1e-12)


@pytest.mark.parametrize(("name", "arguments", "data", "_expected"), GOLDEN)
def test_a_config_builds_the_same_metric_again(name, arguments, data, _expected):
    metric = getattr(metrics, name)(**arguments)
    again = metrics.get(json.loads(json.dumps(metrics.serialize(metric))))
    assert type(again) is type(metric)
    assert again.name == metric.name
    assert again(*DATA[data]) == metric(*DATA[data])


def test_against_scikit_learn():
    (y, p), flat = BINARY, (BINARY[0].ravel(), BINARY[1].ravel())
    called = flat[1] > 0.5
    assert metrics.AUC(num_thresholds=5000)(y, p) == pytest.approx(sklearn.metrics.roc_auc_score(*flat), abs=1e-9)
    assert metrics.Precision()(y, p) == pytest.approx(sklearn.metrics.precision_score(flat[0], called))
    assert metrics.Recall()(y, p) == pytest.approx(sklearn.metrics.recall_score(flat[0], called))
    assert metrics.F1Score(threshold=0.5)(y, p) == pytest.approx(sklearn.metrics.f1_score(flat[0], called), rel=1e-6)
    assert metrics.R2Score()(y, p, WEIGHT) == pytest.approx(
        sklearn.metrics.r2_score(*flat, sample_weight=WEIGHT), rel=1e-6
    )
    counts = [kind()(y, p) for kind in (metrics.TrueNegatives, metrics.FalsePositives, metrics.FalseNegatives)]
    matrix = sklearn.metrics.confusion_matrix(flat[0], called).ravel().tolist()
    assert [*counts, metrics.TruePositives()(y, p)] == matrix


@pytest.mark.parametrize("thresholds", [[0.2, 0.5, 0.9], [0.9, 0.1], [0.0, 0.5, 1.0]])
def test_several_thresholds_give_an_array_in_their_order(thresholds):
    precision = metrics.Precision(thresholds)(*BINARY)
    np.testing.assert_allclose(precision, [metrics.Precision(one)(*BINARY) for one in thresholds])


def test_classes_given_as_numbers_and_as_columns_score_the_same():
    hot, p = CLASSES
    labels = hot.argmax(axis=1)
    assert metrics.SparseCategoricalAccuracy()(labels, p) == metrics.CategoricalAccuracy()(hot, p)
    assert metrics.SparseTopKCategoricalAccuracy(2)(labels, p) == metrics.TopKCategoricalAccuracy(2)(hot, p)
    sparse = metrics.SparseCategoricalCrossentropy()(labels[:, None], p)
    assert sparse == pytest.approx(metrics.CategoricalCrossentropy()(hot, p), rel=1e-6)


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("MeanSquaredError", losses.MeanSquaredError()),
        ("MeanAbsoluteError", losses.MeanAbsoluteError()),
        ("MeanAbsolutePercentageError", losses.MeanAbsolutePercentageError()),
        ("MeanSquaredLogarithmicError", losses.MeanSquaredLogarithmicError()),
        ("LogCoshError", losses.LogCosh()),
        ("KLDivergence", losses.KLDivergence()),
        ("Poisson", losses.Poisson()),
        ("Hinge", losses.Hinge()),
        ("SquaredHinge", losses.SquaredHinge()),
        ("CategoricalHinge", losses.CategoricalHinge()),
        ("BinaryCrossentropy", losses.BinaryCrossentropy()),
        ("CategoricalCrossentropy", losses.CategoricalCrossentropy()),
    ],
)
def test_a_loss_as_a_metric_is_its_mean_over_rows(name, loss):
    assert getattr(metrics, name)()(*CLASSES) == pytest.approx(loss(*CLASSES), rel=1e-6)


def test_columns_and_vectors_are_never_broadcast():
    flat = np.arange(5.0)
    assert metrics.MeanSquaredError()(flat, flat[:, None] + 1.0) == 1.0
    assert metrics.MeanSquaredError()(flat[:, None], flat + 1.0) == 1.0
    assert metrics.R2Score()(flat, flat[:, None]) == 1.0
    for y_true, y_pred in [(flat, np.ones((5, 3))), (np.ones((5, 3)), flat), (flat, flat[:4])]:
        for metric in (metrics.MeanSquaredError(), metrics.AUC(), metrics.BinaryAccuracy(), metrics.R2Score()):
            with pytest.raises(InputError, match="y_true of shape"):
                metric.update_state(y_true, y_pred)
            assert metric.result() == 0.0


@pytest.mark.parametrize(
    ("targets", "outputs", "accuracy", "crossentropy"),
    [
        (1, 1, "BinaryAccuracy", "BinaryCrossentropy"),
        (1, 3, "SparseCategoricalAccuracy", "SparseCategoricalCrossentropy"),
        (3, 3, "CategoricalAccuracy", "CategoricalCrossentropy"),
    ],
)
def test_accuracy_and_crossentropy_mean_what_fits_the_columns(targets, outputs, accuracy, crossentropy):
    for name, kind in [("accuracy", accuracy), ("acc", accuracy), ("crossentropy", crossentropy), ("ce", crossentropy)]:
        metric = metrics.get(name, targets, outputs)
        assert (type(metric).__name__, metric.name) == (kind, name)


# As real fits of Keras 3.15 named them in history.history.
@pytest.mark.parametrize(
    ("identifier", "name"),
    [
        ("mse", "mse"),
        ("MSE", "MSE"),
        ("mae", "mae"),
        ("auc", "auc"),
        ("AUC", "AUC"),
        ("RootMeanSquaredError", "RootMeanSquaredError"),
        ("Precision", "Precision"),
        (metrics.AUC(), "auc"),
        (metrics.AUC(name="area"), "area"),
        (metrics.LogCoshError(), "logcosh"),
        (metrics.R2Score, "r2_score"),
        (metrics.binary_accuracy, "binary_accuracy"),
        (metrics.mean_squared_error, "mean_squared_error"),
        (losses.MeanSquaredError(), "mean_squared_error"),
        (lambda y_true, y_pred: 0.0, "lambda"),
    ],
)
def test_names_in_the_history(identifier, name):
    assert metrics.get(identifier, 1, 1).name == name


@pytest.mark.parametrize("name", ["huber", "pinball", "asymmetric_squared_error", "qlike"])
def test_losses_that_keras_has_no_metric_for(name):
    y, p = np.array([[1.0], [2.0]]), np.array([[1.5], [1.0]])
    metric = metrics.get(name)
    assert metric(y, p) == pytest.approx(losses.get(name)(y, p))
    assert metrics.deserialize(metrics.serialize(metric))(y, p) == metric.result()


def test_a_function_of_ones_own_is_averaged_over_rows_or_batches():
    y, p = np.arange(5.0)[:, None], np.zeros((5, 1))
    by_row = metrics.get(lambda y_true, y_pred: np.abs(y_true - y_pred))
    by_batch = metrics.get(lambda y_true, y_pred: np.max(y_true - y_pred))
    assert by_row.per_batch
    assert in_batches(by_row, y, p, size=3) == 2.0
    assert in_batches(by_batch, y, p, size=3) == 3.0  # batches of 3 and 2 rows: (2 + 4) / 2
    by_row.reset_state()
    assert in_batches(by_row, y, p, np.array([0.0, 0.0, 0.0, 1.0, 3.0]), size=3) == 3.75
    with pytest.raises(InputError, match="one number a batch"):
        by_batch.update_state(y, p, np.ones(5))


@pytest.mark.parametrize("value", [np.zeros(3), "good", None, np.zeros((2, 5))])
def test_a_function_that_returns_something_else_is_refused(value):
    with pytest.raises(InputError, match="which returned"):
        metrics.get(lambda y_true, y_pred: value).update_state(np.zeros((5, 1)), np.zeros((5, 1)))


def test_a_function_is_saved_by_name_and_read_with_custom_objects():
    def worst(y_true, y_pred):
        return np.max(np.abs(y_true - y_pred))

    description = json.loads(json.dumps(metrics.serialize(metrics.get(worst))))
    with pytest.raises(InputError, match="custom_objects"):
        metrics.deserialize(description)
    assert metrics.deserialize(description, {"worst": worst})([1.0], [3.0]) == 2.0


def test_silent_mistakes_are_told():
    with pytest.warns(HillwalkerWarning, match=r"threshold=0.0"):
        metrics.get("accuracy", 1, 1, loss=losses.BinaryCrossentropy(from_logits=True))
    with pytest.warns(HillwalkerWarning, match="from_logits=True"):
        metrics.AUC()([0, 1], [-3.0, 2.0])
    with pytest.warns(HillwalkerWarning, match=r"F1Score\(threshold=0.5\)"):
        metrics.F1Score()([0, 1], [0.1, 0.9])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert metrics.AUC(from_logits=True)([0, 1], [-3.0, 2.0]) == 1.0


@pytest.mark.parametrize(
    "metric", [metrics.MeanSquaredError(), metrics.AUC(), metrics.R2Score(), metrics.Precision()], ids=lambda m: m.name
)
def test_nan_stays_nan(metric):
    assert np.isnan(metric([0.0, 1.0], [np.nan, 0.5]))


def test_a_state_of_another_metric_is_refused():
    with pytest.raises(InputError, match="total, count"):
        metrics.MeanSquaredError().set_state(metrics.AUC().get_state())


def test_bad_arguments_are_refused():
    with pytest.raises(InputError, match="accuracy"):
        metrics.get("acuracy", 1, 1)
    with pytest.raises(InputTypeError, match="metric"):
        metrics.get(3)
    with pytest.raises(InputError, match="ROC"):
        metrics.AUC(curve="RUC")
    with pytest.raises(InputError, match="num_thresholds"):
        metrics.AUC(num_thresholds=1)
    with pytest.raises(InputError, match="0 to 1"):
        metrics.Precision(thresholds=1.5)
    with pytest.raises(InputError, match="average"):
        metrics.F1Score(average="mean")
    with pytest.raises(InputError, match="k=5"):
        metrics.TopKCategoricalAccuracy()(*CLASSES)
    with pytest.raises(InputError, match="class_id"):
        metrics.Recall(class_id=3)(*CLASSES)
    with pytest.raises(InputError, match="sample_weight"):
        metrics.MeanSquaredError().update_state(*BINARY, np.ones(3))
    with pytest.raises(InputTypeError, match="numbers"):
        metrics.MeanSquaredError().update_state(["a"], [1.0])
