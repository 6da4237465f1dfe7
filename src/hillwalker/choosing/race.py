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
from hillwalker.choosing.variants import of_settings, stopping
from hillwalker.errors import InputError, explain
from hillwalker.models import Sequential, edge
from hillwalker.scores import rounded
from hillwalker.training.batches import Data
from hillwalker.training.callbacks import EarlyStopping
from hillwalker.training.progress import Shown

Array = NDArray[np.float64]

RATES = 10.0 ** np.arange(-5.0, 1.01, 0.5)  # Keras's defaults, 0.001 and 0.01, are among them
PARTS = 5  # held-out parts of the rows that the seeds take in turn; the next five seeds cut the rows anew
IN_TIME = 0.4  # of the rows, at the end, that are held out in turn where rows lie in time
FEWEST, FEWEST_IN_TIME = 10, 25  # rows, so that each part has two
WEIGHT = 0.2  # of each neighbour of a rate, when its score is smoothed
ONE_SIDED = 0.90  # an interval of which one end is asked for, with 95 % confidence
BOUNDED = 0.95  # the same for the bound on the regret: 97.5 % for each rate, since several are asked
EQUAL = 0.02  # of the way from the constant prediction to the best rate: differences below it do not matter

CALL = "find_learning_rate(model, X, y, {})"


@dataclass(frozen=True, repr=False)
class LearningRate:
    """What a race of learning rates found.

    `learning_rate`: the winner, or None where no rate helps (`reason` says why); `interval`: the lowest and highest
    rate that the runs do not tell from it (a rate of which a run failed is none of them, where the winner's did not);
    `regret_bound`: no other rate of the grid is, with 95 % confidence, better by more than this part of the way
    from the constant prediction's loss to the winner's; `rates` (n,); `scores` (n, units): each run's validation loss,
    NaN where a rate had dropped out; unit u was validated on split u modulo their number; `smoothed` (n,): what
    decided; `failed` (n,): runs whose loss was not finite; `constant_losses` (splits,): of always predicting what is
    best on the training rows; `overlap`: validation rows / training rows where there are several splits, else 0;
    `runs`: how many trainings it took; `seconds` of them all; `sweep`: the range test, or None.
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
    overlap: float
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
                 "constant_losses", "overlap", "runs", "seconds")  # fmt: skip
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
    seeds: int = 5,
    seed: int = 0,
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
    the rates from as many seeds again, then the best quarter from twice as many. Every five seeds the rows are cut
    anew, so that no one cut decides. A rate's score is the mean validation
    loss after the last epoch, smoothed over its neighbours, (1 - 2w) s_k + w (s_(k-1) + s_(k+1)) with w = 0.2, so that
    a rate at the edge of divergence does not win by luck; a run counts at most twice as far from the best as the
    constant prediction does. What is not told from the winner follows from paired differences over the splits, by
    t intervals that count the rows that splits share. A rate helps if it is better than the constant prediction by such
    an interval, or in each of the five parts (by chance once in 32). `model` is left as it is.

    Args:
        model: compiled; its optimizer's learning rate is what is looked for.
        X, y: data; a fifth of the rows is held out in each run.
        epochs, batch_size: as they will be in `fit`.
        rates: the grid, rising; by default 13 from 1e-5 to 10.
        seeds: of the first round, 2 or more.
        seed: of the splits, and the first of the runs' seeds.
        validation_data: (X, y) to validate on instead of parts of X: interval and bound know of the seeds' noise only.
        time_ordered: whether rows lie in time: then the last two fifths are held out, a fifth of them at a time, after
            training on all rows before.
        early_stopping: as in `compare`.
        sweep: whether the lesson's range test is run too, for the picture.

    Returns a LearningRate. Ctrl-C ends it without an answer. Raises InputError before anything is trained.
    Source: successive halving, Jamieson and Talwalkar (2016), over seeds instead of epochs; intervals over splits,
    Nadeau and Bengio (2003).

    >>> from hillwalker.layers import Dense, Input
    >>> model = Sequential([Input((2,)), Dense(16, activation="tanh"), Dense(1)])
    >>> model.compile(optimizer="adam", loss="mse")
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> found = find_learning_rate(model, X, X[:, 0] * X[:, 1], epochs=20, verbose=0)
    >>> 0.001 < found.learning_rate < 1
    True
    """
    grid = _grid(rates)
    first = checks.positive_integer("seeds", seeds, CALL.format("seeds=5"))
    if first < 2:
        raise InputError(explain("seeds=1.", "2 or more: one run tells nothing of noise.", CALL.format("seeds=5")))
    seed = edge.not_negative_integer("seed", seed, CALL.format("seed=0"))
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
        "early_stopping": stopping(early_stopping, CALL.format("early_stopping=20")),
    }
    data = model._edge.data(X, y, sample_weight, call="find_learning_rate")
    model._warn_of_mistakes(data)
    rounds = _rounds(len(grid), first)
    units = sum(more for _, more in rounds)
    parts, constant = _splits_and_constants(model, data, validation_data, time_ordered, units, seed)
    task = Task(variants, X, y, sample_weight, validation_data, parts, told, lanes=False)
    overlap = 0.0 if parts is None else float(np.mean([len(held) / len(trained) for trained, held in parts]))
    swept = None
    if sweep:
        swept = sweep_learning_rates(model, X, y, batch_size=rows, sample_weight=sample_weight, verbose=verbose)
    scores, failed, racing, seconds = _race(task, rounds, seed, float(constant.mean()), threads, verbose)
    return judged(grid, scores, failed, constant, overlap, racing, swept, seconds)


