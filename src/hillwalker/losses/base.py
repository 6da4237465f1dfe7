"""What all losses share: reduction, weights, a user's arrays made (B, O); and the base of those that go by column.

y is y_true and p is y_pred, both of shape (B, O): B rows of the batch, O outputs. No formula of a loss is here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hillwalker.activations import floats
from hillwalker.config import epsilon
from hillwalker.differentiate import FloatArray
from hillwalker.errors import InputError, explain

EPSILON = epsilon()
MEAN = "sum_over_batch_size"


class Loss(ABC):
    """What training minimises. Derive your own from this (values and derivative), or pass a function of (y, p).

    A batch's loss is the sum over its rows of weight * value, divided by B, the number of rows (not by the sum of
    weights), or not divided with reduction="sum". Raises InputError for another reduction.
    """

    kind: str = ""  # what the compiled core calls it; empty if the core does not know it
    parameters: tuple[str, ...] = ()  # the attributes that shape the loss, in the core's order

    def __init__(self, name: str | None = None, reduction: str = MEAN) -> None:
        if reduction not in (MEAN, "mean", "sum"):
            raise InputError(
                explain(
                    f"reduction={reduction!r}.",
                    f'"{MEAN}" (the same as "mean") or "sum"; for a value per row, call the function.',
                    "losses.mean_squared_error(y_true, y_pred)",
                )
            )
        self.name = name or self.kind or type(self).__name__
        self.reduction = MEAN if reduction == "mean" else reduction

    @abstractmethod
    def values(self, y_true: FloatArray, y_pred: FloatArray) -> FloatArray:
        """Return the loss of each row, shape (B,)."""

    @abstractmethod
    def derivative(self, y_true: FloatArray, y_pred: FloatArray) -> FloatArray:
        """Return d values[b] / d y_pred[b, :], shape (B, O)."""

    def batch(
        self, y_true: FloatArray, y_pred: FloatArray, sample_weight: FloatArray | None = None
    ) -> tuple[float, FloatArray]:
        """Return a batch's loss and its derivative by y_pred, shape (B, O); sample_weight has shape (B,)."""
        scale = y_pred.dtype.type(1.0 / len(y_pred) if self.reduction == MEAN else 1.0)
        with np.errstate(all="ignore"):  # a loss that is not finite is reported by the training loop, once
            values, derivative = self.values(y_true, y_pred), self.derivative(y_true, y_pred)
            if sample_weight is not None:
                weight = sample_weight.astype(y_pred.dtype, copy=False)
                values, derivative = values * weight, derivative * weight[:, np.newaxis]
            return float(np.sum(values) * scale), derivative * scale

    def rows(self, y_true: ArrayLike, y_pred: ArrayLike) -> FloatArray:
        """Return the loss of each row of a user's arrays, shape (B,); of a single row, shape ()."""
        true, pred = self._pair(y_true, y_pred)
        with np.errstate(all="ignore"):
            values = self.values(true, pred)
        return values.reshape(()) if np.ndim(y_pred) == 1 and np.ndim(y_true) < 2 else values

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the loss of a user's arrays; a 1-D array is one row, as in Keras, and sample_weight has shape (B,)."""
        true, pred = self._pair(y_true, y_pred)
        if sample_weight is None:
            return self.batch(true, pred)[0]
        weight = floats(sample_weight, "sample_weight").astype(pred.dtype)
        if weight.shape not in ((len(pred),), (len(pred), 1)):
            raise InputError(
                explain(
                    f"sample_weight of shape {weight.shape} for y_pred of shape {np.shape(y_pred)}.",
                    f"one weight per row, shape ({len(pred)},); a 1-D y_pred is a single row.",
                    "loss(y_true.reshape(-1, 1), y_pred.reshape(-1, 1), sample_weight)",
                )
            )
        return self.batch(true, pred, weight.reshape(-1))[0]

    def target_columns(self, output_width: int) -> int | None:
        """Return how many columns y_true must have for a network with this many outputs; None if any will do."""
        return output_width

    @property
    def core(self) -> tuple[str, tuple[float, ...]] | None:
        """What the compiled core is told, (kind, parameters); None if it must call back into Python."""
        return (self.kind, tuple(float(getattr(self, name)) for name in self.parameters)) if self.kind else None

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        own = {name: getattr(self, name) for name in self.parameters}
        return {"name": self.name, "reduction": self.reduction, **own}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Loss:
        """Return the loss that `get_config` described."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self.get_config().items())})"

    def _pair(self, y_true: ArrayLike, y_pred: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return a user's arrays as (B, O) and its targets, never broadcast against each other."""
        true, pred = floats(y_true, "y_true"), floats(y_pred, "y_pred")
        shapes = f"y_true of shape {true.shape} and y_pred of shape {pred.shape}"
        if pred.ndim == 1:  # one row, unless the targets are a column
            pred = pred.reshape((-1, 1) if true.shape == (len(pred), 1) else (1, -1))
        width = self.target_columns(pred.shape[-1]) if pred.ndim == 2 else None
        if true.ndim < 2 and pred.ndim == 2:  # one row, unless each row of predictions has one target
            true = true.reshape((-1, 1) if true.shape == (len(pred),) and width in (1, None) else (1, -1))
        if pred.ndim != 2 or pred.size == 0 or true.ndim != 2 or true.shape != (len(pred), width or true.shape[1]):
            expected = (
                f"one target for each of {len(pred)} rows"
                if width == 1 and pred.ndim == 2
                else "two arrays of the same shape"
            )
            fix = f"{self.name}(y_true.reshape({'-1, 1' if width == 1 else 'y_pred.shape'}), y_pred)"
            raise InputError(explain(f"{shapes}.", f"{expected}.", fix))
        return true.astype(pred.dtype, copy=False), pred


class NamedLoss(Loss):
    """A loss of the library: the constructor of those without parameters; with Keras's order of arguments."""

    def __init__(self, reduction: str = MEAN, name: str | None = None) -> None:
        super().__init__(name, reduction)


class ColumnwiseLoss(NamedLoss):
    """A loss that is the mean over the columns of `element(y, p)`."""

    @abstractmethod
    def element(self, y: FloatArray, p: FloatArray) -> FloatArray:
        """Return the loss of each number, shape (B, O)."""

    @abstractmethod
    def slope(self, y: FloatArray, p: FloatArray) -> FloatArray:
        """Return d element / d p, shape (B, O)."""

    def values(self, y_true: FloatArray, y_pred: FloatArray) -> FloatArray:
        values: FloatArray = np.mean(self.element(y_true, y_pred), axis=-1)
        return values

    def derivative(self, y_true: FloatArray, y_pred: FloatArray) -> FloatArray:
        return self.slope(y_true, y_pred) / y_pred.dtype.type(y_pred.shape[-1])


def between(name: str, value: Any, low: float, high: float) -> float:
    """Return an argument as a number from low to high, both included, or raise the InputError that names it."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not low <= value <= high:
        raise InputError(explain(f"{name}={value!r}.", f"a number from {low:g} to {high:g}."))
    return float(value)


def last_axis(axis: Any) -> None:
    """Refuse any axis but the last of (B, O)."""
    if axis not in (-1, 1):
        raise InputError(explain(f"axis={axis!r}.", "-1, the outputs; rows lie along the first axis.", "axis=-1"))
