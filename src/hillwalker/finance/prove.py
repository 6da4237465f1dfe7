"""The proof of no leak: corrupt everything after a day, and every number up to that day stays the same to the bit.

It is run on the user's own prices with the user's own settings, for every stage of the chain, and fails where the
corruption itself could not be seen: a proof that cannot fail proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import checks, losses, records
from hillwalker.errors import InputError, explain
from hillwalker.finance.baselines import BASELINES
from hillwalker.finance.features import LEAST_DAYS, Features, return_features, volatility_features
from hillwalker.finance.network import Settings
from hillwalker.finance.prices import Array, Prices
from hillwalker.finance.proxies import PROXIES
from hillwalker.finance.return_baselines import BOOSTING, ReturnBaselines
from hillwalker.finance.walk_forward import NETWORK, Baseline, SeriesForecasts, walk_forward
from hillwalker.finance.windows import FIRST
from hillwalker.training.progress import Shown

WALKS = {"refitted": ("yearly", 3 * 252), "warm": ("monthly", 5 * 21)}  # refits, the newest days that are forecast
QUICK = Settings(seeds=2, epochs=4)
RETURNS = "returns, all models"
WILD = 0.2  # standard deviation of a corrupted day's log return
MANY = 8  # times as many origins for the stages that cost little


@dataclass(frozen=True)
class Stage:
    """One stage: how many days the future was cut off at, how many numbers were compared, and the first that changed.

    `leak`: None, or the origin and what of an earlier day changed; `seen`: whether later numbers did change.
    """

    name: str
    origins: int
    compared: int
    leak: str | None
    seen: bool

    @property
    def holds(self) -> bool:
        """Whether nothing leaked, though there was something to be seen."""
        return self.leak is None and self.seen


@dataclass(frozen=True)
class Proof:
    """What corrupting the future changed, stage by stage."""

    series: str
    stages: tuple[Stage, ...]

    @property
    def holds(self) -> bool:
        """Whether no stage leaks."""
        return all(stage.holds for stage in self.stages)

    def __str__(self) -> str:
        width = max(len(stage.name) for stage in self.stages)
        lines = [f"{self.series}: everything after a day corrupted, every number up to that day compared, to the bit."]
        for stage in self.stages:
            found = "holds" if stage.holds else f"LEAKS: {stage.leak}" if stage.leak else "corruption could not be seen"
            lines.append(f"{stage.name.ljust(width)}  {stage.origins:>4} days  {stage.compared:>9,} numbers  {found}")
        return "\n".join([*lines, "No leak." if self.holds else "The future leaks into forecasts."])

    def to_frame(self) -> Any:
        """Return one row a stage."""
        names = ("name", "origins", "compared", "leak", "seen", "holds")
        columns = {name: [getattr(stage, name) for stage in self.stages] for name in names}
        return records.to_frame(columns, index="name", call="proof.to_frame()")

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, numbers and strings."""
        stages = [vars(stage) | {"holds": stage.holds} for stage in self.stages]
        return {"series": self.series, "holds": self.holds, "stages": stages}


def corrupted(prices: Prices, day: int, seed: int = 0) -> Prices:
    """Return prices of which every day after number `day` is another, wild one; the dates stay.

    >>> from hillwalker.finance.prices import load_sp500
    >>> prices = load_sp500()
    >>> wild = corrupted(prices, 100)
    >>> bool((wild.close[:101] == prices.close[:101]).all()), bool((wild.close[101:] == prices.close[101:]).any())
    (True, False)
    """
    random = np.random.default_rng([seed, day])
    later = np.arange(len(prices)) > day
    count = int(later.sum())
    close = np.exp(np.clip(np.log(prices.close[day]) + np.cumsum(WILD * random.normal(size=count)), -40, 40))
    opened = close * np.exp(WILD * random.normal(size=count))
    high = np.maximum(opened, close) * np.exp(WILD * random.random(count))
    low = np.minimum(opened, close) * np.exp(-WILD * random.random(count))
    wild = {"open": opened, "high": high, "low": low, "close": close, "volume": 1e6 * np.exp(random.normal(size=count))}
    columns: dict[str, Any] = {}
    for name, values in wild.items():
        columns[name] = np.array(getattr(prices, name), np.float64)
        columns[name][later] = values
    return replace(prices, remarks=(), **columns)


