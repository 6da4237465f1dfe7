"""What must hold of `read_prices` for any prices: how they are given changes nothing of the record.

tests/test_prices.py goes through the shapes case by case; here they are drawn.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from hillwalker.finance import read_prices
from hillwalker.finance.prices import COLUMNS

FIELDS = ("Date", "Open", "High", "Low", "Close", "Volume")
DATES = (str, np.datetime64, pd.Timestamp, lambda date: date.item(), lambda date: f"{date}T00:00:00+09:00")
NUMBERS = (str, float, lambda number: f" {number} ", lambda number: f"{number:,.2f}", lambda number: f"${number}")


@st.composite
def tables(draw: st.DrawFn) -> dict[str, np.ndarray]:
    """Draw business days, with holidays, of prices of two decimals."""
    rows = draw(st.integers(2, 12))
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    dates = np.busday_offset("2020-01-01", np.cumsum(random.integers(1, 5, size=rows)), roll="forward")
    level = draw(st.sampled_from([0.5, 30.0, 4000.0]))
    close = level * (1 + 0.05 * random.random(rows))
    opening = level * (1 + 0.05 * random.random(rows))
    high, low = np.maximum(opening, close) * 1.01, np.minimum(opening, close) * 0.99
    prices = [np.round(values, 2) for values in (opening, high, low, close)]
    prices[1], prices[2] = np.maximum.reduce(prices), np.minimum.reduce(prices)
    return dict(zip(FIELDS, (dates, *prices, random.integers(1, 10**7, size=rows).astype(float)), strict=True))


def check(prices, table) -> None:
    assert np.array_equal(prices.dates, table["Date"])
    for name in COLUMNS:
        assert np.array_equal(getattr(prices, name), table[name.capitalize()])


@given(table=tables(), data=st.data())
@settings(max_examples=60)
def test_order_case_and_kind_of_columns_change_nothing(table, data):
    names = data.draw(st.permutations(FIELDS))
    case = data.draw(st.sampled_from([str, str.lower, str.upper, lambda name: f" {name}_"]))
    columns = {case(name): table[name] for name in names}
    check(read_prices(columns, least_days=1), table)
    check(read_prices(pd.DataFrame(columns), least_days=1), table)
    check(read_prices(pl.DataFrame(columns), least_days=1), table)


@given(table=tables(), data=st.data())
@settings(max_examples=60)
def test_how_cells_are_written_changes_nothing(table, data):
    as_date, as_number = data.draw(st.sampled_from(DATES)), data.draw(st.sampled_from(NUMBERS))
    columns = {name: [as_number(number) for number in table[name].tolist()] for name in FIELDS[1:]}
    columns["Date"] = [as_date(date) for date in table["Date"]]
    check(read_prices(columns, least_days=1), table)
    check(read_prices(pd.DataFrame(columns), least_days=1), table)


@given(table=tables(), data=st.data())
@settings(max_examples=60)
def test_the_order_of_rows_and_rows_given_again_change_nothing_but_the_notes(table, data):
    rows = len(table["Date"])
    again = data.draw(st.lists(st.integers(0, rows - 1), max_size=4))
    order = data.draw(st.permutations([*range(rows), *again]))
    shuffled = {name: values[list(order)] for name, values in table.items()}
    prices = read_prices(shuffled, least_days=1)
    check(prices, table)
    changed = list(order) != list(range(rows))
    assert bool([note for note in prices.notes if "given" in note]) == changed


@given(table=tables(), zone=st.sampled_from(["America/New_York", "Asia/Tokyo", "Pacific/Auckland", "Europe/London"]))
@settings(max_examples=40)
def test_a_record_read_back_is_the_record(table, zone):
    prices = read_prices(table, least_days=1)
    check(read_prices(prices.to_frame(), least_days=1), table)
    check(read_prices(prices.to_frame().tz_localize(zone), least_days=1), table)
    assert read_prices(prices.to_frame(), least_days=1).notes == prices.notes
