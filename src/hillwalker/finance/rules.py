"""What is odd in daily prices, and the rule for each oddity: masked, mended and noted, or refused.

A rule changes a day's values by what that day holds, never by a later day's. The one exception is a common factor:
prices adjusted for a split are all divided by it (`splits.py`), which changes no return and no range.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hillwalker.errors import InputError, explain
from hillwalker.finance.prices import Array, Dates, Remark

LONGEST_GAP = 5  # business days without a row; a week of holidays is ordinary
ROUNDING = 1e-3  # relative: an open or a close this far outside the day's range is rounding
MOST_CONTRADICTIONS = 0.05  # of all days; more, and it is not a slip but another kind of data
_PRICES = ("open", "high", "low", "close")


@dataclass
class Days:
    """Columns by name while the rules are applied: dates, open, high, low, close, volume, adjusted close if given."""

    dates: Dates
    columns: dict[str, Array]
    remarks: list[Remark] = field(default_factory=list)

    def keep(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> None:
        """Keep these rows, in this order."""
        self.dates = self.dates[rows]
        self.columns = {name: values[rows] for name, values in self.columns.items()}

    def note(self, what: str, mask: NDArray[np.bool_], rule: str) -> None:
        """Remark on the days of a mask, if there are any."""
        if mask.any():
            self.remarks.append(Remark(what, self.dates[mask], rule))


def listed(dates: Iterable[np.datetime64], most: int = 5) -> str:
    """Return dates as text, the first few of them.

    >>> listed(np.array(["2024-01-02", "2024-01-03"], dtype="datetime64[D]"))
    '2024-01-02, 2024-01-03'
    """
    texts = [str(date) for date in dates]
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")


def put_in_order(days: Days) -> None:
    """Put the days from the oldest to the newest, and note how they came."""
    steps = np.diff(days.dates).astype(np.int64)
    if (steps >= 0).all():
        return
    if (steps <= 0).all():
        order = np.arange(len(days.dates))[::-1]
        what, rule, mask = (
            "given newest first, reversed",
            "rows from the oldest to the newest",
            np.ones(len(order), bool),
        )
    else:
        order = np.argsort(days.dates, kind="stable")
        what, rule, mask = "given out of order, sorted", "rows are sorted by date", np.r_[False, steps < 0]
        mask = mask[order]
    days.keep(order)
    days.note(what, mask, rule)


def drop_repeated(days: Days, timed: NDArray[np.bool_]) -> None:
    """Keep one of several rows that say the same of a day; refuse rows that contradict one another."""
    again = np.r_[False, np.diff(days.dates).astype(np.int64) == 0]
    if not again.any():
        return
    table = np.column_stack(list(days.columns.values()))
    same = (table[1:] == table[:-1]) | (np.isnan(table[1:]) & np.isnan(table[:-1]))
    different = again & ~np.r_[True, same.all(axis=1)]
    found = np.unique(days.dates[different])
    if different.any() and timed.any():
        raise InputError(
            explain(
                f"several rows with times on {len(found)} days, the first {found[0]}: prices within the day.",
                "one row a day.",
                'frame.resample("1D").agg({"Open": "first", "High": "max", "Low": "min", "Close": "last", '
                '"Volume": "sum"}).dropna()',
            )
        )
    if different.any():
        raise InputError(
            explain(
                f"{len(found)} dates whose rows contradict one another: {listed(found)}.",
                "one row a day, or rows that agree.",
                'frame.drop_duplicates("Date", keep="last"), if the later row is the right one',
            )
        )
    days.note("given more than once, kept once", again, "rows that agree in every column are one")
    days.keep(~again)


def refuse_future(days: Days, today: np.datetime64) -> None:
    """Refuse days after tomorrow, since no clock on earth shows them yet."""
    if (future := days.dates > today + 1).any():
        raise InputError(
            explain(
                f"{future.sum()} days in the future: {listed(days.dates[future])}; by this computer it is {today}.",
                "days that are over.",
                "day_first=True or False, if day and month were mistaken for one another",
            )
        )


def drop_incomplete(days: Days) -> None:
    """Leave out days that lack a price."""
    wanted = [values for name, values in days.columns.items() if name != "volume"]
    lacking = np.asarray(np.isnan(np.array(wanted)).any(axis=0))
    days.note("with a missing price, left out", lacking, "a day lacks none of its prices; none is filled in")
    days.keep(~lacking)


def refuse_not_positive(days: Days) -> None:
    """Refuse prices of which no logarithm can be taken."""
    for name, values in days.columns.items():
        wrong = values < 0 if name == "volume" else ~((values > 0) & np.isfinite(values))
        wrong |= np.isinf(values)
        if wrong.any():
            raise InputError(
                explain(
                    f"{name} that is {'negative' if name == 'volume' else 'zero or negative'} or infinite on "
                    f"{wrong.sum()} days: {listed(days.dates[wrong])}.",
                    "a number of 0 or more." if name == "volume" else "a price above 0: returns are of logarithms.",
                    "leave out these rows, or take another source of prices",
                )
            )


def mend_ranges(days: Days) -> None:
    """Widen a range that rounding has cut off; leave out days that contradict themselves; refuse too many of them."""
    open_, high, low, close = (days.columns[name] for name in _PRICES)
    upper, lower = np.maximum(open_, close), np.minimum(open_, close)
    # A low above the high needs no case of its own: open and close cannot lie between them.
    excess = np.maximum(upper / high, low / lower) - 1
    rounding, wrong = (excess > 0) & (excess <= ROUNDING), excess > ROUNDING
    if wrong.mean() > MOST_CONTRADICTIONS:
        raise InputError(
            explain(
                f"{wrong.sum()} of {len(wrong)} days whose high, low, open and close contradict one another: "
                f"{listed(days.dates[wrong])}.",
                "low <= open, close <= high on every day.",
                "use prices that are all adjusted for splits, or none; see that no columns are exchanged",
            )
        )
    days.columns["high"], days.columns["low"] = np.maximum(high, upper), np.minimum(low, lower)
    days.note(
        "whose range is widened to hold open and close",
        rounding,
        f"an open or close up to {ROUNDING:.1%} outside the range is rounding",
    )
    days.note(
        "whose prices contradict one another, left out",
        wrong,
        "low <= open, close <= high; which of them is wrong cannot be known",
    )
    days.keep(~wrong)


def mask_volume(days: Days) -> None:
    """Replace a volume of zero, which no day with a price can have, by NaN; the record notes these days."""
    volume = days.columns["volume"]
    days.columns["volume"] = np.where(volume > 0, volume, np.nan)


def note_calendar(days: Days) -> None:
    """Note gaps between the days, and days on a weekend."""
    absent = np.r_[0, np.busday_count(days.dates[:-1], days.dates[1:]) - 1]
    days.note(
        f"after a gap of more than {LONGEST_GAP} business days",
        absent > LONGEST_GAP,
        "kept: the return of such a day spans the gap",
    )
    days.note(
        "on a weekend",
        ~np.is_busday(days.dates),
        "kept: some exchanges trade then; elsewhere dates may be a day off, from a time zone",
    )
