"""What is inside a training: data, configuration, gradients, activations, updates, measured on copies, not judged.

`inside.look_inside` reads it.
"""

from __future__ import annotations

import dataclasses
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import checks, records
from hillwalker.choosing import constants
from hillwalker.choosing.worker import worker
from hillwalker.diagnosis import trials
from hillwalker.diagnosis.configuration import OF_AMOUNTS, OF_CLASSES, Configuration, configuration_of
from hillwalker.diagnosis.data_facts import DataFacts, facts
from hillwalker.diagnosis.reachable import Reachable, share
from hillwalker.diagnosis.trials import Ends, Trial
from hillwalker.diagnosis.watched import Look, Rows, Watched
from hillwalker.errors import HillwalkerWarning, InputError, explain
from hillwalker.models import Sequential, copies, edge, stack
from hillwalker.models.many import row_numbers

Array = NDArray[Any]

CALL = "inspect(model, X, y, {})"
SHORTFALL = 0.08  # of the targets' variance: what is explained less than it can be, where other rates are tried
DOUBTFUL, SEEDS = 0.02, 3  # a gain of so much of what can be gained is looked at from so many seeds
HELD_OUT = 0.25  # of the rows, drawn at random, where no validation rows are given


@dataclass(frozen=True, eq=False, repr=False)
class Inspection:
    """All that was measured, on a copy trained from a fresh seed as the model would be; E epochs.

    `looks` inside at the start, after the first epoch, half-way and at the end; `now` inside the user's own model, if
    it has been trained. `constant_loss`, on validation rows, is that of always predicting what is best on the training
    rows; `curve`, `held_out_curve` (E,) the losses; `failed` the epoch whose loss was not finite; `end_loss` and
    `best_loss` on validation rows, `rise` between them in parts of what can be gained and `rise_error` its standard
    error over rows; `loss_error` the standard error of the validation loss itself; `permuted_loss` with each column's
    validation rows shuffled. `reachable` is the share of the validation targets' variance that random features explain,
    `explained` what the network explains, `left` what they explain of its errors. `trials` by name: the copy again
    with one thing mended. `recall` (K,) of each class on training rows.
    """

    data: DataFacts
    configuration: Configuration
    looks: tuple[Look, ...]
    now: Look | None
    constant_loss: float
    start_loss: float
    curve: Array
    held_out_curve: Array
    failed: int | None
    end_loss: float
    training_loss: float
    best_loss: float
    best_epoch: int
    rise: float
    rise_error: float
    loss_error: float
    permuted_loss: float
    reachable: float
    explained: float
    left: float
    trials: dict[str, Trial]
    recall: Array

    @property
    def unit(self) -> float:
        """What can be gained, on validation rows: the constant prediction's loss less the least seen."""
        seen = [self.end_loss, self.best_loss, *(trial.loss for trial in self.trials.values())]
        return trials.unit_of(self.constant_loss, seen)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, numbers and strings."""
        told: dict[str, Any] = records.plain(dataclasses.asdict(self))
        return told

    def __repr__(self) -> str:
        return (
            f"Inspection of {self.data.rows} rows, {self.configuration.epochs} epochs: validation loss "
            f"{self.end_loss:.4g}, of a constant prediction {self.constant_loss:.4g}; {len(self.trials)} trials"
        )


def inspect(
    model: Sequential,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    epochs: int = 50,
    batch_size: int | None = None,
    validation_rows: Any = None,
    validation_data: Any = None,
    class_weight: Any = None,
    seed: int = 0,
) -> Inspection:
    """Measure what is inside a model's training, on copies; the model, its weights and its state stay as they are.

    A copy is trained from `seed` and looked into four times. Ten times the rate and a tenth of it are tried, and what
    looks odd is tried mended; what seems to gain is repeated from two more seeds. For a healthy 20-64-32-1 network it
    costs as much as seven of the trainings on 1,000 rows (0.08 s), four on 10,000; thrice that where much is odd.

    Args:
        model: compiled; if it has been trained, its weights as they are now are looked into as well.
        X, y, sample_weight: the rows that are trained on, and those held out unless there is `validation_data`.
        epochs, batch_size, class_weight: as in `fit`.
        validation_rows: numbers of the rows held out, or booleans; by default a quarter at random.
        validation_data: (X, y) or (X, y, sample_weight) held out instead.
        seed: of the copies.

    Raises InputError, InputTypeError or StateError before anything is trained.

    >>> import hillwalker as hw
    >>> model = hw.Sequential([hw.Input((2,)), hw.layers.Dense(8, activation="relu"), hw.layers.Dense(1)])
    >>> model.compile(hw.optimizers.Adam(2e-4), "mse")
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> seen = inspect(model, X, X[:, 0] - X[:, 1], epochs=20, batch_size=8)
    >>> seen.trials["higher rate"].gain > 0.1
    True
    """
    length = checks.positive_integer("epochs", epochs, CALL.format("epochs=50"))
    number = edge.not_negative_integer("seed", seed, CALL.format("seed=0"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HillwalkerWarning)  # what they would say is found here too
        whole, data = worker(model, X, y, sample_weight, number, "inspect")
        weight = whole._edge.class_weights(data, class_weight)
        given = None if validation_data is None else whole._edge.validation(data, 0.0, validation_data)[1]
    size = min(edge.batch_size(batch_size, "fit"), len(data))
    dtype = whole.plan.dtype
    everything = Rows(*(None if one is None else np.ascontiguousarray(one, dtype) for one in
                        (data.x, data.y, data.sample_weight)))  # type: ignore[arg-type]  # fmt: skip
    rows, held_out = _parts(everything, given, validation_rows, number, weight)
    size = min(size, len(rows))
    (copy,) = copies(whole, [number])
    return _measured(model, whole, copy, rows, held_out, length, size, number, class_weight is not None)


def _parts(everything: Rows, given: Any, chosen: Any, seed: int, weight: Array | None) -> tuple[Rows, Rows]:
    """Return the rows to train on, with their classes' weights, and those held out."""
    count = len(everything)
    if given is not None:
        dtype = everything.x.dtype
        arrays = (given.x, given.y, given.sample_weight)
        held_out = Rows(*(None if one is None else np.ascontiguousarray(one, dtype) for one in arrays))  # type: ignore[arg-type]
        training = np.arange(count)
    else:
        if chosen is None:
            out: Array = np.random.default_rng([seed, 9]).permutation(count)[: max(1, round(HELD_OUT * count))]
        else:
            out = row_numbers(chosen, count, "validation_rows")
        held_out = everything[np.sort(out)]
        training = np.setdiff1d(np.arange(count), out)
    if len(training) < 2 or len(held_out) < 2:
        passed = f"{len(training)} rows to train on and {len(held_out)} to validate on."
        raise InputError(explain(passed, "2 rows or more of each.", CALL.format("validation_rows=range(20)")))
    rows = everything[training]
    if weight is not None:
        of_rows = weight[training].astype(rows.x.dtype)
        rows = Rows(rows.x, rows.y, of_rows if rows.weight is None else np.ascontiguousarray(rows.weight * of_rows))
    return rows, held_out


