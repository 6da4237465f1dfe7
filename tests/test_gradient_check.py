"""Gradients against differences: what is right passes, what is wrong is found and named, kinks are no errors."""

import json

import numpy as np
import pytest

import hillwalker as hw
from hillwalker.activations import Elementwise
from hillwalker.layers import Activation, BatchNormalization, Dense, Dropout, GaussianNoise
from hillwalker.losses import Loss
from hillwalker.seeing.gradient_check import STEPS, _judged, check_gradients


@pytest.fixture(autouse=True)
def seeded():
    hw.utils.set_random_seed(5)


def data(outputs=1, rows=24, inputs=4):
    random = np.random.default_rng(2)
    X = random.normal(size=(rows, inputs))
    return X, random.normal(size=(rows, outputs)) if outputs == 1 else np.eye(outputs)[
        random.integers(0, outputs, rows)
    ]


NETWORKS = {
    "relu, mse": ([Dense(8, activation="relu"), Dense(1)], "mse"),
    "relu6, mae": ([Dense(8, activation="relu6"), Dense(1)], "mae"),
    "hard functions": ([Dense(6, activation="hard_sigmoid"), Dense(6, activation="softsign"), Dense(1)], "huber"),
    "softmax": ([Dense(6, activation="mish"), Dense(3, activation="softmax")], "categorical_crossentropy"),
    "sigmoid": ([Dense(6, activation="gelu"), Dense(3, activation="sigmoid")], "binary_crossentropy"),
    "hinge": ([Dense(6, activation="elu"), Dense(1, activation="tanh")], "hinge"),
    "normalised": ([Dense(6), BatchNormalization(), Activation("silu"), Dense(1)], "mse"),
    "dropped": ([Dense(8, activation="tanh"), Dropout(0.5), GaussianNoise(0.5), Dense(1)], "mse"),
    "penalised": ([Dense(5, activation="tanh", kernel_regularizer="l1"), Dense(1, bias_regularizer="l2")], "mse"),
    "deep": ([Dense(5, activation="selu") for _ in range(5)] + [Dense(1)], "log_cosh"),
}


@pytest.mark.parametrize("case", NETWORKS)
def test_what_is_right_passes(case):
    layers, loss = NETWORKS[case]
    model = hw.Sequential([hw.Input((4,)), *[type(part).from_config(part.get_config()) for part in layers]])
    model.compile("adam", loss)
    X, y = data(model.plan.output_width)
    y = np.sign(y) if case == "hinge" else y
    model.fit(X, y, epochs=2, verbose=0)
    check = check_gradients(model, X, y, np.linspace(0.5, 2, len(X)))
    assert check.passed, str(check)
    assert check.worst.worst_error < 1e-6
    assert check.engines == ("compiled", "reference")
    assert check.engine_error < 1e-12
    assert (check.dropout_step == 2) == (case == "dropped")
    assert [one.name for one in check.parameters] == [segment.name for segment in model.plan.trained]


class WrongTanh(Elementwise):
    def value(self, z):
        return np.tanh(z)

    def derivative(self, z, a):
        return 1 - a  # the square is missing


class WrongSquare(Loss):
    def values(self, y_true, y_pred):
        return np.mean((y_true - y_pred) ** 2, axis=-1)

    def derivative(self, y_true, y_pred):
        return y_pred - y_true  # the 2 is missing


def test_a_wrong_activation_is_found_and_named():
    model = hw.Sequential([hw.Input((4,)), Dense(5, activation=WrongTanh(), name="hidden"), Dense(1, name="out")])
    model.compile(loss="mse")
    check = check_gradients(model, *data())
    errors = {one.name: one.worst_error for one in check.parameters}
    assert not check.passed
    assert errors["out/kernel"] < 1e-6 < 1e-2 < errors["hidden/kernel"]
    assert [suspect.what for suspect in check.suspects] == ["the activation 'WrongTanh' of the layer 'hidden'"]
    assert "FAILED" in repr(check)
    assert "Wrong derivative: the activation 'WrongTanh'" in str(check)


