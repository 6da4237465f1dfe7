"""The user's data become arrays, or an error that teaches; the checks of `fit`'s other arguments.

Everything here happens at the edge, before anything is computed or overwritten. Nothing is repaired silently: missing
values, text and wrong shapes are refused. Whether labels fit a loss is decided in `labels.py`.
"""

from __future__ import annotations

import math
import mmap
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from hillwalker.errors import InputError, InputTypeError, explain

Array = NDArray[Any]

QUICK = 2**12  # numbers in an array for which a call of NumPy takes longer than the arithmetic
BLOCK = 2**22  # numbers looked at together, so that a file larger than the memory is checked in little of it


@dataclass(frozen=True)
class CheckedArray:
    """Data that may be trained on: finite numbers, at least one row and one column.

    `array` is C-contiguous in the dtype asked for, except where it lies in a memory-mapped file: then it is the file.
    `columns` are a frame's column names, else None.
    """

    array: Array
    columns: tuple[str, ...] | None = None
    was_one_dimensional: bool = False


def quick(value: Any, dtype: str, columns: int) -> Array | None:
    """Return a small array that is plainly right, as rows of `columns` finite numbers of `dtype`; None: look closely.

    It errs on one side only: what it passes is right, what it does not pass may be right all the same. It saves calls
    with a few rows, which take as long as their checks.

    >>> quick(np.ones((2, 3), np.float32), "float32", 3).shape
    (2, 3)
    >>> quick([[1.0]], "float32", 1), quick(np.array([[np.nan]]), "float32", 1)
    (None, None)
    """
    if type(value) is not np.ndarray or not 0 < value.size <= QUICK:
        return None
    if value.ndim == 1:
        value = value.reshape(-1, 1)
    shape, flags = value.shape, value.flags
    if len(shape) != 2 or shape[1] != columns:
        return None
    if value.dtype != dtype or not flags.c_contiguous or not flags.aligned:
        if value.dtype.kind not in "fiu":
            return None
        value = _converted(value, dtype)
    finite = np.isfinite(value)
    return value if finite.item(finite.argmin()) else None  # the least is True: a third of the time that `all` takes


def inputs(
    value: Any, name: str = "X", dtype: str = "float32", row_shape: tuple[int | None, ...] | None = (None,)
) -> CheckedArray:
    """Return the inputs as a checked array of rows; (n,) becomes (n, 1).

    `value` is an array of any numeric dtype and memory order, a list, a pandas or polars frame or series, a
    memory-mapped file, or anything with `__array__`. `row_shape` is the shape of one row, None for any length; None
    alone for rows of any shape. Raises InputTypeError for things that are no numbers, InputError for wrong shapes,
    NaN, infinity and numbers too large for `dtype`.

    >>> inputs([[1, 2], [3, 4]]).array
    array([[1., 2.],
           [3., 4.]], dtype=float32)
    """
    checked = _numbers(value, name, dtype, _text_fix)
    shape = checked.array.shape
    if row_shape is not None and not _fits(shape[1:], row_shape):
        wanted = ", ".join("any" if size is None else str(size) for size in row_shape)
        one_row = checked.was_one_dimensional and row_shape == (shape[0],)
        given = f"({shape[0]},)" if checked.was_one_dimensional else str(shape)
        fix = f"{name}.reshape(1, -1), for a single row" if one_row else None
        if len(shape) > 2 and len(row_shape) == 1:
            fix = f"{name}.reshape(len({name}), -1), or a Flatten layer first"
        raise InputError(explain(f"{name} of shape {given}.", f"shape (rows, {wanted}).", fix))
    return checked


def targets(value: Any, name: str = "y", dtype: str = "float32") -> CheckedArray:
    """Return the targets as a checked 2-D array; (n,) becomes (n, 1); text labels are refused, with the line to write.

    >>> targets([1, 0, 1]).array.shape
    (3, 1)
    """
    checked = _numbers(value, name, dtype, lambda name, _: f"classes, {name} = np.unique({name}, return_inverse=True)")
    if checked.array.ndim != 2:
        raise InputError(explain(f"{name} of shape {checked.array.shape}.", "shape (rows,) or (rows, outputs)."))
    return checked


