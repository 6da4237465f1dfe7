"""The weights a network starts from: constants, and random draws scaled to a layer's width.

Names, defaults and formulas are Keras 3's; the random numbers are NumPy's, so equal seeds do not give Keras's numbers.
Nothing here knows of layers: an initializer turns a shape into an array.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from hillwalker import config
from hillwalker.differentiate import function_name, qualified, restored
from hillwalker.errors import InputError, InputTypeError, explain, unknown_name

FloatArray = NDArray[np.floating[Any]]

# The standard deviation of a standard normal cut off at two; dividing by it restores the wanted deviation.
TRUNCATED_NORMAL_DEVIATION = 0.87962566103423978

MODES = ("fan_in", "fan_out", "fan_avg")
DISTRIBUTIONS = ("truncated_normal", "untruncated_normal", "uniform")


class Initializer:
    """Starting weights as a function of their shape; subclasses define `__call__` and `get_config`."""

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> FloatArray:
        """Return an array of `shape` in `dtype` (default: `config.floatx()`)."""
        raise NotImplementedError(f"{type(self).__name__} does not define __call__(shape, dtype=None).")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this initializer again."""
        return {}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Initializer:
        """Return the initializer that `get_config` described."""
        return cls(**config)


class Zeros(Initializer):
    """All zeros: the usual start of a bias.

    >>> Zeros()((2,)).tolist()
    [0.0, 0.0]
    """

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> FloatArray:
        """Return zeros of `shape`."""
        return np.zeros(shape, _float_type(dtype))


class Ones(Initializer):
    """All ones.

    >>> Ones()((2,)).tolist()
    [1.0, 1.0]
    """

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> FloatArray:
        """Return ones of `shape`."""
        return np.ones(shape, _float_type(dtype))


class Constant(Initializer):
    """One value everywhere, or an array of given values.

    `value`: a number, or an array that has the weight's shape or broadcasts to it. Raises InputError for another shape.

    >>> Constant(0.5)((3,)).tolist()
    [0.5, 0.5, 0.5]
    """

    def __init__(self, value: Any = 0.0) -> None:
        self.value = np.asarray(value, dtype=np.float64)

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> FloatArray:
        """Return the value spread over `shape`."""
        weights = np.empty(shape, _float_type(dtype))
        try:
            weights[...] = self.value
        except ValueError:
            passed = f"values of shape {self.value.shape} for a weight of shape {tuple(shape)}."
            raise InputError(explain(passed, "equal shapes.")) from None
        return weights

    def get_config(self) -> dict[str, Any]:
        """Return the value as a number or nested list."""
        return {"value": self.value.tolist()}


class Identity(Initializer):
    """The identity matrix times `gain`; only for kernels, of shape (inputs, units).

    >>> Identity()((2, 2)).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> FloatArray:
        """Return `gain` on the diagonal of `shape`, zero elsewhere."""
        if len(shape) != 2:
            passed = f"Identity for a weight of shape {tuple(shape)}."
            raise InputError(explain(passed, "a matrix.", 'bias_initializer="zeros"'))
        return self.gain * np.eye(shape[0], shape[1], dtype=_float_type(dtype))

    def get_config(self) -> dict[str, Any]:
        """Return the gain."""
        return {"gain": self.gain}


class RandomInitializer(Initializer):
    """Random starting weights; subclasses define `draw`.

    `seed`: a whole number gives the same weights at each call; None takes a new seed from `utils.set_random_seed`'s
    generator at each call.
    """

    def __init__(self, seed: int | None = None) -> None:
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0):
            raise InputTypeError(explain(f"seed={seed!r}.", "None or a whole number, 0 or more.", "seed=0"))
        self.seed = None if seed is None else int(seed)

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> FloatArray:
        """Return random weights of `shape`."""
        generator = np.random.default_rng(config.next_seed() if self.seed is None else self.seed)
        return self.draw(generator, tuple(shape)).astype(_float_type(dtype))

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Return the weights in float64."""
        raise NotImplementedError(f"{type(self).__name__} does not define draw(generator, shape).")

    def get_config(self) -> dict[str, Any]:
        """Return the seed."""
        return {"seed": self.seed}


