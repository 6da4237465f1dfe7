"""Penalties on large weights: L1, L2 and both; the value and its derivative, adjacent.

Every penalty is l1 * sum |w| + l2 * sum w^2, so the engines need only two numbers a weight. Others are refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker.errors import InputError, InputTypeError, explain, unknown_name

FloatArray = NDArray[np.floating[Any]]


class Regularizer:
    """A penalty that is added to the loss: l1 * sum |w| + l2 * sum w^2.

    `l1`, `l2`: finite numbers, 0 or more.

    >>> penalty = Regularizer(l1=0.1, l2=0.01); w = np.array([1.0, -2.0])
    >>> round(penalty.value(w), 6), penalty.derivative(w).round(6).tolist()
    (0.35, [0.12, -0.14])
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1 = _checked("l1", l1)
        self.l2 = _checked("l2", l2)

    def value(self, w: FloatArray) -> float:
        """Return l1 * sum |w| + l2 * sum w^2 of an array of any shape."""
        return float(self.l1 * np.abs(w).sum() + self.l2 * np.square(w).sum())

    def derivative(self, w: FloatArray) -> FloatArray:
        """Return l1 * sign(w) + 2 * l2 * w, in w's shape; sign(0) = 0."""
        return np.asarray(self.l1 * np.sign(w) + 2.0 * self.l2 * w)

    def __call__(self, w: FloatArray) -> float:
        """Return the penalty's value."""
        return self.value(np.asarray(w))

    def get_config(self) -> dict[str, float]:
        """Return l1 and l2."""
        return {"l1": self.l1, "l2": self.l2}

    @classmethod
    def from_config(cls, config: Mapping[str, float]) -> Regularizer:
        """Return the regularizer that `get_config` described."""
        return cls(**config)


class L1(Regularizer):
    """l1 * sum |w|: drives weights to exactly zero.

    >>> round(L1(0.1)(np.array([1.0, -2.0])), 6)
    0.3
    """

    def __init__(self, l1: float = 0.01) -> None:
        super().__init__(l1=l1)

    def get_config(self) -> dict[str, float]:
        """Return l1."""
        return {"l1": self.l1}


class L2(Regularizer):
    """l2 * sum w^2: keeps weights small.

    >>> round(L2(0.1)(np.array([1.0, -2.0])), 6)
    0.5
    """

    def __init__(self, l2: float = 0.01) -> None:
        super().__init__(l2=l2)

    def get_config(self) -> dict[str, float]:
        """Return l2."""
        return {"l2": self.l2}


class L1L2(Regularizer):
    """l1 * sum |w| + l2 * sum w^2.

    >>> round(L1L2(l1=0.1, l2=0.01)(np.array([1.0, -2.0])), 6)
    0.35
    """


# Keras's function spellings, as in `regularizers.l2(0.001)`.
l1, l2, l1_l2 = L1, L2, L1L2

BY_NAME: dict[str, type[Regularizer]] = {
    "L1": L1, "l1": L1, "L2": L2, "l2": L2, "L1L2": L1L2, "l1l2": L1L2, "l1_l2": L1L2,
}  # fmt: skip


def get(identifier: Any, custom_objects: Mapping[str, Any] | None = None) -> Regularizer | None:
    """Return the regularizer meant by a name, a config, a class or a regularizer; None for None.

    Raises InputError for an unknown name, with the nearest known one, and InputTypeError for a function of one's own.

    >>> get("l2").get_config()
    {'l2': 0.01}
    """
    if identifier is None or isinstance(identifier, Regularizer):
        return identifier
    if isinstance(identifier, str):
        # L1L2() penalises nothing; whoever writes the bare name means Keras 2's 0.01 of each.
        both = {"l1": 0.01, "l2": 0.01} if BY_NAME.get(identifier) is L1L2 else {}
        return deserialize({"class_name": identifier, "config": both}, custom_objects)
    if isinstance(identifier, Mapping):
        return deserialize(identifier, custom_objects)
    if isinstance(identifier, type) and issubclass(identifier, Regularizer):
        return identifier()
    expected = "a penalty l1 * sum |w| + l2 * sum w^2, by name or as a Regularizer."
    raise InputTypeError(explain(f"regularizer {identifier!r}.", expected, "Dense(8, kernel_regularizer=L2(0.01))"))


def serialize(regularizer: Regularizer) -> dict[str, Any]:
    """Return a JSON-able description of a regularizer.

    >>> serialize(L2(0.1))
    {'class_name': 'L2', 'config': {'l2': 0.1}}
    """
    return {"class_name": type(regularizer).__name__, "config": regularizer.get_config()}


def deserialize(description: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Regularizer:
    """Return the regularizer that `serialize` described; classes of one's own come in through `custom_objects`.

    >>> deserialize({"class_name": "L2", "config": {"l2": 0.1}}).l2
    0.1
    """
    known: dict[str, Any] = {"Regularizer": Regularizer, **BY_NAME, **(custom_objects or {})}
    name = description.get("class_name")
    if name not in known:
        raise unknown_name("regularizer", name, known, "Dense(8, kernel_regularizer={})")
    made: Regularizer = known[name].from_config(description.get("config") or {})
    return made


def _checked(name: str, value: Any) -> float:
    number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < 0:
        raise InputError(explain(f"{name}={value!r}.", "a finite number, 0 or more.", f"{name}=0.01"))
    return float(value)
