"""How often the predicted class is the true one: each a function of rows, and the metric that averages it.

B rows, C classes. Ties go to the first class.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hillwalker.errors import InputError, explain
from hillwalker.metrics.base import FloatArray, MeanOfRows, paired


def binary_accuracy(y_true: ArrayLike, y_pred: ArrayLike, threshold: float = 0.5) -> FloatArray:
    """Return for each row the share of outputs on the right side of the threshold, shape (B,)."""
    return BinaryAccuracy(threshold=threshold).row_values(*paired("binary_accuracy", y_true, y_pred))


def categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> FloatArray:
    """Return for each row 1 if the largest output is the one-hot target's class, else 0, shape (B,)."""
    return CategoricalAccuracy().row_values(*paired("categorical_accuracy", y_true, y_pred, whole_rows=True))


def sparse_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> FloatArray:
    """Return for each row 1 if the largest output is the target's class number, else 0, shape (B,)."""
    pair = paired("sparse_categorical_accuracy", y_true, y_pred, whole_rows=True, label_column=True)
    return SparseCategoricalAccuracy().row_values(*pair)


def top_k_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike, k: int = 5) -> FloatArray:
    """Return for each row 1 if the one-hot target's class is among the k largest outputs, else 0, shape (B,)."""
    return TopKCategoricalAccuracy(k).row_values(*paired("top_k_categorical_accuracy", y_true, y_pred, whole_rows=True))


def sparse_top_k_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike, k: int = 5) -> FloatArray:
    """Return for each row 1 if the target's class number is among the k largest outputs, else 0, shape (B,)."""
    pair = paired("sparse_top_k_categorical_accuracy", y_true, y_pred, whole_rows=True, label_column=True)
    return SparseTopKCategoricalAccuracy(k).row_values(*pair)


class Accuracy(MeanOfRows):
    """How often y_pred equals y_true exactly; for class numbers, not for probabilities.

    >>> Accuracy()([1, 2, 3, 4], [0, 2, 3, 4])
    0.75
    """

    def __init__(self, name: str | None = "accuracy", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def row_values(self, y_true: FloatArray, y_pred: FloatArray) -> FloatArray:
        """Return the share of equal columns, shape (B,)."""
        return np.asarray(np.mean(y_true == y_pred, axis=1))


class BinaryAccuracy(MeanOfRows):
    """How often a probability lies on the right side of the threshold; for logits, threshold=0.0.

    >>> BinaryAccuracy()([1, 1, 0, 0], [0.98, 1, 0, 0.6])
    0.75
    """

    def __init__(self, name: str | None = "binary_accuracy", dtype: Any = None, threshold: float = 0.5) -> None:
        super().__init__(name, dtype)
        self.threshold = float(threshold)

    def row_values(self, y_true: FloatArray, y_pred: FloatArray) -> FloatArray:
        """Return the share of columns that are right, shape (B,)."""
        return np.asarray(np.mean(y_true == (y_pred > self.threshold), axis=1))

    def get_config(self) -> dict[str, Any]:
        """Return name and threshold."""
        return {"name": self.name, "threshold": self.threshold}


class CategoricalAccuracy(MeanOfRows):
    """How often the largest of C outputs is that of the one-hot target.

    >>> CategoricalAccuracy()([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0]])
    0.5
    """

    whole_rows = True

    def __init__(self, name: str | None = "categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def row_values(self, y_true: FloatArray, y_pred: FloatArray) -> FloatArray:
        """Return 1 for a right row, else 0, shape (B,)."""
        return np.asarray(np.argmax(y_true, axis=1) == np.argmax(y_pred, axis=1), dtype=np.float64)


class SparseCategoricalAccuracy(MeanOfRows):
    """How often the largest of C outputs is that of the target's class number.

    >>> SparseCategoricalAccuracy()([2, 1], [[0.1, 0.6, 0.3], [0.05, 0.95, 0]])
    0.5
    """

    whole_rows = True
    label_column = True

    def __init__(self, name: str | None = "sparse_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def row_values(self, y_true: FloatArray, y_pred: FloatArray) -> FloatArray:
        """Return 1 for a right row, else 0, shape (B,)."""
        return np.asarray(y_true[:, 0] == np.argmax(y_pred, axis=1), dtype=np.float64)


class TopKCategoricalAccuracy(MeanOfRows):
    """How often the one-hot target's class is among the k largest outputs; InputError where there are fewer than k.

    >>> TopKCategoricalAccuracy(k=2)([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0]])
    1.0
    """

    whole_rows = True

    def __init__(self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self.k = k

    def row_values(self, y_true: FloatArray, y_pred: FloatArray) -> FloatArray:
        """Return 1 for a row whose class is among the k largest, else 0, shape (B,)."""
        return _among_largest(np.argmax(y_true, axis=1), y_pred, self.k)

    def get_config(self) -> dict[str, Any]:
        """Return k and name."""
        return {"k": self.k, "name": self.name}


class SparseTopKCategoricalAccuracy(MeanOfRows):
    """How often the target's class number is among the k largest outputs; InputError where there are fewer than k.

    >>> SparseTopKCategoricalAccuracy(k=2)([2, 1], [[0.1, 0.9, 0.8], [0.05, 0.95, 0]])
    1.0
    """

    whole_rows = True
    label_column = True

    def __init__(self, k: int = 5, name: str | None = "sparse_top_k_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self.k = k

    def row_values(self, y_true: FloatArray, y_pred: FloatArray) -> FloatArray:
        """Return 1 for a row whose class is among the k largest, else 0, shape (B,)."""
        return _among_largest(y_true[:, 0].astype(np.intp), y_pred, self.k)

    def get_config(self) -> dict[str, Any]:
        """Return k and name."""
        return {"k": self.k, "name": self.name}


def _among_largest(labels: NDArray[np.intp], y_pred: FloatArray, k: int) -> FloatArray:
    classes = y_pred.shape[1]
    if not 1 <= k <= classes:
        expected = f"k from 1 to the number of outputs, {classes}."
        raise InputError(
            explain(f"k={k} for {classes} outputs.", expected, f"TopKCategoricalAccuracy(k={classes - 1 or 1})")
        )
    kth_largest = np.partition(y_pred, classes - k, axis=1)[:, classes - k]
    return np.asarray(y_pred[np.arange(len(y_pred)), labels] >= kth_largest, dtype=np.float64)
