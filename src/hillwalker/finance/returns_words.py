"""A study of returns in words and as lines for a terminal. Nothing is computed here but means and rounding."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

import numpy as np

from hillwalker.diagnosis import report
from hillwalker.finance.comparing import SURE, Comparison
from hillwalker.finance.phrases import chance, listed, percent, short, table
from hillwalker.finance.return_baselines import CONSTANT
from hillwalker.finance.walk_forward import NETWORK
from hillwalker.scores import rounded

if TYPE_CHECKING:
    from hillwalker.finance.returns_study import Learning, ReturnsStudy

WIDTH = 100  # columns
NO_SIGNAL = "no-signal"
SHORT = {"mean_squared_error": "squared error", "mean_absolute_error": "absolute error"}


def change(test: Comparison) -> str:
    """Return by how much the network's loss lies below or above the other's."""
    network, other = test.means
    if not other:
        return "no lower" if network >= 0 else "lower"
    by = (network - other) / abs(other)
    return f"{abs(100 * by):.2f} % {'lower' if by < 0 else 'higher'}"


def sentences(study: ReturnsStudy) -> tuple[str, ...]:
    """Return what was found, the verdict first."""
    told = [_verdict(study), *_others(study)]
    if study.loss.level is not None:
        told += _quantile(study)
    if study.loss.symmetric:
        told += _directions(study)
    if study.economics:
        told += _money(study)
    return (*told, *_curves(study))


def _verdict(study: ReturnsStudy) -> str:
    test, series = study.pooled[CONSTANT], study.walk.series
    first = min(one.dates[one.scored][0] for one in series)
    last = max(one.target_dates[one.scored][-1] for one in series)
    over = "" if len(series) == 1 else f" of {len(series)} series"
    days = f"{test.days:,} days{over} ({first} to {last})"
    numbers = f"mean {what(study)} {rounded(test.means[0])} against {rounded(test.means[1])}"
    holm = f"; after Holm's correction better on {len(study.found)} of {len(series)}" if over else ""
    if study.verdict == "signal":
        about = "" if study.loss.symmetric else ", which says how far returns spread, not which way they go"
        said = f"Signal{about}: over {days} the network beats the constant that was best in the past"
        return f"{said}, {numbers}, {change(test)} ({chance(test.p)}{holm})."
    if test.better is None:
        said = "cannot be told apart from the constant that was best in the past"
    elif test.better == NETWORK:
        said = "is better than the constant that was best in the past, but on no series of its own"
    else:
        said = "does worse than the constant that was best in the past"
    return f"No signal: over {days} the network {said}, {numbers} ({chance(test.p)}{holm})."


def what(study: ReturnsStudy) -> str:
    """Return the loss as it is called in a sentence."""
    return SHORT.get(study.loss.name, study.loss.name)


def _others(study: ReturnsStudy) -> list[str]:
    tests = {name: test for name, test in study.pooled.items() if name != CONSTANT}
    worse = [f"{name} ({chance(test.p)})" for name, test in tests.items() if test.better == name]
    better = [f"{name} ({chance(test.p)})" for name, test in tests.items() if test.better == NETWORK]
    level = [f"{name} ({chance(test.p)})" for name, test in tests.items() if test.better is None]
    told = []
    if better:
        told.append(f"The network is better than {listed(better)}.")
    if worse:
        told.append(f"It does worse than {listed(worse)}.")
    if level:
        told.append(f"It cannot be told apart from {listed(level)}.")
    if study.verdict == "signal" and level:
        told.append("What does as well and is simpler is to be preferred.")
    return told


def _quantile(study: ReturnsStudy) -> list[str]:
    told = []
    for name, one in study.quantiles.items():
        held = "as it should be" if one.low <= one.level <= one.high else "not what was promised"
        if held == "as it should be" and one.p < SURE:
            held = "too far off were each day a witness of its own, within reach as days resemble their neighbours"
        interval = f"95 % interval {percent(one.low)} to {percent(one.high)}"
        kupiec = "" if math.isnan(one.p) else f"; Kupiec {chance(one.p)}"
        told.append(
            f"{name}: {percent(one.share)} of {one.days:,} days fell below the {percent(one.level, 0)} quantile, "
            f"{held} ({interval}{kupiec})."
        )
    return told


def _directions(study: ReturnsStudy) -> list[str]:
    told = []
    for name, by_model in study.scores.items():
        one = by_model[NETWORK]
        of = f"{name}: R² against the mean of the past is {percent(one.r2, 2)} ({chance(one.r2_p)})"
        if math.isnan(one.hit_rate):
            told.append(of + ".")
            continue
        hits = f"the direction was right {percent(one.hit_rate)} of the time, always up {percent(one.always_up)}"
        told.append(f"{of}; {hits} ({'one direction only' if math.isnan(one.hit_p) else chance(one.hit_p)}).")
    return told


def _money(study: ReturnsStudy) -> list[str]:
    told = []
    for name, one in study.economics.items():
        gross, net, hold = study.before_costs[name].yearly_return, one.strategy, one.buy_and_hold
        if net.turnover * one.days < 2 * 252:  # bought once, and held
            told.append(f"{name}: its positions are buy-and-hold, which earned {percent(hold.yearly_return)} a year.")
            continue
        told.append(
            f"{name}: following its signs earned {percent(gross)} a year before costs, {percent(net.yearly_return)} "
            f"after {study.cost:g} basis points a trade; buy-and-hold earned {percent(hold.yearly_return)} on the same "
            f"{one.days:,} days (difference of daily means {chance(one.p_hold)})."
        )
        if net.yearly_return > hold.yearly_return and one.p_hold >= SURE:
            told.append("That lead is what luck alone brings: one history of prices is one draw.")
    return told


def _curves(study: ReturnsStudy) -> list[str]:
    learning = study.learning
    if learning is None:
        return []
    windows, epochs = learning.validation.shape
    mean, told = np.concatenate([[1.0], learning.validation.mean(axis=0)]), []
    if learning.diverges_early:
        best = learning.best_epoch
        until = f"is least after {best} epoch{'' if best == 1 else 's'}, {percent(1 - mean[best], 2)} below the start,"
        end = f"{percent(abs(mean[-1] - 1), 2)} {'above' if mean[-1] > 1 else 'below'} the start after {epochs}"
        told.append(
            f"Early divergence: over {windows} windows the validation loss {until + ' then rises' if best else 'rises'}"
            f"{'' if best else ' from the first epoch on'}, to {end}, while training loss falls: what is learned there "
            "is noise, and stopping early keeps it out."
        )
    if learning.idle:
        told.append(f"In {learning.idle} of {windows} windows no epoch helped: the networks stayed where they started.")
    return [*told, _reading(learning)]


def _reading(learning: Learning) -> str:
    """Return what `hw.diagnose` asserts of the newest window's curves."""
    asserted = [one for one in learning.diagnosis.findings if one.asserted]
    said = [f"{one.symptom} ({report.percent(one.confidence)})" for one in asserted]
    of = f"hw.diagnose reads the curves of the newest window, from {learning.day} on, as"
    if not said:
        return f"{of} {learning.diagnosis.verdict}."
    none = [text for text in said if text.startswith(NO_SIGNAL)]
    if none and len(said) > 1:
        others = [text for text in said if text not in none]
        return f"{of} {none[0]}, and, should there be a signal after all, {listed(others)}."
    return f"{of} {listed(said)}."


