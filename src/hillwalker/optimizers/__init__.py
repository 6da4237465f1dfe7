"""The rules by which weights follow their gradients, each written out in full, with Keras 3's names and numbers.

Here they are found by name and saved; nothing is computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hillwalker.errors import InputTypeError, explain, unknown_name
from hillwalker.optimizers import schedules as schedules
from hillwalker.optimizers.adam import Adam, Adamax, AdamW, Nadam, momentum_product, nadam_momentum
from hillwalker.optimizers.adaptive import Adadelta, Adagrad, RMSprop
from hillwalker.optimizers.base import Optimizer
from hillwalker.optimizers.lion import Lion
from hillwalker.optimizers.sgd import SGD

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lion",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "deserialize",
    "get",
    "momentum_product",
    "nadam_momentum",
    "schedules",
    "serialize",
]

CLASSES: tuple[type[Optimizer], ...] = (SGD, RMSprop, Adagrad, Adadelta, Adam, AdamW, Adamax, Nadam, Lion)
BY_NAME: dict[str, type[Optimizer]] = {kind.__name__.lower(): kind for kind in CLASSES}


def get(identifier: Any, custom_objects: Mapping[str, Any] | None = None) -> Optimizer:
    """Return the optimizer meant by a name in any case, a config, a class or an optimizer.

    Raises InputError for an unknown name, with the nearest known one.

    >>> get("adam").learning_rate
    0.001
    """
    if isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, str):
        return deserialize({"class_name": identifier}, custom_objects)
    if isinstance(identifier, Mapping):
        return deserialize(identifier, custom_objects)
    if isinstance(identifier, type) and issubclass(identifier, Optimizer):
        return identifier()  # type: ignore[call-arg]  # every rule's learning rate has a default
    expected = "a name or an optimizer of hillwalker.optimizers."
    raise InputTypeError(explain(f"optimizer {identifier!r}.", expected, 'model.compile(optimizer="adam")'))


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """Return a JSON-able description of an optimizer.

    >>> serialize(SGD(0.5))["class_name"]
    'SGD'
    """
    return {"class_name": type(optimizer).__name__, "config": optimizer.get_config()}


def deserialize(description: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Optimizer:
    """Return the optimizer that `serialize` described; classes of one's own come in through `custom_objects`.

    >>> deserialize(serialize(SGD(0.5, momentum=0.9))).hyperparameters()["momentum"]
    0.9
    """
    name = str(description.get("class_name"))
    known: dict[str, Any] = {**BY_NAME, **(custom_objects or {})}
    kind = known.get(name) or known.get(name.lower())
    if kind is None:
        raise unknown_name("optimizer", name, known, "model.compile(optimizer={})")
    made: Optimizer = kind.from_config(description.get("config") or {}, custom_objects)
    return made
