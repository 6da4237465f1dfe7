"""The shapes that learning is made of: activations, losses, the price of confidence, and which loss goes with what.

Every number is computed by the library's own functions; nothing is drawn here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hillwalker import activations, losses, records
from hillwalker.activations import Activation, Elementwise
from hillwalker.differentiate import FloatArray
from hillwalker.errors import HillwalkerWarning, InputError, InputTypeError, explain
from hillwalker.labels import labels
from hillwalker.losses import BinaryCrossentropy, Loss, Pinball
from hillwalker.losses.base import ColumnwiseLoss

LESSON_ACTIVATIONS = ("sigmoid", "tanh", "relu", "softmax")
LESSON_LOSSES = ("mse", "mae", "huber", "pinball", "asymmetric_squared_error")
POINTS = 601  # of a curve
JUMP = 1e-3  # a derivative that still changes by more than this within a billionth has no value there
POLE = 1e4  # a larger jump is a pole, such as QLIKE's at a forecast of 0, and no kink
SHORT = {"mean_squared_error": "MSE", "mean_absolute_error": "MAE", "huber_loss": "Huber", "log_cosh": "log-cosh"}
CLASSES = 3  # of the softmax that is shown

Function = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, eq=False)
class Kink:
    """A place where a function has no derivative, and what the library takes for it there."""

    x: float
    derivative: float


@dataclass(frozen=True, eq=False, repr=False)
class Curve:
    """A function and its derivative: `x`, `value` and `derivative`, each (n,); derivative is NaN at a kink.

    `note` says what the name does not, such as what softmax's other inputs are. `symmetric`: f(-x) = f(x).
    """

    name: str
    x: FloatArray
    value: FloatArray
    derivative: FloatArray
    kinks: tuple[Kink, ...] = ()
    note: str = ""
    symmetric: bool = False

    def __repr__(self) -> str:
        kinks = f", kinks at {', '.join(f'{kink.x:.4g}' for kink in self.kinks)}" if self.kinks else ""
        low, high = np.nanmin(self.derivative), np.nanmax(self.derivative)
        note = f" ({self.note})" if self.note else ""
        return (
            f"{self.name}{note}: value {np.nanmin(self.value):.4g} to {np.nanmax(self.value):.4g}, "
            f"derivative {low:.4g} to {high:.4g}{kinks}"
        )


@dataclass(frozen=True, eq=False, repr=False)
class Shapes:
    """Curves of one kind, "activation" (against z) or "loss" (against the error y_pred - y_true)."""

    kind: str
    x_label: str
    curves: tuple[Curve, ...]

    def __getitem__(self, name: str) -> Curve:
        found = next((curve for curve in self.curves if curve.name == name), None)
        if found is None:
            names = ", ".join(repr(curve.name) for curve in self.curves)
            raise InputError(explain(f"the curve {name!r}.", f"one of {names}."))
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, numbers and strings."""
        return {
            "kind": self.kind,
            "x_label": self.x_label,
            "curves": [records.plain(asdict(curve)) for curve in self.curves],
        }

    def to_frame(self) -> Any:
        """Return one row a point: the columns x, value and derivative, with the curve's name as index."""
        names = [curve.name for curve in self.curves for _ in curve.x]
        columns: dict[str, Any] = {
            column: np.concatenate([getattr(curve, column) for curve in self.curves])
            for column in ("x", "value", "derivative")
        }
        return records.to_frame({"curve": names, **columns}, "curve", "shapes.to_frame()")

    def plot(self, title: str | None = None) -> Any:
        """Return a matplotlib figure (see `hillwalker.plots.shapes`)."""
        from hillwalker.plots import shapes as pictures

        return (pictures.plot_activations if self.kind == "activation" else pictures.plot_loss_shapes)(self, title)

    def __repr__(self) -> str:
        return "\n".join([f"Shapes of {len(self.curves)} of kind {self.kind}", *map(repr, self.curves)])