def _splits_and_constants(
    model: Sequential, data: Data, validation_data: Any, time_ordered: bool, units: int, seed: int
) -> tuple[list[splits.Split] | None, Array]:
    """Return the splits, one for each unit or those that units take in turn in time, and the constant's loss on each.

    The splits are None where there are data of their own to validate on.
    """
    parts = None
    fewest = FEWEST_IN_TIME if time_ordered else FEWEST
    if validation_data is None and len(data) < fewest:
        passed = f"{len(data)} rows{', in time' if time_ordered else ''}."
        raise InputError(explain(passed, f"{fewest} or more, of which parts are held out.", "validation_data=..."))
    if validation_data is None and time_ordered:
        parts = splits.last_in_time(len(data), PARTS, IN_TIME)
    elif validation_data is None:
        labels, cuts = labels_of(model, data.y), math.ceil(units / PARTS)
        cut_anew = [splits.folds(len(data), PARTS, [seed, cut], labels) for cut in range(cuts)]
        parts = [split for cut in cut_anew for split in cut][:units]
    elif time_ordered:
        raise InputError(explain("validation_data and time_ordered.", "one of them.", CALL.format("time_ordered=True")))
    return parts, constants.losses_of_constants(model, data, parts, validation_data)


def _rounds(count: int, first: int) -> list[tuple[int, int]]:
    """Return how many rates run in each round, and from how many new seeds."""
    return [(count, first), (math.ceil(count / 2), first), (math.ceil(count / 4), 2 * first)]


def _race(
    task: Task, rounds: list[tuple[int, int]], seed: int, constant: float, threads: int | None, verbose: Any
) -> tuple[Array, NDArray[np.int64], NDArray[np.intp], float]:
    """Return the scores (rates, units), the failures of each rate, the rates that raced to the end, and the seconds."""
    count = len(task.variants)
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
                Run(int(rate), seed + unit, unit % splits_in_turn)
                for unit in range(begun, begun + more)
                for rate in racing
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
                scores[run.variant, run.seed - seed] = math.inf if outcome.failed or not math.isfinite(loss) else loss
                seconds += outcome.seconds
            begun, done = begun + more, done + share
            smoothed = smooth(capped(scores, constant))
    finally:
        shown.close()
    return scores, failed, racing, seconds


def capped(scores: Array, constant: float) -> Array:
    """Return scores (rates, units), none further above the constant prediction's than that is above the best rate's.

    Where no rate is better than the constant prediction, only what is not finite is replaced, by the worst finite one.
    """
    with np.errstate(invalid="ignore"):
        finite = [row[~np.isnan(row)].mean() for row in scores if np.isfinite(row[~np.isnan(row)]).all()]
    best = min(finite, default=math.inf)
    known = scores[np.isfinite(scores)]
    limit = 2 * constant - best if best < constant else max(known, default=constant)
    return np.where(np.isnan(scores), np.nan, np.minimum(scores, limit))


def paired_means(scores: Array) -> Array:
    """Return the rates' mean scores (rates,), the luck of each unit taken off: what the rates in all units had there.

    Without it, a rate that dropped out before the harder splits would look better than those that did not.

    >>> paired_means(np.array([[1.0, 3.0], [1.5, np.nan]])).tolist()
    [2.0, 2.5]
    """
    done = ~np.isnan(scores)
    luck = scores[done.all(axis=1)].mean(axis=0)
    means: Array = np.nanmean(scores - luck, axis=1) + luck.mean()
    return means


