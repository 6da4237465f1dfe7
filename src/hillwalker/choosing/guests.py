"""What a worker process does with a portion of runs: the caller's settings for a while, then its own again.

Only what a process shares is looked after here: precision, engine, instruction set, warnings, threads.
"""

from __future__ import annotations

import os
import pickle
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import metadata
from typing import Any

from hillwalker import config, engine
from hillwalker.choosing.runs import Run, Task, do
from hillwalker.choosing.variants import Variant
from hillwalker.errors import HillwalkerWarning, StateError, explain


@lru_cache
def version() -> str:
    """Return this hillwalker's version."""
    return metadata.version("hillwalker")


@dataclass(frozen=True)
class Home:
    """What the numbers of a run depend on besides its task: where the caller is at home."""

    version: str
    floatx: str
    engine: str
    instruction_set: str

    @classmethod
    def here(cls) -> Home:
        """Return this process's."""
        return cls(version(), config.floatx(), config.engine_name(), engine.instruction_set())

    def refuse_if_impossible(self) -> None:
        """Raise StateError where this machine cannot compute the caller's numbers."""
        if self.version != version():
            passed = f"a worker with hillwalker {version()}, for a caller with {self.version}."
            raise StateError(explain(passed, "the same version everywhere.", f"pip install hillwalker=={self.version}"))
        if self.instruction_set not in engine.instruction_sets():
            passed = f"a worker that cannot run {self.instruction_set}, which the caller runs: numbers would differ."
            expected = f"one that all can run, such as {engine.instruction_sets()[0]}, for the caller too."
            raise StateError(explain(passed, expected, f"HILLWALKER_ISA={engine.instruction_sets()[0]} python ..."))

    def settle(self) -> None:
        """Make this process compute as the caller does."""
        config.set_floatx(self.floatx)
        os.environ["HILLWALKER_ENGINE"] = self.engine
        if engine.instruction_set() != self.instruction_set:
            engine.choose_instruction_set(self.instruction_set)


class _House:
    """One process, in which several threads may work at a time if they are from the same home."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.guests = 0
        self.home: Home | None = None

    @contextmanager
    def guest(self, home: Home) -> Iterator[None]:
        """Compute as at `home`, on one thread and without hillwalker's warnings: what failed stands in the table."""
        with self.changed:
            self.changed.wait_for(lambda: self.guests == 0 or self.home == home)
            if self.guests == 0:
                self.own, self.own_engine = Home.here(), os.environ.get("HILLWALKER_ENGINE")
                self.own_threads, self.quiet = config.threads(), warnings.catch_warnings()
                self.quiet.__enter__()
                warnings.simplefilter("ignore", HillwalkerWarning)
                home.settle()
                config.set_threads(1)
                self.home = home
            self.guests += 1
        try:
            yield
        finally:
            with self.changed:
                self.guests -= 1
                if self.guests == 0:
                    self._restore()
                self.changed.notify_all()

    def _restore(self) -> None:
        self.own.settle()
        if self.own_engine is None:
            del os.environ["HILLWALKER_ENGINE"]
        config.set_threads(self.own_threads)
        self.quiet.__exit__(None, None, None)


_HOUSE = _House()


@dataclass(frozen=True)
class Raised:
    """An error of the task's own, such as a user's function that raises: no reason to try again."""

    error: Exception


def work(task: Task, variants: Sequence[Variant], runs: Sequence[Run], home: Home) -> Any:
    """Return the outcomes of some runs and the seconds they took, or a Raised.

    `task` is what all portions share, without variants; `variants` those that `runs` count.
    """
    began = time.perf_counter()
    try:
        home.refuse_if_impossible()
        with _HOUSE.guest(home):
            outcomes = do(replace(task, variants=variants), runs, 1)
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            return Raised(RuntimeError(f"{type(error).__name__}: {error}"))
        return Raised(error)
    return outcomes, time.perf_counter() - began
