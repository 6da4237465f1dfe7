"""How good predictions are, and whether one forecast's lead over another is more than noise.

Scores of whole, finished predictions in float64; what is followed batch by batch during training is in `metrics.py`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def regression_scores(actual: Array, predicted: Array) -> dict[str, float]:
    """Return RMSE, MAE (in the target's units) and R² of predictions of amounts, both of shape (rows,).

    R² = 1 - sum (y - p)² / sum (y - mean y)²; NaN where all y are equal.

    >>> regression_scores(np.array([0.0, 2.0]), np.array([1.0, 1.0]))
    {'RMSE': 1.0, 'MAE': 1.0, 'R²': 0.0}
    """
    errors = actual - predicted
    spread = float(np.square(actual - actual.mean()).sum())
    return {
        "RMSE": math.sqrt(np.square(errors).mean()),
        "MAE": float(np.abs(errors).mean()),
        "R²": 1 - float(np.square(errors).sum()) / spread if spread else math.nan,
    }


def log_losses(labels: NDArray[np.int64], probabilities: Array) -> Array:
    """Return -ln of the probability given to each row's true class, shape (rows,); 1e-7 stands for less."""
    given = probabilities[np.arange(len(labels)), labels]
    return np.asarray(-np.log(np.maximum(given, 1e-7)))


def classification_scores(labels: NDArray[np.int64], probabilities: Array) -> dict[str, float]:
    """Return accuracy and log loss of class numbers (rows,) against probabilities (rows, classes).

    >>> classification_scores(np.array([0, 1]), np.array([[0.5, 0.5], [0.5, 0.5]]))
    {'accuracy': 0.5, 'log loss': 0.6931471805599453}
    """
    return {
        "accuracy": float((probabilities.argmax(axis=1) == labels).mean()),
        "log loss": float(log_losses(labels, probabilities).mean()),
    }


def chance(losses: Array, other_losses: Array, in_time: bool) -> float:
    """Return how likely so large a difference of two forecasts' mean losses, each (rows,), is by chance alone.

    z = mean(d) / sqrt(V / n), d the differences row by row; two-sided, normal (Diebold and Mariano 1995). V is their
    variance; `in_time`, losses come in clusters, so V counts neighbouring rows too, as Newey and West (1987) do.

    >>> round(chance(np.array([1.0, 2.0] * 50), np.array([2.0, 1.0] * 50), in_time=False), 3)
    1.0
    """
    d = np.asarray(losses, dtype=np.float64) - other_losses
    rows = len(d)
    centred = d - d.mean()
    variance = float(centred @ centred) / rows
    lags = int(4 * (rows / 100) ** (2 / 9)) if in_time else 0  # Newey and West 1994, the rule of thumb
    for lag in range(1, min(lags, rows - 1) + 1):
        variance += 2 * (1 - lag / (lags + 1)) * float(centred[lag:] @ centred[:-lag]) / rows
    if variance <= 0:
        return 1.0 if d.mean() == 0 else 0.0
    return math.erfc(abs(float(d.mean())) / math.sqrt(variance / rows) / math.sqrt(2))


def in_words(network: float, other: float, other_name: str, what: str, p: float) -> str:
    """Return one honest sentence on the network's loss `what` beside another forecast's; lower is better.

    >>> in_words(0.40, 0.50, "the mean", "RMSE", 0.0004)
    'The network beats the mean: RMSE 0.4 against 0.5, 20.0 % lower (p < 0.001).'
    """
    numbers = f"{what} {network:.4g} against {other:.4g}"
    probability = "p < 0.001" if p < 0.001 else f"p = {p:.2g}"
    if p >= 0.05:
        return f"The network cannot be told apart from {other_name}: {numbers} ({probability})."
    change = abs(1 - network / other) * 100
    verb, direction = ("beats", "lower") if network < other else ("loses to", "higher")
    return f"The network {verb} {other_name}: {numbers}, {change:.1f} % {direction} ({probability})."


def rounded(value: Any) -> str:
    """Return a number as a table shows it: four significant digits.

    >>> rounded(1234.5678), rounded(0.0123456)
    ('1,235', '0.01235')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
