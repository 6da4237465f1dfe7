"""What training minimises: each loss's value and, next to it, its derivative by the predictions, as in Keras 3.

Here losses are found by name and saved, and each class gives a function; the formulas are in regression.py,
probability.py and margin.py, a user's own in own.py. Data is checked elsewhere (`checks.py`, `labels.py`), except in
direct calls by a user.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from hillwalker.differentiate import FloatArray, qualified, restored
from hillwalker.errors import InputError, InputTypeError, explain, unknown_name
from hillwalker.losses.base import MEAN, Loss
from hillwalker.losses.margin import CategoricalHinge, Hinge, SquaredHinge
from hillwalker.losses.own import CustomLoss
from hillwalker.losses.probability import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    KLDivergence,
    Poisson,
    SparseCategoricalCrossentropy,
)
from hillwalker.losses.regression import (
    QLIKE,
    AsymmetricSquaredError,
    CosineSimilarity,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Pinball,
)

__all__ = [
    "BCE",
    "KLD",
    "MAE",
    "MAPE",
    "MSE",
    "MSLE",
    "QLIKE",
    "AsymmetricSquaredError",
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "CustomLoss",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Pinball",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "asymmetric_squared_error",
    "bce",
    "binary_crossentropy",
    "categorical_crossentropy",
    "categorical_hinge",
    "cosine_similarity",
    "deserialize",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "kld",
    "kullback_leibler_divergence",
    "log_cosh",
    "logcosh",
    "mae",
    "mape",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "mse",
    "msle",
    "pinball",
    "poisson",
    "qlike",
    "quantile",
    "serialize",
    "sparse_categorical_crossentropy",
    "squared_hinge",
]

CLASSES: tuple[type[Loss], ...] = (
    MeanSquaredError, MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredLogarithmicError, Huber, LogCosh,
    Pinball, AsymmetricSquaredError, QLIKE, CosineSimilarity, Poisson, KLDivergence, BinaryCrossentropy,
    CategoricalCrossentropy, SparseCategoricalCrossentropy, Hinge, SquaredHinge, CategoricalHinge,
)  # fmt: skip
BY_CLASS: dict[str, type[Loss]] = {one.__name__: one for one in CLASSES}
BY_KIND: dict[str, type[Loss]] = {one.kind: one for one in CLASSES}


def _function(loss: type[Loss]) -> Callable[..., FloatArray]:
    """Return a loss as a function of (y_true, y_pred, its parameters): the loss of each row, shape (B,)."""
    either = inspect.Parameter.POSITIONAL_OR_KEYWORD
    own = [one for one in inspect.signature(loss).parameters.values() if one.name not in ("reduction", "name")]
    signature = inspect.Signature([inspect.Parameter(name, either) for name in ("y_true", "y_pred")] + own)

    def per_row(*arguments: Any, **keywords: Any) -> FloatArray:
        given = signature.bind(*arguments, **keywords).arguments
        y_true, y_pred = given.pop("y_true"), given.pop("y_pred")
        return loss(**given).rows(y_true, y_pred)

    per_row.__name__ = per_row.__qualname__ = loss.kind
    per_row.__doc__ = f"Return the loss of each row, shape (B,): {loss.__doc__}".split("\n\n")[0]
    per_row.__signature__ = signature  # type: ignore[attr-defined]
    return per_row


mean_squared_error = mse = MSE = _function(MeanSquaredError)
mean_absolute_error = mae = MAE = _function(MeanAbsoluteError)
mean_absolute_percentage_error = mape = MAPE = _function(MeanAbsolutePercentageError)
mean_squared_logarithmic_error = msle = MSLE = _function(MeanSquaredLogarithmicError)
huber = _function(Huber)
log_cosh = logcosh = _function(LogCosh)
binary_crossentropy = bce = BCE = _function(BinaryCrossentropy)
categorical_crossentropy = _function(CategoricalCrossentropy)
sparse_categorical_crossentropy = _function(SparseCategoricalCrossentropy)
kl_divergence = kld = KLD = kullback_leibler_divergence = _function(KLDivergence)
poisson = _function(Poisson)
hinge = _function(Hinge)
squared_hinge = _function(SquaredHinge)
categorical_hinge = _function(CategoricalHinge)
cosine_similarity = _function(CosineSimilarity)
pinball = quantile = _function(Pinball)
asymmetric_squared_error = _function(AsymmetricSquaredError)
qlike = _function(QLIKE)

BY_NAME = {  # every name of every function above
    name: BY_KIND[one.__name__] for name, one in list(globals().items()) if getattr(one, "__name__", "") in BY_KIND
}


def get(identifier: Any, custom_objects: Mapping[str, Any] | None = None) -> Loss:
    """Return a loss by name, class, configuration, function of (y_true, y_pred), or instance.

    `custom_objects` maps the names of functions of your own to them. Raises InputError for an unknown name, with the
    nearest known one.

    >>> get("mse")
    MeanSquaredError(name='mean_squared_error', reduction='sum_over_batch_size')
    """
    if isinstance(identifier, Loss):
        return identifier
    if isinstance(identifier, Mapping):
        return deserialize(identifier, custom_objects)
    if isinstance(identifier, str):
        if custom_objects and identifier in custom_objects:
            return get(custom_objects[identifier])
        known = {**BY_NAME, **BY_CLASS}
        if identifier not in known:
            raise unknown_name("loss", identifier, BY_NAME, "model.compile(loss={})")
        return known[identifier]()
    if isinstance(identifier, type) and issubclass(identifier, Loss):
        return identifier()
    if callable(identifier):
        native = next((loss for name, loss in BY_NAME.items() if globals()[name] is identifier), None)
        return CustomLoss(identifier) if native is None else native()
    raise InputTypeError(
        explain(f"the loss {identifier!r}.", "a name, or a function of (y_true, y_pred).", 'model.compile(loss="mse")')
    )


def serialize(loss: Any) -> dict[str, Any]:
    """Return a loss as what a JSON file can hold: its class and configuration.

    >>> serialize(Pinball(0.9))["config"]
    {'name': 'pinball', 'reduction': 'sum_over_batch_size', 'quantile': 0.9}
    """
    loss = get(loss)
    config = loss.get_config()
    if isinstance(loss, CustomLoss):
        config |= qualified(loss.function, loss.name)
    return {"class_name": type(loss).__name__, "config": config}


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Loss:
    """Return the loss that `serialize` wrote; a function of your own must be given in `custom_objects`.

    >>> deserialize(serialize(Huber(delta=2.0))).core
    ('huber', (2.0,))
    """
    if not isinstance(config, Mapping):
        return get(config, custom_objects)
    class_name, arguments = config.get("class_name"), config.get("config")
    if class_name == "CustomLoss":
        function = restored("loss", arguments, custom_objects)
        return CustomLoss(function, config["config"]["name"], config["config"].get("reduction", MEAN))
    classes = {**BY_CLASS, **(custom_objects or {})}
    if not isinstance(class_name, str) or class_name not in classes:
        raise unknown_name("loss class", class_name, classes, '{{"class_name": {}, "config": {{}}}}')
    try:
        return get(classes[class_name](**(arguments or {})))
    except TypeError as error:
        raise InputError(explain(f"{class_name} with {arguments!r}.", f"its arguments ({error}).")) from None
