"""What every metric is: numbers that are added to batch by batch, and a result read from them.

Nothing here is differentiated. Sums are kept in float64 whatever the predictions' precision, so batches may come in any
sizes; a whole epoch in one call gives the same result as its batches one by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hillwalker.errors import InputError, InputTypeError, explain

FloatArray = NDArray[np.floating[Any]]
Result = float | NDArray[np.float64]


class Metric:
    """A number measured over rows that come in batches; subclass it and define `update_state` and `result`.

    `name` is the key in `history.history`. `dtype` is accepted for Keras's sake and not used. What a subclass adds up
    it names in `state_names`: attributes that start at 0 and may become arrays.

    >>> class Largest(Metric):
    ...     state_names = ("largest",)
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         self.largest = max(self.largest, float(np.abs(y_true - y_pred).max()))
    ...     def result(self):
    ...         return self.largest
    >>> Largest()(np.array([1.0, 2.0]), np.array([1.5, 2.0]))
    0.5
    """

    state_names: ClassVar[tuple[str, ...]] = ()
    per_batch = False
    """True where the result depends on how rows are cut into batches, so each batch needs a call of its own."""

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        self.name = name or snake_case(type(self).__name__)
        Metric.reset_state(self)

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Take in one batch: (y_true, y_pred, sample_weight=None)."""
        raise NotImplementedError(f"{type(self).__name__} does not define update_state.")

    def result(self) -> Result:
        """Return the metric over all rows since the last reset; 0 before the first."""
        raise NotImplementedError(f"{type(self).__name__} does not define result.")

    def reset_state(self) -> None:
        """Forget all rows."""
        for name in self.state_names:
            setattr(self, name, 0.0)

    def get_state(self) -> dict[str, NDArray[np.float64]]:
        """Return copies of what was added up, so that a killed run can go on in mid-epoch."""
        return {name: np.array(getattr(self, name), dtype=np.float64) for name in self.state_names}

    def set_state(self, state: Mapping[str, ArrayLike]) -> None:
        """Go on from what `get_state` returned."""
        if set(state) != set(self.state_names):
            expected = f"the sums of {self.name!r}: {', '.join(self.state_names)}."
            raise InputError(explain(f"a state with {', '.join(sorted(state)) or 'nothing'}.", expected))
        for name, value in state.items():
            array = np.array(value, dtype=np.float64)
            setattr(self, name, float(array) if array.ndim == 0 else array)

    def __call__(self, *args: Any, **kwargs: Any) -> Result:
        """Take in one batch and return the result so far."""
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this metric again."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Metric:
        """Return the metric that `get_config` described, without its sums."""
        return cls(**config)

    def __repr__(self) -> str:
        """Return the class and the name."""
        return f"<{type(self).__name__} name={self.name}>"


class Average(Metric):
    """A weighted mean of values of rows: sum(weight * value) / sum(weight)."""

    state_names = ("total", "count")
    total: float
    count: float

    def add(self, values: FloatArray, weight: NDArray[np.float64] | None) -> None:
        """Add the values of B rows, shape (B,), with weights of shape (B,)."""
        wide = values.astype(np.float64, copy=False)
        self.total += float(np.sum(wide) if weight is None else np.sum(wide * weight))
        self.count += float(len(wide) if weight is None else np.sum(weight))

    def result(self) -> Result:
        """Return the mean so far."""
        return self.total / self.count if self.count else 0.0


