"""`hw.diagnose`: what is wrong with a training, read from its curves, from inside, and verified by experiment."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import checks, config, optimizers
from hillwalker.choosing import splits
from hillwalker.choosing.constants import losses_of_constants
from hillwalker.choosing.experiment import compare
from hillwalker.diagnosis import reader, verifying
from hillwalker.diagnosis.changes import FEWEST
from hillwalker.diagnosis.curve_rules import Known, findings_of
from hillwalker.diagnosis.curves import Curves
from hillwalker.diagnosis.findings import Diagnosis, Finding
from hillwalker.diagnosis.inside import look_inside, lower_effects
from hillwalker.diagnosis.inspection import Inspection, inspect
from hillwalker.diagnosis.logs import read_curves
from hillwalker.diagnosis.mending import Mending
from hillwalker.diagnosis.trying import seeds_of
from hillwalker.diagnosis.verifying import REACHABLE
from hillwalker.errors import InputError, InputTypeError, MistakeWarning, StateError, explain
from hillwalker.models import Sequential, edge
from hillwalker.training.progress import display

Array = NDArray[np.float64]

READINGS = 3  # trainings that are read, each from a seed of its own
READING, VERIFYING = 1_000_000, 2_000_000  # the first seeds of each: never shared
EPOCHS, BATCH_SIZE = 50, 32  # where neither the call nor a training before it tells
HELD_OUT = 4  # one row in so many is validated on while reading
SUPPOSE_SIGNAL = ("learning-rate-too-high", "learning-rate-too-low", "overfitting", "underfitting", "oscillating",
                  "early-divergence", "not-learning")  # fmt: skip
CALL = "hw.diagnose(model, X, y, {})"


def diagnose(
    source: Any,
    X: Any = None,
    y: Any = None,
    *,
    learning_rate: float | None = None,
    optimizer: Any = None,
    batch_size: int | None = None,
    constant_loss: Any = None,
    verify: bool = False,
    seeds: int = 5,
    folds: int = 5,
    epochs: int | None = None,
    time_ordered: bool = False,
    validation_data: Any = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    budget: float | None = None,
    seed: int = 0,
    folder: Any = None,
    threads: int | None = None,
    verbose: Any = "auto",
) -> Diagnosis:
    """Say what is wrong with a training, how sure that is, and what to change; or that it is healthy.

    From curves alone, their shape is read. With a model and data, three copies are trained and read, and gradients,
    activations, updates, weights and data are looked into. With `verify`, the claims are tried: each finding says what
    a change would do, the change is made and trained beside the model on held-out parts, and the finding is confirmed,
    refuted or left open. What that costs is said first; Ctrl-C stops it and keeps what is done.

    Args:
        source: curves (a History, a dict of lists, a frame, a CSV, JSON or TensorBoard log, a scikit-learn estimator:
            see `hw.diagnosis.read_curves`), or a compiled model.
        X, y: the model's data.
        learning_rate, batch_size: what is known of the training whose curves these are; remedies name them.
        optimizer: its own learning rate is taken, if it has one and none is given.
        constant_loss: (training, validation) loss of always predicting the same, if known: it tells no signal.
        verify, seeds, folds: whether to try changes, from how many seeds, each on so many held-out parts.
        epochs: as in the training that is asked about; by default those of the model's last `fit`, or 50.
        time_ordered: whether rows lie in time: then what is held out always lies after what is trained on.
        validation_data: held out instead of parts of X.
        budget: seconds that verifying may take; seeds are left out until it fits.
        seed: another one reads and verifies on other trainings.
        folder: where runs are written down, as in `compare`.

    Returns a Diagnosis. Raises InputError or InputTypeError before anything is trained.

    >>> falls_and_rises = [0.6, 0.3, 0.25, 0.27, 0.33, 0.4, 0.48, 0.55, 0.6, 0.66, 0.7, 0.75]
    >>> falls = [0.5, 0.25, 0.15, 0.1, 0.06, 0.04, 0.03, 0.02, 0.015, 0.01, 0.008, 0.006]
    >>> diagnose({"loss": falls, "val_loss": falls_and_rises}).verdict
    'overfitting'
    """
    if isinstance(source, Sequential):
        told = {"learning_rate": learning_rate, "optimizer": optimizer, "constant_loss": constant_loss}
        for name, value in told.items():
            if value is not None:
                passed = f"{name}={value!r} with a model."
                raise InputError(explain(passed, "a model, which has it, or curves.", CALL.format("verify=True")))
        if X is None and y is None and source.history is not None and not verify:
            return _of_curves(source.history, Known(_rate(source.optimizer)))
        if X is None or y is None:
            passed = "a model without X and y."
            raise InputError(explain(passed, "its data, or a History.", "hw.diagnose(model, X, y)"))
        return _of_model(
            source, X, y, batch_size=batch_size, verify=verify, seeds=seeds, folds=folds, epochs=epochs,
            time_ordered=time_ordered, validation_data=validation_data, sample_weight=sample_weight,
            class_weight=class_weight, budget=budget, seed=seed, folder=folder, threads=threads, verbose=verbose,
        )  # fmt: skip
    if verify or X is not None or y is not None:
        passed = f"{type(source).__name__} with {'verify=True' if verify else 'X, y'}."
        expected = "a compiled hillwalker model: curves cannot be retrained."
        raise InputError(explain(passed, expected, CALL.format("verify=True")))
    rate = learning_rate if learning_rate is not None else _rate(optimizer)
    size = None if batch_size is None else edge.batch_size(batch_size, "fit")
    return _of_curves(source, Known(_positive(rate), size, _pair(constant_loss)))


def _of_curves(source: Any, known: Known) -> Diagnosis:
    curves = read_curves(source)
    read = reader.read(curves.loss, curves.val_loss, known.constant_loss)
    notes = []
    if curves.val_loss is None:
        notes.append("Without a validation loss nothing can be said of overfitting: fit(..., validation_split=0.2).")
    if len(curves) < 5:
        notes.append(f"{len(curves)} epochs tell little.")
    findings = _with_signal(findings_of(curves, read, known))
    return _told(findings, curves, notes=tuple(notes), constant_loss=known.constant_loss)


def _told(findings: list[Finding], curves: Curves, **more: Any) -> Diagnosis:
    surest = max((one.confidence for one in findings), default=0.0)
    return Diagnosis(findings, curves, 1.0 - surest, **more)


@dataclass(frozen=True)
class _Asked:
    """A model, its data, and how it is trained, checked."""

    model: Sequential
    x: Any
    y: Any
    sample_weight: Any
    class_weight: Any
    validation_data: Any
    data: Any
    epochs: int
    batch_size: int
    time_ordered: bool
    seed: int
    threads: int | None
    verbose: Any


@dataclass(frozen=True)
class _Reading:
    """What a reading found, and how many seconds one training took."""

    findings: list[Finding]
    curves: Curves
    inspection: Inspection
    constant_loss: tuple[float, float]
    seconds: float


def _of_model(
    model: Sequential, X: Any, y: Any, *, batch_size: int | None, verify: bool, seeds: int, folds: int,
    epochs: int | None, time_ordered: bool, validation_data: Any, sample_weight: Any, class_weight: Any,
    budget: float | None, seed: int, folder: Any, threads: int | None, verbose: Any,
) -> Diagnosis:  # fmt: skip
    if not model.compiled:
        raise StateError(explain("a model that is not compiled.", "a compiled one.", 'model.compile("adam", "mse")'))
    display(verbose, sys.stdout)  # may refuse
    last = model.history
    trained = EPOCHS if last is None or last.interrupted or not last.epoch else len(last.epoch)
    size = BATCH_SIZE if last is None else last.params.get("batch_size", BATCH_SIZE)
    several = seeds_of(seeds, validation_data if verify else None)
    if budget is not None and not budget > 0:
        raise InputError(explain(f"budget={budget!r}.", "seconds, above 0.", CALL.format("verify=True, budget=60")))
    asked = _Asked(
        model, X, y, sample_weight, class_weight, validation_data,
        model._edge.data(X, y, sample_weight, call="diagnose"),
        checks.positive_integer("epochs", trained if epochs is None else epochs, CALL.format("epochs=50")),
        edge.batch_size(size if batch_size is None else batch_size, "fit"), time_ordered,
        edge.not_negative_integer("seed", seed, CALL.format("seed=0")), threads, verbose,
    )  # fmt: skip
    notes: list[str] = []
    if class_weight is not None and verify:
        notes.append("The experiments were run without class_weight.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MistakeWarning)  # what they would say is a finding here
        reading = _read(asked)
        if not verify:
            return _told(
                reading.findings, reading.curves, inspection=reading.inspection, constant_loss=reading.constant_loss
            )
        also = verifying.trials_of(reading.findings, model, asked.batch_size)
        several = _announced(asked, also, several, folds, budget, reading.seconds, notes)
        told = {
            "seeds": several, "folds": folds, "seed": VERIFYING + 1000 * asked.seed, "time_ordered": time_ordered,
            "validation_data": validation_data, "sample_weight": sample_weight, "folder": folder, "threads": threads,
            "verbose": verbose,
        }  # fmt: skip
        tried = verifying.experiment(model, X, y, asked.epochs, asked.batch_size, also, told)
    if tried.changes.comparison.interrupted:
        notes.append(f"Verifying was interrupted: {tried.changes.parts} parts are done.")
    if tried.changes.parts < FEWEST:  # too few to say anything: what was read stands
        notes.append(f"Nothing is confirmed or refuted: that takes {FEWEST} held-out parts or more.")
        return _told(
            reading.findings, reading.curves, inspection=reading.inspection, constant_loss=reading.constant_loss,
            notes=tuple(notes),
        )  # fmt: skip
    confirmed = verifying.verified(reading.findings, tried, reading.inspection.reachable)
    mending = Mending(model, X, y, sample_weight, asked.epochs, asked.batch_size, seed=VERIFYING + asked.seed)
    return _told(
        confirmed, reading.curves, inspection=reading.inspection, experiment=tried.changes, weapons=tried.weapons,
        rows=tried.rows, notes=tuple(notes), mending=mending, constant_loss=reading.constant_loss,
    )  # fmt: skip


def _read(asked: _Asked) -> _Reading:
    """Train copies, read their curves, look into one: what is found without trying a change."""
    model, data = asked.model, asked.data
    split = None if asked.validation_data is not None else _held_out(model, data, asked.time_ordered, asked.seed)
    held_out = {"validation_data": asked.validation_data} if split is None else {"folds": [split]}
    seeds = range(READING + READINGS * asked.seed, READING + READINGS * (asked.seed + 1))
    began = time.perf_counter()
    readings = compare(
        model, asked.x, asked.y, [{}], seeds, asked.epochs, asked.batch_size, sample_weight=asked.sample_weight,
        threads=asked.threads, verbose=asked.verbose, **held_out,
    )  # fmt: skip
    seconds = (time.perf_counter() - began) / READINGS
    constant = _constant(model, data, split, asked.validation_data)
    several = [_curves_of(readings, place) for place in range(READINGS)]
    own = _own(model)
    every = several if own is None else [*several, own]
    read = _mean([reader.read(one.loss, one.val_loss, constant) for one in every])
    curves = several[0] if own is None else own
    inspection = inspect(
        model, asked.x, asked.y, asked.sample_weight, epochs=asked.epochs, batch_size=asked.batch_size,
        validation_rows=None if split is None else split[1], validation_data=asked.validation_data,
        class_weight=asked.class_weight, seed=READING + asked.seed,
    )  # fmt: skip
    known = Known(_rate(model.optimizer), asked.batch_size, constant)
    if inspection.reachable > REACHABLE:  # a network may not have learned yet what there is to learn
        read["no-signal"] *= verifying.OPEN
    findings = _merged(findings_of(curves, read, known), look_inside(inspection))
    return _Reading(findings, curves, inspection, constant, seconds)


def _announced(
    asked: _Asked, also: Any, seeds: int, folds: int, budget: float | None, seconds: float, notes: list[str]
) -> int:
    """Say what verifying costs, and return from how many seeds it is done: fewer where a budget asks for it."""
    cores = asked.threads or config.threads()
    parts_a_seed = 1 if asked.validation_data is not None else folds
    trainings, takes = verifying.cost(asked.model, asked.epochs, also, seeds * parts_a_seed, seconds)
    if budget is not None and takes / cores > budget:
        least = 1 if asked.validation_data is None else FEWEST
        fewer = max(least, int(seeds * budget * cores / takes))
        notes.append(f"{fewer} of {seeds} seeds, for a budget of {budget:g} s.")
        seeds, trainings, takes = fewer, trainings * fewer // seeds, takes * fewer / seeds
    if display(asked.verbose, sys.stdout) != "nothing":
        more = verifying.cost_of_weapons(asked.model, seeds * parts_a_seed, seconds) / cores
        about = f"about {max(takes / cores, 0.1):.1f} s, {max(more, 0.1):.1f} s more if overfitting is confirmed"
        print(f"Verifying: {trainings} trainings, {about}; Ctrl-C keeps what is done.", flush=True)
    return seeds


def _held_out(model: Sequential, data: Any, time_ordered: bool, seed: int) -> splits.Split:
    """Return the rows to train on and to validate on while reading: the last quarter in time, else a random one."""
    if len(data) < 2 * HELD_OUT:
        passed = f"{len(data)} rows."
        expected = f"{2 * HELD_OUT} or more, of which a part is held out."
        raise InputError(explain(passed, expected, "validation_data=..."))
    if time_ordered:
        return splits.one_split(len(data), 1 / HELD_OUT)
    return splits.folds(len(data), HELD_OUT, [READING, seed])[0]


def _constant(model: Sequential, data: Any, split: splits.Split | None, validation_data: Any) -> tuple[float, float]:
    every = np.arange(len(data), dtype=np.uint32)
    if split is None:
        on_training = losses_of_constants(model, data, [(every, every)], None)[0]
        return float(on_training), float(losses_of_constants(model, data, None, validation_data)[0])
    found = losses_of_constants(model, data, [(split[0], split[0]), split], None)
    return float(found[0]), float(found[1])


def _curves_of(readings: Any, place: int) -> Curves:
    loss, validation = (readings.curves[name][0, place, 0] for name in ("loss", "val_loss"))
    if readings.failed[0, place, 0]:  # what came after it failed is as bad as can be
        loss, validation = (np.where(np.isfinite(values), values, np.inf) for values in (loss, validation))
    source = f"the first of {READINGS} trainings"
    return Curves(np.arange(1, len(loss) + 1), loss, validation, source=source)


def _own(model: Sequential) -> Curves | None:
    """Return the curves of the model's own last training, if they can be read like the others."""
    history = model.history
    if history is None or "loss" not in history.history or "val_loss" not in history.history or len(history.epoch) < 2:
        return None
    return replace(read_curves(history), source="the model's last training")


