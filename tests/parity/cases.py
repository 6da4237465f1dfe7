"""Random cases of training, as the text of a Keras script in which `k` is either library.

Nothing is run here. A case is a function of (seed, number) alone, so it can be drawn again by its number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Random = np.random.Generator

WIDTHS = (1, 2, 3, 5, 10, 16, 17, 33, 64)
ACTIVATIONS = (
    "linear", "relu", "leaky_relu", "relu6", "elu", "selu", "gelu", "silu", "swish", "mish", "sigmoid", "hard_sigmoid",
    "tanh", "softsign", "softplus", "exponential", "softmax", "log_softmax",
)  # fmt: skip
LAYERS = (
    "k.layers.ReLU()", "k.layers.ReLU(max_value=1.5)", "k.layers.ReLU(negative_slope=0.1, threshold=0.2)",
    "k.layers.LeakyReLU()", "k.layers.LeakyReLU(negative_slope=0.05)", "k.layers.ELU()", "k.layers.ELU(alpha=0.7)",
    "k.layers.Softmax()", "k.layers.BatchNormalization()", "k.layers.BatchNormalization(momentum=0.8, epsilon=0.01)",
    "k.layers.BatchNormalization(scale=False)", "k.layers.BatchNormalization(center=False)",
    "k.layers.BatchNormalization(trainable=False)", "k.layers.Dropout(0.0)", "k.layers.GaussianNoise(0.0)",
)  # fmt: skip
REGULARIZERS = ("k.regularizers.L1(0.01)", "k.regularizers.L2(0.02)", "k.regularizers.L1L2(0.005, 0.01)", '"l2"')

# (loss, the output's activation, what the targets are)
LOSSES = (
    ('"mse"', None, "real"), ('"mean_squared_error"', "tanh", "real"), ('"mae"', None, "real"),
    ('"mape"', None, "real"), ('"msle"', "softplus", "positive"), ('"msle"', None, "positive"),
    ("k.losses.Huber(delta=0.5)", None, "real"), ('"huber"', None, "real"), ('"log_cosh"', None, "real"),
    ('"cosine_similarity"', None, "real"),
    ('k.losses.MeanSquaredError(reduction="sum")', None, "real"), ('"poisson"', "softplus", "counts"),
    ('"poisson"', "exponential", "counts"), ('"binary_crossentropy"', "sigmoid", "binary"),
    ("k.losses.BinaryCrossentropy(label_smoothing=0.1)", "sigmoid", "binary"),
    ("k.losses.BinaryCrossentropy(from_logits=True)", None, "binary"),
    ("k.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.2)", None, "binary"),
    ('"hinge"', "tanh", "binary"), ('"hinge"', None, "signs"), ('"squared_hinge"', None, "binary"),
    ('"squared_hinge"', "tanh", "signs"), ('"categorical_crossentropy"', "softmax", "one_hot"),
    ("k.losses.CategoricalCrossentropy(label_smoothing=0.1)", "softmax", "one_hot"),
    ("k.losses.CategoricalCrossentropy(from_logits=True)", None, "one_hot"),
    ("k.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2)", None, "one_hot"),
    ('"sparse_categorical_crossentropy"', "softmax", "labels"),
    ("k.losses.SparseCategoricalCrossentropy(from_logits=True)", None, "labels"),
    ('"kl_divergence"', "softmax", "one_hot"), ('"kl_divergence"', "softmax", "shares"),
    ('"categorical_hinge"', None, "one_hot"), ('"categorical_hinge"', "softmax", "one_hot"),
)  # fmt: skip

SCHEDULES = (
    "k.optimizers.schedules.ExponentialDecay({rate}, 5, 0.8)",
    "k.optimizers.schedules.ExponentialDecay({rate}, 5, 0.8, staircase=True)",
    "k.optimizers.schedules.InverseTimeDecay({rate}, 4, 0.5)",
    "k.optimizers.schedules.PolynomialDecay({rate}, 7, end_learning_rate=0.0005, power=2.0)",
    "k.optimizers.schedules.PolynomialDecay({rate}, 4, end_learning_rate=0.0005, cycle=True)",
    "k.optimizers.schedules.PiecewiseConstantDecay([3, 8], [{rate}, 0.003, 0.001])",
    "k.optimizers.schedules.CosineDecay({rate}, 9, alpha=0.1)",
    "k.optimizers.schedules.CosineDecay(0.0, 9, warmup_target={rate}, warmup_steps=4)",
    "k.optimizers.schedules.CosineDecayRestarts({rate}, 3, t_mul=1.5, m_mul=0.8)",
)
# (optimizer, its own options, the learning rates drawn from)
OPTIMIZERS: tuple[tuple[str, tuple[str, ...], tuple[float, ...]], ...] = (
    ("SGD", ("", "momentum=0.9", "momentum=0.9, nesterov=True"), (0.01, 0.05)),
    ("RMSprop", ("", "momentum=0.5", "centered=True", "rho=0.8, momentum=0.3, centered=True"), (0.001, 0.005)),
    ("Adagrad", ("", "initial_accumulator_value=0.5, epsilon=1e-5"), (0.01, 0.05)),
    ("Adadelta", ("", "rho=0.9, epsilon=1e-5"), (0.1, 1.0)),
    ("Adam", ("", "amsgrad=True", "beta_1=0.8, beta_2=0.95, epsilon=1e-5"), (0.001, 0.01)),
    ("AdamW", ("", "amsgrad=True", "weight_decay=0.05"), (0.001, 0.01)),
    ("Adamax", ("", "beta_1=0.8, beta_2=0.95"), (0.002, 0.01)),
    ("Nadam", ("", "beta_1=0.8, beta_2=0.95"), (0.001, 0.01)),
    ("Lion", ("", "beta_1=0.95, beta_2=0.98"), (0.0005, 0.002)),
)
# Under these an output's bias often has a gradient of exactly zero, whose sign, which Lion follows, is rounding.
CONSTANT_SLOPES = ("mae", "hinge", "categorical_hinge")
COMMON = ("clipnorm=0.1", "clipvalue=0.01", "global_clipnorm=0.1")

METRICS = {
    "real": ('"mse"', '"mae"', '"mape"', '"cosine_similarity"', "k.metrics.LogCoshError()",
             "k.metrics.RootMeanSquaredError()", "k.metrics.R2Score()", "k.metrics.MeanSquaredError()",
             "k.losses.mean_absolute_error"),
    "positive": ('"msle"', '"mae"', "k.metrics.MeanAbsolutePercentageError()", "k.metrics.R2Score()"),
    "counts": ('"poisson"', '"mse"', "k.metrics.RootMeanSquaredError()"),
    "binary": ('"accuracy"', '"acc"', '"binary_accuracy"', "k.metrics.BinaryAccuracy(threshold=0.3)", "k.metrics.AUC()",
               'k.metrics.AUC(num_thresholds=50, curve="PR")', "k.metrics.Precision()", "k.metrics.Recall()",
               "k.metrics.Precision(thresholds=0.4)", "k.metrics.TruePositives()", "k.metrics.FalsePositives()",
               "k.metrics.TrueNegatives()", "k.metrics.FalseNegatives()", '"mse"', '"binary_crossentropy"', '"hinge"',
               "k.metrics.SquaredHinge()"),
    "signs": ('"hinge"', '"squared_hinge"', '"mse"'),
    "one_hot": ('"accuracy"', '"categorical_accuracy"', "k.metrics.TopKCategoricalAccuracy(k=2)",
                "k.metrics.Precision()",
                "k.metrics.Recall(top_k=1)", "k.metrics.AUC()", '"categorical_crossentropy"', '"kl_divergence"',
                '"categorical_hinge"', 'k.metrics.F1Score(average="macro")',
                'k.metrics.FBetaScore(average="micro", beta=0.5)'),
    "shares": ('"kl_divergence"', '"mae"'),
    "labels": ('"accuracy"', '"sparse_categorical_accuracy"', "k.metrics.SparseTopKCategoricalAccuracy(k=2)",
               '"sparse_categorical_crossentropy"', '"sparse_top_k_categorical_accuracy"'),
}  # fmt: skip
# Counts of rows on one side of a threshold: a prediction at the threshold falls to either side by its rounding.
COUNTED = ("accuracy", "acc", "precision", "recall", "positives", "negatives", "auc", "top_k", "f1", "fbeta")
# Where Keras refuses y of shape (n,), or broadcasts it against (n, 1) to n x n numbers, which we never do.
TWO_DIMENSIONAL = ("Score", "inge", "cosine", "poisson", "LogCosh", "binary_crossentropy")
PROBABILITIES = ("AUC", "Precision", "Recall", "Positives", "Negatives", "Score(average", "crossentropy", "kl_div")


@dataclass(frozen=True)
class Case:
    """A model, how it is compiled, the data, and the arguments of `fit`, as text; `k` stands for the library."""

    number: int
    model: str
    compile: str
    data: tuple[str, int, int, int, int]  # kind of targets, rows, inputs, outputs, seed
    flat_targets: bool
    batch_size: int
    epochs: int
    fit: str

    def script(self) -> str:
        """Return the case as a script that runs where `data` can be imported from this file."""
        lines = [
            "import numpy as np, hillwalker as k  # or: import keras as k",
            "from cases import data",
            *self.preparation().splitlines(),
            *self.model.splitlines(),
            *self.compile.splitlines(),
            f"history = model.fit(x, y, epochs={self.epochs}, batch_size={self.batch_size}, shuffle=False{self.fit})",
        ]
        return "\n".join(lines)

    def preparation(self) -> str:
        """Return the lines that make x, y, weight and the validation data."""
        kind, rows, inputs, outputs, seed = self.data
        lines = [
            f"x, y, weight = data({kind!r}, {rows}, {inputs}, {outputs}, {seed})",
            f"x_validation, y_validation, weight_validation = data({kind!r}, 23, {inputs}, {outputs}, {seed + 1})",
        ]
        if self.flat_targets:
            lines.append("y, y_validation = y[:, 0], y_validation[:, 0]")
        return "\n".join(lines)


def data(kind: str, rows: int, inputs: int, outputs: int, seed: int) -> tuple[Array, Array, Array]:
    """Return x (rows, inputs), y of this kind, and weights (rows,), all float32, a function of the seed."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, inputs))
    weight = random.uniform(0.0, 2.0, size=rows) * (random.uniform(size=rows) > 0.1)
    shape = (rows, outputs)
    one_hot = np.eye(outputs)[random.integers(0, outputs, size=rows)]
    targets = {
        "real": lambda: random.normal(size=shape),
        "positive": lambda: random.uniform(0.1, 3.0, size=shape),
        "counts": lambda: random.poisson(1.5, size=shape),
        "binary": lambda: random.integers(0, 2, size=shape),
        "signs": lambda: 2 * random.integers(0, 2, size=shape) - 1,
        "one_hot": lambda: one_hot,
        "labels": lambda: one_hot.argmax(axis=1)[:, np.newaxis],
        "shares": lambda: random.dirichlet(np.ones(outputs), size=rows),
    }
    return x.astype(np.float32), np.asarray(targets[kind]()).astype(np.float32), weight.astype(np.float32)


