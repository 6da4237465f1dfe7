"""How much is lost by trusting a learning-rate finder: its rate's loss against the best rate's, over many problems.

Regret is (loss - best loss) / (constant prediction's loss - best loss) on rows that no finder saw, each loss the mean
of networks trained on all other rows from seeds that no finder used. A rate off the grid is trained like any other.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import machine
import numpy as np
from numpy.typing import NDArray
from problems import FOR_TUNING, Problem, problems
from tables import Rows, table

import hillwalker as hw
from hillwalker.choosing.race import RATES
from hillwalker.choosing.splits import one_split

Array = NDArray[np.float64]

OPTIMIZERS: dict[str, tuple[Callable[[float], Any], float]] = {  # and Keras's default rate
    "SGD": (lambda rate: hw.optimizers.SGD(rate), 0.01),
    "SGD, momentum 0.9": (lambda rate: hw.optimizers.SGD(rate, momentum=0.9), 0.01),
    "Adam": (lambda rate: hw.optimizers.Adam(rate), 0.001),
    "RMSprop": (lambda rate: hw.optimizers.RMSprop(rate), 0.001),
}
NINE = RATES[2:11]  # 1e-4 to 1
RULES = {"valley": "fastai", "steepest": "fastai", "minimum/10": "fastai", "slide": "fastai", "lightning": "Lightning"}
LABELS = {
    "race": "hw.find_learning_rate",
    "one seed": "best of 9 rates, 1 seed",
    "three seeds": "best of 9 rates, 3 seeds",
    "default": "Keras's default",
    "random": "a random rate of the 13",
    **{rule: f"range test, {rule if rule != 'lightning' else 'gradient'} ({whose})" for rule, whose in RULES.items()},
}
TRUTH_SEEDS = 500_000  # the first of the judge's seeds: no finder comes there
FAILED = 10.0  # the regret, at most, of one training of the judge's
CATASTROPHE = 0.5
HELPS = 0.02  # a configuration is without signal where the best rate gains less than this part of the constant's loss


@dataclass(frozen=True)
class Configuration:
    """A problem and an optimizer: the judge's mean loss by rate of the grid, and whether anything can be learned."""

    problem: str
    optimizer: str
    judged: bool
    constant: float
    losses: list[float]
    best_rate: float
    gain: float
    standard_error: float
    signal: bool


@dataclass(frozen=True)
class Finding:
    """One answer of one finder: the rate (None: no rate helps), its regret, what it took, and what the race added."""

    problem: str
    optimizer: str
    judged: bool
    signal: bool
    seed: int
    finder: str
    rate: float | None
    regret: float
    trainings: int
    seconds: float
    low: float | None = None
    high: float | None = None
    bound: float | None = None
    has_best: bool | None = None
    has_as_good: bool | None = None


# The judge


def row_losses(problem: Problem, outputs: Array) -> Array:
    """Return the loss of each test row, given outputs (rows, O)."""
    if problem.task == "regression":
        squares: Array = (outputs[:, 0] - problem.y_test) ** 2
        return squares
    chosen = problem.y_test.astype(int)
    if problem.task == "binary":
        outputs = np.column_stack([1 - outputs[:, 0], outputs[:, 0]])
    told: Array = -np.log(np.clip(outputs[np.arange(len(chosen)), chosen], 1e-7, 1))
    return told


def constant_outputs(problem: Problem) -> Array:
    """Return the outputs (rows, O) of always predicting what is best on the rows learned from."""
    if problem.task == "multiclass":
        told = np.bincount(problem.y.astype(int), minlength=problem.outputs) / len(problem.y)
    else:
        told = np.array([problem.y.mean(dtype=np.float64)])
    return np.broadcast_to(told, (len(problem.y_test), len(told)))


