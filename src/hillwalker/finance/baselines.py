"""What a network has to beat: eight forecasters of one shape, from "tomorrow as today" to boosted trees.

Each takes the features, the rows for training and the rows for testing. It is fitted on the training rows alone, and
its forecast of a test row uses that row and the rows before it, nothing later.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hillwalker import records
from hillwalker.errors import HillwalkerWarning, InputError, explain, missing_dependency
from hillwalker.finance import garch as garch_models
from hillwalker.finance.evaluate import log_to_mean
from hillwalker.finance.features import MONTH, Features, trailing_mean
from hillwalker.finance.prices import Array

HAR_INPUTS = ("log variance, day", "log variance, week", "log variance, month")
RETURN = "return"
DECAY = 0.94  # RiskMetrics (1996), for daily data

# Small trees: the best of six choices by QLIKE of the S&P 500 and the NASDAQ up to 2012, forecast walk-forward.
TREES, LEARNING_RATE, LEAVES, ROWS_A_LEAF, TAIL = 200, 0.05, 4, 40, 0.2


@dataclass(frozen=True)
class Forecast:
    """Forecasts of the test rows' targets (rows,), log variance or returns in percent.

    `correction`: of log variance, what to add before exp to aim at the mean variance; of returns 0.
    """

    values: Array
    correction: float

    @property
    def variance(self) -> Array:
        """The forecasts of the variance itself, shape (rows,): exp(log variance + correction)."""
        return np.asarray(np.exp(self.values + self.correction))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists and numbers."""
        return {"values": records.plain(self.values), "correction": self.correction}

    def to_frame(self) -> Any:
        """Return one row a test row: the forecast, and of log variance the variance."""
        columns = {"values": self.values, "variance": self.variance}
        return records.to_frame(columns, call="forecast.to_frame()")


@dataclass(frozen=True)
class LinearModel:
    """A straight line: intercept + X · slopes."""

    intercept: float
    slopes: Array

    def predict(self, X: Array) -> Array:
        """Return the line's value for each row, shape (rows,)."""
        # A row at a time: BLAS adds up in an order that depends on how many rows stand together.
        return np.asarray((X * self.slopes).sum(axis=1) + self.intercept)


def least_squares(X: Array, y: Array) -> LinearModel:
    """Return the line with the smallest squared error on (rows, inputs) against (rows,).

    Inputs that never vary get no weight. Of lines that are equally good, as where inputs repeat one another or
    outnumber the rows, it is the one with the smallest slopes on standardised inputs.

    >>> line = least_squares(np.array([[0.0], [1.0], [2.0]]), np.array([1.0, 3.0, 5.0]))
    >>> round(line.intercept, 9), line.slopes.round(9).tolist()
    (1.0, [2.0])
    """
    centre, spread = X.mean(axis=0), X.std(axis=0)
    varies = spread > 1e-10 * np.maximum(np.abs(centre), 1e-300)
    standardised = (X[:, varies] - centre[varies]) / spread[varies]
    solution, *_ = np.linalg.lstsq(standardised, y - y.mean(), rcond=1e-8)
    slopes = np.zeros(X.shape[1])
    slopes[varies] = solution / spread[varies]
    return LinearModel(float(y.mean() - centre @ slopes), slopes)


def persistence(features: Features, training: slice, test: slice) -> Forecast:
    """Return "the coming days as today": the log variance of the day itself.

    f = ln v(t)

    >>> from hillwalker.finance import load_sp500, volatility_features
    >>> features = volatility_features(load_sp500())
    >>> persistence(features, slice(0, 500), slice(500, 503)).values.round(2).tolist()
    [-10.05, -10.01, -9.52]
    """
    return _judged(features, training, test, features.column(HAR_INPUTS[0]))


def rolling_mean(features: Features, training: slice, test: slice) -> Forecast:
    """Return the mean variance of the last 22 rows, or of as many as there are.

    f = ln mean(v(t), ..., v(t - 21)) + s, s the mean of y - f on the training rows

    >>> from hillwalker.finance import load_sp500, volatility_features
    >>> features = volatility_features(load_sp500())
    >>> rolling_mean(features, slice(0, 500), slice(500, 503)).values.round(2).tolist()
    [-9.1, -9.1, -9.1]
    """
    variance = np.exp(features.column(HAR_INPUTS[0]))
    means = trailing_mean(variance, MONTH)
    for row in range(min(MONTH - 1, len(means))):
        means[row] = variance[: row + 1].mean()
    return _centred(features, training, test, np.log(means))


