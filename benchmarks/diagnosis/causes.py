"""Whether a diagnosis with model and data names what was made wrong, and leaves the healthy alone.

    scripts/bench diagnosis/causes --part development --each 10 --healthy 60

A healthy situation is drawn: a data set, a network, the rate and the number of epochs that validate best. One cause is
injected. It counts only if it does harm: on rows that no diagnosis sees, the situation without it explains more, by
more than 2 % of what can be gained and two standard errors over ten seeds; leakage, no signal and few validation rows
are true by construction. Healthy ones for false alarms are those whose nine changes of `ground_truth` gain nothing.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from drawn import drawn_problem
from ground_truth import (
    JUDGES,
    JUDGING_SEEDS,
    OPTIMIZERS,
    Situation,
    best_rate,
    curve,
    judged,
    known_losses,
    labels,
    optimizer_of,
    rows_of,
    shares_of,
    train,
)
from problems import FOR_TUNING, Problem, problems

import hillwalker as hw
from hillwalker.diagnosis.findings import Finding

Array = NDArray[Any]

SEEDS = 10
LEAST = 0.02
ROWS_JUDGED = 2000


def diagnose_situation(
    model: Any, X: Any, y: Any, epochs: int, batch_size: int, validation_data: Any = None
) -> list[Finding]:
    """Return the findings, the most certain first: the one call that is judged here."""
    told = hw.diagnose(
        model, X, y, epochs=epochs, batch_size=batch_size, validation_data=validation_data, threads=1, verbose=0
    )
    return told.findings


@dataclass
class Case:
    """All that a training is made of, as healthy; a cause changes some of it.

    `scales` of judging inputs' columns and `scale` of predictions are those with which training sees them.
    """

    task: str
    outputs: int
    x: Array
    y: Array
    x_validation: Array
    y_validation: Array
    x_judging: Array
    y_judging: Array
    hidden: tuple[int, ...]
    activation: str
    optimizer: str
    rate: float
    batch_size: int
    epochs: int
    initializer: Any = None
    bias: float = 0.0
    l2: float = 0.0
    dropout: float = 0.0
    last: str = ""
    loss: Any = ""
    twice: bool = False
    scale: float = 1.0
    extra: list[str] = field(default_factory=list)

    def model(self) -> Any:
        """Return the network, compiled."""
        usual = "he_uniform" if self.activation == "relu" else "glorot_uniform"
        stack: list[Any] = [hw.Input((self.x.shape[1],))]
        for units in self.hidden:
            stack.append(
                hw.layers.Dense(
                    units, self.activation, kernel_initializer=self.initializer or usual,
                    bias_initializer=hw.initializers.Constant(self.bias),
                    kernel_regularizer=hw.regularizers.L2(self.l2) if self.l2 else None,
                )
            )  # fmt: skip
            if self.dropout:
                stack.append(hw.layers.Dropout(self.dropout))
        last = self.last or {"regression": "linear", "binary": "sigmoid", "multiclass": "softmax"}[self.task]
        width = self.y.shape[1] if self.y.ndim > 1 else self.outputs
        stack.append(hw.layers.Dense(width, last, kernel_initializer=self.initializer or "glorot_uniform"))
        if self.twice:
            stack.append(hw.layers.Activation(last))
        loss = {"regression": "mse", "binary": "binary_crossentropy", "multiclass": "sparse_categorical_crossentropy"}
        model = hw.Sequential(stack)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.compile(optimizer_of(self.optimizer, self.rate), self.loss or loss[self.task])
        return model

    def unexplained(self) -> Array:
        """Return, for each of ten seeds, the share of the judging targets' variance that is not explained."""
        models = hw.copies(self.model(), range(JUDGING_SEEDS, JUDGING_SEEDS + SEEDS))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            hw.fit_many(models, self.x, self.y, batch_size=self.batch_size, epochs=self.epochs, verbose=0, threads=1)
        y = self.y_judging
        wanted = np.eye(max(self.outputs, 2))[y.astype(int)] if self.task == "multiclass" else y.reshape(len(y), -1)
        found = []
        for model in models:
            told = model.predict(self.x_judging, verbose=0).astype(np.float64) / self.scale
            if self.task == "binary" and told.shape[1] == 2:
                told = told[:, 1:]
            share = np.square(wanted - told).sum() / np.square(wanted - wanted.mean(axis=0)).sum()
            found.append(min(float(share), 3.0) if math.isfinite(share) and model.stop_reason is None else 3.0)
        return np.array(found)


