"""Train the reader of curves on trainings whose faults are known, and write its weights into the package.

    scripts/bench diagnosis/train_reader --labelled overfitguard_training.npz

No data set for judging is read. The reader has to do with what a log has: so each training is shown as it is, without
the constant's loss, without a validation loss, stretched to more epochs, and with an epoch's training loss as other
programs count it. Data sets are held out whole: to stop the networks, and to calibrate the mean of those that have not
learned them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from situations import PUBLISHED, lines_of

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import hillwalker as hw
from hillwalker import saving
from hillwalker.diagnosis.curve_features import features, noise, smooth
from hillwalker.diagnosis.reader import CLAIMS, WEIGHTS

Array = NDArray[np.float32]
NETWORKS, HELD_OUT = 5, 5  # of each head; one in five of the data sets is held out of each
UNITS, DROPOUT, L2, RATE, BATCH, EPOCHS = (64, 32), 0.35, 1e-4, 1e-3, 128, 25
DEVELOPMENT = 3.0  # times as much does a training of a data set for development count: its kinds are rarer
FAULTY = 2.0  # times as much does a training that overfits count: it is rare, and worth finding
HEADS = {"rate": ("high", "right", "low"), "overfitting": ("yes",), "underfitting": ("yes",), "no-signal": ("yes",)}
CAUTION = {"learning-rate-too-high": 0.2, "learning-rate-too-low": 0.6, "overfitting": 0.5, "underfitting": 1.5,
           "no-signal": 0.2}  # fmt: skip
"""By how much the calibrated logits are lowered, where a claim's false alarms cost more than its misses.

At 0.5 a claim is asserted. Chosen so that of the data sets for development one healthy training in ten is flagged.
"""
UNSURE = -1.0  # a target that is not learned from: the experiment could not tell


def targets(truth: dict[str, Any]) -> list[float]:
    """Return for each head what is true: the rate's class by number, 0 or 1 for the others, or UNSURE.

    Without a signal only that is true. Overfitting is unsure where its gain is neither surely there nor surely not.
    """
    if truth["no_signal"]:
        return [UNSURE, UNSURE, UNSURE, 1.0]
    rate = {"high": 0.0, "right": 1.0, "low": 2.0, "ambiguous": UNSURE}[truth["rate"]]
    size, error = truth["overfitting_gain"], truth["overfitting_error"]
    unsure = not truth["overfitting"] and size + 2 * error > 0.02 and size > 0
    return [rate, UNSURE if unsure else float(truth["overfitting"]), float(truth["underfitting"]), 0.0]


def curve(values: list[float] | None) -> NDArray[np.float64] | None:
    if not values:
        return None
    told = np.array([np.inf if value is None else value for value in values], float)
    return np.where(np.isfinite(told), told, np.inf)


def stretched(values: NDArray[np.float64], times: float, random: np.random.Generator) -> NDArray[np.float64]:
    """Return a curve as if it had taken so many times the epochs, as rough from one epoch to the next as it was."""
    course = np.minimum(values, 1e6 * np.abs(values[0]) + 1e-9) if np.isfinite(values[0]) else np.minimum(values, 1e6)
    count = round(times * len(course))
    along = np.interp(np.linspace(0, len(course) - 1, count), np.arange(len(course)), smooth(course))
    return along + noise(course) * random.normal(size=count)


def views(line: dict[str, Any], random: np.random.Generator) -> Iterator[tuple[list[float], bool]]:
    """Yield the features of a training's curves in several views, and whether it is the plain one."""
    for number, told in enumerate(line["curves"]):
        loss, validation = curve(told.get("loss")), curve(told.get("val_loss"))
        if loss is None or validation is None:
            continue
        constant = tuple(line["constant"][:2])
        yield list(features(loss, validation, constant).values()), number == 0
        yield list(features(loss, validation).values()), False
        # Others measure the training loss after the epoch, not while it goes on: half an epoch later.
        later = np.append((loss[1:] + loss[:-1]) / 2, loss[-1])
        maybe = constant if random.random() < 0.5 else None
        if random.random() < 0.5:
            yield list(features(later, validation, maybe).values()), False
        if random.random() < 0.3 and np.isfinite(loss).all() and np.isfinite(validation).all():
            times = 10 ** random.uniform(0.2, 1.2)  # others train for longer
            longer = stretched(loss, times, random), stretched(validation, times, random)
            yield list(features(*longer, maybe).values()), False
        if number == 0:
            yield list(features(loss, None, maybe).values()), False
            yield list(features(None, validation, maybe).values()), False


@dataclass
class Views:
    """What is learned from: features (n, F), targets (n, 4), weights, data sets' names, which views are plain."""

    x: Array
    y: Array
    weights: Array
    names: NDArray[Any]
    plain: NDArray[np.bool_]


