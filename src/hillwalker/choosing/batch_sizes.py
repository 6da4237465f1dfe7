"""`hw.compare_batch_sizes`: the same training with several batch sizes, over seeds, and what each costs and brings.

All trainings are `compare`'s; here is only what is particular to batches: steps, seconds, memory, the way to a loss.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import records
from hillwalker.choosing import constants, splits, statistics
from hillwalker.choosing.comparison import Comparison, Row
from hillwalker.choosing.experiment import compare
from hillwalker.choosing.noise import listed_sizes
from hillwalker.errors import InputError, InputTypeError, explain, unknown_name
from hillwalker.models import Sequential, copies
from hillwalker.plan import Plan
from hillwalker.scores import rounded
from hillwalker.seeing.rows import sum_up
from hillwalker.training.batches import Data
from hillwalker.training.callbacks import EarlyStopping

Array = NDArray[np.float64]
Spread = tuple[float, float, float]

CALL = "compare_batch_sizes(model, X, y, {})"
KINDS = ("curves", "trade-offs")
SHARE = 0.75  # of each size's runs reach the target
ARRIVED = 0.5  # of the way from the constant prediction to the best size's loss: a size below that sets no target


@dataclass(frozen=True)
class Memory:
    """The bytes that backpropagation keeps for one step of B rows, I inputs, T targets.

    `batch` B (I + T); `activations` B Σ O, each layer's output; `gradients` the blame for each of these, B Σ O, and a
    gradient for each weight that training moves. The core passes a large batch in chunks, and then holds less.
    """

    batch: int
    activations: int
    gradients: int

    @property
    def total(self) -> int:
        """All together."""
        return self.batch + self.activations + self.gradients


def memory_of_a_step(plan: Plan, size: int, targets: int) -> Memory:
    """Return the bytes that a step of `size` rows keeps."""
    number = np.dtype(plan.dtype).itemsize
    outputs = sum(planned.outputs for planned in plan.layers)
    weights = sum(math.prod(segment.shape) for segment in plan.trained)
    return Memory(
        size * (plan.input_width + targets) * number,
        size * outputs * number,
        (size * outputs + weights) * number,
    )


@dataclass(frozen=True)
class Size:
    """One batch size in the table.

    Each tuple is (middle, low, high), a 95 % interval over the seeds: `val_loss` a mean and Student's interval, the
    others medians and intervals from order statistics (NaN for fewer than six seeds; infinite where runs do not
    arrive). `epochs`, `steps` and `seconds` lead to the target; `arrived` runs of `runs` got there.
    """

    size: int
    val_loss: Spread
    epochs: Spread
    steps: Spread
    seconds: Spread
    seconds_an_epoch: Spread
    memory: Memory
    arrived: int
    runs: int
    failed: int


@dataclass(frozen=True, repr=False)
class BatchSizes:
    """Trainings with several batch sizes: convergence by epoch, step and second, memory, final validation.

    `comparison` has all curves (sizes × seeds); `rows` are trained on; `target` is the validation loss that the way to
    is measured of; `constant_loss` that of always predicting the same; `memory` of a step of each size; `noise`
    (sizes,) the standard deviation of a batch's gradient in lengths of the whole gradient, before training.
    """

    sizes: tuple[int, ...]
    rows: int
    target: float
    constant_loss: float
    memory: tuple[Memory, ...]
    noise: Array
    comparison: Comparison

    @property
    def steps_an_epoch(self) -> NDArray[np.int64]:
        """Steps that an epoch has, (sizes,)."""
        return np.array([math.ceil(self.rows / size) for size in self.sizes])

    @cached_property
    def seconds_an_epoch(self) -> Array:
        """Measured seconds of an epoch, validation included, (sizes, seeds)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.comparison.seconds[:, :, 0] / self.comparison.epochs[:, :, 0]

    @cached_property
    def epochs_to_target(self) -> Array:
        """Epochs until the validation loss is the target or less, (sizes, seeds): infinite where it never is.

        NaN where a run was not done.
        """
        with np.errstate(invalid="ignore"):
            below = self.comparison.curves["val_loss"][:, :, 0] <= self.target
        first = np.where(below.any(axis=-1), below.argmax(axis=-1) + 1.0, np.inf)
        return np.where(self.comparison.done[:, :, 0], first, np.nan)

    @property
    def steps_to_target(self) -> Array:
        """Steps until the target, (sizes, seeds)."""
        return self.epochs_to_target * self.steps_an_epoch[:, np.newaxis]

    @property
    def seconds_to_target(self) -> Array:
        """Seconds of training until the target, (sizes, seeds)."""
        return self.epochs_to_target * self.seconds_an_epoch

    @cached_property
    def table(self) -> tuple[Size, ...]:
        """One row a batch size, smallest first."""
        rows = {row.label: row for row in self.comparison.table}
        return tuple(self._size(place, rows[label]) for place, label in enumerate(self.comparison.labels))

    def _size(self, place: int, row: Row) -> Size:
        epochs = self.epochs_to_target[place]
        done = ~np.isnan(epochs)
        return Size(
            self.sizes[place],
            (row.mean, row.low, row.high),
            statistics.median_interval(epochs[done]),
            statistics.median_interval(self.steps_to_target[place][done]),
            statistics.median_interval(self.seconds_to_target[place][done]),
            statistics.median_interval(self.seconds_an_epoch[place][done]),
            self.memory[place],
            arrived=int(np.isfinite(epochs).sum()),
            runs=int(done.sum()),
            failed=row.failed,
        )

    @property
    def not_told_from_best(self) -> tuple[int, ...]:
        """The sizes whose final validation loss the seeds do not tell from the best one's, that one included."""
        best = self.comparison.best
        return tuple(
            size
            for size, label in zip(self.sizes, self.comparison.labels, strict=True)
            if label == best or (self._trained(size) and not self.comparison.is_real(label, best))
        )

    @property
    def as_good_if_stopped(self) -> tuple[int, ...]:
        """The sizes that end worse than the best, but not in their best epochs: they overfit, and early stopping helps.

        Lowest losses are compared, paired by seed, with a 95 % interval.
        """
        curves = self.comparison.curves["val_loss"][:, :, 0]
        lowest = np.where(np.isfinite(curves), curves, np.inf).min(axis=-1)
        best = self.comparison.number_of(self.comparison.best)
        done = self.comparison.done[:, :, 0].all(axis=0)
        good = []
        for place, size in enumerate(self.sizes):
            ends_worse = size not in self.not_told_from_best and self._trained(size)
            if ends_worse and done.sum() > 1:
                _, low, _ = statistics.interval((lowest[place] - lowest[best])[done])
                good += [size] if low <= 0 else []
        return tuple(good)

    def _trained(self, size: int) -> bool:
        return bool(np.isfinite(self.table[self.sizes.index(size)].val_loss[0]))

    @property
    def batch_size(self) -> int:
        """The quickest to the target of those not told from the best; the best itself where none of them arrives."""
        best = self.sizes[self.comparison.number_of(self.comparison.best)]
        seconds = {size: self.table[self.sizes.index(size)].seconds[0] for size in self.not_told_from_best}
        quickest = min(seconds, key=lambda size: seconds[size])
        return quickest if math.isfinite(seconds[quickest]) else best

    @property
    def answer(self) -> str:
        """One sentence: which size to take, and how sure that is."""
        chosen, equal = self.batch_size, self.not_told_from_best
        row = self.table[self.sizes.index(chosen)]
        if not self._trained(chosen):
            return "No batch size trains without a loss that is not finite: lower the learning rate."
        seeds = f"{row.runs} seed{'s' if row.runs != 1 else ''}"
        loss = f"{rounded(row.val_loss[0])}{_in_brackets(row.val_loss, rounded)}"
        others = [str(size) for size in equal if size != chosen]
        end = (
            f"its final validation loss, {loss}, {seeds} do not tell from that of {_listed(others)}"
            if others
            else f"its final validation loss, {loss}, is the lowest"
            + (" by more than the noise of " if row.runs > 1 else " in ")
            + seeds
        )
        way = ""
        if math.isfinite(row.seconds[0]):
            epochs = f"{row.epochs[0]:g} epoch{'s' if row.epochs[0] != 1 else ''}"
            steps = self.steps_an_epoch[self.sizes.index(chosen)]
            way = (
                f", and it takes {_time(row.seconds[0])}{_in_brackets(row.seconds, _time)} or {epochs} of {steps} "
                f"steps to a loss of {rounded(self.target)}{self._against(chosen, equal)}"
            )
        below = bool(np.isfinite(row.val_loss[2])) and row.val_loss[2] < self.constant_loss
        doubt = "" if below else f"; but that is not surely below the {rounded(self.constant_loss)} of a constant"
        stopped = [str(size) for size in self.as_good_if_stopped]
        early = f"; stopped at their best epochs, {_listed(stopped, 'and')} would be as good" if stopped else ""
        return f"Batch size {chosen}: {end}{way}{early}{doubt}."

    def _against(self, chosen: int, equal: Sequence[int]) -> str:
        """Return how the quickest of the good ones compares with the next."""
        rows = [self.table[self.sizes.index(size)] for size in equal if size != chosen]
        if not rows:
            return ""
        mine = self.table[self.sizes.index(chosen)]
        next_one = min(rows, key=lambda row: row.seconds[0])
        sure = mine.seconds[2] < next_one.seconds[1]
        than = _time(next_one.seconds[0]) if math.isfinite(next_one.seconds[0]) else "more than was tried"
        return f" ({next_one.size}: {than}{'' if sure else ', no sure difference'})"

    def __str__(self) -> str:
        heads = ("batch", "val loss", "95 % interval", "epochs", "steps", "time", "95 % interval", "arrived",
                 "ms an epoch", "kB a step")  # fmt: skip
        cells = [
            (
                str(row.size), rounded(row.val_loss[0]), _range(row.val_loss, rounded), f"{row.epochs[0]:g}",
                f"{row.steps[0]:g}", _time(row.seconds[0]), _range(row.seconds, _time), f"{row.arrived}/{row.runs}",
                f"{1000 * row.seconds_an_epoch[0]:.3g}", f"{row.memory.total / 1000:.3g}",
            )
            for row in self.table
        ]  # fmt: skip
        widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
                 for line in (heads, *cells)]  # fmt: skip
        note = f"epochs, steps and time: to a validation loss of {rounded(self.target)}, medians"
        return "\n".join([*lines, note, self.answer])

    __repr__ = __str__

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, numbers and strings."""
        names = ("sizes", "rows", "target", "constant_loss", "noise", "steps_an_epoch", "seconds_an_epoch",
                 "epochs_to_target", "steps_to_target", "seconds_to_target", "batch_size", "not_told_from_best",
                 "as_good_if_stopped", "answer")  # fmt: skip
        told: dict[str, Any] = {name: records.plain(getattr(self, name)) for name in names}
        told["memory"] = [
            {"batch": one.batch, "activations": one.activations, "gradients": one.gradients, "total": one.total}
            for one in self.memory
        ]
        return told | {"comparison": records.plain(self.comparison.to_dict())}

    def to_frame(self) -> Any:
        """Return one row a batch size: middles and interval ends of the table. All curves: `comparison.to_frame()`."""
        columns: dict[str, Any] = {"batch_size": [row.size for row in self.table]}
        for name in ("val_loss", "epochs", "steps", "seconds", "seconds_an_epoch"):
            for place, end in enumerate(("", "_low", "_high")):
                columns[name + end] = [getattr(row, name)[place] for row in self.table]
        columns |= {"memory": [row.memory.total for row in self.table], "noise": self.noise.tolist()}
        for name in ("arrived", "runs", "failed"):
            columns[name] = [getattr(row, name) for row in self.table]
        return records.to_frame(columns, "batch_size", "compare_batch_sizes(...).to_frame()")

    def plot(self, title: str | None = None, kind: str = "curves") -> Any:
        """Return a matplotlib figure (see `hillwalker.plots.batch_sizes`).

        `kind`: "curves" by epoch, step and time, or "trade-offs": time, way to the target, noise, memory, by size.
        """
        if kind not in KINDS:
            raise unknown_name("kind", kind, KINDS, "found.plot(kind={})")
        from hillwalker.plots.batch_sizes import plot_batch_sizes, plot_batch_trade_offs

        return plot_batch_sizes(self, title) if kind == "curves" else plot_batch_trade_offs(self, title)


def compare_batch_sizes(
    model: Sequential,
    X: Any,
    y: Any,
    batch_sizes: Sequence[int] = (16, 64, 256),
    seeds: int | Iterable[int] = 10,
    epochs: int = 50,
    validation_split: float = 0.2,
    validation_data: Any = None,
    *,
    target: float | None = None,
    sample_weight: Any = None,
    early_stopping: EarlyStopping | int | None = None,
    folder: Any = None,
    lanes: bool = False,
    threads: int | None = None,
    backend: Any = None,
    verbose: Any = "auto",
) -> BatchSizes:
    """Train with several batch sizes from the same seeds, and return what each costs and brings.

    All else, the learning rate included, is the same for all, as in `compare`, which does the trainings. A larger batch
    may bear a higher rate: `compare(model, X, y, vary={"batch_size": [...], "learning_rate": [...]})` shows it.

    Args:
        model: compiled; it is left as it is.
        X, y: (n, inputs) and (n,) or (n, outputs).
        batch_sizes: rows a step, each at most the rows trained on.
        target: the validation loss that epochs, steps and seconds are counted to. By default the lowest that three
            quarters of each size's runs reach; sizes are left out of this that do not come half as far below the
            constant prediction's loss as the best.
        seeds, epochs, validation_split, validation_data, sample_weight, early_stopping, folder, lanes, threads,
            backend, verbose: as in `compare`.

    Seconds are those of the single runs, as measured beside each other; threads=1 disturbs them least. Raises
    InputError before anything is trained.

    >>> from hillwalker.layers import Dense, Input
    >>> model = Sequential([Input((2,)), Dense(8, activation="tanh"), Dense(1)])
    >>> model.compile(optimizer="adam", loss="mse")
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> found = compare_batch_sizes(model, X, X[:, 0] - X[:, 1], [8, 80], seeds=6, epochs=20, verbose=0)
    >>> found.batch_size, found.steps_an_epoch.tolist(), found.table[0].memory.total
    (8, [20, 2], 804)
    """
    sizes = listed_sizes(batch_sizes, CALL)
    if target is not None and (
        isinstance(target, bool) or not isinstance(target, (int, float)) or not np.isfinite(target)
    ):
        raise InputError(explain(f"target={target!r}.", "a finite loss.", CALL.format("target=0.1")))
    if not isinstance(model, Sequential):
        fix = CALL.format("batch_sizes=[16, 64]")
        raise InputTypeError(explain(f"compare_batch_sizes of {model!r}.", "a model.", fix))
    data = model._edge.data(X, y, sample_weight, call="compare_batch_sizes")
    assert data.y is not None
    parts = None if validation_data is not None else [splits.one_split(len(data), validation_split)]
    rows = len(data) if parts is None else len(parts[0][0])
    if sizes[-1] > rows:
        passed = f"batch_sizes={sizes} for {rows} rows to train on."
        raise InputError(explain(passed, f"sizes of 1 to {rows}.", CALL.format("batch_sizes=[16, 64]")))
    comparison = compare(
        model, X, y, {"batch_size": sizes}, seeds, epochs, None, validation_split, validation_data,
        sample_weight=sample_weight, early_stopping=early_stopping, folder=folder, lanes=lanes, threads=threads,
        backend=backend, verbose=verbose,
    )  # fmt: skip
    (fresh,) = copies(model, [comparison.seeds[0]])
    if not fresh.built:
        fresh.build((None, *np.shape(X)[1:]))
    constant = float(constants.losses_of_constants(fresh, data, parts, validation_data)[0])
    memory = tuple(memory_of_a_step(fresh.plan, size, data.y.shape[1]) for size in sizes)
    noise = noise_of_a_step(fresh, data[:rows], np.array(sizes))
    goal = common_target(comparison, constant) if target is None else float(target)
    return BatchSizes(tuple(sizes), rows, goal, constant, memory, noise, comparison)


def noise_of_a_step(model: Sequential, data: Data, sizes: NDArray[np.int64]) -> Array:
    """Return the standard deviation of the gradient of batches, in lengths of the gradient g of all n rows, (sizes,).

    sqrt(tr(S) / B · (n - B) / (n - 1)) / |g|, S the covariance of the rows' gradients: batches are drawn without
    replacement. NaN where rows have no gradients of their own.
    """
    rows = len(data)
    assert data.y is not None
    plan = dataclasses.replace(model.plan, loss=model._edge.loss, target_width=data.y.shape[1])
    try:
        found = sum_up(plan, model.state.parameters, data)
    except InputError:
        return np.full(len(sizes), np.nan)
    mean_square = float(found.gradient @ found.gradient)
    spread = max(float(found.squared_norms.mean()) - mean_square, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.sqrt(spread / sizes * (rows - sizes) / max(rows - 1, 1) / np.float64(mean_square)))


def common_target(comparison: Comparison, constant: float) -> float:
    """Return a validation loss that three quarters of every variant's runs reach; see `compare_batch_sizes`."""
    curves = comparison.curves["val_loss"][:, :, 0]
    lowest = np.where(np.isfinite(curves), curves, np.inf).min(axis=-1)
    reached = np.array([
        np.sort(own[done])[math.ceil(SHARE * done.sum()) - 1] if done.any() else np.inf
        for own, done in zip(lowest, comparison.done[:, :, 0], strict=True)
    ])  # fmt: skip
    best = float(reached.min())
    far = constant - ARRIVED * (constant - best) if best < constant else math.inf
    counted = reached[np.isfinite(reached) & (reached <= far)]
    return float(counted.max()) if len(counted) else best


def _listed(words: Sequence[str], last: str = "or") -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def _time(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "-" if math.isnan(seconds) else "never"
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def _range(values: Spread, text: Any) -> str:
    return "-" if math.isnan(values[1]) else f"{text(values[1])} to {text(values[2])}"


def _in_brackets(values: Spread, text: Any) -> str:
    return "" if math.isnan(values[1]) else f" ({text(values[1])} to {text(values[2])})"