def healthy(problem: Problem, number: int) -> tuple[Case, Situation, Any]:
    """Return a situation with the best rate of a grid, trained for as many epochs as validates best."""
    random = np.random.default_rng([number, 51, *problem.name.encode()])
    situation = Situation(
        problem.name, str(random.choice(OPTIMIZERS)), 0.01, problem.batch_size, problem.epochs, problem.hidden,
        str(random.choice(["relu", "tanh"], p=[0.7, 0.3])), number=number,
    )  # fmt: skip
    rows = rows_of(problem, situation)
    situation = replace(situation, learning_rate=best_rate(problem, situation, rows))
    told = train(problem, [(situation, 40_000 + seed) for seed in range(3)], rows, [rows.validation] * 3)
    means = np.mean([curve(history, "val_loss", situation.epochs) for history in told], axis=0)
    situation = replace(situation, epochs=max(8, int(np.argmin(means)) + 1))
    judging = rows.judging[:ROWS_JUDGED]
    case = Case(
        problem.task, problem.outputs, rows.x[rows.training], rows.y[rows.training], rows.x[rows.validation],
        rows.y[rows.validation], rows.x[judging], rows.y[judging], situation.hidden, situation.activation,
        situation.optimizer, situation.learning_rate, min(situation.batch_size, len(rows.training)), situation.epochs,
    )  # fmt: skip
    return case, situation, rows


def is_healthy(problem: Problem, situation: Situation, rows: Any) -> bool:
    """Return whether no other rate, no earlier stop, no more epochs or units gain anything that matters."""
    shares = shares_of(situation, rows, JUDGES)
    constants = known_losses(problem, rows, problem.model(optimizer_of("adam", 0.01)), shares)
    told = labels(judged(problem, situation, rows, shares), constants[2:])
    return told["rate"] == "right" and not (told["overfitting"] or told["underfitting"] or told["no_signal"])


# The causes: each changes a case in place, or says that it cannot be made of it.


def _columns(case: Case, random: np.random.Generator) -> bool:
    factors = np.where(random.random(case.x.shape[1]) < 0.5, 1e4, 1.0).astype(np.float32)
    factors[0] = 1e4
    for name in ("x", "x_validation", "x_judging"):
        setattr(case, name, getattr(case, name) * factors)
    return True


def _targets(case: Case, random: np.random.Generator) -> bool:
    case.y, case.y_validation, case.scale = case.y * 1e4, case.y_validation * 1e4, 1e4
    return case.task == "regression"


def _deep(case: Case, random: np.random.Generator) -> bool:
    case.hidden, case.activation = (case.hidden[0],) * 8, "sigmoid"
    return True


def _twice(case: Case, random: np.random.Generator) -> bool:
    case.twice = True
    return case.task != "regression"


def _mismatch(case: Case, random: np.random.Generator) -> bool:
    if case.task == "regression":
        case.last = str(random.choice(["relu", "sigmoid", "tanh"]))
    else:
        classes = np.eye(max(case.outputs, 2), dtype=np.float32)
        case.y, case.y_validation = classes[case.y.astype(int)], classes[case.y_validation.astype(int)]
        case.last, case.loss = "softmax", "mse"
    return True


def _single(case: Case, random: np.random.Generator) -> bool:
    case.batch_size = 1
    return True


def _shuffled(case: Case, random: np.random.Generator) -> bool:
    y = random.permutation(np.concatenate([case.y, case.y_validation]))
    case.y, case.y_validation = y[: len(case.y)], y[len(case.y) :]
    return True


