"""scikit-learn's MLPRegressor and MLPClassifier: the peer with a NumPy training loop of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from tasks import BETA_1, BETA_2, EPSILON, MOMENTUM, Array, Task

from contenders.base import CannotRun, Contender

ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "sigmoid": "logistic"}
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "adam": {"solver": "adam", "beta_1": BETA_1, "beta_2": BETA_2},
    "sgd": {"solver": "sgd", "momentum": 0.0, "nesterovs_momentum": False},
    "momentum": {"solver": "sgd", "momentum": MOMENTUM, "nesterovs_momentum": False},
}


class ScikitLearn(Contender):
    """An epoch is a `partial_fit`."""

    label = "scikit-learn"
    packages = ("scikit-learn",)

    def __init__(self, task: Task, threads: int) -> None:
        super().__init__(task, threads)
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        if task.activation not in ACTIVATIONS or task.optimizer not in OPTIMIZERS:
            raise CannotRun(f"it has no {task.activation if task.activation not in ACTIVATIONS else task.optimizer}")
        regression = task.output == "linear"
        # Its loss of a regression is half the sum over the outputs, ours their mean: so our gradients are times its.
        times = 2 / task.widths[-1] if regression else 1.0
        self.model = (MLPRegressor if regression else MLPClassifier)(
            hidden_layer_sizes=task.widths[1:-1],
            activation=ACTIVATIONS[task.activation],
            alpha=0.0,
            batch_size=task.batch_size,
            learning_rate_init=task.learning_rate * (1.0 if task.optimizer == "adam" else times),
            epsilon=EPSILON / times,
            random_state=np.random.RandomState(0),  # a number would give every partial_fit the same order of rows
            **OPTIMIZERS[task.optimizer],
        )
        self.target = self.y.ravel() if task.widths[-1] == 1 else self.y
        self.classes = {} if regression else {"classes": np.unique(self.y)}
        self.train(1)  # makes the arrays; now they get everybody's starting weights, and the optimizer begins anew
        weights = task.weights()
        for array, weight in zip(self.model.coefs_ + self.model.intercepts_, weights[::2] + weights[1::2], strict=True):
            array[...] = weight
        del self.model._optimizer

    def train(self, epochs: int, *, shuffle: bool = True) -> None:
        self.model.shuffle = shuffle and self.task.steps > 1
        for _ in range(epochs):
            self.model.partial_fit(self.x, self.target, **self.classes)

    def predict(self) -> Array:
        if self.task.output == "linear":
            outputs: Array = self.model.predict(self.x)
            return outputs
        probabilities: Array = self.model.predict_proba(self.x)
        return probabilities[:, 1:] if self.task.output == "sigmoid" else probabilities