class Judge:
    """Trains each rate it is asked about from the judge's seeds on all rows to learn from, and remembers."""

    def __init__(self, problem: Problem, optimizer: str, seeds: int, threads: int | None) -> None:
        self.problem, self.make, self.threads = problem, OPTIMIZERS[optimizer][0], threads
        self.seeds = range(TRUTH_SEEDS, TRUTH_SEEDS + seeds)
        self.by_row: dict[float, Array] = {}  # rate -> (seeds, test rows), infinite where a training failed
        self.constant_by_row = row_losses(problem, constant_outputs(problem))
        self.constant = float(self.constant_by_row.mean())
        self.train(RATES)
        finite = {rate: rows.mean() for rate, rows in self.by_row.items() if np.isfinite(rows).all()}
        self.best_rate = min(finite, key=lambda rate: finite[rate])
        self.best = float(finite[self.best_rate])
        self.gain = self.constant - self.best
        advantage = self.constant_by_row - self.by_row[self.best_rate].mean(axis=0)
        self.standard_error = float(advantage.std(ddof=1) / math.sqrt(len(advantage)))
        self.signal = self.gain > max(HELPS * self.constant, 2 * self.standard_error)

    def train(self, rates: Iterable[float]) -> None:
        """Train what is not trained yet."""
        new = [float(rate) for rate in dict.fromkeys(rates) if float(rate) not in self.by_row]
        models = [model for rate in new for model in hw.copies(self.problem.model(self.make(rate)), self.seeds)]
        histories = fit(self.problem, models, self.threads)
        for number, rate in enumerate(new):
            lost = np.full((len(self.seeds), len(self.problem.y_test)), np.inf)
            for seed in range(len(self.seeds)):
                place = number * len(self.seeds) + seed
                if histories[place].stop_reason is None:
                    outputs = models[place].predict(self.problem.X_test, verbose=0).astype(np.float64)
                    lost[seed] = row_losses(self.problem, outputs)
            self.by_row[rate] = lost

    def regret(self, rate: float | None) -> float:
        """Return a rate's regret; 1 for none at all, which is the constant prediction's."""
        if rate is None:
            return 1.0
        self.train([rate])
        losses = self.by_row[float(rate)].mean(axis=1)
        told = np.minimum((losses - self.best) / max(self.gain, 1e-12), FAILED)
        return max(0.0, float(told.mean()))


def fit(problem: Problem, models: list[Any], threads: int | None, **told: Any) -> list[Any]:
    """Train networks side by side as the problem says."""
    settings = {"batch_size": problem.batch_size, "epochs": problem.epochs, "verbose": 0, "threads": threads}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hw.errors.HillwalkerWarning)  # high rates fail, as they should
        return hw.fit_many(models, problem.X, problem.y, **settings, **told) if models else []


# The finders: (problem, optimizer, seed, threads) -> rates by name, trainings, and the race's record


def plain_winners(problem: Problem, optimizer: str, seed: int, threads: int | None) -> dict[str, float]:
    """Return the rate of nine with the least validation loss after one training each, and after three each."""
    rows, held_out = one_split(len(problem.X), 0.2)
    if not problem.in_time:
        order = np.random.default_rng(seed).permutation(len(problem.X)).astype(np.uint32)
        rows, held_out = order[: len(rows)], order[len(rows) :]
    make = OPTIMIZERS[optimizer][0]
    models = [m for rate in NINE for m in hw.copies(problem.model(make(float(rate))), [seed, seed + 1, seed + 2])]
    several = {"rows": [rows] * len(models), "validation_rows": [held_out] * len(models)}
    histories = fit(problem, models, threads, **several)
    last = [h.history["val_loss"][-1] if h.stop_reason is None else math.inf for h in histories]
    losses = np.array(last).reshape(len(NINE), 3)
    return {"one seed": float(NINE[losses[:, 0].argmin()]), "three seeds": float(NINE[losses.mean(axis=1).argmin()])}


def findings(problem: Problem, optimizer: str, judge: Judge, seeds: int, threads: int | None) -> list[Finding]:
    """Return what every finder says of one configuration, from each of its seeds."""
    make, default = OPTIMIZERS[optimizer]
    found = []

    def add(seed: int, finder: str, rate: float | None, trainings: int, seconds: float, **more: Any) -> None:
        about = problem.name, optimizer, problem.name not in FOR_TUNING, judge.signal, seed, finder
        found.append(Finding(*about, rate, judge.regret(rate), trainings, seconds, **more))

    for number in range(seeds):
        seed = 1000 * number
        began = time.perf_counter()
        race = hw.find_learning_rate(
            problem.model(make(default)), problem.X, problem.y, problem.epochs, problem.batch_size, seed=seed,
            time_ordered=problem.in_time, sweep=False, threads=threads, verbose=0,
        )  # fmt: skip
        add(seed, "race", race.learning_rate, race.runs, time.perf_counter() - began, **of_race(race, judge))
        began = time.perf_counter()
        (model,) = hw.copies(problem.model(make(default)), [seed])
        swept = hw.choosing.sweep_learning_rates(
            model, problem.X, problem.y, batch_size=problem.batch_size, seed=seed, verbose=0
        )
        seconds = time.perf_counter() - began
        judge.train(swept.suggestions.values())
        for rule in RULES:
            add(seed, rule, swept.suggestions.get(rule, default), 1, seconds)  # too few points: no suggestion
        began = time.perf_counter()
        winners = plain_winners(problem, optimizer, seed, threads)
        seconds = time.perf_counter() - began
        add(seed, "one seed", winners["one seed"], len(NINE), seconds / 3)
        add(seed, "three seeds", winners["three seeds"], 3 * len(NINE), seconds)
        add(seed, "default", default, 0, 0.0)
        add(seed, "random", float(np.random.default_rng([seed, len(problem.X)]).choice(RATES)), 0, 0.0)
    return found


