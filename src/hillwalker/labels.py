"""Do these labels fit this loss and this output? One rule, one function; the table says which loss has which.

The labels are numbers already, checked in `checks.py`; nothing is converted here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hillwalker import config
from hillwalker.checks import Array, blocks, first_bad
from hillwalker.errors import InputError, MistakeWarning, explain


@dataclass(frozen=True)
class _Case:
    y: Array  # (rows, columns)
    loss: str
    width: int  # units of the last layer
    activation: str | None  # of the last layer
    from_logits: bool
    told: set[str]  # the names of what was warned of before


def _refuse(case: _Case, is_bad: Callable[[Array], Any], expected: str, fix: str | None = None) -> None:
    if (found := first_bad(case.y, is_bad)) is not None:
        row, column, value = found
        where = f"row {row}" if case.y.shape[1] == 1 else f"row {row}, column {column}"
        raise InputError(explain(f"y with {value:g} in {where}, for the loss {case.loss!r}.", expected, fix))


def _not_softmax_of_one(case: _Case) -> None:
    if case.activation == "softmax" and case.width == 1:
        passed = "softmax on one unit, whose output is always 1."
        raise InputError(explain(passed, "two units or more for softmax.", 'Dense(1, activation="sigmoid")'))


def _two_units(case: _Case) -> None:
    if case.width == 1:
        fix = 'Dense(1, activation="sigmoid") with loss="binary_crossentropy"'
        raise InputError(explain(f"the loss {case.loss!r} with one output unit.", "one unit for each class.", fix))


def _same_width(case: _Case) -> None:
    if case.y.shape[1] != case.width:
        passed = f"y of shape {case.y.shape} for outputs of shape ({len(case.y)}, {case.width})."
        fix = f"Dense({case.y.shape[1]}) as the last layer"
        if case.loss == "binary_crossentropy" and case.y.shape[1] == 1:
            fix = 'Dense(1, activation="sigmoid"), or loss="sparse_categorical_crossentropy"'
        raise InputError(explain(passed, "the same shape; nothing is broadcast.", fix))


_PROBABILITIES = {"sigmoid", "softmax", "hard_sigmoid"}
_UNBOUNDED = {
    *("relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "swish", "mish", "tanh", "softsign", "softplus"),
    *("exponential", "log_softmax"),
}


def _outputs_are_probabilities(case: _Case) -> None:
    wanted = "sigmoid" if case.loss == "binary_crossentropy" else "softmax"
    class_name = "".join(part.capitalize() for part in case.loss.split("_"))
    activation = case.activation or "linear"
    if not case.from_logits and activation == "linear":
        passed = f"the loss {case.loss!r} on a linear output, which is no probability."
        fix = f'Dense({case.width}, activation="{wanted}"), or loss={class_name}(from_logits=True)'
        raise InputError(explain(passed, f"an output between 0 and 1 ({wanted}), or from_logits=True.", fix))
    if not case.from_logits and activation in _UNBOUNDED:
        passed = f"the loss {case.loss!r} on the output of {activation!r}, which is no probability."
        _warn(
            case,
            "loss-activation-mismatch",
            explain(passed, f"an output between 0 and 1 ({wanted}).", f'Dense({case.width}, activation="{wanted}")'),
        )
    if not case.from_logits and activation == "sigmoid" and wanted == "softmax":
        passed = f"the loss {case.loss!r} on sigmoid outputs, which do not sum to 1."
        _warn(
            case,
            "loss-activation-mismatch",
            explain(passed, "softmax outputs.", f'Dense({case.width}, activation="softmax")'),
        )
    if case.from_logits and activation in _PROBABILITIES:
        passed = f"from_logits=True on the output of {activation!r}, which is already a probability."
        _warn(case, "double-softmax", explain(passed, "a linear output, or from_logits=False.", f"loss={class_name}()"))


def _class_numbers(case: _Case) -> None:
    if case.y.shape[1] != 1:
        passed = f"y of shape {case.y.shape} for the loss {case.loss!r}."
        fix = 'loss="categorical_crossentropy", or y.argmax(axis=1)'
        raise InputError(explain(passed, "one class number a row, shape (rows,).", fix))
    expected = f"whole class numbers from 0 to {case.width - 1}, for {case.width} outputs."
    _refuse(case, lambda y: (y != np.floor(y)) | (y < 0), expected, "classes, y = np.unique(y, return_inverse=True)")
    _refuse(case, lambda y: y >= case.width, expected, "one output for each class, Dense(classes), classes from 0")


def _one_hot(case: _Case) -> None:
    if case.y.shape[1] == 1 and case.width > 1:
        passed = f"y of shape ({len(case.y)},) for the loss {case.loss!r} and {case.width} outputs."
        fix = 'loss="sparse_categorical_crossentropy", or hw.utils.to_categorical(y)'
        raise InputError(explain(passed, f"one column for each class, shape (rows, {case.width}).", fix))


def _rows_sum_to_one(case: _Case) -> None:
    for start, block in blocks(case.y):
        sums = block.sum(axis=1, dtype=np.float64)
        if (bad := np.abs(sums - 1) > 1e-3).any():
            row = int(bad.argmax())
            passed = f"y whose row {start + row} sums to {sums[row]:g}, for the loss {case.loss!r}."
            fix = 'Dense(classes, activation="sigmoid") with loss="binary_crossentropy", for several classes in a row'
            _warn(case, "label-sums", explain(passed, "rows that sum to 1: one-hot, or probabilities.", fix))
            return


def _between_0_and_1(case: _Case) -> None:
    fix = 'loss="mean_squared_error", for targets that are no labels'
    if case.y.shape[1] == 1:
        fix = 'loss="sparse_categorical_crossentropy", for more classes than two'
    _refuse(case, lambda y: (y < 0) | (y > 1), "labels from 0 to 1.", fix)


def _between_minus_1_and_1(case: _Case) -> None:
    _refuse(case, lambda y: (y < -1) | (y > 1), "labels -1 and 1, or 0 and 1.", "y = np.where(y > 0, 1, -1)")


def _not_negative(case: _Case) -> None:
    _refuse(case, lambda y: y < 0, "targets of 0 or more.", 'loss="mean_squared_error"')


def _positive(case: _Case) -> None:
    _refuse(case, lambda y: y <= 0, "targets above 0.", "np.maximum(y, smallest_variance)")


def _not_near_zero(case: _Case) -> None:
    if (found := first_bad(case.y, lambda y: np.abs(y) < 1e-7)) is not None:
        passed = f"y with {found[2]:g} in row {found[0]}, for the loss {case.loss!r}, which divides by it."
        _warn(case, "division-by-zero", explain(passed, "targets away from 0.", 'loss="mean_absolute_error"'))


def _more_than_one_column(case: _Case) -> None:
    if case.width == 1:
        passed = f"the loss {case.loss!r} with one output, which then knows only the sign."
        _warn(case, "cosine-of-one-output", explain(passed, "two outputs or more.", 'loss="mean_squared_error"'))


def _warn(case: _Case, name: str, message: str) -> None:
    if name not in config.silence() and name not in case.told:
        warnings.warn(MistakeWarning(message, name), stacklevel=2)
        case.told.add(name)


Rule = Callable[[_Case], None]
_REGRESSION: tuple[Rule, ...] = (_not_softmax_of_one, _same_width)
RULES: dict[str, tuple[Rule, ...]] = {
    "mean_squared_error": _REGRESSION,
    "mean_absolute_error": _REGRESSION,
    "mean_absolute_percentage_error": (*_REGRESSION, _not_near_zero),
    "mean_squared_logarithmic_error": (*_REGRESSION, _not_negative),
    "huber": _REGRESSION,
    "log_cosh": _REGRESSION,
    "pinball": _REGRESSION,
    "asymmetric_squared_error": _REGRESSION,
    "cosine_similarity": (*_REGRESSION, _more_than_one_column),
    "poisson": (*_REGRESSION, _not_negative),
    "qlike": (*_REGRESSION, _positive),
    "hinge": (*_REGRESSION, _between_minus_1_and_1),
    "squared_hinge": (*_REGRESSION, _between_minus_1_and_1),
    "categorical_hinge": (_not_softmax_of_one, _two_units, _one_hot, _same_width, _between_0_and_1),
    "kl_divergence": (_not_softmax_of_one, _one_hot, _same_width, _between_0_and_1),
    "binary_crossentropy": (_not_softmax_of_one, _same_width, _between_0_and_1, _outputs_are_probabilities),
    "categorical_crossentropy": (
        *(_not_softmax_of_one, _two_units, _one_hot, _same_width, _between_0_and_1),
        *(_rows_sum_to_one, _outputs_are_probabilities),
    ),
    "sparse_categorical_crossentropy": (_not_softmax_of_one, _two_units, _class_numbers, _outputs_are_probabilities),
}


def only_width_matters(loss_name: str, output_width: int, output_activation_name: str | None) -> bool:
    """Return whether targets of the output's width fit this loss and last layer, whatever numbers they hold.

    >>> only_width_matters("mean_squared_error", 1, "linear"), only_width_matters("poisson", 1, "linear")
    (True, False)
    """
    return RULES.get(loss_name) is _REGRESSION and not (output_activation_name == "softmax" and output_width == 1)


def labels(
    y: Array,
    loss_name: str,
    output_width: int,
    output_activation_name: str | None = "linear",
    from_logits: bool = False,
    told: set[str] | None = None,
) -> None:
    """Refuse targets that do not fit the loss and the last layer; warn where they fit but are probably not meant.

    `y` has shape (rows, columns); `told` holds the names of what was warned of before, and takes new ones. A loss of
    the user's own may take targets of any width and value: it is only checked for softmax on one unit. Raises
    InputError naming the value, the row and both shapes.

    >>> labels(np.array([[0], [2]]), "sparse_categorical_crossentropy", 3, "softmax")
    """
    case = _Case(y, loss_name, output_width, output_activation_name, from_logits, set() if told is None else told)
    for rule in RULES.get(loss_name, (_not_softmax_of_one,)):
        rule(case)
