"""Trainings whose faults are known, since what a change would do was tried: what diagnoses are judged by.

    scripts/bench diagnosis/ground_truth --part development --count 40 --out out/development.jsonl

A situation is a data set, a network, an optimizer, a learning rate, a batch size, a number of epochs. It is trained
from three seeds, whose curves a reader may see. Then the same is trained from ten other seeds, with other rates, three
times the epochs and twice the units, and judged on rows which no reader and no verifier ever sees. What won by more
than max(2 % of what can be gained, two standard errors) is what was wrong.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
import warnings
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from drawn import drawn_problem
from problems import FOR_TUNING, Problem, problems

import hillwalker as hw
from hillwalker.choosing import splits
from hillwalker.choosing.constants import constant_losses

Array = NDArray[np.float64]

OPTIMIZERS = ("sgd", "momentum", "adam", "rmsprop")
FACTORS = (1 / 30, 1 / 10, 1 / 3, 3.0, 10.0, 30.0)  # of the rate
SCAN = 10.0 ** np.arange(-4.5, 0.6, 0.5)  # where a good rate is looked for, before anything is sampled
SHOWN_SEEDS, JUDGING_SEEDS, SCAN_SEEDS = 10_000, 20_000, 30_000  # the first of each: never shared
SHOWN, JUDGES = 3, 10  # trainings a reader may see, and those that tell what was wrong
JUDGES_DRAWN = 6  # of data sets that are drawn to learn from: twice as many of them count for more
SHARE_HELD_OUT = 0.25
LEAST = 0.02  # of the gain: what is smaller does not matter
EQUIVALENT = 0.02  # of the gain: a rate is right if every other is surely less than this better
SHUFFLED = 0.08  # of the situations have targets that have nothing to do with the inputs


@dataclass(frozen=True)
class Situation:
    """What is trained: on which data set, with what.

    `shuffled` targets belong to other rows; only `share` of the rows are learned from, the others are judged by.
    """

    problem: str
    optimizer: str
    learning_rate: float
    batch_size: int
    epochs: int
    hidden: tuple[int, ...]
    activation: str
    l2: float = 0.0
    dropout: float = 0.0
    shuffled: bool = False
    number: int = 0
    share: float = 1.0


def optimizer_of(name: str, rate: float) -> Any:
    if name == "momentum":
        return hw.optimizers.SGD(rate, momentum=0.9)
    return {"sgd": hw.optimizers.SGD, "adam": hw.optimizers.Adam, "rmsprop": hw.optimizers.RMSprop}[name](rate)


def model_of(problem: Problem, situation: Situation) -> Any:
    """Return the network of a situation, compiled."""
    last = {"regression": "linear", "binary": "sigmoid", "multiclass": "softmax"}[problem.task]
    loss = {"regression": "mse", "binary": "binary_crossentropy", "multiclass": "sparse_categorical_crossentropy"}
    stack: list[Any] = [hw.Input((problem.X.shape[1],))]
    for units in situation.hidden:
        kernel = hw.regularizers.L2(situation.l2) if situation.l2 else None
        initializer = "he_uniform" if situation.activation == "relu" else "glorot_uniform"
        stack.append(
            hw.layers.Dense(units, situation.activation, kernel_initializer=initializer, kernel_regularizer=kernel)
        )
        if situation.dropout:
            stack.append(hw.layers.Dropout(situation.dropout))
    model = hw.Sequential([*stack, hw.layers.Dense(problem.outputs, last)])
    model.compile(optimizer_of(situation.optimizer, situation.learning_rate), loss[problem.task])
    return model


@dataclass
class Rows:
    """A data set's rows: all inputs and targets, and which are learned from, validated on, judged by."""

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    training: NDArray[np.uint32]
    validation: NDArray[np.uint32]
    judging: NDArray[np.uint32]