def _mean(several: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the probabilities whose logits are the mean of those read."""
    told = {}
    for claim in several[0]:
        p = np.clip([one[claim] for one in several], 1e-6, 1 - 1e-6)
        told[claim] = float(1 / (1 + np.exp(-np.mean(np.log(p / (1 - p))))))
    return told


def _merged(read: Sequence[Finding], inside: Sequence[Finding]) -> list[Finding]:
    """Return one finding a symptom, the surer of two, most certain first; what is seen inside explains curves."""
    causes = {one.symptom: one for one in inside}
    shapes = {one.symptom: one for one in read}
    lower_effects({name: one for name, one in causes.items() if name not in shapes}, shapes)
    best: dict[str, Finding] = {}
    for one in [*inside, *shapes.values()]:
        if one.symptom not in best or one.confidence > best[one.symptom].confidence:
            best[one.symptom] = one
    return _with_signal(sorted(best.values(), key=lambda one: -one.confidence))


def _with_signal(findings: list[Finding]) -> list[Finding]:
    """Return the findings; where "no-signal" is the surest, what supposes that there is one is as unlikely."""
    if not findings or findings[0].symptom != "no-signal" or not findings[0].asserted:
        return findings
    nothing = findings[0].confidence
    told = [replace(one, confidence=one.confidence * (1 - nothing)) if one.symptom in SUPPOSE_SIGNAL else one
            for one in findings]  # fmt: skip
    return sorted(told, key=lambda one: -one.confidence)


def _rate(optimizer: Any) -> float | None:
    if isinstance(getattr(optimizer, "schedule", None), optimizers.schedules.LearningRateSchedule):
        return None
    rate = getattr(optimizer, "learning_rate", None)
    try:
        return None if rate is None else float(rate)
    except (TypeError, ValueError):  # another program's schedule
        return None


def _positive(rate: Any) -> float | None:
    if rate is None:
        return None
    if isinstance(rate, bool) or not isinstance(rate, (int, float, np.number)) or not 0 < float(rate) < np.inf:
        passed = f"learning_rate={rate!r}."
        raise InputError(explain(passed, "a number above 0.", "hw.diagnose(history, learning_rate=0.001)"))
    return float(rate)


def _pair(constant_loss: Any) -> tuple[float, float] | None:
    if constant_loss is None:
        return None
    try:
        training, validation = (float(value) for value in np.atleast_1d(np.asarray(constant_loss, float)))
    except (TypeError, ValueError):
        passed, fix = f"constant_loss={constant_loss!r}.", "hw.diagnose(history, constant_loss=(0.69, 0.69))"
        raise InputTypeError(explain(passed, "two losses: on training and on validation rows.", fix)) from None
    if not (np.isfinite(training) and np.isfinite(validation)):
        passed, fix = f"constant_loss={constant_loss!r}.", "hw.diagnose(history, constant_loss=(0.69, 0.69))"
        raise InputError(explain(passed, "two finite losses.", fix))
    return training, validation
