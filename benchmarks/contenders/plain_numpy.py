"""A good training loop in plain NumPy: everything in place, every buffer made once, one vector for all weights."""

from __future__ import annotations

import numpy as np
from tasks import BETA_1, BETA_2, DECAY, EPSILON, MOMENTUM, RHO, Array, Task

from contenders.base import CannotRun, Contender


def _views(vector: Array, like: list[Array]) -> list[Array]:
    ends = np.cumsum([array.size for array in like])
    return [part.reshape(array.shape) for part, array in zip(np.split(vector, ends[:-1]), like, strict=True)]


class PlainNumPy(Contender):
    """The rows are gathered once an epoch; the update runs over the whole vector at once."""

    label, packages = "NumPy", ("numpy",)

    def __init__(self, task: Task, threads: int) -> None:
        super().__init__(task, threads)
        if task.activation == "gelu":
            raise CannotRun("NumPy has no error function")
        weights = task.weights()
        self.w = np.concatenate([array.ravel() for array in weights])
        self.g, self.m, self.v, self.scratch = (np.zeros_like(self.w) for _ in range(4))
        self.parameters, self.gradients = _views(self.w, weights), _views(self.g, weights)
        self.layers = [np.empty((task.batch_size, width), task.dtype) for width in task.widths[1:]]
        self.deltas, self.slopes = ([np.empty_like(layer) for layer in self.layers] for _ in range(2))
        self.target = np.eye(task.widths[-1], dtype=task.dtype)[self.y] if task.output == "softmax" else self.y
        self.shuffled = np.empty_like(self.x), np.empty_like(self.target)
        self.count = 0

    def train_epoch(self, order: Array | None) -> None:
        rows = self.x, self.target
        if order is not None:
            for source, out in zip(rows, self.shuffled, strict=True):
                np.take(source, order, axis=0, out=out, mode="clip")  # "raise", the default, would buffer
            rows = self.shuffled
        for begin in range(0, self.task.rows, self.task.batch_size):
            self._step(*(array[begin : begin + self.task.batch_size] for array in rows))

    def _forward(self, x: Array, layers: list[Array]) -> Array:
        for kernel, bias, a in zip(self.parameters[::2], self.parameters[1::2], layers, strict=True):
            np.matmul(x, kernel, out=a)
            a += bias
            if a is not layers[-1]:
                self._activate(a, self.task.activation)
            x = a
        return self._activate(x, self.task.output)

    def _activate(self, a: Array, name: str) -> Array:
        if name == "relu":
            np.maximum(a, 0, out=a)
        elif name == "tanh":
            np.tanh(a, out=a)
        elif name == "sigmoid":  # by way of tanh, the fastest in NumPy
            a *= 0.5
            np.tanh(a, out=a)
            a *= 0.5
            a += 0.5
        elif name == "softmax":
            a -= a.max(axis=1, keepdims=True)
            np.exp(a, out=a)
            a /= a.sum(axis=1, keepdims=True)
        return a

    def _slope(self, a: Array, slope: Array) -> Array:
        """Return the activation's derivative, from its value."""
        if self.task.activation == "relu":
            return np.sign(a, out=slope)
        np.multiply(a, a, out=slope)
        return np.subtract(a if self.task.activation == "sigmoid" else 1, slope, out=slope)

    def _step(self, x: Array, y: Array) -> None:
        predicted = self._forward(x, self.layers)
        delta = np.subtract(predicted, y, out=self.deltas[-1])
        delta *= 2 / predicted.size if self.task.output == "linear" else 1 / len(x)
        for k in range(len(self.layers) - 1, -1, -1):
            below = self.layers[k - 1] if k else x
            np.matmul(below.T, delta, out=self.gradients[2 * k])
            np.add.reduce(delta, axis=0, out=self.gradients[2 * k + 1])
            if k:
                delta = np.matmul(delta, self.parameters[2 * k].T, out=self.deltas[k - 1])
                delta *= self._slope(below, self.slopes[k - 1])
        self._update()

    def _update(self) -> None:
        w, g, m, v, scratch = self.w, self.g, self.m, self.v, self.scratch
        optimizer, rate = self.task.optimizer, self.task.learning_rate
        self.count += 1
        if optimizer == "sgd":
            g *= rate
            w -= g
        elif optimizer == "momentum":
            m *= MOMENTUM
            g *= rate
            m -= g
            w += m
        elif optimizer == "rmsprop":
            self._average(v, np.multiply(g, g, out=scratch), RHO)
            np.add(v, EPSILON**2, out=scratch)
            np.sqrt(scratch, out=scratch)
            np.divide(g, scratch, out=scratch)
            scratch *= rate
            w -= scratch
        else:
            if optimizer == "adamw":
                w *= 1 - rate * DECAY
            self._average(v, np.multiply(g, g, out=scratch), BETA_2)
            self._average(m, g, BETA_1)
            np.sqrt(v, out=scratch)
            scratch += EPSILON
            np.divide(m, scratch, out=scratch)
            scratch *= rate * np.sqrt(1 - BETA_2**self.count) / (1 - BETA_1**self.count)
            w -= scratch

    @staticmethod
    def _average(average: Array, value: Array, rho: float) -> None:
        """Move the running average; overwrites the value."""
        value -= average
        value *= 1 - rho
        average += value

    def predict(self) -> Array:
        layers = [np.empty((self.task.rows, width), self.x.dtype) for width in self.task.widths[1:]]
        return self._forward(self.x, layers)
