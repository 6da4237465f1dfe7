"""Daily prices as one frozen record, checked; and the variance that one day's range shows.

Nothing here repairs data: what is wrong is refused or reported by name and count.
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

from hillwalker.errors import InputError, explain, missing_dependency

Array = NDArray[np.float64]
TRADING_DAYS = 252  # a year


@dataclass(frozen=True)
class Prices:
    """Daily prices of one series, oldest first; every array has shape (days,).

    Raises InputError where dates repeat or run backwards, where a price is missing, zero or negative, or where a day's
    low, open, close and high contradict one another.

    >>> dates = np.array(["2024-01-02", "2024-01-03"], dtype="datetime64[D]")
    >>> day = np.array([100.0, 101.0])
    >>> Prices("toy", dates, open=day, high=day + 2, low=day - 1, close=day, volume=np.array([5e6, 0.0])).notes
    ('1 day without volume (the first: 2024-01-03)',)
    """

    name: str
    dates: NDArray[np.datetime64]
    open: Array
    high: Array
    low: Array
    close: Array
    volume: Array

    def __post_init__(self) -> None:
        """Refuse what no feature can be made from."""
        check_dates(self.dates)
        for name in ("open", "high", "low", "close", "volume"):
            check_column(name, getattr(self, name), self.dates, zero_allowed=name == "volume")
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
    def notes(self) -> tuple[str, ...]:
        """What is odd about the data, each with its count and first day; empty where nothing is."""
        return tuple(
            f"{mask.sum()} {'day' if mask.sum() == 1 else 'days'} {what} (the first: {self.dates[mask][0]})"
            for what, mask in (
                ("without volume", self.volume == 0),
                ("whose high equals its low", self.high == self.low),
            )
            if mask.any()
        )

    def __len__(self) -> int:
        """Return the number of days."""
        return len(self.dates)


def check_dates(dates: NDArray[np.datetime64]) -> None:
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


def check_column(name: str, values: Array, dates: NDArray[np.datetime64], zero_allowed: bool) -> None:
    """Raise InputError unless the column is as long as the dates, finite and positive (or zero, where allowed)."""
    if values.shape != dates.shape:
        raise InputError(
            explain(f"{name} of shape {values.shape}, dates of shape {dates.shape}.", "one value a day in each column.")
        )
    wrong = ~np.isfinite(values) | (values < 0 if zero_allowed else values <= 0)
    if wrong.any():
        raise InputError(
            explain(
                f"{name} with {wrong.sum()} missing, negative or zero values, the first on {dates[wrong][0]}.",
                f"a number {'of 0 or more' if zero_allowed else 'above 0'} on every day.",
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
    package = importlib.util.find_spec("arch")
    if package is None or package.origin is None:
        raise missing_dependency("arch", "S&P 500 prices, shipped with arch", "finance")
    path = Path(package.origin).parent / "data" / "sp500" / "sp500.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns: dict[str, Any] = {
        name.lower(): np.array([float(row[name]) for row in rows])
        for name in ("Open", "High", "Low", "Close", "Volume")
    }
    months_days_years = [[int(part) for part in row["Date"].split("/")] for row in rows]  # 1/4/1999
    dates = np.array([f"{y:04}-{m:02}-{d:02}" for m, d, y in months_days_years], dtype="datetime64[D]")
    return Prices("S&P 500", dates, **columns)


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
