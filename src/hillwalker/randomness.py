"""Counter-based random streams: a number is a function of (key, index), never of what was drawn before.

The core computes the same bits (core/random.hpp). Therefore both engines draw the same dropout masks, and a run that
was interrupted and resumed equals one that was not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_MASK64 = (1 << 64) - 1
_GOLDEN64 = 0x9E3779B97F4A7C15


def mix(value: int) -> int:
    """Return 64 well-mixed bits of a 64-bit number (the finaliser of splitmix64, Steele et al. 2014).

    >>> hex(mix(1))
    '0x910a2dec89025cc1'
    """
    value = (value + _GOLDEN64) & _MASK64
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK64
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK64
    return value ^ (value >> 31)


def stream_key(seed: int, iteration: int, stream: int) -> int:
    """Return the 64-bit key of one stream: one layer's randomness in one step of a model with this seed."""
    return mix(mix(mix(seed) ^ iteration) ^ stream)


def _scramble(values: NDArray[np.uint32]) -> NDArray[np.uint32]:
    values ^= values >> np.uint32(16)
    values *= np.uint32(0x21F0AAAD)
    values ^= values >> np.uint32(15)
    values *= np.uint32(0x735A2D97)
    values ^= values >> np.uint32(15)
    return values


def random_bits(key: int, count: int) -> NDArray[np.uint32]:
    """Return the first `count` 32-bit numbers of the stream `key`, shape (count,).

    bits[i] = scramble(scramble(i * golden + low word of key) + high word of key), in arithmetic modulo 2**32.
    """
    values = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B9) + np.uint32(key & 0xFFFFFFFF)
    return _scramble(_scramble(values) + np.uint32(key >> 32))


def uniform(key: int, count: int) -> NDArray[np.float64]:
    """Return `count` numbers evenly spread over the open interval (0, 1), shape (count,).

    >>> bool(abs(uniform(7, 100_000).mean() - 0.5) < 0.01)
    True
    """
    return (random_bits(key, count).astype(np.float64) + 0.5) * 2.0**-32


def normal(key: int, count: int) -> NDArray[np.float64]:
    """Return `count` standard normal numbers, shape (count,), by the Box-Muller transform.

    n[i] = sqrt(-2 ln u[2i]) cos(2 pi u[2i + 1])

    >>> draws = normal(7, 100_000); bool(abs(draws.std() - 1) < 0.01)
    True
    """
    pairs = uniform(key, 2 * count).reshape(count, 2)
    return np.sqrt(-2.0 * np.log(pairs[:, 0])) * np.cos(2.0 * np.pi * pairs[:, 1])
