"""Where a job's files go: a folder of its own, and no file of the user's overwritten unasked.

A folder is hillwalker's if it holds the marker file; nothing is ever deleted.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hillwalker.errors import FileError, explain

MARKER = ".hillwalker"


def check_folder(path: str | Path, overwrite: bool = False) -> Path:
    """Return the path if a job may write there: it is absent, empty, made by hillwalker, or `overwrite` is set.

    Creates nothing. Raises FileError otherwise.

    >>> check_folder("a-new-folder").name
    'a-new-folder'
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise FileError(explain(f"the output {path}, which is a file.", "a folder.", "--output ANOTHER-FOLDER"))
    if path.is_dir() and any(path.iterdir()) and not (path / MARKER).exists() and not overwrite:
        raise FileError(
            explain(
                f"the output folder {path}, which holds files that hillwalker did not make.",
                "a new or empty folder.",
                f"--output {path}-2, or --overwrite to replace files of the same names",
            )
        )
    return path


def make_folder(path: str | Path, overwrite: bool = False) -> Path:
    """Create the folder if `check_folder` allows it, and mark it as hillwalker's; returns its path."""
    path = check_folder(path, overwrite)
    path.mkdir(parents=True, exist_ok=True)
    (path / MARKER).write_text("This folder was made by hillwalker, which may write over the files it made here.\n")
    return path


def check_file(path: str | Path, overwrite: bool = False) -> Path:
    """Return the path if a file may be written there: nothing is there yet, or `overwrite` is set."""
    path = Path(path)
    if path.is_dir():
        raise FileError(
            explain(f"the output {path}, which is a folder.", "a file's name.", f"--output {path}/result.csv")
        )
    if path.exists() and not overwrite:
        raise FileError(explain(f"the output {path}, which exists.", "a new file.", "another --output, or --overwrite"))
    if not path.absolute().parent.is_dir():
        raise FileError(explain(f"the output {path}, in a folder that does not exist.", "a folder that exists."))
    return path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: to a temporary neighbour, which then takes the name."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)  # mkstemp's 0o600 would hide the file from the user's colleagues
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