def activation_shapes(names: Any = None, low: float = -6.0, high: float = 6.0) -> Shapes:
    """Return a = f(z) and f'(z) of activations over z from `low` to `high`.

    `names` are names, functions or objects, one or a list; by default the lesson's: sigmoid, tanh, relu and softmax. An
    output of softmax depends on all its inputs: shown is the first of three, the others at z = 0, and its derivative
    by its own z, p (1 - p). Raises InputError for an unknown name and for an empty range.

    >>> shapes = activation_shapes(["sigmoid", "relu"])
    >>> shapes
    Shapes of 2 of kind activation
    sigmoid: value 0.002473 to 0.9975, derivative 0.002467 to 0.25
    relu: value 0 to 6, derivative 0 to 1, kinks at 0
    >>> shapes["relu"].kinks[0].derivative
    0.0
    """
    x = _grid(low, high, "activation_shapes(low=-6, high=6)")
    chosen = [activations.get(name) for name in _listed(names, LESSON_ACTIVATIONS, "activation_shapes")]
    return Shapes("activation", "z", tuple(_activation_curve(one, x) for one in chosen))


def _activation_curve(activation: Activation, x: FloatArray) -> Curve:
    by_row = isinstance(activation, (activations.Softmax, activations.LogSoftmax))
    note = f"first of {CLASSES}, the others at z = 0" if by_row else ""

    def rows(z: FloatArray) -> FloatArray:
        return np.concatenate([z[:, None], np.zeros((len(z), CLASSES - 1 if by_row else 0))], axis=1)

    def value(z: FloatArray) -> FloatArray:
        return activation.value(rows(z))[:, 0]

    def derivative(z: FloatArray) -> FloatArray:
        wide = rows(z)
        a = activation.value(wide)
        if isinstance(activation, Elementwise):
            return activation.derivative(wide, a)[:, 0]
        da = np.zeros_like(wide)
        da[:, 0] = 1.0
        return activation.backward(wide, a, da)[:, 0]

    return _curve(activation.name, x, value, derivative, note)


def loss_shapes(
    names: Any = None,
    quantiles: Sequence[float] = (0.1, 0.5, 0.9),
    y_true: float = 0.0,
    low: float = -3.0,
    high: float = 3.0,
) -> Shapes:
    """Return losses and their slopes against the error e = y_pred - y_true, from `low` to `high`.

    Args:
        names: losses by name, function or object, one or a list; by default mse, mae, huber, pinball and the
            asymmetric squared error.
        quantiles: the name "pinball" gives a curve for each of these, 0 to 1.
        y_true: the target, for losses that depend on more than the error, such as QLIKE (y_true=1.0).

    Raises InputError for an unknown name, for a loss of several outputs, and for one that has no value at this y_true.

    >>> loss_shapes(["mse", "pinball"], quantiles=[0.9])
    Shapes of 2 of kind loss
    MSE: value 0 to 9, derivative -6 to 6
    pinball 0.9: value 0 to 2.7, derivative -0.9 to 0.1, kinks at 0
    """
    x = _grid(low, high, "loss_shapes(low=-3, high=3)")
    chosen: list[Loss] = []
    for name in _listed(names, LESSON_LOSSES, "loss_shapes"):
        is_pinball = isinstance(name, str) and name in ("pinball", "Pinball")
        chosen += [Pinball(quantile) for quantile in quantiles] if is_pinball else [losses.get(name)]
    target = _number("y_true", y_true)
    return Shapes("loss", "error = y_pred - y_true", tuple(_loss_curve(loss, x, target) for loss in chosen))


def _loss_curve(loss: Loss, x: FloatArray, y_true: float) -> Curve:
    is_own = not loss.kind
    if isinstance(loss, BinaryCrossentropy) or not (is_own or isinstance(loss, ColumnwiseLoss)):
        passed = f"the loss {loss.name!r}, whose prediction is a probability or has several columns."
        raise InputError(explain(passed, "a loss of one number.", "confidence_shape(), for cross-entropy"))

    def value(error: FloatArray) -> FloatArray:
        return loss.values(np.full((len(error), 1), y_true), y_true + error[:, None])

    def derivative(error: FloatArray) -> FloatArray:
        return loss.derivative(np.full((len(error), 1), y_true), y_true + error[:, None])[:, 0]

    with np.errstate(all="ignore"):
        if is_own and np.ptp(value(x)) == 0 and np.ptp(value(x[:1])) == 0 and value(x)[0] != value(x[:1])[0]:
            passed = f"the loss {loss.name!r}, which returns one number for a whole batch."
            raise InputError(explain(passed, "one number a row.", "return np.mean(..., axis=-1)"))
        curve = _curve(_loss_name(loss), x, value, derivative)
    if not np.isfinite(curve.value).any() or np.isnan(curve.value).mean() > 0.9:
        passed = f"the loss {loss.name!r} with y_true={y_true:g}, where it has no value."
        raise InputError(explain(passed, "a y_true that the loss is made for.", "loss_shapes([...], y_true=1.0)"))
    return curve


