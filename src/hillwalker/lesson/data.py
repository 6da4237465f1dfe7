"""The networks and the rows of the lesson's figures: small, seeded, with noise where data have it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import config
from hillwalker.layers import Dense, Input
from hillwalker.models import Sequential
from hillwalker.optimizers import SGD

Array = NDArray[np.float64]

# The lesson's example: one row of two inputs, and the weights it starts from.
X_ONE, Y_ONE = np.array([[0.5, 0.1]]), np.array([[1.0]])
HIDDEN = np.array([[0.15, 0.25], [0.20, 0.30]]), np.array([0.35, 0.35])
OUTPUT = np.array([[0.40], [0.45]]), np.array([0.60])


def network(
    inputs: int,
    hidden: Sequence[int],
    activation: str = "relu",
    output: str | None = None,
    units: int = 1,
    seed: int = 0,
) -> Sequential:
    """Return a network of dense layers with weights drawn from a seed, not compiled."""
    with config.seeded(seed):
        names = ["hidden"] if len(hidden) == 1 else [f"hidden_{number + 1}" for number in range(len(hidden))]
        layers = [Dense(count, activation=activation, name=name) for count, name in zip(hidden, names, strict=True)]
        return Sequential([Input((inputs,)), *layers, Dense(units, activation=output, name="output")])


def example(learning_rate: float = 0.5) -> Sequential:
    """Return the lesson's 2-2-1 network: sigmoid units, binary cross-entropy, the example's weights, plain SGD."""
    model = network(2, [2], "sigmoid", output="sigmoid")
    model.compile(SGD(learning_rate), loss="binary_crossentropy")
    model.set_weights([*HIDDEN, *OUTPUT])
    return model


def circle(rows: int = 400, seed: int = 0, noise: float = 0.1) -> tuple[Array, Array]:
    """Return points of a square and whether they lie outside a circle, with some noise about where it runs."""
    generator = np.random.default_rng(seed)
    X = generator.uniform(-1, 1, size=(rows, 2))
    return X, (np.hypot(X[:, 0], X[:, 1]) + noise * generator.normal(size=rows) > 0.75).astype(float)


def product(rows: int = 400, seed: int = 0, noise: float = 0.1) -> tuple[Array, Array]:
    """Return two inputs and three times their product with noise: no straight line fits it."""
    generator = np.random.default_rng(seed)
    X = generator.uniform(-1, 1, size=(rows, 2))
    return X, 3 * X[:, 0] * X[:, 1] + noise * generator.normal(size=rows)


def wave(rows: int, seed: int = 0, noise: float = 0.3) -> tuple[Array, Array]:
    """Return places on a line and the height of a wave there, measured with noise."""
    generator = np.random.default_rng(seed)
    X = generator.uniform(-3, 3, size=(rows, 1))
    return X, np.sin(2 * X[:, 0]) + noise * generator.normal(size=rows)


def clusters(rows: int = 300, seed: int = 0) -> tuple[Array, NDArray[Any]]:
    """Return four inputs of rows from three overlapping clusters, and the cluster's number."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(scale=1.5, size=(3, 4))
    y = generator.integers(3, size=rows)
    return centres[y] + generator.normal(size=(rows, 4)), y
