"""The edge of a model: what the user passes, checked and resolved before anything is computed or overwritten."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import activations, checks, engine, layers, losses, metrics, optimizers, reference
from hillwalker.errors import FileError, HillwalkerWarning, InputError, InputTypeError, StateError, explain
from hillwalker.labels import labels, only_width_matters
from hillwalker.layers import Flatten, Layer
from hillwalker.losses import Loss
from hillwalker.models import stack
from hillwalker.optimizers import Optimizer
from hillwalker.plan import Plan
from hillwalker.training.batches import Data, Part
from hillwalker.training.state import State

Array = NDArray[Any]

DEFAULT_BATCH_SIZE = 32


@dataclass(frozen=True)
class Edge:
    """What a model knows about its data; the shape of a row and the plan are None before it is built."""

    layers: Sequence[Layer]
    row_shape: stack.Shape | None
    plan: Plan | None
    dtype: str
    loss: Loss | None
    told: set[str]  # the names of the likely mistakes that the model's user was warned of

    @cached_property
    def columns(self) -> int | None:
        """How many numbers a row of x holds, where that is known and a row is not to be flattened."""
        return self.row_shape[0] if self.plan is not None and self.row_shape and len(self.row_shape) == 1 else None

    @cached_property
    def target_columns(self) -> int | None:
        """How many numbers a row of y holds, where any numbers will do."""
        if self.loss is None or self.plan is None:
            return None
        width, name = self.plan.output_width, self.loss.kind or self.loss.name
        return width if only_width_matters(name, width, stack.output_activation(self.layers)) else None

    def quick(self, x: Any) -> Array | None:
        """Return few rows that are plainly right as they are; None: look closely, and explain what is wrong."""
        return None if self.columns is None else _quick(x, self.dtype, self.columns)

    def _quick_data(self, x: Any, y: Any) -> Data | None:
        if self.target_columns is None or (inputs := self.quick(x)) is None:
            return None
        targets = _quick(y, self.dtype, self.target_columns)
        return Data(inputs, targets, None, self.dtype) if targets is not None and len(inputs) == len(targets) else None

    def inputs(self, x: Any, name: str = "X") -> Array:
        """Return x as a checked array of rows."""
        if (quick := self.quick(x)) is not None:
            return quick
        if not self.layers:
            raise StateError(explain("a model without layers.", "at least one layer.", "model.add(Dense(1))"))
        shape: tuple[int | None, ...] | None = self.row_shape
        if shape is None:
            shape = None if isinstance(self.layers[0], Flatten) else (None,)
        array = checks.inputs(x, name, self.dtype, shape).array
        if len(array) >= 2**32:
            raise InputError(
                explain(f"{name} with {len(array)} rows.", "fewer than 4294967296 rows.", f"{name}[: 2**31]")
            )
        return array

    def data(self, x: Any, y: Any, sample_weight: Any = None, call: str = "fit", prefix: str = "") -> Data:
        """Return checked inputs, targets and weights that fit each other, the layers and the loss."""
        if self.loss is None:
            passed = f"{call} before compile, or of a model compiled without a loss."
            raise StateError(explain(passed, "a compiled model.", 'model.compile(optimizer="adam", loss="mse")'))
        if y is None:
            raise InputError(explain(f"{call} without y.", "inputs and targets.", f"model.{call}(X, y)"))
        if sample_weight is None and (quick := self._quick_data(x, y)) is not None:
            return quick
        x_name, y_name = f"{prefix}X", f"{prefix}y"
        inputs = self.inputs(x, x_name)
        targets = checks.targets(y, y_name, self.dtype).array
        checks.same_length((x_name, inputs), (y_name, targets))
        plan = self.plan or stack.lay_out(self.layers, tuple(inputs.shape[1:]), self.dtype)
        from_logits = bool(getattr(self.loss, "from_logits", False))
        name, width = self.loss.kind or self.loss.name, plan.output_width
        labels(targets, name, width, stack.output_activation(self.layers), from_logits, self.told)
        weight = checks.sample_weight(sample_weight, len(inputs), self.dtype, f"{prefix}sample_weight")
        return Data(flat(inputs), targets, weight, self.dtype)

    def class_weights(self, data: Data, class_weight: Any) -> Array | None:
        """Return the weight of each row's class, (n,), or None; only rows that are trained on take it, as in Keras."""
        if class_weight is None:
            return None
        assert data.y is not None
        plan = self.plan or stack.lay_out(self.layers, (data.x.shape[1],), self.dtype)
        return checks.class_weight(class_weight, data.y, max(plan.output_width, 2), self.dtype)

    def validation(self, training: Data, share: Any, validation_data: Any) -> tuple[Data, Data | None]:
        """Return the rows to train on and those to validate on: the last part, or data of their own."""
        if validation_data is None:
            kept = checks.validation_split(share, len(training))
            return training[:kept], training[kept:] if kept < len(training) else None
        if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
            passed = f"validation_data of type {type(validation_data).__name__}."
            fix = "validation_data=(X_validation, y_validation)"
            raise InputError(explain(passed, "(X, y) or (X, y, sample_weight).", fix))
        x, y, *weight = validation_data
        data = self.data(x, y, weight[0] if weight else None, prefix="validation ")
        if data.x.shape[1] != training.x.shape[1]:
            passed = f"validation X of shape {data.x.shape} beside X of shape {training.x.shape}."
            raise InputError(explain(passed, "the same columns.", "validation_data=(X_validation, y_validation)"))
        return training, data


