"""Told what is wrong: claims about what a change would do, and the experiments that test them; records, no pictures."""

from hillwalker.diagnosis.changes import Changes, Gain
from hillwalker.diagnosis.curves import Curves
from hillwalker.diagnosis.diagnosing import diagnose
from hillwalker.diagnosis.findings import Diagnosis, Finding
from hillwalker.diagnosis.inside import look_inside
from hillwalker.diagnosis.inspection import Inspection, inspect
from hillwalker.diagnosis.logs import read_curves
from hillwalker.diagnosis.matching import match_learning_rates
from hillwalker.diagnosis.rows import RowsCurve, try_rows
from hillwalker.diagnosis.symptoms import SYMPTOMS, Symptom, symptom
from hillwalker.diagnosis.trying import try_changes, try_weapons

__all__ = [
    "SYMPTOMS",
    "Changes",
    "Curves",
    "Diagnosis",
    "Finding",
    "Gain",
    "Inspection",
    "RowsCurve",
    "Symptom",
    "diagnose",
    "inspect",
    "look_inside",
    "match_learning_rates",
    "read_curves",
    "symptom",
    "try_changes",
    "try_rows",
    "try_weapons",
]