def _measured(
    model: Sequential, whole: Sequential, copy: Sequential, rows: Rows, held_out: Rows, epochs: int, size: int,
    seed: int, weighted: bool,
) -> Inspection:  # fmt: skip
    watched = Watched(copy, rows, held_out, size)
    loss, output = watched.loss, stack.output_activation(copy.layers)
    kind = loss.kind or loss.name
    classes = max(watched.plan.output_width, 2) if kind in OF_CLASSES else 0
    data = facts(rows.x, rows.y, held_out.x, held_out.y, classes)
    told = (held_out.y, None if held_out.weight is None else held_out.weight)
    constant = float(constants.constant_losses(
        loss, rows.y, None, told, watched.plan.output_width, output, rows.weight)[0])  # fmt: skip
    constant /= len(held_out) if loss.reduction == "sum" else 1
    start_loss = float(watched.losses(held_out).mean())
    looks = [watched.look(noise=True)]
    for stretch in sorted({1, max(1, epochs // 2), epochs}):
        watched.train(stretch - watched.epoch)
        looks.append(watched.look(noise=True))
    own, found = Ends.of(watched), {}
    first = own
    reachable, explained, left = _explained(watched, kind, rows, held_out)
    mends = trials.mends(copy, data, looks[0], size, kind in OF_AMOUNTS and output == "linear")
    if max(left * (1 - explained), reachable - explained) > SHORTFALL:  # NaN: no
        mends |= trials.further(copy)
    for name, mend in mends.items():
        length = trials.short(epochs) if name in trials.SHORT else epochs
        found[name] = Ends.of(trials.tried(mend, copy, rows, held_out, size, length, seed))
    compared = trials.compared(own, found, constant)
    risen = trials.gained(own.end, own.best, trials.unit_of(constant, [float(own.best.mean())]), constant)
    doubtful = [name for name, trial in compared.items() if trial.gain > DOUBTFUL]
    if doubtful or risen[0] > DOUBTFUL:  # one seed may have been unlucky
        own, found = _over_seeds(copy, own, found, mends, doubtful, (rows, held_out, size, seed), constant)
        compared |= trials.compared(own, found, constant)
    unit = trials.unit_of(constant, [float(own.end.mean()), float(own.best.mean())])
    rise, rise_error = trials.gained(own.end, own.best, unit, constant)
    shuffled = np.random.default_rng([seed, 4]).permuted(held_out.x, axis=0)
    trained = model.built and model.optimizer is not None and int(model.optimizer.iterations) > 0
    return Inspection(
        data=data,
        configuration=configuration_of(copy, kind, output, size, epochs, weighted),
        looks=tuple(looks),
        now=Watched(whole, rows, held_out, size).look() if trained else None,
        constant_loss=constant,
        start_loss=start_loss,
        curve=np.array(watched.curve),
        held_out_curve=np.array(watched.held_out_curve),
        failed=watched.failed,
        end_loss=float(first.end.mean()),
        training_loss=float(first.training.mean()),
        best_loss=watched.best[0],
        best_epoch=watched.best[1],
        rise=rise,
        rise_error=rise_error,
        loss_error=float(_finite(first.end).std() / np.sqrt(len(held_out))),
        permuted_loss=float(watched.losses(held_out, shuffled).mean()),
        reachable=reachable,
        explained=explained,
        left=left,
        trials=compared,
        recall=_recall(watched, rows, kind),
    )


def _over_seeds(
    copy: Sequential, own: Ends, found: dict[str, Ends], mends: dict[str, Any], doubtful: list[str],
    told: tuple[Rows, Rows, int, int], constant: float,
) -> tuple[Ends, dict[str, Ends]]:  # fmt: skip
    """Return the whole training's ends and those of doubtful trials, means over three seeds."""
    rows, held_out, size, seed = told
    every: dict[str, list[Ends]] = {"": [own], **{name: [found[name]] for name in doubtful}}
    for other in range(seed + 1, seed + SEEDS):
        for name, ends in every.items():
            ends.append(Ends.of(trials.tried(mends.get(name, {}), copy, rows, held_out, size, ends[0].length, other)))
    means = {name: Ends.mean(ends, constant) for name, ends in every.items()}
    return means.pop(""), means


def _finite(values: Array) -> Array:
    return values[np.isfinite(values)] if np.isfinite(values).any() else np.zeros(1)


def _targets(watched: Watched, kind: str, rows: Rows) -> tuple[Array, Array]:
    """Return targets and predictions (n, O) whose differences mean something: probabilities, or amounts."""
    predicted, y = watched.predictions(rows.x), np.asarray(rows.y, np.float64)
    if kind == "sparse_categorical_crossentropy":
        y = np.equal(y, np.arange(predicted.shape[1])).astype(np.float64)
    if getattr(watched.loss, "from_logits", False):
        with np.errstate(all="ignore"):
            if kind == "binary_crossentropy":
                predicted = 1 / (1 + np.exp(-predicted))
            else:
                powers = np.exp(predicted - predicted.max(axis=1, keepdims=True))
                predicted = powers / powers.sum(axis=1, keepdims=True)
    return y, predicted


def _explained(watched: Watched, kind: str, rows: Rows, held_out: Rows) -> tuple[float, float, float]:
    """Return what random features explain, what the network explains, what they explain of its errors."""
    if kind not in (*OF_CLASSES, *OF_AMOUNTS):
        return (float("nan"),) * 3
    y, predicted = _targets(watched, kind, rows)
    wanted, there = _targets(watched, kind, held_out)
    reference = Reachable(rows.x)
    reachable = reference.explained(y, held_out.x, wanted)
    if not (np.isfinite(predicted).all() and np.isfinite(there).all()):
        return reachable, float("-inf"), float("nan")
    left = reference.explained(y - predicted, held_out.x, wanted - there)
    return reachable, share(wanted, there, y.mean(axis=0)), left


def _recall(watched: Watched, rows: Rows, kind: str) -> Array:
    """Return for each class how many of its training rows are told to be of it."""
    if kind not in OF_CLASSES:
        return np.empty(0)
    y, predicted = _targets(watched, kind, rows)
    if y.shape[1] == 1:
        y, predicted = np.hstack([1 - y, y]), np.hstack([1 - predicted, predicted])
    right = np.nan_to_num(predicted).argmax(axis=1) == y.argmax(axis=1)
    counts = np.bincount(y.argmax(axis=1), minlength=y.shape[1])
    return np.asarray(np.bincount(y.argmax(axis=1), right, y.shape[1]) / np.maximum(counts, 1))
