"""Each loss's value and, next to it, its derivative by the predictions.

y is y_true and p is y_pred, both of shape (B, O): B rows of the batch, O outputs. Numbers and derivatives are Keras
3's, clipping included. Data is checked elsewhere (`checks.py`), except in direct calls by a user.
"""

from __future__ import annotations

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hillwalker.activations import LogSoftmax, Sigmoid, Softplus, floats, row_max, row_sum
from hillwalker.config import epsilon
from hillwalker.differentiate import (
    FloatArray,
    check_gradient,
    function_name,
    qualified,
    restored,
    value_and_pull_back,
)
from hillwalker.errors import InputError, InputTypeError, explain, unknown_name

EPSILON = epsilon()
LOG_2 = math.log(2.0)
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


class _Named(Loss):
    """A loss of the library: the constructor of those without parameters; with Keras's order of arguments."""

    def __init__(self, reduction: str = MEAN, name: str | None = None) -> None:
        super().__init__(name, reduction)


class _Columnwise(_Named):
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


# ---- regression ----


class MeanSquaredError(_Columnwise):
    """(p - y)², the mean over columns.

    >>> MeanSquaredError()([[0.0], [2.0]], [[1.0], [2.0]])
    0.5
    """

    kind = "mean_squared_error"

    def element(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return np.square(p - y)

    def slope(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return 2.0 * (p - y)


class MeanAbsoluteError(_Columnwise):
    """|p - y|, the mean over columns; the derivative at p = y is 0."""

    kind = "mean_absolute_error"

    def element(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return np.abs(p - y)

    def slope(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return np.sign(p - y)


class MeanAbsolutePercentageError(_Columnwise):
    """100 |p - y| / max(|y|, 1e-7), the mean over columns."""

    kind = "mean_absolute_percentage_error"

    def element(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return 100.0 * np.abs((p - y) / np.maximum(np.abs(y), EPSILON))

    def slope(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return 100.0 * np.sign(p - y) / np.maximum(np.abs(y), EPSILON)


class MeanSquaredLogarithmicError(_Columnwise):
    """(ln(1 + max(p, 1e-7)) - ln(1 + max(y, 1e-7)))², the mean over columns; flat where p < 1e-7."""

    kind = "mean_squared_logarithmic_error"

    def element(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return np.square(self._difference(y, p))

    def slope(self, y: FloatArray, p: FloatArray) -> FloatArray:
        above: FloatArray = np.heaviside(p - EPSILON, 0.5)
        return 2.0 * self._difference(y, p) / (1.0 + np.maximum(p, EPSILON)) * above

    def _difference(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return np.log1p(np.maximum(p, EPSILON)) - np.log1p(np.maximum(y, EPSILON))


class Huber(_Columnwise):
    """With e = p - y: e² / 2 where |e| <= delta, else delta |e| - delta² / 2. Source: Huber, 1964.

    >>> Huber(delta=1.0)([[0.0]], [[3.0]])
    2.5
    """

    kind = "huber"
    parameters = ("delta",)

    def __init__(self, delta: float = 1.0, reduction: str = MEAN, name: str | None = "huber_loss") -> None:
        super().__init__(reduction, name)
        self.delta = _between("delta", delta, 0.0, math.inf)

    def element(self, y: FloatArray, p: FloatArray) -> FloatArray:
        distance = np.abs(p - y)
        far = self.delta * distance - 0.5 * self.delta**2
        return np.where(distance <= self.delta, 0.5 * np.square(distance), far)

    def slope(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return np.clip(p - y, -self.delta, self.delta)


class LogCosh(_Columnwise):
    """ln(cosh(p - y)), the mean over columns."""

    kind = "log_cosh"

    def element(self, y: FloatArray, p: FloatArray) -> FloatArray:
        distance = np.abs(p - y)
        return distance + np.log1p(np.exp(-2.0 * distance)) - LOG_2  # cosh e = (exp(e) + exp(-e)) / 2

    def slope(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return np.tanh(p - y)


class Pinball(_Columnwise):
    """max(q (y - p), (q - 1) (y - p)): its minimum is the q-quantile of y. Source: Koenker and Bassett, 1978.

    >>> Pinball(quantile=0.75)([[2.0]], [[1.0]])
    0.75
    """

    kind = "pinball"
    parameters = ("quantile",)

    def __init__(self, quantile: float = 0.5, reduction: str = MEAN, name: str | None = None) -> None:
        super().__init__(reduction, name)
        self.quantile = _between("quantile", quantile, 0.0, 1.0)

    def element(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return np.maximum(self.quantile * (y - p), (self.quantile - 1.0) * (y - p))

    def slope(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return np.heaviside(p - y, 0.5) - self.quantile


class AsymmetricSquaredError(_Columnwise):
    """w (p - y)², w = under_weight where the prediction is too low (p < y), else over_weight.

    >>> AsymmetricSquaredError(under_weight=2.0)([[1.0], [1.0]], [[0.0], [2.0]])
    1.5
    """

    kind = "asymmetric_squared_error"
    parameters = ("under_weight", "over_weight")

    def __init__(
        self, under_weight: float = 2.0, over_weight: float = 1.0, reduction: str = MEAN, name: str | None = None
    ) -> None:
        super().__init__(reduction, name)
        self.under_weight = _between("under_weight", under_weight, 0.0, math.inf)
        self.over_weight = _between("over_weight", over_weight, 0.0, math.inf)

    def element(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return self._weight(y, p) * np.square(p - y)

    def slope(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return 2.0 * self._weight(y, p) * (p - y)

    def _weight(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return np.where(p < y, p.dtype.type(self.under_weight), p.dtype.type(self.over_weight))


class QLIKE(_Columnwise):
    """y / f - ln(y / f) - 1 for a variance y > 0 and its forecast f > 0; from_log: f = exp(p), else f = p.

    It ranks volatility forecasts rightly even if y is a noisy measure of the variance. Source: Patton, 2011.

    >>> QLIKE()([[2.0]], [[2.0]])
    0.0
    """

    kind = "qlike"
    parameters = ("from_log",)

    def __init__(self, from_log: bool = False, reduction: str = MEAN, name: str | None = None) -> None:
        super().__init__(reduction, name)
        self.from_log = bool(from_log)

    def element(self, y: FloatArray, p: FloatArray) -> FloatArray:
        if self.from_log:
            return y * np.exp(-p) - (np.log(y) - p) - 1.0
        return y / p - np.log(y / p) - 1.0

    def slope(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return 1.0 - y * np.exp(-p) if self.from_log else (1.0 - y / p) / p


class CosineSimilarity(_Named):
    """-cos of the angle between y and p, each divided by its length (1e-7 or more); 0 if either is zero.

    Keras's derivative at p = 0 is NaN; here it is 0.
    """

    kind = "cosine_similarity"

    def __init__(self, axis: int = -1, reduction: str = MEAN, name: str | None = None) -> None:
        _last_axis(axis)
        super().__init__(reduction, name)

    def values(self, y_true: FloatArray, y_pred: FloatArray) -> FloatArray:
        return -row_sum(self._direction(y_true)[0] * self._direction(y_pred)[0])[:, 0]

    def derivative(self, y_true: FloatArray, y_pred: FloatArray) -> FloatArray:
        wanted = self._direction(y_true)[0]
        direction, length = self._direction(y_pred)
        along = np.where(length > EPSILON, row_sum(wanted * direction), 0.0)
        slope = (along * direction - wanted) / np.maximum(length, EPSILON)
        return np.where(length == 0.0, 0.0, slope).astype(y_pred.dtype, copy=False)

    def _direction(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        length = np.sqrt(row_sum(np.square(x)))
        return x / np.maximum(length, EPSILON), length


# ---- probabilities ----


class Poisson(_Columnwise):
    """p - y ln(p + 1e-7), the mean over columns, for counts y and rates p > 0."""

    kind = "poisson"

    def element(self, y: FloatArray, p: FloatArray) -> FloatArray:
        logarithm: FloatArray = np.log(p + EPSILON)
        return p - y * logarithm

    def slope(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return 1.0 - y / (p + EPSILON)


class KLDivergence(_Named):
    """The sum of y ln(y / p), both clipped to [1e-7, 1]; flat in p outside."""

    kind = "kl_divergence"

    def values(self, y_true: FloatArray, y_pred: FloatArray) -> FloatArray:
        y, p = np.clip(y_true, EPSILON, 1.0), np.clip(y_pred, EPSILON, 1.0)
        return row_sum(y * np.log(y / p))[:, 0]

    def derivative(self, y_true: FloatArray, y_pred: FloatArray) -> FloatArray:
        return -np.clip(y_true, EPSILON, 1.0) / np.clip(y_pred, EPSILON, 1.0) * _inside(y_pred, EPSILON, 1.0)


class BinaryCrossentropy(_Columnwise):
    """-y ln p - (1 - y) ln(1 - p), the mean over columns, p clipped to [1e-7, 1 - 1e-7] (flat outside).

    from_logits: p = sigmoid(y_pred), computed without ever forming p. label_smoothing s: y becomes y (1 - s) + s / 2.

    >>> round(BinaryCrossentropy()([[1.0], [0.0]], [[0.8], [0.2]]), 6)
    0.223144
    """

    kind = "binary_crossentropy"
    parameters = ("from_logits", "label_smoothing")

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str = MEAN,
        name: str | None = None,
    ) -> None:
        _last_axis(axis)
        super().__init__(reduction, name)
        self.from_logits = bool(from_logits)
        self.label_smoothing = _between("label_smoothing", label_smoothing, 0.0, 1.0)

    def element(self, y: FloatArray, p: FloatArray) -> FloatArray:
        y = self._smoothed(y)
        if self.from_logits:  # ln(1 + exp(z)) - y z
            return Softplus().value(p) - y * p
        p = np.clip(p, EPSILON, 1.0 - EPSILON)
        likelihood: FloatArray = y * np.log(p) + (1.0 - y) * np.log(1.0 - p)
        return -likelihood

    def slope(self, y: FloatArray, p: FloatArray) -> FloatArray:
        y = self._smoothed(y)
        if self.from_logits:
            return Sigmoid().value(p) - y
        clipped = np.clip(p, EPSILON, 1.0 - EPSILON)
        return ((1.0 - y) / (1.0 - clipped) - y / clipped) * _inside(p, EPSILON, 1.0 - EPSILON)

    def _smoothed(self, y: FloatArray) -> FloatArray:
        return y * (1.0 - self.label_smoothing) + 0.5 * self.label_smoothing


def _log_probabilities(p: FloatArray, from_logits: bool) -> FloatArray:
    """Return ln of softmax(p), or of p / sum(p) clipped to [1e-7, 1 - 1e-7], along the rows."""
    if from_logits:
        return LogSoftmax().value(p)
    logarithms: FloatArray = np.log(np.clip(p / row_sum(p), EPSILON, 1.0 - EPSILON))
    return logarithms


def _log_probabilities_backward(p: FloatArray, dlog: FloatArray, from_logits: bool) -> FloatArray:
    """Return dp, given the derivative by the logarithms."""
    if from_logits:
        return LogSoftmax().backward(p, LogSoftmax().value(p), dlog)
    total = row_sum(p)
    share = p / total
    dshare = dlog / np.clip(share, EPSILON, 1.0 - EPSILON) * _inside(share, EPSILON, 1.0 - EPSILON)
    return (dshare - row_sum(dshare * share)) / total


class CategoricalCrossentropy(_Named):
    """-sum of y ln p, for one-hot y (or probabilities); p is divided by its sum, then clipped to [1e-7, 1 - 1e-7].

    from_logits: p = softmax(y_pred). label_smoothing s: y becomes y (1 - s) + s / O.

    >>> round(CategoricalCrossentropy()([[0.0, 1.0]], [[0.25, 0.75]]), 6)
    0.287682
    """

    kind = "categorical_crossentropy"
    parameters = ("from_logits", "label_smoothing")

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str = MEAN,
        name: str | None = None,
    ) -> None:
        _last_axis(axis)
        super().__init__(reduction, name)
        self.from_logits = bool(from_logits)
        self.label_smoothing = _between("label_smoothing", label_smoothing, 0.0, 1.0)

    def values(self, y_true: FloatArray, y_pred: FloatArray) -> FloatArray:
        return -row_sum(self._smoothed(y_true) * _log_probabilities(y_pred, self.from_logits))[:, 0]

    def derivative(self, y_true: FloatArray, y_pred: FloatArray) -> FloatArray:
        return _log_probabilities_backward(y_pred, -self._smoothed(y_true), self.from_logits)

    def _smoothed(self, y: FloatArray) -> FloatArray:
        share: float = self.label_smoothing / y.shape[-1]
        return y * (1.0 - self.label_smoothing) + share


class SparseCategoricalCrossentropy(_Named):
    """Categorical crossentropy for labels: y_true holds the number of the class, 0 to O - 1, shape (B, 1).

    Raises InputError for a label that is not such a number.

    >>> round(SparseCategoricalCrossentropy()([1], [[0.25, 0.75]]), 6)
    0.287682
    """

    kind = "sparse_categorical_crossentropy"
    parameters = ("from_logits",)

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str = MEAN,
        axis: int = -1,
        name: str | None = None,
    ) -> None:
        _last_axis(axis)
        if ignore_class is not None:
            raise InputError(
                explain(f"ignore_class={ignore_class!r}.", "None.", "drop those rows: X[y != label], y[y != label]")
            )
        super().__init__(reduction, name)
        self.from_logits = bool(from_logits)

    def values(self, y_true: FloatArray, y_pred: FloatArray) -> FloatArray:
        return -row_sum(self._one_hot(y_true, y_pred) * _log_probabilities(y_pred, self.from_logits))[:, 0]

    def derivative(self, y_true: FloatArray, y_pred: FloatArray) -> FloatArray:
        return _log_probabilities_backward(y_pred, -self._one_hot(y_true, y_pred), self.from_logits)

    def target_columns(self, output_width: int) -> int:
        return 1

    def _one_hot(self, y: FloatArray, p: FloatArray) -> FloatArray:
        classes = np.arange(p.shape[-1], dtype=p.dtype)
        one_hot: FloatArray = np.equal(y.reshape(-1, 1), classes).astype(p.dtype)
        strange = np.flatnonzero(one_hot.sum(axis=-1) != 1.0)
        if len(strange):
            row = int(strange[0])
            raise InputError(
                explain(
                    f"the label {y.reshape(-1)[row]:g} in row {row} ({len(strange)} such in all).",
                    f"whole numbers from 0 to {len(classes) - 1}, for {len(classes)} outputs.",
                    "labels, y = np.unique(y, return_inverse=True)",
                )
            )
        return one_hot


# ---- margins ----


def _signed(y: FloatArray) -> FloatArray:
    """Return labels as -1 and 1: those of a batch that holds only 0 and 1 are converted, others are left."""
    return 2.0 * y - 1.0 if np.all((y == 0.0) | (y == 1.0)) else y


class Hinge(_Columnwise):
    """max(1 - y p, 0), the mean over columns, labels y of -1 and 1 (a batch of 0 and 1 only is converted)."""

    kind = "hinge"

    def element(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return np.maximum(1.0 - _signed(y) * p, 0.0)

    def slope(self, y: FloatArray, p: FloatArray) -> FloatArray:
        y = _signed(y)
        return -y * np.heaviside(1.0 - y * p, 0.5)


class SquaredHinge(_Columnwise):
    """max(1 - y p, 0)², the mean over columns, labels as for the hinge."""

    kind = "squared_hinge"

    def element(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return np.square(np.maximum(1.0 - _signed(y) * p, 0.0))

    def slope(self, y: FloatArray, p: FloatArray) -> FloatArray:
        y = _signed(y)
        return -2.0 * y * np.maximum(1.0 - y * p, 0.0)


class CategoricalHinge(_Named):
    """max(n - t + 1, 0), where t = sum of y p and n = max of (1 - y) p; equal maxima share the derivative."""

    kind = "categorical_hinge"

    def values(self, y_true: FloatArray, y_pred: FloatArray) -> FloatArray:
        return np.maximum(self._margin(y_true, y_pred), 0.0)

    def derivative(self, y_true: FloatArray, y_pred: FloatArray) -> FloatArray:
        others = (1.0 - y_true) * y_pred
        largest: FloatArray = np.equal(others, row_max(others)).astype(y_pred.dtype)
        active: FloatArray = np.heaviside(self._margin(y_true, y_pred), 0.5)[:, np.newaxis]
        return active * ((1.0 - y_true) * largest / row_sum(largest) - y_true)

    def _margin(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return (row_max((1.0 - y) * p) - row_sum(y * p) + 1.0)[:, 0]


# ---- one's own ----


class CustomLoss(Loss):
    """A user's function of (y_true, y_pred), written with NumPy and differentiated for them (see `differentiate.py`).

    It may return one number for the batch, or an array with a first axis of B: (B,) or (B, O). A batch's loss is the
    mean of what it returns, each row first multiplied by its sample weight; one number cannot be weighted. Raises
    InputError for another shape, for weights it cannot use, and for a function that cannot be differentiated.

    >>> loss = CustomLoss(lambda y_true, y_pred: np.abs(y_true - y_pred) ** 1.5)
    >>> loss([[0.0], [4.0]], [[4.0], [4.0]])
    4.0
    """

    def __init__(self, function: Callable[..., Any], name: str | None = None, reduction: str = MEAN) -> None:
        if not callable(function):
            raise InputTypeError(explain(f"the loss {function!r}.", "a function of (y_true, y_pred).", 'loss="mse"'))
        super().__init__(name or function_name(function), reduction)
        self.function = function

    def values(self, y_true: FloatArray, y_pred: FloatArray) -> FloatArray:
        value = self._checked(y_pred, self.function(y_true, y_pred))
        return np.full(len(y_pred), value) if value.ndim == 0 else value.reshape(len(y_pred), -1).mean(axis=-1)

    def derivative(self, y_true: FloatArray, y_pred: FloatArray) -> FloatArray:
        """Return B times the derivative of the mean of `values`: where a row's value uses other rows, theirs too."""
        value, pull_back = value_and_pull_back(self.function, y_true, y_pred)
        self._checked(y_pred, value)
        return pull_back(np.full(value.shape, len(y_pred) / value.size))

    def batch(
        self, y_true: FloatArray, y_pred: FloatArray, sample_weight: FloatArray | None = None
    ) -> tuple[float, FloatArray]:
        """Return a batch's loss and its derivative by y_pred, shape (B, O); sample_weight has shape (B,)."""
        value, pull_back = value_and_pull_back(self.function, y_true, y_pred)
        value = self._checked(y_pred, value)
        weight = np.full(value.shape, 1.0 / value.size if self.reduction == MEAN else 1.0)
        if sample_weight is not None:
            if value.ndim == 0:
                raise InputError(
                    explain(
                        f"sample weights to the loss {self.name!r}, which returned one number for the whole batch.",
                        f"a loss that returns one number per row, shape ({len(y_pred)},), to be weighted.",
                        "np.mean(..., axis=-1) in place of np.mean(...)",
                    )
                )
            weight *= sample_weight.reshape(-1, *[1] * (value.ndim - 1))
        return float(np.sum(value * weight)), pull_back(weight)

    def check(self, y_true: FloatArray, y_pred: FloatArray) -> float:
        """Compare the derivative with central differences on a batch; return the worst relative error.

        Raises InputError, with row and column, if they disagree. The training loop calls this on the first batch.
        """
        self.values(y_true, y_pred)
        return check_gradient(self.function, y_true, y_pred)

    def target_columns(self, output_width: int) -> None:
        return None

    def _checked(self, y_pred: FloatArray, result: Any) -> FloatArray:
        value = np.asarray(result)
        rows_first = value.ndim in (1, 2) and len(value) == len(y_pred) and value.size > 0
        if value.dtype.kind not in "fiu" or not (value.ndim == 0 or rows_first):
            raise InputError(
                explain(
                    f"the loss {self.name!r}, which returned {value.dtype} of shape {value.shape} "
                    f"for y_pred of shape {y_pred.shape}.",
                    f"a number, or an array of shape ({len(y_pred)},) or {y_pred.shape}.",
                    "return np.mean(np.square(y_true - y_pred), axis=-1)",
                )
            )
        return value


# ---- functions, names, files ----


def _function(loss: type[Loss]) -> Callable[..., FloatArray]:
    """Return a loss as a function of (y_true, y_pred, its parameters): the loss of each row, shape (B,)."""
    either = inspect.Parameter.POSITIONAL_OR_KEYWORD
    own = [one for one in inspect.signature(loss).parameters.values() if one.name not in ("reduction", "name")]
    signature = inspect.Signature([inspect.Parameter(name, either) for name in ("y_true", "y_pred")] + own)

    def per_row(*arguments: Any, **keywords: Any) -> FloatArray:
        given = signature.bind(*arguments, **keywords).arguments
        y_true, y_pred = given.pop("y_true"), given.pop("y_pred")
        return loss(**given).rows(y_true, y_pred)

    per_row.__name__ = per_row.__qualname__ = loss.kind
    per_row.__doc__ = f"Return the loss of each row, shape (B,): {loss.__doc__}".split("\n\n")[0]
    per_row.__signature__ = signature  # type: ignore[attr-defined]
    return per_row


mean_squared_error = mse = MSE = _function(MeanSquaredError)
mean_absolute_error = mae = MAE = _function(MeanAbsoluteError)
mean_absolute_percentage_error = mape = MAPE = _function(MeanAbsolutePercentageError)
mean_squared_logarithmic_error = msle = MSLE = _function(MeanSquaredLogarithmicError)
huber = _function(Huber)
log_cosh = logcosh = _function(LogCosh)
binary_crossentropy = bce = BCE = _function(BinaryCrossentropy)
categorical_crossentropy = _function(CategoricalCrossentropy)
sparse_categorical_crossentropy = _function(SparseCategoricalCrossentropy)
kl_divergence = kld = KLD = kullback_leibler_divergence = _function(KLDivergence)
poisson = _function(Poisson)
hinge = _function(Hinge)
squared_hinge = _function(SquaredHinge)
categorical_hinge = _function(CategoricalHinge)
cosine_similarity = _function(CosineSimilarity)
pinball = quantile = _function(Pinball)
asymmetric_squared_error = _function(AsymmetricSquaredError)
qlike = _function(QLIKE)

_CLASSES: dict[str, type[Loss]] = {
    one.__name__: one for one in [one for base in (_Columnwise, _Named) for one in base.__subclasses__()] if one.kind
}
_KINDS = {one.kind: one for one in _CLASSES.values()}
_NAMES = {name: _KINDS[one.__name__] for name, one in list(globals().items()) if getattr(one, "__name__", "") in _KINDS}


def get(identifier: Any, custom_objects: Mapping[str, Any] | None = None) -> Loss:
    """Return a loss by name, class, configuration, function of (y_true, y_pred), or instance.

    `custom_objects` maps the names of functions of your own to them. Raises InputError for an unknown name, with the
    nearest known one.

    >>> get("mse")
    MeanSquaredError(name='mean_squared_error', reduction='sum_over_batch_size')
    """
    if isinstance(identifier, Loss):
        return identifier
    if isinstance(identifier, Mapping):
        return deserialize(identifier, custom_objects)
    if isinstance(identifier, str):
        if custom_objects and identifier in custom_objects:
            return get(custom_objects[identifier])
        known = {**_NAMES, **_CLASSES}
        if identifier not in known:
            raise unknown_name("loss", identifier, _NAMES, "model.compile(loss={})")
        return known[identifier]()
    if isinstance(identifier, type) and issubclass(identifier, Loss):
        return identifier()
    if callable(identifier):
        native = next((loss for name, loss in _NAMES.items() if globals()[name] is identifier), None)
        return CustomLoss(identifier) if native is None else native()
    raise InputTypeError(
        explain(f"the loss {identifier!r}.", "a name, or a function of (y_true, y_pred).", 'model.compile(loss="mse")')
    )


def serialize(loss: Any) -> dict[str, Any]:
    """Return a loss as what a JSON file can hold: its class and configuration.

    >>> serialize(Pinball(0.9))["config"]
    {'name': 'pinball', 'reduction': 'sum_over_batch_size', 'quantile': 0.9}
    """
    loss = get(loss)
    config = loss.get_config()
    if isinstance(loss, CustomLoss):
        config |= qualified(loss.function, loss.name)
    return {"class_name": type(loss).__name__, "config": config}


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Loss:
    """Return the loss that `serialize` wrote; a function of your own must be given in `custom_objects`.

    >>> deserialize(serialize(Huber(delta=2.0))).core
    ('huber', (2.0,))
    """
    if not isinstance(config, Mapping):
        return get(config, custom_objects)
    class_name, arguments = config.get("class_name"), config.get("config")
    if class_name == "CustomLoss":
        function = restored("loss", arguments, custom_objects)
        return CustomLoss(function, config["config"]["name"], config["config"].get("reduction", MEAN))
    classes = {**_CLASSES, **(custom_objects or {})}
    if not isinstance(class_name, str) or class_name not in classes:
        raise unknown_name("loss class", class_name, classes, '{{"class_name": {}, "config": {{}}}}')
    try:
        return get(classes[class_name](**(arguments or {})))
    except TypeError as error:
        raise InputError(explain(f"{class_name} with {arguments!r}.", f"its arguments ({error}).")) from None


# ---- small parts ----


def _inside(x: FloatArray, low: float, high: float) -> FloatArray:
    """Return the slope of clipping x to [low, high]: 1 inside, bounds included, else 0; NaN counts as inside."""
    inside: FloatArray = np.logical_not((x < x.dtype.type(low)) | (x > x.dtype.type(high))).astype(x.dtype)
    return inside


def _between(name: str, value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not low <= value <= high:
        raise InputError(explain(f"{name}={value!r}.", f"a number from {low:g} to {high:g}."))
    return float(value)


def _last_axis(axis: Any) -> None:
    if axis not in (-1, 1):
        raise InputError(explain(f"axis={axis!r}.", "-1, the outputs; rows lie along the first axis.", "axis=-1"))
