"""Trials: the copy again with one thing mended, so that only what does harm is called a fault.

A tenth of the rate and ten times the rate are always tried, the latter for a third of the epochs: if that is better
already, the rate was too low. All else is tried only where the measurements give reason to, rates further off where the
network explains less than can be explained.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import initializers, regularizers
from hillwalker.choosing.variants import changed
from hillwalker.diagnosis.data_facts import DataFacts
from hillwalker.diagnosis.watched import Look, Rows, Watched
from hillwalker.layers import Activation, BatchNormalization, Dense, Dropout, GaussianNoise
from hillwalker.models import Sequential, copies

Array = NDArray[Any]

SHARE = 3  # a higher rate is tried for one epoch in so many
FACTOR, FAR = 10.0, 100.0  # of the rate
OF_RATES = ("lower rate", "higher rate", "far lower rate", "far higher rate")
SHORT = ("higher rate", "far higher rate")
SCALES = (0.03, 30.0)  # deviations of columns between which nothing is tried
APART = 30.0  # largest to smallest deviation of columns
OFFSET = 8.0  # |mean| in deviations
TARGETS = (0.1, 10.0)  # deviation of targets
LEVELLING = ("sigmoid", "tanh", "hard_sigmoid", "softsign")
NARROW = 8  # units of a hidden layer below which a wider one is tried


@dataclass(frozen=True)
class Trial:
    """What one mend brings, in parts of what can be gained: `gain` on validation rows, its standard error over them.

    The gain counts where each had better stopped; of rates and smaller batches at the end too, whichever is less; of
    larger batches at the end. `training_gain` is that at the end on training rows. `loss` is that of validation rows at
    the trial's end, `before` at the end of the whole training.
    """

    name: str
    epochs: int
    loss: float
    before: float
    gain: float
    error: float
    training_gain: float
    training_error: float


@dataclass(frozen=True, eq=False)
class Ends:
    """Each row's loss at the end of a training: validation rows, the same at their best epoch, training rows."""

    epochs: int
    length: int  # epochs it was to have
    end: Array
    best: Array
    training: Array

    @classmethod
    def mean(cls, several: list[Ends], constant: float) -> Ends:
        """Return the means over seeds; no loss counts as further above than twenty times the constant prediction's."""

        def of(arrays: list[Array]) -> Array:
            return np.asarray(np.mean([np.minimum(np.nan_to_num(one, nan=np.inf), 20 * abs(constant))
                                       for one in arrays], axis=0))  # fmt: skip

        return cls(
            several[0].epochs, several[0].length, of([one.end for one in several]), of([one.best for one in several]),
            of([one.training for one in several]),
        )  # fmt: skip

    @classmethod
    def of(cls, watched: Watched) -> Ends:
        """Return the ends of what was trained; infinite where it failed."""
        end = watched.losses(watched.held_out)
        if watched.failed is not None:
            end = np.full(len(end), np.inf)
        best = watched.best[2] if watched.best[1] > 0 else end
        training = watched.losses(watched.rows_as_given)
        return cls(watched.epoch, watched.due, end, best, training)


def unit_of(constant: float, losses: list[float]) -> float:
    """Return what can be gained: the constant prediction's loss less the least seen, at least 2 % of the former."""
    least = min((one for one in losses if math.isfinite(one)), default=constant)
    return max(constant - least, 0.02 * abs(constant), 1e-12)


def compared(own: Ends, others: dict[str, Ends], constant: float) -> dict[str, Trial]:
    """Return the trials by name: each against the whole training."""
    unit = unit_of(constant, [float(part.mean()) for one in (own, *others.values()) for part in (one.end, one.best)])
    told = {}
    for name, other in others.items():
        gain, error = gained(own.best, other.best, unit, constant)
        at_end = gained(own.end, other.end, unit, constant)
        if name in OF_RATES or name == "smaller batches":  # other mends make a network learn, and then it may overfit
            gain, error = min((gain, error), at_end)
        elif name == "larger batches" and gain > 0:
            gain, error = at_end
        in_training = gained(own.training, other.training, unit, constant)
        told[name] = Trial(
            name, other.epochs, float(other.end.mean()), float(own.end.mean()), gain, error, *in_training
        )
    return told