def rows_of(problem: Problem, situation: Situation) -> Rows:
    """Return a problem's rows; a quarter of those to learn from is validated on, at random or the last in time."""
    x, y = np.concatenate([problem.X, problem.X_test]), np.concatenate([problem.y, problem.y_test])
    count, random = learned(problem, situation), np.random.default_rng([situation.number, 5])
    if situation.shuffled:
        y = y[random.permutation(len(y))]
    if count < len(problem.X):  # drawn anew, and the others judge
        order = random.permutation(len(problem.X))
        x[: len(order)], y[: len(order)] = x[order], y[order]
    if problem.in_time:
        training, validation = splits.one_split(count, SHARE_HELD_OUT)
    else:
        order = random.permutation(count).astype(np.uint32)
        cut = round(count * (1 - SHARE_HELD_OUT))
        training, validation = order[:cut], order[cut:]
    return Rows(x, y, training, validation, np.arange(count, len(x), dtype=np.uint32))


def learned(problem: Problem, situation: Situation) -> int:
    """Return how many of the problem's rows are learned from and validated on."""
    return len(problem.X) if problem.in_time else max(round(situation.share * len(problem.X)), 40)


def train(
    problem: Problem, told: list[tuple[Situation, int]], rows: Rows, held_out: list[NDArray[np.uint32]]
) -> list[Any]:
    """Return the histories of situations from seeds, each validated on the rows held out."""
    models = [hw.copies(model_of(problem, situation), [seed])[0] for situation, seed in told]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # high rates fail, as they should
        return hw.fit_many(
            models, rows.x, rows.y, rows=[rows.training] * len(models), validation_rows=held_out,
            batch_size=[s.batch_size for s, _ in told], epochs=[s.epochs for s, _ in told], verbose=0, threads=1,
        )  # fmt: skip


def curve(history: Any, name: str, epochs: int) -> Array:
    """Return a curve (epochs,), infinite from where training failed."""
    told = np.full(epochs, np.inf)
    values = np.array(history.history.get(name, []), dtype=float)
    told[: len(values)] = np.where(np.isfinite(values), values, np.inf)
    if history.stop_reason is not None:
        told[len(values) - (0 if len(values) < epochs else 1) :] = np.inf
    return told


def best_rate(problem: Problem, situation: Situation, rows: Rows) -> float:
    """Return the rate, of a coarse grid, that validates best from two seeds: situations are sampled around it."""
    tried = [(replace(situation, learning_rate=float(rate)), SCAN_SEEDS + s) for rate in SCAN for s in (0, 1)]
    ends = [
        curve(h, "val_loss", situation.epochs)[-3:].mean()
        for h in train(problem, tried, rows, [rows.validation] * len(tried))
    ]
    means = np.array(ends).reshape(len(SCAN), 2).mean(axis=1)
    return float(SCAN[int(np.argmin(np.where(np.isfinite(means), means, np.inf)))])


def sampled(problem: Problem, number: int) -> Situation:
    """Return a situation drawn at random: nearly half with a rate near the best, the others further off."""
    random = np.random.default_rng([number, *problem.name.encode()])
    hidden = (
        problem.hidden if random.random() < 0.6 else tuple(random.choice([4, 8, 16, 32, 64], random.integers(1, 4)))
    )
    stretch = 10 ** random.uniform(-0.6, 0.7)
    situation = Situation(
        problem.name,
        str(random.choice(OPTIMIZERS)),
        0.0,
        int(random.choice([8, 16, 32, 64])) if random.random() < 0.5 else problem.batch_size,
        int(np.clip(problem.epochs * stretch, 8, 150)),
        tuple(int(units) for units in hidden),
        str(random.choice(["relu", "tanh"], p=[0.75, 0.25])),
        l2=float(10 ** random.uniform(-5, -2)) if random.random() < 0.2 else 0.0,
        dropout=float(random.choice([0.1, 0.3])) if random.random() < 0.15 else 0.0,
        shuffled=bool(random.random() < SHUFFLED),
        number=number,
        share=float(10 ** random.uniform(-1, 0)) if len(problem.X) > 300 and random.random() < 0.5 else 1.0,
    )
    off = random.uniform(-0.4, 0.3) if random.random() < 0.5 else random.uniform(-2.7, 2.3)
    return replace(situation, learning_rate=float(10**off))  # times the best, which is not known yet


