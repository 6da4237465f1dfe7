"""`fit(..., seeds=30)`: the same training from other seeds, side by side, after the model's own, left as it is."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from hillwalker import checks
from hillwalker.errors import HillwalkerWarning, InputError, InputTypeError, explain
from hillwalker.models import edge
from hillwalker.models.many import copies, fit_many
from hillwalker.models.sequential import Sequential
from hillwalker.training.batches import Data
from hillwalker.training.callbacks import Callback, EarlyStopping, ProgbarLogger
from hillwalker.training.history import History
from hillwalker.training.loop import Settings
from hillwalker.training.seeds import SeedCurves

CALL = "model.fit(X, y, seeds=30)"


class FromSeeds:
    """What was asked for, checked before anything is trained."""

    def __init__(
        self, model: Sequential, seeds: Any, callbacks: Sequence[Callback], first: int, settings: Settings
    ) -> None:
        self.seeds = numbers(seeds)
        self.early_stopping = _early_stopping(callbacks)
        for name, value, plain in (
            ("initial_epoch", first, 0),
            ("validation_freq", settings.validation_freq, 1),
            ("validation_batch_size", settings.validation_batch_size, settings.batch_size),
        ):
            if value != plain:
                passed = f"seeds and {name}={value!r}."
                raise InputError(explain(passed, "a training of the plain kind, for each seed repeats it.", CALL))
        if model.optimizer is not None and model.optimizer.iterations:
            passed = "seeds for a model that has been trained already."
            message = explain(passed, "a new model: the seeds' trainings start afresh, the model goes on.", CALL)
            warnings.warn(message, HillwalkerWarning, stacklevel=3)

    def train(
        self, model: Sequential, training: Data, validation: Data | None, settings: Settings, verbose: Any
    ) -> SeedCurves:
        """Train a copy from each seed as the model was trained; Ctrl-C keeps the seeds that are done."""
        x, y, *_ = _given(model, training)
        histories = fit_many(
            copies(model, self.seeds),
            x,
            y,
            sample_weight=training.sample_weight,
            batch_size=settings.batch_size,
            epochs=settings.epochs,
            shuffle=settings.shuffle,
            validation_data=None if validation is None else _given(model, validation),
            early_stopping=self.early_stopping,
            verbose=0 if verbose == 0 else "auto" if verbose == 2 else verbose,
        )
        done = [(seed, history) for seed, history in zip(self.seeds, histories, strict=True) if not history.interrupted]
        return SeedCurves.of(
            [seed for seed, _ in done], [history for _, history in done], [self._kept(history) for _, history in done]
        )

    def _kept(self, history: History) -> int:
        stopping = self.early_stopping
        if stopping is not None and stopping.restore_best_weights and history.stop_reason is None:
            return history.best_epoch(stopping.monitor)
        return max(0, len(history.epoch) - 1)


def numbers(seeds: Any) -> list[int]:
    """Return the seeds meant by how many, or by a list.

    >>> numbers(3), numbers([7, 5])
    ([0, 1, 2], [7, 5])
    """
    if isinstance(seeds, (int, np.integer)) and not isinstance(seeds, bool):
        return list(range(checks.positive_integer("seeds", seeds, CALL)))
    if isinstance(seeds, (str, bytes)) or not isinstance(seeds, Iterable):
        raise InputTypeError(explain(f"seeds={seeds!r}.", "how many, or a list of whole numbers.", CALL))
    chosen = [edge.not_negative_integer("seeds", seed, CALL) for seed in seeds]
    if not chosen or len(set(chosen)) < len(chosen):
        raise InputError(explain(f"seeds={chosen}.", "at least one, each once.", CALL))
    return chosen


def _early_stopping(callbacks: Sequence[Callback]) -> EarlyStopping | None:
    own = [callback for callback in callbacks if type(callback) is not ProgbarLogger]
    if len(own) > 1 or any(type(callback) is not EarlyStopping for callback in own):
        names = ", ".join(type(callback).__name__ for callback in own)
        passed = f"seeds and the callbacks {names}."
        fix = "model.fit(X, y, callbacks=[hw.callbacks.EarlyStopping(patience=10)], seeds=30)"
        raise InputError(explain(passed, "no callbacks but one EarlyStopping, which each seed repeats.", fix))
    return own[0] if own else None  # type: ignore[return-value]


def _given(model: Sequential, data: Data) -> tuple[Any, ...]:
    x = data.x.reshape(len(data), *model.input_shape[1:])
    return (x, data.y) if data.sample_weight is None else (x, data.y, data.sample_weight)
