"""Every loss: value, derivative by central differences, golden numbers, extremes, names, files."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from hillwalker import losses
from hillwalker.errors import InputError, InputTypeError
from hillwalker.losses import (
    QLIKE,
    AsymmetricSquaredError,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    CustomLoss,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    Loss,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Pinball,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)

REAL = ([[1.5, -0.5, 2.0], [0.25, 3.0, -1.0]], [[1.0, 0.75, 2.5], [2.0, 2.5, -0.5]])
COUNTS = ([[2.0, 0.0, 3.0], [1.0, 1.0, 4.0]], [[1.5, 0.5, 2.0], [0.75, 2.0, 3.0]])
POSITIVE = ([[2.0, 0.1, 3.0], [1.0, 1.0, 4.0]], COUNTS[1])
ONE_HOT = ([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], [[0.7, 0.2, 0.3], [0.1, 0.3, 0.4]])
LABELS = ([[0.0], [2.0]], ONE_HOT[1])
LOGITS = (ONE_HOT[0], REAL[1])
LABEL_LOGITS = (LABELS[0], REAL[1])
WEIGHTS = np.array([0.5, 2.0])

# Loss and derivative with WEIGHTS, computed once with Keras 3.15 (JAX backend, float64, jax.value_and_grad).
GOLDEN = [
    (
        MeanSquaredError(),
        REAL,
        1.359375000,
        [[-0.083333333, 0.208333333, 0.083333333], [1.166666667, -0.333333333, 0.333333333]],
    ),
    (
        MeanAbsoluteError(),
        REAL,
        1.104166667,
        [[-0.083333333, 0.083333333, 0.083333333], [0.333333333, -0.333333333, 0.333333333]],
    ),
    (
        MeanAbsolutePercentageError(),
        REAL,
        281.250000000,
        [[-5.555555556, 16.666666667, 4.166666667], [133.333333333, -11.111111111, 33.333333333]],
    ),
    (
        MeanSquaredLogarithmicError(),
        COUNTS,
        0.100708877,
        [[-0.01215477, 0.045051668, -0.015982337], [-0.050869102, 0.090103357, -0.037190592]],
    ),
    (Huber(delta=0.6), REAL, 0.441666667, [[-0.041666667, 0.05, 0.041666667], [0.2, -0.166666667, 0.166666667]]),
    (
        LogCosh(),
        REAL,
        0.515275048,
        [[-0.038509763, 0.070690303, 0.038509763], [0.313791846, -0.154039052, 0.154039052]],
    ),
    (
        CosineSimilarity(),
        REAL,
        -1.041814130,
        [[-0.025118942, 0.038169565, -0.001403293], [0.133189797, -0.094970116, 0.057908608]],
    ),
    (
        Poisson(),
        COUNTS,
        0.409164137,
        [[-0.02777777, 0.083333333, -0.04166666], [-0.111111052, 0.166666675, -0.111111096]],
    ),
    (KLDivergence(), ONE_HOT, 1.005455859, [[-0.357142857, -1.25e-07, -8.3e-08], [-1e-06, -3.33e-07, -2.5]]),
    (
        BinaryCrossentropy(),
        ONE_HOT,
        0.537483184,
        [[-0.119047619, 0.104166667, 0.119047619], [0.37037037, 0.476190476, -0.833333333]],
    ),
    (
        BinaryCrossentropy(from_logits=True, label_smoothing=0.1),
        LOGITS,
        2.136341779,
        [[-0.018245118, 0.052431558, 0.072845152], [0.276932359, 0.291380607, -0.190819777]],
    ),
    (CategoricalCrossentropy(), ONE_HOT, 0.827896306, [[-0.148809524, 0.208333333, 0.208333333], [1.25, 1.25, -1.25]]),
    (
        CategoricalCrossentropy(label_smoothing=0.1),
        ONE_HOT,
        0.901196027,
        [[-0.125, 0.166666667, 0.180555556], [0.916666667, 1.138888889, -1.083333333]],
    ),
    (
        CategoricalCrossentropy(from_logits=True),
        LOGITS,
        3.963161511,
        [[-0.210067023, 0.031099834, 0.178967188], [0.366192216, 0.603748896, -0.969941112]],
    ),
    (
        SparseCategoricalCrossentropy(),
        LABELS,
        0.827896306,
        [[-0.148809524, 0.208333333, 0.208333333], [1.25, 1.25, -1.25]],
    ),
    (
        SparseCategoricalCrossentropy(from_logits=True),
        LABEL_LOGITS,
        3.963161511,
        [[-0.210067023, 0.031099834, 0.178967188], [0.366192216, 0.603748896, -0.969941112]],
    ),
    (
        Hinge(),
        LOGITS,
        3.104166667,
        [[-0.041666667, 0.083333333, 0.083333333], [0.333333333, 0.333333333, -0.333333333]],
    ),
    (SquaredHinge(), LOGITS, 9.109375000, [[-0.0, 0.291666667, 0.583333333], [2.0, 2.333333333, -1.0]]),
    (CategoricalHinge(), LOGITS, 4.625000000, [[-0.25, 0.0, 0.25], [0.0, 1.0, -1.0]]),
]
OURS = [
    (Pinball(quantile=0.9), REAL),
    (AsymmetricSquaredError(3.0, 0.5), REAL),
    (QLIKE(), POSITIVE),
    (QLIKE(from_log=True), (POSITIVE[0], REAL[1])),
    (CustomLoss(lambda y, p: np.mean(np.abs(y - p) ** 1.5, axis=-1), name="power"), REAL),
    (CustomLoss(lambda y, p: np.where(y > p, 3.0, 1.0) * np.square(y - p), name="asymmetric"), REAL),
]
ALL = [(loss, data) for loss, data, _, _ in GOLDEN] + OURS
IDS = [repr(loss) for loss, _ in ALL]
BUILT_IN = [loss for loss, _ in ALL if not isinstance(loss, CustomLoss)]


def arrays(data: tuple[list[list[float]], list[list[float]]], dtype: str = "float64") -> tuple[np.ndarray, np.ndarray]:
    return np.array(data[0], dtype), np.array(data[1], dtype)


@pytest.mark.parametrize(("loss", "data", "value", "derivative"), GOLDEN, ids=[repr(case[0]) for case in GOLDEN])
def test_golden_numbers_from_keras(loss: Loss, data: tuple, value: float, derivative: list) -> None:
    y, p = arrays(data)
    assert loss(y, p, WEIGHTS) == pytest.approx(value, rel=1e-8)
    np.testing.assert_allclose(loss.batch(y, p, WEIGHTS)[1], derivative, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("loss", "data"), ALL, ids=IDS)
def test_derivative_agrees_with_central_differences(loss: Loss, data: tuple) -> None:
    y, p = arrays(data)
    derivative, step = loss.derivative(y, p), 1e-6
    for row, column in np.ndindex(p.shape):
        right, left = p.copy(), p.copy()
        right[row, column] += step
        left[row, column] -= step
        numeric = (loss.values(y, right) - loss.values(y, left)) / (2 * step)
        assert derivative[row, column] == pytest.approx(numeric[row], rel=1e-6, abs=1e-6)
        assert np.delete(numeric, row).tolist() == [0.0]  # a row's loss is its own


@pytest.mark.parametrize(("loss", "data"), ALL, ids=IDS)
def test_a_batch_is_the_weighted_sum_over_the_number_of_rows(loss: Loss, data: tuple) -> None:
    y, p = arrays(data)
    value, derivative = loss.batch(y, p, WEIGHTS)
    assert value == pytest.approx(np.sum(WEIGHTS * loss.values(y, p)) / 2)
    np.testing.assert_allclose(derivative, WEIGHTS[:, None] * loss.derivative(y, p) / 2)
    plain, plain_derivative = loss.batch(y, p)
    assert plain == pytest.approx(np.mean(loss.values(y, p)))
    np.testing.assert_allclose(plain_derivative, loss.derivative(y, p) / 2)


@pytest.mark.parametrize(("loss", "data"), ALL, ids=IDS)
def test_single_precision_stays_single(loss: Loss, data: tuple) -> None:
    y, p = arrays(data, "float32")
    derivative = loss.batch(y, p, WEIGHTS.astype("float32"))[1]
    assert derivative.dtype == np.float32
    assert derivative.shape == p.shape
    np.testing.assert_allclose(loss.values(y, p), loss.values(*arrays(data)), rtol=1e-5)


@pytest.mark.parametrize(("loss", "data"), ALL, ids=IDS)
def test_nan_stays_nan(loss: Loss, data: tuple) -> None:
    y, p = arrays(data)
    p[1, 0] = np.nan
    value, derivative = loss.batch(y, p)
    assert math.isnan(value)
    assert np.isnan(derivative[1]).any()
    assert np.isfinite(derivative[0]).all()


STABLE = [MeanSquaredError, MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredLogarithmicError, Huber, LogCosh]
STABLE += [CosineSimilarity, KLDivergence, BinaryCrossentropy, Hinge, SquaredHinge, CategoricalHinge, Pinball]
FROM_LOGITS = [BinaryCrossentropy(True), CategoricalCrossentropy(True), SparseCategoricalCrossentropy(True)]


@pytest.mark.parametrize("loss", [one() for one in STABLE] + FROM_LOGITS, ids=repr)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nothing_overflows_at_ten_thousand(loss: Loss, dtype: str) -> None:
    y = np.array([[0.0, 1.0], [1.0, 0.0]], dtype)[:, : loss.target_columns(2)]
    p = np.array([[1e4, -1e4], [-1e4, 1e4]], dtype)
    value, derivative = loss.batch(y, p)
    assert math.isfinite(value)
    assert np.isfinite(derivative).all()


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_a_sum_is_not_divided(reduction: str) -> None:
    y, p = arrays(LOGITS)
    rows = {"sum": 2, "mean": 1}[reduction]
    for mean, total in (
        (MeanSquaredError(), MeanSquaredError(reduction)),
        (CategoricalHinge(), CategoricalHinge(reduction)),
        (CustomLoss(weighted_squares), CustomLoss(weighted_squares, reduction=reduction)),
    ):
        assert total.batch(y, p, WEIGHTS)[0] == pytest.approx(rows * mean.batch(y, p, WEIGHTS)[0])
        np.testing.assert_allclose(total.batch(y, p, WEIGHTS)[1], rows * mean.batch(y, p, WEIGHTS)[1])


def weighted_squares(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    return np.sum(np.square(y - p) * [1.0, 2.0, 3.0], axis=-1)


def test_clipping_kills_the_derivative_outside_as_in_keras() -> None:
    y = np.array([[1.0, 0.0, 1.0]])
    p = np.array([[-0.5, 1.5, 0.5]])
    loss = BinaryCrossentropy()
    assert loss.derivative(y, p).tolist() == [[0.0, 0.0, pytest.approx(-2 / 3)]]
    assert loss.values(y, p)[0] == pytest.approx((-2 * math.log(1e-7) + math.log(2)) / 3)
    assert KLDivergence().derivative(y, p)[0, :2].tolist() == [0.0, 0.0]
    assert MeanSquaredLogarithmicError().derivative(y, p)[0, 0] == 0.0


def test_probabilities_are_divided_by_their_sum_first() -> None:
    y, p = np.array([[0.0, 1.0]]), np.array([[1.0, 3.0]])
    loss = CategoricalCrossentropy()
    assert loss(y, p) == pytest.approx(-math.log(0.75))
    # d/dp of ln(p0 + p1) - ln p1 is [1/4, 1/4 - 1/3]
    np.testing.assert_allclose(loss.derivative(y, p), [[0.25, 0.25 - 1 / 3]])


def test_hinge_converts_labels_only_if_the_whole_batch_is_zero_or_one() -> None:
    p = np.array([[0.5], [0.5]])
    assert Hinge().values(np.array([[0.0], [1.0]]), p).tolist() == [1.5, 0.5]
    assert Hinge().values(np.array([[0.0], [-1.0]]), p).tolist() == [1.0, 1.5]


def test_derivatives_at_kinks() -> None:
    one, zero = np.array([[1.0]]), np.array([[0.0]])
    assert MeanAbsoluteError().derivative(one, one).item() == 0.0
    assert Hinge().derivative(one, one).item() == -0.5
    assert Pinball(0.9).derivative(one, one).item() == pytest.approx(-0.4)
    assert CosineSimilarity().derivative(np.array([[1.0, 2.0]]), np.zeros((1, 2))).tolist() == [[0.0, 0.0]]
    # labels: class 0; the other two tie for the largest and share the derivative
    hinge = CategoricalHinge().derivative(np.array([[1.0, 0.0, 0.0]]), np.array([[0.0, 2.0, 2.0]]))
    assert hinge.tolist() == [[-1.0, 0.5, 0.5]]
    assert Huber(2.0).derivative(zero, 2.0 * one).item() == 2.0


def test_business_losses_by_hand() -> None:
    y, p = np.array([[4.0], [4.0]]), np.array([[2.0], [5.0]])
    assert Pinball(0.75).values(y, p).tolist() == [1.5, 0.25]
    assert AsymmetricSquaredError(3.0, 0.5).values(y, p).tolist() == [12.0, 0.5]
    assert QLIKE().values(y, p)[0] == pytest.approx(2.0 - math.log(2.0) - 1.0)
    assert QLIKE(from_log=True).values(y, np.log(p)) == pytest.approx(QLIKE().values(y, p))


def test_pinball_is_least_at_the_quantile() -> None:
    y = np.arange(101.0)[:, None]
    means = [Pinball(0.9)(y, np.full_like(y, level)) for level in range(101)]
    assert int(np.argmin(means)) == 90


@pytest.mark.parametrize(("loss", "data"), ALL[: len(BUILT_IN)], ids=IDS[: len(BUILT_IN)])
def test_class_and_function_are_one(loss: Loss, data: tuple) -> None:
    function = getattr(losses, loss.kind)
    parameters = {name: getattr(loss, name) for name in loss.parameters}
    np.testing.assert_array_equal(function(*data, **parameters), loss.values(*arrays(data)))
    assert function.__name__ == loss.kind
    assert "Return the loss of each row" in function.__doc__
    assert type(losses.get(function)) is type(losses.get(loss.kind)) is type(losses.get(type(loss))) is type(loss)


@pytest.mark.parametrize("loss", BUILT_IN, ids=repr)
def test_a_file_gives_the_same_loss_back(loss: Loss) -> None:
    restored = losses.deserialize(json.loads(json.dumps(losses.serialize(loss))))
    assert type(restored) is type(loss)
    assert restored.core == loss.core
    assert restored.get_config() == loss.get_config() == type(loss).from_config(loss.get_config()).get_config()


def test_what_the_core_is_told() -> None:
    assert losses.get("mse").core == ("mean_squared_error", ())
    assert BinaryCrossentropy(True, 0.1).core == ("binary_crossentropy", (1.0, 0.1))
    assert CategoricalCrossentropy(label_smoothing=0.2).core == ("categorical_crossentropy", (0.0, 0.2))
    assert SparseCategoricalCrossentropy(from_logits=True).core == ("sparse_categorical_crossentropy", (1.0,))
    assert AsymmetricSquaredError().core == ("asymmetric_squared_error", (2.0, 1.0))
    assert losses.get("quantile").core == ("pinball", (0.5,))
    assert CustomLoss(lambda y, p: p).core is None
    assert SparseCategoricalCrossentropy().target_columns(7) == 1
    assert MeanSquaredError().target_columns(7) == 7


ALIASES = {
    MeanSquaredError: "mse MSE MeanSquaredError",
    MeanAbsoluteError: "mae MAE",
    MeanAbsolutePercentageError: "mape MAPE",
    MeanSquaredLogarithmicError: "msle MSLE",
    BinaryCrossentropy: "bce BCE",
    KLDivergence: "kld KLD kullback_leibler_divergence",
    LogCosh: "logcosh log_cosh LogCosh",
}


@pytest.mark.parametrize("loss", ALIASES)
def test_aliases(loss: type[Loss]) -> None:
    assert {type(losses.get(alias)) for alias in ALIASES[loss].split()} == {loss}


def test_unknown_names_and_bad_arguments_are_refused() -> None:
    with pytest.raises(InputError, match=r"Try: model.compile\(loss='mean_squared_error'\)"):
        losses.get("mean_square_error")
    with pytest.raises(InputError, match=r"Try: model.compile\(loss='\w*crossentropy'\)"):
        losses.get("crossentropy")
    with pytest.raises(InputTypeError, match="a name, or a function"):
        losses.get(None)
    with pytest.raises(InputError, match="from 0 to 1"):
        Pinball(quantile=90)
    with pytest.raises(InputError, match="reduction=None"):
        MeanSquaredError(reduction=None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="axis=0"):
        CategoricalCrossentropy(axis=0)
    with pytest.raises(InputError, match="ignore_class"):
        SparseCategoricalCrossentropy(ignore_class=-1)
    with pytest.raises(InputError, match="its arguments"):
        losses.deserialize({"class_name": "Huber", "config": {"beta": 1.0}})
    with pytest.raises(InputError, match="loss class"):
        losses.deserialize({"class_name": "os.system", "config": {}})


def test_a_column_and_a_vector_are_never_broadcast() -> None:
    y, p = np.array([1.0, 2.0, 3.0]), np.array([[1.0], [2.0], [5.0]])
    for true, pred in ((y, p), (y[:, None], p), (y, p[:, 0]), (y[:, None], p[:, 0])):
        assert MeanSquaredError()(true, pred) == pytest.approx(4 / 3)
    assert losses.mse(y, p).tolist() == [0.0, 0.0, 4.0]
    assert losses.mse(y, p[:, 0]).shape == ()  # one row, as in Keras


@pytest.mark.parametrize(
    ("y", "p"),
    [
        ((3,), (3, 2)),
        ((2, 3), (3, 2)),
        ((3, 1), (3, 2)),
        ((1, 3), (3, 1)),
        ((3,), (4,)),
        ((0, 1), (0, 1)),
        ((2, 1, 1), (2, 1, 1)),
    ],
)
def test_shapes_that_differ_are_refused_with_both(y: tuple, p: tuple) -> None:
    with pytest.raises(InputError) as caught:
        losses.mse(np.ones(y), np.ones(p))
    assert f"y_true of shape {y} and y_pred of shape {p}" in str(caught.value)


def test_weights_of_another_length_are_refused() -> None:
    with pytest.raises(InputError, match=r"sample_weight of shape \(3,\)"):
        MeanSquaredError()(*REAL, [1.0, 2.0, 3.0])


@pytest.mark.parametrize("labels", [[0, 3], [-1, 0], [0.5, 1], [np.nan, 1]])
def test_labels_outside_the_outputs_are_refused(labels: list) -> None:
    with pytest.raises(InputError, match="whole numbers from 0 to 2, for 3 outputs"):
        losses.sparse_categorical_crossentropy(np.array(labels), np.array(ONE_HOT[1]))


def test_text_is_refused() -> None:
    with pytest.raises(InputTypeError, match="y_true of"):
        losses.mse([["a"]], [[1.0]])


def root_mean_squared(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    return np.sqrt(np.mean(np.square(y_true - y_pred)))


def test_a_loss_of_ones_own_may_return_one_number() -> None:
    y, p = arrays(REAL)
    loss = losses.get(root_mean_squared)
    value, derivative = loss.batch(y, p)
    assert value == loss(y, p) == root_mean_squared(y, p)
    np.testing.assert_allclose(derivative, (p - y) / (p.size * value))
    np.testing.assert_allclose(loss.derivative(y, p), derivative * 2)
    assert loss.check(y, p) < 1e-6  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="one number for the whole batch"):
        loss.batch(y, p, WEIGHTS)


def test_a_loss_of_ones_own_may_look_at_other_rows() -> None:
    y, p = arrays(REAL)
    loss = CustomLoss(lambda y, p: np.square(y - p + np.mean(p)))
    value, derivative = loss.batch(y, p, WEIGHTS)
    step, right, left = 1e-6, p.copy(), p.copy()
    right[0, 1] += step
    left[0, 1] -= step
    assert derivative[0, 1] == pytest.approx((loss(y, right, WEIGHTS) - loss(y, left, WEIGHTS)) / (2 * step), rel=1e-7)
    assert value == pytest.approx(np.mean(np.square(y - p + np.mean(p)) * WEIGHTS[:, None]))


def test_a_loss_of_ones_own_with_another_shape_is_refused() -> None:
    for function in (lambda y, p: np.mean(p, axis=0), lambda y, p: p[None], lambda y, p: p > 0):
        with pytest.raises(InputError, match=r"for y_pred of shape \(2, 3\)"):
            CustomLoss(function).check(*arrays(REAL))


def test_a_loss_of_ones_own_that_cannot_be_differentiated_is_refused() -> None:
    with pytest.raises(InputError, match=r"calls np\.average"):
        losses.get(lambda y, p: np.average(np.square(y - p))).check(*arrays(REAL))  # type: ignore[attr-defined]


def test_a_loss_of_ones_own_is_asked_for_when_a_file_is_loaded() -> None:
    config = json.loads(json.dumps(losses.serialize(root_mean_squared)))
    with pytest.raises(InputError, match=r"custom_objects=\{'root_mean_squared': your_function\}"):
        losses.deserialize(config)
    restored = losses.deserialize(config, {"root_mean_squared": root_mean_squared})
    assert restored.name == "root_mean_squared"
    assert restored(*REAL) == root_mean_squared(*arrays(REAL))
    assert losses.get("mine", {"mine": root_mean_squared}).name == "root_mean_squared"
