"""What a user stacks, and each layer's forward and backward pass in NumPy, adjacent.

A layer says which weights it wants and how it computes; it holds no numbers of its own until a model is built, when its
weights become views into the model's one flat vector. The compiled core computes the same (core/layers.inl).

Legend of shapes: B rows of a batch, I inputs, O units. `a` is a layer's output, `z` its value before the activation;
`dz` means d(loss)/dz, and so on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hillwalker import activations, checks, initializers, randomness, regularizers, utils
from hillwalker.activations import Activation as ActivationFunction
from hillwalker.errors import InputError, InputTypeError, StateError, explain, unknown_name
from hillwalker.parameters import FloatArray, WeightSpecification

Weights = Mapping[str, FloatArray]
Memory = dict[str, FloatArray]


@dataclass(frozen=True)
class Moment:
    """When a pass happens: in training or not, and the key of this step's random stream for this layer."""

    training: bool
    key: int = 0


class Layer:
    """The base of all layers.

    Args:
        name: the layer's name; automatic (`dense_1`) when None.
        trainable: whether training moves the layer's weights.
        input_shape: the shape of one row of the model's input, for a first layer; `input_dim=n` means `(n,)`.
        dtype: accepted for Keras's sake; must be None or the model's precision (`hw.config.set_floatx`).
    """

    def __init__(self, *, name: str | None = None, trainable: bool = True, **shapes: Any) -> None:
        self.name = utils.automatic_name(type(self).__name__) if name is None else str(name)
        self.trainable = trainable
        self.input_shape_wanted = _wanted_shape(type(self).__name__, shapes)
        self.values: dict[str, FloatArray] = {}  # views into the model's flat vector, once it is built
        self.owner: object | None = None  # the model whose vector that is

    def output_width(self, inputs: int) -> int:
        """Return the number of columns of the output for `inputs` columns of input."""
        return inputs

    def wanted_weights(self, inputs: int) -> list[WeightSpecification]:
        """Return the weights this layer needs for `inputs` columns of input."""
        return []

    def forward(self, x: FloatArray, weights: Weights, moment: Moment) -> tuple[FloatArray, Memory]:
        """Return the output (B, O) for x (B, I), and what the backward pass will need."""
        raise NotImplementedError

    def backward(self, memory: Memory, da: FloatArray, weights: Weights, gradients: Weights) -> FloatArray:
        """Return dx (B, I) for da (B, O), and write each weight's gradient into `gradients`."""
        raise NotImplementedError

    @property
    def weights(self) -> list[FloatArray]:
        """All weights, as views."""
        return list(self.values.values())

    def get_weights(self) -> list[FloatArray]:
        """Return copies of the weights, in Keras's order."""
        return [value.copy() for value in self.values.values()]

    def set_weights(self, weights: list[Any]) -> None:
        """Overwrite the weights with arrays of the same shapes; nothing is overwritten if one does not fit."""
        if not self.values and self.wanted_weights(1):
            raise StateError(
                explain(f"weights for {self.name}, which is not built.", "a built layer.", "model.build((None, 20))")
            )
        overwrite(list(self.values.values()), weights, f"the layer {self.name!r}", "layer")

    def count_params(self) -> int:
        """Return how many numbers the layer's weights hold."""
        return sum(value.size for value in self.values.values())

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer (without its weights), as plain JSON values."""
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable}
        if self.input_shape_wanted is not None:
            config["input_shape"] = list(self.input_shape_wanted)
        return config

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Layer:
        """Return the layer that `get_config` described."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def overwrite(views: list[FloatArray], weights: Sequence[Any], whose: str, name: str) -> None:
    """Overwrite weights with arrays of the same shapes; nothing is overwritten if one does not fit or is not finite."""
    fix = f"{name}.set_weights({name}.get_weights())"
    try:
        arrays = [np.asarray(weight) for weight in weights]
    except (TypeError, ValueError) as error:
        passed = f"weights of type {type(weights).__name__} for {whose} ({error})."
        raise InputTypeError(explain(passed, "a list of arrays.", fix)) from error
    wanted, found = [view.shape for view in views], [array.shape for array in arrays]
    if found != wanted:
        raise InputError(explain(f"weights of shapes {found} for {whose}.", f"shapes {wanted}.", fix))
    for number, array in enumerate(arrays):
        if array.dtype.kind not in "fiub":
            raise InputTypeError(explain(f"weights[{number}] of dtype {array.dtype} for {whose}.", "numbers.", fix))
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is then refused
            arrays[number] = array.astype(views[number].dtype)
        if not np.isfinite(arrays[number]).all():
            raise InputError(explain(f"weights[{number}] with NaN or infinity for {whose}.", "finite numbers.", fix))
    for view, array in zip(views, arrays, strict=True):
        view[...] = array


