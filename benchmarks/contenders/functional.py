"""The network and the update rules as functions of arrays, for peers that compile such functions.

Written in the operations that JAX and PyTorch share; `library` is `jax.numpy` or `torch`. In Keras's form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tasks import BETA_1, BETA_2, DECAY, EPSILON, MOMENTUM, RHO, Task

SLOTS = {"adam": 2, "adamw": 2, "sgd": 0, "momentum": 1, "rmsprop": 1}


def outputs(parameters: Sequence[Any], x: Any, activation: Callable[[Any], Any]) -> Any:
    """Return the last layer's outputs before softmax or sigmoid; `parameters` are kernel, bias, kernel, bias, ..."""
    for kernel, bias in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
        x = activation(x @ kernel + bias)
    return x @ parameters[-2] + parameters[-1]


def updated(
    task: Task, parameters: Sequence[Any], slots: Sequence[Sequence[Any]], gradients: Sequence[Any], count: Any,
    library: Any,
) -> tuple[list[Any], list[list[Any]]]:  # fmt: skip
    """Return the parameters and each slot's arrays after step number `count`, an array that begins at 1."""
    rate, sqrt = task.learning_rate, library.sqrt
    if task.optimizer == "sgd":
        return [w - rate * g for w, g in zip(parameters, gradients, strict=True)], []
    if task.optimizer == "momentum":
        moments = [MOMENTUM * m - rate * g for m, g in zip(slots[0], gradients, strict=True)]
        return [w + m for w, m in zip(parameters, moments, strict=True)], [moments]
    if task.optimizer == "rmsprop":
        squares = [RHO * v + (1 - RHO) * g * g for v, g in zip(slots[0], gradients, strict=True)]
        moved = zip(parameters, gradients, squares, strict=True)
        return [w - rate * g / sqrt(v + EPSILON**2) for w, g, v in moved], [squares]
    corrected = rate * sqrt(1 - BETA_2**count) / (1 - BETA_1**count)
    if task.optimizer == "adamw":
        parameters = [(1 - rate * DECAY) * w for w in parameters]
    moments = [BETA_1 * m + (1 - BETA_1) * g for m, g in zip(slots[0], gradients, strict=True)]
    squares = [BETA_2 * v + (1 - BETA_2) * g * g for v, g in zip(slots[1], gradients, strict=True)]
    moved = zip(parameters, moments, squares, strict=True)
    return [w - corrected * m / (sqrt(v) + EPSILON) for w, m, v in moved], [moments, squares]
