"""Keras's small helpers for data and seeds, and their old address `np_utils`.

Nothing here knows of networks.
"""

from __future__ import annotations

import itertools
import re
import sys
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker.config import set_random_seed
from hillwalker.errors import InputError, InputTypeError, explain

__all__ = ["automatic_name", "clear_session", "normalize", "np_utils", "set_random_seed", "to_categorical"]


def to_categorical(x: Any, num_classes: int | None = None) -> NDArray[np.float64]:
    """Return class numbers one-hot: row i holds 1 in column x[i], else 0.

    `x` holds whole numbers from 0, of any shape; a last dimension of 1 is dropped. `num_classes` is how many columns
    there are, by default the largest number + 1. Raises InputError for numbers that are not whole or out of range.

    >>> to_categorical([0, 2])
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    given = np.asarray(x)
    if given.dtype.kind not in "biuf":
        passed = f"to_categorical of labels of dtype {given.dtype}."
        raise InputTypeError(explain(passed, "class numbers.", "classes, x = np.unique(x, return_inverse=True)"))
    if given.size == 0 or not np.all(given == np.floor(given)) or given.min() < 0:
        held = "nothing" if given.size == 0 else f"{given[(given != np.floor(given)) | (given < 0)].flat[0]:g}"
        fix = "classes, x = np.unique(x, return_inverse=True)" if given.size else None
        raise InputError(explain(f"to_categorical of labels that hold {held}.", "whole numbers of 0 or more.", fix))
    labels = given.astype(np.int64)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    largest = int(labels.max())
    classes = num_classes or largest + 1
    if largest >= classes:
        passed = f"to_categorical of the label {largest} with num_classes={num_classes}."
        raise InputError(
            explain(passed, f"labels from 0 to {classes - 1}.", f"to_categorical(x, num_classes={largest + 1})")
        )
    one_hot = np.zeros((*labels.shape, classes))
    np.put_along_axis(one_hot, labels[..., None], 1.0, axis=-1)
    return one_hot


def normalize(x: Any, axis: int = -1, order: float = 2) -> NDArray[Any]:
    """Return x divided by its norm along an axis: x / |x|_order; where the norm is 0, x stays as it is.

    >>> normalize([[3.0, 4.0], [0.0, 0.0]])
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    values = np.asarray(x)
    norm = np.linalg.norm(values, order, axis, keepdims=True)
    result: NDArray[Any] = values / np.where(norm == 0, 1, norm)
    return result


# Old tutorials write `from keras.utils import np_utils` or `from keras.utils.np_utils import to_categorical`.
np_utils = ModuleType(f"{__name__}.np_utils", "The old address of to_categorical and normalize.")
np_utils.__dict__.update(to_categorical=to_categorical, normalize=normalize)
sys.modules[np_utils.__name__] = np_utils


_counters: dict[str, itertools.count[int]] = {}


def automatic_name(kind: str) -> str:
    """Return Keras's automatic name of the next object of a class: `dense`, `dense_1`, `dense_2`."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind).lower()
    number = next(_counters.setdefault(snake, itertools.count()))
    return snake if number == 0 else f"{snake}_{number}"


def clear_session() -> None:
    """Start the automatic names again at `dense`, `dropout` and so on; there is no other session to clear.

    >>> clear_session(); automatic_name("Dense"), automatic_name("Dense")
    ('dense', 'dense_1')
    """
    _counters.clear()
