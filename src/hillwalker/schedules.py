"""The learning rate as a function of the step: decays, cosine, warm-up, restarts.

Names, argument order and formulas are Keras 3's, in float64. A schedule has no state and never sees the loss: see the
callback ReduceLROnPlateau for that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker.errors import InputError, InputTypeError, explain, unknown_name

Steps = NDArray[np.float64]


class LearningRateSchedule:
    """The learning rate by step, counted from 0; subclass it and define `__call__(step)` for a rule of your own.

    >>> class Halving(LearningRateSchedule):
    ...     def __call__(self, step):
    ...         return 0.1 * 0.5**step
    >>> Halving().values(first_step=1, count=3).tolist()
    [0.05, 0.025, 0.0125]
    """

    def __call__(self, step: int) -> float:
        """Return the learning rate of one step."""
        raise NotImplementedError(f"{type(self).__name__} does not define __call__(step).")

    def values(self, first_step: int, count: int) -> Steps:
        """Return the learning rates of `count` steps, shape (count,)."""
        return np.array([float(self(step)) for step in range(first_step, first_step + count)], dtype=np.float64)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this schedule again."""
        message = f"{type(self).__name__} does not define get_config(), so a model that uses it cannot be saved."
        raise NotImplementedError(message)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> LearningRateSchedule:
        """Return the schedule that `get_config` described."""
        return cls(**config)


class FormulaSchedule(LearningRateSchedule):
    """A schedule whose formula takes all steps at once; the base of those below."""

    def formula(self, step: Steps) -> Steps:
        """Return the learning rates of an array of steps, in its shape."""
        raise NotImplementedError(f"{type(self).__name__} does not define formula(step).")

    def __call__(self, step: int) -> float:
        """Return the learning rate of one step."""
        return float(self.formula(np.array([step], dtype=np.float64))[0])

    def values(self, first_step: int, count: int) -> Steps:
        """Return the learning rates of `count` steps, shape (count,)."""
        return self.formula(np.arange(first_step, first_step + count, dtype=np.float64))


class ExponentialDecay(FormulaSchedule):
    """initial_learning_rate * decay_rate ^ (step / decay_steps); `staircase` rounds the exponent down.

    >>> ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)(20)
    0.025
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        self.initial_learning_rate = _rate("initial_learning_rate", initial_learning_rate)
        self.decay_steps = _positive("decay_steps", decay_steps)
        self.decay_rate = _rate("decay_rate", decay_rate)
        self.staircase = staircase
        self.name = name

    def formula(self, step: Steps) -> Steps:
        """Return the learning rates of an array of steps."""
        periods = step / self.decay_steps
        return self.initial_learning_rate * self.decay_rate ** (np.floor(periods) if self.staircase else periods)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return dict(vars(self))


class InverseTimeDecay(FormulaSchedule):
    """initial_learning_rate / (1 + decay_rate * step / decay_steps); `staircase` rounds step / decay_steps down.

    With decay_steps=1 this is the `decay=` argument of old Keras optimizers.

    >>> InverseTimeDecay(0.1, decay_steps=10, decay_rate=1.0)(10)
    0.05
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        self.initial_learning_rate = _rate("initial_learning_rate", initial_learning_rate)
        self.decay_steps = _positive("decay_steps", decay_steps)
        self.decay_rate = _rate("decay_rate", decay_rate)
        self.staircase = staircase
        self.name = name

    def formula(self, step: Steps) -> Steps:
        """Return the learning rates of an array of steps."""
        periods = step / self.decay_steps
        return self.initial_learning_rate / (1.0 + self.decay_rate * (np.floor(periods) if self.staircase else periods))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return dict(vars(self))