def _loss_name(loss: Loss) -> str:
    """Return the short name, with the numbers that make the shape where they are not the usual ones."""
    name = SHORT.get(loss.name, loss.name.replace("_", " "))
    if isinstance(loss, Pinball):
        return f"{name} {loss.quantile:g}"
    usual = type(loss)() if loss.kind else loss
    told = [getattr(loss, one) for one in loss.parameters if getattr(loss, one) != getattr(usual, one)]
    return " ".join([name, *(f"{number:g}" for number in told)])


def _curve(name: str, x: FloatArray, value: Function, derivative: Function, note: str = "") -> Curve:
    """Return a curve whose points close in on each kink from both sides, where its derivative is NaN."""
    kinks = _kinks(x, derivative)
    width = (x[-1] - x[0]) * 1e-9
    places = np.array([kink.x for kink in kinks])
    if kinks:
        far = np.abs(x[:, None] - places).min(axis=1) > 4 * width
        x = np.sort(np.concatenate([x[far], places - 2 * width, places, places + 2 * width]))
    slope = np.array(derivative(x), dtype=np.float64)
    values = np.asarray(value(x), dtype=np.float64)
    slope[np.isin(x, places) | np.isnan(values)] = np.nan
    mirrored = np.asarray(value(-x), dtype=np.float64)
    symmetric = bool(np.allclose(values, mirrored, rtol=1e-6, atol=1e-9, equal_nan=True))
    return Curve(name, x, values, slope, kinks, note, symmetric)


def _kinks(x: FloatArray, derivative: Function) -> tuple[Kink, ...]:
    """Return the places where the derivative jumps: each interval is halved 30 times towards its larger change."""
    low, high = x[:-1], x[1:]
    at_low, at_high = derivative(low), derivative(high)
    for _ in range(30):
        middle = 0.5 * (low + high)
        at_middle = derivative(middle)
        left = np.abs(at_middle - at_low) >= np.abs(at_high - at_middle)
        low, high = np.where(left, low, middle), np.where(left, middle, high)
        at_low, at_high = np.where(left, at_low, at_middle), np.where(left, at_middle, at_high)
    found: list[Kink] = []
    jumps = np.abs(at_high - at_low)
    for place in 0.5 * (low + high)[(jumps > JUMP) & (jumps < POLE)]:
        exact = float(np.round(place, 6))  # kinks lie at numbers that people write down
        exact = exact if abs(exact - place) < 1e-7 else float(place)
        if not found or abs(exact - found[-1].x) > 1e-6:
            found.append(Kink(exact + 0.0, float(derivative(np.array([exact]))[0])))
    return tuple(found)


@dataclass(frozen=True)
class Confidence:
    """What one predicted probability costs: the loss and its slopes if the label is 1, and if it is 0.

    `slope` is the derivative by the probability p; `blame` the one by z, p = sigmoid(z), which is p - y.
    """

    probability: float
    loss_if_1: float
    loss_if_0: float
    slope_if_1: float
    slope_if_0: float
    blame_if_1: float
    blame_if_0: float


