"""One column of a frame becomes inputs of a network: numbers are standardised, text is one-hot.

What a column taught is a small frozen record; encoding with it learns nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hillwalker.errors import InputError, InputTypeError, explain, missing_dependency, nearest

if TYPE_CHECKING:
    import narwhals as nw

    Frame = nw.DataFrame[Any]

MISSING_LEVEL = "(missing)"
MOST_LEVELS = 50  # of a category; more would be more inputs than a small network can learn


def as_frame(table: object) -> Frame:
    """Return a polars, pandas or other eager frame as a narwhals frame.

    Raises InputTypeError for anything that is not a frame, MissingDependencyError without narwhals.
    """
    try:
        import narwhals as nw
    except ImportError:
        raise missing_dependency("narwhals", "a table with named columns", "frames") from None
    try:
        return nw.from_native(table, eager_only=True)
    except TypeError:
        raise InputTypeError(explain(f"a {type(table).__name__}.", "a polars or pandas frame.")) from None


def require_columns(frame: Frame, names: Sequence[str]) -> None:
    """Raise InputError naming the columns that the table lacks."""
    absent = [name for name in names if name not in frame.columns]
    if absent:
        near = nearest(absent[0], frame.columns)
        raise InputError(
            explain(
                f"a table without the column{'s' * (len(absent) > 1)} {', '.join(map(repr, absent))}.",
                f"all the columns named; this table has {', '.join(frame.columns)}.",
                f"{near!r}" if near else None,
            )
        )


def kind_of(frame: Frame, name: str) -> str:
    """Return what a column holds: "number", "boolean", "category" or "time"."""
    import narwhals as nw

    kind = frame.schema[name]
    if kind.is_numeric():
        return "number"
    if kind == nw.Boolean:
        return "boolean"
    if kind.is_temporal():
        return "time"
    if kind in (nw.String, nw.Object) or isinstance(kind, (nw.Categorical, nw.Enum)):
        return "category"
    raise InputTypeError(
        explain(
            f"column {name!r} of type {kind}.", "numbers, booleans, text or dates.", f"leave it out: drop=[{name!r}]"
        )
    )


def numbers(frame: Frame, name: str) -> NDArray[np.float64]:
    """Return a column of numbers or booleans as float64, missing values as NaN, shape (rows,); no infinities."""
    import narwhals as nw

    if kind_of(frame, name) not in ("number", "boolean"):
        example = next((value for value in frame[name].to_list() if value is not None), None)
        raise InputTypeError(explain(f"column {name!r} with values such as {example!r}.", "numbers, as in training."))
    values = np.array(frame[name].cast(nw.Float64).to_numpy(), dtype=np.float64)
    if (infinite := np.isinf(values)).any():
        raise InputError(
            explain(
                f"column {name!r} with {infinite.sum()} infinite values, the first in row {infinite.argmax() + 1}.",
                "finite numbers.",
                f"correct these rows, or drop=[{name!r}]",
            )
        )
    return values


def levels_of(frame: Frame, name: str) -> list[str | None]:
    """Return a column's values as text, None where missing; True and False as true and false."""
    values = frame[name].to_list()
    absent = missing_rows(frame, name)
    return [
        None if gone else str(value).lower() if isinstance(value, (bool, np.bool_)) else str(value)
        for value, gone in zip(values, absent, strict=True)
    ]


def missing_rows(frame: Frame, name: str) -> NDArray[np.bool_]:
    """Return which rows of a column are missing (null or NaN), shape (rows,)."""
    if frame.schema[name].is_numeric():
        return np.isnan(numbers(frame, name))
    return np.asarray(frame[name].is_null().to_numpy(), dtype=bool)


def refuse_missing(frame: Frame, names: Sequence[str], fix: str) -> None:
    """Raise InputError naming every column with missing values: how many, and the first row (counted from 1)."""
    found = []
    for name in names:
        absent = missing_rows(frame, name)
        if absent.any():
            found.append(f"{name!r} ({absent.sum()}, first in row {absent.argmax() + 1})")
    if found:
        raise InputError(explain(f"missing values in {', '.join(found)}.", "a value in every row.", fix))


