"""Rules about the training: rates, batches, penalties, how far it came. Each returns a finding, or None."""

from __future__ import annotations

import math

import numpy as np

from hillwalker.diagnosis.findings import Finding
from hillwalker.diagnosis.inspection import Inspection
from hillwalker.diagnosis.rules import finding, logistic, surest, told, trial_confidence
from hillwalker.scores import rounded


def diverged(seen: Inspection) -> Finding | None:
    """Find a loss that is no number any more, or is far above the constant prediction's and rises."""
    rate = seen.configuration.learning_rate
    line = f"model.optimizer.learning_rate = {rate / 10:.3g}"
    if seen.failed is not None:
        evidence = f"The loss is not finite in epoch {seen.failed}."
        return finding("diverged", 0.95, evidence, line, seen.failed - 1)
    if not len(seen.curve):
        return None
    times = float(seen.curve[-1] / max(float(seen.curve.min()), 1e-30))
    above = seen.training_loss / max(abs(seen.constant_loss), 1e-12)
    confidence = 0.9 * logistic(math.log10(max(above, 1e-30)), 0.7, 0.1) * logistic(times, 2.0, 0.2)
    evidence = f"The training loss ends at {rounded(float(seen.curve[-1]))}, {rounded(times)} times its least."
    return finding("diverged", confidence, evidence, line, len(seen.curve) - 1, times=times)


def learning_rate_too_high(seen: Inspection) -> Finding | None:
    """Say whether a lower rate ends better."""
    if "lower rate" not in seen.trials:
        return None
    confidence, name = surest(seen, ("lower rate", "far lower rate"), gain=0.04)
    evidence = f"{told(seen, name)} A step changes the kernels by {rounded(_ratio(seen))} of their size."
    rate = seen.configuration.learning_rate / (10 if name == "lower rate" else 100)
    line = f"model.optimizer.learning_rate = {rate:.3g}"
    return finding("learning-rate-too-high", confidence, evidence, line, gain=seen.trials[name].gain)


def learning_rate_too_low(seen: Inspection) -> Finding | None:
    """Say whether a third of the epochs at a higher rate end better."""
    if "higher rate" not in seen.trials:
        return None
    confidence, name = surest(seen, ("higher rate", "far higher rate"))
    evidence = f"{told(seen, name)} A step changes the kernels by {rounded(_ratio(seen))} of their size."
    rate = seen.configuration.learning_rate * (10 if name == "higher rate" else 100)
    line = f"model.optimizer.learning_rate = {rate:.3g}"
    return finding("learning-rate-too-low", confidence, evidence, line, gain=seen.trials[name].gain)


def _ratio(seen: Inspection) -> float:
    ratios = np.concatenate([look.update_ratio for look in seen.looks[1:]])
    ratios = ratios[np.isfinite(ratios)]
    return float(np.median(ratios)) if len(ratios) else math.nan


