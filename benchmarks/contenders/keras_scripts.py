"""The ordinary Keras script, which hillwalker and Keras run alike."""

from __future__ import annotations

import os
from typing import Any, ClassVar

import numpy as np
from tasks import BETA_1, BETA_2, DECAY, EPSILON, MOMENTUM, RHO, Array, Task

from contenders.base import CannotRun, Contender


class _KerasScript(Contender):
    call_seconds = float("inf")  # one call a turn: `fit` has its price, and a turn is short

    def build(self, keras: Any, **settings: Any) -> None:
        """Build and compile the model from the parts of a library that has Keras's names."""
        task, layers, rules = self.task, keras.layers, keras.optimizers
        keras.config.set_floatx(task.dtype)
        hidden = [layers.Dense(width, activation=task.activation) for width in task.widths[1:-1]]
        last = layers.Dense(task.widths[-1], activation=task.output)
        self.model = keras.Sequential([layers.Input((task.widths[0],)), *hidden, last])
        moments = {"beta_1": BETA_1, "beta_2": BETA_2, "epsilon": EPSILON}
        optimizer = {
            "adam": lambda rate: rules.Adam(rate, **moments),
            "adamw": lambda rate: rules.AdamW(rate, weight_decay=DECAY, **moments),
            "sgd": lambda rate: rules.SGD(rate),
            "momentum": lambda rate: rules.SGD(rate, momentum=MOMENTUM),
            "rmsprop": lambda rate: rules.RMSprop(rate, rho=RHO, epsilon=EPSILON**2),
        }[task.optimizer](task.learning_rate)
        self.model.compile(optimizer=optimizer, loss=task.loss, **settings)
        self.model.set_weights(task.weights())

    def train(self, epochs: int, *, shuffle: bool = True) -> None:
        shuffle = shuffle and self.task.steps > 1
        self.model.fit(
            self.x, self.y, epochs=epochs, batch_size=self.task.batch_size, shuffle=shuffle, verbose=0
        )  # fmt: skip

    def predict(self) -> Array:
        outputs: Array = np.asarray(self.model.predict(self.x, verbose=0))
        return outputs


class Hillwalker(_KerasScript):
    """This package."""

    label = "hillwalker"
    packages = ("hillwalker",)
    call_seconds = 0.05

    def __init__(self, task: Task, threads: int) -> None:
        super().__init__(task, threads)  # HILLWALKER_THREADS says how many
        import hillwalker

        self.build(hillwalker)


class _Keras(_KerasScript):
    backend: ClassVar[str]
    settings: ClassVar[dict[str, Any]] = {}

    def __init__(self, task: Task, threads: int) -> None:
        super().__init__(task, threads)
        if task.dtype != "float32":
            raise CannotRun("Keras on JAX and PyTorch computes parts of float64 in float32")
        os.environ["KERAS_BACKEND"] = self.backend
        if self.backend == "torch":
            import torch

            torch.set_num_threads(threads)
            torch.set_flush_denormal(True)
        import keras  # type: ignore[import-untyped]

        keras.utils.clear_session()
        self.build(keras, **self.settings)


class KerasJAX(_Keras):
    """Keras as it comes."""

    label, packages, backend = "Keras, JAX", ("keras", "jax"), "jax"


class KerasJAXTogether(_Keras):
    """Keras, called back once in 32 steps."""

    label, packages, backend = "Keras, JAX, steps_per_execution=32", ("keras", "jax"), "jax"
    settings: ClassVar[dict[str, Any]] = {"steps_per_execution": 32}


class KerasTensorFlow(_Keras):
    """Keras as it comes."""

    label, packages, backend = "Keras, TensorFlow", ("keras", "tensorflow"), "tensorflow"


class KerasTensorFlowTogether(_Keras):
    """Keras, with 32 steps in one compiled call."""

    label, packages = "Keras, TensorFlow, steps_per_execution=32", ("keras", "tensorflow")
    backend = "tensorflow"
    settings: ClassVar[dict[str, Any]] = {"steps_per_execution": 32}


class KerasTorch(_Keras):
    """Keras as it comes; this backend allows no more."""

    label, packages, backend = "Keras, torch", ("keras", "torch"), "torch"
