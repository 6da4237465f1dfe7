"""What a network has to beat: tomorrow as today, and straight lines fitted by least squares.

Every baseline forecasts the log variance of the next day, on the very rows the network is judged on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hillwalker.errors import InputError, explain
from hillwalker.finance.features import VolatilityFeatures
from hillwalker.finance.prices import Array

HAR_INPUTS = ("log variance, day", "log variance, week", "log variance, month")


@dataclass(frozen=True)
class LinearModel:
    """A straight line: intercept + X · slopes."""

    intercept: float
    slopes: Array

    def predict(self, X: Array) -> Array:
        """Return the line's value for each row, shape (rows,)."""
        return np.asarray(X @ self.slopes + self.intercept)


def least_squares(X: Array, y: Array) -> LinearModel:
    """Return the line with the smallest squared error on (rows, inputs) against (rows,).

    Raises InputError where there are no more rows than inputs.

    >>> line = least_squares(np.array([[0.0], [1.0], [2.0]]), np.array([1.0, 3.0, 5.0]))
    >>> round(line.intercept, 9), line.slopes.round(9).tolist()
    (1.0, [2.0])
    """
    if len(X) <= X.shape[1] + 1:
        raise InputError(explain(f"{len(X)} rows for {X.shape[1]} inputs.", f"{X.shape[1] + 2} rows or more."))
    solution, *_ = np.linalg.lstsq(np.column_stack([np.ones(len(X)), X]), y, rcond=None)
    return LinearModel(float(solution[0]), np.asarray(solution[1:], dtype=np.float64))


def persistence(features: VolatilityFeatures) -> Array:
    """Return "tomorrow as today": the log variance of the day itself, shape (rows,)."""
    return features.column(HAR_INPUTS[0])


def log_har(features: VolatilityFeatures, training: slice) -> Array:
    """Return the forecasts of the log-HAR model fitted on the rows `training`, for all rows, shape (rows,).

    y = b0 + b1 day + b2 week + b3 month     (Corsi 2009, on logs)
    """
    X = features.X[:, [features.names.index(name) for name in HAR_INPUTS]]
    return least_squares(X[training], features.y[training]).predict(X)


def log_har_x(features: VolatilityFeatures, training: slice) -> Array:
    """Return the forecasts of a straight line on all the network's inputs, fitted on `training`, shape (rows,).

    This is the fair bar: it knows what the network knows, and only the network's curvature can beat it.
    """
    return least_squares(features.X[training], features.y[training]).predict(features.X)
