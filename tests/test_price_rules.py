"""Oddities of prices: what is masked or mended is noted by name, count and day; what cannot be used is refused."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hillwalker.errors import InputError
from hillwalker.finance import Remark, load_nasdaq, load_sp500, load_stock, parkinson_variance, read_prices
from hillwalker.finance.prices import COLUMNS
from hillwalker.finance.reading import STOCKS

PRICES = ["Open", "High", "Low", "Close"]


def table(days: int = 60, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(0.01 * random.normal(size=days)))
    opening = close * np.exp(0.003 * random.normal(size=days))
    return pd.DataFrame(
        {
            "Open": opening,
            "High": np.maximum(opening, close) * 1.005,
            "Low": np.minimum(opening, close) * 0.995,
            "Close": close,
            "Volume": 1e6 * (1 + random.random(days)),
        },
        index=pd.bdate_range("2024-01-02", periods=days, name="Date"),
    )


def split(frame: pd.DataFrame, day: int, ratio: float) -> pd.DataFrame:
    """Return the prices as they were quoted: before the split they are `ratio` times as high, of fewer shares."""
    raw = frame.copy()
    raw.loc[frame.index[:day], PRICES] *= ratio
    raw.loc[frame.index[:day], "Volume"] /= ratio
    return raw


def quoted(ticker: str) -> pd.DataFrame:
    """Return a real share's prices as they were quoted, without the adjusted close."""
    path = Path(importlib.util.find_spec("bokeh_sampledata").origin).parent / "_data" / "stocks.csv.gz"
    frame = pd.read_csv(path)
    return frame[frame["Ticker"] == ticker].drop(columns=["Ticker", "Adj Close"])


def only_remark(prices) -> Remark:
    assert len(prices.remarks) == 1
    return prices.remarks[0]


def test_rows_out_of_order_are_sorted():
    frame = table()
    order = np.arange(60)
    order[[10, 11]] = [11, 10]
    prices = read_prices(frame.iloc[order])
    np.testing.assert_array_equal(prices.close, frame["Close"])
    assert str(only_remark(prices)) == "1 day given out of order, sorted (the first: 2024-01-16)"


def test_rows_newest_first_are_reversed():
    prices = read_prices(table()[::-1])
    np.testing.assert_array_equal(prices.close, table()["Close"])
    assert prices.notes == ("60 days given newest first, reversed (the first: 2024-01-02)",)


def test_repeated_rows_are_dropped_if_they_agree_and_refused_if_not():
    frame = table()
    frame.iloc[5, 4] = np.nan  # two unknown volumes agree
    again = pd.concat([frame, frame.iloc[[5, 20, 20]]]).sort_index()
    prices = read_prices(again)
    np.testing.assert_array_equal(prices.dates, frame.index.to_numpy().astype("datetime64[D]"))
    remark = only_remark(prices)
    assert (remark.what, remark.count, str(remark.dates[0])) == ("given more than once, kept once", 3, "2024-01-09")
    again.iloc[6, 3] *= 1.001
    with pytest.raises(
        InputError, match=r"1 dates whose rows contradict one another: 2024-01-09\.(.|\n)*keep=\"last\""
    ):
        read_prices(again)


def test_prices_within_the_day_are_refused_with_the_line_that_makes_days_of_them():
    hours = pd.concat([table().set_axis(table().index + pd.Timedelta(hours=hour)) + hour / 10 for hour in (10, 11)])
    with pytest.raises(InputError, match=r"times on 60 days, the first 2024-01-02(.|\n)*resample\(\"1D\"\)"):
        read_prices(hours)


def test_gaps_of_more_than_a_week_are_noted():
    frame = table()
    week, longer = frame.drop(frame.index[10:15]), frame.drop(frame.index[10:16])
    assert read_prices(week).notes == ()
    assert read_prices(longer).notes == (
        f"1 day after a gap of more than 5 business days (the first: {frame.index[16].date()})",
    )


def test_days_with_a_missing_price_are_left_out():
    frame = table()
    frame.iloc[7, 1] = np.nan
    frame.iloc[9, :] = np.nan
    prices = read_prices(frame)
    assert len(prices) == 58
    assert prices.notes == ("2 days with a missing price, left out (the first: 2024-01-11)",)


def test_volume_that_is_zero_or_missing_is_masked():
    frame = table()
    frame.iloc[3, 4], frame.iloc[4, 4] = 0, np.nan
    prices = read_prices(frame)
    assert np.isnan(prices.volume[[3, 4]]).all()
    assert np.isnan(prices.volume).sum() == 2
    assert prices.notes == ("2 days without volume (the first: 2024-01-05)",)
    assert [remark.count for remark in prices.oddities] == [2]


def test_prices_without_a_volume_column():
    prices = read_prices(table().drop(columns="Volume"))
    assert np.isnan(prices.volume).all()
    assert prices.notes == ("60 days without volume (the first: 2024-01-02)",)
    assert prices.to_dict()["volume"][0] is None


