"""The runs of a comparison: done in portions on all cores, each written down when it is done.

A run is one variant from one seed on one split. Which portion it is in changes no number of it.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import config, engine, folders
from hillwalker.choosing.splits import Split
from hillwalker.choosing.variants import Settings, Variant, described_without_names
from hillwalker.errors import FileError, HillwalkerWarning, explain
from hillwalker.models import Sequential, copies, fit_many
from hillwalker.training.history import History

PORTION_SECONDS = 1.0  # a portion takes about so long: what a killed program loses at most
LEDGER = "runs.jsonl"
_DRAWING = threading.Lock()  # weights are drawn from the process's generator; a Dask worker has several threads


@dataclass(frozen=True)
class Run:
    """One training to do: the numbers of its variant, seed and split."""

    variant: int
    seed: int
    split: int


@dataclass(frozen=True)
class Outcome:
    """What a run left: its curves, the epoch (from 0) whose weights were kept, whether it failed, its seconds."""

    curves: dict[str, list[float]]
    kept: int
    failed: bool
    seconds: float
    penalty: float
    """The regularizers' part of the loss at the weights kept, which is no part of how good a prediction is."""


@dataclass(frozen=True)
class Task:
    """All that runs need besides their numbers."""

    variants: Sequence[Variant]
    x: Any
    y: Any
    sample_weight: Any
    validation_data: Any
    splits: Sequence[Split] | None
    fit: Settings
    lanes: bool

    def told(self, run: Run) -> Settings:
        """Return what `fit` is told for a run."""
        return self.fit | self.variants[run.variant].fit


def do(task: Task, portion: Sequence[Run], threads: int | None) -> list[Outcome | None]:
    """Do some runs side by side; None for one that Ctrl-C ended before its time."""
    with _DRAWING:
        models = [copies(_built(task.variants[run.variant].model, task), [run.seed])[0] for run in portion]
    told = [task.told(run) for run in portion]
    given: dict[str, Any] = {}
    if task.splits is None:
        given["validation_data"] = task.validation_data
    else:
        given["rows"] = [task.splits[run.split][0] for run in portion]
        given["validation_rows"] = [task.splits[run.split][1] for run in portion]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HillwalkerWarning)  # what failed stands in the table
        histories = fit_many(
            models,
            task.x,
            task.y,
            batch_size=[settings["batch_size"] for settings in told],
            epochs=[settings["epochs"] for settings in told],
            shuffle=[settings["shuffle"] for settings in told],
            early_stopping=[settings["early_stopping"] for settings in told],
            sample_weight=task.sample_weight,
            verbose=0,
            lanes=task.lanes,
            threads=threads,
            **given,
        )
    return [
        None if history.interrupted else _outcome(history, settings["early_stopping"], model)
        for history, settings, model in zip(histories, told, models, strict=True)
    ]


def _built(model: Sequential, task: Task) -> Sequential:
    """Return the model, or of one that has no shape yet a copy that has: then weights follow from the seed alone."""
    if model.built:
        return model
    with config.seeded(0):
        made = copies(model, [0])[0]
        made._build_for(task.x, made._edge.data(task.x, task.y, task.sample_weight).x)
    return made


def _outcome(history: History, early_stopping: Any, model: Sequential) -> Outcome:
    curves = {name: [float(value) for value in values] for name, values in history.history.items()}
    failed = history.stop_reason is not None
    kept = max(0, len(history.epoch) - 1)
    if early_stopping is not None and early_stopping.restore_best_weights and not failed:
        kept = history.best_epoch(early_stopping.monitor)
    penalty = sum(
        segment.regularizer(segment.view(model.state.parameters))
        for segment in model.plan.trained
        if segment.regularizer is not None
    )
    return Outcome(curves, kept, failed, float(history.seconds or 0.0), float(penalty))