def test_a_wrong_loss_is_found_and_named():
    model = hw.Sequential([hw.Input((4,)), Dense(5, activation="relu"), Dense(1)])
    model.compile(loss=WrongSquare())
    check = check_gradients(model, *data())
    assert [suspect.what for suspect in check.suspects] == ["the loss 'WrongSquare'"]
    assert check.worst.worst_error == pytest.approx(0.5, rel=1e-6)
    assert check.worst.numeric == pytest.approx(2 * check.worst.analytic, rel=1e-6)


def test_elements_on_a_kink_are_counted_and_lie_between_the_slopes():
    # z = 0 on every row: the slope to the left is 0, to the right it is not; relu'(0) = 0 is between.
    model = hw.Sequential(
        [hw.Input((2,)), Dense(3, activation="relu", kernel_initializer="zeros", name="k"), Dense(1, name="o")]
    )
    model.compile(loss="mse")
    check = check_gradients(model, np.ones((4, 2)), np.ones(4))
    kernel, bias, *_ = check.parameters
    assert (kernel.kinks, kernel.outside, bias.kinks) == (6, 0, 3)
    assert check.passed
    assert "9 elements at a kink of the loss: all between" in str(check)


def test_a_gradient_beyond_both_slopes_at_a_kink_fails():
    class Beyond(Elementwise):
        def value(self, z):
            return np.maximum(z, 0)

        def derivative(self, z, a):
            return np.where(z == 0, 3.0, z > 0)

    model = hw.Sequential([hw.Input((2,)), Dense(3, activation=Beyond(), kernel_initializer="zeros"), Dense(1)])
    model.compile(loss="mse")
    check = check_gradients(model, np.ones((4, 2)), np.ones(4))
    assert not check.passed
    assert check.parameters[0].outside == 6
    assert check.fails(check.parameters[0])
    assert [suspect.what.split()[2] for suspect in check.suspects] == ["'Beyond'"]
    assert "all but" in str(check)


@pytest.mark.filterwarnings("ignore::hillwalker.errors.MistakeWarning")
def test_where_kinks_meet_the_gradient_may_lie_beyond_both_slopes():
    # L = relu(b) - relu(-b) at b = 0: slope 1 on both sides of each unit's kink together, and relu'(0) = 0 gives 0.
    model = hw.Sequential([hw.Input((1,)), Dense(1, name="b"), Dense(2, activation="relu", name="k"), Dense(1)])
    kernels = [np.zeros((1, 1)), np.array([[1.0, -0.5]]), np.array([[1.0], [-1.0]])]
    model.set_weights([array for kernel in kernels for array in (kernel, np.zeros(kernel.shape[1]))])
    model.compile(loss="mse")
    check = check_gradients(model, np.ones((3, 1)), np.ones(3))
    assert check.parameters[1].outside == 1
    assert check.passed
    assert not check.fails(check.parameters[1])
    assert "Several kinks meet there" in str(check)


def test_a_loss_that_loses_digits_is_no_error():
    # 1 - p has nine digits left near p = 1 - 1e-7: the loss jitters by far more than its last bit.
    model = hw.Sequential([hw.Input((1,)), Dense(1, activation="sigmoid", kernel_initializer="ones")])
    model.compile(loss="binary_crossentropy")
    assert check_gradients(model, np.full((3, 1), 15.5), np.zeros(3)).passed


def tried(function, at):
    now, steps = function(at), []
    for step in STEPS:
        above, below = function(at + step), function(at - step)
        steps.append(((above - below) / (2 * step), (now - below) / step, (above - now) / step, 1e-14 / step))
    return steps