def of_race(race: Any, judge: Judge) -> dict[str, Any]:
    """Return what the race said of its own certainty, and whether it was right."""
    if race.learning_rate is None:
        return {}
    low, high = race.interval
    inside = [float(rate) for rate in RATES if low <= rate <= high]
    return {
        "low": low,
        "high": high,
        "bound": race.regret_bound,
        "has_best": judge.best_rate in inside,
        "has_as_good": min(judge.regret(rate) for rate in inside) <= 0.01,
    }


# The tables


def percent(value: float) -> str:
    return f"{100 * value:,.{0 if value >= 0.1 else 1}f} %"


def regret_table(rows: list[Finding]) -> Rows:
    """Return a line a finder, the best first by its 95th percentile."""
    lines = []
    asked = [(label, [row for row in rows if row.finder == finder]) for finder, label in LABELS.items()]
    asked.append(("hw.find_learning_rate, where it names a rate", [row for row in asked[0][1] if row.rate is not None]))
    for label, own in asked:
        regrets = np.array([row.regret for row in own])
        median, most = np.percentile(regrets, [50, 95])
        spent = np.mean([row.trainings for row in own]), np.median([row.seconds for row in own])
        cells = (percent(median), percent(most), percent(regrets.max()), percent(float(np.mean(regrets > CATASTROPHE))))
        lines.append((float(most), (label, *cells, f"{spent[0]:.0f}", f"{spent[1]:.2f}")))
    head = ("finder", "median", "95th percentile", "worst", "above 50 %", "trainings", "seconds")
    return [head, *(line for _, line in sorted(lines, key=lambda pair: pair[0]))]


def certainty_table(rows: list[Finding]) -> Rows:
    """Return how often the race's interval and bound are right, by optimizer."""
    head = ("race with", "answers", "median", "95th percentile", "worst", "best rate in interval",
            "one as good in it", "regret within bound", "interval, factor", "bound, median")  # fmt: skip
    lines: Rows = [head]
    for optimizer in ("all", *OPTIMIZERS):
        own = [row for row in rows if row.finder == "race" and row.rate and optimizer in ("all", row.optimizer)]
        if not own:
            continue
        regrets = np.array([row.regret for row in own])
        bounds = np.array([row.bound for row in own], dtype=float)
        shares = [float(np.mean(values)) for values in
                  ([row.has_best for row in own], [row.has_as_good for row in own], regrets <= bounds)]  # fmt: skip
        width = float(np.median([(row.high or 1) / (row.low or 1) for row in own]))
        spread = (percent(float(value)) for value in (*np.percentile(regrets, [50, 95]), regrets.max()))
        told = (*spread, *map(percent, shares), f"{width:.1f}", percent(float(np.median(bounds))))
        lines.append((optimizer, str(len(own)), *told))
    return lines


def signal_table(rows: list[Finding]) -> Rows:
    """Return how often the race says that no rate helps, where that is so and where it is not."""
    lines: Rows = [("the judge says", "races", '"no rate helps"', "share")]
    for signal, label in ((True, "a rate helps"), (False, "none is better by 2 % and more than noise")):
        own = [row for row in rows if row.finder == "race" and row.signal == signal]
        refused = sum(row.rate is None for row in own)
        lines.append((label, str(len(own)), str(refused), percent(refused / max(len(own), 1))))
    return lines


def worst_table(rows: list[Finding], least: float, most: int | None = None) -> Rows:
    """Return the race's worst answers; seeds that gave the same rate share a line."""
    lines: Rows = [("problem", "optimizer", "rate", "races", "interval", "bound", "regret")]
    groups: dict[tuple[str, str, float | None], list[Finding]] = {}
    for row in rows:
        if row.finder == "race" and row.regret > least:
            groups.setdefault((row.problem, row.optimizer, row.rate), []).append(row)
    for (problem, optimizer, rate), same in sorted(groups.items(), key=lambda pair: -pair[1][0].regret)[:most]:
        told: tuple[str, ...] = ("none", str(len(same)), "", "")
        if rate is not None:
            ends = min(row.low or 0.0 for row in same), max(row.high or 0.0 for row in same)
            bounds = [row.bound or 0.0 for row in same]
            range_of_bounds = f"{percent(min(bounds))} to {percent(max(bounds))}"
            told = f"{rate:.3g}", str(len(same)), f"{ends[0]:.3g} to {ends[1]:.3g}", range_of_bounds
        lines.append((problem, optimizer, *told, percent(same[0].regret)))
    return lines


