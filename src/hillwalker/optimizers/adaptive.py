"""A step size for each weight, from the size of its gradients: RMSprop, Adagrad, Adadelta.

In the formulas g is the gradient and lr the learning rate. The base class clips and decays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hillwalker.optimizers.base import FloatArray, Optimizer, checked_epsilon, in_range


class RMSprop(Optimizer):
    """Each weight's step divided by the running size of its gradient.

    v <- rho v + (1 - rho) g^2;  step = lr g / sqrt(v + epsilon)
    centered:      a <- rho a + (1 - rho) g, and v - a^2 takes v's place in the step
    momentum > 0:  m <- momentum m + step;  w <- w - m;  otherwise w <- w - step

    Args: rho: in [0, 1); momentum: in [0, 1]; epsilon: 0 or more. Source: Tieleman and Hinton (2012).

    >>> w, slots = np.array([1.0]), {"velocity": np.zeros(1)}
    >>> RMSprop(0.1).update(w, np.array([2.0]), slots, 0.1, 0); w.round(6).tolist()
    [0.683772]
    """

    kind = "rmsprop"
    own_arguments = ("rho", "momentum", "epsilon", "centered")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float | None = 1e-7,
        centered: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        **others: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, **others)
        self.rho = in_range("rho", rho, 1.0)
        self.momentum = in_range("momentum", momentum, 1.0, closed=True)
        self.epsilon = checked_epsilon(epsilon)
        self.centered = bool(centered)

    @property
    def slot_names(self) -> tuple[str, ...]:
        """The running square; with momentum and centered, two more."""
        return ("velocity", *(["momentum"] if self.momentum else []), *(["average_gradient"] if self.centered else []))

    def update(
        self, w: FloatArray, gradient: FloatArray, slots: Mapping[str, FloatArray], learning_rate: float, iteration: int
    ) -> None:
        """Move one weight by one step, in place."""
        v = slots["velocity"]
        v *= self.rho
        v += (1.0 - self.rho) * gradient**2
        spread = v
        if self.centered:
            a = slots["average_gradient"]
            a *= self.rho
            a += (1.0 - self.rho) * gradient
            spread = v - a**2
        step = learning_rate * gradient / np.sqrt(spread + self.epsilon)
        if self.momentum:
            m = slots["momentum"]
            m *= self.momentum
            m += step
            step = m
        w -= step


class Adagrad(Optimizer):
    """Each weight's step divided by the size of all its gradients so far.

    s <- s + g^2;  w <- w - lr g / sqrt(s + epsilon)

    Args: initial_accumulator_value: what s starts from; epsilon: both 0 or more. Source: Duchi et al. (2011).

    >>> w, slots = np.array([1.0]), {"accumulator": np.full(1, 0.1)}
    >>> Adagrad(0.1).update(w, np.array([2.0]), slots, 0.1, 0); w.round(6).tolist()
    [0.901227]
    """

    kind = "adagrad"
    own_arguments = ("initial_accumulator_value", "epsilon")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float | None = 1e-7,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        **others: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, **others)
        self.initial_accumulator_value = in_range("initial_accumulator_value", initial_accumulator_value)
        self.epsilon = checked_epsilon(epsilon)

    @property
    def slot_names(self) -> tuple[str, ...]:
        """The sum of squares."""
        return ("accumulator",)

    def slot_initial_value(self, slot: str) -> float:
        """Return initial_accumulator_value."""
        return self.initial_accumulator_value

    def update(
        self, w: FloatArray, gradient: FloatArray, slots: Mapping[str, FloatArray], learning_rate: float, iteration: int
    ) -> None:
        """Move one weight by one step, in place."""
        s = slots["accumulator"]
        s += gradient**2
        w -= learning_rate * gradient / np.sqrt(s + self.epsilon)


class Adadelta(Optimizer):
    """Each weight's step scaled by the running size of its steps over that of its gradients.

    s <- rho s + (1 - rho) g^2;  step = g sqrt(d + epsilon) / sqrt(s + epsilon);  d <- rho d + (1 - rho) step^2
    w <- w - lr step

    Args: rho: in [0, 1); epsilon: 0 or more. Source: Zeiler (2012), who has lr = 1; Keras's default is 0.001.

    >>> w, slots = np.array([1.0]), {"accumulated_gradient": np.zeros(1), "accumulated_step": np.zeros(1)}
    >>> Adadelta(1.0).update(w, np.array([2.0]), slots, 1.0, 0); w.round(6).tolist()
    [0.998586]
    """

    kind = "adadelta"
    own_arguments = ("rho", "epsilon")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.95,
        epsilon: float | None = 1e-7,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        **others: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, **others)
        self.rho = in_range("rho", rho, 1.0)
        self.epsilon = checked_epsilon(epsilon)

    @property
    def slot_names(self) -> tuple[str, ...]:
        """The running squares of gradients and steps."""
        return ("accumulated_gradient", "accumulated_step")

    def update(
        self, w: FloatArray, gradient: FloatArray, slots: Mapping[str, FloatArray], learning_rate: float, iteration: int
    ) -> None:
        """Move one weight by one step, in place."""
        s, d = slots["accumulated_gradient"], slots["accumulated_step"]
        s *= self.rho
        s += (1.0 - self.rho) * gradient**2
        step = gradient * np.sqrt(d + self.epsilon) / np.sqrt(s + self.epsilon)
        d *= self.rho
        d += (1.0 - self.rho) * step**2
        w -= learning_rate * step
