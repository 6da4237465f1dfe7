"""What is counted by thresholds: right and wrong positives and negatives, precision, recall, F scores, AUC.

A prediction is positive if it is above the threshold. Counting is one pass over the predictions, whatever the number of
thresholds.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hillwalker.activations import sigmoid
from hillwalker.config import epsilon
from hillwalker.errors import HillwalkerWarning, InputError, explain, unknown_name
from hillwalker.metrics.base import FloatArray, Metric, Result, paired, row_weights

Counts = NDArray[np.float64]
MOST_THRESHOLDS = 1_000_000  # a file that asks for more does not get the memory
COUNTS = ("true_positives", "false_positives", "true_negatives", "false_negatives")


def confusion(
    thresholds: Counts, positive: NDArray[np.bool_], y_pred: FloatArray, weight: NDArray[np.float64] | None
) -> tuple[Counts, Counts, Counts, Counts]:
    """Return true and false positives, true and false negatives at each of T ascending thresholds, each of shape (T,).

    `positive`, `y_pred` and `weight` have shape (n,). Every count is NaN if a prediction is.

    >>> confusion(np.array([0.5]), np.array([True, False]), np.array([0.9, 0.6]), None)
    (array([1.]), array([1.]), array([0.]), array([0.]))
    """
    steps = len(thresholds) - 1
    finite = not np.isnan(y_pred).any()
    if not finite:
        exceeded = np.zeros(len(y_pred), dtype=np.intp)
    elif steps >= 2 and np.allclose(thresholds, np.arange(steps + 1) / steps, rtol=1e-5, atol=epsilon()):
        # Evenly spread thresholds need no search. Keras counts like this; so even ties at a threshold agree with it.
        exceeded = np.ceil(np.clip(y_pred, 0.0, 1.0) * steps).astype(np.intp)
        if thresholds[0] < 0.0:
            np.maximum(exceeded, 1, out=exceeded)
    else:
        exceeded = np.searchsorted(thresholds.astype(y_pred.dtype), y_pred, side="left")
    above = []
    for label in (positive, ~positive):
        weights = label.astype(np.float64) if weight is None else weight * label
        counts: Counts = np.bincount(exceeded, weights=weights, minlength=len(thresholds) + 1).astype(np.float64)
        above.append(np.cumsum(counts[::-1])[::-1] if finite else np.full(len(counts), np.nan))
    (positives, true), (negatives, false) = ((counts[0], counts[1:]) for counts in above)
    return true, false, negatives - false, positives - true


class Confusion(Metric):
    """The base of what reads the four counts, each of shape (thresholds,) or (thresholds, labels)."""

    state_names = COUNTS
    true_positives: Any
    false_positives: Any
    true_negatives: Any
    false_negatives: Any

    def add(self, counts: Sequence[Any]) -> None:
        """Add one batch's four counts."""
        for name, count in zip(COUNTS, counts, strict=True):
            setattr(self, name, getattr(self, name) + count)


