"""GARCH(1,1) and GJR: fitted by the package arch, then carried through the days after in plain arithmetic.

One recursion serves both: a loss may weigh more than a gain of the same size, or not.
"""

from __future__ import annotations

import importlib.util
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from hillwalker import records
from hillwalker.errors import HillwalkerWarning, InputError, explain, missing_dependency
from hillwalker.finance.prices import Array

LEAST_DAYS = 100


@dataclass(frozen=True)
class Garch:
    """What a fit found: v(t + 1) = omega + (alpha + gamma [e(t) < 0]) e(t)² + beta v(t), e = return - mean.

    `start`: the variance assumed for the first day.
    """

    mean: float
    omega: float
    alpha: float
    gamma: float
    beta: float
    start: float

    def to_dict(self) -> dict[str, Any]:
        """Return the parameters by name."""
        return {name: records.plain(value) for name, value in vars(self).items()}


def fit(returns: Array, asymmetric: bool = False) -> Garch:
    """Return the most likely parameters for returns in percent (days,), their noise Student's t.

    Raises MissingDependencyError without arch, InputError where the returns are fewer than 100 or all equal; warns
    with HillwalkerWarning where the search for the parameters did not converge.

    >>> from hillwalker.finance import load_sp500, volatility_features
    >>> found = fit(volatility_features(load_sp500()).column("return"))
    >>> round(found.alpha, 2), round(found.beta, 2)
    (0.1, 0.9)
    """
    if importlib.util.find_spec("arch") is None:
        raise missing_dependency("arch", "GARCH", "finance")
    from arch import arch_model  # takes seconds, and not everybody has it

    spread = float(returns.std()) if len(returns) else 0.0
    if len(returns) < LEAST_DAYS or not spread > 0:
        passed = f"{len(returns)} returns for GARCH, standard deviation {spread:.3g}."
        raise InputError(explain(passed, f"{LEAST_DAYS} or more, not all equal.", "begin the test later"))
    # The search needs numbers near 1, whatever the unit: it sees returns of unit spread, and the result is scaled back.
    model = arch_model(returns / spread, vol="GARCH", p=1, o=int(asymmetric), q=1, dist="t", rescale=False)
    result = model.fit(disp="off", show_warning=False)
    if result.convergence_flag != 0:
        passed = f"GARCH on {len(returns)} returns did not converge; its forecasts use the parameters where it stopped."
        warnings.warn(explain(passed, "a few years of returns."), HillwalkerWarning, stacklevel=2)
    found = {name: float(value) for name, value in result.params.items()}
    return Garch(
        found["mu"] * spread,
        found["omega"] * spread**2,
        found["alpha[1]"],
        found.get("gamma[1]", 0.0),
        found["beta[1]"],
        spread**2,
    )


def next_variances(parameters: Garch, returns: Array) -> Array:
    """Return at each day's close the variance of the day after, shape (days,), from returns in percent.

    >>> next_variances(Garch(0.0, 0.1, 0.1, 0.1, 0.8, start=1.0), np.array([1.0, -2.0])).round(3).tolist()
    [1.0, 1.7]
    """
    variance, variances = parameters.start, []
    for shock in (returns - parameters.mean).tolist():
        weight = parameters.alpha + (parameters.gamma if shock < 0 else 0.0)
        variance = parameters.omega + weight * shock**2 + parameters.beta * variance
        variances.append(variance)
    return np.array(variances)


def mean_ahead(parameters: Garch, coming: Array, horizon: int) -> Array:
    """Return the mean expected variance of the next `horizon` days, given the first one's, shape (days,).

    E v(t + k + 1) = omega + (alpha + gamma / 2 + beta) E v(t + k)     (half of the shocks are losses)

    >>> mean_ahead(Garch(0.0, 0.1, 0.1, 0.0, 0.8, start=1.0), np.array([2.0]), 2).round(3).tolist()
    [1.95]
    """
    persistence = parameters.alpha + parameters.gamma / 2 + parameters.beta
    day, total = coming, coming.copy()
    for _ in range(horizon - 1):
        day = parameters.omega + persistence * day
        total += day
    return np.asarray(total / horizon)