def read_lines(paths: list[Path]) -> Views:
    """Return the views of all trainings in files that ground_truth.py wrote."""
    random = np.random.default_rng(0)
    x, y, weights, names, plain = [], [], [], [], []
    for path in paths:
        for line in lines_of(path):
            if line.get("part") == "judging":
                continue
            name, told = line["situation"]["problem"], targets(line["truth"])
            for seen, is_plain in views(line, random):
                x.append(seen)
                y.append(told)
                weights.append(1.0 if name.startswith("drawn") else DEVELOPMENT)
                names.append(name)
                plain.append(is_plain)
    single = np.float32
    return Views(np.array(x, single), np.array(y, single), np.array(weights, single), np.array(names), np.array(plain))


def with_labelled(known: Views, path: Path) -> Views:
    """Return the views and those of 419 trainings by other people, of which it is known whether they overfit."""
    told = np.load(path, allow_pickle=True)
    x = []
    for loss, validation in zip(told["train_loss"], told["val_loss"], strict=True):
        count = int((~np.isnan(validation)).sum())
        x.append(list(features(loss[:count], validation[:count]).values()))
    y = np.full((len(x), len(HEADS)), UNSURE, np.float32)
    y[:, list(HEADS).index("overfitting")] = told["overfit"]
    names = np.array([f"labelled {number % 20}" for number in range(len(x))])
    return Views(
        np.concatenate([known.x, np.array(x, np.float32)]), np.concatenate([known.y, y]),
        np.concatenate([known.weights, np.full(len(x), DEVELOPMENT, np.float32)]),
        np.concatenate([known.names, names]), np.concatenate([known.plain, np.zeros(len(x), bool)]),
    )  # fmt: skip


def network(columns: int, outputs: int) -> hw.Sequential:
    stack: list[Any] = [hw.Input((columns,))]
    for units in UNITS:
        stack += [hw.layers.Dense(units, "relu", kernel_initializer="he_uniform",
                                  kernel_regularizer=hw.regularizers.L2(L2)), hw.layers.Dropout(DROPOUT)]  # fmt: skip
    last, loss = ("softmax", "sparse_categorical_crossentropy") if outputs > 1 else ("sigmoid", "binary_crossentropy")
    model = hw.Sequential([*stack, hw.layers.Dense(outputs, last)])
    model.compile(hw.optimizers.Adam(RATE), loss)
    return model


def trained(x: Array, y: Array, weights: Array, names: NDArray[Any], outputs: int) -> tuple[list[Any], list[Any]]:
    """Return a head's networks, and the rows that each has not learned from; classes of the rate count alike."""
    every = np.random.default_rng(1).permutation(np.unique(names))
    held = [np.isin(names, every[number % HELD_OUT :: HELD_OUT]) for number in range(NETWORKS)]
    models = hw.copies(network(x.shape[1], outputs), range(NETWORKS))
    sure = y != UNSURE
    if outputs > 1:
        shares = np.array([weights[y == one].sum() for one in range(outputs)])
        weights = weights * (shares.mean() / shares)[np.maximum(y, 0).astype(int)]
    rows = [np.flatnonzero(~out & sure) for out in held]
    hw.fit_many(models, x, np.maximum(y, 0), rows=rows, epochs=EPOCHS, batch_size=BATCH,
                sample_weight=weights.astype(np.float32), verbose=0)  # fmt: skip
    return models, held


def logits_of(model: hw.Sequential, x: Array) -> NDArray[np.float64]:
    """Return what stands before the last activation."""
    weights = model.get_weights()
    for place in range(0, len(weights) - 2, 2):
        x = np.maximum(x @ weights[place] + weights[place + 1], 0.0)
    return np.asarray(x @ weights[-2] + weights[-1], float)


def calibrated(logits: NDArray[np.float64], y: Array, weights: Array) -> tuple[float, float]:
    """Return slope and shift of the logits by which a claim's crossentropy is least: Platt's scaling by Newton."""
    slope, shift = 1.0, 0.0
    for _ in range(50):
        p = 1 / (1 + np.exp(-(slope * logits + shift)))
        error, curvature = weights * (p - y), weights * p * (1 - p) + 1e-9
        gradient = np.array([np.sum(error * logits), np.sum(error)])
        hessian = np.array([[np.sum(curvature * logits**2), np.sum(curvature * logits)],
                            [np.sum(curvature * logits), np.sum(curvature)]])  # fmt: skip
        step = np.linalg.solve(hessian + 1e-6 * np.eye(2), gradient)
        slope, shift = slope - step[0], shift - step[1]
    return float(slope), float(shift)


def unseen_logits(models: list[Any], held: list[Any], x: Array) -> NDArray[np.float64]:
    """Return the mean of the logits of the networks that have not learned a row's data set."""
    total, count = np.zeros((len(x), 1)), np.zeros(len(x))
    for model, out in zip(models, held, strict=True):
        total = total + np.where(out[:, np.newaxis], logits_of(model, x), 0.0)
        count += out
    return np.asarray(total / np.maximum(count, 1)[:, np.newaxis])


