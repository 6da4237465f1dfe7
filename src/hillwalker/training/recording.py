"""What a Recorder saw of a training: weights, gradients, activations and updates, epoch by epoch, as a record.

Nothing is measured here and nothing drawn.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import records

Float64Array = NDArray[np.float64]
HEALTHY_RATIOS = (1e-4, 1e-2)
"""Update ratios of most trainings that go well: a step changes a weight by about a thousandth of its size."""


@dataclass(frozen=True, eq=False, repr=False)
class Recording:
    """A training, watched: E epochs kept, W weights (such as "dense/kernel"), L layers with units, B bins.

    `epochs` (E,) counts finished epochs: 0 is before training. `vectors` (E, length) are the model's flat vectors, each
    usable as `model.state.parameters`; None with weights=False. All else was measured on `rows` probe rows, before the
    coming step: `loss` (E,) with penalties; by weight, (E, W): `weight_norm`, `gradient_norm` and `update_ratio`,
    ‖what the coming step would change‖ / ‖w‖ (NaN where w is 0); by layer, (E, L): `activation_mean`,
    `activation_std`, `dead`, the share of ReLU units that are 0 on every row, and `saturated`, the share of sigmoid and
    tanh units whose slope is below 1 % of the largest on more than half of the rows (NaN for other activations).

    Histograms are counts, (E, W, B) or (E, L, B), in bins that stay the same: `weight_edges` (W, B + 1) and
    `activation_edges` (L, B + 1) are nearly even around 0 and grow outside, `gradient_edges` (B + 1,) are powers of
    ten of |gradient|. The outermost bins hold all that lies beyond; what is not finite is in none.
    """

    epochs: NDArray[np.int64]
    iterations: NDArray[np.int64]
    weights: tuple[str, ...]
    layers: tuple[str, ...]
    units: tuple[int, ...]
    activations: tuple[str, ...]
    rows: int
    interval: int
    vectors: NDArray[Any] | None
    loss: Float64Array
    learning_rate: Float64Array
    weight_norm: Float64Array
    gradient_norm: Float64Array
    update_ratio: Float64Array
    activation_mean: Float64Array
    activation_std: Float64Array
    dead: Float64Array
    saturated: Float64Array
    weight_histograms: NDArray[Any]
    weight_edges: Float64Array
    gradient_histograms: NDArray[Any]
    gradient_edges: Float64Array
    activation_histograms: NDArray[Any]
    activation_edges: Float64Array

    def __len__(self) -> int:
        return len(self.epochs)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists and numbers."""
        return {field.name: records.plain(getattr(self, field.name)) for field in dataclasses.fields(self)}

    def to_frame(self) -> Any:
        """Return one line an epoch: the loss, and each statistic of each weight and layer."""
        columns: dict[str, Any] = {"epoch": self.epochs, "iteration": self.iterations, "loss": self.loss}
        columns["learning_rate"] = self.learning_rate
        for names, words in (
            (self.weights, ("weight_norm", "gradient_norm", "update_ratio")),
            (self.layers, ("activation_mean", "activation_std", "dead", "saturated")),
        ):
            for word in words:
                columns |= {f"{word} {name}": getattr(self, word)[:, place] for place, name in enumerate(names)}
        return records.to_frame(columns, "epoch", "recording.to_frame()")

    def plot(self, title: str | None = None) -> Any:
        """Return a figure of histograms, ratios and units (see `hillwalker.plots.recording.plot_recording`)."""
        from hillwalker.plots.recording import plot_recording

        return plot_recording(self, title)

    def __repr__(self) -> str:
        if not len(self):
            return "Recording: nothing recorded yet"
        return (
            f"Recording: {len(self)} records, epochs {self.epochs[0]} to {self.epochs[-1]}, every {self.interval}; "
            f"{len(self.layers)} layers, {self.rows} probe rows; loss {self.loss[0]:.4g} -> {self.loss[-1]:.4g}"
        )

    def __str__(self) -> str:
        return "\n".join([repr(self), *_tables(self)]) if len(self) else repr(self)


def _tables(recording: Recording) -> Iterator[str]:
    """Yield the first and the last epoch's numbers, by weight and by layer."""

    def change(values: Float64Array, form: str = ".3g") -> str:
        return f"{values[0]:{form}} -> {values[-1]:{form}}"

    yield ""
    yield f"{'weight':20}  {'norm':>18}  {'gradient norm':>20}  {'update ratio':>14}"
    for place, name in enumerate(recording.weights):
        ratio = recording.update_ratio[:, place]
        norm, gradient = change(recording.weight_norm[:, place]), change(recording.gradient_norm[:, place], ".1e")
        yield f"{_short(name):20}  {norm:>18}  {gradient:>20}  {np.nan_to_num(ratio[-1]):>14.1e}"
    yield ""
    yield f"{'layer':20}  {'activation':>12}  {'units':>5}  {'dead':>14}  {'saturated':>14}"
    for place, name in enumerate(recording.layers):
        shares = [
            "-" if np.isnan(values[-1, place]) else change(values[:, place], ".0%")
            for values in (recording.dead, recording.saturated)
        ]
        kind, units = recording.activations[place][:12], recording.units[place]
        yield f"{_short(name):20}  {kind:>12}  {units:>5}  {shares[0]:>14}  {shares[1]:>14}"


def _short(name: str) -> str:
    return name if len(name) <= 20 else "…" + name[-19:]
