"""The reader on curves that other programs made: Keras and PyTorch train the situations for judging.

    scripts/parity; scripts/bench diagnosis/foreign --share 0 3

What was wrong is known from `situations.npz`, whose trainings were hillwalker's: the same network, data, optimizer and
rate make the same kind of training in each program, from other weights. Keras's training loss is the mean over the
epoch, as ours; in the PyTorch loop it is measured after the epoch.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
from ground_truth import Rows as ProblemRows
from ground_truth import Situation, rows_of
from judged import CLAIMS, Pairs, of_line, report
from problems import Problem, problems
from situations import PUBLISHED, lines_of

import hillwalker as hw

LOSSES = {"regression": "mse", "binary": "binary_crossentropy", "multiclass": "sparse_categorical_crossentropy"}
LAST = {"regression": "linear", "binary": "sigmoid", "multiclass": "softmax"}
MOST_STEPS = 4000  # a longer training is left out: these programs are slow


def by_keras(problem: Problem, situation: Situation, rows: ProblemRows) -> dict[str, list[float]]:
    import keras

    keras.utils.set_random_seed(situation.number)
    rate = situation.learning_rate
    optimizer: Any = {
        "momentum": lambda: keras.optimizers.SGD(rate, momentum=0.9), "sgd": lambda: keras.optimizers.SGD(rate),
        "adam": lambda: keras.optimizers.Adam(rate), "rmsprop": lambda: keras.optimizers.RMSprop(rate),
    }[situation.optimizer]()  # fmt: skip
    stack: list[Any] = [keras.Input((rows.x.shape[1],))]
    for units in situation.hidden:
        initializer = "he_uniform" if situation.activation == "relu" else "glorot_uniform"
        penalty = keras.regularizers.L2(situation.l2) if situation.l2 else None
        stack.append(keras.layers.Dense(units, situation.activation, kernel_initializer=initializer,
                                        kernel_regularizer=penalty))  # fmt: skip
        if situation.dropout:
            stack.append(keras.layers.Dropout(situation.dropout))
    model = keras.Sequential([*stack, keras.layers.Dense(problem.outputs, LAST[problem.task])])
    model.compile(optimizer, LOSSES[problem.task])
    held_out = rows.x[rows.validation], rows.y[rows.validation]
    told = model.fit(rows.x[rows.training], rows.y[rows.training], epochs=situation.epochs,
                     batch_size=situation.batch_size, validation_data=held_out, verbose=0)  # fmt: skip
    return {name: [float(value) for value in values] for name, values in told.history.items()}


def by_pytorch(problem: Problem, situation: Situation, rows: ProblemRows) -> dict[str, list[float]]:
    import torch
    from torch import nn

    torch.manual_seed(situation.number)
    x, y = (torch.tensor(np.asarray(values[rows.training])) for values in (rows.x, rows.y))
    xv, yv = (torch.tensor(np.asarray(values[rows.validation])) for values in (rows.x, rows.y))
    width, layers = x.shape[1], []
    for units in situation.hidden:
        dense = nn.Linear(width, units)
        initialize = nn.init.kaiming_uniform_ if situation.activation == "relu" else nn.init.xavier_uniform_
        initialize(dense.weight)
        nn.init.zeros_(dense.bias)
        layers += [dense, nn.ReLU() if situation.activation == "relu" else nn.Tanh(), nn.Dropout(situation.dropout)]
        width = units
    model = nn.Sequential(*layers, nn.Linear(width, problem.outputs))
    rate = situation.learning_rate
    optimizer = {
        "momentum": lambda: torch.optim.SGD(model.parameters(), rate, momentum=0.9),
        "sgd": lambda: torch.optim.SGD(model.parameters(), rate),
        "adam": lambda: torch.optim.Adam(model.parameters(), rate),
        "rmsprop": lambda: torch.optim.RMSprop(model.parameters(), rate, alpha=0.9),
    }[situation.optimizer]()  # fmt: skip

    def loss_of(given: Any, wanted: Any) -> Any:
        out = model(given)
        if problem.task == "multiclass":
            return nn.functional.cross_entropy(out, wanted.long())
        if problem.task == "binary":
            return nn.functional.binary_cross_entropy_with_logits(out[:, 0], wanted)
        return nn.functional.mse_loss(out[:, 0], wanted)

    found: dict[str, list[float]] = {"loss": [], "val_loss": []}
    for _ in range(situation.epochs):
        model.train()
        for part in torch.randperm(len(x)).split(situation.batch_size):
            optimizer.zero_grad()
            loss = loss_of(x[part], y[part])
            for dense in model:
                if situation.l2 and isinstance(dense, nn.Linear) and dense is not model[-1]:
                    loss = loss + situation.l2 * (dense.weight**2).sum()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            found["loss"].append(float(loss_of(x, y)))
            found["val_loss"].append(float(loss_of(xv, yv)))
    return found


def main() -> None:
    """Train, read, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--share", type=int, nargs=2, default=(0, 1), metavar=("K", "N"), help="only K, K + N, ...")
    parser.add_argument("--markdown", action="store_true")
    given = parser.parse_args()
    known = {problem.name: problem for problem in problems()}
    told: dict[str, Pairs] = {"hillwalker": [], "Keras": [], "PyTorch": []}
    for line in list(lines_of(PUBLISHED, "judging"))[given.share[0] :: given.share[1]]:
        situation = of_line(line)
        problem = known[situation.problem]
        rows = rows_of(problem, situation)
        if situation.epochs * len(rows.training) / situation.batch_size > MOST_STEPS:
            continue
        curves = {"hillwalker": line["curves"][0], "Keras": by_keras(problem, situation, rows),
                  "PyTorch": by_pytorch(problem, situation, rows)}  # fmt: skip
        for name, one in curves.items():
            finite = {key: [v if np.isfinite(v) else np.inf for v in values] for key, values in one.items()}
            found = hw.diagnose(finite, constant_loss=line["constant"])
            confidences = {each.symptom: each.confidence for each in found.findings}
            told[name].append((line["truth"], {
                "verdict": found.verdict, "asserted": [each.symptom for each in found.findings if each.asserted],
                "confidences": {claim: confidences.get(claim, 0.0) for claim in CLAIMS}, "seconds": 0.0,
            }))  # fmt: skip
    print(report(told, given.markdown))


if __name__ == "__main__":
    main()
