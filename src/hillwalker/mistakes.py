"""Likely mistakes in a model and its data, seen before anything is trained. One rule, one function; a table of rules.

What cannot work at all is refused in `labels.py` and `checks.py`. Here is what works and is probably not meant, so a
rule speaks only where hardly anyone could mean it: a false alarm costs more than a miss. `docs/mistakes.md` has the
rules, and what they found on real data.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import activations, config, layers
from hillwalker.errors import MistakeWarning, explain
from hillwalker.layers import Layer

Array = NDArray[Any]

LARGE = 100.0  # a mean or standard deviation this far from 0 and 1
RATIO = 1000.0  # one column's standard deviation to another's
TINY = 1e-3  # a standard deviation, where 1 is the scale that weights and rates are made for
NUMBERS = 2**16  # looked at: rows spread evenly are enough for thresholds as coarse as these
ROWS = 256  # looked at in any case, where there are so many

# What leaves the kind of function between two layers as it is: batch normalisation is a straight line once trained.
_PASSES = (layers.InputLayer, layers.Flatten, layers.Dropout, layers.GaussianNoise, layers.BatchNormalization)
_RANGES = {
    **dict.fromkeys(("sigmoid", "hard_sigmoid", "softmax"), (0.0, 1.0)),
    **dict.fromkeys(("tanh", "softsign"), (-1.0, 1.0)),
    **dict.fromkeys(("softplus", "exponential"), (0.0, math.inf)),
}
_PROBABILITIES = ("sigmoid", "softmax")
_PLAIN = ("mean_squared_error", "mean_absolute_error")
_REGRESSION = (*_PLAIN, "huber", "log_cosh", "pinball", "asymmetric_squared_error")


@dataclass(frozen=True)
class _Case:
    layers: Sequence[Layer]
    loss: str
    inputs: int | None  # numbers in a row of x, if known
    x: Array | None  # (rows, inputs)
    y: Array | None  # (rows, outputs)

    @cached_property
    def functions(self) -> list[Layer]:
        """The layers that make the network's function what it is."""
        return [layer for layer in self.layers if not isinstance(layer, _PASSES) and not _is_straight(layer)]

    @cached_property
    def output(self) -> activations.Activation | None:
        """The activation that the output comes from, None where that is not plain."""
        for layer in reversed(self.layers):
            if isinstance(layer, (layers.Dense, layers.Activation)):
                return layer.activation
            if isinstance(layer, layers.BatchNormalization):
                return None
        return None


def _is_straight(layer: Layer) -> bool:
    return isinstance(layer, layers.Activation) and layer.activation.kind == "linear"


def _kind(layer: Layer) -> str:
    return layer.activation.kind if isinstance(layer, (layers.Dense, layers.Activation)) else ""


# The stack and the loss


def _missing_nonlinearity(case: _Case) -> str | None:
    inputs = case.inputs
    for below, above in zip(case.functions, case.functions[1:], strict=False):
        if not isinstance(below, layers.Dense):
            continue
        width, inputs = inputs, below.units
        if not isinstance(above, layers.Dense) or _kind(below) != "linear" or not below.trainable:
            continue  # weights that are kept as they are may be a projection of the user's own
        if width is None or below.units < min(width, above.units):
            continue  # a bottleneck, such as an autoencoder's code, is no detour: it leaves out directions
        passed = f"the layers {below.name!r} and {above.name!r} with nothing but straight lines between them."
        expected = "an activation after each hidden layer: without, the two can do no more than one layer."
        return explain(passed, expected, f'Dense({below.units}, activation="relu")')
    return None


def _softmax_twice(case: _Case) -> str | None:
    for below, above in zip(case.functions, case.functions[1:], strict=False):
        if isinstance(above, layers.Activation) and {_kind(below), _kind(above)} <= set(_PROBABILITIES):
            passed = f"{_kind(above)} in the layer {above.name!r} on the {_kind(below)} of {below.name!r}."
            expected = "one of them: the second squeezes probabilities together, and no output gets near 0 or 1."
            return explain(passed, expected, f"the layers without {above.name!r}")
    return None


# The output and the targets