def _numbers(value: Any, name: str, dtype: str, text_fix: Callable[[str, Any], str]) -> CheckedArray:
    array, columns = _read(value, name, text_fix)
    if array.ndim == 0:
        raise InputError(explain(f"{name}={value!r}, a single number.", "rows of numbers.", f"np.array([[{value!r}]])"))
    if array.size == 0:
        raise InputError(explain(f"{name} of shape {array.shape}, which is empty.", "at least one row and one column."))
    flat = array.ndim == 1
    if flat:
        array = array.reshape(-1, 1)
    converted = array if _is_memory_mapped(array) else _converted(array, dtype)
    _refuse_not_finite(converted, array, name, columns, dtype)
    return CheckedArray(converted, columns, flat)


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(shape) == len(wanted) and all(w in (None, s) for s, w in zip(shape, wanted, strict=True))


def _is_memory_mapped(array: Any) -> bool:
    while array is not None:
        if isinstance(array, (np.memmap, mmap.mmap)):
            return True
        array = getattr(array, "base", None)
    return False


def _converted(array: Array, dtype: str) -> Array:
    with np.errstate(over="ignore"):  # what overflows becomes infinite, and is then refused by name
        return np.require(array, dtype, ["C", "A"])


# ---- reading: from what the user has to an array of numbers


def _read(value: Any, name: str, text_fix: Callable[[str, Any], str]) -> tuple[Array, tuple[str, ...] | None]:
    if np.ma.is_masked(value):
        passed = f"{name}, a masked array with masked values."
        raise InputError(explain(passed, "no missing values.", f"{name}.filled(0)"))
    if hasattr(value, "collect") and hasattr(type(value), "columns"):
        raise InputTypeError(explain(f"{name}, a lazy frame.", "a frame that is computed.", f"{name}.collect()"))
    if hasattr(value, "to_numpy"):
        return _read_frame(value, name, text_fix) if hasattr(value, "columns") else _read_series(value, name, text_fix)
    if hasattr(value, "toarray"):
        raise InputTypeError(explain(f"{name}, a sparse matrix.", "a dense array.", f"{name}.toarray()"))
    try:
        array = np.asarray(value)
    except ValueError as error:
        if not isinstance(value, (list, tuple)):
            raise InputTypeError(explain(f"{name}: {_kind(value)} ({error}).", "rows of numbers.")) from error
        lengths = [len(row) if hasattr(row, "__len__") else 0 for row in value]
        row = next((i for i, length in enumerate(lengths) if length != lengths[0]), 0)
        passed = f"{name} with {lengths[0]} numbers in row 0 and {lengths[row]} in row {row}."
        raise InputError(explain(passed, "rows of the same length.")) from error
    except Exception as error:
        raise InputTypeError(explain(f"{name}: {_kind(value)} ({error}).", "rows of numbers.")) from error
    if array.dtype.kind in "US" and isinstance(value, (list, tuple)):
        array = np.asarray(value, dtype=object)  # NumPy has made text of the numbers too; find the text that was passed
    _refuse_not_numeric(array, value, name, None, text_fix)
    return array, None


def _read_frame(frame: Any, name: str, text_fix: Callable[[str, Any], str]) -> tuple[Array, tuple[str, ...]]:
    names = tuple(str(column) for column in frame.columns)
    is_pandas = hasattr(frame, "iloc")
    columns = [frame.iloc[:, i] if is_pandas else frame.to_series(i) for i in range(len(names))]
    if not columns:
        return np.empty((len(frame), 0)), names
    if all(_is_plain(column.dtype, is_pandas) for column in columns):
        return frame.to_numpy(), names
    read = [_read_column(column, name, label, text_fix) for column, label in zip(columns, names, strict=True)]
    return np.column_stack([column.astype(np.float64, copy=False) for column in read]), names


def _read_series(series: Any, name: str, text_fix: Callable[[str, Any], str]) -> tuple[Array, tuple[str, ...] | None]:
    label = None if getattr(series, "name", None) in (None, "") else str(series.name)
    return _read_column(series, name, label, text_fix), None if label is None else (label,)


def _is_plain(dtype: Any, is_pandas: bool) -> bool:
    if is_pandas:
        return isinstance(dtype, np.dtype) and dtype.kind in "fiu"
    return re.fullmatch(r"(UInt|Int|Float)\d+", str(dtype)) is not None


