"""Adam and its family: AdamW, Adamax, Nadam.

In the formulas g is the gradient, lr the learning rate and t = iteration + 1. The base class clips and decays.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from hillwalker.optimizers.base import FloatArray, Optimizer, checked_epsilon, in_range


class Adam(Optimizer):
    """Momentum and a step size for each weight, both corrected for starting from zero.

    m <- m + (1 - beta_1) (g - m);  v <- v + (1 - beta_2) (g^2 - v);  amsgrad: below, v is the largest v so far
    w <- w - lr sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + epsilon)

    epsilon is added to the uncorrected root, as in Keras (and "epsilon hat" in the paper), not as in PyTorch.

    Args: beta_1, beta_2: in [0, 1); epsilon: 0 or more. Source: Kingma and Ba (2015); Reddi et al. (2018) for amsgrad.

    >>> w, slots = np.array([1.0]), {"momentum": np.zeros(1), "velocity": np.zeros(1)}
    >>> Adam(0.1).update(w, np.array([2.0]), slots, 0.1, 0); w.round(6).tolist()
    [0.9]
    """

    kind = "adam"
    own_arguments = ("beta_1", "beta_2", "epsilon", "amsgrad")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = 1e-7,
        amsgrad: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        **others: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, **others)
        self.beta_1 = in_range("beta_1", beta_1, 1.0)
        self.beta_2 = in_range("beta_2", beta_2, 1.0)
        self.epsilon = checked_epsilon(epsilon)
        self.amsgrad = bool(amsgrad)

    @property
    def slot_names(self) -> tuple[str, ...]:
        """The running mean and square of the gradient; with amsgrad, the largest square too."""
        return ("momentum", "velocity", "velocity_hat") if self.amsgrad else ("momentum", "velocity")

    def update(
        self, w: FloatArray, gradient: FloatArray, slots: Mapping[str, FloatArray], learning_rate: float, iteration: int
    ) -> None:
        """Move one weight by one step, in place."""
        t = iteration + 1
        m, v = slots["momentum"], slots["velocity"]
        m += (1.0 - self.beta_1) * (gradient - m)
        v += (1.0 - self.beta_2) * (gradient**2 - v)
        if self.amsgrad:
            largest = slots["velocity_hat"]
            np.maximum(largest, v, out=largest)
            v = largest
        corrected = learning_rate * math.sqrt(1.0 - self.beta_2**t) / (1.0 - self.beta_1**t)
        w -= corrected * m / (np.sqrt(v) + self.epsilon)


class AdamW(Adam):
    """Adam with weight decay that the gradient's size does not scale: w <- w - weight_decay lr w before Adam's step.

    Args: weight_decay: 0 or more; the rest as Adam's. Source: Loshchilov and Hutter (2019).

    >>> w, slots = np.array([1.0]), {"momentum": np.zeros(1), "velocity": np.zeros(1)}
    >>> AdamW(0.1, weight_decay=0.1).apply([(w, np.array([2.0]), slots, True)], 0.1, 0); w.round(6).tolist()
    [0.89]
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = 1e-7,
        amsgrad: bool = False,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        **others: Any,
    ) -> None:
        decay = in_range("weight_decay", weight_decay)
        clipping = (clipnorm, clipvalue, global_clipnorm)
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, decay, *clipping, **others)


