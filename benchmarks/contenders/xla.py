"""JAX at its fastest: Python runs once an epoch, the rest is one compiled scan over the batches."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import partial
from typing import Any, ClassVar

import numpy as np
from tasks import Array, Task

from contenders import functional
from contenders.base import CannotRun, Contender


class JAXScan(Contender):
    """Buffers are donated, rows gathered once an epoch. Which form of the scan is fastest depends on the network."""

    label, packages = "JAX, scan", ("jax",)
    # Steps unrolled, and whether weights and gradients are joined so that the update is one loop: each wins somewhere.
    # Slower: 1 and 8 steps; the loss as a function of the joined weights. No gain: wider vectors, oneDNN, XNNPACK.
    FORMS: ClassVar[tuple[tuple[int, bool], ...]] = ((4, False), (2, False), (2, True))

    def __init__(self, task: Task, threads: int) -> None:
        super().__init__(task, threads)  # XLA takes as many threads as there are cores to run on
        import jax

        jax.config.update("jax_platforms", "cpu")
        jax.config.update("jax_enable_x64", task.dtype == "float64")
        jax.clear_caches()
        self.jax = jax
        self.activation = getattr(jax.nn, task.activation)
        if task.activation == "gelu":
            self.activation = partial(jax.nn.gelu, approximate=False)
        target = np.eye(task.widths[-1], dtype=task.dtype)[self.y] if task.output == "softmax" else self.y
        self.rows = jax.numpy.asarray(self.x), jax.numpy.asarray(target)
        self.in_order = np.arange(task.rows, dtype=np.int32)
        self.ends = np.cumsum([weight.size for weight in task.weights()])[:-1]
        self.programs: dict[tuple[int, bool], Any] = {}
        self._begin(min(self.FORMS, key=self._seconds))

    def _begin(self, form: tuple[int, bool]) -> None:
        """Choose a form, compiled once, and go back to the starting weights."""
        jax, task = self.jax, self.task
        unroll, joined = form
        self.joined = joined
        weights = task.weights()
        if joined:
            weights = [np.concatenate([weight.ravel() for weight in weights])]
        parameters = [jax.numpy.array(weight) for weight in weights]
        slots = [[jax.numpy.zeros_like(weight) for weight in weights] for _ in range(functional.SLOTS[task.optimizer])]
        self.state: Any = parameters, slots, jax.numpy.zeros((), task.dtype)
        if form not in self.programs:
            self.programs[form] = jax.jit(partial(self._epoch, unroll), donate_argnums=0)
        self.epoch = self.programs[form]

    def _seconds(self, form: tuple[int, bool]) -> float:
        """Return what an epoch of this form takes."""
        self._begin(form)
        self.train(1)
        epochs: list[float] = []
        while len(epochs) < 2 or sum(epochs) < 0.1:
            began = time.perf_counter()
            self.train(1)
            epochs.append(time.perf_counter() - began)
        return min(epochs)

    def _parts(self, parameters: list[Any]) -> list[Any]:
        """Return kernels and biases, cut from one vector if they are joined."""
        if not self.joined:
            return parameters
        parts = self.jax.numpy.split(parameters[0], self.ends)
        return [part.reshape(weight.shape) for part, weight in zip(parts, self.task.weights(), strict=True)]

    def _loss(self, parameters: list[Any], x: Any, y: Any) -> Any:
        jax, outputs = self.jax, functional.outputs(parameters, x, self.activation)
        if self.task.output == "linear":
            return jax.numpy.mean((outputs - y) ** 2)
        if self.task.output == "softmax":
            return -jax.numpy.sum(jax.nn.log_softmax(outputs) * y) / self.task.batch_size
        return jax.numpy.mean(jax.nn.softplus(outputs) - y * outputs)

    def _epoch(self, unroll: int, state: Any, rows: Any, order: Any) -> Any:
        def step(state: Any, batch: Any) -> Any:
            parameters, slots, count = state
            gradients = self.jax.grad(self._loss)(self._parts(parameters), *batch)
            if self.joined:
                gradients = [self.jax.numpy.concatenate([gradient.ravel() for gradient in gradients])]
            count = count + 1
            return (*functional.updated(self.task, parameters, slots, gradients, count, self.jax.numpy), count), None

        if order is not None:
            rows = [array[order] for array in rows]
        batches = [array.reshape(self.task.steps, self.task.batch_size, -1) for array in rows]
        return self.jax.lax.scan(step, state, batches, unroll=unroll)[0]

    def train_epoch(self, order: Array | None) -> None:
        # NumPy's shuffle: XLA's own sorts, which takes ten times as long.
        if order is None and self.task.steps > 1:
            order = self.in_order  # the same program as for any order
        self.state = self.epoch(self.state, self.rows, None if order is None else order.astype(np.int32))
        self.state[0][0].block_until_ready()

    def predict(self) -> Array:
        outputs = functional.outputs(self._parts(self.state[0]), self.rows[0], self.activation)
        if self.task.output != "linear":
            outputs = (self.jax.nn.softmax if self.task.output == "softmax" else self.jax.nn.sigmoid)(outputs)
        return np.asarray(outputs)


class JAXScanWithoutThunks(JAXScan):
    """With the runtime that XLA had before its thunks, which compiled a whole program into one function."""

    label = "JAX, scan, without thunk runtime"
    FLAG: ClassVar[str] = "--xla_cpu_use_thunk_runtime=false"

    def __init__(self, task: Task, threads: int) -> None:
        if self.FLAG not in os.environ.get("XLA_FLAGS", ""):
            os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {self.FLAG}".strip()
            # XLA ends the whole process if it does not know a flag, and only warns if it has lost its meaning.
            script = "import jax; jax.jit(lambda x: x)(1.0)"
            tried = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
            if tried.returncode or "no longer supported" in tried.stderr:
                os.environ["XLA_FLAGS"] = os.environ["XLA_FLAGS"].replace(self.FLAG, "")
                raise CannotRun(f"this version of JAX has {self.FLAG} no more")
        super().__init__(task, threads)
