"""What is wrong inside a network: one small rule a symptom, in one table; pure functions of an `Inspection`.

A condition that does no harm is no finding: most rules ask a short trial whether the mended network is better. What a
deeper cause explains is not a finding of its own: its confidence is lowered.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from hillwalker.diagnosis import data_rules, network_rules, training_rules
from hillwalker.diagnosis.findings import ASSERTED, Finding
from hillwalker.diagnosis.inspection import Inspection

LEAST = 0.05  # a finding less likely than that is not told
EXPLAINED = 0.3  # times its confidence, of what another cause explains

Rule = Callable[[Inspection], Finding | None]
RULES: tuple[Rule, ...] = (
    data_rules.inputs_ignored,
    data_rules.leakage,
    network_rules.double_softmax,
    network_rules.loss_activation_mismatch,
    network_rules.missing_nonlinearity,
    data_rules.unscaled_inputs,
    data_rules.unscaled_targets,
    network_rules.bad_initialization,
    network_rules.vanishing_gradients,
    data_rules.class_imbalance,
    data_rules.no_signal,
    training_rules.over_regularized,
    training_rules.batch_too_large,
    training_rules.batch_too_small,
    network_rules.dead_relu,
    network_rules.saturated_units,
    training_rules.learning_rate_too_high,
    training_rules.learning_rate_too_low,
    training_rules.diverged,
    network_rules.exploding_gradients,
    training_rules.overfitting,
    training_rules.underfitting,
    training_rules.not_learning,
    data_rules.noisy_validation,
    network_rules.wrong_initial_loss,
)
"""The deepest causes first."""

_TRAINING = ("diverged", "learning-rate-too-high", "learning-rate-too-low", "exploding-gradients", "underfitting",
             "not-learning", "overfitting", "wrong-initial-loss", "oscillating", "early-divergence")  # fmt: skip
_IDLE = ("dead-relu", "saturated-units")
SIDE_EFFECTS: dict[str, tuple[str, ...]] = {
    "inputs-ignored": (*_TRAINING, *_IDLE, "no-signal", "over-regularized", "batch-too-large", "leakage",
                       "bad-initialization", "vanishing-gradients"),
    "double-softmax": (*_TRAINING, *_IDLE, "no-signal", "loss-activation-mismatch", "batch-too-large"),
    "loss-activation-mismatch": (*_TRAINING, *_IDLE, "no-signal", "batch-too-large"),
    "missing-nonlinearity": (*_TRAINING, "no-signal"),
    "class-imbalance": ("learning-rate-too-high", "learning-rate-too-low", "overfitting", "underfitting",
                        "noisy-validation", "no-signal"),
    "unscaled-inputs": (*_TRAINING, *_IDLE, "no-signal", "bad-initialization", "vanishing-gradients",
                        "unscaled-targets"),
    "unscaled-targets": (*_TRAINING, *_IDLE, "no-signal", "inputs-ignored", "batch-too-large"),
    "bad-initialization": (*_TRAINING, *_IDLE, "no-signal", "vanishing-gradients", "inputs-ignored"),
    "vanishing-gradients": (*_TRAINING, *_IDLE, "no-signal", "bad-initialization", "inputs-ignored"),
    "no-signal": ("underfitting", "noisy-validation", "class-imbalance", "learning-rate-too-high",
                  "learning-rate-too-low", "not-learning", "inputs-ignored"),
    "over-regularized": (*_TRAINING, *_IDLE, "no-signal", "inputs-ignored"),
    "batch-too-large": ("learning-rate-too-low", "underfitting", "not-learning"),
    "batch-too-small": (*_TRAINING, *_IDLE),
    "dead-relu": (*_TRAINING, "no-signal", "inputs-ignored"),
    "saturated-units": (*_TRAINING, "no-signal", "inputs-ignored"),
    "learning-rate-too-high": ("diverged", "exploding-gradients", "not-learning", "overfitting", "underfitting",
                               "wrong-initial-loss", "inputs-ignored", *_IDLE),
    "underfitting": (*_IDLE, "not-learning", "overfitting", "learning-rate-too-high",
                     "learning-rate-too-low", "inputs-ignored"),
    "noisy-validation": ("learning-rate-too-high", "learning-rate-too-low", "overfitting", "underfitting",
                         "batch-too-large", "batch-too-small"),
    "learning-rate-too-low": ("underfitting", "not-learning", "inputs-ignored", "wrong-initial-loss"),
}  # fmt: skip
"""What each cause explains."""


def look_inside(inspection: Inspection) -> list[Finding]:
    """Return what is wrong, the most certain first; what a deeper cause explains comes after it.

    >>> import numpy as np, hillwalker as hw
    >>> from hillwalker.diagnosis.inspection import inspect
    >>> hidden = hw.layers.Dense(8, "relu", kernel_initializer="zeros")
    >>> model = hw.Sequential([hw.Input((2,)), hidden, hw.layers.Dense(1)])
    >>> model.compile("adam", "mse")
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> look_inside(inspect(model, X, X[:, 0] * X[:, 1], epochs=10))[0].symptom
    'bad-initialization'
    """
    found = {one.symptom: one for rule in RULES if (one := rule(inspection)) is not None}
    lower_effects(found, found)
    told = [one for one in found.values() if one.confidence >= LEAST]
    return sorted(told, key=lambda one: -one.confidence)


def lower_effects(causes: Mapping[str, Finding], found: dict[str, Finding]) -> None:
    """Lower the confidence of what is found, by symptom, and is a side effect of a cause."""
    for name, effects in SIDE_EFFECTS.items():
        cause = causes.get(name)
        if cause is None or (name in _IDLE and cause.epoch != 0):  # what idles later is itself an effect
            continue
        if name == "inputs-ignored" and cause.confidence < ASSERTED:  # and so are inputs that a network does not use
            continue
        sure = cause.numbers["units"] if name == "underfitting" else cause.confidence
        for effect in effects:
            if effect in found:
                lowered = found[effect].confidence * (1 - (1 - EXPLAINED) * sure)
                found[effect] = dataclasses.replace(found[effect], confidence=lowered)