class Adamax(Optimizer):
    """Adam with the largest gradient of late in place of the running square.

    m <- m + (1 - beta_1) (g - m);  u <- max(beta_2 u, |g|);  w <- w - lr m / ((1 - beta_1^t) (u + epsilon))

    Args: beta_1, beta_2: in [0, 1); epsilon: 0 or more. Source: Kingma and Ba (2015), section 7.

    >>> w, slots = np.array([1.0]), {"momentum": np.zeros(1), "norm": np.zeros(1)}
    >>> Adamax(0.1).update(w, np.array([2.0]), slots, 0.1, 0); w.round(6).tolist()
    [0.9]
    """

    kind = "adamax"
    own_arguments = ("beta_1", "beta_2", "epsilon")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = 1e-7,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        **others: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, **others)
        self.beta_1 = in_range("beta_1", beta_1, 1.0)
        self.beta_2 = in_range("beta_2", beta_2, 1.0)
        self.epsilon = checked_epsilon(epsilon)

    @property
    def slot_names(self) -> tuple[str, ...]:
        """The running mean and the decaying maximum."""
        return ("momentum", "norm")

    def update(
        self, w: FloatArray, gradient: FloatArray, slots: Mapping[str, FloatArray], learning_rate: float, iteration: int
    ) -> None:
        """Move one weight by one step, in place."""
        m, u = slots["momentum"], slots["norm"]
        m += (1.0 - self.beta_1) * (gradient - m)
        np.maximum(self.beta_2 * u, np.abs(gradient), out=u)
        w -= learning_rate * m / ((1.0 - self.beta_1 ** (iteration + 1)) * (u + self.epsilon))


class Nadam(Optimizer):
    """Adam with Nesterov's look ahead.

    u_t = beta_1 (1 - 0.96^t / 2);  U_t = u_1 ... u_t (`momentum_product`)
    m <- m + (1 - beta_1) (g - m);  v <- v + (1 - beta_2) (g^2 - v)
    m^ = u_{t+1} m / (1 - U_{t+1}) + (1 - u_t) g / (1 - U_t);  w <- w - lr m^ / (sqrt(v / (1 - beta_2^t)) + epsilon)

    Args: beta_1, beta_2: in [0, 1); epsilon: 0 or more. Source: Dozat (2015).

    >>> w, slots = np.array([1.0]), {"momentum": np.zeros(1), "velocity": np.zeros(1)}
    >>> Nadam(0.1).update(w, np.array([2.0]), slots, 0.1, 0); w.round(6).tolist()
    [0.893721]
    """

    kind = "nadam"
    own_arguments = ("beta_1", "beta_2", "epsilon")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = 1e-7,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        **others: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, **others)
        self.beta_1 = in_range("beta_1", beta_1, 1.0)
        self.beta_2 = in_range("beta_2", beta_2, 1.0)
        self.epsilon = checked_epsilon(epsilon)

    @property
    def slot_names(self) -> tuple[str, ...]:
        """The running mean and square of the gradient."""
        return ("momentum", "velocity")

    def update(
        self, w: FloatArray, gradient: FloatArray, slots: Mapping[str, FloatArray], learning_rate: float, iteration: int
    ) -> None:
        """Move one weight by one step, in place."""
        t = iteration + 1
        m, v = slots["momentum"], slots["velocity"]
        m += (1.0 - self.beta_1) * (gradient - m)
        v += (1.0 - self.beta_2) * (gradient**2 - v)
        now, next_one = nadam_momentum(t, self.beta_1), nadam_momentum(t + 1, self.beta_1)
        ahead = next_one / (1.0 - momentum_product(t + 1, self.beta_1)) * m
        here = (1.0 - now) / (1.0 - momentum_product(t, self.beta_1)) * gradient
        w -= learning_rate * (ahead + here) / (np.sqrt(v / (1.0 - self.beta_2**t)) + self.epsilon)


def nadam_momentum(t: int, beta_1: float) -> float:
    """Return Nadam's momentum of step t = 1, 2, ...: u_t = beta_1 (1 - 0.96^t / 2).

    >>> round(nadam_momentum(1, 0.9), 6)
    0.468
    """
    return beta_1 * (1.0 - 0.5 * 0.96**t)


# The product of (1 - 0.96^i / 2) over i = 1, ..., t; from t = 900 on a factor is 1 in float64.
_MOMENTUM_FACTORS = np.cumprod(1.0 - 0.5 * 0.96 ** np.arange(1, 1001))


def momentum_product(t: int, beta_1: float) -> float:
    """Return U_t = u_1 ... u_t as a function of t alone, so that Nadam has nothing to remember.

    >>> abs(momentum_product(2, 0.9) - nadam_momentum(1, 0.9) * nadam_momentum(2, 0.9)) < 1e-15
    True
    """
    return float(beta_1**t * _MOMENTUM_FACTORS[min(t, len(_MOMENTUM_FACTORS)) - 1])
