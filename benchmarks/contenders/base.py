"""What every contender is: made for a task, it trains some epochs in one call, and predicts. It measures nothing."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from tasks import Array, Task


class CannotRun(Exception):
    """A contender cannot train this task here, and says why."""


class Contender:
    """Trains one task. `packages` are what it needs installed, the first being the one whose version counts.

    A process makes only contenders of one class, each for a task; a library's own settings are made there, before it
    is imported. `threads` is how many threads it may use.
    """

    label: ClassVar[str]
    packages: ClassVar[tuple[str, ...]]
    call_seconds: ClassVar[float] = 0.05  # the least that one call of `train` should last, or its fixed costs show

    def __init__(self, task: Task, threads: int) -> None:
        self.task, self.threads = task, threads
        self.x, self.y = task.data()
        self.random = np.random.Generator(np.random.SFC64(0))  # the fastest that NumPy has

    def train(self, epochs: int, *, shuffle: bool = True) -> None:
        """Train for some epochs more, the rows shuffled anew in each, or as they lie."""
        # A full batch needs no order; and the rows as they lie are what all contenders can be compared on.
        shuffle = shuffle and self.task.steps > 1
        for _ in range(epochs):
            self.train_epoch(self.random.permutation(self.task.rows) if shuffle else None)

    def train_epoch(self, order: Array | None) -> None:
        raise NotImplementedError

    def predict(self) -> Array:
        """Return the outputs, after softmax or sigmoid, for the rows trained on."""
        raise NotImplementedError

    def loss(self) -> float:
        """Return the loss on the rows trained on, computed here, in one way for all."""
        outputs: Any = np.asarray(self.predict(), np.float64).reshape(self.task.rows, -1)
        if self.task.output == "linear":
            return float(np.mean((outputs - self.y) ** 2))
        if self.task.output == "sigmoid":
            outputs = np.where(self.y == 1, outputs, 1 - outputs)
        else:
            outputs = outputs[np.arange(self.task.rows), self.y]
        return float(-np.mean(np.log(np.maximum(outputs, 1e-300))))
