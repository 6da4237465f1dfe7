"""What a training left behind: one number an epoch for the loss and each metric, as a record.

Nothing is drawn here: `plot` calls the room of pictures, `to_frame` the frame library that is installed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hillwalker import records
from hillwalker.errors import InputError, unknown_name

if TYPE_CHECKING:
    from hillwalker.training.seeds import SeedCurves

HIGHER_IS_BETTER = re.compile(r"acc|accuracy|auc|precision|recall|r2_score|f\w*_?score|cosine_similarity|\w*_accuracy")


def direction(metric: str) -> str | None:
    """Return "min" or "max", whichever is better for a metric of this name, or None where the name does not tell.

    >>> direction("val_loss"), direction("val_accuracy"), direction("my_metric")
    ('min', 'max', None)
    """
    name = re.sub(r"_\d+$", "", metric.removeprefix("val_"))
    if HIGHER_IS_BETTER.fullmatch(name):
        return "max"
    lower = name in ("loss", "mse", "mae", "mape", "msle", "rmse", "kld", "log_cosh", "poisson", "hinge", "huber", "ce")
    return "min" if lower or re.search(r"error|crossentropy|divergence|_hinge|logcosh", name) else None


@dataclass(frozen=True, repr=False)
class History:
    """The curves of one training, as `fit` returns them.

    `epoch` holds the epochs' numbers, counted from 0 as in Keras; `history` one list for each metric, "loss",
    "val_loss" and so on; `params` what `fit` was told. `interrupted` is True after Ctrl-C; `stop_reason` says in words
    why training ended before its last epoch; `seconds` is how long it took and `seeds` the curves from other seeds, if
    `fit` was told `seeds`: `==` looks at neither. With `validation_freq`, a validation list has only the epochs
    validated.

    >>> record = History([0, 1, 2], {"loss": [3.0, 2.0, 1.5], "val_loss": [3.0, 2.5, 2.7]})
    >>> record
    History: 3 epochs; loss 1.5, best 1.5 at epoch 3; val_loss 2.7, best 2.5 at epoch 2
    >>> record.best_epoch()
    1
    """

    epoch: list[int] = field(default_factory=list)
    history: dict[str, list[float]] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    interrupted: bool = False
    stop_reason: str | None = None
    seconds: float | None = field(default=None, compare=False)
    seeds: SeedCurves | None = field(default=None, compare=False)

    def ended(self, interrupted: bool, stop_reason: str | None, seconds: float) -> History:
        """Return the record of a training that has ended, with the reason if it was before its last epoch."""
        return History(self.epoch, self.history, self.params, interrupted, stop_reason, seconds)

    def epochs_of(self, metric: str) -> list[int]:
        """Return the epochs, counted from 0, to which the values of a metric belong."""
        if metric not in self.history:
            raise unknown_name("metric", metric, self.history, "history.best_epoch({})")
        missing = len(self.epoch) - len(self.history[metric])
        if missing == 0:
            return list(self.epoch)
        frequency = self.params.get("validation_freq", 1)
        validated = [
            epoch
            for epoch in self.epoch
            if (epoch + 1 in frequency if isinstance(frequency, Sequence) else (epoch + 1) % frequency == 0)
        ]
        return validated if len(validated) == len(self.history[metric]) else list(self.epoch[missing:])

    def best_epoch(self, metric: str | None = None) -> int:
        """Return the epoch, counted from 0, at which a metric was best; by default "val_loss", or "loss" without it."""
        if metric is None:
            metric = "val_loss" if "val_loss" in self.history else "loss"
        epochs = self.epochs_of(metric)
        sign = -1.0 if direction(metric) == "max" else 1.0
        values = [sign * value if not math.isnan(value) else math.inf for value in self.history[metric]]
        if not values:
            raise InputError(f"Passed: a history without a single epoch of {metric!r}.\nExpected: at least one epoch.")
        return epochs[min(range(len(values)), key=values.__getitem__)]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, numbers and strings."""
        return {
            "epoch": list(self.epoch),
            "history": {metric: list(values) for metric, values in self.history.items()},
            "params": dict(self.params),
            "interrupted": self.interrupted,
            "stop_reason": self.stop_reason,
            **({} if self.seeds is None else {"seeds": self.seeds.to_dict()}),
        }

    def to_frame(self) -> Any:
        """Return one row an epoch: a pandas frame with the index "epoch", or without pandas a polars frame.

        Raises MissingDependencyError if neither is installed. An epoch without a value holds NaN.
        """
        columns = {}
        for metric, values in self.history.items():
            by_epoch = dict(zip(self.epochs_of(metric), values, strict=True))
            columns[metric] = [by_epoch.get(epoch, math.nan) for epoch in self.epoch]
        return records.to_frame({"epoch": list(self.epoch), **columns}, "epoch", "history.to_frame()")

    def plot(self, metrics: Sequence[str] | None = None, title: str | None = None, axes: Any = None) -> Any:
        """Return a matplotlib figure of the curves (see `hillwalker.plots.history.plot_history`)."""
        from hillwalker.plots.history import plot_history

        return plot_history(self, metrics, title, axes)

    def _summary(self) -> list[tuple[str, str, str, str]]:
        """For each metric: its name, the last value, the best value, the best epoch counted from 1 as on the screen."""
        rows = []
        for metric, values in self.history.items():
            best, where = "", ""
            if direction(metric) is not None and values:
                epoch = self.best_epoch(metric)
                best, where = f"{values[self.epochs_of(metric).index(epoch)]:.4g}", str(epoch + 1)
            rows.append((metric, f"{values[-1]:.4g}" if values else "", best, where))
        return rows

    def _heading(self) -> str:
        ended = f" ({self.stop_reason})" if self.stop_reason else " (interrupted)" if self.interrupted else ""
        return f"History: {len(self.epoch)} epoch{'s' if len(self.epoch) != 1 else ''}{ended}"

    def __repr__(self) -> str:
        parts = [
            f"{name} {last}" + (f", best {best} at epoch {at}" if at else "")
            for name, last, best, at in self._summary()
        ]
        return "; ".join([self._heading(), *parts, *([] if self.seeds is None else [repr(self.seeds)])])

    def _repr_html_(self) -> str:
        import html

        head = "".join(f"<th>{text}</th>" for text in ("", "last", "best", "at epoch"))
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in self._summary()
        )
        return f"<p>{html.escape(self._heading())}</p><table><tr>{head}</tr>{body}</table>"
