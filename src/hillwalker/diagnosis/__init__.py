"""Told what is wrong: claims about what a change would do, and the experiments that test them; records, no pictures."""

from hillwalker.diagnosis.changes import Changes, Gain, try_changes
from hillwalker.diagnosis.curves import Curves
from hillwalker.diagnosis.findings import Diagnosis, Finding
from hillwalker.diagnosis.symptoms import SYMPTOMS, Symptom, symptom

__all__ = ["SYMPTOMS", "Changes", "Curves", "Diagnosis", "Finding", "Gain", "Symptom", "symptom", "try_changes"]