def page(study: ReturnsStudy) -> str:
    """Return everything as lines of at most 100 columns."""
    walk = study.walk
    horizon = walk.series[0].horizon
    span = "of the next day" if horizon == 1 else f"over {horizon} days"
    names = listed(study.names) if len(study.names) < 7 else f"{len(study.names)} series"
    head = f"{names}: can the return {span} be predicted? {study.verdict}"
    facts = (
        f"{len(walk.windows)} windows, {walk.settings.seeds} networks averaged, judged by {what(study)} in percent; "
        f"{sum(walk.seconds.values()):.1f} s."
    )
    lines = [head, facts, "", *_models(study)]
    if len(study.names) > 1:
        lines += ["", *_series(study)]
    if study.economics:
        lines += ["", *_performances(study)]
    told = [*lines, "", *study.sentences, *(f"Note: {note}" for note in study.notes)]
    if walk.interrupted:
        told.append("Note: interrupted; what was done until then.")
    return "\n".join(line for text in told for line in (textwrap.wrap(text, WIDTH) if len(text) > WIDTH else [text]))


def _models(study: ReturnsStudy) -> list[str]:
    """Return the table of models, means over series."""
    rows = [["model", "mean loss", "network's", "p", "R²", "p of R²", "hit rate"]]
    for model in [NETWORK, *study.pooled]:
        scores = [by_model[model] for by_model in study.scores.values()]
        test = study.pooled.get(model)
        own = float(np.mean([score.loss for score in scores]))
        told = [rounded(own), "", ""] if test is None else [rounded(test.means[1]), change(test), short(test.p)]
        r2, hits = (float(np.mean([vars(score)[name] for score in scores])) for name in ("r2", "hit_rate"))
        rows.append([model, *told, percent(r2, 2), short(scores[0].r2_p) if len(scores) == 1 else "-", percent(hits)])
    return table(rows if study.loss.symmetric else [row[:4] for row in rows])


def _series(study: ReturnsStudy) -> list[str]:
    """Return the table of series: the network beside the constant."""
    rows = [["series", "days", "network", CONSTANT, "network's", "p", "p (Holm)"]]
    for name, tests in study.comparisons.items():
        test = tests[CONSTANT]
        p = [short(value) for value in (test.p, study.holm[CONSTANT][name])]
        rows.append([name, f"{test.days:,}", *(rounded(mean) for mean in test.means), change(test), *p])
    return table(rows)


def _performances(study: ReturnsStudy) -> list[str]:
    """Return the table of money: a year's return after costs, and the risk of it."""
    rows = [["a year, after costs", "return", "volatility", "Sharpe", "± s.e.", "deepest fall", "turnover"]]
    for name, one in study.economics.items():
        for who, part in (("the network's signs", one.strategy), ("buy-and-hold", one.buy_and_hold)):
            label = who if len(study.names) == 1 else f"{name}, {who}"
            ratios = [rounded(part.sharpe), rounded(part.sharpe_error)]
            shares = [percent(part.yearly_return), percent(part.volatility)]
            rows.append([label, *shares, *ratios, percent(part.drawdown), rounded(part.turnover)])
    return table(rows)