def _squared_error_of_labels(case: _Case) -> str | None:
    if case.y is None or case.loss not in _PLAIN or case.output is None:
        return None
    kind = case.output.kind
    if kind not in _PROBABILITIES or not np.isin(_sample(case.y), (0.0, 1.0)).all():
        return None
    wanted = "categorical_crossentropy" if kind == "softmax" else "binary_crossentropy"
    passed = f"the loss {case.loss!r} on {kind} outputs, for labels of 0 and 1."
    expected = f"the loss {wanted!r}, whose slope stays where an output is surely wrong; this one's vanishes there."
    return explain(passed, expected, f'loss="{wanted}"')


def _out_of_reach(case: _Case) -> str | None:
    if case.y is None or case.loss not in _REGRESSION or case.output is None:
        return None
    low, high = _range(case.output)
    if math.isinf(low) and math.isinf(high):
        return None
    y = _sample(case.y)
    slack = 1e-3 * float(y.std())  # targets scaled to [0, 1] may miss it by rounding
    outside = (y < low - slack) | (y > high + slack)
    if (share := float(outside.mean())) <= 0.01:
        return None
    extreme = y.min() if (y < low - slack).any() else y.max()
    reach = f"from {low:g} to {high:g}" if math.isfinite(high) else f"{low:g} or more"
    passed = (
        f"y with {extreme:g}, and {share:.0%} of its values out of reach of {case.output.name!r}, which is {reach}."
    )
    return explain(passed, "an output that can be what is wanted.", f"Dense({case.y.shape[1]}), or other units for y")


def _range(activation: activations.Activation) -> tuple[float, float]:
    if isinstance(activation, activations.Relu):
        low = 0.0 if activation.negative_slope == 0.0 else -math.inf
        return low, math.inf if activation.max_value is None else activation.max_value
    return _RANGES.get(activation.kind, (-math.inf, math.inf))


# Scales


def _unscaled_inputs(case: _Case) -> str | None:
    if case.x is None or _is_normalized(case.layers):
        return None
    x = _sample(case.x)
    mean, deviation = _moments(x)
    varies = deviation > 1e-6 * np.abs(mean)  # a constant column does no harm, whatever its value
    far = np.where(varies, np.maximum(np.abs(mean), deviation), 0.0)
    if far[column := int(far.argmax())] > LARGE:
        others = int((far > LARGE).sum()) - 1
        more = f", and {others} more like it" if others else ""
        passed = f"X whose column {column} has mean {mean[column]:.4g} and deviation {deviation[column]:.4g}{more}."
        return explain(passed, _STANDARD, "X = X / 255" if _are_pixels(x) else _standardise(varies))
    if varies.any() and far.max() < TINY:
        passed = f"X whose columns all lie near 0, none with a deviation above {deviation.max():.2g}."
        return explain(passed, _STANDARD, _standardise(varies))
    candidates = np.flatnonzero(varies & (RATIO * deviation < deviation.max()))
    if small := [int(column) for column in candidates if _is_dense(x[:, column])]:
        least, most = min(small, key=deviation.__getitem__), int(deviation.argmax())
        passed = f"X whose column {most} deviates by {deviation[most]:.3g}, column {least} by {deviation[least]:.3g}."
        return explain(passed, _STANDARD, _standardise(varies))
    return None


_STANDARD = "columns of mean 0 and standard deviation 1, or nearly; or BatchNormalization() as the first layer."
_STANDARDISE = "{0} = ({0} - {0}_train.mean({1})) / {0}_train.std({1})"


def _standardise(varies: Array) -> str:
    """Return the line that standardises; with a constant column it must not divide by 0."""
    fix = _STANDARDISE.format("X", "axis=0")
    return fix if varies.all() else fix.replace("X_train.std(axis=0)", "np.maximum(X_train.std(axis=0), 1e-6)")


def _is_normalized(stack: Sequence[Layer]) -> bool:
    first = next((layer for layer in stack if not isinstance(layer, (layers.InputLayer, layers.Flatten))), None)
    return isinstance(first, layers.BatchNormalization)


def _are_pixels(x: Array) -> bool:
    return bool(x.shape[1] >= 16 and x.min() >= 0 and x.max() <= 255 and (x == np.floor(x)).all())


