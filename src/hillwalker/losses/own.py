"""A loss of the user's own: a function of (y_true, y_pred), checked and differentiated.

How it is differentiated is in `differentiate.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hillwalker.differentiate import FloatArray, check_gradient, function_name, value_and_pull_back
from hillwalker.errors import InputError, InputTypeError, explain
from hillwalker.losses.base import MEAN, Loss


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