@pytest.mark.parametrize("column", ["Open", "Close"])
def test_rounding_widens_the_range_and_more_leaves_the_day_out(column):
    frame = table()
    frame.iloc[5, frame.columns.get_loc("High")] = max(frame["Open"].iloc[5], frame["Close"].iloc[5]) * (1 - 0.0005)
    frame.iloc[8, frame.columns.get_loc(column)] = frame["High"].iloc[8] * 1.002
    prices = read_prices(frame)
    assert len(prices) == 59
    assert prices.high[5] == max(prices.open[5], prices.close[5])
    assert [str(remark) for remark in prices.remarks] == [
        "1 day whose range is widened to hold open and close (the first: 2024-01-09)",
        "1 day whose prices contradict one another, left out (the first: 2024-01-12)",
    ]


def test_a_high_below_the_low_leaves_the_day_out():
    frame = table()
    frame.iloc[8, 1:3] = frame.iloc[8, 2:0:-1].to_numpy()
    assert read_prices(frame).notes == ("1 day whose prices contradict one another, left out (the first: 2024-01-12)",)


def test_many_contradictions_are_refused():
    frame = table().rename(columns={"High": "Low", "Low": "High"})
    with pytest.raises(
        InputError, match=r"60 of 60 days whose high, low, open and close contradict.*2024-01-02(.|\n)*"
    ):
        read_prices(frame)
    mixed = table()
    mixed["Close"] /= np.where(np.arange(60) < 30, 2, 1)  # the close alone is adjusted
    with pytest.raises(InputError, match="adjusted for splits, or none"):
        read_prices(mixed)


@pytest.mark.parametrize(
    ("column", "value"), [("Low", 0), ("Close", -37.63), ("Open", np.inf), ("Volume", -1), ("Volume", np.inf)]
)
def test_prices_that_have_no_logarithm_are_refused(column, value):
    frame = table()
    frame.loc[frame.index[[10, 12]], column] = value
    with pytest.raises(
        InputError, match=f"{column.lower()} that is .*negative or infinite on 2 days: 2024-01-16, 2024-01-18"
    ):
        read_prices(frame)


def test_weekends_are_kept_and_noted():
    frame = table().set_axis(pd.date_range("2024-01-02", periods=60, name="Date"))
    prices = read_prices(frame)
    assert len(prices) == 60
    assert prices.notes == ("16 days on a weekend (the first: 2024-01-06)",)
    assert "time zone" in prices.remarks[0].rule


def test_the_future_is_refused():
    frame = table().set_axis(pd.bdate_range("2924-01-02", periods=60, name="Date").astype("datetime64[s]"))
    with pytest.raises(InputError, match="60 days in the future: 2924-01-0"):
        read_prices(frame)


def test_too_few_days_are_refused():
    with pytest.raises(InputError, match="29 days of prices"):
        read_prices(table(29))
    assert len(read_prices(table(29), least_days=29)) == 29
    frame = table(31)
    frame.iloc[5:7, 0] = np.nan
    with pytest.raises(InputError, match=r"29 days of prices \(2 days with a missing price, left out"):
        read_prices(frame)


def test_an_adjusted_close_scales_all_prices_and_the_volume_at_splits_only():
    frame = table()
    raw = split(frame, 40, 2)
    dividend = np.where(np.arange(60) < 20, 0.98, 1.0)
    raw["Adj Close"] = frame["Close"] * dividend
    prices = read_prices(raw)
    np.testing.assert_allclose(prices.close, frame["Close"] * dividend)
    np.testing.assert_allclose(prices.high, frame["High"] * dividend)
    np.testing.assert_allclose(prices.volume, frame["Volume"])  # not by the dividend
    assert [str(remark).split(" (")[0] for remark in prices.remarks] == [
        "40 days scaled by adjusted close / close",
        "1 day on which the adjustment jumps like a split; the volume before is scaled too",
    ]
    unchanged = read_prices(frame.assign(**{"Adj Close": frame["Close"]}))
    assert unchanged.notes == ()
    np.testing.assert_array_equal(unchanged.close, frame["Close"])


@pytest.mark.parametrize(
    ("ratio", "words"), [(2, "2:1"), (3, "3:1"), (1.5, "3:2"), (7, "7:1"), (0.1, "1:10"), (20, "20:1"), (0.5, "1:2")]
)
def test_a_jump_like_a_split_is_refused_adjusted_or_kept(ratio, words):
    frame = table()
    raw = split(frame, 40, ratio)
    day = str(frame.index[40].date())
    with pytest.raises(InputError, match=rf'1 jumps .* look like a split: {day} \({words}\)(.|\n)*splits="adjust"'):
        read_prices(raw)
    adjusted, kept = read_prices(raw, splits="adjust"), read_prices(raw, splits="keep")
    for name in COLUMNS:
        np.testing.assert_allclose(getattr(adjusted, name), frame[name.capitalize()])
    np.testing.assert_array_equal(kept.close, raw["Close"])
    assert only_remark(adjusted).what == f"of a split, prices before it adjusted: {day} ({words})"
    assert only_remark(kept).what == f"with a jump that looks like a split, kept: {day} ({words})"


