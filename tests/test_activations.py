"""Every activation: value, derivative by central differences, extremes, names, files."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from hillwalker import activations
from hillwalker.errors import InputError, InputTypeError

# Away from the kinks at -3, 0, 3, 6 and the thresholds, so that differences are exact.
SMOOTH = np.array([[-7.3, -2.6, -1.1, -0.4, 0.3], [0.9, 1.7, 2.4, 4.2, 7.1]])
NAMES = [
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
OTHERS = [
    activations.Relu(negative_slope=0.3, max_value=4.0, threshold=1.0),
    activations.Relu(max_value=2.0, threshold=-1.0),
    activations.Elu(alpha=0.5),
    activations.Gelu(approximate=True),
    activations.CustomActivation(lambda z: z * np.tanh(np.where(z > 0, z, np.exp(z) - 1))),
]
ALL = [activations.get(name) for name in NAMES] + OTHERS


def numeric_backward(activation: activations.Activation, z: np.ndarray, da: np.ndarray) -> np.ndarray:
    """dz by central differences of sum(da * f(z))."""
    dz, step = np.empty_like(z), 1e-6
    for index in np.ndindex(z.shape):
        right, left = z.copy(), z.copy()
        right[index] += step
        left[index] -= step
        dz[index] = np.sum(da * (activation(right) - activation(left))) / (2 * step)
    return dz


@pytest.mark.parametrize("activation", ALL, ids=repr)
def test_backward_agrees_with_central_differences(activation: activations.Activation) -> None:
    da = np.linspace(0.5, 2.0, SMOOTH.size).reshape(SMOOTH.shape)
    dz = activation.backward(SMOOTH, activation(SMOOTH), da)
    np.testing.assert_allclose(dz, numeric_backward(activation, SMOOTH, da), rtol=1e-6, atol=3e-7)


@pytest.mark.parametrize("activation", ALL, ids=repr)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_and_shape_are_kept(activation: activations.Activation, dtype: str) -> None:
    z = SMOOTH.astype(dtype)
    a = activation(z)
    dz = activation.backward(z, a, np.ones_like(z))
    assert (a.dtype, a.shape) == (dz.dtype, dz.shape) == (z.dtype, z.shape)


@pytest.mark.parametrize("activation", ALL[:-1], ids=repr)
def test_nan_stays_nan(activation: activations.Activation) -> None:
    assert np.isnan(activation(np.array([[np.nan, np.nan]]))).all()


@pytest.mark.parametrize("activation", [one for one in ALL[:-1] if one.name != "exponential"], ids=repr)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nothing_overflows_at_ten_thousand(activation: activations.Activation, dtype: str) -> None:
    z = np.array([[-1e4, 1e4]], dtype)
    a = activation(z)
    assert np.isfinite(a).all()
    assert np.isfinite(activation.backward(z, a, np.ones_like(z))).all()


# Golden values at -2, -0.5, 0.5, 8: computed once with Keras 3.15 (JAX backend, float64).
GOLDEN = {
    "relu": [0.0, 0.0, 0.5, 8.0],
    "leaky_relu": [-0.4, -0.1, 0.5, 8.0],
    "relu6": [0.0, 0.0, 0.5, 6.0],
    "elu": [-0.8646647168, -0.3934693403, 0.5, 8],
    "selu": [-1.520166469, -0.6917581878, 0.5253504937, 8.405607899],
    "gelu": [-0.0455002639, -0.1542687694, 0.3457312306, 8],
    "silu": [-0.238405844, -0.1887703344, 0.3112296656, 7.997317199],
    "mish": [-0.2525014827, -0.2207437747, 0.3752452113, 7.999998201],
    "sigmoid": [0.119202922, 0.3775406688, 0.6224593312, 0.9996646499],
    "hard_sigmoid": [0.1666666667, 0.4166666667, 0.5833333333, 1],
    "tanh": [-0.9640275801, -0.4621171573, 0.4621171573, 0.9999997749],
    "softsign": [-0.6666666667, -0.3333333333, 0.3333333333, 0.8888888889],
    "softplus": [0.126928011, 0.4740769842, 0.9740769842, 8.000335406],
    "exponential": [0.1353352832, 0.6065306597, 1.648721271, 2980.957987],
    "softmax": [4.536355034e-05, 0.0002033053278, 0.0005526411781, 0.9991986899],
    "log_softmax": [-10.00080163, -8.500801631, -7.500801631, -0.0008016312767],
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_values_from_keras(name: str) -> None:
    np.testing.assert_allclose(activations.get(name)([-2.0, -0.5, 0.5, 8.0]), GOLDEN[name], rtol=1e-7, atol=1e-12)


def test_relu_spelled_as_a_function_takes_keras_arguments() -> None:
    x = [-10.0, 0.5, 2.0, 20.0]
    assert activations.relu(x, 0.1, 6.0, 1.0).tolist() == pytest.approx([-1.1, -0.05, 2.0, 6.0])
    assert activations.relu(x, threshold=5.0).tolist() == [0.0, 0.0, 0.0, 20.0]
    assert activations.leaky_relu([-1.0]).tolist() == [-0.2]
    assert activations.relu([-math.inf, math.inf]).tolist() == [0.0, math.inf]


def test_the_derivative_at_a_kink() -> None:
    z = np.array([0.0, 6.0])
    assert activations.get("relu6").backward(z, z, np.ones(2)).tolist() == [0.0, 0.0]
    assert activations.get("leaky_relu").backward(z, z, np.ones(2)).tolist() == [0.2, 1.0]


def test_exact_gelu_keeps_its_left_tail() -> None:
    # z * erfc(-z / sqrt 2) / 2 at -10: a difference of erf and 1 would have given 0.
    assert activations.gelu([-10.0])[0] == pytest.approx(-5 * math.erfc(10 / math.sqrt(2)), rel=1e-12)


def test_softmax_along_an_axis() -> None:
    x = np.array([[0.0, 1.0], [math.log(3.0), 1.0]])
    np.testing.assert_allclose(activations.softmax(x, axis=0), [[0.25, 0.5], [0.75, 0.5]])
    np.testing.assert_allclose(np.exp(activations.log_softmax(x, axis=0)), activations.softmax(x, axis=0))


def test_integers_become_floatx_and_text_is_refused() -> None:
    assert activations.sigmoid([0, 0]).dtype == np.float32
    with pytest.raises(InputTypeError, match="array of numbers"):
        activations.relu(["a"])


@pytest.mark.parametrize("activation", ALL[:-1], ids=repr)
def test_a_file_gives_the_same_activation_back(activation: activations.Activation) -> None:
    restored = activations.deserialize(json.loads(json.dumps(activations.serialize(activation))))
    assert restored.core == activation.core
    assert restored.get_config() == activation.get_config()


@pytest.mark.parametrize("name", NAMES)
def test_a_name_its_function_and_its_class_are_one(name: str) -> None:
    activation, function = activations.get(name), getattr(activations, name)
    assert activations.get(function) is activation
    assert activations.serialize(function) == name
    np.testing.assert_array_equal(function(SMOOTH), activation(SMOOTH))
    assert activation.name == name
    assert type(activation)(**activation.get_config()).core == activation.core


def test_what_the_core_is_told() -> None:
    assert activations.get(None).core == ("linear", ())
    assert activations.get("swish").core == ("silu", ())
    assert activations.get("relu6").core == ("relu", (0.0, 6.0, 0.0))
    assert activations.get("leaky_relu").core == ("relu", (0.2, math.inf, 0.0))
    assert activations.get("gelu").core == ("gelu", (0.0,))
    assert activations.get(np.tanh).core is None


def test_unknown_names_and_bad_arguments_are_refused() -> None:
    with pytest.raises(InputError, match="'leaky_relu'"):
        activations.get("leakyrelu")
    with pytest.raises(InputTypeError, match="a name, or a function"):
        activations.get(3)
    with pytest.raises(InputError, match="finite number"):
        activations.Relu(negative_slope=math.nan)
    with pytest.raises(InputError, match="its arguments"):
        activations.deserialize({"class_name": "Elu", "config": {"beta": 1.0}})
    with pytest.raises(InputError, match="activation class"):
        activations.deserialize({"class_name": ["os.system"], "config": {}})


def cube(z: np.ndarray) -> np.ndarray:
    return z**3


def test_a_function_of_ones_own() -> None:
    activation = activations.get(cube)
    assert activation.name == "cube"
    assert activation.backward(SMOOTH, cube(SMOOTH), np.ones_like(SMOOTH)) == pytest.approx(3 * SMOOTH**2)
    assert isinstance(activation, activations.CustomActivation)
    assert activation.check(SMOOTH) < 1e-6


def test_a_function_of_ones_own_is_asked_for_when_a_file_is_loaded() -> None:
    config = json.loads(json.dumps(activations.serialize(cube)))
    with pytest.raises(InputError, match=r"custom_objects=\{'cube': your_function\}"):
        activations.deserialize(config)
    assert activations.deserialize(config, {"cube": cube}).function is cube  # type: ignore[attr-defined]
    assert activations.get("cube", {"cube": cube}).name == "cube"


def test_a_function_that_changes_the_shape_is_refused() -> None:
    activation = activations.get(lambda z: np.sum(z, axis=1))
    with pytest.raises(InputError, match="same shape"):
        activation(SMOOTH)
    with pytest.raises(InputError, match="same shape"):
        activation.backward(SMOOTH, SMOOTH, SMOOTH)
