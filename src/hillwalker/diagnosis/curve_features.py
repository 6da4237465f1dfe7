"""What a curve looks like, in numbers that do not depend on the loss's scale or on the number of epochs.

Everything is measured in parts of how far the loss came down, against the noise from epoch to epoch, or against the
constant prediction's loss where that is known; all of it is clipped, so that one wild epoch cannot decide.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

AT = np.array([0.0, 0.03, 0.07, 0.12, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])  # parts of the training
CLIP = 4.0
LARGEST = 1e100  # so that no sum of them overflows
WORST = 1e6  # times the first loss: what is not finite counts as this


def features(
    loss: Array | None, val_loss: Array | None, constant_loss: tuple[float, float] | None = None
) -> dict[str, float]:
    """Return the features by name; of a curve that is missing, or where the constant's loss is unknown, they are zero.

    Args:
        loss, val_loss: (E,), at least one of them; NaN for an epoch that the log does not have.
        constant_loss: of always predicting the training rows' best constant, on training and on validation rows.
    """
    loss, val_loss, constant_loss = _lifted(_finite(loss), _finite(val_loss), constant_loss)
    known = next(curve for curve in (val_loss, loss) if curve is not None)
    told: dict[str, float] = {
        "epochs": float(np.log(len(known))) / 5,
        "has_loss": float(loss is not None),
        "has_val_loss": float(val_loss is not None),
        "has_constant": float(constant_loss is not None),
    }
    for name, curve, which in (("loss", loss, 0), ("val", val_loss, 1)):
        if curve is None:
            shape = dict.fromkeys(_shape(np.array([1.0, 0.5, 0.4])), 0.0)
        else:
            shape = _shape(curve)
        constant = constant_loss[which] if constant_loss is not None else None
        told |= {f"{name} {key}": value for key, value in shape.items()}
        told |= {f"{name} {key}": value for key, value in _against(curve, constant).items()}
    told |= _together(loss, val_loss)
    return {key: float(np.clip(np.nan_to_num(value, nan=0.0), -CLIP, CLIP)) for key, value in told.items()}


def _finite(curve: Array | None) -> Array | None:
    """Return a curve without the epochs that the log does not have, what is infinite as very large."""
    if curve is None:
        return None
    curve = np.asarray(curve, float)
    curve = curve[~np.isnan(curve)]
    if not len(curve):
        return None
    start = np.abs(curve[np.isfinite(curve)][:1])
    ceiling = min(WORST * max(float(start[0]) if len(start) else 1.0, 1e-12), LARGEST)
    return np.clip(curve, -ceiling, ceiling)


def _lifted(
    loss: Array | None, val_loss: Array | None, constant_loss: tuple[float, float] | None
) -> tuple[Array | None, Array | None, tuple[float, float] | None]:
    """Return losses that go below zero, as log-likelihoods do, moved above it: parts of a loss then have a meaning."""
    known = np.concatenate([curve for curve in (loss, val_loss) if curve is not None])
    if known.min() >= 0:
        return loss, val_loss, constant_loss
    lift = -float(known.min()) + 0.05 * float(np.ptp(known))
    moved = None if constant_loss is None else (constant_loss[0] + lift, constant_loss[1] + lift)
    return None if loss is None else loss + lift, None if val_loss is None else val_loss + lift, moved


def smooth(curve: Array) -> Array:
    """Return the running median of three epochs, then their running mean: one wild epoch leaves no trace."""
    if len(curve) < 3:
        return curve
    padded = np.concatenate([curve[:1], curve, curve[-1:]])
    middle = np.median(np.lib.stride_tricks.sliding_window_view(padded, 3), axis=1)
    width = max(1, len(curve) // 20)
    if width == 1:
        return np.asarray(middle)
    kernel = np.ones(2 * width + 1)
    told: Array = np.convolve(middle, kernel, "same") / np.convolve(np.ones(len(curve)), kernel, "same")
    told[0] = curve[0]
    return told


def noise(curve: Array) -> float:
    """Return the standard deviation of an epoch's loss around a smooth course: from second differences, robustly."""
    if len(curve) < 4:
        return 0.0
    second = curve[2:] - 2 * curve[1:-1] + curve[:-2]
    return float(np.median(np.abs(second)) / (0.6745 * np.sqrt(6.0)))


