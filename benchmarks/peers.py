"""Microseconds a training step through `model.fit`, next to every peer that is installed, each at its fastest.

Five networks, one relu-and-Adam task each; the matrix of other tasks is matrix.py's, the sizes crossover.py's.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import report
from contenders import CONTENDERS
from race import Race, Track
from tasks import NETWORKS

CHECKED_STEPS = 64  # at least; on L 256 let rounding alone take float32 losses 4 % apart


def measure(given: argparse.Namespace) -> tuple[dict[str, Any], Iterator[Race]]:
    labels, about = report.entrants(CONTENDERS, given.peers)
    return about, races(given, labels)


def races(given: argparse.Namespace, labels: list[str]) -> Iterator[Race]:
    for threads in given.threads:
        with Track(labels, threads) as track:
            for name in NETWORKS if given.all else given.networks:
                yield track.race(name, NETWORKS[name], given.rounds, given.seconds, CHECKED_STEPS)


def rows(race: Race) -> report.Rows:
    """Return a network's table, the fastest first."""
    table: report.Rows = [
        (report.cores(race.threads), "µs a step, median", "best call", "times ours",
         f"loss after {race.checked_steps} steps")
    ]  # fmt: skip
    for result in sorted(race.ran, key=lambda result: result.median):
        numbers = map(report.three_digits, (result.median, result.best, result.ratio(race.ours)))
        table.append((result.label, *numbers, f"{result.loss:.5f}"))
    return table


def show(races: list[Race], given: argparse.Namespace) -> None:
    for race in races:
        print(f"\n**{race.name}: {race.task}**\n" if given.markdown else f"\n{race.name}: {race.task}\n")
        report.show_table(rows(race), given.markdown)
        for result in race.results:
            if result.why_not:
                print(f"\n{result.label} did not run: {result.why_not}")


def main() -> None:
    """Measure, print, and write the file asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=["S"], help="which networks (default: S)")
    parser.add_argument("--all", action="store_true", help="all of them; about two minutes each with every peer")
    report.add_arguments(parser, rounds=5, seconds=0.5)
    report.run_command(parser, measure, show)


if __name__ == "__main__":
    main()
