"""A study of volatility in words and tables: what the terminal, the page and the figures' captions say.

Everything is taken from the record; nothing is computed here but rounding and counting.
"""

from __future__ import annotations

import math
from textwrap import wrap
from typing import TYPE_CHECKING

from hillwalker.finance.comparing import SURE
from hillwalker.finance.phrases import listed, percent, table
from hillwalker.finance.walk_forward import NETWORK
from hillwalker.scores import rounded

if TYPE_CHECKING:
    from hillwalker.finance.volatility import SeriesResult, VolatilityStudy

SCORES = ("QLIKE", "RMSE", "MAE", "R²")
WIDTH = 100
MOST_NAMED = 4  # series in a heading


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
    past = "all past days" if walk.length is None else f"the newest {walk.length:,} days"
    past = past if walk.refits else "those days"
    told.append(("Refits", f"{cadence}, {counted(len(walk.windows), 'window')}, {past} learned from"))
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


def counted(count: int, word: str) -> str:
    """Return a number and its word, in singular or plural.

    >>> counted(1, "window"), counted(1200, "window")
    ('1 window', '1,200 windows')
    """
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def interval_sentences(study: VolatilityStudy) -> list[str]:
    """Return how often what came lay within the network's intervals."""
    said = []
    for result in study.results:
        for level, found in sorted(result.coverage.items()):
            said.append(
                f"{result.name}: {percent(found.share)} of {found.days:,} days lay within the {percent(level, 0)} "
                f"interval (95 % sure: {percent(found.low)} to {percent(found.high)})."
            )
        if result.seeds is not None and study.walk.settings.seeds > 1:
            said.append(
                f"{result.name}: {percent(result.seeds.share)} lay where 90 % of the seeds do: their band shows how "
                "far the networks agree, not how far off they are."
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
            f"{name}: validation is best after {best[len(best) // 2]} epochs (the median of "
            f"{counted(len(best), 'window')}, from {best[0]} to {best[-1]}); its curves read as: {verdicts}."
        )
        early = sum(curves.diverges_early for curves in fits)
        if early:
            said.append(
                f"Early divergence in {early} of {len(fits)} windows: validation rises from the first epoch on, so "
                "none was taken."
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


SCORES_READ = "All models forecast the same days. Lower is better but for R²; the best by QLIKE is bold."
MEANINGS = (
    "QLIKE: the loss of a forecast variance f where y came, y/f - ln(y/f) - 1, mean over days; 0 is perfect, and too "
    "low a forecast costs more than too high a one. Its ranking survives that the variance itself is only measured. "
    "RMSE, MAE and R² are of log variance.",
    "p: how likely the network's QLIKE and this model's would differ that much by chance (Diebold and Mariano, days "
    "that resemble their neighbours reckoned with). From .05 on the two cannot be told apart.",
    "May be best: what remains when the models that are surely worse are taken out (model confidence set). With "
    "probability 90 % the best one is among them; where several stay, no winner is known.",
)


def title(study: VolatilityStudy) -> str:
    """Return what the study is of, as a heading."""
    names = [one.name for one in study.walk.series]
    return f"Volatility forecasts: {listed(names) if len(names) <= MOST_NAMED else f'{len(names)} series'}"


def how(study: VolatilityStudy) -> str:
    """Return in a sentence how the forecasts were made."""
    ahead = "the next day" if study.horizon == 1 else f"the next {study.horizon} days together"
    return f"Each forecast is of {ahead}, and was made at a day's close by models that had seen nothing later."


def box_sentences(study: VolatilityStudy) -> list[str]:
    """Return the verdict for a reader in a hurry: an interruption, the fair bar, then all others in one sentence."""
    said = []
    if study.walk.interrupted:
        last = max(str(one.dates[-1]) for one in study.walk.series)
        said.append(f"Interrupted: forecasts end at {last}, after {counted(len(study.walk.windows), 'window')}.")
    if not study.pooled:
        return [*said, "Nothing was tested: too few days have come, or nothing stands beside the network."]
    sentences = study.sentences
    series = next(iter(study.pooled.values())).series
    if series > 1:
        sentences[0] = f"Over all {series} series: t{sentences[0][1:]}"
    if study.verdict == "untested":
        return [*said, *sentences, "HAR-X, the straight line on the same inputs, was not tried: it is the fair bar."]
    rest = [test for name, test in study.pooled.items() if f"-{name}" not in study.verdict]
    losing = [test.names[1] for test in rest if test.better == test.names[0]]
    beaten = f"It beats {listed(losing)} (p < .05 each)." if losing else ""
    # What it beats is one list; what it does not beat is said in full, and so is what Holm's correction leaves.
    others = [one for one in sentences[1:] if not one.startswith("The network beats")]
    return [*said, sentences[0], *([beaten] if beaten else []), *others]


def pooled_rows(study: VolatilityStudy) -> tuple[list[str], list[list[str]]]:
    """Return the tests over all series: the network beside each model, and on how many series it is ahead."""
    rows = []
    for model, test in sorted(study.pooled.items(), key=lambda pair: pair[1].means[1]):
        by_series = [one.tests[model].difference for one in study.results if model in one.tests]
        change = f"{100 * (test.means[0] / test.means[1] - 1):+.1f} %".replace("-", "−")
        p = "< .001" if test.p < 0.001 else f"{test.p:.3f}".lstrip("0")
        surely = sum(p < SURE for p in study.corrected.get(model, {}).values())
        ahead = f"{sum(one < 0 for one in by_series)} of {len(by_series)}"
        rows.append([model, *(f"{mean:.4f}" for mean in test.means), change, p, ahead, str(surely)])
    return ["against", "network", "rival", "difference", "p", "network ahead", "told apart"], rows


def pooled_caption(study: VolatilityStudy) -> str:
    """Return what the table of the pooled tests says."""
    days = max(test.days for test in study.pooled.values())
    return (
        f"Mean QLIKE over all series, {days:,} days: of each day the mean of its series, so that a day which all share "
        f"counts once. Network ahead: on how many series; told apart: on how many of them, with p below {SURE} once it "
        "is counted how many series were tried (Holm)."
    )


def training_caption(study: VolatilityStudy) -> str:
    """Return what the pictures of the windows' curves show."""
    left = {"held": "what the line leaves over", "trained": "what the constant leaves over", "none": "the target"}
    seeds = f"the band all {study.walk.settings.seeds} seeds, " if study.walk.settings.seeds > 1 else ""
    mse = f"1 is the variance of {left[study.walk.settings.line]} on the days learned from. "
    return (
        f"{mse if study.walk.settings.loss == 'mse' else ''}A line is the mean, {seeds}the dotted level the loss "
        "before any epoch, the ring how many epochs were chosen: on the newest fifth of the window's own past, before "
        "its first forecast. The second line of a title is what the diagnosis reads off the curves."
    )


FORECASTS = (
    "Drawn at the last day that a forecast is of. Forecasts aim at the mean variance, which rare stormy days lift, so "
    "that more days lie below them than above; intervals are made of past errors. The means of tenths of the days, "
    "sorted by forecast, should lie on the diagonal."
)
DIFFERENCES = (
    "Where a line falls the network gains on its rival, where it climbs it loses. A lead won within a few days is luck "
    "until it comes again. Grey: months whose variance is among the highest tenth."
)
INTERVALS = (
    "By year, how many of the days lay within the interval; bars: Wilson's 95 % intervals. Dots should lie along the "
    "dashed lines, and in a crisis too."
)


def data_notes(study: VolatilityStudy) -> list[tuple[str, str]]:
    """Return every note on the data as pairs of a series and what is odd about it."""
    found = []
    for name, notes in study.notes.items():
        told = notes or ("nothing odd was found",)
        found += [(name if number == 0 else "", note) for number, note in enumerate(told)]
    return found


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
        lines += table([head, *rows])
    said = [study.sentences, [*interval_sentences(study), *reading_sentences(study)], coming_sentences(study)]
    for sentences in said:
        lines += [""] if sentences else []
        for sentence in sentences:
            lines += wrap(sentence, WIDTH, subsequent_indent="  ")
    seconds = study.walk.seconds
    lines += ["", f"{rounded(sum(seconds.values()))} s, of which the networks {rounded(seconds.get(NETWORK, 0.0))} s."]
    return "\n".join(lines)