def prove_no_leak(
    prices: Prices,
    *,
    origins: int = 6,
    horizon: int = 1,
    proxy: str = "parkinson",
    settings: Settings = QUICK,
    baselines: Mapping[str, Baseline] = BASELINES,
    seed: int = 0,
    verbose: Any = "auto",
) -> Proof:
    """Return what corrupting the future changes: nothing, if nothing leaks.

    Half of the days are those on which something is refitted, the others are drawn at random. For each, every later
    price and volume is replaced, the whole chain is run again, and everything that is known at that day's close is
    compared to the bit: proxies, features, labels that have come, scaling and lines (by their forecasts), baselines,
    networks refitted and warm-started, corrections and intervals.

    Args:
        prices: one series.
        origins: days for the stages that train; eight times as many for proxies and features.
        horizon, proxy: as in `volatility`.
        settings: of the networks: few seeds and epochs, since a leak does not need many.
        baselines: what is to be proven beside the networks.

    Raises InputError for too few days.

    >>> from hillwalker.finance.prices import load_sp500
    >>> proof = prove_no_leak(load_sp500(), origins=1, baselines={}, verbose=0)
    >>> proof.holds, [stage.name for stage in proof.stages][-1]
    (True, 'returns, all models')
    """
    count = checks.positive_integer("origins", origins, "prove_no_leak(prices, origins=6)")
    newest = min(len(prices) - FIRST // 2, WALKS["refitted"][1])
    if newest < 2 * horizon + 2:
        raise InputError(explain(f"{len(prices)} days of prices.", f"{FIRST // 2 + 2 * horizon + 2} or more.", None))
    tracks = {name: _Track(name) for name in ("proxies", "volatility features", "return features", *baselines)}
    tracks |= {name: _Track(name) for name in (f"{NETWORK}, refitted", f"{NETWORK}, warm", RETURNS)}
    bar = Shown("proof", verbose)
    starts: set[np.datetime64] = set()

    def chain(given: Prices) -> Iterator[tuple[str, NDArray[Any], NDArray[Any], Array]]:
        features = volatility_features(given, horizon, proxy, open_end=True)
        for kind, (refits, days) in WALKS.items():
            first = max(len(features.y) - min(days, newest), 1)
            names = [*baselines, NETWORK] if kind == "refitted" else [NETWORK]
            walk = walk_forward(
                features, baselines=baselines, models=names, settings=settings, refits=refits, first=first, seed=seed,
                verbose=0,
            )  # fmt: skip
            starts.update(window.start for window in walk.windows)
            yield from _forecasts(walk.series[0], kind)
        gains = return_features(given, horizon, proxy, open_end=True)
        first = max(len(gains.y) - newest, 1)
        yield from _forecasts(_returns_walk(gains, settings, first, seed), "returns")

    random = np.random.default_rng(seed)
    last = len(prices) - 2
    many = sorted({LEAST_DAYS + 1, last, *random.integers(LEAST_DAYS, last, size=MANY * count).tolist()})
    try:
        clean_stages, clean_chain = list(_stages(prices, horizon, proxy)), list(chain(prices))
        days = _drawn(random, count, [int(np.searchsorted(prices.dates, day)) for day in sorted(starts)], last)
        total, done = len(days) + 1 + len(many) / 50, 1.0
        for day in many:
            _compare(
                tracks, clean_stages, list(_stages(corrupted(prices, day, seed), horizon, proxy)), prices.dates[day]
            )
            done += 1 / 50
            bar(done / total)
        for day in days:
            _compare(tracks, clean_chain, list(chain(corrupted(prices, day, seed))), prices.dates[day])
            done += 1
            bar(done / total)
    finally:
        bar.close()
    return Proof(prices.name, tuple(track.stage for track in tracks.values()))


def _drawn(random: np.random.Generator, count: int, starts: list[int], last: int) -> list[int]:
    """Return days: every other one begins a window, where labels that are not known yet would leak; others at random.

    The last window's first day is among them, and the last day but one.
    """
    begun = [starts[-1], *random.permutation(starts[:-1]).tolist()][: (count + 1) // 2]
    others = [last, *random.integers(starts[0], last, size=count).tolist()][: count // 2]
    return sorted({*begun, *others})


Numbers = tuple[str, NDArray[Any], NDArray[Any], Array]
"""A stage's name, the days at whose close its numbers are known (rows,), what they are (rows,), and they (rows, n)."""


def _stages(prices: Prices, horizon: int, proxy: str) -> Iterator[Numbers]:
    for function in PROXIES.values():
        yield "proxies", prices.dates, prices.dates, np.asarray(function(prices))[:, np.newaxis]
    for stage, made in (("volatility features", volatility_features), ("return features", return_features)):
        features: Features = made(prices, horizon, proxy, open_end=True)
        yield stage, features.dates, features.dates, features.X
        come = ~np.isnat(features.target_dates)
        yield stage, features.target_dates[come], features.dates[come], features.y[come, np.newaxis]


def _returns_walk(features: Features, settings: Settings, first: int, seed: int) -> SeriesForecasts:
    baselines = ReturnBaselines(losses.get("mse")).by_name(True)
    quick = [name for name in baselines if name != BOOSTING]  # the trees are those of volatility
    how = replace(settings, line="none", of_logs=False, loss="mse")
    walk = walk_forward(
        features, baselines=baselines, models=[*quick, NETWORK], settings=how, first=first, seed=seed, verbose=0
    )
    return walk.series[0]


def _forecasts(one: SeriesForecasts, kind: str) -> Iterator[Numbers]:
    for model, forecast in one.forecasts.items():
        numbers = [forecast, one.corrections[model]]
        if model == NETWORK:
            numbers += [*one.members, *(end for ends in one.intervals.values() for end in ends)]
        stage = RETURNS if kind == "returns" else f"{NETWORK}, {kind}" if model == NETWORK else model
        yield stage, one.dates, one.dates, np.stack(numbers, axis=1)


class _Track:
    """What was compared of one stage so far."""

    def __init__(self, name: str) -> None:
        self.name, self.compared, self.seen = name, 0, False
        self.leak: str | None = None
        self.origins: set[str] = set()

    @property
    def stage(self) -> Stage:
        return Stage(self.name, len(self.origins), self.compared, self.leak, self.seen)


def _compare(tracks: dict[str, _Track], clean: list[Numbers], dirty: list[Numbers], origin: Any) -> None:
    """Compare what is known at the origin's close, and see whether what comes later has changed."""
    for (stage, known, rows, numbers), (_, known_again, rows_again, again) in zip(clean, dirty, strict=True):
        track = tracks[stage]
        before, before_again = known <= origin, known_again <= origin
        track.origins.add(str(origin))
        track.compared += int(before.sum()) * numbers.shape[1]
        track.seen |= not np.array_equal(numbers[~before], again[~before_again], equal_nan=True)
        if track.leak is not None:
            continue
        if not np.array_equal(rows[before], rows_again[before_again]):
            track.leak = f"after {origin}, other days have numbers"
        else:
            same = (numbers[before] == again[before_again]) | (
                np.isnan(numbers[before]) & np.isnan(again[before_again])
            )
            if not same.all():
                first = int(np.argmin(same.all(axis=1)))
                track.leak = f"corrupted after {origin}, the number of {rows[before][first]} changes"
