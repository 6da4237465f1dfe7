"""Gradient descent: plain, with momentum, with Nesterov's momentum.

In the formulas g is the gradient and lr the learning rate. The base class clips and decays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hillwalker.optimizers.base import FloatArray, Optimizer, in_range


class SGD(Optimizer):
    """Gradient descent, with momentum if wanted.

    momentum = 0:  w <- w - lr g
    otherwise:     m <- momentum m - lr g;  w <- w + m;  with nesterov: w <- w + momentum m - lr g

    Args: momentum: in [0, 1]. Source: Polyak (1964); Sutskever et al. (2013) for Nesterov's form.

    >>> import numpy as np
    >>> w = np.array([1.0]); SGD(0.1).update(w, np.array([2.0]), {}, 0.1, 0); w.tolist()
    [0.8]
    """

    kind = "sgd"
    own_arguments = ("momentum", "nesterov")

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        **others: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, **others)
        self.momentum = in_range("momentum", momentum, 1.0, closed=True)
        self.nesterov = bool(nesterov)

    @property
    def slot_names(self) -> tuple[str, ...]:
        """Nothing without momentum."""
        return ("momentum",) if self.momentum else ()

    def update(
        self, w: FloatArray, gradient: FloatArray, slots: Mapping[str, FloatArray], learning_rate: float, iteration: int
    ) -> None:
        """Move one weight by one step, in place."""
        if not self.momentum:
            w -= learning_rate * gradient
            return
        m = slots["momentum"]
        m *= self.momentum
        m -= learning_rate * gradient
        w += self.momentum * m - learning_rate * gradient if self.nesterov else m
