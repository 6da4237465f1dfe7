"""How often a diagnosis is right about what is wrong, against situations whose faults are known.

    scripts/bench diagnosis/judged --how blind open verified --markdown

`blind`: from the curves of one training. `open`: with the model and its data. `verified`: with `verify=True`. The rows
to judge by and the judge's seeds are never seen by what is judged here. In the same tables: always faulty, one line
(the last validation loss is more than 4 % above its least), and published thresholds.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ground_truth import JUDGES, Situation, curve, drawn_problem, learned, model_of, rows_of, shares_of
from ground_truth import Rows as ProblemRows
from numpy.typing import NDArray
from problems import Problem, problems
from situations import PUBLISHED, lines_of
from tables import Rows, table

import hillwalker as hw
from hillwalker.choosing.variants import of_settings

CLASSES = ("high", "right", "low")
CLAIMS = ("learning-rate-too-high", "learning-rate-too-low", "overfitting", "underfitting", "no-signal")
HIGH = ("learning-rate-too-high", "diverged", "oscillating", "exploding-gradients")
FIRST_SEED = 40  # times 1,000: of the verifier's own numbering, far from what is shown or judges
REMEDY_SEEDS = 60_000
SEEDS = 3


def of_line(line: dict[str, Any]) -> Situation:
    told = line["situation"]
    return Situation(**{name: tuple(value) if name == "hidden" else value for name, value in told.items()})


def problem_of(name: str, known: dict[str, Problem]) -> Problem:
    return drawn_problem(int(name.split()[1])) if name.startswith("drawn ") else known[name]


def shown_curves(line: dict[str, Any]) -> dict[str, list[float]]:
    told = line["curves"][0]
    return {name: [np.inf if value is None else value for value in values] for name, values in told.items()}


def asked(line: dict[str, Any], how: str, known: dict[str, Problem], seeds: int, remedies: bool) -> dict[str, Any]:
    """Return what is said of a situation: confidences of the claims, all that is asserted, the cost."""
    situation = of_line(line)
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if how == "blind":
            told = hw.diagnose(shown_curves(line), constant_loss=line["constant"][:2])
        elif how == "blind, constant unknown":
            told = hw.diagnose(shown_curves(line))
        else:
            problem = problem_of(situation.problem, known)
            rows, count = rows_of(problem, situation), learned(problem, situation)
            told = hw.diagnose(
                model_of(problem, situation), rows.x[:count], rows.y[:count], epochs=situation.epochs,
                batch_size=situation.batch_size, verify=how == "verified", seeds=seeds, time_ordered=problem.in_time,
                seed=FIRST_SEED + situation.number, threads=1, verbose=0,
            )  # fmt: skip
    confidences = {one.symptom: one.confidence for one in told.findings}
    said = {
        "verdict": told.verdict,
        "confidences": {claim: confidences.get(claim, 0.0) for claim in CLAIMS},
        "asserted": [one.symptom for one in told.findings if one.asserted],
        "seconds": time.perf_counter() - began,
    }
    first = told.first
    if remedies and how == "verified" and first is not None and first.winner is not None:
        said["remedy"] = remedied(problem, situation, rows, dict(first.winner.settings))
        said["tried"] = [first.symptom, first.winner.change, *first.winner.at_end, *first.winner.stopped]
    return said


def remedied(
    problem: Problem, situation: Situation, rows: ProblemRows, settings: dict[str, Any]
) -> tuple[float, float]:
    """Return what the first remedy brings on the judging rows, from ten other seeds: loss saved, standard error."""
    stop = settings.pop("stop", None)
    model = model_of(problem, situation)
    variant = of_settings(model, [settings], None, 0)[0]
    models = [*hw.copies(model, range(REMEDY_SEEDS, REMEDY_SEEDS + JUDGES)),
              *hw.copies(variant.model, range(REMEDY_SEEDS, REMEDY_SEEDS + JUDGES))]  # fmt: skip
    changed = stop or variant.fit.get("epochs", situation.epochs)
    epochs = [situation.epochs] * JUDGES + [changed] * JUDGES
    sizes = [situation.batch_size] * JUDGES + [variant.fit.get("batch_size", situation.batch_size)] * JUDGES
    shares = shares_of(situation, rows, JUDGES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        histories = hw.fit_many(models, rows.x, rows.y, rows=[rows.training] * len(models), validation_rows=shares * 2,
                                epochs=epochs, batch_size=sizes, verbose=0, threads=1)  # fmt: skip
    lasts = np.array([curve(one, "val_loss", count)[-1] for one, count in zip(histories, epochs, strict=True)])
    lasts -= np.nan_to_num([penalty_of(one) for one in models])  # which is no part of how good a prediction is
    before, after = np.minimum(lasts.reshape(2, JUDGES), np.nan_to_num(lasts[np.isfinite(lasts)].max(initial=1.0)))
    saved = before - after
    return float(saved.mean()), float(saved.std(ddof=1) / np.sqrt(JUDGES))


def penalty_of(model: Any) -> float:
    regularized = (layer for layer in model.layers if getattr(layer, "kernel_regularizer", None) is not None)
    return float(sum(layer.kernel_regularizer(np.asarray(layer.kernel, float)) for layer in regularized))


# The rivals, which read the curves of one training


def always_faulty(line: dict[str, Any]) -> list[str]:
    return ["learning-rate-too-high", "overfitting"]


def four_percent(line: dict[str, Any]) -> list[str]:
    """Say overfitting where the last validation loss is more than 4 % above its least."""
    validation = np.array(shown_curves(line).get("val_loss", [np.inf]))
    least = float(np.min(validation))
    if not np.isfinite(validation[-1]) or not np.isfinite(least):
        return ["learning-rate-too-high"]
    return ["overfitting"] if (validation[-1] - least) > 0.04 * max(abs(least), 1e-12) else []


def thresholds(line: dict[str, Any]) -> list[str]:
    """Say what published thresholds say of growing, turning, still falling and hardly falling losses."""
    told = shown_curves(line)
    loss, validation = np.array(told.get("loss", [np.inf])), np.array(told.get("val_loss", [np.inf]))
    if not np.isfinite(loss).all() or loss[-1] >= 1e3 or loss[-1] > 2 * loss.min():
        return ["learning-rate-too-high"]
    found = []
    late = np.diff(validation)[-max(len(validation) // 3, 2) :]
    if len(late) > 1 and np.mean(np.sign(late[1:]) != np.sign(late[:-1])) > 0.5:
        found.append("learning-rate-too-high")
    elif loss[-max(len(loss) // 10, 2)] - loss[-1] > 0.01 * (loss[0] - loss[-1]):
        found.append("learning-rate-too-low")
    if loss[0] - loss.min() < 0.05 * abs(loss[0]):
        found.append("no-signal")
    return [*found, *four_percent(line)]


RIVALS: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "always faulty": always_faulty, "one line, 4 %": four_percent, "thresholds": thresholds,
}  # fmt: skip


def by_rule(rule: Callable[[dict[str, Any]], list[str]], line: dict[str, Any]) -> dict[str, Any]:
    found = rule(line)
    confidences = {claim: float(claim in found) for claim in CLAIMS}
    return {"verdict": found[0] if found else "healthy", "confidences": confidences, "asserted": found, "seconds": 0.0}


# The tables


def rate_of(said: dict[str, Any]) -> str:
    high = any(name in said["asserted"] for name in HIGH)
    low = "learning-rate-too-low" in said["asserted"]
    if high and low:
        high = said["confidences"]["learning-rate-too-high"] >= said["confidences"]["learning-rate-too-low"]
    return "high" if high else "low" if low else "right"


def is_healthy(truth: dict[str, Any]) -> bool:
    """Whether nothing that was tried is better: the rate surely right, and none of the other faults."""
    return truth["rate"] == "right" and not (truth["overfitting"] or truth["underfitting"] or truth["no_signal"])


def is_unsure(truth: dict[str, Any], claim: str) -> bool:
    """Whether the experiment that judges could not tell: left out, and counted."""
    if claim.startswith("learning-rate"):
        return bool(truth["rate"] == "ambiguous")
    if claim == "overfitting":
        size, error = truth["overfitting_gain"], truth["overfitting_error"]
        return bool(not truth["overfitting"] and size > 0 and size + 2 * error > 0.02)
    return False


def is_true(truth: dict[str, Any], claim: str) -> bool:
    if claim.startswith("learning-rate"):
        return bool(truth["rate"] == ("high" if claim.endswith("high") else "low"))
    return bool(truth[claim.replace("-", "_")])


def upper(flagged: int, count: int) -> float:
    """Return the upper end of Wilson's 95 % interval (one-sided) of a share."""
    z, share, count = 1.645, flagged / max(count, 1), max(count, 1)
    middle = share + z * z / (2 * count)
    return (middle + z * np.sqrt(share * (1 - share) / count + z * z / (4 * count**2))) / (1 + z * z / count)


