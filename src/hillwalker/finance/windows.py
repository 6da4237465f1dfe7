"""Walk-forward windows: what may be learned from, and the days that are then forecast; never the other way round.

A label that spans h days is known h days later, so the rows whose labels reach into the forecast days are purged.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hillwalker import checks
from hillwalker.errors import InputError, InputTypeError, explain

CADENCES = {"daily": 1, "weekly": 5, "monthly": 21, "quarterly": 63, "yearly": 252}  # trading days
FIRST = 750  # rows before the first forecast: three years
CALL = "walk_forward_windows({})"


@dataclass(frozen=True)
class Window:
    """The rows to learn from and the rows to forecast, `training.stop` + purged rows = `test.start`."""

    training: slice
    test: slice

    @property
    def learned(self) -> int:
        """How many rows are learned from."""
        return int(self.training.stop - self.training.start)


def cadence_of(refits: int | str) -> int:
    """Return after how many days everything is fitted anew: a number, or a name in CADENCES.

    >>> cadence_of("yearly"), cadence_of(10)
    (252, 10)
    """
    if isinstance(refits, str):
        if refits not in CADENCES:
            known = ", ".join(f'"{name}"' for name in CADENCES)
            raise InputError(explain(f"refits={refits!r}.", f"{known}, or a number of days.", 'refits="yearly"'))
        return CADENCES[refits]
    return checks.positive_integer("refits", refits, CALL.format('refits="yearly"'))


def walk_forward_windows(
    rows: int, first: int = FIRST, refits: int | str = "yearly", horizon: int = 1, length: int | None = None
) -> tuple[Window, ...]:
    """Return the windows of a walk-forward study of `rows` days in order.

    Window k forecasts rows s_k ... s_k + refits - 1 with s_0 = first, and learns from rows up to s_k - horizon: the
    label of row t is known at the close of day t + horizon.

    Args:
        rows: days with inputs.
        first: rows before the first forecast.
        refits: how many days are forecast before everything is fitted anew, or a name: "daily" ... "yearly".
        horizon: days that a label spans.
        length: rows to learn from at most, the newest (rolling windows); None: all (expanding windows).

    Raises InputError where there are too few rows for one window.

    >>> for window in walk_forward_windows(1000, first=600, refits=200, horizon=5):
    ...     print(window.training, window.test)
    slice(0, 596, None) slice(600, 800, None)
    slice(0, 796, None) slice(800, 1000, None)
    """
    every = cadence_of(refits)
    start = checks.positive_integer("first", first, CALL.format("first=750"))
    ahead = checks.positive_integer("horizon", horizon, CALL.format("horizon=1"))
    most = None if length is None else checks.positive_integer("length", length, CALL.format("length=1000"))
    if rows <= start:
        raise InputError(
            explain(
                f"{rows} days, the first {start} of them to learn from: none is left to forecast.",
                f"more than {start} days.",
                f"a longer series, or first={max(rows * 2 // 3, 1)}",
            )
        )
    if start - ahead < 1:
        raise InputError(explain(f"first={start} with horizon={ahead}.", "a first above the horizon.", "first=750"))
    windows = []
    for begin in range(start, rows, every):
        known = begin - ahead + 1  # the label of row `begin - ahead` is known at the close of row `begin`
        earliest = 0 if most is None else max(0, known - most)
        windows.append(Window(slice(earliest, known), slice(begin, min(begin + every, rows))))
    return tuple(windows)


def windows_of(pairs: Iterable[tuple[Any, Any]], rows: int, horizon: int = 1) -> tuple[Window, ...]:
    """Return the user's own windows, pairs of (rows to learn from, rows to forecast), once they are seen to be honest.

    Raises InputError where rows are shuffled, where a window learns from rows whose labels are not known yet, or where
    forecasts overlap: a forecaster that has learned from the days after the one it forecasts looks far better than it
    will ever be. (scikit-learn's `early_stopping=True` and `KFold(shuffle=True)` split at random.)

    >>> windows_of([(range(0, 5), range(5, 8))], rows=8)
    (Window(training=slice(0, 5, None), test=slice(5, 8, None)),)
    """
    windows: list[Window] = []
    for number, (training, test) in enumerate(pairs):
        learned, forecast = (_in_order(part, rows, f"windows[{number}]") for part in (training, test))
        if learned.stop > forecast.start - horizon + 1:
            raise InputError(
                explain(
                    f"windows[{number}] learns from rows up to {learned.stop - 1} and forecasts from row "
                    f"{forecast.start} on, {horizon} days ahead.",
                    f"rows up to {forecast.start - horizon}, whose labels are known when row {forecast.start} ends.",
                    f"walk_forward_windows(rows, horizon={horizon})",
                )
            )
        if windows and forecast.start < windows[-1].test.stop:
            raise InputError(explain(f"windows[{number}] forecasts days again.", "windows one after another.", None))
        windows.append(Window(learned, forecast))
    if not windows:
        raise InputError(explain("no windows.", "one or more.", "walk_forward_windows(rows)"))
    return tuple(windows)


def _in_order(part: Any, rows: int, name: str) -> slice:
    numbers = np.arange(rows)[part] if isinstance(part, slice) else np.asarray(part)
    if numbers.ndim != 1 or not np.issubdtype(numbers.dtype, np.integer) or not len(numbers):
        raise InputTypeError(explain(f"{name}: {numbers.dtype} of shape {numbers.shape}.", "row numbers in order."))
    if numbers[0] < 0 or numbers[-1] >= rows or (np.diff(numbers) != 1).any():
        raise InputError(
            explain(
                f"{name}: rows that are shuffled, repeat or leave some out.",
                f"rows of 0 to {rows - 1} one after another, as time goes: a model that has learned from later days "
                "knows the earlier ones' future.",
                "walk_forward_windows(rows), which never shuffles",
            )
        )
    return slice(int(numbers[0]), int(numbers[-1]) + 1)
