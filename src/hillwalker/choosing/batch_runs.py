"""Trainings that differ in nothing but the batch size: the loss of every step, and the loss on all rows.

They are copies of the model, which stays as it was; nothing is chosen here.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import checks, records
from hillwalker.choosing.noise import listed_sizes
from hillwalker.choosing.worker import orders, step, worker
from hillwalker.differentiate import FloatArray
from hillwalker.models.edge import not_negative_integer
from hillwalker.models.sequential import Sequential
from hillwalker.training.batches import Data
from hillwalker.training.progress import Shown, display

CALL = "batch_size_runs(model, X, y, {})"
CURVE_POINTS = 60  # of the loss on all rows, along a run


@dataclass(frozen=True, eq=False)
class BatchRun:
    """One training: each step's batch loss, (steps,), and now and then the loss on all rows, after so many steps."""

    size: int
    losses: FloatArray
    steps: NDArray[np.int64]
    whole: FloatArray


@dataclass(frozen=True, eq=False, repr=False)
class BatchSizeRuns:
    """Trainings from the same weights with the same rate, each with another batch size, over as many epochs."""

    runs: tuple[BatchRun, ...]
    rows: int
    loss: str

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, numbers and strings."""
        plain: dict[str, Any] = records.plain(asdict(self))
        return plain

    def to_frame(self) -> Any:
        """Return one row a step of each run: step and batch loss, with the batch size as index."""
        columns: dict[str, Any] = {
            "step": np.concatenate([np.arange(len(run.losses)) for run in self.runs]),
            "loss": np.concatenate([run.losses for run in self.runs]),
        }
        sizes = [run.size for run in self.runs for _ in run.losses]
        return records.to_frame({"batch_size": sizes, **columns}, "batch_size", "runs.to_frame()")

    def plot(self, title: str | None = None) -> Any:
        """Return a matplotlib figure (see `hillwalker.plots.batch_runs.plot_batch_runs`)."""
        from hillwalker.plots.batch_runs import plot_batch_runs

        return plot_batch_runs(self, title)

    def __repr__(self) -> str:
        lines = [f"Runs of {len(self.runs)} batch sizes on {self.rows} rows: the loss on all rows, first and last"]
        lines += [
            f"{run.size:>7}  {run.whole[0]:.4g} to {run.whole[-1]:.4g} in {len(run.losses)} steps" for run in self.runs
        ]
        return "\n".join(lines)


def batch_size_runs(
    model: Any,
    X: Any,
    y: Any,
    batch_sizes: Sequence[int] | None = None,
    epochs: int = 5,
    sample_weight: Any = None,
    seed: int = 0,
    verbose: Any = "auto",
) -> BatchSizeRuns:
    """Train copies of the model, one for each batch size, from the same weights, and return the loss of every step.

    Args:
        model: compiled; it stays as it is.
        X, y: (n, inputs) and (n,) or (n, outputs).
        batch_sizes: rows a step; by default 1 (stochastic), 32 (mini-batch) and all (batch). More than n means all.
        epochs: how often each copy sees the rows.
        sample_weight: one weight a row.
        seed: of the rows' order.
        verbose: "auto" (a bar, if it takes over a second), 0 or 1.

    A run whose loss is not finite ends there. Raises InputError, InputTypeError or StateError before anything is
    trained.

    >>> from hillwalker import Sequential, utils
    >>> from hillwalker.layers import Dense, Input
    >>> utils.set_random_seed(0)
    >>> model = Sequential([Input((3,)), Dense(1)])
    >>> model.compile(optimizer="sgd", loss="mse")
    >>> X = np.random.default_rng(0).normal(size=(100, 3)); y = X.sum(axis=1)
    >>> [len(run.losses) for run in batch_size_runs(model, X, y, verbose=0).runs]
    [500, 15, 5]
    """
    display(verbose, sys.stdout)  # may refuse
    turns = checks.positive_integer("epochs", epochs, CALL.format("epochs=5"))
    sizes = None if batch_sizes is None else listed_sizes(batch_sizes, CALL)
    seed = not_negative_integer("seed", seed, CALL.format("seed=0"))
    made, data = worker(model, X, y, sample_weight, seed, "batch_size_runs")
    rows = len(data)
    chosen = sorted({min(size, rows) for size in sizes or (1, 32, rows)})
    start = made.state.keep()
    shown = Shown("batch sizes", verbose)
    runs: list[BatchRun] = []
    try:
        for size in chosen:
            made.state.return_to(start)
            runs.append(_run(made, data, size, turns, seed, shown, len(runs) / len(chosen), 1 / len(chosen)))
    finally:
        shown.close()
    assert made._loss is not None
    return BatchSizeRuns(tuple(runs), rows, made._loss.kind or made._loss.name)


def _run(
    made: Sequential, data: Data, size: int, epochs: int, seed: int, shown: Shown, done: float, share: float
) -> BatchRun:
    state = made.state
    optimizer = state.optimizer
    assert optimizer is not None
    steps = epochs * (len(data) // size)
    measured = set(np.unique(np.linspace(0, steps, min(steps, CURVE_POINTS) + 1).round().astype(int)).tolist())
    losses: list[float] = []
    where, whole = [0], [_loss(made, data)]
    for number, order in zip(range(1, steps + 1), orders(len(data), size, seed), strict=False):
        losses.append(step(state, data, order, optimizer.learning_rate))
        if number in measured:
            where.append(number)
            whole.append(_loss(made, data))
            shown(done + share * number / steps)
        if not math.isfinite(losses[-1]):
            break
    return BatchRun(size, np.array(losses), np.array(where, dtype=np.int64), np.array(whole))


def _loss(made: Sequential, data: Data) -> float:
    """Return the loss on all rows."""
    total = 0.0
    for part in data.parts(None, 0, len(data), len(data)):
        assert part.y is not None
        total += made.state.network.evaluate(part.x, part.y, part.sample_weight, part.rows, None)
    return total / len(data)
