"""Callbacks that write files: the model, the curves, and all of a training to go on from after a crash.

A file is whole at any moment, also when the process is killed; nothing is deleted but what a callback wrote itself.
"""

from __future__ import annotations

import csv
import os
import string
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from hillwalker import saving
from hillwalker.errors import FileError, HillwalkerError, HillwalkerWarning, InputError, StateError, explain
from hillwalker.folders import leftovers
from hillwalker.training.callbacks.base import Callback, Logs
from hillwalker.training.callbacks.monitors import Monitor
from hillwalker.training.progress import INTERVAL

PLAIN = (float, int, str)  # what a cell of a CSV file may hold as it is


def _save_frequency(value: Any, call: str) -> str | int:
    if value != "epoch" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise InputError(
            explain(f"save_freq={value!r}.", "'epoch', or every how many batches.", f"{call}, save_freq=100)")
        )
    return value  # type: ignore[no-any-return]


class ModelCheckpoint(Monitor):
    """Save the model after each epoch, or every `save_freq` batches; with `save_best_only`, where a metric improved.

    `filepath` may hold fields, as in "{epoch:02d}-{val_loss:.4f}.keras": the epoch counted from 1, the batch, and every
    metric of the epoch. `initial_value_threshold` is the value that the first save must beat.

    >>> ModelCheckpoint("best.keras", save_best_only=True).monitor
    'val_loss'
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode, best=initial_value_threshold)
        self.filepath = os.fspath(filepath)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = _save_frequency(save_freq, f"ModelCheckpoint({self.filepath!r}")
        self._epoch = 0
        self._batches = 0
        try:
            list(string.Formatter().parse(self.filepath))
        except ValueError as error:
            fix = 'ModelCheckpoint("{epoch:02d}-{val_loss:.4f}.keras")'
            raise InputError(
                explain(f"filepath={self.filepath!r} ({error}).", "a path, its fields in braces.", fix)
            ) from error

    @property
    def wants_batches(self) -> bool:
        """Whether it saves every so many batches."""
        return self.save_freq != "epoch"

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Look whether the metric and the path can be used."""
        if self.save_best_only:
            self._direction()
        if Path(self.filepath).is_dir():
            fix = f"ModelCheckpoint({str(Path(self.filepath) / 'model.keras')!r})"
            raise FileError(explain(f"filepath={self.filepath!r}, a directory.", "the path of a file.", fix))

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Note the running epoch."""
        self._epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Save, if every epoch counts."""
        if self.save_freq == "epoch":
            self._save(epoch, {"epoch": epoch + 1, **(logs or {})}, logs or {})

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Save, if enough batches have passed."""
        self._batches += 1
        if self._batches >= int(self.save_freq):
            self._batches = 0
            self._save(self._epoch, {"epoch": self._epoch + 1, "batch": batch + 1, **(logs or {})}, logs or {})

    def _save(self, epoch: int, fields: Logs, logs: Logs) -> None:
        try:
            path = self.filepath.format(**fields)
        except (KeyError, IndexError, ValueError) as error:
            passed = f"filepath={self.filepath!r}, of which {error} cannot be filled in."
            raise InputError(explain(passed, f"fields among {', '.join(fields)}.")) from error
        if self.save_best_only and not self._improved(epoch, logs, path):
            return
        if self.verbose > 0 and not self.save_best_only:
            print(f"Epoch {epoch + 1}: saving model to {path}")
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path)
        else:
            self.model.save(path)

    def _improved(self, epoch: int, logs: Logs, path: str) -> bool:
        current = self._current(logs)
        if current is None:
            return bool(self.params.get("validation_freq", 1) == 1)  # as in Keras
        before = "None" if self.best is None else f"{self.best:.5f}"
        if not self._better(current, self.best):
            if self.verbose > 0:
                print(f"Epoch {epoch + 1}: {self.monitor} did not improve from {before}")
            return False
        if self.verbose > 0:
            print(f"Epoch {epoch + 1}: {self.monitor} improved from {before} to {current:.5f}, saving model to {path}")
        self.best = current
        return True

    def get_state(self) -> dict[str, Any]:
        """Return the best value, and the batches since the last save."""
        return {"best": self.best, "batches": self._batches}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on comparing where the interrupted training was."""
        self.best, self._batches = state["best"], state["batches"]


