"""Networks fit for short and noisy series: a straight line first, and averaged networks for what it leaves over.

A network alone has to find the line first, and then learns noise as readily as anything else. Started at the line it
need not find that again, and where validation says that nothing is to be gained, the line is what remains.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import checks, losses
from hillwalker.errors import InputError, explain
from hillwalker.finance.baselines import LinearModel, least_squares
from hillwalker.finance.evaluate import best_shift, log_to_mean
from hillwalker.finance.prices import Array
from hillwalker.layers import Dense, Input
from hillwalker.losses import QLIKE
from hillwalker.models import Sequential, copies, fit_many
from hillwalker.optimizers import Adam

Single = NDArray[np.float32]

LINES = ("held", "trained", "none")
FARTHEST = 6.0  # standard deviations: an input beyond is taken as that far, or one crash bends the line
LEAST_SPREAD = 1e-12
PAIR = 2  # units that carry the line through a layer of ReLU: relu(z) - relu(-z) = z


@dataclass(frozen=True)
class Settings:
    """How the networks of a window are made and trained; chosen on the development part of six series.

    `units`: of each hidden layer, ReLU; `loss`: "mse", "qlike" (of log targets), or any other loss, of targets in units
    of what the line leaves over; `line`: "held" (HAR-X, fitted by least squares, and the network learns what it leaves
    over), "trained" (the network starts at the line, and may leave it) or "none" (it starts at the best constant);
    `seeds`: networks whose forecasts are averaged; `epochs`: at most: how many is read off the newest
    `validation_share` of the window's own days, and then all its days are trained on; `of_logs`: whether targets are
    logs of what is to be forecast in the mean, as those of volatility are.
    """

    units: tuple[int, ...] = (32,)
    loss: Any = "mse"
    line: str = "held"
    seeds: int = 20
    epochs: int = 32
    learning_rate: float = 5e-4
    batch_size: int = 64
    validation_share: float = 0.2
    of_logs: bool = True

    def __post_init__(self) -> None:
        """Refuse what no network can be made from."""
        call = "Settings({})"
        for name in ("seeds", "epochs", "batch_size"):
            checks.positive_integer(name, getattr(self, name), call.format(f"{name}={getattr(Settings, name)}"))
        if self.line not in LINES:
            known = ", ".join(f'"{name}"' for name in LINES)
            raise InputError(explain(f"line={self.line!r}.", known + ".", 'Settings(line="held")'))
        if not 0 < self.validation_share < 1:
            passed = f"validation_share={self.validation_share!r}."
            raise InputError(explain(passed, "a share between 0 and 1.", "Settings(validation_share=0.2)"))
        losses.get(self.loss)  # refuses an unknown one before anything is computed
        if self.is_qlike and not self.of_logs:
            raise InputError(explain('loss="qlike" of returns.', "a loss of numbers of either sign.", 'loss="mse"'))

    @property
    def is_qlike(self) -> bool:
        """Whether the loss is QLIKE, which looks at the variance itself."""
        return isinstance(self.loss, QLIKE) or (isinstance(self.loss, str) and self.loss.lower() == "qlike")


@dataclass(frozen=True)
class Part:
    """One series' days to learn from: `dates` (rows,), `X` (rows, inputs), `y` (rows,)."""

    dates: NDArray[np.datetime64]
    X: Array
    y: Array

    def __getitem__(self, rows: slice | NDArray[np.bool_]) -> Part:
        """Return some of the rows."""
        return Part(self.dates[rows], self.X[rows], self.y[rows])


@dataclass(frozen=True)
class Base:
    """What a series' forecasts start from: its inputs scaled, a line or a constant, and the size of what is left.

    target = line(x) + spread · network(x),     x = (X - mean) / scale, within ±6
    """

    mean: Array
    scale: Array
    line: LinearModel
    spread: float

    def inputs(self, X: Array) -> Array:
        """Return scaled inputs, (rows, inputs)."""
        return np.clip((X - self.mean) / self.scale, -FARTHEST, FARTHEST)


def base_of(part: Part, settings: Settings) -> Base:
    """Return what a series' own days teach before any network: scaling, the line, and what it leaves over."""
    mean, scale = part.X.mean(axis=0), np.maximum(part.X.std(axis=0), LEAST_SPREAD)
    x = np.clip((part.X - mean) / scale, -FARTHEST, FARTHEST)
    line = LinearModel(float(part.y.mean()), np.zeros(x.shape[1]))
    if settings.line == "held":
        line = least_squares(x, part.y)
    left = part.y - line.predict(x)
    if settings.is_qlike:  # which aims at the mean variance; its outputs are log variance itself
        spread, step = 1.0, log_to_mean(left, np.zeros_like(left))
    else:
        spread = max(float(left.std()), LEAST_SPREAD)
        loss = losses.get(settings.loss)  # of a loss that is not symmetric the best line lies elsewhere
        step = spread * best_shift(loss, left / spread)
    return Base(mean, scale, replace(line, intercept=line.intercept + step), spread)


