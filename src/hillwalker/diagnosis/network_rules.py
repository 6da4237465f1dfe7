"""Rules about the network: its activations, its loss, how it starts, which units are idle. Each returns a finding."""

from __future__ import annotations

import numpy as np

from hillwalker.choosing.constants import REACH
from hillwalker.diagnosis.configuration import OF_AMOUNTS, OF_CLASSES
from hillwalker.diagnosis.findings import Finding
from hillwalker.diagnosis.inspection import Inspection
from hillwalker.diagnosis.rules import finding, logistic, surest, told, trial_confidence
from hillwalker.scores import rounded

USUAL = "usual initialization"


def double_softmax(seen: Inspection) -> Finding | None:
    """Find a probability taken of a probability."""
    told_twice = seen.configuration.from_logits and seen.configuration.output in ("softmax", "sigmoid")
    if not (told_twice or seen.configuration.doubled):
        return None
    last = seen.configuration.output
    if told_twice:
        evidence = f"The last layer is a {last}, and the loss has from_logits=True, which takes another."
        line = "loss=...(from_logits=False)"
    else:
        evidence = f"A {last} follows on a {last}: outputs can hardly leave the uniform distribution."
        line = f'Dense({seen.configuration.units[-1]}, activation="{last}")'
    return finding("double-softmax", 0.97, evidence, line)


def loss_activation_mismatch(seen: Inspection) -> Finding | None:
    """Find a loss that does not go with the last activation, or targets that it cannot reach."""
    known, output = seen.configuration, seen.configuration.output or ""
    width = known.units[-1] if known.units else 1
    if output == "softmax" and known.loss in OF_AMOUNTS:
        evidence = f"{known.loss} on softmax outputs: the blame vanishes where the network is wrong and sure."
        return finding("loss-activation-mismatch", 0.9, evidence, 'loss="categorical_crossentropy"')
    if known.loss in OF_AMOUNTS and output in REACH:
        low, high = REACH[output]
        slack = 0.02 * max(float(seen.data.target_deviations.max()), 1e-12)
        below, above = float(seen.data.target_lowest.min()), float(seen.data.target_highest.max())
        if below < low - slack or above > high + slack:
            evidence = f"Targets reach from {rounded(below)} to {rounded(above)}, {output} from {low:g} to {high:g}."
            return finding("loss-activation-mismatch", 0.9, evidence, f'Dense({width}, activation="linear")')
    wanted = "sigmoid" if known.loss == "binary_crossentropy" else "softmax"
    if known.loss in OF_CLASSES and not known.from_logits and output not in ("sigmoid", "softmax", "hard_sigmoid"):
        evidence = f"{known.loss} on {output} outputs, which are no probabilities."
        return finding("loss-activation-mismatch", 0.85, evidence, f'Dense({width}, activation="{wanted}")')
    if known.loss in OF_CLASSES[1:] and output == "sigmoid":
        evidence = f"{known.loss} on sigmoid outputs, which do not sum to 1."
        return finding("loss-activation-mismatch", 0.6, evidence, f'Dense({width}, activation="softmax")')
    return None


def missing_nonlinearity(seen: Inspection) -> Finding | None:
    """Find hidden layers without an activation."""
    hidden = seen.configuration.activations[:-1]
    if not hidden or any(name != "linear" for name in hidden):
        return None
    confidence = max(0.35, 0.97 * trial_confidence(seen, "activations", gain=0.02))
    evidence = f"None of the {len(hidden)} hidden layers has an activation. {told(seen, 'activations')}"
    line = f'Dense({seen.configuration.units[0]}, activation="relu")'
    return finding("missing-nonlinearity", confidence, evidence, line)


def bad_initialization(seen: Inspection) -> Finding | None:
    """Find units that are all alike, or activations that grow or shrink from layer to layer, before training."""
    start = seen.looks[0]
    kind = seen.configuration.initializers[0] if seen.configuration.initializers else ""
    relu = any(name not in ("tanh", "sigmoid", "linear") for name in seen.configuration.activations[:-1])
    line = f'kernel_initializer="{"he" if relu else "glorot"}_uniform"'
    if start.alike[:-1].any():
        layer = seen.configuration.layers[int(np.argmax(start.alike[:-1]))]
        still = bool(seen.looks[-1].alike[:-1].any())
        evidence = f"All units of {layer} start alike ({kind}){', and stay alike' if still else ''}."
        return finding("bad-initialization", 0.95 if still else 0.6, evidence, line, epoch=0)
    confidence = trial_confidence(seen, USUAL)
    if not confidence or _born_idle(seen):
        return None
    sizes = ", ".join(rounded(float(one)) for one in start.deviation)
    evidence = f"Before training the layers' deviations are {sizes}. {told(seen, USUAL)}"
    return finding("bad-initialization", confidence, evidence, line, epoch=0, start_loss=seen.start_loss)


