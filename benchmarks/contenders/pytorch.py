"""PyTorch: the ordinary loop on data that lie ready, with its fastest optimizer, and a whole step compiled."""

from __future__ import annotations

from typing import Any, ClassVar

from tasks import BETA_1, BETA_2, DECAY, EPSILON, MOMENTUM, RHO, Array, Task

from contenders import functional
from contenders.base import Contender


class Torch(Contender):
    """The step is written with functions, a few per cent faster than modules."""

    label, packages = "PyTorch, eager", ("torch",)
    fused: ClassVar[bool] = False

    def __init__(self, task: Task, threads: int) -> None:
        super().__init__(task, threads)
        import torch

        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        self.torch = torch
        self.activation = getattr(torch.nn.functional, task.activation)
        self.rows = torch.from_numpy(self.x), torch.from_numpy(self.y)
        weights = [torch.tensor(weight.T if weight.ndim == 2 else weight) for weight in task.weights()]
        self.parameters = [weight.contiguous().requires_grad_() for weight in weights]
        self.optimizer = self._optimizer()
        self.count = 0

    def _optimizer(self) -> Any:
        rules, task = self.torch.optim, self.task
        make, settings = {
            "adam": (rules.Adam, {"betas": (BETA_1, BETA_2), "eps": EPSILON}),
            "adamw": (rules.AdamW, {"betas": (BETA_1, BETA_2), "eps": EPSILON, "weight_decay": DECAY}),
            "sgd": (rules.SGD, {}),
            "momentum": (rules.SGD, {"momentum": MOMENTUM}),
            "rmsprop": (rules.RMSprop, {"alpha": RHO, "eps": EPSILON}),
        }[task.optimizer]
        if self.fused:
            # RMSprop has no fused kernel; its next best is one call for all weights together.
            settings |= {"foreach": True} if task.optimizer == "rmsprop" else {"fused": True}
        return make(self.parameters, task.learning_rate, **settings)

    def outputs(self, x: Any) -> Any:
        linear, parameters = self.torch.nn.functional.linear, self.parameters
        for kernel, bias in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
            x = self.activation(linear(x, kernel, bias))
        return linear(x, parameters[-2], parameters[-1])

    def loss_of(self, outputs: Any, y: Any) -> Any:
        functions = self.torch.nn.functional
        if self.task.output == "linear":
            return functions.mse_loss(outputs, y)
        if self.task.output == "softmax":
            return functions.cross_entropy(outputs, y)
        return functions.binary_cross_entropy_with_logits(outputs, y)

    def train_epoch(self, order: Array | None) -> None:
        # The rows are gathered once an epoch, so that a batch is a view: faster than a DataLoader by far.
        rows = self.rows
        if order is not None:
            indices = self.torch.from_numpy(order)
            rows = tuple(array.index_select(0, indices) for array in rows)
        batches = [self.torch.split(array, self.task.batch_size) for array in rows]
        for x, y in zip(*batches, strict=True):
            if order is None and self.task.optimizer.startswith("adam"):
                self._place_epsilon()
            self.step(x, y)

    def _place_epsilon(self) -> None:
        """Make Adam's next step Keras's: PyTorch adds epsilon to the corrected root, where it weighs less at first.

        Only for the rows as they lie, where losses are compared: it takes a microsecond, and changes none of the work.
        """
        self.count += 1
        self.optimizer.param_groups[0]["eps"] = EPSILON / (1 - BETA_2**self.count) ** 0.5

    def step(self, x: Any, y: Any) -> None:
        self.optimizer.zero_grad()
        self.loss_of(self.outputs(x), y).backward()
        self.optimizer.step()

    def predict(self) -> Array:
        with self.torch.no_grad():
            outputs = self.outputs(self.rows[0])
            if self.task.output != "linear":
                outputs = outputs.softmax(1) if self.task.output == "softmax" else outputs.sigmoid()
        result: Array = outputs.numpy()
        return result


class TorchFused(Torch):
    """PyTorch with the update as one kernel."""

    label = "PyTorch, fused"
    fused = True


class TorchCompiled(Torch):
    """Forward pass, gradients and update as one graph for `torch.compile`, which calls a C++ compiler.

    Compiling the loss alone and keeping the fused optimizer takes four times as long on small networks.
    """

    label = "PyTorch, compiled"

    def __init__(self, task: Task, threads: int) -> None:
        super().__init__(task, threads)
        torch = self.torch
        torch.compiler.reset()
        self.parameters = [torch.tensor(weight) for weight in task.weights()]  # kernels (I, O), as everywhere here
        slots = [list(map(torch.zeros_like, self.parameters)) for _ in range(functional.SLOTS[task.optimizer])]
        self.state: Any = self.parameters, slots, torch.zeros((), dtype=self.parameters[0].dtype)

        def loss(parameters: Any, x: Any, y: Any) -> Any:
            return self.loss_of(functional.outputs(parameters, x, self.activation), y)

        def step(parameters: Any, slots: Any, count: Any, x: Any, y: Any) -> Any:
            gradients = torch.func.grad(loss)(parameters, x, y)
            count = count + 1
            return *functional.updated(task, parameters, slots, gradients, count, torch), count

        self.compiled = torch.compile(step, fullgraph=True, dynamic=False, options={"cpp_wrapper": True})

    def train_epoch(self, order: Array | None) -> None:
        with self.torch.no_grad():
            super().train_epoch(order)
        self.parameters = self.state[0]

    def step(self, x: Any, y: Any) -> None:
        self.state = self.compiled(*self.state, x, y)

    def outputs(self, x: Any) -> Any:
        return functional.outputs(self.parameters, x, self.activation)
