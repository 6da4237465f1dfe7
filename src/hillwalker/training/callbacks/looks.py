"""What a Watcher looks at when losses alone do not tell: predictions against their mean, and units that are dead.

Nothing of the training is changed or drawn on. The last gradient is looked at first, then few rows, all of them only
where these give cause. An epoch leaves nothing of NumPy in the processor's caches, so that one of its calls then takes
ten microseconds: what counts is how few there are, not how few numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import activations, reference
from hillwalker.layers import Activation, BatchNormalization, Dense, Layer, Moment
from hillwalker.parameters import FloatArray
from hillwalker.plan import PlannedLayer
from hillwalker.training.batches import Data

Array = NDArray[Any]

SAMPLE = 64  # rows that are looked at first for dead units
STRETCH = 256  # rows that are looked at together, where all are: what stays in the cache, and is no work for threads
ROWS = 256  # rows whose predictions are compared with their mean
SETTLED = 20  # steps after which units no longer die from one step to the next


def against_mean(state: Any, data: Data) -> tuple[float, float]:
    """Return the losses of always predicting the predictions' mean and of the predictions, on a sample of rows."""
    rows = _sample(len(data), ROWS)
    x = _inputs(state, data, rows)
    predicted = np.empty((len(x), state.plan.output_width), state.plan.dtype)
    state.network.predict(x, predicted, len(x))
    outputs = predicted.astype(np.float64)
    mean = np.empty_like(outputs)
    mean[:] = np.add.reduce(outputs, axis=0) / len(outputs)
    of_mean, of_outputs = _losses(state, data, rows, mean, outputs)
    return of_mean, of_outputs


def loss_of(state: Any, data: Data, parameters: FloatArray) -> float:
    """Return the loss that the network has with these weights, on the same rows."""
    rows = _sample(len(data), ROWS)
    a = _inputs(state, data, rows)
    for planned in state.plan.layers:
        a = _forward(planned, parameters, a)
    return _losses(state, data, rows, a)[0]


def _losses(state: Any, data: Data, rows: NDArray[np.intp], *several: Array) -> tuple[float, ...]:
    """Return the mean loss of each of several outputs for these rows, without penalties."""
    assert data.y is not None
    y = data.y[rows].astype(np.float64)
    weight = None if data.sample_weight is None else data.sample_weight[rows]
    with np.errstate(all="ignore"):
        values = [state.loss.values(y, np.ascontiguousarray(outputs, np.float64)) for outputs in several]
        return tuple(float(np.add.reduce(one if weight is None else one * weight)) / len(y) for one in values)


def dead_units(state: Any, data: Data, share: float) -> dict[str, tuple[int, int]]:
    """Return by layer how many of its ReLU units are at zero on every row, and how many it has.

    Layers of which a smaller share is dead are left out.
    """
    if state.optimizer.iterations >= SETTLED and _gradient_shows_life(state, share):
        return {}
    count = len(data)
    rows = _sample(count, SAMPLE)
    alive = _alive(state, data, rows)
    if len(rows) < count:
        for start in range(0, count, STRETCH):
            if not _deader(alive, share):
                break
            for name, units in _alive(state, data, np.arange(start, min(start + STRETCH, count))).items():
                alive[name] |= units
    return {name: (int((~units).sum()), len(units)) for name, units in _deader(alive, share).items()}


def _gradient_shows_life(state: Any, share: float) -> bool:
    """Return whether the last step's gradient, which is still there, shows that a smaller share of each layer is dead.

    A unit at zero on every row of a batch passes no blame on, so that of the bias before it is zero: each that is not
    belongs to a unit that learns (with dropout, perhaps one that is at zero where nothing is dropped). The converse
    does not hold; where too many are zero, rows have to be looked at.
    """
    gradient = state.network.gradient
    bias = None
    for planned in state.plan.layers:
        layer = planned.layer
        if isinstance(layer, Dense):
            bias = planned.segments.get("bias")
        if _is_relu(layer):
            if bias is None or bias.regularizer is not None:  # a penalty moves dead units too
                return False
            blame = gradient[bias.offset : bias.offset + bias.columns].tolist()  # NumPy counts few numbers more slowly
            if blame.count(0.0) >= share * len(blame):
                return False
    return True


def _is_relu(layer: Layer) -> bool:
    function = layer.activation if isinstance(layer, Dense | Activation) else None
    return isinstance(function, activations.Relu) and function.negative_slope == 0.0


def _deader(alive: dict[str, NDArray[np.bool_]], share: float) -> dict[str, NDArray[np.bool_]]:
    return {name: units for name, units in alive.items() if 1.0 - units.mean() >= share}


def _alive(state: Any, data: Data, rows: NDArray[np.intp]) -> dict[str, NDArray[np.bool_]]:
    """Return by layer which ReLU units are above zero on any of these rows."""
    a = _inputs(state, data, rows)
    found: dict[str, NDArray[np.bool_]] = {}
    for planned in state.plan.layers:
        a = _forward(planned, state.parameters, a)
        if _is_relu(planned.layer):
            found[planned.layer.name] = np.asarray((a != 0.0).any(axis=0))
    return found


def _forward(planned: PlannedLayer, parameters: FloatArray, a: Array) -> Array:
    """Return a layer's outputs: nothing dropped, the rows normalised as one batch."""
    weights, training = reference.views(planned, parameters), isinstance(planned.layer, BatchNormalization)
    if training:  # which moves the statistics that it keeps among the weights
        weights = {name: weight.copy() for name, weight in weights.items()}
    outputs: Array = planned.layer.forward(a, weights, Moment(training))[0]
    return outputs


def _inputs(state: Any, data: Data, rows: NDArray[np.intp]) -> Array:
    return np.ascontiguousarray(data.x[rows], dtype=state.plan.dtype)


def _sample(count: int, most: int) -> NDArray[np.intp]:
    """Return row numbers spread evenly, at most so many."""
    return np.arange(count) if count <= most else np.arange(most) * (count - 1) // (most - 1)
