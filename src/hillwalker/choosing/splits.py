"""Which rows a run trains on and which it validates on: one split, folds, or folds that lie in time.

Pure functions of row numbers; the same for all variants, so that runs can be paired.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import checks
from hillwalker.errors import InputError, explain

Rows = NDArray[np.uint32]
Split = tuple[Rows, Rows]


def one_split(rows: int, share: Any) -> Split:
    """Return all rows but the last `share` of them, and these, as `fit` does with `validation_split`.

    >>> [part.tolist() for part in one_split(5, 0.4)]
    [[0, 1, 2], [3, 4]]
    """
    kept = checks.validation_split(share, rows)
    if kept == rows:
        passed = f"validation_split={share!r}: nothing to validate on."
        raise InputError(explain(passed, "a share above 0.", "compare(model, X, y, vary=..., validation_split=0.2)"))
    numbers = np.arange(rows, dtype=np.uint32)
    return numbers[:kept], numbers[kept:]


def folds(rows: int, count: int, seed: int | list[int], labels: NDArray[Any] | None = None) -> list[Split]:
    """Return `count` splits at random of which each row is validated on in one; with `labels` (rows,), stratified.

    >>> [sorted(held_out.tolist()) for _, held_out in folds(4, 2, seed=0)]
    [[1, 2], [0, 3]]
    """
    _require_rows(rows, count, 2 * count)
    order = np.random.default_rng(seed).permutation(rows)
    if labels is not None:
        order = order[np.argsort(labels[order], kind="stable")]  # the classes one after another, then dealt like cards
    dealt = np.empty(rows, dtype=np.int64)
    dealt[order] = np.arange(rows) % count
    everything = np.arange(rows, dtype=np.uint32)
    return [(everything[dealt != fold], everything[dealt == fold]) for fold in range(count)]


def folds_in_time(rows: int, count: int) -> list[Split]:
    """Return `count` splits of which each validates on the stretch that follows the rows trained on.

    The rows are cut into count + 1 stretches; split k trains on the first k of them and validates on the next.

    >>> [(past.tolist(), future.tolist()) for past, future in folds_in_time(6, 2)]
    [([0, 1], [2, 3]), ([0, 1, 2, 3], [4, 5])]
    """
    _require_rows(rows, count, 2 * (count + 1))
    ends = [round(rows * part / (count + 1)) for part in range(1, count + 2)]
    everything = np.arange(rows, dtype=np.uint32)
    return [(everything[:start], everything[start:end]) for start, end in pairwise(ends)]


def last_in_time(rows: int, count: int, share: float) -> list[Split]:
    """Return `count` splits: the last `share` of the rows in as many stretches, each with all rows before it.

    >>> [(len(past), future.tolist()) for past, future in last_in_time(10, 2, 0.4)]
    [(6, [6, 7]), (8, [8, 9])]
    """
    _require_rows(rows, count, math.ceil(2 * count / share))
    ends = [round(rows * (1 - share + share * part / count)) for part in range(count + 1)]
    everything = np.arange(rows, dtype=np.uint32)
    return [(everything[:start], everything[start:end]) for start, end in pairwise(ends)]


def given(parts: Iterable[Any], rows: int, call: str) -> list[Split]:
    """Return splits that the user made, (rows to train on, rows to validate on) each, checked.

    >>> [(trained.tolist(), held.tolist()) for trained, held in given([([0, 1], [2])], 3, "compare(...)")]
    [([0, 1], [2])]
    """
    told = []
    for part in parts:
        pair = [np.asarray(numbers) for numbers in part] if isinstance(part, (tuple, list)) else []
        if len(pair) != 2 or any(n.ndim != 1 or not len(n) or n.dtype.kind not in "iu" for n in pair):
            raise InputError(explain(f"a split {part!r:.60}.", "two lists of row numbers: train, validate.", call))
        if any(n.min() < 0 or n.max() >= rows for n in pair):
            raise InputError(explain(f"a split with rows beyond 0 to {rows - 1}.", "row numbers of X.", call))
        told.append((pair[0].astype(np.uint32), pair[1].astype(np.uint32)))
    if not told:
        raise InputError(explain("no splits.", "at least one.", call))
    return told


def _require_rows(rows: int, count: int, least: int) -> None:
    if count < 2 or rows < least:
        passed = f"folds={count} of {rows} rows."
        raise InputError(explain(passed, "2 folds or more, of at least 2 rows each.", "compare(model, X, y, folds=5)"))
