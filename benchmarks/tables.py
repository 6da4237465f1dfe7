"""Rows of text as a table to read, or as docs/performance.md has it. Nothing is measured here."""

from __future__ import annotations

Rows = list[tuple[str, ...]]


def three_digits(value: float) -> str:
    """Return a number with three digits that count.

    >>> three_digits(1234.5), three_digits(12.345), three_digits(1.2345)
    ('1,234', '12.3', '1.23')
    """
    return f"{value:,.{0 if value >= 100 else 1 if value >= 10 else 2}f}"


def table(rows: Rows, markdown: bool) -> str:
    """Return the rows, head first, the first column to the left and all others to the right."""
    if markdown:
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        return "\n".join([lines[0], "|---|" + "---:|" * (len(rows[0]) - 1), *lines[1:]])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    )
