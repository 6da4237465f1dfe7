"""The ground that a walker walks on: any function, the slope it has at a point, and a map of it for pictures.

Nothing walks here: see `descent.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import differentiate
from hillwalker.errors import InputError, InputTypeError, MissingDependencyError, explain
from hillwalker.hills import Hill
from hillwalker.optimizers.base import FloatArray
from hillwalker.records import plain

Array = NDArray[np.float64]

LINE, GRID, OWN_GRID = 401, 121, 61  # points a side of a map: one variable; two; two of a user's function
CALL = "hw.descend(lambda x: np.sum(x**2), start=[1.0, 2.0])"


@dataclass(frozen=True, eq=False, repr=False)
class Terrain:
    """A map of the ground: heights over one variable, (n,), or over two, (rows, columns): y by x.

    `axes` are the coordinates of each variable, x first; `values` the heights, NaN where there is none; `minima` the
    lowest points where they are known.
    """

    axes: tuple[Array, ...]
    values: Array
    minima: Array

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists."""
        return {"axes": plain(list(self.axes)), "values": plain(self.values), "minima": plain(self.minima)}

    def __repr__(self) -> str:
        lowest, highest = np.nanmin(self.values), np.nanmax(self.values)
        return f"Terrain: {' x '.join(map(str, self.values.shape))} heights from {lowest:.4g} to {highest:.4g}"


class Ground:
    """A function of d variables and its slope.

    Args:
        function: a hill, or any function of an array (d,), or of a number where `start` is one, that returns a number.
        start: a number, or (d,) numbers.
        gradient: the derivative, a function of the same argument; None: the hill's own, autograd's where the function
            can be differentiated and autograd is installed, or else central differences.
        seed: of the noise in a hill's slope.
    """

    def __init__(self, function: Any, start: Any, gradient: Callable[..., Any] | None, seed: int) -> None:
        self.hill = function if isinstance(function, Hill) else None
        if not callable(function):
            raise InputTypeError(explain(f"f={function!r}.", "a function of an array, or a hill.", CALL))
        if gradient is not None and not callable(gradient):
            fix = "hw.descend(f, start, gradient=lambda x: 2 * x)"
            raise InputTypeError(explain(f"gradient={gradient!r}.", "a function of an array, or None.", fix))
        self.function, self.gradient, self.seed = function, gradient, seed
        own = differentiate.function_name(function)
        self.name = self.hill.name if self.hill else "f" if own == "<lambda>" else own
        if start is None and self.hill:
            start = self.hill.start
        self.start = _checked_start(start)
        self.is_number = np.ndim(start) == 0
        if self.hill and len(self.start) != self.hill.dimensions:
            passed = f"a start of {len(self.start)} numbers for the hill {self.name!r}."
            fix = f"hw.descend(f, start={list(self.hill.start)})"
            raise InputError(explain(passed, f"{self.hill.dimensions}.", fix))
        if not math.isfinite(self._checked_value(self.start)):
            passed = f"start={start!r}, where {self.name!r} is {self._checked_value(self.start)}."
            raise InputError(explain(passed, "a start where the function is a finite number."))
        self.derivative = self._choose_derivative()

    def value(self, x: FloatArray) -> float:
        """Return the height at x (d,)."""
        return float(np.asarray(self.function(self._argument(x))).reshape(()))

    def slope(self, x: FloatArray, step: int) -> Array:
        """Return the slope at x (d,) that the walker feels at this step, shape (d,)."""
        return self._slope(x, step)

    def terrain(self, box: Sequence[tuple[float, float]], show: Callable[[float], None]) -> Terrain | None:
        """Return a map of the box, or None where there are more than two variables."""
        if len(box) > 2:
            return None
        side = LINE if len(box) == 1 else GRID if self.hill else OWN_GRID
        axes = tuple(np.linspace(low, high, side) for low, high in box)
        points = np.stack(np.meshgrid(*axes), axis=-1)
        minima = np.array(self.hill.minima if self.hill else np.empty((0, len(box))))
        if self.hill:
            return Terrain(axes, self.hill.value(points), minima)
        flat = points.reshape(-1, len(box))
        values = np.empty(len(flat))
        with np.errstate(all="ignore"):
            for number, point in enumerate(flat):
                values[number] = self._height_or_nan(point)
                show(number / len(flat))
        return Terrain(axes, values.reshape(points.shape[:-1]), minima)

    def _argument(self, x: FloatArray) -> Any:
        return np.float64(x[0]) if self.is_number else x.copy()

    def _checked_value(self, x: FloatArray) -> float:
        result = self.function(self._argument(x))
        is_a_number = (
            isinstance(result, (int, float, np.ndarray, np.generic)) and np.asarray(result).dtype.kind in "fiu"
        )
        if not is_a_number or np.size(result) != 1:
            got = f"shape {np.shape(result)}" if is_a_number else type(result).__name__
            passed = f"the function {self.name!r}, which returned {got}."
            raise InputError(explain(passed, "one number.", "return np.sum(x**2)"))
        return self.value(x)

    def _height_or_nan(self, x: FloatArray) -> float:
        try:
            return self.value(x)
        except (ArithmeticError, ValueError):  # a point outside the function's domain is a gap in the map
            return math.nan

    def _choose_derivative(self) -> str:
        if self.gradient is not None:
            self._slope = self._given
            self._given(self.start, 0)
            return "given"
        if self.hill is not None:
            hill, seed = self.hill, self.seed
            self._slope = lambda x, step: hill.slope(x, step, seed)
            return "its own"
        try:
            self._slope = self._autograd
            self._autograd(self.start, 0)
            return "autograd"
        except (MissingDependencyError, InputError, InputTypeError):
            self._slope = self._differences
            return "central differences"

    def _given(self, x: FloatArray, step: int) -> Array:
        assert self.gradient is not None
        slope = np.asarray(self.gradient(self._argument(x)), dtype=np.float64)
        if slope.shape != np.shape(self._argument(x)) and not (self.is_number and slope.size == 1):
            passed = f"a gradient of shape {slope.shape} for x of shape {np.shape(self._argument(x))}."
            raise InputError(explain(passed, "one slope for each variable: x's shape.", "gradient=lambda x: 2 * x"))
        return slope.reshape(x.shape)

    def _autograd(self, x: FloatArray, step: int) -> Array:
        argument = np.array(x[0]) if self.is_number else x.copy()
        value, pull_back = differentiate.value_and_pull_back(self.function, argument)
        return np.asarray(pull_back(np.ones_like(value)), np.float64).reshape(x.shape)

    def _differences(self, x: FloatArray, step: int) -> Array:
        widths = np.cbrt(np.finfo(np.float64).eps) * np.maximum(1.0, np.abs(x))
        moves = np.diag(widths)
        rises = [self._height_or_nan(x + move) - self._height_or_nan(x - move) for move in moves]
        return np.asarray(np.array(rises) / (2.0 * widths))


def _checked_start(start: Any) -> Array:
    try:
        numbers = np.asarray(start, dtype=np.float64)
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if numbers.ndim > 1 or numbers.size == 0 or not np.isfinite(numbers).all():
        raise InputError(explain(f"start={start!r}.", "a finite number, or a list of them, one a variable.", CALL))
    return np.atleast_1d(numbers).copy()
