"""A study of returns as one record: forecasts, losses by model and day, tests, money, curves, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import records
from hillwalker.diagnosis import Diagnosis
from hillwalker.finance import returns_words
from hillwalker.finance.comparing import SURE, Comparison
from hillwalker.finance.economics import Economics, Performance
from hillwalker.finance.prices import Array
from hillwalker.finance.return_baselines import CONSTANT
from hillwalker.finance.walk_forward import NETWORK, SeriesForecasts, WalkForward
from hillwalker.losses import Loss

RISEN = 0.75  # the share of windows whose curves have to rise again before that is called divergence


@dataclass(frozen=True)
class LossOfErrors:
    """A loss of y - p, and what it looks at.

    `symmetric`: the same for errors of either sign, so about the centre of returns; `any_unit`: the best forecast is
    the same in percent and in fractions; `level`: of a quantile, else None.
    """

    loss: Loss
    name: str
    symmetric: bool
    any_unit: bool
    level: float | None


@dataclass(frozen=True)
class ReturnScore(records.OneRow):
    """One model's mean loss; of a loss about the centre also R² against the mean of the past, and the hit rate.

    `r2_p`, `hit_p`: how likely so good a number is by luck, one-sided (Clark and West 2007; Pesaran and Timmermann
    1992); NaN where nothing can be said, as of a forecast that has but one direction.
    """

    loss: float
    r2: float = math.nan
    r2_p: float = math.nan
    hit_rate: float = math.nan
    always_up: float = math.nan
    hit_p: float = math.nan


@dataclass(frozen=True)
class QuantileCheck(records.OneRow):
    """The share of days below the forecast quantile, its 95 % interval, days near one another no independent witnesses.

    `p`: how likely a share so far from `level` is by chance on independent days (Kupiec 1995), NaN where
    returns span more than a day.
    """

    level: float
    share: float
    low: float
    high: float
    p: float
    days: int


@dataclass(frozen=True)
class Learning:
    """The windows' curves, means over seeds in units of the loss before the first epoch: 1 is the constant itself.

    `training`, `validation` (windows, epochs); `chosen`: after how many epochs each window stopped, 0 where none
    helped; `diagnosis`: of the newest window, which began on `day`.
    """

    training: Array
    validation: Array
    chosen: tuple[int, ...]
    diagnosis: Diagnosis
    day: np.datetime64

    @property
    def idle(self) -> int:
        """The number of windows in which no epoch helped."""
        return sum(epochs == 0 for epochs in self.chosen)

    @property
    def best_epoch(self) -> int:
        """After how many epochs the mean validation curve is least; 0: before the first."""
        return int(np.argmin(np.concatenate([[1.0], self.validation.mean(axis=0)])))

    @property
    def risen(self) -> float:
        """The share of windows whose validation loss at the end lies above that at the mean curve's best epoch."""
        with_start = np.column_stack([np.ones(len(self.validation)), self.validation])
        return float((with_start[:, -1] > with_start[:, self.best_epoch]).mean())

    @property
    def diverges_early(self) -> bool:
        """Whether validation loss turns up in the first half of the epochs while training loss goes on falling.

        In three windows of four or more; on the mean curve alone one loud window would decide.
        """
        falls = self.training.mean(axis=0)
        early = 2 * self.best_epoch <= self.validation.shape[1]
        return early and self.risen >= RISEN and bool(falls[-1] < falls[0])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, numbers and strings."""
        own = {"training": self.training, "validation": self.validation, "chosen": self.chosen, "day": str(self.day)}
        said = {name: getattr(self, name) for name in ("idle", "best_epoch", "risen", "diverges_early")}
        told: dict[str, Any] = records.plain(own | said)
        return {**told, "diagnosis": self.diagnosis.to_dict()}

    def to_frame(self) -> Any:
        """Return one row a window and epoch: training and validation loss in units of the start's."""
        windows, epochs = self.validation.shape
        columns = {
            "window": np.repeat(np.arange(windows), epochs),
            "epoch": np.tile(np.arange(1, epochs + 1), windows),
            "training": self.training.ravel(),
            "validation": self.validation.ravel(),
        }
        return records.to_frame(columns, call="learning.to_frame()")


