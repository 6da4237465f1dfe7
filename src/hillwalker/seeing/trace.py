"""The record of one pass: every number of it, forward and backward, and what the next step would change.

Frozen arrays in float64 and a few sums over them; how it is filled is in `passes.py`, how it is told in words in
`explain.py` and `report.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import records
from hillwalker.activations import Activation
from hillwalker.errors import InputError, InputTypeError, explain, unknown_name
from hillwalker.losses import Loss
from hillwalker.optimizers import Optimizer
from hillwalker.regularizers import Regularizer

if TYPE_CHECKING:
    from hillwalker.seeing.explain import Explanation

Array = NDArray[np.float64]
VIEWS = ("network", "forward", "backward")


@dataclass(frozen=True, repr=False, eq=False)
class LayerBlame:
    """How the blame is shared among units, and what each share is made of.

    `shares` (J,) sum to 1: a unit's is its sum over the rows of |dL/dz| divided by that of all units; of a layer
    without an activation |dL/da| takes its place, and of the network's inputs |x dL/dx|: by how much, to first order,
    the loss would change if the input were 0. Where nobody is to blame, all are 0.

    Where a Dense layer with K units comes next, blame arrives by its kernel: dL/da_j is exactly the sum of the parts
    dL/dz_k W[j,k]. `dz` (B, K) and `W` (J, K) are that layer's; None where another kind comes next.
    """

    shares: Array
    dz: Array | None = None
    W: Array | None = None

    @property
    def parts(self) -> Array | None:
        """The parts (J, K), summed over the rows; None where no Dense layer comes next."""
        return None if self.dz is None or self.W is None else self.W * self.dz.sum(axis=0)

    def parts_of(self, row: int) -> Array | None:
        """Return one row's parts (J, K), which sum over k to its dL/da; None where no Dense layer comes next."""
        return None if self.dz is None or self.W is None else self.W * self.dz[row]

    def __repr__(self) -> str:
        worst = int(self.shares.argmax())
        return f"LayerBlame: {len(self.shares)} shares, the largest {self.shares[worst]:.1%} of number {worst}"


@dataclass(frozen=True, repr=False, eq=False)
class LayerTrace:
    """The numbers of one layer in one pass; None where a layer has no such thing.

    B rows, I inputs, O units. `input` (B, I), `z` and `a` (B, O) are forward; `da`, `dz` and `dinput` the loss's
    derivatives by them. `weights` and `gradients` are by name ("kernel", "bias", "gamma", ...), gradients with the
    penalty's part in; `updates` what one step would add to each weight, None without an optimizer. `values` holds what
    else the layer computed: "scale" of a dropout (0 for what is dropped), "noise", or "mean", "variance", "inverse",
    "normal" and "dnormal" of a batch normalisation.
    """

    name: str
    kind: str
    activation: str | None
    trainable: bool
    input: Array
    a: Array
    z: Array | None
    da: Array
    dz: Array | None
    dinput: Array
    weights: Mapping[str, Array]
    gradients: Mapping[str, Array]
    updates: Mapping[str, Array] | None
    values: Mapping[str, Array]
    blame: LayerBlame
    function: Activation | None = None
    penalties: Mapping[str, Regularizer] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    """The layer's own settings that its arithmetic needs: "rate", "stddev", "epsilon", "momentum"."""

    @property
    def units(self) -> int:
        """The number of outputs."""
        return int(self.a.shape[1])

    @property
    def W(self) -> Array | None:  # noqa: N802
        """The kernel (I, O)."""
        return self.weights.get("kernel")

    @property
    def b(self) -> Array | None:
        """The bias (O,)."""
        return self.weights.get("bias")

    @property
    def dW(self) -> Array | None:  # noqa: N802
        """The loss's derivative by the kernel, (I, O)."""
        return self.gradients.get("kernel")

    @property
    def db(self) -> Array | None:
        """The loss's derivative by the bias, (O,)."""
        return self.gradients.get("bias")

    @property
    def contributions(self) -> Array | None:
        """What each input adds to each unit's z, x_i W[i,k] (I, O), as a mean over the rows."""
        return None if self.W is None else self.W * self.input.mean(axis=0)[:, np.newaxis]

    @property
    def passed_on(self) -> Array | None:
        """The blame that each unit passes on to each input, dL/dz_k W[i,k] (I, O), summed over the rows."""
        return None if self.W is None or self.dz is None else self.W * self.dz.sum(axis=0)

    @property
    def quantities(self) -> dict[str, Array]:
        """All arrays by the names that `to_frame` and `explain` know them by."""
        named = {"input": self.input, "z": self.z, "a": self.a, "da": self.da, "dz": self.dz, "dinput": self.dinput}
        found = {name: value for name, value in named.items() if value is not None}
        found |= self.weights
        found |= {f"d{name}": value for name, value in self.gradients.items()}
        found |= {f"update of {name}": value for name, value in (self.updates or {}).items()}
        return found | dict(self.values) | {"blame": self.blame.shares}

    def __repr__(self) -> str:
        with_activation = "" if self.activation is None else f", {self.activation}"
        return f"LayerTrace: {self.name} ({self.kind}{with_activation}), {self.input.shape[1]} -> {self.units}"


