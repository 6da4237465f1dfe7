"""Who trains: hillwalker and its peers, each the way it trains fastest, behind one interface.

A contender is made in a process of its own and imports its library there. Each begins at the same weights, uses Adam
with Keras's numbers on the mean squared error, and shuffles the rows in every epoch, so that all do the same steps but
for the order of the rows. None of them measures anything beyond the time of an epoch.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
LEARNING_RATE, BETA_1, BETA_2, EPSILON = 0.001, 0.9, 0.999, 1e-7


@dataclass(frozen=True)
class Task:
    """A network of relu layers with a linear output, its batch size, and how many rows it learns from."""

    widths: tuple[int, ...]
    batch_size: int
    rows: int

    @property
    def steps(self) -> int:
        """The number of steps in one epoch; the rows are a multiple of the batch size, so all steps are alike."""
        return self.rows // self.batch_size

    def __str__(self) -> str:
        return f"{'-'.join(map(str, self.widths))}, batch {self.batch_size}, {self.rows:,} rows"

    def data(self) -> tuple[Array, Array]:
        """Return X (rows, I) and y (rows, O): a smooth function of X with some noise."""
        random = np.random.default_rng(0)
        x = random.standard_normal((self.rows, self.widths[0]), dtype=np.float32)
        directions = random.standard_normal((self.widths[0], self.widths[-1]), dtype=np.float32)
        signal = np.sin(2 * x @ directions / np.sqrt(np.float32(self.widths[0])))
        return x, signal + np.float32(0.3) * random.standard_normal(signal.shape, dtype=np.float32)

    def weights(self) -> list[Array]:
        """Return kernel (I, O) and bias (O,) of each layer: Glorot's uniform distribution, and zero."""
        random = np.random.default_rng(1)
        weights: list[Array] = []
        for inputs, outputs in zip(self.widths, self.widths[1:], strict=False):
            limit = np.sqrt(6 / (inputs + outputs))
            weights.append(random.uniform(-limit, limit, (inputs, outputs)).astype(np.float32))
            weights.append(np.zeros(outputs, np.float32))
        return weights


class Contender:
    """Trains one task. `packages` are what it needs installed, the first being the one whose version counts."""

    label: ClassVar[str]
    packages: ClassVar[tuple[str, ...]]

    def __init__(self, task: Task) -> None:
        self.task = task
        self.x, self.y = task.data()

    def train(self, epochs: int) -> list[float]:
        """Train for some epochs more and return the seconds of each."""
        seconds = []
        for _ in range(epochs):
            began = time.perf_counter()
            self.train_epoch()
            seconds.append(time.perf_counter() - began)
        return seconds

    def train_epoch(self) -> None:
        raise NotImplementedError

    def predict(self) -> Array:
        """Return the outputs (rows, O) for the rows trained on."""
        raise NotImplementedError

    def loss(self) -> float:
        """Return the mean squared error on the rows trained on, computed here, in one way for all."""
        errors = self.predict().reshape(self.y.shape).astype(np.float64) - self.y
        return float(np.mean(errors**2))


class _KerasScript(Contender):
    """The ordinary Keras script, which hillwalker and Keras run alike; an epoch lasts from the end of the last one."""

    def build(self, keras: Any, **settings: Any) -> None:
        """Build and compile the model from the parts of a library that has Keras's names."""
        task = self.task
        hidden = [keras.layers.Dense(width, activation="relu") for width in task.widths[1:-1]]
        layers = [keras.layers.Input((task.widths[0],)), *hidden, keras.layers.Dense(task.widths[-1])]
        self.model = keras.Sequential(layers)
        self.model.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE), loss="mse", **settings)
        self.model.set_weights(task.weights())

        class Clock(keras.callbacks.Callback):  # type: ignore[misc]
            """Notes the time when training begins and whenever an epoch has ended."""

            def on_train_begin(self, logs: Any = None) -> None:
                self.times = [time.perf_counter()]

            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                self.times.append(time.perf_counter())

        self.clock = Clock()

    def train(self, epochs: int) -> list[float]:
        settings = {"epochs": epochs, "batch_size": self.task.batch_size, "verbose": 0, "callbacks": [self.clock]}
        self.model.fit(self.x, self.y, **settings)
        return np.diff(self.clock.times).tolist()

    def predict(self) -> Array:
        outputs: Array = np.asarray(self.model.predict(self.x, verbose=0))
        return outputs


class Hillwalker(_KerasScript):
    """This package."""

    label = "hillwalker"
    packages = ("hillwalker",)

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        import hillwalker

        self.build(hillwalker)


class _Keras(_KerasScript):
    backend: ClassVar[str]
    settings: ClassVar[dict[str, Any]] = {}

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        os.environ["KERAS_BACKEND"] = self.backend
        if self.backend == "torch":
            import torch

            torch.set_num_threads(1)
        import keras  # type: ignore[import-untyped]

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


