"""Rules about the data: leakage, classes, signal, scales. Each returns a finding, or None where there is nothing."""

from __future__ import annotations

import numpy as np

from hillwalker.diagnosis.data_facts import CONTINUOUS
from hillwalker.diagnosis.findings import Finding
from hillwalker.diagnosis.inspection import Inspection
from hillwalker.diagnosis.rules import finding, logistic, told, trial_confidence
from hillwalker.scores import rounded


def leakage(seen: Inspection) -> Finding | None:
    """Find validation rows that stand among the training rows, or a column that is the target."""
    data = seen.data
    if data.copy_of_target >= 0:
        column = data.copy_of_target
        evidence = f"Column {column} of X is a multiple of the target."
        return finding("leakage", 0.9, evidence, f"X = np.delete(X, {column}, axis=1)", column=column)
    copies = data.copied * data.validation_rows
    by_chance = data.distinct < CONTINUOUS and data.repeated > 0.3 * data.copied  # columns of few values
    if copies < 2 or by_chance:
        return None
    evidence = (
        f"{round(copies)} of {data.validation_rows} validation rows stand among the training rows, target and all."
    )
    return finding("leakage", logistic(data.copied, 0.025, 0.005), evidence, copied=data.copied)


def class_imbalance(seen: Inspection) -> Finding | None:
    """Find a class so rare that it is not learned."""
    shares = seen.data.class_shares
    if not len(shares) or seen.configuration.class_weights:
        return None
    rare = int(np.argmin(np.where(shares > 0, shares, 1)))
    share, recall = float(shares[rare]), float(seen.recall[rare]) if len(seen.recall) > rare else 1.0
    confidence = logistic(-np.log(max(share, 1e-6)), -np.log(0.05), 0.12)
    weights = {number: round(1 / (len(shares) * one), 3) for number, one in enumerate(shares) if one > 0}
    evidence = f"Class {rare} has {share:.1%} of the training rows; {recall:.0%} of them are told to be of it."
    line = f"model.fit(..., class_weight={weights})"
    return finding("class-imbalance", confidence * 0.95, evidence, line, share=share, recall=recall)


def no_signal(seen: Inspection) -> Finding | None:
    """Say whether neither the network at its best, nor any trial, nor random features beat a constant prediction."""
    if np.isnan(seen.reachable):
        return None
    constant = max(abs(seen.constant_loss), 1e-12)
    noise = min(seen.loss_error / constant, 0.5 / np.sqrt(seen.data.validation_rows))
    losses = [seen.end_loss, *(trial.loss for trial in seen.trials.values())]
    at_best = (seen.constant_loss - seen.best_loss) / constant - 0.5 * noise  # the least of many epochs is partly luck
    gain = max((seen.constant_loss - min(losses)) / constant, at_best)
    if seen.data.constant == len(seen.data.means):
        return None
    confidence = logistic(-gain, -0.015 - noise, 0.008) * logistic(-seen.reachable, -0.035, 0.008)
    confidence *= 0.45 + 0.55 * logistic(seen.data.rows, 140, 15)  # on few rows little is seen of a signal
    evidence = (
        f"A constant prediction has a validation loss of {rounded(seen.constant_loss)}, the best seen "
        f"{rounded(min(losses))}; a regression on random features explains {max(seen.reachable, 0):.1%}."
    )
    return finding("no-signal", confidence, evidence, gain=gain, reachable=seen.reachable)


def noisy_validation(seen: Inspection) -> Finding | None:
    """Find a validation loss whose standard error is as large as what is gained."""
    ratio = seen.loss_error / seen.unit
    few = seen.data.validation_rows
    confidence = max(0.8 * logistic(-few, -10.5, 0.5), 0.9 * logistic(ratio, 0.35, 0.04) * logistic(-few, -20, 2))
    evidence = (
        f"The validation loss is {rounded(seen.end_loss)} ± {rounded(seen.loss_error)} on {few} rows, "
        f"where {rounded(seen.unit)} can be gained."
    )
    return finding("noisy-validation", confidence, evidence, error=seen.loss_error, rows=few)


def unscaled_inputs(seen: Inspection) -> Finding | None:
    """Find columns far from zero or of very different sizes, where standardising them was tried and helped."""
    confidence = trial_confidence(seen, "standardised inputs")
    if not confidence:
        return None
    spread, centre = seen.data.deviations, np.abs(seen.data.means)
    evidence = (
        f"Columns' deviations reach from {rounded(float(spread.min()))} to {rounded(float(spread.max()))}, "
        f"means to {rounded(float(centre.max()))}. {told(seen, 'standardised inputs')}"
    )
    return finding("unscaled-inputs", confidence, evidence, largest=spread.max(), smallest=spread.min())


def unscaled_targets(seen: Inspection) -> Finding | None:
    """Find amounts far from the size of 1, where standardising them was tried and helped."""
    confidence = trial_confidence(seen, "standardised targets")
    if not confidence:
        return None
    mean, deviation = float(seen.data.target_means[0]), float(seen.data.target_deviations[0])
    evidence = f"Targets are {rounded(mean)} ± {rounded(deviation)}. {told(seen, 'standardised targets')}"
    return finding("unscaled-targets", confidence, evidence, mean=mean, deviation=deviation)


def inputs_ignored(seen: Inspection) -> Finding | None:
    """Find inputs that never change, or predictions that do not change with them."""
    data = seen.data
    if data.constant == len(data.means):
        evidence = f"All {len(data.means)} columns of the training rows hold one value each."
        return finding("inputs-ignored", 0.97, evidence, "print(X.std(axis=0))", constant=data.constant)
    change = abs(seen.permuted_loss - seen.end_loss) / seen.unit
    reach = max(seen.reachable, *((seen.constant_loss - trial.loss) / max(abs(seen.constant_loss), 1e-12) for trial in
                                  seen.trials.values())) if seen.trials else seen.reachable  # fmt: skip
    confidence = 0.45 * logistic(-change, -0.002, 0.0004) * logistic(reach, 0.06, 0.01)  # nearly always an effect
    evidence = f"With each column's rows shuffled the validation loss is {rounded(seen.permuted_loss)}, as it is else."
    return finding("inputs-ignored", confidence, evidence, permuted_loss=seen.permuted_loss)
