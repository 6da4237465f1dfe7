"""What a Watcher looks at when losses alone do not tell: predictions against their mean, and units that are dead.

Nothing of the training is changed or drawn on; few rows are looked at first, all of them only where these give cause.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import activations, reference
from hillwalker.layers import Activation, BatchNormalization, Dense, Moment
from hillwalker.parameters import FloatArray
from hillwalker.plan import PlannedLayer
from hillwalker.training.batches import Data

Array = NDArray[Any]

SAMPLE = 64  # rows that are looked at first for dead units
STRETCH = 4096  # rows that are looked at together, where all are
ROWS = 256  # rows whose predictions are compared with their mean


def against_mean(state: Any, data: Data) -> tuple[float, float]:
    """Return the losses of always predicting the predictions' mean and of the predictions, on a sample of rows."""
    x = _inputs(state, data, _sample(len(data), ROWS))
    outputs = np.empty((len(x), state.plan.output_width), state.plan.dtype)
    state.network.predict(x, outputs, len(x))
    return _loss(state, data, np.broadcast_to(outputs.mean(axis=0), outputs.shape)), _loss(state, data, outputs)


def loss_of(state: Any, data: Data, parameters: FloatArray) -> float:
    """Return the loss that the network has with these weights, on the same rows."""
    a = _inputs(state, data, _sample(len(data), ROWS))
    for planned in state.plan.layers:
        a = _forward(planned, parameters, a)
    return _loss(state, data, a)


def _loss(state: Any, data: Data, outputs: Array) -> float:
    """Return the loss of outputs for the sample of ROWS, without penalties."""
    rows = _sample(len(data), ROWS)
    assert data.y is not None
    weight = None if data.sample_weight is None else np.asarray(data.sample_weight[rows], np.float64)
    y, outputs = np.asarray(data.y[rows], np.float64), np.ascontiguousarray(outputs, np.float64)
    return float(state.loss.batch(y, outputs, weight)[0])


def dead_units(state: Any, data: Data, share: float) -> dict[str, tuple[int, int]]:
    """Return by layer how many of its ReLU units are at zero on every row, and how many it has.

    Layers of which a smaller share is dead are left out.
    """
    count = len(data)
    rows = _sample(count, SAMPLE)
    alive = _alive(state, data, rows)
    if len(rows) < count and _deader(alive, share):
        for start in range(0, count, STRETCH):
            for name, units in _alive(state, data, np.arange(start, min(start + STRETCH, count))).items():
                alive[name] |= units
    return {name: (int((~units).sum()), len(units)) for name, units in _deader(alive, share).items()}


def _deader(alive: dict[str, NDArray[np.bool_]], share: float) -> dict[str, NDArray[np.bool_]]:
    return {name: units for name, units in alive.items() if 1.0 - units.mean() >= share}


def _alive(state: Any, data: Data, rows: NDArray[np.intp]) -> dict[str, NDArray[np.bool_]]:
    """Return by layer which ReLU units are above zero on any of these rows."""
    a = _inputs(state, data, rows)
    found: dict[str, NDArray[np.bool_]] = {}
    for planned in state.plan.layers:
        layer = planned.layer
        a = _forward(planned, state.parameters, a)
        if isinstance(layer, Dense | Activation):
            function = layer.activation
            if isinstance(function, activations.Relu) and function.negative_slope == 0.0:
                found[layer.name] = np.asarray((a != 0.0).any(axis=0))
    return found


def _forward(planned: PlannedLayer, parameters: FloatArray, a: Array) -> Array:
    """Return a layer's outputs: nothing dropped, the rows normalised as one batch."""
    moment = Moment(training=isinstance(planned.layer, BatchNormalization))
    outputs: Array = planned.layer.forward(a, reference.views(planned, parameters), moment)[0]
    return outputs


def _inputs(state: Any, data: Data, rows: NDArray[np.intp]) -> Array:
    return np.ascontiguousarray(data.x[rows], dtype=state.plan.dtype)


def _sample(count: int, most: int) -> NDArray[np.intp]:
    """Return row numbers spread evenly, at most so many."""
    return np.arange(count) if count <= most else np.linspace(0, count - 1, most).astype(np.intp)