def _shape(curve: Array) -> dict[str, float]:
    count, course = len(curve), smooth(curve)
    start, end, least = float(course[0]), float(course[-1]), float(course.min())
    fall = max(start - least, 1e-9 * abs(start) + 1e-300)
    size = max(abs(start), 1e-300)
    places = np.interp(AT * (count - 1), np.arange(count), course)
    late, early = curve[-max(count // 3, 4) :], curve[: max(count // 3, 4)]
    steps = np.diff(curve)
    late_steps = steps[-max(count // 3, 3) :]
    rough = noise(late)
    log = np.log(np.maximum(course - least, 0.0) / fall + 1e-3)
    told = {f"at {part:.2f}": np.arcsinh((value - least) / fall) for part, value in zip(AT[:-1], places, strict=False)}
    told |= {
        "fall": np.log10(fall / size + 1e-6),
        "end": np.log10(fall) - np.log10(abs(end) + fall + 1e-300),
        "rise after the least": np.arcsinh((end - least) / fall),
        "rise against noise": np.arcsinh((end - least) / (rough + 1e-4 * fall)) / 2,
        "place of the least": (int(np.argmin(course)) + 1) / count,
        "epochs to the least": np.log(int(np.argmin(course)) + 1.0) / 5,
        "late noise": np.log10(rough / fall + 1e-5),
        "late noise against the loss": np.log10(rough / size + 1e-6),
        "early noise": np.log10(noise(early) / fall + 1e-5),
        "rises late": float(np.mean(late_steps > 0)) if len(late_steps) else 0.0,
        "rises": float(np.mean(steps > 0)) if len(steps) else 0.0,
        "turns late": float(np.mean(np.sign(late_steps[1:]) != np.sign(late_steps[:-1]))) if len(late_steps) > 1 else 0,
        "highest rise": np.log10(max(float(steps.max(initial=0.0)), 0.0) / fall + 1e-4),
        "highest late rise": np.log10(max(float(late_steps.max(initial=0.0)), 0.0) / fall + 1e-4),
        "late slope": np.arcsinh(20 * (places[-3] - places[-1]) / fall) / 3,
        "last slope": np.arcsinh(20 * (places[-2] - places[-1]) / fall) / 3,
        "slope against noise": np.arcsinh((places[-3] - places[-1]) / (rough + 1e-4 * fall)) / 2,
        "halving": np.log2(max((places[7] - places[-1]) / (max(places[4] - places[7], 0.0) + 1e-3 * fall), 1e-3)),
        "first step": (curve[0] - curve[1]) / fall if count > 1 else 0.0,
        "bend": float(log[: count // 2 + 1].mean() - log[count // 2 :].mean()) / 3,
        "peak": np.log10(max(float(np.abs(curve).max()) / size, 1e-3)),
    }
    return {key: float(value) for key, value in told.items()}


def _against(curve: Array | None, constant: float | None) -> dict[str, float]:
    """Return the least, the last and the first loss in parts of a constant prediction's."""
    if curve is None or constant is None or not np.isfinite(constant) or constant == 0:
        return dict.fromkeys(("least of constant", "last of constant", "first of constant", "margin"), 0.0)
    course = smooth(curve)
    least, last = float(course.min()) / constant, float(course[-1]) / constant
    rough = max(noise(curve[-max(len(curve) // 3, 4) :]) / abs(constant), 1e-4)
    return {
        "least of constant": np.log2(max(least, 1e-3)),
        "last of constant": np.log2(max(last, 1e-3)),
        "first of constant": np.log2(max(float(course[0]) / constant, 1e-3)),
        "margin": np.arcsinh((1 - least) / rough) / 2,
    }


def _together(loss: Array | None, val_loss: Array | None) -> dict[str, float]:
    names = (
        "gap",
        "gap at the least",
        "loss falls on",
        "loss falls on, of the loss",
        "least apart",
        "follow",
        "late gap",
    )
    if loss is None or val_loss is None:
        return dict.fromkeys(names, 0.0)
    if len(loss) != len(val_loss):  # validated now and then: the training loss at these times
        loss = np.interp(np.linspace(0, 1, len(val_loss)), np.linspace(0, 1, len(loss)), loss)
    trained, validated = smooth(loss), smooth(val_loss)
    at, fall = int(np.argmin(validated)), max(float(trained[0] - trained.min()), 1e-9 * abs(float(trained[0])) + 1e-300)
    half = len(loss) // 2
    pairs = _correlation(np.diff(loss[half:]), np.diff(val_loss[half:]))
    return {
        "gap": np.arcsinh((validated[-1] - trained[-1]) / fall),
        "gap at the least": np.arcsinh((validated[at] - trained[at]) / fall),
        "loss falls on": np.arcsinh((trained[at] - trained[-1]) / fall * 3),
        "loss falls on, of the loss": np.log2((abs(trained[at]) + 1e-12) / (abs(trained[-1]) + 1e-12)),
        "least apart": (int(np.argmin(trained)) - at) / len(loss),
        "follow": pairs,
        "late gap": np.log2((abs(validated[-1]) + 1e-9) / (abs(trained[-1]) + 1e-9)),
    }


def _correlation(one: Array, other: Array) -> float:
    """Return the correlation of two series, 0 where they are too short or one does not change."""
    if len(one) < 4:
        return 0.0
    one, other = one - one.mean(), other - other.mean()
    size = float(np.sqrt((one**2).sum()) * np.sqrt((other**2).sum()))
    return float((one * other).sum()) / size if size > 0 else 0.0