def shares_of(situation: Situation, rows: Rows, judges: int) -> list[NDArray[np.uint32]]:
    """Return the judging rows in parts at random, one a judging seed."""
    return np.array_split(np.random.default_rng(situation.number).permutation(rows.judging), judges)


def judged(problem: Problem, situation: Situation, rows: Rows, shares: list[NDArray[np.uint32]]) -> dict[str, Any]:
    """Return the losses on the judging rows by variant, (seeds,): at the last epoch, and where they had better stopped.

    `train_falls`: the share of seeds whose training loss fell on from there to the end.
    """
    variants, judges = {"base": situation}, len(shares)
    variants |= {
        f"rate x{factor:.3g}": replace(situation, learning_rate=situation.learning_rate * factor) for factor in FACTORS
    }
    variants["epochs x3"] = replace(situation, epochs=3 * situation.epochs)
    variants["units x2"] = replace(situation, hidden=tuple(2 * units for units in situation.hidden))
    told = [(variant, JUDGING_SEEDS + seed) for variant in variants.values() for seed in range(judges)]
    histories = train(problem, told, rows, shares * len(variants))
    found: dict[str, dict[str, Any]] = {"last": {}, "stopped": {}, "train_falls": {}}
    for number, (name, variant) in enumerate(variants.items()):
        own = histories[number * judges : (number + 1) * judges]
        judging = np.array([curve(history, "val_loss", variant.epochs) for history in own])
        training = np.array([curve(history, "loss", variant.epochs) for history in own])
        # Where a seed had better stopped is read off the other seeds: what is gained by stopping there is no luck.
        total = np.where(np.isfinite(judging), judging, 1e30).sum(axis=0)
        at = [int(np.argmin(total - np.where(np.isfinite(one), one, 1e30))) for one in judging]
        found["last"][name] = judging[:, -1]
        found["stopped"][name] = judging[np.arange(judges), at]
        found["train_falls"][name] = float(np.mean(training[:, -1] < training[np.arange(judges), at]))
    return found


def won(base: Array, other: Array, gain: float) -> tuple[float, float]:
    """Return by how much the other's losses are lower, in parts of the gain, and the standard error of that."""
    ceiling = np.abs(base[np.isfinite(base)]).max(initial=0.0) + 10 * gain
    difference = (np.minimum(base, ceiling) - np.minimum(other, ceiling)) / gain
    return float(difference.mean()), float(difference.std(ddof=1) / math.sqrt(len(difference)))


def labels(found: dict[str, Any], constants: Array) -> dict[str, Any]:
    """Return what is wrong, by experiment: the rate's class, overfitting, underfitting, no signal.

    `constants` (seeds,): the loss of always predicting the same, on each seed's share of the judging rows.
    """
    last, stopped, constant = found["last"], found["stopped"], float(constants.mean())
    finite = [v for v in [*last.values(), *stopped.values()] if np.isfinite(v).all()]
    judged_best = min(finite, key=lambda v: float(v.mean()), default=constants)
    best = float(judged_best.mean())
    gain, error = constant - best, float((constants - judged_best).std(ddof=1) / math.sqrt(len(constants)))
    told: dict[str, Any] = {"gain": gain, "gain_error": error, "best": best, "constant": constant}
    told["no_signal"] = bool(gain <= max(0.01 * abs(constant), 2 * error))
    scale = max(gain, 0.02 * abs(constant), 1e-9)

    def wins(values: dict[str, Array], name: str) -> bool:
        size, spread = won(values["base"], values[name], scale)
        return size > max(LEAST, 2 * spread)

    def surely_not(values: dict[str, Array], name: str) -> bool:
        size, spread = won(values["base"], values[name], scale)
        return size + 2 * spread < EQUIVALENT

    lower = [f"rate x{factor:.3g}" for factor in FACTORS if factor < 1]
    higher = [f"rate x{factor:.3g}" for factor in FACTORS if factor > 1]
    # A lower rate may win at the end only because it stops earlier: then the rate is not what is wrong.
    too_high = any(wins(last, name) and wins(stopped, name) for name in lower)
    too_low = any(wins(last, name) and wins(stopped, name) for name in higher)
    right = all(surely_not(last, name) or surely_not(stopped, name) for name in [*lower, *higher])
    told["rate"] = "ambiguous"
    if too_high != too_low:
        told["rate"] = "high" if too_high else "low"
    elif not too_high and right:
        told["rate"] = "right"
    size, spread = won(last["base"], stopped["base"], scale)
    told["overfitting"] = bool(size > max(LEAST, 2 * spread) and found["train_falls"]["base"] >= 0.8)
    told["overfitting_gain"], told["overfitting_error"] = size, spread
    told["underfitting"] = bool(
        not told["no_signal"] and not told["overfitting"]
        and any(wins(last, name) and wins(stopped, name) for name in ("epochs x3", "units x2"))
    )  # fmt: skip
    told["diverged"] = bool(~np.isfinite(last["base"]).all())
    told["variants"] = {name: won(last["base"], last[name], scale) for name in last if name != "base"}
    told["variants_stopped"] = {name: won(stopped["base"], stopped[name], scale) for name in stopped if name != "base"}
    return told


