"""The whole chain in one call: prices in, walk-forward forecasts of volatility, baselines, tests and a verdict out.

Every stage is a function of its own that one can call alone: `read_prices`, a proxy, `volatility_features`,
`walk_forward_windows`, `fit_networks`, a baseline, `conformal_intervals`, `diebold_mariano`, `model_confidence_set`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from hillwalker import checks, records
from hillwalker.diagnosis import Diagnosis, diagnose
from hillwalker.errors import InputError, InputTypeError, explain
from hillwalker.finance import words
from hillwalker.finance.averages import LEAST_DAYS
from hillwalker.finance.comparing import (
    SURE,
    Comparison,
    ConfidenceSet,
    diebold_mariano,
    holm,
    model_confidence_set,
    pooled_diebold_mariano,
)
from hillwalker.finance.evaluate import Calibration, Coverage, calibration, coverage, qlike, score
from hillwalker.finance.features import Features, volatility_features
from hillwalker.finance.network import Settings
from hillwalker.finance.prices import Array, Prices, annualised_percent
from hillwalker.finance.reading import read_all_prices
from hillwalker.finance.walk_forward import NETWORK, SeriesForecasts, WalkForward, walk_forward
from hillwalker.finance.windows import FIRST
from hillwalker.scores import in_words

ALONE = "network alone"
BAR = "HAR-X"  # the straight line on the network's own inputs: the fair bar
MCS_SIZE = 0.1
FEWEST = 50  # days that are judged, or no test is made


@dataclass(frozen=True)
class SeriesResult:
    """How the forecasts of one series did: all on the same days.

    `scores`: by model: QLIKE of the variance, RMSE, MAE and R² of its log; `tests`: of the network against each other
    model, by QLIKE (`diebold_mariano`); `confidence_set`: the models that may be the best one, at 90 %;
    `calibration`: of the network's log forecasts; `coverage`: by level, of its intervals; `seeds`: of the band between
    which 90 % of the seeds lie. The tests are None or empty where fewer than 50 days can be judged. `losses`: by model,
    the QLIKE of each day that has come; `by_year`: by level and year, the coverage of years of 10 days or more.
    """

    name: str
    days: int
    scores: dict[str, dict[str, float]]
    tests: dict[str, Comparison]
    confidence_set: ConfidenceSet | None
    calibration: Calibration | None
    coverage: dict[float, Coverage]
    seeds: Coverage | None = None
    losses: dict[str, Array] = field(default_factory=dict)
    by_year: dict[float, dict[int, Coverage]] = field(default_factory=dict)

    def to_frame(self) -> Any:
        """Return one row a model: its scores, the p of the network's difference, whether it may be the best."""
        columns: dict[str, list[Any]] = {"model": list(self.scores)}
        for name in next(iter(self.scores.values()), {}):
            columns[name] = [scores[name] for scores in self.scores.values()]
        columns["p"] = [self.tests[name].p if name in self.tests else math.nan for name in self.scores]
        best = self.confidence_set
        columns["may be best"] = [None if best is None else name in best.included for name in self.scores]
        return records.to_frame(columns, index="model", call="study.results[0].to_frame()")

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the days' losses as plain lists, numbers and strings."""
        return {
            "name": self.name,
            "days": self.days,
            "scores": records.plain(self.scores),
            "tests": {name: test.to_dict() for name, test in self.tests.items()},
            "confidence_set": None if self.confidence_set is None else self.confidence_set.to_dict(),
            "calibration": None if self.calibration is None else self.calibration.to_dict(),
            "coverage": {str(level): found.to_dict() for level, found in self.coverage.items()},
            "seeds": None if self.seeds is None else self.seeds.to_dict(),
            "by_year": {
                str(level): {str(year): found.to_dict() for year, found in years.items()}
                for level, years in self.by_year.items()
            },
        }


@dataclass(frozen=True)
class Coming:
    """A series' newest forecast, of days that have not come: volatility in percent a year, and its 90 % interval."""

    date: np.datetime64
    volatility: float
    low: float
    high: float


