"""The lesson's checkpoint: three curves of fresh trainings, to be matched with their learning rates.

Which rate is too high, too low or right is found by training with a whole grid of them, never assumed. Asks nothing and
draws nothing here but text; `cli.py` asks, `plots/` draws.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import config
from hillwalker.errors import HillwalkerWarning, InputError, StateError, explain
from hillwalker.layers import Dense, Input
from hillwalker.models import Sequential, copies, fit_many
from hillwalker.optimizers import SGD
from hillwalker.training.history import History

Array = NDArray[np.float64]

ANSWERS = {"high": "too high", "low": "too low", "right": "just right"}
LETTERS = ("A", "B", "C")
EPOCHS, ROWS, BATCH_SIZE = 40, 200, 20
RATES = np.geomspace(1e-4, 30, 24)
LATE = EPOCHS // 4  # the epochs at the end by which a curve is judged
TASKS_TRIED = 30
BLOCKS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Curve:
    """One training: its letter, learning rate, what that rate is ("high", "low" or "right"), and its history.

    `end`: the mean loss of the last quarter's epochs; `rises`: in how many of the epochs the loss was higher than in
    the epoch before; `late_fall`: by which share it fell over the last quarter.
    """

    letter: str
    learning_rate: float
    answer: str
    history: History
    end: float
    rises: int
    late_fall: float

    @property
    def losses(self) -> list[float]:
        """The training loss of each epoch."""
        return self.history.history["loss"]

    def explain(self) -> str:
        """Return in one sentence, with the run's numbers, why the answer is what it is."""
        what = f"{self.letter} is {ANSWERS[self.answer]} (learning rate {self.learning_rate:.2g})"
        if self.answer == "right":
            return f"{what}: of the rates tried it ends lowest without bouncing, at {self.end:.3g}."
        if self.answer == "low":
            return (
                f"{what}: it comes down steadily but is far from done: still falling by {self.late_fall:.0%} in the "
                f"last {LATE} epochs, and only at {self.end:.3g}."
            )
        rose = f"the loss rose in {self.rises} of {len(self.losses) - 1} epochs"
        return f"{what}: {rose}, for each step jumps across the valley; it hovers around {self.end:.3g}."


