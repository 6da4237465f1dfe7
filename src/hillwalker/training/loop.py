"""The training loop: forward pass, loss, backward pass, update, all in the engine, and what goes around them.

Python runs once for each call of an engine, which is an epoch or so many steps as take about a tenth of a second,
whichever is shorter; only callbacks that ask for batches are called for batches.
"""

from __future__ import annotations

import math
import signal
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker.errors import HillwalkerWarning, explain
from hillwalker.training.batches import Data, Part, windows
from hillwalker.training.callbacks import CallbackList
from hillwalker.training.history import History
from hillwalker.training.state import Kept, State

PATIENCE = 0.1  # seconds that one call of an engine may take on a slow machine: Ctrl-C is heard this often
STEP_SECONDS = 2e-6  # what a step costs on a slow machine, whatever its size
OPERATIONS_PER_SECOND = 2e9  # floating-point, on a slow machine
STRETCH = 2**18  # rows that are measured or predicted in one call of an engine


@dataclass
class Interruption:
    """Whether Ctrl-C was pressed. The first time only asks; the second ends the program as always."""

    asked: bool = False


@contextmanager
def listening() -> Iterator[Interruption]:
    """Turn the first Ctrl-C into a question to the loop, so that weights and iterations always belong together."""
    interruption = Interruption()
    ordinary = threading.current_thread() is threading.main_thread()
    if not ordinary or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield interruption
        return

    def ask(number: int, frame: FrameType | None) -> None:
        interruption.asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, ask)
    try:
        yield interruption
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class Settings:
    """What `fit` was told about the course of a training."""

    epochs: int
    batch_size: int
    shuffle: bool
    validation_freq: int | Sequence[int]
    validation_batch_size: int


def fit(
    run: Any, state: State, data: Data, validation: Data | None, settings: Settings, callbacks: CallbackList
) -> None:
    """Train up to the last epoch; curves and reasons go to `run`, weights to `state`. The callbacks have begun.

    `run` is the model, of which the loop reads `first_epoch` and `stop_training` and writes `history`, `interrupted`
    and `stop_reason`.
    """
    kept: Kept | None = None
    logs: dict[str, Any] = {}
    steps = 1 if callbacks.wants_batches else steps_of_a_call(state, settings.batch_size)
    with listening() as interruption:
        try:
            for epoch in range(run.first_epoch, settings.epochs):
                if run.stop_training:
                    break
                callbacks.on_epoch_begin(epoch)
                kept = state.keep(kept)
                finite = _train_epoch(run, state, data, settings, steps, callbacks, interruption)
                if interruption.asked:
                    raise KeyboardInterrupt
                logs = state.tracker.results()
                if not finite or not state.is_finite():
                    state.return_to(kept)
                    run.stop_reason = not_finite(epoch, logs["loss"])
                    if not run.expects_non_finite:
                        _warn_of(run.stop_reason, state)
                    run.stop_training = True
                if validation is not None and _is_due(epoch, settings.validation_freq):
                    logs |= _validate(run, state, validation, settings, callbacks, logs)
                callbacks.on_epoch_end(epoch, logs)
                record(run.history, epoch, logs)
                callbacks.on_epoch_recorded(epoch, logs)
                if interruption.asked:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            run.interrupted = True
            run.stop_reason = interrupted_after(len(run.history.epoch))
        finally:
            state.end_epoch()
        callbacks.on_train_end(logs)


def _validate(
    run: Any, state: State, data: Data, settings: Settings, callbacks: CallbackList, logs: dict[str, Any]
) -> dict[str, Any]:
    """Return the validation's loss and metrics; NaN where the epoch has failed."""
    if run.stop_reason is not None:
        return {f"val_{name}": math.nan for name in logs}
    callbacks.on_test_begin()
    evaluate(state, data, settings.validation_batch_size, callbacks)
    callbacks.on_test_end(state.tracker.results())
    return state.tracker.results("val_")


def record(history: History, epoch: int, logs: dict[str, Any]) -> None:
    """Append one epoch's numbers to the curves."""
    history.epoch.append(epoch)
    for name, value in logs.items():
        history.history.setdefault(name, []).append(value)


def _is_due(epoch: int, frequency: int | Sequence[int]) -> bool:
    return (epoch + 1) % frequency == 0 if isinstance(frequency, int) else epoch + 1 in frequency


def steps_of_a_call(state: State, batch_size: int) -> int:
    """Return how many steps one call of an engine does, at six floating-point operations a weight and row.

    It does not look at the clock: losses and metrics are summed call by call, so the last bit of a curve would depend
    on how busy the machine is, and a resumed training would not equal an uninterrupted one.
    """
    operations = 6 * state.plan.length * batch_size
    return max(1, int(PATIENCE / (STEP_SECONDS + operations / OPERATIONS_PER_SECOND)))


