"""`hw.find_learning_rate`: the answer by a race. Rates on a grid train side by side; the better half gets more seeds.

The lesson's range test (`learning_rate.py`) is drawn beside it, but decides nothing: nobody's rule for reading it is
reliable. Everything is trained by the runs that `compare` uses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import checks, losses, optimizers, records
from hillwalker.choosing import constants, splits, statistics
from hillwalker.choosing.learning_rate import Sweep, sweep_learning_rates
from hillwalker.choosing.runs import Run, Task, in_portions
from hillwalker.choosing.variants import of_settings
from hillwalker.errors import InputError, InputTypeError, explain
from hillwalker.models import Sequential, edge
from hillwalker.scores import rounded
from hillwalker.training.callbacks import EarlyStopping
from hillwalker.training.progress import Shown

Array = NDArray[np.float64]

RATES = 10.0 ** np.arange(-5.0, 1.01, 0.5)  # Keras's defaults, 0.001 and 0.01, are among them
PARTS = 5  # held-out parts of the rows that the seeds take in turn
WEIGHT = 0.2  # of each neighbour of a rate, when its score is smoothed
EQUAL = 0.02  # of the way from the constant prediction to the best rate: differences below it do not matter

CALL = "find_learning_rate(model, X, y, {})"


@dataclass(frozen=True, repr=False)
class LearningRate:
    """What a race of learning rates found.

    `learning_rate`: the winner, or None where no rate helps (`reason` says why); `interval`: the lowest and highest
    rate that the runs do not tell from it; `regret_bound`: with 95 % confidence no rate of the grid is better by more
    than this part of the way from the constant prediction's loss to the winner's; `rates` (n,); `scores` (n, units):
    each run's validation loss, NaN where a rate had dropped out; unit u was validated on split u modulo their number;
    `smoothed` (n,): what decided; `failed` (n,): runs whose loss was not finite; `constant_losses` (splits,): of always
    predicting what is best on the training rows; `runs`: how many trainings it took; `seconds` of them all; `sweep`:
    the range test, or None.
    """

    learning_rate: float | None
    interval: tuple[float, float] | None
    regret_bound: float | None
    reason: str
    rates: Array
    scores: Array
    smoothed: Array
    failed: NDArray[np.int64]
    constant_losses: Array
    runs: int
    seconds: float
    sweep: Sweep | None = field(default=None)

    @property
    def constant_loss(self) -> float:
        """The constant prediction's loss, mean over the splits."""
        return float(self.constant_losses.mean())

    def __str__(self) -> str:
        heads = ("rate", "val loss", "runs", "failed", "")
        lines = ["  ".join(f"{head:>10}" for head in heads)]
        for number, rate in enumerate(self.rates):
            own = self.scores[number][~np.isnan(self.scores[number])]
            mark = "<- chosen" if rate == self.learning_rate else ""
            if not mark and self.interval is not None and self.interval[0] <= rate <= self.interval[1]:
                mark = "as good"
            mean = rounded(float(own.mean())) if len(own) and np.isfinite(own).all() else "-"
            lines.append(
                "  ".join(f"{cell:>10}" for cell in (f"{rate:.3g}", mean, len(own), int(self.failed[number]), mark))
            )
        return "\n".join([*lines, self.reason])

    __repr__ = __str__

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, numbers and strings."""
        names = ("learning_rate", "interval", "regret_bound", "reason", "rates", "scores", "smoothed", "failed",
                 "constant_losses", "runs", "seconds")  # fmt: skip
        told = {name: records.plain(getattr(self, name)) for name in names}
        return told | {"sweep": None if self.sweep is None else self.sweep.to_dict()}

    def to_frame(self) -> Any:
        """Return one row a run: its rate, its number among the rate's runs, its validation loss."""
        places = np.argwhere(~np.isnan(self.scores))
        columns = {
            "rate": [float(self.rates[rate]) for rate, _ in places],
            "unit": [int(unit) for _, unit in places],
            "val_loss": [float(self.scores[rate, unit]) for rate, unit in places],
        }
        return records.to_frame(columns, call="find_learning_rate(...).to_frame()")

    def plot(self) -> Any:
        """Return a matplotlib figure of the race and the range test (see `hillwalker.plots.race`)."""
        from hillwalker.plots.race import plot_race

        return plot_race(self)


