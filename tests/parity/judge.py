"""Whether two libraries computed the same: tolerances, and what they are measured by.

In float64 the formulas are compared: both must agree far beyond float32's rounding. In float32 rounding is compared:
ours may not lie farther from the float64 result than the other library's own rounding, or a change of the starting
weights by one rounding, moves it, up to a factor. Sign-like optimizers, or Adam on a gradient that is zero but for
rounding (a bias before batch normalisation), need no exception then: there the other library's own spread is large.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from cases import COUNTED
from numpy.typing import NDArray

Numbers = dict[str, NDArray[np.float64]]  # what a training came to, by name

FLOOR = {"float32": 2e-5, "float64": 5e-9}  # relative to the largest number of the quantity: 3 epochs' rounding
FACTOR = {"float32": 10.0, "float64": 100.0}  # times the spread that rounding alone makes
ROUNDING = {"float32": 6e-8, "float64": 1e-15}  # relative changes of the starting weights, to see that spread
COUNT_ROWS = 2.0  # rows that rounding may move over a threshold, float32 only
AUC_WEIGHTS = 1e-7  # Keras adds the sample weights of an AUC in float32 always


def numbers(
    history: Mapping[str, Any], evaluated: Mapping[str, Any], predicted: Any, weights: Iterable[Any]
) -> Numbers:
    """Return everything that is compared, under names."""
    result = {f"history[{name!r}]": values for name, values in history.items()}
    result |= {f"evaluate[{name!r}]": value for name, value in evaluated.items()}
    result |= {"predict": predicted} | {f"weights[{number}]": value for number, value in enumerate(weights)}
    return {name: np.atleast_1d(np.asarray(value, dtype=np.float64)) for name, value in result.items()}


def spread(center: Numbers, others: Iterable[Numbers]) -> dict[str, float]:
    """Return how far the others lie from the center at most, by name."""
    largest = dict.fromkeys(center, 0.0)
    for other in others:
        for name, value in center.items():
            if name in other and other[name].shape == value.shape:
                largest[name] = max(largest[name], distance(value, other[name]))
    return largest


def distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return the largest difference; infinite where one is not finite and the other is."""
    apart = np.abs(a - b)
    apart[(a == b) | (np.isnan(a) & np.isnan(b))] = 0.0
    apart[np.isnan(apart)] = np.inf
    return float(apart.max(initial=0.0))


def disagreements(ours: Numbers, theirs: Numbers, rounding: Mapping[str, float], floatx: str, rows: int) -> list[str]:
    """Return a line for each quantity in which ours differs from theirs by more than rounding explains."""
    if set(ours) != set(theirs):
        return [f"named differently: {sorted(set(ours) - set(theirs))} here, {sorted(set(theirs) - set(ours))} there"]
    found = []
    for name, wanted in theirs.items():
        got = ours[name]
        if got.shape != wanted.shape:
            found.append(f"{name}: shape {got.shape} here, {wanted.shape} there")
            continue
        scale = float(np.abs(wanted[np.isfinite(wanted)]).max(initial=0.0)) + 0.01
        allowed = FLOOR[floatx] * scale + FACTOR[floatx] * rounding.get(name, 0.0)
        if "auc" in name:
            allowed += AUC_WEIGHTS
        if floatx == "float32" and any(word in name for word in COUNTED):
            allowed += COUNT_ROWS if "tives" in name else 3 * COUNT_ROWS / rows
        apart = distance(got, wanted)
        if not apart <= allowed:
            found.append(f"{name}: {floatx} apart by {apart:.1e}, allowed {allowed:.1e} (numbers up to {scale:.1e})")
    return found


def nearly(weights: list[Any], by: float, seed: int) -> list[Any]:
    """Return weights changed relatively by up to `by`."""
    random = np.random.default_rng(seed)
    return [weight * (1.0 + by * random.uniform(-1.0, 1.0, size=weight.shape)) for weight in weights]
