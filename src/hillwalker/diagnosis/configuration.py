"""How a network is built and trained, as plain names and numbers."""

from __future__ import annotations

from dataclasses import dataclass

from hillwalker.diagnosis import trials
from hillwalker.layers import Activation, Dense, Dropout
from hillwalker.models import Sequential

OF_CLASSES = ("binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy")
PROBABILITIES = ("softmax", "sigmoid")
OF_AMOUNTS = ("mean_squared_error", "mean_absolute_error", "huber", "log_cosh")


@dataclass(frozen=True)
class Configuration:
    """How the network is built and trained: one entry a dense layer in `units`, `activations`, `initializers`.

    `functions` are all activations in their order, those in layers of their own included, without linear ones;
    `doubled` says whether a probability is taken of a probability.
    """

    layers: tuple[str, ...]
    units: tuple[int, ...]
    activations: tuple[str, ...]
    functions: tuple[str, ...]
    initializers: tuple[str, ...]
    penalised: bool
    dropout: float
    loss: str
    from_logits: bool
    doubled: bool
    output: str | None
    optimizer: str
    learning_rate: float
    has_schedule: bool
    batch_size: int
    epochs: int
    class_weights: bool


def _doubled(model: Sequential) -> bool:
    """Return whether a layer turns probabilities into probabilities again."""
    names = [str(layer.activation.name) if isinstance(layer, Dense | Activation) else "" for layer in model.layers]
    return any(
        isinstance(layer, Activation) and name in PROBABILITIES and before in PROBABILITIES
        for layer, name, before in zip(model.layers[1:], names[1:], names[:-1], strict=True)
    )


def configuration_of(
    model: Sequential, kind: str, output: str | None, size: int, epochs: int, weighted: bool
) -> Configuration:
    """Return how a compiled model is built and trained."""
    dense = [layer for layer in model.layers if isinstance(layer, Dense)]
    optimizer, loss = model.optimizer, model._loss
    assert optimizer is not None
    functions = [str(one.activation.name) for one in model.layers if isinstance(one, Dense | Activation)]
    return Configuration(
        layers=tuple(layer.name for layer in model.layers if isinstance(layer, Dense | Activation)),
        units=tuple(layer.units for layer in dense),
        activations=(*trials.activations_of(model), str(output)),
        functions=tuple(name for name in functions if name != "linear"),
        initializers=tuple(type(layer.kernel_initializer).__name__ for layer in dense),
        penalised=trials.is_penalised(model),
        dropout=max((layer.rate for layer in model.layers if isinstance(layer, Dropout)), default=0.0),
        loss=kind,
        from_logits=bool(getattr(loss, "from_logits", False)),
        doubled=_doubled(model),
        output=output,
        optimizer=type(optimizer).__name__,
        learning_rate=float(optimizer.learning_rate),
        has_schedule=optimizer.schedule is not None,
        batch_size=size,
        epochs=epochs,
        class_weights=weighted,
    )
