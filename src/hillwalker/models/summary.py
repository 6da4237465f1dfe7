"""The table that `model.summary()` prints. It only reads the model."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np


def summary(model: Any, line_length: int | None) -> str:
    """Return the layers, their output shapes and how many numbers each holds, as a text."""
    from rich.box import SQUARE
    from rich.console import Console
    from rich.table import Table

    width = line_length or 65
    table = Table(box=SQUARE, width=width)
    table.add_column("Layer (type)")
    table.add_column("Output shape")
    table.add_column("Parameters", justify="right")
    for number, layer in enumerate(model.layers):
        outputs = model.plan.layers[number].outputs if model.built else "?"
        held = f"{layer.count_params():,}" if model.built else "not built"
        table.add_row(f"{layer.name} ({type(layer).__name__})", f"(None, {outputs})", held)
    text = io.StringIO()
    console = Console(file=text, width=width, color_system=None)
    console.print(f'Model: "{model.name}"', highlight=False)
    console.print(table)
    if model.built:
        total = model.count_params()
        trained = sum(math.prod(part.shape) for part in model.plan.trained) if model.trainable else 0
        size = np.dtype(model.plan.dtype).itemsize
        for label, count in (("Total", total), ("Trainable", trained), ("Non-trainable", total - trained)):
            console.print(f"{label} parameters: {count:,} ({_bytes(count * size)})", highlight=False)
    return text.getvalue().rstrip("\n")


def _bytes(count: float) -> str:
    if count < 1024:
        return f"{count:.0f} B"
    for unit in ("KiB", "MiB"):
        count /= 1024
        if count < 1024:
            return f"{count:.1f} {unit}"
    return f"{count / 1024:.1f} GiB"
