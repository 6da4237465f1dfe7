"""Shares that were split: prices adjusted by the source's own factor, or jumps that look like a split.

An adjustment multiplies every price before a split by one factor, so it changes no return but the split's own, and no
range; what is known of day t stays what it was.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from hillwalker.errors import InputError, explain
from hillwalker.finance.prices import Array
from hillwalker.finance.rules import Days

# New shares for old. Smaller splits (4:3, 5:4) cannot be told from a bad day, and are not looked for.
RATIOS = tuple(map(Fraction, ("3/2", "5/2", *map(str, (2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 50, 100)))))
CHOICES = ("refuse", "adjust", "keep")
_SMALLEST_FACTOR = 1.2  # of a split in the source's own factor: a dividend is less, and leaves the volume as it is
_PAST = 22  # days that say what is usual
_SMALLEST_JUMP = 0.3  # of a logarithm; 3:2 is 0.405
_NEWS = 3.0  # times the usual turnover: then a jump is news, and no split


def adjust_by_source(days: Days) -> None:
    """Scale open, high, low and close by adjusted close / close, and the volume where that factor jumps like a split.

    factor[t] = adjusted close[t] / close[t];  volume[t] / (product of the splits after t)
    """
    adjusted = days.columns.pop("adjusted close")
    factor = adjusted / days.columns["close"]
    changed = np.abs(factor - 1) > 1e-9
    if not changed.any():
        return
    for name in ("open", "high", "low", "close"):
        days.columns[name] = days.columns[name] * factor  # the close, too: rounding must not put it outside the range
    days.note(
        "scaled by adjusted close / close",
        changed,
        "open, high, low and close are adjusted for splits and dividends; a common factor changes no return",
    )
    jumps = factor[1:] / factor[:-1]
    split = np.r_[False, (jumps > _SMALLEST_FACTOR) | (jumps < 1 / _SMALLEST_FACTOR)]
    if split.any():
        days.columns["volume"] = days.columns["volume"] * _product_after(np.where(split, np.r_[1.0, jumps], 1.0))
        days.note(
            "on which the adjustment jumps like a split; the volume before is scaled too",
            split,
            "the volume counts shares, of which there were fewer before the split",
        )


def settle_splits(days: Days, choice: str) -> None:
    """Refuse, adjust or keep what looks like a split, after the source's own adjustment if there was one."""
    found, news = find_splits(days)
    days.note(
        "that opens at a split's ratio on much more than the usual turnover, kept as news",
        np.isin(np.arange(len(days.dates)), list(news)),
        f"more than {_NEWS:g} times the usual volume · close was traded, and a split brings no such crowd",
    )
    if not found:
        return
    mask = np.isin(np.arange(len(days.dates)), list(found))
    told = ", ".join(f"{days.dates[day]} ({in_words(ratio)})" for day, ratio in list(found.items())[:5])
    if choice == "refuse":
        raise InputError(
            explain(
                f"{len(found)} jumps over night that look like a split: {told}.",
                "prices adjusted for splits, or a column Adj Close.",
                'read_prices(source, splits="adjust"), or splits="keep" if the price did jump',
            )
        )
    if choice == "keep":
        days.note(f"with a jump that looks like a split, kept: {told}", mask, 'splits="keep"')
        return
    ratios = np.ones(len(mask))
    ratios[list(found)] = [float(ratio) for ratio in found.values()]
    after = _product_after(ratios)
    for name in ("open", "high", "low", "close"):
        days.columns[name] = days.columns[name] / after
    days.columns["volume"] = days.columns["volume"] * after
    days.note(f"of a split, prices before it adjusted: {told}", mask, 'splits="adjust": by the ratio, and no dividends')


def in_words(ratio: Fraction) -> str:
    """Return a ratio as people write it, new shares for old.

    >>> in_words(Fraction(3, 2)), in_words(Fraction(1, 10))
    ('3:2', '1:10')
    """
    return f"{ratio.numerator}:{ratio.denominator}"


def find_splits(days: Days) -> tuple[dict[int, Fraction], dict[int, Fraction]]:
    """Return the rows that open at a split's ratio to the previous close, with the ratio: splits, and mere news.

    The open is within twice the past month's noise of the ratio (1 % to 6 %), and the day's own range is less than half
    of the jump. Where more than three times the usual turnover (volume · close) was traded it is news: a split brings
    no such crowd.
    """
    close = np.log(days.columns["close"])
    overnight = np.r_[0.0, np.log(days.columns["open"][1:]) - close[:-1]]
    returns = np.r_[0.0, np.diff(close)]
    ranges = np.log(days.columns["high"] / days.columns["low"])
    turnover = days.columns["volume"] * days.columns["close"]
    splits: dict[int, Fraction] = {}
    news: dict[int, Fraction] = {}
    for day in np.flatnonzero(np.abs(overnight) > _SMALLEST_JUMP):
        past = slice(max(1, day - _PAST), day)
        usual = [number for number in returns[past] if abs(number) <= _SMALLEST_JUMP]
        noise = min(max(2 * float(np.std(usual)) if len(usual) > 4 else 0.04, 0.01), 0.06)
        ratio = _nearest(-overnight[day])
        jump = -float(np.log(float(ratio)))
        if abs(overnight[day] - jump) <= noise and ranges[day] < abs(jump) / 2:
            (news if _is_news(turnover, day) else splits)[int(day)] = ratio
    return splits, news


def _nearest(log_ratio: float) -> Fraction:
    both = (*RATIOS, *(1 / ratio for ratio in RATIOS))
    return min(both, key=lambda ratio: abs(np.log(float(ratio)) - log_ratio))


def _is_news(turnover: Array, day: np.intp) -> bool:
    past = turnover[max(0, day - _PAST) : day]
    past = past[past > 0]
    return bool(len(past) and turnover[day] > _NEWS * np.median(past))


def _product_after(ratios: Array) -> Array:
    """Return for each day the product of the ratios of all later days, shape (days,).

    >>> _product_after(np.array([1.0, 1.0, 2.0, 1.0, 3.0])).tolist()
    [6.0, 6.0, 3.0, 3.0, 1.0]
    """
    return np.append(np.cumprod(ratios[:0:-1])[::-1], 1.0)
