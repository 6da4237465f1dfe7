"""From curves, and the probabilities that the reader read from them, to findings with their evidence in numbers.

One function a symptom. What is read off without doubt (a loss that is no number) needs no reader; what only names more
closely what the reader found (oscillating, early divergence) is never surer than that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker.diagnosis.curve_features import noise, smooth
from hillwalker.diagnosis.curves import Curves
from hillwalker.diagnosis.findings import Finding
from hillwalker.diagnosis.reader import FLAT
from hillwalker.diagnosis.symptoms import symptom
from hillwalker.scores import rounded

Array = NDArray[np.float64]

FLAT_IS = 0.9  # how sure it is that a loss that never changes has not learned: it may be as low as it gets
CERTAIN = 0.999  # what is plainly there
HUGE = 1e3  # times the first loss: it grew without end, though it is still a number
TURNS = 0.5  # of the late epochs in which the loss turns: it jumps to and fro
JUMPS = 0.05  # of the whole fall: what a jump has to be to be seen
EARLY = 0.15  # of the epochs, in which the validation loss is best: early divergence
FALLS = 0.05  # of the first loss: what comes down by less has not learned


@dataclass(frozen=True)
class Known:
    """What is known beside the curves; None where it is not."""

    learning_rate: float | None = None
    batch_size: int | None = None
    constant_loss: tuple[float, float] | None = None

    def filled(self, curves: Curves) -> dict[str, Any]:
        """Return what lines of code are filled in with."""
        told: dict[str, Any] = {"epochs_more": 3 * len(curves), "patience": max(5, len(curves) // 10)}
        rate = self.learning_rate
        if rate is None and curves.learning_rate is not None and np.isfinite(curves.learning_rate).any():
            rate = float(curves.learning_rate[np.isfinite(curves.learning_rate)][0])
        if rate is not None:
            told |= {
                "rate_far_lower": f"{rate / 10:.3g}",
                "rate_lower": f"{rate / 3:.3g}",
                "rate_higher": f"{3 * rate:.3g}",
            }
        if self.batch_size is not None:
            told |= {"batch_larger": 4 * self.batch_size, "batch_smaller": max(1, self.batch_size // 4)}
        return told


def findings_of(curves: Curves, read: Mapping[str, float], known: Known) -> list[Finding]:
    """Return what the curves say, most certain first."""
    with np.errstate(over="ignore", invalid="ignore"):  # losses near the largest number
        seen = _Seen(curves, known.constant_loss)
        found = [rule(seen, read, known) for rule in RULES]
    told = known.filled(curves)
    complete = [replace(one, remedy=symptom(one.symptom).remedied(**told)) for one in found if one is not None]
    return sorted(complete, key=lambda one: -one.confidence)


class _Seen:
    """The curves as the rules look at them: without the epochs that have no value, and smoothed."""

    def __init__(self, curves: Curves, constant_loss: tuple[float, float] | None) -> None:
        self.curves = curves
        self.loss, self.loss_epochs = _with_values(curves, curves.loss)
        self.val, self.val_epochs = _with_values(curves, curves.val_loss)
        self.main, self.epochs = (self.val, self.val_epochs) if self.val is not None else (self.loss, self.loss_epochs)
        self.name = "validation loss" if self.val is not None else "training loss"
        assert self.main is not None
        finite = self.main[np.isfinite(self.main)]
        self.course = smooth(finite) if len(finite) else np.array([np.inf])
        self.least_at = int(np.argmin(self.course))
        self.least, self.end, self.start = float(self.course.min()), float(self.course[-1]), float(self.course[0])
        highest = self.start if constant_loss is None else max(self.start, constant_loss[self.val is not None])
        self.fall = max(highest - self.least, 1e-12 * abs(self.start) + 1e-300)
        self.late = finite[-max(len(finite) // 3, 4) :]

    def epoch(self, place: int) -> int:
        """Return the epoch, as the log counts, at a place of the main curve."""
        return int(self.epochs[min(place, len(self.epochs) - 1)])


def _with_values(curves: Curves, values: Array | None) -> tuple[Array | None, NDArray[Any]]:
    if values is None or np.isnan(values).all():
        return None, curves.epochs
    has = ~np.isnan(values)
    return values[has], curves.epochs[has]


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"


def _diverged(seen: _Seen, read: Mapping[str, float], known: Known) -> Finding | None:
    for name, values, epochs in (
        ("training loss", seen.loss, seen.loss_epochs),
        ("validation loss", seen.val, seen.val_epochs),
    ):
        if values is not None and not np.isfinite(values).all():
            at = int(np.argmin(np.isfinite(values)))
            evidence = f"From epoch {epochs[at]} on the {name} is no finite number."
            return Finding("diverged", evidence, CERTAIN, int(epochs[at]), numbers={"finite_epochs": float(at)})
    values = seen.loss if seen.loss is not None else seen.main
    assert values is not None
    course = smooth(values)
    if len(course) > 1 and course[-1] > HUGE * max(abs(course[0]), 1e-30):
        evidence = f"The loss grew from {rounded(float(course[0]))} to {rounded(float(course[-1]))}."
        at = int(np.argmax(course > 10 * abs(course[0])))
        return Finding("diverged", evidence, CERTAIN, int(seen.loss_epochs[at]), numbers={"last": float(course[-1])})
    said = (seen.curves.stop_reason or "").lower()
    if "not finite" in said or "nan" in said.split():
        return Finding("diverged", f"Training stopped: {seen.curves.stop_reason}.", CERTAIN, seen.epoch(10**9))
    return None


def _too_high(seen: _Seen, read: Mapping[str, float], known: Known) -> Finding:
    steps = np.diff(seen.late)
    rises = float(np.mean(steps > 0)) if len(steps) else 0.0
    jump = float(np.max(steps, initial=0.0)) / seen.fall
    lost = (seen.end - seen.least) / seen.fall
    ends = f"ends {_share(lost)} of {'that' if rises else 'its whole'} fall above its least."
    if rises:
        rose = f"rose in {_share(rises)} of the last {len(steps)} epochs, by up to {_share(jump)} of its whole fall"
        ends = f"{rose}, and {ends}"
    evidence = f"The {seen.name} {ends}"
    numbers = {"rises": rises, "jump": jump, "lost": lost}
    return Finding("learning-rate-too-high", evidence, read["learning-rate-too-high"], seen.epoch(seen.least_at),
                   numbers=numbers)  # fmt: skip


def _too_low(seen: _Seen, read: Mapping[str, float], known: Known) -> Finding:
    tail = max(len(seen.course) // 5, 1)
    late = (float(seen.course[-1 - tail]) - seen.end) / seen.fall if len(seen.course) > tail else 0.0
    way = f"from {rounded(seen.start)} to {rounded(seen.end)}"
    if late > 0:
        evidence = (
            f"The {seen.name} is still coming down: its last {tail} epochs brought {_share(late)} of its whole fall, "
            f"{way}."
        )
    else:
        evidence = f"The {seen.name} went {way}, and down no further in its last {tail} epochs."
    return Finding("learning-rate-too-low", evidence, read["learning-rate-too-low"], seen.epoch(10**9),
                   numbers={"late_fall": late})  # fmt: skip


def _overfitting(seen: _Seen, read: Mapping[str, float], known: Known) -> Finding | None:
    if seen.val is None or seen.loss is None:
        return None
    lost = (seen.end - seen.least) / seen.fall
    part = seen.least_at / max(len(seen.course) - 1, 1)
    trained = smooth(seen.loss)
    there = float(trained[round(part * (len(trained) - 1))])
    evidence = (
        f"The validation loss is least, {rounded(seen.least)}, at epoch {seen.epoch(seen.least_at)} and "
        f"{rounded(seen.end)} at the end: {_share(lost)} of its fall is lost again, while the training loss went from "
        f"{rounded(there)} to {rounded(float(trained[-1]))}."
    )
    numbers = {
        "least": seen.least,
        "end": seen.end,
        "lost": lost,
        "loss_at_least": there,
        "loss_end": float(trained[-1]),
    }
    return Finding("overfitting", evidence, read["overfitting"], seen.epoch(seen.least_at), numbers=numbers)


def _underfitting(seen: _Seen, read: Mapping[str, float], known: Known) -> Finding:
    evidence = f"The {seen.name} is least, {rounded(seen.least)}, at epoch {seen.epoch(seen.least_at)}"
    numbers = {"least": seen.least}
    if seen.loss is not None and seen.val is not None:
        gap = (seen.end - float(smooth(seen.loss)[-1])) / seen.fall
        evidence += f", and training and validation loss end {_share(abs(gap))} of the whole fall apart"
        numbers["gap"] = gap
    return Finding("underfitting", evidence + ".", read["underfitting"], seen.epoch(10**9), numbers=numbers)


def _no_signal(seen: _Seen, read: Mapping[str, float], known: Known) -> Finding:
    if known.constant_loss is not None:
        constant = known.constant_loss[1 if seen.val is not None else 0]
        part = seen.least / constant if constant else np.nan
        evidence = f"The {seen.name} is at best {rounded(seen.least)}, {_share(part)} of a constant prediction's."
        numbers = {"least": seen.least, "constant": constant}
    else:
        part = seen.fall / max(abs(seen.start), 1e-300)
        evidence = f"The {seen.name} comes down by {_share(part)} in all, from {rounded(seen.start)}."
        numbers = {"least": seen.least, "fall": part}
    return Finding("no-signal", evidence, read["no-signal"], seen.epoch(seen.least_at), numbers=numbers)


def _oscillating(seen: _Seen, read: Mapping[str, float], known: Known) -> Finding | None:
    steps = np.diff(seen.late)
    turns = float(np.mean(np.sign(steps[1:]) != np.sign(steps[:-1]))) if len(steps) > 1 else 0.0
    rough = noise(seen.late) / seen.fall
    if turns < TURNS or rough < JUMPS:
        return None
    evidence = f"In {_share(turns)} of the last epochs the {seen.name} turns, by {_share(rough)} of its whole fall."
    return Finding("oscillating", evidence, 0.95 * read["learning-rate-too-high"], seen.epoch(10**9),
                   numbers={"turns": turns, "noise": rough})  # fmt: skip


def _not_learning(seen: _Seen, read: Mapping[str, float], known: Known) -> Finding | None:
    values = smooth(seen.loss[np.isfinite(seen.loss)]) if seen.loss is not None else seen.course
    if len(values) < 3:
        return None
    fell = float(values[0] - values.min()) / max(abs(float(values[0])), 1e-300)
    beats = known.constant_loss is not None and float(values.min()) < 0.98 * known.constant_loss[0]
    if np.ptp(values) <= FLAT * abs(float(values[0])) and values[0] != 0:
        evidence = f"The loss is {rounded(float(values[0]))} from the first epoch to the last."
        return Finding("not-learning", evidence, FLAT_IS, int(seen.loss_epochs[0]), numbers={"fell": 0.0})
    if fell >= FALLS or beats or (known.constant_loss is None and abs(values[0]) < 0.1 * abs(float(values.max()))):
        return None
    evidence = (
        f"The training loss fell by {100 * fell:.1f} % in {len(values)} epochs, from {rounded(float(values[0]))}."
    )
    # Where nothing can be learned, or the rate alone is to blame, the other names say more.
    sure = max(read["learning-rate-too-high"], read["learning-rate-too-low"], read["no-signal"])
    return Finding("not-learning", evidence, 0.9 * sure, int(seen.loss_epochs[0]), numbers={"fell": fell})


def _early_divergence(seen: _Seen, read: Mapping[str, float], known: Known) -> Finding | None:
    part = (seen.least_at + 1) / len(seen.course)
    if seen.val is None or len(seen.course) < 8 or part > EARLY:
        return None
    lost = (seen.end - seen.least) / seen.fall
    evidence = (
        f"The validation loss is least in epoch {seen.epoch(seen.least_at)} of {len(seen.course)} and loses "
        f"{_share(lost)} of its fall from there on."
    )
    sure = 0.9 * read["overfitting"]
    return Finding("early-divergence", evidence, sure, seen.epoch(seen.least_at), numbers={"lost": lost})


RULES = (_diverged, _too_high, _too_low, _overfitting, _underfitting, _no_signal, _oscillating, _not_learning,
         _early_divergence)  # fmt: skip
