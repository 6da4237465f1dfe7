"""The network, its loss and its optimizer as one frozen record, which both engines execute.

Nothing is computed here; shapes are fixed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from hillwalker.layers import Layer
from hillwalker.losses import Loss
from hillwalker.optimizers import Optimizer
from hillwalker.parameters import Segment, WeightSpecification, lay_out, vector_length


@dataclass(frozen=True)
class PlannedLayer:
    """A layer in its place: the widths of input and output, where its weights lie, the number of its random stream."""

    layer: Layer
    inputs: int
    outputs: int
    segments: dict[str, Segment]
    stream: int


@dataclass(frozen=True)
class Plan:
    """Everything an engine needs to know before it sees data."""

    layers: tuple[PlannedLayer, ...]
    input_width: int
    output_width: int
    dtype: str
    loss: Loss | None = None
    optimizer: Optimizer | None = None
    target_width: int | None = None
    """Columns of y, where the loss takes any number of them (a loss function of the user's)."""

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """All weights' places, in the order of `get_weights`."""
        return tuple(segment for planned in self.layers for segment in planned.segments.values())

    @property
    def trained(self) -> tuple[Segment, ...]:
        """The places of the weights that training moves now."""
        return tuple(
            segment
            for planned in self.layers
            if planned.layer.trainable
            for segment in planned.segments.values()
            if segment.trainable
        )

    def frozen(self) -> Plan:
        """Return the plan of a network of which training moves nothing."""
        layers = []
        for planned in self.layers:
            still = {name: replace(part, trainable=False) for name, part in planned.segments.items()}
            layers.append(replace(planned, segments=still))
        return replace(self, layers=tuple(layers))

    @cached_property
    def length(self) -> int:
        """How long the flat vector is."""
        return vector_length(self.segments)


class TrainResult(NamedTuple):
    """What one call of an engine's `train` did."""

    loss_sum: float
    """Batch losses, penalties included, each times its rows."""
    rows: int
    """Rows in the steps done, the step that was not finite included."""
    steps: int
    """Updates done."""
    finite: bool
    """False if the last batch's loss was not finite; its update was not done."""


def draw_up(layers: Sequence[Layer], input_width: int, dtype: str) -> Plan:
    """Return the plan of layers stacked on an input of `input_width` columns; loss and optimizer come at compile.

    >>> from hillwalker.layers import Dense
    >>> plan = draw_up([Dense(64), Dense(1)], 20, "float32")
    >>> [segment.shape for segment in plan.segments]
    [(20, 64), (64,), (64, 1), (1,)]
    """
    wanted: list[tuple[str, WeightSpecification]] = []
    widths = [input_width]
    for layer in layers:
        wanted += [(f"{layer.name}/{want.name}", want) for want in layer.wanted_weights(widths[-1])]
        widths.append(layer.output_width(widths[-1]))
    remaining = iter(lay_out(wanted))
    planned = []
    for number, layer in enumerate(layers):
        segments = {want.name: next(remaining) for want in layer.wanted_weights(widths[number])}
        planned.append(PlannedLayer(layer, widths[number], widths[number + 1], segments, number))
    return Plan(tuple(planned), input_width, widths[-1], dtype)
