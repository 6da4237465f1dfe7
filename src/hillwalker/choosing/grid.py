"""A comparison laid out by two of its settings: each pair's mean score, and which pairs are as good as the best."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import records
from hillwalker.choosing import statistics
from hillwalker.choosing.variants import OTHER_NAMES, label_of
from hillwalker.errors import InputError, explain, unknown_name

if TYPE_CHECKING:
    from hillwalker.choosing.comparison import Comparison


@dataclass(frozen=True, eq=False)
class Grid:
    """Mean scores by two settings: R values of `y`, from the lowest up, and C values of `x`; arrays are (R, C).

    `means` is NaN where nothing was tried, infinite where all runs of a cell failed: means are over the runs that did
    not. `failed` counts those that did; `best` is (row, column) of the best cell; `as_good` marks the cells that paired
    runs do not tell from it, by mean or median. Where more than two settings varied, each cell is its best variant:
    `others` names these settings.
    """

    x: str
    y: str
    x_labels: tuple[str, ...]
    y_labels: tuple[str, ...]
    metric: str
    means: NDArray[np.float64]
    failed: NDArray[np.int64]
    as_good: NDArray[np.bool_]
    best: tuple[int, int]
    runs: int
    others: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, numbers and strings."""
        names = ("x", "y", "x_labels", "y_labels", "metric", "means", "failed", "as_good", "best", "runs", "others")
        return {name: records.plain(getattr(self, name)) for name in names}

    def to_frame(self) -> Any:
        """Return one row a cell."""
        places = list(np.ndindex(*self.means.shape))
        columns: dict[str, Any] = {
            self.x: [self.x_labels[column] for _, column in places],
            self.y: [self.y_labels[row] for row, _ in places],
            self.metric: [float(self.means[place]) for place in places],
            "failed": [int(self.failed[place]) for place in places],
            "as_good": [bool(self.as_good[place]) for place in places],
        }
        return records.to_frame(columns, call="comparison.grid(...).to_frame()")


def grid_of(comparison: Comparison, x: str | None = None, y: str | None = None) -> Grid:
    """Return a comparison by two of its settings, by default the first two; see `Comparison.grid`."""
    names = list(dict.fromkeys(name for chosen in comparison.settings for name in chosen))
    if len(names) < 2:
        passed = f"a comparison in which {names[0] if names else 'nothing'} varies."
        fix = 'compare(model, X, y, vary={"learning_rate": [0.001, 0.01], "batch_size": [16, 64]})'
        raise InputError(explain(passed, "two settings that vary.", fix))
    x, y = _name(x, names, names[0], y), _name(y, names, names[1], x)
    if x == y:
        raise InputError(explain(f"x={x!r} and y={y!r}.", "two settings.", 'comparison.plot("heatmap", x=..., y=...)'))
    columns, x_labels = _places(comparison, x)
    rows, y_labels = _places(comparison, y)
    sign = comparison._sign
    runs = comparison.runs.reshape(len(comparison.labels), -1)
    usable = np.isfinite(runs)
    failed = np.isinf(runs).sum(axis=1)
    worst = math.inf * sign
    means = np.array([own[good].mean() if good.any() else worst for own, good in zip(runs, usable, strict=True)])
    # Runs that failed are no reason to be chosen: a variant of which some did is only taken where there is no other.
    keys = [(bool(failed[number]), sign * means[number]) for number in range(len(means))]
    cells: dict[tuple[int, int], int] = {}
    for number, place in enumerate(zip(rows, columns, strict=True)):
        if place not in cells or keys[number] < keys[cells[place]]:
            cells[place] = number
    best = min(cells, key=lambda place: keys[cells[place]])
    champion = cells[best]
    shape = (len(y_labels), len(x_labels))
    mean_of, failed_of, as_good = np.full(shape, np.nan), np.zeros(shape, np.int64), np.zeros(shape, bool)
    for place, number in cells.items():
        mean_of[place], failed_of[place] = means[number], failed[number]
        as_good[place] = place == best or not (failed[number] or _is_worse(comparison, number, champion))
    others = tuple(name for name in names if name not in (x, y) and len(_places(comparison, name)[1]) > 1)
    return Grid(x, y, x_labels, y_labels, comparison.metric, mean_of, failed_of, as_good, best, runs.shape[1], others)


def _is_worse(comparison: Comparison, number: int, champion: int) -> bool:
    """Return whether a variant's paired scores are surely worse than the champion's, in the mean or in the median.

    The median, because runs that nearly diverge have means so uncertain that nothing could be told from them.
    """
    labels = comparison.labels
    if comparison.is_real(labels[number], labels[champion]):
        return True
    with np.errstate(invalid="ignore"):
        differences = comparison._sign * (comparison.scores[number] - comparison.scores[champion])
    return statistics.median_interval(differences)[1] > 0


def _name(name: str | None, names: list[str], usual: str, other: str | None) -> str:
    if name is None:
        return usual if usual != other else next(one for one in names if one != other)
    found = OTHER_NAMES.get(name, name)
    if found not in names:
        raise unknown_name("setting", name, names, 'comparison.plot("heatmap", x={}, y=...)')
    return found


def _places(comparison: Comparison, name: str) -> tuple[list[int], tuple[str, ...]]:
    """Return each variant's place among a setting's values, numbers from the lowest up, and the values as text."""
    texts = [label_of({"": chosen.get(name)}).removeprefix("=") for chosen in comparison.settings]
    values = {text: chosen.get(name) for text, chosen in zip(texts, comparison.settings, strict=True)}
    order = list(values)
    if all(isinstance(value, (int, float, np.number)) and not isinstance(value, bool) for value in values.values()):
        order.sort(key=lambda text: float(values[text] or 0))
    return [order.index(text) for text in texts], tuple(order)
