"""How noisy a batch's gradient is: exact norms of single rows' gradients, and batches really drawn; over training too.

It is measured on a copy of the model; a batch size is advised, never set.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hillwalker import checks, records
from hillwalker.choosing.worker import worker
from hillwalker.differentiate import FloatArray
from hillwalker.errors import InputError, InputTypeError, StateError, explain
from hillwalker.layers import BatchNormalization, Dropout, GaussianNoise
from hillwalker.models.edge import not_negative_integer
from hillwalker.models.sequential import Sequential
from hillwalker.plan import Plan
from hillwalker.seeing.rows import sum_up
from hillwalker.training.batches import Data
from hillwalker.training.progress import Shown, display
from hillwalker.training.recording import Recording

CALL = "gradient_noise(model, X, y, {})"
BLOCKS = 16  # of rows, each left out once: how sure the noise scale is
T_95 = 2.131  # Student's t for 95 % with 15 degrees of freedom


class Moments(NamedTuple):
    """Unbiased estimates: the trace of the rows' covariance, tr(Σ), and the true gradient's squared length, |G|²."""

    trace: float
    squared_norm: float

    @property
    def noise_scale(self) -> float:
        """tr(Σ) / |G|², infinite where the gradient cannot be told from 0."""
        return self.trace / self.squared_norm if self.squared_norm > 0 else math.inf


def moments(total: FloatArray, squares: float, rows: int) -> Moments:
    """Return both moments from the sum of the rows' gradients and the sum of their squared norms.

    tr(Σ) = (Σ|gᵢ|² - n|ḡ|²) / (n - 1), |G|² = |ḡ|² - tr(Σ) / n: the length of a mean is too long by its own noise.
    Source: McCandlish et al., "An empirical model of large-batch training", 2018, appendix A.1 with batches of 1 and n.

    >>> moments(np.array([4.0, 0.0]), 10.0, 2)
    Moments(trace=2.0, squared_norm=3.0)
    """
    mean_squared = float(np.sum(np.square(total))) / rows**2
    trace = max(0.0, (squares - rows * mean_squared) / (rows - 1))
    return Moments(trace, mean_squared - trace / rows)


def moments_of_batches(small: float, large: float, small_size: int, large_size: int) -> Moments:
    """Return both moments from the mean squared lengths of the gradients of batches of two sizes b < B.

    |G|² = (B|g_B|² - b|g_b|²) / (B - b), tr(Σ) = (|g_b|² - |g_B|²) / (1/b - 1/B). Source: the same appendix.

    >>> moments_of_batches(small=5.0, large=3.5, small_size=1, large_size=4)
    Moments(trace=2.0, squared_norm=3.0)
    """
    squared_norm = (large_size * large - small_size * small) / (large_size - small_size)
    return Moments((small - large) / (1 / small_size - 1 / large_size), squared_norm)


@dataclass(frozen=True)
class BatchNoise:
    """What `draws` batches of one size showed: each tuple is (lower quartile, median, upper quartile).

    `error` is |g_B - g| / |g|, `cosine` the cosine of the angle between a batch's gradient g_B and that of all rows, g.
    `theory` is the error's root mean square for rows drawn without replacement, sqrt(tr(Σ) (1/B - 1/n)) / |g|;
    `root` the same with replacement, sqrt(tr(Σ) / B) / |g|.
    """

    size: int
    error: tuple[float, float, float]
    cosine: tuple[float, float, float]
    theory: float
    root: float


@dataclass(frozen=True, eq=False, repr=False)
class NoiseCourse:
    """The noise of the gradient as training went on, at E kept epochs: each array is (E,).

    `epochs` counts finished ones, 0 is before training; `noise_scale` is tr(Σ) / |G|² (infinite where the gradient
    drowns), `low` and `high` the ends of its 95 % interval; `trace` and `squared_norm` are both moments; `loss` as it
    was recorded.
    """

    epochs: NDArray[np.int64]
    noise_scale: FloatArray
    low: FloatArray
    high: FloatArray
    trace: FloatArray
    squared_norm: FloatArray
    loss: FloatArray

    def over(self, first: float = 0, last: float = math.inf) -> float:
        """Return the noise scale from one epoch to another: both moments averaged, then divided."""
        kept = (self.epochs >= first) & (self.epochs <= last)
        if not kept.any():
            passed = f"epochs {first:g} to {last:g}, of which none was kept."
            raise InputError(explain(passed, f"some from {self.epochs[0]} to {self.epochs[-1]}.", "course.over()"))
        return Moments(float(self.trace[kept].mean()), float(self.squared_norm[kept].mean())).noise_scale

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists and numbers."""
        return {one.name: records.plain(getattr(self, one.name)) for one in dataclasses.fields(self)}

    def to_frame(self) -> Any:
        """Return one row a kept epoch."""
        columns = {one.name: getattr(self, one.name) for one in dataclasses.fields(self)}
        return records.to_frame(columns | {"epoch": self.epochs}, "epoch", "noise.course.to_frame()")

    def __repr__(self) -> str:
        scale = self.noise_scale
        return (
            f"over {len(self.epochs)} kept epochs: {scale[0]:.3g} rows at epoch {self.epochs[0]}, {scale[-1]:.3g} at "
            f"epoch {self.epochs[-1]}; {self.over():.3g} of the moments' means"
        )


