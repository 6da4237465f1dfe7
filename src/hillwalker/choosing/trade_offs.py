"""What a batch size costs and what it brings: time, memory, noise, and the way to a loss. Measured; advises nothing."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hillwalker import checks, records
from hillwalker.errors import HillwalkerWarning, InputError, explain
from hillwalker.models import Sequential, copies, fit_many
from hillwalker.seeing.rows import row_gradients
from hillwalker.training.progress import Shown

CALL = "batch_trade_offs(model, X, y, {})"
TIMED, EPOCHS_TIMED = 3, 5  # so many epochs are timed so many times; the quickest counts, others were disturbed


@dataclass(frozen=True, repr=False)
class BatchTradeOffs:
    """One number a batch size in each list, smallest batch first.

    `seconds`: an epoch takes; `memory`: bytes of the inputs and outputs of all layers that a batch needs at once;
    `noise`: the standard deviation of a batch's gradient in lengths of the whole gradient, before training; `epochs`,
    `steps`, `seconds_to_goal`: to the epoch whose training loss is `goal` or less, in the median of `seeds` trainings,
    infinite where they did not get there in `epochs_tried`.
    """

    batch_sizes: list[int]
    rows: int
    goal: float
    seeds: int
    epochs_tried: int
    seconds: list[float]
    memory: list[int]
    noise: list[float]
    epochs: list[float]

    @property
    def steps(self) -> list[float]:
        """Updates of the weights until the goal."""
        an_epoch = [math.ceil(self.rows / size) for size in self.batch_sizes]
        return [epochs * steps for epochs, steps in zip(self.epochs, an_epoch, strict=True)]

    @property
    def seconds_to_goal(self) -> list[float]:
        """Seconds of training until the goal."""
        return [epochs * seconds for epochs, seconds in zip(self.epochs, self.seconds, strict=True)]

    def columns(self) -> dict[str, list[Any]]:
        """Return the numbers by name, one a batch size."""
        return {
            "batch_size": list(self.batch_sizes),
            "seconds": list(self.seconds),
            "memory": list(self.memory),
            "noise": list(self.noise),
            "epochs": list(self.epochs),
            "steps": self.steps,
            "seconds_to_goal": self.seconds_to_goal,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists and numbers; what was not reached is None."""
        told = {"rows": self.rows, "goal": self.goal, "seeds": self.seeds, "epochs_tried": self.epochs_tried}
        found: dict[str, Any] = records.plain({**told, **self.columns()})
        return found

    def to_frame(self) -> Any:
        """Return one row a batch size, as a pandas frame, or without pandas a polars frame."""
        return records.to_frame(self.columns(), "batch_size", "batch_trade_offs(...).to_frame()")

    def plot(self) -> Any:
        """Return a figure: time, memory, noise and the way to the goal by batch size."""
        from hillwalker.plots.trade_offs import plot_batch_trade_offs

        return plot_batch_trade_offs(self)

    def __repr__(self) -> str:
        names = ("batch", "ms/epoch", "kB", "noise", "epochs", "steps", "ms")
        lines = ["".join(f"{name:>10}" for name in names) + f"  (the last three: to loss {self.goal:g})"]
        for size, seconds, memory, noise, epochs, steps, to in zip(*self.columns().values(), strict=True):
            shown = (f"{1000 * seconds:.3g}", f"{memory / 1000:.3g}", f"{noise:.3g}", f"{epochs:g}", f"{steps:,g}")
            lines.append("".join(f"{text:>10}" for text in (f"{size:,}", *shown, f"{1000 * to:.3g}")))
        return "\n".join(lines)


