"""Prices as sources give them: every shape becomes the same record, without a day shifted or a value changed."""

from __future__ import annotations

import gzip
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest

from hillwalker.errors import FileError, InputError, InputTypeError, MissingDependencyError
from hillwalker.finance import load_nasdaq, load_stock, read_all_prices, read_prices
from hillwalker.finance.cells import decimal_mark
from hillwalker.finance.prices import COLUMNS

DAYS = 40
FIELDS = ("Open", "High", "Low", "Close", "Volume")


def table(days: int = DAYS, seed: int = 0) -> pd.DataFrame:
    """Return business days of 2024 with prices of two decimals, under yfinance's names."""
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(0.01 * random.normal(size=days)))
    opening = close * np.exp(0.003 * random.normal(size=days))
    high, low = np.maximum(opening, close) + random.random(days), np.minimum(opening, close) - random.random(days)
    frame = pd.DataFrame(
        {"Open": opening, "High": high, "Low": low, "Close": close}, index=pd.bdate_range("2024-01-02", periods=days)
    ).round(2)
    frame["Volume"] = random.integers(1_000_000, 9_000_000, size=days).astype(np.float64)
    frame.index.name = "Date"
    return frame


def same(prices, frame: pd.DataFrame, **tolerance: float) -> None:
    assert prices.dates.dtype == "datetime64[D]"
    assert np.array_equal(prices.dates, frame.index.to_numpy().astype("datetime64[D]"))
    for name in COLUMNS:
        np.testing.assert_allclose(getattr(prices, name), frame[name.capitalize()], **(tolerance or {"rtol": 0}))


def in_polars(frame: pd.DataFrame) -> pl.DataFrame:
    """Return a polars frame, dates with their time zone, without the help of pyarrow."""
    columns = {}
    for name, column in frame.items():
        zone = getattr(column.dtype, "tz", None)
        plain = column.dt.tz_localize(None) if zone else column
        series = pl.Series(plain.to_numpy() if column.dtype.kind in "Mf" else list(column))
        columns[name] = series.dt.replace_time_zone(str(zone)) if zone else series
    return pl.DataFrame(columns)


def two() -> pd.DataFrame:
    """Return what yf.download(["AAPL", "LOW"]) returns: columns of (Price, Ticker)."""
    both = pd.concat({"AAPL": table(seed=1), "LOW": table(seed=2)}, axis=1, names=["Ticker", "Price"])
    return both.swaplevel(axis=1).sort_index(axis=1)


def test_a_frame_of_pandas_and_of_polars():
    frame = table()
    same(read_prices(frame), frame)
    same(read_prices(frame.reset_index()), frame)
    same(read_prices(in_polars(frame.reset_index())), frame)
    same(read_prices(frame.rename_axis(None)), frame)  # an index of dates without a name
    same(read_prices(frame.convert_dtypes()), frame)  # integers that may be missing
    assert read_prices(frame, "Toy").name == "Toy"
    assert read_prices(frame).notes == ()


def test_a_dict_of_arrays():
    frame = table()
    same(
        read_prices({"date": frame.index.to_numpy(), **{name.lower(): frame[name].to_numpy() for name in FIELDS}}),
        frame,
    )
    same(read_prices({"Date": [str(day.date()) for day in frame.index], **frame.to_dict("list")}), frame)
    same(read_prices({"Date": [day.date() for day in frame.index], **frame.to_dict("list")}), frame)


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo", "Australia/Sydney", "Europe/Berlin", "UTC"])
def test_no_day_is_shifted_by_a_time_zone(zone):
    frame = table(300)  # with the changes to and from summer time
    local = frame.tz_localize(zone)
    same(read_prices(local), frame)
    same(read_prices(local.reset_index()), frame)
    same(read_prices(in_polars(local.reset_index())), frame)
    same(read_prices(local.rename(index=str)), frame)  # 2024-01-02 00:00:00-05:00
    closing = frame.set_axis(frame.index + pd.Timedelta(hours=16)).tz_localize(zone)
    if zone != "UTC":
        same(read_prices(closing), frame)


