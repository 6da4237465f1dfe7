"""Daily prices as one frozen record, checked; and the variance that one day's range shows.

Nothing here repairs data: what is wrong is refused or reported by name and count. Data as they come are read, and
repaired by rule, in `reading.py`.
"""

from __future__ import annotations

import csv
import gzip
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import records
from hillwalker.errors import InputError, explain, missing_dependency

Array = NDArray[np.float64]
Dates = NDArray[np.datetime64]
TRADING_DAYS = 252  # a year
COLUMNS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True)
class Remark:
    """One oddity of the data: what it is, on which days, and the rule that was applied.

    >>> days = np.array(["2024-01-03", "2024-01-09"], dtype="datetime64[D]")
    >>> print(Remark("without volume", days, "the volume is unknown on these days"))
    2 days without volume (the first: 2024-01-03)
    """

    what: str
    dates: Dates
    rule: str

    @property
    def count(self) -> int:
        """The number of days."""
        return len(self.dates)

    def __str__(self) -> str:
        return f"{self.count} {'day' if self.count == 1 else 'days'} {self.what} (the first: {self.dates[0]})"

    def to_dict(self) -> dict[str, Any]:
        """Return the remark as plain JSON values: what, count, dates, rule."""
        return {"what": self.what, "count": self.count, "dates": self.dates.astype(str).tolist(), "rule": self.rule}


