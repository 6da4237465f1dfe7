"""Random networks traced here and differentiated by PyTorch's autograd, in float64: every number of both, compared.

    python tests/parity/traces.py --cases 300 --seed 0        depth 1 to 5, all activations, losses, sample weights

Every z, a, dL/da, dL/dz, dL/dW, dL/db and dL/dx is compared, relative to the largest of its kind: 1e-9, or ten times
what PyTorch's number differs from itself when its activations are computed another way, where that is more.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from typing import Any

os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import torch
from against_pytorch import ACTIVATIONS, clipped, exact_softplus
from torch import Tensor
from torch.nn import functional

import hillwalker as hw

TOLERANCE = 1e-9
# The same functions computed another way: where a unit is saturated, 1 - a² is what is left of nearly equal numbers.
OTHERWISE = {
    "tanh": lambda z: 2.0 * torch.sigmoid(2.0 * z) - 1.0,
    "sigmoid": lambda z: 1.0 / (1.0 + torch.exp(-z)),
    "softmax": lambda z: torch.exp(functional.log_softmax(z, dim=-1)),
}

Numbers = dict[str, np.ndarray[Any, Any]]
EPSILON = 1e-7


def _cosine(p: Tensor, y: Tensor) -> Tensor:
    return -(functional.normalize(p, dim=-1) * functional.normalize(y, dim=-1)).sum(-1)


def _smoothed(y: Tensor, by: float) -> Tensor:
    return y * (1.0 - by) + by / y.shape[-1]


def _likelihood(p: Tensor, y: Tensor) -> Tensor:
    return -(y * torch.log(clipped(p)) + (1.0 - y) * torch.log(1.0 - clipped(p)))


def _shares(p: Tensor) -> Tensor:
    return torch.log(clipped(p / p.sum(-1, keepdim=True)))


def _one_hot(y: Tensor, columns: int) -> Tensor:
    return functional.one_hot(y[:, 0].long(), columns).double()


# ours, the output's activation, the targets, PyTorch's loss of each row or number, written from the formula
LOSSES: tuple[tuple[Any, str, str, Any], ...] = (
    ("mse", "linear", "real", lambda p, y: (p - y) ** 2),
    ("mae", "linear", "real", lambda p, y: (p - y).abs()),
    ("mape", "linear", "positive", lambda p, y: 100.0 * ((p - y) / y.abs().clamp(min=EPSILON)).abs()),
    ("msle", "softplus", "positive", lambda p, y: (torch.log1p(p) - torch.log1p(y)) ** 2),
    (hw.losses.Huber(0.5), "linear", "real",
     lambda p, y: functional.huber_loss(p, y, reduction="none", delta=0.5)),
    ("log_cosh", "linear", "real", lambda p, y: torch.log(torch.cosh(p - y))),
    (hw.losses.Pinball(0.8), "linear", "real", lambda p, y: torch.maximum(0.8 * (y - p), -0.2 * (y - p))),
    (hw.losses.AsymmetricSquaredError(3.0, 0.5), "linear", "real",
     lambda p, y: torch.where(p < y, 3.0, 0.5) * (p - y) ** 2),
    (hw.losses.QLIKE(), "softplus", "positive", lambda p, y: y / p - torch.log(y / p) - 1.0),
    (hw.losses.QLIKE(from_log=True), "linear", "positive", lambda p, y: y * torch.exp(-p) - (torch.log(y) - p) - 1.0),
    ("cosine_similarity", "linear", "real", _cosine),
    ("poisson", "softplus", "counts", lambda p, y: p - y * torch.log(p + EPSILON)),
    ("binary_crossentropy", "sigmoid", "binary", _likelihood),
    (hw.losses.BinaryCrossentropy(label_smoothing=0.1), "sigmoid", "binary",
     lambda p, y: _likelihood(p, y * 0.9 + 0.05)),
    (hw.losses.BinaryCrossentropy(from_logits=True), "linear", "binary", lambda p, y: exact_softplus(p) - y * p),
    ("categorical_crossentropy", "softmax", "one_hot", lambda p, y: -(y * _shares(p)).sum(-1)),
    (hw.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1), "linear", "one_hot",
     lambda p, y: -(_smoothed(y, 0.1) * functional.log_softmax(p, -1)).sum(-1)),
    ("sparse_categorical_crossentropy", "softmax", "labels",
     lambda p, y: -(_one_hot(y, p.shape[-1]) * _shares(p)).sum(-1)),
    (hw.losses.SparseCategoricalCrossentropy(from_logits=True), "linear", "labels",
     lambda p, y: functional.cross_entropy(p, y[:, 0].long(), reduction="none")),
    ("kl_divergence", "softmax", "shares",
     lambda p, y: (y.clamp(EPSILON, 1) * torch.log(y.clamp(EPSILON, 1) / p.clamp(EPSILON, 1))).sum(-1)),
    ("hinge", "tanh", "signs", lambda p, y: torch.relu(1.0 - y * p)),
    ("squared_hinge", "tanh", "signs", lambda p, y: torch.relu(1.0 - y * p) ** 2),
    ("categorical_hinge", "linear", "one_hot",
     lambda p, y: torch.relu(((1.0 - y) * p).amax(-1) - (y * p).sum(-1) + 1.0)),
)  # fmt: skip


def targets(kind: str, rows: int, columns: int, random: np.random.Generator) -> np.ndarray[Any, Any]:
    """Return targets of a kind, (rows, columns) or (rows, 1)."""
    labels = random.integers(columns, size=(rows, 1)).astype(float)
    made = {
        "real": random.normal(size=(rows, columns)), "positive": random.uniform(0.2, 3.0, size=(rows, columns)),
        "counts": random.poisson(2.0, size=(rows, columns)).astype(float), "labels": labels,
        "binary": random.integers(2, size=(rows, columns)).astype(float),
        "signs": random.integers(2, size=(rows, columns)) * 2.0 - 1.0,
        "one_hot": np.eye(columns)[labels[:, 0].astype(int)],
        "shares": random.dirichlet(np.ones(columns), size=rows),
    }  # fmt: skip
    return made[kind]


def check(seed: int, number: int) -> tuple[float, float, str]:
    """Return the largest relative difference of a case, how far rounding alone moves that number, and its name."""
    random = np.random.default_rng([seed, number])
    ours, output, kind, loss = LOSSES[number % len(LOSSES)]
    depth = int(random.integers(1, 6))
    several = kind in ("one_hot", "labels", "shares") or ours == "cosine_similarity"  # of one column the cosine is ±1
    columns = int(random.choice([2, 3, 5])) if several else int(random.choice([1, 2, 3]))
    names = [*(str(name) for name in random.choice(list(ACTIVATIONS), size=depth - 1)), output]
    widths = [int(random.choice([1, 2, 5, 9])) for _ in names[:-1]] + [columns]
    rows, inputs = int(random.choice([1, 2, 7, 20])), int(random.choice([1, 3, 8]))
    x, y = random.normal(size=(rows, inputs)), targets(kind, rows, columns, random)
    weight = random.uniform(0.2, 2.0, size=rows) if random.integers(2) else None
    model = hw.Sequential([hw.Input((inputs,)), *(hw.layers.Dense(w, n) for w, n in zip(widths, names, strict=True))])
    model.compile("sgd", ours)
    model.set_weights([random.normal(size=w.shape) / np.sqrt(max(len(w), 2)) for w in model.get_weights()])
    trace = model.trace(x, y, weight)
    mine: Numbers = {"loss": np.asarray(trace.loss), "dx": trace.layers[0].dinput}
    for place, layer in enumerate(trace.layers):
        for what in ("z", "a", "da", "dz", "dW", "db"):
            mine[f"{place}.{what}"] = getattr(layer, what)
    theirs = differentiated(model.get_weights(), names, loss, x, y, weight)
    if not np.isfinite(trace.loss) and not np.isfinite(theirs["loss"]):
        return 0.0, 0.0, "not finite in both"
    difference, what = max((apart(mine[what], theirs[what]), what) for what in theirs)
    rounding = 0.0
    if difference > TOLERANCE:  # is the number itself that uncertain?
        again = differentiated(model.get_weights(), names, loss, x, y, weight, ACTIVATIONS | OTHERWISE)
        rounding = apart(again[what], theirs[what])
    return difference, rounding, f"{what} of {names}, {ours}"


def differentiated(
    weights: list[Any], names: list[str], loss: Any, x: Any, y: Any, weight: Any, functions: Any = ACTIVATIONS
) -> Numbers:
    """Return PyTorch's numbers of the same pass."""
    leaf = torch.tensor(x, requires_grad=True)
    parameters = [torch.tensor(w, requires_grad=True) for w in weights]
    a, seen = leaf, []
    for place, name in enumerate(names):
        z = a @ parameters[2 * place] + parameters[2 * place + 1]
        a = functions[name](z) if name != "linear" else z * 1.0
        z.retain_grad()
        a.retain_grad()
        seen.append((z, a))
    each = loss(a, torch.tensor(y))
    each = each.mean(-1) if each.ndim == 2 else each
    value = (each * (1.0 if weight is None else torch.tensor(weight))).sum() / len(x)
    value.backward()
    found: dict[str, Tensor | None] = {"loss": value, "dx": leaf.grad}
    for place, (z, a) in enumerate(seen):
        kernel, bias = parameters[2 * place : 2 * place + 2]
        found |= {f"{place}.z": z, f"{place}.a": a, f"{place}.da": a.grad, f"{place}.dz": z.grad}
        found |= {f"{place}.dW": kernel.grad, f"{place}.db": bias.grad}
    return {name: np.asarray(value.detach()) for name, value in found.items() if value is not None}


def apart(got: Any, wanted: Any) -> float:
    """Return the largest difference relative to the largest number."""
    largest = float(np.abs(wanted).max(initial=0.0))
    difference = float(np.abs(got - wanted).max(initial=0.0))
    return difference / largest if largest > 1e-200 else difference


def main() -> int:
    """Run the cases asked for; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=300, help="how many cases (300)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other cases (0)")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    hw.config.set_floatx("float64")
    failed = excused = 0
    for number in range(arguments.cases):
        difference, rounding, what = check(arguments.seed, number)
        if difference <= TOLERANCE:
            continue
        is_rounding = difference <= 10.0 * rounding
        excused, failed = excused + is_rounding, failed + (not is_rounding)
        print(f"case {number}: {difference:.1e}, {what}; PyTorch computing it another way: {rounding:.1e}")
    passed = arguments.cases - failed
    print(f"{passed} passed ({excused} because their rounding is larger than {TOLERANCE:g}), {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