class CSVLogger(Callback):
    """Write one line an epoch to a CSV file, on the disk at once, or about ten times a second where epochs are faster.

    Beside callbacks that may write something themselves, every line is on the disk before training goes on: a model
    that is loaded or restored after a crash then finds the lines of all its epochs.

    With `append` an existing file is continued. A training that is resumed continues its file in any case; lines of
    epochs that it runs again, and a last line that was cut short, are replaced.

    >>> CSVLogger("training.csv", separator=";").filename
    'training.csv'
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.filename = os.fspath(filename)
        self.sep = separator
        self.append = append
        self.writes_at_once = True  # CallbackList knows better
        self._resumed = False
        self._file: IO[str] | None = None
        self._columns: list[str] = []
        self._lines: list[list[Any]] = []  # not written yet
        self._due = 0.0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Look whether the file can be written; what it holds stays until there is something to write."""
        self.close()
        self._resumed = False
        try:
            with Path(self.filename).open("a", encoding="utf-8"):
                pass
        except OSError as error:
            passed = f"CSVLogger({self.filename!r}): {error.strerror}."
            raise FileError(explain(passed, "a file that can be written, in a folder that exists.")) from error

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue the file of the interrupted training."""
        self._resumed = True

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write the epoch's line."""
        logs = logs or {}
        if self._file is None:
            self._file = self._open(epoch, logs)
        self._lines.append([epoch, *[logs.get(name, "NA") for name in self._columns]])
        if self.writes_at_once or time.perf_counter() >= self._due:
            self._write()

    def _write(self) -> None:
        if self._file is not None:
            cells = [[value if type(value) in PLAIN else _cell(value) for value in line] for line in self._lines]
            csv.writer(self._file, delimiter=self.sep, lineterminator="\n").writerows(cells)
            self._file.flush()
        self._lines.clear()
        self._due = time.perf_counter() + INTERVAL

    def _open(self, epoch: int, logs: Logs) -> IO[str]:
        names = sorted(logs)
        if not any(name.startswith("val_") for name in names):
            names += [f"val_{name}" for name in names]  # Keras's columns for a validation that may come later
        path = Path(self.filename)
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if self.append or self._resumed else []
        if lines and not lines[-1].endswith("\n"):
            lines.pop()
        if lines:
            names = next(csv.reader(lines[:1], delimiter=self.sep))[1:]
        if self._resumed or epoch > 0:
            lines = lines[:1] + [line for line in lines[1:] if int(line.split(self.sep, 1)[0]) < epoch]
        partial = path.with_name(path.name + ".partial")
        partial.write_text("".join(lines), encoding="utf-8")
        partial.replace(path)
        self._columns = names
        if not lines:
            self._lines.append(["epoch", *names])
        return path.open("a", encoding="utf-8", newline="")

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._write()
            self._file.close()
        self._file = None


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return value
    return float(value) if np.ndim(value) == 0 else f"[{', '.join(map(str, np.ravel(value)))}]"


