"""Whether returns can be forecast: losses and horizons on six series' development parts, walk-forward; and the cost.

    scripts/bench returns --markdown            every loss and horizon, money, coverage
    scripts/bench returns --power --markdown    how large a signal has to be before it is found
    scripts/bench returns --speed --markdown    20 years × 20 seeds with yearly refits

The last years of the series are not read.
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import Any

import machine
import numpy as np
from finance import chance, development, percent
from tables import Rows, table, three_digits

from hillwalker import losses
from hillwalker.errors import HillwalkerWarning
from hillwalker.finance import Prices
from hillwalker.finance.returns import returns
from hillwalker.finance.returns_study import ReturnsStudy

ASKED: dict[str, tuple[Any, int]] = {
    "squared error": ("mse", 1),
    "absolute error": ("mae", 1),
    "Huber": ("huber", 1),
    "squared error, 5 days": ("mse", 5),
    "squared error, 22 days": ("mse", 22),
    "5 % quantile": (losses.Pinball(0.05), 1),
    "1 % quantile": (losses.Pinball(0.01), 1),
    "squared error, too low counts 3 times": (losses.AsymmetricSquaredError(3.0), 1),
}


def verdicts(studies: dict[str, ReturnsStudy]) -> Rows:
    """Return a row a question: the verdict, and the network's pooled loss beside each baseline's in percent, with p."""
    others = list(dict.fromkeys(name for study in studies.values() for name in study.pooled))
    rows: Rows = [("asked for", "verdict", *(f"against {name}, % (p)" for name in others), "idle windows", "s")]
    for name, study in studies.items():
        told = {other: f"{percent(test)} ({chance(test.p)})" for other, test in study.pooled.items()}
        found = study.verdict + (f" on {len(study.found)} of {len(study.names)}" if study.found else "")
        assert study.learning is not None
        idle = f"{study.learning.idle} of {len(study.learning.chosen)}"
        seconds = three_digits(sum(study.walk.seconds.values()))
        rows.append((name, found, *(told.get(other, "") for other in others), idle, seconds))
    return rows


def money(study: ReturnsStudy) -> Rows:
    """Return a row a series: R², directions and what following the network's signs earned a year."""
    rows: Rows = [
        ("series", "days", "R², % (p)", "hits, % (p)", "always up, %", "before costs, %", "after, %",
         "buy-and-hold, %", "p of the difference"),
    ]  # fmt: skip
    for name, one in study.economics.items():
        score = study.scores[name]["network"]
        rows.append((
            name, f"{one.days:,}", f"{100 * score.r2:.2f} ({chance(score.r2_p)})",
            f"{100 * score.hit_rate:.1f} ({chance(score.hit_p)})", f"{100 * score.always_up:.1f}",
            *(f"{100 * part.yearly_return:.1f}" for part in (study.before_costs[name], one.strategy, one.buy_and_hold)),
            chance(one.p_hold),
        ))  # fmt: skip
    return rows


def coverages(studies: dict[str, ReturnsStudy]) -> Rows:
    """Return a row a quantile: the share of days below it, and the 95 % interval of that share."""
    asked = {name: study for name, study in studies.items() if study.quantiles}
    rows: Rows = [("days below, % (95 % interval)", *next(iter(asked.values())).names)]
    for name, study in asked.items():
        shares = [f"{100 * q.share:.1f} ({100 * q.low:.1f} to {100 * q.high:.1f})" for q in study.quantiles.values()]
        rows.append((name, *shares))
    return rows


def made_up(days: int, kept: float, seed: int) -> Prices:
    """Return prices whose daily returns keep a share of the day before, the rest being chance."""
    random = np.random.default_rng(seed)
    percents = random.normal(size=days)
    for day in range(1, days):
        percents[day] += kept * percents[day - 1]
    close = 100 * np.exp(np.cumsum(percents) / 100)
    wide = np.exp(0.005 * random.random((2, days)))
    dates = np.busday_offset("2000-01-03", np.arange(days))
    return Prices("made up", dates, close, close * wide[0], close / wide[1], close, 1e6 * (1 + random.random(days)))


def power(markdown: bool, histories: int = 40) -> None:
    """Print how often a share that is kept is called a signal, and with 0 kept, how often noise is."""
    rows: Rows = [("kept of the day before", "true R², %", '"signal", of 40', "mean R² of the network, %")]
    for kept in (0.0, 0.05, 0.1, 0.15, 0.2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HillwalkerWarning)  # of Sharpe ratios too good to be true
            studies = [returns(made_up(3000, kept, seed), models=[], seeds=5, threads=1, verbose=0)
                       for seed in range(histories)]  # fmt: skip
        found = sum(study.verdict == "signal" for study in studies)
        reached = np.mean([study.scores["made up"]["network"].r2 for study in studies])
        rows.append((f"{kept:g}", f"{100 * kept**2:.2f}", str(found), f"{100 * reached:.2f}"))
    print(table(rows, markdown))


def speed(markdown: bool, rounds: int) -> None:
    """Print the seconds of 20 years of made-up days × 20 seeds, one core."""
    machine.use_one_core()
    prices = made_up(5040, 0.0, 0)
    rows: Rows = [("one core, 20 years × 20 seeds, yearly refits", "s")]
    least: dict[str, float] = {}
    for _ in range(rounds):
        began = time.perf_counter()
        study = returns(prices, threads=1, verbose=0)
        told = study.walk.seconds | {"all of it": time.perf_counter() - began}
        least = {name: min(seconds, least.get(name, seconds)) for name, seconds in told.items()}
    rows += [(name, three_digits(seconds)) for name, seconds in least.items()]
    print(table(rows, markdown))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--power", action="store_true", help="how large a signal has to be before it is found")
    parser.add_argument("--speed", action="store_true", help="what it costs")
    parser.add_argument("--rounds", type=int, default=3, help="of --speed; the quickest counts (default: 3)")
    parser.add_argument("--markdown", action="store_true", help="print the tables as docs/returns.md has them")
    given = parser.parse_args()
    if given.speed:
        for name, value in machine.describe().items():
            print(f"{'- ' if given.markdown else ''}{name}: {value}")
        return speed(given.markdown, given.rounds)
    if given.power:
        return power(given.markdown)
    prices = development()
    studies = {
        name: returns(prices, loss, horizon=horizon, threads=1, verbose="auto")
        for name, (loss, horizon) in ASKED.items()
    }
    for rows in (verdicts(studies), money(studies["squared error"]), coverages(studies)):
        print("\n" + table(rows, given.markdown))
    return None


if __name__ == "__main__":
    main()