class PolynomialDecay(FormulaSchedule):
    """(initial - end) * (1 - step / decay_steps) ^ power + end, and `end` after decay_steps.

    `cycle`: instead of staying at `end`, stretch decay_steps to the next multiple that is not yet passed.

    >>> round(PolynomialDecay(0.1, decay_steps=10, end_learning_rate=0.0)(5), 12)
    0.05
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        self.initial_learning_rate = _rate("initial_learning_rate", initial_learning_rate)
        self.decay_steps = _positive("decay_steps", decay_steps)
        self.end_learning_rate = _rate("end_learning_rate", end_learning_rate)
        self.power = power
        self.cycle = cycle
        self.name = name

    def formula(self, step: Steps) -> Steps:
        """Return the learning rates of an array of steps."""
        if self.cycle:
            part = step / (self.decay_steps * np.maximum(1.0, np.ceil(step / self.decay_steps)))
        else:
            part = np.minimum(step, self.decay_steps) / self.decay_steps
        drop = self.initial_learning_rate - self.end_learning_rate
        return drop * (1.0 - part) ** self.power + self.end_learning_rate

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return dict(vars(self))


class PiecewiseConstantDecay(FormulaSchedule):
    """values[0] up to and with step boundaries[0], values[1] up to and with boundaries[1], ..., the last one after.

    `boundaries`: steps, ascending; `values`: one more than boundaries. Raises InputError otherwise.

    >>> schedule = PiecewiseConstantDecay([100, 200], [0.1, 0.01, 0.001])
    >>> schedule(100), schedule(101), schedule(1000)
    (0.1, 0.01, 0.001)
    """

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant") -> None:
        fix = "PiecewiseConstantDecay([100, 200], [0.1, 0.01, 0.001])"
        if len(values) != len(boundaries) + 1:
            passed = f"{len(boundaries)} boundaries and {len(values)} values."
            raise InputError(explain(passed, "one value more than boundaries.", fix))
        if list(boundaries) != sorted(boundaries):
            raise InputError(explain(f"boundaries={list(boundaries)}.", "ascending steps.", fix))
        self.boundaries = list(boundaries)
        self.learning_rates = [_rate("values", value) for value in values]
        self.name = name

    def formula(self, step: Steps) -> Steps:
        """Return the learning rates of an array of steps."""
        return np.array(self.learning_rates)[np.searchsorted(self.boundaries, step, side="left")]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"boundaries": self.boundaries, "values": self.learning_rates, "name": self.name}


class CosineDecay(FormulaSchedule):
    """A straight warm-up, then half a cosine down to alpha times the highest rate.

    step < warmup_steps:  initial + (warmup_target - initial) * step / warmup_steps
    after:                top * ((1 - alpha) * (1 + cos(pi * s / decay_steps)) / 2 + alpha), s = steps since, at most
    decay_steps; top is warmup_target, or initial_learning_rate where warmup_target is None (then there is no warm-up).

    Source: Loshchilov and Hutter, SGDR (2017).

    >>> schedule = CosineDecay(0.0, decay_steps=100, warmup_target=0.1, warmup_steps=10)
    >>> schedule(5), schedule(10), round(schedule(60), 12), schedule(110)
    (0.05, 0.1, 0.05, 0.0)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> None:
        self.initial_learning_rate = _rate("initial_learning_rate", initial_learning_rate)
        self.decay_steps = _positive("decay_steps", decay_steps)
        self.alpha = _rate("alpha", alpha)
        self.name = name
        self.warmup_target = None if warmup_target is None else _rate("warmup_target", warmup_target)
        self.warmup_steps = warmup_steps

    def formula(self, step: Steps) -> Steps:
        """Return the learning rates of an array of steps."""
        if self.warmup_target is None:
            return self._decayed(step, self.initial_learning_rate)
        climb = (self.warmup_target - self.initial_learning_rate) * step / max(self.warmup_steps, 1)
        decayed = self._decayed(np.maximum(step - self.warmup_steps, 0.0), self.warmup_target)
        return np.where(step < self.warmup_steps, self.initial_learning_rate + climb, decayed)

    def _decayed(self, step: Steps, top: float) -> Steps:
        cosine = 0.5 * (1.0 + np.cos(np.pi * np.minimum(step, self.decay_steps) / self.decay_steps))
        return top * ((1.0 - self.alpha) * cosine + self.alpha)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return dict(vars(self))


