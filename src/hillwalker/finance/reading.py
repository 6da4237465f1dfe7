"""`read_prices`: daily prices as they come, from files, frames and dicts, checked and mended by rule.

Shapes are told apart in `sources.py`, cells read in `cells.py`; the rules are in `rules.py` and `splits.py`.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from hillwalker.errors import InputError, MissingDependencyError, explain, unknown_name
from hillwalker.finance import cells, rules, splits
from hillwalker.finance.prices import COLUMNS, Prices
from hillwalker.finance.sources import ADJUSTED, DATE, Sheet, sheets

LEAST_DAYS = 30  # a month of features, and a week to look at
STOCKS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")


def read_prices(
    source: Any,
    name: str | None = None,
    *,
    ticker: str | None = None,
    splits: str = "refuse",
    day_first: bool | None = None,
    time_zone: str | None = None,
    least_days: int = LEAST_DAYS,
) -> Prices:
    r"""Return the daily prices of one series, from a CSV (also .gz) or Parquet file, a frame, or a dict of arrays.

    Columns Date, Open, High, Low, Close, Adj Close and Volume are known in any case and order, and by the names of
    yfinance (two levels too), Yahoo, Stooq, Nasdaq and Investing.com. docs/prices.md lists each oddity and its rule;
    what was met stands in `prices.notes`. Dates are the exchange's: times keep their own time zone, or are converted to
    `time_zone`. `ticker` picks one of several series; `splits` says what becomes of jumps that look like a split and
    that no Adj Close has mended ("refuse", "adjust", "keep"); `day_first` how to read 01/02/2024. No value of a day
    depends on a later day, but for the common factor of adjusted prices.

    Raises FileError, InputError or InputTypeError, naming what cannot be used and the days or rows.

    >>> lines = [f"2024-01-{day:02},{day},{day + 1},{day - 0.5},{day},{day % 3}" for day in range(1, 32)]
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "toy.csv"
    >>> _ = path.write_text("\n".join(["Date,Open,High,Low,Close,Volume", *reversed(lines)]))
    >>> for note in read_prices(path, splits="keep").notes:
    ...     print(note)
    10 days without volume (the first: 2024-01-03)
    31 days given newest first, reversed (the first: 2024-01-01)
    8 days on a weekend (the first: 2024-01-06)
    """
    found = sheets(source, time_zone)
    tickers = [str(sheet.ticker) for sheet in found]
    if ticker is not None:
        if ticker not in tickers:
            raise unknown_name("the ticker", ticker, tickers, "read_prices(source, ticker={})")
        found = [found[tickers.index(ticker)]]
    if len(found) != 1:
        listed = ", ".join(tickers[:10]) + (f" and {len(tickers) - 10} more" if len(tickers) > 10 else "")
        raise InputError(
            explain(
                f"prices of {len(found)} series: {listed}.",
                "one series.",
                f"read_prices(source, ticker={tickers[0]!r}), or read_all_prices(source)",
            )
        )
    return _checked(found[0], name or _name(found[0], source), splits, day_first, time_zone, least_days)


def read_all_prices(
    source: Any,
    *,
    splits: str = "refuse",
    day_first: bool | None = None,
    time_zone: str | None = None,
    least_days: int = LEAST_DAYS,
) -> dict[str, Prices]:
    """Return the daily prices of every series in a source, by ticker; the arguments are those of `read_prices`.

    Raises what `read_prices` raises, naming the ticker.

    >>> dates = np.arange("2024-01-01", "2024-03-01", dtype="datetime64[D]")
    >>> close = np.linspace(100, 110, 60)
    >>> one = {"Open": close, "High": close + 1, "Low": close - 1, "Close": close}
    >>> table = {"Date": dates, **{(field, ticker): one[field] for field in one for ticker in ("A", "B")}}
    >>> {ticker: len(prices) for ticker, prices in read_all_prices(table).items()}
    {'A': 60, 'B': 60}
    """
    all_prices = {}
    for sheet in sheets(source, time_zone):
        name = _name(sheet, source)
        try:
            all_prices[name] = _checked(sheet, name, splits, day_first, time_zone, least_days)
        except InputError as error:
            raise InputError(f"{name}:\n{error}") from None
    return all_prices


def load_stock(ticker: str) -> Prices:
    """Return a share's daily prices to March 2013, from the file that the package bokeh_sampledata ships.

    AAPL, IBM, MSFT from 2000, GOOG from 2004, FB from 2012. They are adjusted for splits and dividends here. The file
    is read without importing the package. Raises MissingDependencyError where that is not installed.

    >>> prices = load_stock("AAPL")
    >>> len(prices), str(prices.dates[-1])
    (3270, '2013-03-01')
    >>> for note in prices.notes:
    ...     print(note)
    3270 days scaled by adjusted close / close (the first: 2000-03-01)
    2 days on which the adjustment jumps like a split; the volume before is scaled too (the first: 2000-06-21)
    1 day that opens at a split's ratio on much more than the usual turnover, kept as news (the first: 2000-09-29)
    """
    if ticker not in STOCKS:
        raise unknown_name("the stock", ticker, STOCKS, "load_stock({})")
    package = importlib.util.find_spec("bokeh_sampledata")
    if package is None or package.origin is None:
        raise MissingDependencyError(
            explain(
                f"the prices of {ticker}, shipped with the package 'bokeh_sampledata'; it is not installed.",
                "the package.",
                "pip install bokeh_sampledata",
            )
        )
    return read_prices(Path(package.origin).parent / "_data" / "stocks.csv.gz", ticker=ticker)


def _name(sheet: Sheet, source: Any) -> str:
    """Return the ticker, or the file's name without its ending."""
    if sheet.ticker is not None:
        return sheet.ticker
    return Path(source).name.split(".")[0] if isinstance(source, str | Path) else "prices"


def _checked(
    sheet: Sheet, name: str, choice: str, day_first: bool | None, time_zone: str | None, least_days: int
) -> Prices:
    """Apply every rule to one sheet, in the order in which they need one another."""
    if choice not in splits.CHOICES:
        raise unknown_name("splits", choice, splits.CHOICES, "read_prices(source, splits={})")
    dates, timed = cells.days(sheet.columns[DATE], day_first, time_zone)
    raw = {field: column for field, column in sheet.columns.items() if field != DATE}
    prices = [column for field, column in raw.items() if field != "volume"]
    decimal = cells.decimal_mark([column for column in prices if not isinstance(column, np.ndarray)], sheet.separator)
    columns = {field: cells.numbers(column, field, decimal) for field, column in raw.items()}
    columns.setdefault("volume", np.full(len(dates), np.nan))
    days = rules.Days(dates, columns)
    rules.put_in_order(days)
    rules.drop_repeated(days, timed)
    rules.refuse_future(days, np.datetime64("today"))
    rules.drop_incomplete(days)
    rules.refuse_not_positive(days)
    if len(days.dates) < max(least_days, 1):
        before = f" ({'; '.join(map(str, days.remarks))})" if days.remarks else ""
        raise InputError(
            explain(
                f"{len(days.dates)} days of prices{before}.",
                f"{least_days} days or more.",
                "a longer series, or read_prices(..., least_days=2)",
            )
        )
    rules.mend_ranges(days)
    rules.mask_volume(days)
    if ADJUSTED in days.columns:
        splits.adjust_by_source(days)
    splits.settle_splits(days, choice)
    rules.note_calendar(days)
    finished = {column: days.columns[column] for column in COLUMNS}
    return Prices(name, days.dates, **finished, remarks=tuple(days.remarks))
