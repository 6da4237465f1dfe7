"""What the data are like: columns, targets, classes, rows that stand in both parts; nothing is trained or judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

SAME = 1e-5  # deviations of a column: values nearer than that are the same
CONTINUOUS = 0.5  # of the rows have a value of their own: in such a column two rows do not agree by chance


@dataclass(frozen=True, eq=False)
class DataFacts:
    """Training rows in numbers, and what validation rows share with them.

    `means`, `deviations` (I,) of the columns; `constant` how many columns never change; `condition` of the standardised
    columns; `target_means`, `target_deviations`, `target_lowest`, `target_highest` (T,); `class_shares` (K,), empty
    where the loss knows no classes; `copied` the share of validation rows that stand among the training rows with the
    same target, `repeated` of training rows that stand there twice, `contradicted` of training rows whose inputs have
    another label elsewhere (NaN for amounts); `distinct` the largest share of a column's values that differ, without
    which copies tell nothing; `copy_of_target` the column that is a multiple of the target, -1 where none is;
    `neighbours` the correlation of a target with the row before.
    """

    rows: int
    validation_rows: int
    means: Array
    deviations: Array
    constant: int
    condition: float
    target_means: Array
    target_deviations: Array
    target_lowest: Array
    target_highest: Array
    class_shares: Array
    copied: float
    repeated: float
    contradicted: float
    distinct: float
    copy_of_target: int
    neighbours: float


def facts(x: Array, y: Array, x_validation: Array, y_validation: Array, classes: int) -> DataFacts:
    """Return the facts of training rows x (n, I), y (n, T) and validation rows; `classes` 0 where y holds amounts.

    >>> x = np.arange(8.0).reshape(4, 2)
    >>> told = facts(x, x[:, :1], x[:1], x[:1, :1], classes=0)
    >>> told.copied, told.repeated, told.copy_of_target
    (1.0, 0.0, 0)
    """
    wide, targets = np.asarray(x, np.float64), np.asarray(y, np.float64)
    means, deviations = wide.mean(axis=0), wide.std(axis=0)
    varies = deviations > 1e-7 * np.maximum(np.abs(means), 1e-30)
    scaled = (wide - means)[:, varies] / deviations[varies]
    values = np.sqrt(np.maximum(np.linalg.eigvalsh(scaled.T @ scaled)[::-1], 0)) if scaled.size else np.ones(1)
    spread = np.where(varies, deviations, 1.0)
    inputs, held_out = _hashes(wide, means, spread), _hashes(np.asarray(x_validation, np.float64), means, spread)
    target_spread = np.where(targets.std(axis=0) > 0, targets.std(axis=0), 1.0)
    labels = _hashes(targets, np.zeros(targets.shape[1]), target_spread)
    held_out_labels = _hashes(np.asarray(y_validation, np.float64), np.zeros(targets.shape[1]), target_spread)
    both, held_out_both = inputs * np.uint64(31) + labels, held_out * np.uint64(31) + held_out_labels
    _, first_counts = np.unique(both, return_counts=True)
    _, of_inputs, input_counts = np.unique(inputs, return_inverse=True, return_counts=True)
    _, of_both, both_counts = np.unique(both, return_inverse=True, return_counts=True)
    distinct = max((len(np.unique(column)) / len(wide) for column in wide.T[:50]), default=0.0)
    shares = _shares(targets, classes)
    first = targets[:, 0]
    return DataFacts(
        rows=len(wide),
        validation_rows=len(x_validation),
        means=means,
        deviations=deviations,
        constant=int((~varies).sum()),
        condition=float(values[0] / max(float(values[-1]), 1e-8 * float(values[0]), 1e-300)),
        target_means=targets.mean(axis=0),
        target_deviations=targets.std(axis=0),
        target_lowest=targets.min(axis=0),
        target_highest=targets.max(axis=0),
        class_shares=shares,
        copied=float(np.isin(held_out_both, both).mean()) if len(held_out) else 0.0,
        repeated=float((first_counts - 1).sum() / len(wide)),
        contradicted=float((input_counts[of_inputs] > both_counts[of_both]).mean()) if classes else float("nan"),
        distinct=float(distinct),
        copy_of_target=_copy_of(scaled, varies, first),
        neighbours=_correlation(first[1:], first[:-1]),
    )


def _hashes(values: Array, means: Array, deviations: Array) -> NDArray[np.uint64]:
    """Return one number a row, the same for rows that agree after rounding."""
    with np.errstate(over="ignore", invalid="ignore"):
        whole = np.round((values - means) / (deviations * SAME)).astype(np.int64).view(np.uint64)
        factors = np.random.default_rng(0).integers(1, 2**63, size=whole.shape[1], dtype=np.uint64) | np.uint64(1)
        mixed = (whole ^ (whole >> np.uint64(29))) * factors
        return np.asarray((mixed ^ (mixed >> np.uint64(32))).sum(axis=1, dtype=np.uint64))


def _shares(targets: Array, classes: int) -> Array:
    if not classes:
        return np.empty(0)
    if targets.shape[1] > 1:
        return np.asarray(targets.mean(axis=0))
    numbers = np.clip(np.round(targets[:, 0]), 0, classes - 1).astype(np.int64)
    return np.asarray(np.bincount(numbers, minlength=classes) / len(targets))


def _copy_of(scaled: Array, varies: Array, target: Array) -> int:
    deviation = target.std()
    if deviation == 0 or not scaled.size:
        return -1
    alike = np.abs(scaled.T @ ((target - target.mean()) / deviation)) / len(target)
    best = int(np.argmax(alike))
    return int(np.flatnonzero(varies)[best]) if alike[best] > 1 - 1e-6 else -1


def _correlation(a: Array, b: Array) -> float:
    if len(a) < 3 or a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])