def known_losses(problem: Problem, rows: Rows, model: Any, shares: list[NDArray[np.uint32]]) -> Array:
    """Return the loss of always predicting what is best on the training rows: on these, validation, each share."""
    y = rows.y.reshape(len(rows.y), -1)
    parts = [(rows.training, part) for part in (rows.training, rows.validation, *shares)]
    last = {"regression": "linear", "binary": "sigmoid", "multiclass": "softmax"}[problem.task]
    return constant_losses(model._edge.loss, y, parts, None, problem.outputs, last)


def one(problem: Problem, number: int, judges: int = JUDGES) -> dict[str, Any]:
    """Return a situation, the curves that readers may see, and what was wrong."""
    situation = sampled(problem, number)
    rows = rows_of(problem, situation)
    off, scan = situation.learning_rate, replace(situation, learning_rate=0.01)
    situation = replace(situation, learning_rate=float(off * best_rate(problem, scan, rows)))
    shown = train(problem, [(situation, SHOWN_SEEDS + s) for s in range(SHOWN)], rows, [rows.validation] * SHOWN)
    shares = shares_of(situation, rows, judges)
    constants = known_losses(problem, rows, model_of(problem, situation), shares)
    told = labels(judged(problem, situation, rows, shares), constants[2:])
    curves = [
        {name: [float(f"{v:.6g}") for v in h.history[name]] for name in ("loss", "val_loss") if name in h.history}
        for h in shown
    ]
    return {
        "situation": asdict(situation),
        "curves": curves,
        "stopped": [h.stop_reason for h in shown],
        "constant": [float(value) for value in constants[:2]],
        "rows": [len(rows.training), len(rows.validation), len(rows.judging)],
        "off": off,
        "truth": told,
    }


def main() -> None:
    """Generate, one file of JSON lines; go on where it was."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--part", choices=("development", "judging", "drawn"), required=True)
    parser.add_argument("--count", type=int, default=40, help="situations a data set, or data sets drawn (default: 40)")
    parser.add_argument(
        "--share", type=int, nargs=2, default=(0, 1), metavar=("K", "N"), help="only data sets K, K + N, ..."
    )
    parser.add_argument("--out", type=Path, required=True, help="a file of JSON lines, which is added to")
    given = parser.parse_args()
    drawn = given.part == "drawn"
    wanted = [] if drawn else [p for p in problems() if (p.name in FOR_TUNING) == (given.part == "development")]
    done = set()
    if given.out.exists():
        done = {(d["situation"]["problem"], d["situation"]["number"]) for d in map(json.loads, given.out.open())}
    began = time.perf_counter()
    for number in range(given.share[0] if drawn else 0, given.count, given.share[1] if drawn else 1):
        for problem in [drawn_problem(number)] if drawn else wanted[given.share[0] :: given.share[1]]:
            if (problem.name, number) in done or len(problem.X) < 40:
                continue
            line = json.dumps(one(problem, number, JUDGES_DRAWN if drawn else JUDGES)) + "\n"
            with given.out.open("a") as file:
                file.write(line)
        print(f"{number + 1}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