@pytest.mark.parametrize(("distance", "is_kink"), [(0.0, True), (1e-9, True), (3e-6, False), (1e-3, False)])
def test_kinks_near_by_are_told_from_kinks(distance, is_kink):
    judged = _judged(tried(lambda w: abs(w) + w**2, distance), 1.0 + 2 * distance)
    assert judged.is_kink is is_kink
    assert not judged.outside
    if not is_kink:
        assert judged.numeric == pytest.approx(1.0 + 2 * distance, rel=1e-6)


def test_a_bend_is_no_kink():
    judged = _judged(tried(lambda w: 1000 * w**2, 0.0), 0.0)
    assert not judged.is_kink
    assert judged.numeric == pytest.approx(0.0, abs=1e-8)


def test_large_weights_are_sampled():
    model = hw.Sequential([hw.Input((30,)), Dense(20, activation="tanh"), Dense(1)])
    model.compile(loss="mse")
    X, y = data(inputs=30)
    check = check_gradients(model, X, y, max_elements=17, seed=4)
    assert [(one.checked, one.size) for one in check.parameters] == [(17, 600), (17, 20), (17, 20), (1, 1)]
    assert "17/600" in str(check)
    assert "Elements drawn with seed 4" in str(check)
    assert check_gradients(model, X, y, max_elements=17, seed=4) == check
    everything = check_gradients(model, X, y, max_elements=None)
    assert everything.parameters[0].checked == 600
    assert max(map(len, str(everything).splitlines())) <= 80


@pytest.mark.filterwarnings("ignore::hillwalker.errors.MistakeWarning")
def test_looking_changes_nothing():
    model = hw.Sequential([hw.Input((4,)), Dense(4), BatchNormalization(), Dropout(0.5), Dense(1)])
    model.compile("adam", "mse")
    X, y = data()
    model.fit(X, y, verbose=0)
    arrays, numbers = model.snapshot()
    check = check_gradients(model, X, y)
    after, numbers_after = model.snapshot()
    assert numbers == numbers_after
    assert all((arrays[name] == after[name]).all() for name in arrays)
    assert json.loads(json.dumps(check.to_dict()))["passed"] is True
    assert list(check.to_frame().index) == [one.name for one in check.parameters]


def test_refusals():
    model = hw.Sequential([hw.Input((4,)), Dense(1)])
    with pytest.raises(hw.errors.StateError, match="compile"):
        check_gradients(model, *data())
    model.compile(loss="mse")
    for wrong in (0, -1e-6, 1, "small", True):
        with pytest.raises(hw.errors.InputError, match="tolerance="):
            check_gradients(model, *data(), tolerance=wrong)
    with pytest.raises(hw.errors.HillwalkerError, match="max_elements"):
        check_gradients(model, *data(), max_elements=0)
    with pytest.raises(hw.errors.InputError, match="shape"):
        check_gradients(model, np.ones((3, 5)), np.ones(3))
    explosive = hw.Sequential([hw.Input((4,)), Dense(1, activation="exponential", kernel_initializer="ones")])
    explosive.compile(loss="mse")
    with pytest.raises(hw.errors.InputError, match="a finite loss"):
        check_gradients(explosive, np.full((3, 4), 1e30), np.ones(3))
    model.trainable = False
    with pytest.raises(hw.errors.InputError, match="not trainable"):
        check_gradients(model, *data())


def test_the_picture_tells_what_failed():
    model = hw.Sequential([hw.Input((4,)), Dense(5, activation=WrongTanh()), Dense(1)])
    model.compile(loss="mse")
    figure = check_gradients(model, *data()).plot()
    (axes,) = figure.axes
    assert axes.get_title(loc="left") == "Gradient check FAILED"
    assert {line.get_label() for line in axes.lines} == {"passed", "failed", "tolerance 1e-06"}
    figure = hw.plots.plot_gradient_check(check_gradients(model, *data(), tolerance=0.99), "my title")
    assert figure.axes[0].get_title(loc="left") == "my title"
