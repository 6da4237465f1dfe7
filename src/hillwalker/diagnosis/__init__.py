"""Told what is wrong: claims about what a change would do, and the experiments that test them; records, no pictures."""

from hillwalker.diagnosis.changes import Changes, Gain, try_changes

__all__ = ["Changes", "Gain", "try_changes"]
