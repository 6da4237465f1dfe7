"""Files, frames and dicts, in the shapes that sources give prices, become one sheet of raw columns a ticker.

Names are recognised here and nowhere else; no cell is read (`cells.py`), no rule applied (`rules.py`).
"""

from __future__ import annotations

import ast
import csv
import gzip
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker.errors import FileError, InputError, explain
from hillwalker.finance.cells import is_missing
from hillwalker.finance.zones import check_zone, refuse_late
from hillwalker.tables.columns import as_frame
from hillwalker.tables.files import read_table

DATE, TICKER, ADJUSTED = "date", "ticker", "adjusted close"
# Each field under the names that sources give it: lower case, without spaces, points, underscores, digits in front.
# The Polish names are Stooq's.
_ALIASES = {
    DATE: ("date", "datetime", "time", "timestamp", "day", "index", "indexlevel0", "unnamed0", "", "data"),
    TICKER: ("ticker", "symbol"),
    "open": ("open", "openprice", "otwarcie"),
    "high": ("high", "highprice", "najwyzszy"),
    "low": ("low", "lowprice", "najnizszy"),
    "close": ("close", "closeprice", "closelast", "zamkniecie", "price", "last"),
    ADJUSTED: ("adjclose", "adjustedclose", "closeadjusted", "adjcloseprice"),
    "volume": ("volume", "vol", "wolumen"),
}
_FIELD_OF = {alias: field for field, aliases in _ALIASES.items() for alias in aliases}
_OTHERS = {"dividends", "stocksplits", "capitalgains", "repaired"}  # yfinance's further columns, which are not needed


@dataclass(frozen=True)
class Sheet:
    """The raw columns of one series, by field; cells are text, numbers or dates, and `separator` the file's."""

    ticker: str | None
    columns: Mapping[str, Any]
    separator: str = ","


def sheets(source: Any, time_zone: str | None = None) -> list[Sheet]:
    """Return the sheet of each ticker in a path, a pandas or polars frame, or a dict of arrays.

    Raises FileError or InputError where the file cannot be read or holds no date or no prices, InputTypeError for
    anything else.
    """
    check_zone(time_zone)
    separator = ","
    if isinstance(source, str | Path):
        names, columns, separator = _from_file(Path(source), time_zone)
    elif isinstance(source, Mapping):
        names, columns = list(source), [_from_dict(name, column, time_zone) for name, column in source.items()]
    else:
        names, columns = _from_frame(source, time_zone)
    return [Sheet(ticker, found, separator) for ticker, found in _by_ticker(names, columns).items()]


def _from_file(path: Path, time_zone: str | None) -> tuple[list[Any], list[Any], str]:
    names: list[Any]
    if path.suffix.lower() == ".parquet":
        names, columns = _from_frame(read_table(path), time_zone)
        return [_tuple_or_text(name) for name in names], columns, ","
    if not path.is_file():
        raise FileError(explain(f"the file {path}, which is not there.", "a CSV or Parquet file of prices."))
    opened: Any = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            lines = [line for line in file.read().splitlines() if line.strip() and not line.startswith("#")]
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise FileError(explain(f"the file {path}, which cannot be read: {error}.", "a CSV file in UTF-8.")) from error
    if len(lines) < 2:
        raise FileError(explain(f"the file {path}, with {len(lines)} lines.", "a header line and a line for each day."))
    separator = max(",;\t|", key=lines[0].count)
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=separator)]
    names = list(rows[0])
    below = 1
    if len(rows) > 2 and field_of(rows[2][0]) == DATE and not any(rows[2][1:]):
        # yfinance's three lines: Price and Ticker in either order, and a line that only says Date.
        names = [DATE, *zip(rows[0][1:], rows[1][1:], strict=True)]
        below = 3
    for number, row in enumerate(rows[below:], 1):
        if len(row) != len(names):
            raise FileError(
                explain(
                    f"{path.name} with {len(row)} cells in row {number}, where the header has {len(names)}.",
                    "as many cells in each row as in the header.",
                    "put numbers with commas in quotes, and remove lines that are not data",
                )
            )
    return names, [list(column) for column in zip(*rows[below:], strict=True)], separator


def _tuple_or_text(name: str) -> Any:
    """Turn "('Close', 'AAPL')", as Parquet keeps a pandas name of two levels, into a tuple again."""
    if name.startswith("('"):
        try:
            return tuple(str(part) for part in ast.literal_eval(name))
        except (ValueError, SyntaxError):
            return name
    return name


def _from_frame(source: Any, time_zone: str | None) -> tuple[list[Any], list[Any]]:
    """Return names and columns; dates keep the wall clock of their own time zone, or of `time_zone`."""
    if type(source).__module__.startswith("pandas") and hasattr(source, "columns"):
        named = [name for name in source.index.names if name is not None]
        index = {str(level).lower(): source.index.get_level_values(level) for level in named}
        if not index and source.index.dtype.kind not in "iuf":  # an index that does not only count the rows
            index = {"": source.index}
        parts = [*index.values(), *(source.iloc[:, number] for number in range(source.shape[1]))]
        return [*index, *source.columns], [_plain(part, time_zone) for part in parts]
    import narwhals as nw

    frame = as_frame(source)
    columns: list[Any] = []
    for name, kind in frame.schema.items():
        column = frame[name]
        if isinstance(kind, nw.Datetime) and kind.time_zone is not None:
            column = column.dt.convert_time_zone(time_zone) if time_zone else column
            refuse_late(kind.time_zone, time_zone, column.dt.hour().to_numpy())
            column = column.dt.replace_time_zone(None)
        columns.append(column.to_numpy() if kind.is_numeric() or kind.is_temporal() else column.to_list())
    return list(frame.columns), columns


