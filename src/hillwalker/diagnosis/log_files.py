"""Logs in files: CSV with any separator, JSON, JSON lines, TensorBoard's event files, and folders of them."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hillwalker.diagnosis.log_columns import BLANK, Log
from hillwalker.diagnosis.log_names import WORDS, plain_name
from hillwalker.diagnosis.tensorboard import read_scalars
from hillwalker.errors import FileError, InputError, InputTypeError, explain
from hillwalker.training.history import History

READABLE = "a CSV file, JSON, JSON lines, a TensorBoard event file, or a folder of one training's logs"
LOGS = ("*.csv", "*.jsonl", "trainer_state.json", "history.json")
EVENTS = "tfevents"  # what the name of each TensorBoard file holds
LOADERS = {".parquet": "polars.read_parquet({})", ".xlsx": "pandas.read_excel({})", ".npz": "dict(numpy.load({}))",
           ".npy": "numpy.load({})", ".feather": "pandas.read_feather({})"}  # fmt: skip
NO_COLUMNS = ("source", "infinite", "interrupted", "stop_reason")  # of Curves.to_dict()
HEADERLESS = {1: ["loss"], 2: ["train", "validation"]}
DECIMAL_COMMA = re.compile(r"[-+]?\d*,\d+(e[-+]?\d+)?", re.IGNORECASE)


def read_log(path: Path) -> Log:
    """Return what a file or a folder holds.

    Raises FileError where it is missing, empty, damaged or of another kind, InputError where its lines do not fit.
    """
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise FileError(explain(f"the file {path}, which does not exist.", f"{READABLE}."))
    if EVENTS in path.name:
        return _events([path], path)
    if loader := LOADERS.get(path.suffix.lower()):
        fix = f"hw.diagnose({loader.format(repr(str(path)))})"
        raise FileError(explain(f"the file {path.name}.", f"{READABLE}.", fix))
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FileError(explain(f"the file {path} ({error.strerror}).", "a file that can be read.")) from error
    try:  # PowerShell writes UTF-16
        text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        passed = f"the file {path.name}, which is no text in UTF-8 or UTF-16."
        raise FileError(explain(passed, f"{READABLE}; nothing is unpickled.", "hw.diagnose(history.history)"))
    if not text.strip():
        raise FileError(explain(f"the file {path.name}, which is empty.", "a line for each epoch."))
    return _json(text, path.name) if text.lstrip()[0] in "{[" else _csv(text, path.name)


def _folder(path: Path) -> Log:
    """Return what a folder of event files holds, or one with a single log in text."""
    if events := sorted(path.rglob(f"*{EVENTS}*")):
        return _events(events, path)
    logs = sorted(file for pattern in LOGS for file in path.glob(pattern))
    if len(logs) == 1:
        return read_log(logs[0])
    found = ", ".join(file.name for file in logs) or "none"
    fix = f"hw.diagnose({str(logs[0])!r})" if logs else None
    raise FileError(explain(f"the folder {path}, with these logs: {found}.", "event files, or one log.", fix))


def _events(files: Sequence[Path], path: Path) -> Log:
    """Return the scalars of one training: its files in one folder, or in subfolders such as train/ and validation/."""
    by_step: dict[int, dict[str, float]] = {}
    folders: dict[str, Path] = {}  # of each tag, and under "" that of the training
    for file in files:
        part = _part(file.parent.name) if file.parent != path and path.is_dir() else ""
        scalars = [(step, f"{part}/{tag}" if part else tag, value) for step, tag, value in read_scalars(file)]
        owners = {"": file.parent.parent if part else file.parent, **{tag: file.parent for _, tag, _ in scalars}}
        if any(folders.setdefault(tag, folder) != folder for tag, folder in owners.items() if scalars):
            passed = f"the folder {path}, with event files of several trainings."
            expected = "one training; subfolders only for its parts, such as train and validation."
            raise FileError(explain(passed, expected, f"hw.diagnose({str(min(folders.values()))!r})"))
        for step, tag, value in scalars:
            by_step.setdefault(step, {})[tag] = value
    if not by_step:
        raise FileError(explain(f"{path} without a scalar.", 'event files with scalars such as "loss".'))
    tags = list(dict.fromkeys(tag for row in by_step.values() for tag in row))
    # Keras counts epochs in tags of this name, and batches in all others.
    by_epoch = [tag for tag in tags if tag.rpartition("/")[2].startswith("epoch_")]
    steps = [step for step in sorted(by_step) if not by_epoch or any(tag in by_step[step] for tag in by_epoch)]
    columns = {tag: [by_step[step].get(tag) for step in steps] for tag in by_epoch or tags}
    count: dict[str, list[Any]] = {"epoch" if by_epoch else "step": list(steps)}
    return Log(path.name, {**count, **{tag.replace("epoch_", ""): cells for tag, cells in columns.items()}})


def _part(folder: str) -> str:
    """Return "train", "validation" or "eval", as a subfolder's name has it, or "" where it has none."""
    words = plain_name(folder).split("_")
    parts = {"train": WORDS["TRAIN"], "validation": WORDS["VALID"], "eval": WORDS["HELD"]}
    return next((part for part, names in parts.items() if any(re.fullmatch(names, word) for word in words)), "")


