"""Lion: the sign of a running mean.

In the formulas g is the gradient and lr the learning rate. The base class clips and decays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hillwalker.errors import InputError, explain
from hillwalker.optimizers.base import FloatArray, Optimizer, in_range


class Lion(Optimizer):
    """Steps of one size, in the direction of the sign of the momentum.

    w <- w - lr sign(beta_1 m + (1 - beta_1) g);  m <- beta_2 m + (1 - beta_2) g

    Args: beta_1: in (0, 1]; beta_2: in [0, 1). Source: Chen et al. (2023).

    >>> w, slots = np.array([1.0]), {"momentum": np.zeros(1)}
    >>> Lion(0.1).update(w, np.array([2.0]), slots, 0.1, 0); w.tolist()
    [0.9]
    """

    kind = "lion"
    own_arguments = ("beta_1", "beta_2")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        **others: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, **others)
        self.beta_1 = in_range("beta_1", beta_1, 1.0, closed=True)
        if self.beta_1 == 0.0:
            raise InputError(explain("beta_1=0.", "a number above 0, or nothing is averaged.", "Lion(beta_1=0.9)"))
        self.beta_2 = in_range("beta_2", beta_2, 1.0)

    @property
    def slot_names(self) -> tuple[str, ...]:
        """The running mean of the gradient."""
        return ("momentum",)

    def update(
        self, w: FloatArray, gradient: FloatArray, slots: Mapping[str, FloatArray], learning_rate: float, iteration: int
    ) -> None:
        """Move one weight by one step, in place."""
        m = slots["momentum"]
        w -= learning_rate * np.sign(self.beta_1 * m + (1.0 - self.beta_1) * gradient)
        m *= self.beta_2
        m += (1.0 - self.beta_2) * gradient
