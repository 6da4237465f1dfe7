"""What a diagnosis says: findings, each with its evidence and how sure it is, and the verdict they add up to."""

from __future__ import annotations

import builtins
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hillwalker import folders, records
from hillwalker.diagnosis import report
from hillwalker.diagnosis.curves import Curves
from hillwalker.diagnosis.symptoms import HEALTHY, Symptom, symptom
from hillwalker.errors import InputError, StateError, explain

if TYPE_CHECKING:
    from hillwalker.diagnosis.changes import Changes, Gain
    from hillwalker.diagnosis.mending import Mending
    from hillwalker.diagnosis.rows import RowsCurve
    from hillwalker.models import Sequential

ASSERTED = 0.5  # a finding of this confidence or more is asserted
SHOWN = 0.2  # what is less likely is only named


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: `symptom` by its name in the catalogue, `evidence` in words with its numbers.

    `epoch`: where the evidence lies, as the log counts, or None; `confidence`: the probability, 0 to 1, that the
    remedy helps; `remedy`: what to change, and on lines of its own the code if there is any; `verified`: whether an
    experiment confirmed (True) or refuted (False) it, None where none was run or it was left open; `numbers`: what the
    evidence rests on; `winner`: the change that won, if one did; `gain`: by how much the change that was tried is
    better, in parts of what can be gained, (mean, low, high).
    """

    symptom: str
    evidence: str
    confidence: float
    epoch: int | None = None
    remedy: str = ""
    verified: bool | None = None
    numbers: dict[str, float] = field(default_factory=dict)
    gain: tuple[float, float, float] | None = None
    winner: Gain | None = None

    @property
    def asserted(self) -> bool:
        """Whether it is likelier than not."""
        return self.confidence >= ASSERTED

    @property
    def about(self) -> Symptom:
        """What the symptom means, from the catalogue."""
        return symptom(self.symptom)

    @property
    def page(self) -> str:
        """The page of the docs that explains it."""
        return self.about.page

    @property
    def advice(self) -> str:
        """What to change, in words; the catalogue's where the finding has none of its own."""
        return self.remedy.partition("\n")[0] or self.about.remedy

    @property
    def code(self) -> list[str]:
        """The lines of code to write, none where there are none."""
        return [line for line in self.remedy.splitlines()[1:] if line.strip()]

    def __str__(self) -> str:
        pairs = report.facts(self)
        return "\n".join(
            [report.heading(self), *(f"  {said}" for _, said in pairs[:3]), *(f"  {c}" for c in self.code)]
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, numbers and strings."""
        return {
            "symptom": self.symptom,
            "confidence": self.confidence,
            "evidence": self.evidence,
            "epoch": self.epoch,
            "remedy": self.advice,
            "code": self.code,
            "verified": self.verified,
            "numbers": records.plain(self.numbers),
            "gain": records.plain(self.gain),
            "says": self.about.says,
            "page": self.page,
        }


@dataclass(frozen=True, eq=False, repr=False)
class Diagnosis:
    """What is wrong with a training, most certain first.

    `findings`: those of confidence 0.5 or more are asserted; `curves`: what was read; `healthy`: the probability that
    nothing is wrong; `inspection`: what was measured inside, if model and data were given; `experiment`: what was tried
    to verify it; `notes`: what could not be told, and why; `constant_loss`: of always predicting the same, on training
    and validation rows, None where it is not known; `weapons`, `rows`: what was tried against overfitting, and with
    fewer rows, where an experiment confirmed it; `mending`: what `apply` needs.
    """

    findings: list[Finding]
    curves: Curves
    healthy: float
    inspection: Any = None
    experiment: Any = None
    notes: tuple[str, ...] = ()
    constant_loss: tuple[float | None, float | None] | None = None
    weapons: Changes | None = None
    rows: RowsCurve | None = None
    mending: Mending | None = None

    @property
    def first(self) -> Finding | None:
        """The first asserted finding, None where there is none."""
        return next((one for one in self.findings if one.asserted), None)

    @property
    def shown(self) -> list[Finding]:
        """The findings that the text tells in full; the others are `unlikely`."""
        return [one for one in self.findings if one.confidence >= SHOWN]

    @property
    def unlikely(self) -> list[Finding]:
        """The findings that the text only names."""
        return [one for one in self.findings if one.confidence < SHOWN]

    @property
    def verdict(self) -> str:
        """The first asserted symptom, or "healthy"."""
        return HEALTHY if self.first is None else self.first.symptom

    @property
    def confidence(self) -> float:
        """How likely the verdict is, 0 to 1."""
        return self.healthy if self.first is None else self.first.confidence

    def __str__(self) -> str:
        return report.text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from hillwalker.diagnosis_page import fragment

        return fragment(self)

    def print(self) -> None:
        """Print it."""
        builtins.print(self)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, numbers and strings."""
        said = {
            "verdict": self.verdict,
            "confidence": self.confidence,
            "healthy": self.healthy,
            "findings": [one.to_dict() for one in self.findings],
            "curves": self.curves.to_dict(),
            "constant_loss": self.constant_loss,
            "inspection": None if self.inspection is None else self.inspection.to_dict(),
            "experiment": None if self.experiment is None else self.experiment.to_dict(),
            "weapons": None if self.weapons is None else self.weapons.to_dict(),
            "rows": None if self.rows is None else self.rows.to_dict(),
            "notes": list(self.notes),
        }
        plain: dict[str, Any] = records.plain(said)
        return plain

    def to_html(self) -> str:
        """Return everything as one HTML page, its pictures inside, that needs no network and no other file."""
        from hillwalker.diagnosis_page import page

        return page(self)

    def plot(self) -> Any:
        """Return a matplotlib figure of curves, evidence and confidences (see `hillwalker.plots.diagnosis`)."""
        from hillwalker.plots.diagnosis import plot_diagnosis

        return plot_diagnosis(self)

    def save(self, path: str | Path) -> Path:
        """Write it as a page (.html), as JSON or as a picture (.png, .svg, .pdf), and return the path."""
        path = Path(path)
        ending = path.suffix.lower()
        if ending == ".html":
            folders.write_whole(path, self.to_html().encode())
        elif ending == ".json":
            folders.write_whole(path, (json.dumps(self.to_dict(), indent=2) + "\n").encode())
        elif ending in (".png", ".svg", ".pdf"):
            from hillwalker.plots import save

            save(self.plot(), path)
        else:
            expected = "a name that ends in .html, .json, .png, .svg or .pdf."
            raise InputError(explain(f"the path {str(path)!r}.", expected, f"diagnosis.save({f'{path}.html'!r})"))
        return path

    def apply(self, verbose: Any = "auto") -> Sequential:
        """Return the model with the first remedy that an experiment confirmed, trained anew on all rows.

        The model that was diagnosed stays as it is. Raises StateError where nothing was verified, or nothing helps.
        """
        if self.mending is None or self.experiment is None:
            passed = "a diagnosis without an experiment."
            raise StateError(explain(passed, "one that was verified.", "hw.diagnose(model, X, y, verify=True).apply()"))
        gain = next((one.winner for one in self.findings if one.verified and one.winner is not None), None)
        if gain is None:
            passed = f"a diagnosis whose experiment confirmed no remedy (verdict {self.verdict!r})."
            raise StateError(explain(passed, "a change that helps.", "model.fit(X, y)"))
        return self.mending.mended(gain, verbose)

    def to_frame(self) -> Any:
        """Return one row a finding."""
        rows = [one.to_dict() for one in self.findings]
        names = ("symptom", "confidence", "evidence", "epoch", "remedy", "code", "verified", "page")
        return records.to_frame(
            {name: [_cell(row[name]) for row in rows] for name in names}, call="diagnosis.to_frame()"
        )


def _cell(value: Any) -> Any:
    return "\n".join(value) if isinstance(value, list) else value
