"""What is trained: the network, its data and starting weights, and the numbers that every contender must use.

Nothing here trains, and nothing depends on who will.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

BETA_1, BETA_2, MOMENTUM, RHO, DECAY = 0.9, 0.999, 0.9, 0.9, 0.004
EPSILON = 1e-7  # added to the root of the running square; in RMSprop its square is added under the root, as in Keras
LEARNING_RATES = {"adam": 0.001, "sgd": 0.01, "momentum": 0.01, "rmsprop": 0.001, "adamw": 0.001}
LOSSES = {"linear": "mse", "softmax": "sparse_categorical_crossentropy", "sigmoid": "binary_crossentropy"}


@dataclass(frozen=True)
class Task:
    """A dense network, how it learns, and from how many rows: a multiple of the batch size, so that steps are alike."""

    widths: tuple[int, ...]
    batch_size: int
    rows: int
    activation: str = "relu"
    output: str = "linear"
    optimizer: str = "adam"
    dtype: str = "float32"

    @property
    def steps(self) -> int:
        """The number of steps in one epoch."""
        return self.rows // self.batch_size

    @property
    def loss(self) -> str:
        """The loss that goes with the output, as Keras names it."""
        return LOSSES[self.output]

    @property
    def learning_rate(self) -> float:
        return LEARNING_RATES[self.optimizer]

    def __str__(self) -> str:
        batch = "full batch" if self.steps == 1 else f"batch {self.batch_size}"
        what = f"{self.activation}, {self.output} output, {self.optimizer}, {self.dtype}"
        return f"{'-'.join(map(str, self.widths))}, {batch}, {self.rows:,} rows, {what}"

    def data(self) -> tuple[Array, Array]:
        """Return X (rows, I) and y: (rows, O) numbers, (rows,) labels for a softmax, (rows, 1) of 0 and 1."""
        random = np.random.default_rng(0)
        x = random.standard_normal((self.rows, self.widths[0])).astype(self.dtype)
        directions = random.standard_normal((self.widths[0], self.widths[-1]))
        signal = np.sin(2 * x @ directions / np.sqrt(self.widths[0]))
        signal += 0.3 * random.standard_normal(signal.shape)
        if self.output == "softmax":
            return x, np.argmax(signal, axis=1)
        return x, (signal > 0 if self.output == "sigmoid" else signal).astype(self.dtype)

    def weights(self) -> list[Array]:
        """Return kernel (I, O) and bias (O,) of each layer: Glorot's uniform distribution, and zero."""
        random = np.random.default_rng(1)
        weights: list[Array] = []
        for inputs, outputs in zip(self.widths, self.widths[1:], strict=False):
            limit = np.sqrt(6 / (inputs + outputs))
            weights.append(random.uniform(-limit, limit, (inputs, outputs)).astype(self.dtype))
            weights.append(np.zeros(outputs, self.dtype))
        return weights


NETWORKS = {
    "XS": Task((8, 16, 1), 32, 8192),
    "S": Task((20, 64, 32, 1), 32, 8192),
    "S256": Task((20, 64, 32, 1), 256, 8192),
    "M": Task((784, 256, 128, 10), 128, 4096),
    "L": Task((784, 512, 512, 10), 128, 4096),
}
