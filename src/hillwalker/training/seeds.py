"""What `fit(..., seeds=30)` records: the curves of the same training from other seeds. Nothing is trained here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import records
from hillwalker.errors import unknown_name
from hillwalker.training.history import History


def quartiles(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the lower quartile, the median and the upper quartile of curves (runs, epochs) by epoch, (3, epochs).

    Of the runs whose number is finite there; NaN where there is none.

    >>> quartiles(np.array([[1.0], [2.0], [3.0], [np.nan]])).tolist()
    [[1.5], [2.0], [2.5]]
    """
    bands = np.full((3, curves.shape[1]), np.nan)
    for epoch in range(curves.shape[1]):
        known = curves[np.isfinite(curves[:, epoch]), epoch]
        if len(known):
            bands[:, epoch] = np.quantile(known, [0.25, 0.5, 0.75])
    return bands


@dataclass(frozen=True, repr=False)
class SeedCurves:
    """The curves of one training from several seeds.

    `curves[metric]` is (seeds, epochs), NaN where a training had ended; `epochs` (seeds,) how many each did; `kept`
    the epoch, from 0, whose weights it ended with; `failed` (seeds,): its loss was no longer finite.

    >>> histories = [History([0, 1], {"loss": [2.0, 1.0]}), History([0, 1], {"loss": [3.0, 1.5]})]
    >>> curves = SeedCurves.of([7, 8], histories, [1, 1])
    >>> curves
    2 seeds: loss in the end 1.25, middle half 1.125 to 1.375, all 1 to 1.5
    >>> curves.final("loss").tolist()
    [1.0, 1.5]
    """

    seeds: tuple[int, ...]
    curves: dict[str, NDArray[np.float64]]
    epochs: NDArray[np.int64]
    kept: NDArray[np.int64]
    failed: NDArray[np.bool_]

    @classmethod
    def of(cls, seeds: Sequence[int], histories: Sequence[History], kept: Sequence[int]) -> SeedCurves:
        """Return the record of these trainings."""
        epochs = np.array([len(history.epoch) for history in histories], np.int64)
        names = list(dict.fromkeys(name for history in histories for name in history.history))
        curves = {name: np.full((len(seeds), int(epochs.max(initial=0))), np.nan) for name in names}
        for place, history in enumerate(histories):
            for name, values in history.history.items():
                curves[name][place, : len(values)] = values
        failed = np.array([history.stop_reason is not None for history in histories], np.bool_)
        return cls(tuple(seeds), curves, epochs, np.array(kept, np.int64), failed)

    def final(self, metric: str) -> NDArray[np.float64]:
        """Return the metric at the weights that each training ended with, (seeds,); NaN where it failed."""
        if metric not in self.curves:
            raise unknown_name("metric", metric, self.curves, "history.seeds.final({})")
        values = np.take_along_axis(self.curves[metric], self.kept[:, np.newaxis], axis=1)[:, 0]
        ended: NDArray[np.float64] = np.where(self.failed, np.nan, values)
        return ended

    def quartiles(self, metric: str) -> NDArray[np.float64]:
        """Return the lower quartile, the median and the upper quartile over the seeds by epoch, (3, epochs).

        Of the seeds that did the epoch: with early stopping, fewer and fewer.
        """
        if metric not in self.curves:
            raise unknown_name("metric", metric, self.curves, "history.seeds.quartiles({})")
        return quartiles(self.curves[metric])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, numbers and strings."""
        names = ("seeds", "curves", "epochs", "kept", "failed")
        return {name: records.plain(getattr(self, name)) for name in names}

    def to_frame(self) -> Any:
        """Return one row a seed and epoch (from 0, as in `history.to_frame()`), and a column a metric."""
        columns: dict[str, list[Any]] = {name: [] for name in ("seed", "epoch", *self.curves)}
        for place, (seed, count) in enumerate(zip(self.seeds, self.epochs.tolist(), strict=True)):
            columns["seed"] += [seed] * count
            columns["epoch"] += range(count)
            for name, curve in self.curves.items():
                columns[name] += curve[place, :count].tolist()
        return records.to_frame(columns, call="history.seeds.to_frame()")

    def plot(self, metrics: Sequence[str] | None = None) -> Any:
        """Return a matplotlib figure of every seed's curve (see `hillwalker.plots.seeds`)."""
        from hillwalker.plots.seeds import plot_seeds

        return plot_seeds(self, metrics)

    def __repr__(self) -> str:
        metric = "val_loss" if "val_loss" in self.curves else "loss"
        count = f"{len(self.seeds)} seed{'s' if len(self.seeds) != 1 else ''}"
        failed = f"; {int(self.failed.sum())} failed" if self.failed.any() else ""
        ended = self.final(metric) if metric in self.curves else np.empty(0)
        ended = ended[np.isfinite(ended)]
        if not len(ended):
            return f"{count}{failed}"
        low, middle, high = np.quantile(ended, [0.25, 0.5, 0.75])
        return (
            f"{count}: {metric} in the end {middle:.4g}, middle half {low:.4g} to {high:.4g}, "
            f"all {ended.min():.4g} to {ended.max():.4g}{failed}"
        )
