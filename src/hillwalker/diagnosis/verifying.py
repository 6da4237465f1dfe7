"""From a reading to an experiment: what is tried because of it, and what that does to its findings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hillwalker.diagnosis.changes import FEWEST, MATTERS, SYMPTOMS, Changes, Gain
from hillwalker.diagnosis.findings import ASSERTED, Finding
from hillwalker.diagnosis.gains import interval_of, ranked
from hillwalker.diagnosis.rows import RowsCurve, try_rows
from hillwalker.diagnosis.symptoms import symptom
from hillwalker.diagnosis.trying import basic_changes, remedies, try_changes, try_weapons, weapons
from hillwalker.models import Sequential

SUSPECTED = 0.2  # a finding of this confidence is worth an experiment of its own
CONFIRMED = 0.95  # how sure "no-signal" is where nothing tried beats a constant prediction
REFUTED = 0.05
UNCERTAIN = 0.49  # at most, where the experiment left it open
OPEN = 0.3  # at most, of "no-signal" where it is left open
PLAIN = 0.9  # a finding that was read off so surely is left open, not refuted, where the remedy tried does not help
REACHABLE = 0.1  # of the held-out targets' variance: where random features explain more, there is a signal
COMPANIONS = {
    "diverged": ("learning-rate-too-high",),
    "oscillating": ("learning-rate-too-high",),
    "not-learning": ("learning-rate-too-high", "learning-rate-too-low", "no-signal"),
    "early-divergence": ("overfitting", "learning-rate-too-high"),
}
"""Names for what other findings are also about: they stand or fall with them."""


@dataclass(frozen=True)
class Experiment:
    """What was tried to verify a reading: the changes, and where overfitting is confirmed the weapons against it."""

    changes: Changes
    weapons: Changes | None = None
    rows: RowsCurve | None = None


def trials_of(findings: Sequence[Finding], model: Sequential, batch_size: int) -> dict[str, list[dict[str, Any]]]:
    """Return what else is tried, by the finding that it would mend."""
    suspected = [one.symptom for one in findings if one.confidence >= SUSPECTED]
    told = {name: remedies(name, model, batch_size) for name in suspected}
    return {name: settings for name, settings in told.items() if settings}


def cost(model: Sequential, epochs: int, also: dict[str, Any], parts: int, seconds: float) -> tuple[int, float]:
    """Return how many trainings a verification takes, and about how long they take one after another.

    `seconds`: of one training of the model as it is.
    """
    further = sum(len(settings) for settings in also.values())
    changes = basic_changes(model, epochs)
    trainings = 1 + len(changes) + further
    longer = sum(2.0 if "epochs" in settings else 1.0 if "units" in settings else 0.0 for _, settings in changes)
    return trainings * parts, (trainings + longer) * parts * seconds


def cost_of_weapons(model: Sequential, parts: int, seconds: float) -> float:
    """Return about how long it takes to try the weapons against overfitting, and fewer rows."""
    return (len(weapons(model)) + 1 + 2) * parts * seconds


def experiment(
    model: Sequential, X: Any, y: Any, epochs: int, batch_size: int, also: dict[str, Any], told: dict[str, Any]
) -> Experiment:
    """Try the changes, and where overfitting is confirmed the weapons against it and fewer rows."""
    changes = try_changes(model, X, y, epochs, batch_size, also=also, **told)
    if changes.parts < FEWEST or changes.comparison.interrupted:
        return Experiment(changes)
    if not changes.claims.get("overfitting") or changes.claims["no-signal"]:
        return Experiment(changes)
    armed = try_weapons(model, X, y, epochs, batch_size, **told)
    if armed.parts < FEWEST:  # interrupted before it says anything
        return Experiment(changes)
    if armed.comparison.interrupted or told.get("validation_data") is not None:
        return Experiment(changes, armed)
    kept = {name: value for name, value in told.items() if name not in ("validation_data", "folder")}
    return Experiment(changes, armed, try_rows(model, X, y, epochs, batch_size, **kept))


def verified(findings: Sequence[Finding], tried: Experiment, reachable: float = 0.0) -> list[Finding]:
    """Return the findings with what the experiment says of each: first those confirmed, by what their remedy saves.

    Remedies are ranked by one measure, what is surely gained at the end of training, whatever confirmed them.

    `reachable`: the share of held-out targets that anything could explain. Where that is much, no network tried has
    learned yet, but there is a signal.
    """
    changes = tried.changes
    claims, best = dict(changes.claims), _best_gains(tried)
    if claims["no-signal"] and (reachable > REACHABLE or changes.parts < FEWEST):
        claims["no-signal"] = None
    told = [_judged(one, claims, best) for one in findings]
    by_name = {one.symptom: one for one in told}
    told = [_with_companions(one, by_name) for one in told]
    if claims["no-signal"]:  # then there is nothing to learn better
        told = [one if one.symptom == "no-signal" or (one.verified is None and one.asserted)
                else replace(one, confidence=min(one.confidence, REFUTED), verified=False) for one in told]  # fmt: skip

    # Gains against overfitting are parts of another whole than the others: losses can be compared.
    scales = {} if tried.weapons is None else {"overfitting": tried.weapons.scale}

    def order(one: Finding) -> tuple[float, float]:
        sure = -math.inf
        if one.symptom in best:
            sure = best[one.symptom].sure_at_end * scales.get(one.symptom, changes.scale)
        return (-sure if one.verified and one.symptom != "no-signal" else math.inf, -one.confidence)

    return sorted(told, key=order)


def _best_gains(tried: Experiment) -> dict[str, Gain]:
    """Return the best gain of each symptom; of overfitting, the weapon that wins."""
    best: dict[str, Gain] = {}
    for one in ranked(tried.changes.gains):
        best.setdefault(one.symptom, one)
    if tried.weapons is not None:
        best["overfitting"] = ranked(tried.weapons.gains)[0]
    return best


def _judged(one: Finding, claims: dict[str, bool | None], best: dict[str, Gain]) -> Finding:
    if one.symptom not in claims:
        return one
    claim = claims[one.symptom]
    if one.symptom == "no-signal":
        said = "Tried: " + ("something" if claim is False else "nothing") + " predicts better than a constant."
        sure = {True: CONFIRMED, False: REFUTED, None: min(one.confidence, OPEN)}[claim]
        return replace(one, evidence=f"{one.evidence} {said}", confidence=sure, verified=claim)
    gain = best[one.symptom]
    if claim is False and one.symptom not in SYMPTOMS.values() and one.confidence >= PLAIN:
        claim = None
    said = f"Tried: {_brought(gain)}"
    if claim is None and one.symptom not in SYMPTOMS.values():
        confidence = one.confidence  # its one remedy was tried, which is not all that can be done about it
    elif claim:
        confidence = max(gain.confidence, ASSERTED)
    else:
        confidence = min(gain.confidence, REFUTED if claim is False else UNCERTAIN)
    remedy = f"{symptom(one.symptom).remedy}\n{gain.line}" if claim else one.remedy
    return replace(one, evidence=f"{one.evidence} {said}", confidence=confidence, verified=claim, remedy=remedy,
                   gain=gain.interval, winner=gain if claim else None)  # fmt: skip


def _brought(gain: Gain) -> str:
    """Return what a change brought; where only its gain at the end speaks for it, also that where it best stopped."""
    mean, error = gain.stopped
    said = f"{gain.change} brings {interval_of(gain.interval, '+')} of what can be gained"
    if gain.helps or len(gain.counted) == 1 or gain.interval[1] <= MATTERS:
        return f"{said}."
    return f"{said} at the end, but {interval_of((mean, mean - 2 * error, mean + 2 * error), '+')} where best stopped."


def _with_companions(one: Finding, by_name: dict[str, Finding]) -> Finding:
    """Return a finding that only names another one more closely, as sure as that is."""
    others = [by_name[name] for name in COMPANIONS.get(one.symptom, ()) if name in by_name]
    if not others or one.verified is not None:
        return one
    first = max(others, key=lambda other: other.confidence)
    if one.symptom == "diverged":  # that it did is certain; whether a lower rate mends it was tried
        return replace(one, verified=first.verified, remedy=first.remedy if first.verified else one.remedy)
    sure = min(one.confidence, first.confidence)
    told = first.verified if sure >= ASSERTED else None
    return replace(one, confidence=sure, verified=told, remedy=first.remedy if told else one.remedy)
