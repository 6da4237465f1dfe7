"""Random cases in plain PyTorch, where its formulas are the same; run.py says how many.

Mind where epsilon stands: PyTorch's Adam adds it to the corrected root, so here it is corrected in each step; its
RMSprop and Adagrad add it outside of the root, so it is made too small to matter.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from cases import Array, Random, data
from judge import ROUNDING, Numbers, disagreements, nearly, numbers, spread
from torch import Tensor, nn
from torch.nn import functional

import hillwalker as hw

torch.set_num_threads(1)


def exact_hard_sigmoid(z: Tensor) -> Tensor:
    """Return relu6(z + 3) / 6; PyTorch's own multiplies by a float32 sixth in float64 too."""
    return functional.relu6(z + 3.0) / 6.0


def exact_softplus(z: Tensor) -> Tensor:
    """Return ln(1 + e^z); PyTorch's own is z from 20 on, 2e-9 too small."""
    return torch.logaddexp(z, torch.zeros_like(z))


def clipped(p: Tensor) -> Tensor:
    """Return probabilities as Keras takes their logarithm."""
    return p.clamp(1e-7, 1.0 - 1e-7)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda z: z, "relu": functional.relu, "leaky_relu": lambda z: functional.leaky_relu(z, 0.2),
    "relu6": functional.relu6, "elu": functional.elu, "selu": functional.selu, "gelu": functional.gelu,
    "silu": functional.silu, "mish": functional.mish, "sigmoid": torch.sigmoid, "hard_sigmoid": exact_hard_sigmoid,
    "tanh": torch.tanh, "softsign": functional.softsign, "softplus": exact_softplus, "exponential": torch.exp,
    "softmax": lambda z: functional.softmax(z, dim=-1), "log_softmax": lambda z: functional.log_softmax(z, dim=-1),
}  # fmt: skip

# ours, the output's activation, the targets, PyTorch's loss of each number or row
LOSSES: tuple[tuple[str, str, str, Callable[[Tensor, Tensor], Tensor]], ...] = (
    ('"mse"', "linear", "real", lambda p, y: functional.mse_loss(p, y, reduction="none")),
    ('"mae"', "linear", "real", lambda p, y: functional.l1_loss(p, y, reduction="none")),
    ("hw.losses.Huber(0.5)", "linear", "real", lambda p, y: functional.huber_loss(p, y, reduction="none", delta=0.5)),
    ('"poisson"', "softplus", "counts",
     lambda p, y: functional.poisson_nll_loss(p, y, log_input=False, eps=1e-7, reduction="none")),
    ('"binary_crossentropy"', "sigmoid", "binary",
     lambda p, y: functional.binary_cross_entropy(clipped(p), y, reduction="none")),
    ("hw.losses.BinaryCrossentropy(from_logits=True)", "linear", "binary",
     lambda p, y: functional.binary_cross_entropy_with_logits(p, y, reduction="none")),
    ("hw.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)", "linear", "one_hot",
     lambda p, y: functional.cross_entropy(p, y, reduction="none", label_smoothing=0.1)),
    ("hw.losses.SparseCategoricalCrossentropy(from_logits=True)", "linear", "labels",
     lambda p, y: functional.cross_entropy(p, y[:, 0].long(), reduction="none")),
    ('"sparse_categorical_crossentropy"', "softmax", "labels",
     lambda p, y: functional.nll_loss(torch.log(clipped(p)), y[:, 0].long(), reduction="none")),
)  # fmt: skip

TINY = 1e-30
# ours, PyTorch's: the latter's weight_decay of SGD is an L2 penalty, so it is only used where it is decoupled
OPTIMIZERS: tuple[tuple[str, Callable[[Any], torch.optim.Optimizer]], ...] = (
    ("hw.optimizers.SGD(0.05)", lambda w: torch.optim.SGD(w, 0.05)),
    ("hw.optimizers.SGD(0.02, momentum=0.9)", lambda w: torch.optim.SGD(w, 0.02, momentum=0.9)),
    ("hw.optimizers.SGD(0.02, momentum=0.9, nesterov=True)",
     lambda w: torch.optim.SGD(w, 0.02, momentum=0.9, nesterov=True)),
    ("hw.optimizers.Adam(0.01)", lambda w: torch.optim.Adam(w, 0.01, eps=1e-7)),
    ("hw.optimizers.AdamW(0.01, weight_decay=0.05)", lambda w: torch.optim.AdamW(w, 0.01, eps=1e-7, weight_decay=0.05)),
    ("hw.optimizers.Adamax(0.01, epsilon=1e-30)", lambda w: torch.optim.Adamax(w, 0.01, eps=TINY)),
    ("hw.optimizers.RMSprop(0.005, epsilon=1e-30)", lambda w: torch.optim.RMSprop(w, 0.005, 0.9, TINY)),
    ("hw.optimizers.RMSprop(0.005, momentum=0.5, epsilon=1e-30)",
     lambda w: torch.optim.RMSprop(w, 0.005, 0.9, TINY, momentum=0.5)),
    ("hw.optimizers.Adagrad(0.05, epsilon=1e-30)",
     lambda w: torch.optim.Adagrad(w, 0.05, initial_accumulator_value=0.1, eps=TINY)),
    ("hw.optimizers.Adadelta(1.0)", lambda w: torch.optim.Adadelta(w, 1.0, rho=0.95, eps=1e-7)),
)  # fmt: skip