def report(configurations: list[Configuration], rows: list[Finding], markdown: bool) -> str:
    """Return all tables."""
    parts = []
    for judged, title in ((True, "Data sets for judging"), (False, "Data sets for tuning")):
        own = [row for row in rows if row.judged == judged]
        with_signal = [row for row in own if row.signal]
        if not with_signal:
            continue
        sets = len({row.problem for row in own})
        count = sum(c.judged == judged and c.signal for c in configurations)
        all_of_them = sum(c.judged == judged for c in configurations)
        parts += [
            f"**{title}: {sets}, {count} of {all_of_them} configurations with something to learn**",
            table(regret_table(with_signal), markdown),
            table(certainty_table(with_signal), markdown),
            table(signal_table(own), markdown),
            f"The race's answers with a regret above {CATASTROPHE:.0%}, or the worst five:",
            table(worst_table(with_signal, CATASTROPHE) + worst_table(
                [row for row in with_signal if row.regret <= CATASTROPHE], 0.0, 5)[1:], markdown),
        ]  # fmt: skip
    return "\n\n".join(parts)


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--problems", nargs="+", metavar="NAME", help="only these data sets (default: all)")
    parser.add_argument("--part", choices=("judging", "tuning"), help="only the data sets for this")
    parser.add_argument("--seeds", type=int, default=5, help="how often each finder is asked (default: 5)")
    parser.add_argument("--truth-seeds", type=int, default=20, help="of the judge, a rate (default: 20)")
    parser.add_argument("--threads", type=int, help="how many trainings at a time")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every answer and the judge's losses to FILE")
    parser.add_argument("--read", type=Path, nargs="+", metavar="FILE", help="run nothing, print what --json wrote")
    parser.add_argument("--markdown", action="store_true", help="print the tables as docs/choosing.md has them")
    given = parser.parse_args()
    known = [problem.name for problem in problems()]
    unknown = [name for name in given.problems or [] if name not in known]
    if unknown:
        parser.error(f"no data set {unknown[0]!r}; there are: {'; '.join(known)}")
    if given.seeds < 1 or given.truth_seeds < 2:
        parser.error("--seeds must be 1 or more, --truth-seeds 2 or more")
    if given.json and not given.json.parent.is_dir():
        parser.error(f"--json {given.json}: the folder {given.json.parent} does not exist")
    return given


def run(given: argparse.Namespace, about: dict[str, Any]) -> tuple[list[Configuration], list[Finding]]:
    """Ask every finder about everything, and judge; the file asked for is written after each data set."""
    configurations: list[Configuration] = []
    rows: list[Finding] = []
    began = time.perf_counter()
    for problem in problems():
        judged = problem.name not in FOR_TUNING
        if (given.problems and problem.name not in given.problems) or given.part == ("tuning" if judged else "judging"):
            continue
        for optimizer in OPTIMIZERS:
            judge = Judge(problem, optimizer, given.truth_seeds, given.threads)
            losses = [float(judge.by_row[float(rate)].mean()) for rate in RATES]
            told = judge.constant, losses, judge.best_rate, judge.gain, judge.standard_error, judge.signal
            configurations.append(Configuration(problem.name, optimizer, judged, *told))
            rows += findings(problem, optimizer, judge, given.seeds, given.threads)
        print(f"{problem.name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
        if given.json:
            written = {
                "machine": about | {"load_after": machine.load()},
                "rates": RATES.tolist(),
                "configurations": [asdict(one) for one in configurations],
                "findings": [asdict(one) for one in rows],
            }
            given.json.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n")
    return configurations, rows


def main() -> None:
    """Run or read, and print."""
    given = arguments()
    if given.read:
        files = [json.loads(path.read_text()) for path in given.read]
        configurations = [Configuration(**one) for file in files for one in file["configurations"]]
        rows = [Finding(**one) for file in files for one in file["findings"]]
    else:
        about = machine.describe() | {"date": date.today().isoformat(), "load_before": machine.load()}
        configurations, rows = run(given, about)
        for name, value in (about | {"load_after": machine.load()}).items():
            print(f"{'- ' if given.markdown else ''}{name.replace('_', ' ')}: {value}")
        print()
    print(report(configurations, rows, given.markdown))


if __name__ == "__main__":
    main()