def _read_column(series: Any, name: str, label: str | None, text_fix: Callable[[str, Any], str]) -> Array:
    kind = str(series.dtype).lower()
    is_pandas = hasattr(series, "iloc")
    if "categor" in kind or kind.startswith("enum"):
        fix = f"pd.get_dummies({name}, columns=[{label!r}])" if is_pandas else f"{name}.to_dummies({label!r})"
        if label is None or text_fix is not _text_fix:
            fix = text_fix(name, series)
        passed = f"{name} with a categorical column, {label!r}."
        raise InputTypeError(explain(passed, "numbers only; one-hot columns.", fix))
    if is_pandas and not isinstance(series.dtype, np.dtype) and re.match(r"u?int|float|bool|double", kind):
        array = series.to_numpy(dtype="float64", na_value=np.nan)  # pandas's own types hold missing values apart
    else:
        array = series.to_numpy()
    if re.match(r"date|time|duration|period", kind):
        array = array.astype("datetime64[s]") if array.dtype.kind == "M" else np.zeros(len(array), "datetime64[s]")
    _refuse_not_numeric(array, series, name, label, text_fix)
    if array.ndim != 1:
        raise InputTypeError(explain(f"{name} with lists in column {label!r}.", "one number in a cell."))
    return np.asarray(array)


def _kind(value: Any) -> str:
    return f"an object of type {type(value).__module__}.{type(value).__qualname__}".replace("builtins.", "")


def _text_fix(name: str, value: Any) -> str:
    frame = name if hasattr(value, "to_numpy") else f"pd.DataFrame({name})"
    return f"pd.get_dummies({frame}), which makes one column of 0 and 1 of each text"


def _refuse_not_numeric(
    array: Array, value: Any, name: str, label: str | None, text_fix: Callable[[str, Any], str]
) -> None:
    kind = array.dtype.kind
    if kind in "biuf":
        return
    column = f" in column {label!r}" if label is not None else ""
    if kind in "Mm":
        fix = f"{name} = {name}.drop(columns=[{label!r}])" if label is not None else None
        passed = f"{name} with dates or times{column}."
        raise InputTypeError(explain(passed, "numbers, such as days since a date.", fix))
    if kind == "c":
        raise InputTypeError(explain(f"{name} of complex numbers.", "real numbers.", f"np.abs({name})"))
    if isinstance(value, str):
        fix = f"pd.read_csv({value!r}), if it is a file"
        raise InputTypeError(explain(f"{name}={value!r}, of type str.", "rows of numbers: an array or a frame.", fix))
    if array.ndim == 0 or kind == "V":
        raise InputTypeError(explain(f"{name}: {_kind(value)}.", "rows of numbers: an array, a list or a frame."))
    place, found = next(
        (
            (place, item)
            for place, item in np.ndenumerate(array)
            if not isinstance(item, (int, float, np.number, np.bool_))
        ),
        (None, None),
    )
    if place is None:
        raise InputTypeError(
            explain(f"{name} of dtype object{column}.", "numbers.", f'np.asarray({name}, dtype="float32")')
        )
    found = found.item() if isinstance(found, np.generic) else found
    if label is None and len(place) > 1:
        column = f" in column {place[1]}"
    passed = f"{name} with {found!r} ({type(found).__name__}){column}, first in row {place[0]}."
    if isinstance(found, (str, bytes)):
        is_number = re.fullmatch(r"\s*[-+]?[\d.]+(e[-+]?\d+)?\s*", str(found), re.IGNORECASE) is not None
        fix = f'np.asarray({name}, dtype="float32")' if is_number else text_fix(name, value)
        raise InputTypeError(explain(passed, "numbers, not text.", fix))
    missing = found is None or type(found).__name__ in ("NAType", "NaTType")
    fix = f"{name}.dropna(), or fill the missing values" if missing and label is not None else None
    raise InputTypeError(explain(passed, "numbers" + (", none missing." if missing else "."), fix))


# ---- finite: one pass; only where a sum is not finite is anything looked at closely