def _quick(value: Any, dtype: str, columns: int) -> Array | None:
    return value if engine.is_ready(value, dtype, columns) else checks.quick(value, dtype, columns)


def flat(inputs: Array) -> Array:
    """Return rows of any shape as rows of numbers."""
    return inputs if inputs.ndim == 2 else inputs.reshape(len(inputs), -1)


def check_own_functions(state: State, data: Data) -> None:
    """Try the user's own functions and all metrics on the first batch, in float64, before anything is trained.

    Functions that take part in the backward pass have their derivatives checked.
    """

    def is_own(layer: Layer) -> bool:
        return isinstance(getattr(layer, "activation", None), activations.CustomActivation)

    plan, tracker = state.plan, state.tracker
    own_loss = state.loss if isinstance(state.loss, losses.CustomLoss) else None
    if own_loss is None and not tracker.needs_predictions and not [part for part in plan.layers if is_own(part.layer)]:
        return
    first = data[: min(DEFAULT_BATCH_SIZE, len(data))]
    wide = state.parameters.astype(np.float64)
    a: Array = np.asarray(first.x, dtype=np.float64)
    for planned in plan.layers:
        a, memory = planned.layer.forward(a, reference.views(planned, wide), layers.Moment(training=False))
        if is_own(planned.layer):
            planned.layer.activation.check(memory["z"])  # type: ignore[attr-defined]
    y = np.asarray(first.y, np.float64)
    weight = None if first.sample_weight is None else np.asarray(first.sample_weight, np.float64)
    if own_loss is not None:
        own_loss.check(y, a)
        if weight is not None:
            own_loss.batch(y, a, weight)
    tracker.update(0.0, len(y), Part(a, y, weight, None, len(y)), a, len(y))
    tracker.reset()


def one_row(x: Any, y: Any, sample_weight: Any, row_shape: stack.Shape | None) -> tuple[Any, Any, Any]:
    """Return one row of numbers, its target and its weight as a batch of one; a batch as it is."""
    if row_shape is None or np.ndim(x) != 1 or np.shape(x) != row_shape or (row_shape == (1,) and np.ndim(y) > 0):
        return x, y, sample_weight
    target = None if y is None else np.asarray(y).reshape(1, -1)
    return np.asarray(x).reshape(1, -1), target, None if sample_weight is None else np.reshape(sample_weight, -1)