@dataclass(frozen=True, repr=False, eq=False)
class Trace:
    """Every number of one pass of a batch through a network, forward and backward, as `model.trace` returns it.

    `loss` is the batch's loss, penalties included: `data_loss` + `penalty`; `row_losses` (B,) each row's own loss,
    before its sample weight, and `row_parts` (B,) what it contributes to `data_loss`, so they sum to it. `prediction`
    (B, O) and `dprediction`, the loss's derivative by it. `updates` of the layers, `learning_rate` and `iteration`
    belong to the step that training would do next. `engine_difference` is how far the compiled engine's loss and
    gradient on the same batch lie from these, relative to the largest, None where that engine did not compute them.
    `blame` shares the blame among the network's inputs.

    >>> import hillwalker as hw
    >>> layer = hw.layers.Dense(1, "sigmoid", kernel_initializer="ones", name="out")
    >>> model = hw.Sequential([hw.Input((2,)), layer])
    >>> model.compile(hw.optimizers.SGD(1.0), "binary_crossentropy")
    >>> trace = model.trace([0.5, 0.25], 1.0)
    >>> trace
    Trace: 1 row through 1 layer; loss 0.3869
    >>> print(trace.explain("out.z[0]"))
    out.z[0]: what unit 0 adds up
      z₀ = x₀·W[0,0] + x₁·W[1,0] + b₀ = 0.5·1 + 0.25·1 + 0 = 0.75
    """

    loss: float
    data_loss: float
    penalty: float
    row_losses: Array
    row_parts: Array
    prediction: Array
    dprediction: Array
    inputs: Array
    targets: Array
    sample_weight: Array | None
    layers: tuple[LayerTrace, ...]
    blame: LayerBlame
    training: bool
    iteration: int
    learning_rate: float | None
    precision: str
    engine: str
    engine_difference: float | None
    loss_function: Loss
    optimizer: Optimizer | None
    slots: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    """What the optimizer remembered before the step, by "layer/weight" and slot."""
    row_numbers: tuple[int, ...] = ()
    batch: int = 0
    """How many rows the loss is a mean over: more than `rows` for the trace of one row of a batch."""

    @property
    def rows(self) -> int:
        """The number of rows, B."""
        return len(self.inputs)

    @property
    def is_part(self) -> bool:
        """Whether this is one row of a larger batch (see `row`)."""
        return self.rows != self.batch

    def layer(self, name: str | int) -> LayerTrace:
        """Return the layer of this name or number."""
        if isinstance(name, (int, np.integer)) and not isinstance(name, bool):
            if not -len(self.layers) <= name < len(self.layers):
                passed = f"layer({name}) of a trace of {len(self.layers)} layers."
                raise InputError(explain(passed, f"0 to {len(self.layers) - 1}.", "trace.layer(0)"))
            return self.layers[name]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise unknown_name("layer", name, [layer.name for layer in self.layers], "trace.layer({})")

    def row(self, number: int) -> Trace:
        """Return the trace of one row as a part of its batch.

        What flows through the network is that row's alone. Loss and gradients are the row's share of the batch's: over
        all rows they sum to the batch's, but for the penalty, which belongs to no row. That holds with batch
        normalisation too, whose mean and variance stay those of the whole batch: `dz` is the batch loss's derivative by
        this row's z, whatever way it takes. There are no updates: a step follows the whole batch.

        Raises InputError for a row that is not there.
        """
        if isinstance(number, bool) or not isinstance(number, (int, np.integer)):
            raise InputTypeError(explain(f"row({number!r}).", "the number of a row.", "trace.row(0)"))
        if not -self.rows <= number < self.rows:
            passed = f"row({number}) of a trace of {self.rows} rows."
            raise InputError(explain(passed, f"0 to {self.rows - 1}.", f"trace.row({self.rows - 1})"))
        if self.rows == 1:
            return self
        row = int(number) % self.rows
        one = slice(row, row + 1)
        layers = [_row_of(layer, one) for layer in self.layers]
        weight = None if self.sample_weight is None else self.sample_weight[one]
        part = float(self.row_parts[row])
        return replace(
            self, loss=part, data_loss=part, penalty=0.0, row_losses=self.row_losses[one],
            row_parts=self.row_parts[one], prediction=self.prediction[one], dprediction=self.dprediction[one],
            inputs=self.inputs[one], targets=self.targets[one], sample_weight=weight,
            layers=tuple(with_blame(layers)), blame=input_blame(layers), optimizer=None, learning_rate=None,
            slots={}, engine_difference=None, row_numbers=(self.row_numbers[row],),
        )  # fmt: skip

    def explain(self, address: str) -> Explanation:
        """Return one number's arithmetic, spelled out, as text and LaTeX.

        Args:
            address: a layer's name (or "layers[0]"), a dot, what of it, and which, counted from 0: "dense.kernel[0,1]"
                (the chain rule of that weight, its gradient and its update), "dense.bias[0]", "dense.z[2,1]" (row 2,
                unit 1), likewise a, da, dz, dinput; "loss", "loss[2]" (of row 2), "prediction[0,1]",
                "dprediction[0,1]". With one row, the row may be left out.

        Raises InputError for an address that is not there, with what there is.
        """
        from hillwalker.seeing.explain import explained

        return explained(self, address)

    def plot(self, what: str = "network") -> Any:
        """Return a figure: "network", "forward" or "backward" (see `hillwalker.plots`)."""
        if what not in VIEWS:
            raise unknown_name("picture", what, VIEWS, "trace.plot({})")
        from hillwalker.plots import passes

        return getattr(passes, f"plot_{what}")(self)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, numbers and strings."""
        plain = ("loss", "data_loss", "penalty", "training", "iteration", "learning_rate", "precision", "engine")
        found: dict[str, Any] = {name: getattr(self, name) for name in plain}
        arrays = ("row_losses", "row_parts", "prediction", "dprediction", "inputs", "targets")
        found |= {name: getattr(self, name).tolist() for name in arrays}
        found["sample_weight"] = None if self.sample_weight is None else self.sample_weight.tolist()
        found |= {"engine_difference": self.engine_difference, "blame": self.blame.shares.tolist()}
        found |= {"row_numbers": list(self.row_numbers), "batch": self.batch, "loss_function": self.loss_function.name}
        found["optimizer"] = None if self.optimizer is None else self.optimizer.name
        found["layers"] = [
            {"name": layer.name, "kind": layer.kind, "activation": layer.activation, "trainable": layer.trainable}
            | {name: value.tolist() for name, value in layer.quantities.items()}
            for layer in self.layers
        ]
        return found

    def to_frame(self) -> Any:
        """Return one line a number: layer, quantity, index, value; a pandas frame, or without pandas a polars frame.

        The index is text such as "0,1". Raises MissingDependencyError if neither is installed.
        """
        lines = list(self._lines())
        columns = {
            name: [line[place] for line in lines] for place, name in enumerate(("layer", "quantity", "index", "value"))
        }
        return records.to_frame(columns, call="trace.to_frame()")

    def _lines(self) -> Iterator[tuple[str, str, str, float]]:
        whole: dict[str, Any] = {"loss": self.loss, "data_loss": self.data_loss, "penalty": self.penalty}
        whole |= {"row_loss": self.row_losses, "prediction": self.prediction, "dprediction": self.dprediction}
        whole["blame"] = self.blame.shares
        for name, value in whole.items():
            yield from _numbered("", name, np.asarray(value))
        for layer in self.layers:
            for name, value in layer.quantities.items():
                yield from _numbered(layer.name, name, value)

    def __repr__(self) -> str:
        rows, layers = self.rows, len(self.layers)
        part = f" (row {self.row_numbers[0]} of {self.batch})" if self.is_part else ""
        return (
            f"Trace: {rows} row{'s' * (rows != 1)}{part} through {layers} layer{'s' * (layers != 1)}; "
            f"loss {self.loss:.4g}"
        )

    def __str__(self) -> str:
        from hillwalker.seeing.report import report

        return report(self)


def _numbered(layer: str, quantity: str, array: Array) -> Iterator[tuple[str, str, str, float]]:
    for index, value in np.ndenumerate(array):
        yield layer, quantity, ",".join(map(str, index)), float(value)


def _row_of(layer: LayerTrace, one: slice) -> LayerTrace:
    """Return a layer's numbers of one row, with that row's part of the gradients."""
    per_row = {name: getattr(layer, name)[one] for name in ("input", "a", "da", "dinput")}
    z = None if layer.z is None else layer.z[one]
    dz = None if layer.dz is None else layer.dz[one]
    values = {name: value[one] if value.ndim == 2 else value for name, value in layer.values.items()}
    gradients: dict[str, Array] = {}
    if "kernel" in layer.gradients and dz is not None:
        gradients["kernel"] = per_row["input"].T @ dz
    if "bias" in layer.gradients and dz is not None:
        gradients["bias"] = dz.sum(axis=0)
    if "gamma" in layer.gradients:
        gradients["gamma"] = (per_row["da"] * values["normal"]).sum(axis=0)
    if "beta" in layer.gradients:
        gradients["beta"] = per_row["da"].sum(axis=0)
    return replace(layer, **per_row, z=z, dz=dz, values=values, gradients=gradients, updates=None, penalties={})


def shares(amounts: Array) -> Array:
    """Return amounts (B, J) as shares (J,) of their whole, each unit's summed over the rows; zeros if all are zero.

    >>> shares(np.array([[1.0, -3.0]])).tolist()
    [0.25, 0.75]
    """
    each: Array = np.abs(amounts).sum(axis=0)
    whole = float(each.sum())
    return each / whole if whole > 0 else np.zeros_like(each)


def rows_sum(values: Array) -> Array:
    """Return sums over the rows, (O,) for (B, O); one that is nothing but rounding is 0.

    >>> rows_sum(np.array([[0.1, 1.0], [0.2, 2.0], [-0.3, 3.0]])).tolist()
    [0.0, 6.0]
    """
    summed: Array = values.sum(axis=0)
    return np.where(np.abs(summed) < 1e-13 * np.abs(values).sum(axis=0), 0.0, summed)


def rows_mean(values: Array) -> Array:
    """Return means over the rows, (O,) for (B, O); what has no rows comes back as it is."""
    return rows_sum(values) / len(values) if values.ndim == 2 else values


def with_blame(layers: list[LayerTrace]) -> Iterator[LayerTrace]:
    """Yield the layers with the blame of their units, for which each must know the next."""
    for place, layer in enumerate(layers):
        following = layers[place + 1] if place + 1 < len(layers) else None
        own = layer.da if layer.dz is None else layer.dz
        yield replace(layer, blame=_blame(own, following))


def input_blame(layers: list[LayerTrace]) -> LayerBlame:
    """Return the blame of the network's inputs: shares by |x dL/dx|."""
    first = layers[0]
    return _blame(first.input * first.dinput, first)


def _blame(amounts: Array, following: LayerTrace | None) -> LayerBlame:
    if following is None or following.W is None:
        return LayerBlame(shares(amounts))
    return LayerBlame(shares(amounts), following.dz, following.W)