def _wanted_shape(kind: str, shapes: dict[str, Any]) -> tuple[int, ...] | None:
    """Return the input shape in Keras's several spellings, and refuse every other keyword."""
    shapes.pop("dtype", None)
    shape: Any = None
    for word in ("input_shape", "shape"):
        shape = shapes.pop(word, shape)
    if "batch_input_shape" in shapes:
        shape = tuple(shapes.pop("batch_input_shape"))[1:]
    if "input_dim" in shapes:
        shape = (shapes.pop("input_dim"),)
    if shapes:
        word = next(iter(shapes))
        raise InputTypeError(
            explain(f"{kind}({word}=...).", "an argument that this layer has.", f"help(hw.layers.{kind})")
        )
    if shape is None:
        return None
    numbers = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    if not numbers or any(isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1 for n in numbers):
        raise InputError(
            explain(f"input shape {shape!r}.", "whole numbers, 1 or more, without the batch.", "Input((20,))")
        )
    return tuple(int(n) for n in numbers)


class InputLayer(Layer):
    """What a model's rows look like: x passes through unchanged.

    Args:
        shape: the shape of one row, such as `(20,)`.
    """

    def __init__(self, shape: Any = None, *, name: str | None = None, trainable: bool = True, **shapes: Any) -> None:
        if shape is not None:
            shapes["input_shape"] = shape
        shapes.pop("batch_size", None)
        super().__init__(name=name, trainable=trainable, **shapes)
        if self.input_shape_wanted is None:
            raise InputError(explain("an input layer without a shape.", "the shape of one row.", "Input((20,))"))

    def forward(self, x: FloatArray, weights: Weights, moment: Moment) -> tuple[FloatArray, Memory]:
        return x, {}

    def backward(self, memory: Memory, da: FloatArray, weights: Weights, gradients: Weights) -> FloatArray:
        return da


def Input(shape: Any = None, batch_size: int | None = None, dtype: Any = None, name: str | None = None) -> InputLayer:  # noqa: N802
    """Return the input layer of a model whose rows have this shape.

    >>> Input((20,)).input_shape_wanted
    (20,)
    """
    return InputLayer(shape, name=name)