def _leak(case: Case, random: np.random.Generator) -> bool:
    count = max(2, int(random.uniform(0.1, 1.0) * len(case.x_validation)))
    case.x = np.concatenate([case.x, case.x_validation[:count]])
    case.y = np.concatenate([case.y, case.y_validation[:count]])
    return True


def _rare(case: Case, random: np.random.Generator) -> bool:
    ones, zeros = np.flatnonzero(case.y == 1), np.flatnonzero(case.y == 0)
    kept = np.sort(np.concatenate([zeros, ones[: max(2, round(0.03 * len(zeros)))]]))
    case.x, case.y = case.x[kept], case.y[kept]
    rare, common = np.flatnonzero(case.y_validation == 1), np.flatnonzero(case.y_validation == 0)
    kept = np.sort(np.concatenate([common, rare[: max(1, round(0.03 * len(common)))]]))
    case.x_validation, case.y_validation = case.x_validation[kept], case.y_validation[kept]
    return case.task == "binary" and len(ones) > 20 and len(zeros) > 60


def _zeroed(case: Case, random: np.random.Generator) -> bool:
    for name in ("x", "x_validation", "x_judging"):
        setattr(case, name, np.zeros_like(getattr(case, name)))
    return True


def _few(case: Case, random: np.random.Generator) -> bool:
    case.x, case.y = case.x[:60], case.y[:60]
    case.hidden, case.epochs, case.batch_size = (128, 128), 200, 16
    case.rate = {"sgd": 0.03, "momentum": 0.01, "adam": 0.003, "rmsprop": 0.003}[case.optimizer]
    return True


def _set(**told: Any) -> Callable[[Case, np.random.Generator], bool]:
    def change(case: Case, random: np.random.Generator) -> bool:
        for name, value in told.items():
            setattr(case, name, value)
        return True

    return change


def _times(factor: float) -> Callable[[Case, np.random.Generator], bool]:
    def change(case: Case, random: np.random.Generator) -> bool:
        case.rate *= factor
        return True

    return change


def _few_held_out(case: Case, random: np.random.Generator) -> bool:
    case.x_validation, case.y_validation = case.x_validation[:8], case.y_validation[:8]
    return True


def _whole(case: Case, random: np.random.Generator) -> bool:
    case.batch_size = len(case.x)
    return True


HIGH = ("learning-rate-too-high", "diverged")
CAUSES: dict[str, tuple[Callable[[Case, np.random.Generator], bool], tuple[str, ...]]] = {
    "rate x30": (_times(30), HIGH),
    "rate /100": (_times(1 / 100), ("learning-rate-too-low",)),
    "no activations": (_set(activation="linear"), ("missing-nonlinearity",)),
    "weights of zero": (_set(initializer="zeros"), ("bad-initialization",)),
    "large weights": (_set(initializer=hw.initializers.RandomNormal(0, 2.0)), ("bad-initialization",)),
    "columns x1e4": (_columns, ("unscaled-inputs",)),
    "targets x1e4": (_targets, ("unscaled-targets",)),
    "eight sigmoid layers": (_deep, ("vanishing-gradients",)),
    "softmax twice": (_twice, ("double-softmax",)),
    "wrong output or loss": (_mismatch, ("loss-activation-mismatch",)),
    "L2 of 1": (_set(l2=1.0), ("over-regularized",)),
    "dropout 0.9": (_set(dropout=0.9), ("over-regularized",)),
    "all rows a batch": (_whole, ("batch-too-large",)),
    "batches of 1": (_single, ("batch-too-small",)),
    "labels shuffled": (_shuffled, ("no-signal",)),
    "validation rows trained on": (_leak, ("leakage",)),
    "a class of 3 %": (_rare, ("class-imbalance",)),
    "inputs zeroed": (_zeroed, ("inputs-ignored",)),
    "one unit a layer": (_set(hidden=(1, 1)), ("underfitting",)),
    "few rows, wide, long": (_few, ("overfitting",)),
    "dead units": (_set(activation="relu", bias=-10.0), ("dead-relu",)),
    "saturated units": (_set(activation="tanh", bias=10.0), ("saturated-units",)),
    "eight validation rows": (_few_held_out, ("noisy-validation",)),
}
OF_RATES = ("rate x30", "batches of 1")
BY_CONSTRUCTION = ("labels shuffled", "validation rows trained on", "eight validation rows")


