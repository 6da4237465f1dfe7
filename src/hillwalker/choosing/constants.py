"""The loss of always predicting the same: what any network has to beat.

The constant is found on the training rows by bisection on the loss's own derivative, so it fits every loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker.choosing.splits import Split
from hillwalker.losses import Loss
from hillwalker.models import Sequential, stack

Array = NDArray[Any]

STEPS = 60


def constant_losses(
    loss: Loss, y: Array, parts: Sequence[Split] | None, held_out: Array | None, model: Sequential
) -> Array:
    """Return, for each split, the loss on its held-out targets of the constant that is best on its training targets.

    y (n, T); `held_out` (m, T) are targets of their own where there are no `parts`. Constants are looked for among the
    outputs that `model` can give: probabilities after sigmoid or softmax, any numbers otherwise.
    """
    activation = stack.output_activation(model.layers)
    outputs = model.plan.output_width if model.built else y.shape[1]
    wide = np.asarray(y, np.float64)
    pairs = [(wide, np.asarray(held_out, np.float64))] if parts is None else [(wide[a], wide[b]) for a, b in parts]
    found = []
    for training, validation in pairs:
        constant = best_constant(loss, training, outputs, activation)
        found.append(loss.batch(validation, np.broadcast_to(constant, (len(validation), outputs)).copy())[0])
    return np.array(found)


def best_constant(loss: Loss, y: Array, outputs: int, activation: str | None) -> Array:
    """Return the outputs (O,), the same for every row, of the lowest loss on targets y (n, T).

    Probabilities are the classes' shares; for other outputs each column is bisected on the derivative's sign.

    >>> from hillwalker import losses
    >>> best_constant(losses.get("mae"), np.array([[1.0], [2.0], [9.0]]), 1, "linear").round(3).tolist()
    [2.0]
    """
    if activation == "softmax":
        classes = y.argmax(axis=1) if y.shape[1] == outputs else y[:, 0].astype(np.int64)
        return np.bincount(classes, minlength=outputs) / len(y)
    if activation == "sigmoid":
        return np.asarray(y.mean(axis=0), np.float64)
    low, high = _ends(loss, y, outputs)
    for _ in range(STEPS):
        middle = (low + high) / 2
        slope = loss.batch(y, np.broadcast_to(middle, (len(y), outputs)).copy())[1].sum(axis=0)
        low, high = np.where(slope < 0, middle, low), np.where(slope < 0, high, middle)
    return np.asarray((low + high) / 2)


def _ends(loss: Loss, y: Array, outputs: int) -> tuple[Array, Array]:
    """Return numbers between which the best constant lies: the targets' range, or scores of classes from logits."""
    if y.shape[1] == outputs and not getattr(loss, "from_logits", False):
        return y.min(axis=0), y.max(axis=0)
    return np.full(outputs, -20.0), np.full(outputs, 20.0)
