"""What holds for a whole process: the precision, the engine, the global seed.

Nothing else in hillwalker is global.
"""

from __future__ import annotations

import os
import secrets

import numpy as np

from hillwalker.errors import InputError, explain

_floatx = "float32"
_seeds = np.random.default_rng(secrets.randbits(128))

FLOATS = ("float32", "float64")
ENGINES = ("compiled", "reference")


def floatx() -> str:
    """Return the precision in which new models are built, `"float32"` or `"float64"`.

    >>> floatx()
    'float32'
    """
    return _floatx


def set_floatx(value: str) -> None:
    """Set the precision in which new models are built; models that are built keep theirs.

    >>> set_floatx("float64"); floatx()
    'float64'
    >>> set_floatx("float32")
    """
    global _floatx
    if value not in FLOATS:
        raise InputError(
            explain(f"floatx {value!r}.", f"one of {', '.join(FLOATS)}.", 'hw.config.set_floatx("float32")')
        )
    _floatx = value


def epsilon() -> float:
    """Return Keras's fuzz factor, 1e-7: probabilities are clipped to [epsilon, 1 - epsilon] before a logarithm.

    >>> epsilon()
    1e-07
    """
    return 1e-7


def engine_name() -> str:
    """Return which engine new models train with: `"compiled"`, or `"reference"` if HILLWALKER_ENGINE says so."""
    name = os.environ.get("HILLWALKER_ENGINE", "compiled")
    if name not in ENGINES:
        raise InputError(
            explain(f"HILLWALKER_ENGINE={name}.", f"one of {', '.join(ENGINES)}.", "HILLWALKER_ENGINE=reference")
        )
    return name


def set_random_seed(seed: int) -> None:
    """Make everything random in hillwalker, NumPy's legacy functions and `random` repeat (`hw.utils.set_random_seed`).

    Keras's `set_random_seed` seeds all three; scripts that draw their data with `np.random` rely on it.

    >>> set_random_seed(0); first = next_seed()
    >>> set_random_seed(0); next_seed() == first
    True
    """
    global _seeds
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise InputError(
            explain(f"seed {seed!r}.", "a whole number from 0 to 4294967295.", "hw.utils.set_random_seed(0)")
        )
    import random

    random.seed(int(seed))
    np.random.seed(int(seed))
    _seeds = np.random.default_rng(int(seed))


def next_seed() -> int:
    """Draw a seed, a whole number from 0 to 2**63 - 1, from the global generator."""
    return int(_seeds.integers(0, 2**63))