def in_portions(
    task: Task, runs: Sequence[Run], threads: int | None, show: Callable[[float], None]
) -> Iterator[tuple[Run, Outcome]]:
    """Yield each run as it is done; Ctrl-C raises KeyboardInterrupt after the runs that are done were yielded."""
    at_once = max(1, threads or 1) * 8
    first = 0
    while first < len(runs):
        portion = runs[first : first + at_once]
        began = time.perf_counter()
        outcomes = do(task, portion, threads)
        took = time.perf_counter() - began
        for run, outcome in zip(portion, outcomes, strict=True):
            if outcome is not None:
                yield run, outcome
        if any(outcome is None for outcome in outcomes):
            raise KeyboardInterrupt
        first += len(portion)
        show(first / len(runs))
        at_once = int(np.clip(at_once * PORTION_SECONDS / max(took, 1e-6), at_once / 4, at_once * 4)) or 1


# The ledger: a line a run, so that a killed comparison goes on where it was


class Ledger:
    """Outcomes in a file of JSON lines, found again by what went into them: data, variant, seed, rows, machine code."""

    def __init__(self, folder: str | Path | None, task: Task, seeds: Sequence[int]) -> None:
        self.path = None if folder is None else folders.make_folder(folder) / LEDGER
        self.seeds = seeds
        self.known: dict[str, Outcome] = {}
        self.keys: dict[tuple[int, int], str] = {}
        if self.path is not None:
            data = fingerprint(task.x, task.y, task.sample_weight, task.validation_data)
            for number, variant in enumerate(task.variants):
                architecture, compiled = described_without_names(variant.model)
                fit = {name: _described(value) for name, value in (task.fit | variant.fit).items()}
                for split in range(1 if task.splits is None else len(task.splits)):
                    rows = None if task.splits is None else fingerprint(*task.splits[split])
                    machine = [engine.instruction_set(), engine.precision(), task.lanes]
                    self.keys[number, split] = json.dumps(
                        [data, architecture, compiled, fit, rows, machine], default=repr
                    )
            self._read()

    def _key(self, run: Run) -> str:
        text = f"{self.keys[run.variant, run.split]} seed {run.seed}"
        return hashlib.sha256(text.encode()).hexdigest()

    def find(self, run: Run) -> Outcome | None:
        """Return what is known of a run."""
        return None if self.path is None else self.known.get(self._key(run))

    def add(self, run: Run, outcome: Outcome) -> None:
        """Write down what a run left."""
        if self.path is None:
            return
        line = json.dumps({"key": self._key(run), **asdict(outcome)}) + "\n"
        with self.path.open("ab", buffering=0) as file:  # one call: a line is there or not
            file.write(line.encode())

    def _read(self) -> None:
        assert self.path is not None
        if not self.path.exists():
            return
        text = self.path.read_text(encoding="utf-8")
        lines = text.splitlines()
        if text and not text.endswith("\n"):  # the program was killed in the middle of a line
            lines.pop()
            whole = "".join(line + "\n" for line in lines)
            folders.write_whole(self.path, whole.encode())
        for number, line in enumerate(lines):
            try:
                told = json.loads(line)
                key = told.pop("key")
                self.known[key] = Outcome(**told)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                passed = f"{str(self.path)!r}, whose line {number + 1} is no run ({error})."
                raise FileError(explain(passed, "a file that compare wrote.", "another folder")) from error


def fingerprint(*values: Any) -> str:
    """Return a text that differs where arrays differ, in a bit, a shape or a type.

    >>> fingerprint(np.zeros(2)) == fingerprint(np.zeros(2)), fingerprint(np.zeros(2)) == fingerprint(np.zeros((2, 1)))
    (True, False)
    """
    digest = hashlib.sha256()
    for value in values:
        if isinstance(value, (tuple, list)) and any(hasattr(part, "shape") for part in value):
            digest.update(fingerprint(*value).encode())
            continue
        array: NDArray[Any] = np.ascontiguousarray(value) if value is not None else np.empty(0)
        digest.update(f"{array.dtype.str} {np.shape(value)} {value is None};".encode())
        digest.update(array.tobytes() if array.dtype.hasobject else array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _described(value: Any) -> Any:
    settings = {key: part for key, part in getattr(value, "__dict__", {}).items() if not key.startswith("_")}
    plain = {key: part for key, part in settings.items() if isinstance(part, (bool, int, float, str, type(None)))}
    return [type(value).__name__, plain] if settings else value
