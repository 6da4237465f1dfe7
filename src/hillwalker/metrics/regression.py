"""The losses as metrics, and how much of the targets' spread the predictions explain.

No formula of a loss is written here: see `losses/`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hillwalker import losses
from hillwalker.errors import InputError, explain, unknown_name
from hillwalker.losses import Loss
from hillwalker.metrics.base import FloatArray, MeanOfRows, Metric, Result, paired, row_weights

WHOLE_ROW_LOSSES = (
    losses.CosineSimilarity,
    losses.KLDivergence,
    losses.CategoricalCrossentropy,
    losses.SparseCategoricalCrossentropy,
    losses.CategoricalHinge,
)


class LossMetric(MeanOfRows):
    """The mean over rows of a loss: any loss of hillwalker, also those that Keras has no metric for.

    >>> LossMetric(losses.Pinball(0.75), name="pinball")([2.0], [1.0])
    0.75
    """

    def __init__(self, loss: Loss, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name or loss.name, dtype)
        self.loss = loss
        self.whole_rows = isinstance(loss, WHOLE_ROW_LOSSES)
        self.label_column = isinstance(loss, losses.SparseCategoricalCrossentropy)

    def row_values(self, y_true: FloatArray, y_pred: FloatArray) -> FloatArray:
        """Return the loss of each row, shape (B,)."""
        return self.loss.values(y_true, y_pred)

    def get_config(self) -> dict[str, Any]:
        """Return name and loss; for the named metrics, the name and the loss's own arguments."""
        if type(self) is LossMetric:
            return {"name": self.name, "loss": losses.serialize(self.loss)}
        return {"name": self.name} | {name: getattr(self.loss, name) for name in self.loss.parameters}

    @classmethod
    def from_config(cls, config: Any) -> Metric:
        """Return the metric that `get_config` described."""
        if cls is LossMetric:
            return LossMetric(losses.deserialize(config["loss"]), config["name"])
        return cls(**config)


class MeanSquaredError(LossMetric):
    """The mean of (y_pred - y_true)^2.

    >>> MeanSquaredError()([1.0, 2.0], [2.0, 2.0])
    0.5
    """

    def __init__(self, name: str | None = "mean_squared_error", dtype: Any = None) -> None:
        super().__init__(losses.MeanSquaredError(), name, dtype)


class RootMeanSquaredError(MeanSquaredError):
    """The root of the mean of (y_pred - y_true)^2 over all rows.

    >>> RootMeanSquaredError()([1.0, 2.0], [3.0, 4.0])
    2.0
    """

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def result(self) -> Result:
        """Return the root of the mean so far."""
        return math.sqrt(self.total / self.count) if self.count else 0.0


class MeanAbsoluteError(LossMetric):
    """The mean of |y_pred - y_true|."""

    def __init__(self, name: str | None = "mean_absolute_error", dtype: Any = None) -> None:
        super().__init__(losses.MeanAbsoluteError(), name, dtype)


class MeanAbsolutePercentageError(LossMetric):
    """The mean of 100 |y_pred - y_true| / |y_true|."""

    def __init__(self, name: str | None = "mean_absolute_percentage_error", dtype: Any = None) -> None:
        super().__init__(losses.MeanAbsolutePercentageError(), name, dtype)


class MeanSquaredLogarithmicError(LossMetric):
    """The mean of (ln(1 + y_pred) - ln(1 + y_true))^2."""

    def __init__(self, name: str | None = "mean_squared_logarithmic_error", dtype: Any = None) -> None:
        super().__init__(losses.MeanSquaredLogarithmicError(), name, dtype)


class LogCoshError(LossMetric):
    """The mean of ln cosh(y_pred - y_true)."""

    def __init__(self, name: str | None = "logcosh", dtype: Any = None) -> None:
        super().__init__(losses.LogCosh(), name, dtype)


class CosineSimilarity(LossMetric):
    """The mean cosine of the angle between y_true and y_pred, row by row; the loss of that name is its negative.

    >>> round(CosineSimilarity()([[0.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [1.0, 1.0]]), 6)
    0.5
    """

    def __init__(self, name: str | None = "cosine_similarity", dtype: Any = None) -> None:
        super().__init__(losses.CosineSimilarity(), name, dtype)

    def row_values(self, y_true: FloatArray, y_pred: FloatArray) -> FloatArray:
        """Return the cosine of each row, shape (B,)."""
        return -self.loss.values(y_true, y_pred)


class KLDivergence(LossMetric):
    """The mean of sum y_true ln(y_true / y_pred)."""

    def __init__(self, name: str | None = "kl_divergence", dtype: Any = None) -> None:
        super().__init__(losses.KLDivergence(), name, dtype)