def ewma(features: Features, training: slice, test: slice) -> Forecast:
    """Return the exponentially weighted mean of past variance (RiskMetrics 1996).

    m(t) = 0.94 m(t - 1) + 0.06 v(t);     f = ln m(t) + s, s the mean of y - f on the training rows

    >>> from hillwalker.finance import load_sp500, volatility_features
    >>> features = volatility_features(load_sp500())
    >>> ewma(features, slice(0, 500), slice(500, 503)).values.round(2).tolist()
    [-9.19, -9.23, -9.26]
    """
    variance = np.exp(features.column(HAR_INPUTS[0])).tolist()
    means, mean = [], variance[0]
    for value in variance:
        mean = DECAY * mean + (1 - DECAY) * value
        means.append(mean)
    return _centred(features, training, test, np.log(means))


def garch(features: Features, training: slice, test: slice) -> Forecast:
    """Return GARCH(1,1)'s forecast (Bollerslev 1986), fitted to the training rows' returns and carried on unchanged.

    v(t + 1) = omega + (alpha + gamma [e(t) < 0]) e(t)² + beta v(t), e = return - mean, gamma = 0 here. Returns know of
    the night and the proxy need not, so the forecast is shifted by the mean of y - f on the training rows.

    Raises MissingDependencyError without the package arch, InputError where the returns are fewer than 100 or all
    equal; warns with HillwalkerWarning where the fit did not converge.

    >>> from hillwalker.finance import load_sp500, volatility_features
    >>> features = volatility_features(load_sp500())
    >>> garch(features, slice(0, 500), slice(500, 503)).values.round(1).tolist()
    [-9.3, -9.4, -9.4]
    """
    return _garch(features, training, test, asymmetric=False)


def gjr(features: Features, training: slice, test: slice) -> Forecast:
    """Return the forecast of GJR-GARCH (Glosten, Jagannathan and Runkle 1993): losses weigh more than gains.

    As `garch`, gamma fitted too.

    >>> from hillwalker.finance import load_sp500, volatility_features
    >>> features = volatility_features(load_sp500())
    >>> gjr(features, slice(0, 500), slice(500, 503)).values.round(1).tolist()
    [-9.8, -9.8, -9.9]
    """
    return _garch(features, training, test, asymmetric=True)


def log_har(features: Features, training: slice, test: slice) -> Forecast:
    """Return the forecast of the log-HAR model, by least squares (Corsi 2009, on logs).

    f = b0 + b1 day + b2 week + b3 month

    Raises InputError where the training rows are 4 or fewer.

    >>> from hillwalker.finance import load_sp500, volatility_features
    >>> features = volatility_features(load_sp500())
    >>> log_har(features, slice(0, 500), slice(500, 503)).values.round(2).tolist()
    [-9.53, -9.56, -9.55]
    """
    X = features.X[:, [features.names.index(name) for name in HAR_INPUTS]]
    return _judged(features, training, test, _line(features, training, X).predict(X))


def log_har_x(features: Features, training: slice, test: slice) -> Forecast:
    """Return the forecast of a straight line on all inputs, by least squares: the fair bar.

    It knows what the network knows, and only the network's curvature can beat it. It never leaves the range of the
    training rows' targets by more than half that range: few rows for many inputs would send it anywhere.

    Raises InputError where the training rows are 4 or fewer; warns where they are no more than the inputs.

    >>> from hillwalker.finance import load_sp500, volatility_features
    >>> features = volatility_features(load_sp500())
    >>> log_har_x(features, slice(0, 500), slice(500, 503)).values.shape
    (3,)
    """
    y = features.y[training]
    if len(y) <= features.X.shape[1] + 1:
        passed = f"{len(y)} training rows for the {features.X.shape[1]} inputs of HAR-X, which then fits noise."
        expected = "many more rows than inputs: 250, a year, or more."
        warnings.warn(explain(passed, expected, "begin the test later"), HillwalkerWarning, stacklevel=2)
    line = _line(features, training, features.X)
    margin = (y.max() - y.min()) / 2
    return _judged(features, training, test, np.clip(line.predict(features.X), y.min() - margin, y.max() + margin))


