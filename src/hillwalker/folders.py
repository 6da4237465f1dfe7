"""Where a job's files go: a folder of its own, and no file of the user's overwritten unasked.

A folder is hillwalker's if it holds the marker file; nothing is ever deleted.
"""

from __future__ import annotations

import glob
import os
from contextlib import suppress
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


def leftovers(path: Path) -> list[Path]:
    """Return what `write_whole` of a process that was killed has left beside a path."""
    return list(path.parent.glob(f".{glob.escape(path.name)}.*.part"))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: to a temporary neighbour that, once on the disk, takes the name.

    At any moment `path` is the old file or the new one. Raises FileError where it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise FileError(explain(f"the path {str(path)!r} ({error}).", "a file that can be written.")) from error
        raise