def check(seed: int, number: int) -> tuple[list[str], str]:
    """Return what disagrees in a case (nothing, it is hoped), and its script."""
    random = np.random.default_rng([seed, number])
    ours, output_activation, kind, loss = LOSSES[random.integers(len(LOSSES))]
    our_optimizer, optimizer = OPTIMIZERS[random.integers(len(OPTIMIZERS))]
    inputs, outputs = (
        int(random.choice([1, 3, 20])),
        int(random.choice([3, 10] if kind in ("one_hot", "labels") else [1, 3])),
    )
    names = [*random.choice(list(ACTIVATIONS), size=random.integers(0, 4)), output_activation]
    widths = [inputs, *(int(width) for width in random.choice([1, 3, 17, 64], size=len(names) - 1)), outputs]
    batch_size, data_seed = int(random.choice([7, 32, 128])), int(random.integers(2**31))
    x, y, weight = data(kind, 75, inputs, outputs, data_seed)
    weighted = bool(random.integers(2))
    weights = _starting_weights(random, widths)
    layers = ", ".join(f'hw.layers.Dense({width}, "{name}")' for width, name in zip(widths[1:], names, strict=True))
    model = f"model = hw.Sequential([hw.layers.Input(({inputs},)), {layers}])\nmodel.compile({our_optimizer}, {ours})"
    call = f"model.fit(x, y, epochs=3, batch_size={batch_size}, shuffle=False"
    call += ", sample_weight=weight)" if weighted else ")"
    script = "import hillwalker as hw\nfrom cases import data\n"
    script += f"x, y, weight = data({kind!r}, 75, {inputs}, {outputs}, {data_seed})"

    def mine(start: list[Array], floatx: str) -> Numbers:
        hw.config.set_floatx(floatx)
        names: dict[str, Any] = {"hw": hw, "x": x, "y": y, "weight": weight}
        exec(model, names)
        names["model"].set_weights([part.astype(floatx) for part in start])
        history = eval(call.replace("shuffle", "verbose=0, shuffle"), names).history
        return numbers(history, {}, names["model"].predict(x, verbose=0), names["model"].get_weights())

    def theirs(start: list[Array], floatx: str) -> Numbers:
        arrays = [torch.tensor(array.astype(floatx)) for array in (x, y, weight)]
        return train(start, names, loss, optimizer, arrays, batch_size, weighted)

    truth = theirs(weights, "float64")
    samples = [theirs(nearly(weights, ROUNDING["float32"], number), "float32") for number in range(3)]
    found: list[str] = []
    for floatx in ("float64", "float32"):
        near = [mine(nearly(weights, ROUNDING[floatx], number), "float64") for number in range(4)]
        rounding = spread(mine(weights, "float64"), near)
        if floatx == "float32":
            own = spread(truth, samples)
            rounding = {name: max(value, rounding[name]) for name, value in own.items()}
        found += disagreements(mine(weights, floatx), truth, rounding, floatx, len(x))
    return found, f"{script}\n{model}\n{call}"


def _starting_weights(random: Random, widths: list[int]) -> list[Array]:
    weights: list[Array] = []
    for inputs, units in pairwise(widths):
        limit = np.sqrt(6.0 / (inputs + units))
        weights += [random.uniform(-limit, limit, size=(inputs, units)), random.uniform(-0.2, 0.2, size=units)]
    return [weight.astype(np.float32) for weight in weights]


def train(
    weights: list[Array],
    names: list[str],
    loss: Callable[[Tensor, Tensor], Tensor],
    optimizer: Callable[[Any], torch.optim.Optimizer],
    arrays: list[Tensor],
    batch_size: int,
    weighted: bool,
    epochs: int = 3,
) -> Numbers:
    """Return what PyTorch's training came to."""
    x, y, weight = arrays
    layers = []
    for kernel, bias in zip(weights[::2], weights[1::2], strict=True):
        layer = nn.Linear(*kernel.shape, dtype=x.dtype)
        with torch.no_grad():
            layer.weight.copy_(torch.tensor(kernel.T))
            layer.bias.copy_(torch.tensor(bias))
        layers.append(layer)

    def forward(a: Tensor) -> Tensor:
        for layer, name in zip(layers, names, strict=True):
            a = ACTIVATIONS[name](layer(a))
        return a

    chosen = optimizer([parameter for layer in layers for parameter in layer.parameters()])
    losses, step = [], 0
    for _ in range(epochs):
        total = 0.0
        for start in range(0, len(x), batch_size):
            part = slice(start, start + batch_size)
            values = loss(forward(x[part]), y[part])
            values = values.mean(dim=-1) if values.ndim == 2 else values
            value = (values * weight[part]).mean() if weighted else values.mean()
            chosen.zero_grad()
            value.backward()
            step += 1
            if isinstance(chosen, torch.optim.Adam):  # AdamW, too
                chosen.param_groups[0]["eps"] = 1e-7 / np.sqrt(1.0 - 0.999**step)
            chosen.step()
            total += value.item() * len(x[part])
        losses.append(total / len(x))
    with torch.no_grad():
        predicted = forward(x).numpy()
    final = [array for layer in layers for array in (layer.weight.detach().numpy().T, layer.bias.detach().numpy())]
    return numbers({"loss": losses}, {}, predicted, final)
