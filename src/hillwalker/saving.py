"""One safetensors file, written whole or not at all.

Arrays and plain JSON go in, arrays and plain JSON come out; what they mean is the business of `models.py` and of the
callbacks. Reading runs nothing that a file says: there is no pickle, no code and no class name that is looked up here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker.errors import FileError, InputTypeError, explain
from hillwalker.folders import write_whole

FORMAT = 1  # raised when an older hillwalker could not read the file
KEY = "hillwalker"

Arrays = dict[str, NDArray[Any]]
Metadata = dict[str, Any]


def write(path: str | os.PathLike[str], arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, Any]) -> None:
    """Write arrays and JSON metadata to one safetensors file.

    At any moment `path` is the old file or the new one, never a part of one. Raises FileError where it cannot be
    written, InputTypeError for metadata that JSON does not know.
    """
    from importlib.metadata import version  # slow to import, and a file is seldom written

    from safetensors.numpy import save

    stamped = {"format": FORMAT, "hillwalker": version("hillwalker"), "numpy": np.__version__, **metadata}
    whole = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    try:
        described = json.dumps(stamped)
    except (TypeError, ValueError) as error:
        passed = f"something to be saved that is no plain number, text, list or dict ({error})."
        fix = "float(value), str(value) or array.tolist()"
        raise InputTypeError(explain(passed, "plain JSON values.", fix)) from error
    write_whole(Path(path), save(whole, metadata={KEY: described}))


def read(path: str | os.PathLike[str]) -> tuple[Arrays, Metadata]:
    """Return the arrays and the metadata of a file that `write` wrote.

    Raises FileError for a file that is missing, damaged, cut short, of another kind or from a newer hillwalker.
    """
    from safetensors import SafetensorError, safe_open

    if not isinstance(path, (str, os.PathLike)):
        raise InputTypeError(explain(f"filepath={path!r}.", "a path.", 'load_model("model.safetensors")'))
    target = Path(path)
    if not target.is_file():
        raise FileError(explain(f"{str(path)!r}, which is no file.", "a file that model.save wrote."))
    try:
        with safe_open(target, framework="numpy") as file:
            header = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(target, str(error), _kind(target)) from error
    try:
        metadata = json.loads(header[KEY])
        written_by = metadata["format"]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise _damaged(target, "it holds arrays, but not what hillwalker writes beside them", None) from error
    if not isinstance(written_by, int) or written_by > FORMAT:
        passed = f"{str(path)!r}, of format {written_by!r} (hillwalker {metadata.get('hillwalker')})."
        raise FileError(explain(passed, f"format {FORMAT} or older.", "pip install --upgrade hillwalker"))
    return arrays, metadata


def _kind(path: Path) -> str | None:
    """Return what a file of another kind is, from its first bytes, or None."""
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(b"PK\x03\x04"):
        return "a Keras or zip file"
    if start.startswith(b"\x89HDF"):
        return "an HDF5 file"
    return "a pickle" if start.startswith(b"\x80") else None


def _damaged(path: Path, reason: str, kind: str | None) -> FileError:
    passed = f"{str(path)!r}, which cannot be read: {reason}." if kind is None else f"{str(path)!r}, {kind}."
    return FileError(explain(passed, "a whole file that model.save wrote; nothing in it was run."))
