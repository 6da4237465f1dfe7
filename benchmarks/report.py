"""Races as text, as the tables of docs/performance.md, as JSON and back; and the arguments that all commands share.

Nothing here trains: everything is computed from records that were measured or read.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import machine
from contenders import CONTENDERS
from race import TOLERANCES, Race, Result
from tasks import Task

Rows = list[tuple[str, ...]]
Measure = Callable[[argparse.Namespace], tuple[dict[str, Any], Iterator[Race]]]
Show = Callable[[list[Race], argparse.Namespace], None]


def add_arguments(parser: argparse.ArgumentParser, rounds: int, seconds: float) -> None:
    """Add what all commands understand."""
    parser.add_argument("--rounds", type=int, default=rounds, help=f"how often each turn comes (default: {rounds})")
    parser.add_argument(
        "--seconds", type=float, default=seconds, help=f"the least length of a turn (default: {seconds})"
    )
    parser.add_argument("--threads", type=int, nargs="+", default=[1], help="how many, one after another (default: 1)")
    parser.add_argument("--peers", nargs="+", metavar="WORD", help="only peers whose name has one of these words in it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number to FILE too")
    parser.add_argument("--markdown", action="store_true", help="print the tables as docs/performance.md has them")
    parser.add_argument(
        "--merge", type=Path, nargs="+", metavar="FILE", help="measure nothing: tables of all rounds in these files"
    )


def check_arguments(parser: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    """Refuse what cannot be measured, before anything is."""
    if given.rounds < 1 or given.seconds <= 0:
        parser.error("--rounds must be 1 or more and --seconds more than 0")
    if not all(1 <= threads <= machine.core_count() for threads in given.threads):
        parser.error(f"--threads {given.threads}: this process may use {machine.core_count()} cores")
    for file in given.merge or []:
        if not file.is_file():
            parser.error(f"--merge {file}: there is no such file")
    for file in (given.json, getattr(given, "picture", None)):
        if file and not file.parent.is_dir():
            parser.error(f"{file}: the folder {file.parent} does not exist")
    if given.merge and given.json:
        parser.error("--merge measures nothing that --json could write")
    if given.peers and not any(_wanted(label, given.peers) for label in CONTENDERS):
        parser.error(f"--peers {' '.join(given.peers)}: none is called so; there are {'; '.join(CONTENDERS)}")


def _wanted(label: str, words: list[str] | None) -> bool:
    return not words or any(word.lower() in label.lower() for word in words)


def entrants(among: Iterable[str], words: list[str] | None) -> tuple[list[str], dict[str, Any]]:
    """Return the contenders to be timed, ours first, and what to say of them and of the machine."""
    import hillwalker.engine

    ours, *peers = among
    labels, versions, absent = [], list[str](), dict[tuple[str, ...], list[str]]()
    for label in [ours, *(peer for peer in peers if _wanted(peer, words))]:
        packages = CONTENDERS[label].packages
        found = {package: machine.version_of(package) for package in packages}
        if all(found.values()):
            labels.append(label)
            versions += [f"{package} {version}" for package, version in found.items()]
        else:
            absent.setdefault(packages, []).append(label)
    about = machine.describe() | {
        "instruction set": hillwalker.engine.instruction_set(),
        "date": date.today().isoformat(),
        "versions": ", ".join(dict.fromkeys(versions)),
        "load before": machine.load(),
    }
    lines = [f"{'; '.join(names)} (pip install {' '.join(packages)})" for packages, names in absent.items()]
    return labels, about | ({"not here": "; ".join(lines)} if lines else {})


def run_command(parser: argparse.ArgumentParser, measure: Measure, show: Show) -> None:
    """Do what every command does: read the arguments; measure or merge; show; write; fail if losses differ."""
    given = parser.parse_args()
    check_arguments(parser, given)
    if given.merge:
        about, races = merged(given.merge)
    else:
        about, races = kept(*measure(given), given.json)
    for name, value in about.items():
        print(f"{'- ' if given.markdown else ''}{name}: {value}")
    show(races, given)
    unequal = [f"{race.name}: {result.label} {result.loss:.6g}, we {race.ours.loss:.6g}"
               for race in races for result in race.unequal]  # fmt: skip
    if unequal:
        raise SystemExit("These did not train what we trained:\n" + "\n".join(unequal))
    within = " and ".join(f"{100 * tolerance:g} % ({dtype})" for dtype, tolerance in TOLERANCES.items())
    print(f"\nAfter the same steps, every loss is within {within} of ours.")


def kept(about: dict[str, Any], running: Iterator[Race], file: Path | None) -> tuple[dict[str, Any], list[Race]]:
    """Return all races, each told and written as soon as it is over: a long run that is broken off loses only one."""
    races: list[Race] = []
    for race in running:
        races.append(race)
        about["load after"] = machine.load()
        peers = ", ".join(f"{peer.label} {three_digits(peer.ratio(race.ours))}" for peer in race.peers)
        print(
            f"{race.name}, {cores(race.threads)}: {three_digits(race.ours.median)} µs a step; times that: {peers}",
            file=sys.stderr, flush=True,
        )  # fmt: skip
        if file:
            file.write_text(as_json(about, races))
    return about, races


def as_json(about: dict[str, Any], races: list[Race]) -> str:
    """Return every number measured."""
    return json.dumps({"about": about, "races": [asdict(race) for race in races]}, ensure_ascii=False, indent=1) + "\n"


def merged(files: list[Path]) -> tuple[dict[str, Any], list[Race]]:
    """Return the races of several files; where the same was run again, its rounds are put together."""
    about: dict[str, Any] = {}
    races: dict[tuple[str, Task, int], Race] = {}
    for file in files:
        content = json.loads(file.read_text())
        about |= content["about"]
        for record in content["races"]:
            task = Task(**record["task"] | {"widths": tuple(record["task"]["widths"])})
            record |= {"task": task, "results": [Result(**result) for result in record["results"]]}
            race = Race(**record)
            known = races.setdefault((race.name, task, race.threads), race)
            if known is not race:
                _join(known, race)
    return about | {"runs": len(files)}, list(races.values())


def _join(race: Race, other: Race) -> None:
    for result in race.results:
        again = [more for more in other.results if more.label == result.label]
        if not again or bool(again[0].why_not) != bool(result.why_not):
            raise SystemExit(f"{race.name}: {result.label} ran in one file and not in another; merge equal runs")
        result.rounds += again[0].rounds


def cores(threads: int) -> str:
    return {1: "one core", 2: "two cores"}.get(threads, f"{threads} cores")


def three_digits(value: float) -> str:
    return f"{value:,.{0 if value >= 100 else 1 if value >= 10 else 2}f}"


def show_table(rows: Rows, markdown: bool) -> None:
    """Print a table, its head first: words in the first column, numbers in the others."""
    print((as_markdown if markdown else as_text)(rows), flush=True)


def as_text(rows: Rows) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        numbers = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *numbers]))
    return "\n".join(lines)


def as_markdown(rows: Rows) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|---|" + "---:|" * (len(rows[0]) - 1))
    return "\n".join(lines)
