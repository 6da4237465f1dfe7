"""Models from files and descriptions. Nothing that a file says is run: it names layers that this package knows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hillwalker import config, engine, layers, losses, metrics, mistakes, optimizers, saving
from hillwalker.errors import FileError, InputError, InputTypeError, explain
from hillwalker.models import stack
from hillwalker.models.sequential import Sequential
from hillwalker.parameters import flat_vector
from hillwalker.training.state import State, check_arrays


def save_model(model: Sequential, filepath: Any, overwrite: bool = True, **options: Any) -> None:
    """Write a model to one safetensors file, as `model.save` does."""
    model.save(filepath, overwrite, **options)


def load_model(
    filepath: Any, custom_objects: Mapping[str, Any] | None = None, compile: bool = True, **options: Any
) -> Sequential:
    """Return the model that `model.save` wrote, ready to predict and, with `compile`, to train on where it stopped.

    Python functions in the model come from `custom_objects` by name. Raises FileError for a file that is missing,
    damaged, or whose parts contradict each other.
    """
    arrays, metadata = saving.read(filepath)
    try:
        return _model_of(arrays, metadata, custom_objects, compile)
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError, MemoryError) as error:
        if isinstance(error, (InputError, InputTypeError)) and "custom_objects" in str(error):
            raise
        reason = f"{type(error).__name__}: {error}"[:500]
        passed = f"{str(filepath)!r}, whose contents contradict each other ({reason})."
        raise FileError(explain(passed, "a file that model.save wrote; nothing in it was run.")) from error


def _model_of(
    arrays: saving.Arrays, metadata: saving.Metadata, custom_objects: Mapping[str, Any] | None, compile: bool
) -> Sequential:
    described = metadata["model"]
    made = [layers.deserialize(layer, custom_objects) for layer in described["layers"]]
    stack.check(made)
    row_shape = layers.InputLayer(described["build_input_shape"][1:], name="input").input_shape_wanted
    if metadata["dtype"] not in config.FLOATS:
        raise ValueError(f"dtype {metadata['dtype']!r}")
    dtype = engine.precision() if config.engine_name() == "reference" else metadata["dtype"]
    drawn = stack.lay_out(made, row_shape or (), dtype)
    # Before memory is taken: a hostile file may name a layer of any size, but then lacks the weights.
    check_arrays(drawn.segments, metadata["state"]["weights"], arrays)

    model = Sequential(name=str(described["name"]))
    model._layers, model._row_shape = made, row_shape
    model._trainable = bool(described["trainable"])
    model.preprocessing = metadata["preprocessing"]
    parameters = flat_vector(drawn.length, dtype)
    stack.adopt(drawn, parameters, model)
    model._take(State(drawn, parameters, model._seed))
    if compile and metadata["compile"] is not None:
        _compile(model, metadata["compile"], custom_objects)
    numbers = {name: value for name, value in metadata["state"].items() if name != "epoch_iteration"}
    model.restore(arrays, {"state": numbers})
    model._seed = model.state.seed
    return model


def _compile(model: Sequential, told: Mapping[str, Any], custom_objects: Mapping[str, Any] | None) -> None:
    def read(written: list[Any]) -> list[Any]:
        return [name if isinstance(name, str) else metrics.get(name, custom_objects=custom_objects) for name in written]

    model._told.update(name for name, _ in mistakes.OF_STACK)  # whoever made the model was told, then
    model.compile(
        optimizers.get(told["optimizer"], custom_objects),
        None if told["loss"] is None else losses.get(told["loss"], custom_objects),
        metrics=read(told["metrics"]),
        weighted_metrics=read(told["weighted_metrics"]),
    )


def model_from_json(text: str, custom_objects: Mapping[str, Any] | None = None) -> Sequential:
    """Return a new model of the architecture that `model.to_json` described."""
    return Sequential.from_config(json.loads(text)["config"], custom_objects)


def clone_model(model: Sequential) -> Sequential:
    """Return a model of the same architecture with newly drawn weights."""
    functions: dict[str, Any] = {}
    for layer in model.layers:
        functions |= stack.functions(layer)
    return Sequential.from_config(model.get_config(), functions)
