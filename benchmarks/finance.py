"""Forecasts of volatility beside what they have to beat, walk-forward on six series; and what they cost.

    scripts/bench finance --markdown                development part: what everything was chosen on
    scripts/bench finance --judge --markdown        the last years, which nothing was chosen on
    scripts/bench finance --settings --markdown     other settings and cadences, on the development part
    scripts/bench finance --speed --markdown        yearly and daily refits against scikit-learn and plain NumPy

The last years of a series are scored with the settings whose hash stands here, or not at all.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
import warnings
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import machine
import numpy as np
from tables import Rows, table, three_digits

from hillwalker.finance import (
    BASELINES,
    Features,
    Prices,
    Settings,
    WalkForward,
    diebold_mariano,
    holm,
    load_nasdaq,
    load_sp500,
    load_stock,
    model_confidence_set,
    pooled_diebold_mariano,
    qlike,
    return_features,
    volatility_features,
    walk_forward,
)
from hillwalker.finance.volatility import common
from hillwalker.finance.windows import FIRST

NETWORK = "network"
DEVELOPMENT_ENDS = {  # the last day of each series' development part; what comes after is for judging
    "S&P 500": "2014-12-31", "NASDAQ": "2014-12-31",
    "AAPL": "2010-02-28", "IBM": "2010-02-28", "MSFT": "2010-02-28", "GOOG": "2010-02-28",
}  # fmt: skip
FROZEN = "74e5c77ccf028f40"  # of the settings below, committed before the last years were opened
VARIANTS: dict[str, dict[str, Any]] = {
    "as shipped: panel, yearly": {},
    "each series alone": {"panel": False},
    "refits quarterly": {"refits": "quarterly", "warm": False},
    "refits monthly, warm": {"refits": "monthly"},
    "1,500 newest days": {"length": 1500},
    "line trained": {"line": "trained"},
    "no line": {"line": "none"},
    "QLIKE": {"loss": "qlike"},
    "Huber": {"loss": "huber"},
    "64 units": {"units": (64,)},
    "32-16 units": {"units": (32, 16)},
    "rate 0.001": {"learning_rate": 1e-3},
    "64 epochs at most": {"epochs": 64},
    "3 seeds": {"seeds": 3},
}


def all_prices() -> dict[str, Prices]:
    shares = ("AAPL", "IBM", "MSFT", "GOOG")
    return {"S&P 500": load_sp500(), "NASDAQ": load_nasdaq()} | {name: load_stock(name) for name in shares}


def until(prices: Prices, day: str) -> Prices:
    """Return the days up to one: what comes later is not even read."""
    known = prices.dates <= np.datetime64(day)
    names = ("dates", "open", "high", "low", "close", "volume")
    return replace(prices, remarks=(), **{name: getattr(prices, name)[known] for name in names})


def development() -> dict[str, Prices]:
    return {name: until(prices, DEVELOPMENT_ENDS[name]) for name, prices in all_prices().items()}


def features_of(prices: Mapping[str, Prices]) -> dict[str, Features]:
    return common({name: volatility_features(one) for name, one in prices.items()})


def frozen() -> str:
    """Return the hash of everything that was chosen: settings, inputs, first day, cadence, baselines."""
    prices = load_sp500()
    told = {
        "settings": asdict(Settings()), "inputs": volatility_features(prices).names, "first": FIRST,
        "returns": return_features(prices).names, "refits": "yearly", "panel": True, "baselines": list(BASELINES),
        "development": DEVELOPMENT_ENDS,
    }  # fmt: skip
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


# What is scored


Losses = dict[str, dict[str, Any]]


def scored(walk: WalkForward, after: Mapping[str, str] | None) -> tuple[Losses, dict[str, Any]]:
    """Return each model's QLIKE by series, and the days; with `after`, of the days after each series' development."""
    losses: Losses = {}
    dates = {}
    for one in walk.series:
        known = one.scored
        if after is not None:
            known = known & (one.dates > np.datetime64(after[one.name]))
        dates[one.name] = one.dates[known]
        for model, forecast in one.forecasts.items():
            losses.setdefault(model, {})[one.name] = qlike(one.actual[known], forecast[known])
    return losses, dates


def percent(test: Any) -> str:
    return f"{100 * (test.means[0] / test.means[1] - 1):+.1f}"


def chance(p: float) -> str:
    return "< .001" if p < 0.001 else f"{p:.3f}".lstrip("0")


def by_series(losses: Losses) -> Rows:
    """Return a row a model: QLIKE on each series, whether it may be the best there, the mean."""
    names = list(losses[NETWORK])
    sets = {name: model_confidence_set({m: losses[m][name] for m in losses}).included for name in names}
    rows: Rows = [("QLIKE (* in the 90 % confidence set)", *names, "mean")]
    for model in sorted(losses, key=lambda m: np.mean([losses[m][name].mean() for name in names])):
        cells = [f"{losses[model][name].mean():.3f}{'*' if model in sets[name] else ''}" for name in names]
        rows.append((model, *cells, f"{np.mean([losses[model][name].mean() for name in names]):.3f}"))
    return rows


def against(losses: Losses, dates: Mapping[str, Any]) -> Rows:
    """Return a row a rival: the network's QLIKE beside it in percent and p (Holm) by series, and pooled."""
    names = list(dates)
    rows: Rows = [("network against, % (p by Holm)", *names, "pooled")]
    for model in losses:
        if model == NETWORK:
            continue
        tests = {name: diebold_mariano(losses[NETWORK][name], losses[model][name]) for name in names}
        p = holm({name: test.p for name, test in tests.items()})
        pooled = pooled_diebold_mariano(losses[NETWORK], losses[model], dates)
        cells = [f"{percent(tests[name])} ({chance(p[name])})" for name in names]
        rows.append((model, *cells, f"{percent(pooled)} ({chance(pooled.p)})"))
    return rows


