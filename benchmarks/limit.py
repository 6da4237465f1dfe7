"""What part of the machine's limit a training step reaches, and where the rest of its time goes.

The limit is the rate of independent multiply-adds in the widest registers, measured in the same run for each
instruction set. Useful operations are 2 B I O a layer for each of x W and xᵀ dz, and for dz Wᵀ in all layers but the
first. It does not compare with peers (step.py does).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import machine
from kernels import build

PHASES = ("forward", "dX", "dW", "update", "activation", "loss", "gather")


@dataclass(frozen=True)
class Task:
    """A network, its batch, the rows of an epoch: through the engine alone, and through `model.fit`."""

    widths: tuple[int, ...]
    batch: int
    rows: int
    fit_rows: int
    dtype: str = "float32"
    hidden: str = "relu"
    output: str = "linear"
    threads: int = 1

    @property
    def operations(self) -> float:
        """The useful floating-point operations of a step."""
        products = [2.0 * self.batch * i * o for i, o in zip(self.widths, self.widths[1:], strict=False)]
        return 3 * sum(products) - products[0]

    def __str__(self) -> str:
        words = "-".join(map(str, self.widths)) + f", batch {self.batch:,}"
        for given, usual in ((self.dtype, "float32"), (self.hidden, "relu"), (self.output, "linear")):
            words += f", {given}" if given != usual else ""
        return words + (f", {self.threads} threads" if self.threads > 1 else "")


S, M, L = (20, 64, 32, 1), (784, 256, 128, 10), (784, 512, 512, 10)
TASKS = {
    "XS": Task((8, 16, 1), 32, 4096, 8192),
    "S": Task(S, 32, 4096, 8192),
    "S256": Task(S, 256, 4096, 8192),
    "M": Task(M, 128, 256, 2048),
    "L": Task(L, 128, 256, 2048),
    "M two threads": Task(M, 128, 256, 2048, threads=2),
    "L two threads": Task(L, 128, 256, 2048, threads=2),
    "S batch 1": Task(S, 1, 256, 1024),
    "S batch 7": Task(S, 7, 1792, 3584),
    "S full batch": Task(S, 8192, 8192, 8192),
    "S tanh": Task(S, 32, 4096, 8192, hidden="tanh"),
    "S softmax": Task((20, 64, 32, 10), 32, 4096, 8192, output="softmax"),
    "S float64": Task(S, 32, 4096, 8192, dtype="float64"),
    "awkward": Task((17, 100, 3, 1), 32, 4096, 8192),
    "M float64": Task(M, 128, 256, 2048, dtype="float64"),
}


def engine(task: Task, instruction_set: str, seconds: float) -> dict[str, Any]:
    """Return what kernels/limit.cpp measures: the step, its kernels one by one, the peak; microseconds, GFLOP/s."""
    program = build.build("limit", instruction_set, with_core=True)
    widths = "-".join(map(str, task.widths))
    words = [instruction_set, seconds, task.threads, widths, task.batch, task.rows, task.dtype, task.hidden]
    asked = subprocess.run([program, *map(str, words), task.output], capture_output=True, text=True, check=True)
    measured: dict[str, Any] = json.loads(asked.stdout)
    return measured


def fit(task: Task, instruction_set: str, seconds: float) -> dict[str, float]:
    """Return the microseconds of a step through `model.fit`, shuffle included, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    os.environ["HILLWALKER_ISA"] = instruction_set  # read when the child imports hillwalker
    child = context.Process(target=_fit, args=(task, seconds, theirs))
    child.start()
    theirs.close()
    try:
        measured: dict[str, float] = ours.recv()
    except EOFError:
        raise SystemExit(f"model.fit of {task} with {instruction_set} failed; its error stands above.") from None
    child.join()
    return measured