def test_times_in_utc_that_may_be_another_day_are_asked_about():
    frame = table()
    for utc in (
        frame.tz_localize("Asia/Tokyo").tz_convert("UTC"),
        frame.tz_localize("Australia/Sydney").tz_convert("UTC"),
    ):
        with pytest.raises(InputError, match=r"40 times in UTC at noon or later(.|\n)*time_zone="):
            read_prices(utc)
    tokyo = frame.tz_localize("Asia/Tokyo").tz_convert("UTC")
    same(read_prices(tokyo, time_zone="Asia/Tokyo"), frame)
    same(read_prices(in_polars(tokyo.reset_index()), time_zone="Asia/Tokyo"), frame)
    same(read_prices(frame.tz_localize("America/New_York").tz_convert("UTC")), frame)  # 05:00 of the same day


def test_text_in_utc_is_treated_like_times_in_utc(tmp_path):
    frame = table()
    path = tmp_path / "tokyo.csv"
    frame.tz_localize("Asia/Tokyo").tz_convert("UTC").to_csv(path)
    with pytest.raises(InputError, match="40 times in UTC at noon or later"):
        read_prices(path)
    same(read_prices(path, time_zone="Asia/Tokyo"), frame)
    frame.set_axis(frame.index + pd.Timedelta("16:30:00")).tz_localize("Europe/London").to_csv(path)
    same(read_prices(path, time_zone="Europe/London"), frame)
    year = table(260)
    year.set_axis(year.index + pd.Timedelta("16:30:00")).tz_localize("Europe/London").to_csv(path)
    same(read_prices(path), year)  # +00:00 in winter and +01:00 in summer is no UTC
    with pytest.raises(InputError, match=r"time_zone='Tokio'(.|\n)*America/New_York"):
        read_prices(path, time_zone="Tokio")


def test_a_dict_of_series():
    frame = table()
    local = frame.tz_localize("Asia/Tokyo").reset_index()
    same(read_prices({name: local[name] for name in local.columns}), frame)
    polars = in_polars(frame.reset_index())
    same(read_prices({name: polars[name] for name in polars.columns}), frame)
    with pytest.raises(InputError, match=r"'Open': a ndarray\.\nExpected: a list or an array, one value a day"):
        read_prices({**frame, "Date": frame.index, "Open": np.ones((DAYS, 1))})
    with pytest.raises(InputError, match=r"open \[1\] in row 1"):
        read_prices({"Date": ["2024-01-02"] * 2, "Open": [[1], [1, 2]], "High": [2, 2], "Low": [1, 1], "Close": [1, 1]})


@pytest.mark.parametrize("source", [{}, pd.DataFrame(), pl.DataFrame()], ids=["dict", "pandas", "polars"])
def test_nothing_at_all(source):
    with pytest.raises(InputError, match=r"no column for date, open, high, low, close; there are none\."):
        read_prices(source)


def test_yfinances_csv_read_as_if_it_had_one_header_line(tmp_path):
    two().xs("LOW", level="Ticker", axis=1, drop_level=False).to_csv(tmp_path / "low.csv")
    with pytest.raises(InputError, match=r"no column for date(.|\n)*read_prices\(path\)"):
        read_prices(pd.read_csv(tmp_path / "low.csv"))


def test_two_levels_of_columns_in_both_orders():
    both = two()
    for frame in (both, both.swaplevel(axis=1).sort_index(axis=1)):  # the second: group_by="ticker"
        for prices in (read_all_prices(frame), read_all_prices(frame.rename_axis([None, None], axis=1))):
            assert list(prices) == ["AAPL", "LOW"]
            same(prices["AAPL"], table(seed=1))
            same(prices["LOW"], table(seed=2))
            assert prices["LOW"].name == "LOW"
    one = both.loc[:, both.columns.get_level_values("Ticker") == "LOW"]
    same(read_prices(one), table(seed=2))
    same(read_prices(both.reset_index(), ticker="LOW"), table(seed=2))
    assert read_prices(one, "Lowe's").name == "Lowe's"