def batch_trade_offs(
    model: Sequential,
    X: Any,
    y: Any,
    *,
    goal: float,
    batch_sizes: Sequence[int] | None = None,
    epochs: int = 200,
    seeds: int = 5,
    verbose: Any = "auto",
) -> BatchTradeOffs:
    """Return time, memory, noise and the epochs to a training loss of `goal`, by batch size.

    noise_B = sqrt(tr(S) / B · (n - B) / (n - 1)) / |g|,  S the covariance of the rows' gradients, g their mean

    Args:
        model: a compiled model; only copies of it are trained, from fresh weights, and it is left as it is.
        X, y: the rows to learn from, (n, I) and (n,) or (n, O).
        goal: the training loss to reach.
        batch_sizes: by default 1, 4, 16, 64, 256 as far as there are rows, and all rows.
        epochs: at most, a training; seeds: how many trainings, of which the median counts.
        verbose: whether progress is shown if it takes over a second.

    >>> import hillwalker as hw
    >>> model = hw.Sequential([hw.Input((1,)), hw.layers.Dense(1)])
    >>> model.compile(hw.optimizers.SGD(0.05), loss="mse")
    >>> X = np.linspace(-1, 1, 64)[:, None]
    >>> found = batch_trade_offs(model, X, 2 * X[:, 0], goal=0.01, batch_sizes=[8, 64], verbose=0)
    >>> found.epochs[0] < found.epochs[1], found.noise[0] > found.noise[1] == 0
    (True, True)
    """
    if not isinstance(goal, (int, float)) or not math.isfinite(goal):
        raise InputError(explain(f"goal={goal!r}.", "a finite loss.", CALL.format("goal=0.1")))
    epochs = checks.positive_integer("epochs", epochs, CALL.format("epochs=200"))
    found = row_gradients(model, X, y, verbose=0)
    rows = len(found.loss)
    sizes = _sizes(batch_sizes, rows)
    mean_square = float(found.gradient @ found.gradient)
    spread = max(float(found.squared_norms.mean()) - mean_square, 0.0)
    seconds, reached = [], []
    shown = Shown("batch sizes", verbose)
    try:
        for number, size in enumerate(sizes):
            seconds.append(_seconds_an_epoch(model, X, y, size))
            reached.append(_epochs_to(goal, copies(model, seeds), X, y, size, epochs))
            shown((number + 1) / len(sizes))
    finally:
        shown.close()
    plan = model.state.plan
    width = plan.input_width + sum(planned.outputs for planned in plan.layers)
    itemsize = model.state.parameters.itemsize
    noise = [math.sqrt(spread / size * (rows - size) / max(rows - 1, 1) / mean_square) for size in sizes]
    memory = [size * width * itemsize for size in sizes]
    return BatchTradeOffs(sizes, rows, float(goal), seeds, epochs, seconds, memory, noise, reached)


def _sizes(batch_sizes: Sequence[int] | None, rows: int) -> list[int]:
    if batch_sizes is None:
        return [*(size for size in (1, 4, 16, 64, 256) if size < rows), rows]
    call = CALL.format("batch_sizes=[16, 64, 256]")
    sizes = sorted({checks.positive_integer("batch_sizes", size, call) for size in batch_sizes})
    if not sizes or sizes[-1] > rows:
        raise InputError(explain(f"batch_sizes={list(batch_sizes)} for {rows} rows.", f"sizes of 1 to {rows}.", call))
    return sizes


def _seconds_an_epoch(model: Sequential, X: Any, y: Any, size: int) -> float:
    (timed,) = copies(model, [0])
    timed.fit(X, y, batch_size=size, epochs=1, verbose=0)
    best = math.inf
    for _ in range(TIMED):
        started = time.perf_counter()
        if timed.fit(X, y, batch_size=size, epochs=EPOCHS_TIMED, verbose=0).interrupted:
            raise KeyboardInterrupt
        best = min(best, (time.perf_counter() - started) / EPOCHS_TIMED)
    return best


def _epochs_to(goal: float, models: list[Sequential], X: Any, y: Any, size: int, epochs: int) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HillwalkerWarning)  # a training that diverges does not get there
        histories = fit_many(models, X, y, batch_size=size, epochs=epochs, verbose=0)
    if any(history.interrupted for history in histories):  # half a measurement is none
        raise KeyboardInterrupt
    first = [
        next((epoch + 1 for epoch, loss in enumerate(history.history["loss"]) if loss <= goal), math.inf)
        for history in histories
    ]
    return float(np.median(first))
