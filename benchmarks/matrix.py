"""Is there any task at which a peer is faster? Networks, activations, outputs, optimizers, batches, precisions.

Not the full product: one thing at a time is varied around a small network with relu, Adam and batch 32, and some
corners are added. Only those peers run that are the fastest one somewhere.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import report
from contenders import FASTEST
from race import Race, Result, Track
from tasks import Task

CHECKED_STEPS = 64
LIMIT = 1.3  # no cell may be more than this many times slower than the best peer in it

WIDTHS = {
    "XS": (8, 16, 1),
    "S": (20, 64, 32, 1),
    "S10": (20, 64, 32, 10),
    "M": (784, 256, 128, 10),
    "L": (784, 512, 512, 10),
    "17-100-3-1": (17, 100, 3, 1),
    "100-17-1": (100, 17, 1),
}
FULL = 4096  # rows of a small network's full batch


def cell(network: str, batch: int = 32, **changes: str) -> tuple[str, Task]:
    """Return a task and its name, which says what differs from relu, linear, Adam and float32."""
    widths = WIDTHS[network]
    # As many rows as make an epoch of moderate length, whoever trains.
    steps = min(8192 if widths[0] < 784 else 2048, (1024 if batch == 1 and widths[0] < 784 else 256) * batch) // batch
    steps = 1 if batch == FULL else steps
    words = [f"{value} output" if what == "output" else value for what, value in changes.items()]
    name = ", ".join([network, "full batch" if steps == 1 else f"batch {batch}", *words])
    return name, Task(widths, batch, batch * steps, **changes)


def cells() -> dict[str, Task]:
    """Return the matrix: name -> task."""
    softmax, sigmoid = {"output": "softmax"}, {"output": "sigmoid"}
    double, tanh, gelu = {"dtype": "float64"}, {"activation": "tanh"}, {"activation": "gelu"}
    return dict([
        *(cell("S", batch) for batch in (1, 7, 32, 256, FULL)),
        *(cell("S", activation=name) for name in ("tanh", "sigmoid", "gelu")),
        *(cell("S", optimizer=name) for name in ("sgd", "momentum", "rmsprop", "adamw")),
        cell("S", **double), cell("S", **sigmoid), cell("S10", **softmax),
        cell("S", 256, **double), cell("S", 256, optimizer="rmsprop"), cell("S", 256, **gelu),
        cell("S", 1, optimizer="sgd"),
        cell("S", 7, **tanh, **sigmoid, optimizer="rmsprop", **double), cell("S10", 1, **softmax),
        cell("S10", FULL, **tanh, **softmax, optimizer="momentum"),
        *(cell("XS", batch) for batch in (1, 7, 32, 256, FULL)),
        cell("XS", **tanh), cell("XS", **double), cell("XS", optimizer="sgd"), cell("XS", **sigmoid),
        *(cell(name, batch) for name in ("17-100-3-1", "100-17-1") for batch in (1, 32, 256)),
        cell("17-100-3-1", 7, **double), cell("100-17-1", 7, **sigmoid), cell("100-17-1", **gelu, optimizer="adamw"),
        *(cell(name, batch, **softmax) for name in ("M", "L") for batch in (1, 32, 128)),
        cell("M", 7, **softmax), cell("M", 2048, **softmax), cell("M", 128, **tanh, **softmax),
        cell("M", 128, **gelu, **softmax), cell("M", 128, **softmax, optimizer="sgd"),
        cell("M", 128, **softmax, **double), cell("L", 128, **softmax, optimizer="momentum"),
        cell("L", 128, **softmax, **double),
    ])  # fmt: skip


QUICK = ("S, batch 32", "S, batch 1", "S, batch 32, tanh", "XS, batch 32", "S10, batch 32, softmax output",
         "S, batch 32, float64", "M, batch 128, softmax output", "17-100-3-1, batch 256")  # fmt: skip


def measure(given: argparse.Namespace) -> tuple[dict[str, Any], Iterator[Race]]:
    labels, about = report.entrants(FASTEST, given.peers)
    return about, races(given, labels)


def races(given: argparse.Namespace, labels: list[str]) -> Iterator[Race]:
    for threads in given.threads:
        with Track(labels, threads) as track:
            for name, task in given.chosen.items():
                yield track.race(name, task, given.rounds, given.seconds, CHECKED_STEPS)


def best_peer(race: Race) -> Result:
    return min(race.peers, key=lambda peer: peer.ratio(race.ours))


def rows(races: list[Race]) -> report.Rows:
    """Return the table of one number of threads: a line a cell, every peer's time as a multiple of ours."""
    peers = [result.label for result in races[0].results[1:]]
    head = report.cores(races[0].threads), "ours, µs a step", "best peer, times ours"
    table: report.Rows = [(*head, *peers, "losses apart")]
    for race in races:
        by_label = {peer.label: peer.ratio(race.ours) for peer in race.peers}
        best, apart = best_peer(race).label, max(map(race.apart, race.peers))
        numbers = [report.three_digits(by_label[label]) if label in by_label else "–" for label in peers]
        ours = report.three_digits(race.ours.median)
        table.append((race.name, ours, f"{best} {by_label[best]:.2f}", *numbers, f"{apart:.0e}"))
    return table


def summary(races: list[Race]) -> str:
    """Return in words how many cells a peer wins, and by how much at most."""
    ratios = {race.name: best_peer(race).ratio(race.ours) for race in races}
    behind = [name for name, ratio in ratios.items() if ratio < 1]
    beyond = [f"{name} ({ratios[name]:.2f})" for name in behind if ratios[name] < 1 / LIMIT]
    least = min(ratios, key=lambda name: ratios[name])
    lines = [f"{len(races)} cells; the best peer takes {ratios[least]:.2f} of our time or more (least in {least})."]
    lines.append(f"A peer is faster in {len(behind)}{': ' if behind else ''}{'; '.join(behind)}.")
    lines.append(f"Faster by more than {LIMIT}: {'; '.join(beyond) or 'none'}.")
    return "\n".join(lines)


def show(races: list[Race], given: argparse.Namespace) -> None:
    for threads in dict.fromkeys(race.threads for race in races):
        group = [race for race in races if race.threads == threads and race.peers]
        if not group:
            raise SystemExit("No peer is installed that could be compared with.")
        print()
        report.show_table(rows(group), given.markdown)
        print(f"\n{summary(group)}")
        reasons = {f"{result.label}: {result.why_not}" for race in group for result in race.results if result.why_not}
        print("\n".join(["", "Not run (–):", *sorted(reasons)]) if reasons else "")


def main() -> None:
    """Measure, print, and write the file asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--cells", nargs="+", metavar="PART", help="only cells that have all these parts in their names"
    )
    parser.add_argument("--quick", action="store_true", help=f"{len(QUICK)} cells of the {len(cells())}")
    parser.add_argument("--list", action="store_true", help="print the cells' names and end")
    report.add_arguments(parser, rounds=3, seconds=0.3)
    known, _ = parser.parse_known_args()
    chosen = {name: task for name, task in cells().items() if set(known.cells or []) <= set(name.split(", "))}
    chosen = {name: task for name, task in chosen.items() if not known.quick or name in QUICK}
    if not chosen:
        parser.error(f"no cell is called so; there are: {'; '.join(cells())}")
    if known.list:
        print("\n".join(f"{name}: {task}" for name, task in chosen.items()))
        return
    parser.set_defaults(chosen=chosen)
    report.run_command(parser, measure, show)


if __name__ == "__main__":
    main()
