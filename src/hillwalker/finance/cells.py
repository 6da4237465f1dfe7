"""Cells as sources write them become numbers and dates, or an error that names the row.

Rows are counted from 1, as the first row below the header. What the numbers mean is decided in `rules.py`.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hillwalker.errors import InputError, explain
from hillwalker.finance.prices import Array
from hillwalker.finance.zones import local
from hillwalker.tables.files import MISSING

_MISSING = {*MISSING, "-", "--", "<NA>", "NaT"}
_SUFFIXES = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ](.*))?$")
_YEAR_LAST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})(?: (.*))?$")
_MONTH_NAME = re.compile(r"([A-Za-z]{3})[a-z]*\.? (\d{1,2}),? (\d{4})$|(\d{1,2})[- ]([A-Za-z]{3})[a-z]*\.?[- ](\d{4})$")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})$")


def is_missing(cell: Any) -> bool:
    """Return whether a cell is empty, None, NaN, NaT or one of the words for it."""
    if isinstance(cell, str):
        return cell.strip() in _MISSING
    return cell is None or str(cell) in ("nan", "NaT", "<NA>")


def decimal_mark(columns: Sequence[Sequence[Any]], separator: str = ",") -> str:
    """Return "," where the texts of these columns write a decimal comma, "." otherwise.

    A comma is decimal where it is the last mark and does not stand before a group of three digits. Groups of three
    alone leave it open; then the comma is decimal only in a file whose `separator` is another.

    >>> decimal_mark([["1.234,5", "998,25"]]), decimal_mark([["1,234.5", "1,234"]])
    (',', '.')
    """
    texts = [cell.strip() for column in columns for cell in column if isinstance(cell, str) and "," in cell]
    points = any("." in cell for column in columns for cell in column if isinstance(cell, str))
    if any(cell.rfind(".") > cell.rfind(",") for cell in texts):
        return "."
    if any("." in cell or re.search(r",(\d{1,2}|\d{4,})\D?$", cell) for cell in texts):
        return ","
    return "," if texts and separator != "," and not points else "."


def numbers(cells: Any, name: str, decimal: str = ".") -> Array:
    """Return cells as float64, missing ones as NaN: 1,234.5, 1.2M and $3 are numbers, too.

    Raises InputError naming the first row that is neither.

    >>> numbers(["1,234.5", "1.2M", "", None, 3], "volume").tolist()
    [1234.5, 1200000.0, nan, nan, 3.0]
    """
    if isinstance(cells, np.ndarray) and cells.dtype.kind in "fiu":
        return np.array(cells, dtype=np.float64)
    return np.array([_number(cell, row, name, decimal) for row, cell in enumerate(cells, 1)], dtype=np.float64)


def _number(cell: Any, row: int, name: str, decimal: str) -> float:
    if is_missing(cell):
        return np.nan
    try:
        if not isinstance(cell, str):
            return float(cell)
        text = cell.strip().strip("$€£ ")
        group = "." if decimal == "," else ","
        text = text.replace(group, "").replace("\u00a0", "").replace(decimal, ".")
        factor = _SUFFIXES.get(text[-1:].upper(), 1.0)
        # Multiplied exactly where it can be: 1.1 times a million is not 1100000 in binary.
        return float(text) if factor == 1.0 else round(float(text[:-1]) * factor, 6)
    except (TypeError, ValueError):
        raise InputError(
            explain(
                f"{name} {cell!r} in row {row} (counted from 1 below the header).",
                "a number, or an empty cell.",
                "correct or remove the row",
            )
        ) from None


def days(
    cells: Any, day_first: bool | None = None, time_zone: str | None = None
) -> tuple[NDArray[np.datetime64], NDArray[np.bool_]]:
    """Return each cell's calendar day, on the clock that it is written in, and whether it has a time.

    ISO dates with or without time and offset, 20240131, 01/31/2024, 31.01.2024, Jan 31, 2024, 31-Jan-2024, dates and
    datetimes. Which of two numbers is the month is read off the whole column, unless `day_first` says it. Times with an
    offset from UTC are converted to `time_zone` if it is given. Raises InputError naming the row that is no date, or
    asking for `day_first` or `time_zone`.

    >>> days(["01/31/2024", "02/01/2024"])[0].tolist()
    [datetime.date(2024, 1, 31), datetime.date(2024, 2, 1)]
    """
    stamps = np.asarray(cells)
    if stamps.dtype.kind == "M":
        day = stamps.astype("datetime64[D]")
        if np.isnat(day).any():
            raise _no_date("nothing", int(np.isnat(day).argmax()) + 1)
        return day, stamps != day
    cells = local(cells, time_zone)
    written = [_written(cell, row) for row, cell in enumerate(cells, 1)]
    if any(date.either_way for date in written) and (_day_is_first(written) if day_first is None else day_first):
        written = [date._replace(month=date.day, day=date.month) if date.either_way else date for date in written]
    found = []
    for row, (date, cell) in enumerate(zip(written, cells, strict=True), 1):
        try:
            found.append(datetime.date(date.year, date.month, date.day))
        except ValueError:
            raise _no_date(repr(cell), row) from None
    return np.array(found, dtype="datetime64[D]"), np.array([date.timed for date in written], dtype=bool)


class _Written(NamedTuple):
    year: int
    month: int
    day: int
    timed: bool = False  # a time other than midnight
    either_way: bool = False  # 01/02/2024: month and day may have changed places


def _written(cell: Any, row: int) -> _Written:
    """Read one date as its text says it; of two numbers before the year the first is taken for the month."""
    if is_missing(cell):
        raise _no_date("an empty cell", row)
    if isinstance(cell, datetime.datetime):
        return _Written(cell.year, cell.month, cell.day, timed=cell.time() != datetime.time())
    if isinstance(cell, datetime.date):
        return _Written(cell.year, cell.month, cell.day)
    if isinstance(cell, np.datetime64):
        return _written(cell.astype("datetime64[us]").item(), row)
    text = str(int(cell) if isinstance(cell, float) and cell.is_integer() else cell).strip()
    if found := _COMPACT.match(text):
        return _Written(int(found[1]), int(found[2]), int(found[3]))
    if found := _ISO.match(text):
        return _Written(int(found[1]), int(found[2]), int(found[3]), _has_time(found[4]))
    if found := _YEAR_LAST.match(text):
        first, second, year = (int(number) for number in found.groups()[:3])
        if "." in text[:3]:  # 31.01.2024: with points, nobody writes the month first
            return _Written(year, second, first, _has_time(found[4]))
        return _Written(year, first, second, _has_time(found[4]), either_way=True)
    if found := _MONTH_NAME.match(text):
        month = _MONTHS.get((found[1] or found[5]).lower())
        if month is not None:
            return _Written(int(found[3] or found[6]), month, int(found[2] or found[4]))
    raise _no_date(repr(text), row)


def _has_time(text: str | None) -> bool:
    """Return whether the text after a date is a time other than midnight; an offset from UTC is none."""
    return text is not None and re.sub(r"([+-]\d\d:?\d\d|Z)$", "", text.strip()).strip("0:. ") not in ("", "AM")


def _day_is_first(written: Sequence[_Written]) -> bool:
    """Read off a whole column such as 01/02/2024 whether the day comes before the month."""
    both = [date for date in written if date.either_way]
    month_first, day_first = max(date.day for date in both) > 12, max(date.month for date in both) > 12
    if month_first == day_first:
        found = f"the first {both[0].month:02}/{both[0].day:02}/{both[0].year}"
        reason = "which fit neither order" if month_first else "which may be read both ways"
        raise InputError(
            explain(f"dates ({found}) {reason}.", "one order of day and month.", "read_prices(source, day_first=True)")
        )
    return day_first


def _no_date(cell: str, row: int) -> InputError:
    return InputError(
        explain(
            f"{cell} in row {row} (counted from 1 below the header) where a date should be.",
            "dates such as 2024-01-31, 01/31/2024 or Jan 31, 2024.",
            "correct or remove the row",
        )
    )
