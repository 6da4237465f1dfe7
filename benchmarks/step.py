"""Microseconds a training step through `model.fit`, next to scikit-learn, PyTorch, JAX and Keras where installed.

Every contender has a process of its own, held to one core, and waits while another trains: they take turns, round by
round, so that whatever else the machine does meets them all alike. It does not measure the machine's own limit.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from dataclasses import asdict, dataclass, field
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import machine

NETWORKS = {  # widths, batch size, rows
    "XS": ((8, 16, 1), 32, 8192),
    "S": ((20, 64, 32, 1), 32, 8192),
    "S256": ((20, 64, 32, 1), 256, 8192),
    "M": ((784, 256, 128, 10), 128, 4096),
    "L": ((784, 512, 512, 10), 128, 4096),
}
WARM_UP = 10  # epochs before the clock counts, compilation included; the losses shown are those after them


@dataclass
class Result:
    """What one contender did with one network: microseconds a step, by round and epoch, and its loss."""

    label: str
    version: str
    loss: float = 0.0
    rounds: list[list[float]] = field(default_factory=list)

    @property
    def median(self) -> float:
        return median(map(median, self.rounds))  # a round counts once: those in a quiet moment hold more epochs

    @property
    def best(self) -> float:
        return min(value for epochs in self.rounds for value in epochs)

    def ratio(self, ours: Result) -> float:
        """Return how many times as long as ours a step takes: the median over the rounds, each with itself compared."""
        return median(median(a) / median(b) for a, b in zip(self.rounds, ours.rounds, strict=True))


def work(label: str, network: str, connection: Connection) -> None:
    """Be one contender, in a process of its own: train when told to, for whole epochs and at least some seconds."""
    machine.use_one_core()
    from contenders import CONTENDERS, Task

    contender = CONTENDERS[label](Task(*NETWORKS[network]))
    contender.train(WARM_UP)
    connection.send(contender.loss())
    at_once = 1
    while (seconds := connection.recv()) is not None:
        contender.train(1)  # the other contenders left nothing of ours in the caches
        epochs: list[float] = []
        while sum(epochs) < seconds:
            epochs += contender.train(at_once)
            at_once = max(1, round(seconds * len(epochs) / sum(epochs)))
        connection.send([1e6 * epoch / contender.task.steps for epoch in epochs])


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


def race(network: str, labels: dict[str, str], rounds: int, seconds: float) -> list[Result]:
    """Let the contenders (label -> version) train one network in turns; hillwalker comes first."""
    progress, context = Progress(), multiprocessing.get_context("spawn")
    connections: list[Connection] = []
    results = [Result(label, version) for label, version in labels.items()]
    for result in results:
        progress.say(f"{network}: {result.label} starts")
        ours, theirs = context.Pipe()
        context.Process(target=work, args=(result.label, network, theirs), daemon=True).start()
        theirs.close()
        connections.append(ours)
        result.loss = _answer(ours, result.label)
    for number in range(1, rounds + 1):
        for result, connection in zip(results, connections, strict=True):
            progress.say(f"{network}: round {number} of {rounds}, {result.label}")
            connection.send(seconds)
            result.rounds.append(_answer(connection, result.label))
    for connection in connections:
        connection.send(None)
    progress.clear()
    return results


def _answer(connection: Connection, label: str) -> Any:
    try:
        return connection.recv()
    except EOFError:
        raise SystemExit(f"{label} ended without an answer; its error stands above.") from None


def installed() -> tuple[dict[str, str], list[str]]:
    """Return the contenders whose packages are installed, with versions, and lines that name the others."""
    from contenders import CONTENDERS

    present: dict[str, str] = {}
    missing: dict[tuple[str, ...], list[str]] = {}
    for label, contender in CONTENDERS.items():
        versions = {package: machine.version_of(package) for package in contender.packages}
        if all(versions.values()):
            present[label] = " + ".join(f"{package} {version}" for package, version in versions.items())
        else:
            missing.setdefault(contender.packages, []).append(label)
    lines = [f"not here: {'; '.join(names)} (pip install {' '.join(needs)})" for needs, names in missing.items()]
    return present, lines


def three_digits(value: float) -> str:
    return f"{value:,.{0 if value >= 100 else 1 if value >= 10 else 2}f}"


def table(results: list[Result]) -> list[tuple[str, ...]]:
    """Return the rows of a network's table, head first, fastest first."""
    ours = results[0]
    rows: list[tuple[str, ...]] = [
        ("one core", "µs a step, median", "best epoch", "times ours", f"loss after {WARM_UP} epochs")
    ]
    for result in sorted(results, key=lambda result: result.median):
        numbers = map(three_digits, (result.median, result.best, result.ratio(ours)))
        rows.append((result.label, *numbers, f"{result.loss:.4f}"))
    return rows


def as_text(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        numbers = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *numbers]))
    return "\n".join(lines)


def as_markdown(rows: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|---|" + "---:|" * (len(rows[0]) - 1))
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=["S"], help="which networks (default: S)")
    parser.add_argument("--all", action="store_true", help="all of them; about a minute each with every peer")
    parser.add_argument("--rounds", type=int, default=5, help="how often each contender's turn comes (default: 5)")
    parser.add_argument("--seconds", type=float, default=0.5, help="the least length of a turn (default: 0.5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number to FILE too")
    parser.add_argument("--markdown", action="store_true", help="print the tables as docs/performance.md has them")
    given = parser.parse_args()
    if given.rounds < 1 or given.seconds <= 0:
        parser.error("--rounds must be 1 or more and --seconds more than 0")
    if given.json and not given.json.parent.is_dir():
        parser.error(f"--json {given.json}: the folder {given.json.parent} does not exist")
    return given


def main() -> None:
    """Measure, print, and write the file asked for."""
    given = arguments()
    machine.use_one_core()
    from contenders import Task

    import hillwalker.engine

    labels, missing = installed()
    about = machine.describe() | {
        "instruction_set": hillwalker.engine.instruction_set(),
        "date": date.today().isoformat(),
        "load_before": machine.load(),
        "versions": "; ".join(dict.fromkeys(labels.values())),
    }
    for name, value in about.items():
        print(f"{'- ' if given.markdown else ''}{name.replace('_', ' ')}: {value}")
    for line in missing:
        print(f"{'- ' if given.markdown else ''}{line}")
    report: dict[str, Any] = {"machine": about, "missing": missing, "rounds": given.rounds, "networks": {}}
    for network in NETWORKS if given.all else given.networks:
        task, results = Task(*NETWORKS[network]), race(network, labels, given.rounds, given.seconds)
        print(f"\n{'**' if given.markdown else ''}{network}: {task}{'**' if given.markdown else ''}\n")
        print(as_markdown(table(results)) if given.markdown else as_text(table(results)), flush=True)
        summaries = [
            asdict(result) | {"median": result.median, "best": result.best, "ratio": result.ratio(results[0])}
            for result in results
        ]
        report["networks"][network] = {"task": asdict(task), "steps": task.steps, "contenders": summaries}
    about["load_after"] = machine.load()
    print(f"\n{'- ' if given.markdown else ''}load after: {about['load_after']}")
    if given.json:
        given.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
        print(f"written: {given.json}")


if __name__ == "__main__":
    main()
