"""What rules inside share: how a measured quantity becomes a confidence, and a finding with the user's numbers."""

from __future__ import annotations

import math
from typing import Any

from hillwalker.diagnosis.findings import Finding
from hillwalker.diagnosis.inspection import Inspection
from hillwalker.diagnosis.symptoms import symptom
from hillwalker.diagnosis.trials import OF_RATES
from hillwalker.scores import rounded

GAIN, GAIN_WIDTH = 0.06, 0.015  # of what can be gained: a trial that brings as much is half believed
SUREST = 0.97  # no rule is right more often
ERRORS, ERRORS_WIDTH = 2.0, 0.5  # standard errors over validation rows


OF_BOTH = ("standardised inputs", "standardised targets", "usual initialization", "relu", "activations",
           "smaller batches", "larger batches", "more units", "relu, lower rate", *OF_RATES)  # fmt: skip
"""The trials whose mend, where it is one, helps on training rows as well as on others."""


def logistic(value: float, middle: float, width: float) -> float:
    """Return a confidence between 0 and 1 that is one half at `middle` and rises over a few widths.

    >>> logistic(2.0, 2.0, 0.5)
    0.5
    """
    if math.isnan(value):
        return 0.0
    return 1 / (1 + math.exp(-min(max((value - middle) / width, -40.0), 40.0)))


def trial_confidence(seen: Inspection, name: str, gain: float = GAIN) -> float:
    """Return how sure it is that what a short trial mends was wrong; 0 where it was not tried."""
    trial = seen.trials.get(name)
    if trial is None:
        return 0.0
    errors = trial.gain / max(trial.error, 1e-12)
    if name in OF_BOTH and trial.training_gain > gain:  # better on all rows: those are more
        most = errors + (1 if name in OF_RATES else 2)  # a higher rate often fits the training rows better
        errors = max(errors, min(trial.training_gain / max(trial.training_error, 1e-12), most))
    needed = ERRORS + 6 / seen.data.validation_rows
    return logistic(trial.gain, gain, GAIN_WIDTH) * logistic(errors, needed, ERRORS_WIDTH)


def surest(seen: Inspection, names: tuple[str, ...], gain: float = GAIN) -> tuple[float, str]:
    """Return the largest confidence of several trials, and which has it; the first where all have none."""
    return max(((trial_confidence(seen, name, gain), name) for name in names), key=lambda pair: pair[0])


def told(seen: Inspection, name: str) -> str:
    """Return what a trial showed, in words."""
    trial = seen.trials[name]
    return (
        f"{trial.epochs} epochs with {WORDS[name]} end at a validation loss of {rounded(trial.loss)}, "
        f"{seen.configuration.epochs} as it is at {rounded(trial.before)}."
    )


WORDS = {
    "lower rate": "a tenth of the rate",
    "far lower rate": "a hundredth of the rate",
    "far higher rate": "a hundred times the rate",
    "relu, lower rate": "ReLU, He initialization and a tenth of the rate",
    "higher rate": "ten times the rate",
    "smaller batches": "smaller batches",
    "larger batches": "larger batches",
    "unpenalised": "neither penalty nor dropout",
    "standardised inputs": "standardised inputs",
    "standardised targets": "standardised targets",
    "usual initialization": "the usual initialization",
    "relu": "ReLU and He initialization",
    "activations": "ReLU in the hidden layers",
    "more units": "more units",
}


def finding(
    name: str, confidence: float, evidence: str, line: str | None = None, epoch: int | None = None, **numbers: Any
) -> Finding:
    """Return a finding whose remedy is the catalogue's words and a line of code."""
    about = symptom(name)
    remedy = about.remedy if not (line or about.line) else f"{about.remedy}\n{line or about.line}"
    kept = {key: float(value) for key, value in numbers.items()}
    return Finding(name, evidence, min(max(confidence, 0.0), SUREST), epoch, remedy, numbers=kept)