def coverage_rows(walk: WalkForward, after: Mapping[str, str] | None) -> Rows:
    rows: Rows = [("days within the interval, %", *(one.name for one in walk.series))]
    for level in walk.series[0].intervals:
        cells = []
        for one in walk.series:
            low, high = one.intervals[level]
            known = one.scored & np.isfinite(low)
            if after is not None:
                known &= one.dates > np.datetime64(after[one.name])
            inside = (low <= one.actual) & (one.actual <= high)
            cells.append(f"{100 * inside[known].mean():.1f}")
        rows.append((f"{level:.0%}", *cells))
    return rows


def tables_of(walk: WalkForward, after: Mapping[str, str] | None, markdown: bool) -> None:
    losses, dates = scored(walk, after)
    days = ", ".join(f"{name} {len(one):,} ({one[0]} to {one[-1]})" for name, one in dates.items())
    print(f"\nDays: {days}\n")
    for rows in (by_series(losses), against(losses, dates), coverage_rows(walk, after)):
        print(table(rows, markdown) + "\n")


def variants(markdown: bool) -> None:
    """Print what other settings come to on the development part."""
    features = features_of(development())
    rows: Rows = [("network", "against HAR-X, %", "p", "against log-HAR, %", "worst series against HAR-X, t")]
    for name, told in VARIANTS.items():
        own = {key: value for key, value in told.items() if key in Settings.__dataclass_fields__}
        rest = {key: value for key, value in told.items() if key not in own}
        walk = walk_forward(features, models=["log-HAR", "HAR-X", NETWORK], settings=Settings(**own), threads=1,
                            verbose=0, **rest)  # fmt: skip
        losses, dates = scored(walk, None)
        bar, har = (pooled_diebold_mariano(losses[NETWORK], losses[m], dates) for m in ("HAR-X", "log-HAR"))
        tests = {n: diebold_mariano(losses[NETWORK][n], losses["HAR-X"][n]) for n in dates}
        worst = max(tests, key=lambda n: tests[n].statistic)
        rows.append((name, percent(bar), chance(bar.p), percent(har), f"{worst} {tests[worst].statistic:+.1f}"))
        print(name, file=sys.stderr)
    print(table(rows, markdown))


# What it costs


def speed(markdown: bool, rounds: int) -> None:
    """Print the seconds of 20 years × 20 seeds, one core; rivals do one seed or some refits and are scaled."""
    features = volatility_features(load_sp500())
    rows: Rows = [("one core, S&P 500, 20 years × 20 seeds", "s", "times ours")]
    for refits, name in (("yearly", "yearly refits"), ("daily", "daily refits, warm")):
        best = min(_seconds(features, refits) for _ in range(rounds))
        windows = len(walk_forward(features, models=["HAR-X"], refits=refits, verbose=0).windows)
        rows.append((f"hillwalker, {name} ({windows:,} windows)", three_digits(best), "1"))
        for rival, seconds in rivals(features, refits, windows).items():
            rows.append((f"{rival}, {name}", three_digits(seconds), three_digits(seconds / best)))
    print(table(rows, markdown))


def _seconds(features: Features, refits: str) -> float:
    began = time.perf_counter()
    walk_forward(features, models=[NETWORK], refits=refits, threads=1, verbose=0)
    return time.perf_counter() - began