class Dense(Layer):
    """A fully connected layer: every unit sees every input.

    z = x W + b, a = f(z), with x (B, I), kernel W (I, O), bias b (O,).

    Args:
        units: the number of outputs O, 1 or more.
        activation: f, by name, as a function of an array, or None for linear.
        use_bias: whether b is added.
        kernel_initializer: starting values of W.
        bias_initializer: starting values of b.
        kernel_regularizer: penalty on W, added to the loss.
        bias_regularizer: penalty on b.

    >>> import numpy as np
    >>> layer = Dense(2, activation="relu")
    >>> weights = {"kernel": np.eye(3, 2), "bias": np.array([0.5, -2.0])}
    >>> a, memory = layer.forward(np.ones((1, 3)), weights, Moment(training=False))
    >>> a
    array([[1.5, 0. ]])
    """

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: None = None,
        kernel_constraint: None = None,
        bias_constraint: None = None,
        **common: Any,
    ) -> None:
        for word, value in (
            ("activity_regularizer", activity_regularizer),
            ("kernel_constraint", kernel_constraint),
            ("bias_constraint", bias_constraint),
        ):
            if value is not None:
                fix = 'Dense(units, kernel_regularizer="l2")'
                raise InputError(explain(f"Dense({word}={value!r}).", f"None: hillwalker has no {word}.", fix))
        super().__init__(**common)
        self.units = checks.positive_integer("units", units, "Dense(64)")
        self.activation = _activation(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = _initializer(kernel_initializer)
        self.bias_initializer = _initializer(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)

    @property
    def kernel(self) -> FloatArray:
        """The kernel W (I, O), a view."""
        return self.values["kernel"]

    @property
    def bias(self) -> FloatArray | None:
        """The bias b (O,), a view, or None."""
        return self.values.get("bias")

    def output_width(self, inputs: int) -> int:
        return self.units

    def wanted_weights(self, inputs: int) -> list[WeightSpecification]:
        kernel = WeightSpecification("kernel", (inputs, self.units), self.kernel_initializer, self.kernel_regularizer)
        bias = WeightSpecification("bias", (self.units,), self.bias_initializer, self.bias_regularizer)
        return [kernel, bias] if self.use_bias else [kernel]

    def forward(self, x: FloatArray, weights: Weights, moment: Moment) -> tuple[FloatArray, Memory]:
        z = x @ weights["kernel"]
        if self.use_bias:
            z = z + weights["bias"]
        a = self.activation(z)
        return a, {"x": x, "z": z, "a": a}

    def backward(self, memory: Memory, da: FloatArray, weights: Weights, gradients: Weights) -> FloatArray:
        dz = self.activation.backward(memory["z"], memory["a"], da)
        gradients["kernel"][...] = memory["x"].T @ dz  # dL/dW = x^T dL/dz
        if self.use_bias:
            gradients["bias"][...] = dz.sum(axis=0)  # dL/db = dL/dz, summed over the rows
        return dz @ weights["kernel"].T  # dL/dx = dL/dz W^T: the blame passed on

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": _serialized(self.kernel_regularizer),
            "bias_regularizer": _serialized(self.bias_regularizer),
        }


def _initializer(identifier: Any) -> initializers.Initializer:
    found = initializers.get(identifier)
    if found is None:
        raise InputError(explain("an initializer None.", "a name or an object.", 'kernel_initializer="glorot_uniform"'))
    return found


def _serialized(penalty: regularizers.Regularizer | None) -> dict[str, Any] | None:
    return None if penalty is None else regularizers.serialize(penalty)


def _activation(identifier: Any) -> ActivationFunction:
    """Return the activation meant; `Dense(8, activation=LeakyReLU())` is common in people's scripts."""
    return identifier.activation if isinstance(identifier, Activation) else activations.get(identifier)


class Activation(Layer):
    """An activation as a layer of its own: a = f(x).

    >>> import numpy as np
    >>> Activation("relu").forward(np.array([[-1.0, 2.0]]), {}, Moment(False))[0]
    array([[0., 2.]])
    """

    def __init__(self, activation: Any, **common: Any) -> None:
        super().__init__(**common)
        self.activation: ActivationFunction = _activation(activation)

    def forward(self, x: FloatArray, weights: Weights, moment: Moment) -> tuple[FloatArray, Memory]:
        a = self.activation(x)
        return a, {"z": x, "a": a}

    def backward(self, memory: Memory, da: FloatArray, weights: Weights, gradients: Weights) -> FloatArray:
        return self.activation.backward(memory["z"], memory["a"], da)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": activations.serialize(self.activation)}