def own_optimizer(identifier: Any, model: object) -> Optimizer:
    """Return the optimizer meant; one that trains another model as a copy, and a warning.

    An optimizer counts the steps of its model, so two models cannot share one.
    """
    chosen = optimizers.get(identifier)
    if chosen.owner is None or chosen.owner is model:
        return chosen
    passed = f"the optimizer {chosen.name!r}, which trains another model."
    message = explain(passed, "an optimizer of this model's own; this one was copied.", f"{type(chosen).__name__}(...)")
    warnings.warn(message, HillwalkerWarning, stacklevel=3)
    return copy.copy(chosen)


def kind(loss: Loss | None) -> str:
    """Return a loss's kind, empty for none and for one of the user's own."""
    return "" if loss is None else loss.kind


def only_one(value: Any, name: str) -> Any:
    """Return the one loss in Keras's spellings for several outputs: [loss], or {output: loss}."""
    listed = list(value.values()) if isinstance(value, Mapping) and "class_name" not in value else value
    if not isinstance(listed, (list, tuple)):
        return value
    if len(listed) != 1:
        raise InputError(explain(f"{name}={value!r}.", "one, for the one output.", f'model.compile({name}="mse")'))
    return listed[0]


def metric_list(values: Any, name: str) -> list[Any]:
    """Return Keras's spellings of a list of metrics as one flat list."""
    if values is None:
        return []
    if isinstance(values, Mapping):
        values = list(values.values())
    if not isinstance(values, (list, tuple)):
        raise InputTypeError(explain(f"{name}={values!r}.", "a list.", f"model.compile({name}=[{values!r}])"))
    flattened: list[Any] = []
    for value in values:
        flattened += metric_list(value, name) if isinstance(value, (list, tuple)) else [value]
    return flattened


def check_metrics(identifiers: Sequence[Any], loss: Loss | None) -> None:
    """Refuse an unknown metric at compile; what "accuracy" means is known only with the targets."""
    for identifier in identifiers:
        if not (isinstance(identifier, str) and identifier.lower() in ("accuracy", "acc", "crossentropy", "ce")):
            metrics.get(identifier, None, None, loss)


def only_none(**values: Any) -> None:
    """Refuse Keras's arguments that mean nothing for arrays."""
    for name, value in values.items():
        if value is not None:
            raise InputError(explain(f"{name}={value!r}.", "None: arrays are always taken whole.", f"leave {name} out"))


def not_negative_integer(name: str, value: Any, call: str) -> int:
    """Return a whole number of 0 or more."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
        raise InputError(explain(f"{name}={value!r}.", "a whole number, 0 or more.", call))
    return int(value)


def frequency(value: Any) -> int | list[int]:
    """Return `validation_freq`: every so many epochs, or a list of epochs counted from 1."""
    if isinstance(value, (list, tuple, set, np.ndarray)):
        return [checks.positive_integer("validation_freq", number, "validation_freq=[1, 10]") for number in value]
    return checks.positive_integer("validation_freq", value, "model.fit(X, y, validation_split=0.2, validation_freq=5)")


def batch_size(value: Any, call: str, name: str = "batch_size") -> int:
    """Return the rows a step, 32 for None."""
    return (
        DEFAULT_BATCH_SIZE if value is None else checks.positive_integer(name, value, f"model.{call}(X, y, {name}=32)")
    )


def path_to_write(filepath: Any, overwrite: bool) -> str:
    """Return a path for a model's file; refuse one that exists where it must not be overwritten."""
    try:
        path = os.fspath(filepath)
    except TypeError:
        path = None
    if not isinstance(path, str) or not path:
        raise InputTypeError(explain(f"filepath={filepath!r}.", "a path.", 'model.save("model.safetensors")'))
    if not overwrite and Path(path).exists():
        passed = f"{path!r}, which exists, with overwrite=False."
        raise FileError(explain(passed, "a new path.", 'model.save("model_2.safetensors")'))
    if path.endswith((".keras", ".h5", ".hdf5")):
        passed = f"{path!r}: hillwalker writes a safetensors file under this name, which Keras cannot read."
        message = explain(passed, "a name that ends in .safetensors.", 'model.save("model.safetensors")')
        warnings.warn(message, HillwalkerWarning, stacklevel=3)
    return path