@dataclass(frozen=True)
class Curves:
    """One window's learning on its older days, judged on its newest: (seeds, epochs) each, in units of what is left.

    `start`: the validation loss before the first epoch; `chosen`: after how many epochs the mean of the seeds is least;
    `errors`: of the line alone on each series' newest days, which it has not learned from; none without a line;
    `start_loss`: as `start`, on the older days.
    """

    loss: Array
    validation: Array
    start: float
    chosen: int
    errors: tuple[Array, ...] = ()
    start_loss: float = math.nan

    @property
    def means(self) -> dict[str, Array]:
        """The seeds' mean curves as a log has them, the state before the first epoch first."""
        return {
            "loss": np.concatenate([[self.start_loss], self.loss.mean(axis=0)]),
            "val_loss": np.concatenate([[self.start], self.validation.mean(axis=0)]),
        }

    @property
    def diverges_early(self) -> bool:
        """Whether validation is best before the first epoch, and worse after the last: what is learned is noise."""
        return self.chosen == 0 and float(self.validation[:, -1].mean()) > self.start


@dataclass(frozen=True)
class Fitted:
    """Networks fitted to the days of one or several series, and what their forecasts start from."""

    settings: Settings
    bases: tuple[Base, ...]
    corrections: tuple[float, ...]
    models: tuple[Sequential, ...]
    curves: Curves | None
    rows: int

    def members(self, series: int, X: Array) -> Array:
        """Return each seed's forecasts for rows of a series, (seeds, rows), before any correction."""
        base = self.bases[series]
        x = base.inputs(X)
        single = x.astype(np.float32)
        left = np.array([model.predict_on_batch(single)[:, 0] for model in self.models], np.float64)
        return np.asarray(base.line.predict(x) + base.spread * left)


def fit_networks(parts: Sequence[Part], settings: Settings, seed: int = 0, threads: int | None = None) -> Fitted:
    """Return networks fitted to one or several series' days, the number of epochs chosen on their newest days.

    The choice is made by networks that have not seen the newest days; those that forecast are trained on all of them.
    """
    early, late = split_in_time(parts, settings.validation_share)
    bases = [base_of(part, settings) for part in early]
    models = fresh(early, bases, settings, seed)
    x, t = together(early, bases, settings)
    x_late, t_late = together(late, bases, settings)
    start_loss, start = (float(models[0].evaluate(*days, verbose=0)) for days in ((x, t), (x_late, t_late)))
    histories = fit_many(
        models, x, t, batch_size=settings.batch_size, epochs=settings.epochs, validation_data=(x_late, t_late),
        verbose=0, threads=threads,
    )  # fmt: skip
    errors = [part.y - base.line.predict(base.inputs(part.X)) for part, base in zip(late, bases, strict=True)]
    known = tuple(errors) if settings.line == "held" else ()
    curves = replace(_curves(histories, start, settings.epochs, known), start_loss=start_loss)

    bases = [base_of(part, settings) for part in parts]
    models = fresh(parts, bases, settings, seed)
    x, t = together(parts, bases, settings)
    if curves.chosen:
        fit_many(models, x, t, batch_size=settings.batch_size, epochs=curves.chosen, verbose=0, threads=threads)
    return corrected(Fitted(settings, tuple(bases), (), tuple(models), curves, len(t)), parts)


def fit_on(fitted: Fitted, parts: Sequence[Part], threads: int | None = None) -> Fitted:
    """Return the networks after a warm start: lines and scaling fitted anew, and new days learned from once.

    A step is taken when a batch of new days is full: steps on the newest days at every refit bend the networks to the
    last weeks, and forecast worse than no step at all (docs/volatility.md). Where no epoch helped, the line goes on.
    """
    settings, size = fitted.settings, fitted.settings.batch_size
    bases = [base_of(part, settings) for part in parts]
    rows = sum(len(part.y) for part in parts)
    learned = fitted.rows
    if rows - learned >= size and (fitted.curves is None or fitted.curves.chosen):
        newest = np.sort(np.concatenate([part.dates for part in parts]))[-(rows - learned)]
        x, t = together([part[part.dates >= newest] for part in parts], bases, settings)
        fit_many(fitted.models, x, t, batch_size=size, epochs=1, verbose=0, threads=threads)
        learned = rows
    return corrected(replace(fitted, bases=tuple(bases), rows=learned), parts)


