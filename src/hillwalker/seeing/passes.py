"""How a trace is filled: one pass of the reference engine on copies, the compiled engine's on the same batch, one step.

Nothing of the model is changed: weights, slots and iteration are copied first.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from hillwalker import config, engine, reference
from hillwalker.layers import Activation, BatchNormalization, Dense, Dropout, GaussianNoise, Memory, Moment
from hillwalker.losses import CustomLoss, Loss
from hillwalker.parameters import FloatArray, flat_vector
from hillwalker.plan import PlannedLayer
from hillwalker.seeing.trace import Array, LayerBlame, LayerTrace, Trace, input_blame, with_blame
from hillwalker.training.batches import Data
from hillwalker.training.state import State

# A layer's numbers of the forward pass: its input, its output, and what it remembers.
Step = tuple[Array, Array, Memory]


@np.errstate(all="ignore")  # what is not finite is shown, not warned of
def traced(state: State, data: Data, training: bool) -> Trace:
    """Return every number of the pass that training would do next with these rows (or, without `training`, evaluate).

    The numbers are float64, from the model's weights as they are.
    """
    loss, optimizer = state.loss, state.optimizer
    assert data.y is not None
    assert loss is not None
    iteration = 0 if optimizer is None else int(optimizer.iterations)
    network = _copied(state)
    plan, before = network.plan, network.parameters.copy()
    x, y = _wide(data.x), _wide(data.y)
    weight = None if data.sample_weight is None else _wide(data.sample_weight)
    steps = _forward(network, x, training, iteration)
    after = network.parameters.copy()  # batch normalisation moves its statistics in a training pass
    network.parameters[:] = before
    a = steps[-1][1]
    data_loss, dprediction = loss.batch(y, a, weight)
    penalty = float(network.penalty())
    layers = _backward(network, steps, dprediction)
    slots = _slots(network)
    rate = None
    if optimizer is not None:
        rate = float(optimizer.learning_rates(iteration, 1)[0])
        network.parameters[:] = after
        network.update(rate, iteration)
        updates = network.parameters - before
        layers = [
            dataclasses.replace(layer, updates=_copies(planned, updates))
            for layer, planned in zip(layers, plan.layers, strict=True)
        ]
    filled = tuple(with_blame(layers))
    difference = _engine_difference(state, data, training, iteration, float(data_loss) + penalty, network.gradient)
    return Trace(
        loss=float(data_loss) + penalty, data_loss=float(data_loss), penalty=penalty,
        row_losses=_wide(loss.values(y, a)), row_parts=_row_parts(loss, y, a, weight),
        prediction=a, dprediction=_wide(dprediction), inputs=x, targets=y, sample_weight=weight, layers=filled,
        blame=input_blame(list(filled)), training=training, iteration=iteration, learning_rate=rate,
        precision=state.plan.dtype, engine=config.engine_name(), engine_difference=difference, loss_function=loss,
        optimizer=optimizer, slots=slots, row_numbers=tuple(range(len(x))), batch=len(x),
    )  # fmt: skip


def _wide(array: Any) -> Array:
    return np.array(array, dtype=np.float64, order="C")


def _copied(state: State) -> reference.Network:
    """Return the reference engine on float64 copies of a state's vectors."""
    parameters = flat_vector(state.plan.length, np.float64)
    parameters[:] = state.parameters
    slots: dict[str, FloatArray] = {name: slot.astype(np.float64) for name, slot in state.slots.items()}
    return reference.Network(state.network.plan, parameters, slots, state.seed)


def _copies(planned: PlannedLayer, vector: FloatArray) -> dict[str, Array]:
    return {name: _wide(view) for name, view in reference.views(planned, vector).items()}


def _forward(network: reference.Network, x: Array, training: bool, iteration: int) -> list[Step]:
    steps: list[Step] = []
    for planned in network.plan.layers:
        moment = Moment(training, reference.layer_key(planned, network.seed, iteration))
        a, memory = planned.layer.forward(x, reference.views(planned, network.parameters), moment)
        steps.append((x, _wide(a), memory))
        x = steps[-1][1]
    return steps


def _backward(network: reference.Network, steps: list[Step], da: FloatArray) -> list[LayerTrace]:
    """Return the layers' numbers, from the last layer's to the first's, and leave the gradient in the network."""
    dprediction, backward = da, []
    for planned, (_, _, memory) in zip(reversed(network.plan.layers), reversed(steps), strict=True):
        weights, gradients = reference.views(planned, network.parameters), reference.views(planned, network.gradient)
        dx = planned.layer.backward(memory, da, weights, gradients)
        backward.append((_wide(da), _wide(dx)))
        da = dx
    network.backward([memory for _, _, memory in steps], dprediction)  # once more, for the penalties' part
    trained = {id(segment) for segment in network.plan.trained}
    return [
        _layer(network, planned, step, derivatives, trained)
        for planned, step, derivatives in zip(network.plan.layers, steps, reversed(backward), strict=True)
    ]


