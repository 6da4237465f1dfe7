"""What is measured while rows pass: the running loss and the compiled metrics.

Engines write predictions; here they become numbers, once for each call of an engine and not once a step.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker.metrics import Metric
from hillwalker.training.batches import Part


class Tracker:
    """The running loss, weighted by rows as in Keras, and the metrics.

    Args:
        metrics: those that look at every row alike.
        weighted_metrics: those that take the sample weights.
    """

    def __init__(self, metrics: Sequence[Metric] = (), weighted_metrics: Sequence[Metric] = ()) -> None:
        self.metrics, self.weighted_metrics = list(metrics), list(weighted_metrics)
        self.names = _distinct(self.metrics, self.weighted_metrics)
        self.needs_predictions = bool(self.metrics or self.weighted_metrics)
        self.loss_sum, self.rows = 0.0, 0

    def reset(self) -> None:
        """Forget all rows; an epoch begins."""
        self.loss_sum, self.rows = 0.0, 0
        for metric in (*self.metrics, *self.weighted_metrics):
            metric.reset_state()

    def update(self, loss_sum: float, rows: int, part: Part, predictions: NDArray[Any] | None, batch_size: int) -> None:
        """Take in the first `rows` rows of a part, whose outputs are `predictions`."""
        self.loss_sum += loss_sum
        self.rows += rows
        if predictions is None or part.y is None:
            return
        y, predictions = part.ordered(part.y)[:rows], predictions[:rows]
        weight = None if part.sample_weight is None else part.ordered(part.sample_weight)[:rows]
        for metric in self.metrics:
            _update(metric, y, predictions, None, batch_size)
        for metric in self.weighted_metrics:
            _update(metric, y, predictions, weight, batch_size)

    def results(self, prefix: str = "") -> dict[str, Any]:
        """Return the loss and every metric, over all rows since the last reset."""
        logs: dict[str, Any] = {prefix + "loss": self.loss_sum / self.rows if self.rows else 0.0}
        if self.needs_predictions:
            for name, metric in zip(self.names, (*self.metrics, *self.weighted_metrics), strict=True):
                logs[f"{prefix}{name}"] = _plain(metric.result())
        return logs

    def get_state(self) -> dict[str, Any]:
        """Return what was added up so far, as arrays by name."""
        state: dict[str, Any] = {"loss": np.array([self.loss_sum, self.rows])}
        for number, metric in enumerate((*self.metrics, *self.weighted_metrics)):
            state |= {f"{number}/{name}": value for name, value in metric.get_state().items()}
        return state

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `get_state` returned."""
        self.loss_sum, self.rows = float(state["loss"][0]), int(state["loss"][1])
        for number, metric in enumerate((*self.metrics, *self.weighted_metrics)):
            start = f"{number}/"
            metric.set_state({name[len(start) :]: value for name, value in state.items() if name.startswith(start)})


def _update(
    metric: Metric, y: NDArray[Any], predictions: NDArray[Any], weight: NDArray[Any] | None, batch_size: int
) -> None:
    size = batch_size if metric.per_batch else len(y)
    for start in range(0, len(y), size):
        rows = slice(start, start + size)
        metric.update_state(y[rows], predictions[rows], None if weight is None else weight[rows])


def _distinct(metrics: Sequence[Metric], weighted_metrics: Sequence[Metric]) -> list[str]:
    """Return a key for each metric, as Keras makes them: name, name_1, ...; weighted_name where the name is taken."""
    names: list[str] = []
    for number, metric in enumerate((*metrics, *weighted_metrics)):
        name = metric.name
        if name in names and number >= len(metrics):
            name = f"weighted_{name}"
        again = (f"{name}_{count}" for count in itertools.count(1))
        names.append(name if name not in names else next(other for other in again if other not in names))
    return names


def _plain(result: Any) -> Any:
    if isinstance(result, float):
        return float(result)
    array = np.asarray(result)
    return float(array) if array.ndim == 0 else array.tolist()
