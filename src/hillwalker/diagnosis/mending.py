"""A model with a finding's remedy, trained anew on all rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hillwalker.choosing.variants import of_settings
from hillwalker.diagnosis.changes import Gain
from hillwalker.models import Sequential, copies


@dataclass(frozen=True, eq=False, repr=False)
class Mending:
    """What is needed to train a model anew: the model as it was, its data, and how it was trained."""

    model: Sequential
    x: Any
    y: Any
    sample_weight: Any
    epochs: int
    batch_size: int
    seed: int

    def mended(self, gain: Gain, verbose: Any) -> Sequential:
        """Return a copy of the model with the change that brought a gain, trained on all rows from new weights.

        An earlier stop means as many epochs as were best on the held-out parts.
        """
        settings = {name: value for name, value in gain.settings.items() if name != "stop"}
        variant = of_settings(self.model, [settings], None, 0)[0]
        told = {"epochs": gain.settings.get("stop", self.epochs), "batch_size": self.batch_size} | variant.fit
        mended = copies(variant.model, [self.seed])[0]
        mended.fit(self.x, self.y, sample_weight=self.sample_weight, verbose=verbose, **told)
        return mended
