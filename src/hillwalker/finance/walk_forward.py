"""Walk forward: learn from the past, forecast the next stretch of days, take them in, and again; all models alike.

Nothing that belongs to a forecast day or comes later reaches what makes its forecast: not the scaling, not the number
of epochs, not a line's slope. `prove.py` corrupts the future and looks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import checks, records
from hillwalker.errors import InputError, InputTypeError, explain, unknown_name
from hillwalker.finance.baselines import BASELINES, Forecast
from hillwalker.finance.features import Features
from hillwalker.finance.intervals import conformal_intervals
from hillwalker.finance.network import Curves, Fitted, Part, Settings, fit_networks, fit_on
from hillwalker.finance.prices import Array
from hillwalker.finance.windows import FIRST, Window, cadence_of, walk_forward_windows, windows_of
from hillwalker.training.progress import Shown

Baseline = Callable[[Features, slice, slice], Forecast]

NETWORK = "network"
LEVELS = (0.5, 0.9)  # of the forecast intervals
YEAR = 252  # days after which a warm start is followed by a fresh one
WARM_BELOW = 63  # days between two refits: where they are fewer, networks go on from where they were


@dataclass(frozen=True)
class SeriesForecasts:
    """One series, day by day: what was forecast at each close, and what came.

    `dates` (rows,): at whose close it was forecast; `target_dates` (rows,): the last day forecast, NaT where it has not
    come; `actual` (rows,): log of the mean daily variance that came, NaN where it has not; `forecasts`: by model, the
    log of the mean variance forecast (rows,); `corrections`: by model, how much of that is the step from the mean of
    logs to the log of the mean (rows,); `members`: each seed's forecasts (seeds, rows); `window` (rows,): the number of
    the window; `intervals`: by level, the ends (rows,) between which `actual` should lie that often, NaN before there
    are errors to go by.
    """

    name: str
    dates: NDArray[np.datetime64]
    target_dates: NDArray[np.datetime64]
    actual: Array
    forecasts: dict[str, Array]
    corrections: dict[str, Array]
    members: Array
    window: NDArray[np.intp]
    intervals: dict[float, tuple[Array, Array]]
    horizon: int = 1

    @property
    def scored(self) -> NDArray[np.bool_]:
        """The rows whose variance has come: those that can be judged, (rows,)."""
        return np.isfinite(self.actual)

    def seed_band(self, level: float = 0.9) -> tuple[Array, Array]:
        """Return the ends (rows,) between which the middle `level` of the seeds' forecasts lie.

        It shows how far the networks agree, not how far off they are: `intervals` do.
        """
        low, high = np.quantile(self.members, [(1 - level) / 2, (1 + level) / 2], axis=0)
        return low, high

    @property
    def columns(self) -> dict[str, Any]:
        """The columns of `to_frame()`."""
        told: dict[str, Any] = {"date": self.dates, "target_date": self.target_dates, "actual": self.actual}
        told |= self.forecasts
        for level, (low, high) in self.intervals.items():
            told |= {f"low {level:.0%}": low, f"high {level:.0%}": high}
        return told

    def to_frame(self) -> Any:
        """Return one row a day: dates, what came, each model's forecast, the intervals' ends."""
        return records.to_frame(self.columns, index="date", call="forecasts.to_frame()")

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, numbers and strings."""
        return {
            "name": self.name,
            "dates": self.dates.astype(str).tolist(),
            "target_dates": [None if np.isnat(day) else str(day) for day in self.target_dates],
            "actual": records.plain(self.actual),
            "forecasts": records.plain(self.forecasts),
            "corrections": records.plain(self.corrections),
            "members": records.plain(self.members),
            "window": self.window.tolist(),
            "intervals": records.plain(self.intervals),
            "horizon": self.horizon,
        }


@dataclass(frozen=True)
class WindowLearned:
    """One fit of the networks: from when on it forecast, how many rows it learned from, its curves; None if warm."""

    start: np.datetime64
    rows: int
    curves: Curves | None