def _layer(
    network: reference.Network,
    planned: PlannedLayer,
    step: Step,
    derivatives: tuple[Array, Array],
    trained: set[int],
) -> LayerTrace:
    layer, (x, a, memory), (da, dinput) = planned.layer, step, derivatives
    weights = _copies(planned, network.parameters)
    gradients = _copies(planned, network.gradient)
    for name, segment in planned.segments.items():
        if not segment.trainable:  # moving statistics: nothing follows a gradient there
            del gradients[name]
    z = dz = function = None
    if isinstance(layer, (Dense, Activation)):
        function, z = layer.activation, _wide(memory["z"])
        dz = _wide(function.backward(z, a, da))
    penalties = {
        name: segment.regularizer
        for name, segment in planned.segments.items()
        if segment.regularizer is not None and id(segment) in trained
    }
    numbers = {name: float(getattr(layer, name)) for name in ("rate", "stddev", "epsilon", "momentum", "scale")
               if isinstance(getattr(layer, name, None), (float, bool))}  # fmt: skip
    return LayerTrace(
        name=layer.name, kind=type(layer).__name__, activation=None if function is None else function.name,
        trainable=any(id(segment) in trained for segment in planned.segments.values()),
        input=x, a=a, z=z, da=da, dz=dz, dinput=dinput, weights=weights, gradients=gradients, updates=None,
        values=_values(layer, x, a, da, memory, weights), blame=LayerBlame(np.zeros(a.shape[1])), function=function,
        penalties=penalties, numbers=numbers,
    )  # fmt: skip


def _values(layer: Any, x: Array, a: Array, da: Array, memory: Memory, weights: dict[str, Array]) -> dict[str, Array]:
    """Return what else a layer computed in this pass."""
    if isinstance(layer, Dropout):
        return {"scale": _wide(memory.get("scale", np.ones_like(x)))}
    if isinstance(layer, GaussianNoise):
        return {"noise": a - x}
    if not isinstance(layer, BatchNormalization):
        return {}
    normal, dnormal = _wide(memory["normal"]), da * weights.get("gamma", 1.0)
    found = {"normal": normal, "inverse": _wide(memory["inverse"]), "dnormal": dnormal}
    if "mean" not in memory:
        return {"mean": weights["moving_mean"], "variance": weights["moving_variance"], **found}
    means = {"dnormal_mean": dnormal.mean(axis=0), "dnormal_normal_mean": (dnormal * normal).mean(axis=0)}
    return {"mean": x.mean(axis=0), "variance": x.var(axis=0), **found, **means}


def _row_parts(loss: Loss, y: Array, a: Array, weight: Array | None) -> Array:
    """Return what each row contributes to the batch's loss; they sum to it."""
    parts = loss.values(y, a) * (1.0 if weight is None else weight)
    if loss.reduction != "sum":
        return _wide(parts / len(a))
    # The sum of a user's own loss goes over all that the function returns, not over a mean a row.
    return _wide(parts * (np.size(loss.function(y, a)) / len(a) if isinstance(loss, CustomLoss) else 1.0))


def _slots(network: reference.Network) -> dict[str, dict[str, Array]]:
    return {
        segment.name: {name: _wide(segment.view(slot)) for name, slot in network.slots.items()}
        for segment in network.plan.segments
    }


def _engine_difference(
    state: State, data: Data, training: bool, iteration: int, loss: float, gradient: FloatArray
) -> float | None:
    """Return how far the compiled engine's loss and gradient lie from these, relative to the largest of each."""
    if isinstance(state.network, reference.Network):
        return None
    dtype, parameters = state.plan.dtype, flat_vector(state.plan.length, state.plan.dtype)
    parameters[:] = state.parameters
    x, y, weight = (
        None if array is None else np.ascontiguousarray(array, dtype) for array in (data.x, data.y, data.sample_weight)
    )
    assert x is not None
    assert y is not None
    plan = dataclasses.replace(state.network.plan, target_width=y.shape[1])
    network = engine.Network(plan, parameters, state.slots, state.seed)  # the slots are not touched
    its_loss, its = network.gradients(x, y, weight, training, iteration)
    own = reference.trained_only(plan, gradient)
    largest = float(np.abs(own).max(initial=0.0))
    apart = float(np.abs(its - own).max(initial=0.0))
    return max(abs(its_loss - loss) / max(abs(loss), 1e-300), apart / max(largest, 1e-300))
