"""Losses for probabilities, classes and counts: crossentropies, divergence, Poisson; clipped where Keras clips.

y is y_true and p is y_pred, both of shape (B, O); each value's derivative by p is next to it.
"""

from __future__ import annotations

import numpy as np

from hillwalker.activations import LogSoftmax, Sigmoid, Softplus, row_sum
from hillwalker.differentiate import FloatArray
from hillwalker.errors import InputError, explain
from hillwalker.losses.base import EPSILON, MEAN, ColumnwiseLoss, NamedLoss, between, last_axis


def _inside(x: FloatArray, low: float, high: float) -> FloatArray:
    """Return the slope of clipping x to [low, high]: 1 inside, bounds included, else 0; NaN counts as inside."""
    inside: FloatArray = np.logical_not((x < x.dtype.type(low)) | (x > x.dtype.type(high))).astype(x.dtype)
    return inside


class Poisson(ColumnwiseLoss):
    """p - y ln(p + 1e-7), the mean over columns, for counts y and rates p > 0."""

    kind = "poisson"

    def element(self, y: FloatArray, p: FloatArray) -> FloatArray:
        logarithm: FloatArray = np.log(p + EPSILON)
        return p - y * logarithm

    def slope(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return 1.0 - y / (p + EPSILON)


class KLDivergence(NamedLoss):
    """The sum of y ln(y / p), both clipped to [1e-7, 1]; flat in p outside."""

    kind = "kl_divergence"

    def values(self, y_true: FloatArray, y_pred: FloatArray) -> FloatArray:
        y, p = np.clip(y_true, EPSILON, 1.0), np.clip(y_pred, EPSILON, 1.0)
        return row_sum(y * np.log(y / p))[:, 0]

    def derivative(self, y_true: FloatArray, y_pred: FloatArray) -> FloatArray:
        return -np.clip(y_true, EPSILON, 1.0) / np.clip(y_pred, EPSILON, 1.0) * _inside(y_pred, EPSILON, 1.0)


class BinaryCrossentropy(ColumnwiseLoss):
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
        last_axis(axis)
        super().__init__(reduction, name)
        self.from_logits = bool(from_logits)
        self.label_smoothing = between("label_smoothing", label_smoothing, 0.0, 1.0)

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


class CategoricalCrossentropy(NamedLoss):
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
        last_axis(axis)
        super().__init__(reduction, name)
        self.from_logits = bool(from_logits)
        self.label_smoothing = between("label_smoothing", label_smoothing, 0.0, 1.0)

    def values(self, y_true: FloatArray, y_pred: FloatArray) -> FloatArray:
        return -row_sum(self._smoothed(y_true) * _log_probabilities(y_pred, self.from_logits))[:, 0]

    def derivative(self, y_true: FloatArray, y_pred: FloatArray) -> FloatArray:
        return _log_probabilities_backward(y_pred, -self._smoothed(y_true), self.from_logits)

    def _smoothed(self, y: FloatArray) -> FloatArray:
        share: float = self.label_smoothing / y.shape[-1]
        return y * (1.0 - self.label_smoothing) + share


class SparseCategoricalCrossentropy(NamedLoss):
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
        last_axis(axis)
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
