"""How numbers and names stand in sentences and tables, of volatility and of returns alike."""

from __future__ import annotations

import math
from collections.abc import Sequence


def chance(p: float) -> str:
    """Return a probability as people write it.

    >>> chance(0.0004), chance(0.034), chance(0.345), chance(float("nan"))
    ('p < 0.001', 'p = 0.034', 'p = 0.34', 'p unknown')
    """
    if math.isnan(p):
        return "p unknown"
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def percent(share: float, digits: int = 1) -> str:
    """Return a share in percent, a dash where there is none.

    >>> percent(0.1234), percent(float("nan"))
    ('12.3 %', '-')
    """
    return "-" if math.isnan(share) else f"{100 * share:.{digits}f} %"


def short(p: float) -> str:
    """Return a probability as a table shows it.

    >>> short(0.0004), short(0.034), short(float("nan"))
    ('< 0.001', '0.034', '-')
    """
    return "-" if math.isnan(p) else chance(p).removeprefix("p ").removeprefix("= ")


def listed(parts: Sequence[str]) -> str:
    """Return parts as a list in a sentence.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines, the first column to the left and all others to the right.

    >>> table([["a", "loss"], ["line", "0.5"]])
    ['a     loss', 'line   0.5']
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
