"""Where the speed of the three products comes from: a ladder from the naive loop to what core/ does, an idea a rung.

kernels/ladder.cpp holds the rungs, those that lost as well, checks each against the naive loop and times it; here the
figures become tables. What a whole step makes of them is measured by limit.py.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import machine
from kernels import build
from limit import digits, markdown

NETWORKS = {"S": "20-64-32-1, batch 32", "M": "784-256-128-10, batch 128", "L": "784-512-512-10, batch 128"}


def climb(instruction_set: str, seconds: float) -> tuple[float, list[dict[str, Any]]]:
    """Return the peak in GFLOP/s and every rung: group, rung, network, operations, microseconds."""
    program = build.build("ladder", instruction_set, with_core=True)
    asked = subprocess.run([program, str(seconds)], stdout=subprocess.PIPE, text=True, check=True)
    *rungs, last = map(json.loads, asked.stdout.splitlines())
    return float(last["peak"]), rungs


def table(rungs: list[dict[str, Any]], peak: float) -> str:
    """Return a group's table: GFLOP/s and, in brackets, parts of the peak; microseconds where nothing is multiplied."""
    networks = [name for name in NETWORKS if any(rung["network"] == name for rung in rungs)]
    rows = []
    for name in dict.fromkeys(rung["rung"] for rung in rungs):
        found = {rung["network"]: rung for rung in rungs if rung["rung"] == name}
        rows.append([name, *(cell(found[network], peak) for network in networks)])
    unit = "GFLOP/s (of peak)" if rungs[0]["operations"] else "µs"
    return markdown([unit, *networks], rows)


def cell(rung: dict[str, Any], peak: float) -> str:
    if not rung["operations"]:
        return digits(rung["best"]) if rung["best"] >= 0.1 else f"{rung['best']:.3f}"
    rate = rung["operations"] / (1e3 * rung["best"])
    return f"{digits(rate)} ({rate / peak:.2f})"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sets", nargs="+", metavar="ISA", help="which instruction sets (default: the best here)")
    parser.add_argument("--seconds", type=float, default=0.1, help="how long each figure is measured (default: 0.1)")
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
    import hillwalker.engine

    about = machine.describe() | {
        "compiler": build.compiler_version(),
        "date": date.today().isoformat(),
        "load before": machine.load(),
    }
    for name, value in about.items():
        print(f"- {name}: {value}")
    for name, shape in NETWORKS.items():
        print(f"- {name}: {shape}")
    results: dict[str, Any] = {}
    for instruction_set in given.sets or [hillwalker.engine.instruction_sets()[0]]:
        peak, rungs = climb(instruction_set, given.seconds)
        results[instruction_set] = {"peak": peak, "rungs": rungs}
        print(f"\n**{instruction_set}**, peak of one core {peak:.1f} GFLOP/s")
        for group in dict.fromkeys(rung["group"] for rung in rungs):
            print(f"\n{group}\n\n{table([rung for rung in rungs if rung['group'] == group], peak)}", flush=True)
    if given.json:
        given.json.write_text(json.dumps({"machine": about, "results": results}, indent=1, ensure_ascii=False) + "\n")
        print(f"written: {given.json}")


if __name__ == "__main__":
    main()