def _train_epoch(
    run: Any,
    state: State,
    data: Data,
    settings: Settings,
    steps: int,
    callbacks: CallbackList,
    interruption: Interruption,
) -> bool:
    """Do one epoch, or the rest of one that was interrupted; return False where a batch's loss was not finite.

    `steps` is how many an engine does in one call.
    """
    size = settings.batch_size
    done = state.begin_epoch()  # steps of this epoch that an earlier process did
    passed = 0  # steps of this epoch in the windows before
    for window in windows(len(data), size, settings.shuffle, state.seed, state.epoch_iteration):
        order, count = (None, window) if isinstance(window, int) else (window, len(window))
        start = min(max(0, done - passed) * size, count)
        while start < count:
            step = passed + start // size
            stop = min(start + steps * size, count)
            if callbacks.wants_batches:
                callbacks.on_train_batch_begin(step)
            for part in data.parts(order, start, stop, size):
                if not _train_part(state, part, size):
                    return False
            start = stop
            if callbacks.wants_batches:
                callbacks.on_train_batch_end(step, state.tracker.results())
            if start < count and callbacks.wants_progress:  # the end of the epoch has a hook of its own
                callbacks.on_train_progress(passed + -(-start // size), state.tracker.results())
            if interruption.asked or run.stop_training:
                return True
        passed += -(-count // size)
    state.end_epoch()
    return True


def _train_part(state: State, part: Part, batch_size: int) -> bool:
    optimizer = state.optimizer
    assert optimizer is not None
    assert part.y is not None
    steps, iteration = -(-part.rows // batch_size), optimizer.iterations
    predictions = state.room_for_predictions(part.rows)
    rates = optimizer.learning_rates(iteration, steps)
    result = state.network.train(
        part.x, part.y, part.sample_weight, part.order, batch_size, rates, iteration, predictions
    )
    optimizer.iterations += result.steps
    state.tracker.update(result.loss_sum, result.rows, part, predictions, batch_size)
    return result.finite


def interrupted_after(epochs: int) -> str:
    """Return in words how far a training came."""
    return f"interrupted by Ctrl-C after {epochs} finished epoch{'s' * (epochs != 1)}"


def not_finite(epoch: int, loss: float) -> str:
    """Return in words why training stopped."""
    what = f"the loss became {loss}" if not math.isfinite(loss) else "a weight became infinite"
    return f"{what} in epoch {epoch + 1}; the weights are those of the last finite epoch"


def _warn_of(reason: str, state: State) -> None:
    assert state.optimizer is not None
    smaller = state.optimizer.learning_rate / 10
    fix = f"a smaller learning rate, such as {smaller:.3g}, standardised inputs, or clipnorm=1.0"
    warnings.warn(explain(f"a training in which {reason}.", "a finite loss.", fix), HillwalkerWarning, stacklevel=4)


def train_on_batch(state: State, data: Data) -> None:
    """Do one step on all rows, measured in the state's tracker."""
    state.tracker.reset()
    rows = len(data)
    for part in data.parts(None, 0, rows, rows):
        _train_part(state, part, part.rows)


def evaluate(state: State, data: Data, batch_size: int, callbacks: CallbackList | None = None) -> None:
    """Measure the loss and the metrics on data, in the state's tracker; nothing is trained."""
    state.tracker.reset()
    for start, stop in _stretches(len(data), batch_size, callbacks, "test"):
        for part in data.parts(None, start, stop, batch_size):
            assert part.y is not None
            predictions = state.room_for_predictions(part.rows)
            loss_sum = state.network.evaluate(part.x, part.y, part.sample_weight, batch_size, predictions)
            state.tracker.update(loss_sum, part.rows, part, predictions, batch_size)
        if callbacks is not None:
            callbacks.on_test_progress(-(-stop // batch_size), state.tracker.results())


def predict(state: State, data: Data, batch_size: int, callbacks: CallbackList | None = None) -> NDArray[Any]:
    """Return the outputs (n, O) for the inputs."""
    outputs = np.empty((len(data), state.plan.output_width), dtype=data.dtype)
    for start, stop in _stretches(len(data), batch_size, callbacks, "predict"):
        place = start
        for part in data.parts(None, start, stop, batch_size):
            state.network.predict(part.x, outputs[place : place + part.rows], batch_size)
            place += part.rows
        if callbacks is not None:
            callbacks.on_predict_progress(-(-stop // batch_size))
    return outputs


def predict_quickly(state: State, x: NDArray[Any], batch_size: int) -> NDArray[Any]:
    """Return the outputs for a few rows that an engine can take as they are."""
    plan = state.plan
    outputs = np.empty((len(x), plan.output_width), plan.dtype)
    state.network.predict(x, outputs, batch_size)
    return outputs


def rows_of_a_call(batch_size: int) -> int:
    """Return how many rows one call of an engine evaluates or predicts: about STRETCH."""
    return max(1, STRETCH // batch_size) * batch_size


def _stretches(rows: int, batch_size: int, callbacks: CallbackList | None, kind: str) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of the rows for one call of an engine: about STRETCH, or one batch where a callback asks."""
    begin, end = f"on_{kind}_batch_begin", f"on_{kind}_batch_end"
    batches = callbacks is not None and (callbacks.wants(begin) or callbacks.wants(end))
    length = batch_size if batches else rows_of_a_call(batch_size)
    for start in range(0, rows, length):
        if batches:
            getattr(callbacks, begin)(start // batch_size)
        yield start, min(start + length, rows)
        if batches:
            getattr(callbacks, end)(start // batch_size)
