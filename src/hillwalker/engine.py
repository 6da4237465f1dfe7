"""The compiled engine: a plan, translated for the core. The only importer of `_core`.

It has the methods of `reference.Network` and computes the same numbers, in the plan's own precision.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from hillwalker import _core, config, reference
from hillwalker.activations import Activation as ActivationFunction
from hillwalker.errors import InputError, explain
from hillwalker.layers import Activation, BatchNormalization, Dense, Dropout, Flatten, GaussianNoise, InputLayer, Layer
from hillwalker.parameters import FloatArray, Segment, flat_vector
from hillwalker.plan import Plan, PlannedLayer, TrainResult

AT_A_GLANCE = 2**20  # numbers that are looked at in one call, in which Ctrl-C isn't heard

# Which of an optimizer's slots the core calls first, second and third (core/optimizers.inl).
SLOTS = {
    "sgd": ("momentum",),
    "rmsprop": ("velocity", "momentum", "average_gradient"),
    "adagrad": ("accumulator",),
    "adadelta": ("accumulated_gradient", "accumulated_step"),
    "adam": ("momentum", "velocity", "velocity_hat"),
    "adamax": ("momentum", "norm"),
    "nadam": ("momentum", "velocity"),
    "lion": ("momentum",),
}

# x, y, sample weights, and which of their rows.
Sample = tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None, NDArray[np.uint32] | None]


def instruction_set() -> str:
    """Return the instruction set that the core runs with, such as `x86_64_v3`.

    >>> instruction_set() in instruction_sets()
    True
    """
    return str(_core.instruction_set())


def instruction_sets() -> list[str]:
    """Return the instruction sets that this machine can run, best first."""
    return list(_core.instruction_sets())


def choose_instruction_set(name: str) -> None:
    """Use this instruction set for networks made from now on; the environment's HILLWALKER_ISA does it at import."""
    if name not in instruction_sets():
        expected = f"one that this machine runs: {', '.join(instruction_sets())}."
        raise InputError(explain(f"instruction set {name!r}.", expected, f"HILLWALKER_ISA={instruction_sets()[-1]}"))
    _core.choose_instruction_set(name)


if "HILLWALKER_ISA" in os.environ:
    choose_instruction_set(os.environ["HILLWALKER_ISA"])


def show_config() -> None:
    """Print what hillwalker runs with: version, engine, instruction set, precision, packages, machine."""
    import platform
    from importlib.metadata import version

    rows = {
        "hillwalker": version("hillwalker"),
        "engine": config.engine_name(),
        "instruction set": f"{instruction_set()} (this machine runs {', '.join(instruction_sets())})",
        "floatx": config.floatx(),
        "numpy": np.__version__,
        "python": f"{platform.python_version()} on {platform.platform()}",
        "threads": f"{config.threads()} (cores: {os.cpu_count()})",
    }
    print("\n".join(f"{name:16} {value}" for name, value in rows.items()))


def shuffled(count: int, key: int) -> NDArray[np.uint32]:
    """Return the row numbers 0 to count - 1 in an order that is a function of the key alone.

    >>> sorted(shuffled(5, key=1).tolist())
    [0, 1, 2, 3, 4]
    """
    order = np.empty(count, dtype=np.uint32)
    _core.shuffle(order, key)
    return order


def is_finite(vector: FloatArray) -> bool:
    """Return whether every number of a vector is finite.

    >>> is_finite(np.zeros(3)), is_finite(np.array([0.0, np.inf, 1.0]))
    (True, False)
    """
    return _core.is_finite(vector)


def is_ready(value: Any, dtype: str, columns: int) -> TypeGuard[NDArray[Any]]:
    """Return whether `value` is an array, not a large one, that is right as it is: rows of finite numbers of `dtype`.

    >>> is_ready(np.ones((2, 3)), "float64", 3), is_ready(np.ones((2, 3)), "float32", 3)
    (True, False)
    """
    if type(value) is not np.ndarray or value.size > AT_A_GLANCE:
        return False
    return (_core.is_finite_matrix64 if dtype == "float64" else _core.is_finite_matrix32)(value, columns)