def _from_dict(name: Any, column: Any, time_zone: str | None) -> Any:
    """Return a list, an array or a series as an array or a list of cells."""
    if isinstance(column, str) or not hasattr(column, "__len__") or getattr(column, "ndim", 1) != 1:
        raise InputError(explain(f"{name!r}: a {type(column).__name__}.", "a list or an array, one value a day."))
    if type(column).__module__.startswith("pandas"):
        return _plain(column, time_zone)
    return column if isinstance(column, np.ndarray) else list(column)


def _plain(column: Any, time_zone: str | None) -> Any:
    """Return a pandas column or index as an array of numbers or dates, or as a list."""
    import pandas as pd

    if isinstance(column.dtype, pd.DatetimeTZDtype):
        stamps = pd.DatetimeIndex(column)
        stamps = stamps.tz_convert(time_zone) if time_zone else stamps
        refuse_late(str(stamps.tz), time_zone, stamps.hour.to_numpy())
        return stamps.tz_localize(None).to_numpy()
    if pd.api.types.is_bool_dtype(column.dtype) or not pd.api.types.is_numeric_dtype(column.dtype):
        return column.to_numpy() if column.dtype.kind == "M" else list(column)
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def field_of(name: Any) -> str | None:
    """Return the field that a column's name stands for, or None.

    >>> field_of("Adj Close"), field_of("<VOL>"), field_of("1. open"), field_of("Dividends")
    ('adjusted close', 'volume', 'open', None)
    """
    return _FIELD_OF.get(_bare(name))


def _bare(name: Any) -> str:
    return re.sub(r"^\d+\.|[^a-z0-9]", "", str(name).lower())


def _by_ticker(names: Sequence[Any], columns: Sequence[Any]) -> dict[str | None, dict[str, Any]]:
    """Give every ticker its columns, whether tickers stand in the names, in a column, or nowhere."""
    if any(isinstance(name, tuple) for name in names):
        return _by_name(names, columns)
    found: dict[str, Any] = {}
    exact = {_bare(name) for name in names}
    for name, column in zip(names, columns, strict=True):
        field = field_of(name)
        # "Price" is Investing.com's close, "" the unnamed index: another column of the field's own name comes first.
        if field is None or (_bare(name) != _ALIASES[field][0] and _ALIASES[field][0] in exact):
            continue
        if field in found:
            raise InputError(explain(f"more than one column for {field}: {', '.join(map(str, names))}.", "one."))
        found[field] = column
    _require(found, names)
    if TICKER not in found:
        return {None: found}
    tickers = np.array([str(cell).strip() for cell in found.pop(TICKER)])
    rows_of = {str(ticker): np.flatnonzero(tickers == ticker) for ticker in dict.fromkeys(tickers.tolist())}
    return {ticker: {field: _take(column, rows) for field, column in found.items()} for ticker, rows in rows_of.items()}


def _by_name(names: Sequence[Any], columns: Sequence[Any]) -> dict[str | None, dict[str, Any]]:
    """Tell in names of two levels, (Close, AAPL) or (AAPL, Close), which level is the field."""
    pairs = [name for name in names if isinstance(name, tuple) and len(name) == 2 and all(name)]
    if not pairs:
        raise InputError(explain(f"columns named {names[:3]}.", "names, or pairs such as ('Close', 'AAPL')."))
    levels = list(zip(*pairs, strict=True))
    known = [sum(field_of(part) is not None or _bare(part) in _OTHERS for part in level) for level in levels]
    # LOW and OPEN are tickers, too: where both levels look like fields, that with a close and a high is meant.
    whole = [{"close", "high"} <= {field_of(part) for part in level} for level in levels]
    level = max((0, 1), key=lambda number: (whole[number], known[number]))
    found: dict[str | None, dict[str, Any]] = {}
    dates: Any = None
    for name, column in zip(names, columns, strict=True):
        if not isinstance(name, tuple) or not all(name):
            plain = name if not isinstance(name, tuple) else next(iter(part for part in name if part), "")
            dates = column if field_of(plain) == DATE else dates
        elif (field := field_of(name[level])) is not None:
            found.setdefault(str(name[1 - level]), {})[field] = column
    for ticker, fields in found.items():
        if dates is not None:
            fields[DATE] = dates
        _require(fields, names)
        if len(found) > 1:
            # A frame of several has a row for each day of any of them: rows that this one leaves empty are not its own.
            four = zip(*(fields[field] for field in ("open", "high", "low", "close")), strict=True)
            rows = np.flatnonzero([not all(map(is_missing, cells)) for cells in four])
            found[ticker] = {field: _take(column, rows) for field, column in fields.items()}
    return found


def _take(column: Any, rows: NDArray[np.intp]) -> Any:
    return column[rows] if isinstance(column, np.ndarray) else [column[row] for row in rows]


def _require(found: Mapping[str, Any], names: Sequence[Any]) -> None:
    absent = [field for field in (DATE, "open", "high", "low", "close") if field not in found]
    if absent:
        listed = ", ".join(map(str, names[:12])) or "none"
        raise InputError(
            explain(
                f"no column for {', '.join(absent)}; there are {listed}.",
                "columns Date, Open, High, Low, Close and, where known, Volume and Adj Close.",
                # A frame of three header lines read as if there were one has its dates below the name Price.
                "pd.read_csv(path, header=[0, 1], index_col=0), or read_prices(path)"
                if names and str(names[0]) in ("Price", "Ticker")
                else "rename the columns, or give the dates a column of their own",
            )
        )
    lengths = {field: len(column) for field, column in found.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(explain(f"columns of different lengths: {lengths}.", "one value a day in each column."))