def draw(seed: int, number: int, attempt: int = 0) -> Case:
    """Return case `number` of this seed; a later attempt is another case, for one that cannot be compared."""
    random = np.random.default_rng([seed, number, attempt])
    loss, output_activation, kind = _one_of(random, LOSSES)
    # The cosine of one number is 1 or -1: its gradient is nothing but rounding.
    several = kind in ("one_hot", "labels", "shares") or loss == '"cosine_similarity"'
    outputs = int(random.choice([2, 3, 10, 17])) if several else int(random.choice([1, 1, 1, 3, 17]))
    inputs = int(random.choice([1, 3, 8, 20]))
    rows = int(random.integers(30, 101))
    batch_size = int(random.choice([1, 7, 16, 32, 32, 64, 128], p=[0.04, 0.16, 0.2, 0.2, 0.2, 0.1, 0.1]))
    if batch_size == 1:
        rows = 12
    epochs = 0 if random.uniform() < 0.05 else 3
    stack = _stack(random, inputs, outputs, output_activation, trains=epochs > 0)
    model = "model = k.Sequential([\n    " + ",\n    ".join(stack) + ",\n])"
    fit, class_weights = _fit_arguments(random, kind, outputs)
    metrics = _metrics(random, kind, output_activation, outputs)
    weighted = _metrics(random, kind, output_activation, outputs) if random.uniform() < 0.3 else []
    drawn = {metric.split("(")[0] for metric in metrics if "(" in metric}  # of a class only once: Keras numbers objects
    weighted = [metric for metric in weighted if metric not in metrics and metric.split("(")[0] not in drawn]
    arguments = f"optimizer=optimizer, loss={loss}, metrics=[{', '.join(metrics)}]"
    arguments += f", weighted_metrics=[{', '.join(weighted)}]" if weighted else ""
    optimizer = _optimizer(random)
    while "Lion" in optimizer and loss.strip('"') in CONSTANT_SLOPES:
        optimizer = _optimizer(random)
    compiled = f"optimizer = {optimizer}\n"
    if "weight_decay" in compiled and random.uniform() < 0.3:
        compiled += 'optimizer.exclude_from_weight_decay(var_names=["bias"])\n'
    compiled += f"model.compile({arguments})"
    flat = (outputs == 1 or kind == "labels") and random.uniform() < 0.5
    flat = flat and not any(word in metric for word in TWO_DIMENSIONAL for metric in [*metrics, *weighted])
    shapes = (kind, rows, inputs, outputs, int(random.integers(0, 2**31)))
    return Case(number, model, compiled, shapes, flat, batch_size, epochs, fit + class_weights)


