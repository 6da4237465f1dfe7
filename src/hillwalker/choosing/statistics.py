"""How sure a few paired runs make us: Student's interval, and the probability of being the best.

Pure functions of arrays; no run and no model is known here.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
DRAWS = 4000


def student_quantile(p: float, freedom: int) -> float:
    """Return Student's t quantile at p for 1 or more degrees of freedom.

    Exact for 1 and 2, from 3 on within 0.2 % for p from 0.025 to 0.975.

    Source: Abramowitz and Stegun (1964), 26.7.5: an expansion about the normal quantile.

    >>> round(student_quantile(0.975, 9), 3)
    2.262
    """
    if freedom == 1:
        return math.tan(math.pi * (p - 0.5))
    if freedom == 2:
        return (2 * p - 1) * math.sqrt(2 / (4 * p * (1 - p)))
    z, n = NormalDist().inv_cdf(p), float(freedom)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / n ** (power + 1) for power, term in enumerate(terms))


def interval(values: Array, confidence: float = 0.95, overlap: float = 0.0) -> tuple[float, float, float]:
    """Return the mean of values (n,) and the two ends of its interval; NaN for the ends where n is 1.

    mean ± t(n - 1) sqrt((1/n + overlap) variance). `overlap` is test rows / training rows where the values come from
    folds, whose training rows overlap (Nadeau and Bengio 2003); 0 for seeds.

    >>> [round(number, 3) for number in interval(np.array([1.0, 2.0, 3.0]))]
    [2.0, -0.484, 4.484]
    """
    n = len(values)
    mean = float(np.mean(values)) if n else math.nan
    if n < 2 or not np.isfinite(values).all():
        return mean, math.nan, math.nan
    half = student_quantile(0.5 + confidence / 2, n - 1) * math.sqrt((1 / n + overlap) * float(np.var(values, ddof=1)))
    return mean, mean - half, mean + half


def median_interval(values: Array, confidence: float = 0.95) -> tuple[float, float, float]:
    """Return the median of values (n,) and the ends of its interval, which are two of the values; NaN where n is small.

    The k-th lowest and the k-th highest, k the largest with P(Binomial(n, 1/2) < k) <= (1 - confidence) / 2: nothing is
    assumed of how the values are distributed, and infinite ones may be among them.

    >>> median_interval(np.array([3.0, 1.0, 2.0, 5.0, 4.0, math.inf]))
    (3.5, 1.0, inf)
    """
    n = len(values)
    if n == 0:
        return math.nan, math.nan, math.nan
    ordered = np.sort(values)
    low_middle, high_middle = float(ordered[(n - 1) // 2]), float(ordered[n // 2])
    median = low_middle if low_middle == high_middle else (low_middle + high_middle) / 2
    below, k = 0.0, 0
    while below + math.comb(n, k) * 0.5**n <= (1 - confidence) / 2:
        below += math.comb(n, k) * 0.5**n
        k += 1
    return (median, math.nan, math.nan) if k == 0 else (median, float(ordered[k - 1]), float(ordered[n - k]))


def probability_of_being_best(scores: Array, seed: int = 0) -> Array:
    """Return how often each variant's mean is the lowest, (variants,), given scores (variants, n): lower is better.

    The n paired units are weighted at random over and over, as Rubin's Bayesian bootstrap (1981) does; ties are shared.

    >>> probability_of_being_best(np.array([[1.0, 1.1, 0.9], [2.0, 2.1, 1.9]])).tolist()
    [1.0, 0.0]
    """
    units = scores.shape[1]
    weights = np.random.default_rng(seed).dirichlet(np.ones(units), DRAWS)
    finite = np.where(np.isfinite(scores), scores, np.finfo(np.float64).max / (4 * max(units, 1)))
    means = weights @ finite.T
    lowest = means == means.min(axis=1, keepdims=True)
    best: Array = (lowest / lowest.sum(axis=1, keepdims=True)).mean(axis=0)
    return best