def test_tickers_that_are_words_of_the_columns():
    # Opendoor and Lowe's; a further column ("Stock") is unknown, so that counting known words would mislead.
    both = pd.concat({"OPEN": table(seed=1).assign(Stock=1.0), "LOW": table(seed=2)}, axis=1)
    for frame in (both, both.swaplevel(axis=1)):
        prices = read_all_prices(frame)
        same(prices["OPEN"], table(seed=1))
        same(prices["LOW"], table(seed=2))


def test_a_ticker_in_a_column():
    long = pd.concat([table(seed=1).assign(Symbol="AAPL"), table(seed=2).assign(Symbol="LOW")])
    for source in (long, long.reset_index(), in_polars(long.reset_index())):
        same(read_all_prices(source)["LOW"], table(seed=2))
    stacked = long.set_index("Symbol", append=True)
    same(read_prices(stacked, ticker="AAPL"), table(seed=1))


def test_several_tickers_are_refused_by_name_and_one_can_be_picked():
    with pytest.raises(InputError, match=r"2 series: AAPL, LOW(.|\n)*ticker='AAPL'\), or read_all_prices"):
        read_prices(two())
    with pytest.raises(InputError, match=r"'APPL'(.|\n)*ticker='AAPL'"):
        read_prices(two(), ticker="APPL")


def test_rows_that_belong_to_the_other_ticker_are_no_gap():
    both = two()
    both.loc[both.index[:8], [(name, "LOW") for name in FIELDS]] = np.nan
    prices = read_all_prices(both, least_days=20)
    assert len(prices["LOW"]) == DAYS - 8
    assert prices["LOW"].notes == ()


def test_a_fault_names_its_ticker():
    both = two()
    both.loc[both.index[3], ("Close", "LOW")] = -1
    with pytest.raises(InputError, match=r"^LOW:\n(.|\n)*2024-01-05"):
        read_all_prices(both)


def test_csv_as_yfinance_writes_it(tmp_path):
    both = two()
    path = tmp_path / "both.csv"
    for frame in (both, both.swaplevel(axis=1).sort_index(axis=1), both.rename_axis([None, None], axis=1)):
        frame.to_csv(path)
        assert len(path.read_text().splitlines()) == DAYS + 3
        same(read_prices(path, ticker="LOW"), table(seed=2))
    table().tz_localize("Asia/Tokyo").to_csv(path)
    same(read_prices(path), table())
    assert read_prices(path).name == "both"


def test_parquet(tmp_path):
    path = tmp_path / "prices.parquet"
    in_polars(table().reset_index()).write_parquet(path)
    same(read_prices(path), table())
    both = two()  # pandas keeps names of two levels as text
    named = {"Date": both.index.to_numpy(), **{str(pair): both[pair].to_numpy() for pair in both.columns}}
    assert "('Close', 'LOW')" in named
    pl.DataFrame(named).write_parquet(path)
    same(read_prices(path, ticker="LOW"), table(seed=2))
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(FileError, match="cannot be read"):
        read_prices(tmp_path / "bad.parquet")


def rows_as(frame: pd.DataFrame, line) -> list[str]:
    return [line(day, row) for day, row in frame.iterrows()]


