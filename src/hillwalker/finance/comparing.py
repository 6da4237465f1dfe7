"""Whether one forecast is better than another, or all of it is noise: tests on losses of the same days.

Losses of volatility come in clusters, so neighbouring days are no independent witnesses: every test here reckons with
it (`averages.py`). Nothing here knows a model; lower losses are better.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import records
from hillwalker.errors import InputError, explain, missing_dependency
from hillwalker.finance.averages import LEAST_DAYS, mean_test
from hillwalker.finance.prices import Array

SURE = 0.05  # the probability of chance below which a forecast is called better


@dataclass(frozen=True)
class Comparison:
    """Two forecasts' mean losses on the same days, and how likely so large a difference is by chance.

    `difference`: mean of a's losses less b's, below 0 where a is better; `better`: the name of the one that is better
    at p < 0.05, or None; `series`: over how many series each day is averaged.
    """

    names: tuple[str, str]
    means: tuple[float, float]
    difference: float
    statistic: float
    p: float
    better: str | None
    days: int
    lags: int
    series: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, numbers and strings."""
        return {name: records.plain(value) for name, value in vars(self).items()}

    def to_frame(self) -> Any:
        """Return one row."""
        columns: dict[str, Any] = {
            "a": [self.names[0]],
            "b": [self.names[1]],
            "loss_a": [self.means[0]],
            "loss_b": [self.means[1]],
            **{name: [value] for name, value in vars(self).items() if name not in ("names", "means")},
        }
        return records.to_frame(columns, call="comparison.to_frame()")


