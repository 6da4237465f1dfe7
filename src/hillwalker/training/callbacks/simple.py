"""Callbacks without a state of their own: a learning rate by epoch, functions as hooks, progress on the screen."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from hillwalker.errors import InputError, InputTypeError, StateError, explain, unknown_name
from hillwalker.training.callbacks.base import HOOKS, Callback, Logs
from hillwalker.training.progress import Progress


class LearningRateScheduler(Callback):
    """Set the learning rate at each epoch's beginning: rate = schedule(epoch, rate), or schedule(epoch).

    Adds "learning_rate" to the history. Raises InputError for a result that is no number of 0 or more.

    >>> LearningRateScheduler(lambda epoch, rate: rate * 0.9).wants_batches
    False
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        super().__init__()
        if not callable(cast(object, schedule)):
            fix = "LearningRateScheduler(lambda epoch, rate: rate * 0.9)"
            raise InputTypeError(explain(f"schedule={schedule!r}.", "a function of (epoch, rate).", fix))
        self.schedule = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Ask the schedule for the rate of this epoch."""
        rate = float(self.model.optimizer.learning_rate)
        new = self.schedule(epoch, rate) if _takes_two(self.schedule) else self.schedule(epoch)
        if not isinstance(new, (int, float, np.number)) or isinstance(new, bool) or not 0 <= new < math.inf:
            fix = "LearningRateScheduler(lambda epoch, rate: rate * 0.9)"
            raise InputError(explain(f"a schedule that returned {new!r}.", "a learning rate, 0 or more.", fix))
        self.model.optimizer.learning_rate = float(new)
        if self.verbose > 0:
            print(f"Epoch {epoch + 1}: LearningRateScheduler setting learning rate to {new}.")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Add the rate to the history."""
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind(0, 0.0)
    except TypeError:
        return False
    except ValueError:  # a function written in C, without a signature
        return True
    return True


class TerminateOnNaN(Callback):
    """Stop when the loss is NaN or infinite; with `raise_error`, raise StateError.

    `fit` itself stops at the batch whose loss is not finite, with or without this callback; therefore it is enough to
    look at the end of the epoch, and no batch pays for it.

    >>> TerminateOnNaN().wants_batches
    False
    """

    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = raise_error

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Look at the loss of an epoch."""
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            fix = "a smaller learning rate, or clipnorm=1.0 in the optimizer"
            raise StateError(explain(f"a training whose loss is {loss} in epoch {epoch + 1}.", "a finite loss.", fix))
        print(f"Epoch {epoch + 1}: the loss is {loss}, terminating training")
        self.model.stop_training = True


class LambdaCallback(Callback):
    """A callback of functions, one for each hook that is named.

    Functions of an epoch or a batch take (number, logs), the others take (logs). Raises InputError for an unknown hook.

    >>> LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch)).on_epoch_end(3, {})
    3
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        **kwargs: Callable[..., Any],
    ) -> None:
        super().__init__()
        named = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **kwargs,
        }
        for hook, function in named.items():
            if hook not in HOOKS:
                raise unknown_name("hook", hook, HOOKS, "LambdaCallback(**{{{}: function}})")
            if function is not None:
                setattr(self, hook, function)


class ProgbarLogger(Callback):
    """Show progress on the screen (see `hillwalker.training.progress`); `fit` adds it unless `verbose=0`.

    >>> ProgbarLogger().wants_batches
    False
    """

    def __init__(self) -> None:
        super().__init__()
        self._progress: Progress | None = None
        self._in_fit = False

    def _start(self, task: str | None) -> Progress:
        self.close()
        epochs = self.params.get("epochs", 1) if task is None else 1
        self._progress = Progress(self.params.get("verbose", "auto"), epochs, self.params.get("steps"), task)
        return self._progress

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Start the clock."""
        self._in_fit = True  # validation within `fit` is silent
        self._start(None)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Note that an epoch begins."""
        (self._progress or self._start(None)).begin_epoch(epoch)

    def on_train_progress(self, steps: int, logs: Logs | None = None) -> None:
        """Show how far the epoch is."""
        if self._progress is not None:
            self._progress.step(steps, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Show the epoch's losses and metrics."""
        (self._progress or self._start(None)).end_epoch(epoch, logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Leave the last line standing."""
        self._in_fit = False
        self.close()

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Start the clock of `evaluate`."""
        if not self._in_fit:
            self._start("evaluate").begin_epoch(0)

    def on_test_progress(self, steps: int, logs: Logs | None = None) -> None:
        """Show how far `evaluate` is."""
        if not self._in_fit and self._progress is not None:
            self._progress.step(steps, logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Show the losses and metrics of `evaluate`."""
        if not self._in_fit and self._progress is not None:
            self._progress.end_epoch(0, logs)
            self.close()

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Start the clock of `predict`."""
        self._start("predict").begin_epoch(0)

    def on_predict_progress(self, steps: int, logs: Logs | None = None) -> None:
        """Show how far `predict` is, if it takes long enough to be seen."""
        if self._progress is not None:
            self._progress.step(steps, logs)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Take the bar away; there is nothing to tell."""
        self.close()

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._progress is not None:
            self._progress.close()
        self._progress = None
