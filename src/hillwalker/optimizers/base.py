"""What all update rules share: learning rate, clipping, weight decay, saving.

A rule holds hyperparameters and no state: the caller keeps the slots (momentum, ...) and counts the steps, from 0, so a
resumed run equals one that was not interrupted.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hillwalker import schedules
from hillwalker.errors import HillwalkerWarning, InputError, InputTypeError, explain, nearest
from hillwalker.schedules import LearningRateSchedule

FloatArray = NDArray[np.floating[Any]]
Variable = tuple[FloatArray, FloatArray, dict[str, FloatArray], bool]  # w, gradient, slots, does it decay?

CLIPPING = ("clipnorm", "clipvalue", "global_clipnorm")
NOT_OFFERED = {  # Keras's arguments that are accepted at these, their defaults, only
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}


class Optimizer:
    """What all rules share: the learning rate, clipping, weight decay, and saving.

    Subclasses define `update`, name their own arguments in `own_arguments` and what they remember in `slot_names`.

    Args:
        learning_rate: a number, 0 or more, or a LearningRateSchedule.
        weight_decay: each step first does w <- w - weight_decay * learning_rate * w; None: off.
        clipnorm: each weight's gradient is scaled down to at most this Euclidean norm.
        clipvalue: each element of the gradients is clipped to [-clipvalue, clipvalue].
        global_clipnorm: all gradients are scaled down together to at most this norm. At most one of the three.
        others: `name`, and Keras's arguments that are accepted at their defaults only.
    """

    kind: ClassVar[str | None] = None
    """What the compiled core calls the rule; None for a rule it does not know."""
    own_arguments: ClassVar[tuple[str, ...]] = ()
    """The rule's own hyperparameters, each an attribute and a constructor argument of the same name."""

    def __init__(
        self,
        learning_rate: Any,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        **others: Any,
    ) -> None:
        learning_rate = _old_spellings(type(self).__name__, learning_rate, others)
        self.name: str = others.pop("name", None) or type(self).__name__.lower()
        _refuse(type(self), others)
        chosen = dict(zip(CLIPPING, (clipnorm, clipvalue, global_clipnorm), strict=True))
        if sum(value is not None for value in chosen.values()) > 1:
            passed = ", ".join(f"{name}={value!r}" for name, value in chosen.items() if value is not None)
            raise InputError(explain(f"{passed}.", f"at most one of {', '.join(CLIPPING)}.", "clipnorm=1.0"))
        self.weight_decay = None if weight_decay is None else in_range("weight_decay", weight_decay)
        self.clipnorm = None if clipnorm is None else in_range("clipnorm", clipnorm)
        self.clipvalue = None if clipvalue is None else in_range("clipvalue", clipvalue)
        self.global_clipnorm = None if global_clipnorm is None else in_range("global_clipnorm", global_clipnorm)
        self.iterations = 0
        self.owner: object | None = None  # the model that is trained with it
        self._undecayed: tuple[str, ...] = ()
        self._learning_rate = _checked_learning_rate(learning_rate)
        self._rates = np.empty(0)  # what `learning_rates` returned last

    # The learning rate

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        rate = self._learning_rate
        return rate if isinstance(rate, float) else float(rate(self.iterations))

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        checked = _checked_learning_rate(value)
        if isinstance(self._learning_rate, LearningRateSchedule) and isinstance(checked, float):
            passed = f"learning_rate={value!r} for an optimizer whose learning rate is a schedule."
            expected = "a schedule, or an optimizer made with a number."
            raise InputTypeError(explain(passed, expected, f"{type(self).__name__}(learning_rate={value!r})"))
        self._learning_rate = checked

    @property
    def lr(self) -> float:
        """The learning rate, in the spelling of Keras 2."""
        return self.learning_rate

    @lr.setter
    def lr(self, value: Any) -> None:
        self.learning_rate = value

    @property
    def schedule(self) -> LearningRateSchedule | None:
        """The learning rate's schedule, or None where it is a number."""
        return None if isinstance(self._learning_rate, float) else self._learning_rate

    def learning_rates(self, first_iteration: int, count: int) -> NDArray[np.float64]:
        """Return the learning rates of `count` steps, shape (count,); InputError where one is not 0 or more."""
        if isinstance(self._learning_rate, float):
            if len(self._rates) < count or self._rates[0] != self._learning_rate:
                self._rates = np.full(count, self._learning_rate)
                self._rates.flags.writeable = False  # it is handed out again and again
            return self._rates[:count]
        rates = np.asarray(self._learning_rate.values(first_iteration, count), dtype=np.float64)
        wrong = np.flatnonzero(~(np.isfinite(rates) & (rates >= 0)))
        if rates.shape != (count,) or wrong.size:
            got = f"{rates[wrong[0]]} at step {first_iteration + wrong[0]}" if wrong.size else f"shape {rates.shape}"
            raise InputError(explain(f"a schedule that gives {got}.", f"{count} finite numbers, 0 or more."))
        return rates

    # The step

    @property
    def slot_names(self) -> tuple[str, ...]:
        """What the rule remembers of each weight between steps: arrays of the weight's shape."""
        return ()

    def slot_initial_value(self, slot: str) -> float:
        """Return the number that a slot starts from."""
        return 0.0

    def update(
        self, w: FloatArray, gradient: FloatArray, slots: Mapping[str, FloatArray], learning_rate: float, iteration: int
    ) -> None:
        """Move one weight, of any shape, and its slots by one step, in place; neither clips nor decays."""
        raise NotImplementedError(f"{type(self).__name__} does not define update.")

    def apply(self, variables: Sequence[Variable], learning_rate: float, iteration: int) -> None:
        """Do one step for all weights in Keras's order: clip (copies of) the gradients, decay, update."""
        gradients = self.clipped([gradient for _, gradient, _, _ in variables])
        for (w, _, slots, decays), gradient in zip(variables, gradients, strict=True):
            if self.weight_decay and decays:
                w -= w * (self.weight_decay * learning_rate)
            self.update(w, gradient, slots, learning_rate, iteration)

    def clipped(self, gradients: Sequence[FloatArray]) -> list[FloatArray]:
        """Return the gradients, scaled down or cut off as the optimizer was told."""
        if self.clipnorm:
            return [_scaled_to(gradient, _norm([gradient]), self.clipnorm) for gradient in gradients]
        if self.global_clipnorm:
            norm = _norm(gradients)
            return [_scaled_to(gradient, norm, self.global_clipnorm) for gradient in gradients]
        if self.clipvalue:
            return [np.clip(gradient, -self.clipvalue, self.clipvalue) for gradient in gradients]
        return list(gradients)

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Iterable[str] | None = None) -> None:
        """Do not decay weights whose name contains one of `var_names`, such as ["bias"]."""
        if var_list is not None or isinstance(var_names, str):
            passed = f"var_list={var_list!r}, var_names={var_names!r}."
            raise InputTypeError(explain(passed, "a list of names.", 'exclude_from_weight_decay(var_names=["bias"])'))
        self._undecayed = tuple(var_names or ())

    def decays(self, name: str) -> bool:
        """Return whether weight decay shrinks the weight of this name."""
        return not any(part in name for part in self._undecayed)

    # What the core and the file are told

    def hyperparameters(self) -> dict[str, float]:
        """Return every number of the rule; 0 for off or False."""
        names = (*self.own_arguments, "weight_decay", *CLIPPING)
        return {name: float(getattr(self, name) or 0.0) for name in names}

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this optimizer again."""
        rate = self._learning_rate
        names = (*self.own_arguments, "weight_decay", *CLIPPING)
        return {
            "name": self.name,
            "learning_rate": rate if isinstance(rate, float) else schedules.serialize(rate),
            **{name: getattr(self, name) for name in names},
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Optimizer:
        """Return the optimizer that `get_config` described; schedules of one's own come in through `custom_objects`."""
        arguments = dict(config)
        if isinstance(arguments.get("learning_rate"), Mapping):
            arguments["learning_rate"] = schedules.deserialize(arguments["learning_rate"], custom_objects)
        return cls(**arguments)


