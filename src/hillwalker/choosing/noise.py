"""How noisy a batch's gradient is: exact gradients of single rows, and batches really drawn.

It is measured on a copy of the model; a batch size is advised, never set.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hillwalker import checks, records
from hillwalker.choosing.worker import worker
from hillwalker.differentiate import FloatArray
from hillwalker.errors import InputError, StateError, explain
from hillwalker.layers import BatchNormalization, Dropout, GaussianNoise
from hillwalker.models.edge import not_negative_integer
from hillwalker.models.sequential import Sequential
from hillwalker.training.batches import Data
from hillwalker.training.progress import Shown, display

CALL = "gradient_noise(model, X, y, {})"
BLOCKS = 16  # of rows, each left out once: how sure the noise scale is
T_95 = 2.131  # Student's t for 95 % with 15 degrees of freedom
MOST_ROWS = 4096  # whose gradients are taken one by one


class Moments(NamedTuple):
    """Unbiased estimates: the trace of the rows' covariance, tr(Σ), and the true gradient's squared length, |G|²."""

    trace: float
    squared_norm: float


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


@dataclass(frozen=True, repr=False)
class GradientNoise:
    """The noise of a model's gradient at its weights now.

    `noise_scale` is tr(Σ) / |G|², in rows: a batch of that size has as much noise as signal; `interval` holds it with
    95 % (inf: the data cannot tell the gradient from 0). `trace` is tr(Σ), `squared_norm` |G|², which is an estimate
    and may be below 0; `norm` the length of the gradient of all `rows` rows. `method` is "rows" (exact, row by row) or
    "batches" (with batch normalisation, where a row has no gradient of its own; then `interval` is (nan, nan)).
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

    @property
    def advised_batch_size(self) -> int | None:
        """The power of two nearest to the noise scale, at most the number of rows; None where it cannot be told.

        A rule of thumb: below the noise scale, twice the rows save almost half the steps; far above it, more rows save
        none. It holds at these weights and grows as training goes on; generalisation is not part of it.
        """
        if not math.isfinite(self.noise_scale):
            return None
        power = round(math.log2(max(self.noise_scale, 1.0)))
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
        lines = [
            f"Gradient noise over {self.rows} rows: noise scale {self.noise_scale:.3g} rows{known}",
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
    verbose: Any = "auto",
) -> GradientNoise:
    """Measure how far batches' gradients lie from the gradient of all rows, and the noise scale tr(Σ) / |G|².

    Args:
        model: compiled; it is measured at its weights now, which stay as they are. Dropout and noise layers are left
            out: theirs is no noise of the batch.
        X, y: (n, inputs) and (n,) or (n, outputs), 2 rows or more.
        batch_sizes: rows a batch, each at most n; larger ones are left out.
        draws: batches of each size, drawn without replacement, as an epoch does.
        sample_weight: one weight a row.
        seed: of the draws. Of more than 4096 rows, so many are drawn for the exact part.
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
    return _Measurement(made, data, seed, Shown("noise", verbose)).of(kept, count)


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
        most = rows if self._normalises() else 2**16
        total: FloatArray = np.zeros(self.model.plan.length)
        for start in range(0, rows, most):
            order = np.arange(start, min(start + most, rows), dtype=np.uint32)
            total += self.gradient(order) * (len(order) / rows)
        norm = float(np.linalg.norm(total))
        if not (math.isfinite(norm) and norm > 0):
            passed = f"a model whose gradient on these rows is {norm:g}."
            raise StateError(explain(passed, "a gradient that is finite and not 0.", "a model before its training"))
        return total

    def _normalises(self) -> bool:
        return any(isinstance(layer, BatchNormalization) and layer.trainable for layer in self.model.layers)

    def of(self, sizes: list[int], draws: int) -> GradientNoise:
        """Return the whole record."""
        rows, normalises = len(self.data), self._normalises()
        self.due = rows + (0 if normalises else min(rows, MOST_ROWS)) + draws * sum(sizes)
        try:
            full = self.whole()
            norm = float(np.linalg.norm(full))
            drawn = {size: [self._drawn(size) for _ in range(draws)] for size in sizes}
            if normalises:
                found, interval, method = self._from_batches(drawn, full, draws), (math.nan, math.nan), "batches"
            else:
                (found, interval), method = self._row_by_row(), "rows"
        finally:
            self.shown.close()
        batches = tuple(_summary(size, gradients, full, found.trace, rows) for size, gradients in drawn.items())
        scale = found.trace / found.squared_norm if found.squared_norm > 0 else math.inf
        return GradientNoise(scale, interval, found.trace, found.squared_norm, norm, rows, method, batches, draws)

    def _drawn(self, size: int) -> FloatArray:
        return self.gradient(self.random.choice(len(self.data), size, replace=False).astype(np.uint32))

    def _row_by_row(self) -> tuple[Moments, tuple[float, float]]:
        """Return the moments of the rows' own gradients, and the interval of their ratio."""
        rows = min(len(self.data), MOST_ROWS)
        chosen = self.random.permutation(len(self.data))[:rows].astype(np.uint32)
        sums: list[tuple[FloatArray, float, int]] = []
        for block in np.array_split(chosen, min(BLOCKS, rows)):
            total, squares = np.zeros(self.model.plan.length), 0.0
            for row in block:
                gradient = self.gradient(np.array([row], dtype=np.uint32))
                total += gradient
                squares += float(gradient @ gradient)
            sums.append((total, squares, len(block)))
        total, squares = np.sum([one for one, _, _ in sums], axis=0), sum(one for _, one, _ in sums)
        return moments(total, squares, rows), _interval(sums, total, squares, rows)

    def _from_batches(self, drawn: dict[int, list[FloatArray]], full: FloatArray, draws: int) -> Moments:
        """Return the moments from the smallest batches drawn and from all rows."""
        size = min(drawn)
        if size == len(self.data):
            return Moments(0.0, float(full @ full))
        small = float(np.mean([gradient @ gradient for gradient in drawn[size]]))
        return moments_of_batches(small, float(full @ full), size, len(self.data))


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