@dataclass(frozen=True)
class WalkForward:
    """A walk-forward study of one or several series.

    `refits`: days between two refits, 0 for windows of one's own; `length`: days learned from at most, None for all;
    `seconds` by model, on this machine.
    """

    series: tuple[SeriesForecasts, ...]
    windows: tuple[WindowLearned, ...]
    settings: Settings
    refits: int
    panel: bool
    seconds: dict[str, float] = field(default_factory=dict)
    interrupted: bool = False
    length: int | None = None

    def __getitem__(self, name: str) -> SeriesForecasts:
        """Return one series by name."""
        for one in self.series:
            if one.name == name:
                return one
        raise unknown_name("series", name, [one.name for one in self.series], "walk[{}]")

    @property
    def columns(self) -> dict[str, Any]:
        """The columns of `to_frame()`."""
        parts: dict[str, list[Any]] = {"series": []}
        for one in self.series:
            parts["series"].append([one.name] * len(one.dates))
            for name, values in one.columns.items():
                parts.setdefault(name, []).append(values)
        return {name: np.concatenate(values) for name, values in parts.items()}

    def to_frame(self) -> Any:
        """Return one row a day and series: dates, what came, each model's forecast, the intervals' ends."""
        return records.to_frame(self.columns, call="walk.to_frame()")

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the curves as plain lists, numbers and strings."""
        return {
            "series": [one.to_dict() for one in self.series],
            "windows": [{"start": str(one.start), "rows": one.rows} for one in self.windows],
            "refits": self.refits,
            "length": self.length,
            "panel": self.panel,
            "seconds": dict(self.seconds),
            "interrupted": self.interrupted,
        }


def walk_forward(
    features: Features | Mapping[str, Features],
    *,
    models: Sequence[str] | None = None,
    baselines: Mapping[str, Baseline] = BASELINES,
    settings: Settings | None = None,
    refits: int | str = "yearly",
    first: int = FIRST,
    length: int | None = None,
    windows: Iterable[tuple[Any, Any]] | None = None,
    panel: bool = True,
    warm: bool | None = None,
    seed: int = 0,
    until: Any = None,
    threads: int | None = None,
    verbose: Any = "auto",
) -> WalkForward:
    """Return forecasts of every day after the first `first`, by the networks and by what they have to beat.

    At the close of day t everything is fitted to the rows whose targets are known then, and forecasts day t and the
    days until the next refit.

    Args:
        features: of one series, or of several by name.
        models: names in `baselines`, and "network"; None: all of them.
        baselines: what the networks have to beat: functions of (features, rows to learn from, rows to forecast) that
            return a Forecast.
        settings: of the networks.
        refits: after how many days everything is fitted anew: a number, or "daily", "weekly", "monthly", "quarterly",
            "yearly". Baselines and networks are refitted together.
        first: days of a series before its first forecast.
        length: days to learn from at most, the newest; None: all.
        windows: one's own, as pairs of row numbers (to learn from, to forecast), for one series; shuffled ones are
            refused.
        panel: whether several series' networks are fitted together, each series with a line of its own, or each alone.
        warm: whether networks go on from where they were, and start afresh once a year only; None: where refits are
            less than a quarter of a year apart.
        seed: the first of the seeds.
        until: the day after which no window begins; None: the last one.

    Returns a WalkForward; Ctrl-C, the windows that are done. Raises InputError before anything is computed.

    >>> from hillwalker.finance.prices import load_sp500
    >>> from hillwalker.finance.features import volatility_features
    >>> few = Settings(units=(4,), seeds=2, epochs=2)
    >>> walk = walk_forward(
    ...     volatility_features(load_sp500()), models=["persistence", "log-HAR", "network"], settings=few, first=4000,
    ...     verbose=0,
    ... )
    >>> len(walk.windows), walk.series[0].members.shape, sorted(walk.series[0].forecasts)
    (5, (2, 1009), ['log-HAR', 'network', 'persistence'])
    """
    told = {"": features} if isinstance(features, Features) else dict(features)
    chosen = _chosen(models, baselines)
    how = settings if settings is not None else Settings()
    every = cadence_of(refits) if windows is None else 0
    _check(told, windows, panel)
    goes_on = (0 < every < WARM_BELOW) if warm is None else bool(warm)
    bar = Shown("walk forward", verbose)
    groups = [list(told)] if panel else [[name] for name in told]
    done: list[SeriesForecasts] = []
    learned: list[WindowLearned] = []
    seconds: dict[str, float] = {}
    interrupted = False
    try:
        for number, group in enumerate(groups):
            walker = _Walker({name: told[name] for name in group}, chosen, baselines, how, seed, threads, seconds)
            steps = walker.steps(every, first, length, windows)
            steps = [step for step in steps if until is None or step[0] <= np.datetime64(until, "D")]
            try:
                for step, (day, rows) in enumerate(steps):
                    walker.take(day, rows, goes_on)
                    bar((number + (step + 1) / len(steps)) / len(groups))
            except KeyboardInterrupt:
                interrupted = True
            done += walker.finished()
            learned += walker.learned
            if interrupted:
                break
    finally:
        bar.close()
    if interrupted and not done:
        raise KeyboardInterrupt
    return WalkForward(tuple(done), tuple(learned), how, every, panel and len(told) > 1, seconds, interrupted, length)


def _chosen(models: Sequence[str] | None, baselines: Mapping[str, Baseline]) -> list[str]:
    known = [*baselines, NETWORK]
    if models is None:
        return known
    if isinstance(models, str):
        raise InputTypeError(explain(f"models={models!r}.", "a list of names.", f"models=[{models!r}]"))
    for name in models:
        if name not in known:
            raise unknown_name("model", name, known, "walk_forward(features, models=[{}])")
    return list(dict.fromkeys(models))


def _check(features: Mapping[str, Features], windows: Any, panel: bool) -> None:
    if not features:
        raise InputError(explain("no series.", "one or more.", None))
    names = {one.names for one in features.values()}
    if panel and (len(names) > 1 or len({one.horizon for one in features.values()}) > 1):
        counts = " and ".join(str(len(one)) for one in sorted(names, key=len))
        raise InputError(
            explain(
                f"series with different inputs ({counts} of them), or different horizons, in one panel.",
                "the same inputs and horizon in all series.",
                "panel=False, or features of series that all have volumes",
            )
        )
    if windows is not None and len(features) > 1:
        raise InputError(explain("windows of row numbers for several series.", "one series.", "windows=None"))


class _Walker:
    """One group of series on its way through time."""

    def __init__(
        self,
        features: dict[str, Features],
        models: list[str],
        baselines: Mapping[str, Baseline],
        settings: Settings,
        seed: int,
        threads: int | None,
        seconds: dict[str, float],
    ) -> None:
        self.features, self.models, self.baselines, self.settings = features, models, baselines, settings
        self.seed, self.threads, self.seconds = seed, threads, seconds
        self.learned: list[WindowLearned] = []
        self.fitted: Fitted | None = None
        self.members_of_fit: tuple[str, ...] = ()
        self.since_fresh = 0
        self.residuals: dict[str, Array] = {}
        self.values: dict[str, dict[str, Array]] = {
            name: {model: np.full((2, len(one.y)), np.nan) for model in models} for name, one in features.items()
        }
        self.members = {name: np.full((settings.seeds, len(one.y)), np.nan) for name, one in features.items()}
        self.window = {name: np.full(len(one.y), -1, np.intp) for name, one in features.items()}

    def steps(
        self, every: int, first: int, length: int | None, windows: Any
    ) -> list[tuple[np.datetime64, dict[str, Window]]]:
        """Return each window's first day, and its rows in each series that has enough days by then."""
        features = self.features
        if windows is not None:
            ((name, one),) = features.items()
            return [
                (one.dates[window.test.start], {name: window})
                for window in windows_of(windows, len(one.y), one.horizon)
            ]
        calendar = np.unique(np.concatenate([one.dates for one in features.values()]))
        longest = max(len(one.y) for one in features.values())
        needed = checks.positive_integer("first", first, "walk_forward(features, first=750)")
        walk_forward_windows(longest, needed, every, next(iter(features.values())).horizon, length)  # refuses
        begins = min(one.dates[needed] for one in features.values() if len(one.y) > needed)
        found = []
        for place in range(int(np.searchsorted(calendar, begins)), len(calendar), every):
            day = calendar[place]
            after = calendar[place + every] if place + every < len(calendar) else None
            rows = {}
            for name, one in features.items():
                begin = int(np.searchsorted(one.dates, day))
                end = len(one.y) if after is None else int(np.searchsorted(one.dates, after))
                known = _known(one, day)
                if begin < end and begin >= needed:
                    rows[name] = Window(
                        slice(0 if length is None else max(0, known - length), known), slice(begin, end)
                    )
            if rows:
                found.append((day, rows))
        return found

    def take(self, day: np.datetime64, windows: dict[str, Window], goes_on: bool) -> None:
        """Fit everything to what is known at `day`'s close, and forecast the windows' days."""
        for name, window in windows.items():
            one = self.features[name]
            for model in self.models:
                if model != NETWORK:
                    began = time.perf_counter()
                    forecast = self.baselines[model](one, window.training, window.test)
                    self._keep(name, model, window.test, forecast)
                    self.seconds[model] = self.seconds.get(model, 0.0) + time.perf_counter() - began
        began = time.perf_counter()
        curves = None
        if NETWORK in self.models:
            curves = self._networks(day, windows, goes_on)
            self.seconds[NETWORK] = self.seconds.get(NETWORK, 0.0) + time.perf_counter() - began
        for name, window in windows.items():  # only now: Ctrl-C leaves whole windows
            self.window[name][window.test] = len(self.learned)
        self.learned.append(WindowLearned(day, sum(window.learned for window in windows.values()), curves))

    def _networks(self, day: np.datetime64, windows: dict[str, Window], goes_on: bool) -> Curves | None:
        parts = []
        for name, window in windows.items():
            one = self.features[name]
            parts.append(Part(one.dates[window.training], one.X[window.training], one.y[window.training]))
        same = self.fitted is not None and self.members_of_fit == tuple(windows)
        days = max(window.test.stop - window.test.start for window in windows.values())
        if goes_on and same and self.since_fresh + days <= YEAR:
            assert self.fitted is not None
            self.fitted, curves = fit_on(self.fitted, parts, self.threads), None
            self.since_fresh += days
        else:
            self.fitted = fit_networks(parts, self.settings, self.seed, self.threads)
            curves, self.members_of_fit, self.since_fresh = self.fitted.curves, tuple(windows), days
            assert curves is not None
            for name, errors in zip(windows, curves.errors, strict=bool(curves.errors)):
                self.residuals.setdefault(name, errors)
        for number, (name, window) in enumerate(windows.items()):
            members = self.fitted.members(number, self.features[name].X[window.test])
            correction = self.fitted.corrections[number]
            self.members[name][:, window.test] = members + correction
            self._keep(name, NETWORK, window.test, Forecast(members.mean(axis=0), correction))
        return curves

    def _keep(self, name: str, model: str, rows: slice, forecast: Forecast) -> None:
        self.values[name][model][0, rows] = forecast.values + forecast.correction
        self.values[name][model][1, rows] = forecast.correction

    def finished(self) -> list[SeriesForecasts]:
        """Return what was forecast so far, with intervals made of the errors known at each day."""
        found = []
        for name, one in self.features.items():
            rows = np.flatnonzero(self.window[name] >= 0)
            if not len(rows):
                continue
            forecasts = {model: values[0, rows] for model, values in self.values[name].items()}
            corrections = {model: values[1, rows] for model, values in self.values[name].items()}
            intervals = {}
            if NETWORK in forecasts:
                middle = forecasts[NETWORK] - corrections[NETWORK]
                intervals = conformal_intervals(
                    one.dates[rows], one.target_dates[rows], one.y[rows], middle, LEVELS, self.residuals.get(name)
                )
            found.append(
                SeriesForecasts(
                    name, one.dates[rows], one.target_dates[rows], one.y[rows], forecasts, corrections,
                    self.members[name][:, rows], self.window[name][rows], intervals, one.horizon,
                )
            )  # fmt: skip
        return found


def _known(features: Features, day: np.datetime64) -> int:
    """Return how many rows' labels are known at a day's close: labels end on `target_dates`, in order."""
    known = ~np.isnat(features.target_dates) & (features.target_dates <= day)
    return int(known.sum())
