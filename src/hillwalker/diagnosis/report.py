"""A diagnosis as lines for a terminal: the verdict in a sentence, each finding with its remedy, what was tried.

Nothing is computed here but rounding. The page is in `diagnosis_page.py`, the picture in `plots/diagnosis.py`.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from hillwalker.diagnosis import gains

if TYPE_CHECKING:
    from hillwalker.diagnosis.findings import Diagnosis, Finding

WIDTH = 100  # columns; lines of code and tables are never broken
MOST, WEAPONS = 8, 6  # rows of what was tried, and of what was tried against overfitting
TESTED = {True: "confirmed by experiment", False: "refuted by experiment", None: ""}
NOTHING = "nothing that was looked at is likely to be wrong."


def percent(share: float) -> str:
    """Return a probability as people say it; what is not certain is not called 0 or 100 %.

    >>> percent(0.934), percent(0.9991), percent(0.002), percent(1.0)
    ('93 %', '> 99 %', '< 1 %', '100 %')
    """
    if 0.995 <= share < 1.0:
        return "> 99 %"
    return "< 1 %" if 0.0 < share < 0.01 else f"{100 * share:.0f} %"


def sentence(diagnosis: Diagnosis) -> str:
    """Return the verdict, how sure it is, and what it means, in one sentence."""
    first = diagnosis.first
    if first is None:
        return f"{diagnosis.verdict} ({percent(diagnosis.confidence)}): {NOTHING}"
    tested = f", {TESTED[first.verified]}" if first.verified is not None else ""
    says = first.about.says
    return f"{first.symptom} ({percent(first.confidence)}{tested}): {says[0].lower()}{says[1:]}"


def heading(finding: Finding) -> str:
    """Return a finding's name, how likely it is, and whether it was tested."""
    return ", ".join(part for part in (finding.symptom, percent(finding.confidence), TESTED[finding.verified]) if part)


def facts(finding: Finding) -> list[tuple[str, str]]:
    """Return evidence, remedy and page as pairs of a word and its text, without the code."""
    where = "" if finding.epoch is None else f" (epoch {finding.epoch})"
    pairs = [("means", finding.about.says), ("evidence", finding.evidence + where), ("remedy", finding.advice)]
    if finding.gain is not None:
        share = gains.interval_of(finding.gain)
        pairs.append(("gains", f"{share} of what can be gained over a constant prediction"))
    return [*pairs, ("page", finding.page)]


def text(diagnosis: Diagnosis) -> str:
    """Return everything as lines of at most 100 columns.

    >>> import numpy as np
    >>> from hillwalker.diagnosis import Curves, Diagnosis
    >>> print(text(Diagnosis([], Curves(np.arange(2), np.array([1.0, 0.5]), None, source="a list"), 0.9)))
    Verdict: healthy (90 %): nothing that was looked at is likely to be wrong.
    Read: Curves from a list: 2 epochs of loss
    """
    blocks = ["\n".join([*_wrapped(sentence(diagnosis), "Verdict: "), *_wrapped(repr(diagnosis.curves), "Read: ")])]
    for number, one in enumerate(diagnosis.shown, start=1):
        blocks.append("\n".join([f"{number}. {heading(one)}", *_lines(one, told=one is diagnosis.first)]))
    if diagnosis.unlikely:
        names = ", ".join(f"{one.symptom} ({percent(one.confidence)})" for one in diagnosis.unlikely)
        blocks.append("\n".join(_wrapped(names, "Unlikely: ")))
    blocks += ["\n".join([f"{head}:", *lines]) for head, lines in _experiments(diagnosis)]
    blocks += ["\n".join(_wrapped(note, "Note: ")) for note in diagnosis.notes]
    return "\n\n".join(blocks)


def _experiments(diagnosis: Diagnosis) -> list[tuple[str, list[str]]]:
    """Return what was tried as pairs of a heading and lines; the findings have told what follows from it."""
    told = []
    if diagnosis.experiment is not None:
        changes, where = diagnosis.experiment, "diagnosis.experiment.to_frame(), the page and JSON"
        lines = gains.table(changes.gains, MOST, where)
        told.append(("Tried", [*_indented(lines), *_wrapped(f"{gains.ERRORS} {gains.measure(changes)}", "  ")]))
    if diagnosis.weapons is not None:
        weapons, where = diagnosis.weapons, "diagnosis.weapons.to_frame(), the page and JSON"
        lines = [*gains.table(weapons.gains, WEAPONS, where), gains.found(weapons)]
        more = [] if diagnosis.rows is None else _wrapped(diagnosis.rows.sentence, "  ")
        told.append(("Against overfitting", [*_indented(lines), *more]))
    return told


def _lines(finding: Finding, told: bool) -> list[str]:
    """Return a finding's lines; what it means is left out where the verdict has told it."""
    lines: list[str] = []
    for word, said in facts(finding)[told:]:
        lines += _wrapped(said, f"   {word:<10}")
        if word == "remedy":
            lines += [f"   {'code' if not number else '':<10}{line}" for number, line in enumerate(finding.code)]
    return lines


def _wrapped(said: str, head: str) -> list[str]:
    """Return text in lines of at most 100 columns, the first after `head` and the others under it."""
    whole = said.replace(" %", "\N{NO-BREAK SPACE}%")  # a number stays with its percent sign
    lines = textwrap.wrap(
        whole, WIDTH, initial_indent=head, subsequent_indent=" " * len(head), break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def _indented(said: list[str]) -> list[str]:
    """Return lines two columns in; sentences that are too long are wrapped, tables fit."""
    lines: list[str] = []
    for line in said:
        lines += [f"  {line}"] if len(line) + 2 <= WIDTH else _wrapped(line, "  ")
    return lines