class Poisson(LossMetric):
    """The mean of y_pred - y_true ln(y_pred)."""

    def __init__(self, name: str | None = "poisson", dtype: Any = None) -> None:
        super().__init__(losses.Poisson(), name, dtype)


class Hinge(LossMetric):
    """The mean of max(1 - y_true y_pred, 0), y_true -1 or 1."""

    def __init__(self, name: str | None = "hinge", dtype: Any = None) -> None:
        super().__init__(losses.Hinge(), name, dtype)


class SquaredHinge(LossMetric):
    """The mean of max(1 - y_true y_pred, 0)^2, y_true -1 or 1."""

    def __init__(self, name: str | None = "squared_hinge", dtype: Any = None) -> None:
        super().__init__(losses.SquaredHinge(), name, dtype)


class CategoricalHinge(LossMetric):
    """The mean of max(1 + largest wrong output - right output, 0)."""

    def __init__(self, name: str | None = "categorical_hinge", dtype: Any = None) -> None:
        super().__init__(losses.CategoricalHinge(), name, dtype)


class BinaryCrossentropy(LossMetric):
    """The mean of -(y ln p + (1 - y) ln(1 - p))."""

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(losses.BinaryCrossentropy(from_logits, label_smoothing), name, dtype)


class CategoricalCrossentropy(LossMetric):
    """The mean of -sum y ln p, y one-hot."""

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(losses.CategoricalCrossentropy(from_logits, label_smoothing), name, dtype)


class SparseCategoricalCrossentropy(LossMetric):
    """The mean of -ln p of the target's class number."""

    def __init__(
        self, name: str | None = "sparse_categorical_crossentropy", dtype: Any = None, from_logits: bool = False
    ) -> None:
        super().__init__(losses.SparseCategoricalCrossentropy(from_logits=from_logits), name, dtype)


AGGREGATIONS = ("uniform_average", "variance_weighted_average")


class R2Score(Metric):
    """1 - sum w (y - p)^2 / sum w (y - mean y)^2, per column, then averaged.

    Args:
        class_aggregation: "uniform_average", "variance_weighted_average", or None for one score a column.
        num_regressors: p of the adjusted score 1 - (1 - R2) (n - 1) / (n - p - 1); 0: not adjusted.

    A column whose targets are constant scores 0, or NaN where it is predicted exactly, as in Keras.

    >>> round(R2Score()([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]]), 6)
    0.571429
    """

    state_names = ("sum", "squared_sum", "residual", "count", "num_samples")
    sum: Result
    squared_sum: Result
    residual: Result
    count: float
    num_samples: float

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, dtype)
        if class_aggregation not in (None, *AGGREGATIONS):
            raise unknown_name("class_aggregation", class_aggregation, AGGREGATIONS, "R2Score(class_aggregation={})")
        if num_regressors < 0:
            raise InputError(explain(f"num_regressors={num_regressors}.", "a whole number, 0 or more."))
        self.class_aggregation = class_aggregation
        self.num_regressors = num_regressors

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Take in one batch: targets and predictions (B, O), weights (B,)."""
        targets, predictions = paired(self.name, y_true, y_pred)
        weight = row_weights(sample_weight, len(targets))
        w = np.ones((len(targets), 1)) if weight is None else weight[:, np.newaxis]
        y, p = targets.astype(np.float64), predictions.astype(np.float64)
        self.sum = self.sum + np.sum(w * y, axis=0)
        self.squared_sum = self.squared_sum + np.sum(w * y**2, axis=0)
        self.residual = self.residual + np.sum(w * (y - p) ** 2, axis=0)
        self.count += float(w.sum())
        self.num_samples += y.size

    def result(self) -> Result:
        """Return the score; one a column where class_aggregation is None."""
        if not self.count:
            return 0.0
        spread: NDArray[np.float64] = np.asarray(self.squared_sum - self.sum * (self.sum / self.count))
        with np.errstate(all="ignore"):
            raw = 1.0 - self.residual / spread
            scores: Any = np.where(np.isinf(raw), 0.0, raw)
            if self.class_aggregation == "uniform_average":
                scores = scores.mean()
            elif self.class_aggregation is not None:
                scores = np.sum(spread * scores) / np.sum(spread)
        if 0 < self.num_regressors < self.num_samples - 1:
            scores = 1.0 - (1.0 - scores) * (self.num_samples - 1) / (self.num_samples - self.num_regressors - 1)
        return float(scores) if np.ndim(scores) == 0 else np.asarray(scores)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"class_aggregation": self.class_aggregation, "num_regressors": self.num_regressors, "name": self.name}