class _FixedActivation(Activation):
    """The base of the layers whose activation is fixed by their class and set by their numbers."""

    settings: ClassVar[tuple[str, ...]] = ()

    def get_config(self) -> dict[str, Any]:
        own = {word: getattr(self, word) for word in self.settings}
        return {**Layer.get_config(self), **own}


class ReLU(_FixedActivation):
    """a = max_value if x >= max_value; x if threshold <= x; negative_slope (x - threshold) below.

    >>> import numpy as np
    >>> ReLU(max_value=6.0).forward(np.array([[-1.0, 2.0, 9.0]]), {}, Moment(False))[0]
    array([[0., 2., 6.]])
    """

    settings = ("max_value", "negative_slope", "threshold")

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **common: Any
    ) -> None:
        self.max_value, self.negative_slope, self.threshold = max_value, negative_slope, threshold
        super().__init__(
            activations.Relu(negative_slope=negative_slope, max_value=max_value, threshold=threshold), **common
        )


class LeakyReLU(_FixedActivation):
    """a = x where x > 0, negative_slope x below; the old spelling `alpha` is accepted.

    >>> import numpy as np
    >>> LeakyReLU(0.1).forward(np.array([[-1.0, 2.0]]), {}, Moment(False))[0]
    array([[-0.1,  2. ]])
    """

    settings = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.3, **common: Any) -> None:
        self.negative_slope = float(common.pop("alpha", negative_slope))
        if not self.negative_slope >= 0.0:
            raise InputError(
                explain(f"negative_slope={negative_slope!r}.", "0 or more.", "LeakyReLU(negative_slope=0.3)")
            )
        super().__init__(activations.Relu(negative_slope=self.negative_slope), **common)


class ELU(_FixedActivation):
    """a = x where x > 0, alpha (e^x - 1) below (Clevert et al. 2015).

    >>> import numpy as np
    >>> ELU().forward(np.array([[0.0, 2.0]]), {}, Moment(False))[0]
    array([[0., 2.]])
    """

    settings = ("alpha",)

    def __init__(self, alpha: float = 1.0, **common: Any) -> None:
        self.alpha = float(alpha)
        super().__init__(activations.Elu(alpha=self.alpha), **common)


class Softmax(_FixedActivation):
    """a = e^x / sum over the row of e^x: each row becomes probabilities.

    >>> import numpy as np
    >>> Softmax().forward(np.array([[0.0, 0.0]]), {}, Moment(False))[0]
    array([[0.5, 0.5]])
    """

    settings = ("axis",)

    def __init__(self, axis: int = -1, **common: Any) -> None:
        if axis not in (-1, 1):
            raise InputError(explain(f"Softmax(axis={axis!r}).", "-1, the columns of a row.", "Softmax()"))
        self.axis = -1
        super().__init__("softmax", **common)


class Flatten(Layer):
    """Each row of any shape becomes one row of numbers, as in `Flatten(input_shape=(8, 8))`.

    A model's data are two-dimensional inside, so this is where the shape is told; nothing is computed.
    """

    def __init__(self, data_format: str | None = None, **common: Any) -> None:
        super().__init__(**common)

    def forward(self, x: FloatArray, weights: Weights, moment: Moment) -> tuple[FloatArray, Memory]:
        return x, {}

    def backward(self, memory: Memory, da: FloatArray, weights: Weights, gradients: Weights) -> FloatArray:
        return da


