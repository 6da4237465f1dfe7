"""Hills to walk down: functions of one or two variables whose lowest point is known; value and derivative, adjacent.

Nothing walks here: see `hw.descend`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hillwalker import randomness
from hillwalker.errors import InputError, explain, unknown_name

Array = NDArray[np.float64]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Hill:
    """What all hills share. In the formulas x is a point, (d,), or many points, (..., d); values are (...).

    Subclasses define `value` and `derivative`, where the lowest points lie, what part of the ground is worth drawing,
    and a start from which the walk teaches something.
    """

    dimensions: ClassVar[int] = 2
    minima: ClassVar[tuple[tuple[float, ...], ...]] = ((0.0, 0.0),)
    """The lowest points."""
    domain: ClassVar[tuple[Interval, ...]] = ((-3.0, 3.0), (-3.0, 3.0))
    start: ClassVar[tuple[float, ...]] = (-2.5, 2.0)

    def value(self, x: Any) -> Array:
        """Return the height at x (..., d), shape (...)."""
        raise NotImplementedError(f"{type(self).__name__} does not define value(x).")

    def derivative(self, x: Any) -> Array:
        """Return the slope at x (..., d), in x's shape."""
        raise NotImplementedError(f"{type(self).__name__} does not define derivative(x).")

    def slope(self, x: Any, step: int, seed: int = 0) -> Array:
        """Return the slope that a walker feels at its step, counted from 0: the derivative, and any noise."""
        return self.derivative(x)

    def __call__(self, x: Any) -> Array:
        """Return the height."""
        return self.value(x)

    @property
    def name(self) -> str:
        """The hill's name, as a person reads it."""
        words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in type(self).__name__)
        return words.strip()


@dataclass(frozen=True)
class Parabola(Hill):
    """f(x) = steepness x^2 / 2, of one variable; gradient descent diverges at rates above 2 / steepness.

    >>> hill = Parabola(steepness=2.0); float(hill.value([3.0])), hill.derivative([3.0]).tolist()
    (9.0, [6.0])
    """

    steepness: float = 2.0

    dimensions: ClassVar[int] = 1
    minima: ClassVar[tuple[tuple[float, ...], ...]] = ((0.0,),)
    domain: ClassVar[tuple[Interval, ...]] = ((-5.0, 5.0),)
    start: ClassVar[tuple[float, ...]] = (4.0,)

    def __post_init__(self) -> None:
        _more_than_zero("steepness", self.steepness, "parabola(steepness=2.0)")

    def value(self, x: Any) -> Array:
        (x,) = _columns(x, 1)
        return np.asarray(0.5 * self.steepness * x**2)

    def derivative(self, x: Any) -> Array:
        (x,) = _columns(x, 1)
        return np.stack([self.steepness * x], axis=-1)


@dataclass(frozen=True)
class Ravine(Hill):
    """f(x, y) = (x^2 + condition y^2) / 2: `condition` times as steep across as along.

    Gradient descent needs a rate below 2 / condition, and crawls along the floor at it; momentum doesn't.
    Source: Polyak (1964).

    >>> hill = Ravine(condition=10.0); float(hill.value([2.0, 1.0])), hill.derivative([2.0, 1.0]).tolist()
    (7.0, [2.0, 10.0])
    """

    condition: float = 25.0

    domain: ClassVar[tuple[Interval, ...]] = ((-5.0, 5.0), (-2.5, 2.5))
    start: ClassVar[tuple[float, ...]] = (-4.5, 1.5)

    def __post_init__(self) -> None:
        _more_than_zero("condition", self.condition, "ravine(condition=25.0)")

    def value(self, x: Any) -> Array:
        x, y = _columns(x, 2)
        return np.asarray(0.5 * (x**2 + self.condition * y**2))

    def derivative(self, x: Any) -> Array:
        x, y = _columns(x, 2)
        return np.stack([x, self.condition * y], axis=-1)


@dataclass(frozen=True)
class Rosenbrock(Hill):
    """f(x, y) = (1 - x)^2 + steepness (y - x^2)^2: a bent ravine with a nearly level floor. Source: Rosenbrock (1960).

    >>> hill = Rosenbrock(); float(hill.value([-1.0, 2.0])), hill.derivative([-1.0, 2.0]).tolist()
    (104.0, [396.0, 200.0])
    """

    steepness: float = 100.0

    minima: ClassVar[tuple[tuple[float, ...], ...]] = ((1.0, 1.0),)
    domain: ClassVar[tuple[Interval, ...]] = ((-2.0, 2.0), (-1.0, 3.0))
    start: ClassVar[tuple[float, ...]] = (-1.5, 2.5)

    def __post_init__(self) -> None:
        _more_than_zero("steepness", self.steepness, "rosenbrock(steepness=100.0)")

    def value(self, x: Any) -> Array:
        x, y = _columns(x, 2)
        return np.asarray((1.0 - x) ** 2 + self.steepness * (y - x**2) ** 2)

    def derivative(self, x: Any) -> Array:
        x, y = _columns(x, 2)
        across = y - x**2
        return np.stack([-2.0 * (1.0 - x) - 4.0 * self.steepness * x * across, 2.0 * self.steepness * across], axis=-1)


