"""Each activation's value and, next to it, its derivative.

z is what a layer computes, a = f(z) what it passes on; dz and da are the loss's derivatives by them. No weights here,
and no layers: `layers.py` stacks these.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hillwalker.config import floatx
from hillwalker.differentiate import (
    FloatArray,
    check_gradient,
    function_name,
    qualified,
    restored,
    value_and_pull_back,
)
from hillwalker.errors import InputError, InputTypeError, explain, unknown_name

Core = tuple[str, tuple[float, ...]]


def row_sum(x: FloatArray) -> FloatArray:
    """Return the sum along each row, shape (..., 1)."""
    total: FloatArray = np.sum(x, axis=-1, keepdims=True)
    return total


def row_max(x: FloatArray) -> FloatArray:
    """Return the largest number of each row, shape (..., 1)."""
    largest: FloatArray = np.max(x, axis=-1, keepdims=True)
    return largest


def floats(x: ArrayLike, name: str = "x") -> FloatArray:
    """Return a user's numbers as a float array: a float array keeps its dtype, others become `hw.config.floatx()`.

    Raises InputTypeError for anything but numbers.

    >>> floats([1, 2]).dtype
    dtype('float32')
    """
    array = np.asarray(x)
    if array.dtype.kind not in "fiub":
        raise InputTypeError(explain(f"{name} of {array.dtype}.", "an array of numbers.", f"np.asarray({name}, float)"))
    return array if array.dtype.kind == "f" else array.astype(floatx())


def _finite(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not math.isfinite(value):
        raise InputError(explain(f"{name}={value!r}.", "a finite number.", f"{name}=0.1"))
    return float(value)


class Activation(ABC):
    """A function of a layer's output, with its derivative.

    Derive your own from `Elementwise` (value and derivative), or from this (value and backward).
    """

    kind: str = ""  # what the compiled core calls it; empty if the core does not know it
    parameters: tuple[str, ...] = ()  # the attributes that shape the function, in the core's order

    def __init__(self, name: str | None = None) -> None:
        self.name = name or self.kind or type(self).__name__

    @abstractmethod
    def value(self, z: FloatArray) -> FloatArray:
        """Return a = f(z), of z's shape and dtype; NaN stays NaN."""

    @abstractmethod
    def backward(self, z: FloatArray, a: FloatArray, da: FloatArray) -> FloatArray:
        """Return dz, the loss's derivative by z, given a = f(z) and da, the loss's derivative by a."""

    def __call__(self, x: ArrayLike) -> FloatArray:
        """Return f(x); integers become `hw.config.floatx()`."""
        return self.value(floats(x))

    @property
    def core(self) -> Core | None:
        """What the compiled core is told, (kind, parameters); None if it must call back into Python."""
        return (self.kind, tuple(float(getattr(self, name)) for name in self.parameters)) if self.kind else None

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"name": self.name} | {name: getattr(self, name) for name in self.parameters}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self.get_config().items())})"


class Elementwise(Activation):
    """An activation of each number on its own: dz = da * f'(z)."""

    @abstractmethod
    def derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        """Return f'(z), given a = f(z)."""

    def backward(self, z: FloatArray, a: FloatArray, da: FloatArray) -> FloatArray:
        """Return dz = da * f'(z)."""
        return da * self.derivative(z, a)


class Linear(Elementwise):
    """f(z) = z."""

    kind = "linear"

    def value(self, z: FloatArray) -> FloatArray:
        return z

    def derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        return np.ones_like(z)


