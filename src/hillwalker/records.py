"""What all records share: columns as a data frame of whichever library is there, arrays as plain JSON values.

Nothing is computed here, and no frame library is imported before a frame is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from hillwalker.errors import missing_dependency


def to_frame(columns: Mapping[str, Any], index: str | None = None, call: str = "record.to_frame()") -> Any:
    """Return columns (lists, arrays) as a pandas frame with the index `index`, or without pandas as a polars frame.

    Raises MissingDependencyError, naming `call`, if neither is installed.

    >>> to_frame({"epoch": [0, 1], "loss": [2.0, 1.0]}, index="epoch")["loss"].tolist()
    [2.0, 1.0]
    """
    try:
        import pandas as pd
    except ImportError:
        try:
            import polars as pl
        except ImportError:
            raise missing_dependency("polars", call, "frames") from None
        return pl.DataFrame({name: list(values) for name, values in columns.items()})
    if index is None:
        return pd.DataFrame(dict(columns))
    others = {name: values for name, values in columns.items() if name != index}
    return pd.DataFrame(others, index=pd.Index(columns[index], name=index))


def plain(value: Any) -> Any:
    """Return arrays, NumPy numbers, mappings and sequences as JSON values; what is not finite becomes None.

    >>> plain({"a": np.array([1.0, np.nan]), 2: (np.int64(3), "x")})
    {'a': [1.0, None], '2': [3, 'x']}
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class OneRow:
    """What records of plain numbers share: their fields as a dict, and as a frame of one row.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Share(OneRow):
    ...     share: float
    >>> Share(0.5).to_dict(), Share(0.5).to_frame()["share"].tolist()
    ({'share': 0.5}, [0.5])
    """

    def to_dict(self) -> dict[str, Any]:
        """Return every field as a plain number, string or list."""
        return {name: plain(value) for name, value in vars(self).items()}

    def to_frame(self) -> Any:
        """Return one row, a column a field."""
        columns = {name: [value] for name, value in vars(self).items()}
        return to_frame(columns, call=f"{type(self).__name__.lower()}.to_frame()")