Pairs = list[tuple[dict[str, Any], dict[str, Any]]]


def judged_pairs(pairs: Pairs, claim: str) -> Iterator[tuple[bool, float, bool]]:
    """Yield (true, confidence, asserted) of a claim where it can be told; without a signal nothing else is claimed."""
    for truth, said in pairs:
        if (truth["no_signal"] and claim != "no-signal") or is_unsure(truth, claim):
            continue
        asserted = claim in said["asserted"] and (claim == "no-signal" or "no-signal" not in said["asserted"])
        yield is_true(truth, claim), said["confidences"][claim], asserted


def balanced(pairs: Pairs) -> tuple[float, Counter[tuple[str, str]]]:
    told = [(truth["rate"], rate_of(said)) for truth, said in pairs
            if truth["rate"] != "ambiguous" and not truth["no_signal"]]  # fmt: skip
    counts = Counter(told)
    shares = [counts[true, true] / max(sum(counts[true, name] for name in CLASSES), 1) for true in CLASSES]
    return float(np.mean(shares)), counts


def f1(pairs: Pairs, claim: str) -> tuple[float, int, int, int]:
    """Return F1, how many are true, found and falsely claimed."""
    told = list(judged_pairs(pairs, claim))
    right, wrong = sum(t and a for t, _, a in told), sum(a and not t for t, _, a in told)
    true = sum(t for t, _, _ in told)
    return 2 * right / max(right + wrong + true, 1), true, right, wrong