def gained(before: Array, after: Array, unit: float, constant: float) -> tuple[float, float]:
    """Return by how much losses of the same rows are lower, in parts of what can be gained, and the standard error."""
    ceiling = 10 * (abs(constant) + unit)  # no row's loss counts as further above: one row is not to decide

    def below(values: Array) -> Array:
        return np.where(np.isfinite(values), np.minimum(values, ceiling), ceiling)

    difference = (below(before) - below(after)) / unit
    return float(difference.mean()), float(difference.std(ddof=1) / math.sqrt(len(difference)))


def short(epochs: int) -> int:
    """Return how many epochs a higher rate is tried for.

    >>> short(48), short(4)
    (16, 2)
    """
    return max(2, -(-epochs // SHARE))


def off_scale(facts: DataFacts) -> bool:
    """Return whether columns lie so far off, or so far apart, that a trial with standardised ones is worth it."""
    varies = facts.deviations > 0
    if not varies.any():
        return False
    spread, centre = facts.deviations[varies], facts.means[varies]
    apart = spread.max() / spread.min() > APART and spread.max() > 3
    return bool(
        spread.max() > SCALES[1] or spread.max() < SCALES[0] or apart or (np.abs(centre) / spread).max() > OFFSET
    )


def targets_off_scale(facts: DataFacts, is_amount: bool) -> bool:
    """Return whether amounts to be predicted are far from the size of 1."""
    spread = facts.target_deviations
    if not is_amount or not (spread > 0).all():
        return False
    off = (spread > TARGETS[1]) | (spread < TARGETS[0]) | (np.abs(facts.target_means) / spread > OFFSET)
    return bool(off.any())


def starts_off(start: Look, has_norm: bool) -> bool:
    """Return whether the first activations, gradients or units look as a usual initialization would not have them."""
    hidden = start.deviation[:-1] if len(start.deviation) > 1 else start.deviation
    grows = hidden[1:] / np.maximum(hidden[:-1], 1e-30)
    odd = (hidden > 8).any() or (hidden < 0.02).any() or (grows > 4).any() or (grows < 0.12).any()
    odd = odd or (start.weight_scale > 4).any() or (start.weight_scale < 0.1).any()
    return bool(
        not has_norm
        and (odd or start.alike[:-1].any() or (np.nan_to_num(start.dead[:-1]) > 0.4).any()
             or (np.nan_to_num(start.saturated[:-1]) > 0.4).any())
    )  # fmt: skip


def hidden_of(model: Sequential) -> list[Dense]:
    """Return the dense layers before the last."""
    return [layer for layer in model.layers if isinstance(layer, Dense)][:-1]


def activations_of(model: Sequential) -> list[str]:
    """Return for each hidden dense layer the name of the activation that its output passes through."""
    found: list[str] = []
    for layer in model.layers:
        if isinstance(layer, Dense):
            found.append(str(layer.activation.name))
        elif isinstance(layer, Activation) and found and found[-1] == "linear":
            found[-1] = str(layer.activation.name)
    return found[:-1]


def usual(model: Sequential) -> Sequential:
    """Return a copy whose dense layers start as usual: He for ReLU and its kin, Glorot for others, biases at 0."""
    made = changed(model, {})
    names = [*activations_of(made), "linear"]
    for layer, name in zip([one for one in made.layers if isinstance(one, Dense)], names, strict=True):
        levels = name in (*LEVELLING, "linear", "softmax")
        layer.kernel_initializer = initializers.GlorotUniform() if levels else initializers.HeUniform()
        layer.bias_initializer = initializers.Zeros()
        layer.trainable = True
    return made


def unpenalised(model: Sequential) -> Sequential:
    """Return a copy without penalties and dropout."""
    made = changed(model, {})
    for layer in made.layers:
        if isinstance(layer, Dense):
            layer.kernel_regularizer = layer.bias_regularizer = None
        elif isinstance(layer, Dropout):
            layer.rate = 0.0
        elif isinstance(layer, GaussianNoise):
            layer.stddev = 0.0
    return made


def is_penalised(model: Sequential) -> bool:
    """Return whether a penalty, dropout or noise holds the network back."""
    return any(
        (isinstance(layer, Dropout) and layer.rate > 0)
        or (isinstance(layer, GaussianNoise) and layer.stddev > 0)
        or isinstance(getattr(layer, "kernel_regularizer", None), regularizers.Regularizer)
        for layer in model.layers
    )


def has_norm(model: Sequential) -> bool:
    """Return whether a layer normalises batches."""
    return any(isinstance(layer, BatchNormalization) for layer in model.layers)


def mends(
    model: Sequential, facts: DataFacts, start: Look, batch_size: int, is_amount: bool
) -> dict[str, dict[str, Any]]:
    """Return what is to be tried: for each trial's name the model, the batch size, and what is to be standardised."""
    optimizer = model.optimizer
    assert optimizer is not None
    names, hidden = activations_of(model), hidden_of(model)
    told: dict[str, dict[str, Any]] = {}
    if optimizer.schedule is None:
        told["lower rate"] = {"model": changed(model, {"learning_rate": optimizer.learning_rate / FACTOR})}
        told["higher rate"] = {"model": changed(model, {"learning_rate": optimizer.learning_rate * FACTOR})}
    steps = -(-facts.rows // batch_size)
    if batch_size > 32 and steps <= 8:
        told["smaller batches"] = {"batch_size": 8 if facts.rows < 200 else 16 if facts.rows < 500 else 32}
    if batch_size <= 4 and steps >= 16:
        told["larger batches"] = {"batch_size": min(16 * batch_size, max(facts.rows // 4, 4))}
    if is_penalised(model):
        told["unpenalised"] = {"model": unpenalised(model)}
    if off_scale(facts):
        told["standardised inputs"] = {"standardise": "inputs"}
    if targets_off_scale(facts, is_amount):
        told["standardised targets"] = {"standardise": "targets"}
    if starts_off(start, has_norm(model)):
        told["usual initialization"] = {"model": usual(model)}
    if sum(name in LEVELLING for name in names) >= 3:
        told["relu"] = {"model": usual(changed(model, {"activation": "relu"}))}
        if optimizer.schedule is None:  # a rate at which sigmoids learn may be too high for ReLU
            lower = {"activation": "relu", "learning_rate": optimizer.learning_rate / FACTOR}
            told["relu, lower rate"] = {"model": usual(changed(model, lower))}
    if hidden and all(name == "linear" for name in names):
        told["activations"] = {"model": usual(changed(model, {"activation": "relu"}))}
    if hidden and min(layer.units for layer in hidden) < NARROW:
        told["more units"] = {"model": changed(model, {"units": [max(layer.units, 32) for layer in hidden]})}
    return told


def further(model: Sequential) -> dict[str, dict[str, Any]]:
    """Return the rates further off, for a network that explains less than can be explained."""
    optimizer = model.optimizer
    assert optimizer is not None
    if optimizer.schedule is not None:
        return {}
    rate = optimizer.learning_rate
    return {
        "far lower rate": {"model": changed(model, {"learning_rate": rate / FAR})},
        "far higher rate": {"model": changed(model, {"learning_rate": rate * FAR})},
    }


def tried(
    told: dict[str, Any], model: Sequential, rows: Rows, held_out: Rows, batch_size: int, epochs: int, seed: int
) -> Watched:
    """Return a copy trained for a few epochs with something mended."""
    (made,) = copies(told.get("model", model), [seed])
    if not made.built:
        made.build((None, rows.x.shape[1]))
    back, given = None, None
    if told.get("standardise") == "inputs":
        mean, deviation = rows.x.mean(axis=0), rows.x.std(axis=0)
        deviation = np.where(deviation > 1e-7 * np.maximum(np.abs(mean), 1e-30), deviation, 1)
        rows, held_out = (
            Rows(np.ascontiguousarray((part.x - mean) / deviation, dtype=part.x.dtype), part.y, part.weight)
            for part in (rows, held_out)
        )
    if told.get("standardise") == "targets":
        mean, deviation = rows.y.mean(axis=0), rows.y.std(axis=0)
        given = rows
        back = (np.asarray(mean, np.float64), np.asarray(deviation, np.float64))
        rows = Rows(rows.x, np.ascontiguousarray((rows.y - mean) / deviation, dtype=rows.y.dtype), rows.weight)
    watched = Watched(made, rows, held_out, told.get("batch_size", batch_size), back, given)
    watched.train(epochs)
    return watched
