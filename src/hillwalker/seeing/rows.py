"""Each row's own gradient, as norms, from one backward pass: who pulls at the weights, and how hard.

Gradients of single rows are never formed: a Dense layer's is an outer product, whose norm is the product of two norms
(Goodfellow 2015). Nothing of the model is changed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import records, reference
from hillwalker.errors import InputError, explain
from hillwalker.layers import BatchNormalization, Dense, Memory, Moment
from hillwalker.losses import CustomLoss, Loss
from hillwalker.parameters import FloatArray
from hillwalker.plan import Plan, PlannedLayer
from hillwalker.training.batches import Data
from hillwalker.training.progress import Shown

Float64Array = NDArray[np.float64]

CHUNK = 2**18  # numbers in the widest array of a chunk of rows, so that a chunk stays in the cache


@dataclass(frozen=True)
class LayerPass:
    """A layer in one backward pass: the blame at its inputs and outputs, row by row.

    B rows of the chunk, I inputs, O outputs. `dz` is by the value before the layer's activation.
    """

    planned: PlannedLayer
    memory: Memory
    x: FloatArray
    dz: FloatArray
    dx: FloatArray


@dataclass(frozen=True)
class Pass:
    """One chunk of rows, forward and backward: each row's loss (B,), and the layers from the first to the last."""

    rows: slice
    loss: Float64Array
    layers: tuple[LayerPass, ...]
    dinput: FloatArray


@dataclass(frozen=True, repr=False)
class RowGradients:
    """How much each of n rows loses and how hard it pulls at the weights.

    Of a row i, L_i = weight_i loss_i, without penalties. `loss` is L (n,); `squared_norms` is the squared Euclidean
    norm of dL_i/dw over all weights that training moves, (n,), `by_weight` the same for each of them by name;
    `gradient` is the flat gradient of the loss as training forms it, the mean of the rows' gradients (their sum with
    reduction="sum"), and `gradient_by_weight` its parts by name. All in float64.
    """

    loss: Float64Array
    squared_norms: Float64Array
    by_weight: dict[str, Float64Array]
    gradient: Float64Array
    gradient_by_weight: dict[str, Float64Array]

    @property
    def norms(self) -> Float64Array:
        """The Euclidean norm of each row's gradient, (n,)."""
        return np.sqrt(self.squared_norms)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists and numbers."""
        names = [field.name for field in dataclasses.fields(self)]
        return {name: records.plain(getattr(self, name)) for name in names}

    def to_frame(self) -> Any:
        """Return one line a row: its loss, the norm of its gradient, and the norm by weight."""
        by_weight = {name: np.sqrt(values) for name, values in self.by_weight.items()}
        columns = {"row": np.arange(len(self.loss)), "loss": self.loss, "gradient_norm": self.norms, **by_weight}
        return records.to_frame(columns, "row", "row_gradients(...).to_frame()")

    def __repr__(self) -> str:
        mean, of_mean = float(np.mean(self.norms)), float(np.linalg.norm(self.gradient))
        return (
            f"RowGradients: {len(self.loss)} rows; loss {np.mean(self.loss):.4g} a row; "
            f"gradient norm {mean:.4g} a row, {of_mean:.4g} all together"
        )


def row_gradients(model: Any, X: Any, y: Any, sample_weight: Any = None, verbose: Any = "auto") -> RowGradients:
    """Return each row's loss and the exact norm of its gradient, from one backward pass over the data.

    For a Dense layer the gradient of a row is x dzᵀ, so ‖dW‖² = ‖x‖² ‖dz‖² and ‖db‖² = ‖dz‖²; of batch normalisation
    dγ = dz x̂ and dβ = dz. A row has a gradient of its own only where rows do not depend on each other: therefore
    batch normalisation uses its moving statistics, and dropout and noise are off. Penalties belong to no row and are
    left out.

    Args:
        model: a compiled and built model; nothing of it is changed.
        X: inputs (n, I).
        y: targets (n,) or (n, O).
        sample_weight: one weight a row, (n,).
        verbose: whether progress is shown if it takes over a second: "auto", 0, 1 or 2.

    Raises InputError or StateError for what `model.evaluate` would refuse, and for a loss that gives one number for a
    whole batch. Source: Goodfellow, "Efficient per-example gradient computations", 2015.

    >>> import numpy as np, hillwalker as hw
    >>> model = hw.Sequential([hw.Input((2,)), hw.layers.Dense(1, kernel_initializer="ones", name="out")])
    >>> model.compile(loss="mse")
    >>> found = row_gradients(model, np.array([[1.0, 0.0], [3.0, 4.0]]), np.array([0.0, 7.0]))
    >>> found.squared_norms.tolist(), found.gradient_by_weight["out/kernel"].ravel().tolist()
    ([8.0, 0.0], [1.0, 0.0])
    """
    data, plan = checked(model, X, y, sample_weight, "row_gradients")
    shown = Shown("row gradients", verbose)
    try:
        return sum_up(plan, model.state.parameters, data, shown)
    finally:
        shown.close()


def checked(model: Any, X: Any, y: Any, sample_weight: Any, call: str) -> tuple[Data, Plan]:
    """Return checked data of a built and compiled model, and its plan with the loss; nothing of the model changes."""
    state = model.state  # StateError where the model is not built
    data: Data = model._edge.data(X, y, sample_weight, call=call)
    assert data.y is not None
    whole: Plan = state.plan if model.trainable else state.plan.frozen()
    loss, target_width = model._loss, data.y.shape[1]
    return data, dataclasses.replace(whole, loss=loss, optimizer=model.optimizer, target_width=target_width)


def sum_up(
    plan: Plan, parameters: FloatArray, data: Data, shown: Callable[[float], None] | None = None
) -> RowGradients:
    """Return the rows' gradients of a plan with these weights; see `row_gradients`."""
    rows, loss = len(data), plan.loss
    assert loss is not None
    trained = {segment.offset: segment for segment in plan.trained}
    losses, gradient = np.empty(rows), np.zeros(plan.length)
    by_weight = {segment.name: np.empty(rows) for segment in plan.trained}
    with np.errstate(all="ignore"):  # what is not finite is seen in the numbers
        for part in passes(plan, parameters, data, shown):
            losses[part.rows] = part.loss
            for layer in part.layers:
                for name, (norms, total) in own_gradients(layer).items():
                    segment = layer.planned.segments[name]
                    if segment.offset in trained:
                        by_weight[segment.name][part.rows] = norms
                        segment.view(gradient)[...] += total
        gradient *= scale(loss, rows)
    squared = np.sum(list(by_weight.values()), axis=0) if by_weight else np.zeros(rows)
    parts = {segment.name: np.array(segment.view(gradient), dtype=np.float64) for segment in plan.trained}
    return RowGradients(losses, squared, by_weight, gradient, parts)