def _one_of(random: Random, choices: Any) -> Any:
    return choices[random.integers(len(choices))]


def _stack(random: Random, inputs: int, outputs: int, output_activation: str | None, trains: bool) -> list[str]:
    stack = [f"k.layers.Input(({inputs},))"]
    for _ in range(random.integers(0, 4)):
        stack.append(_dense(random, int(_one_of(random, WIDTHS)), str(_one_of(random, ACTIVATIONS))))
        if random.uniform() < 0.2:
            stack[-1] = stack[-1].removesuffix(")") + ", trainable=False)"
        if random.uniform() < 0.5:
            stack.append(str(_one_of(random, LAYERS)))
        if random.uniform() < 0.15:
            stack.append(f'k.layers.Activation("{_one_of(random, ACTIVATIONS)}")')
        if not trains:
            stack.append(str(_one_of(random, ("k.layers.Dropout(0.4)", "k.layers.GaussianNoise(0.3)"))))
    if output_activation is not None and random.uniform() < 0.3:
        return [*stack, _dense(random, outputs, "linear"), f'k.layers.Activation("{output_activation}")']
    return [*stack, _dense(random, outputs, output_activation or "linear")]


def _dense(random: Random, units: int, activation: str) -> str:
    arguments = [str(units)]
    if activation != "linear" or random.uniform() < 0.2:
        arguments.append(f'activation="{activation}"')
    if random.uniform() < 0.2:
        arguments.append("use_bias=False")
    elif random.uniform() < 0.15:
        arguments.append(f"bias_regularizer={_one_of(random, REGULARIZERS)}")
    if random.uniform() < 0.25:
        arguments.append(f"kernel_regularizer={_one_of(random, REGULARIZERS)}")
    return f"k.layers.Dense({', '.join(arguments)})"


