"""A copy of a model to experiment with, and its steps one at a time; the model itself is only read."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import config, engine
from hillwalker.errors import InputTypeError, StateError, explain
from hillwalker.models.edge import check_own_functions
from hillwalker.models.sequential import Sequential
from hillwalker.training.batches import Data
from hillwalker.training.state import State


def worker(model: Any, x: Any, y: Any, sample_weight: Any, seed: int, call: str) -> tuple[Sequential, Data]:
    """Return a copy of a compiled model, with its weights and slots as they are, and the data checked.

    A model that is not built yet gets weights drawn from `seed`; the global generator is left as it is.
    """
    if not isinstance(model, Sequential):
        raise InputTypeError(explain(f"{call} of {type(model).__name__}.", "a model.", f"{call}(model, X, y)"))
    if not model.compiled:
        raise StateError(explain(f"{call} before compile.", "a compiled model.", 'model.compile("adam", loss="mse")'))
    with config.seeded(seed):
        made = copy.deepcopy(model)
        data = made._edge.data(x, y, sample_weight, call=call)
        state = made._ready(x, data)
    check_own_functions(state, data)
    return made, data


def orders(rows: int, batch_size: int, seed: int) -> Iterator[NDArray[np.uint32]]:
    """Yield the row numbers of batch after batch, endlessly: each epoch a new order, whole batches only."""
    size = min(batch_size, rows)
    epoch = 0
    while True:
        order = engine.shuffled(rows, engine.order_key(seed, epoch))
        for start in range(0, rows - size + 1, size):
            yield order[start : start + size]
        epoch += 1


def step(state: State, data: Data, order: NDArray[np.uint32], learning_rate: float) -> float:
    """Do one step of training on these rows; return the batch's loss before it, with the penalties.

    A batch whose loss is not finite is not learned from.
    """
    optimizer = state.optimizer
    assert optimizer is not None
    (part,) = data.parts(order, 0, len(order), len(order))
    assert part.y is not None
    rates = np.array([learning_rate])
    result = state.network.train(
        part.x, part.y, part.sample_weight, part.order, len(order), rates, int(optimizer.iterations), None
    )
    optimizer.iterations += result.steps
    return result.loss_sum / result.rows