class BackupAndRestore(Callback):
    """Save all of a training after each epoch, or every `save_freq` batches; after a crash, go on from there.

    The file in `backup_dir` is written whole or not at all. The next `fit` restores weights, optimizer, random state,
    the other callbacks' state and the history, and then equals a training that was never interrupted. When training
    ends by itself, the file is deleted, unless `delete_checkpoint` is False. `double_checkpoint` keeps the one before,
    too. Raises FileError for a damaged file, and leaves it where it is.

    >>> BackupAndRestore("backup").wants_batches
    False
    """

    runs_last = True

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        if not os.fspath(backup_dir):
            raise InputError(explain("backup_dir=''.", "the path of a folder.", 'BackupAndRestore("backup")'))
        self.backup_dir = os.fspath(backup_dir)
        self.save_freq = _save_frequency(save_freq, f"BackupAndRestore({self.backup_dir!r}")
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self.companions: list[Callback] = []  # the other callbacks of this training; CallbackList tells them
        self._path = Path(self.backup_dir) / "latest.safetensors"
        self._previous = Path(self.backup_dir) / "previous.safetensors"
        self._epoch = 0
        self._batches = 0

    @property
    def wants_batches(self) -> bool:
        """Whether it saves every so many batches."""
        return self.save_freq != "epoch"

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Restore, if there is something to restore."""
        self._epoch = self._batches = 0
        if not self._path.exists():
            return
        arrays, backup = self._read()
        before = self.model.snapshot()
        try:
            self._restore(arrays, backup)
        except Exception as error:
            self.model.restore(*before)
            if isinstance(error, HillwalkerError):
                raise
            passed = f"the backup {str(self._path)!r}, whose parts contradict each other ({error!r})."
            fix = f"delete {str(self._path)!r}, and training starts anew"
            raise FileError(explain(passed, "a file that BackupAndRestore wrote.", fix)) from error

    def _restore(self, arrays: dict[str, Any], backup: dict[str, Any]) -> None:
        kinds = [type(callback).__name__ for callback in self.companions]
        saved_kinds = [callback["kind"] for callback in backup["callbacks"]]
        if saved_kinds != kinds:
            passed = f"a backup of a training with the callbacks {saved_kinds}, and now {kinds}."
            fix = f"delete {str(self._path)!r}, and training starts anew"
            raise StateError(explain(passed, "the same callbacks in the same order.", fix))
        self.model.restore(_under("model.", arrays), backup["model"])
        for i, (callback, saved) in enumerate(zip(self.companions, backup["callbacks"], strict=True)):
            callback.set_state({**saved["state"], **_under(f"callback_{i}.", arrays)})
        self._epoch, self._batches = int(backup["epoch"]), int(backup["batches"])
        self.model.resume_from(epoch=self._epoch, history=backup["history"])
        self.model.stop_training = bool(backup["stop_training"])
        if self.model.optimizer.learning_rate != backup["learning_rate"]:  # another callback had changed it
            self.model.optimizer.learning_rate = backup["learning_rate"]

    def _read(self) -> tuple[dict[str, Any], dict[str, Any]]:
        try:
            arrays, metadata = saving.read(self._path)
        except FileError as error:
            if not self._previous.exists():
                fix = f"delete {str(self._path)!r}, and training starts anew"
                passed = f"the backup {str(self._path)!r}, which cannot be read ({str(error).splitlines()[0]})"
                raise FileError(explain(passed, "a file that BackupAndRestore wrote.", fix)) from error
            message = explain(
                f"the backup {str(self._path)!r}, which is damaged.", "a whole file; the one before it is used."
            )
            warnings.warn(message, HillwalkerWarning, stacklevel=2)
            arrays, metadata = saving.read(self._previous)
        backup = metadata.get("backup")
        if not isinstance(backup, dict):
            raise FileError(explain(f"{str(self._path)!r}, which is no backup.", "a file that BackupAndRestore wrote."))
        return arrays, backup

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Note the running epoch."""
        self._epoch = epoch

    def on_epoch_recorded(self, epoch: int, logs: Logs | None = None) -> None:
        """Save, if every epoch counts."""
        self._epoch = epoch + 1
        if self.save_freq == "epoch":
            self._save()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Save, if enough batches have passed."""
        self._batches += 1
        if self._batches >= int(self.save_freq):
            self._batches = 0
            self._save()

    def _save(self) -> None:
        model_arrays, model_metadata = self.model.snapshot()
        arrays = {f"model.{name}": array for name, array in model_arrays.items()}
        callbacks = []
        for i, callback in enumerate(self.companions):
            state = callback.get_state()
            arrays |= {f"callback_{i}.{name}": v for name, v in state.items() if isinstance(v, np.ndarray)}
            plain = {name: v for name, v in state.items() if not isinstance(v, np.ndarray)}
            callbacks.append({"kind": type(callback).__name__, "state": plain})
        history = self.model.history
        curves = {name: [float(value) for value in values] for name, values in history.history.items()}
        backup = {
            "model": model_metadata,
            "epoch": self._epoch,
            "batches": self._batches,
            "learning_rate": float(self.model.optimizer.learning_rate),
            "history": {"epoch": list(history.epoch), "history": curves},
            "callbacks": callbacks,
            "stop_training": bool(self.model.stop_training),
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self.double_checkpoint and self._path.exists():
            import shutil

            shutil.copyfile(self._path, self._previous)
        saving.write(self._path, arrays, {"backup": backup})

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Delete what it wrote, and nothing else; after Ctrl-C it stays, for the next `fit`."""
        completed = self._epoch >= self.params.get("epochs", 0) or self.model.stop_training
        if not self.delete_checkpoint or not completed:
            return
        for written in (self._path, self._previous, *leftovers(self._path)):
            written.unlink(missing_ok=True)
        folder = Path(self.backup_dir)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _under(prefix: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
