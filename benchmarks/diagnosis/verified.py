"""How often `hw.diagnosis.try_changes` is right about what is wrong, against situations whose faults are known.

    scripts/bench diagnosis/ground_truth --part judging --count 20 --out judging.jsonl
    scripts/bench diagnosis/verified judging.jsonl

The rows to judge by and the judge's seeds are never seen by what is judged here.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from ground_truth import Situation, learned, model_of, rows_of
from problems import Problem, problems
from tables import Rows, table

import hillwalker as hw

CLASSES = ("high", "right", "low")
FIRST_SEED = 40_000  # neither shown nor the judge's


def of_line(line: dict[str, Any]) -> Situation:
    told = line["situation"]
    return Situation(**{name: tuple(value) if name == "hidden" else value for name, value in told.items()})


def tried(problem: Problem, situation: Situation, seeds: int) -> dict[str, Any]:
    """Return what the experiments say, and their cost."""
    rows, known = rows_of(problem, situation), learned(problem, situation)
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = hw.diagnosis.try_changes(
            model_of(problem, situation), rows.x[:known], rows.y[:known], situation.epochs, situation.batch_size,
            seeds=seeds, seed=FIRST_SEED + 100 * situation.number, time_ordered=problem.in_time, threads=1, verbose=0,
        )  # fmt: skip
    return {"verdict": found.verdict, "claims": found.claims, "seconds": time.perf_counter() - began}


def rate_of(claims: dict[str, bool | None]) -> str:
    if claims["learning-rate-too-high"]:
        return "high"
    return "low" if claims["learning-rate-too-low"] else "right"


def is_healthy(truth: dict[str, Any]) -> bool:
    """Whether nothing that was tried is better: the rate surely right, and none of the other faults."""
    return truth["rate"] == "right" and not (truth["overfitting"] or truth["underfitting"] or truth["no_signal"])


def upper(flagged: int, count: int) -> float:
    """Return the upper end of Wilson's 95 % interval (one-sided) of a share."""
    z, share = 1.645, flagged / max(count, 1)
    middle = share + z * z / (2 * count)
    return (middle + z * np.sqrt(share * (1 - share) / count + z * z / (4 * count**2))) / (1 + z * z / count)


def report(pairs: list[tuple[dict[str, Any], dict[str, Any]]], markdown: bool) -> str:
    """Return the tables: the rate's confusion, each symptom's right and wrong claims, healthy ones flagged."""
    judged = [(truth, said) for truth, said in pairs if truth["rate"] != "ambiguous" and not truth["no_signal"]]
    counts = Counter((truth["rate"], rate_of(said["claims"])) for truth, said in judged)
    confusion: Rows = [("the rate is", "situations", *(f"said {name}" for name in CLASSES), "right in")]
    shares = []
    for true in CLASSES:
        row = [counts[true, name] for name in CLASSES]
        shares.append(counts[true, true] / max(sum(row), 1))
        confusion.append((true, str(sum(row)), *map(str, row), f"{shares[-1]:.1%}"))
    claims: Rows = [("symptom", "true", "found", "false alarms", "F1")]
    for symptom, of in (("overfitting", "overfitting"), ("underfitting", "underfitting"), ("no-signal", "no_signal")):
        # Without a signal nothing else is claimed: there is nothing to learn better.
        said = [(t[of], s["claims"][symptom] is True and (symptom == "no-signal" or not s["claims"]["no-signal"]))
                for t, s in pairs if symptom == "no-signal" or not t["no_signal"]]  # fmt: skip
        right, alarms = sum(a and b for a, b in said), sum(b and not a for a, b in said)
        missed = sum(a and not b for a, b in said)
        f1 = 2 * right / max(2 * right + alarms + missed, 1)
        claims.append((symptom, str(right + missed), str(right), str(alarms), f"{f1:.2f}"))
    healthy = [said for truth, said in pairs if is_healthy(truth)]
    flagged = Counter(said["verdict"] for said in healthy if said["verdict"] != "healthy")
    wrong = sum(flagged.values())
    ambiguous = sum(truth["rate"] == "ambiguous" for truth, _ in pairs)
    lines = [
        f"{len(pairs)} situations, of {ambiguous} the rate's class is ambiguous",
        table(confusion, markdown),
        f"balanced accuracy of the rate: {np.mean(shares):.1%}",
        table(claims, markdown),
        f"healthy: {len(healthy)}, flagged {wrong} ({wrong / max(len(healthy), 1):.1%}, at most "
        f"{upper(wrong, len(healthy)):.1%} with 95 % confidence): {dict(flagged)}",
        f"seconds a situation, one core: median {np.median([said['seconds'] for _, said in pairs]):.2f}",
    ]
    return "\n\n".join(lines)


def main() -> None:
    """Try, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("truth", type=Path, help="a file that ground_truth.py wrote")
    parser.add_argument("--seeds", type=int, default=3, help="of each of five folds (default: 3)")
    parser.add_argument("--share", type=int, nargs=2, default=(0, 1), metavar=("K", "N"), help="only K, K + N, ...")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every answer to FILE")
    parser.add_argument("--read", type=Path, nargs="+", metavar="FILE", help="run nothing, print what --json wrote")
    parser.add_argument("--markdown", action="store_true")
    given = parser.parse_args()
    if given.read:
        pairs = [pair for path in given.read for pair in json.loads(path.read_text())]
    else:
        known = {problem.name: problem for problem in problems()}
        lines = [json.loads(line) for line in given.truth.open()][given.share[0] :: given.share[1]]
        pairs = []
        for number, line in enumerate(lines):
            situation = of_line(line)
            pairs.append((line["truth"], tried(known[situation.problem], situation, given.seeds)))
            if number % 50 == 49:
                print(f"{number + 1} of {len(lines)}", file=sys.stderr, flush=True)
        if given.json:
            given.json.write_text(json.dumps(pairs))
    print(report(pairs, given.markdown))


if __name__ == "__main__":
    main()
