"""The compiled engine against the reference: one plan, the same numbers, both precisions, every instruction set."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hillwalker import engine, losses, optimizers, plan, randomness, reference
from hillwalker.errors import InputError
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
from hillwalker.parameters import flat_vector

ROWS, COLUMNS = 100, 20
# Three epochs of float32 against float64: what rounding adds up to, with room for sums of a hundred terms.
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}

ACTIVATIONS = [
    "linear",
    "relu",
    "leaky_relu",
    "relu6",
    "elu",
    "selu",
    "gelu",
    "silu",
    "mish",
    "sigmoid",
    "hard_sigmoid",
    "tanh",
    "softsign",
    "softplus",
    "exponential",
    "softmax",
    "log_softmax",
]


def networks(layers, dtype, loss="mse", optimizer="adam", inputs=COLUMNS, target_width=None, seed=5):
    """Return the same network on both engines: same weights, slots and seed."""
    drawn = dataclasses.replace(
        plan.draw_up(layers, inputs, dtype),
        loss=losses.get(loss),
        optimizer=optimizers.get(optimizer),
        target_width=target_width,
    )
    start = flat_vector(drawn.length, "float32")
    random = np.random.default_rng(1)
    for segment in drawn.segments:
        near_one = segment.name.endswith(("gamma", "moving_variance"))
        segment.view(start)[...] = random.normal(size=segment.shape) * (0.1 if near_one else 0.3) + near_one
    made = []
    for kind, precision in ((reference.Network, "float64"), (engine.Network, dtype)):
        parameters = flat_vector(drawn.length, precision)
        parameters[:] = start
        rule = drawn.optimizer
        slots = {name: flat_vector(drawn.length, precision, rule.slot_initial_value(name)) for name in rule.slot_names}
        made.append(kind(dataclasses.replace(drawn, dtype=precision), parameters, slots, seed))
    return made


def run(network, y, x=None, weight=None, batch_size=32, epochs=3):
    """Train, evaluate, predict and take a gradient; return all numbers that come out."""
    dtype = network.plan.dtype
    x = np.random.default_rng(2).normal(size=(len(y), network.plan.input_width)) if x is None else x
    x, y = x.astype(dtype), np.ascontiguousarray(y, dtype)
    weight = None if weight is None else weight.astype(dtype)
    order, steps = engine.shuffled(len(y), 3), -(-len(y) // batch_size)
    outputs, iteration, curve = np.empty((len(y), network.plan.output_width), dtype), 0, []
    for _ in range(epochs):
        rates = network.plan.optimizer.learning_rates(iteration, steps)
        result = network.train(x, y, weight, order, batch_size, rates, iteration, outputs)
        assert (result.rows, result.steps, result.finite) == (len(y), steps, True)
        iteration += result.steps
        curve.append(result.loss_sum / len(y))
    trained = outputs.copy()
    curve.append(network.evaluate(x, y, weight, 32, outputs) / len(y))
    predicted = np.empty_like(outputs)
    network.predict(x, predicted, 7)
    np.testing.assert_allclose(predicted, outputs, rtol=1e-5, atol=1e-6)
    loss, gradient = network.gradients(x[:40], y[:40], None if weight is None else weight[:40])
    values = [np.array(segment.view(network.parameters)) for segment in network.plan.segments]
    slopes = [np.array(segment.view(gradient)) for segment in network.plan.segments]
    return [np.array(curve), trained, predicted, np.array([loss]), *values, *slopes]


def assert_same(expected, found, tolerance):
    for wanted, got in zip(expected, found, strict=True):
        scale = max(1e-3, float(np.abs(wanted).max()))
        assert float(np.abs(wanted - got).max()) <= tolerance * scale


def compare(layers, y, dtype, weight=None, batch_size=32, tolerance=None, **kind):
    judge, judged = networks(layers, dtype, target_width=y.shape[1], **kind)
    assert_same(
        run(judge, y, weight=weight, batch_size=batch_size),
        run(judged, y, weight=weight, batch_size=batch_size),
        tolerance or TOLERANCE[dtype],
    )


def targets(kind, columns, rows=ROWS):
    random = np.random.default_rng(7)
    whole = random.integers(0, 2, size=(rows, columns))
    return {
        "number": random.normal(size=(rows, columns)),
        "positive": random.uniform(0.1, 3.0, size=(rows, columns)),
        "binary": whole.astype(float),
        "sign": whole * 2.0 - 1.0,
        "one-hot": np.eye(columns)[random.integers(0, columns, rows)],
        "class": random.integers(0, columns, (rows, 1)).astype(float),
    }[kind]


LOSSES = [
    ("mse", None, "number"),
    ("mae", None, "number"),
    ("mape", None, "number"),
    ("msle", "softplus", "positive"),
    (losses.Huber(0.5), None, "number"),
    ("log_cosh", None, "number"),
    ("binary_crossentropy", "sigmoid", "binary"),
    (losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1), None, "binary"),
    (losses.BinaryCrossentropy(label_smoothing=0.1), "sigmoid", "binary"),
    ("categorical_crossentropy", "softmax", "one-hot"),
    ("categorical_crossentropy", "sigmoid", "one-hot"),
    (losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1), None, "one-hot"),
    (losses.CategoricalCrossentropy(label_smoothing=0.1), "softmax", "one-hot"),
    ("sparse_categorical_crossentropy", "softmax", "class"),
    (losses.SparseCategoricalCrossentropy(from_logits=True), None, "class"),
    ("kl_divergence", "softmax", "one-hot"),
    ("poisson", "softplus", "positive"),
    ("hinge", "tanh", "binary"),
    ("hinge", "tanh", "sign"),
    ("squared_hinge", None, "binary"),
    ("categorical_hinge", None, "one-hot"),
    ("cosine_similarity", None, "number"),
    (losses.Pinball(0.9), None, "number"),
    (losses.AsymmetricSquaredError(), None, "number"),
    (losses.QLIKE(), "softplus", "positive"),
    (losses.QLIKE(from_log=True), None, "positive"),
]

LOSS_CASES = [  # one column of classes is no classification: the model's edge refuses it
    (*case, columns) for case in LOSSES for columns in (1, 3, 17) if columns > 1 or case[2] not in ("one-hot", "class")
]

OPTIMIZERS = [
    optimizers.SGD(0.05),
    optimizers.SGD(0.05, momentum=0.9),
    optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    optimizers.SGD(0.05, weight_decay=0.1),
    optimizers.SGD(0.05, global_clipnorm=0.1),
    optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)),
    optimizers.RMSprop(),
    optimizers.RMSprop(momentum=0.5),
    optimizers.RMSprop(centered=True),
    optimizers.RMSprop(centered=True, momentum=0.3),
    optimizers.Adagrad(),
    optimizers.Adadelta(0.5),
    optimizers.Adam(),
    optimizers.Adam(amsgrad=True),
    optimizers.Adam(clipnorm=0.1),
    optimizers.Adam(clipvalue=0.01),
    optimizers.AdamW(weight_decay=0.1),
    optimizers.Adamax(),
    optimizers.Nadam(),
    optimizers.Lion(),
]

STACKS = {
    "one input, one unit": (1, [Dense(1, "tanh")]),
    "one input": (1, [Dense(3, "tanh"), Dense(1)]),
    "single columns inside": (7, [Dense(1), Dense(1), Dense(5, "elu"), Dense(1)]),
    "a scratch memory of several widths": (20, [Dense(3, "tanh"), Dense(40, "tanh"), Dense(17, "tanh"), Dense(1)]),
    "awkward widths": (100, [Dense(33, "relu"), Dense(100, "relu"), Dense(3, "tanh"), Dense(1)]),
    "no bias": (20, [Dense(8, "tanh", use_bias=False), Dense(1, use_bias=False)]),
    "activation layers": (20, [Dense(8), LeakyReLU(), Dense(8), ELU(), Softmax(), ReLU(6.0, 0.1, 0.2), Dense(1)]),
    "normalisation": (
        20,
        [BatchNormalization(scale=False), Dense(10, "tanh"), BatchNormalization(center=False), Dense(1)],
    ),
    "normalisation of one column": (20, [Dense(1, use_bias=False), BatchNormalization(), Dense(1)]),
    "dropout": (20, [Dense(10, "relu"), Dropout(0.4), Dense(7, "gelu"), Dropout(0.2, seed=3), Dense(1)]),
    "noise": (20, [GaussianNoise(0.3), Dense(8, "tanh"), GaussianNoise(0.1), Dense(1)]),
    "frozen below": (20, [Dense(8, "tanh", trainable=False), Dense(8, "tanh"), Dense(1)]),
    "frozen in the middle": (
        20,
        [Dense(8, "tanh"), BatchNormalization(trainable=False), Dense(8, "tanh", trainable=False), Dense(1)],
    ),
    "penalties": (
        20,
        [Dense(8, "tanh", kernel_regularizer="l2", bias_regularizer="l1"), Dense(1, kernel_regularizer="l1_l2")],
    ),
    "functions of the user": (
        20,
        [Dense(8, lambda z: np.tanh(z) + 0.1 * z), Activation(lambda z: np.sin(z) * z), Dense(1)],
    ),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
class TestTheTwoEnginesAgree:
    @pytest.mark.parametrize("name", ACTIVATIONS)
    def test_activation(self, name, dtype):
        # e^e^x is as steep as this: what rounding does to z, it does to a many times over
        loose = 10 * TOLERANCE[dtype] if name == "exponential" else None
        compare([Dense(17, name), Dense(5, name), Dense(1)], targets("number", 1), dtype, tolerance=loose)

    @pytest.mark.parametrize(("loss", "activation", "kind", "columns"), LOSS_CASES, ids=str)
    def test_loss(self, loss, activation, kind, columns, dtype):
        y, weight = targets(kind, columns), np.random.default_rng(4).uniform(0, 2, ROWS)
        for importance in (None, weight):
            compare([Dense(17, "tanh"), Dense(columns, activation)], y, dtype, importance, loss=loss)

    @pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda rule: str(rule.get_config()))
    def test_optimizer(self, optimizer, dtype):
        compare([Dense(17, "tanh"), Dense(1)], targets("number", 1), dtype, optimizer=optimizer)

    @pytest.mark.parametrize("name", STACKS)
    def test_layers(self, name, dtype):
        inputs, layers = STACKS[name]
        compare(layers, targets("number", 1), dtype, inputs=inputs)

    @pytest.mark.parametrize("batch_size", [1, 7, 32, ROWS, 1000])
    def test_batch_size(self, batch_size, dtype):
        compare([Dense(17, "tanh"), Dense(3)], targets("number", 3), dtype, batch_size=batch_size)

    @pytest.mark.parametrize("reduction", ["sum", "sum_over_batch_size"])
    def test_reduction(self, reduction, dtype):
        loss = losses.MeanAbsoluteError(reduction=reduction)
        compare([Dense(5, "tanh"), Dense(2)], targets("number", 2), dtype, loss=loss, optimizer=optimizers.SGD(1e-3))

    def test_a_loss_of_the_user(self, dtype):
        def loss(y_true, y_pred):
            return np.mean(np.abs(y_true - y_pred) ** 1.5, axis=-1)

        weight = np.random.default_rng(4).uniform(0, 2, ROWS)
        compare([Dense(8, "tanh"), Dense(2)], targets("number", 2), dtype, weight, loss=loss)

    @pytest.mark.parametrize("name", engine.instruction_sets())
    def test_every_instruction_set(self, name, dtype, monkeypatch):
        before = engine.instruction_set()
        engine.choose_instruction_set(name)
        try:
            for inputs, layers in STACKS.values():
                compare(layers, targets("number", 1), dtype, inputs=inputs)
            for activation in ACTIVATIONS[1:-3]:
                compare([Dense(9, activation), Dense(1)], targets("number", 1), dtype, tolerance=10 * TOLERANCE[dtype])
        finally:
            engine.choose_instruction_set(before)


WIDTHS = st.sampled_from([1, 2, 3, 5, 8, 10, 15, 16, 17, 31, 33, 64, 100])


@given(
    inputs=WIDTHS,
    widths=st.lists(WIDTHS, min_size=1, max_size=4),
    batch=st.integers(1, 40),
    rows=st.integers(1, 70),
    name=st.sampled_from(["tanh", "relu", "softplus", "linear"]),
)
@settings(max_examples=60, deadline=None)
def test_any_shape_gives_the_reference_gradient_and_steps(inputs, widths, batch, rows, name):
    layers: list[Layer] = [Dense(width, name) for width in widths[:-1]] + [Dense(widths[-1])]
    y = np.random.default_rng(0).normal(size=(rows, widths[-1]))
    judge, judged = networks(layers, "float64", inputs=inputs, optimizer=optimizers.SGD(1e-3))
    assert_same(run(judge, y, batch_size=batch), run(judged, y, batch_size=batch), 1e-11)


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name not in ("relu6", "hard_sigmoid")])
@pytest.mark.parametrize("loss", ["mse", "log_cosh", losses.QLIKE(from_log=True)], ids=str)
def test_the_gradient_is_the_slope_of_the_loss(name, loss):
    layers = [Dense(6, name, kernel_regularizer="l2"), BatchNormalization(), Dense(4, name), Dense(2)]
    _, network = networks(layers, "float64", loss=loss)
    x, y = np.random.default_rng(3).normal(size=(30, COLUMNS)), targets("positive", 2, 30)
    _, gradient = network.gradients(x, y, None)
    moved = np.concatenate([np.arange(s.offset, s.offset + 3) for s in network.plan.trained])
    for place in moved:
        kept, ends = network.parameters[place], []
        for step in (1e-6, -1e-6):
            network.parameters[place] = kept + step
            ends.append(network.gradients(x, y, None)[0])
        network.parameters[place] = kept
        assert gradient[place] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize(("training", "iteration"), [(True, 0), (True, 7), (False, 7)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_gradient_is_that_of_the_step_asked_for(training, iteration, dtype):
    layers = [Dense(6, "tanh"), Dropout(0.4), BatchNormalization(), Dense(2)]
    judge, judged = networks(layers, dtype)
    x, y = np.random.default_rng(3).normal(size=(30, COLUMNS)), targets("number", 2, 30)
    loss, gradient = judge.gradients(x, y, None, training, iteration)
    kind = np.dtype(dtype)
    its_loss, its_gradient = judged.gradients(x.astype(kind), y.astype(kind), None, training, iteration)
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    assert its_loss == pytest.approx(loss, rel=tolerance)
    np.testing.assert_allclose(its_gradient, gradient, atol=tolerance * np.abs(gradient).max())
    other = judge.gradients(x, y, None, training, iteration + 1)[0]
    assert (other != loss) == training  # another step, another mask


class TestWhatTheCoreKeeps:
    def test_two_runs_are_the_same_bits(self):
        layers = [Dense(10, "relu"), Dropout(0.4), GaussianNoise(0.1), Dense(1)]
        first, second = (run(networks(layers, "float32")[1], targets("number", 1)) for _ in range(2))
        assert all((a == b).all() for a, b in zip(first, second, strict=True))

    @pytest.mark.parametrize("made", [0, 1], ids=["reference", "compiled"])
    def test_two_calls_of_whole_batches_equal_one(self, made):
        layers = [Dense(10, "relu"), Dropout(0.4), BatchNormalization(), Dense(1)]
        x, y = np.random.default_rng(2).normal(size=(ROWS, COLUMNS)), targets("number", 1)
        order, rates = engine.shuffled(ROWS, 3), np.full(4, 1e-3)
        whole, parts = networks(layers, "float64")[made], networks(layers, "float64")[made]
        whole.train(x, y, None, order, 32, rates, 0, None)
        parts.train(x, y, None, order[:64], 32, rates[:2], 0, None)
        parts.train(x, y, None, order[64:], 32, rates[2:], 2, None)
        assert (whole.parameters == parts.parameters).all()

    @pytest.mark.parametrize("made", [0, 1], ids=["reference", "compiled"])
    def test_predictions_belong_to_the_rows_of_the_order(self, made):
        network = networks([Dense(3)], "float64", optimizer=optimizers.SGD(0.0))[made]
        x, y, order = (
            np.random.default_rng(2).normal(size=(ROWS, COLUMNS)),
            targets("number", 3),
            engine.shuffled(ROWS, 1),
        )
        outputs = np.empty((ROWS, 3))
        network.train(x, y, None, order, 32, np.zeros(4), 0, outputs)
        predicted = np.empty((ROWS, 3))
        network.predict(x, predicted, 32)
        np.testing.assert_allclose(outputs, predicted[order], rtol=1e-12)

    @pytest.mark.parametrize("made", [0, 1], ids=["reference", "compiled"])
    def test_a_batch_that_is_not_finite_is_not_learned_from(self, made):
        network = networks([Dense(4, "tanh"), Dense(1)], "float64")[made]
        x, y = np.random.default_rng(2).normal(size=(96, COLUMNS)), targets("number", 1, 96)
        y[40] = np.inf  # in the second batch
        twin = networks([Dense(4, "tanh"), Dense(1)], "float64")[made]
        result = network.train(x, y, None, None, 32, np.full(3, 1e-3), 0, None)
        twin.train(x[:32], y[:32], None, None, 32, np.full(1, 1e-3), 0, None)
        assert (result.finite, result.steps, result.rows) == (False, 1, 64)
        assert (network.parameters == twin.parameters).all()

    @pytest.mark.parametrize("made", [0, 1], ids=["reference", "compiled"])
    def test_padding_stays_zero(self, made):
        layers = [Dense(5, "sigmoid"), BatchNormalization(), Dense(10, "softplus"), Dense(3)]
        network = networks(layers, "float64", optimizer=optimizers.RMSprop(centered=True))[made]
        run(network, targets("number", 3))
        padding = np.ones(network.plan.length, bool)
        for segment in network.plan.segments:
            padding[np.asarray(segment.view(np.arange(network.plan.length)))] = False
        assert not network.parameters[padding].any()

    def test_an_error_in_a_users_function_comes_back(self):
        def loss(y_true, y_pred):
            raise KeyError("mine")

        _, network = networks([Dense(1)], "float32", loss=loss, target_width=1)
        x, y = np.zeros((4, COLUMNS), np.float32), np.zeros((4, 1), np.float32)
        with pytest.raises(Exception, match="mine"):
            network.train(x, y, None, None, 4, np.full(1, 1e-3), 0, None)


class TestTheCoreRefuses:
    @pytest.mark.parametrize(
        "change",
        [
            {"x": np.zeros((4, 3), np.float32)},
            {"x": np.zeros((4, COLUMNS))},
            {"x": np.asfortranarray(np.zeros((4, COLUMNS), np.float32))},
            {"y": np.zeros((3, 1), np.float32)},
            {"y": np.zeros((4, 2), np.float32)},
            {"sample_weight": np.zeros(3, np.float32)},
            {"order": np.array([0, 1, 2, 4], np.uint32)},
            {"batch_size": 0},
            {"learning_rates": np.zeros(2)},
            {"predictions": np.zeros((3, 1), np.float32)},
        ],
        ids=str,
    )
    def test_memory_that_does_not_fit(self, change):
        _, network = networks([Dense(1)], "float32")
        call = {
            "x": np.zeros((4, COLUMNS), np.float32), "y": np.zeros((4, 1), np.float32), "sample_weight": None,
            "order": None, "batch_size": 4, "learning_rates": np.zeros(1), "first_iteration": 0, "predictions": None,
        }  # fmt: skip
        network.train(**call)
        kept = network.parameters.copy()
        with pytest.raises((TypeError, ValueError)):
            network.train(**(call | change))
        assert (network.parameters == kept).all()

    def test_an_instruction_set_that_is_not_there(self):
        with pytest.raises(InputError, match="HILLWALKER_ISA"):
            engine.choose_instruction_set("z80")


@pytest.mark.parametrize("count", [1, 2, 5, 1000])
def test_shuffled_rows_are_a_permutation_by_key(count):
    orders = [engine.shuffled(count, key) for key in range(20)]
    assert all(sorted(order.tolist()) == list(range(count)) for order in orders)
    assert (engine.shuffled(count, 3) == orders[3]).all()
    if count == 1000:
        assert all((a != b).any() for a, b in itertools.pairwise(orders))


def test_shuffled_rows_come_to_every_place_equally_often():
    places = np.zeros((5, 5))
    for key in range(5000):
        places[engine.shuffled(5, key), np.arange(5)] += 1
    assert np.abs(places / 1000 - 1).max() < 0.15  # four standard deviations of a count of 1000, and a little


@pytest.mark.parametrize("seed", [0, 7, 2**63 - 1])
def test_the_key_of_an_order_is_the_reference_streams(seed):
    assert engine.order_key(seed, 2**40) == randomness.stream_key(seed, 2**40, 0xFFFFFFFF)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_not_finite_is_found_wherever_it_stands(dtype):
    for count in (1, 2, 15, 16, 17, 100):
        numbers = np.full(count, np.finfo(dtype).max, dtype)
        numbers[::2] *= -1
        assert engine.is_finite(numbers)
        assert engine.is_ready(numbers.reshape(-1, 1), dtype, 1)
        for place, wrong in itertools.product(range(count), (np.nan, -np.nan, np.inf, -np.inf)):
            spoilt = numbers.copy()
            spoilt[place] = wrong
            assert not engine.is_finite(spoilt)
            assert not engine.is_ready(spoilt.reshape(1, -1), dtype, count)


def test_only_an_array_that_is_right_as_it_is_is_ready():
    right = np.zeros((4, 3), np.float32)
    for array in (right, right[1:], right[:0:-1][::-1], np.lib.stride_tricks.as_strided(right, writeable=False)):
        assert engine.is_ready(array, "float32", 3)
    misaligned = np.frombuffer(bytes(49), np.uint8)[1:].view(np.float32).reshape(4, 3)
    wrong = {
        "columns": np.zeros((3, 4), np.float32),
        "no rows": right[:0],
        "one dimension": right[0],
        "three dimensions": right[None],
        "precision": right.astype(np.float64),
        "whole numbers": right.astype(np.int32),
        "byte order": right.astype(">f4"),
        "columns first": np.asfortranarray(right),
        "every other row": right[::2],
        "misaligned": misaligned,
        "masked": np.ma.masked_array(right, right == 0),
        "a list": right.tolist(),
        "large": np.zeros((engine.AT_A_GLANCE // 3 + 1, 3), np.float32),
    }
    assert [name for name, array in wrong.items() if engine.is_ready(array, "float32", 3)] == []