def does_harm(cause: str, base: Array, healthy: Case, case: Case) -> bool:
    """Return whether the situation without the cause explains more, by enough to matter."""
    if cause in BY_CONSTRUCTION:
        return True
    if cause == "few rows, wide, long":
        return _overfits(case)
    if cause in OF_RATES and not matters(stopped(case) - stopped(healthy), max_gain(healthy)):
        return False  # it ends worse only because it trains further: that is overfitting
    return matters(case.unexplained() - base, max(1 - float(base.mean()), 0.02))


def matters(difference: Array, gain: float) -> bool:
    """Return whether a difference over seeds is more than 2 % of the gain and two standard errors."""
    error = float(difference.std(ddof=1)) / math.sqrt(SEEDS)
    return bool(difference.mean() > max(LEAST * gain, 2 * error))


def curves_of(case: Case) -> tuple[Array, Array]:
    """Return ten seeds' losses on judging rows by epoch, and where each had better stopped by the others' curves."""
    models = hw.copies(case.model(), range(JUDGING_SEEDS, JUDGING_SEEDS + SEEDS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        histories = hw.fit_many(
            models, case.x, case.y, batch_size=case.batch_size, epochs=case.epochs, verbose=0, threads=1,
            validation_data=(case.x_judging, case.y_judging),
        )  # fmt: skip
    curves = np.minimum(np.array([curve(history, "val_loss", case.epochs) for history in histories]), 1e6)
    at = [int(np.argmin(curves.sum(axis=0) - one)) for one in curves]
    return curves, curves[np.arange(SEEDS), at]


def stopped(case: Case) -> Array:
    """Return the losses on judging rows where each seed had better stopped."""
    return curves_of(case)[1]


def max_gain(case: Case) -> float:
    """Return what can be gained over a constant prediction, about."""
    constant = constant_loss(case)
    return max(constant - float(stopped(case).mean()), 0.02 * constant)


def constant_loss(case: Case) -> float:
    """Return the loss on judging rows of always predicting what is best on them."""
    if case.task == "regression":
        return float(case.y_judging.var())
    shares = np.bincount(case.y_judging.astype(int)) / len(case.y_judging)
    return float(-sum(share * math.log(share) for share in shares if share > 0))


def _overfits(case: Case) -> bool:
    """Return whether stopping where the other seeds are best ends better on judging rows, while training falls."""
    curves, best = curves_of(case)
    gain = constant_loss(case) - float(best.mean())
    return gain > LEAST * constant_loss(case) and matters(curves[:, -1] - best, gain)


def situations(part: str, each: int, count: int, only: str | None) -> Iterator[tuple[str, tuple[str, ...], Case]]:
    """Yield cases with their cause and what may be said of them; "" and nothing for the healthy."""
    if part == "drawn":
        wanted: Any = [drawn_problem(100_000 + number) for number in range(60)]
    else:
        wanted = [p for p in problems() if (p.name in FOR_TUNING) == (part == "development")]
    wanted = [p for p in wanted if len(p.X) >= 60]
    have = dict.fromkeys(CAUSES if only is None else [only], 0)
    well = 0 if only is None else count
    for number in range(20):
        for problem in wanted:
            if min(have.values()) >= each and well >= count:
                return
            case, situation, rows = healthy(problem, number)
            base = case.unexplained()
            if base.mean() > 0.97:
                continue  # no signal, whatever is made wrong
            if well < count and is_healthy(problem, situation, rows):
                well += 1
                yield "", (), case
            random = np.random.default_rng([number, 52, *problem.name.encode()])
            due = [name for name in have if have[name] < each]
            for cause in random.permutation(due)[: max(2, len(due) // 3)]:
                change, accepted = CAUSES[cause]
                changed = replace(case)
                if change(changed, random) and does_harm(cause, base, case, changed):
                    have[cause] += 1
                    yield str(cause), accepted, changed


def upper_bound(count: int, total: int) -> float:
    """Return the 95 % upper confidence bound of a share, after Wilson."""
    share, z = count / total, 1.645
    middle = share + z * z / (2 * total)
    return (middle + z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))) / (1 + z * z / total)


def report(told: list[dict[str, Any]]) -> str:
    """Return how often the cause is named first, and among the first three; false alarms; calibration."""
    lines = [f"{'cause':28} {'n':>4} {'first':>6} {'three':>6}  named first instead"]
    faulty = [one for one in told if one["cause"]]
    for cause in [*CAUSES, "all"]:
        some = [one for one in faulty if cause in (one["cause"], "all")]
        if some:
            ranks = [one["rank"] for one in some]
            others: dict[str, int] = {}
            for one in some if cause != "all" else []:
                if one["rank"] != 0:
                    name = one["findings"][0][0] if one["findings"] else "nothing"
                    others[name] = others.get(name, 0) + 1
            said = ", ".join(f"{name} {count}" for name, count in sorted(others.items(), key=lambda pair: -pair[1]))
            first, three = (np.mean([rank in wanted for rank in ranks]) for wanted in ((0,), (0, 1, 2)))
            lines.append(f"{cause:28} {len(some):4} {first:6.0%} {three:6.0%}  {said}")
    well = [one for one in told if not one["cause"]]
    if well:
        alarms = [one["findings"][0][0] for one in well if one["findings"] and one["findings"][0][1] >= 0.5]
        bound = upper_bound(len(alarms), len(well))
        lines.append(f"healthy flagged: {len(alarms)} of {len(well)} (95 % bound {bound:.1%}) {alarms}")
    firsts = [(one["findings"][0][1], one["rank"] == 0) for one in told if one["findings"]]
    lines.append(f"expected calibration error of the first finding: {calibration_error(firsts):.3f}")
    return "\n".join(lines)


def calibration_error(told: list[tuple[float, bool]]) -> float:
    """Return the mean distance between confidence and share of right ones, over ten bins."""
    confidence, right = np.array([one[0] for one in told]), np.array([one[1] for one in told], float)
    places = np.minimum((confidence * 10).astype(int), 9)
    return float(sum(abs((confidence - right)[places == place].sum()) for place in range(10)) / max(len(told), 1))


def main() -> None:
    """Draw, diagnose, report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--part", choices=("development", "drawn", "judging"), required=True)
    parser.add_argument("--each", type=int, default=10, help="situations a cause (default: 10)")
    parser.add_argument("--healthy", type=int, default=60, help="healthy situations (default: 60)")
    parser.add_argument("--only", choices=sorted(CAUSES), help="one cause alone")
    parser.add_argument("--out", type=Path, help="a file of JSON lines to write what was said to")
    given = parser.parse_args()
    told, began, seconds = [], time.perf_counter(), 0.0
    for cause, accepted, case in situations(given.part, given.each, given.healthy, given.only):
        start = time.perf_counter()
        held_out = (case.x_validation, case.y_validation)
        findings = diagnose_situation(case.model(), case.x, case.y, case.epochs, case.batch_size, held_out)
        seconds += time.perf_counter() - start
        rank = next((place for place, one in enumerate(findings) if one.symptom in accepted), None)
        told.append({
            "cause": cause, "rank": rank, "rows": len(case.x), "optimizer": case.optimizer, "rate": case.rate,
            "findings": [(one.symptom, round(one.confidence, 3), one.evidence) for one in findings],
        })  # fmt: skip
        if len(told) % 20 == 0:
            print(f"{len(told)}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    if given.out:
        given.out.write_text("".join(json.dumps(one) + "\n" for one in told))
    print(report(told))
    print(f"{seconds / max(len(told), 1):.2f} s a diagnosis")


if __name__ == "__main__":
    main()