def calibration_error(pairs: Pairs) -> float:
    """Return the expected difference of confidence and frequency, over ten bins of all claims."""
    told = [(t, p) for claim in CLAIMS for t, p, _ in judged_pairs(pairs, claim)]
    true, sure = np.array([t for t, _ in told], float), np.array([p for _, p in told])
    bins: NDArray[np.int64] = np.clip((10 * sure).astype(np.int64), 0, 9)
    return float(
        sum(abs(sure[bins == b].mean() - true[bins == b].mean()) * np.mean(bins == b) for b in np.unique(bins))
    )


def row_of(name: str, pairs: Pairs) -> tuple[str, ...]:
    healthy = [said for truth, said in pairs if is_healthy(truth)]
    wrong = sum(bool(said["asserted"]) for said in healthy)
    share = f"{wrong} of {len(healthy)} ({wrong / max(len(healthy), 1):.1%}, ≤ {upper(wrong, len(healthy)):.1%})"
    seconds = np.median([said["seconds"] for _, said in pairs])
    found = [f"{f1(pairs, claim)[0]:.2f}" for claim in ("overfitting", "underfitting", "no-signal")]
    return (name, f"{balanced(pairs)[0]:.1%}", *found, share, f"{calibration_error(pairs):.3f}", f"{seconds:.3f}")


def by_distance(pairs: Pairs) -> str:
    """Return how many rates are told right, by how far off they are, and the balanced share without the near ones."""
    right: dict[str, dict[str, list[bool]]] = {name: {"near": [], "far": [], "further": []} for name in CLASSES}
    for truth, said in pairs:
        if truth["rate"] in CLASSES and not truth["no_signal"] and "off" in truth:
            times = max(truth["off"], 1 / truth["off"])
            place = "near" if times < 3 else "far" if times < 10 else "further"
            right[truth["rate"]][place].append(rate_of(said) == truth["rate"])
    if not right["high"]["further"] or not right["low"]["further"]:
        return "too few rates to tell them by distance"
    parts = [f"{name} {len(told)}: {np.mean(told):.0%}" for rate in ("high", "low")
             for name, told in ((f"{rate}, {place}", right[rate][place]) for place in right[rate]) if told]  # fmt: skip
    apart = [np.mean(right[rate]["far"] + right[rate]["further"]) for rate in ("high", "low")]
    kept = [*apart, np.mean([one for told in right["right"].values() for one in told])]
    return f"near is less than 3 times off, further 10: {'; '.join(parts)}; without the near ones {np.mean(kept):.1%}"