def _csv(text: str, source: str) -> Log:
    lines = [line for line in text.splitlines() if line.strip()]
    lines[0] = lines[0].lstrip("# ")  # as NumPy writes a header
    separator = next((mark for mark in ";\t|," if mark in lines[0]), " ")
    if separator != " ":
        rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=separator, skipinitialspace=True)]
    else:  # a single column, whose name may hold spaces, or spaces between columns
        rows = [line.split() if len(lines[-1].split()) > 1 else [line.strip()] for line in lines]
    if separator != ",":
        rows = [[cell.replace(",", ".") if DECIMAL_COMMA.fullmatch(cell) else cell for cell in row] for row in rows]
    header = rows[0]
    if all(_is_number(cell) for cell in header):
        header = _names_of(rows, source)
    else:
        rows = [row for row in rows[1:] if row != header]  # a file that was continued may repeat it
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise InputError(explain(f"{source} with two columns {twice!r}.", "a name of its own for each column."))
    if rows and len(rows[-1]) < len(header) and not text.endswith("\n"):
        rows.pop()  # a line cut short: the training still runs, or was killed
    for place, row in enumerate(rows, 1):
        if len(row) != len(header):
            passed = f"{source}, whose row {place} has {len(row)} cells; its columns are {', '.join(header)}."
            raise InputError(explain(passed, f"{len(header)} cells in each row."))
    return Log(source, {name: [row[place] for row in rows] for place, name in enumerate(header)})


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell.lower() in BLANK[1:]
    return True


def _names_of(rows: Sequence[Sequence[str]], source: str) -> list[str]:
    """Return names for columns without a header: a count of epochs if the first is one, the losses in this order."""
    first = [row[0] for row in rows]
    start = first[0] if first[0] in ("0", "1") else None
    counts = start is not None and len(rows) > 1 and first == [str(int(start) + place) for place in range(len(rows))]
    names = ["epoch"] * counts + HEADERLESS.get(len(rows[0]) - counts, [])
    if len(names) != len(rows[0]):
        passed = f"{source} without a header and with {len(rows[0])} columns."
        raise InputError(explain(passed, "a header such as epoch,loss,val_loss; or two columns, train and validation."))
    return names


def _json(text: str, source: str) -> Log:
    try:
        return log_of(json.loads(text), source)
    except RecursionError:
        raise FileError(explain(f"{source}, which is JSON nested too deep.", "a dict of lists.")) from None
    except json.JSONDecodeError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            json.loads(lines[0])
        except (json.JSONDecodeError, RecursionError):
            passed = f"{source}, which is no JSON ({error})."
            raise FileError(explain(passed, "JSON, or JSON lines: one object a line.")) from None
    rows = []
    for place, line in enumerate(lines):
        try:
            rows.append(json.loads(line))
        except (json.JSONDecodeError, RecursionError) as error:
            if place == len(lines) - 1 and not text.endswith("\n"):
                break  # cut short, as in a CSV file
            raise FileError(
                explain(f"{source}, of which line {place + 1} is no JSON ({error}).", "one object a line.")
            ) from None
    return log_of(rows, source)