@dataclass(frozen=True)
class NumberColumn:
    """A column of numbers: (value - mean) / scale; `median` fills missing values, or is None where they are refused."""

    name: str
    mean: float
    scale: float
    median: float | None = None

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the inputs made from this column."""
        return (self.name,)

    def encode(self, frame: Frame) -> NDArray[np.float64]:
        """Return the inputs made from this column, shape (rows, 1)."""
        values = numbers(frame, self.name)
        if self.median is not None:
            values = np.where(np.isnan(values), self.median, values)
        scaled: NDArray[np.float64] = (values - self.mean) / self.scale
        return scaled.reshape(-1, 1)


@dataclass(frozen=True)
class CategoryColumn:
    """A column of text: one input a level, 1 where the row has it; a level never seen in training is all zeros."""

    name: str
    levels: tuple[str, ...]

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the inputs made from this column."""
        return tuple(f"{self.name}={level}" for level in self.levels)

    def encode(self, frame: Frame) -> NDArray[np.float64]:
        """Return the inputs made from this column, shape (rows, levels)."""
        position = {level: number for number, level in enumerate(self.levels)}
        found = np.array(
            [position.get(MISSING_LEVEL if value is None else value, -1) for value in levels_of(frame, self.name)]
        )
        one_hot: NDArray[np.float64] = np.equal.outer(found, np.arange(len(self.levels))).astype(np.float64)
        return one_hot

    def unknown(self, frame: Frame) -> Counter[str]:
        """Return the values of this column that training never saw, with how often each occurs."""
        values = (MISSING_LEVEL if value is None else value for value in levels_of(frame, self.name))
        return Counter(value for value in values if value not in self.levels)


Column = NumberColumn | CategoryColumn


def fit_column(frame: Frame, name: str, rows: NDArray[np.intp], impute: bool) -> tuple[Column | None, str | None]:
    """Return what the training rows of one column teach, and a note; no column where it cannot be used."""
    kind = kind_of(frame, name)
    if kind == "time":
        raise InputError(
            explain(
                f"column {name!r}, which holds dates.",
                "numbers, booleans or text.",
                f"--time-column {name} (rows in this order), or --drop {name}",
            )
        )
    if missing_rows(frame, name)[rows].all():
        return None, f"column {name!r} dropped: it has no values"
    if kind == "number":
        return _fit_numbers(name, numbers(frame, name)[rows], impute)
    if kind == "boolean" and not missing_rows(frame, name).any():
        values = numbers(frame, name)[rows]
        if values.min() == values.max():
            return None, f"column {name!r} dropped: it is always {'true' if values[0] else 'false'}"
        return NumberColumn(name, 0.0, 1.0), None
    return _fit_text(name, [levels_of(frame, name)[row] for row in rows])


def _fit_numbers(name: str, values: NDArray[np.float64], impute: bool) -> tuple[Column | None, str | None]:
    present = values[~np.isnan(values)]
    if present.min() == present.max():
        return None, f"column {name!r} dropped: it is always {present[0]:g}"
    if counts_rows(name, values):
        return None, f"column {name!r} dropped: it only counts the rows"
    mean, scale = float(present.mean()), float(present.std())
    if not np.isfinite(scale) or scale == 0:
        raise InputError(explain(f"column {name!r} with values up to {np.abs(present).max():g}.", "1e-150 to 1e150."))
    if not impute:
        return NumberColumn(name, mean, scale), None
    median, filled = float(np.median(present)), len(values) - len(present)
    note = f"column {name!r}: {filled} missing training values filled with their median, {median:g}" if filled else None
    return NumberColumn(name, mean, scale, median), note


def _fit_text(name: str, texts: list[str | None]) -> tuple[Column | None, str | None]:
    absent = texts.count(None)
    levels = sorted({text for text in texts if text is not None})
    if len(levels) > MOST_LEVELS or len(levels) > max(10, len(texts) // 2):
        found = f"{len(levels)} levels in {len(texts)} rows, such as {levels[0]!r}"
        return None, f"column {name!r} dropped: {found}, look like an identifier"
    if len(levels) == 1 and not absent:
        return None, f"column {name!r} dropped: it is always {levels[0]!r}"
    note = f"column {name!r}: {absent} missing training values form a level of their own" if absent else None
    return CategoryColumn(name, (*levels, MISSING_LEVEL) if absent else tuple(levels)), note


def counts_rows(name: str, values: NDArray[np.float64]) -> bool:
    """Return whether a column named like an index holds a different whole number in each row."""
    named = name.lower() in ("", "id", "index", "row", "row_id", "rowid", "unnamed: 0", "_c0")
    return named and len(np.unique(values)) == len(values) and bool((values == np.round(values)).all())
