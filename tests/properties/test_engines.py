"""What must hold of both engines for any network: gradients are slopes, products are products, plans do as they say.

tests/test_engine.py compares the engines case by case; here the judge is mathematics.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hillwalker import activations, engine, losses, plan, reference, regularizers
from hillwalker.layers import (
    ELU,
    Activation,
    BatchNormalization,
    Dense,
    Dropout,
    GaussianNoise,
    Layer,
    LeakyReLU,
    ReLU,
    Softmax,
)
from hillwalker.losses import (
    QLIKE,
    AsymmetricSquaredError,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Huber,
    Pinball,
    SparseCategoricalCrossentropy,
)
from hillwalker.optimizers import SGD, Adam, AdamW, Optimizer
from hillwalker.parameters import flat_vector

ACTIVATIONS = sorted(activations._NAMED)
PRECISIONS = ("float32", "float64")
KINDS = pytest.mark.parametrize("kind", [engine.Network, reference.Network], ids=["compiled", "reference"])


def make(
    kind: type[Any],
    layers: Sequence[Layer],
    inputs: int,
    loss: Any = "mse",
    optimizer: Optimizer | None = None,
    dtype: str = "float64",
    target_width: int | None = None,
) -> Any:
    """Return a network whose weights are the same whatever its kind."""
    rule = optimizer or SGD(0.05)
    drawn = plan.draw_up(layers, inputs, dtype)
    drawn = dataclasses.replace(drawn, loss=losses.get(loss), optimizer=rule, target_width=target_width)
    parameters, random = flat_vector(drawn.length, dtype), np.random.default_rng(1)
    for segment in drawn.segments:
        start, most = (1.0, 0.3) if segment.name.endswith(("gamma", "moving_variance")) else (0.0, segment.rows**-0.5)
        segment.view(parameters)[...] = start + most * random.uniform(-1.0, 1.0, size=segment.shape)
    slots = {name: flat_vector(drawn.length, dtype, rule.slot_initial_value(name)) for name in rule.slot_names}
    return kind(drawn, parameters, slots, 5)


def data(kind: str, rows: int, inputs: int, outputs: int) -> tuple[Any, Any, Any]:
    """Return x, targets of this kind, and weights."""
    random = np.random.default_rng(2)
    one_hot = np.eye(outputs)[random.integers(0, outputs, size=rows)]
    y = {
        "real": random.normal(size=(rows, outputs)),
        "positive": random.uniform(0.1, 3.0, size=(rows, outputs)),
        "binary": random.integers(0, 2, size=(rows, outputs)).astype(np.float64),
        "one_hot": one_hot,
        "labels": one_hot.argmax(axis=1)[:, np.newaxis].astype(np.float64),
    }[kind]
    return random.normal(size=(rows, inputs)), y, random.uniform(0.0, 2.0, size=rows)


# (loss, the output's activation, the targets)
LOSSES: list[tuple[Any, str | None, str]] = [
    ("mse", None, "real"),
    ("mae", None, "real"),
    ("mape", None, "positive"),
    ("msle", "softplus", "positive"),
    (Huber(0.5), None, "real"),
    ("log_cosh", None, "real"),
    ("cosine_similarity", None, "real"),
    ("poisson", "softplus", "positive"),
    ("binary_crossentropy", "sigmoid", "binary"),
    (BinaryCrossentropy(label_smoothing=0.1), "sigmoid", "binary"),
    (BinaryCrossentropy(from_logits=True, label_smoothing=0.1), None, "binary"),
    ("hinge", "tanh", "binary"),
    ("squared_hinge", None, "real"),
    ("categorical_crossentropy", "softmax", "one_hot"),
    ("categorical_crossentropy", "sigmoid", "one_hot"),
    (CategoricalCrossentropy(label_smoothing=0.1), "softmax", "one_hot"),
    (CategoricalCrossentropy(from_logits=True, label_smoothing=0.1, reduction="sum"), None, "one_hot"),
    ("sparse_categorical_crossentropy", "softmax", "labels"),
    (SparseCategoricalCrossentropy(from_logits=True), None, "labels"),
    ("kl_divergence", "softmax", "one_hot"),
    ("categorical_hinge", None, "one_hot"),
    (Pinball(0.9), None, "real"),
    (AsymmetricSquaredError(3.0, 0.5), None, "real"),
    (QLIKE(), "softplus", "positive"),
    (QLIKE(from_log=True), None, "positive"),
    (lambda y_true, y_pred: np.mean(np.abs(y_true - y_pred) ** 1.5, axis=-1), None, "real"),
]

STACKS: dict[str, Callable[[], list[Layer]]] = {
    "normalised": lambda: [
        Dense(5),
        BatchNormalization(),
        Activation("relu"),
        BatchNormalization(scale=False),
        Dense(2),
    ],
    "one column": lambda: [Dense(1, "tanh"), BatchNormalization(center=False), Dense(1), Dense(1)],
    "random": lambda: [Dense(5, "relu"), Dropout(0.4), Dense(4, "gelu"), GaussianNoise(0.2), Dense(2)],
    "activation layers": lambda: [
        Dense(5, use_bias=False),
        LeakyReLU(),
        ELU(0.7),
        Softmax(),
        Dense(2),
        ReLU(1, 0.1, 0.2),
    ],
    "frozen": lambda: [
        Dense(3, trainable=False),
        Dense(4, "tanh"),
        BatchNormalization(trainable=False),
        Dense(3, trainable=False),
        Dense(2),
    ],
    "penalised": lambda: [
        Dense(4, "tanh", kernel_regularizer="l2", bias_regularizer=regularizers.L1(0.02)),
        Dense(2, kernel_regularizer=regularizers.L1L2(0.01, 0.02)),
    ],
    "own activations": lambda: [Dense(4, lambda z: np.tanh(z) * z), Activation(lambda z: z**3), Dense(2)],
    "several widths": lambda: [Dense(20, "tanh"), Dense(3, "selu"), Dense(17), Dense(2)],
}


@KINDS
class TestTheGradientIsTheSlopeOfTheLoss:
    """By central differences in float64, for every trained number."""

    def check(self, kind: Any, layers: list[Layer], loss: Any, targets: str, weighted: bool) -> None:
        width = plan.draw_up(layers, 4, "float64").output_width
        x, y, weight = data(targets, 6, 4, width)
        network = make(kind, layers, 4, loss, target_width=y.shape[1])
        chosen = weight if weighted else None
        _, gradient = network.gradients(x, y, chosen)
        parameters = network.parameters
        places = np.arange(len(parameters))
        trained = np.concatenate([segment.view(places).ravel() for segment in network.plan.trained])
        for place in trained:
            kept, ends = parameters[place], []
            for step in (1e-6, -1e-6):
                parameters[place] = kept + step
                ends.append(network.gradients(x, y, chosen)[0])
            parameters[place] = kept
            assert gradient[place] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5, abs=2e-8)
        assert not np.delete(gradient, trained).any()

    @pytest.mark.parametrize("name", ACTIVATIONS)
    def test_activation(self, kind, name):
        self.check(kind, [Dense(3, name), Activation(name), Dense(2)], "mse", "real", False)

    @pytest.mark.parametrize("number", range(len(LOSSES)))
    def test_loss(self, kind, number):
        loss, activation, targets = LOSSES[number]
        self.check(kind, [Dense(2, "tanh"), Dense(3, activation)], loss, targets, True)

    @pytest.mark.parametrize("name", STACKS)
    def test_stack(self, kind, name):
        self.check(kind, STACKS[name](), "mse", "real", False)

    def test_weights_and_moving_statistics_stay(self, kind):
        network = make(kind, STACKS["normalised"](), 4)
        before = network.parameters.copy()
        x, y, _ = data("real", 6, 4, 2)
        network.gradients(x, y, None)
        np.testing.assert_array_equal(network.parameters, before)


@KINDS
class TestAStepDoesWhatThePlanSays:
    def test_what_is_frozen_does_not_move(self, kind):
        layers = STACKS["frozen"]()
        network = make(kind, layers, 4, optimizer=AdamW(0.1, weight_decay=0.5))
        before = network.parameters.copy()
        x, y, _ = data("real", 50, 4, 2)
        network.train(x, y, None, None, 16, np.full(4, 0.1), 0, None)
        moved = [s.name for s in network.plan.segments if (s.view(network.parameters) != s.view(before)).any()]
        assert moved == [f"{layers[number].name}/{part}" for number in (1, 4) for part in ("kernel", "bias")]

    @pytest.mark.parametrize("optimizer", [SGD(0.01, momentum=0.9, global_clipnorm=0.1), Adam(0.01, clipnorm=0.1)])
    def test_padding_stays_zero_whatever_the_widths(self, kind, optimizer):
        layers = [Dense(64, "exponential"), Dense(3, "selu"), Dense(17), Activation("exponential"), Dense(5), Dense(3)]
        network = make(kind, layers, 20, optimizer=optimizer)
        x, y, _ = data("real", 50, 20, 3)
        result = network.train(x, y, None, None, 16, np.full(4, 0.01), 0, None)
        assert result.finite
        padding = np.ones(network.plan.length, dtype=bool)
        for segment in network.plan.segments:
            padding[segment.view(np.arange(network.plan.length))] = False
        for vector in (network.parameters, *network.slots.values()):
            assert not vector[padding].any()

    def test_rows_may_repeat_in_an_order(self, kind):
        x, y, _ = data("real", 50, 4, 2)
        network, order = make(kind, [Dense(2)], 4), np.array([7, 7, 0, 49, 3], dtype=np.uint32)
        seen, wanted = np.empty((5, 2)), np.empty((50, 2))
        network.predict(x, wanted, 50)
        result = network.train(x, y, None, order, 2, np.zeros(3), 0, seen)
        np.testing.assert_allclose(seen, wanted[order], rtol=1e-13)
        assert result.loss_sum == pytest.approx(float(np.sum(np.square(wanted - y)[order]) / 2))

    def test_dropout_drops_its_share_and_noise_has_its_deviation(self, kind):
        x = np.ones((400, 50))
        for layer, share, deviation in ((Dropout(0.3), 0.3, np.sqrt(0.3 / 0.7)), (GaussianNoise(0.5), 0.0, 0.5)):
            network, seen = make(kind, [layer], 50), np.empty_like(x)
            network.train(x, x, None, None, 400, np.zeros(1), 0, seen)
            assert np.mean(seen == 0.0) == pytest.approx(share, abs=0.02)
            assert seen.mean() == pytest.approx(1.0, abs=0.02)
            assert seen.std() == pytest.approx(deviation, rel=0.02)

    def test_a_loss_of_ones_own_takes_targets_of_any_width(self, kind):
        x, y, _ = data("real", 30, 4, 3)
        network = make(kind, [Dense(1)], 4, lambda y, p: np.mean((y - p) ** 2, axis=-1), target_width=3)
        predicted = np.empty((30, 1))
        network.predict(x, predicted, 30)
        assert network.evaluate(x, y, None, 30, None) / 30 == pytest.approx(np.mean((y - predicted) ** 2))


@given(st.integers(1, 40), st.integers(1, 70), st.integers(1, 70), st.sampled_from(PRECISIONS), st.integers(0, 999))
@settings(max_examples=100)
def test_the_three_products_of_the_core(rows, inputs, outputs, dtype, seed):
    """x W + b, then dW = x' dz, and dx = dz W' as the gradient of a layer below that is an identity."""
    random = np.random.default_rng(seed)
    x, y = (random.normal(size=(rows, width)).astype(dtype) for width in (inputs, outputs))
    network = make(engine.Network, [Dense(inputs), Dense(outputs)], inputs, dtype=dtype)
    below, above = network.plan.layers
    below.segments["kernel"].view(network.parameters)[...] = np.eye(inputs)
    below.segments["bias"].view(network.parameters)[...] = 0.0
    W, b = (above.segments[name].view(network.parameters).astype(np.float64) for name in ("kernel", "bias"))
    wide, bound = x.astype(np.float64), 4 * (rows + inputs + outputs) * np.finfo(dtype).eps
    got = np.empty((rows, outputs), dtype)
    network.predict(x, got, rows)
    np.testing.assert_allclose(got, wide @ W + b, rtol=0, atol=bound * (np.abs(wide) @ np.abs(W) + 1).max())
    gradient = network.gradients(x, y, None)[1]
    dz = 2.0 * (got.astype(np.float64) - y) / (rows * outputs)
    for planned, a, d in ((above, wide, dz), (below, wide, dz @ W.T)):
        for name, wanted, size in (
            ("kernel", a.T @ d, np.abs(a).T @ np.abs(d)),
            ("bias", d.sum(axis=0), np.abs(d).sum(axis=0)),
        ):
            part = planned.segments[name].view(gradient)
            np.testing.assert_allclose(part, wanted, rtol=0, atol=bound * (size.max() + np.abs(dz).max()))


@given(st.data())
@settings(max_examples=60)
def test_any_plan_gives_the_same_on_both_engines(draws):
    width = st.sampled_from([1, 2, 3, 15, 16, 17, 33])
    smooth = st.sampled_from([name for name in ACTIVATIONS if "relu" not in name and name != "exponential"])
    dense = st.builds(Dense, width, smooth, st.booleans(), kernel_regularizer=st.sampled_from([None, "l2"]))
    other = st.one_of(
        st.builds(Activation, smooth),
        st.builds(Dropout, st.sampled_from([0.0, 0.3])),
        st.builds(GaussianNoise, st.sampled_from([0.0, 0.2])),
        st.builds(BatchNormalization, scale=st.booleans(), center=st.booleans(), epsilon=st.just(0.1)),
    )
    layers = [*draws.draw(st.lists(st.one_of(dense, other), max_size=5)), Dense(draws.draw(width))]
    inputs, rows, batch_size = draws.draw(width), draws.draw(st.integers(1, 40)), draws.draw(st.integers(1, 40))
    rule = draws.draw(st.sampled_from([SGD(0.01, momentum=0.9), SGD(0.01, clipnorm=0.1), Adam(0.001)]))
    x, y, weight = data("real", rows, inputs, plan.draw_up(layers, inputs, "float64").output_width)
    one, other_one = (make(kind, layers, inputs, optimizer=rule) for kind in (engine.Network, reference.Network))
    order, rates = engine.shuffled(rows, key=3), np.full(-(-rows // batch_size), rule.learning_rate)
    results = [network.train(x, y, weight, order, batch_size, rates, 0, None) for network in (one, other_one)]
    assert results[0].loss_sum == pytest.approx(results[1].loss_sum, rel=1e-9)
    np.testing.assert_allclose(one.parameters, other_one.parameters, rtol=0, atol=1e-8)


class TestFunctionsOfTheCore:
    def values_of(self, name: str, z: Any) -> Any:
        result = np.empty_like(z).reshape(-1, 16)
        make(engine.Network, [Activation(name)], 16, dtype=str(z.dtype)).predict(z.reshape(-1, 16), result, len(result))
        return result.ravel()

    # In units of the last place, over the whole range. Of gelu's far negative tail only an absolute bound can be had,
    # for 1 + erf cancels there. What is below a thousand smallest normal numbers may come out as 0.
    @pytest.mark.parametrize("dtype", PRECISIONS)
    @pytest.mark.parametrize(
        ("name", "bound"),
        [("elu", 1.5), ("selu", 2.5), ("silu", 3.0), ("mish", 6.0), ("sigmoid", 3.0), ("tanh", 3.0), ("softsign", 2.0),
         ("softplus", 3.0), ("exponential", 1.5), ("hard_sigmoid", 1.5), ("gelu", None)],
    )  # fmt: skip
    def test_accuracy_over_the_whole_range(self, name, bound, dtype):
        random = np.random.default_rng(0)
        parts = [random.normal(size=16000), random.uniform(-30, 30, size=16000), random.uniform(-110, 110, size=16000)]
        parts.append(10 ** random.uniform(-20, 3, size=16000) * random.choice([-1, 1], size=16000))
        z = np.concatenate(parts).astype(dtype)
        with np.errstate(over="ignore"):
            exact = activations.get(name)(z.astype(np.float64 if name == "gelu" else np.longdouble))
            rounded = exact.astype(dtype)
        got, limits = self.values_of(name, z), np.finfo(z.dtype)
        np.testing.assert_array_equal(np.isinf(got), np.isinf(rounded))
        finite = np.isfinite(rounded)
        unit = np.spacing(np.abs(rounded[finite])) if bound else limits.eps * np.maximum(1.0, np.abs(exact[finite]))
        assert np.all(np.abs(got[finite] - exact[finite]) <= (bound or 1.5) * unit + 1024 * limits.tiny)

    @pytest.mark.parametrize("dtype", PRECISIONS)
    @pytest.mark.parametrize("name", sorted(set(ACTIVATIONS) - {"softmax", "log_softmax"}))
    def test_denormal_numbers_count_as_zero_and_only_inside(self, name, dtype):
        tiny = np.finfo(dtype).tiny
        z = np.resize(np.array([0.25, -0.25, 1.0, -1.0], dtype=dtype) * tiny, 16)
        wanted = activations.get(name)(z.astype(np.float64))
        np.testing.assert_allclose(self.values_of(name, z), wanted, rtol=3e-7, atol=2.0 * tiny)
        assert z[0] * z.dtype.type(0.5) > 0.0
