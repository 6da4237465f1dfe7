"""The hooks of a training, and the class that every callback derives from.

Nothing is done here; `several.py` calls the hooks.
"""

from __future__ import annotations

from typing import Any

Logs = dict[str, Any]


class Callback:
    """Base class of callbacks: override the hooks that are wanted.

    `self.model` is the model being trained, `self.params` a dict with "epochs", "steps" and "verbose". Hooks of an
    epoch get its number, counted from 0, and `logs`, its losses and metrics; what a callback adds to `logs` at the end
    of an epoch becomes part of the history.

    >>> class Watch(Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(epoch, logs["loss"])
    >>> Watch().on_epoch_end(0, {"loss": 0.5})
    0 0.5
    """

    runs_last = False  # a callback that saves the others' state must come after them

    def __init__(self) -> None:
        self.params: dict[str, Any] = {}
        self._model: Any = None

    @property
    def model(self) -> Any:
        """The model being trained."""
        return self._model

    def set_model(self, model: Any) -> None:
        """Note the model being trained."""
        self._model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """Note what `fit` was told."""
        self.params = params

    def set_data(self, data: Any) -> None:
        """Note the rows being trained on, checked, as a `training.batches.Data`; `fit` tells it before training."""

    def wants(self, hook: str) -> bool:
        """Return whether this callback does anything in a hook such as "on_epoch_end"."""
        method = getattr(self, hook, None)
        return getattr(method, "__func__", method) is not getattr(Callback, hook)

    @property
    def wants_batches(self) -> bool:
        """Whether this callback must be called at every training batch."""
        return any(self.wants(f"on_{kind}batch_{when}") for kind in ("train_", "") for when in ("begin", "end"))

    def get_state(self) -> dict[str, Any]:
        """Return what a resumed training needs to go on as if uninterrupted: JSON values and float arrays by name."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take over what `get_state` returned in the training that was interrupted."""

    def close(self) -> None:
        """Give back files and the terminal, however training ended; may be called twice."""

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Do something before the first epoch."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Do something after the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Do something before an epoch, counted from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Do something after an epoch, counted from 0."""

    def on_epoch_recorded(self, epoch: int, logs: Logs | None = None) -> None:
        """Do something when an epoch's numbers stand in `self.model.history`."""

    def on_train_progress(self, steps: int, logs: Logs | None = None) -> None:
        """Do something now and then, at most about ten times a second: `steps` steps of the running epoch are done."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Do something before a training batch, counted from 0 in its epoch."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Do something after a training batch, counted from 0 in its epoch."""
        self.on_batch_end(batch, logs=logs)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Do what `on_train_batch_begin` does, under its old name."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Do what `on_train_batch_end` does, under its old name."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Do something before an evaluation, of `evaluate` or of an epoch's validation."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Do something after an evaluation."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Do something before a batch is evaluated."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Do something after a batch is evaluated."""

    def on_test_progress(self, steps: int, logs: Logs | None = None) -> None:
        """Do something now and then: `steps` batches are evaluated."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Do something before a prediction."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Do something after a prediction."""

    def on_predict_progress(self, steps: int, logs: Logs | None = None) -> None:
        """Do something now and then: `steps` batches are predicted."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Do something before a batch is predicted."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Do something after a batch is predicted."""


HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))
