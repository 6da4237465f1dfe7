"""All weights of a network as one flat vector, and the views into it.

A kernel of shape (inputs, units) lies row by row, each row padded to 16 numbers, so that the core loads whole vectors
and never a part of one; a single column lies without padding. The padding is zero and stays zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from hillwalker.initializers import Initializer
from hillwalker.regularizers import Regularizer

FloatArray = NDArray[np.floating[Any]]

PADDING = 16  # numbers; 64 bytes of float32, one AVX-512 vector and one cache line


def padded(count: int) -> int:
    """Return `count` rounded up to a multiple of 16.

    >>> padded(20)
    32
    """
    return -(-count // PADDING) * PADDING


def row_stride(columns: int) -> int:
    """Return how many numbers one row of `columns` occupies: 1 for a single column, else a multiple of 16.

    >>> row_stride(1), row_stride(10), row_stride(32)
    (1, 16, 32)
    """
    return 1 if columns == 1 else padded(columns)


@dataclass(frozen=True)
class WeightSpecification:
    """What a layer asks for: a weight's name, shape, starting values, penalty, and whether training moves it."""

    name: str
    shape: tuple[int, ...]
    initializer: Initializer
    regularizer: Regularizer | None = None
    trainable: bool = True


@dataclass(frozen=True)
class Segment:
    """Where one weight lies in the flat vector."""

    name: str
    shape: tuple[int, ...]
    offset: int
    stride: int
    trainable: bool
    regularizer: Regularizer | None

    @property
    def rows(self) -> int:
        """The number of rows: a kernel's inputs; 1 for a bias."""
        return self.shape[0] if len(self.shape) == 2 else 1

    @property
    def columns(self) -> int:
        """The number of columns: the layer's units."""
        return self.shape[-1]

    @property
    def length(self) -> int:
        """How many numbers of the flat vector belong to this weight, padding included."""
        return padded(self.rows * self.stride)

    def view(self, vector: FloatArray) -> FloatArray:
        """Return this weight's part of a flat vector as an array of its shape; writing to it writes to the vector."""
        rows = vector[self.offset : self.offset + self.rows * self.stride].reshape(self.rows, self.stride)
        return rows[:, : self.columns].reshape(self.shape) if len(self.shape) == 1 else rows[:, : self.columns]


def lay_out(specifications: Iterable[tuple[str, WeightSpecification]]) -> list[Segment]:
    """Return the segments of (qualified name, specification) pairs, one after another, each on a 64-byte boundary."""
    segments: list[Segment] = []
    offset = 0
    for name, wanted in specifications:
        stride = row_stride(wanted.shape[-1])
        segment = Segment(name, wanted.shape, offset, stride, wanted.trainable, wanted.regularizer)
        segments.append(segment)
        offset += segment.length
    return segments


def vector_length(segments: Iterable[Segment]) -> int:
    """Return how long a flat vector with these segments is."""
    return max((segment.offset + segment.length for segment in segments), default=0)


def flat_vector(length: int, dtype: DTypeLike, fill: float = 0.0) -> FloatArray:
    """Return a vector of `length` numbers that begins on a 64-byte boundary.

    >>> flat_vector(32, "float32").ctypes.data % 64
    0
    """
    kind = np.dtype(dtype)
    raw = np.empty(length * kind.itemsize + 64, dtype=np.uint8)
    start = -raw.ctypes.data % 64
    vector: FloatArray = raw[start : start + length * kind.itemsize].view(kind)
    vector[:] = fill
    return vector