def batch_too_large(seen: Inspection) -> Finding | None:
    """Find so few steps an epoch that smaller batches end better."""
    confidence = trial_confidence(seen, "smaller batches", gain=0.03)
    if not confidence:
        return None
    size = seen.configuration.batch_size
    steps = -(-seen.data.rows // size)
    confidence *= 1.0 if steps <= 2 else 0.5  # with more steps it may be the rate as well
    evidence = f"Batches of {size} rows make {steps} step{'' if steps == 1 else 's'} an epoch. "
    line = f"model.fit(..., batch_size={max(8, min(32, size // 4))})"
    return finding("batch-too-large", confidence, evidence + told(seen, "smaller batches"), line, steps=steps)


def batch_too_small(seen: Inspection) -> Finding | None:
    """Find batches of a few rows whose gradient is mostly noise, where larger ones end better."""
    confidence = trial_confidence(seen, "larger batches", gain=0.03)
    if not confidence:
        return None
    size, scale = seen.configuration.batch_size, seen.looks[-2].noise_scale
    evidence = f"The gradient's noise scale is {rounded(scale)} rows, a batch has {size}. "
    line = f"model.fit(..., batch_size={16 * size})"
    return finding("batch-too-small", confidence, evidence + told(seen, "larger batches"), line, noise_scale=scale)


def over_regularized(seen: Inspection) -> Finding | None:
    """Find penalties or dropout without which training ends better."""
    confidence = trial_confidence(seen, "unpenalised", gain=0.04)
    if not confidence:
        return None
    end = seen.looks[-1]
    evidence = f"The penalty is {rounded(end.penalty)} beside a loss of {rounded(end.loss)}"
    if seen.configuration.dropout:
        evidence += f", dropout {seen.configuration.dropout:g}"
    line = "Dropout(0.1)" if seen.configuration.dropout > 0.4 else "Dense(..., kernel_regularizer=None)"
    return finding("over-regularized", confidence, f"{evidence}. {told(seen, 'unpenalised')}", line)


def overfitting(seen: Inspection) -> Finding | None:
    """Say whether the validation loss rose, row by row, from its best epoch on, while the training loss fell."""
    if seen.best_epoch < 1 or seen.best_epoch >= len(seen.curve) or seen.failed is not None:
        return None
    falls = float(seen.curve[-1]) < float(seen.curve[seen.best_epoch - 1])
    errors = seen.rise / max(seen.rise_error, 1e-12)
    sure = max(logistic(errors, 2.2, 0.4), 0.9 * logistic(seen.rise, 0.4, 0.05) * logistic(errors, 1.2, 0.2))
    tail = seen.held_out_curve[-max(3, len(seen.curve) // 5) :]
    stays = float(tail.mean() - seen.best_loss) / max(
        seen.end_loss - seen.best_loss, 1e-12
    )  # 1: no mere jump at the end
    confidence = 0.96 * logistic(seen.rise, 0.09, 0.02) * sure * falls * logistic(stays, 0.45, 0.05)
    confidence *= logistic(1 - seen.best_epoch / len(seen.curve), 0.12, 0.02)  # else there was little to stop
    evidence = (
        f"The validation loss is {rounded(seen.best_loss)} in epoch {seen.best_epoch - 1} and {rounded(seen.end_loss)} "
        f"at the end, {errors:.1f} standard errors over the rows; the training loss falls on."
    )
    line = (
        f'callbacks=[EarlyStopping(monitor="val_loss", patience={max(3, seen.configuration.epochs // 10)}, '
        "restore_best_weights=True)]"
    )
    return finding("overfitting", confidence, evidence, line, seen.best_epoch - 1, rise=seen.rise)


def underfitting(seen: Inspection) -> Finding | None:
    """Say whether what the network leaves unexplained can be explained, or more units end better."""
    of_units = trial_confidence(seen, "more units", gain=0.04)
    unexplained = max(1 - seen.explained, 0.0) if seen.failed is None else 0.0
    left = seen.left * min(unexplained, 1.0)
    left /= max(min(seen.explained, 1.0) + left, 0.02)  # of all that is known to be explainable
    of_left = 0.48 * logistic(left, 0.12, 0.02) * logistic(seen.left * unexplained, 0.08, 0.01) if unexplained else 0.0
    confidence = max(of_units, of_left)
    evidence = f"A regression on random features explains {seen.left:.1%} of what the network leaves unexplained."
    line = f"model.fit(..., epochs={3 * seen.configuration.epochs})"
    if of_units >= of_left and of_units > 0:
        evidence = told(seen, "more units")
        line = ", ".join(f"Dense({max(32, units)}, ...)" for units in seen.configuration.units[:-1])
    return finding("underfitting", confidence, evidence, line, left=seen.left, units=of_units)


def not_learning(seen: Inspection) -> Finding | None:
    """Say whether the training loss ends no better than a constant prediction's, though there is something to learn."""
    if math.isnan(seen.reachable):
        return None
    confidence = 0.6 * logistic(-seen.explained, -0.03, 0.01) * logistic(seen.reachable, 0.15, 0.02)
    evidence = (
        f"The network explains {seen.explained:.1%} of the validation targets, a regression on random features "
        f"{seen.reachable:.1%}."
    )
    return finding("not-learning", confidence, evidence, None, reachable=seen.reachable)