def blocks(array: Array) -> Iterator[tuple[int, Array]]:
    """Yield the array in parts of about BLOCK numbers, each with the number of its first row."""
    rows = max(1, BLOCK // max(1, array[0].size))
    for start in range(0, len(array), rows):
        yield start, array[start : start + rows]


def first_bad(y: Array, is_bad: Callable[[Array], Any]) -> tuple[int, int, float] | None:
    """Return row, column and value of the first bad number in (rows, columns), or None."""
    for start, block in blocks(y):
        bad = np.asarray(is_bad(block))
        if bad.any():
            row, column = np.unravel_index(int(bad.argmax()), bad.shape)
            return start + int(row), int(column), float(block[row, column])
    return None


def _refuse_not_finite(array: Array, original: Array, name: str, columns: tuple[str, ...] | None, dtype: str) -> None:
    if array.dtype.kind in "biu":
        return
    counts: dict[int, list[int]] = {}  # column -> how many, first row
    for start, block in blocks(array):
        block = _converted(block, dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(block.sum()):
                continue
        bad = ~np.isfinite(block.reshape(len(block), -1))
        for column in np.flatnonzero(bad.any(axis=0)).tolist():
            counts.setdefault(column, [0, start + int(bad[:, column].argmax())])[0] += int(bad[:, column].sum())
    if not counts:
        return
    flat = array.ndim == 2 and array.shape[1] == 1
    told = []
    for column, (count, row) in sorted(counts.items())[:5]:
        label = repr(columns[column]) if columns is not None else str(column)
        where = "the only column" if flat and columns is None else f"column {label}"
        first = original[row].reshape(-1)[column]
        what = "NaN" if np.isnan(first) else "infinity" if np.isinf(first) else f"{first:g}, too large for {dtype},"
        told.append(f"{where}: {count} (first {what} in row {row})")
    more = f"; and {len(counts) - 5} more columns" if len(counts) > 5 else ""
    keep = f"keep = np.isfinite({name}){'' if flat else '.all(axis=1)'}; X, y = X[keep], y[keep]"
    fix = f'hw.config.set_floatx("float64"), or divide {name} by a constant' if "too large" in told[0] else keep
    passed = f"{name} with values that are not finite. {'; '.join(told)}{more}."
    raise InputError(explain(passed, "finite numbers.", fix))


# ---- arguments


def _is_real(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def same_length(*named: tuple[str, Any]) -> None:
    """Refuse arrays with different numbers of rows; None is passed over.

    >>> same_length(("X", np.zeros((5, 2))), ("y", np.zeros((5, 1))), ("sample_weight", None))
    """
    present = [(name, array) for name, array in named if array is not None]
    for name, array in present[1:]:
        first_name, first = present[0]
        if len(array) != len(first):
            passed = f"{first_name} of shape {first.shape} and {name} of shape {array.shape}."
            rows = min(len(first), len(array))
            fix = f"{first_name}[:{rows}], {name}[:{rows}], if these rows belong together"
            raise InputError(explain(passed, "the same number of rows.", fix))


def width(x: Array, expected: int, layer_name: str, name: str = "X") -> None:
    """Refuse inputs whose number of columns is not what a layer was built for."""
    if x.ndim == 2 and x.shape[1] == expected:
        return
    fix = f"{name}.reshape(1, -1), for a single row" if x.shape == (expected, 1) else None
    passed = f"{name} of shape {x.shape} to the layer {layer_name!r}."
    raise InputError(explain(passed, f"shape (rows, {expected}), as the layer was built.", fix))


def sample_weight(value: Any, rows: int, dtype: str = "float32", name: str = "sample_weight") -> Array | None:
    """Return one weight a row, shape (rows,), finite and 0 or more; None stays None.

    >>> sample_weight([1, 2], rows=2)
    array([1., 2.], dtype=float32)
    """
    if value is None:
        return None
    if isinstance(value, Mapping):
        fix = f"model.fit(X, y, class_weight={dict(value)})"
        raise InputTypeError(explain(f"{name}, a dict.", "one weight a row.", fix))
    weights = _converted(_numbers(value, name, dtype, _text_fix).array, dtype)
    if weights.shape != (rows, 1):
        raise InputError(explain(f"{name} of shape {np.shape(value)}.", f"shape ({rows},), one weight a row."))
    if weights.min() < 0:
        row = int(np.argmax(weights[:, 0] < 0))
        raise InputError(explain(f"{name} with {weights[row, 0]:g} in row {row}.", "weights of 0 or more."))
    return weights.reshape(rows)


def class_weight(value: Any, y: Array, classes: int | None = None, dtype: str = "float32") -> Array:
    """Return one weight a row from a dict of class -> weight; a class that is not in the dict weighs 1.

    `y` has shape (n, 1) with class numbers, or (n, K) one-hot: then the largest column counts. `classes` is how many
    there are, where it is known: a class may be absent from these rows, but one that cannot occur is refused.

    >>> class_weight({0: 1.0, 1: 5.0}, np.array([[0], [1], [1]]))
    array([1., 5., 5.], dtype=float32)
    """
    if not isinstance(value, Mapping):
        fix = "class_weight={0: 1.0, 1: 5.0}"
        if isinstance(value, (list, tuple, np.ndarray)):
            fix = f"class_weight={dict(enumerate(float(weight) for weight in value))}"
        raise InputTypeError(explain(f"class_weight={value!r}.", "a dict of class number -> weight.", fix))
    for key, weight in value.items():
        if not _is_real(key) or key != int(key):
            raise InputTypeError(explain(f"class_weight with the class {key!r}.", "class numbers, 0, 1, 2, …"))
        if not _is_real(weight) or not 0 <= weight < math.inf:
            raise InputError(explain(f"class_weight with {weight!r} for class {key}.", "a finite weight of 0 or more."))
    class_numbers = y.argmax(axis=1) if y.shape[1] > 1 else y[:, 0]
    if (found := first_bad(y, lambda block: block != np.round(block))) is not None and y.shape[1] == 1:
        passed = f"class_weight with the target {found[2]:g} in row {found[0]}, which is no class number."
        raise InputError(explain(passed, "whole class numbers.", "model.fit(X, y, sample_weight=weights)"))
    present, index = np.unique(class_numbers.astype(np.int64), return_inverse=True)
    known = {*present.tolist(), *range(classes or (y.shape[1] if y.shape[1] > 1 else 0))}
    if unknown := [key for key in value if int(key) not in known]:
        passed = f"class_weight with {', '.join(map(repr, unknown))}, which y does not hold."
        raise InputError(explain(passed, f"classes of y: {', '.join(map(str, sorted(known)))}."))
    weights = {int(key): float(weight) for key, weight in value.items()}
    return np.array([weights.get(label, 1.0) for label in present.tolist()], dtype)[index]


def validation_split(value: Any, rows: int) -> int:
    """Return how many of the first rows are trained on; the rest, the last part, is for validation. 0 keeps all.

    rows trained on = floor(rows (1 - validation_split)), as in Keras; the order of the rows is kept.

    >>> validation_split(0.2, rows=10)
    8
    """
    if not _is_real(value) or not 0 <= value < 1:
        fix = "model.fit(X, y, validation_split=0.2)"
        raise InputError(explain(f"validation_split={value!r}.", "a share of the rows, 0 or more and below 1.", fix))
    training = math.floor(rows * (1.0 - float(value)))
    if value and not 0 < training < rows:
        passed = f"validation_split={value!r} of {rows} rows, which leaves {training} to train on."
        fix = "model.fit(X, y, validation_data=(X_validation, y_validation))"
        raise InputError(explain(passed, "at least one row in each part.", fix))
    return training


def positive_integer(name: str, value: Any, call: str) -> int:
    """Return a whole number of 1 or more; `call` is the corrected line for the error.

    >>> positive_integer("batch_size", 32, "model.fit(X, y, batch_size=32)")
    32
    """
    if not _is_real(value) or not isinstance(value, (int, np.integer)) or value < 1:
        raise InputError(explain(f"{name}={value!r}.", "a whole number, 1 or more.", call))
    return int(value)


def probability(name: str, value: Any, call: str) -> float:
    """Return a number from 0 to 1, both included; `call` is the corrected line for the error."""
    if not _is_real(value) or not 0 <= value <= 1:
        raise InputError(explain(f"{name}={value!r}.", "a number from 0 to 1.", call))
    return float(value)