class Network:
    """A plan, executed by the compiled core.

    Args:
        plan: layers, loss and optimizer.
        parameters: the flat vector of weights in the plan's precision; updated in place.
        slots: the optimizer's slots by name, flat vectors like `parameters`; updated in place.
        seed: the seed of everything random within a step.
    """

    def __init__(self, plan: Plan, parameters: FloatArray, slots: dict[str, FloatArray], seed: int) -> None:
        self.plan, self.parameters, self.slots = plan, parameters, slots
        self.gradient = flat_vector(plan.length, plan.dtype)
        kind = _core.Network64 if plan.dtype == "float64" else _core.Network32
        columns = plan.output_width
        if plan.loss is not None:
            columns = plan.loss.target_columns(plan.output_width) or plan.target_width or plan.output_width
        self._core = kind(plan.input_width, plan.output_width, columns, seed)
        self._functions: list[Any] = []  # what the core may call; it borrows them from here
        for planned in plan.layers:
            self._add(planned)
        self._tell_loss()
        named: tuple[str, ...] = ()
        if plan.optimizer is not None:
            named = SLOTS[str(plan.optimizer.kind)]
            self._core.set_optimizer(plan.optimizer.kind, plan.optimizer.hyperparameters(), self._trained_segments())
        self._core.set_memory(parameters, self.gradient, [slots.get(name) for name in named])

    # Translating the plan

    def _add(self, planned: PlannedLayer) -> None:
        layer, core = planned.layer, self._core

        def offset(name: str) -> int:
            segment: Segment | None = planned.segments.get(name)
            return -1 if segment is None else segment.offset

        match layer:
            case Dense():
                kind, numbers = layer.activation.core or ("linear", ())
                where = (planned.inputs, planned.outputs, offset("kernel"), offset("bias"))
                core.add_dense(*where, kind, list(numbers), layer.trainable)
                if layer.activation.core is None:
                    self._add_function(planned.outputs, layer.activation)
            case Activation() if layer.activation.core is None:
                self._add_function(planned.outputs, layer.activation)
            case Activation():
                kind, numbers = layer.activation.core or ("linear", ())
                core.add_activation(planned.outputs, kind, list(numbers))
            case Dropout() | GaussianNoise():
                rate = layer.rate if isinstance(layer, Dropout) else layer.stddev
                core.add_random(isinstance(layer, Dropout), planned.outputs, rate, planned.stream, layer.seed)
            case BatchNormalization():
                gamma, beta, mean, variance = (offset(name) for name in BatchNormalization.WEIGHTS)
                numbers = (layer.momentum, layer.epsilon)
                core.add_normalization(planned.outputs, gamma, beta, mean, variance, *numbers, layer.trainable)
            case InputLayer() | Flatten():
                pass
            case Layer():
                passed = f"a layer of class {type(layer).__name__}."
                raise InputError(explain(passed, "a layer of hillwalker.layers.", "HILLWALKER_ENGINE=reference"))

    def _add_function(self, width: int, activation: ActivationFunction) -> None:
        value, blame = _function_of(activation)
        self._functions += [value, blame]
        self._core.add_function(width, value, blame)

    def _tell_loss(self) -> None:
        loss = self.plan.loss
        if loss is None:
            return
        if loss.core is not None:
            kind, numbers = loss.core
            self._core.set_loss(kind, list(numbers), loss.reduction == "sum")
            return

        def batch(y: FloatArray, p: FloatArray, weight: FloatArray | None, dp: FloatArray) -> float:
            with np.errstate(all="ignore"):
                value, dp[...] = loss.batch(y, p, None if weight is None else weight[:, 0])
            return float(value)

        self._functions.append(batch)
        self._core.set_loss_function(batch)

    def _trained_segments(self) -> list[tuple[int, int, bool, float, float]]:
        assert self.plan.optimizer is not None
        rows = []
        for segment in self.plan.trained:
            penalty = segment.regularizer
            l1, l2 = (0.0, 0.0) if penalty is None else (penalty.l1, penalty.l2)
            rows.append((segment.offset, segment.length, self.plan.optimizer.decays(segment.name), l1, l2))
        return rows

    # The methods of an engine; see docs/architecture.md

    def train(
        self,
        x: NDArray[Any],
        y: NDArray[Any],
        sample_weight: NDArray[Any] | None,
        order: NDArray[np.uint32] | None,
        batch_size: int,
        learning_rates: NDArray[np.float64],
        first_iteration: int,
        predictions: NDArray[Any] | None,
    ) -> TrainResult:
        """Train on rows `order` (or all, as they lie) in batches."""
        return TrainResult(
            *self._core.train(
                x, y, sample_weight, order, batch_size, learning_rates, first_iteration, predictions, config.threads()
            )
        )

    def evaluate(
        self,
        x: NDArray[Any],
        y: NDArray[Any],
        sample_weight: NDArray[Any] | None,
        batch_size: int,
        predictions: NDArray[Any] | None,
    ) -> float:
        """Return the sum over batches of loss times rows, penalties included; nothing is trained."""
        return float(self._core.evaluate(x, y, sample_weight, batch_size, predictions, config.threads()))

    def predict(self, x: NDArray[Any], predictions: NDArray[Any], batch_size: int) -> None:
        """Write the outputs for x (n, I) into `predictions` (n, O)."""
        self._core.predict(x, predictions, batch_size, config.threads())

    @property
    def needs_python(self) -> bool:
        """Whether a step calls functions of the user."""
        return bool(self._functions)

    def training(
        self, sample: Sample, validation: Sample | None, course: dict[str, Any], early_stopping: dict[str, Any]
    ) -> Any:
        """Return a whole training as the core's object, for `run`; the network and the arrays must outlive it."""
        kind = _core.Training64 if self.plan.dtype == "float64" else _core.Training32
        return kind(self._core, self.vectors, sample, validation, course, early_stopping)

    @property
    def vectors(self) -> list[FloatArray | None]:
        """The weights and the optimizer's slots in the core's order, None for one that the optimizer lacks."""
        named = SLOTS[str(self.plan.optimizer.kind)] if self.plan.optimizer is not None else ()
        return [self.parameters, *(self.slots.get(name) for name in named)]

    def gradients(
        self,
        x: NDArray[Any],
        y: NDArray[Any],
        sample_weight: NDArray[Any] | None,
        training: bool = True,
        iteration: int = 0,
    ) -> tuple[float, FloatArray]:
        """Return the loss of one batch and its gradient as a flat vector; nothing is moved.

        As training sees it in the step `iteration`, masks and batch statistics included; without `training`, as
        `evaluate` does.
        """
        kept = self.parameters.copy()  # batch normalisation moves its statistics in a training pass
        loss = float(self._core.gradients(x, y, sample_weight, training, iteration))
        self.parameters[:] = kept
        return loss, reference.trained_only(self.plan, self.gradient)


