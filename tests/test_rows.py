"""Each row's gradient norm from one pass, against each row alone through the reference engine."""

import dataclasses

import numpy as np
import pytest

import hillwalker as hw
from hillwalker import reference
from hillwalker.layers import Activation, BatchNormalization, Dense, Dropout, GaussianNoise
from hillwalker.seeing import rows
from hillwalker.seeing.rows import row_gradients


@pytest.fixture(autouse=True)
def in_float64():
    hw.utils.set_random_seed(3)
    hw.config.set_floatx("float64")
    yield
    hw.config.set_floatx("float32")


def alone(model, plan, x, y, weight):
    """The gradient of one row as the reference engine has it; batch normalisation frozen to its moving statistics."""
    still = []
    for planned in plan.layers:
        layer = planned.layer
        if isinstance(layer, BatchNormalization):
            layer = BatchNormalization.from_config(layer.get_config())
            layer.trainable = False
        still.append(dataclasses.replace(planned, layer=layer))
    network = reference.Network(dataclasses.replace(plan, layers=tuple(still)), model.state.parameters.copy(), {}, 0)
    a, memories = network.forward(x, training=False)
    value, da = plan.loss.batch(y, a, weight)
    for planned, memory in zip(reversed(network.plan.layers), reversed(memories), strict=True):
        weights, gradients = (reference.views(planned, vector) for vector in (network.parameters, network.gradient))
        da = planned.layer.backward(memory, da, weights, gradients)
    return value, network.gradient


CASES = {
    "mse": ([Dense(5, activation="tanh"), Dense(2)], "mse"),
    "no bias, activation apart": ([Dense(4, use_bias=False), Activation("gelu"), Dense(2)], "huber"),
    "softmax": ([Dense(4, activation="selu"), Dense(3, activation="softmax")], "categorical_crossentropy"),
    "normalised": (
        [Dense(4), BatchNormalization(), Activation("elu"), Dropout(0.5), GaussianNoise(1.0), Dense(2)],
        "mse",
    ),
    "summed": ([Dense(2)], hw.losses.MeanSquaredError(reduction="sum")),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_each_row_is_what_it_is_alone(case, weighted, monkeypatch):
    layers, loss = CASES[case]
    model = hw.Sequential([hw.Input((3,)), *[type(part).from_config(part.get_config()) for part in layers]])
    model.compile(loss=loss)
    random = np.random.default_rng(0)
    for weight in model.weights:  # no weight at its simple first value
        weight += random.uniform(0.1, 0.5, weight.shape)
    X, weight = random.normal(size=(40, 3)), random.uniform(0, 2, 40) if weighted else None
    width = model.plan.output_width
    y = np.eye(width)[random.integers(0, width, 40)]
    monkeypatch.setattr(rows, "CHUNK", 64)  # several chunks
    found = row_gradients(model, X, y, weight)
    _, plan = rows.checked(model, X, y, weight, "test")
    gradients = []
    for row in range(40):
        one = slice(row, row + 1)
        value, gradient = alone(model, plan, X[one], y[one], None if weight is None else weight[one])
        gradients.append(gradient)
        assert found.loss[row] == pytest.approx(value, rel=1e-12)
        assert found.squared_norms[row] == pytest.approx(np.sum(gradient**2), rel=1e-10)
        for segment in plan.trained:
            expected = np.sum(segment.view(gradient) ** 2)
            assert found.by_weight[segment.name][row] == pytest.approx(expected, rel=1e-10, abs=1e-30)
    mean = np.sum(gradients, axis=0) / (1 if case == "summed" else 40)
    np.testing.assert_allclose(found.gradient, mean, rtol=1e-10, atol=1e-14)
    assert list(found.gradient_by_weight) == [segment.name for segment in plan.trained]


def test_the_mean_is_the_gradient_that_training_uses():
    model = hw.Sequential([hw.Input((3,)), Dense(5, activation="tanh"), Dense(1)])
    model.compile(loss="mse")
    X, y = np.random.default_rng(1).normal(size=(30, 3)), np.arange(30.0)
    data, _ = rows.checked(model, X, y, None, "test")
    model.evaluate(X, y, verbose=0)
    _, gradient = model.state.network.gradients(data.x, data.y, None)
    np.testing.assert_allclose(row_gradients(model, X, y).gradient, gradient, rtol=1e-12, atol=1e-14)


def test_layers_that_do_not_learn_are_left_out():
    model = hw.Sequential([hw.Input((3,)), Dense(5, trainable=False, name="still"), Dense(1, name="moved")])
    model.compile(loss="mse")
    found = row_gradients(model, np.ones((2, 3)), np.zeros(2))
    assert list(found.by_weight) == ["moved/kernel", "moved/bias"]
    model.trainable = False
    assert row_gradients(model, np.ones((2, 3)), np.zeros(2)).squared_norms.tolist() == [0.0, 0.0]


def test_single_precision_is_summed_in_double():
    hw.config.set_floatx("float32")
    model = hw.Sequential([hw.Input((2,)), Dense(1, kernel_initializer="ones", name="out")])
    model.compile(loss="mae")
    rows_ = 200_001
    found = row_gradients(model, np.full((rows_, 2), 0.1), np.zeros(rows_))
    assert found.gradient_by_weight["dense/bias" if "dense/bias" in found.by_weight else list(found.by_weight)[1]] == [
        1
    ]
    assert found.gradient.dtype == found.squared_norms.dtype == np.float64


@pytest.mark.filterwarnings("ignore::hillwalker.errors.MistakeWarning")
def test_looking_changes_nothing():
    model = hw.Sequential([hw.Input((3,)), Dense(4), BatchNormalization(), Dropout(0.5), Dense(1)])
    model.compile("adam", "mse")
    X, y = np.random.default_rng(1).normal(size=(30, 3)), np.arange(30.0)
    model.fit(X, y, verbose=0)
    arrays, numbers = model.snapshot()
    found = row_gradients(model, X, y)
    after, numbers_after = model.snapshot()
    assert numbers == numbers_after
    assert all((arrays[name] == after[name]).all() for name in arrays)
    assert "30 rows" in repr(found)
    assert list(found.to_frame().columns[:2]) == ["loss", "gradient_norm"]
    assert found.to_dict()["loss"] == found.loss.tolist()


def test_refusals():
    model = hw.Sequential([Dense(1)])
    model.compile(loss="mse")
    with pytest.raises(hw.errors.StateError, match="not built"):
        row_gradients(model, np.ones((2, 3)), np.zeros(2))
    model.build((None, 3))
    with pytest.raises(hw.errors.InputError, match="shape"):
        row_gradients(model, np.ones((2, 4)), np.zeros(2))
    model.compile(loss=lambda y, p: np.mean((y - p) ** 2))
    with pytest.raises(hw.errors.InputError, match="one number for the whole batch"):
        row_gradients(model, np.ones((2, 3)), np.zeros(2))
