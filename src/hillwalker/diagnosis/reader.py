"""The reader of curves: from one training's curves to how likely each claim about a change is.

Small networks that hillwalker trained on thousands of trainings whose faults are known, because changes were tried
(`benchmarks/diagnosis/train_reader.py`); their weights lie beside this file. Nothing is trained here.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import saving
from hillwalker.diagnosis.curve_features import features

Array = NDArray[np.float64]
CLAIMS = ("learning-rate-too-high", "learning-rate-too-low", "overfitting", "underfitting", "no-signal")
FLAT = 1e-9  # of the loss: what changes by less does not change
WEIGHTS = Path(__file__).with_name("reader.safetensors")


@functools.cache
def _networks() -> tuple[dict[str, Array], dict[str, Any]]:
    arrays, told = saving.read(WEIGHTS)
    return {name: np.asarray(array, float) for name, array in arrays.items()}, told


def read(
    loss: Array | None, val_loss: Array | None, constant_loss: tuple[float, float] | None = None
) -> dict[str, float]:
    """Return the probability of each claim, read from the curves alone; claims may hold together.

    Those of the rate, of overfitting and of underfitting suppose that there is a signal.

    Args:
        loss, val_loss: (E,), at least one of them; what is not finite counts as very high.
        constant_loss: of always predicting the same, on training and on validation rows, if known.

    >>> falling = 0.1 + np.exp(-np.arange(40) / 400)
    >>> told = read(falling, falling + 0.01)
    >>> max(told, key=told.get)
    'learning-rate-too-low'
    """
    if all(_is_flat(curve) for curve in (loss, val_loss) if curve is not None):
        return dict.fromkeys(CLAIMS, 0.0)  # it says nothing; that nothing was learned is a finding of its own
    arrays, known = _networks()
    told = features(loss, val_loss, constant_loss)
    x = (np.array([told[name] for name in known["features"]]) - arrays["mean"]) / arrays["deviation"]
    heads = {
        head: np.mean([_forward(arrays, f"{head} {number}", x) for number in range(known["networks"])], axis=0)
        for head in known["heads"]
    }
    high, right, low = heads["rate"]  # each against the other two
    against = [high - np.logaddexp(right, low), low - np.logaddexp(high, right)]
    logits = np.array([*against, *(heads[claim][0] for claim in CLAIMS[2:])])
    logits = arrays["slope"] * logits + arrays["shift"]  # calibrated on data sets that the networks had not learned
    return dict(zip(CLAIMS, (1 / (1 + np.exp(-logits))).tolist(), strict=True))


def _forward(arrays: dict[str, Array], network: str, x: Array) -> Array:
    layer = 0
    while f"{network} kernel {layer + 1}" in arrays:
        x = np.maximum(x @ arrays[f"{network} kernel {layer}"] + arrays[f"{network} bias {layer}"], 0.0)
        layer += 1
    last: Array = x @ arrays[f"{network} kernel {layer}"] + arrays[f"{network} bias {layer}"]
    return last


def _is_flat(curve: Array) -> bool:
    known = np.asarray(curve, float)[np.isfinite(curve)]
    return len(known) == np.sum(~np.isnan(curve)) and float(np.ptp(known)) <= FLAT * float(np.abs(known).max())
