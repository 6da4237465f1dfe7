"""Several callbacks as one, which is what the training loop calls.

A hook that nobody overrides calls nothing, so that a step costs nothing unless some callback asks for batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hillwalker.errors import InputTypeError, explain
from hillwalker.training.callbacks.base import HOOKS, Callback, Logs
from hillwalker.training.callbacks.files import BackupAndRestore, CSVLogger
from hillwalker.training.callbacks.monitors import EarlyStopping, ReduceLROnPlateau
from hillwalker.training.callbacks.simple import ProgbarLogger, TerminateOnNaN
from hillwalker.training.callbacks.watcher import Watcher

# Callbacks that neither save a model nor run anybody's code.
HARMLESS = (CSVLogger, EarlyStopping, ProgbarLogger, ReduceLROnPlateau, TerminateOnNaN, Watcher)


def _flat(callbacks: Any) -> Iterator[Callback]:
    for callback in callbacks if isinstance(callbacks, (list, tuple)) else [] if callbacks is None else [callbacks]:
        if isinstance(callback, (list, tuple)):
            yield from _flat(callback)
            continue
        if not isinstance(callback, Callback):
            name = getattr(callback, "__name__", type(callback).__name__)
            own = isinstance(callback, type) and issubclass(callback, Callback)
            fix = f"callbacks=[{name}()]" if own else f"from hillwalker.callbacks import {name}, if there is one"
            kind = "the class" if isinstance(callback, type) else f"an object of {type(callback).__module__},"
            passed = f"callbacks with {kind} {name}."
            raise InputTypeError(explain(passed, "instances of hillwalker.callbacks.Callback.", fix))
        yield callback


def _one_after_another(hook: str, methods: list[Callable[..., None]]) -> Callable[..., None]:
    """Return the hook that calls these; `logs` is always passed on, since people's functions often demand it."""
    first, *others = methods

    def with_number(number: int, logs: Logs | None = None) -> None:
        first(number, logs)
        for method in others:
            method(number, logs)

    def without(logs: Logs | None = None) -> None:
        for method in methods:
            method(logs)

    return with_number if any(word in hook for word in ("epoch", "batch", "progress")) else without


class CallbackList(Callback):
    """Several callbacks as one: each hook calls those that override it, in their order.

    BackupAndRestore is moved to the end, so that what it saves and restores includes the others.

    >>> CallbackList([BackupAndRestore("backup"), ProgbarLogger()]).wants_batches
    False
    >>> CallbackList([BackupAndRestore("backup", save_freq=5)]).wants_batches
    True
    """

    def __init__(self, callbacks: Any = None, add_progbar: bool = False, model: Any = None, **params: Any) -> None:
        super().__init__()
        given = list(_flat(callbacks))
        if add_progbar and not any(isinstance(callback, ProgbarLogger) for callback in given):
            given.append(ProgbarLogger())
        self.callbacks = sorted(given, key=lambda callback: callback.runs_last)
        for callback in self.callbacks:
            if isinstance(callback, BackupAndRestore):
                callback.companions = [other for other in self.callbacks if other is not callback]
            if isinstance(callback, CSVLogger):
                callback.writes_at_once = any(type(other) not in HARMLESS for other in self.callbacks)
        self._wanted: dict[str, list[Callable[..., None]]] = {}
        self._wants_batches = False
        for callback in self.callbacks:
            batches = callback.wants_batches
            self._wants_batches |= batches
            for hook in HOOKS:
                if batches if hook.startswith("on_train_batch") else callback.wants(hook):
                    self._wanted.setdefault(hook, []).append(getattr(callback, hook))
        for hook, methods in self._wanted.items():
            setattr(self, hook, _one_after_another(hook, methods))
        if model is not None:
            self.set_model(model)
        if params:
            self.set_params(params)

    @property
    def wants_batches(self) -> bool:
        """Whether some callback must be called at every training batch."""
        return self._wants_batches

    @property
    def wants_progress(self) -> bool:
        """Whether some callback looks at progress within an epoch."""
        return self.wants("on_train_progress")

    def wants(self, hook: str) -> bool:
        """Return whether some callback does anything in a hook such as "on_test_batch_end"."""
        return hook in self._wanted

    def set_model(self, model: Any) -> None:
        """Tell all callbacks the model being trained."""
        super().set_model(model)
        for callback in self.callbacks:
            callback.set_model(model)

    def set_params(self, params: dict[str, Any]) -> None:
        """Tell all callbacks what `fit` was told."""
        super().set_params(params)
        for callback in self.callbacks:
            callback.set_params(params)

    def set_data(self, data: Any) -> None:
        """Tell all callbacks the rows being trained on."""
        for callback in self.callbacks:
            callback.set_data(data)

    def close(self) -> None:
        """Let all callbacks give back files and the terminal; for a `finally`."""
        for callback in self.callbacks:
            callback.close()