def find_learning_rate(
    model: Sequential,
    X: Any,
    y: Any,
    epochs: int = 50,
    batch_size: int | None = None,
    *,
    rates: Sequence[float] | None = None,
    seeds: int = 4,
    validation_data: Any = None,
    time_ordered: bool = False,
    sample_weight: Any = None,
    early_stopping: EarlyStopping | int | None = None,
    sweep: bool = True,
    threads: int | None = None,
    verbose: Any = "auto",
) -> LearningRate:
    """Find the learning rate by training with each of a grid, at the epochs and the batch size that will be used.

    Each rate trains from `seeds` seeds, the same for all, in turn on five splits of the rows; then the better half of
    the rates from as many seeds again, then the best quarter from twice as many. A rate's score is the mean validation
    loss after the last epoch, smoothed over its neighbours, (1 - 2w) s_k + w (s_(k-1) + s_(k+1)) with w = 0.2, so that
    a rate at the edge of divergence does not win by luck; a run counts at most twice as far from the best as the
    constant prediction does. `model` is left as it is.

    Args:
        model: compiled; its optimizer's learning rate is what is looked for.
        X, y: data; a fifth of the rows is held out in each run.
        epochs, batch_size: as they will be in `fit`.
        rates: the grid, rising; by default 13 from 1e-5 to 10.
        seeds: of the first round, 2 or more.
        validation_data: (X, y) to validate on instead of parts of X.
        time_ordered: whether rows lie in time: then the last fifth is held out, always.
        early_stopping: as in `compare`.
        sweep: whether the lesson's range test is run too, for the picture.

    Returns a LearningRate. Ctrl-C ends it without an answer. Raises InputError before anything is trained.
    Source: successive halving, Jamieson and Talwalkar (2016), over seeds instead of epochs.

    >>> from hillwalker.layers import Dense, Input
    >>> model = Sequential([Input((2,)), Dense(16, activation="tanh"), Dense(1)])
    >>> model.compile(optimizer="adam", loss="mse")
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> found = find_learning_rate(model, X, X[:, 0] * X[:, 1], epochs=20, verbose=0)
    >>> 0.001 < found.learning_rate < 1
    True
    """
    grid = _grid(rates)
    first = checks.positive_integer("seeds", seeds, CALL.format("seeds=4"))
    if first < 2:
        raise InputError(explain("seeds=1.", "2 or more: one run tells nothing of noise.", CALL.format("seeds=4")))
    settings = [{"learning_rate": float(rate)} for rate in grid]
    variants = of_settings(model, settings, None, 0)
    if isinstance(getattr(model.optimizer, "schedule", None), optimizers.schedules.LearningRateSchedule):
        passed = "a model whose learning rate is a schedule."
        raise InputError(
            explain(passed, "an optimizer with a number for it.", 'compare(model, X, y, vary={"schedule": ...})')
        )
    rows = edge.batch_size(batch_size, "fit")
    told = {
        "batch_size": rows,
        "epochs": checks.positive_integer("epochs", epochs, CALL.format("epochs=50")),
        "shuffle": True,
        "early_stopping": _stopping(early_stopping),
    }
    data = model._edge.data(X, y, sample_weight, call="find_learning_rate")
    parts = None
    if validation_data is None:
        one = splits.one_split(len(data), 0.2)
        parts = [one] if time_ordered else splits.folds(len(data), PARTS, 0, labels_of(model, data.y))
    task = Task(variants, X, y, sample_weight, validation_data, parts, told, lanes=False)
    held_out = model._edge.data(*validation_data[:2]).y if validation_data is not None else None
    assert data.y is not None
    constant = constants.constant_losses(losses.get(model.loss), data.y, parts, held_out, variants[0].model)
    swept = None
    if sweep:
        swept = sweep_learning_rates(model, X, y, batch_size=rows, sample_weight=sample_weight, verbose=verbose)
    return _race(task, grid, first, constant, swept, threads, verbose)


def _race(
    task: Task, grid: Array, first: int, constant: Array, swept: Sweep | None, threads: int | None, verbose: Any
) -> LearningRate:
    count = len(grid)
    rounds = [(count, first), (math.ceil(count / 2), first), (math.ceil(count / 4), 2 * first)]
    units = sum(more for _, more in rounds)
    scores, seconds, failed = np.full((count, units), np.nan), 0.0, np.zeros(count, np.int64)
    racing, begun, done = np.arange(count), 0, 0.0
    whole = sum(kept * more for kept, more in rounds)
    shown = Shown("find_learning_rate", verbose)
    splits_in_turn = 1 if task.splits is None else len(task.splits)
    smoothed = np.full(count, np.nan)
    try:
        for kept, more in rounds:
            if begun:
                racing = np.sort(racing[np.argsort(smoothed[racing], kind="stable")][:kept])
            runs = [
                Run(int(rate), unit, unit % splits_in_turn) for unit in range(begun, begun + more) for rate in racing
            ]
            share = len(runs) / whole
            for run, outcome in in_portions(
                task,
                runs,
                threads,
                lambda part, done=done, share=share: shown(done + share * part),  # type: ignore[misc]
            ):
                loss = outcome.curves["val_loss"][outcome.kept] - outcome.penalty
                failed[run.variant] += outcome.failed
                scores[run.variant, run.seed] = math.inf if outcome.failed or not math.isfinite(loss) else loss
                seconds += outcome.seconds
            begun, done = begun + more, done + share
            smoothed = smooth(capped(scores, float(constant.mean())))
    finally:
        shown.close()
    return judged(grid, scores, failed, constant, racing, swept, seconds)


def capped(scores: Array, constant: float) -> Array:
    """Return scores (rates, units), none further above the constant prediction's than that is above the best rate's."""
    with np.errstate(invalid="ignore"):
        finite = [row[~np.isnan(row)].mean() for row in scores if np.isfinite(row[~np.isnan(row)]).all()]
    best = min([*finite, constant])
    limit = 2 * constant - best + 1e-12
    return np.where(np.isnan(scores), np.nan, np.minimum(scores, limit))