class RandomNormal(RandomInitializer):
    """Normal with the given mean and standard deviation.

    >>> bool(abs(RandomNormal(stddev=0.05, seed=0)((100, 100)).std() - 0.05) < 0.001)
    True
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean, self.stddev = mean, stddev

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Return mean + stddev * N(0, 1)."""
        return self.mean + self.stddev * generator.standard_normal(shape)

    def get_config(self) -> dict[str, Any]:
        """Return mean, stddev and seed."""
        return {"mean": self.mean, "stddev": self.stddev, "seed": self.seed}


class TruncatedNormal(RandomInitializer):
    """Normal, with every draw further than two standard deviations from the mean drawn again.

    `stddev` is the deviation before truncation; after it, 0.8796 times that remains.

    >>> bool(abs(TruncatedNormal(stddev=1.0, seed=0)((100, 100))).max() <= 2.0)
    True
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean, self.stddev = mean, stddev

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Return mean + stddev * (N(0, 1) within two)."""
        return self.mean + self.stddev * _within_two_deviations(generator, shape)

    def get_config(self) -> dict[str, Any]:
        """Return mean, stddev and seed."""
        return {"mean": self.mean, "stddev": self.stddev, "seed": self.seed}


class RandomUniform(RandomInitializer):
    """Evenly spread over [minval, maxval).

    >>> bool(abs(RandomUniform(seed=0)((10, 10))).max() < 0.05)
    True
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.minval, self.maxval = minval, maxval

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Return minval + (maxval - minval) * U(0, 1)."""
        return generator.uniform(self.minval, self.maxval, shape)

    def get_config(self) -> dict[str, Any]:
        """Return minval, maxval and seed."""
        return {"minval": self.minval, "maxval": self.maxval, "seed": self.seed}


class VarianceScaling(RandomInitializer):
    """Zero-mean weights whose variance is scale / n, so that signals keep their size through the layers.

    n: inputs ("fan_in"), units ("fan_out") or their mean ("fan_avg"). A uniform draw spans +-sqrt(3 scale / n); a
    truncated normal is widened so that its standard deviation after truncation is sqrt(scale / n).

    Source: Glorot and Bengio (2010); He et al. (2015).

    >>> weights = VarianceScaling(2.0, "fan_in", seed=0)((200, 50))
    >>> bool(abs(weights.var() - 2.0 / 200) < 0.001)
    True
    """

    def __init__(
        self, scale: float = 1.0, mode: str = "fan_in", distribution: str = "truncated_normal", seed: int | None = None
    ) -> None:
        super().__init__(seed)
        if not scale > 0:
            raise InputError(explain(f"scale={scale!r}.", "a number above 0.", "VarianceScaling(scale=2.0)"))
        if mode not in MODES:
            raise unknown_name("mode", mode, MODES, "VarianceScaling(mode={})")
        distribution = "truncated_normal" if distribution == "normal" else distribution
        if distribution not in DISTRIBUTIONS:
            raise unknown_name("distribution", distribution, DISTRIBUTIONS, "VarianceScaling(distribution={})")
        self.scale, self.mode, self.distribution = scale, mode, distribution

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Return the scaled draw."""
        inputs, units = fans(shape)
        count = {"fan_in": inputs, "fan_out": units, "fan_avg": (inputs + units) / 2}[self.mode]
        deviation = np.sqrt(self.scale / max(1.0, count))
        if self.distribution == "uniform":
            return generator.uniform(-np.sqrt(3) * deviation, np.sqrt(3) * deviation, shape)
        if self.distribution == "untruncated_normal":
            return np.asarray(deviation * generator.standard_normal(shape))
        return np.asarray(deviation / TRUNCATED_NORMAL_DEVIATION * _within_two_deviations(generator, shape))

    def get_config(self) -> dict[str, Any]:
        """Return scale, mode, distribution and seed; only the seed for the named special cases."""
        if type(self) is not VarianceScaling:
            return {"seed": self.seed}
        return {"scale": self.scale, "mode": self.mode, "distribution": self.distribution, "seed": self.seed}


class GlorotUniform(VarianceScaling):
    """Uniform within +-sqrt(6 / (inputs + units)): the default of Dense. Source: Glorot and Bengio (2010).

    >>> bool(abs(GlorotUniform(seed=0)((3, 3))).max() <= 1.0)
    True
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_avg", "uniform", seed)