def report(told: dict[str, Pairs], markdown: bool) -> str:
    """Return one row a way of diagnosing, and the details of each of ours."""
    any_pairs = next(iter(told.values()))
    ambiguous = sum(truth["rate"] == "ambiguous" for truth, _ in any_pairs)
    signal = sum(not truth["no_signal"] for truth, _ in any_pairs)
    heads = ("", "rate, balanced", "F1 overfitting", "underfitting", "no signal", "healthy flagged (95 %)",
             "calibration", "seconds")  # fmt: skip
    lines = [f"{len(any_pairs)} situations, {signal} with a signal; of {ambiguous} the rate's class is ambiguous",
             table([heads, *(row_of(name, pairs) for name, pairs in told.items())], markdown)]  # fmt: skip
    for name, pairs in told.items():
        if name in RIVALS:
            continue
        counts = balanced(pairs)[1]
        confusion: Rows = [(f"{name}: the rate is", "situations", *(f"said {c}" for c in CLASSES), "right in")]
        for true in CLASSES:
            row = [counts[true, said] for said in CLASSES]
            confusion.append((true, str(sum(row)), *map(str, row), f"{counts[true, true] / max(sum(row), 1):.1%}"))
        flagged = Counter(name for truth, said in pairs if is_healthy(truth) for name in said["asserted"][:1])
        found = "; ".join("{}: {} true, {} found, {} wrong".format(claim, *f1(pairs, claim)[1:])
                          for claim in ("overfitting", "underfitting", "no-signal"))  # fmt: skip
        lines += [table(confusion, markdown), by_distance(pairs), found, f"healthy flagged as: {dict(flagged)}"]
        mended = [(truth, said["remedy"]) for truth, said in pairs if "remedy" in said]
        if mended:
            helps = sum(mean > 2 * error for _, (mean, error) in mended)
            harms = sum(
                mean < -2 * error and mean < -0.02 * max(truth["gain"], 1e-9) for truth, (mean, error) in mended
            )
            lines.append(
                f"first remedies: {len(mended)}, {helps / len(mended):.1%} help, {harms / len(mended):.1%} harm"
            )
    return "\n\n".join(lines)


def main() -> None:
    """Ask, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "truth", type=Path, nargs="*", default=[PUBLISHED],
        help="files that ground_truth.py wrote (default: situations.npz, its part for judging)",
    )  # fmt: skip
    ways = ("blind", "blind, constant unknown", "open", "verified")
    parser.add_argument("--how", choices=ways, nargs="+", default=["blind"])
    parser.add_argument("--share", type=int, nargs=2, default=(0, 1), metavar=("K", "N"), help="only K, K + N, ...")
    parser.add_argument("--part", choices=("judging", "development", "drawn"), default="judging")
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"of verifying (default: {SEEDS})")
    parser.add_argument("--remedies", action="store_true", help="try each first remedy on the judging rows")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every answer to FILE")
    parser.add_argument("--read", type=Path, nargs="+", metavar="FILE", help="run nothing, print what --json wrote")
    parser.add_argument("--markdown", action="store_true")
    given = parser.parse_args()
    told: dict[str, Pairs] = {}
    if given.read:
        for path in given.read:
            for name, pairs in json.loads(path.read_text()).items():
                told.setdefault(name, []).extend((truth, said) for truth, said in pairs)
    else:
        known = {problem.name: problem for problem in problems()}
        every = [line for path in given.truth for line in lines_of(path, given.part)]
        lines = [line for line in every if "loss" in line["curves"][0]][given.share[0] :: given.share[1]]
        for line in lines:
            line["truth"]["off"] = line["off"]
        for name, rule in RIVALS.items():
            told[name] = [(line["truth"], by_rule(rule, line)) for line in lines]
        for how in given.how:
            told[how] = []
            for number, line in enumerate(lines):
                told[how].append((line["truth"], asked(line, how, known, given.seeds, given.remedies)))
                if number % 50 == 49:
                    print(f"{how}: {number + 1} of {len(lines)}", file=sys.stderr, flush=True)
        if given.json:
            given.json.write_text(json.dumps(told))
    print(report(told, given.markdown))


if __name__ == "__main__":
    main()