@dataclass(frozen=True, repr=False)
class GradientNoise:
    """The noise of a model's gradient at its weights now, and as training went on where that was recorded.

    `noise_scale` is tr(Σ) / |G|², in rows: a batch of that size has as much noise as signal; `interval` holds it with
    95 % (inf: the data cannot tell the gradient from 0). `trace` is tr(Σ), `squared_norm` |G|², which is an estimate
    and may be below 0; `norm` the length of the gradient of all `rows` rows. `method` is "rows" (exact, row by row) or
    "batches" (with batch normalisation or a loss of whole batches, where a row has no gradient of its own; then
    `interval` is (nan, nan)). `course` is the same over a recorded training, or None.
    """

    noise_scale: float
    interval: tuple[float, float]
    trace: float
    squared_norm: float
    norm: float
    rows: int
    method: str
    batches: tuple[BatchNoise, ...]
    draws: int
    course: NoiseCourse | None = field(default=None, compare=False)

    @property
    def advised_batch_size(self) -> int | None:
        """The power of two nearest to the noise scale, at most the number of rows; None where it cannot be told.

        The noise scale over the course of training where that is known, else that at these weights. A rule of thumb:
        below it, twice the rows save almost half the steps; far above it, more rows save none. It usually grows as
        training goes on; generalisation is not part of it. The theory is of plain gradient descent: with Adam the sizes
        that pay were measured about four times as large (`benchmarks/batch_size.py`).
        """
        scale = self.noise_scale if self.course is None else self.course.over()
        if not math.isfinite(scale):
            return None
        power = round(math.log2(max(scale, 1.0)))
        return int(2 ** min(power, int(math.log2(self.rows))))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, numbers and strings."""
        plain: dict[str, Any] = records.plain({**asdict(self), "advised_batch_size": self.advised_batch_size})
        return plain

    def to_frame(self) -> Any:
        """Return one row a batch size."""
        columns: dict[str, list[float]] = {}
        for name in ("error", "cosine"):
            for place, quartile in enumerate(("lower", "median", "upper")):
                columns[f"{name}_{quartile}"] = [getattr(one, name)[place] for one in self.batches]
        columns |= {name: [getattr(one, name) for one in self.batches] for name in ("theory", "root")}
        return records.to_frame(
            {"batch_size": [one.size for one in self.batches], **columns}, "batch_size", "noise.to_frame()"
        )

    def plot(self, title: str | None = None) -> Any:
        """Return a matplotlib figure (see `hillwalker.plots.noise.plot_gradient_noise`)."""
        from hillwalker.plots.noise import plot_gradient_noise

        return plot_gradient_noise(self, title)

    def __repr__(self) -> str:
        advice = self.advised_batch_size
        known = f" (95 %: {self.interval[0]:.3g} to {self.interval[1]:.3g})" if self.method == "rows" else ""
        course = [] if self.course is None else [repr(self.course)]
        lines = [
            f"Gradient noise over {self.rows} rows: noise scale {self.noise_scale:.3g} rows{known}",
            *course,
            f"advised batch size: {advice if advice is not None else 'cannot be told, the gradient drowns in noise'}",
            f"{'batch':>7}{'error':>9}{'theory':>9}{'cosine':>9}",
        ]
        lines += [f"{one.size:>7}{one.error[1]:>9.3f}{one.theory:>9.3f}{one.cosine[1]:>9.3f}" for one in self.batches]
        return "\n".join(lines)


def gradient_noise(
    model: Any,
    X: Any,
    y: Any,
    batch_sizes: Sequence[int] = (8, 16, 32, 64, 128, 256),
    draws: int = 50,
    sample_weight: Any = None,
    seed: int = 0,
    recording: Recording | None = None,
    verbose: Any = "auto",
) -> GradientNoise:
    """Measure how far batches' gradients lie from the gradient of all rows, and the noise scale tr(Σ) / |G|².

    S = tr(Σ) and |G|² are estimated without bias from the exact norms of all rows' gradients, and then divided.

    Args:
        model: compiled; it is measured at its weights now, which stay as they are. Dropout and noise layers are left
            out: theirs is no noise of the batch.
        X, y: (n, inputs) and (n,) or (n, outputs), 2 rows or more.
        batch_sizes: rows a batch, each at most n; larger ones are left out.
        draws: batches of each size, drawn without replacement, as an epoch does.
        sample_weight: one weight a row.
        seed: of the draws.
        recording: of a training of this model, by hw.callbacks.Recorder: the noise at each epoch that it kept, too.
        verbose: "auto" (a bar, if it takes over a second), 0 or 1.

    Raises InputError, InputTypeError or StateError before anything is measured; StateError too where the gradient is 0
    or not finite. Source: McCandlish et al., "An empirical model of large-batch training", 2018.

    >>> from hillwalker import Sequential, utils
    >>> from hillwalker.layers import Dense, Input
    >>> utils.set_random_seed(0)
    >>> model = Sequential([Input((3,)), Dense(1)])
    >>> model.compile(optimizer="sgd", loss="mse")
    >>> X = np.random.default_rng(0).normal(size=(300, 3)); y = X.sum(axis=1)
    >>> noise = gradient_noise(model, X, y, batch_sizes=(10, 100), verbose=0)
    >>> noise.batches[0].error[1] > noise.batches[1].error[1], noise.advised_batch_size
    (True, 4)
    """
    display(verbose, sys.stdout)  # may refuse
    count = checks.positive_integer("draws", draws, CALL.format("draws=50"))
    sizes = listed_sizes(batch_sizes, CALL)
    seed = not_negative_integer("seed", seed, CALL.format("seed=0"))
    made, data = worker(model, X, y, sample_weight, seed, "gradient_noise")
    kept = [size for size in sizes if size <= len(data)]
    if len(data) < 2 or not kept:
        passed = f"{len(data)} rows for batches of {', '.join(map(str, sizes))}."
        raise InputError(explain(passed, "2 rows or more, and a batch size they fill.", CALL.format("batch_sizes=[2]")))
    assert made._loss is not None
    if made._loss.reduction == "sum":
        passed = 'a loss with reduction="sum", whose gradient grows with the batch.'
        raise InputError(explain(passed, "the mean over the batch.", 'model.compile(optimizer, loss="mse")'))
    _leave_out_noise(made)
    vectors = None if recording is None else _vectors(recording, made)
    measurement = _Measurement(made, data, seed, Shown("noise", verbose))
    return measurement.of(kept, count, recording, vectors)


def _vectors(recording: Any, made: Sequential) -> NDArray[Any]:
    """Return the weights that a recording kept, or refuse it."""
    fix = "recorder = hw.callbacks.Recorder(); model.fit(X, y, callbacks=[recorder]); recording=recorder.recording"
    if not isinstance(recording, Recording):
        passed = f"recording={type(recording).__name__}."
        raise InputTypeError(explain(passed, "a Recording of the model's training.", fix))
    if recording.vectors is None or not len(recording):
        passed = "a recording without weights." if len(recording) else "a recording of nothing."
        raise InputError(explain(passed, "a training recorded with weights=True.", fix))
    if recording.vectors.shape[1] != len(made.state.parameters):
        passed = f"a recording of {recording.vectors.shape[1]} numbers for a model of {len(made.state.parameters)}."
        raise InputError(explain(passed, "a recording of this model.", fix))
    return recording.vectors


def _leave_out_noise(model: Sequential) -> None:
    for layer in model.layers:
        if isinstance(layer, Dropout):
            layer.rate = 0.0
        elif isinstance(layer, GaussianNoise):
            layer.stddev = 0.0
    model.state._network = None  # which was told the old rates


def listed_sizes(batch_sizes: Any, call: str) -> list[int]:
    """Return batch sizes, or one, as a list of whole numbers from the smallest up, each once."""
    listed = list(batch_sizes) if isinstance(batch_sizes, (list, tuple, range, np.ndarray)) else [batch_sizes]
    if not listed:
        raise InputError(explain("no batch sizes.", "at least one.", call.format("batch_sizes=[8, 64]")))
    return sorted({checks.positive_integer("batch_sizes", size, call.format("batch_sizes=[8, 64]")) for size in listed})


class _Measurement:
    """The gradients of one copy of a model on one set of rows."""

    def __init__(self, model: Sequential, data: Data, seed: int, shown: Shown) -> None:
        self.model, self.data, self.shown = model, data, shown
        self.network = model.state.network
        self.random = np.random.default_rng(seed)
        self.done, self.due = 0, 1

    def gradient(self, order: NDArray[np.uint32]) -> FloatArray:
        """Return the gradient of the batch of these rows, in float64."""
        (part,) = self.data.parts(order, 0, len(order), len(order))
        y, weight = part.y, part.sample_weight
        assert y is not None
        x = part.ordered(part.x)
        weight = None if weight is None else np.ascontiguousarray(part.ordered(weight))
        gradient = self.network.gradients(x, part.ordered(y), weight)[1].astype(np.float64)
        self.done += len(order)
        self.shown(min(1.0, self.done / self.due))
        return gradient

    def whole(self) -> FloatArray:
        """Return the gradient of all rows, a part at a time where they are many; with batch normalisation, at once."""
        rows = len(self.data)
        most = rows if self.method == "batches" else 2**16
        total: FloatArray = np.zeros(self.model.plan.length)
        for start in range(0, rows, most):
            order = np.arange(start, min(start + most, rows), dtype=np.uint32)
            total += self.gradient(order) * (len(order) / rows)
        return total

    @cached_property
    def method(self) -> str:
        """Whether rows have gradients of their own."""
        if any(isinstance(layer, BatchNormalization) and layer.trainable for layer in self.model.layers):
            return "batches"
        try:
            sum_up(self.plan, self.model.state.parameters, self.data[:2])
        except InputError:  # a loss of the user's that gives one number for a whole batch
            return "batches"
        return "rows"

    @cached_property
    def plan(self) -> Plan:
        """The plan with the loss."""
        assert self.data.y is not None
        return dataclasses.replace(self.model.plan, loss=self.model._loss, target_width=self.data.y.shape[1])

    def of(
        self, sizes: list[int], draws: int, recording: Recording | None, vectors: NDArray[Any] | None
    ) -> GradientNoise:
        """Return the whole record."""
        rows, moment_size = len(self.data), min(sizes)
        measured = 1 if vectors is None else 1 + len(vectors)
        of_moments = rows if self.method == "rows" else rows + draws * moment_size
        self.due = rows + draws * sum(sizes) + measured * of_moments
        try:
            full = self.whole()
            norm = float(np.linalg.norm(full))
            if not (math.isfinite(norm) and norm > 0):
                passed = f"a model whose gradient on these rows is {norm:g}."
                raise StateError(explain(passed, "a gradient that is finite and not 0.", "a model before its training"))
            drawn = {size: [self._drawn(size) for _ in range(draws)] for size in sizes}
            found, interval = self._moments(moment_size, draws)
            course = None if recording is None or vectors is None else self._course(recording, vectors, sizes, draws)
        finally:
            self.shown.close()
        batches = tuple(_summary(size, gradients, full, found.trace, rows) for size, gradients in drawn.items())
        return GradientNoise(
            found.noise_scale,
            interval,
            found.trace,
            found.squared_norm,
            norm,
            rows,
            self.method,
            batches,
            draws,
            course,
        )

    def _drawn(self, size: int) -> FloatArray:
        return self.gradient(self.random.choice(len(self.data), size, replace=False).astype(np.uint32))

    def _moments(self, size: int, draws: int) -> tuple[Moments, tuple[float, float]]:
        """Return the moments at the copy's weights now, and the interval of their ratio."""
        return self._row_by_row() if self.method == "rows" else (self._from_batches(size, draws), (math.nan, math.nan))

    def _row_by_row(self) -> tuple[Moments, tuple[float, float]]:
        """Return the moments of the rows' own gradients, in blocks of which each is left out once."""
        model, rows = self.model, len(self.data)
        penalty = self._penalty()
        sums: list[tuple[FloatArray, float, int]] = []
        order = np.arange(rows) if rows < 2 * BLOCKS else self.random.permutation(rows)
        for block in np.array_split(order, min(BLOCKS, rows)):
            found = sum_up(self.plan, model.state.parameters, self._taken(np.sort(block)))
            count = len(block)
            total = count * found.gradient
            # |g + p|² = |g|² + 2 g·p + |p|²: the penalty's gradient p is a part of every row's
            squares = float(found.squared_norms.sum() + 2 * (total @ penalty) + count * (penalty @ penalty))
            sums.append((total + count * penalty, squares, count))
            self.done += count
            self.shown(min(1.0, self.done / self.due))
        total, squares = np.sum([one for one, _, _ in sums], axis=0), sum(one for _, one, _ in sums)
        return moments(total, squares, rows), _interval(sums, total, squares, rows)

    def _taken(self, rows: NDArray[np.intp]) -> Data:
        y, weight = self.data.y, self.data.sample_weight
        assert y is not None
        return Data(self.data.x[rows], y[rows], None if weight is None else weight[rows], self.data.dtype)

    def _penalty(self) -> FloatArray:
        """Return the gradient of the regularizers' penalties."""
        gradient: FloatArray = np.zeros(self.model.plan.length)
        for segment in self.model.plan.trained:
            if segment.regularizer is not None:
                weights = segment.view(self.model.state.parameters).astype(np.float64)
                segment.view(gradient)[...] = segment.regularizer.derivative(weights)
        return gradient

    def _from_batches(self, size: int, draws: int) -> Moments:
        """Return the moments from small batches drawn and from all rows."""
        full = self.whole()
        if size == len(self.data):
            return Moments(0.0, float(full @ full))
        small = float(np.mean([gradient @ gradient for gradient in (self._drawn(size) for _ in range(draws))]))
        return moments_of_batches(small, float(full @ full), size, len(self.data))

    def _course(self, recording: Recording, vectors: NDArray[Any], sizes: list[int], draws: int) -> NoiseCourse:
        """Return the moments at each of the weights that a recording kept."""
        parameters, now = self.model.state.parameters, self.model.state.parameters.copy()
        found = []
        for vector in vectors:
            parameters[...] = vector
            found.append(self._moments(min(sizes), draws))
        parameters[...] = now
        moments_there, intervals = [one for one, _ in found], [two for _, two in found]
        return NoiseCourse(
            recording.epochs,
            np.array([one.noise_scale for one in moments_there]),
            np.array([low for low, _ in intervals]),
            np.array([high for _, high in intervals]),
            np.array([one.trace for one in moments_there]),
            np.array([one.squared_norm for one in moments_there]),
            recording.loss,
        )