def _born_idle(seen: Inspection) -> bool:
    """Return whether units are idle from the start by their biases, not by the size of their weights."""
    start = seen.looks[0]
    flat = (np.nan_to_num(start.saturated) > 0.4) & (start.deviation < 0.3)
    return bool((np.nan_to_num(start.dead[:-1]) > 0.7).any() or flat[:-1].any())


def _most(shares: np.ndarray) -> tuple[int, float]:
    """Return the hidden layer with the largest share, and the share."""
    hidden = np.nan_to_num(shares[:-1])
    return (int(np.argmax(hidden)), float(hidden.max())) if len(hidden) else (0, 0.0)


def dead_relu(seen: Inspection) -> Finding | None:
    """Find units at zero on every training row, so many that it matters."""
    start, end = seen.looks[0], seen.looks[-1]
    layer, share = _most(end.dead)
    if seen.now is not None and _most(seen.now.dead)[1] > share:
        layer, share = _most(seen.now.dead)
    if share <= 0:
        return None
    born = _most(start.dead)[1] > 0.7
    harm = trial_confidence(seen, USUAL) if born else logistic(_shortfall(seen), 0.1, 0.02)
    confidence = logistic(share, 0.6, 0.06) * harm * (1.0 if born else 0.8)  # later, something else killed them
    name = seen.configuration.layers[layer]
    evidence = f"{share:.0%} of the units of {name} are at zero on every one of {seen.data.rows} training rows."
    if born:
        evidence += f" They are so from the start. {told(seen, USUAL)}"
    units = seen.configuration.units[min(layer, len(seen.configuration.units) - 1)]
    line = f'Dense({units}, activation="leaky_relu", kernel_initializer="he_normal", bias_initializer="zeros")'
    return finding("dead-relu", confidence, evidence, line, 0 if born else end.epoch, share=share)


def saturated_units(seen: Inspection) -> Finding | None:
    """Find units on the flat ends of sigmoid or tanh for most rows."""
    start, end = seen.looks[0], seen.looks[-1]
    layer, share = _most(end.saturated)
    born, before = _most(start.saturated)
    is_born = before > 0.4 and bool(start.deviation[born] < 0.3)
    if is_born:
        layer, share = born, before
    if share <= 0:
        return None
    harm = trial_confidence(seen, USUAL) if is_born else logistic(_shortfall(seen), 0.1, 0.02)
    name = seen.configuration.layers[layer]
    evidence = f"{share:.0%} of the units of {name} are on a flat end of their activation for most rows."
    confidence = logistic(share, 0.5, 0.06) * harm * (1.0 if is_born else 0.7)
    return finding("saturated-units", confidence, evidence, None, 0 if is_born else end.epoch, share=share)


def _shortfall(seen: Inspection) -> float:
    """Return what is explained by something else and not by the network."""
    return max(seen.left, seen.reachable - seen.explained) if not np.isnan(seen.left) else seen.reachable


def vanishing_gradients(seen: Inspection) -> Finding | None:
    """Say whether hardly any blame reaches the first layer, where ReLU was tried and helped."""
    norms = seen.looks[0].gradient_norm
    if "relu" not in seen.trials or not norms[-1] > 0:
        return None
    ratio = float(norms[0] / norms[-1])
    tried, name = surest(seen, ("relu", "relu, lower rate"))
    decades = -float(np.log10(max(ratio, 1e-30)))
    lost = logistic(decades, 3.5, 0.2) * logistic(-seen.explained, -0.03, 0.01) * logistic(seen.reachable, 0.06, 0.01)
    confidence = max(tried * logistic(decades, 1.5, 0.2), 0.8 * lost)
    if not confidence:
        return None
    evidence = (
        f"The gradient of the first kernel is {rounded(ratio)} of the last one's before training. {told(seen, name)}"
    )
    return finding("vanishing-gradients", confidence, evidence, None, 0, ratio=ratio)


def exploding_gradients(seen: Inspection) -> Finding | None:
    """Find blame that grows towards the first layer, where training fails or hardly learns."""
    norms = seen.looks[0].gradient_norm
    if len(norms) < 2 or not norms[-1] > 0:
        return None
    ratio, grown = float(norms[0] / norms[-1]), float(np.nanmax(seen.looks[-1].gradient_norm) / norms.max())
    failed = seen.failed is not None
    confidence = 0.6 * logistic(np.log10(max(ratio, 1e-30)), np.log10(70), 0.1) * (1.0 if failed else 0.5)
    evidence = f"The gradient of the first kernel is {rounded(ratio)} times the last one's before training."
    return finding("exploding-gradients", confidence, evidence, None, 0, ratio=ratio, grown=grown)


def wrong_initial_loss(seen: Inspection) -> Finding | None:
    """Find a first loss far above that of a constant prediction, in a network that never makes up for it."""
    times = seen.start_loss / max(abs(seen.constant_loss), 1e-12)
    confidence = 0.45 * logistic(np.log10(max(times, 1e-30)), 1.5, 0.2)
    evidence = f"The first loss is {rounded(seen.start_loss)}, that of a constant {rounded(seen.constant_loss)}."
    return finding("wrong-initial-loss", confidence, evidence, None, 0, times=times)