class GlorotNormal(VarianceScaling):
    """Truncated normal with variance 2 / (inputs + units). Source: Glorot and Bengio (2010)."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_avg", "truncated_normal", seed)


class HeUniform(VarianceScaling):
    """Uniform within +-sqrt(6 / inputs), for ReLU. Source: He et al. (2015)."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(2.0, "fan_in", "uniform", seed)


class HeNormal(VarianceScaling):
    """Truncated normal with variance 2 / inputs, for ReLU. Source: He et al. (2015)."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(2.0, "fan_in", "truncated_normal", seed)


class LecunUniform(VarianceScaling):
    """Uniform within +-sqrt(3 / inputs). Source: LeCun et al. (1998)."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_in", "uniform", seed)


class LecunNormal(VarianceScaling):
    """Truncated normal with variance 1 / inputs, for SELU. Source: LeCun et al. (1998)."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_in", "truncated_normal", seed)


class Orthogonal(RandomInitializer):
    """`gain` times a random matrix with orthonormal rows or columns, whichever are fewer. Source: Saxe et al. (2014).

    The Q of the QR decomposition of a normal matrix, each column's sign set by R's diagonal so that Q is uniform.

    >>> weights = Orthogonal(seed=0)((4, 2), "float64")
    >>> bool(np.allclose(weights.T @ weights, np.eye(2)))
    True
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = gain

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Return the orthogonal matrix."""
        if len(shape) < 2:
            passed = f"Orthogonal for a weight of shape {shape}."
            raise InputError(explain(passed, "a matrix.", 'bias_initializer="zeros"'))
        rows, columns = int(np.prod(shape[:-1])), shape[-1]
        q, r = np.linalg.qr(generator.standard_normal((max(rows, columns), min(rows, columns))))
        q = q * np.sign(np.diag(r))
        return np.asarray(self.gain * (q.T if rows < columns else q).reshape(shape))

    def get_config(self) -> dict[str, Any]:
        """Return gain and seed."""
        return {"gain": self.gain, "seed": self.seed}


class CustomInitializer(Initializer):
    """A function of the user, function(shape, dtype) -> array of that shape; a wrong shape or NaN is refused.

    >>> CustomInitializer(lambda shape, dtype=None: np.full(shape, 2.0))((2,)).tolist()
    [2.0, 2.0]
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> FloatArray:
        """Return what the function returns, checked and cast."""
        kind = _float_type(dtype)
        weights = np.array(self.function(tuple(shape), dtype=kind.name), dtype=kind)
        name = function_name(self.function)
        if weights.shape != tuple(shape):
            passed = f"initializer {name!r}, which returned shape {weights.shape}."
            raise InputError(explain(passed, f"shape {tuple(shape)}.", "return an array of the shape asked for"))
        if not np.isfinite(weights).all():
            raise InputError(explain(f"initializer {name!r}, which returned NaN or infinity.", "finite weights."))
        return weights

    def get_config(self) -> dict[str, Any]:
        """Return the function's name and place; a file never holds its code."""
        return qualified(self.function, function_name(self.function))


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """Return how many inputs and units a weight of this shape connects.

    >>> fans((20, 64)), fans((64,))
    ((20, 64), (64, 64))
    """
    if len(shape) < 2:
        count = shape[0] if len(shape) == 1 else 1
        return count, count
    field = int(np.prod(shape[:-2]))
    return shape[-2] * field, shape[-1] * field


