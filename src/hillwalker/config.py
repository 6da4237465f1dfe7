"""What holds for a whole process: the precision, the engine, the number of threads, the global seed, what is silenced.

Nothing else in hillwalker is global.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from hillwalker.errors import InputError, explain, unknown_name

_floatx = "float32"
_threads: int | None = None
_seeds: np.random.Generator | None = None  # made when it is first needed, for `numpy.random` is slow to import

FLOATS = ("float32", "float64")
ENGINES = ("compiled", "reference")
MISTAKES = (
    *("cosine-of-one-output", "division-by-zero", "double-softmax", "label-sums", "loss-activation-mismatch"),
    *("missing-nonlinearity", "unscaled-inputs", "unscaled-targets"),
)

_silenced: tuple[str, ...] = ()


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


def silence(*names: str) -> tuple[str, ...]:
    """Silence the warnings of these names from now on, and return all names that are silenced.

    Raises InputError for a name that no warning has, with the nearest that one has; nothing is silenced then.

    >>> silence()
    ()
    """
    global _silenced
    for name in names:
        if name not in MISTAKES:
            raise unknown_name("the warning", name, MISTAKES, "hw.config.silence({})")
    _silenced = tuple(dict.fromkeys((*_silenced, *names)))
    return _silenced


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


def threads() -> int:
    """Return on how many cores one call of the engine may work: results are the same to the bit, whatever the number.

    Unless `set_threads` was called it is the environment's HILLWALKER_THREADS, else OMP_NUM_THREADS (which joblib and
    schedulers set so that processes side by side do not crowd each other out), else as many as this process may use.
    """
    global _threads
    if _threads is None:
        _threads = _cores()
        for name in ("HILLWALKER_THREADS", "OMP_NUM_THREADS"):
            value = os.environ.get(name, "")
            if value.isdecimal() and int(value) > 0:
                _threads = int(value)
                break
            if value and name == "HILLWALKER_THREADS":
                raise InputError(explain(f"HILLWALKER_THREADS={value}.", "a whole number above 0.", f"{name}=1"))
    return _threads


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def set_threads(count: int) -> None:
    """Set on how many cores one call of the engine may work. Small networks use one whatever is set: it is faster.

    >>> before = threads()
    >>> set_threads(1); threads()
    1
    >>> set_threads(before)
    """
    global _threads
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
        raise InputError(explain(f"threads {count!r}.", "a whole number above 0.", "hw.config.set_threads(2)"))
    _threads = int(count)


def set_random_seed(seed: int) -> None:
    """Make everything random in hillwalker, NumPy's legacy functions and `random` repeat (`hw.utils.set_random_seed`).

    Keras's `set_random_seed` seeds all three; scripts that draw their data with `np.random` rely on it.

    >>> set_random_seed(0); first = next_seed()
    >>> set_random_seed(0); next_seed() == first
    True
    """
    global _seeds
    checked = _checked_seed(seed)
    import random

    random.seed(checked)
    np.random.seed(checked)
    _seeds = np.random.default_rng(checked)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw seeds as after `set_random_seed(seed)` for a while, and then go on as before.

    >>> with seeded(0): first = next_seed()
    >>> set_random_seed(0); next_seed() == first
    True
    """
    global _seeds
    before, _seeds = _seeds, np.random.default_rng(_checked_seed(seed))
    try:
        yield
    finally:
        _seeds = before


def _checked_seed(seed: Any) -> int:
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise InputError(
            explain(f"seed {seed!r}.", "a whole number from 0 to 4294967295.", "hw.utils.set_random_seed(0)")
        )
    return int(seed)


def next_seed() -> int:
    """Draw a seed, a whole number from 0 to 2**63 - 1, from the global generator."""
    global _seeds
    if _seeds is None:
        _seeds = np.random.default_rng()
    return int(_seeds.integers(0, 2**63))