@dataclass(frozen=True)
class Prices:
    """Daily prices of one series, oldest first; every array has shape (days,).

    `volume` is NaN where it is unknown; `remarks` says what `read_prices` met and did. Raises InputError where dates
    repeat or run backwards, where a price is missing, zero or negative, or where a day's low, open, close and high
    contradict one another.

    >>> dates = np.array(["2024-01-02", "2024-01-03"], dtype="datetime64[D]")
    >>> day = np.array([100.0, 101.0])
    >>> Prices("toy", dates, open=day, high=day + 2, low=day - 1, close=day, volume=np.array([5e6, 0.0])).notes
    ('1 day without volume (the first: 2024-01-03)',)
    """

    name: str
    dates: Dates
    open: Array
    high: Array
    low: Array
    close: Array
    volume: Array
    remarks: tuple[Remark, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no feature can be made from."""
        check_dates(self.dates)
        for name in COLUMNS:
            check_column(name, getattr(self, name), self.dates)
        below = np.minimum(self.open, self.close) < self.low
        above = np.maximum(self.open, self.close) > self.high
        if (wrong := below | above).any():
            raise InputError(
                explain(
                    f"open or close outside the day's low to high on {wrong.sum()} days, first {self.dates[wrong][0]}.",
                    "low <= open, close <= high on every day.",
                    "use prices that are all adjusted for splits, or none",
                )
            )

    @property
    def oddities(self) -> tuple[Remark, ...]:
        """All that is odd: days without volume or without a range, then the remarks of reading."""
        seen = (
            ("without volume", ~(self.volume > 0), "the volume is unknown (NaN): nothing is computed from it"),
            ("whose high equals its low", self.high == self.low, "the range shows no variance: proxies of it are NaN"),
        )
        return (*(Remark(what, self.dates[mask], rule) for what, mask, rule in seen if mask.any()), *self.remarks)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is odd about the data, each with its count and first day; empty where nothing is."""
        return tuple(str(remark) for remark in self.oddities)

    def to_frame(self) -> Any:
        """Return the days as a pandas frame with the dates as index, or as a polars frame without pandas.

        Raises MissingDependencyError if neither is installed.
        """
        columns = {name: getattr(self, name) for name in COLUMNS}
        return records.to_frame({"date": self.dates.astype("datetime64[ns]"), **columns}, "date", "prices.to_frame()")

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain JSON values; dates as text, an unknown volume as None."""
        columns = {name: records.plain(getattr(self, name)) for name in COLUMNS}
        oddities = [remark.to_dict() for remark in self.oddities]
        return {"name": self.name, "dates": self.dates.astype(str).tolist(), **columns, "remarks": oddities}

    def __len__(self) -> int:
        """Return the number of days."""
        return len(self.dates)


def check_dates(dates: Dates) -> None:
    """Raise InputError unless every date is later than the one before it."""
    steps = np.diff(dates).astype("int64")
    if (repeated := steps == 0).any():
        first = dates[1:][repeated][0]
        raise InputError(
            explain(
                f"{repeated.sum()} repeated dates, the first {first}.", "one row a day.", "remove the repeated rows"
            )
        )
    if (backwards := steps < 0).any():
        first = dates[1:][backwards][0]
        raise InputError(
            explain(
                f"dates that run backwards {backwards.sum()} times, first at {first}.",
                "rows from the oldest day to the newest.",
                "sort the rows by date",
            )
        )


def check_column(name: str, values: Array, dates: Dates) -> None:
    """Raise InputError unless the column is as long as the dates, and finite and positive; volume may be 0 or NaN."""
    if values.shape != dates.shape:
        raise InputError(
            explain(f"{name} of shape {values.shape}, dates of shape {dates.shape}.", "one value a day in each column.")
        )
    if name == "volume":
        wrong, what, expected = (values < 0) | np.isinf(values), "negative or infinite", "of 0 or more, or NaN,"
    else:
        wrong, what, expected = ~(np.isfinite(values) & (values > 0)), "missing, negative or zero", "above 0"
    if wrong.any():
        raise InputError(
            explain(
                f"{name} with {wrong.sum()} {what} values, the first on {dates[wrong][0]}.",
                f"a number {expected} on every day.",
                "leave out these days, or take another source of prices",
            )
        )


def load_sp500() -> Prices:
    """Return the S&P 500's daily prices from 1999 to 2018 (5,031 days), from the file that the package arch ships.

    The file is read without importing arch, whose import alone takes seconds. Its open equals the previous close on
    40 % of days, so use the day's range (`parkinson_variance`), not the gap over night.

    Raises MissingDependencyError where arch is not installed.

    >>> prices = load_sp500()
    >>> len(prices), str(prices.dates[0]), str(prices.dates[-1])
    (5031, '1999-01-04', '2018-12-31')
    """
    return _shipped_with_arch("sp500", "S&P 500")


def load_nasdaq() -> Prices:
    """Return the NASDAQ Composite's daily prices from 1999 to 2018 (5,031 days), from the file that arch ships.

    Two of its days have no volume. Raises MissingDependencyError where arch is not installed.

    >>> prices = load_nasdaq()
    >>> len(prices), str(prices.dates[0]), prices.notes
    (5031, '1999-01-04', ('2 days without volume (the first: 2015-05-12)',))
    """
    return _shipped_with_arch("nasdaq", "NASDAQ Composite")


def _shipped_with_arch(index: str, name: str) -> Prices:
    """Read one of arch's files without importing arch."""
    package = importlib.util.find_spec("arch")
    if package is None or package.origin is None:
        raise missing_dependency("arch", f"{name} prices, shipped with arch", "finance")
    path = Path(package.origin).parent / "data" / index / f"{index}.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns: dict[str, Any] = {
        column: np.array([float(row[column.capitalize()]) for row in rows]) for column in COLUMNS
    }
    columns["volume"] = np.where(columns["volume"] > 0, columns["volume"], np.nan)
    months_days_years = [[int(part) for part in row["Date"].split("/")] for row in rows]  # 1/4/1999
    dates = np.array([f"{y:04}-{m:02}-{d:02}" for m, d, y in months_days_years], dtype="datetime64[D]")
    return Prices(name, dates, **columns)


def parkinson_variance(prices: Prices) -> Array:
    """Return each day's variance of returns as its range shows it, shape (days,).

    v = ln(high / low)^2 / (4 ln 2)     (Parkinson 1980)

    It leaves out what happens over night. Days whose high equals their low have no range: they get NaN, never zero,
    because a logarithm follows.

    >>> dates = np.array(["2024-01-02"], dtype="datetime64[D]")
    >>> one = np.ones(1)
    >>> day = Prices("toy", dates, open=one, high=np.exp(0.02) * one, low=one, close=one, volume=one)
    >>> float(np.round(parkinson_variance(day)[0], 8))
    0.00014427
    """
    squared_range = np.log(prices.high / prices.low) ** 2
    return np.where(squared_range > 0, squared_range / (4 * np.log(2)), np.nan)


def annualised_percent(variance: Array) -> Array:
    """Return a daily variance as people read it: volatility a year, in percent.

    100 sqrt(252 v)

    >>> float(np.round(annualised_percent(np.array(0.0001)), 2))
    15.87
    """
    return np.asarray(100 * np.sqrt(TRADING_DAYS * np.asarray(variance, dtype=np.float64)))