@dataclass(frozen=True, eq=False, repr=False)
class ReturnsStudy:
    """Whether returns can be forecast, judged walk-forward.

    By series and model: `losses`, of each row of `walk`, NaN where the return has not come; `scores`. Tests of the
    network against each baseline: `comparisons` by series, `holm`: their p by baseline and series, raised for the
    number of series (Holm 1979), `pooled` over all series. By series: `economics` of the network's positions after
    `cost` basis points, `before_costs`; neither of a quantile, whose sign is no bet; `quantiles`: coverage, only of a
    quantile. `learning`: the windows' curves.
    """

    walk: WalkForward
    loss: LossOfErrors
    losses: dict[str, dict[str, Array]]
    scores: dict[str, dict[str, ReturnScore]]
    comparisons: dict[str, dict[str, Comparison]]
    pooled: dict[str, Comparison]
    holm: dict[str, dict[str, float]]
    economics: dict[str, Economics]
    before_costs: dict[str, Performance]
    quantiles: dict[str, QuantileCheck]
    learning: Learning | None
    cost: float
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> SeriesForecasts:
        """Return one series' forecasts by name."""
        return self.walk[name]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the series."""
        return tuple(one.name for one in self.walk.series)

    @property
    def found(self) -> tuple[str, ...]:
        """The series on which the network is better than the constant at p < 0.05 after Holm."""
        return tuple(
            name
            for name, p in self.holm[CONSTANT].items()
            if p < SURE and self.comparisons[name][CONSTANT].difference < 0
        )

    @property
    def verdict(self) -> str:
        """Return "signal" where the network is better than the best constant of the past, else "no-signal".

        Better at p < 0.05: on all series pooled, and on one of them or more after Holm's correction for their number.
        """
        return "signal" if self.pooled[CONSTANT].better == NETWORK and self.found else "no-signal"

    @property
    def sentences(self) -> tuple[str, ...]:
        """What was found, in words, the verdict first."""
        return returns_words.sentences(self)

    def __str__(self) -> str:
        return returns_words.page(self)

    __repr__ = __str__

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, numbers and strings."""
        said = {
            "verdict": self.verdict,
            "sentences": list(self.sentences),
            "loss": self.loss.name,
            "level": self.loss.level,
            "horizon": self.walk.series[0].horizon,
            "refits": self.walk.refits,
            "seeds": self.walk.settings.seeds,
            "cost": self.cost,
            "scores": {name: _dicts(by_model) for name, by_model in self.scores.items()},
            "comparisons": {name: _dicts(tests) for name, tests in self.comparisons.items()},
            "pooled": _dicts(self.pooled),
            "holm": self.holm,
            "economics": _dicts(self.economics),
            "before_costs": {name: vars(one) for name, one in self.before_costs.items()},
            "quantiles": _dicts(self.quantiles),
            "learning": None if self.learning is None else self.learning.to_dict(),
            "series": [one.to_dict() for one in self.walk.series],
            "losses": self.losses,
            "seconds": self.walk.seconds,
            "interrupted": self.walk.interrupted,
            "notes": list(self.notes),
        }
        plain: dict[str, Any] = records.plain(said)
        return plain

    def to_frame(self) -> Any:
        """Return one row a day and series: dates, the return that came, forecasts, losses, what the positions earned.

        Returns, forecasts and losses are in percent; `net` is a fraction, NaN where there are no positions.
        """
        parts = [self._columns(one) for one in self.walk.series]
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return records.to_frame(columns, call="study.to_frame()")

    def plot(self) -> Any:
        """Return a matplotlib figure of the network's lead and of what it earned (see `hillwalker.plots.returns`)."""
        from hillwalker.plots.returns import plot_returns

        return plot_returns(self)

    def _columns(self, one: SeriesForecasts) -> dict[str, NDArray[Any]]:
        net = np.full(len(one.dates), np.nan)
        if one.name in self.economics:
            net[: self.economics[one.name].days] = self.economics[one.name].net
        return {
            "series": np.full(len(one.dates), one.name),
            "date": one.dates,
            "target_date": one.target_dates,
            "actual": one.actual,
            **one.forecasts,
            **{f"loss of {name}": values for name, values in self.losses[one.name].items()},
            "net": net,
        }


def _dicts(parts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one.to_dict() for name, one in parts.items()}
