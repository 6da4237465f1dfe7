"""A study of volatility in words and tables: what the terminal, the page and the figures' captions say.

Everything is taken from the record; nothing is computed here but rounding and counting.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from hillwalker.finance.walk_forward import NETWORK
from hillwalker.scores import rounded

if TYPE_CHECKING:
    from hillwalker.finance.volatility import SeriesResult, VolatilityStudy

SCORES = ("QLIKE", "RMSE", "MAE", "R²")
WIDTH = 100


def facts(study: VolatilityStudy) -> list[tuple[str, str]]:
    """Return what was done, as pairs of a word and its explanation."""
    walk, settings = study.walk, study.walk.settings
    told: list[tuple[str, str]] = []
    for one in walk.series:
        days = f"{one.dates[0]} to {one.dates[-1]}, {len(one.dates):,} days forecast"
        told.append(("Series" if not told else "", f"{one.name}: {days}"))
        told += [("Note", f"{one.name}: {note}") for note in study.notes.get(one.name, ())]
    ahead = "the next day's variance" if study.horizon == 1 else f"the mean variance of the next {study.horizon} days"
    told.append(("Target", f"log of {ahead} ({study.proxy})"))
    fits = [window for window in walk.windows if window.curves is not None]
    epochs = [window.curves.chosen for window in fits if window.curves is not None]
    units = "-".join(str(units) for units in settings.units)
    line = {"held": "on HAR-X, which it is added to", "trained": "started at HAR-X", "none": "without a line"}
    cadence = f"every {walk.refits} days" if walk.refits else "at the windows given"
    told.append(("Refits", f"{cadence}, {len(walk.windows):,} windows, all past days learned from"))
    if epochs:
        chosen = f"{min(epochs)} to {max(epochs)} epochs, chosen in each window's own past"
        together = "; all series together" if walk.panel else ""
        told.append(("Network", f"{units} units, {line[settings.line]}; {settings.seeds} seeds averaged{together}"))
        told.append(("Training", f"{chosen}; in {sum(one == 0 for one in epochs)} of {len(fits)} none helped"))
    return told


def score_rows(result: SeriesResult) -> tuple[list[str], list[list[str]]]:
    """Return a series' table: models by QLIKE, with the p of the network's difference and who may be the best."""
    head = ["", *SCORES, "p", "may be best"]
    rows = []
    for model, scores in sorted(result.scores.items(), key=lambda pair: pair[1].get("QLIKE", math.inf)):
        test = result.tests.get(model)
        p = "" if test is None else "< .001" if test.p < 0.001 else f"{test.p:.3f}".lstrip("0")
        best = result.confidence_set
        stays = "" if best is None else "yes" if model in best.included else "no"
        rows.append([model, *(f"{scores[name]:.3f}" if name in scores else "" for name in SCORES), p, stays])
    return head, rows


def lines_of(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of cells as aligned lines, the first column to the left."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]


def interval_sentences(study: VolatilityStudy) -> list[str]:
    """Return how often what came lay within the network's intervals."""
    said = []
    for result in study.results:
        for level, found in sorted(result.coverage.items()):
            said.append(
                f"{result.name}: {found.share:.1%} of {found.days:,} days lay within the {level:.0%} interval "
                f"(95 % sure: {found.low:.1%} to {found.high:.1%})."
            )
        if result.seeds is not None and study.walk.settings.seeds > 1:
            said.append(
                f"{result.name}: {result.seeds.share:.1%} lay where 90 % of the seeds do: their band shows how far the "
                "networks agree, not how far off they are."
            )
    return said


def reading_sentences(study: VolatilityStudy) -> list[str]:
    """Return what the curves of the windows say: where validation turns early, and how often."""
    said = []
    for name, walk, readings in (
        ("The network on its line", study.walk, study.readings),
        ("The network alone", study.alone, study.alone_readings),
    ):
        fits = [] if walk is None else [window.curves for window in walk.windows if window.curves is not None]
        if not fits:
            continue
        best = sorted(curves.chosen for curves in fits)
        counts: dict[str, int] = {}
        for _, found in readings:
            counts[found.verdict] = counts.get(found.verdict, 0) + 1
        verdicts = ", ".join(f"{verdict} in {count}" for verdict, count in sorted(counts.items(), key=lambda p: -p[1]))
        said.append(
            f"{name}: validation is best after {best[len(best) // 2]} epochs (the median of {len(best)} windows, from "
            f"{best[0]} to {best[-1]}); its curves read as: {verdicts}."
        )
        if walk is study.walk and walk.settings.line == "held" and "no-signal" in counts:
            said.append('"no-signal" there: what HAR-X leaves over cannot be told from noise.')
    return said


def coming_sentences(study: VolatilityStudy) -> list[str]:
    """Return the newest forecasts in words."""
    ahead = "the next trading day" if study.horizon == 1 else f"the next {study.horizon} trading days"
    return [
        f"{name}, after {one.date}: {one.volatility:.1f} % a year on {ahead} "
        f"(90 % interval {one.low:.1f} to {one.high:.1f} %)."
        for name, one in study.coming.items()
    ]


def text(study: VolatilityStudy) -> str:
    """Return the whole study as lines for a terminal."""
    told = facts(study)
    indent = max(len(word) for word, _ in told) + 2
    lines = []
    for word, what in told:
        lines += wrap(what, WIDTH, initial_indent=word.ljust(indent), subsequent_indent=" " * indent)
    for result in study.results:
        head, rows = score_rows(result)
        lines += [
            "",
            f"{result.name}, {result.days:,} days; lower is better but for R²; p: of the network's difference",
        ]
        lines += lines_of([head, *rows])
    said = [study.sentences, [*interval_sentences(study), *reading_sentences(study)], coming_sentences(study)]
    for sentences in said:
        lines += [""] if sentences else []
        for sentence in sentences:
            lines += wrap(sentence, WIDTH, subsequent_indent="  ")
    seconds = study.walk.seconds
    lines += ["", f"{rounded(sum(seconds.values()))} s, of which the networks {rounded(seconds.get(NETWORK, 0.0))} s."]
    return "\n".join(lines)