def _fit(task: Task, seconds: float, answer: Connection) -> None:
    import numpy as np

    import hillwalker as hw

    random = np.random.default_rng(0)
    x = random.standard_normal((task.fit_rows, task.widths[0])).astype(task.dtype)
    y = random.standard_normal((task.fit_rows, task.widths[-1])).astype(task.dtype)
    if task.output == "softmax":
        y = np.eye(task.widths[-1], dtype=task.dtype)[y.argmax(axis=1)]
    hw.config.set_floatx(task.dtype)
    hw.config.set_threads(task.threads)
    layers = [hw.layers.Dense(width, activation=task.hidden) for width in task.widths[1:-1]]
    output = hw.layers.Dense(task.widths[-1], activation=task.output)
    model = hw.Sequential([hw.layers.Input((task.widths[0],)), *layers, output])
    model.compile("adam", "categorical_crossentropy" if task.output == "softmax" else "mse")
    times: list[tuple[float, float]] = []

    class Clock(hw.callbacks.Callback):
        """Notes the time at the end of every epoch; an epoch lasts from the end of the last one."""

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            times.append((time.perf_counter(), time.thread_time()))
            if times[-1][0] - times[0][0] > seconds and len(times) > 3:
                self.model.stop_training = True

    model.fit(x, y, epochs=1_000_000, batch_size=task.batch, verbose=0, callbacks=[Clock()])
    steps = -(-task.fit_rows // task.batch)
    wall, own = np.diff(times, axis=0).T
    spans = own if task.threads == 1 and wall.min() > 1e-3 else wall  # as kernels/timing.hpp chooses its clock, and why
    answer.send({"best": 1e6 * float(spans.min()) / steps, "median": 1e6 * float(np.median(spans)) / steps})


def measure(task: Task, instruction_set: str, seconds: float) -> dict[str, Any]:
    """Return all figures of one task under one instruction set."""
    measured = engine(task, instruction_set, seconds)
    measured |= {"fit": fit(task, instruction_set, seconds), "operations": task.operations}
    measured["floor"] = task.operations / (1e3 * measured["peak"] * task.threads)
    return measured


def digits(value: float) -> str:
    return f"{value:,.{0 if value >= 100 else 1 if value >= 10 else 2}f}"


def limit_row(task: Task, measured: dict[str, Any]) -> list[str]:
    """Return a row: the floor, the engine's step and the step through `model.fit`, each in parts of the peak too."""
    floor = measured["floor"]
    row = [str(task), digits(floor)]
    for time_of in (measured["step"], measured["fit"]):
        row += [digits(time_of["best"]), f"{floor / time_of['best']:.2f}"]
    return [*row, digits(measured["step"]["median"]), digits(measured["fit"]["median"])]


def split_row(task: Task, measured: dict[str, Any]) -> list[str]:
    """Return a row: where the engine's step spends its time. The rest is the step less the sum of its kernels."""
    phases = {name: measured["phases"][name]["best"] for name in PHASES}
    whole = measured["step"]["best"]
    return [str(task), digits(whole), *map(digits, phases.values()), digits(whole - sum(phases.values()))]


LIMIT_HEAD = ["µs a step", "floor", "engine", "of peak", "model.fit", "of peak", "engine, median", "model.fit, median"]
SPLIT_HEAD = ["µs a step", "engine", "forward", "dX", "dW, db", "update", "activation", "loss", "gather", "rest"]


def markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in [head, *rows]]
    lines.insert(1, "|---|" + "---:|" * (len(head) - 1))
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS), help="which networks (default: all)")
    parser.add_argument("--sets", nargs="+", metavar="ISA", help="which instruction sets (default: all that run here)")
    parser.add_argument("--seconds", type=float, default=0.5, help="how long each figure is measured (default: 0.5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number to FILE too")
    given = parser.parse_args()
    if given.seconds <= 0:
        parser.error("--seconds must be more than 0")
    if given.json and not given.json.parent.is_dir():
        parser.error(f"--json {given.json}: the folder {given.json.parent} does not exist")
    return given


def main() -> None:
    """Measure, print, and write the file asked for."""
    given = arguments()
    os.environ.update(dict.fromkeys(machine.THREAD_COUNTS, "1"))
    os.environ.pop("HILLWALKER_THREADS", None)
    os.environ.pop("HILLWALKER_ISA", None)
    import hillwalker.engine

    about = machine.describe() | {
        "compiler of the bare engine": build.compiler_version(),
        "hillwalker": machine.version_of("hillwalker"),
        "numpy": machine.version_of("numpy"),
        "date": date.today().isoformat(),
        "load before": machine.load(),
    }
    for name, value in about.items():
        print(f"- {name}: {value}")
    results: dict[str, dict[str, Any]] = {}
    for instruction_set in given.sets or hillwalker.engine.instruction_sets():
        measured = results[instruction_set] = {}
        for name in given.tasks:
            print(f"{instruction_set}: {name}", file=sys.stderr)
            measured[name] = measure(TASKS[name], instruction_set, given.seconds)
        peaks = {TASKS[name].dtype: figures["peak"] for name, figures in measured.items()}
        told = ", ".join(f"{peak:.1f} GFLOP/s in {dtype}" for dtype, peak in peaks.items())
        print(f"\n**{instruction_set}**, peak of one core: {told}\n")
        print(markdown(LIMIT_HEAD, [limit_row(TASKS[name], figures) for name, figures in measured.items()]))
        split = [split_row(TASKS[name], figures) for name, figures in measured.items() if "phases" in figures]
        if split:
            print("\n" + markdown(SPLIT_HEAD, split), flush=True)
    about["load after"] = machine.load()
    print(f"\n- load after: {about['load after']}")
    if given.json:
        tasks = {name: asdict(TASKS[name]) for name in given.tasks}
        report = {"machine": about, "tasks": tasks, "results": results}
        given.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
        print(f"written: {given.json}")


if __name__ == "__main__":
    main()
