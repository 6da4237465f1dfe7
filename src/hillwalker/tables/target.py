"""The column to predict: amounts or classes, decided once, with the reason.

Nothing here looks at the inputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hillwalker.errors import InputError, explain
from hillwalker.tables.columns import MOST_LEVELS, kind_of, levels_of, numbers, refuse_missing, require_columns

if TYPE_CHECKING:
    import narwhals as nw

    Frame = nw.DataFrame[Any]

MOST_CLASSES = 20  # distinct whole numbers that still count as classes, not amounts


@dataclass(frozen=True)
class Target:
    """The column to predict: amounts (`kind` "regression") or classes ("classification"), and why."""

    name: str
    kind: str
    reason: str
    classes: tuple[Any, ...] = ()
    mean: float = 0.0
    scale: float = 1.0

    def encode(self, frame: Frame) -> NDArray[Any]:
        """Return y, shape (rows,): standardised float32, or 0 and 1 as float32, or class numbers as int64.

        Raises InputError for a missing value or a class that training never saw.
        """
        refuse_missing(frame, [self.name], "leave these rows out")
        if self.kind == "regression":
            standardised: NDArray[np.float64] = (numbers(frame, self.name) - self.mean) / self.scale
            y: NDArray[np.float32] = standardised.astype(np.float32)
            return y
        position = {value: number for number, value in enumerate(self.classes)}
        found = class_values(frame, self.name)
        unknown = sorted({str(value) for value in found if value not in position})
        if unknown:
            raise InputError(
                explain(
                    f"column {self.name!r} with the unknown class {unknown[0]!r}.",
                    f"one of {', '.join(map(str, self.classes))}.",
                )
            )
        labels = np.array([position[value] for value in found], dtype=np.int64)
        return np.asarray(labels, dtype=np.float32 if len(self.classes) == 2 else np.int64)

    def decode(self, predictions: NDArray[Any]) -> NDArray[Any]:
        """Return a network's outputs, shape (rows, outputs), in the target's own units or classes, shape (rows,)."""
        if self.kind == "regression":
            amounts: NDArray[np.float64] = np.asarray(predictions, dtype=np.float64)[:, 0] * self.scale + self.mean
            return amounts
        chosen = self.probabilities(predictions).argmax(axis=1)
        return np.array([self.classes[number] for number in chosen])

    def probabilities(self, predictions: NDArray[Any]) -> NDArray[np.float64]:
        """Return the probability of each class, shape (rows, classes), from a sigmoid's or softmax's outputs."""
        p = np.asarray(predictions, dtype=np.float64)
        return np.column_stack([1 - p[:, 0], p[:, 0]]) if p.shape[1] == 1 else p


def class_values(frame: Frame, name: str) -> list[Any]:
    """Return a column's values as classes: whole numbers as int, booleans as bool, the rest as text."""
    kind = kind_of(frame, name)
    if kind == "boolean":
        return [bool(value) for value in frame[name].to_list()]
    if kind == "number":
        return [int(value) if value == int(value) else float(value) for value in numbers(frame, name)]
    return levels_of(frame, name)


def choose_target(frame: Frame, name: str, task: str = "auto") -> Target:
    """Return whether a column is to be predicted as amounts or as classes, judged on all its rows, and the reason.

    Text and booleans are classes, and so are up to 20 distinct whole numbers; other numbers are amounts; `task`
    ("regression" or "classification") overrides. Raises InputError for an unknown column or task, missing values, a
    constant target, amounts that are text, or more than 50 classes.
    """
    if task not in ("auto", "regression", "classification"):
        raise InputError(explain(f"task {task!r}.", "auto, regression or classification.", "--task auto"))
    require_columns(frame, [name])
    refuse_missing(frame, [name], "leave these rows out: a row without its target teaches nothing")
    kind = kind_of(frame, name)
    if kind == "time":
        raise InputError(explain(f"target {name!r}, which holds dates.", "numbers, booleans or text."))
    if kind == "category" and task == "regression":
        example = levels_of(frame, name)[0]
        raise InputError(
            explain(f"task regression, target {name!r} holding {example!r}.", "numbers.", "--task classification")
        )
    values = class_values(frame, name)
    distinct = sorted(set(values))
    if len(distinct) == 1:
        raise InputError(
            explain(f"target {name!r}, which is always {distinct[0]!r}.", "two values or more to tell apart.")
        )
    whole = kind == "number" and all(isinstance(value, int) for value in distinct)
    classes = kind != "number" or (whole and len(distinct) <= MOST_CLASSES)
    numeric = f"{len(distinct)} distinct whole numbers" if whole else "it has fractions"
    reason = {"boolean": "it is true or false", "category": "it is text"}.get(kind, numeric)
    if task != "auto":
        classes, reason = task == "classification", "as asked for"
    if not classes:
        return Target(name, "regression", reason)
    if len(distinct) > MOST_LEVELS:
        raise InputError(
            explain(
                f"target {name!r} with {len(distinct)} classes in {len(values)} rows.",
                f"at most {MOST_LEVELS} classes; an identifier cannot be predicted.",
                "--task regression" if kind == "number" else None,
            )
        )
    return Target(name, "classification", reason, tuple(distinct))