def scale(loss: Loss, rows: int) -> float:
    """Return what the sum over the rows is multiplied by to be the loss."""
    return 1.0 if loss.reduction == "sum" else 1.0 / rows


def own_gradients(layer: LayerPass) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return, by weight, each row's squared gradient norm (B,) and the sum of the rows' gradients."""
    planned, dz = layer.planned, layer.dz
    blame = _squares(dz)
    match planned.layer:
        case Dense():
            kernel = _squares(layer.x) * blame, layer.x.T @ dz
            found = {"kernel": kernel, "bias": (blame, dz.sum(axis=0, dtype=np.float64))}
        case BatchNormalization():
            by_gamma = dz * layer.memory["normal"]
            found = {
                "gamma": (_squares(by_gamma), by_gamma.sum(axis=0, dtype=np.float64)),
                "beta": (blame, dz.sum(axis=0, dtype=np.float64)),
            }
        case _:
            found = {}
    return {name: value for name, value in found.items() if name in planned.segments}


def _squares(values: FloatArray) -> Float64Array:
    """Return the sum of each row's squares, (B,), added in float64."""
    squares: Float64Array = np.einsum("ij,ij->i", values, values, dtype=np.float64)
    return squares


def passes(
    plan: Plan, parameters: FloatArray, data: Data, shown: Callable[[float], None] | None = None
) -> Iterator[Pass]:
    """Yield the rows in chunks, each passed forward and backward in the precision of `parameters`.

    Batch normalisation uses its moving statistics; dropout and noise are off. `shown` is told the share done.
    """
    widest = max(plan.input_width, *(planned.outputs for planned in plan.layers))
    size = max(16, CHUNK // widest)
    network = reference.Network(plan, parameters, {}, 0)
    for start in range(0, len(data), size):
        stop = min(start + size, len(data))
        yield _pass(network, data[start:stop], slice(start, stop))
        if shown is not None:
            shown(stop / len(data))


def _pass(network: reference.Network, data: Data, rows: slice) -> Pass:
    plan, dtype = network.plan, network.parameters.dtype
    loss = plan.loss
    assert loss is not None
    x, y = (np.asarray(values, dtype=dtype) for values in (data.x, data.y))
    a, inputs, memories = x, [], []
    for planned in plan.layers:
        inputs.append(a)
        a, memory = planned.layer.forward(a, reference.views(planned, network.parameters), Moment(training=False))
        memories.append(memory)
    _refuse_joint_loss(loss, y, a)
    values, da = loss.values(y, a).astype(np.float64), loss.derivative(y, a).astype(dtype, copy=False)
    if data.sample_weight is not None:
        weight = np.asarray(data.sample_weight)
        values, da = values * weight, da * weight[:, np.newaxis].astype(dtype, copy=False)
    layers: list[LayerPass] = []
    for planned, x_here, memory in zip(reversed(plan.layers), reversed(inputs), reversed(memories), strict=True):
        views = reference.views(planned, network.parameters)
        dz, dx = _backward(planned, memory, da, views)
        layers.append(LayerPass(planned, memory, x_here, dz, dx))
        da = dx
    return Pass(rows, values, tuple(reversed(layers)), da)


def _backward(
    planned: PlannedLayer, memory: Memory, da: FloatArray, weights: dict[str, FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Return dz and dx; a layer's own `backward` would also add up the rows' gradients, which come apart here."""
    layer = planned.layer
    if isinstance(layer, Dense):
        dz = layer.activation.backward(memory["z"], memory["a"], da)
        return dz, dz @ weights["kernel"].T
    if weights and not isinstance(layer, BatchNormalization):
        passed = f"a layer of class {type(layer).__name__}, whose rows' gradients are not known."
        raise InputError(explain(passed, "layers of hillwalker.layers."))
    return da, layer.backward(memory, da, weights, {name: np.empty_like(weight) for name, weight in weights.items()})


def _refuse_joint_loss(loss: Loss, y: FloatArray, a: FloatArray) -> None:
    """Refuse a function that gives one number for a batch: it does not say which row the loss is of."""
    if isinstance(loss, CustomLoss) and np.ndim(loss.function(y[:2], a[:2])) == 0:
        passed = f"the loss {loss.name!r}, which returned one number for the whole batch."
        raise InputError(
            explain(passed, "a loss that returns one number a row, shape (rows,).", "np.mean(..., axis=-1)")
        )
