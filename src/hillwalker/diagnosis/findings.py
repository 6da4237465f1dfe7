"""What a diagnosis says: findings, each with its evidence and how sure it is, and the verdict they add up to."""

from __future__ import annotations

import builtins
from dataclasses import dataclass, field
from typing import Any

from hillwalker import records
from hillwalker.diagnosis.curves import Curves
from hillwalker.diagnosis.symptoms import HEALTHY, Symptom, symptom

ASSERTED = 0.5  # a finding of this confidence or more is asserted
SHOWN = 0.2  # what is less likely is left out of the text


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: `symptom` by its name in the catalogue, `evidence` in words with its numbers.

    `epoch`: where the evidence lies, as the log counts, or None; `confidence`: the probability, 0 to 1, that the
    remedy helps; `remedy`: what to change, and the line of code if there is one; `verified`: whether an experiment
    confirmed (True) or refuted (False) it, None where none was run or it was left open; `numbers`: what the evidence
    rests on; `gain`: by how much the winning change is better, in parts of what can be gained, (mean, low, high).
    """

    symptom: str
    evidence: str
    confidence: float
    epoch: int | None = None
    remedy: str = ""
    verified: bool | None = None
    numbers: dict[str, float] = field(default_factory=dict)
    gain: tuple[float, float, float] | None = None

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

    def __str__(self) -> str:
        where = "" if self.epoch is None else f" (epoch {self.epoch})"
        tested = {True: ", confirmed by experiment", False: ", refuted by experiment", None: ""}[self.verified]
        lines = [f"{self.symptom}: {self.confidence:.0%}{tested}", f"  {self.about.says}", f"  {self.evidence}{where}"]
        lines += [f"  {line}" for line in self.remedy.splitlines()]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, numbers and strings."""
        return {
            "symptom": self.symptom,
            "confidence": self.confidence,
            "evidence": self.evidence,
            "epoch": self.epoch,
            "remedy": self.remedy,
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
    to verify it; `notes`: what could not be told, and why.
    """

    findings: list[Finding]
    curves: Curves
    healthy: float
    inspection: Any = None
    experiment: Any = None
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """The first asserted symptom, or "healthy"."""
        return next((one.symptom for one in self.findings if one.asserted), HEALTHY)

    @property
    def confidence(self) -> float:
        """How likely the verdict is, 0 to 1."""
        first = next((one for one in self.findings if one.asserted), None)
        return self.healthy if first is None else first.confidence

    def __str__(self) -> str:
        said = [f"Verdict: {self.verdict} ({self.confidence:.0%}), from {self.curves.source}."]
        said += [str(one) for one in self.findings if one.confidence >= SHOWN]
        return "\n\n".join([*said, *self.notes])

    __repr__ = __str__

    def print(self) -> None:
        """Print it."""
        builtins.print(self)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, numbers and strings."""
        return {
            "verdict": self.verdict,
            "confidence": self.confidence,
            "healthy": self.healthy,
            "findings": [one.to_dict() for one in self.findings],
            "curves": self.curves.to_dict(),
            "inspection": None if self.inspection is None else self.inspection.to_dict(),
            "experiment": None if self.experiment is None else self.experiment.to_dict(),
            "notes": list(self.notes),
        }

    def to_frame(self) -> Any:
        """Return one row a finding."""
        rows = [one.to_dict() for one in self.findings]
        names = ("symptom", "confidence", "evidence", "epoch", "remedy", "verified", "page")
        return records.to_frame({name: [row[name] for row in rows] for name in names}, call="diagnosis.to_frame()")
