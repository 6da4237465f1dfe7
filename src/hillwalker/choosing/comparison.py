"""What a comparison found: all curves, a score of each run, and how sure the differences are.

Nothing is trained or drawn here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import records
from hillwalker.choosing.grid import Grid, grid_of
from hillwalker.choosing.statistics import interval, probability_of_being_best
from hillwalker.errors import InputError, explain, unknown_name
from hillwalker.scores import rounded
from hillwalker.training.history import direction
from hillwalker.training.seeds import quartiles

Array = NDArray[np.float64]


KINDS = ("curves", "heatmap")
_OF_RUNS = ("epochs", "kept", "failed", "done", "seconds", "penalties")


@dataclass(frozen=True)
class Row:
    """One variant in the table: its mean score over the paired runs, with 95 % intervals.

    `difference_to_best` and `difference_to_reference` are (mean, low, high) of paired differences, score minus the
    other's; `probability` that it is the best; `failed` runs ended without a finite loss; `seconds` of one training,
    mean; `operations` of one training, floating-point, in the products alone.
    """

    label: str
    mean: float
    low: float
    high: float
    difference_to_best: tuple[float, float, float]
    difference_to_reference: tuple[float, float, float]
    probability: float
    failed: int
    seconds: float
    operations: float


@dataclass(frozen=True, repr=False)
class Comparison:
    """All curves of variants × seeds × folds, and what they say.

    `curves[metric]` is (variants, seeds, folds, epochs), NaN where a run had ended or was not done; `epochs`
    (variants, seeds, folds) how many each run did; `kept` the epoch, from 0, whose weights a run ended with; `failed`
    and `done` are boolean, of the same shape; `seconds` measured and the regularizers'
    `penalties` at the weights kept, of that shape; `operations` (variants,) of one run;
    `overlap`: validation rows / training rows where there are folds, else 0.
    """

    labels: tuple[str, ...]
    settings: tuple[dict[str, Any], ...]
    seeds: tuple[int, ...]
    metric: str
    reference: int
    curves: dict[str, Array]
    epochs: NDArray[np.int64]
    kept: NDArray[np.int64]
    failed: NDArray[np.bool_]
    done: NDArray[np.bool_]
    seconds: Array
    penalties: Array
    operations: Array
    overlap: float
    interrupted: bool = False

    @cached_property
    def runs(self) -> Array:
        """The score of each run, (variants, seeds, folds): taken where its weights were kept, penalties left out.

        Infinitely bad where it failed, NaN where it was not done.
        """
        curve = self.curves[self.metric]
        at = np.clip(self.kept, 0, None)[..., np.newaxis]
        values = np.take_along_axis(curve, at, axis=-1)[..., 0]
        if self.metric.removeprefix("val_") == "loss":
            values = values - self.penalties
        worst = -np.inf if self._sign < 0 else np.inf
        return np.where(self.failed | (self.done & ~np.isfinite(values)), worst, np.where(self.done, values, np.nan))

    @property
    def _sign(self) -> float:
        return -1.0 if direction(self.metric) == "max" else 1.0

    @cached_property
    def scores(self) -> Array:
        """The scores of the paired units, (variants, units): seeds, or where there are folds, folds (means over seeds).

        Only units of which every variant's runs are done.
        """
        with np.errstate(invalid="ignore"):
            units = self.runs.mean(axis=1) if self.runs.shape[2] > 1 else self.runs[:, :, 0]
        return units[:, ~np.isnan(units).any(axis=0)]

    @cached_property
    def table(self) -> tuple[Row, ...]:
        """One row a variant, best first."""
        scores, sign = self.scores, self._sign
        if scores.shape[1] == 0:
            passed = "a comparison in which no seed's runs are all done."
            raise InputError(explain(passed, "at least one seed done.", "compare(..., folder=...) again goes on"))
        probabilities = probability_of_being_best(sign * scores)
        means = sign * scores.mean(axis=1)
        best = int(np.argmin(means))
        rows = [self._row(number, best, float(probabilities[number])) for number in range(len(self.labels))]
        order = sorted(range(len(rows)), key=lambda number: (means[number], number))
        return tuple(rows[number] for number in order)

    def _row(self, number: int, best: int, probability: float) -> Row:
        own = self.scores[number]
        with np.errstate(invalid="ignore"):
            to_best, to_reference = own - self.scores[best], own - self.scores[self.reference]
        done = self.done[number]
        return Row(
            self.labels[number],
            *interval(own, overlap=self.overlap),
            difference_to_best=_difference(to_best, self.overlap, number == best),
            difference_to_reference=_difference(to_reference, self.overlap, number == self.reference),
            probability=probability,
            failed=int(self.failed[number].sum()),
            seconds=float(self.seconds[number][done].mean()) if done.any() else math.nan,
            operations=float(self.operations[number]),
        )

    @property
    def best(self) -> str:
        """The label of the variant with the best mean score."""
        return self.table[0].label

    def quartiles(self, metric: str) -> Array:
        """Return the quartiles and the median between them over all runs by epoch, (variants, 3, epochs)."""
        if metric not in self.curves:
            raise unknown_name("metric", metric, self.curves, "comparison.plot({})")
        variants, *_, epochs = self.curves[metric].shape
        return np.array([quartiles(curves) for curves in self.curves[metric].reshape(variants, -1, epochs)])

    def number_of(self, label: str) -> int:
        """Return the place of a variant; InputError for an unknown label."""
        if label not in self.labels:
            raise unknown_name("variant", label, self.labels, "comparison.difference({}, ...)")
        return self.labels.index(label)

    def difference(self, label: str, other: str) -> tuple[float, float, float]:
        """Return the mean paired difference of two variants' scores, first minus second, and its 95 % interval."""
        one, two = self.number_of(label), self.number_of(other)
        with np.errstate(invalid="ignore"):
            return _difference(self.scores[one] - self.scores[two], self.overlap, one == two)

    def is_real(self, label: str, other: str) -> bool:
        """Return whether the difference of two variants is more than the seeds' noise: its interval leaves out 0."""
        _, low, high = self.difference(label, other)
        return bool(low > 0 or high < 0)

    @property
    def answer(self) -> str:
        """One sentence: which variant is best, by how much, and whether that is more than noise."""
        first, *others = self.table
        what = self.metric.replace("_", " ")
        if not others:
            return f"{first.label}: {what} {rounded(first.mean)} ({_range(first.low, first.high)})."
        equal = [row.label for row in others if not self.is_real(row.label, first.label)]
        lead = f"{first.label} is best: {what} {rounded(first.mean)} ({_range(first.low, first.high)})"
        units = f"{self.scores.shape[1]} {'folds' if self.runs.shape[2] > 1 else 'seeds'}"
        if not equal:
            return f"{lead}, better than every other by more than the noise of {units}."
        between = "; " if any(", " in label for label in equal) else ", "
        some = between.join(equal[:4]) + (f" and {len(equal) - 4} more" if len(equal) > 4 else "")
        return f"{lead}, but {units} do not tell it from {some}."

    def __str__(self) -> str:
        heads = ("variant", self.metric, "95 % interval", "vs best", "vs reference", "P(best)", "failed", "s a run")
        cells = [
            (
                row.label + (" *" if row.label == self.labels[self.reference] else ""),
                rounded(row.mean), _range(row.low, row.high), _signed(row.difference_to_best),
                _signed(row.difference_to_reference), f"{row.probability:.0%}", str(row.failed), f"{row.seconds:.2g}",
            )
            for row in self.table
        ]  # fmt: skip
        widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) if place == 0 else cell.rjust(width)
                      for place, (cell, width) in enumerate(zip(line, widths, strict=True)))
            for line in (heads, *cells)
        ]  # fmt: skip
        missing = int((~self.done).sum())
        note = [f"{missing} of {self.done.size} runs are not done."] if missing else []
        return "\n".join([*lines, "* the reference", self.answer, *note])

    __repr__ = __str__

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, numbers and strings."""
        return {
            "labels": list(self.labels),
            "settings": [{name: _plain(value) for name, value in chosen.items()} for chosen in self.settings],
            "seeds": list(self.seeds),
            "metric": self.metric,
            "reference": self.reference,
            "curves": {name: curve.tolist() for name, curve in self.curves.items()},
            **{name: getattr(self, name).tolist() for name in _OF_RUNS},
            "operations": self.operations.tolist(),
            "overlap": self.overlap,
            "interrupted": self.interrupted,
            "answer": self.answer if self.scores.shape[1] else "",
        }

    def to_frame(self) -> Any:
        """Return one row a run and epoch: variant, its settings, seed, fold, epoch (from 1) and each metric."""
        variants, seeds, parts = self.done.shape
        names = list(dict.fromkeys(name for chosen in self.settings for name in chosen))
        columns: dict[str, list[Any]] = {
            name: [] for name in ("variant", *names, "seed", "fold", "epoch", *self.curves)
        }
        for variant, seed, part in np.ndindex(variants, seeds, parts):
            count = int(self.epochs[variant, seed, part])
            columns["variant"] += [self.labels[variant]] * count
            for name in names:
                columns[name] += [_plain(self.settings[variant].get(name))] * count
            columns["seed"] += [self.seeds[seed]] * count
            columns["fold"] += [part] * count
            columns["epoch"] += range(1, count + 1)
            for metric, curve in self.curves.items():
                columns[metric] += curve[variant, seed, part, :count].tolist()
        return records.to_frame(columns, call="comparison.to_frame()")

    def grid(self, x: str | None = None, y: str | None = None) -> Grid:
        """Return the mean scores by two settings, by default the first two that varied: what the heat map draws."""
        return grid_of(self, x, y)

    def plot(self, metric: str | None = None, kind: str = "curves", x: str | None = None, y: str | None = None) -> Any:
        """Return a matplotlib figure (see `hillwalker.plots.comparison` and `hillwalker.plots.heatmap`).

        `kind`: "curves" of `metric` with bands, or "heatmap" of the mean score by the settings `x` and `y`.
        """
        if kind not in KINDS:
            raise unknown_name("kind", kind, KINDS, "comparison.plot(kind={})")
        if kind == "heatmap":
            if metric is not None:
                passed = f"metric={metric!r} for a heat map."
                raise InputError(explain(passed, "none: it shows scores.", f"compare(..., metric={metric!r})"))
            from hillwalker.plots.heatmap import plot_heatmap

            return plot_heatmap(self.grid(x, y))
        if x is not None or y is not None:
            raise InputError(
                explain("x and y for curves.", "neither.", 'comparison.plot(kind="heatmap", x=..., y=...)')
            )
        from hillwalker.plots.comparison import plot_comparison

        return plot_comparison(self, metric)


def _difference(values: Array, overlap: float, same: bool) -> tuple[float, float, float]:
    return (0.0, 0.0, 0.0) if same else interval(values, overlap=overlap)


def _range(low: float, high: float) -> str:
    return "one run" if math.isnan(low) else f"{rounded(low)} to {rounded(high)}"


def _signed(difference: tuple[float, float, float]) -> str:
    mean, low, high = difference
    if mean == low == high == 0:
        return "-"
    half = "" if math.isnan(low) else f" ± {rounded((high - low) / 2)}"
    return f"{'+' if mean >= 0 else '-'}{rounded(abs(mean))}{half}"


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    from hillwalker.choosing.variants import label_of

    return label_of({"": value}).removeprefix("=")
