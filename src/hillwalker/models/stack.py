"""Layers in a row: checked, laid out, and given their first weights.

Pure functions of layers; what they return belongs to one model.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

from hillwalker import activations, engine, layers, plan, reference
from hillwalker.errors import HillwalkerWarning, InputError, InputTypeError, explain
from hillwalker.layers import Flatten, InputLayer, Layer
from hillwalker.parameters import FloatArray, flat_vector

Shape = tuple[int, ...]


def check(stack: Sequence[Any]) -> None:
    """Refuse what is no layer, an input layer that is not the first, and a name that occurs twice."""
    if not isinstance(stack, (list, tuple)):
        fix = "Sequential([Input((20,)), Dense(1)])"
        raise InputTypeError(explain(f"layers={stack!r}.", "a list of layers.", fix))
    names: set[str] = set()
    for number, layer in enumerate(stack):
        if not isinstance(layer, Layer):
            what = f"the class {layer.__name__}" if isinstance(layer, type) else repr(layer)
            fix = f"{layer.__name__}()" if isinstance(layer, type) else "Sequential([Input((20,)), Dense(1)])"
            raise InputTypeError(explain(f"{what} as layer {number}.", "an object from hillwalker.layers.", fix))
        if isinstance(layer, InputLayer) and number > 0:
            passed = f"an input layer as layer {number}."
            raise InputError(explain(passed, "at most one, the first.", "Sequential([Input((20,)), Dense(1)])"))
        if layer.name in names:
            passed = f"two layers with the name {layer.name!r}."
            raise InputError(explain(passed, "names that differ.", f'Dense(1, name="{layer.name}_2")'))
        names.add(layer.name)


def computing(stack: Sequence[Layer]) -> list[Layer]:
    """Return the layers that compute: all but the input layer, as Keras's `model.layers`."""
    return [layer for layer in stack if not isinstance(layer, InputLayer)]


def row_shape(stack: Sequence[Layer]) -> Shape | None:
    """Return the shape of one row of input as the first layer tells it, or None."""
    return stack[0].input_shape_wanted if stack else None


def own(stack: Sequence[Layer], model: object) -> list[Layer]:
    """Return the layers, each that belongs to another model as a copy with its weights, and a warning.

    A model's weights lie in one vector of its own, so two models cannot share a layer.
    """
    return [_own(layer, model) for layer in stack]


def _own(layer: Layer, model: object) -> Layer:
    if layer.owner is None or layer.owner is model:
        return layer
    copy = layers.deserialize(layers.serialize(layer), functions(layer))
    copy.values = {name: value.copy() for name, value in layer.values.items()}
    passed = f"the layer {layer.name!r}, which belongs to another model."
    message = explain(passed, "a layer of this model's own; this one was copied, with its weights.", "model.layers")
    warnings.warn(message, HillwalkerWarning, stacklevel=5)
    return copy


def functions(layer: Layer) -> dict[str, Any]:
    """Return the user's own functions in a layer by name, as `custom_objects`."""
    activation = getattr(layer, "activation", None)
    return {activation.name: activation.function} if isinstance(activation, activations.CustomActivation) else {}


def lay_out(stack: Sequence[Layer], shape: Shape, dtype: str | None = None) -> plan.Plan:
    """Return the plan of a stack on rows of a shape; no memory is taken for weights."""
    first = computing(stack)[0]
    if len(shape) > 1 and not isinstance(first, Flatten):
        passed = f"rows of shape {shape} to the layer {first.name!r}."
        expected = "rows of numbers, or a Flatten layer first."
        raise InputError(explain(passed, expected, f"Flatten(input_shape={shape})"))
    return plan.draw_up(computing(stack), math.prod(shape), dtype or engine.precision())


def draw(drawn: plan.Plan) -> FloatArray:
    """Return a flat vector with starting weights; layers that have weights keep them."""
    parameters = flat_vector(drawn.length, drawn.dtype)
    for planned in drawn.layers:
        views = reference.views(planned, parameters)
        for wanted in planned.layer.wanted_weights(planned.inputs):
            value = planned.layer.values.get(wanted.name)
            if value is not None and value.shape != wanted.shape:
                passed = f"the layer {planned.layer.name!r}, built for {value.shape[0]} inputs, on {planned.inputs}."
                raise InputError(explain(passed, f"{value.shape[0]} inputs.", "a new layer"))
            views[wanted.name][...] = wanted.initializer(wanted.shape, drawn.dtype) if value is None else value
    return parameters


def adopt(drawn: plan.Plan, parameters: FloatArray, model: object) -> None:
    """Make the layers' weights views into the model's flat vector."""
    for planned in drawn.layers:
        planned.layer.values = reference.views(planned, parameters)
        planned.layer.owner = model


def output_activation(stack: Sequence[Layer]) -> str | None:
    """Return the name of the activation that the output comes from, None for one of the user's own."""
    for layer in reversed(stack):
        if isinstance(layer, (layers.Dense, layers.Activation)):
            return None if layer.activation.core is None else str(layer.activation.name)
        if not isinstance(layer, (layers.Dropout, layers.GaussianNoise, Flatten)):
            break
    return "linear"