def _is_dense(column: Array) -> bool:
    """Whether a column's small deviation is its unit's: not a pixel that is mostly 0, not a rare yes among no."""
    values = np.unique(column)
    return len(values) > 2 and bool((column == 0).mean() < 0.5)


def _unscaled_targets(case: _Case) -> str | None:
    if case.y is None or case.loss not in _REGRESSION or case.output is None or case.output.kind != "linear":
        return None
    mean, deviation = _moments(_sample(case.y))
    last = case.functions[-1] if case.functions else None
    start = last.values.get("bias", 0.0) if isinstance(last, layers.Dense) else 0.0  # where the first outputs lie
    far = np.maximum(np.abs(mean - start), deviation)
    small = (deviation < TINY) & (deviation > 1e-6 * np.abs(mean))
    if far[column := int(far.argmax())] > LARGE:
        expected = "mean 0 and standard deviation 1, or nearly: the first outputs are near 0, and steps are small."
    elif small.any():
        column = int(small.argmax())
        expected = "mean 0 and standard deviation 1, or nearly: else one step changes the output by more than y varies."
    else:
        return None
    which = "y" if len(mean) == 1 else f"y whose column {column} is"
    passed = f"{which} of mean {mean[column]:.4g} and standard deviation {deviation[column]:.4g}."
    return explain(passed, expected, _STANDARDISE.format("y", "" if len(mean) == 1 else "axis=0"))


def _sample(array: Array) -> Array:
    """Return the array, or of a large one rows spread evenly, in float64."""
    step = max(1, min(-(-array.size // NUMBERS), len(array) // ROWS))
    return np.asarray(array[::step], dtype=np.float64)


def _moments(x: Array) -> tuple[Array, Array]:
    with np.errstate(over="ignore", invalid="ignore"):  # of numbers near the largest that there are
        return x.mean(axis=0), x.std(axis=0)


Rule = Callable[[_Case], str | None]
OF_STACK: tuple[tuple[str, Rule], ...] = (
    ("missing-nonlinearity", _missing_nonlinearity),
    ("double-softmax", _softmax_twice),
)
OF_DATA: tuple[tuple[str, Rule], ...] = (
    ("loss-activation-mismatch", _squared_error_of_labels),
    ("loss-activation-mismatch", _out_of_reach),
    ("unscaled-inputs", _unscaled_inputs),
    ("unscaled-targets", _unscaled_targets),
)


def found(
    stack: Sequence[Layer],
    loss_name: str = "",
    inputs: int | None = None,
    x: Array | None = None,
    y: Array | None = None,
    skip: set[str] | None = None,
) -> Iterator[tuple[str, str]]:
    """Yield the likely mistakes in a stack of layers, its loss and the rows it is to be trained on: name and message.

    Args:
        stack: the layers; weights are only looked at.
        loss_name: the loss's kind, empty for none and for one of the user's own.
        inputs: how many numbers a row of x holds; None where that is not known yet.
        x, y: checked arrays (rows, inputs) and (rows, outputs); None: only the stack and the loss are looked at.
        skip: names not to look for.

    >>> stack = [layers.Dense(8), layers.Dense(1)]
    >>> [name for name, message in found(stack, "mean_squared_error", inputs=4)]
    ['missing-nonlinearity']
    """
    case = _Case(stack, loss_name, inputs, x, y)
    for name, rule in OF_STACK if x is None else OF_STACK + OF_DATA:
        if not (skip and name in skip) and (message := rule(case)) is not None:
            yield name, message


def warn(
    stack: Sequence[Layer],
    loss_name: str,
    told: set[str],
    inputs: int | None = None,
    x: Array | None = None,
    y: Array | None = None,
    stacklevel: int = 3,
) -> None:
    """Warn of the likely mistakes that are neither in `told` nor silenced, and put their names into `told`.

    >>> told = {"missing-nonlinearity"}
    >>> warn([layers.Dense(8), layers.Dense(1)], "mean_squared_error", told, inputs=4)
    """
    for name, message in found(stack, loss_name, inputs, x, y, told.union(config.silence())):
        if name not in told:  # one rule's name is enough, where two rules have it
            warnings.warn(MistakeWarning(message, name), stacklevel=stacklevel)
            told.add(name)
