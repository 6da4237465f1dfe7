"""Curves that anything may have written, as one record: what a reader of curves reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import records

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Curves:
    """One training's curves: a value an epoch, NaN where the log has none; infinite where the loss was not finite.

    `epochs` (E,) rising, as the log counts them; `loss`, `val_loss`, `learning_rate` (E,) or None; `metrics` all else
    by name; `source` in words; `stop_reason` why it ended early, if the log says.

    >>> Curves(np.arange(2), np.array([1.0, 0.5]), None, source="a list")
    Curves from a list: 2 epochs of loss
    """

    epochs: NDArray[Any]
    loss: Array | None
    val_loss: Array | None
    metrics: dict[str, Array] = field(default_factory=dict)
    learning_rate: Array | None = None
    source: str = "curves"
    interrupted: bool = False
    stop_reason: str | None = None

    def __len__(self) -> int:
        return len(self.epochs)

    def _columns(self) -> dict[str, Array]:
        named = {"loss": self.loss, "val_loss": self.val_loss, **self.metrics, "learning_rate": self.learning_rate}
        return {name: values for name, values in named.items() if values is not None}

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, numbers and strings; `infinite`: in which places None stands for that."""
        columns = {name: records.plain(values) for name, values in self._columns().items()}
        infinite = {name: np.flatnonzero(np.isinf(values)).tolist() for name, values in self._columns().items()}
        return {
            "source": self.source,
            "epochs": records.plain(self.epochs),
            **columns,
            "infinite": {name: places for name, places in infinite.items() if places},
            "interrupted": self.interrupted,
            "stop_reason": self.stop_reason,
        }

    def to_frame(self) -> Any:
        """Return one row an epoch, with the index "epoch"."""
        return records.to_frame({"epoch": self.epochs, **self._columns()}, "epoch", "curves.to_frame()")

    def __repr__(self) -> str:
        count = f"{len(self)} epoch{'' if len(self) == 1 else 's'}"
        return f"Curves from {self.source}: {count} of {', '.join(self._columns())}"
