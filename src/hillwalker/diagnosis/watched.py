"""A copy of a model trained in stretches, with looks inside: the user's model is never touched.

Training itself is the engine's; what is looked at is computed by the reference engine in float64 on a sample of rows.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import engine, losses, reference
from hillwalker.choosing.noise import moments_of_batches
from hillwalker.layers import Activation, Dense, Layer, Moment
from hillwalker.models import Sequential
from hillwalker.parameters import FloatArray, flat_vector
from hillwalker.training.callbacks.recorder import dead, saturated

Array = NDArray[Any]

SEEN = 1024  # rows of a look inside
DRAWS = 12  # batches whose gradients tell the noise


@dataclass(frozen=True, eq=False)
class Rows:
    """Checked rows: x (n, I), y (n, T), weights (n,) or None."""

    x: Array
    y: Array
    weight: Array | None

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, chosen: Any) -> Rows:
        weight = None if self.weight is None else np.ascontiguousarray(self.weight[chosen])
        return Rows(np.ascontiguousarray(self.x[chosen]), np.ascontiguousarray(self.y[chosen]), weight)


@dataclass(frozen=True, eq=False)
class Look:
    """One moment inside: L layers with units, W kernels, measured on training rows.

    `loss` without and `penalty` of the regularizers alone; by layer `deviation` of the activations, `dead` share of
    ReLU units at zero on every training row, `saturated` share of units on a flat end for most rows (NaN for other
    activations); by kernel `alike`, whether all its units have the same weights, `weight_norm`, `weight_scale` (1 as
    Glorot draws it), `gradient_norm` of the data's loss, `penalty_gradient_norm`, `update_ratio` |step| / |w|;
    `noise_scale` tr(S) / |G|^2, in rows.
    """

    epoch: int
    loss: float
    penalty: float
    deviation: Array
    dead: Array
    saturated: Array
    alike: Array
    weight_norm: Array
    weight_scale: Array
    gradient_norm: Array
    penalty_gradient_norm: Array
    update_ratio: Array
    noise_scale: float


class Watched:
    """A built, compiled copy in training on `rows`, validated on `held_out`.

    Where it learns scaled targets, `back` turns its outputs into the user's units, in which `rows_as_given` are.
    """

    def __init__(
        self,
        model: Sequential,
        rows: Rows,
        held_out: Rows,
        batch_size: int,
        back: tuple[Any, Any] | None = None,
        rows_as_given: Rows | None = None,
    ) -> None:
        self.model, self.rows, self.held_out, self.batch_size = model, rows, held_out, min(batch_size, len(rows))
        self.back, self.rows_as_given = back, rows if rows_as_given is None else rows_as_given
        state = model.state
        assert model._loss is not None
        assert model.optimizer is not None
        self.loss: losses.Loss = model._loss
        self.optimizer = model.optimizer
        plan = state.plan if model.trainable else state.plan.frozen()
        self.plan = dataclasses.replace(plan, loss=self.loss, optimizer=self.optimizer, target_width=rows.y.shape[1])
        self.parameters, self.slots, self.seed = state.parameters, state.slots, state.seed
        self.network = engine.build(self.plan, self.parameters, self.slots, self.seed)
        self.iteration, self.epoch, self.due = int(self.optimizer.iterations), 0, 0
        self.failed: int | None = None
        self.random = np.random.default_rng([state.seed, 3])
        self.curve: list[float] = []  # the running training loss by epoch, penalties included
        self.held_out_curve: list[float] = []
        self.best: tuple[float, int, Array] = (math.inf, -1, np.empty(0))  # validation loss, epoch, rows' losses

    def train(self, epochs: int) -> None:
        """Train on, until a loss is not finite; validate after each epoch."""
        steps = -(-len(self.rows) // self.batch_size)
        self.due += epochs
        for _ in range(epochs if self.failed is None else 0):
            order = self.random.permutation(len(self.rows)).astype(np.uint32)
            rates = self.optimizer.learning_rates(self.iteration, steps)
            done = self.network.train(
                self.rows.x, self.rows.y, self.rows.weight, order, self.batch_size, rates, self.iteration, None
            )
            self.iteration += done.steps
            self.epoch += 1
            losses_now = self.losses(self.held_out)
            loss = float(losses_now.mean())
            if not done.finite or not np.isfinite(self.parameters).all() or not math.isfinite(loss):
                self.failed = self.epoch
                return
            self.curve.append(done.loss_sum / max(done.rows, 1))
            self.held_out_curve.append(loss)
            if loss < self.best[0]:
                self.best = loss, self.epoch, losses_now

    def predictions(self, x: Array) -> Array:
        """Return outputs (n, O) in the user's units."""
        out = np.empty((len(x), self.plan.output_width), self.plan.dtype)
        self.network.predict(np.ascontiguousarray(x), out, 1024)
        wide = out.astype(np.float64)
        return wide if self.back is None else wide * self.back[1] + self.back[0]

    def losses(self, rows: Rows, x: Array | None = None) -> Array:
        """Return each row's loss in the user's units, times its weight; of other inputs, if they are given."""
        with np.errstate(all="ignore"):
            values = self.loss.values(np.asarray(rows.y, np.float64), self.predictions(rows.x if x is None else x))
        return np.asarray(values if rows.weight is None else values * rows.weight)

    @np.errstate(all="ignore")  # what is not finite is seen in the numbers
    def look(self, noise: bool = False) -> Look:
        """Return what is inside now; weights, slots and iteration stay as they are."""
        sample = self.rows[np.linspace(0, len(self.rows) - 1, min(SEEN, len(self.rows))).astype(np.int64)]
        wide = self.parameters.astype(np.float64)
        network = reference.Network(self.plan, wide, {}, self.seed)
        a, memories = network.forward(np.asarray(sample.x, np.float64), training=False)
        weight = None if sample.weight is None else np.asarray(sample.weight, np.float64)
        loss, da = self.loss.batch(np.asarray(sample.y, np.float64), a, weight)
        _backward(network, memories, da)
        kernels = [part for part in self.plan.trained if part.name.endswith("/kernel")]
        penalties = [
            part.regularizer.derivative(part.view(wide)) if part.regularizer is not None else np.zeros(1)
            for part in kernels
        ]
        norms = np.array([_norm(part.view(wide)) for part in kernels])
        units = [(planned.layer, memory) for planned, memory in zip(self.plan.layers, memories, strict=True)
                 if isinstance(planned.layer, Dense | Activation)]  # fmt: skip
        idle = np.array([dead(layer.activation, memory["a"]) for layer, memory in units])
        if np.nan_to_num(idle).any() and len(sample) < len(self.rows):
            idle = self._dead_on_every_row(wide)
        return Look(
            epoch=self.epoch,
            loss=loss,
            penalty=network.penalty(),
            deviation=np.array([float(np.std(memory["a"])) for _, memory in units]),
            dead=idle,
            saturated=np.array([saturated(layer.activation, memory["z"], memory["a"]) for layer, memory in units]),
            alike=np.array([_alike(part.view(wide)) for part in kernels]),
            weight_norm=norms,
            weight_scale=np.array([_scale(part.view(wide)) for part in kernels]),
            gradient_norm=np.array([_norm(part.view(network.gradient)) for part in kernels]),
            penalty_gradient_norm=np.array([_norm(one) for one in penalties]),
            update_ratio=self._step(kernels) / np.where(norms > 0, norms, np.nan),
            noise_scale=self._noise() if noise else math.nan,
        )

    def _dead_on_every_row(self, wide: FloatArray) -> Array:
        """Return the share of dead units by layer, on all rows."""
        ever: list[Array] = []
        watched: list[Layer] = []
        for start in range(0, len(self.rows), 4096):
            a: Array = np.asarray(self.rows.x[start : start + 4096], np.float64)
            seen, watched = [], []
            for planned in self.plan.layers:
                a, _ = planned.layer.forward(a, reference.views(planned, wide), Moment(False))
                if isinstance(planned.layer, Dense | Activation):
                    seen.append((a != 0.0).any(axis=0))
                    watched.append(planned.layer)
            ever = seen if not ever else [one | other for one, other in zip(ever, seen, strict=True)]
        return np.array([
            dead(layer.activation, one[np.newaxis].astype(np.float64))
            for layer, one in zip(watched, ever, strict=True)
            if isinstance(layer, Dense | Activation)
        ])  # fmt: skip

    def _step(self, kernels: list[Any]) -> Array:
        """Return by how much the coming step would move each kernel, tried on copies."""
        parameters = flat_vector(self.plan.length, self.plan.dtype)
        parameters[:] = self.parameters
        slots = {name: flat_vector(self.plan.length, self.plan.dtype) for name in self.slots}
        for name, slot in slots.items():
            slot[:] = self.slots[name]
        network = engine.build(self.plan, parameters, slots, self.seed)
        order = np.random.default_rng(self.epoch).permutation(len(self.rows))[: self.batch_size].astype(np.uint32)
        rates = self.optimizer.learning_rates(self.iteration, 1)
        network.train(self.rows.x, self.rows.y, self.rows.weight, order, len(order), rates, self.iteration, None)
        return np.array([_norm(part.view(parameters) - part.view(self.parameters)) for part in kernels])

    def _noise(self) -> float:
        """Return the gradient noise scale from batches of two sizes."""
        rows = len(self.rows)
        small = max(1, min(16, rows // 8))
        if rows < 16:
            return math.nan
        random = np.random.default_rng(self.epoch)
        every = self.rows[random.permutation(rows)[:4096]]
        large = _squared(self.network.gradients(every.x, every.y, every.weight, training=False)[1])
        drawn = []
        for _ in range(DRAWS):
            some = self.rows[random.permutation(rows)[:small]]
            drawn.append(_squared(self.network.gradients(some.x, some.y, some.weight, training=False)[1]))
        return moments_of_batches(float(np.mean(drawn)), large, small, len(every)).noise_scale


def _backward(network: reference.Network, memories: list[Any], da: FloatArray) -> None:
    """Fill the gradient of the data's loss alone."""
    for planned, memory in zip(reversed(network.plan.layers), reversed(memories), strict=True):
        weights, gradients = reference.views(planned, network.parameters), reference.views(planned, network.gradient)
        da = planned.layer.backward(memory, da, weights, gradients)


def _alike(kernel: Array) -> bool:
    """Return whether several units of a kernel (I, O) have the same weights."""
    return bool(kernel.shape[1] > 1 and np.ptp(kernel, axis=1).max() <= 1e-6 * float(np.abs(kernel).max()))


def _scale(kernel: Array) -> float:
    """Return the weights' size in that of Glorot's initialization, sqrt(2 / (I + O))."""
    return float(np.sqrt(np.mean(np.square(kernel)) * sum(kernel.shape) / 2))


def _norm(values: Array) -> float:
    return float(np.sqrt(np.sum(np.square(values, dtype=np.float64))))


def _squared(values: Array) -> float:
    return float(np.sum(np.square(values, dtype=np.float64)))