def of_claims(head: str, logits: NDArray[np.float64], y: Array) -> Iterator[tuple[str, NDArray[np.float64], Array]]:
    """Yield each claim of a head: its name, its logit against all else, whether it is true (or UNSURE)."""
    if head != "rate":
        yield head, logits[:, 0], y
        return
    for name, place in (("learning-rate-too-high", 0), ("learning-rate-too-low", 2)):
        others = np.delete(logits, place, axis=1)
        yield name, logits[:, place] - np.logaddexp(*others.T), np.where(y == UNSURE, UNSURE, y == place)


def main() -> None:
    """Train, calibrate, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "truth", type=Path, nargs="*", default=[PUBLISHED],
        help="files that ground_truth.py wrote, none for judging (default: situations.npz, its judging part left out)",
    )  # fmt: skip
    parser.add_argument("--labelled", type=Path, metavar="NPZ", help="trainings labelled overfit or not, by others")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    given = parser.parse_args()
    known = read_lines(given.truth)
    if given.labelled is not None:
        known = with_labelled(known, given.labelled)
    learn(known, given.out)


def learn(known: Views, out: Path) -> None:
    """Train and calibrate the heads, and write them."""
    mean, deviation = known.x.mean(axis=0), np.maximum(known.x.std(axis=0), 0.05)
    x = ((known.x - mean) / deviation).astype(np.float32)
    arrays: dict[str, Any] = {"mean": mean, "deviation": deviation}
    slopes, shifts, said = {}, {}, {}
    for place, (head, classes) in enumerate(HEADS.items()):
        y = known.y[:, place]
        weights = known.weights * np.where((head == "overfitting") & (y == 1), FAULTY, 1.0)
        models, held = trained(x, y, weights, known.names, len(classes))
        for number, model in enumerate(models):
            for layer, (kernel, bias) in enumerate(zip(*[iter(model.get_weights())] * 2, strict=True)):
                arrays |= {f"{head} {number} kernel {layer}": kernel, f"{head} {number} bias {layer}": bias}
        for claim, logits, true in of_claims(head, unseen_logits(models, held, x), y):
            sure = true != UNSURE
            slopes[claim], shift = calibrated(logits[sure], true[sure], weights[sure])
            shifts[claim] = shift - CAUTION[claim]
            said[claim] = 1 / (1 + np.exp(-(slopes[claim] * logits + shifts[claim])))
    arrays |= {"slope": np.array([slopes[claim] for claim in CLAIMS]), "shift": np.array([shifts[c] for c in CLAIMS])}
    told = {"features": list(features(np.ones(5), np.ones(5))), "networks": NETWORKS, "heads": list(HEADS),
            "trainings": int(known.plain.sum()), "data_sets": len(np.unique(known.names))}  # fmt: skip
    saving.write(out, {name: np.asarray(array, np.float32) for name, array in arrays.items()}, told)
    print(f"{known.plain.sum()} trainings of {told['data_sets']} data sets, {len(x)} views; {out}")
    print_unseen(known, said)


def print_unseen(known: Views, said: dict[str, NDArray[np.float64]]) -> None:
    """Print how right the heads are about data sets that they have not learned, with everything known."""
    rate, overfitting, underfitting, nothing = known.y.T
    high, low = said["learning-rate-too-high"], said["learning-rate-too-low"]
    classes = np.where(np.maximum(high, low) < 0.5, 1, np.where(high > low, 0, 2))
    first = [name.split()[0] for name in known.names.astype(str)]
    kinds = np.array([name if name in ("drawn", "labelled") else "development" for name in first])
    for kind in np.unique(kinds):
        rows = (kinds == kind) & (known.plain | (kind == "labelled"))
        shares = [np.mean(classes[rows & (rate == one)] == one) for one in range(3) if (rows & (rate == one)).any()]
        line = f"{kind:>12}: rate {np.mean(shares):.3f} {np.round(shares, 2)}" if shares else f"{kind:>12}:"
        for claim, true in (("overfitting", overfitting), ("underfitting", underfitting), ("no-signal", nothing)):
            sure = rows & (true != UNSURE)
            if sure.any():
                found, is_true = said[claim][sure] > 0.5, true[sure] == 1
                line += f"; {claim} F1 {2 * (found & is_true).sum() / max(found.sum() + is_true.sum(), 1):.2f}"
        healthy = rows & (rate == 1) & (overfitting == 0) & (underfitting == 0) & (nothing == 0)
        if healthy.any():
            flagged = np.max([values[healthy] for values in said.values()], axis=0) > 0.5
            by = ", ".join(f"{claim} {np.mean(values[healthy] > 0.5):.3f}" for claim, values in said.items())
            line += f"; healthy {healthy.sum()}, flagged {flagged.mean():.3f} ({by})"
        print(line)


if __name__ == "__main__":
    main()
