"""How much of the targets anything could explain: a ridge regression on random features, in closed form.

It is no model to use. It tells whether a network that explains nothing has nothing to explain, and whether what a
network leaves unexplained could still be explained.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FEATURES = 150
MOST_ROWS = 1500  # to learn from
PENALTIES = 10.0 ** np.arange(-6, 1.1, 1.0)  # beside features of variance about 1
FOLDS = 4


class Reachable:
    """Random features of training rows (n, I), from which targets are explained on other rows.

    Source of the features: Rahimi and Recht, "Random features for large-scale kernel machines", 2007.
    """

    def __init__(self, x: NDArray[Any], seed: int = 0) -> None:
        random = np.random.default_rng([seed, 41])
        wide = np.asarray(x, np.float64)
        self.rows = np.sort(random.permutation(len(wide))[:MOST_ROWS])
        self.mean = wide[self.rows].mean(axis=0)
        deviation = wide[self.rows].std(axis=0)
        self.varies = deviation > 1e-7 * np.maximum(np.abs(self.mean), 1e-30)
        self.deviation = np.where(self.varies, deviation, 1.0)
        columns = max(int(self.varies.sum()), 1)
        sizes = np.repeat([0.7, 1.5, 3.0], FEATURES // 3) / np.sqrt(columns)
        self.directions = random.normal(size=(wide.shape[1], FEATURES)) * sizes
        self.shifts = random.uniform(0, 2 * np.pi, FEATURES)
        self.features = self._features(wide[self.rows])
        fold = random.permutation(len(self.rows)) % FOLDS
        self.folds = [(_Ridge(self.features[fold != one]), fold != one) for one in range(FOLDS)]
        self.whole = _Ridge(self.features)

    def _features(self, x: NDArray[Any]) -> Array:
        scaled = np.clip((np.asarray(x, np.float64) - self.mean) / self.deviation, -6, 6) * self.varies
        waves = np.sqrt(6 / FEATURES) * np.cos(scaled @ self.directions + self.shifts)
        return np.concatenate([scaled / np.sqrt(max(scaled.shape[1], 1)), waves], axis=1)

    def explained(self, targets: NDArray[Any], x: NDArray[Any], wanted: NDArray[Any]) -> float:
        """Return the share of wanted (m, T) on rows x (m, I) that is explained after learning from targets (n, T).

        1 - sum (t - p)^2 / sum (t - mean)^2, with the penalty that is best on folds of the training rows; 0 where the
        folds say that nothing can be explained.
        """
        t = np.asarray(targets, np.float64)[self.rows]
        errors = np.zeros(len(PENALTIES))
        for ridge, kept in self.folds:
            others = self.features[~kept]
            errors += [float(np.square(t[~kept] - ridge(t[kept], others, one)).sum()) for one in PENALTIES]
        best = int(np.argmin(errors))
        if errors[best] >= np.square(t - t.mean(axis=0)).sum():
            return 0.0
        predicted = self.whole(t, self._features(x), PENALTIES[best])
        return share(np.asarray(wanted, np.float64), predicted, t.mean(axis=0))


def share(wanted: Array, predicted: Array, mean: Array) -> float:
    """Return the share of the wanted values' variance that predictions explain.

    >>> share(np.array([[0.0], [2.0]]), np.array([[0.0], [1.0]]), np.array([1.0]))
    0.5
    """
    whole = float(np.square(wanted - mean).sum())
    return 1 - float(np.square(wanted - predicted).sum()) / whole if whole > 0 else 0.0


class _Ridge:
    """Ridge regressions on the same features (n, F), from one decomposition, whatever the targets and the penalty."""

    def __init__(self, features: Array) -> None:
        self.centre = features.mean(axis=0)
        self.centred = features - self.centre
        self.values, self.vectors = np.linalg.eigh(self.centred.T @ self.centred / len(features))

    def __call__(self, targets: Array, others: Array, penalty: float) -> Array:
        """Return predictions for other rows (m, F) after learning from targets (n, T)."""
        mean = targets.mean(axis=0)
        projected = self.vectors.T @ (self.centred.T @ (targets - mean) / len(targets))
        weights = self.vectors @ (projected / (np.maximum(self.values, 0) + penalty)[:, np.newaxis])
        return np.asarray(mean + (others - self.centre) @ weights)
