"""The best constant prediction: against closed forms, and against SciPy's minimisers for every loss."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

import hillwalker as hw
from hillwalker import losses
from hillwalker.choosing.constants import best_constant, constant_losses
from hillwalker.choosing.splits import folds

RANDOM = np.random.default_rng(0)
SKEWED = RANDOM.gamma(2.0, 3.0, size=(41, 1))  # an odd number: one median
LABELS = (RANDOM.random((60, 1)) < 0.3).astype(float)
CLASSES = RANDOM.choice(3, size=(60, 1), p=[0.6, 0.3, 0.1]).astype(float)
ONE_HOT = np.eye(3)[CLASSES[:, 0].astype(int)]
WEIGHTS = RANDOM.uniform(0.1, 2.0, size=41)


def constant(loss, y, outputs=1, activation="linear", weights=None):
    return best_constant(loss, y, weights, outputs, activation)


def value(loss, y, prediction, weights=None):
    return loss.batch(y, np.tile(np.asarray(prediction, float).reshape(1, -1), (len(y), 1)), weights)[0]


@pytest.mark.parametrize(
    ("loss", "closed_form"),
    [
        (losses.MeanSquaredError(), SKEWED.mean()),
        (losses.MeanAbsoluteError(), np.median(SKEWED)),
        (losses.Pinball(0.9), np.quantile(SKEWED, 0.9, method="inverted_cdf")),
        (losses.Poisson(), SKEWED.mean()),
        (losses.MeanSquaredLogarithmicError(), np.expm1(np.log1p(SKEWED).mean())),
        (losses.QLIKE(), SKEWED.mean()),
        (losses.QLIKE(from_log=True), np.log(SKEWED.mean())),
    ],
    ids=["mse", "mae", "pinball", "poisson", "msle", "qlike", "qlike of logarithms"],
)
def test_closed_forms(loss, closed_form):
    np.testing.assert_allclose(constant(loss, SKEWED), [closed_form], rtol=1e-5)


def test_small_variances_have_logarithms_far_outside_their_range():
    variances = 1e-4 * SKEWED
    np.testing.assert_allclose(constant(losses.QLIKE(from_log=True), variances), np.log(variances.mean()), rtol=1e-6)


def test_labels_of_0_and_1():
    share = LABELS.mean()
    assert constant(losses.BinaryCrossentropy(), LABELS, activation="sigmoid") == pytest.approx(share)
    logits = constant(losses.BinaryCrossentropy(from_logits=True), LABELS)
    assert logits == pytest.approx(np.log(share / (1 - share)))
    smoothed = constant(losses.BinaryCrossentropy(label_smoothing=0.2), LABELS, activation="sigmoid")
    assert smoothed == pytest.approx(0.8 * share + 0.1)
    assert constant(losses.Hinge(), LABELS) == pytest.approx(-1.0)  # most are 0, which the hinge reads as -1
    assert constant(losses.SquaredHinge(), 2 * LABELS - 1) == pytest.approx(2 * share - 1)
    assert constant(losses.get("mae"), LABELS, activation="sigmoid") == pytest.approx(0.0, abs=1e-12)  # not the share


def test_classes():
    shares = ONE_HOT.mean(axis=0)
    np.testing.assert_allclose(constant(losses.CategoricalCrossentropy(), ONE_HOT, 3, "softmax"), shares)
    np.testing.assert_allclose(constant(losses.SparseCategoricalCrossentropy(), CLASSES, 3, "softmax"), shares)
    np.testing.assert_allclose(constant(losses.KLDivergence(), ONE_HOT, 3, "softmax"), shares)
    logits = constant(losses.SparseCategoricalCrossentropy(from_logits=True), CLASSES, 3)
    np.testing.assert_allclose(np.exp(logits), shares)
    smoothed = constant(losses.CategoricalCrossentropy(label_smoothing=0.3), ONE_HOT, 3, "softmax")
    np.testing.assert_allclose(smoothed, 0.7 * shares + 0.1)
    np.testing.assert_allclose(constant(losses.get("mse"), ONE_HOT, 3, "softmax"), shares, atol=1e-6)


def test_columns_have_a_constant_each():
    y = np.column_stack([SKEWED[:, 0], -5 * SKEWED[:, 0]])
    np.testing.assert_allclose(constant(losses.get("mae"), y, 2), np.median(y, axis=0), rtol=1e-9)


@pytest.mark.parametrize(
    "loss",
    [losses.Huber(0.5), losses.LogCosh(), losses.MeanAbsolutePercentageError(), losses.AsymmetricSquaredError(3.0, 0.5),
     losses.Pinball(0.2), losses.get("mse"), losses.get("mae"), losses.Poisson()],
    ids=lambda loss: loss.name,
)  # fmt: skip
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["even", "weighted"])
def test_nothing_scipy_finds_is_better(loss, weights):
    found = value(loss, SKEWED, constant(loss, SKEWED, weights=weights), weights)
    bounds = (1e-6, 2 * SKEWED.max())
    best = optimize.minimize_scalar(lambda p: value(loss, SKEWED, p, weights), bounds=bounds, method="bounded")
    at_targets = min(value(loss, SKEWED, y, weights) for y in SKEWED[:, 0])  # where losses with kinks are least
    assert found <= min(best.fun, at_targets) + 1e-7
    assert found == pytest.approx(min(best.fun, at_targets), rel=1e-4)


def test_weights_are_those_of_the_rows():
    mean = float(np.average(SKEWED[:, 0], weights=WEIGHTS))
    assert constant(losses.get("mse"), SKEWED, weights=WEIGHTS) == pytest.approx(mean)
    rows = np.r_[np.arange(60), np.flatnonzero(CLASSES[:, 0] == 2)]
    doubled = np.where(CLASSES[:, 0] == 2, 2.0, 1.0)
    loss = losses.SparseCategoricalCrossentropy()
    np.testing.assert_allclose(
        constant(loss, CLASSES, 3, "softmax", doubled), constant(loss, CLASSES[rows], 3, "softmax")
    )


@pytest.mark.parametrize(
    ("loss", "y", "activation"),
    [
        (losses.get(lambda y, p: np.abs(y - p) ** 1.5), SKEWED, "linear"),
        (losses.CategoricalHinge(), ONE_HOT, "linear"),
        (losses.CosineSimilarity(), RANDOM.normal(1.0, 1.0, size=(30, 3)), "linear"),
        (losses.get(lambda y, p: np.mean((y - p) ** 4, axis=-1)), ONE_HOT, "softmax"),
        (losses.get("huber"), ONE_HOT, "softmax"),
        (losses.get(lambda y, p: np.mean((y - p) ** 4, axis=-1)), LABELS, "sigmoid"),
    ],
    ids=["own", "categorical hinge", "cosine", "own, softmax", "huber, softmax", "own, sigmoid"],
)
def test_descent_comes_as_low_as_scipy(loss, y, activation):
    outputs = y.shape[1]
    to_outputs = {"linear": lambda z: z, "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
                  "softmax": lambda z: np.exp(z - z.max()) / np.exp(z - z.max()).sum()}[activation]  # fmt: skip
    told = constant(loss, y, outputs, activation)
    tries = [
        optimize.minimize(lambda z: value(loss, y, to_outputs(z)), RANDOM.normal(size=outputs), method="Nelder-Mead",
                          options={"maxiter": 4000, "xatol": 1e-7, "fatol": 1e-10}).fun
        for _ in range(3)
    ]  # fmt: skip
    assert value(loss, y, told) <= min(tries) + 1e-4


@pytest.mark.parametrize(("activation", "low", "high"), [("relu", 0.0, np.inf), ("tanh", -1.0, 1.0)])
def test_a_constant_that_the_network_cannot_give_is_not_told(activation, low, high):
    y = np.array([[-4.0], [-3.0], [-2.0]])
    assert constant(losses.get("mse"), y, activation=activation) == max(-3.0, low)
    assert constant(losses.get("mse"), -y, activation=activation) == min(3.0, high)


def test_one_class_only():
    ones = np.ones((5, 1))
    assert constant(losses.BinaryCrossentropy(), ones, activation="sigmoid") == pytest.approx(1.0)
    assert value(losses.BinaryCrossentropy(from_logits=True), ones, constant(
        losses.BinaryCrossentropy(from_logits=True), ones)) < 1e-6  # fmt: skip


def test_losses_of_splits_by_hand():
    y = np.array([[0.0], [2.0], [4.0], [10.0]])
    first = np.array([0, 1]), np.array([2, 3])  # the constant 1: errors 3 and 9
    second = np.array([2, 3]), np.array([0, 1])  # the constant 7: errors 7 and 5
    told = constant_losses(losses.get("mse"), y, [first, second], None, 1, "linear")
    np.testing.assert_allclose(told, [45.0, 37.0])
    weights = np.array([1.0, 3.0, 1.0, 0.0])  # the constant 1.5: error 2.5, of two rows
    (told,) = constant_losses(losses.get("mse"), y, [first], None, 1, "linear", weights)
    assert told == pytest.approx(2.5**2 / 2)
    apart = np.array([[1.0], [5.0]]), np.array([1.0, 0.5])  # the constant 4
    (told,) = constant_losses(losses.get("mse"), y, None, apart, 1, "linear")
    assert told == pytest.approx((9 + 0.5) / 2)


def test_the_constant_is_what_a_network_of_a_bias_alone_learns():
    x, y = np.zeros((60, 2)), CLASSES[:, 0]
    model = hw.Sequential([hw.Input((2,)), hw.layers.Dense(3, activation="softmax")])
    model.compile(hw.optimizers.SGD(1.0), "sparse_categorical_crossentropy")
    ((training, held_out),) = folds(60, 2, 0)[:1]
    model.fit(x[training], y[training], batch_size=30, epochs=300, verbose=0)
    (told,) = constant_losses(model._edge.loss, CLASSES, [(training, held_out)], None, 3, "softmax")
    assert model.evaluate(x[held_out], y[held_out], verbose=0) == pytest.approx(told, rel=1e-4)