def _float_type(dtype: DTypeLike | None) -> np.dtype[Any]:
    return np.dtype(config.floatx() if dtype is None else dtype)


def _within_two_deviations(generator: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    draws = np.asarray(generator.standard_normal(shape))
    while (outside := np.abs(draws) > 2.0).any():
        draws[outside] = generator.standard_normal(int(outside.sum()))
    return draws


# Keras's function spellings, as in `initializers.he_normal(seed=1)`.
zeros, ones, constant, identity, orthogonal = Zeros, Ones, Constant, Identity, Orthogonal
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
glorot_uniform, glorot_normal, he_uniform, he_normal = GlorotUniform, GlorotNormal, HeUniform, HeNormal
lecun_uniform, lecun_normal, variance_scaling = LecunUniform, LecunNormal, VarianceScaling

CLASSES: tuple[type[Initializer], ...] = (
    Zeros, Ones, Constant, Identity, RandomNormal, TruncatedNormal, RandomUniform, VarianceScaling, GlorotUniform,
    GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal, Orthogonal,
)  # fmt: skip
BY_NAME: dict[str, type[Initializer]] = (
    {kind.__name__: kind for kind in CLASSES}
    | {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower(): kind for kind in CLASSES}
    | {"zero": Zeros, "one": Ones, "normal": RandomNormal, "uniform": RandomUniform}
)


def get(identifier: Any, custom_objects: Mapping[str, Any] | None = None) -> Initializer | None:
    """Return the initializer meant by a name, a config, a class, an array, a function or an initializer; None for None.

    Raises InputError for an unknown name, with the nearest known one.

    >>> type(get("he_normal")).__name__
    'HeNormal'
    """
    if identifier is None or isinstance(identifier, Initializer):
        return identifier
    if isinstance(identifier, str):
        return deserialize({"class_name": identifier}, custom_objects)
    if isinstance(identifier, Mapping):
        return deserialize(identifier, custom_objects)
    if isinstance(identifier, type) and issubclass(identifier, Initializer):
        return identifier()
    if isinstance(identifier, (np.ndarray, np.generic)):
        return Constant(identifier)
    if callable(identifier):
        return CustomInitializer(identifier)
    expected = "a name, an Initializer, or a function of (shape, dtype)."
    raise InputTypeError(explain(f"initializer {identifier!r}.", expected, 'Dense(8, kernel_initializer="he_normal")'))


def serialize(initializer: Initializer) -> dict[str, Any]:
    """Return a JSON-able description of an initializer.

    >>> serialize(Constant(2.0))
    {'class_name': 'Constant', 'config': {'value': 2.0}}
    """
    return {"class_name": type(initializer).__name__, "config": initializer.get_config()}


def deserialize(description: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Initializer:
    """Return the initializer that `serialize` described; classes of one's own come in through `custom_objects`.

    >>> deserialize({"class_name": "Constant", "config": {"value": 2.0}}).get_config()
    {'value': 2.0}
    """
    known: dict[str, Any] = {**BY_NAME, **(custom_objects or {})}
    name = description.get("class_name")
    if name == "CustomInitializer":
        return CustomInitializer(restored("initializer", description.get("config"), custom_objects))
    if name not in known:
        raise unknown_name("initializer", name, known, "Dense(8, kernel_initializer={})")
    kind = known[name]
    if isinstance(kind, Initializer):
        return kind
    if not hasattr(kind, "from_config"):
        return CustomInitializer(kind)
    arguments = dict(description.get("config") or {})
    for axes in ("input_axes", "output_axes"):  # Keras writes these; a dense network has no use for them
        if arguments.get(axes, 0) is None:
            del arguments[axes]
    made: Initializer = kind.from_config(arguments)
    return made