def _function_of(activation: ActivationFunction) -> tuple[Any, Any]:
    """Return a user's activation as the two functions that the core calls: value, and blame in place."""

    def value(z: FloatArray, a: FloatArray) -> None:
        with np.errstate(all="ignore"):  # what is not finite is told once, by the loop
            a[...] = activation(z)

    def blame(z: FloatArray, a: FloatArray, d: FloatArray) -> None:
        with np.errstate(all="ignore"):
            d[...] = activation.backward(z, a, d.copy())

    return value, blame


def lanes(dtype: str) -> int:
    """Return how many models fit side by side into a vector."""
    return int(_core.lanes(dtype))


def lane_training(
    dtype: str,
    layers: Sequence[tuple[Any, ...]],
    loss: tuple[str, list[float], bool],
    optimizer: tuple[str, dict[str, float]],
    sample: Sample,
    validation: Sample | None,
) -> Any:
    """Return a training of models side by side, for `run`; they come by its `add`. The arrays must outlive it.

    `layers` are (inputs, units, activation, its numbers, place of the kernel, does it decay, and the same of the bias).
    """
    kind = _core.LaneTraining64 if dtype == "float64" else _core.LaneTraining32
    return kind(layers, loss, optimizer, sample, validation)


def run(jobs: Sequence[Any], threads: int, watch: Callable[[int], bool]) -> list[float]:
    """Do trainings (and functions without arguments) in this order on so many threads, each when a thread is free.

    Returns the seconds that each took, in the order of `jobs`.

    `watch` is called by this thread now and then, and at the end, with the costs of the epochs done; it returns whether
    to stop.
    """
    return _core.run(list(jobs), threads, watch)


def build(plan: Plan, parameters: FloatArray, slots: dict[str, FloatArray], seed: int) -> Network | reference.Network:
    """Return the plan's network on the engine that HILLWALKER_ENGINE names."""
    kind = reference.Network if config.engine_name() == "reference" else Network
    return kind(plan, parameters, slots, seed)


def precision() -> str:
    """Return the precision in which a new model computes: the reference engine always takes float64."""
    return "float64" if config.engine_name() == "reference" else config.floatx()


def order_key(seed: int, iteration: int) -> int:
    """Return the key of the row order of the epoch that begins at this iteration."""
    return _core.stream_key(seed, iteration, 0xFFFFFFFF)