def _optimizer(random: Random) -> str:
    name, options, rates = _one_of(random, OPTIMIZERS)
    rate = str(_one_of(random, rates))
    if random.uniform() < 0.25:
        rate = _one_of(random, SCHEDULES).format(rate=rate)
    arguments = [rate]
    option = str(_one_of(random, options))
    if option:
        arguments.append(option)
    if random.uniform() < 0.3:
        arguments.append(str(_one_of(random, COMMON)))
    if name != "AdamW" and random.uniform() < 0.2:
        arguments.append("weight_decay=0.02")
    return f"k.optimizers.{name}({', '.join(arguments)})"


def _metrics(random: Random, kind: str, output_activation: str | None, outputs: int) -> list[str]:
    offered = [
        metric
        for metric in METRICS[kind]
        if (output_activation in ("sigmoid", "softmax") or not any(word in metric for word in PROBABILITIES))
        and not ("top_k_c" in metric and outputs < 5)  # the name means the best five, of which torch must find five
    ]
    chosen = random.permutation(len(offered))[: random.integers(0, 4)]
    return [offered[number] for number in chosen]


def _fit_arguments(random: Random, kind: str, outputs: int) -> tuple[str, str]:
    """Return the arguments of validation and those of weights, each with its leading comma."""
    validation = str(
        _one_of(
            random,
            (
                "",
                ", validation_split=0.2",
                ", validation_data=(x_validation, y_validation)",
                ", validation_data=(x_validation, y_validation, weight_validation)",
                ", validation_data=(x_validation, y_validation), validation_batch_size=10, validation_freq=2",
            ),
        )
    )
    drawn = random.uniform()
    if drawn < 0.25:
        return validation, ", sample_weight=weight"
    classes = {"binary": 2 if outputs == 1 else 0, "one_hot": outputs, "labels": outputs}.get(kind, 0)
    if drawn < 0.5 and classes:
        weights = {number: round(float(random.uniform(0.2, 3.0)), 2) for number in range(classes)}
        return validation, f", class_weight={weights}"
    return validation, ""