def in_range(name: str, value: Any, high: float = math.inf, closed: bool = False) -> float:
    """Return `value` as a float if it lies in [0, high), or in [0, high] where `closed`; InputError otherwise."""
    number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not (0.0 <= value < high or (closed and value == high)):
        upper = "" if high == math.inf else f", {'at most' if closed else 'below'} {high:g}"
        raise InputError(explain(f"{name}={value!r}.", f"a finite number, 0 or more{upper}.", f"{name}=0.9"))
    return float(value)


def checked_epsilon(value: float | None) -> float:
    """Return epsilon as a float, 0 or more; old scripts pass None for the default, 1e-7."""
    return 1e-7 if value is None else in_range("epsilon", value)


def _checked_learning_rate(value: Any) -> float | LearningRateSchedule:
    if isinstance(value, LearningRateSchedule):
        return value
    if callable(value):
        expected = "a number or a LearningRateSchedule."
        raise InputTypeError(explain(f"learning_rate={value!r}.", expected, "subclass schedules.LearningRateSchedule"))
    return in_range("learning_rate", value)


def _old_spellings(optimizer: str, learning_rate: Any, others: dict[str, Any]) -> Any:
    """Return the learning rate after `lr=` and `decay=` of Keras 2 were taken out of `others`."""
    if "lr" in others:
        learning_rate = others.pop("lr")
        message = f"{optimizer}(lr=...) is the old spelling; write {optimizer}(learning_rate={learning_rate!r})."
        warnings.warn(message, HillwalkerWarning, stacklevel=4)
    if decay := others.pop("decay", None):
        fix = f"{optimizer}(schedules.InverseTimeDecay({learning_rate!r}, decay_steps=1, decay_rate={decay!r}))"
        raise InputError(explain(f"decay={decay!r}, which Keras 3 no longer has.", "a schedule.", fix))
    return learning_rate


def _refuse(kind: type[Optimizer], others: Mapping[str, Any]) -> None:
    for name, value in others.items():
        if name not in NOT_OFFERED:
            known = (*kind.own_arguments, "learning_rate", "weight_decay", *CLIPPING, "name")
            near = nearest(name, known)
            fix = f"{kind.__name__}({near}=...)" if near else None
            raise InputTypeError(explain(f"{kind.__name__}({name}={value!r}).", f"one of {', '.join(known)}.", fix))
        if value != NOT_OFFERED[name]:
            passed = f"{name}={value!r}, which hillwalker does not offer."
            raise InputError(explain(passed, f"{name}={NOT_OFFERED[name]!r}.", f"leave {name} out"))


def _norm(gradients: Sequence[FloatArray]) -> float:
    return math.sqrt(sum(float(np.sum(np.square(gradient))) for gradient in gradients))


def _scaled_to(gradient: FloatArray, norm: float, limit: float) -> FloatArray:
    return gradient if norm <= limit else gradient * (limit / norm)