def log_of_history(history: History) -> Log:
    """Return a history's columns, each value in its epoch."""
    columns: dict[str, list[Any]] = {"epoch": list(history.epoch)}
    for name, values in history.history.items():
        by_epoch = dict(zip(history.epochs_of(name), values, strict=True))
        columns[name] = [by_epoch.get(epoch) for epoch in history.epoch]
    return Log("a history", columns, history.interrupted, history.stop_reason)


def log_of(value: Any, source: str) -> Log:
    """Return what plain dicts and lists hold: columns, rows, or what hillwalker and Hugging Face save.

    Raises InputTypeError for anything else.
    """
    if isinstance(value, Mapping):
        if isinstance(value.get("log_history"), Sequence):  # Hugging Face's trainer_state.json
            return log_of(value["log_history"], source)
        if isinstance(value.get("history"), Mapping):  # History.to_dict()
            return _saved_history(value, source)
        columns = _columns({name: cells for name, cells in value.items() if name not in NO_COLUMNS}, source)
        infinite = value.get("infinite")
        for name, places in infinite.items() if isinstance(infinite, Mapping) else ():
            if name in columns and isinstance(places, list):
                those = {place for place in places if isinstance(place, int)}
                columns[name] = [math.inf if place in those else cell for place, cell in enumerate(columns[name])]
        return Log(source, columns, *_ended(value))
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value):
        if all(isinstance(row, Mapping) for row in value):
            rows = [_flat(row) for row in value if "train_runtime" not in row]  # Hugging Face's last row sums up
            names = dict.fromkeys(name for row in rows for name in row)
            return Log(source, {name: [row.get(name) for row in rows] for name in names})
        if not any(isinstance(cell, Mapping | Sequence) and not isinstance(cell, str) for cell in value):
            return Log(source, {"loss": value})
    expected = "a list of losses, a dict of lists, or a list of dicts, one an epoch."
    raise InputTypeError(explain(f"{source} with {str(value)[:60]}.", expected, 'hw.diagnose({"loss": [...]})'))


def _saved_history(value: Mapping[str, Any], source: str) -> Log:
    """Return a history of Keras's, or one of ours as `to_dict` writes it."""
    columns, params, epochs = _columns(value["history"], source), value.get("params"), value.get("epoch")
    if isinstance(epochs, list) and epochs:
        short = all(len(cells) <= len(epochs) for cells in columns.values())
        if short and isinstance(params, dict) and "validation_freq" in params:  # only ours says when it validated
            columns = dict(log_of_history(History(epochs, columns, params)).columns)
        columns = {"epoch": epochs, **columns}
    return Log(source, columns, *_ended(value))


def _ended(value: Mapping[str, Any]) -> tuple[bool, str | None]:
    reason = value.get("stop_reason")
    return value.get("interrupted") is True, reason if isinstance(reason, str) else None


def _columns(value: Mapping[str, Any], source: str) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name, cells in _flat(value).items():
        try:
            columns[name] = list(cells.values() if isinstance(cells, Mapping) else cells)
        except TypeError:
            passed = f"{source} with {str(cells)[:60]} as {name!r}."
            fix = f'hw.diagnose({{"{name}": [...]}})'
            raise InputTypeError(explain(passed, "a list, one value an epoch.", fix)) from None
    return columns


def _flat(value: Mapping[str, Any]) -> dict[str, Any]:
    """{"train": {"loss": x}} as {"train/loss": x}; a dict by row, as frames write a column, stays one."""
    flat: dict[str, Any] = {}
    for name, part in value.items():
        if isinstance(part, Mapping) and not all(str(key).isdigit() for key in part):
            flat |= {f"{name}/{inner}": cells for inner, cells in part.items()}
        else:
            flat[str(name)] = part
    return flat
