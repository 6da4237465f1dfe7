"""The one way in which contenders are timed: each in a process of its own, all in turns, on the same tasks.

A contender waits while another trains; they take turns, round by round, so that whatever else the machine does meets
them all alike. Before the first round each trains some steps on the rows as they lie: their losses must then agree.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import sys
import time
import traceback
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from statistics import median
from typing import Any, NamedTuple

import machine
from contenders import CONTENDERS, CannotRun, Contender
from tasks import Task

# In float64 all compute the same; in float32 they round differently, and steps multiply the difference.
TOLERANCES = {"float32": 1e-2, "float64": 1e-6}


@dataclass
class Result:
    """What one contender did with one task: its loss, and microseconds a step, by round and call; or why not."""

    label: str
    loss: float = math.nan
    rounds: list[list[float]] = field(default_factory=list)
    why_not: str = ""

    @property
    def median(self) -> float:
        return median(map(median, self.rounds))  # a round counts once: those in a quiet moment hold more calls

    @property
    def best(self) -> float:
        return min(value for calls in self.rounds for value in calls)

    def ratio(self, ours: Result) -> float:
        """Return how many times as long as ours a step takes: the median over the rounds, each with itself compared."""
        return median(median(a) / median(b) for a, b in zip(self.rounds, ours.rounds, strict=True))


@dataclass
class Race:
    """What all contenders did with one task; the first is hillwalker, and only those that ran have rounds."""

    name: str
    task: Task
    threads: int
    checked_steps: int
    results: list[Result] = field(default_factory=list)

    @property
    def ours(self) -> Result:
        return self.results[0]

    @property
    def ran(self) -> list[Result]:
        return [result for result in self.results if not result.why_not]

    @property
    def peers(self) -> list[Result]:
        """Those that ran, without us, the fastest first."""
        return sorted((result for result in self.ran if result is not self.ours), key=lambda peer: peer.median)

    def apart(self, result: Result) -> float:
        """Return how far a loss is from ours after the same steps, as a part of ours."""
        return abs(result.loss - self.ours.loss) / abs(self.ours.loss)

    @property
    def unequal(self) -> list[Result]:
        """Those that did not train what we trained."""
        return [result for result in self.ran if not self.apart(result) <= TOLERANCES[self.task.dtype]]


def _work(label: str, threads: int, connection: Connection) -> None:
    """Be one contender: prepare for each task received, train for each number of seconds, end at None."""
    machine.pin(threads)
    contender: Contender | None = None
    at_once = 1
    while (order := connection.recv()) is not None:
        try:
            if isinstance(order, tuple):
                task, steps = order
                contender, at_once = None, 1  # the last one's memory goes first
                contender = CONTENDERS[label](task, threads)
                contender.train(math.ceil(steps / task.steps), shuffle=False)
                answer: Any = contender.loss()
            else:
                assert contender is not None
                answer, at_once = _turn(contender, order, at_once)
        except CannotRun as reason:
            answer = str(reason)
        except Exception as error:
            traceback.print_exc()
            answer = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:200]}"
        connection.send(answer)


def _turn(contender: Contender, seconds: float, at_once: int) -> tuple[list[float], int]:
    """Train for at least some seconds; return microseconds a step of each call, and the epochs that make a call."""
    contender.train(1)  # the other contenders left nothing of ours in the caches
    calls: list[float] = []
    spent = 0.0
    while spent < seconds:
        began = time.perf_counter()
        contender.train(at_once)
        took = time.perf_counter() - began
        spent += took
        calls.append(1e6 * took / (at_once * contender.task.steps))
        wanted = at_once * min(contender.call_seconds, seconds) / took
        if wanted > 1.5 * at_once:  # too short a call: its fixed costs would count
            at_once, calls, spent = math.ceil(wanted), [], 0.0
    return calls, at_once


class Progress:
    """One line on the terminal that says what runs; a line for each turn would fill a file."""

    def __init__(self) -> None:
        self.began = time.perf_counter()

    def say(self, text: str) -> None:
        if sys.stderr.isatty():
            print(f"\r\033[K{time.perf_counter() - self.began:4.0f} s  {text}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)


class Seat(NamedTuple):
    """A contender's process and the way to it."""

    label: str
    process: Any
    connection: Connection


class Track(contextlib.AbstractContextManager["Track"]):
    """The contenders' processes, which live for all the races between `with` and its end."""

    def __init__(self, labels: list[str], threads: int) -> None:
        self.threads, self.progress, self.seats = threads, Progress(), list[Seat]()
        machine.limit_threads(threads)  # here: a child imports NumPy before it comes to its first line
        context = multiprocessing.get_context("spawn")
        for label in labels:
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(label, threads, theirs), daemon=True)
            process.start()
            theirs.close()
            self.seats.append(Seat(label, process, ours))

    def __exit__(self, *_: object) -> None:
        for seat in self.seats:
            with contextlib.suppress(OSError):
                seat.connection.send(None)
            seat.process.join(5)
            seat.process.terminate()

    def race(self, name: str, task: Task, rounds: int, seconds: float, steps: int) -> Race:
        """Let all contenders train one task in turns, after `steps` steps or more that all do alike."""
        race = Race(name, task, self.threads, math.ceil(steps / task.steps) * task.steps)
        for seat in self.seats:
            self.progress.say(f"{name}: {seat.label} prepares")
            answer = self._ask(seat, (task, steps))
            failed = isinstance(answer, str)
            race.results.append(Result(seat.label, why_not=answer) if failed else Result(seat.label, answer))
        if race.ours.why_not:
            raise SystemExit(f"{name}: {race.ours.label} cannot run: {race.ours.why_not}")
        for number in range(1, rounds + 1):
            for seat, result in zip(self.seats, race.results, strict=True):
                if result.why_not:
                    continue
                self.progress.say(f"{name}: round {number} of {rounds}, {result.label}")
                answer = self._ask(seat, seconds)
                if isinstance(answer, str):
                    result.why_not = answer
                else:
                    result.rounds.append(answer)
        self.progress.clear()
        return race

    @staticmethod
    def _ask(seat: Seat, order: object) -> Any:
        try:
            seat.connection.send(order)
            return seat.connection.recv()
        except (EOFError, OSError):
            return "its process ended; the error stands above"