@dataclass(frozen=True, repr=False)
class Quiz:
    """Three curves of one task, lettered in an order that says nothing.

    `seed` makes the same quiz again; `task` says what was learned; `start` is the loss before any training.

    >>> quiz = make(seed=1)
    >>> sorted(curve.answer for curve in quiz.curves)
    ['high', 'low', 'right']
    >>> quiz.score([curve.answer for curve in quiz.curves])
    3
    """

    seed: int
    task: str
    start: float
    curves: tuple[Curve, ...]

    @property
    def answers(self) -> tuple[str, ...]:
        """What A, B and C are."""
        return tuple(curve.answer for curve in self.curves)

    def score(self, answers: str | Sequence[str]) -> int:
        """Return how many of the answers for A, B and C are right: 0, 1 or 3 where each is given once.

        Raises InputError for answers that are not three of "high", "low" and "right".
        """
        return sum(given == true for given, true in zip(read_answers(answers), self.answers, strict=True))

    def explain(self, answers: str | Sequence[str] | None = None) -> str:
        """Return why each curve is what it is, with a mark for each answer that was given."""
        given = read_answers(answers) if answers is not None else [None] * len(self.curves)
        marks = [
            "" if one is None else "✓ " if one == true else "✗ " for one, true in zip(given, self.answers, strict=True)
        ]
        return "\n".join(mark + curve.explain() for mark, curve in zip(marks, self.curves, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, numbers and strings."""
        curves = [
            {
                "letter": curve.letter,
                "learning_rate": curve.learning_rate,
                "answer": curve.answer,
                "losses": list(curve.losses),
                "end": curve.end,
                "rises": curve.rises,
                "late_fall": curve.late_fall,
            }
            for curve in self.curves
        ]
        return {"seed": self.seed, "task": self.task, "start": self.start, "curves": curves}

    def to_frame(self) -> Any:
        """Return one row an epoch and one column a curve (pandas, or polars without it)."""
        return History(list(range(EPOCHS)), {curve.letter: curve.losses for curve in self.curves}).to_frame()

    def plot(self, answers: bool = False) -> Any:
        """Return a figure of the curves, a panel each; with `answers` their titles tell which is which."""
        from hillwalker.plots.histories import plot_histories

        titles = {
            f"{c.letter}: {ANSWERS[c.answer]} ({c.learning_rate:.2g})" if answers else c.letter: c.history
            for c in self.curves
        }
        figure = plot_histories(titles, panels=True)
        figure.set_size_inches(10.0, 3.5)  # so that the text can be read where it is shown on a page or slide
        return figure

    def __repr__(self) -> str:
        """Return the curves as a terminal draws them, without the answers."""
        lines = [f"Quiz {self.seed}: {self.task}", f"Loss before training: {self.start:.3g}", ""]
        return "\n".join([*lines, draw(self.curves, self.start)])


# --- making one -------------------------------------------------------------------------------------------------------


def make(seed: int = 0) -> Quiz:
    """Return the quiz of a seed: a task, a network, and the three rates that trainings over a grid have shown.

    Right: the rate of those tried that ends lowest and does not bounce. Too low: the loss falls to the end and is still
    far from the right rate's. Too high: the loss rises again and again and stays far above it.
    """
    if not isinstance(seed, (int, np.integer)) or isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise InputError(explain(f"seed {seed!r}.", "a whole number from 0 to 4294967295.", "--seed 1"))
    generator = np.random.default_rng(int(seed))
    for _ in range(TASKS_TRIED):
        task, model, X, y = _draw_task(generator)
        start, candidates = _train(model, X, y)
        chosen = _choose(candidates, start, generator)
        if chosen is not None:
            shuffled = [chosen[place] for place in generator.permutation(len(chosen))]
            curves = tuple(
                Curve(letter, c.learning_rate, c.answer, c.history, c.end, c.rises, c.late_fall)
                for letter, c in zip(LETTERS, shuffled, strict=True)
            )
            return Quiz(int(seed), task, start, curves)
    raise StateError(explain(f"seed {seed}, of which no task has three rates so unlike.", "another seed."))


def _draw_task(generator: np.random.Generator) -> tuple[str, Sequential, Array, Array]:
    """Return a random task in words, a network for it, and its rows."""
    kind = ("wave", "plane", "product", "rings")[generator.integers(4)]
    units, activation = int(generator.choice([8, 16, 32])), str(generator.choice(["tanh", "relu"]))
    inputs = {"wave": 1, "plane": 6, "product": 2, "rings": 2}[kind]
    X = generator.uniform(-1, 1, size=(ROWS, inputs))
    noise = 0.1 * generator.normal(size=ROWS)
    if kind == "wave":
        y = np.sin(generator.uniform(2, 4) * X[:, 0] + generator.uniform(0, 2)) + noise
    elif kind == "plane":
        y = X @ generator.normal(size=inputs) + noise
    elif kind == "product":
        y = 3 * X[:, 0] * X[:, 1] + noise
    else:
        y = (np.hypot(X[:, 0], X[:, 1]) + noise > 0.75).astype(float)
    words = {
        "wave": "a wave with noise",
        "plane": "a linear function of six inputs",
        "product": "the product of two inputs",
        "rings": "which points lie outside a circle",
    }[kind]
    classes = kind == "rings"
    with config.seeded(int(generator.integers(2**31))):
        model = Sequential(
            [Input((inputs,)), Dense(units, activation=activation), Dense(1, activation="sigmoid" if classes else None)]
        )
    model.compile(SGD(0.1), loss="binary_crossentropy" if classes else "mse")
    return f"{words}; {units} {activation} units, plain SGD, batches of {BATCH_SIZE}", model, X, y


def _train(model: Sequential, X: Array, y: Array) -> tuple[float, list[Curve]]:
    """Train the same network with every rate of the grid; return the first loss and the curves, by rate."""
    start = float(model.evaluate(X, y, verbose=0))
    models = []
    for rate in RATES:
        (copied,) = copies(model, [0])
        copied.set_weights(model.get_weights())
        copied.compile(SGD(float(rate)), loss=model.loss)
        models.append(copied)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HillwalkerWarning)  # that some rates diverge is what is looked for
        histories = fit_many(models, X, y, batch_size=BATCH_SIZE, epochs=EPOCHS, order_seed=0, verbose=0)
    if any(history.interrupted for history in histories):
        raise KeyboardInterrupt
    return start, [_measure(float(rate), history) for rate, history in zip(RATES, histories, strict=True)]


def _measure(rate: float, history: History) -> Curve:
    losses = np.asarray(history.history["loss"], dtype=np.float64)
    whole = len(losses) == EPOCHS and bool(np.isfinite(losses).all())
    end = float(losses[-LATE:].mean()) if whole else math.inf
    late_fall = float(1 - losses[-1] / losses[-LATE - 1]) if whole else math.nan
    return Curve("", rate, "", history, end, int((np.diff(losses) > 0).sum()), late_fall)


def _choose(candidates: list[Curve], start: float, generator: np.random.Generator) -> list[Curve] | None:
    """Return one curve that is too high, one too low, one right, or None where the grid does not hold all three."""
    right = min(candidates, key=lambda curve: curve.end + _bounce(curve))
    depth = start - right.end
    if depth < 0.4 * start or right.rises > EPOCHS // 2:
        return None
    high = [  # bouncing where it can be seen: a curve that overflows at once, or hovers far above, is no riddle
        curve
        for curve in candidates
        if curve.learning_rate > right.learning_rate
        and right.end + 0.2 * depth < curve.end < 1.1 * start
        and curve.rises >= EPOCHS // 4
        and _bounce(curve) > 0.02 * depth
    ]
    low = [
        curve
        for curve in candidates
        if curve.learning_rate < right.learning_rate
        and right.end + 0.3 * depth < curve.end < start - 0.1 * depth
        and curve.late_fall > 0.02
        and curve.rises <= EPOCHS // 8
    ]
    if not low or not high:
        return None
    drawn = {"high": high[generator.integers(len(high))], "low": low[generator.integers(len(low))], "right": right}
    return [
        Curve("", curve.learning_rate, answer, curve.history, curve.end, curve.rises, curve.late_fall)
        for answer, curve in drawn.items()
    ]


def _bounce(curve: Curve) -> float:
    """Return how far the loss rises in an epoch, on average over all epochs."""
    return float(np.maximum(np.diff(curve.losses), 0).mean()) if math.isfinite(curve.end) else math.inf


# --- text -------------------------------------------------------------------------------------------------------------


def read_answers(answers: str | Sequence[str]) -> list[str]:
    """Return three answers from text such as "high,low,right" or "too high, too low, just right"; letters will do.

    >>> read_answers("hlr"), read_answers("too high, just right, too low")
    (['high', 'low', 'right'], ['high', 'right', 'low'])
    """
    words = re.split(r"[\s,;/]+", answers.strip()) if isinstance(answers, str) else list(answers)
    if len(words) == 1 and len(words[0]) == len(LETTERS):
        words = list(words[0])
    words = [word.lower() for word in words if word.lower() not in ("too", "just", "")]
    read = [next((name for name in ANSWERS if word and name.startswith(word)), None) for word in words]
    if len(read) != len(LETTERS) or None in read:
        raise InputError(
            explain(f"the answers {answers!r}.", 'for A, B and C each one of "high", "low", "right".', "high,low,right")
        )
    return [answer for answer in read if answer is not None]


def draw(curves: Sequence[Curve], start: float, width: int = 24, height: int = 6) -> str:
    """Return the curves side by side in block characters, on one scale; what lies above it is cut off.

    The scale runs from 0 to the loss before training, or a quarter more where a curve climbs above it.
    """
    panels = [list(_panel(curve.losses, 1.25 * start, width, height)) for curve in curves]
    top = f"{1.25 * start:.2g}"
    margin = max(len(top), 1)
    lines = [" " * (margin + 2) + "   ".join(f"{curve.letter:<{width}}" for curve in curves).rstrip()]
    for row, parts in enumerate(zip(*panels, strict=True)):
        label = top if row == 0 else "0" if row == height - 1 else ""
        lines.append(f"{label:>{margin}} ┤" + "  ┤".join(parts))
    lines.append(
        " " * (margin + 2) + "   ".join(f"{'epoch 1 to ' + str(len(c.losses)):<{width}}" for c in curves).rstrip()
    )
    return "\n".join(lines)


def _panel(losses: Sequence[float], top: float, width: int, height: int) -> Iterator[str]:
    steps = np.linspace(0, len(losses) - 1, width).round().astype(int)
    shares = np.clip(np.nan_to_num(np.asarray(losses, dtype=np.float64)[steps] / top, nan=1, posinf=1), 0, 1)
    eighths = np.maximum(np.round(shares * height * 8).astype(int), 1)
    for row in range(height - 1, -1, -1):
        yield "".join(BLOCKS[max(0, min(8, count - 8 * row))] for count in eighths)
