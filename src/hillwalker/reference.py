"""The lesson's own engine: forward pass, loss, backward pass and update in NumPy float64.

It is what `trace` shows, what gradients are checked against, what the compiled engine is tested with. It is not fast.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import randomness
from hillwalker.layers import Memory, Moment
from hillwalker.parameters import FloatArray, flat_vector
from hillwalker.plan import Plan, PlannedLayer, TrainResult


class Network:
    """A plan, executed by NumPy.

    Args:
        plan: layers, loss and optimizer.
        parameters: the flat vector of weights, float64; updated in place.
        slots: the optimizer's slots by name, flat vectors like `parameters`; updated in place.
        seed: the seed of everything random within a step.
    """

    dtype = "float64"

    def __init__(self, plan: Plan, parameters: FloatArray, slots: dict[str, FloatArray], seed: int) -> None:
        self.plan, self.parameters, self.slots, self.seed = plan, parameters, slots, seed
        self.gradient = flat_vector(plan.length, np.float64)

    # Step 1: the forward pass

    def forward(self, x: FloatArray, training: bool, iteration: int = 0) -> tuple[FloatArray, list[Memory]]:
        """Return the output (B, O) for x (B, I), and each layer's memory of its pass."""
        a, memories = x, []
        for planned in self.plan.layers:
            moment = Moment(training, layer_key(planned, self.seed, iteration))
            a, memory = planned.layer.forward(a, views(planned, self.parameters), moment)
            memories.append(memory)
        return a, memories

    # Step 2: the loss

    def loss(self, y: FloatArray, a: FloatArray, sample_weight: FloatArray | None) -> tuple[float, FloatArray]:
        """Return the batch's loss with the penalties, and dL/da of the data's part."""
        assert self.plan.loss is not None
        value, da = self.plan.loss.batch(y, a, sample_weight)
        return float(value) + self.penalty(), da

    def penalty(self) -> float:
        """Return the sum of the regularizers' penalties on the weights that are trained."""
        return sum(
            segment.regularizer.value(segment.view(self.parameters))
            for segment in self.plan.trained
            if segment.regularizer is not None
        )

    # Step 3: the backward pass: blame, traced from the last layer to the first

    def backward(self, memories: list[Memory], da: FloatArray) -> None:
        """Fill `self.gradient` from dL/da at the output."""
        for planned, memory in zip(reversed(self.plan.layers), reversed(memories), strict=True):
            weights, gradients = views(planned, self.parameters), views(planned, self.gradient)
            da = planned.layer.backward(memory, da, weights, gradients)
        for segment in self.plan.trained:
            if segment.regularizer is not None:
                gradient = segment.view(self.gradient)
                gradient += segment.regularizer.derivative(segment.view(self.parameters))

    # Step 4: the update

    def update(self, learning_rate: float, iteration: int) -> None:
        """Move every trained weight one step of the optimizer."""
        optimizer = self.plan.optimizer
        assert optimizer is not None
        variables = [
            (
                segment.view(self.parameters),
                segment.view(self.gradient),
                {name: segment.view(slot) for name, slot in self.slots.items()},
                optimizer.decays(segment.name),
            )
            for segment in self.plan.trained
        ]
        optimizer.apply(variables, learning_rate, iteration)

    # The training loop

    @np.errstate(all="ignore")  # what is not finite is told once, by the loop
    def train(
        self,
        x: NDArray[Any],
        y: NDArray[Any],
        sample_weight: NDArray[Any] | None,
        order: NDArray[np.uint32] | None,
        batch_size: int,
        learning_rates: NDArray[np.float64],
        first_iteration: int,
        predictions: NDArray[Any] | None,
    ) -> TrainResult:
        """Train on rows `order` (or all, as they lie) in batches; see docs/architecture.md."""
        count = len(x) if order is None else len(order)
        loss_sum, rows = 0.0, 0
        for step, start in enumerate(range(0, count, batch_size)):
            stop = min(start + batch_size, count)
            chosen = slice(start, stop) if order is None else order[start:stop]
            weight = None if sample_weight is None else _float64(sample_weight[chosen])
            a, memories = self.forward(_float64(x[chosen]), True, first_iteration + step)
            loss, da = self.loss(_float64(y[chosen]), a, weight)
            loss_sum += loss * (stop - start)
            rows = stop
            if predictions is not None:
                predictions[start:stop] = a
            if not np.isfinite(loss):
                return TrainResult(loss_sum, rows, step, False)
            self.backward(memories, da)
            self.update(float(learning_rates[step]), first_iteration + step)
        return TrainResult(loss_sum, rows, len(learning_rates), True)

    @np.errstate(all="ignore")  # what is not finite is told once, by the loop
    def evaluate(
        self,
        x: NDArray[Any],
        y: NDArray[Any],
        sample_weight: NDArray[Any] | None,
        batch_size: int,
        predictions: NDArray[Any] | None,
    ) -> float:
        """Return the sum over batches of loss times rows, penalties included; nothing is trained."""
        loss_sum = 0.0
        for start in range(0, len(x), batch_size):
            part = slice(start, min(start + batch_size, len(x)))
            a, _ = self.forward(_float64(x[part]), False)
            weight = None if sample_weight is None else _float64(sample_weight[part])
            loss_sum += self.loss(_float64(y[part]), a, weight)[0] * len(a)
            if predictions is not None:
                predictions[part] = a
        return loss_sum

    @np.errstate(all="ignore")  # what is not finite is told once, by the loop
    def predict(self, x: NDArray[Any], predictions: NDArray[Any], batch_size: int) -> None:
        """Write the outputs for x (n, I) into `predictions` (n, O)."""
        for start in range(0, len(x), batch_size):
            part = slice(start, start + batch_size)
            predictions[part] = self.forward(_float64(x[part]), False)[0]

    def gradients(
        self,
        x: NDArray[Any],
        y: NDArray[Any],
        sample_weight: NDArray[Any] | None,
        training: bool = True,
        iteration: int = 0,
    ) -> tuple[float, FloatArray]:
        """Return the loss of one batch and its gradient as a flat vector; nothing is moved.

        As training sees it in the step `iteration`, masks and batch statistics included; without `training`, as
        `evaluate` does.
        """
        kept = self.parameters.copy()  # batch normalisation moves its statistics in a training pass
        a, memories = self.forward(_float64(x), training, iteration)
        loss, da = self.loss(_float64(y), a, None if sample_weight is None else _float64(sample_weight))
        self.backward(memories, da)
        self.parameters[:] = kept
        return loss, trained_only(self.plan, self.gradient)


def layer_key(planned: PlannedLayer, seed: int, iteration: int) -> int:
    """Return the key of a layer's random stream in one step; a layer's own `seed` takes the model's place."""
    own = getattr(planned.layer, "seed", None)
    return randomness.stream_key(seed if own is None else own, iteration, planned.stream)


def views(planned: PlannedLayer, vector: FloatArray) -> dict[str, FloatArray]:
    """Return a layer's weights (or gradients) by name, as views into a flat vector."""
    return {name: segment.view(vector) for name, segment in planned.segments.items()}


def trained_only(plan: Plan, gradient: FloatArray) -> FloatArray:
    """Return a copy of a flat gradient that is zero wherever training does not move the weights."""
    kept = np.zeros_like(gradient)
    for segment in plan.trained:
        segment.view(kept)[...] = segment.view(gradient)
    return kept


def _float64(values: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64)