def smooth(scores: Array, weight: float = WEIGHT) -> Array:
    """Return the rates' mean scores, each mixed with its neighbours' (an end with itself), (rates,).

    >>> smooth(np.array([[1.0], [0.0], [1.0]])).round(2).tolist()
    [0.8, 0.4, 0.8]
    """
    means = np.nanmean(scores, axis=1)
    padded = np.concatenate([means[:1], means, means[-1:]])
    mixed: Array = (1 - 2 * weight) * means + weight * (padded[:-2] + padded[2:])
    return mixed


def judged(
    grid: Array, scores: Array, failed: NDArray[np.int64], constant: Array, racing: NDArray[np.intp],
    swept: Sweep | None, seconds: float,
) -> LearningRate:  # fmt: skip
    """Return the race's record: the winner among the rates that raced to the end, and what cannot be told from it."""
    level = float(constant.mean())
    limited = capped(scores, level)
    smoothed = smooth(limited)
    winner = int(racing[np.argmin(smoothed[racing])])
    told = (grid, scores, smoothed, failed, constant, int((~np.isnan(scores)).sum()), seconds, swept)
    mean, low, high = statistics.interval(limited[winner][~np.isnan(limited[winner])])
    if not _beats(scores[winner], constant):
        reason = (
            f"No rate helps: the best, {grid[winner]:.3g}, has a validation loss of {rounded(mean)}, which is not "
            f"below the {rounded(level)} of always predicting the same by more than noise."
        )
        return LearningRate(None, None, None, reason, *told)
    gain = level - mean
    as_good = [other for other in range(len(grid)) if _as_good(limited, other, winner, gain)]
    first = last = winner
    while first - 1 in as_good:
        first -= 1
    while last + 1 in as_good:
        last += 1
    bound = max(0.0, *(_advantage(limited, other, winner) for other in range(len(grid)) if other != winner)) / gain
    interval = float(grid[first]), float(grid[last])
    reason = (
        f"Learning rate {grid[winner]:.3g}: validation loss {rounded(mean)} ({rounded(low)} to {rounded(high)}). From "
        f"{interval[0]:.3g} to {interval[1]:.3g} none is worse by more than noise; none tried is better by more than "
        f"{bound:.1%} of what the network gains over a constant prediction."
    )
    return LearningRate(float(grid[winner]), interval, bound, reason, *told)


def _beats(scores: Array, constant: Array) -> bool:
    """Return whether a rate's losses (units,) are surely below the constant prediction's (splits,).

    Units that share a split share its luck, so splits are what is counted; where there is one, units are.
    """
    units = [scores[split :: len(constant)] - constant[split] for split in range(len(constant))]
    known = [own[~np.isnan(own)] for own in units]
    if len(constant) == 1:
        _, _, high = statistics.interval(known[0])
    else:
        _, _, high = statistics.interval(np.array([own.mean() for own in known]), overlap=1 / (len(constant) - 1))
    return bool(high < 0)


def _paired(scores: Array, other: int, winner: int) -> Array:
    """Return the differences of two rates' scores in the runs that both have done."""
    differences: Array = scores[other] - scores[winner]
    return differences[~np.isnan(differences)]


def _as_good(scores: Array, other: int, winner: int, gain: float) -> bool:
    """Return whether a rate's loss is not surely above the winner's, or not by an amount that matters."""
    if other == winner:
        return True
    mean, low, _ = statistics.interval(_paired(scores, other, winner))
    return bool(low <= 0 or mean <= EQUAL * gain)


def _advantage(scores: Array, other: int, winner: int) -> float:
    """Return how much lower another rate's mean loss may be, at most, with 95 % confidence (one-sided)."""
    _, low, _ = statistics.interval(_paired(scores, other, winner), confidence=0.90)
    return -low if math.isfinite(low) else 0.0


def labels_of(model: Sequential, y: Any) -> NDArray[Any] | None:
    """Return the rows' classes where the loss is one of classes, else None."""
    if "crossentropy" not in losses.get(model.loss).kind:
        return None
    classes: NDArray[Any] = y.argmax(axis=1) if y.shape[1] > 1 else y[:, 0]
    return classes


def _grid(rates: Any) -> Array:
    if rates is None:
        return RATES.copy()
    try:
        grid = np.asarray(rates, dtype=np.float64)
    except (TypeError, ValueError):
        grid = np.empty(0)
    rising = grid.ndim == 1 and len(grid) >= 3 and np.isfinite(grid).all() and grid[0] > 0 and (np.diff(grid) > 0).all()
    if not rising:
        fix = CALL.format("rates=[0.001, 0.003, 0.01]")
        raise InputError(explain(f"rates={rates!r}.", "three rising numbers above 0 or more.", fix))
    return grid


def _stopping(value: Any) -> EarlyStopping | None:
    if value is None or isinstance(value, EarlyStopping):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise InputTypeError(explain(f"early_stopping={value!r}.", "a patience.", CALL.format("early_stopping=20")))
    return EarlyStopping(patience=int(value), restore_best_weights=True)