def test_two_splits_are_both_adjusted():
    frame = table()
    adjusted = read_prices(split(split(frame, 40, 2), 30, 1.5), splits="adjust")
    np.testing.assert_allclose(adjusted.close, frame["Close"])
    assert only_remark(adjusted).count == 2


def test_a_crash_is_no_split():
    frame = table()
    crash = split(frame, 40, 2)
    within = crash.copy()  # it falls within the day
    within.iloc[40, 1] = within["Close"].iloc[39]
    news = crash.copy()  # it falls over night, and everybody sells
    news.iloc[40, 4] *= 5
    assert read_prices(within).notes == ()
    assert read_prices(news).notes == (
        "1 day that opens at a split's ratio on much more than the usual turnover, kept as news "
        f"(the first: {frame.index[40].date()})",
    )
    assert read_prices(split(frame, 40, 1.7)).notes == ()  # a ratio that no split has


def test_no_value_depends_on_a_later_day():
    """Values up to a day are bit for bit those of a file that ends with it, whatever stands after it."""
    frame = table(120)
    frame.iloc[7, 1] = np.nan
    frame.iloc[9, 1] = frame["Low"].iloc[9] * 0.9
    frame.iloc[12, 4] = 0
    frame.iloc[14, 1] = max(frame["Open"].iloc[14], frame["Close"].iloc[14]) * 0.9995
    whole = read_prices(frame)
    for day in range(40, 120, 7):
        early = read_prices(frame.iloc[:day])
        for name in ("dates", *COLUMNS):
            np.testing.assert_array_equal(getattr(early, name), getattr(whole, name)[: len(early)])


def test_a_later_split_changes_earlier_days_by_a_common_factor_only():
    frame = table()
    raw = split(frame, 40, 2)
    early, whole = read_prices(raw.iloc[:40]), read_prices(raw, splits="adjust")
    np.testing.assert_array_equal(np.diff(np.log(early.close)).round(12), np.diff(np.log(whole.close[:40])).round(12))
    np.testing.assert_allclose(parkinson_variance(early), parkinson_variance(whole)[:40], rtol=1e-9)


def test_a_record_refuses_an_infinite_volume():
    prices = read_prices(table())
    with pytest.raises(InputError, match="volume with 60 negative or infinite values"):
        dataclasses.replace(prices, volume=np.full(60, np.inf))


def test_remarks_survive_a_change_of_the_record():
    prices = read_prices(table()[::-1])
    renamed = dataclasses.replace(prices, name="other")
    assert renamed.notes == prices.notes


def test_an_unknown_choice_for_splits_names_the_known_ones():
    with pytest.raises(InputError, match=r"adjust, keep, refuse(.|\n)*splits='adjust'"):
        read_prices(table(), splits="ajust")


def test_a_split_is_seen_on_a_day_that_went_on_moving():
    """AAPL opened at half the previous close on 2000-06-21, and rose by 10 % until the evening."""
    raw = split(table(), 40, 2)
    raw.iloc[40:, :4] *= 1.1
    raw.iloc[40, [0, 2]] /= 1.1
    with pytest.raises(InputError, match=r"2:1"):
        read_prices(raw)


@pytest.mark.parametrize("ticker", STOCKS)
def test_the_splits_of_real_stocks_are_found_without_an_adjusted_close(ticker):
    """Every split is found, and nothing else: AAPL's crash of 52 % on 2000-09-29 is news."""
    raw = quoted(ticker)
    splits = {"AAPL": ["2000-06-21", "2005-02-28"], "MSFT": ["2003-02-18"]}.get(ticker, [])
    remarks = read_prices(raw, splits="keep").remarks
    found = {"news" if "news" in remark.what else "split": remark.dates.astype(str).tolist() for remark in remarks}
    assert found.get("split", []) == splits
    assert found.get("news", []) == (["2000-09-29"] if ticker == "AAPL" else [])
    adjusted = load_stock(ticker)
    days = np.isin(adjusted.dates, np.array(splits, dtype="datetime64[D]"))[1:]
    returns = np.diff(np.log(read_prices(raw, splits="adjust").close))
    np.testing.assert_allclose(returns[days], np.diff(np.log(adjusted.close))[days], atol=1e-9)


def test_in_a_wild_series_a_jump_has_to_be_near_a_ratio_all_the_same():
    frame = table()
    frame[PRICES] = 100 * (frame[PRICES] / 100) ** 5
    ratio = 1.6 * frame["Open"].iloc[40] / frame["Close"].iloc[39]
    assert read_prices(split(frame, 40, ratio)).notes == ()  # 6.5 % from 3:2, where days move by 3.5 %


@pytest.mark.parametrize("index", [load_sp500, load_nasdaq])
def test_no_split_is_seen_in_an_index(index):
    assert index().notes == read_prices(index().to_frame()).notes