def test_dialects_of_csv(tmp_path):
    frame = table()
    frame[["Open", "High", "Low", "Close"]] *= 20  # above 1,000: with separators of thousands
    frame = frame.round(2)
    path = tmp_path / "prices.csv"

    def german(number: float) -> str:
        return f"{number:,.2f}".translate(str.maketrans(",.", ".,"))

    dialects = {
        "Date,Open,High,Low,Close,Adj Close,Volume": lambda d, r: (
            f"{d.date()},{r.Open},{r.High},{r.Low},{r.Close},{r.Close},{r.Volume:.0f}"
        ),
        "date;open;high;low;close;volume": lambda d, r: ";".join(
            [f"{d:%d.%m.%Y}", *(german(r[name]) for name in FIELDS[:4]), f"{r.Volume:.0f}"]
        ),
        "Date\tOpen\tHigh\tLow\tClose\tVolume": lambda d, r: "\t".join(
            [f"{d:%Y/%m/%d}", *(f"{r[name]:.2f}" for name in FIELDS)]
        ),
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>": lambda d, r: (
            f"AAPL.US,D,{d:%Y%m%d},000000,{r.Open},{r.High},{r.Low},{r.Close},{r.Volume},0"
        ),
        "Data,Otwarcie,Najwyzszy,Najnizszy,Zamkniecie,Wolumen": lambda d, r: (
            f"{d.date()},{r.Open},{r.High},{r.Low},{r.Close},{r.Volume}"
        ),
        "Date,Close/Last,Volume,Open,High,Low": lambda d, r: (
            f"{d:%m/%d/%Y},${r.Close},{r.Volume:.0f},${r.Open},${r.High},${r.Low}"
        ),
        "timestamp,1. open,2. high,3. low,4. close,5. volume": lambda d, r: (
            f"{d.date()},{r.Open},{r.High},{r.Low},{r.Close},{r.Volume}"
        ),
    }
    for header, line in dialects.items():
        path.write_text("\n".join(["# from somewhere", header, *rows_as(frame, line)]) + "\n", encoding="utf-8-sig")
        same(read_prices(path), frame)
    with gzip.open(tmp_path / "prices.csv.gz", "wt") as file:
        file.write(path.read_text(encoding="utf-8-sig"))
    same(read_prices(tmp_path / "prices.csv.gz"), frame)


@pytest.mark.parametrize("date", ["%m/%d/%Y", "%b %d, %Y", "%d-%b-%Y"])
def test_investing_com(tmp_path, date):
    frame = table()
    frame[["Open", "High", "Low", "Close"]] *= 30
    frame["Volume"] = (frame["Volume"] / 1e4).round() * 1e4

    def line(d, r):
        prices = ",".join(f'"{r[name]:,.2f}"' for name in ("Close", "Open", "High", "Low"))
        return f'"{d:{date}}",{prices},"{r.Volume / 1e6:.2f}M","0.51%"'

    rows = rows_as(frame, line)[::-1]
    rows[0] = re.sub(r'"[0-9.]+M"', '"-"', rows[0])
    path = tmp_path / "S&P 500 Historical Data.csv"
    path.write_text("\n".join(['"Date","Price","Open","High","Low","Vol.","Change %"', *rows]))
    prices = read_prices(path)
    assert prices.name == "S&P 500 Historical Data"
    assert np.isnan(prices.volume[-1])
    assert prices.notes == (
        "1 day without volume (the first: 2024-02-26)",
        "40 days given newest first, reversed (the first: 2024-01-02)",
    )
    frame.loc[frame.index[-1], "Volume"] = np.nan
    same(prices, frame.round(2), rtol=1e-12)


@pytest.mark.parametrize(
    ("cells", "separator", "mark"),
    [
        (["1,234", "5.5"], ";", "."),
        (["1,234", "987,655"], ";", ","),
        (["1,234", "987,655"], ",", "."),
        (["1,234", "1,5"], ",", ","),
        (["1.234,567"], ",", ","),
        (["1,23,456.7"], ";", "."),
        (["1,085 "], "\t", ","),
        ([1.5, None, ""], ";", "."),
    ],
)
def test_which_mark_is_decimal(cells, separator, mark):
    assert decimal_mark([cells], separator) == mark


def test_day_and_month_are_told_apart_by_the_whole_column():
    frame = table()
    for order in ("%d/%m/%Y", "%m/%d/%Y"):
        same(read_prices(frame.set_axis(frame.index.strftime(order)).rename_axis("Date")), frame)
    both_ways = pd.DataFrame(table(5)).set_axis([f"0{day}/0{day + 1}/2024" for day in range(1, 6)]).rename_axis("Date")
    with pytest.raises(InputError, match=r"01/02/2024\) which may be read both ways(.|\n)*day_first=True"):
        read_prices(both_ways, least_days=2)
    assert str(read_prices(both_ways, least_days=2, day_first=True).dates[0]) == "2024-02-01"
    assert str(read_prices(both_ways, least_days=2, day_first=False).dates[0]) == "2024-01-02"