@dataclass(frozen=True, repr=False)
class VolatilityStudy:
    """What a walk-forward study of volatility found.

    `walk`: every forecast; `results`: by series; `pooled`: the network against each other model over all series;
    `corrected`: for each other model, each series' p once it is counted how many series were tried (Holm); `readings`:
    what `diagnose` reads off each window's curves, as (window's first day, diagnosis); `alone`: the same of the network
    without its line, where that was asked for; `notes`: what is odd about the data, by series.
    """

    walk: WalkForward
    results: tuple[SeriesResult, ...]
    pooled: dict[str, Comparison]
    corrected: dict[str, dict[str, float]]
    readings: tuple[tuple[np.datetime64, Diagnosis], ...]
    alone: WalkForward | None
    alone_readings: tuple[tuple[np.datetime64, Diagnosis], ...]
    notes: dict[str, tuple[str, ...]]
    proxy: str
    horizon: int

    def __getitem__(self, name: str) -> SeriesForecasts:
        """Return one series' forecasts by name."""
        return self.walk[name]

    @property
    def verdict(self) -> str:
        """What came of the fair bar: "beats-HAR-X", "level-with-HAR-X", "behind-HAR-X", or "untested"."""
        if BAR not in self.pooled:
            return "untested"
        better = self.pooled[BAR].better
        return f"level-with-{BAR}" if better is None else f"{'beats' if better == NETWORK else 'behind'}-{BAR}"

    @property
    def sentences(self) -> list[str]:
        """The verdict in words: the network beside each model, the fair bar first; over all series where several."""
        order = sorted(self.pooled, key=lambda name: name != BAR)
        said = []
        for name in order:
            test = self.pooled[name]
            other = "HAR-X, the straight line on the same inputs" if name == BAR else name
            said.append(in_words(test.means[0], test.means[1], other, "QLIKE", test.p))
        for name, by_series in self.corrected.items():
            worse = [series for series, p in by_series.items() if p < SURE and self._behind(series, name)]
            if worse and len(by_series) > 1:
                said.append(f"On {', '.join(worse)} alone it loses to {name} (Holm's p below {SURE}).")
        return said

    def _behind(self, series: str, model: str) -> bool:
        return next(one for one in self.results if one.name == series).tests[model].difference > 0

    @property
    def coming(self) -> dict[str, Coming]:
        """The forecast for the days after the last close, by series, where the series are not cut off before."""
        found = {}
        for one in self.walk.series:
            if not np.isnat(one.target_dates[-1]) or NETWORK not in one.forecasts:
                continue
            low, high = one.intervals[max(one.intervals)]
            told = annualised_percent(np.exp([one.forecasts[NETWORK][-1], low[-1], high[-1]]))
            found[one.name] = Coming(one.dates[-1], *told.tolist())
        return found

    def __str__(self) -> str:
        return words.text(self)

    __repr__ = __str__

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the models as plain lists, numbers and strings."""
        return {
            "verdict": self.verdict,
            "sentences": self.sentences,
            **self.walk.to_dict(),
            "results": [one.to_dict() for one in self.results],
            "pooled": {name: test.to_dict() for name, test in self.pooled.items()},
            "corrected": records.plain(self.corrected),
            "coming": {
                name: {"date": str(one.date), "volatility": one.volatility, "low": one.low, "high": one.high}
                for name, one in self.coming.items()
            },
            "readings": [[str(day), found.verdict] for day, found in self.readings],
            "proxy": self.proxy,
            "horizon": self.horizon,
            "notes": {name: list(notes) for name, notes in self.notes.items()},
        }

    def to_frame(self) -> Any:
        """Return one row a day and series: dates, actual log variance, each model's forecast, the intervals' ends."""
        return records.to_frame(self.walk.columns, call="study.to_frame()")

    def plot(self) -> Any:
        """Return a matplotlib figure of forecasts and what came (`plots.plot_forecasts`, which says what else it can).

        Raises MissingDependencyError, with the line that installs it, where matplotlib is missing.
        """
        from hillwalker.plots.volatility import plot_forecasts

        return plot_forecasts(self)

    def save(self, folder: str | Path, overwrite: bool = False) -> list[Path]:
        """Write the page, its pictures, JSON and forecasts as CSV into a folder (`volatility_page.write_volatility`).

        Raises FileError for a folder that holds files of others, but for `overwrite`.
        """
        from hillwalker.volatility_page import write_volatility

        return write_volatility(self, folder, overwrite)


def volatility(
    prices: Any,
    *,
    horizon: int = 1,
    proxy: str = "parkinson",
    refits: int | str = "yearly",
    first: int = FIRST,
    length: int | None = None,
    models: Sequence[str] | None = None,
    settings: Settings | None = None,
    seeds: int | None = None,
    panel: bool = True,
    warm: bool | None = None,
    alone: bool = False,
    seed: int = 0,
    threads: int | None = None,
    verbose: Any = "auto",
) -> VolatilityStudy:
    """Return walk-forward forecasts of volatility beside what they have to beat, with tests and a verdict in words.

    prices -> proxy -> features -> target at the horizon -> windows (labels purged, refits daily to yearly) -> scaling
    and HAR-X fitted in each window -> networks for what the line leaves over, averaged over seeds -> baselines on the
    same days -> QLIKE, Diebold-Mariano, model confidence set, intervals with their coverage

    Args:
        prices: a `Prices`, several by name, or what `read_prices` reads: a file, a frame, yfinance's shapes.
        horizon: days whose mean variance is forecast.
        proxy: how one day's variance is measured: "parkinson" (from high and low; the night is left out), or another
            name in `finance.PROXIES`.
        refits: "daily", "weekly", "monthly", "quarterly", "yearly" or a number of days.
        first: days of each series before its first forecast.
        length: days to learn from at most; None: all of the past.
        models: names in `finance.BASELINES` and "network"; None: all.
        settings: of the networks; None: `Settings()`.
        seeds: networks whose forecasts are averaged; None: as settings say, 20.
        panel: whether the networks of several series learn together, each series with a line of its own.
        warm: whether networks go on from where they were at refits; None: where these are less than a quarter apart.
        alone: whether the network is also tried without its line, to see what the line is worth.
        seed: the first of the seeds.

    Returns a VolatilityStudy; Ctrl-C, of the windows that are done. Raises InputError before anything is computed;
    MissingDependencyError for a baseline whose package is missing, with the line that installs it.

    >>> from hillwalker.finance import load_sp500
    >>> study = volatility(load_sp500(), models=["log-HAR", "HAR-X", "network"], seeds=3, first=4000, verbose=0)
    >>> study.verdict, study.results[0].days, study.walk.series[0].forecasts["network"].shape
    ('level-with-HAR-X', 1009, (1010,))
    """
    series = prices_of(prices)
    features = common({name: volatility_features(one, horizon, proxy, open_end=True) for name, one in series.items()})
    how = settings if settings is not None else Settings()
    if not isinstance(how, Settings):
        fix = "volatility(prices, settings=Settings(units=(32,)))"
        raise InputTypeError(explain(f"settings={settings!r}.", "hillwalker.finance.Settings.", fix))
    if seeds is not None:
        how = replace(how, seeds=checks.positive_integer("seeds", seeds, "volatility(prices, seeds=20)"))
    told: dict[str, Any] = {"refits": refits, "first": first, "length": length, "panel": panel, "warm": warm}
    told |= {"seed": seed, "threads": threads, "verbose": verbose}
    walk = walk_forward(features, models=models, settings=how, **told)
    without = None
    if alone and not walk.interrupted:
        without = walk_forward(features, models=[NETWORK], settings=replace(how, line="none"), **told)
        walk = beside(walk, without)
    return studied(walk, without, {name: one.notes for name, one in features.items()}, proxy, horizon)


def prices_of(source: Any) -> dict[str, Prices]:
    """Return prices by name: one `Prices`, a mapping of them, or whatever `read_all_prices` reads."""
    if isinstance(source, Prices):
        return {source.name: source}
    if isinstance(source, Mapping) and source and all(isinstance(one, Prices) for one in source.values()):
        return {str(name): one for name, one in source.items()}
    if isinstance(source, (list, tuple)) and source and all(isinstance(one, Prices) for one in source):
        names = [one.name for one in source]
        if len(set(names)) < len(names):
            raise InputError(
                explain(f"prices named {', '.join(names)}.", "a name of its own for each.", "{'A': prices}")
            )
        return dict(zip(names, source, strict=True))
    if source is None:
        raise InputTypeError(explain("None as prices.", "a Prices, a path or a frame.", "volatility(load_sp500())"))
    return read_all_prices(source)


def common(features: Mapping[str, Features]) -> dict[str, Features]:
    """Return features cut down to the inputs that all series have, with a note where some were left out."""
    shared = [name for name in next(iter(features.values())).names if all(name in f.names for f in features.values())]
    found = {}
    for series, one in features.items():
        lost = [name for name in one.names if name not in shared]
        places = [one.names.index(name) for name in shared]
        notes = (*one.notes, f"inputs left out, which other series lack: {', '.join(lost)}") if lost else one.notes
        found[series] = replace(one, X=one.X[:, places], names=tuple(shared), notes=notes)
    return found


def beside(walk: WalkForward, without: WalkForward) -> WalkForward:
    """Return a walk with the forecasts of the network without its line as one more model."""
    series = []
    for one in walk.series:
        other = without[one.name]
        forecasts = {**one.forecasts, ALONE: other.forecasts[NETWORK]}
        series.append(
            replace(one, forecasts=forecasts, corrections=one.corrections | {ALONE: other.corrections[NETWORK]})
        )
    return replace(walk, series=tuple(series), seconds={**walk.seconds, ALONE: without.seconds[NETWORK]})


def studied(
    walk: WalkForward,
    alone: WalkForward | None,
    notes: Mapping[str, tuple[str, ...]],
    proxy: str = "parkinson",
    horizon: int = 1,
) -> VolatilityStudy:
    """Return what a walk-forward comes to: scores, tests, coverage, and what its curves say."""
    results = tuple(_result(one, horizon) for one in walk.series)
    tested = [one for one in walk.series if int(one.scored.sum()) >= FEWEST and NETWORK in one.forecasts]
    pooled, corrected = {}, {}
    losses = {one.name: _losses(one) for one in tested}
    dates = {one.name: one.dates[one.scored] for one in tested}
    for model in tested[0].forecasts if tested else ():
        if model != NETWORK:
            ours = {name: by_model[NETWORK] for name, by_model in losses.items()}
            theirs = {name: by_model[model] for name, by_model in losses.items()}
            pooled[model] = pooled_diebold_mariano(ours, theirs, dates, horizon, (NETWORK, model))
            corrected[model] = holm({one.name: one.tests[model].p for one in results if model in one.tests})
    readings = _readings(walk)
    alone_readings = () if alone is None else _readings(alone)
    return VolatilityStudy(
        walk, results, pooled, corrected, readings, alone, alone_readings, dict(notes), proxy, horizon
    )


def _losses(one: SeriesForecasts) -> dict[str, Array]:
    known = one.scored
    return {model: qlike(one.actual[known], forecast[known]) for model, forecast in one.forecasts.items()}


def _result(one: SeriesForecasts, horizon: int) -> SeriesResult:
    known, losses = one.scored, _losses(one)
    actual = one.actual[known]
    days = len(actual)
    scores = {}
    for model, forecast in one.forecasts.items():
        step = one.corrections[model][known]
        scores[model] = score(actual, forecast[known] - step) | {"QLIKE": float(losses[model].mean())} if days else {}
    if days < FEWEST:
        return SeriesResult(one.name, days, scores, {}, None, None, {}, None, losses, by_year(one))
    tests, calibrated, covered, band = {}, None, {}, None
    if NETWORK in losses:
        for model in losses:
            if model != NETWORK:
                tests[model] = diebold_mariano(losses[NETWORK], losses[model], horizon, (NETWORK, model))
        logs = one.forecasts[NETWORK][known] - one.corrections[NETWORK][known]
        calibrated = calibration(actual, logs, horizon)
        low, high = (end[known] for end in one.seed_band())
        band = coverage(actual, low, high, horizon)
        for level, (low, high) in one.intervals.items():
            there = known & np.isfinite(low)
            if there.sum() >= FEWEST:
                covered[level] = coverage(one.actual[there], low[there], high[there], horizon)
    best = model_confidence_set(losses, MCS_SIZE, horizon=horizon) if len(losses) > 1 else None
    return SeriesResult(one.name, days, scores, tests, best, calibrated, covered, band, losses, by_year(one))


def by_year(one: SeriesForecasts) -> dict[float, dict[int, Coverage]]:
    """Return by level and year, of the days forecast, how often what came lay within the intervals, from 10 days on."""
    years = one.target_dates.astype("datetime64[Y]").astype(int) + 1970
    found: dict[float, dict[int, Coverage]] = {}
    for level, (low, high) in sorted(one.intervals.items()):
        known = one.scored & np.isfinite(low) & np.isfinite(high)
        for year in np.unique(years[known]).tolist():
            rows = known & (years == year)
            if rows.sum() >= LEAST_DAYS:
                covered = coverage(one.actual[rows], low[rows], high[rows], one.horizon)
                found.setdefault(level, {})[year] = covered
    return found


def _readings(walk: WalkForward) -> tuple[tuple[np.datetime64, Diagnosis], ...]:
    """Return what the mean of the seeds' curves says, window by window."""
    found = []
    for window in walk.windows:
        if window.curves is None or not np.isfinite(window.curves.validation).all():
            continue
        told, size, rate = window.curves.means, walk.settings.batch_size, walk.settings.learning_rate
        if len(told["loss"]) > 5:
            constant = (window.curves.start_loss, window.curves.start)
            reading = diagnose(
                told, constant_loss=constant, learning_rate=rate, optimizer="adam", batch_size=size, verbose=0
            )
            found.append((window.start, reading))
    return tuple(found)
