"""What is compared: settings as a grid, a list or random draws, and the model that each of them means.

A variant is a label, a model and what `fit` is told. Nothing is trained here.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hillwalker import checks, config, layers, losses, optimizers, regularizers
from hillwalker.errors import InputError, InputTypeError, StateError, explain, unknown_name
from hillwalker.models import Sequential, edge, stack
from hillwalker.optimizers import Optimizer
from hillwalker.training.callbacks import EarlyStopping

OF_FIT = ("batch_size", "epochs", "shuffle", "early_stopping")
OF_LAYERS = ("depth", "units", "activation", "kernel_initializer", "dropout", "l1", "l2")  # in the order of the changes
OF_COMPILE = ("optimizer", "learning_rate", "loss")
OTHER_NAMES = {"initializer": "kernel_initializer", "schedule": "learning_rate", "patience": "early_stopping"}

Settings = dict[str, Any]


@dataclass(frozen=True)
class Variant:
    """One of the things compared: a label, its settings, the model that they mean, and what `fit` is told."""

    label: str
    settings: Settings
    model: Sequential
    fit: Settings = field(default_factory=dict)


def of_models(models: Mapping[str, Sequential]) -> list[Variant]:
    """Return the variants that are ready-made models, by label."""
    for label, model in models.items():
        if not isinstance(model, Sequential):
            passed = f"{model!r} under the label {label!r}."
            raise InputTypeError(explain(passed, "a model.", 'compare({"small": model_1, "large": model_2}, X, y)'))
        _require_compiled(model)
    return [Variant(str(label), {"model": str(label)}, model) for label, model in models.items()]


def of_settings(model: Sequential, vary: Any, draws: int | None, seed: int) -> list[Variant]:
    """Return the variants of a model that `vary` means; a grid for a mapping, `draws` random ones where it is given."""
    _require_compiled(model)
    seen: set[str] = set()
    variants = []
    for chosen in settings_of(vary, draws, seed):
        label = label_of(chosen)
        if label in seen:
            continue
        seen.add(label)
        variants.append(Variant(label, chosen, changed(model, chosen), fit_settings(chosen)))
    return variants


def settings_of(vary: Any, draws: int | None = None, seed: int = 0) -> list[Settings]:
    """Return the settings of each variant.

    `vary` is a mapping from a setting's name to the values to try, of which all combinations are taken; or a list of
    mappings, one a variant. With `draws`, so many combinations are drawn at random: from a list each value is as likely
    as another; a function of a NumPy generator, or anything with `rvs` (SciPy's distributions), draws its own.

    >>> settings_of({"batch_size": [16, 64], "learning_rate": [0.1]})
    [{'batch_size': 16, 'learning_rate': 0.1}, {'batch_size': 64, 'learning_rate': 0.1}]
    >>> settings_of({"learning_rate": lambda random: 10 ** random.uniform(-4, -1)}, draws=3)[0].keys()
    dict_keys(['learning_rate'])
    """
    fix = 'compare(model, X, y, vary={"batch_size": [16, 64, 256]})'
    if isinstance(vary, Mapping) and vary:
        named = {_known(name): values for name, values in vary.items()}
        if draws is not None:
            random = np.random.default_rng(seed)
            return [{name: _drawn(name, values, random) for name, values in named.items()} for _ in range(draws)]
        for name, values in named.items():
            if not _is_several(values):
                what = f"vary={{{name!r}: {values!r}}}."
                raise InputTypeError(explain(what, "a list of values for each setting; a function needs draws=.", fix))
        return [dict(zip(named, chosen, strict=True)) for chosen in itertools.product(*named.values())]
    if isinstance(vary, (list, tuple)) and vary and all(isinstance(one, Mapping) for one in vary) and draws is None:
        return [{_known(name): value for name, value in one.items()} for one in vary]
    passed = f"vary={vary!r}" + ("." if draws is None else f", draws={draws!r}.")
    raise InputTypeError(explain(passed, "settings and the values to try, or a list of settings.", fix))


def _known(name: Any) -> str:
    found = OTHER_NAMES.get(name, name)
    known = [*OF_FIT, *OF_COMPILE, *OF_LAYERS, *OTHER_NAMES]
    if found not in known and not any(found in numbers(kind) for kind in optimizers.CLASSES):
        raise unknown_name("setting", name, known, "compare(model, X, y, vary={{{}: [...]}})")
    return str(found)


def numbers(kind: type[Optimizer]) -> tuple[str, ...]:
    """Return an optimizer's numbers besides the learning rate."""
    return (*kind.own_arguments, "weight_decay", *optimizers.base.CLIPPING)


def _is_several(values: Any) -> bool:
    return isinstance(values, Iterable) and not isinstance(values, (str, Mapping)) and len(list(values)) > 0


def _drawn(name: str, values: Any, random: np.random.Generator) -> Any:
    if hasattr(values, "rvs"):
        return values.rvs(random_state=random)
    if callable(values):
        return values(random)
    if not _is_several(values):
        fix = f"vary={{{name!r}: lambda random: 10 ** random.uniform(-4, -1)}}"
        raise InputTypeError(explain(f"{name}={values!r} to draw from.", "a list or a function of a generator.", fix))
    several = list(values)
    return several[int(random.integers(len(several)))]


def label_of(settings: Settings) -> str:
    """Return the settings as a short text.

    >>> label_of({"learning_rate": 0.001, "units": (64, 32)})
    'learning_rate=0.001, units=64-32'
    """
    return ", ".join(f"{name}={_written(value)}" for name, value in settings.items()) or "as it is"


def _written(value: Any) -> str:
    if isinstance(value, (bool, str)) or value is None:
        return str(value)
    if isinstance(value, (int, float, np.number)):
        return f"{value:.4g}" if isinstance(value, (float, np.floating)) else str(value)
    if isinstance(value, (tuple, list)):
        return "-".join(_written(part) for part in value)
    if isinstance(value, EarlyStopping):
        return f"patience {value.patience}"
    return getattr(value, "__name__", None) or repr(value)


def fit_settings(settings: Settings) -> Settings:
    """Return what a variant tells `fit`; a number for `early_stopping` is its patience, with the best weights kept."""
    told = {name: settings[name] for name in OF_FIT if name in settings}
    if "batch_size" in told:
        told["batch_size"] = edge.batch_size(told["batch_size"], "fit")
    if "epochs" in told:
        told["epochs"] = checks.positive_integer("epochs", told["epochs"], 'vary={"epochs": [10, 100]}')
    if "early_stopping" in told:
        told["early_stopping"] = stopping(told["early_stopping"], 'vary={"early_stopping": [10, 50]}')
    return told


def stopping(value: Any, fix: str) -> EarlyStopping | None:
    """Return what early stopping means: a number is a patience, with the best weights kept."""
    if value is None or isinstance(value, EarlyStopping):
        return value
    return EarlyStopping(patience=checks.positive_integer("early_stopping", value, fix), restore_best_weights=True)


def changed(model: Sequential, settings: Settings) -> Sequential:
    """Return a new model like this one, compiled, but for the settings; the model itself is left alone."""
    own_functions: dict[str, Any] = {}
    for layer in model.layers:
        own_functions |= stack.functions(layer)
    described = [layers.serialize(layer) for layer in model._layers]
    for name in OF_LAYERS:
        if name in settings:
            described = _CHANGES[name](described, settings[name])
    if callable(settings.get("activation")):
        own_functions[getattr(settings["activation"], "__name__", "activation")] = settings["activation"]
    with config.seeded(0):  # the user's next model starts as it would have without this
        made = Sequential([layers.deserialize(layer, own_functions) for layer in described], model.trainable)
        if not made.built and model.built:
            made.build(model.input_shape)
    loss = settings.get("loss", model.loss)
    losses.get(loss)  # may refuse
    metrics, weighted = copy.deepcopy((model._metrics, model._weighted_metrics))
    made._told = model._told  # a mistake that is in all variants is told once
    made.compile(_optimizer(model, settings), loss, metrics=metrics, weighted_metrics=weighted)
    return made


def _optimizer(model: Sequential, settings: Settings) -> Optimizer:
    chosen = optimizers.get(settings.get("optimizer", model.optimizer))
    told = chosen.get_config()
    for name, value in settings.items():
        if name == "learning_rate":
            told[name] = value if isinstance(value, optimizers.schedules.LearningRateSchedule) else float(value)
        elif name in numbers(type(chosen)):
            told[name] = value
        elif name not in (*OF_FIT, *OF_COMPILE, *OF_LAYERS):
            passed = f"{name}={value!r} for {type(chosen).__name__}."
            raise InputError(explain(passed, f"one of its numbers: {', '.join(numbers(type(chosen)))}."))
    made = type(chosen).from_config(told)
    made._undecayed = chosen._undecayed
    return made


def _require_compiled(model: Any) -> None:
    fix = 'model.compile(optimizer="adam", loss="mse")'
    if not isinstance(model, Sequential):
        raise InputTypeError(explain(f"compare of {model!r}.", "a model, or models by label.", "compare(model, X, y)"))
    if model.optimizer is None or model.loss is None:
        raise StateError(explain("a model that is not compiled with a loss.", "a compiled model.", fix))


# What each setting changes in the layers' descriptions. The last dense layer is the output; those before it are hidden.

Described = list[dict[str, Any]]


def _dense(described: Described) -> list[int]:
    return [number for number, layer in enumerate(described) if layer["class_name"] == "Dense"]


def _hidden(described: Described, setting: str) -> list[int]:
    found = _dense(described)[:-1]
    if not found:
        passed = f"{setting} to vary, for a model without a hidden dense layer."
        raise InputError(explain(passed, "at least one hidden layer.", "Sequential([Dense(64), Dense(1)])"))
    return found


def _with(layer: dict[str, Any], **told: Any) -> dict[str, Any]:
    return {"class_name": layer["class_name"], "config": {**layer["config"], **told}}


def _depth(described: Described, depth: Any) -> Described:
    """Drop the last hidden layers with all that follows each up to the next, or repeat the last of them."""
    if isinstance(depth, bool) or not isinstance(depth, (int, np.integer)) or depth < 1:
        raise InputError(
            explain(f"depth={depth!r}.", "the number of hidden layers, 1 or more.", "vary={'depth': [1, 2]}")
        )
    hidden, output = _hidden(described, "depth"), _dense(described)[-1]
    ends = [*hidden[1:], output]
    blocks = [described[start:end] for start, end in zip(hidden, ends, strict=True)]
    for number in range(len(blocks), int(depth)):
        last = blocks[len(hidden) - 1]
        blocks.append([_with(layer, name=f"{layer['config']['name']}_{number + 1}") for layer in last])
    kept = [layer for block in blocks[: int(depth)] for layer in block]
    return [*described[: hidden[0]], *kept, *described[output:]]


def _units(described: Described, units: Any) -> Described:
    if isinstance(units, (tuple, list)):
        described = _depth(described, len(units))
    hidden = _hidden(described, "units")
    each = list(units) if isinstance(units, (tuple, list)) else [units] * len(hidden)
    described = list(described)
    for number, count in zip(hidden, each, strict=True):
        described[number] = _with(described[number], units=count)
    return described


def _activation(described: Described, activation: Any) -> Described:
    """Change each hidden layer's activation, whether it stands in the dense layer or in a layer after it."""
    output = _dense(described)[-1]
    separate = {"Activation", "ReLU", "LeakyReLU", "ELU"}
    described = list(described)
    after = {number for number in range(output) if described[number]["class_name"] in separate}
    for number in _hidden(described, "activation"):
        follower = next((later for later in sorted(after) if number < later), None)
        next_dense = next(later for later in _dense(described) if later > number)
        if follower is not None and follower < next_dense:
            name = described[follower]["config"]["name"]
            described[follower] = layers.serialize(layers.Activation(activation, name=name))
        else:
            kind = layers.serialize(layers.Dense(1, activation=activation))["config"]["activation"]
            described[number] = _with(described[number], activation=kind)
    return described


def _kernel_initializer(described: Described, initializer: Any) -> Described:
    kind = layers.serialize(layers.Dense(1, kernel_initializer=initializer))["config"]["kernel_initializer"]
    dense = set(_dense(described))
    return [
        _with(layer, kernel_initializer=kind) if number in dense else layer for number, layer in enumerate(described)
    ]


def _dropout(described: Described, rate: Any) -> Described:
    """Set the rate of all dropout layers; where there are none, put one after each hidden layer."""
    layers.Dropout(rate)  # may refuse
    if any(layer["class_name"] == "Dropout" for layer in described):
        return [_with(layer, rate=float(rate)) if layer["class_name"] == "Dropout" else layer for layer in described]
    if rate == 0:
        return described
    starts = [*_hidden(described, "dropout"), _dense(described)[-1]]
    made = list(described)
    for place, number in reversed(list(enumerate(starts[1:]))):  # before the next dense layer; from the back
        made.insert(number, layers.serialize(layers.Dropout(rate, name=f"varied_dropout_{place}")))
    return made


def _penalty(described: Described, **told: Any) -> Described:
    made = []
    for layer in described:
        if layer["class_name"] == "Dense":
            own = regularizers.get(layer["config"]["kernel_regularizer"])
            both = {"l1": 0.0 if own is None else own.l1, "l2": 0.0 if own is None else own.l2} | told
            penalty = regularizers.L1L2(**both)
            described_penalty = regularizers.serialize(penalty) if penalty.l1 or penalty.l2 else None
            layer = _with(layer, kernel_regularizer=described_penalty)
        made.append(layer)
    return made


_CHANGES: dict[str, Callable[[Described, Any], Described]] = {
    "depth": _depth,
    "units": _units,
    "activation": _activation,
    "kernel_initializer": _kernel_initializer,
    "dropout": _dropout,
    "l1": lambda described, value: _penalty(described, l1=value),
    "l2": lambda described, value: _penalty(described, l2=value),
}


def is_default(variant: Variant, model: Sequential, fit: Settings) -> bool:
    """Return whether a variant is the model as it is, trained as `fit` would without `vary`."""
    same_fit = all(variant.fit.get(name) == value for name, value in fit.items() if name in variant.fit)
    mine, its = described_without_names(model), described_without_names(variant.model)
    return same_fit and mine == its and set(variant.fit) <= set(fit)


def described_without_names(model: Sequential) -> tuple[Any, ...]:
    """Return a model's architecture and compilation as plain values, in which automatic names do not count."""
    parts: Sequence[dict[str, Any]] = [layers.serialize(layer) for layer in model.layers]
    plain = [(part["class_name"], {k: v for k, v in part["config"].items() if k != "name"}) for part in parts]
    return plain, model.get_compile_config()