class Mean(Average):
    """The weighted mean of the values given: a number, (B,) values, or (B, ...) values averaged within each row.

    >>> mean = Mean(); mean([1.0, 3.0]); mean(8.0)
    2.0
    4.0
    """

    def __init__(self, name: str | None = "mean", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, values: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Take in values and their weights, shape (B,)."""
        array = numbers("values", values)
        rows = array.reshape(1, 1) if array.ndim == 0 else array.reshape(len(array), -1)
        self.add(rows.mean(axis=1), row_weights(sample_weight, len(rows)))


class MeanMetricWrapper(Average):
    """A function of the user, f(y_true, y_pred) -> a number or values of rows, averaged over batches or rows.

    A number counts once a batch, whatever the batch's size; (B,) or (B, O) values count once a row. So the function is
    called once a batch, as in Keras. Raises InputError where it returns anything else.

    >>> worst = MeanMetricWrapper(lambda y_true, y_pred: np.abs(y_true - y_pred).max(), name="worst")
    >>> worst([[1.0], [2.0]], [[1.5], [2.0]])
    0.5
    """

    per_batch = True

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(
            name or snake_case(str(getattr(fn, "name", getattr(fn, "__name__", type(fn).__name__)))), dtype
        )
        self.function = fn
        self.arguments = kwargs

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Take in one batch."""
        targets, predictions = np.asarray(y_true), np.asarray(y_pred)
        values = np.asarray(self.function(targets, predictions, **self.arguments))
        rows = len(predictions)
        if values.dtype.kind not in "fiub" or (values.ndim and (values.shape[0] != rows or not values.size)):
            passed = f"metric {self.name!r}, which returned {values.dtype} of shape {values.shape} for {rows} rows."
            fix = "return np.mean(np.abs(y_true - y_pred), axis=-1)"
            raise InputError(explain(passed, "a number, or values of rows.", fix))
        if values.ndim:
            self.add(values.reshape(rows, -1).mean(axis=1), row_weights(sample_weight, rows))
        elif sample_weight is None:
            self.add(values.reshape(1), None)
        else:
            passed = f"weights of rows for the metric {self.name!r}, which returns one number a batch."
            raise InputError(explain(passed, "a metric that returns values of rows.", "compile(metrics=[...])"))


class MeanOfRows(Average):
    """The base of metrics that are the mean over rows of `row_values(y_true, y_pred)`, shape (B,)."""

    whole_rows: bool = False
    """Whether a 1-D array of predictions is one row of many outputs, and not many rows of one output."""
    label_column: bool = False
    """Whether y_true is one class number a row."""

    def row_values(self, y_true: FloatArray, y_pred: FloatArray) -> FloatArray:
        """Return the value of each row, shape (B,)."""
        raise NotImplementedError(f"{type(self).__name__} does not define row_values.")

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Take in one batch: targets (B, T), predictions (B, O), weights (B,)."""
        targets, predictions = paired(self.name, y_true, y_pred, self.whole_rows, self.label_column)
        weight = row_weights(sample_weight, len(predictions))
        with np.errstate(all="ignore"):  # a value that is not finite is reported by the training loop, once
            values = self.row_values(targets, predictions)
        self.add(values, weight)


def paired(
    name: str, y_true: ArrayLike, y_pred: ArrayLike, whole_rows: bool = False, label_column: bool = False
) -> tuple[FloatArray, FloatArray]:
    """Return targets (B, T) and predictions (B, O), in the predictions' precision; never broadcast against each other.

    (n,) and (n, 1) mean the same, unless `whole_rows`, where a 1-D array is one row. T = O, or 1 with `label_column`.

    >>> [array.shape for array in paired("mse", [1, 2, 3], [[1.0], [2.0], [3.0]])]
    [(3, 1), (3, 1)]
    """
    targets, predictions = numbers("y_true", y_true), numbers("y_pred", y_pred)
    shapes = f"y_true of shape {targets.shape} and y_pred of shape {predictions.shape} for the metric {name!r}."
    if predictions.ndim < 2:
        predictions = predictions.reshape((1, -1) if whole_rows else (-1, 1))
    if targets.ndim < 2:
        targets = targets.reshape((1, -1) if whole_rows and not label_column else (-1, 1))
    columns = 1 if label_column else predictions.shape[-1]
    if predictions.ndim != 2 or targets.shape != (len(predictions), columns) or not predictions.size:
        expected = f"y_true of shape ({len(predictions)}, {columns})."
        one_hot = predictions.ndim == 2 and targets.shape == (len(predictions), 1)
        fix = f"to_categorical(y_true, {columns})" if one_hot else "y_true.reshape(y_pred.shape)"
        raise InputError(explain(shapes, expected, fix))
    return targets.astype(predictions.dtype, copy=False), predictions


def row_weights(sample_weight: ArrayLike | None, rows: int) -> NDArray[np.float64] | None:
    """Return weights as (B,) float64, from (B,) or (B, 1)."""
    if sample_weight is None:
        return None
    weight = numbers("sample_weight", sample_weight).astype(np.float64)
    if weight.shape not in ((rows,), (rows, 1)):
        expected = f"one weight a row, shape ({rows},)."
        raise InputError(explain(f"sample_weight of shape {weight.shape} for {rows} rows.", expected))
    return weight.reshape(rows)


def numbers(name: str, data: ArrayLike) -> FloatArray:
    """Return an array of floats; float arrays keep their precision, other numbers become float64."""
    array = np.asarray(data)
    if array.dtype.kind not in "fiub":
        raise InputTypeError(explain(f"{name} of {array.dtype}.", "an array of numbers.", f"np.asarray({name}, float)"))
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def snake_case(name: str) -> str:
    """Return a name as Keras writes it in history: TruePositives -> true_positives; <lambda> -> lambda.

    >>> snake_case("TruePositives"), snake_case("AUC"), snake_case("<lambda>")
    ('true_positives', 'auc', 'lambda')
    """
    letters = re.sub(r"\W", "", name)
    words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", letters)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()
