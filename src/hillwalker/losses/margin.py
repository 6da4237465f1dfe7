"""Losses for margins: nothing to pay where a score is on the right side and far enough.

y is y_true and p is y_pred, both of shape (B, O); each value's derivative by p is next to it.
"""

from __future__ import annotations

import numpy as np

from hillwalker.activations import row_max, row_sum
from hillwalker.differentiate import FloatArray
from hillwalker.losses.base import ColumnwiseLoss, NamedLoss


def _signed(y: FloatArray) -> FloatArray:
    """Return labels as -1 and 1: those of a batch that holds only 0 and 1 are converted, others are left."""
    return 2.0 * y - 1.0 if np.all((y == 0.0) | (y == 1.0)) else y


class Hinge(ColumnwiseLoss):
    """max(1 - y p, 0), the mean over columns, labels y of -1 and 1 (a batch of 0 and 1 only is converted)."""

    kind = "hinge"

    def element(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return np.maximum(1.0 - _signed(y) * p, 0.0)

    def slope(self, y: FloatArray, p: FloatArray) -> FloatArray:
        y = _signed(y)
        return -y * np.heaviside(1.0 - y * p, 0.5)


class SquaredHinge(ColumnwiseLoss):
    """max(1 - y p, 0)², the mean over columns, labels as for the hinge."""

    kind = "squared_hinge"

    def element(self, y: FloatArray, p: FloatArray) -> FloatArray:
        return np.square(np.maximum(1.0 - _signed(y) * p, 0.0))

    def slope(self, y: FloatArray, p: FloatArray) -> FloatArray:
        y = _signed(y)
        return -2.0 * y * np.maximum(1.0 - y * p, 0.0)


class CategoricalHinge(NamedLoss):
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
