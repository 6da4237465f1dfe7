"""Who carries the error: rows, inputs, neurons and weights, each with its share, now and as training went.

Shares are of absolute blame, so that blame in opposite directions does not cancel. Nothing of the model is changed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import checks, records
from hillwalker.errors import InputError, InputTypeError, explain, unknown_name
from hillwalker.layers import Dense
from hillwalker.parameters import FloatArray
from hillwalker.plan import Plan
from hillwalker.seeing.rows import Float64Array, Pass, checked, own_gradients, passes
from hillwalker.training.batches import Data
from hillwalker.training.progress import Shown
from hillwalker.training.recording import Recording

MEMORY = 2**28  # bytes that the epochs of a recording may take; beyond, evenly spaced ones are computed
MEASURES = ("loss", "gradient")


@dataclass(frozen=True)
class BlamedRow:
    """A row, its loss and the norm of its gradient, and its share of all rows' losses and of all their norms."""

    row: int
    loss: float
    gradient_norm: float
    loss_share: float
    gradient_share: float


@dataclass(frozen=True)
class Blamed:
    """An input, a neuron or a weight by name, and its share of the blame."""

    name: str
    share: float


@dataclass(frozen=True, eq=False, repr=False)
class Blame:
    """Shares of the error over n rows, I inputs, and the units and weights of each Dense layer.

    `row_loss` and `row_gradient_norm` (n,) are each row's weight · loss, penalties left out, and the Euclidean norm of
    its gradient over all weights that training moves; `loss_share` and `gradient_share` (n,) their shares. By
    `input_share` (I,) inputs share mean |x · dL/dx|, named by `input_names`; by `neuron_share` the units of a layer
    share the sum of |dz|, (O,) by layer; by `weight_share` all kernels and biases share mean |x · dz|, the size of a
    row's gradient, by name and of the weight's shape. Each of these sums to 1, the neurons' for each layer, and the
    weights' over all of them; or is 0 throughout where there is no blame at all.

    `epoch` is the epoch of a recording that this blame is of, None for the model as it is; `past` holds the blame at
    the recording's epochs.
    """

    row_loss: Float64Array
    row_gradient_norm: Float64Array
    loss_share: Float64Array
    gradient_share: Float64Array
    input_names: tuple[str, ...]
    input_share: Float64Array
    neuron_share: dict[str, Float64Array]
    weight_share: dict[str, Float64Array]
    epoch: int | None = None
    past: tuple[Blame, ...] = ()

    def __len__(self) -> int:
        return len(self.row_loss)

    def rows(self, count: int = 10, by: str = "loss") -> list[BlamedRow]:
        """Return the rows that are blamed most, by share of the "loss" or of the "gradient" norms."""
        share = self._share(by)
        return [
            BlamedRow(
                int(row), *(float(values[row]) for values in (self.row_loss, self.row_gradient_norm)),
                *(float(values[row]) for values in (self.loss_share, self.gradient_share)),
            )
            for row in _largest(share, count)
        ]  # fmt: skip

    def inputs(self, count: int = 10) -> list[Blamed]:
        """Return the inputs that are blamed most."""
        shares = self.input_share
        return [Blamed(self.input_names[place], float(shares[place])) for place in _largest(shares, count)]

    def neurons(self, layer: str, count: int = 10) -> list[Blamed]:
        """Return the units of a layer that are blamed most; InputError for an unknown layer."""
        if layer not in self.neuron_share:
            raise unknown_name("layer", layer, self.neuron_share, "blame.neurons({})")
        shares = self.neuron_share[layer]
        return [Blamed(f"{layer}[{place}]", float(shares[place])) for place in _largest(shares, count)]

    def weights(self, count: int = 10) -> list[Blamed]:
        """Return the weights that are blamed most, of all layers."""
        found: list[Blamed] = []
        for name, shares in self.weight_share.items():
            for place in _largest(shares.ravel(), count):
                index = ",".join(str(number) for number in np.unravel_index(int(place), shares.shape))
                found.append(Blamed(f"{name}[{index}]", float(shares.flat[place])))
        return sorted(found, key=lambda one: -one.share)[: max(0, count)]

    def concentration(self, by: str = "loss") -> Float64Array:
        """Return the share that the k worst rows carry together, for k = 1 to n, (n,)."""
        together: Float64Array = np.cumsum(np.sort(self._share(by))[::-1])
        return together

    def rows_for(self, share: float = 0.5, by: str = "loss") -> int:
        """Return how few rows carry this share of the loss or of the gradient norms.

        Raises InputError for a share that is not from 0 to 1.
        """
        checks.probability("share", share, "blame.rows_for(0.5)")
        return min(len(self), int(np.searchsorted(self.concentration(by), share - 1e-12)) + 1)

    def _share(self, by: str) -> Float64Array:
        if by not in MEASURES:
            raise unknown_name("measure", by, MEASURES, "blame.rows(by={})")
        return self.loss_share if by == "loss" else self.gradient_share

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists and numbers."""
        found = {field.name: records.plain(getattr(self, field.name)) for field in dataclasses.fields(self)}
        return found | {"past": [one.to_dict() for one in self.past]}

    def to_frame(self) -> Any:
        """Return one line a row: its loss and gradient norm, and their shares."""
        columns = {
            "row": np.arange(len(self)),
            "loss": self.row_loss,
            "loss_share": self.loss_share,
            "gradient_norm": self.row_gradient_norm,
            "gradient_share": self.gradient_share,
        }
        return records.to_frame(columns, "row", "blame.to_frame()")

    def plot(self, title: str | None = None) -> Any:
        """Return a figure of rows, inputs, neurons and their past (see `hillwalker.plots.blame.plot_blame`)."""
        from hillwalker.plots.blame import plot_blame

        return plot_blame(self, title)

    def __repr__(self) -> str:
        when = "" if self.epoch is None else f" at epoch {self.epoch}"
        past = f"; {len(self.past)} epochs" if self.past else ""
        return f"Blame{when}: {len(self)} rows, loss {np.mean(self.row_loss):.4g} a row{past}"

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def blame(
    model: Any, X: Any, y: Any, sample_weight: Any = None, recording: Recording | None = None, verbose: Any = "auto"
) -> Blame:
    """Return which rows, inputs, neurons and weights carry the error of a model on data.

    A row's share is by its loss, and by the norm of its gradient: how hard it pulls at the weights. An input's share is
    by mean |x · dL/dx|, what a small relative change of it would do to the loss; a neuron's by the sum of |dz|; a
    weight's by mean |x · dz|. Batch normalisation uses its moving statistics, dropout and noise are off, penalties are
    left out: only then is a row's gradient its own (see `hillwalker.seeing.rows`).

    Args:
        model: a compiled and built model; nothing of it is changed.
        X: inputs (n, I); a frame's column names become the inputs' names.
        y: targets (n,) or (n, O).
        sample_weight: one weight a row, (n,).
        recording: of a Recorder; the same is computed at each of its epochs, evenly spaced ones if all were too many.
        verbose: whether progress is shown if it takes over a second: "auto", 0, 1 or 2.

    Raises InputError or StateError for what `model.evaluate` would refuse, and for a recording of another model or
    without weights.

    >>> import numpy as np, hillwalker as hw
    >>> model = hw.Sequential([hw.Input((2,)), hw.layers.Dense(1, kernel_initializer="ones")])
    >>> model.compile(loss="mse")
    >>> found = hw.blame(model, np.array([[1.0, 0.0], [1.0, 2.0], [0.0, 0.0]]), np.zeros(3))
    >>> found.rows(1)
    [BlamedRow(row=1, loss=9.0, gradient_norm=14.69..., loss_share=0.9, gradient_share=0.83...)]
    """
    data, plan = checked(model, X, y, sample_weight, "blame")
    past = [] if recording is None else _past(recording, plan, len(data))
    names = _names(X, plan.input_width)
    shown = Shown("blame", verbose)
    steps = len(past) + 1

    def part_of(step: int) -> Callable[[float], None]:
        return lambda share: shown((step + share) / steps)

    try:
        before = tuple(
            _blame(plan, vector, data, names, part_of(step), epoch=epoch) for step, (epoch, vector) in enumerate(past)
        )
        return _blame(plan, model.state.parameters, data, names, part_of(len(past)), past=before)
    finally:
        shown.close()


class _Sums:
    """Blame added up over chunks of rows, in float64."""

    def __init__(self, plan: Plan, rows: int) -> None:
        self.loss, self.squares = np.empty(rows), np.zeros(rows)
        self.inputs = np.zeros(plan.input_width)
        dense = [planned for planned in plan.layers if isinstance(planned.layer, Dense)]
        self.neurons = {planned.layer.name: np.zeros(planned.outputs) for planned in dense}
        self.weights = {part.name: np.zeros(part.shape) for planned in dense for part in planned.segments.values()}
        self.trained = {segment.name for segment in plan.trained}

    def add(self, part: Pass, x: FloatArray) -> None:
        self.loss[part.rows] = part.loss
        self.inputs += np.sum(np.abs(x * part.dinput), axis=0, dtype=np.float64)
        for layer in part.layers:
            segments = layer.planned.segments
            for name, (squares, _) in own_gradients(layer).items():
                if segments[name].name in self.trained:
                    self.squares[part.rows] += squares
            if isinstance(layer.planned.layer, Dense):
                blamed = np.abs(layer.dz)
                by_unit = blamed.sum(axis=0, dtype=np.float64)
                self.neurons[layer.planned.layer.name] += by_unit
                self.weights[segments["kernel"].name] += np.abs(layer.x).T @ blamed
                if "bias" in segments:
                    self.weights[segments["bias"].name] += by_unit


def _blame(
    plan: Plan, parameters: FloatArray, data: Data, names: tuple[str, ...], shown: Callable[[float], None], **when: Any
) -> Blame:
    sums = _Sums(plan, len(data))
    with np.errstate(all="ignore"):  # what is not finite is seen in the numbers
        for part in passes(plan, parameters, data, shown):
            sums.add(part, part.layers[0].x)
        norms = np.sqrt(sums.squares)
        whole = sum(float(values.sum()) for values in sums.weights.values())
        return Blame(
            row_loss=sums.loss,
            row_gradient_norm=norms,
            loss_share=_shares(np.abs(sums.loss)),
            gradient_share=_shares(norms),
            input_names=names,
            input_share=_shares(sums.inputs),
            neuron_share={name: _shares(values) for name, values in sums.neurons.items()},
            weight_share={name: _shares(values, whole) for name, values in sums.weights.items()},
            **when,
        )


def _shares(values: Float64Array, whole: float | None = None) -> Float64Array:
    total = float(values.sum()) if whole is None else whole
    return values / total if total != 0 else np.zeros_like(values)


def _past(recording: Any, plan: Plan, rows: int) -> list[tuple[int, NDArray[Any]]]:
    """Return the recording's epochs and weights, as many as fit in the memory, evenly spaced."""
    if not isinstance(recording, Recording):
        passed = f"recording of type {type(recording).__name__}."
        raise InputTypeError(explain(passed, "the recording of a Recorder.", "recording=recorder.recording"))
    if recording.vectors is None:
        passed = "a recording without weights."
        raise InputError(explain(passed, "one with them.", "hw.callbacks.Recorder(weights=True)"))
    if recording.vectors.shape[1] != plan.length:
        passed = f"a recording of vectors of {recording.vectors.shape[1]} numbers for a model of {plan.length}."
        raise InputError(explain(passed, "a recording of this very model."))
    size = 8 * (4 * rows + 2 * plan.length)
    count = min(len(recording), max(2, MEMORY // size))
    chosen = np.unique(np.round(np.linspace(0, len(recording) - 1, count)).astype(int))
    return [(int(recording.epochs[place]), recording.vectors[place]) for place in chosen]


def _names(X: Any, width: int) -> tuple[str, ...]:
    columns = getattr(X, "columns", None)
    names = [] if columns is None else [str(name) for name in columns]
    return tuple(names) if len(names) == width else tuple(f"x{number}" for number in range(width))


def _largest(shares: Float64Array, count: int) -> NDArray[np.intp]:
    """Return the places of the largest shares, largest first; of equal ones the first."""
    count = min(max(0, count), len(shares))
    if count == 0:
        return np.empty(0, np.intp)
    known = np.nan_to_num(shares, nan=np.inf)  # a row whose loss is not a number comes first
    near = np.flatnonzero(known >= np.partition(known, len(known) - count)[len(known) - count])
    return near[np.argsort(-known[near], kind="stable")][:count]


def _lines(blame: Blame) -> Iterator[str]:
    yield repr(blame)
    yield f"{_half(blame, 'loss', 'the loss')}; {_half(blame, 'gradient', 'the gradient norms')}."
    yield ""
    yield f"{'row':>10}  {'loss':>10}  {'share':>6}  {'gradient norm':>13}  {'share':>6}"
    for one in blame.rows(5):
        numbers = f"{one.loss:>10.4g}  {one.loss_share:>6.1%}  {one.gradient_norm:>13.4g}  {one.gradient_share:>6.1%}"
        yield f"{one.row:>10}  {numbers}"
    yield ""
    inputs = blame.inputs(5)
    yield from _told("inputs", inputs, len(blame.input_share))
    for layer, shares in blame.neuron_share.items():
        if len(shares) > 1:
            yield from _told(f"units of {layer}", blame.neurons(layer, 5), len(shares))
    yield from _told("weights", blame.weights(5), sum(shares.size for shares in blame.weight_share.values()))
    if blame.past:
        first, last = blame.past[0], blame.past[-1]
        change = f"{np.mean(first.row_loss):.4g} -> {np.mean(last.row_loss):.4g}"
        few = f"half of it by {first.rows_for()} -> {last.rows_for()} rows"
        yield f"From epoch {first.epoch} to {last.epoch}: loss {change}, {few}"


def _half(blame: Blame, by: str, what: str) -> str:
    total = float(blame._share(by).sum())
    if not total > 0:
        return f"{what}: {'0 for every row' if total == 0 else 'not a number'}"
    return f"half of {what} is carried by {blame.rows_for(0.5, by) / len(blame):.1%} of the rows"


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.01 else f"{100 * share:.2g}%"


def _told(what: str, found: list[Blamed], count: int) -> Iterator[str]:
    """Yield a heading, and the most blamed, as many as fit a line of 76 letters."""
    yield f"{what} ({count}; an even share is {_percent(1 / count)}):"
    line = " "
    for one in found:
        more = f" {one.name if len(one.name) <= 30 else '…' + one.name[-29:]} {_percent(one.share)},"
        if len(line) + len(more) > 78:
            break
        line += more
    yield line.rstrip(",")
