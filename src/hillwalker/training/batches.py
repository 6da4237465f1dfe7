"""Which rows come when: the order of an epoch, and the parts of the data that one call of an engine works on.

An epoch's order is a function of the model's seed and of the iteration at which the epoch begins, so that a resumed run
meets the same batches. Data that lie in memory as the engine wants them are passed whole; of a memory-mapped file, only
the part at hand is ever in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hillwalker import engine

WINDOW = 2**22  # rows shuffled together; a data set of up to this many rows is shuffled as one
BLOCK = 2**12  # neighbouring rows that stay in one window of a larger data set, so that a file is read in stretches
PART_BYTES = 2**26  # of converted data in one part

Array = NDArray[Any]


class Part(NamedTuple):
    """Rows for one call of an engine: the arrays, and which of their rows in which order (None: as they lie)."""

    x: Array
    y: Array | None
    sample_weight: Array | None
    order: NDArray[np.uint32] | None
    rows: int

    def ordered(self, array: Array) -> Array:
        """Return an array's rows in this part's order."""
        return array if self.order is None else array[self.order]


@dataclass(slots=True, eq=False)
class Data:
    """Checked inputs, targets and weights of n rows. x and y are 2-D, sample_weight (n,)."""

    x: Array
    y: Array | None
    sample_weight: Array | None
    dtype: str
    is_ready: bool = field(init=False)
    """Whether an engine can take the arrays as they are."""

    def __post_init__(self) -> None:
        x, y, dtype = self.x, self.y, self.dtype
        ready = x.dtype == dtype and x.flags.c_contiguous
        self.is_ready = ready and (y is None or (y.dtype == dtype and y.flags.c_contiguous))

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: slice) -> Data:
        y = None if self.y is None else self.y[rows]
        weight = None if self.sample_weight is None else self.sample_weight[rows]
        return Data(self.x[rows], y, weight, self.dtype)

    def weighted(self, factors: Array | None) -> Data:
        """Return the data with the sample weights of its rows multiplied by the first of these factors."""
        if factors is None:
            return self
        factors = factors[: len(self)]
        weight = factors if self.sample_weight is None else self.sample_weight * factors
        return replace(self, sample_weight=weight)

    def parts(self, order: NDArray[np.uint32] | None, start: int, stop: int, batch_size: int) -> Iterable[Part]:
        """Return rows order[start:stop] (or start to stop, without an order) as parts of whole batches."""
        if not self.is_ready:
            return self._converted_parts(order, start, stop, batch_size)
        if order is not None:
            return (Part(self.x, self.y, self.sample_weight, order[start:stop], stop - start),)
        chosen = self if stop - start == len(self) else self[start:stop]
        return (Part(chosen.x, chosen.y, chosen.sample_weight, None, stop - start),)

    def _converted_parts(
        self, order: NDArray[np.uint32] | None, start: int, stop: int, batch_size: int
    ) -> Iterator[Part]:
        row_bytes = self.x.shape[1] * np.dtype(self.dtype).itemsize
        most = max(1, PART_BYTES // (row_bytes * batch_size)) * batch_size
        for first in range(start, stop, most):
            last = min(first + most, stop)
            rows = slice(first, last) if order is None else order[first:last]
            x, y, weight = (_taken(array, rows, self.dtype) for array in (self.x, self.y, self.sample_weight))
            assert x is not None
            yield Part(x, y, weight, None, last - first)


def _taken(array: Array | None, rows: slice | NDArray[np.uint32], dtype: str) -> Array | None:
    return None if array is None else np.ascontiguousarray(array[rows], dtype=dtype)


def windows(
    count: int, batch_size: int, shuffle: bool, seed: int, iteration: int
) -> Iterator[NDArray[np.uint32] | int]:
    """Yield an epoch's row numbers in windows of whole batches, or, unshuffled, how many rows come next as they lie.

    Up to 2**22 rows are one window, shuffled. Above that, blocks of 4096 neighbouring rows are shuffled, and then the
    rows within each window of blocks: 16 MB of row numbers, however large the file.
    """
    if not shuffle:
        yield count
        return
    key = engine.order_key(seed, iteration)
    if count <= WINDOW:
        yield engine.shuffled(count, key)
        return
    blocks = engine.shuffled(-(-count // BLOCK), key)
    left = np.empty(0, np.uint32)
    a_window = WINDOW // BLOCK
    for number, first in enumerate(range(0, len(blocks), a_window), start=1):
        starts = blocks[first : first + a_window].astype(np.uint32) * np.uint32(BLOCK)
        rows: NDArray[np.uint32] = np.add.outer(starts, np.arange(BLOCK, dtype=np.uint32)).reshape(-1)
        rows = rows[rows < count]
        rows = np.concatenate([left, rows[engine.shuffled(len(rows), key ^ number)]])
        whole = len(rows) if first + a_window >= len(blocks) else len(rows) // batch_size * batch_size
        left = rows[whole:]
        yield rows[:whole]