class Dropout(Layer):
    """In training each input is zeroed with probability `rate`, the rest scaled by 1 / (1 - rate).

    The mask is a function of the model's seed, the step and the layer. `seed` pins this layer's own stream. Source:
    Srivastava et al., 2014.

    >>> import numpy as np
    >>> Dropout(0.5).forward(np.ones((1, 4)), {}, Moment(training=False))[0]
    array([[1., 1., 1., 1.]])
    """

    def __init__(self, rate: float, noise_shape: None = None, seed: int | None = None, **common: Any) -> None:
        if noise_shape is not None:
            raise InputError(explain(f"Dropout(noise_shape={noise_shape!r}).", "None.", "Dropout(0.5)"))
        super().__init__(**common)
        if isinstance(rate, bool) or not isinstance(rate, (int, float, np.number)) or not 0.0 <= rate < 1.0:
            raise InputError(
                explain(f"Dropout({rate!r}).", "the share of inputs to drop, from 0 to below 1.", "Dropout(0.5)")
            )
        self.rate = float(rate)
        self.seed = seed

    def forward(self, x: FloatArray, weights: Weights, moment: Moment) -> tuple[FloatArray, Memory]:
        if not moment.training or self.rate == 0.0:
            return x, {}
        kept = randomness.random_bits(moment.key, x.size).reshape(x.shape) >= np.uint32(int(self.rate * 2**32))
        scale = kept / (1.0 - self.rate)
        return x * scale, {"scale": scale}

    def backward(self, memory: Memory, da: FloatArray, weights: Weights, gradients: Weights) -> FloatArray:
        return da * memory["scale"] if "scale" in memory else da

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


class GaussianNoise(Layer):
    """In training, normal noise of standard deviation `stddev` is added to the inputs.

    >>> import numpy as np
    >>> GaussianNoise(0.1).forward(np.ones((1, 2)), {}, Moment(training=False))[0]
    array([[1., 1.]])
    """

    def __init__(self, stddev: float, seed: int | None = None, **common: Any) -> None:
        super().__init__(**common)
        if isinstance(stddev, bool) or not isinstance(stddev, (int, float, np.number)) or not 0.0 <= stddev < np.inf:
            raise InputError(
                explain(f"GaussianNoise({stddev!r}).", "a standard deviation, 0 or more.", "GaussianNoise(0.1)")
            )
        self.stddev = float(stddev)
        self.seed = seed

    def forward(self, x: FloatArray, weights: Weights, moment: Moment) -> tuple[FloatArray, Memory]:
        if not moment.training or self.stddev == 0.0:
            return x, {}
        return x + self.stddev * randomness.normal(moment.key, x.size).reshape(x.shape), {}

    def backward(self, memory: Memory, da: FloatArray, weights: Weights, gradients: Weights) -> FloatArray:
        return da

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "stddev": self.stddev, "seed": self.seed}


