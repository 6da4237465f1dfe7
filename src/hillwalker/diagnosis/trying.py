"""Changes made and tried: other rates, more epochs, more units, an earlier stop, and what mends other faults.

Each is trained beside the model, from the same seeds on the same held-out parts. Trains by `compare` alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import checks, optimizers
from hillwalker.choosing import constants, splits
from hillwalker.choosing.experiment import compare, parts_of
from hillwalker.choosing.variants import label_of, of_settings
from hillwalker.diagnosis.changes import FEWEST, Changes
from hillwalker.errors import InputError, explain
from hillwalker.layers import Dense, Dropout
from hillwalker.models import Sequential, edge

Array = NDArray[np.float64]
Settings = dict[str, Any]

FACTORS = (1 / 100, 1 / 30, 1 / 10, 1 / 3, 3.0, 10.0, 30.0, 100.0)  # of the learning rate
LONGER, WIDER = 3, 2  # times the epochs, times the hidden units
IN_TIME = 0.4  # of the rows, the last, are held out part by part where rows lie in time
DROPOUTS, L2, L1 = (0.1, 0.3, 0.5), (1e-4, 1e-3, 1e-2), (1e-4, 1e-3)
NARROWER = (2, 4)  # times fewer hidden units
CALL = "try_changes(model, X, y, {})"


def basic_changes(model: Sequential, epochs: int) -> list[tuple[str, Settings]]:
    """Return what is always tried: (kind, settings) of rates, unless they follow a schedule, of epochs and units."""
    assert model.optimizer is not None
    told: list[tuple[str, Settings]] = []
    if not isinstance(getattr(model.optimizer, "schedule", None), optimizers.schedules.LearningRateSchedule):
        rate = float(model.optimizer.learning_rate)
        told = [("lower rate" if f < 1 else "higher rate", {"learning_rate": rate * f}) for f in FACTORS]
    told.append(("more", {"epochs": LONGER * epochs}))
    hidden = _hidden(model)
    return [*told, ("more", {"units": tuple(WIDER * units for units in hidden)})] if hidden else told


def weapons(model: Sequential) -> list[tuple[str, Settings]]:
    """Return what is tried against overfitting beside an earlier stop: dropout, L2, L1, fewer units."""
    hidden = _hidden(model)
    told: list[Settings] = [{"l2": value} for value in L2] + [{"l1": value} for value in L1]
    if hidden:
        told += [{"dropout": share} for share in DROPOUTS]
        told += [{"units": tuple(max(units // by, 1) for units in hidden)} for by in NARROWER]
    return [("overfitting", settings) for settings in told]


def remedies(symptom: str, model: Sequential, batch_size: int) -> list[Settings]:
    """Return what is tried against another symptom; nothing where no setting of `compare` is its remedy."""
    hidden = _hidden(model)
    layers: dict[str, list[Settings]] = {
        "vanishing-gradients": [{"activation": "relu", "kernel_initializer": "he_normal"}],
        "dead-relu": [{"activation": "leaky_relu", "kernel_initializer": "he_normal"}],
        "saturated-units": [{"kernel_initializer": "glorot_uniform"}],
        "bad-initialization": [{"kernel_initializer": "he_normal"}, {"kernel_initializer": "glorot_uniform"}],
        "missing-nonlinearity": [{"activation": "relu"}],
    }
    others: dict[str, list[Settings]] = {
        "exploding-gradients": [{"clipnorm": 1.0}],
        "batch-too-small": [{"batch_size": 4 * batch_size}],
        "batch-too-large": [{"batch_size": max(1, batch_size // 4)}, {"batch_size": max(1, batch_size // 16)}],
        "oscillating": [{"batch_size": 4 * batch_size}],
    }
    if symptom == "over-regularized":
        none: Settings = {"l2": 0.0}
        return [none | {"dropout": 0.0}] if any(isinstance(layer, Dropout) for layer in model.layers) else [none]
    return others.get(symptom, layers.get(symptom, []) if hidden else [])


def try_changes(
    model: Sequential,
    X: Any,
    y: Any,
    epochs: int = 50,
    batch_size: int | None = None,
    *,
    also: Mapping[str, Sequence[Settings]] | None = None,
    folds: int = 5,
    seeds: int = 3,
    seed: int = 0,
    time_ordered: bool = False,
    validation_data: Any = None,
    sample_weight: Any = None,
    folder: Any = None,
    threads: int | None = None,
    verbose: Any = "auto",
) -> Changes:
    """Train the model beside eight other rates, three times the epochs and twice the units, and say what is wrong.

    A change's gain is (L_model - L_change) / (L_constant - L_best), paired over held-out parts; losses count at the
    last epoch and where each had better stopped. "learning-rate-too-high" means that a lower rate ends better in both
    ways, by more than 2 % and a quarter of a standard error; "overfitting", that stopping earlier does, by three
    quarters, while the training loss fell on; "underfitting", that more epochs or units do, by two; "no-signal", that
    nothing is 1 % better than a constant prediction.

    Args:
        model: compiled; it is left as it is. Rates are tried where its own is a number, not a schedule.
        X, y: data; each fold is held out once, and each seed cuts folds anew.
        epochs, batch_size: as in the training that is asked about.
        also: further changes, by the symptom that they mend, as settings of `compare`:
            {"dead-relu": [{"activation": "leaky_relu"}]}.
        folds, seeds: folds x seeds trainings for each change; 3 folds or more.
        seed: the first of the seeds.
        time_ordered: whether rows lie in time: the last 40 % are then validated on, a fold at a time, each after
            training on all rows before it.
        validation_data: to validate on instead of folds; then 3 seeds or more.
        folder: where runs are written down, as in `compare`.

    Returns a Changes; Ctrl-C, what the parts say of which everything is done. Raises InputError before anything is
    trained.

    >>> from hillwalker.layers import Input
    >>> model = Sequential([Input((2,)), Dense(16, activation="tanh"), Dense(1)])
    >>> model.compile(optimizer=optimizers.Adam(1e-5), loss="mse")
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> tried = try_changes(model, X, X[:, 0] * X[:, 1], epochs=30, verbose=0)
    >>> tried.verdict, tried.claims["overfitting"]
    ('learning-rate-too-low', False)
    """
    of_settings(model, [{}], None, 0)  # refuses what is no compiled model
    length = checks.positive_integer("epochs", epochs, CALL.format("epochs=50"))
    further = [(symptom, settings) for symptom, several in (also or {}).items() for settings in several]
    changes = [*basic_changes(model, length), *further]
    return tried(
        model, X, y, changes, length, batch_size, folds=folds, seeds=seeds, seed=seed, time_ordered=time_ordered,
        validation_data=validation_data, sample_weight=sample_weight, folder=folder, threads=threads, verbose=verbose,
    )  # fmt: skip


def try_weapons(
    model: Sequential, X: Any, y: Any, epochs: int = 50, batch_size: int | None = None, **told: Any
) -> Changes:
    """Train the model beside itself with dropout, L2, L1 and fewer units, and stopped earlier, and say what helps.

    Takes what `try_changes` takes, and returns the same record.

    >>> from hillwalker.layers import Input
    >>> model = Sequential([Input((2,)), Dense(16, activation="tanh"), Dense(1)])
    >>> model.compile(optimizer="adam", loss="mse")
    >>> X = np.random.default_rng(0).normal(size=(60, 2))
    >>> len(try_weapons(model, X, X[:, 0], epochs=3, seeds=1, verbose=0).gains)
    11
    """
    of_settings(model, [{}], None, 0)
    length = checks.positive_integer("epochs", epochs, CALL.format("epochs=50"))
    return tried(model, X, y, weapons(model), length, batch_size, **told)


def tried(
    model: Sequential,
    X: Any,
    y: Any,
    changes: Sequence[tuple[str, Settings]],
    epochs: int,
    batch_size: int | None,
    *,
    folds: int = 5,
    seeds: int = 3,
    seed: int = 0,
    time_ordered: bool = False,
    validation_data: Any = None,
    sample_weight: Any = None,
    folder: Any = None,
    threads: int | None = None,
    verbose: Any = "auto",
) -> Changes:
    """Return what some changes did, each of a kind; a change that is the model as it is, or comes twice, once."""
    count = checks.positive_integer("folds", folds, CALL.format("folds=5"))
    if count < 3:
        raise InputError(explain(f"folds={folds!r}.", "3 or more: two tell little of noise.", CALL.format("folds=5")))
    number = edge.not_negative_integer("seed", seed, CALL.format("seed=0"))
    several = seeds_of(seeds, validation_data)
    data = model._edge.data(X, y, sample_weight, call="try_changes")
    by_label = {label_of(settings): (kind, settings) for kind, settings in reversed(changes)}
    kept = list(reversed(by_label.values()))
    told: dict[str, Any] = {"validation_data": validation_data}
    parts = None
    if validation_data is None and time_ordered:
        parts = splits.last_in_time(len(data), count, IN_TIME)
        told = {"folds": parts}
    elif validation_data is None:
        parts = parts_of(model, data, count, False, 0.0, several)
        told = {"folds": count, "cut_anew": True}
    comparison = compare(
        model, X, y, [{}, *(settings for _, settings in kept)], range(number, number + several), epochs, batch_size,
        sample_weight=sample_weight, folder=folder, threads=threads, verbose=verbose, **told,
    )  # fmt: skip
    constant = constants.losses_of_constants(model, data, parts, validation_data)
    constant = constant if parts is not None else np.repeat(constant, several)
    assert model.optimizer is not None
    return Changes(comparison, constant, float(model.optimizer.learning_rate), epochs, tuple(kind for kind, _ in kept))


def seeds_of(seeds: Any, validation_data: Any) -> int:
    """Return how many seeds, checked: with validation data each is all the parts there are, so 3 or more."""
    several = checks.positive_integer("seeds", seeds, CALL.format("seeds=3"))
    if validation_data is not None and several < FEWEST:
        passed = f"seeds={seeds!r} with validation_data."
        raise InputError(explain(passed, "3 or more: two tell little of noise.", CALL.format("seeds=3")))
    return several


def _hidden(model: Sequential) -> list[int]:
    return [layer.units for layer in model.layers if isinstance(layer, Dense)][:-1]
