"""What is measured and not minimised; names, defaults and numbers are Keras 3's.

Here metrics are found by name and saved; the formulas are in accuracy.py, regression.py (all losses) and confusion.py.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from hillwalker import losses
from hillwalker.differentiate import qualified, restored
from hillwalker.errors import HillwalkerWarning, InputTypeError, explain, unknown_name
from hillwalker.losses import (
    asymmetric_squared_error,
    binary_crossentropy,
    categorical_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    pinball,
    poisson,
    qlike,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from hillwalker.metrics.accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from hillwalker.metrics.base import Mean, MeanMetricWrapper, Metric, snake_case
from hillwalker.metrics.confusion import (
    AUC,
    F1Score,
    FalseNegatives,
    FalsePositives,
    FBetaScore,
    Precision,
    Recall,
    TrueNegatives,
    TruePositives,
)
from hillwalker.metrics.regression import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    Hinge,
    KLDivergence,
    LogCoshError,
    LossMetric,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    R2Score,
    RootMeanSquaredError,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)

__all__ = [
    "AUC",
    "Accuracy",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "F1Score",
    "FBetaScore",
    "FalseNegatives",
    "FalsePositives",
    "Hinge",
    "KLDivergence",
    "LogCoshError",
    "LossMetric",
    "Mean",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Metric",
    "Poisson",
    "Precision",
    "R2Score",
    "Recall",
    "RootMeanSquaredError",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
    "SquaredHinge",
    "TopKCategoricalAccuracy",
    "TrueNegatives",
    "TruePositives",
    "asymmetric_squared_error",
    "binary_accuracy",
    "binary_crossentropy",
    "categorical_accuracy",
    "categorical_crossentropy",
    "categorical_hinge",
    "deserialize",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "pinball",
    "poisson",
    "qlike",
    "serialize",
    "sparse_categorical_accuracy",
    "sparse_categorical_crossentropy",
    "sparse_top_k_categorical_accuracy",
    "squared_hinge",
    "top_k_categorical_accuracy",
]

CLASSES: tuple[type[Metric], ...] = (
    Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy, TopKCategoricalAccuracy,
    SparseTopKCategoricalAccuracy, AUC, Precision, Recall, TruePositives, FalsePositives, TrueNegatives, FalseNegatives,
    FBetaScore, F1Score, MeanSquaredError, RootMeanSquaredError, MeanAbsoluteError, MeanAbsolutePercentageError,
    MeanSquaredLogarithmicError, LogCoshError, CosineSimilarity, R2Score, KLDivergence, Poisson, Hinge, SquaredHinge,
    CategoricalHinge, BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy, Mean,
)  # fmt: skip
BY_NAME: dict[str, type[Metric]] = (
    {kind.__name__: kind for kind in CLASSES}
    | {snake_case(kind.__name__): kind for kind in CLASSES}
    | {"bce": BinaryCrossentropy, "BCE": BinaryCrossentropy, "mse": MeanSquaredError, "MSE": MeanSquaredError}
    | {"mae": MeanAbsoluteError, "MAE": MeanAbsoluteError, "rmse": RootMeanSquaredError, "r2": R2Score}
    | {"mape": MeanAbsolutePercentageError, "MAPE": MeanAbsolutePercentageError}
    | {"msle": MeanSquaredLogarithmicError, "MSLE": MeanSquaredLogarithmicError}
    | {"cosine_proximity": CosineSimilarity, "logcosh": LogCoshError}
)
LOSSES_ONLY = ("huber", "pinball", "quantile", "asymmetric_squared_error", "qlike", "log_cosh", "kld")
FUNCTIONS: dict[Any, type[Metric]] = {
    binary_accuracy: BinaryAccuracy,
    categorical_accuracy: CategoricalAccuracy,
    sparse_categorical_accuracy: SparseCategoricalAccuracy,
    top_k_categorical_accuracy: TopKCategoricalAccuracy,
    sparse_top_k_categorical_accuracy: SparseTopKCategoricalAccuracy,
}
LOSS_FUNCTIONS = (
    mean_squared_error, mean_absolute_error, mean_absolute_percentage_error, mean_squared_logarithmic_error, huber,
    log_cosh, binary_crossentropy, categorical_crossentropy, sparse_categorical_crossentropy, kl_divergence, poisson,
    hinge, squared_hinge, categorical_hinge, pinball, asymmetric_squared_error, qlike,
)  # fmt: skip


def get(
    identifier: Any,
    target_columns: int | None = None,
    output_columns: int | None = None,
    loss: Any = None,
    custom_objects: Mapping[str, Any] | None = None,
) -> Metric:
    """Return the metric meant by a name, a config, a class, a function of (y_true, y_pred) or a metric.

    "accuracy" and "crossentropy" mean what fits the columns of y and of the model's output: one output: binary; one
    target column for several outputs: sparse categorical; else categorical. The metric's name, the key in the history,
    is the name as it was written, or the function's. Raises InputError for an unknown name, with the nearest known one.

    >>> metric = get("accuracy", target_columns=1, output_columns=3)
    >>> type(metric).__name__, metric.name
    ('SparseCategoricalAccuracy', 'accuracy')
    """
    if isinstance(identifier, Metric):
        return identifier
    if isinstance(identifier, str):
        return _named(identifier, target_columns, output_columns, loss, custom_objects or {})
    if isinstance(identifier, Mapping):
        return deserialize(identifier, custom_objects)
    if isinstance(identifier, type) and issubclass(identifier, Metric):
        return identifier()
    if callable(identifier):
        for function, kind in FUNCTIONS.items():
            if identifier is function:
                return kind()
        if any(identifier is function for function in LOSS_FUNCTIONS):
            return LossMetric(losses.get(identifier), identifier.__name__)
        return MeanMetricWrapper(identifier)
    expected = "a name, a metric, or a function of (y_true, y_pred)."
    raise InputTypeError(explain(f"metric {identifier!r}.", expected, 'model.compile(metrics=["mae"])'))


def _named(name: str, targets: int | None, outputs: int | None, loss: Any, custom_objects: Mapping[str, Any]) -> Metric:
    if name in custom_objects:
        return get(custom_objects[name])
    logits = bool(getattr(loss, "from_logits", False))
    which = 0 if outputs == 1 else 1 if targets == 1 else 2
    if name.lower() in ("accuracy", "acc") and outputs is not None:
        if which == 0 and logits:
            passed = f"metrics=[{name!r}] with a loss on logits: logits are compared with 0.5."
            fix = f"metrics=[BinaryAccuracy(name={name!r}, threshold=0.0)]"
            warnings.warn(explain(passed, "a threshold for logits, 0.", fix), HillwalkerWarning, stacklevel=3)
        kinds = (BinaryAccuracy, SparseCategoricalAccuracy, CategoricalAccuracy)
        return kinds[which](name=name)
    if name.lower() in ("crossentropy", "ce") and outputs is not None:
        entropies = (BinaryCrossentropy, SparseCategoricalCrossentropy, CategoricalCrossentropy)
        return entropies[which](name=name, from_logits=logits)
    if name in BY_NAME:
        metric = BY_NAME[name]()
        metric.name = name
        return metric
    if name in LOSSES_ONLY:
        return LossMetric(losses.get(name), name)
    known = (*BY_NAME, *LOSSES_ONLY, *custom_objects, "acc", "crossentropy", "ce")
    raise unknown_name("metric", name, known, "model.compile(metrics=[{}])")


def serialize(metric: Metric) -> dict[str, Any]:
    """Return a JSON-able description of a metric, without its sums.

    >>> serialize(BinaryAccuracy(threshold=0.25))["config"]
    {'name': 'binary_accuracy', 'threshold': 0.25}
    """
    if isinstance(metric, MeanMetricWrapper):
        return {"class_name": "MeanMetricWrapper", "config": qualified(metric.function, metric.name)}
    return {"class_name": type(metric).__name__, "config": metric.get_config()}


def deserialize(description: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Metric:
    """Return the metric that `serialize` described; functions of one's own come in through `custom_objects`.

    >>> deserialize({"class_name": "BinaryAccuracy", "config": {"threshold": 0.25}}).threshold
    0.25
    """
    name, config = description.get("class_name"), dict(description.get("config") or {})
    if name == "MeanMetricWrapper":
        return MeanMetricWrapper(restored("metric", config, custom_objects), config["name"])
    known: dict[str, Any] = {"LossMetric": LossMetric, **BY_NAME, **(custom_objects or {})}
    if name not in known:
        raise unknown_name("metric", name, known, "model.compile(metrics=[{}])")
    made: Metric = known[name].from_config(config)
    return made