class CosineDecayRestarts(FormulaSchedule):
    """Cosine decay that starts again and again, each time t_mul times longer and from m_mul times the height.

    initial * ((1 - alpha) * m_mul^i * (1 + cos(pi * part)) / 2 + alpha), where i counts restarts and `part` is the part
    done of the present period, which is first_decay_steps * t_mul^i steps long.

    Source: Loshchilov and Hutter, SGDR (2017).

    >>> schedule = CosineDecayRestarts(0.1, first_decay_steps=10)
    >>> schedule(0), round(schedule(5), 12), schedule(10), round(schedule(20), 12), schedule(30)
    (0.1, 0.05, 0.1, 0.05, 0.1)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        self.initial_learning_rate = _rate("initial_learning_rate", initial_learning_rate)
        self.first_decay_steps = _positive("first_decay_steps", first_decay_steps)
        if not t_mul >= 1.0:
            raise InputError(explain(f"t_mul={t_mul!r}.", "a number, 1 or more.", "CosineDecayRestarts(0.1, 100)"))
        self.t_mul = t_mul
        self.m_mul = _rate("m_mul", m_mul)
        self.alpha = _rate("alpha", alpha)
        self.name = name

    def formula(self, step: Steps) -> Steps:
        """Return the learning rates of an array of steps."""
        periods = step / self.first_decay_steps  # in lengths of the first period
        if self.t_mul == 1.0:
            restarts = np.floor(periods)
            part = periods - restarts
        else:
            restarts = np.floor(np.log1p(periods * (self.t_mul - 1.0)) / math.log(self.t_mul))
            restarts += self._part(periods, restarts) >= 1.0  # the logarithm's rounding, exactly at a restart
            restarts -= self._part(periods, restarts) < 0.0
            part = self._part(periods, restarts)
        cosine = 0.5 * self.m_mul**restarts * (1.0 + np.cos(np.pi * part))
        return self.initial_learning_rate * ((1.0 - self.alpha) * cosine + self.alpha)

    def _part(self, periods: Steps, restarts: Steps) -> Steps:
        length = self.t_mul**restarts
        return (periods - (length - 1.0) / (self.t_mul - 1.0)) / length

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return dict(vars(self))


CLASSES: tuple[type[LearningRateSchedule], ...] = (
    ExponentialDecay, InverseTimeDecay, PolynomialDecay, PiecewiseConstantDecay, CosineDecay, CosineDecayRestarts,
)  # fmt: skip
BY_NAME: dict[str, type[LearningRateSchedule]] = {kind.__name__: kind for kind in CLASSES}


def serialize(learning_rate_schedule: LearningRateSchedule) -> dict[str, Any]:
    """Return a JSON-able description of a schedule.

    >>> serialize(PiecewiseConstantDecay([10], [0.1, 0.01]))["class_name"]
    'PiecewiseConstantDecay'
    """
    return {"class_name": type(learning_rate_schedule).__name__, "config": learning_rate_schedule.get_config()}


def deserialize(
    description: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
) -> LearningRateSchedule:
    """Return the schedule that `serialize` described; classes of one's own come in through `custom_objects`.

    >>> deserialize(serialize(ExponentialDecay(0.1, 10, 0.5)))(10)
    0.05
    """
    known: dict[str, Any] = {**BY_NAME, **(custom_objects or {})}
    name = description.get("class_name")
    if name not in known:
        raise unknown_name("schedule", name, known, "deserialize(config, custom_objects={{{}: ...}})")
    made: LearningRateSchedule = known[name].from_config(description.get("config") or {})
    return made


def _rate(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise InputTypeError(explain(f"{name}={value!r}.", "a number, 0 or more.", f"{name}=0.1"))
    if not math.isfinite(value) or value < 0:
        raise InputError(explain(f"{name}={value!r}.", "a finite number, 0 or more.", f"{name}=0.1"))
    return float(value)


def _positive(name: str, value: Any) -> float:
    if not _rate(name, value) > 0:
        raise InputError(explain(f"{name}={value!r}.", "a number of steps, above 0.", f"{name}=1000"))
    return value if isinstance(value, int) else float(value)