@dataclass(frozen=True)
class ConfidenceSet:
    """The models that may be the best: those whose p is above `size`.

    `p_values` and `means` (mean losses) by name, the best first; `block`: days that were drawn together.
    """

    p_values: dict[str, float]
    means: dict[str, float]
    size: float
    days: int
    block: int

    @property
    def included(self) -> tuple[str, ...]:
        """The names that stay, the best first."""
        return tuple(name for name, p in self.p_values.items() if p > self.size)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, numbers and strings."""
        return {**{name: records.plain(value) for name, value in vars(self).items()}, "included": list(self.included)}

    def to_frame(self) -> Any:
        """Return one row a model."""
        names = list(self.p_values)
        columns = {
            "model": names,
            "loss": [self.means[name] for name in names],
            "p": [self.p_values[name] for name in names],
            "included": [name in self.included for name in names],
        }
        return records.to_frame(columns, "model", "confidence_set.to_frame()")


def diebold_mariano(
    losses_a: Array, losses_b: Array, horizon: int = 1, names: tuple[str, str] = ("a", "b")
) -> Comparison:
    """Return whether one of two forecasts is better, from their losses on the same days, each (days,).

    d = losses_a - losses_b;  t = mean d / its standard error (Diebold and Mariano 1995; `mean_test`)

    Args:
        losses_a: one forecast's loss on each day, in order.
        losses_b: the other's.
        horizon: how many days a target spans; those of neighbouring rows then share days.
        names: what the two are called.

    Raises InputError where shapes differ, for fewer than 10 days, and for losses that are not finite.

    >>> random = np.random.default_rng(0)
    >>> noise = random.normal(size=500)
    >>> found = diebold_mariano(1 + noise, 1.2 + noise + 0.3 * random.normal(size=500), names=("network", "HAR"))
    >>> found.better, round(found.difference, 2), found.p < 0.001
    ('network', -0.18, True)
    """
    losses_a, losses_b = (np.asarray(losses, dtype=np.float64) for losses in (losses_a, losses_b))
    if losses_a.shape != losses_b.shape or losses_a.ndim != 1:
        passed = f"losses of shapes {losses_a.shape} and {losses_b.shape}."
        raise InputError(explain(passed, "one loss a day, of the same days."))
    test = mean_test(losses_a - losses_b, horizon)
    better = None if test.p >= SURE else names[0] if test.mean < 0 else names[1]
    means = (float(losses_a.mean()), float(losses_b.mean()))
    return Comparison(names, means, test.mean, test.statistic, test.p, better, len(losses_a), test.lags)


def pooled_diebold_mariano(
    losses_a: Mapping[str, Array],
    losses_b: Mapping[str, Array],
    dates: Mapping[str, NDArray[np.datetime64]],
    horizon: int = 1,
    names: tuple[str, str] = ("a", "b"),
) -> Comparison:
    """Return whether one of two forecasts is better over several series, given by name as (days,) each.

    Losses are averaged over the series of each day first, so that one bad day which all series share counts once; then
    as `diebold_mariano`. Series may cover different days.

    Raises InputError where names or shapes differ.

    >>> dates = np.arange("2020-01-01", "2020-12-31", dtype="datetime64[D]")
    >>> loss = np.random.default_rng(0).normal(size=len(dates))
    >>> a, b = {"one": loss, "two": loss}, {"one": loss + 0.5, "two": loss}
    >>> found = pooled_diebold_mariano(a, b, {"one": dates, "two": dates})
    >>> round(found.difference, 3), found.series, found.days
    (-0.25, 2, 365)
    """
    if not set(losses_a) == set(losses_b) == set(dates) or not losses_a:
        passed = f"losses of {sorted(losses_a)} and {sorted(losses_b)}, dates of {sorted(dates)}."
        raise InputError(explain(passed, "the same series, one or more, in all three."))
    for name in losses_a:
        if not len(losses_a[name]) == len(losses_b[name]) == len(dates[name]):
            passed = f"{len(losses_a[name])} and {len(losses_b[name])} losses, {len(dates[name])} dates of {name!r}."
            raise InputError(explain(passed, "one loss a day in both, and its date."))
    _, places = np.unique(np.concatenate([dates[name] for name in losses_a]), return_inverse=True)
    series = np.bincount(places)
    by_day = [
        np.bincount(places, np.concatenate([losses[name] for name in losses_a])) / series
        for losses in (losses_a, losses_b)
    ]
    return replace(diebold_mariano(by_day[0], by_day[1], horizon, names), series=len(losses_a))


def model_confidence_set(
    losses: Mapping[str, Array], size: float = 0.1, seed: int = 0, horizon: int = 1
) -> ConfidenceSet:
    """Return the models that hold the best one with probability 1 - size, from losses by name, each (days,).

    Hansen, Lunde and Nason (2011), by the package arch: the worst leaves as long as the differences are more than
    chance; days are drawn in blocks of sqrt(days), or of twice the horizon where that is more.

    Args:
        losses: each model's loss on the same days, in order.
        size: the probability of missing the best one.
        seed: of the days that are drawn, 1,000 times.
        horizon: how many days a target spans.

    Raises MissingDependencyError without arch; InputError where shapes differ or numbers are not finite.

    >>> noise = np.random.default_rng(0).normal(size=(3, 400))
    >>> model_confidence_set({"worse": 1 + noise[0], "good": noise[1], "as good": noise[2]}).included
    ('as good', 'good')
    """
    if importlib.util.find_spec("arch") is None:
        raise missing_dependency("arch", "the model confidence set", "finance")
    from arch.bootstrap import MCS  # takes seconds, and not everybody has it

    columns = {name: np.asarray(values, dtype=np.float64) for name, values in losses.items()}
    shapes = {values.shape for values in columns.values()}
    days = len(next(iter(columns.values()))) if columns else 0
    if shapes != {(days,)} or days < LEAST_DAYS or not all(np.isfinite(values).all() for values in columns.values()):
        passed = f"losses of shapes {sorted(shapes)}, or with a number missing."
        raise InputError(explain(passed, f"one finite loss a day for each model, {LEAST_DAYS} days or more."))
    # Twins have no difference whose error could be estimated: one stands for all of them.
    twins = {
        name: next(other for other in columns if np.array_equal(columns[other], columns[name])) for name in columns
    }
    single = list(dict.fromkeys(twins.values()))
    block = max(int(math.sqrt(days)), 2 * horizon)
    found = {single[0]: 1.0}
    if len(single) > 1:
        test = MCS(np.column_stack([columns[name] for name in single]), size=size, block_size=block, seed=seed)
        test.compute()
        found = {single[int(number)]: float(p) for number, p in test.pvalues["Pvalue"].items()}
    means = {name: float(values.mean()) for name, values in columns.items()}
    order = sorted(columns, key=lambda name: (-found[twins[name]], means[name]))
    p_values = {name: found[twins[name]] for name in order}
    return ConfidenceSet(p_values, {name: means[name] for name in order}, size, days, block)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return p by name, raised so that the chance of one false alarm among all of them stays what it says (Holm 1979).

    In ascending order, p_k becomes (m - k + 1) p_k, at least what the one before it became, at most 1.

    Raises InputError where a p lies outside 0 to 1.

    >>> {name: round(p, 3) for name, p in holm({"IBM": 0.01, "AAPL": 0.04, "MSFT": 0.03}).items()}
    {'IBM': 0.03, 'AAPL': 0.06, 'MSFT': 0.06}
    """
    for name, p in p_values.items():
        if not 0 <= p <= 1:
            raise InputError(explain(f"p = {p} for {name!r}.", "a probability, 0 to 1."))
    raised, highest = {}, 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[name]))
        raised[name] = highest
    return {name: raised[name] for name in p_values}
