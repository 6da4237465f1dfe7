"""A diagnosis as one offline page, as a fragment for a notebook, and as files in a folder.

Nothing is computed here but rounding; the words are those of `diagnosis/report.py`.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from hillwalker import folders
from hillwalker.diagnosis import Changes, Diagnosis, Finding, gains, report
from hillwalker.pages import Code, Facts, Page, Picture, Section, Table, render, text_of
from hillwalker.plots import DPI, save
from hillwalker.plots.changes import plot_changes
from hillwalker.plots.diagnosis import plot_diagnosis
from hillwalker.plots.rows import plot_rows
from hillwalker.reports import footer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEADER = ("finding", "how likely", "experiment", "epoch")


def page(diagnosis: Diagnosis) -> str:
    """Return the page as one HTML document: the verdict, the curves, each finding with its code, what was tried.

    >>> import numpy as np
    >>> from hillwalker.diagnosis import Curves
    >>> html = page(Diagnosis([], Curves(np.arange(2), np.array([1.0, 0.5]), None), 0.9))
    >>> html.count("<img"), "healthy (90&nbsp;%)" in html
    (1, True)
    """
    return _rendered(diagnosis)


def fragment(diagnosis: Diagnosis) -> str:
    """Return verdict, findings and notes as HTML for a notebook, without pictures and without styles of its own."""
    parts = [f"<p>Verdict: {text_of(report.sentence(diagnosis))}</p>"]
    if diagnosis.findings:
        parts.append(_findings(diagnosis).html())
    for one in diagnosis.shown:
        parts.append(f"<p>{text_of(f'{one.symptom}: {one.evidence} {one.advice}')}</p>")
        parts += [Code(one.code).html()] if one.code else []
    return "".join([*parts, *(f"<p>{text_of(note)}</p>" for note in diagnosis.notes)])


def write_diagnosis(diagnosis: Diagnosis, folder: str | Path, overwrite: bool = False) -> list[Path]:
    """Write report.html, report.json and diagnosis.png into a folder; return the files' paths."""
    folder = folders.make_folder(folder, overwrite)
    written = folder / "report.html"
    folders.write_whole(written, _rendered(diagnosis).encode())
    return [written, diagnosis.save(folder / "report.json"), save(plot_diagnosis(diagnosis), folder / "diagnosis.png")]


def _rendered(diagnosis: Diagnosis) -> str:
    alt = f"Loss curves with the epochs of the evidence. {report.sentence(diagnosis)}"
    sections = [Section("Curves", [_picture(plot_diagnosis(diagnosis, curves_only=True), alt)])]
    if diagnosis.findings:
        sections.append(Section("Findings", [_findings(diagnosis)]))
    sections += [_section(number, one) for number, one in enumerate(diagnosis.shown, start=1)]
    if diagnosis.experiment is not None:
        sections.append(Section("What was tried", _tried(diagnosis.experiment)))
    if diagnosis.weapons is not None:
        told = [gains.found(diagnosis.weapons), *_tried(diagnosis.weapons)]
        sections.append(Section("Against overfitting", told))
    if diagnosis.rows is not None:
        alt = f"Held-out loss by how many rows were trained on. {diagnosis.rows.sentence}"
        sections.append(Section("More rows?", [diagnosis.rows.sentence, _picture(plot_rows(diagnosis.rows), alt)]))
    if diagnosis.notes:
        sections.append(Section("What could not be told", list(diagnosis.notes)))
    verdict = [report.sentence(diagnosis), *_first_remedy(diagnosis)]
    made = Page(f"Diagnosis: {diagnosis.verdict}", repr(diagnosis.curves), verdict, sections, footer())
    return render(made)


def _picture(figure: Figure, alt: str) -> Picture:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight", facecolor="white")
    return Picture(buffer.getvalue(), alt)


def _first_remedy(diagnosis: Diagnosis) -> list[str]:
    """Return what to change first, so that nobody has to look for it."""
    if diagnosis.first is None:
        return []
    return [f"First remedy: {'; '.join(diagnosis.first.code) or diagnosis.first.advice}"]


def _findings(diagnosis: Diagnosis) -> Table:
    rows = []
    for one in diagnosis.findings:
        untold = "–" if one.gain is None else "open"  # not tried, or tried and not told by it
        tested = {True: "confirmed", False: "refuted", None: untold}[one.verified]
        epoch = "–" if one.epoch is None else str(one.epoch)
        rows.append([one.symptom, report.percent(one.confidence), tested, epoch])
    return Table(HEADER, rows, best=0 if diagnosis.first is diagnosis.findings[0] else None)


def _section(number: int, finding: Finding) -> Section:
    parts: list[str | Table | Facts | Code | Picture] = [Facts(report.facts(finding))]
    if finding.code:
        parts.append(Code(finding.code))
    return Section(f"{number}. {report.heading(finding)}", parts)


def _tried(changes: Changes) -> list[str | Table | Facts | Code | Picture]:
    """Return gains as a table, the best first, and as a picture."""
    order = gains.ranked(changes.gains)
    rows = []
    for one in order:
        intervals = [(mean, mean - 2 * error, mean + 2 * error) for mean, error in (one.at_end, one.stopped)]
        cells = [gains.interval_of(interval).replace(" ", "\N{NO-BREAK SPACE}") for interval in intervals]
        rows.append([one.change, *cells, "yes" if one.helps else "no"])
    caption = "What each brings of what can be gained over a constant prediction, ± two standard errors"
    table = Table(
        ("change", "at the last epoch", "where best stopped", "helps"), rows, caption, 0 if order[0].helps else None
    )
    alt = "What each change brings, at the last epoch and where it had better stopped."
    return [table, gains.measure(changes), _picture(plot_changes(changes), alt)]