def _interval(
    sums: list[tuple[FloatArray, float, int]], total: FloatArray, squares: float, rows: int
) -> tuple[float, float]:
    """Return the noise scale's 95 % interval: the jackknife over blocks, of |G|² / tr(Σ), whose scatter is even."""
    if rows < 2 * BLOCKS:
        return math.nan, math.nan

    def ratio(found: Moments) -> float:
        return found.squared_norm / found.trace if found.trace > 0 else math.inf

    whole = ratio(moments(total, squares, rows))
    left = np.array([ratio(moments(total - one, squares - square, rows - count)) for one, square, count in sums])
    if not (math.isfinite(whole) and np.isfinite(left).all()):
        return 0.0, 0.0  # rows that all agree: no noise
    spread = T_95 * math.sqrt((BLOCKS - 1) / BLOCKS * float(np.sum(np.square(left - left.mean()))))
    low, high = whole - spread, whole + spread
    return (1 / high if high > 0 else math.inf), (1 / low if low > 0 else math.inf)


def _summary(size: int, gradients: list[FloatArray], full: FloatArray, trace: float, rows: int) -> BatchNoise:
    norm = float(np.linalg.norm(full))
    errors = [float(np.linalg.norm(gradient - full)) / norm for gradient in gradients]
    cosines = [float(gradient @ full) / (float(np.linalg.norm(gradient)) * norm or math.inf) for gradient in gradients]
    theory = math.sqrt(max(0.0, trace) * (1 / size - 1 / rows)) / norm
    return BatchNoise(size, _quartiles(errors), _quartiles(cosines), theory, math.sqrt(max(0.0, trace) / size) / norm)


def _quartiles(values: list[float]) -> tuple[float, float, float]:
    low, middle, high = np.percentile(values, [25, 50, 75])
    return float(low), float(middle), float(high)