def rivals(features: Features, refits: str, windows: int) -> dict[str, float]:
    """Return the seconds of training the same networks the same number of epochs, scaled from a sample of windows.

    Each rival is given what our choice of epochs costs too: the same epochs on the older days with validation, then
    the epochs chosen on all of them; at a daily refit the step on a full batch of new days, and the forecasts of all.
    """
    from sklearn.neural_network import MLPRegressor

    settings = Settings()
    rows = len(features.y)
    X = ((features.X - features.X.mean(axis=0)) / features.X.std(axis=0)).astype(np.float32)
    y = (features.y - features.y.mean()).astype(np.float32)
    epochs = settings.epochs + 12  # 12: the mean of the epochs chosen
    sample = (FIRST, (FIRST + rows) // 2, rows - 1)  # windows of few, of many and of all days
    each = {"scikit-learn MLPRegressor": 0.0, "plain NumPy": 0.0}
    for count in sample:
        model = MLPRegressor(
            hidden_layer_sizes=settings.units, learning_rate_init=settings.learning_rate,
            batch_size=settings.batch_size, max_iter=epochs, n_iter_no_change=epochs, random_state=0,
        )  # fmt: skip
        began = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X[:count], y[:count])
        each["scikit-learn MLPRegressor"] += (time.perf_counter() - began) / len(sample)
        began = time.perf_counter()
        numpy_network(X[:count], y[:count], settings, epochs)
        each["plain NumPy"] += (time.perf_counter() - began) / len(sample)
    if refits == "yearly":
        return {name: seconds * windows * settings.seeds for name, seconds in each.items()}
    years = -(-windows // 252)
    found = {}
    for name, seconds in each.items():
        daily = forecast_seconds(name, X, y, settings)
        found[name] = seconds * years * settings.seeds + daily * windows * settings.seeds
    return found


def forecast_seconds(name: str, X: Any, y: Any, settings: Settings) -> float:
    """Return what a rival's forecasts of all past days cost at each daily refit: the step to the mean needs them."""
    from sklearn.neural_network import MLPRegressor

    half = X[: (FIRST + len(X)) // 2]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MLPRegressor(hidden_layer_sizes=settings.units, max_iter=1).fit(half, y[: len(half)])
    weights = numpy_network(half, y[: len(half)], settings, 1)
    began = time.perf_counter()
    for _ in range(20):
        if name == "plain NumPy":
            np.maximum(half @ weights[0] + weights[1], 0) @ weights[2] + weights[3]
        else:
            model.predict(half)
    return (time.perf_counter() - began) / 20


def numpy_network(X: Any, y: Any, settings: Settings, epochs: int) -> list[Any]:
    """Train one hidden layer with Adam, as one would write it down, and return its weights."""
    random = np.random.default_rng(0)
    units, size = settings.units[0], settings.batch_size
    weights = [random.normal(size=(X.shape[1], units)).astype("f4") * (2 / X.shape[1]) ** 0.5, np.zeros(units, "f4"),
               np.zeros((units, 1), "f4"), np.zeros(1, "f4")]  # fmt: skip
    means, squares = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    step = 0
    for _ in range(epochs):
        order = random.permutation(len(y))
        for begin in range(0, len(y), size):
            rows = order[begin : begin + size]
            x, t = X[rows], y[rows, None]
            z = x @ weights[0] + weights[1]
            a = np.maximum(z, 0)
            d = 2 * (a @ weights[2] + weights[3] - t) / len(rows)
            dz = (d @ weights[2].T) * (z > 0)
            step += 1
            rate = settings.learning_rate * (1 - 0.999**step) ** 0.5 / (1 - 0.9**step)
            for place, gradient in enumerate((x.T @ dz, dz.sum(axis=0), a.T @ d, d.sum(axis=0))):
                means[place] += 0.1 * (gradient - means[place])
                squares[place] += 0.001 * (gradient**2 - squares[place])
                weights[place] -= rate * means[place] / (np.sqrt(squares[place]) + 1e-7)
    return weights


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--judge", action="store_true", help="score the last years, with the frozen settings")
    parser.add_argument("--settings", action="store_true", help="try other settings on the development part")
    parser.add_argument("--speed", action="store_true", help="what it costs beside scikit-learn and NumPy")
    parser.add_argument("--rounds", type=int, default=3, help="of --speed; the quickest counts (default: 3)")
    parser.add_argument("--markdown", action="store_true", help="print the tables as docs/volatility.md has them")
    given = parser.parse_args()
    if given.settings:
        return variants(given.markdown)
    if given.speed and os.environ.get("OMP_NUM_THREADS") != "1":  # NumPy reads it when it is imported: start anew
        machine.use_one_core()
        os.execv(sys.executable, [sys.executable, *sys.argv])
    if given.speed:
        for name, value in machine.describe().items():
            print(f"{'- ' if given.markdown else ''}{name}: {value}")
        return speed(given.markdown, given.rounds)
    if given.judge and frozen() != FROZEN:
        parser.error(f"the settings' hash is {frozen()}, not {FROZEN}: the last years judge the settings frozen there")
    prices = all_prices() if given.judge else development()
    walk = walk_forward(features_of(prices), verbose="auto")
    print(f"settings {frozen()}" + (", the last years" if given.judge else ", development part"))
    return tables_of(walk, DEVELOPMENT_ENDS if given.judge else None, given.markdown)


if __name__ == "__main__":
    main()
