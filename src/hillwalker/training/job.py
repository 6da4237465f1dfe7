"""One model's training in a run of many: its data, what the core is told of it, and what is written down afterwards.

Nothing is trained here; `many.py` and `lanes.py` do that.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import engine
from hillwalker.training import loop
from hillwalker.training.batches import WINDOW, Data
from hillwalker.training.callbacks import EarlyStopping
from hillwalker.training.history import History
from hillwalker.training.state import State

MOST_RATES = 2**20  # numbers of a schedule that are worked out beforehand

RowNumbers = NDArray[np.uint32]


@dataclass(frozen=True)
class Chosen:
    """Data, and which of their rows a model sees; None: all of them, as they lie."""

    data: Data
    rows: RowNumbers | None = None

    def __len__(self) -> int:
        return len(self.data) if self.rows is None else len(self.rows)

    def taken(self) -> Data:
        """Return the rows as data of their own, copied."""
        data, rows = self.data, self.rows
        if rows is None:
            return data
        y, weight = (None if array is None else array[rows] for array in (data.y, data.sample_weight))
        return Data(data.x[rows], y, weight, data.dtype)

    def for_the_core(self) -> engine.Sample:
        """Return the arrays, and the row numbers, as the core takes them."""
        assert self.data.y is not None
        return self.data.x, self.data.y, self.data.sample_weight, self.rows


@dataclass(frozen=True)
class Job:
    """One model's training. `model` is a model that is built and compiled, `state` what the training changes."""

    model: Any
    state: State
    sample: Chosen
    validation: Chosen | None
    settings: loop.Settings
    early_stopping: EarlyStopping | None
    order_seed: int | None
    params: dict[str, Any]

    @cached_property
    def steps(self) -> int:
        """How many steps an epoch has."""
        return -(-len(self.sample) // self.settings.batch_size)

    @cached_property
    def cost(self) -> int:
        """About how long an epoch takes, in microseconds of a slow machine."""
        operations = 6 * self.state.plan.length * len(self.sample)
        seconds = self.steps * loop.STEP_SECONDS + operations / loop.OPERATIONS_PER_SECOND
        return max(1, round(1e6 * seconds))

    @cached_property
    def needs_python(self) -> bool:
        """Whether the core cannot do it alone."""
        network, optimizer = self.state.network, self.state.optimizer
        assert optimizer is not None
        return (
            not isinstance(network, engine.Network)
            or network.needs_python
            or self.state.tracker.needs_predictions
            or not all(chosen.data.is_ready for chosen in (self.sample, self.validation) if chosen is not None)
            or len(self.sample) > WINDOW
            or (optimizer.schedule is not None and self.settings.epochs * self.steps > MOST_RATES)
        )


def course(job: Job) -> dict[str, Any]:
    """Return how a training goes, as the core is told."""
    state, settings, optimizer = job.state, job.settings, job.state.optimizer
    assert optimizer is not None
    first, size = optimizer.iterations, settings.validation_batch_size
    steps = 1 if optimizer.schedule is None else settings.epochs * job.steps
    return {
        "epochs": settings.epochs,
        "batch_size": settings.batch_size,
        "steps_a_call": loop.steps_of_a_call(state, settings.batch_size),
        "validation_batch_size": size,
        "validation_rows_a_call": loop.rows_of_a_call(size),
        "shuffle": settings.shuffle,
        "order_seed": state.seed if job.order_seed is None else job.order_seed,
        "first_iteration": first,
        "learning_rates": optimizer.learning_rates(first, steps),
        "cost": job.cost,
    }


def early_stopping_rule(early_stopping: EarlyStopping | None) -> dict[str, Any]:
    """Return when to stop, as the core is told."""
    if early_stopping is None:
        return {}
    return {
        "watches_validation": early_stopping.monitor == "val_loss",
        "maximum": early_stopping.mode == "max",
        "restores_best": early_stopping.restore_best_weights,
        "min_delta": float(early_stopping.min_delta),
        "has_baseline": early_stopping.baseline is not None,
        "baseline": float(early_stopping.baseline or 0.0),
        "patience": int(early_stopping.patience),
        "start_from_epoch": int(early_stopping.start_from_epoch),
    }


def write_down(job: Job, record: tuple[list[float], list[float], int, bool, bool], seconds: float) -> None:
    """Give a model the record of what the core has done in so many seconds."""
    model, optimizer = job.model, job.state.optimizer
    losses, validation_losses, steps, finite, interrupted = record
    assert optimizer is not None
    optimizer.iterations += steps
    curves = {"loss": losses} | ({"val_loss": validation_losses} if job.validation is not None else {})
    reason = None
    if not finite:
        reason = loop.not_finite(len(losses) - 1, losses[-1])
    elif interrupted:
        reason = loop.interrupted_after(len(losses))
    model.first_epoch, model.interrupted, model.stop_reason = 0, interrupted, reason
    model.stop_training = len(losses) < job.settings.epochs and not interrupted
    history = History(list(range(len(losses))), curves if losses else {}, job.params)
    model.history = history.ended(interrupted, reason, seconds)