def smooth(scores: Array, weight: float = WEIGHT) -> Array:
    """Return the rates' mean scores, each mixed with its neighbours' (an end with itself), (rates,).

    >>> smooth(np.array([[1.0], [0.0], [1.0]])).round(2).tolist()
    [0.8, 0.4, 0.8]
    """
    means = paired_means(scores[:, ~np.isnan(scores).all(axis=0)])
    padded = np.concatenate([means[:1], means, means[-1:]])
    mixed: Array = (1 - 2 * weight) * means + weight * (padded[:-2] + padded[2:])
    return mixed


def judged(
    grid: Array, scores: Array, failed: NDArray[np.int64], constant: Array, overlap: float, racing: NDArray[np.intp],
    swept: Sweep | None, seconds: float,
) -> LearningRate:  # fmt: skip
    """Return the race's record: the winner among the rates that raced to the end, and what cannot be told from it."""
    level, parts = float(constant.mean()), len(constant)
    limited = capped(scores, level)
    smoothed = smooth(limited)
    winner = int(racing[np.argmin(smoothed[racing])])
    told = (grid, scores, smoothed, failed, constant, overlap, int((~np.isnan(scores)).sum()), seconds, swept)
    mean, low, high = over_splits(limited[winner], parts, overlap)
    gain = level - mean
    ahead = limited[winner] - constant[np.arange(scores.shape[1]) % parts]
    # Gains in time may be so unequal, 0.03 in calm years and 0.7 in wild ones, that their interval holds zero.
    in_each_part = parts > 1 and all(ahead[part::PARTS].mean() < 0 for part in range(PARTS))
    if not in_each_part and not over_splits(ahead, parts, overlap, ONE_SIDED)[2] < 0:
        which = f"No rate helps: the best, {grid[winner]:.3g}, has a validation loss of {rounded(mean)}, which is not"
        reason = f"{which} below the {rounded(level)} of always predicting the same by more than noise."
        if not np.isfinite(scores[winner][~np.isnan(scores[winner])]).any():
            reason = "No rate helps: no training ended with a finite loss. Are inputs and targets standardised?"
        return LearningRate(None, None, None, reason, *told)
    others = [number for number in range(len(grid)) if number != winner]
    worse = {number: over_splits(limited[number] - limited[winner], parts, overlap) for number in others}
    safe = [number for number in others if not failed[number] or failed[winner]]
    as_good = {winner, *(number for number in safe if worse[number][1] <= 0 or worse[number][0] <= EQUAL * gain)}
    first = last = winner
    while first - 1 in as_good:
        first -= 1
    while last + 1 in as_good:
        last += 1
    # A loss changes steadily with the rate: what dropped out early is no better than the winner's neighbours are.
    rivals = [number for number in others if number in racing or abs(number - winner) == 1]
    lows = [over_splits(limited[number] - limited[winner], parts, overlap, BOUNDED)[1] for number in rivals]
    bound = max(0.0, *(-low if math.isfinite(low) else math.inf for low in lows)) / gain
    interval = float(grid[first]), float(grid[last])
    reason = (
        f"Learning rate {grid[winner]:.3g}: validation loss {rounded(mean)} ({rounded(low)} to {rounded(high)}). From "
        f"{interval[0]:.3g} to {interval[1]:.3g} none is worse by more than noise; none tried is better by more than "
        f"{bound:.1%} of what the network gains over a constant prediction."
    )
    if failed[winner]:
        own = int((~np.isnan(scores[winner])).sum())
        reason += f" {failed[winner]} of its {own} runs ended without a finite loss."
    return LearningRate(float(grid[winner]), interval, bound, reason, *told)


def over_splits(values: Array, parts: int, overlap: float, confidence: float = 0.95) -> tuple[float, float, float]:
    """Return the mean of what units gave (units,), NaN where there is nothing, and the ends of its interval.

    Units that share a split share its luck, so splits are what is counted; where there is one, units are.
    """
    if parts == 1:
        return statistics.interval(values[~np.isnan(values)], confidence)
    by_split = [values[split::parts] for split in range(parts)]
    means = [own[~np.isnan(own)].mean() for own in by_split if not np.isnan(own).all()]
    return statistics.interval(np.array(means), confidence, overlap)


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