class ThresholdMetric(Confusion):
    """The base of what is read at one threshold, or several (then the result is an array).

    Args:
        thresholds: a number or numbers in [0, 1]; default 0.5, or none where top_k is given.
        top_k: only the k largest outputs of a row can be positive.
        class_id: look at this output only.
    """

    def __init__(
        self,
        thresholds: float | Sequence[float] | None = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name, dtype)
        self.thresholds, self.top_k, self.class_id = thresholds, top_k, class_id
        default = 0.5 if top_k is None else -np.inf
        self._given = np.atleast_1d(np.asarray(default if thresholds is None else thresholds, dtype=np.float64))
        if thresholds is not None and not ((self._given >= 0) & (self._given <= 1)).all():
            raise InputError(explain(f"thresholds={thresholds!r}.", "numbers from 0 to 1.", "thresholds=[0.3, 0.5]"))

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Take in one batch: targets 0 or 1 and predictions, both (B, O), weights (B,)."""
        targets, predictions = paired(self.name, y_true, y_pred)
        weight = row_weights(sample_weight, len(targets))
        columns = targets.shape[1]
        if self.top_k is not None:
            if not 1 <= self.top_k <= columns:
                raise InputError(explain(f"top_k={self.top_k} for {columns} outputs.", f"1 to {columns}."))
            largest = np.argsort(-predictions, axis=1, kind="stable")[:, : self.top_k]
            kept = np.full_like(predictions, -np.inf)
            np.put_along_axis(kept, largest, np.take_along_axis(predictions, largest, axis=1), axis=1)
            predictions = kept
        if self.class_id is not None:
            if not 0 <= self.class_id < columns:
                raise InputError(explain(f"class_id={self.class_id} for {columns} outputs.", f"0 to {columns - 1}."))
            chosen = slice(self.class_id, self.class_id + 1)
            targets, predictions = targets[:, chosen], predictions[:, chosen]
        spread = None if weight is None else np.repeat(weight, targets.shape[1])
        order = np.argsort(self._given, kind="stable")
        counts = confusion(self._given[order], targets.ravel() != 0, predictions.ravel(), spread)
        self.add([count[np.argsort(order)] for count in counts])

    def read(self) -> Counts:
        """Return the metric at each threshold, shape (thresholds,)."""
        raise NotImplementedError(f"{type(self).__name__} does not define read.")

    def result(self) -> Result:
        """Return the metric; an array where there are several thresholds."""
        values = np.broadcast_to(self.read(), self._given.shape)
        return float(values[0]) if len(values) == 1 else values.copy()

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        thresholds = self._given.tolist() if isinstance(self.thresholds, np.ndarray) else self.thresholds
        return {"thresholds": thresholds, "top_k": self.top_k, "class_id": self.class_id, "name": self.name}


class Precision(ThresholdMetric):
    """Of the rows called positive, the share that is: true positives / all called positive.

    >>> Precision()([0, 1, 1, 1], [1, 0, 1, 1])
    0.6666666666666666
    """

    def read(self) -> Counts:
        """Return precision at each threshold."""
        return _ratio(self.true_positives, self.true_positives + self.false_positives)


class Recall(ThresholdMetric):
    """Of the rows that are positive, the share called so: true positives / all positives.

    >>> Recall()([0, 1, 1, 1], [1, 0, 1, 1])
    0.6666666666666666
    """

    def read(self) -> Counts:
        """Return recall at each threshold."""
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)


class CountMetric(ThresholdMetric):
    """The base of the four counts as metrics."""

    def __init__(
        self, thresholds: float | Sequence[float] | None = None, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(thresholds, None, None, name, dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        config = super().get_config()
        return {"thresholds": config["thresholds"], "name": self.name}


class TruePositives(CountMetric):
    """How many rows are called positive and are."""

    def read(self) -> Counts:
        """Return the count at each threshold."""
        return np.asarray(self.true_positives)


class FalsePositives(CountMetric):
    """How many rows are called positive and are not."""

    def read(self) -> Counts:
        """Return the count at each threshold."""
        return np.asarray(self.false_positives)


class TrueNegatives(CountMetric):
    """How many rows are called negative and are."""

    def read(self) -> Counts:
        """Return the count at each threshold."""
        return np.asarray(self.true_negatives)


class FalseNegatives(CountMetric):
    """How many rows are called negative and are not."""

    def read(self) -> Counts:
        """Return the count at each threshold."""
        return np.asarray(self.false_negatives)


CURVES = ("ROC", "PR")
SUMMATIONS = ("interpolation", "minoring", "majoring")


class AUC(Confusion):
    """The area under the ROC curve (or precision-recall curve), as a sum over thresholds.

    Args:
        num_thresholds: how many, evenly from 0 to 1; or `thresholds`: those between 0 and 1, of one's own.
        curve: "ROC" (recall by false positive rate) or "PR" (precision by recall).
        summation_method: "interpolation" (trapezoids; for PR, Davis and Goadrich's), "minoring" or "majoring".
        multi_label: one curve a column, averaged with `label_weights`; otherwise all columns make one curve.
        from_logits: predictions are logits; the sigmoid is applied to them.

    Warns where predictions are not probabilities. Source: Davis and Goadrich (2006) for the PR interpolation.

    >>> AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
    0.75
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: ArrayLike | None = None,
        from_logits: bool = False,
    ) -> None:
        super().__init__(name, dtype)
        if curve.upper() not in CURVES:
            raise unknown_name("curve", curve, CURVES, "AUC(curve={})")
        if summation_method.lower() not in SUMMATIONS:
            raise unknown_name("summation_method", summation_method, SUMMATIONS, "AUC(summation_method={})")
        if thresholds is None and not 2 <= num_thresholds <= MOST_THRESHOLDS:
            expected = f"from 2 to {MOST_THRESHOLDS}."
            raise InputError(explain(f"num_thresholds={num_thresholds}.", expected, "AUC(num_thresholds=200)"))
        if num_labels is not None and not multi_label:
            raise InputError(explain(f"num_labels={num_labels}.", "multi_label=True with it.", "AUC(multi_label=True)"))
        inner = (
            sorted(thresholds) if thresholds is not None else np.arange(1, num_thresholds - 1) / (num_thresholds - 1)
        )
        # The ends are moved out, so that every row is positive at the first threshold and none at the last.
        self.thresholds: Counts = np.array([-epsilon(), *inner, 1.0 + epsilon()])
        self._own_thresholds = thresholds is not None
        self.curve, self.summation_method = curve.upper(), summation_method.lower()
        self.multi_label, self.num_labels, self.from_logits = multi_label, num_labels, from_logits
        self.label_weights = None if label_weights is None else np.asarray(label_weights, dtype=np.float64)

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Take in one batch: targets 0 or 1 and predictions, both (B, O), weights (B,)."""
        targets, predictions = paired(self.name, y_true, y_pred)
        rows, columns = targets.shape
        weight = row_weights(sample_weight, rows)
        if self.label_weights is not None and self.label_weights.shape != (columns,):
            passed = f"label_weights of shape {self.label_weights.shape} for {columns} outputs."
            raise InputError(explain(passed, f"one weight an output, shape ({columns},)."))
        if self.from_logits:
            predictions = np.asarray(sigmoid(predictions))
        elif ((predictions < 0) | (predictions > 1)).any():
            message = explain("predictions outside [0, 1] for AUC.", "probabilities.", "AUC(from_logits=True)")
            warnings.warn(message, HillwalkerWarning, stacklevel=2)
        positive = targets != 0
        if self.multi_label:
            by_label = [confusion(self.thresholds, positive[:, k], predictions[:, k], weight) for k in range(columns)]
            self.add([np.stack(counts, axis=1) for counts in zip(*by_label, strict=True)])
            return
        spread = None if weight is None else np.repeat(weight, columns)
        if self.label_weights is not None:
            spread = np.tile(self.label_weights, rows) * (1.0 if spread is None else spread)
        self.add(confusion(self.thresholds, positive.ravel(), predictions.ravel(), spread))

    def result(self) -> Result:
        """Return the area so far."""
        if np.ndim(self.true_positives) == 0:
            return 0.0
        interpolated = self.curve == "PR" and self.summation_method == "interpolation"
        area = np.sum(self._interpolated() if interpolated else self._strips(), axis=0)
        if not self.multi_label:
            return float(area)
        return float(np.mean(area) if self.label_weights is None else np.average(area, weights=self.label_weights))

    def _strips(self) -> Counts:
        recall = _ratio(self.true_positives, self.true_positives + self.false_negatives)
        if self.curve == "ROC":
            x, y = _ratio(self.false_positives, self.false_positives + self.true_negatives), recall
        else:
            x, y = recall, _ratio(self.true_positives, self.true_positives + self.false_positives)
        left, right = y[:-1], y[1:]
        heights = {
            "interpolation": (left + right) / 2.0,
            "minoring": np.minimum(left, right),
            "majoring": np.maximum(left, right),
        }
        return np.asarray((x[:-1] - x[1:]) * heights[self.summation_method])

    def _interpolated(self) -> Counts:
        """Between two thresholds true positives are a straight line in all positives: tp = slope p + intercept."""
        tp, p = self.true_positives, self.true_positives + self.false_positives
        slope = _ratio(tp[:-1] - tp[1:], np.maximum(p[:-1] - p[1:], 0.0))
        intercept = tp[1:] - slope * p[1:]
        growth = np.where((p[:-1] > 0) & (p[1:] > 0), _ratio(p[:-1], p[1:]), 1.0)
        increase = slope * (tp[:-1] - tp[1:] + intercept * np.log(growth))
        return _ratio(increase, tp[1:] + self.false_negatives[1:])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            "num_thresholds": len(self.thresholds),
            "curve": self.curve,
            "summation_method": self.summation_method,
            "name": self.name,
            "thresholds": self.thresholds[1:-1].tolist() if self._own_thresholds else None,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": None if self.label_weights is None else self.label_weights.tolist(),
            "from_logits": self.from_logits,
        }


AVERAGES = ("micro", "macro", "weighted")


class FBetaScore(Confusion):
    """(1 + beta^2) precision recall / (beta^2 precision + recall), per column.

    Args:
        average: "micro" (all columns counted together), "macro" (their mean), "weighted" (by positives), or None
            for one score a column.
        beta: how much more recall counts than precision.
        threshold: what a prediction must exceed; None: the largest output of a row is positive. Set it for one output.

    >>> FBetaScore(average="macro", beta=2.0, threshold=0.5)([[1], [1], [0]], [[0.2], [0.6], [0.7]])
    0.49999...
    """

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, dtype)
        if average not in (None, *AVERAGES):
            raise unknown_name("average", average, AVERAGES, "F1Score(average={})")
        if not beta > 0:
            raise InputError(explain(f"beta={beta!r}.", "a number above 0.", "FBetaScore(beta=2.0)"))
        if threshold is not None and not 0 < threshold <= 1:
            raise InputError(explain(f"threshold={threshold!r}.", "None, or a number in (0, 1].", "threshold=0.5"))
        self.average, self.beta, self.threshold = average, beta, threshold

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Take in one batch: targets 0 or 1 and predictions, both (B, O), weights (B,)."""
        targets, predictions = paired(self.name, y_true, y_pred)
        weight = row_weights(sample_weight, len(targets))
        if self.threshold is not None:
            called = predictions > self.threshold
        else:
            if targets.shape[1] == 1:
                passed = f"{type(self).__name__} without a threshold for one output: every row counts as positive."
                message = explain(passed, "a threshold.", f"{type(self).__name__}(threshold=0.5)")
                warnings.warn(message, HillwalkerWarning, stacklevel=2)
            largest = predictions >= predictions.max(axis=1, keepdims=True)
            called = largest & (np.abs(predictions) > 1e-9)
        w = np.ones((len(targets), 1)) if weight is None else weight[:, np.newaxis]
        y = targets.astype(np.float64)
        axis = None if self.average == "micro" else 0
        cells = (called * y, called * (1.0 - y), ~called * (1.0 - y), ~called * y)
        self.add([np.sum(w * cell, axis=axis) for cell in cells])

    def result(self) -> Result:
        """Return the score; one a column where average is None and there are several."""
        tp, actual = self.true_positives, self.true_positives + self.false_negatives
        precision = tp / (tp + self.false_positives + epsilon())
        recall = tp / (actual + epsilon())
        scores = (1 + self.beta**2) * precision * recall / (self.beta**2 * precision + recall + epsilon())
        if self.average == "weighted":
            scores = np.sum(scores * actual / (np.sum(actual) + epsilon()))
        elif self.average is not None:
            scores = np.mean(scores)
        return float(np.squeeze(scores)) if np.size(scores) == 1 else np.asarray(scores)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"average": self.average, "beta": self.beta, "threshold": self.threshold, "name": self.name}


class F1Score(FBetaScore):
    """The harmonic mean of precision and recall; see FBetaScore for the arguments.

    >>> round(F1Score(average="micro", threshold=0.5)([[1], [1], [0]], [[0.2], [0.6], [0.7]]), 6)
    0.5
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"average": self.average, "threshold": self.threshold, "name": self.name}


def _ratio(above: Any, below: Any) -> Counts:
    """Return above / below, 0 where below is 0."""
    below = np.asarray(below, dtype=np.float64)
    ratio: Counts = np.divide(above, below, out=np.zeros(below.shape), where=below != 0)
    return ratio