def boosting(features: Features, training: slice, test: slice) -> Forecast:
    """Return the forecast of gradient-boosted trees on all inputs (scikit-learn's HistGradientBoostingRegressor).

    How many trees is chosen on the last fifth of the training rows, after trees grown on those before it whose targets
    were known by then; the correction comes from the same fifth. Then all training rows grow that many trees.

    Raises MissingDependencyError without scikit-learn, InputError where the training rows are fewer than 100.

    >>> from hillwalker.finance import load_sp500, volatility_features
    >>> features = volatility_features(load_sp500())
    >>> boosting(features, slice(0, 500), slice(500, 503)).values.shape
    (3,)
    """
    if importlib.util.find_spec("sklearn") is None:
        raise missing_dependency("scikit-learn", "the baseline boosting", "sklearn")
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    X, y = features.X[training], features.y[training]
    if len(y) < 100:
        raise InputError(explain(f"{len(y)} training rows for boosting.", "100 or more.", "begin the test later"))
    first = len(y) - int(TAIL * len(y))
    known = first - features.horizon + 1  # rows before this one have targets that are known at row `first`
    with threadpool_limits(1):  # small trees: threads wait for one another, and on a busy machine very long
        stages = np.array(list(trees(TREES).fit(X[:known], y[:known]).staged_predict(X[first:])))
        best = int(np.square(stages - y[first:]).mean(axis=1).argmin())
        forecast = trees(best + 1).fit(X, y).predict(features.X[test])
    return Forecast(np.asarray(forecast, dtype=np.float64), log_to_mean(y[first:], stages[best]))


def trees(count: int, **told: Any) -> Any:
    """Return scikit-learn's trees, `count` of them, not fitted yet; `told` goes to it too, such as a loss."""
    from sklearn.ensemble import HistGradientBoostingRegressor  # slow to import, and not everybody has it

    # No early stopping of its own: it would split rows at random, and days are no random sample of one another.
    return HistGradientBoostingRegressor(
        max_iter=count, learning_rate=LEARNING_RATE, max_leaf_nodes=LEAVES, min_samples_leaf=ROWS_A_LEAF,
        early_stopping=False, random_state=0, **told,
    )  # fmt: skip


BASELINES: dict[str, Callable[[Features, slice, slice], Forecast]] = {
    "persistence": persistence,
    "rolling mean": rolling_mean,
    "EWMA": ewma,
    "GARCH(1,1)": garch,
    "GJR": gjr,
    "log-HAR": log_har,
    "HAR-X": log_har_x,
    "boosting": boosting,
}


def _judged(features: Features, training: slice, test: slice, forecast: Array) -> Forecast:
    """Return the test rows of a forecast for all rows, with the correction that the training rows teach."""
    return Forecast(forecast[test], log_to_mean(features.y[training], forecast[training]))


def _centred(features: Features, training: slice, test: slice, log_of_mean: Array) -> Forecast:
    """Return a forecast that aims at the mean variance as one of the mean log, which lies below it."""
    shift = float((features.y[training] - log_of_mean[training]).mean())
    return _judged(features, training, test, log_of_mean + shift)


def _garch(features: Features, training: slice, test: slice, asymmetric: bool) -> Forecast:
    returns = features.column(RETURN)
    parameters = garch_models.fit(returns[training], asymmetric)
    coming = garch_models.mean_ahead(parameters, garch_models.next_variances(parameters, returns), features.horizon)
    return _centred(features, training, test, np.log(coming))


def _line(features: Features, training: slice, X: Array) -> LinearModel:
    y = features.y[training]
    if len(y) <= len(HAR_INPUTS) + 1:
        passed = f"{len(y)} training rows for {X.shape[1]} inputs."
        raise InputError(explain(passed, f"{len(HAR_INPUTS) + 2} rows or more.", "begin the test later"))
    return least_squares(X[training], y)
