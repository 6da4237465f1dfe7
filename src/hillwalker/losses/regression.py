"""Losses for numbers: squared, absolute, relative and robust errors, quantiles, variances, directions.

y is y_true and p is y_pred, both of shape (B, O); each value's derivative by p is next to it.
"""

from __future__ import annotations

import math

import numpy as np

from hillwalker.activations import row_sum
from hillwalker.differentiate import FloatArray
from hillwalker.losses.base import EPSILON, MEAN, ColumnwiseLoss, NamedLoss, between, last_axis

LOG_2 = math.log(2.0)


class MeanSquaredError(ColumnwiseLoss):
    """(p - y)², the mean over columns.

    >>> MeanSquaredError()([[0.0], [2.0]], [[1.0], [2.0]])
    0.5
    """

    kind = "mean_squared_error"

    def element(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return np.square(p - y)

    def slope(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return 2.0 * (p - y)


class MeanAbsoluteError(ColumnwiseLoss):
    """|p - y|, the mean over columns; the derivative at p = y is 0."""

    kind = "mean_absolute_error"

    def element(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return np.abs(p - y)

    def slope(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return np.sign(p - y)


class MeanAbsolutePercentageError(ColumnwiseLoss):
    """100 |p - y| / max(|y|, 1e-7), the mean over columns."""

    kind = "mean_absolute_percentage_error"

    def element(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return 100.0 * np.abs((p - y) / np.maximum(np.abs(y), EPSILON))

    def slope(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return 100.0 * np.sign(p - y) / np.maximum(np.abs(y), EPSILON)


class MeanSquaredLogarithmicError(ColumnwiseLoss):
    """(ln(1 + max(p, 1e-7)) - ln(1 + max(y, 1e-7)))², the mean over columns; flat where p < 1e-7."""

    kind = "mean_squared_logarithmic_error"

    def element(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return np.square(self._difference(y, p))

    def slope(self, y: FloatArray, p: FloatArray) -> FloatArray:
        above: FloatArray = np.heaviside(p - EPSILON, 0.5)
        return 2.0 * self._difference(y, p) / (1.0 + np.maximum(p, EPSILON)) * above

    def _difference(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return np.log1p(np.maximum(p, EPSILON)) - np.log1p(np.maximum(y, EPSILON))


class Huber(ColumnwiseLoss):
    """With e = p - y: e² / 2 where |e| <= delta, else delta |e| - delta² / 2. Source: Huber, 1964.

    >>> Huber(delta=1.0)([[0.0]], [[3.0]])
    2.5
    """

    kind = "huber"
    parameters = ("delta",)

    def __init__(self, delta: float = 1.0, reduction: str = MEAN, name: str | None = "huber_loss") -> None:
        super().__init__(reduction, name)
        self.delta = between("delta", delta, 0.0, math.inf)

    def element(self, y: FloatArray, p: FloatArray) -> FloatArray:
        distance = np.abs(p - y)
        far = self.delta * distance - 0.5 * self.delta**2
        return np.where(distance <= self.delta, 0.5 * np.square(distance), far)

    def slope(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return np.clip(p - y, -self.delta, self.delta)


class LogCosh(ColumnwiseLoss):
    """ln(cosh(p - y)), the mean over columns."""

    kind = "log_cosh"

    def element(self, y: FloatArray, p: FloatArray) -> FloatArray:
        distance = np.abs(p - y)
        return distance + np.log1p(np.exp(-2.0 * distance)) - LOG_2  # cosh e = (exp(e) + exp(-e)) / 2

    def slope(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return np.tanh(p - y)


class Pinball(ColumnwiseLoss):
    """max(q (y - p), (q - 1) (y - p)): its minimum is the q-quantile of y. Source: Koenker and Bassett, 1978.

    >>> Pinball(quantile=0.75)([[2.0]], [[1.0]])
    0.75
    """

    kind = "pinball"
    parameters = ("quantile",)

    def __init__(self, quantile: float = 0.5, reduction: str = MEAN, name: str | None = None) -> None:
        super().__init__(reduction, name)
        self.quantile = between("quantile", quantile, 0.0, 1.0)

    def element(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return np.maximum(self.quantile * (y - p), (self.quantile - 1.0) * (y - p))

    def slope(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return np.heaviside(p - y, 0.5) - self.quantile


class AsymmetricSquaredError(ColumnwiseLoss):
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
        self.under_weight = between("under_weight", under_weight, 0.0, math.inf)
        self.over_weight = between("over_weight", over_weight, 0.0, math.inf)

    def element(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return self._weight(y, p) * np.square(p - y)

    def slope(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return 2.0 * self._weight(y, p) * (p - y)

    def _weight(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return np.where(p < y, p.dtype.type(self.under_weight), p.dtype.type(self.over_weight))


class QLIKE(ColumnwiseLoss):
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


class CosineSimilarity(NamedLoss):
    """-cos of the angle between y and p, each divided by its length (1e-7 or more); 0 if either is zero.

    Keras's derivative at p = 0 is NaN; here it is 0.
    """

    kind = "cosine_similarity"

    def __init__(self, axis: int = -1, reduction: str = MEAN, name: str | None = None) -> None:
        last_axis(axis)
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
