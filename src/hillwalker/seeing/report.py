"""A trace as text for a terminal: a table a layer, its units side by side, large layers cut to what matters.

Of a batch the rows' means are shown (the sums of what is a sum), and it says so.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hillwalker.seeing.arithmetic import number
from hillwalker.seeing.trace import Array, LayerTrace, Trace, rows_mean, rows_sum

COLUMNS = 6  # units side by side
ROWS = 4  # inputs of a kernel, one below the other
CELL, LABEL = 11, 14  # characters


def chosen(amounts: Array, most: int) -> list[int]:
    """Return the places to show: all, or the first two, the last, and between them those with the largest amounts.

    >>> chosen(np.array([0.0, 0.0, 9.0, 1.0, 8.0, 0.0]), 4)
    [0, 1, 2, 5]
    """
    count = len(amounts)
    if count <= most:
        return list(range(count))
    kept = [0, 1, count - 1][: max(1, most - 1)]
    order = [int(place) for place in np.argsort(-np.abs(amounts), kind="stable") if place not in kept]
    return sorted([*kept, *order[: most - len(kept)]])


def report(trace: Trace) -> str:
    """Return the text that `print(trace)` shows."""
    lines = [_title(trace), *_notes(trace), "", *_inputs(trace)]
    for place, layer in enumerate(trace.layers):
        lines += ["", *_layer(trace, place, layer)]
    lines += ["", *_loss(trace)]
    example = next((layer for layer in trace.layers if layer.W is not None), None)
    if example is not None:
        lines += ["", f'Any number spelled out: print(trace.explain("{example.name}.kernel[0,0]"))']
    return "\n".join(line.rstrip() for line in lines)


def _title(trace: Trace) -> str:
    part = f"row {trace.row_numbers[0]} of a batch of {trace.batch}" if trace.is_part else ""
    rows = part or f"{trace.rows} row{'s' * (trace.rows != 1)}"
    how = f"as training sees it in step {trace.iteration}" if trace.training else "as predict and evaluate see it"
    return f"One pass of {rows}, {how}"


def _notes(trace: Trace) -> list[str]:
    notes = []
    if trace.rows > 1:
        notes.append(f"Values are means over the {trace.rows} rows, derivatives their sums; one row: trace.row(0)")
    if trace.engine_difference is not None:
        apart = "not at all" if trace.engine_difference == 0 else f"by {trace.engine_difference:.0e} of the largest"
        notes.append(f"float64; the compiled engine's loss and gradient ({trace.precision}) differ {apart}")
    return notes


def _row(label: str, cells: list[str]) -> str:
    return label.ljust(LABEL) + "".join(cell.rjust(CELL) for cell in cells)


def _head(what: str, places: list[int]) -> str:
    """Return the names of the columns, with a mark where others were left out."""
    return _row("", [("… " if place and place - 1 not in places else "") + f"{what} {place}" for place in places])


def _table_row(label: str, values: Array, places: list[int]) -> str:
    return _row(label, [number(float(values[place])) for place in places])


def _inputs(trace: Trace) -> list[str]:
    places = chosen(trace.blame.shares, COLUMNS)
    head = _left_out(len(trace.blame.shares), places, "inputs")
    return [
        f"input{head}",
        _head("input", places),
        _table_row("x", rows_mean(trace.inputs), places),
        _table_row("∂L/∂x", rows_sum(trace.layers[0].dinput), places),
        _row("blame", [f"{trace.blame.shares[place]:.1%}" for place in places]),
    ]


def _left_out(count: int, places: list[int], what: str) -> str:
    return f" ({len(places)} of {count} {what}: first, last, most to blame)" if len(places) < count else ""


def _layer(trace: Trace, place: int, layer: LayerTrace) -> list[str]:
    places = chosen(layer.blame.shares, COLUMNS)
    kind = layer.kind if layer.activation in (None, "linear") else f"{layer.kind}, {layer.activation}"
    frozen = ", frozen" if layer.weights and not layer.trainable else ""
    lines = [
        f"{layer.name} ({kind}{frozen}), {layer.input.shape[1]} → {layer.units}"
        + _left_out(layer.units, places, "units"),
        _head("unit", places),
    ]
    inputs = chosen(np.abs(layer.input).sum(axis=0), ROWS) if layer.W is not None else []
    lines += _weights(inputs, places, layer.weights, "")
    means = ("scale", "noise", "mean", "variance", "normal")
    lines += [
        _table_row(name if name != "normal" else "normal x̂", rows_mean(layer.values[name]), places)
        for name in means
        if name in layer.values and (name != "normal" or trace.rows == 1)
    ]
    if layer.z is not None:
        lines.append(_table_row("z", rows_mean(layer.z), places))
    lines += [_table_row("a", rows_mean(layer.a), places), _table_row("∂L/∂a", rows_sum(layer.da), places)]
    if layer.dz is not None:
        lines.append(_table_row("∂L/∂z", rows_sum(layer.dz), places))
    lines += _weights(inputs, places, layer.gradients, "∂L/∂")
    if layer.updates is not None and layer.trainable:
        lines += _weights(inputs, places, layer.updates, "step ")
    lines.append(_row("blame", [f"{layer.blame.shares[unit]:.1%}" for unit in places]))
    return lines


def _weights(inputs: list[int], places: list[int], named: Mapping[str, Array], prefix: str) -> list[str]:
    lines = []
    for name, value in named.items():
        letter = {"kernel": "W", "bias": "b"}.get(
            name, name.replace("moving_variance", "moving var.").replace("_", " ")
        )
        letter = letter.replace("moving", "mov.") if prefix else letter
        if value.ndim == 1:
            lines.append(_table_row(prefix + letter, value, places))
            continue
        for row in inputs:
            lines.append(_table_row(f"{prefix}{letter}[{row}]", value[row], places))
        if len(inputs) < len(value):
            lines.append(_row("", [f"… {len(value) - len(inputs)} more inputs"]))
    return lines


def _loss(trace: Trace) -> list[str]:
    places = chosen(np.abs(trace.dprediction).sum(axis=0), COLUMNS)
    loss = trace.loss_function.name
    made_of = (
        f" = {number(trace.data_loss)} of the data + {number(trace.penalty)} of penalties" if trace.penalty else ""
    )
    lines = [f"loss ({loss})" + _left_out(trace.prediction.shape[1], places, "outputs")]
    lines.append(_head("output", places))
    if trace.targets.shape == trace.prediction.shape:
        lines.append(_table_row("y", rows_mean(trace.targets), places))
    elif trace.rows == 1:
        lines.append(_row("y", [number(float(value)) for value in trace.targets[0][:COLUMNS]]))
    lines.append(_table_row("prediction", rows_mean(trace.prediction), places))
    lines.append(_table_row("∂L/∂prediction", rows_sum(trace.dprediction), places))
    lines.append(f"L = {number(trace.loss)}{made_of}")
    if trace.optimizer is not None and trace.learning_rate is not None:
        rule = type(trace.optimizer).__name__
        lines.append(f"step: what {rule} with learning rate {number(trace.learning_rate)} would add to each weight")
    return lines
