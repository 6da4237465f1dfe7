"""The loss of always predicting the same: what any network has to beat.

The constant is the best one on the training rows: the targets' shares where they are known to be it, bisection on the
loss's own derivative where each output has a loss of its own, and descent for all else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import activations
from hillwalker.choosing.splits import Split
from hillwalker.losses import Loss
from hillwalker.losses.base import ColumnwiseLoss
from hillwalker.models import Sequential, stack
from hillwalker.training.batches import Data

Array = NDArray[Any]

STEPS = 60  # of the bisection, and the most of the search for its two ends
DESCENT_STEPS = 400
OF_SHARES = ("categorical_crossentropy", "sparse_categorical_crossentropy")
REACH = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "softplus": (0.0, np.inf), "relu": (0.0, np.inf),
         "exponential": (0.0, np.inf)}  # fmt: skip


def losses_of_constants(model: Sequential, data: Data, parts: Sequence[Split] | None, validation_data: Any) -> Array:
    """Return the losses of `constant_losses` for a model: on each held-out part, or (1,) on the validation data."""
    plan = model.plan if model.built else stack.lay_out(model.layers, data.x.shape[1:], data.dtype)
    held_out = None
    if parts is None:
        _, apart = model._edge.validation(data, 0.0, validation_data)
        assert apart is not None
        assert apart.y is not None
        held_out = apart.y, apart.sample_weight
    assert data.y is not None
    assert model._edge.loss is not None
    told = plan.output_width, stack.output_activation(model.layers), data.sample_weight
    return constant_losses(model._edge.loss, data.y, parts, held_out, *told)


def constant_losses(
    loss: Loss,
    y: Array,
    parts: Sequence[Split] | None,
    held_out: tuple[Array, Array | None] | None,
    outputs: int,
    activation: str | None,
    sample_weight: Array | None = None,
) -> Array:
    """Return, for each split, the loss on its held-out targets of the constant that is best on its training targets.

    y (n, T), sample_weight (n,); `held_out` are targets (m, T) and weights of their own where there are no `parts`.
    Constants (outputs,) are looked for among those that the network's last activation can give.
    """
    every = (np.asarray(y, np.float64), sample_weight)
    if parts is None:
        assert held_out is not None
        pairs = [(every, (np.asarray(held_out[0], np.float64), held_out[1]))]
    else:
        pairs = [(_chosen(every, training), _chosen(every, validation)) for training, validation in parts]
    found = []
    for training, (targets, weight) in pairs:
        constant = best_constant(loss, *training, outputs, activation)
        found.append(loss.batch(targets, _repeated(constant, len(targets)), weight)[0])
    return np.array(found)


def best_constant(loss: Loss, y: Array, sample_weight: Array | None, outputs: int, activation: str | None) -> Array:
    """Return the outputs (O,), the same for every row, of the lowest loss on targets y (n, T), weights (n,) or None.

    >>> from hillwalker import losses
    >>> best_constant(losses.get("mae"), np.array([[1.0], [2.0], [9.0]]), None, 1, "linear").round(3).tolist()
    [2.0]
    """
    if loss.kind in OF_SHARES or (loss.kind == "kl_divergence" and activation == "softmax"):
        return _from_shares(loss, y, sample_weight, outputs)
    low, high = REACH.get(activation or "", (-np.inf, np.inf))
    if isinstance(loss, ColumnwiseLoss) and activation != "softmax":
        return np.asarray(np.clip(_bisected(loss, y, sample_weight), low, high))
    return _descended(loss, y, sample_weight, outputs, activation, low, high)


def _from_shares(loss: Loss, y: Array, sample_weight: Array | None, outputs: int) -> Array:
    """Return the classes' shares, or their logarithms: the best constant of a crossentropy or divergence."""
    if loss.kind.startswith("sparse"):
        y = np.equal(y, np.arange(outputs)).astype(np.float64)
    shares = np.average(y, axis=0, weights=sample_weight)
    smoothing = getattr(loss, "label_smoothing", 0.0)
    shares = shares / shares.sum() * (1 - smoothing) + smoothing / outputs
    return np.log(np.maximum(shares, 1e-7)) if getattr(loss, "from_logits", False) else np.asarray(shares)


def _bisected(loss: Loss, y: Array, sample_weight: Array | None) -> Array:
    """Return where each column's derivative changes its sign, looked for from the targets' range outwards."""

    def slope(constant: Array) -> Array:
        return np.asarray(loss.batch(y, _repeated(constant, len(y)), sample_weight)[1].sum(axis=0))

    low, high = y.min(axis=0), y.max(axis=0)
    width = np.maximum(high - low, 1.0)
    for _ in range(STEPS):
        too_high, too_low = slope(low) > 0, slope(high) < 0
        if not (too_high.any() or too_low.any()):
            break
        low, high = np.where(too_high, low - width, low), np.where(too_low, high + width, high)
        width = np.where(too_high | too_low, 2 * width, width)
    for _ in range(STEPS):
        middle = (low + high) / 2
        falls = slope(middle) < 0
        low, high = np.where(falls, middle, low), np.where(falls, high, middle)
    return np.asarray((low + high) / 2)


def _descended(
    loss: Loss, y: Array, sample_weight: Array | None, outputs: int, activation: str | None, low: float, high: float
) -> Array:
    """Return the best of a descent: steps that double while the loss falls and halve where it does not."""
    softmax = activations.get("softmax")
    mean = np.average(y, axis=0, weights=sample_weight) if y.shape[1] == outputs else np.zeros(outputs)
    z = np.log(np.clip(mean, 1e-3, 1.0)) if activation == "softmax" else np.clip(mean, low, high)

    def at(z: Array) -> tuple[float, Array, Array]:
        """Return the loss, its derivative by z, and the outputs that z means."""
        a = softmax.value(z[np.newaxis])[0] if activation == "softmax" else z
        value, slopes = loss.batch(y, _repeated(a, len(y)), sample_weight)
        da = slopes.sum(axis=0)
        dz = softmax.backward(z[np.newaxis], a[np.newaxis], da[np.newaxis])[0] if activation == "softmax" else da
        return value, dz, a

    def moved(by: Array) -> Array:
        return z - by if activation == "softmax" else np.asarray(np.clip(z - by, low, high))

    value, slope, constant = at(z)
    size = 1.0
    for _ in range(DESCENT_STEPS):
        there = moved(size * slope)
        told = at(there)
        if told[0] < value:
            z, (value, slope, constant), size = there, told, 2 * size
        else:
            size /= 2
    for count in range(1, DESCENT_STEPS):  # descent ends early in a kink; steps that shrink like 1 / k do not
        z = moved(slope / (max(float(np.linalg.norm(slope)), 1e-12) * count))
        now, slope, there = at(z)
        if now < value:
            value, constant = now, there
    return constant


def _chosen(data: tuple[Array, Array | None], rows: Array) -> tuple[Array, Array | None]:
    y, weight = data
    return y[rows], None if weight is None else weight[rows]


def _repeated(constant: Array, rows: int) -> Array:
    return np.tile(constant, (rows, 1))
