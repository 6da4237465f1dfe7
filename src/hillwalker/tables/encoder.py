"""A whole table becomes the arrays of a network: `fit` learns from the training rows, `transform` only applies.

Nothing is decided silently: what was dropped or filled stands in `notes`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker.errors import FileError, InputError, explain
from hillwalker.tables.columns import (
    CategoryColumn,
    Column,
    NumberColumn,
    as_frame,
    fit_column,
    numbers,
    refuse_missing,
    require_columns,
)
from hillwalker.tables.target import Target, choose_target


@dataclass(frozen=True)
class TableEncoder:
    """What was learned from a table's training rows: how each column becomes inputs, and the target y.

    >>> import polars
    >>> table = polars.DataFrame({"area": [50, 60, 70], "town": ["Bern", "Chur", "Bern"], "price": [1.5, 2.5, 3.5]})
    >>> encoder = TableEncoder.fit(table, "price")
    >>> encoder.feature_names
    ('area', 'town=Bern', 'town=Chur')
    >>> encoder.transform(table).round(2).tolist()
    [[-1.22..., 1.0, 0.0], [0.0, 0.0, 1.0], [1.22..., 1.0, 0.0]]
    """

    columns: tuple[Column, ...]
    target: Target
    impute: bool = False
    notes: tuple[str, ...] = ()

    @classmethod
    def fit(
        cls,
        table: object,
        target: str,
        *,
        task: str = "auto",
        impute: bool = False,
        drop: Sequence[str] = (),
        rows: NDArray[np.intp] | None = None,
    ) -> TableEncoder:
        """Return the encoder of a frame; `rows` are the numbers of the training rows, None for all.

        All rows are checked and decide the task and its classes; means, levels and medians come from `rows` alone.
        Raises InputError for missing values (unless `impute`), infinities, dates, or where no column is left.
        """
        frame = as_frame(table)
        require_columns(frame, drop)
        chosen = choose_target(frame, target, task)
        names = [name for name in frame.columns if name != target and name not in drop]
        training = np.arange(len(frame)) if rows is None else np.asarray(rows)
        if not impute:
            refuse_missing(
                frame, names, "--impute (numbers: the median; text: a level of its own), or --drop the column"
            )
        columns: list[Column] = []
        notes: list[str] = []
        for name in names:
            column, note = fit_column(frame, name, training, impute)
            columns += [column] if column else []
            notes += [note] if note else []
        if not columns:
            raise InputError(
                explain("a table without a usable column.", "one input column or more.", "; ".join(notes) or None)
            )
        if chosen.kind == "regression":
            values = numbers(frame, target)[training]
            if values.min() == values.max():
                raise InputError(explain(f"target {target!r}, constant in the training rows.", "two values or more."))
            chosen = dataclasses.replace(chosen, mean=float(values.mean()), scale=float(values.std()))
        return cls(tuple(columns), chosen, impute, tuple(notes))

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the inputs, in the order of `transform`'s columns."""
        return tuple(name for column in self.columns for name in column.feature_names)

    def transform(self, table: object) -> NDArray[np.float32]:
        """Return the inputs of a frame, shape (rows, inputs); its columns may lie in any order, with others between.

        Raises InputError for an absent column, or for missing values where the encoder was fitted without `impute`.
        """
        frame = as_frame(table)
        names = [column.name for column in self.columns]
        require_columns(frame, names)
        if not self.impute:
            refuse_missing(frame, names, "leave these rows out, or train again with --impute")
        return np.hstack([column.encode(frame) for column in self.columns]).astype(np.float32)

    def remarks(self, table: object) -> list[str]:
        """Return what is odd about a frame to be transformed: extra columns, categories that training never saw."""
        frame = as_frame(table)
        known = {column.name for column in self.columns} | {self.target.name}
        extra = [name for name in frame.columns if name not in known]
        remarks = [f"columns not used: {', '.join(extra)}"] if extra else []
        for column in self.columns:
            if (
                isinstance(column, CategoryColumn)
                and column.name in frame.columns
                and (unknown := column.unknown(frame))
            ):
                most = ", ".join(f"{value!r} ({count})" for value, count in unknown.most_common(3))
                seen = f"{unknown.total()} values that training never saw"
                remarks.append(f"column {column.name!r}: {seen}, encoded as all zeros: {most}")
        return remarks

    def to_config(self) -> dict[str, Any]:
        """Return the encoder as plain values for JSON."""
        columns = [
            {"kind": "number" if isinstance(column, NumberColumn) else "category", **dataclasses.asdict(column)}
            for column in self.columns
        ]
        return {
            "kind": "table",
            "columns": columns,
            "target": dataclasses.asdict(self.target),
            "impute": self.impute,
            "notes": list(self.notes),
        }

    @classmethod
    def from_config(cls, config: object) -> TableEncoder:
        """Return the encoder that `to_config` described; raises FileError where it is not one."""
        makers: dict[str, Callable[..., Column]] = {"number": NumberColumn, "category": CategoryColumn}
        try:
            if not isinstance(config, dict) or config["kind"] != "table":
                raise KeyError("kind")
            columns = []
            for described in config["columns"]:
                values: dict[str, Any] = {
                    name: tuple(value) if name == "levels" else value for name, value in described.items()
                }
                kind: str = values.pop("kind")
                columns.append(makers[kind](**values))
            target = {**config["target"], "classes": tuple(config["target"]["classes"])}
            return cls(tuple(columns), Target(**target), bool(config["impute"]), tuple(config["notes"]))
        except (KeyError, TypeError, AttributeError) as error:
            raise FileError(
                explain("a model without the table it was trained on.", "a model saved by `hillwalker train`.")
            ) from error