class Relu(Elementwise):
    """The rectifier: min(z, max_value) above the threshold, negative_slope * (z - threshold) below.

    At the threshold the derivative is negative_slope, at max_value it is 0 (JAX and PyTorch differ there).
    `leaky_relu` and `relu6` are this one with other parameters. Source: Nair and Hinton, 2010.

    >>> Relu(negative_slope=0.1)([-10.0, 5.0]).tolist()
    [-1.0, 5.0]
    """

    kind = "relu"
    parameters = ("negative_slope", "max_value", "threshold")

    def __init__(
        self,
        negative_slope: float = 0.0,
        max_value: float | None = None,
        threshold: float = 0.0,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        self.negative_slope = _finite("negative_slope", negative_slope)
        self.max_value = None if max_value is None else _finite("max_value", max_value)
        self.threshold = _finite("threshold", threshold)

    def value(self, z: FloatArray) -> FloatArray:
        a = np.where(z <= self.threshold, 0.0, z).astype(z.dtype, copy=False)
        if self.max_value is not None:
            a = np.clip(a, 0.0, self.max_value)
        if self.negative_slope != 0.0:  # not 0 * z, which is NaN at minus infinity
            a = a + self.negative_slope * np.minimum(z - self.threshold, 0.0)
        return a

    def derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        slope = np.where(z <= self.threshold, self.negative_slope, 1.0)
        if self.max_value is not None:
            slope = np.where((z > self.threshold) & ((z < 0.0) | (z >= self.max_value)), 0.0, slope)
        return slope.astype(z.dtype, copy=False)

    @property
    def core(self) -> Core:
        maximum = math.inf if self.max_value is None else self.max_value
        return self.kind, (self.negative_slope, maximum, self.threshold)


class Elu(Elementwise):
    """f(z) = z if z > 0, else alpha * (exp(z) - 1). Source: Clevert et al., 2016."""

    kind = "elu"
    parameters = ("alpha",)

    def __init__(self, alpha: float = 1.0, name: str | None = None) -> None:
        super().__init__(name)
        self.alpha = _finite("alpha", alpha)

    def value(self, z: FloatArray) -> FloatArray:
        return np.where(z > 0.0, z, self.alpha * np.expm1(np.minimum(z, 0.0)))

    def derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        return np.where(z > 0.0, z.dtype.type(1.0), self.alpha * np.exp(np.minimum(z, 0.0)))


class Selu(Elementwise):
    """f(z) = scale * elu(z), scale and alpha such that mean 0 and variance 1 stay. Source: Klambauer et al., 2017."""

    kind = "selu"
    ALPHA = 1.6732632423543772848170429916717
    SCALE = 1.0507009873554804934193349852946

    def value(self, z: FloatArray) -> FloatArray:
        return self.SCALE * np.where(z > 0.0, z, self.ALPHA * np.expm1(np.minimum(z, 0.0)))

    def derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        return self.SCALE * np.where(z > 0.0, z.dtype.type(1.0), self.ALPHA * np.exp(np.minimum(z, 0.0)))


_erfc = np.vectorize(math.erfc, otypes=[np.float64])


class Gelu(Elementwise):
    """f(z) = z * P(Z <= z), Z standard normal; `approximate` uses tanh for P. Source: Hendrycks and Gimpel, 2016."""

    kind = "gelu"
    parameters = ("approximate",)
    ROOT = math.sqrt(2.0 / math.pi)
    CUBE = 0.044715

    def __init__(self, approximate: bool = False, name: str | None = None) -> None:
        super().__init__(name)
        self.approximate = bool(approximate)

    def value(self, z: FloatArray) -> FloatArray:
        return z * self._probability(z)

    def derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        probability = self._probability(z)
        if self.approximate:  # P = (1 + tanh u) / 2, therefore P' = 2 P (1 - P) u'
            density = 2.0 * probability * (1.0 - probability) * self.ROOT * (1.0 + 3.0 * self.CUBE * z * z)
        else:
            density = np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
        return probability + z * density

    def _probability(self, z: FloatArray) -> FloatArray:
        if self.approximate:
            return 0.5 * (1.0 + np.tanh(self.ROOT * (z + self.CUBE * z**3)))
        probability: FloatArray = 0.5 * _erfc(-z / math.sqrt(2.0))
        return probability.astype(z.dtype, copy=False)


def _sigmoid(z: FloatArray) -> FloatArray:
    """1 / (1 + exp(-z)), from exp(-|z|), which cannot overflow."""
    small = np.exp(-np.abs(z))
    return np.where(z >= 0.0, 1.0, small) / (1.0 + small)


class Sigmoid(Elementwise):
    """f(z) = 1 / (1 + exp(-z)); f' = a * (1 - a)."""

    kind = "sigmoid"

    def value(self, z: FloatArray) -> FloatArray:
        return _sigmoid(z)

    def derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        return a * (1.0 - a)


def _softplus(z: FloatArray) -> FloatArray:
    """ln(1 + exp(z)), from exp(-|z|), which cannot overflow."""
    return np.maximum(z, 0.0) + np.log1p(np.exp(-np.abs(z)))


class Silu(Elementwise):
    """f(z) = z * sigmoid(z), also called swish. Source: Ramachandran et al., 2017."""

    kind = "silu"

    def value(self, z: FloatArray) -> FloatArray:
        return z * _sigmoid(z)

    def derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        s = _sigmoid(z)
        return s * (1.0 + z * (1.0 - s))


class Mish(Elementwise):
    """f(z) = z * tanh(softplus(z)). Source: Misra, 2019."""

    kind = "mish"

    def value(self, z: FloatArray) -> FloatArray:
        return z * np.tanh(_softplus(z))

    def derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        t = np.tanh(_softplus(z))
        return t + z * (1.0 - t * t) * _sigmoid(z)


class HardSigmoid(Elementwise):
    """f(z) = min(max(z + 3, 0), 6) / 6."""

    kind = "hard_sigmoid"

    def value(self, z: FloatArray) -> FloatArray:
        clipped: FloatArray = np.clip(z + 3.0, 0.0, 6.0)
        return clipped / 6.0

    def derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        return np.where(np.abs(z) < 3.0, z.dtype.type(1.0 / 6.0), z.dtype.type(0.0))


class Tanh(Elementwise):
    """f(z) = tanh(z); f' = 1 - a²."""

    kind = "tanh"

    def value(self, z: FloatArray) -> FloatArray:
        return np.tanh(z)

    def derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        return 1.0 - a * a


class Softsign(Elementwise):
    """f(z) = z / (1 + |z|); f' = 1 / (1 + |z|)²."""

    kind = "softsign"

    def value(self, z: FloatArray) -> FloatArray:
        return z / (1.0 + np.abs(z))

    def derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        return 1.0 / np.square(1.0 + np.abs(z))


class Softplus(Elementwise):
    """f(z) = ln(1 + exp(z)); f' = sigmoid(z)."""

    kind = "softplus"

    def value(self, z: FloatArray) -> FloatArray:
        return _softplus(z)

    def derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        return _sigmoid(z)


class Exponential(Elementwise):
    """f(z) = exp(z); f' = a. Infinite above 88 in float32, 709 in float64."""

    kind = "exponential"

    def value(self, z: FloatArray) -> FloatArray:
        with np.errstate(over="ignore"):
            return np.exp(z)

    def derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        return a


class Softmax(Activation):
    """f(z)[i] = exp(z[i]) / sum of exp(z), along the last axis; dz = a * (da - sum of da * a)."""

    kind = "softmax"

    def value(self, z: FloatArray) -> FloatArray:
        e: FloatArray = np.exp(z - row_max(z))
        return e / row_sum(e)

    def backward(self, z: FloatArray, a: FloatArray, da: FloatArray) -> FloatArray:
        return a * (da - row_sum(da * a))


class LogSoftmax(Activation):
    """f(z)[i] = z[i] - ln(sum of exp(z)), along the last axis; dz = da - exp(a) * sum of da."""

    kind = "log_softmax"

    def value(self, z: FloatArray) -> FloatArray:
        shifted = z - row_max(z)
        logarithm: FloatArray = np.log(row_sum(np.exp(shifted)))
        return shifted - logarithm

    def backward(self, z: FloatArray, a: FloatArray, da: FloatArray) -> FloatArray:
        softmax: FloatArray = np.exp(a)
        return da - softmax * row_sum(da)


class CustomActivation(Activation):
    """A user's function of an array, written with NumPy and differentiated for them (see `differentiate.py`).

    The function takes z, shape (B, O), and returns an array of the same shape. Raises InputError if it does not, or if
    it cannot be differentiated.

    >>> f = CustomActivation(lambda z: z * np.abs(z))
    >>> z = np.array([[3.0]]); f.backward(z, f(z), np.array([[1.0]])).tolist()
    [[6.0]]
    """

    def __init__(self, function: Callable[..., Any], name: str | None = None) -> None:
        if not callable(function):
            raise InputTypeError(explain(f"activation {function!r}.", "a function of an array.", "activation=np.tanh"))
        super().__init__(name or function_name(function))
        self.function = function

    def value(self, z: FloatArray) -> FloatArray:
        return self._checked(z, self.function(z))

    def backward(self, z: FloatArray, a: FloatArray, da: FloatArray) -> FloatArray:
        value, pull_back = value_and_pull_back(self.function, z)
        self._checked(z, value)
        return pull_back(da)

    def check(self, z: FloatArray) -> float:
        """Compare the derivative with central differences at z, shape (B, O); return the worst relative error."""
        self.value(z)
        return check_gradient(self.function, z)

    def _checked(self, z: FloatArray, result: Any) -> FloatArray:
        a = np.asarray(result)
        if a.shape != z.shape or a.dtype.kind not in "fiu":
            raise InputError(
                explain(
                    f"the activation {self.name!r}, which for z of shape {z.shape} returned {a.dtype} of {a.shape}.",
                    "an array of numbers of the same shape as its argument.",
                )
            )
        return a.astype(z.dtype, copy=False)


def linear(x: ArrayLike) -> FloatArray:
    """Return x."""
    return Linear()(x)


def relu(
    x: ArrayLike, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> FloatArray:
    """Return the rectifier of x (see `Relu`).

    >>> relu([-10.0, 5.0, 20.0], negative_slope=0.1, max_value=6.0).tolist()
    [-1.0, 5.0, 6.0]
    """
    return Relu(negative_slope, max_value, threshold)(x)


def leaky_relu(x: ArrayLike, negative_slope: float = 0.2) -> FloatArray:
    """Return x where positive, else negative_slope * x."""
    return Relu(negative_slope)(x)


def relu6(x: ArrayLike) -> FloatArray:
    """Return min(max(x, 0), 6)."""
    return Relu(max_value=6.0)(x)


def elu(x: ArrayLike, alpha: float = 1.0) -> FloatArray:
    """Return x where positive, else alpha * (exp(x) - 1)."""
    return Elu(alpha)(x)


def selu(x: ArrayLike) -> FloatArray:
    """Return the self-normalising elu of x (see `Selu`)."""
    return Selu()(x)


def gelu(x: ArrayLike, approximate: bool = False) -> FloatArray:
    """Return x * P(Z <= x), Z standard normal (see `Gelu`)."""
    return Gelu(approximate)(x)


def silu(x: ArrayLike) -> FloatArray:
    """Return x * sigmoid(x)."""
    return Silu()(x)


swish = silu


def mish(x: ArrayLike) -> FloatArray:
    """Return x * tanh(softplus(x))."""
    return Mish()(x)


def sigmoid(x: ArrayLike) -> FloatArray:
    """Return 1 / (1 + exp(-x))."""
    return Sigmoid()(x)


def hard_sigmoid(x: ArrayLike) -> FloatArray:
    """Return min(max(x + 3, 0), 6) / 6."""
    return HardSigmoid()(x)


def tanh(x: ArrayLike) -> FloatArray:
    """Return the hyperbolic tangent of x."""
    return Tanh()(x)


def softsign(x: ArrayLike) -> FloatArray:
    """Return x / (1 + |x|)."""
    return Softsign()(x)


def softplus(x: ArrayLike) -> FloatArray:
    """Return ln(1 + exp(x))."""
    return Softplus()(x)


def exponential(x: ArrayLike) -> FloatArray:
    """Return exp(x)."""
    return Exponential()(x)


def softmax(x: ArrayLike, axis: int = -1) -> FloatArray:
    """Return exp(x) / sum of exp(x) along an axis.

    >>> softmax([[0.0, 0.0]]).tolist()
    [[0.5, 0.5]]
    """
    return _along(Softmax(), x, axis)


def log_softmax(x: ArrayLike, axis: int = -1) -> FloatArray:
    """Return x - ln(sum of exp(x)) along an axis."""
    return _along(LogSoftmax(), x, axis)


def _along(activation: Activation, x: ArrayLike, axis: int) -> FloatArray:
    return np.moveaxis(activation(np.moveaxis(floats(x), axis, -1)), -1, axis)


_CLASSES: dict[str, type[Activation]] = {
    one.__name__: one
    for one in (Linear, Relu, Elu, Selu, Gelu, Sigmoid, Silu, Mish, HardSigmoid, Tanh, Softsign, Softplus, Exponential)
} | {one.__name__: one for one in (Softmax, LogSoftmax)}

_NAMED: dict[str, Activation] = {one.kind: one() for one in _CLASSES.values()} | {
    "leaky_relu": Relu(negative_slope=0.2, name="leaky_relu"),
    "relu6": Relu(max_value=6.0, name="relu6"),
}
_ALIASES = {"swish": "silu"}


def get(identifier: Any, custom_objects: Mapping[str, Any] | None = None) -> Activation:
    """Return an activation by name, configuration, function or instance; None is linear.

    `custom_objects` maps the names of functions of your own to them. Raises InputError for an unknown name, with the
    nearest known one.

    >>> get("relu").core
    ('relu', (0.0, inf, 0.0))
    """
    if identifier is None:
        return _NAMED["linear"]
    if isinstance(identifier, Activation):
        return identifier
    if isinstance(identifier, Mapping):
        return deserialize(identifier, custom_objects)
    if isinstance(identifier, str):
        if custom_objects and identifier in custom_objects:
            return get(custom_objects[identifier])
        name = _ALIASES.get(identifier, identifier)
        if name not in _NAMED:
            raise unknown_name("activation", identifier, [*_NAMED, *_ALIASES], "Dense(8, activation={})")
        return _NAMED[name]
    if isinstance(identifier, type) and issubclass(identifier, Activation):
        return identifier()
    if callable(identifier):
        known = next((name for name in _NAMED if globals()[name] is identifier), None)
        return CustomActivation(identifier) if known is None else _NAMED[known]
    raise InputTypeError(
        explain(f"the activation {identifier!r}.", "a name, or a function of an array.", 'Dense(8, activation="relu")')
    )


def serialize(activation: Any) -> str | dict[str, Any]:
    """Return an activation as what a JSON file can hold: its name, or its class and configuration.

    >>> serialize(relu)
    'relu'
    >>> serialize(Elu(alpha=0.5))
    {'class_name': 'Elu', 'config': {'name': 'elu', 'alpha': 0.5}}
    """
    activation = get(activation)
    if isinstance(activation, CustomActivation):
        return {"class_name": "CustomActivation", "config": qualified(activation.function, activation.name)}
    known = _NAMED.get(activation.name)
    if known is not None and type(known) is type(activation) and known.get_config() == activation.get_config():
        return activation.name
    return {"class_name": type(activation).__name__, "config": activation.get_config()}


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Activation:
    """Return the activation that `serialize` wrote; a function of your own must be given in `custom_objects`.

    >>> deserialize({"class_name": "Elu", "config": {"alpha": 0.5}}).core
    ('elu', (0.5,))
    """
    if not isinstance(config, Mapping):
        return get(config, custom_objects)
    class_name, arguments = config.get("class_name"), config.get("config")
    if class_name == "CustomActivation":
        return get(restored("activation", arguments, custom_objects))
    classes = {**_CLASSES, **(custom_objects or {})}
    if not isinstance(class_name, str) or class_name not in classes:
        raise unknown_name("activation class", class_name, classes, '{{"class_name": {}, "config": {{}}}}')
    try:
        return get(classes[class_name](**(arguments or {})))
    except TypeError as error:
        raise InputError(explain(f"{class_name} with {arguments!r}.", f"its arguments ({error}).")) from None
