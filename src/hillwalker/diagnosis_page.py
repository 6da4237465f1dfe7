"""A diagnosis as one offline page, as a fragment for a notebook, and as files in a folder.

Nothing is computed here but rounding; the words are those of `diagnosis/report.py`.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hillwalker import folders
from hillwalker.diagnosis import Changes, Diagnosis, Finding, report
from hillwalker.pages import Code, Facts, Page, Picture, Section, Table, render, text_of
from hillwalker.plots import DPI, save
from hillwalker.plots.diagnosis import plot_diagnosis
from hillwalker.reports import footer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEADER = ("finding", "how likely", "experiment", "epoch")


def page(diagnosis: Diagnosis) -> str:
    """Return the page as one HTML document: the verdict, the picture, each finding with its code, what was tried.

    >>> import numpy as np
    >>> from hillwalker.diagnosis import Curves
    >>> html = page(Diagnosis([], Curves(np.arange(2), np.array([1.0, 0.5]), None), 0.9))
    >>> html.count("<img"), "healthy (90&nbsp;%)" in html
    (1, True)
    """
    return _rendered(diagnosis, plot_diagnosis(diagnosis))


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
    figure = plot_diagnosis(diagnosis)
    written = folder / "report.html"
    folders.write_whole(written, _rendered(diagnosis, figure).encode())
    return [written, diagnosis.save(folder / "report.json"), save(figure, folder / "diagnosis.png")]


def _rendered(diagnosis: Diagnosis, figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight", facecolor="white")
    alt = f"Loss curves with the epochs of the evidence. {report.sentence(diagnosis)}"
    sections = [Section("Curves", [Picture(buffer.getvalue(), alt)])]
    if diagnosis.findings:
        sections.append(Section("Findings", [_findings(diagnosis)]))
    sections += [_section(number, one) for number, one in enumerate(diagnosis.shown, start=1)]
    if diagnosis.experiment is not None:
        sections.append(Section("What was tried", _tried(diagnosis.experiment)))
    if diagnosis.weapons is not None:
        rows = [] if diagnosis.rows is None else [repr(diagnosis.rows)]
        sections.append(Section("Against overfitting", [*_tried(diagnosis.weapons), *rows]))
    if diagnosis.notes:
        sections.append(Section("What could not be told", list(diagnosis.notes)))
    verdict = report.sentence(diagnosis)
    made = Page(f"Diagnosis: {diagnosis.verdict}", repr(diagnosis.curves), [verdict], sections, footer())
    return render(made)


def _findings(diagnosis: Diagnosis) -> Table:
    rows = []
    for one in diagnosis.findings:
        tested = {True: "confirmed", False: "refuted", None: "–"}[one.verified]
        epoch = "–" if one.epoch is None else str(one.epoch)
        rows.append([one.symptom, report.percent(one.confidence), tested, epoch])
    return Table(HEADER, rows, best=0 if diagnosis.first is diagnosis.findings[0] else None)


def _section(number: int, finding: Finding) -> Section:
    parts: list[str | Table | Facts | Code | Picture] = [Facts(report.facts(finding))]
    if finding.code:
        parts.append(Code(finding.code))
    return Section(f"{number}. {report.heading(finding)}", parts)


def _tried(experiment: Any) -> list[str | Table | Facts | Code | Picture]:
    """Return the experiment's gains as a table; its picture is part of the diagnosis's."""
    if not isinstance(experiment, Changes):
        return [Code(str(experiment).splitlines())]
    rows = []
    for one in experiment.gains:
        cells = [f"{100 * mean:.1f} ± {100 * error:.1f}" for mean, error in (one.at_end, one.stopped)]
        rows.append([one.change, *cells, "yes" if one.helps else "no"])
    caption = "Gains in % of what can be gained over a constant prediction, ± one standard error"
    best = 0 if experiment.gains and experiment.gains[0].helps else None
    table = Table(("change", "at the last epoch", "where best stopped", "helps"), rows, caption, best)
    return [table] if experiment.remedy is None else [table, "First remedy:", Code([experiment.remedy])]
