"""Would more rows help? The model trained on parts of its rows, and what each doubling brought; a record.

Trains by `compare` alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import records
from hillwalker.choosing import splits
from hillwalker.choosing.constants import losses_of_constants
from hillwalker.choosing.experiment import compare, parts_of
from hillwalker.diagnosis.changes import MATTERS
from hillwalker.diagnosis.gains import percent_of
from hillwalker.diagnosis.trying import IN_TIME
from hillwalker.models import Sequential
from hillwalker.scores import rounded

Array = NDArray[np.float64]

SHARES = (0.25, 0.5, 1.0)  # of the rows trained on: two doublings
FEWEST = 8  # rows to train on
ERRORS = 2.0  # standard errors by which the last doubling has to be more than what matters, or less


@dataclass(frozen=True, eq=False, repr=False)
class RowsCurve:
    """The loss by how many rows were trained on: `rows` (S,), `losses` (S, parts) on the same held-out rows.

    `scale`: what can be gained, the constant prediction's loss less that of all rows.
    """

    rows: NDArray[np.int64]
    losses: Array
    scale: float

    @property
    def last_doubling(self) -> tuple[float, float]:
        """What twice as many rows brought at last, in parts of what can be gained: mean and standard error."""
        difference = (self.losses[-2] - self.losses[-1]) / self.scale
        return float(difference.mean()), float(difference.std(ddof=1) / math.sqrt(len(difference)))

    @property
    def sentence(self) -> str:
        """What the last doubling brought, and whether more rows would help, in one sentence."""
        (mean, error), before, after = self.last_doubling, *self.rows[-2:]
        if mean - ERRORS * error > MATTERS:
            follows = "more rows would probably help"
        elif mean + ERRORS * error < MATTERS:
            follows = "more rows would hardly help"
        else:
            follows = "whether more rows would help cannot be told"
        fell = f"the loss fell by {percent_of(mean, error)} of what can be gained"
        return f"{follows[0].upper()}{follows[1:]}: from {before} to {after} rows {fell}."

    def __repr__(self) -> str:
        means = ", ".join(
            f"{count} rows {rounded(float(loss))}"
            for count, loss in zip(self.rows, self.losses.mean(axis=1), strict=True)
        )
        return f"Loss by rows: {means}. {self.sentence}"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists and numbers."""
        return {"rows": records.plain(self.rows), "losses": records.plain(self.losses), "scale": self.scale}

    def plot(self) -> Any:
        """Return a matplotlib figure of the loss by how many rows were trained on (see `hillwalker.plots.rows`)."""
        from hillwalker.plots.rows import plot_rows

        return plot_rows(self)


def try_rows(
    model: Sequential,
    X: Any,
    y: Any,
    epochs: int = 50,
    batch_size: int | None = None,
    *,
    folds: int = 5,
    seeds: int = 3,
    seed: int = 0,
    time_ordered: bool = False,
    sample_weight: Any = None,
    threads: int | None = None,
    verbose: Any = "auto",
) -> RowsCurve:
    """Train the model on a quarter, half and all of its rows, each judged where it had better stopped.

    Returns a RowsCurve. In time, the last rows before the held-out ones are kept.

    >>> from hillwalker.layers import Dense, Input
    >>> model = Sequential([Input((2,)), Dense(8, activation="tanh"), Dense(1)])
    >>> model.compile(optimizer="adam", loss="mse")
    >>> X = np.random.default_rng(0).normal(size=(80, 2))
    >>> try_rows(model, X, X[:, 0], epochs=2, seeds=1, verbose=0).rows.tolist()
    [16, 32, 64]
    """
    data = model._edge.data(X, y, sample_weight, call="try_rows")
    if time_ordered:
        parts = splits.last_in_time(len(data), folds, IN_TIME)
    else:
        parts = parts_of(model, data, folds, False, 0.0)
    random = np.random.default_rng([seed, 3])
    losses, counts = [], []
    orders = [np.arange(len(trained)) if time_ordered else random.permutation(len(trained)) for trained, _ in parts]
    for share in SHARES:
        several = []
        for (trained, held_out), order in zip(parts, orders, strict=True):
            count = max(round(share * len(trained)), FEWEST)
            several.append((np.sort(trained[order[-count:]]), held_out))
        found = compare(
            model, X, y, [{}], range(seed, seed + seeds), epochs, batch_size, folds=several,
            sample_weight=sample_weight, threads=threads, verbose=verbose,
        )  # fmt: skip
        curves = np.where(np.isfinite(found.curves["val_loss"][0]), found.curves["val_loss"][0], np.nan)
        losses.append(np.nanmin(np.nanmean(curves, axis=0), axis=-1))  # (folds,): the mean over seeds, where it is best
        counts.append(round(float(np.mean([len(trained) for trained, _ in several]))))
    constant = float(losses_of_constants(model, data, parts, None).mean())
    scale = max(constant - float(np.mean(losses[-1])), 0.02 * abs(constant), 1e-9)
    return RowsCurve(np.array(counts), np.array(losses), scale)
