"""Several trainings of one task that differ in their learning rate: which was too high, too low, right.

Together they tell more than each alone, for they have one goal: what is right ends lowest.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker.diagnosis import reader
from hillwalker.diagnosis.curve_features import smooth
from hillwalker.diagnosis.logs import read_curves
from hillwalker.errors import InputError, explain

Array = NDArray[np.float64]

ANSWERS = ("high", "right", "low")
LATE = 4  # the last quarter of the epochs is what a training comes to
ENDS = 2.0  # how much a lower end speaks for "right", beside what the curves' shapes say: chosen on draws of the quiz


def match_learning_rates(several: Sequence[Any]) -> list[str]:
    """Return for each of three trainings of one task whether its rate was "high", "right" or "low", each once.

    Each may be all that `read_curves` reads. What the shapes say is weighed with who ends lowest; a training that is
    "low" has to come down more smoothly than one that is "high".

    Raises InputError for more or fewer than three.

    >>> t = np.arange(30)
    >>> jumping = 0.5 + 0.2 * np.random.default_rng(0).normal(size=30) ** 2
    >>> match_learning_rates([1 - t / 100, jumping, 0.05 + np.exp(-t / 5)])
    ['low', 'high', 'right']
    """
    if len(several) != len(ANSWERS):
        passed = f"{len(several)} trainings."
        raise InputError(
            explain(passed, "three of one task.", "match_learning_rates([history_a, history_b, history_c])")
        )
    read = [read_curves(one) for one in several]
    losses = [one.val_loss if one.val_loss is not None else one.loss for one in read]
    told = [reader.read(one.loss, one.val_loss) for one in read]
    start = max(_finite_start(loss) for loss in losses if loss is not None)
    ends = np.array([_end(loss, start) for loss in losses if loss is not None])
    turns = np.array([_rises(loss, start) for loss in losses if loss is not None])
    best: tuple[str, ...] = ANSWERS
    score = -np.inf
    for order in itertools.permutations(ANSWERS):
        shape = sum(np.log(_chance(one, answer)) for one, answer in zip(told, order, strict=True))
        right, high, low = order.index("right"), order.index("high"), order.index("low")
        lowest = np.log(max(min(ends[high], ends[low]), 1e-9) / max(ends[right], 1e-9))
        total = shape + ENDS * float(np.clip(lowest, -3, 3)) + ENDS * (turns[high] - turns[low])
        if total > score:
            best, score = order, total
    return list(best)


def _chance(told: dict[str, float], answer: str) -> float:
    high, low = told["learning-rate-too-high"], told["learning-rate-too-low"]
    return max({"high": high, "low": low, "right": 1 - min(high + low, 1.0)}[answer], 1e-3)


def _finite_start(loss: Array) -> float:
    finite = loss[np.isfinite(loss)]
    return float(finite[0]) if len(finite) else 1.0


def _end(loss: Array, start: float) -> float:
    """Return what a training comes to, in parts of where they began; ten times that where it is no number."""
    known = loss[~np.isnan(loss)]
    late = np.minimum(known[-max(len(known) // LATE, 1) :], 10 * abs(start))
    return float(np.mean(late)) / max(abs(start), 1e-300)


def _rises(loss: Array, start: float) -> float:
    """Return in which share of the epochs the loss rose by more than a hair; all, where it is no number."""
    known = np.minimum(loss[~np.isnan(loss)], 10 * abs(start))
    if not np.isfinite(loss[~np.isnan(loss)]).all():
        return 1.0
    fall = max(float(known[0] - smooth(known).min()), 1e-12)
    return float(np.mean(np.diff(known) > 0.002 * fall)) if len(known) > 1 else 0.0
