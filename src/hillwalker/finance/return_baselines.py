"""What a network of returns has to beat, each aimed at the loss that is judged: a constant, zero, lines and trees.

Each takes the features, the rows to learn from and the rows to forecast, as those of volatility do, and forecasts the
return in percent. Of a loss that is not symmetric the best forecast is not the mean: all are shifted accordingly.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hillwalker.errors import InputError, explain, missing_dependency
from hillwalker.finance import baselines
from hillwalker.finance.baselines import TAIL, TREES, Forecast, least_squares, trees
from hillwalker.finance.evaluate import best_shift
from hillwalker.finance.features import Features
from hillwalker.finance.prices import Array
from hillwalker.losses import Loss, MeanSquaredError, Pinball

CONSTANT, ZERO, SPREAD, LINE, AR1 = "constant", "zero", "volatility", "line", "AR(1)"
BOOSTING = "boosting"
STEP, PATIENCE = 20, 40  # trees grown at a time, and how many more may bring nothing
VARIANCE = "variance, fading"  # the input whose root says how far returns spread today
Baseline = Callable[[Features, slice, slice], Forecast]


def losses_of_days(loss: Loss, actual: Array, forecast: Array) -> Array:
    """Return the loss of each day, (days,), of what came and what was forecast, both (days,)."""
    return np.asarray(loss.values(actual[:, np.newaxis], forecast[:, np.newaxis]), dtype=np.float64)


@dataclass(frozen=True)
class ReturnBaselines:
    """The baselines of one loss, each a function of (features, rows to learn from, rows to forecast).

    >>> from hillwalker import losses
    >>> from hillwalker.finance.features import return_features
    >>> from hillwalker.finance.prices import load_sp500
    >>> made, features = ReturnBaselines(losses.Pinball(0.05)), return_features(load_sp500())
    >>> made.constant(features, slice(0, 750), slice(750, 752)).values.round(2).tolist()
    [-2.1, -2.1]
    """

    loss: Loss

    def constant(self, features: Features, training: slice, test: slice) -> Forecast:
        """Return the constant of the lowest loss on the rows to learn from: of the squared error their mean."""
        return _constant(best_shift(self.loss, features.y[training]), test)

    def zero(self, features: Features, training: slice, test: slice) -> Forecast:
        """Return zero: prices stay where they are."""
        return _constant(0.0, test)

    def spread(self, features: Features, training: slice, test: slice) -> Forecast:
        """Return today's volatility times the best multiple of it: of a quantile, what banks call filtered history.

        f = c s(t), s the root of the exponential mean of the variance, c the best constant for y / s
        (Barone-Adesi, Giannopoulos and Vosper 1999)
        """
        size = 100 * np.exp(features.column(VARIANCE) / 2)
        multiple = best_shift(self.loss, features.y[training] / size[training])
        return Forecast(np.asarray(multiple * size[test]), 0.0)

    def line(self, features: Features, training: slice, test: slice) -> Forecast:
        """Return a straight line on all inputs, by least squares, shifted to where this loss is least.

        It never leaves the range of the returns that it learned from by more than half of that range.
        """
        return self._line(features.X, features.y, training, test)

    def autoregression(self, features: Features, training: slice, test: slice) -> Forecast:
        """Return AR(1): a straight line on the day's own return, by least squares, shifted as `line` is."""
        own = features.column(baselines.RETURN)[:, np.newaxis]
        return self._line(own, features.y, training, test)

    def boosting(self, features: Features, training: slice, test: slice) -> Forecast:
        """Return gradient-boosted trees on all inputs (scikit-learn's HistGradientBoostingRegressor).

        Of a quantile with that quantile's loss, else with the squared error, shifted as `line` is. How many trees, none
        included, is chosen on the last fifth of the rows to learn from, for trees grown on those before it whose
        targets were known by then; then all rows grow that many.

        Raises MissingDependencyError without scikit-learn, InputError where the rows are fewer than 100.
        """
        if importlib.util.find_spec("sklearn") is None:
            raise missing_dependency("scikit-learn", "the baseline boosting", "sklearn")
        from threadpoolctl import threadpool_limits  # comes with scikit-learn

        X, y = features.X[training], features.y[training]
        if len(y) < 100:
            raise InputError(explain(f"{len(y)} rows to learn from.", "100 or more.", "start later: first=750"))
        first = len(y) - int(TAIL * len(y))
        known = first - features.horizon + 1  # rows before this one have targets that are known at row `first`
        with threadpool_limits(1):  # small trees: threads wait for one another, and on a busy machine very long
            count = self._count((X[:known], y[:known]), (X[first:], y[first:]))
            if not count:
                return self.constant(features, training, test)
            grown = trees(count, **self._quantile).fit(X, y)
            shift = 0.0 if self._quantile else best_shift(self.loss, y - grown.predict(X))
            return Forecast(np.asarray(grown.predict(features.X[test]) + shift, dtype=np.float64), 0.0)

    def by_name(self, symmetric: bool) -> dict[str, Baseline]:
        """Return all of them by name: zero is an aim of a loss about the centre, volatility of any other."""
        told: dict[str, Baseline] = {CONSTANT: self.constant}
        told |= {ZERO: self.zero} if symmetric else {SPREAD: self.spread}
        return told | {LINE: self.line, AR1: self.autoregression, BOOSTING: self.boosting}

    @property
    def _quantile(self) -> dict[str, Any]:
        """What scikit-learn's trees are told of a quantile, nothing else."""
        return {"loss": "quantile", "quantile": self.loss.quantile} if isinstance(self.loss, Pinball) else {}

    def _line(self, X: Array, y: Array, training: slice, test: slice) -> Forecast:
        learned = y[training]
        line = least_squares(X[training], learned)
        shift = best_shift(self.loss, learned - line.predict(X[training]))
        margin = (learned.max() - learned.min()) / 2
        forecast = np.clip(line.predict(X[test]) + shift, learned.min() - margin, learned.max() + margin)
        return Forecast(np.asarray(forecast), 0.0)

    def _count(self, early: tuple[Array, Array], late: tuple[Array, Array]) -> int:
        """Return how many trees grown on early rows are best on late ones, by the loss that trees are grown with."""
        judge = self.loss if self._quantile else MeanSquaredError()
        X, y = late
        losses = [losses_of_days(judge, y, np.full(len(y), best_shift(judge, early[1]))).mean()]
        growing = trees(0, **self._quantile)
        while len(losses) - 1 < TREES and len(losses) - 1 - np.argmin(losses) < PATIENCE:
            growing.set_params(max_iter=len(losses) - 1 + STEP, warm_start=True)
            stages = list(growing.fit(*early).staged_predict(X))[-STEP:]
            losses += [losses_of_days(judge, y, forecast).mean() for forecast in stages]
        return int(np.argmin(losses))


def _constant(value: float, test: slice) -> Forecast:
    return Forecast(np.full(test.stop - test.start, value), 0.0)