def test_other_columns_do_not_matter():
    frame = table().assign(Dividends=0.0, **{"Stock Splits": 0.0}, Price="text", Last=1.0)
    same(read_prices(frame), table())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "with 0 lines"),
        ("Date,Open\n2024-01-02,1\n", r"no column for high, low, close; there are Date, Open\."),
        ("Date,Open,High,Low,Close\n2024-01-02,1,2\n", "3 cells in row 1, where the header has 5"),
        ("Date,Open,High,Low,Close\nsoon,1,2,1,1\n", "'soon' in row 1 .* where a date should be"),
        ("Date,Open,High,Low,Close\n2024-02-30,1,2,1,1\n", "'2024-02-30' in row 1 .* where a date should be"),
        ("Date,Open,High,Low,Close\n,1,2,1,1\n", "an empty cell in row 1"),
        ("Date,Open,High,Low,Close\n2024-01-02,1,2,1,1\n2024-01-03,1,2,halted,1\n", "low 'halted' in row 2"),
        ("Date,Open,High,Low,Close,close\n2024-01-02,1,2,1,1,1\n", "more than one column for close"),
        ("Date,Open,High,Low,Close\n2024-01-02,1,2,1,1\n", r"1 days of prices\.\nExpected: 30 days or more"),
    ],
)
def test_files_that_hold_no_prices(tmp_path, text, words):
    path = tmp_path / "prices.csv"
    path.write_text(text)
    with pytest.raises((FileError, InputError), match=words):
        read_prices(path)


def test_what_is_no_source(tmp_path):
    with pytest.raises(FileError, match="which is not there"):
        read_prices(tmp_path / "none.csv")
    with pytest.raises(InputTypeError, match="a list"):
        read_prices([1, 2])
    (tmp_path / "bad.csv").write_bytes(b"Date,Open\n\xff\xfe,2\n")
    with pytest.raises(FileError, match="cannot be read"):
        read_prices(tmp_path / "bad.csv")
    with pytest.raises(InputError, match="different lengths"):
        read_prices({"Date": ["2024-01-02"], "Open": [1, 2], "High": [1], "Low": [1], "Close": [1]})


def test_to_frame_and_to_dict_hold_everything():
    prices = read_prices(table()[::-1], "toy")
    frame = prices.to_frame()
    assert list(frame.columns) == list(COLUMNS)
    assert frame.index.name == "date"
    same(read_prices(frame), table())
    found = prices.to_dict()
    assert found["dates"][0] == "2024-01-02"
    assert found["remarks"][0]["count"] == len(found["remarks"][0]["dates"]) == DAYS
    assert found["name"] == "toy"


def test_the_stocks_are_adjusted_for_their_splits():
    prices = load_stock("AAPL")
    returns = np.diff(np.log(prices.close))
    assert np.abs(returns).max() < 0.75  # 2000-09-29, a day of bad news, not a split
    # The file says 9,616,100 shares for the first day; two splits, 2:1 each, came after it, and none after the last.
    assert prices.volume[0] == pytest.approx(4 * 9_616_100)
    assert prices.close[0] == pytest.approx(4.186662803811)
    assert load_stock("FB").notes == ()
    with pytest.raises(InputError, match="load_stock\\('MSFT'\\)"):
        load_stock("MFST")


def test_the_nasdaq_is_the_whole_series():
    prices = load_nasdaq()
    assert (len(prices), str(prices.dates[-1])) == (5031, "2018-12-31")
    assert np.isnan(prices.volume).sum() == 2


def test_missing_packages_are_named_with_the_line_that_installs_them(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="pip install bokeh_sampledata"):
        load_stock("AAPL")
    with pytest.raises(MissingDependencyError, match=re.escape("pip install 'hillwalker[finance]'")):
        load_nasdaq()
