"""A CSV, TSV or Parquet file becomes a frame, or an error that names what is wrong with it.

Only text is tidied and types are found here; what columns mean is decided in `columns.py` and `target.py`.
"""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hillwalker.errors import FileError, InputError, explain, missing_dependency

if TYPE_CHECKING:
    import polars as pl

MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "-nan", "NULL", "null", "None", "?", "#N/A")


def read_table(path: str | Path) -> pl.DataFrame:
    r"""Return the table in a CSV, TSV (either may end in .gz) or Parquet file as a polars frame.

    The separator (`,` `;` tab or `|`) is found from the header; spaces around values are dropped; empty cells, NA, NaN,
    null, None and ? count as missing; ISO dates are read as dates. Raises FileError where the file is missing, empty or
    damaged, InputError for an unknown ending or two columns of one name, MissingDependencyError without polars.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "houses.csv"
    >>> _ = path.write_text("area; town\n70; Bern\n55; Chur\n")
    >>> read_table(path).rows()
    [(70, 'Bern'), (55, 'Chur')]
    """
    try:
        import polars as pl
    except ImportError:
        raise missing_dependency("polars", "reading a table", "frames") from None
    path = Path(path)
    if not path.is_file():
        raise FileError(
            explain(f"the file {path}, which {'is a folder' if path.is_dir() else 'does not exist'}.", "a table.")
        )
    if path.stat().st_size == 0:
        raise FileError(explain(f"the file {path}, which is empty.", "a header line and rows."))
    endings = [ending.lower() for ending in path.suffixes[-2:]]
    if endings and endings[-1] == ".gz":
        endings.pop()
    kind = endings[-1] if endings else ""
    try:
        if kind == ".parquet":
            frame = pl.read_parquet(path)
        elif kind in (".csv", ".tsv", ".txt"):
            frame = _read_csv(path)
        else:
            raise InputError(explain(f"the file {path.name}.", "a name that ends in .csv, .tsv, .txt or .parquet."))
    except (pl.exceptions.PolarsError, UnicodeDecodeError, EOFError, OSError) as error:
        reason = str(error).split("\n")[0]
        hint = "save the file as UTF-8" if "utf" in reason.lower() else None
        raise FileError(explain(f"the file {path}, which cannot be read: {reason}.", "a whole table.", hint)) from error
    if frame.height == 0 or frame.width == 0:
        raise FileError(explain(f"the file {path}, which holds a header and no rows.", "a header line and rows."))
    return frame


def _read_csv(path: Path) -> pl.DataFrame:
    """Read a CSV file: separator and decimal comma from its first lines, then types from all of it."""
    import polars as pl

    opened: Any = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig") as file:
        header, *lines = [file.readline() for _ in range(20)]
    separator = max(",;\t|", key=header.count)
    names = [name.strip() for name in next(csv.reader([header], delimiter=separator), [])]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise InputError(
            explain(f"{path.name} with more than one column {repeated[0]!r}.", "a name of its own for each column.")
        )
    cells = [cell.strip() for line in lines for cell in line.split(separator)]
    decimal_comma = separator != "," and any(
        cell.replace(",", "", 1).lstrip("-").isdigit() and "," in cell for cell in cells
    )
    frame = pl.read_csv(
        path,
        separator=separator,
        null_values=list(MISSING),
        infer_schema_length=None,
        try_parse_dates=True,
        decimal_comma=decimal_comma,
    )
    frame.columns = names
    tidy = [_tidy(frame[name], decimal_comma) for name in names if frame.schema[name] == pl.String]
    return frame.with_columns(tidy)


def _tidy(column: pl.Series, decimal_comma: bool) -> pl.Series:
    """Strip spaces around text; text that is all numbers after that becomes numbers."""
    import polars as pl

    text = column.str.strip_chars()
    text = text.set(text.is_in(MISSING), None)
    points = text.str.replace(",", ".", literal=True) if decimal_comma else text
    numbers = points.cast(pl.Float64, strict=False)
    return numbers if text.count() and numbers.null_count() == text.null_count() else text
