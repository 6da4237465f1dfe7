"""Columns of any log become curves: which column is which, one value an epoch, and where the loss was no number.

Names are judged in `log_names.py`. What a log leaves blank and what it calls not a number differ:

- A blank (an empty cell, NA, JSON's null) is missing: NaN in the curves.
- NaN in the log is a loss that was not finite, and infinite in the curves, unless a finite value follows: a network
  once full of NaN never recovers, so that NaN was a blank as frames write it. Validation losses that end in NaN count
  as infinite where the training loss is, or where the end is longer than any gap before (the rhythm of validation).
- JSON has no NaN, and hillwalker's own writes null for it. So blanks at the end of the training loss count as infinite
  where the log's stop_reason says so, or where the last finite loss is more than ten times the first.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker.diagnosis.curves import Curves
from hillwalker.diagnosis.log_names import name_columns
from hillwalker.errors import InputError, explain

Array = NDArray[np.float64]
Cell = float | None  # None where the log is blank, NaN where it says so

BLANK = ("", "na", "n/a", "<na>", "none", "null", "-", "?", "#n/a")
RESERVED = {"loss", "val_loss", "learning_rate", "epoch", "epochs", "source", "infinite", "interrupted", "stop_reason"}
"""Names that no metric may have in `Curves.to_dict()`."""
GROWN = 10.0  # times the first loss, from which blanks that follow are taken for a loss that was no number
NOT_FINITE = re.compile(r"\b(nan|inf|infinite|infinity|finite|diverged|diverging)\b", re.IGNORECASE)


@dataclass
class Log:
    """What was read, before it is judged: the cells of each column, as lists of one length, or an epoch's apart.

    `nan_is_blank`: whether NaN may also be a blank, as in pandas.
    """

    source: str
    columns: Mapping[str, Sequence[Any]]
    interrupted: bool = False
    stop_reason: str | None = None
    nan_is_blank: bool = False


def curves_of(log: Log) -> Curves:
    """Return a log's columns as curves.

    Raises InputError where it is not clear which column is which, where a cell of a curve is no number, where lengths
    do not fit, epochs go back, or only one epoch was done.
    """
    columns, roles = _columns(log)
    _place(columns, {roles.get("epoch"), roles.get("step")}, log.source)
    keys, by_step = _keys(columns, roles, log.source)
    if log.nan_is_blank and len(set(keys)) < len(keys):
        columns = {name: [None if is_nan(cell) else cell for cell in cells] for name, cells in columns.items()}
    epochs, columns = _last_of_each(keys, columns)
    once = columns[roles["val_loss"]] if "val_loss" in roles else []
    if len(epochs) > 2 and len(once) - once.count(None) == 1:  # a test at the end is no curve
        roles.pop("val_loss")
    curves = {role: columns.pop(name) for role, name in roles.items() if name in columns}
    loss = _training(curves["loss"], _failed(log)) if "loss" in curves else None
    val_loss = _validation(curves["val_loss"], loss) if "val_loss" in curves else None
    kept = np.zeros(len(epochs), bool)
    for curve in (loss, val_loss):
        kept |= False if curve is None else ~np.isnan(curve)
    if kept.sum() < 2 and not any(curve is not None and np.isinf(curve).any() for curve in (loss, val_loss)):
        passed = f"{log.source} with {'one epoch' if kept.any() else 'no loss'}."
        raise InputError(explain(passed, "two epochs or more: one point is no curve.", "model.fit(..., epochs=20)"))
    if val_loss is not None and np.isnan(val_loss).all():
        val_loss = None
    rate = curves.get("learning_rate")
    return Curves(
        epochs=epochs[kept],
        loss=None if loss is None else loss[kept],
        val_loss=None if val_loss is None else val_loss[kept],
        metrics={name: _array(cells)[kept] for name, cells in columns.items() if name not in RESERVED},
        learning_rate=None if rate is None else _array(rate)[kept],
        source=log.source + (", by step" if by_step else ""),
        interrupted=log.interrupted,
        stop_reason=log.stop_reason,
    )


def _failed(log: Log) -> bool:
    return bool(NOT_FINITE.search(log.stop_reason or ""))


def _columns(log: Log) -> tuple[dict[str, list[Cell]], dict[str, str]]:
    """Return the columns that hold numbers, and which is which; all that are blank are left out."""
    rough = {str(name): list(cells) for name, cells in log.columns.items()}
    used = {name: cells for name, cells in rough.items() if cells and (_failed(log) or not all(map(_blank, cells)))}
    if not used:
        passed = f"{log.source} without a single value" + (f" in {', '.join(rough)}." if rough else ".")
        raise InputError(explain(passed, "a loss for each epoch.", "model.fit(..., epochs=20)"))
    roles = name_columns(list(used), log.source)
    columns: dict[str, list[Cell]] = {}
    for name, cells in used.items():
        try:
            columns[name] = _numbers(cells, f"{log.source}, {name!r}")
        except InputError:
            if name in roles.values():
                raise  # another column of text is no curve, and left out
    return columns, roles


def is_nan(cell: Any) -> bool:
    """Return whether a cell is the number NaN, whatever else it may be."""
    return isinstance(cell, float) and math.isnan(cell)


def _blank(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and cell.strip().lower() in BLANK)


def _numbers(cells: Sequence[Any], where: str) -> list[Cell]:
    """Return cells as numbers, None where they are blank; raises InputError for the first that is neither."""
    found: list[Cell] = []
    for row, cell in enumerate(cells, 1):
        try:
            found.append(None if _blank(cell) else float(cell))
        except (TypeError, ValueError, OverflowError):
            fix = "loss.item(), when it is logged" if "tensor" in str(cell) else None
            passed = f"{where}, row {row}: {str(cell)[:60]!r}."
            raise InputError(explain(passed, "a number, nan, inf, or nothing.", fix)) from None
    return found


def _place(columns: dict[str, list[Cell]], counted: Collection[str | None], source: str) -> None:
    """Bring columns to one length: m values for E epochs are those of every (E/m)th, as `validation_freq` has it.

    Those that count (`counted`) have to be whole.
    """
    longest = max(columns, key=lambda name: len(columns[name]))
    epochs = len(columns[longest])
    for name, cells in columns.items():
        count = len(cells)
        every = [gap for gap in range(1, epochs + 1) if epochs // gap == count]
        if count and epochs % count == 0:
            every = [epochs // count]
        if len(every) != 1 or (name in counted and count < epochs):
            passed = f"{source} with {count} values of {name!r} and {epochs} of {longest!r}."
            fix = f'{{"epoch": ..., {longest!r}: ..., {name!r}: ...}} with None in the epochs without a value'
            raise InputError(explain(passed, f"as many, or one every so many: {epochs} divided by a number.", fix))
        placed: list[Cell] = [None] * epochs
        placed[every[0] - 1 :: every[0]] = cells
        columns[name] = placed


def _keys(columns: dict[str, list[Cell]], roles: Mapping[str, str], source: str) -> tuple[list[float], bool]:
    """Return to which epoch each row belongs, or to which step where there are too few epochs; and whether to steps.

    With steps alone, and losses in rows of their own, a row belongs to the next validation.
    """
    rows = len(next(iter(columns.values())))
    steps, epochs = (
        _filled(columns.pop(roles[role]) if role in roles else [], f"{source}, its {role}s")
        for role in ("step", "epoch")
    )
    if epochs:
        if (back := np.flatnonzero(np.diff(epochs) < 0)).size:
            row = int(back[0]) + 2
            passed = f"{source}, whose epoch goes from {epochs[row - 2]:g} back to {epochs[row - 1]:g} in row {row}."
            fix = "one of them alone: its rows in a file or a frame of their own"
            raise InputError(explain(passed, "one training; this looks like several, one after another.", fix))
        whole = np.ceil(np.array(epochs) - 1e-6)  # epoch 0.5 is half of the first, as Hugging Face counts
        if not steps or len(set(whole)) > (1 if (whole == epochs).all() else 2):
            return (whole.tolist() if steps else epochs), False
    if not steps:
        return [float(row) for row in range(rows)], False
    if (back := np.flatnonzero(np.diff(steps) < 0)).size:
        passed = f"{source}, whose step goes back in row {back[0] + 2}."
        raise InputError(explain(passed, "one training; this looks like several, one after another."))
    loss, validation = (
        _where_given(columns[roles[role]] if role in roles else [], steps) for role in ("loss", "val_loss")
    )
    ends = [max((step for step in given if step is not None), default=0.0) for given in (loss, validation)]
    if min(len(set(loss)), len(set(validation))) > 3 and 2 * min(ends) < max(ends):
        passed = f"{source}, where the training loss ends at {ends[0]:g} and the validation loss at {ends[1]:g}."
        expected = "both by the same count; this looks like epochs and steps."
        raise InputError(explain(passed, expected, 'writer.add_scalar("Loss/val", val_loss, global_step)'))
    common = set(loss) & set(validation) - {None}
    return (steps if common or len(set(validation)) < 3 else _filled(validation, source)), True


def _where_given(cells: Sequence[Cell], steps: Sequence[float]) -> list[Cell]:
    return [None if cell is None else steps[row] for row, cell in enumerate(cells)]


def _filled(cells: Sequence[Cell], where: str) -> list[float]:
    """Return cells with blanks filled with the next value, at the end with the last."""
    filled = [None if is_nan(cell) else cell for cell in cells]
    last = next((cell for cell in reversed(filled) if cell is not None), None)
    for row in range(len(filled) - 1, -1, -1):
        cell = filled[row]
        last = filled[row] = last if cell is None else cell
    if not all(cell is None or abs(cell) < 2**53 for cell in filled):
        passed = f"{where}, with one that is infinite or too large to count."
        raise InputError(explain(passed, "whole numbers that rise."))
    return [float(cell) for cell in filled if cell is not None]


def _last_of_each(
    keys: Sequence[float], columns: Mapping[str, list[Cell]]
) -> tuple[NDArray[Any], dict[str, list[Cell]]]:
    """Return the keys, each once, and of each column the last value that is not blank in each key's rows."""
    epochs = np.array(list(dict.fromkeys(keys)))
    places = {key: place for place, key in enumerate(epochs.tolist())}
    taken: dict[str, list[Cell]] = {}
    for name, cells in columns.items():
        taken[name] = [None] * len(epochs)
        for key, cell in zip(keys, cells, strict=True):
            if cell is not None:
                taken[name][places[key]] = cell
    return (epochs.astype(np.int64) if (epochs == np.round(epochs)).all() else epochs), taken


def _array(cells: Sequence[Cell]) -> Array:
    return np.array([math.nan if cell is None else cell for cell in cells], np.float64)


def _training(cells: Sequence[Cell], failed: bool) -> Array:
    """Return the training loss, infinite where the log says at its end that it was no number."""
    loss = _array(cells)
    finite = np.flatnonzero(np.isfinite(loss))
    end = int(finite[-1]) + 1 if finite.size else 0
    grown = bool(finite.size) and abs(loss[end - 1]) > GROWN * abs(loss[finite[0]])
    for place in range(end, len(loss)):
        if cells[place] is not None or grown or failed:
            loss[place] = math.inf
    return loss


def _validation(cells: Sequence[Cell], loss: Array | None) -> Array:
    """Return the validation loss, infinite where the log says at its end that it was no number."""
    values = _array(cells)
    finite = np.flatnonzero(np.isfinite(values))
    end = int(finite[-1]) + 1 if finite.size else 0
    gap = int(np.diff(finite, prepend=-1).max(initial=0)) - 1
    for place in range(end, len(values)):
        diverged = loss is not None and np.isinf(loss[place])
        if cells[place] is not None and (diverged or len(values) - end > gap):
            values[place] = math.inf
    return values