@dataclass(frozen=True, eq=False, repr=False)
class ConfidenceShape:
    """Binary cross-entropy against the predicted probability of label 1; arrays (n,), and some numbers by name."""

    probability: FloatArray
    loss_if_1: FloatArray
    loss_if_0: FloatArray
    slope_if_1: FloatArray
    slope_if_0: FloatArray
    marks: tuple[Confidence, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists and numbers."""
        plain: dict[str, Any] = records.plain(asdict(self))
        return plain

    def to_frame(self) -> Any:
        """Return one row a probability, with the losses and the slopes."""
        names = ("loss_if_1", "loss_if_0", "slope_if_1", "slope_if_0")
        columns: dict[str, Any] = {name: getattr(self, name) for name in names}
        return records.to_frame(
            {"probability": self.probability.tolist(), **columns}, "probability", "shape.to_frame()"
        )

    def plot(self, title: str | None = None) -> Any:
        """Return a matplotlib figure (see `hillwalker.plots.shapes.plot_confidence`)."""
        from hillwalker.plots.shapes import plot_confidence

        return plot_confidence(self, title)

    def __repr__(self) -> str:
        head = f"{'p':>6}{'loss if y=1':>13}{'loss if y=0':>13}{'dL/dp if y=1':>14}{'dL/dp if y=0':>14}"
        rows = [
            f"{one.probability:>6g}{one.loss_if_1:>13.4f}{one.loss_if_0:>13.4f}"
            f"{one.slope_if_1:>14.3f}{one.slope_if_0:>14.3f}"
            for one in self.marks
        ]
        return "\n".join(["Binary cross-entropy of a predicted probability p", head, *rows])


def confidence_shape(marks: Sequence[float] = (0.01, 0.5, 0.9, 0.99)) -> ConfidenceShape:
    """Return what confidence costs: -ln p if the label is 1, -ln(1 - p) if it is 0, and the slopes.

    `marks` are the probabilities, between 0 and 1, whose numbers are told by name. Raises InputError for others.

    >>> confidence_shape()
    Binary cross-entropy of a predicted probability p
         p  loss if y=1  loss if y=0  dL/dp if y=1  dL/dp if y=0
      0.01       4.6052       0.0101      -100.000         1.010
       0.5       0.6931       0.6931        -2.000         2.000
       0.9       0.1054       2.3026        -1.111        10.000
      0.99       0.0101       4.6052        -1.010       100.000
    """
    for mark in marks:
        if not 0.0 < _number("marks", mark) < 1.0:
            raise InputError(explain(f"marks with {mark!r}.", "probabilities between 0 and 1.", "marks=[0.5, 0.99]"))
    # Evenly spaced in z, so that there are points enough where the curves are steep.
    p = activations.get("sigmoid").value(np.linspace(-7.0, 7.0, POINTS))
    curves = [_cross_entropy(p, label) for label in (1.0, 0.0)]
    given = np.array(marks, dtype=np.float64)
    at = [_cross_entropy(given, label) for label in (1.0, 0.0)]
    rows = tuple(
        Confidence(float(p), float(one), float(none), float(slope_one), float(slope_none), float(p - 1.0), float(p))
        for p, one, none, slope_one, slope_none in zip(given, at[0][0], at[1][0], at[0][1], at[1][1], strict=True)
    )
    return ConfidenceShape(p, curves[0][0], curves[1][0], curves[0][1], curves[1][1], rows)


def _cross_entropy(p: FloatArray, label: float) -> tuple[FloatArray, FloatArray]:
    loss, y = BinaryCrossentropy(), np.full((len(p), 1), label)
    return loss.values(y, p[:, None]), loss.derivative(y, p[:, None])[:, 0]


@dataclass(frozen=True)
class Advice:
    """A row of the cheat sheet: for this task, this last layer, this loss, targets like these.

    `layer` and `loss` are what one writes in Python; `example` holds targets that fit.
    """

    task: str
    activation: str
    loss_name: str
    targets: str
    layer: str
    loss: str
    units: int
    example: tuple[Any, ...]


@dataclass(frozen=True, repr=False)
class CheatSheet:
    """Task by task: the last layer, the loss, the targets."""

    rows: tuple[Advice, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the rows as plain lists, numbers and strings."""
        return {"rows": [records.plain(asdict(row)) for row in self.rows]}

    def to_frame(self) -> Any:
        """Return one row a task."""
        names = ("activation", "loss_name", "targets", "layer", "loss")
        columns: dict[str, Any] = {name: [getattr(row, name) for row in self.rows] for name in names}
        return records.to_frame({"task": [row.task for row in self.rows], **columns}, "task", "sheet.to_frame()")

    def plot(self, title: str | None = "Which output and which loss for which task") -> Any:
        """Return the table as a matplotlib figure (see `hillwalker.plots.cheat_sheet.plot_cheat_sheet`)."""
        from hillwalker.plots.cheat_sheet import plot_cheat_sheet

        return plot_cheat_sheet(self, title)

    def __repr__(self) -> str:
        lines = [("task", "last layer", "loss", "targets")]
        lines += [(row.task, row.layer, row.loss, row.targets) for row in self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(4)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
        )


_NUMBERS, _MATRIX = (1.5, -0.2, 3.1, 0.7), ((1.5, 0.2), (-0.4, 2.0), (0.3, 1.1), (0.9, -1.2))
_ONE_HOT, _SEVERAL = ((1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 0)), ((1, 0, 1), (0, 0, 0), (1, 1, 1), (0, 1, 0))
_LESSON = (
    Advice("a number", "linear", "MSE", "numbers", "Dense(1)", '"mse"', 1, _NUMBERS),
    Advice("a number, outliers in y", "linear", "MAE", "numbers", "Dense(1)", '"mae"', 1, _NUMBERS),
    Advice(
        "yes or no", "sigmoid", "binary cross-entropy", "0 or 1", 'Dense(1, activation="sigmoid")',
        '"binary_crossentropy"', 1, (0, 1, 1, 0),
    ),
    Advice(
        "one of k classes", "softmax", "sparse categorical cross-entropy", "class numbers 0 to k - 1",
        'Dense(3, activation="softmax")', '"sparse_categorical_crossentropy"', 3, (0, 2, 1, 1),
    ),
    Advice(
        "one of k classes", "softmax", "categorical cross-entropy", "one-hot, (rows, k)",
        'Dense(3, activation="softmax")', '"categorical_crossentropy"', 3, _ONE_HOT,
    ),
)  # fmt: skip
_FURTHER = (
    Advice("several numbers", "linear", "MSE", "numbers, (rows, k)", "Dense(2)", '"mse"', 2, _MATRIX),
    Advice("a number, few outliers", "linear", "Huber", "numbers", "Dense(1)", '"huber"', 1, _NUMBERS),
    Advice("a quantile, here 90 %", "linear", "pinball", "numbers", "Dense(1)", "hw.losses.Pinball(0.9)", 1, _NUMBERS),
    Advice(
        "a count", "exponential", "Poisson", "0, 1, 2, …", 'Dense(1, activation="exponential")', '"poisson"', 1,
        (0, 3, 1, 2),
    ),
    Advice(
        "a variance", "softplus", "QLIKE", "numbers above 0", 'Dense(1, activation="softplus")', '"qlike"', 1,
        (0.4, 1.3, 0.2, 2.2),
    ),
    Advice(
        "several labels a row", "sigmoid", "binary cross-entropy", "0 or 1, (rows, k)",
        'Dense(3, activation="sigmoid")', '"binary_crossentropy"', 3, _SEVERAL,
    ),
    Advice(
        "yes or no, from logits", "linear", "binary cross-entropy", "0 or 1", "Dense(1)",
        "hw.losses.BinaryCrossentropy(from_logits=True)", 1, (0, 1, 1, 0),
    ),
)  # fmt: skip


def cheat_sheet(further: bool = True) -> CheatSheet:
    """Return which last layer, loss and targets go with which task; the lesson's five rows, or all.

    Each row's example is put to the rules by which `fit` judges targets (`labels.py`), so that no row can be wrong.

    >>> print(cheat_sheet(further=False).rows[2].layer)
    Dense(1, activation="sigmoid")
    """
    rows = (*_LESSON, *(_FURTHER if further else ()))
    for row in rows:
        y = np.array(row.example, dtype=np.float64).reshape(len(row.example), -1)
        loss = losses.get(row.loss.strip('"')) if row.loss.startswith('"') else None
        name = _KIND_OF_WRITTEN[row.loss] if loss is None else loss.kind
        with warnings.catch_warnings():
            warnings.simplefilter("error", HillwalkerWarning)
            labels(y, name, row.units, row.activation, "from_logits=True" in row.loss)
    return CheatSheet(rows)


_KIND_OF_WRITTEN = {
    "hw.losses.Pinball(0.9)": "pinball",
    "hw.losses.BinaryCrossentropy(from_logits=True)": "binary_crossentropy",
}


def _listed(names: Any, usual: tuple[str, ...], call: str) -> list[Any]:
    if names is None:
        return list(usual)
    listed = list(names) if isinstance(names, (list, tuple)) else [names]
    if not listed:
        raise InputError(explain("an empty list.", "at least one name.", f'{call}(["{usual[0]}"])'))
    return listed


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not np.isfinite(value):
        raise InputTypeError(explain(f"{name}={value!r}.", "a finite number.", f"{name}=0.0"))
    return float(value)


def _grid(low: float, high: float, call: str) -> FloatArray:
    if not _number("low", low) < _number("high", high):
        raise InputError(explain(f"low={low!r}, high={high!r}.", "a low below the high.", call))
    return np.linspace(low, high, POINTS)