class ScikitLearn(Contender):
    """The one peer with its own NumPy training loop."""

    label = "scikit-learn, MLPRegressor"
    packages = ("scikit-learn",)

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        from sklearn.neural_network import MLPRegressor

        self.model = MLPRegressor(
            hidden_layer_sizes=task.widths[1:-1],
            solver="adam",
            alpha=0.0,
            batch_size=task.batch_size,
            learning_rate_init=LEARNING_RATE,
            beta_1=BETA_1,
            beta_2=BETA_2,
            epsilon=EPSILON * task.widths[-1] / 2,  # its loss is half the sum over the outputs, ours their mean
            random_state=np.random.RandomState(0),  # a number would give every partial_fit the same order of rows
        )
        self.target = self.y[:, 0] if task.widths[-1] == 1 else self.y
        self.train_epoch()  # makes the arrays; now they get everybody's starting weights, and Adam begins anew
        weights = task.weights()
        for array, weight in zip(self.model.coefs_ + self.model.intercepts_, weights[::2] + weights[1::2], strict=True):
            array[...] = weight
        del self.model._optimizer

    def train_epoch(self) -> None:
        self.model.partial_fit(self.x, self.target)

    def predict(self) -> Array:
        outputs: Array = self.model.predict(self.x)
        return outputs


class Torch(Contender):
    """The ordinary loop of PyTorch, with data that lie ready."""

    label, packages = "PyTorch, eager", ("torch",)
    fused: ClassVar[bool] = False

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        import torch

        torch.set_num_threads(1)
        torch.manual_seed(0)
        self.torch = torch
        layers: list[Any] = []
        for inputs, outputs in zip(task.widths, task.widths[1:], strict=False):
            layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
        self.model = torch.nn.Sequential(*layers[:-1])
        with torch.no_grad():
            for parameter, weight in zip(self.model.parameters(), task.weights(), strict=True):
                parameter.copy_(torch.from_numpy(weight.T))
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), LEARNING_RATE, betas=(BETA_1, BETA_2), eps=EPSILON, fused=self.fused or None
        )
        self.rows = torch.from_numpy(self.x), torch.from_numpy(self.y)

    def train_epoch(self) -> None:
        # The rows are gathered once an epoch, so that a batch is a view: faster than a DataLoader by far.
        order = self.torch.randperm(self.task.rows)
        batches = [self.torch.split(array[order], self.task.batch_size) for array in self.rows]
        mse_loss = self.torch.nn.functional.mse_loss
        for x, y in zip(*batches, strict=True):
            self.optimizer.zero_grad()
            loss: Any = mse_loss(self.model(x), y)
            loss.backward()
            self.optimizer.step()

    def predict(self) -> Array:
        with self.torch.no_grad():
            outputs: Array = self.model(self.rows[0]).numpy()
        return outputs


class TorchFused(Torch):
    """PyTorch with Adam's update as one kernel."""

    label = "PyTorch, fused Adam"
    fused = True


class JAXScan(Contender):
    """The fastest that JAX can do: Python runs once an epoch."""

    label, packages = "JAX, a whole epoch in one jitted scan", ("jax",)

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        import jax

        self.jax, self.random = jax, np.random.default_rng(0)
        self.rows = jax.numpy.asarray(self.x), jax.numpy.asarray(self.y)
        parameters = [jax.numpy.asarray(weight) for weight in task.weights()]
        zeros = [jax.numpy.zeros_like(weight) for weight in parameters]
        self.state = parameters, zeros, [zero.copy() for zero in zeros], jax.numpy.zeros((), jax.numpy.float32)
        self.epoch: Callable[..., Any] = jax.jit(self._epoch, donate_argnums=0)

    def _outputs(self, parameters: list[Any], x: Any) -> Any:
        for kernel, bias in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
            x = self.jax.nn.relu(x @ kernel + bias)
        return x @ parameters[-2] + parameters[-1]

    def _epoch(self, state: Any, rows: Any, order: Any) -> Any:
        jax, jnp = self.jax, self.jax.numpy

        def loss(parameters: list[Any], x: Any, y: Any) -> Any:
            return jnp.mean((self._outputs(parameters, x) - y) ** 2)

        def step(state: Any, batch: Any) -> Any:
            parameters, momenta, velocities, count = state
            gradients = jax.grad(loss)(parameters, *batch)
            count = count + 1
            rate = LEARNING_RATE * jnp.sqrt(1 - BETA_2**count) / (1 - BETA_1**count)
            momenta = [BETA_1 * m + (1 - BETA_1) * g for m, g in zip(momenta, gradients, strict=True)]
            velocities = [BETA_2 * v + (1 - BETA_2) * g * g for v, g in zip(velocities, gradients, strict=True)]
            moved = [
                w - rate * m / (jnp.sqrt(v) + EPSILON) for w, m, v in zip(parameters, momenta, velocities, strict=True)
            ]
            return (moved, momenta, velocities, count), None

        batches = [array[order].reshape(self.task.steps, self.task.batch_size, -1) for array in rows]
        return jax.lax.scan(step, state, batches, unroll=4)[0]  # 1, 2 and 8 are slower on small networks

    def train_epoch(self) -> None:
        # NumPy's shuffle: XLA's own sorts, which takes ten times as long.
        order = self.random.permutation(self.task.rows).astype(np.int32)
        self.state = self.epoch(self.state, self.rows, order)
        self.state[0][0].block_until_ready()

    def predict(self) -> Array:
        outputs: Array = np.asarray(self._outputs(self.state[0], self.rows[0]))
        return outputs


CONTENDERS: dict[str, type[Contender]] = {
    contender.label: contender
    for contender in (
        Hillwalker, ScikitLearn, JAXScan, TorchFused, Torch,
        KerasJAX, KerasJAXTogether, KerasTensorFlow, KerasTensorFlowTogether, KerasTorch,
    )
}  # fmt: skip