def corrected(fitted: Fitted, parts: Sequence[Part]) -> Fitted:
    """Return the networks with each series' step from the mean of logs to the log of the mean, from their own days."""
    if fitted.settings.is_qlike or not fitted.settings.of_logs:
        return replace(fitted, corrections=(0.0,) * len(parts))
    steps = [log_to_mean(part.y, fitted.members(number, part.X).mean(axis=0)) for number, part in enumerate(parts)]
    return replace(fitted, corrections=tuple(steps))


def split_in_time(parts: Sequence[Part], share: float) -> tuple[list[Part], list[Part]]:
    """Return each series' older and newer days, cut at one date, so that no series tells another's future."""
    dates = np.sort(np.concatenate([part.dates for part in parts]))
    cut = dates[int(len(dates) * (1 - share))]
    early, late = [part[part.dates < cut] for part in parts], [part[part.dates >= cut] for part in parts]
    for part, whole in zip(early, parts, strict=True):
        if len(part.y) < part.X.shape[1] + 2:
            raise InputError(
                explain(
                    f"{len(part.y)} of {len(whole.y)} days to learn from before the validation days, "
                    f"for {part.X.shape[1]} inputs.",
                    f"{part.X.shape[1] + 2} or more.",
                    "start later (first=750), or leave the short series out",
                )
            )
    return early, late


def together(parts: Sequence[Part], bases: Sequence[Base], settings: Settings) -> tuple[Single, Single]:
    """Return all series' scaled inputs and what their lines leave over, one after another."""
    inputs, targets = [], []
    for part, base in zip(parts, bases, strict=True):
        x = base.inputs(part.X)
        left = (part.y - base.line.predict(x)) / base.spread
        inputs.append(x)
        targets.append(np.exp(left) if settings.is_qlike else left)
    return np.concatenate(inputs).astype(np.float32), np.concatenate(targets).astype(np.float32)


def fresh(parts: Sequence[Part], bases: Sequence[Base], settings: Settings, seed: int) -> list[Sequential]:
    """Return untrained networks, one a seed, whose outputs are zero, or the line where that is trained."""
    extra = PAIR if settings.line == "trained" else 0
    model = Sequential([Input((parts[0].X.shape[1],))])
    for units in settings.units:
        model.add(Dense(units + extra, activation="relu", kernel_initializer="he_normal"))
    model.add(Dense(1, kernel_initializer="zeros"))
    loss = QLIKE(from_log=True) if settings.is_qlike else settings.loss
    model.compile(Adam(settings.learning_rate), loss)
    models = copies(model, range(seed, seed + settings.seeds))
    if extra:
        x, t = together(parts, bases, settings)
        line = least_squares(x.astype(np.float64), (np.log(t) if settings.is_qlike else t).astype(np.float64))
        for one in models:
            one.set_weights(carrying(line, one.get_weights()))
    return models


def carrying(line: LinearModel, weights: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """Return weights of ReLU layers whose first two units pass on a line, relu(z) - relu(-z) = z, and nothing else.

    The other units start as they were, and do not reach the output yet: a network that starts at the line.
    """
    told = [np.array(weight) for weight in weights]
    told[0][:, :PAIR] = np.stack([line.slopes, -line.slopes], axis=1)
    for kernel in told[2:-2:2]:
        kernel[:, :PAIR] = 0.0
        kernel[:PAIR, :PAIR] = np.eye(PAIR)
    for bias in told[1:-2:2]:
        bias[:PAIR] = 0.0
    told[-2][:] = 0.0
    told[-2][:PAIR, 0] = 1.0, -1.0
    told[-1][:] = line.intercept
    return told


def _curves(histories: Sequence[Any], start: float, epochs: int, errors: tuple[Array, ...]) -> Curves:
    """Return the seeds' curves; what a diverged one has not reached counts as endless loss."""

    def of(name: str) -> Array:
        table = np.full((len(histories), epochs), np.inf)
        for row, history in zip(table, histories, strict=True):
            row[: len(history.history[name])] = history.history[name]
        return table

    validation = of("val_loss")
    means = np.concatenate([[start], np.where(np.isfinite(validation), validation, np.inf).mean(axis=0)])
    return Curves(of("loss"), validation, start, int(np.argmin(means)), errors)
