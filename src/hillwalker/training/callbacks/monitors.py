"""Callbacks that watch one metric: stop, or go slower, when it no longer improves.

Which way is better follows from the metric's name, or from `mode`; it is never guessed.
"""

from __future__ import annotations

import re
import warnings
from typing import Any

from hillwalker.errors import HillwalkerWarning, InputError, explain
from hillwalker.training.callbacks.base import Callback, Logs
from hillwalker.training.history import direction


class Monitor(Callback):
    """What watches one metric shares: which way is better, and by how much at least."""

    def __init__(self, monitor: str, mode: str, best: float | None = None, min_delta: float = 0.0) -> None:
        super().__init__()
        if mode not in ("auto", "min", "max"):
            fix = f"{type(self).__name__}(monitor={monitor!r}, mode='min')"
            raise InputError(explain(f"mode={mode!r}.", "'auto', 'min' or 'max'.", fix))
        self.monitor = monitor
        self.mode = mode
        self.best = best
        self.min_delta = abs(min_delta)
        self._told = False

    def _better(self, current: float, reference: float | None) -> bool:
        if reference is None:
            return True
        if self._direction() == "min":
            return current + self.min_delta < reference
        return current - self.min_delta > reference

    def _direction(self) -> str:
        if self.mode != "auto":
            return self.mode
        found = direction(self.monitor)
        for metric in getattr(self.model, "metrics", None) or ():
            if found is None and getattr(metric, "name", None) == self.monitor.removeprefix("val_"):
                found = direction(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(metric).__name__).lower())
        if found is None:
            name = type(self).__name__
            passed = f"{name}(monitor={self.monitor!r}), a metric of which it is not known whether more is better."
            raise InputError(
                explain(passed, "mode='min' or mode='max'.", f"{name}(monitor={self.monitor!r}, mode='max')")
            )
        return found

    def _current(self, logs: Logs) -> float | None:
        """Return the metric's value, or None after having said, once, that it is not there."""
        if self.monitor in logs:
            return float(logs[self.monitor])
        waits = self.monitor.startswith("val_") and self.params.get("validation_freq", 1) != 1
        if not self._told and not waits:
            self._told = True
            fix = "model.fit(X, y, validation_split=0.2)" if self.monitor.startswith("val_") else None
            passed = f"{type(self).__name__}(monitor={self.monitor!r}), which is not measured."
            message = explain(passed, f"one of {', '.join(logs)}.", fix)
            warnings.warn(message, HillwalkerWarning, stacklevel=2)
        return None


class EarlyStopping(Monitor):
    """Stop when a metric has not improved for `patience` epochs.

    An improvement is one by more than `min_delta`; with `baseline`, one that also beats the baseline.
    `restore_best_weights` gives the model the weights of its best epoch back, however training ended; epochs before
    `start_from_epoch` are not looked at. Warns once if the metric is not measured.

    >>> EarlyStopping(patience=10, restore_best_weights=True).monitor
    'val_loss'
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta=min_delta)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self._reset()

    def _reset(self) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best = None
        self.best_epoch = 0
        self.best_weights: list[Any] | None = None
        self._told = False

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget an earlier training."""
        self._reset()
        self._direction()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Compare the metric with its best, and stop where patience has run out."""
        current = self._current(logs or {})
        if current is None or epoch < self.start_from_epoch:
            return
        self.wait += 1
        improved = self._better(current, self.best)
        if improved:
            self.best, self.best_epoch = current, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self._better(current, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Give the best weights back."""
        if self.stopped_epoch > 0 and self.verbose > 0:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose > 0:
                print(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)

    def get_state(self) -> dict[str, Any]:
        """Return how long it has waited, the best value and the best weights."""
        weights = {f"best_weights_{i}": weight for i, weight in enumerate(self.best_weights or [])}
        state = {name: getattr(self, name) for name in ("wait", "stopped_epoch", "best", "best_epoch")}
        return {**state, **weights}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on waiting where the interrupted training was."""
        weights = [state[key] for i in range(len(state)) if (key := f"best_weights_{i}") in state]
        self.best_weights = weights or None
        for name in ("wait", "stopped_epoch", "best", "best_epoch"):
            setattr(self, name, state[name])


class ReduceLROnPlateau(Monitor):
    """Multiply the learning rate by `factor` when a metric has not improved for `patience` epochs.

    new rate = max(min_lr, factor · rate). After a reduction it rests for `cooldown` epochs. Adds "learning_rate" to
    the history. Raises InputError for a factor that does not reduce.

    >>> ReduceLROnPlateau(factor=0.5, patience=5).monitor
    'val_loss'
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta=min_delta)
        if not 0 < factor < 1:
            raise InputError(
                explain(f"factor={factor!r}.", "a number between 0 and 1.", "ReduceLROnPlateau(factor=0.1)")
            )
        self.factor = factor
        self.patience = patience
        self.verbose = verbose
        self.cooldown = cooldown
        self.min_lr = min_lr
        self.cooldown_counter = 0
        self.wait = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget an earlier training."""
        self.best = None
        self.cooldown_counter = 0
        self.wait = 0
        self._told = False
        self._direction()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Compare the metric with its best, and reduce where patience has run out."""
        logs = {} if logs is None else logs
        logs["learning_rate"] = rate = float(self.model.optimizer.learning_rate)
        current = self._current(logs)
        if current is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self._better(current, self.best):
            self.best = current
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience and rate > self.min_lr:
                reduced = max(rate * self.factor, self.min_lr)
                self.model.optimizer.learning_rate = reduced
                if self.verbose > 0:
                    print(f"Epoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {reduced}.")
                self.cooldown_counter = self.cooldown
                self.wait = 0

    def in_cooldown(self) -> bool:
        """Return whether it rests after a reduction."""
        return self.cooldown_counter > 0

    def get_state(self) -> dict[str, Any]:
        """Return the best value and how long it has waited and rested."""
        return {"best": self.best, "wait": self.wait, "cooldown_counter": self.cooldown_counter}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on waiting where the interrupted training was."""
        self.best, self.wait, self.cooldown_counter = state["best"], state["wait"], state["cooldown_counter"]