@dataclass(frozen=True)
class Saddle(Hill):
    """f(x, y) = x^2 / 2 - y^2 / 2 + y^4 / 4: level at (0, 0), a pass; valleys at (0, -1) and (0, 1).

    A walker on the ridge y = 0 stops at the pass; one beside it is slow there and then leaves.

    >>> hill = Saddle(); float(hill.value([0.0, 1.0])), hill.derivative([1.0, 2.0]).tolist()
    (-0.25, [1.0, 6.0])
    """

    minima: ClassVar[tuple[tuple[float, ...], ...]] = ((0.0, -1.0), (0.0, 1.0))
    domain: ClassVar[tuple[Interval, ...]] = ((-2.0, 2.0), (-1.6, 1.6))
    start: ClassVar[tuple[float, ...]] = (-1.8, 0.001)

    def value(self, x: Any) -> Array:
        x, y = _columns(x, 2)
        return np.asarray(0.5 * x**2 - 0.5 * y**2 + 0.25 * y**4)

    def derivative(self, x: Any) -> Array:
        x, y = _columns(x, 2)
        return np.stack([x, y**3 - y], axis=-1)


@dataclass(frozen=True)
class Noisy(Hill):
    """f(x, y) = (x^2 + 4 y^2) / 2, whose slope a walker feels with noise, as it does that of a loss by mini-batches.

    slope = derivative + noise n,  n standard normal, a function of (seed, step) alone

    >>> hill = Noisy(noise=0.5); hill.derivative([1.0, 1.0]).tolist()
    [1.0, 4.0]
    >>> bool((hill.slope([1.0, 1.0], step=3, seed=0) == hill.slope([1.0, 1.0], step=3, seed=0)).all())
    True
    """

    noise: float = 2.0

    domain: ClassVar[tuple[Interval, ...]] = ((-4.0, 4.0), (-3.0, 3.0))
    start: ClassVar[tuple[float, ...]] = (-3.5, 2.5)

    def __post_init__(self) -> None:
        if self.noise != 0.0:
            _more_than_zero("noise", self.noise, "noisy(noise=2.0)")

    def value(self, x: Any) -> Array:
        x, y = _columns(x, 2)
        return np.asarray(0.5 * (x**2 + 4.0 * y**2))

    def derivative(self, x: Any) -> Array:
        x, y = _columns(x, 2)
        return np.stack([x, 4.0 * y], axis=-1)

    def slope(self, x: Any, step: int, seed: int = 0) -> Array:
        """Return the derivative and the step's noise."""
        slope = self.derivative(x)
        return slope + self.noise * randomness.normal(randomness.stream_key(seed, step, 0), 2)


@dataclass(frozen=True)
class TwoValleys(Hill):
    """f(x) = x^4 / 4 - x^2 + 3 x / 10, of one variable: a shallow valley on the right, the deep one on the left.

    A walker from the right ends in the shallow valley, unless its steps or its momentum carry it over the pass.

    >>> hill = TwoValleys(); bool(abs(hill.derivative(hill.minima[0])[0]) < 1e-12)
    True
    """

    dimensions: ClassVar[int] = 1
    # The least root of f'(x) = x^3 - 2 x + 3 / 10, by the formula for three real roots (Viète, 1591).
    minima: ClassVar[tuple[tuple[float, ...], ...]] = (
        (2.0 * math.sqrt(2.0 / 3.0) * math.cos(math.acos(-0.3 * 0.75 * math.sqrt(1.5)) / 3.0 + 2.0 * math.pi / 3.0),),
    )
    domain: ClassVar[tuple[Interval, ...]] = ((-2.2, 2.2),)
    start: ClassVar[tuple[float, ...]] = (2.1,)

    def value(self, x: Any) -> Array:
        (x,) = _columns(x, 1)
        return np.asarray(0.25 * x**4 - x**2 + 0.3 * x)

    def derivative(self, x: Any) -> Array:
        (x,) = _columns(x, 1)
        return np.stack([x**3 - 2.0 * x + 0.3], axis=-1)


