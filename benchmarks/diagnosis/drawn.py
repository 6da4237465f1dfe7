"""Data sets drawn at random, as many as one likes and no two of a kind: what the reader of curves learns from.

Inputs may be correlated or heavy-tailed, few or many, some without meaning; the target follows from a rule drawn from
seven, with noise from none to nearly all; all of it is fixed by a number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from problems import JUDGED, Problem, _problem

Array = NDArray[Any]
RULES = ("linear", "network", "products", "waves", "boxes", "bumps", "nothing")


def _inputs(random: np.random.Generator, rows: int, columns: int) -> Array:
    x = random.normal(size=(rows, columns))
    kind = random.random()
    if kind < 0.3:  # correlated
        x = x @ random.normal(size=(columns, columns)) / np.sqrt(columns) + 0.3 * x
    elif kind < 0.45:
        x = random.standard_t(3, size=(rows, columns))
    elif kind < 0.6:
        x = random.uniform(-1.7, 1.7, size=(rows, columns))
    elif kind < 0.7:  # some columns are zero or one
        x[:, ::2] = x[:, ::2] > random.normal()
    return x


def _rule(random: np.random.Generator, rule: str, x: Array) -> Array:
    """Return what is to be learned (rows,), of deviation 1."""
    x = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-9)
    used = x[:, random.permutation(x.shape[1])[: random.integers(1, min(x.shape[1], 10) + 1)]]
    if rule == "linear":
        y = used @ random.normal(size=used.shape[1])
    elif rule == "network":
        hidden = np.tanh(used @ random.normal(size=(used.shape[1], 12)) * random.uniform(0.4, 1.5) + random.normal())
        y = hidden @ random.normal(size=12)
    elif rule == "products":
        y = sum(random.normal() * used[:, i] * used[:, (i + 1) % used.shape[1]] for i in range(used.shape[1]))
    elif rule == "waves":
        y = np.sin(used * random.uniform(0.7, 3.0)).sum(axis=1)
    elif rule == "boxes":
        y = sum(random.normal() * np.all(used[:, :2] > random.normal(size=used[:, :2].shape[1]) * 0.7, axis=1)
                for _ in range(5))  # fmt: skip
    elif rule == "bumps":
        centres = random.normal(size=(4, used.shape[1]))
        y = sum(random.choice([-1, 1]) * np.exp(-((used - c) ** 2).mean(axis=1) * 2) for c in centres)
    else:
        y = random.normal(size=len(x))
    y = np.asarray(y, float)
    return (y - y.mean()) / max(float(y.std()), 1e-9)


def drawn_problem(number: int) -> Problem:
    """Return data set `number`: 50 to 2,000 rows to learn from, JUDGED to judge by."""
    random = np.random.default_rng([number, 77])
    rows, columns = int(10 ** random.uniform(1.8, 3.3)), int(np.round(10 ** random.uniform(0.2, 1.5)))
    rule = str(random.choice(RULES, p=[0.17, 0.17, 0.16, 0.16, 0.15, 0.15, 0.04]))
    x = _inputs(random, rows + JUDGED, columns)
    y = _rule(random, rule, x)
    noise = 10 ** random.uniform(-1.5, 0.3)
    task = str(random.choice(["regression", "binary", "multiclass"], p=[0.5, 0.35, 0.15]))
    if task == "regression":
        tails = random.random() < 0.2
        y = y + noise * (random.standard_t(3, len(y)) / np.sqrt(3) if tails else random.normal(size=len(y)))
    else:
        y = y + min(noise, 1.0) * random.normal(size=len(y))
        classes = 2 if task == "binary" else int(random.integers(3, 8))
        cuts = [random.uniform(0.1, 0.9)] if classes == 2 else np.linspace(0, 1, classes + 1)[1:-1]
        y = np.digitize(y, np.quantile(y, cuts)).astype(float)
        if random.random() < 0.4:
            wrong = random.random(len(y)) < random.uniform(0.0, 0.4)
            y = np.where(wrong, random.integers(classes, size=len(y)), y)
    hidden = tuple(int(units) for units in random.choice([8, 16, 24, 32, 48, 64], random.integers(1, 4)))
    return _problem(f"drawn {number}", task, x, y, hidden, int(random.choice([8, 16, 32, 64])),
                    int(random.choice([15, 25, 40, 60])), generated=True)  # fmt: skip