class BatchNormalization(Layer):
    """Each column is shifted and scaled to mean 0 and variance 1 over the batch, then by gamma and beta.

    In training: a = gamma (x - mean) / sqrt(variance + epsilon) + beta with the batch's own mean and (biased) variance,
    and moving = momentum moving + (1 - momentum) batch. Otherwise, and when the layer is not trainable, with the moving
    mean and variance. Source: Ioffe and Szegedy, 2015.

    Args:
        momentum: how slowly the moving statistics move, from 0 to below 1.
        epsilon: added to the variance.
        center: whether beta is added.
        scale: whether gamma multiplies.
    """

    WEIGHTS = ("gamma", "beta", "moving_mean", "moving_variance")

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        if axis not in (-1, 1):
            raise InputError(explain(f"axis={axis!r}.", "-1, the columns of a row.", "BatchNormalization()"))
        if not 0.0 <= momentum < 1.0:
            raise InputError(
                explain(f"momentum={momentum!r}.", "from 0 to below 1.", "BatchNormalization(momentum=0.99)")
            )
        if not epsilon > 0.0:
            raise InputError(explain(f"epsilon={epsilon!r}.", "above 0.", "BatchNormalization(epsilon=0.001)"))
        self.momentum, self.epsilon = float(momentum), float(epsilon)
        self.center, self.scale = bool(center), bool(scale)
        self.beta_initializer = _initializer(beta_initializer)
        self.gamma_initializer = _initializer(gamma_initializer)
        self.moving_mean_initializer = _initializer(moving_mean_initializer)
        self.moving_variance_initializer = _initializer(moving_variance_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)

    def wanted_weights(self, inputs: int) -> list[WeightSpecification]:
        shape = (inputs,)
        wanted = []
        if self.scale:
            wanted.append(WeightSpecification("gamma", shape, self.gamma_initializer, self.gamma_regularizer))
        if self.center:
            wanted.append(WeightSpecification("beta", shape, self.beta_initializer, self.beta_regularizer))
        wanted.append(WeightSpecification("moving_mean", shape, self.moving_mean_initializer, trainable=False))
        wanted.append(WeightSpecification("moving_variance", shape, self.moving_variance_initializer, trainable=False))
        return wanted

    def forward(self, x: FloatArray, weights: Weights, moment: Moment) -> tuple[FloatArray, Memory]:
        batch_statistics = moment.training and self.trainable
        if batch_statistics:
            mean, variance = x.mean(axis=0), x.var(axis=0)
            for moving, now in ((weights["moving_mean"], mean), (weights["moving_variance"], variance)):
                moving[...] = self.momentum * moving + (1.0 - self.momentum) * now
        else:
            mean, variance = weights["moving_mean"], weights["moving_variance"]
        inverse = 1.0 / np.sqrt(variance + self.epsilon)
        normal = (x - mean) * inverse
        a = normal * weights["gamma"] if self.scale else normal
        a = a + weights["beta"] if self.center else a
        memory = {"normal": normal, "inverse": inverse}
        if batch_statistics:
            memory["mean"] = mean  # its presence says that mean and variance depend on x
        return a, memory

    def backward(self, memory: Memory, da: FloatArray, weights: Weights, gradients: Weights) -> FloatArray:
        normal, inverse = memory["normal"], memory["inverse"]
        if self.scale:
            gradients["gamma"][...] = (da * normal).sum(axis=0)
        if self.center:
            gradients["beta"][...] = da.sum(axis=0)
        dnormal = da * weights["gamma"] if self.scale else da
        if "mean" not in memory:
            return dnormal * inverse
        dx: FloatArray = inverse * (dnormal - dnormal.mean(axis=0) - normal * (dnormal * normal).mean(axis=0))
        return dx

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": initializers.serialize(self.beta_initializer),
            "gamma_initializer": initializers.serialize(self.gamma_initializer),
            "moving_mean_initializer": initializers.serialize(self.moving_mean_initializer),
            "moving_variance_initializer": initializers.serialize(self.moving_variance_initializer),
            "beta_regularizer": _serialized(self.beta_regularizer),
            "gamma_regularizer": _serialized(self.gamma_regularizer),
        }


_KINDS: dict[str, type[Layer]] = {
    kind.__name__: kind
    for kind in (
        InputLayer, Dense, Activation, ReLU, LeakyReLU, ELU, Softmax, Flatten, Dropout, GaussianNoise,
        BatchNormalization,
    )
}  # fmt: skip


def serialize(layer: Layer) -> dict[str, Any]:
    """Return a layer's class and configuration as plain JSON values.

    >>> serialize(Dropout(0.5, name="rest"))["class_name"]
    'Dropout'
    """
    return {"class_name": type(layer).__name__, "config": layer.get_config()}


def deserialize(config: Mapping[str, Any], custom_objects: Mapping[str, Callable[..., Any]] | None = None) -> Layer:
    """Return the layer that `serialize` described; a Python function in it is taken from `custom_objects` by name.

    >>> deserialize(serialize(Dropout(0.5, name="rest"))).rate
    0.5
    """
    kind = _KINDS.get(str(config.get("class_name")))
    if kind is None:
        raise unknown_name(
            "layer", config.get("class_name"), _KINDS, "hw.layers.deserialize({{'class_name': {}, 'config': {{}}}})"
        )
    arguments = dict(config.get("config", {}))
    if "activation" in arguments:
        arguments["activation"] = activations.get(arguments["activation"], custom_objects)
    return kind.from_config(arguments)