@dataclass(frozen=True)
class Plateau(Hill):
    """f(x) = 1 - exp(-x^2 / 2), of one variable: a valley in a plain where there is hardly any slope to feel.

    The plain is what a saturated sigmoid looks like to its weights.

    >>> hill = Plateau(); float(hill.value([0.0])), bool(hill.derivative([5.0])[0] < 1e-4)
    (0.0, True)
    """

    dimensions: ClassVar[int] = 1
    minima: ClassVar[tuple[tuple[float, ...], ...]] = ((0.0,),)
    domain: ClassVar[tuple[Interval, ...]] = ((-5.0, 5.0),)
    start: ClassVar[tuple[float, ...]] = (3.0,)

    def value(self, x: Any) -> Array:
        (x,) = _columns(x, 1)
        return np.asarray(-np.expm1(-0.5 * x**2))

    def derivative(self, x: Any) -> Array:
        (x,) = _columns(x, 1)
        return np.stack([x * np.exp(-0.5 * x**2)], axis=-1)


def parabola(*, steepness: float = 2.0) -> Parabola:
    """Return the hill f(x) = steepness x^2 / 2; by default x^2.

    >>> float(parabola().value([3.0]))
    9.0
    """
    return Parabola(steepness)


def ravine(*, condition: float = 25.0) -> Ravine:
    """Return the hill f(x, y) = (x^2 + condition y^2) / 2.

    >>> ravine(condition=100.0).derivative([1.0, 1.0]).tolist()
    [1.0, 100.0]
    """
    return Ravine(condition)


def rosenbrock(*, steepness: float = 100.0) -> Rosenbrock:
    """Return the hill f(x, y) = (1 - x)^2 + steepness (y - x^2)^2.

    >>> float(rosenbrock().value([1.0, 1.0]))
    0.0
    """
    return Rosenbrock(steepness)


def saddle() -> Saddle:
    """Return the hill f(x, y) = x^2 / 2 - y^2 / 2 + y^4 / 4.

    >>> saddle().derivative([0.0, 0.0]).tolist()
    [0.0, 0.0]
    """
    return Saddle()


def noisy(*, noise: float = 2.0) -> Noisy:
    """Return the hill f(x, y) = (x^2 + 4 y^2) / 2, whose slope is felt with normal noise of this standard deviation.

    >>> noisy(noise=0.0).slope([1.0, 1.0], step=0).tolist()
    [1.0, 4.0]
    """
    return Noisy(noise)


def two_valleys() -> TwoValleys:
    """Return the hill f(x) = x^4 / 4 - x^2 + 3 x / 10.

    >>> two_valleys().name
    'two valleys'
    """
    return TwoValleys()


def plateau() -> Plateau:
    """Return the hill f(x) = 1 - exp(-x^2 / 2).

    >>> plateau().dimensions
    1
    """
    return Plateau()


MAKERS: tuple[Callable[..., Hill], ...] = (parabola, ravine, rosenbrock, saddle, noisy, two_valleys, plateau)
BY_NAME: dict[str, Callable[..., Hill]] = {maker.__name__: maker for maker in MAKERS}


def get(identifier: Any) -> Any:
    """Return the hill meant by a name, by a function of this room, or by a hill; any other function as it is.

    Raises InputError for an unknown name, with the nearest known one.

    >>> get("ravine"), get(ravine), get(abs)
    (Ravine(condition=25.0), Ravine(condition=25.0), <built-in function abs>)
    """
    if isinstance(identifier, str):
        if identifier not in BY_NAME:
            raise unknown_name("hill", identifier, BY_NAME, "hw.descend({}, start)")
        return BY_NAME[identifier]()
    if any(identifier is maker for maker in MAKERS) or (isinstance(identifier, type) and issubclass(identifier, Hill)):
        return identifier()
    return identifier


def settings(hill: Hill) -> dict[str, Any]:
    """Return what a hill was made with.

    >>> settings(ravine(condition=9.0))
    {'condition': 9.0}
    """
    return {field.name: getattr(hill, field.name) for field in dataclasses.fields(hill)}


def _columns(x: Any, dimensions: int) -> tuple[Array, ...]:
    points = np.asarray(x, dtype=np.float64)
    if points.ndim == 0 and dimensions == 1:
        points = points[None]
    if points.ndim == 0 or points.shape[-1] != dimensions:
        variables = "one variable" if dimensions == 1 else f"{dimensions} variables"
        expected = f"points of {variables}, shape (..., {dimensions})."
        raise InputError(explain(f"x of shape {points.shape} for a hill of {variables}.", expected))
    return tuple(points[..., number] for number in range(dimensions))


def _more_than_zero(name: str, value: Any, call: str) -> None:
    number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value <= 0:
        raise InputError(explain(f"{name}={value!r}.", "a finite number above 0.", call))
