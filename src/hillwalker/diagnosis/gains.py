"""Gains in words: which remedy is told first, which rows of a table tell most, and the table.

Nothing is computed here but the order, and rounding; the gains themselves are in `changes.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hillwalker.scores import rounded

if TYPE_CHECKING:
    from hillwalker.diagnosis.changes import Changes, Gain

LONGEST = 48  # columns for a change's name
ERRORS = "Gains ± one standard error."
BY_FAR = 10.0  # times what can be gained: how much more than that says nothing
ADVICE = {
    "learning-rate-too-high": "a lower learning rate ends better",
    "learning-rate-too-low": "a higher learning rate ends better",
    "overfitting": "stopping earlier ends better, while the training loss fell on",
    "underfitting": "training longer, or a larger network, ends better",
    "no-signal": "nothing tried predicts better than always predicting the same",
    "healthy": "nothing tried ends better by enough to matter",
}
OTHERWISE = "the change against it ends better"


def ranked(gains: Sequence[Gain]) -> list[Gain]:
    """Return gains in the order in which they are told: what helps by its gain at the end, then the rest, surest first.

    >>> from hillwalker.diagnosis.changes import Gain
    >>> surer = Gain("learning_rate=0.01", "lower rate", {}, (0.12, 0.05), (0.10, 0.02))
    >>> better = Gain("learning_rate=0.001", "lower rate", {}, (0.25, 0.06), (0.09, 0.02))
    >>> [one.change for one in ranked([surer, better])]
    ['learning_rate=0.001', 'learning_rate=0.01']
    """
    return sorted(gains, key=lambda one: (not one.helps, -(one.sure_at_end if one.helps else one.sure)))


def telling(gains: Sequence[Gain], most: int | None) -> list[Gain]:
    """Return at most so many gains, ranked: the best of each sort of change, so that each claim is seen, then the next.

    `most` None returns all.
    """
    order = ranked(gains)
    sorts: dict[tuple[str, ...], Gain] = {}
    for one in order:
        sorts.setdefault((one.kind, *sorted(one.settings)), one)
    first = list(sorts.values())
    kept = [*first, *(one for one in order if one not in first)][:most]
    return [one for one in order if one in kept]


def percent_of(mean: float, error: float) -> str:
    """Return a gain and its standard error as percent of what can be gained.

    >>> percent_of(0.2853, 0.0741), percent_of(-8.62, 0.9), percent_of(-10.4, 3.0)
    ('28.5 ± 7.4 %', '-862 ± 90 %', 'worse by far')
    """
    return _by_far(mean) or f"{_number(mean)} ± {_number(error, as_large_as=mean)} %"


def interval_of(interval: tuple[float, float, float], sign: str = "") -> str:
    """Return a gain with its interval as percent of what can be gained.

    >>> interval_of((0.2853, 0.1371, 0.4335)), interval_of((0.2853, 0.1371, 0.4335), "+"), interval_of((30, 9, 51))
    ('28.5 % (13.7 to 43.4)', '+28.5 % (13.7 to 43.4)', 'better by far')
    """
    mean, low, high = interval
    numbers = [_number(value, as_large_as=mean) for value in (mean, low, high)]
    plus = sign if mean > 0 else ""
    return _by_far(mean) or f"{plus}{numbers[0]} % ({numbers[1]} to {numbers[2]})"


def _by_far(mean: float) -> str:
    return "" if abs(mean) < BY_FAR else "better by far" if mean > 0 else "worse by far"


def _number(share: float, as_large_as: float | None = None) -> str:
    """Return percent with one decimal where they are less than a hundred; no minus before a zero."""
    decimals = 1 if abs(share if as_large_as is None else as_large_as) < 1 else 0
    return f"{round(100 * share, decimals) + 0.0:.{decimals}f}"


def table(gains: Sequence[Gain], most: int | None = None, where: str = "") -> list[str]:
    """Return gains as lines, the most telling ones; a last line says how many were left out, and where they are."""
    shown = telling(gains, most)
    width = min(max(len(one.change) for one in shown), LONGEST)
    lines = [f"{'change':>{width}}{'at the last epoch':>20}{'where best stopped':>20}  helps"]
    for one in shown:
        name = one.change if len(one.change) <= width else one.change[: width - 1] + "…"
        cells = "".join(f"{percent_of(*pair):>20}" for pair in (one.at_end, one.stopped))
        lines.append(f"{name:>{width}}{cells}  {'yes' if one.helps else 'no'}")
    if left_out := len(gains) - len(shown):
        lines.append(f"{left_out} more: {where}")
    return lines


def text(changes: Changes) -> str:
    """Return all gains as a table, what they are parts of, and the verdict with its remedy."""
    return "\n".join([*table(changes.gains), f"{ERRORS} {measure(changes)}", found(changes)])


def measure(changes: Changes) -> str:
    """Return in one sentence what the percents are of."""
    constant, best = rounded(changes.constant_loss), rounded(changes.best_loss)
    if gains_little(changes):
        return f"100 % is 2 % of {constant} (always predicting the same), since the best seen is {best}."
    return f"100 % is the way from {constant} (always predicting the same) to {best} (the best seen)."


def gains_little(changes: Changes) -> bool:
    """Return whether next to nothing can be gained, so that percents are of the least that would be something."""
    return changes.scale > changes.constant_loss - changes.best_loss


def are_weapons(changes: Changes) -> bool:
    """Return whether all that was tried is against overfitting."""
    return bool(changes.kinds) and set(changes.kinds) == {"overfitting"}


def found(changes: Changes) -> str:
    """Return the verdict as a sentence, with the line of code that it comes to."""
    if are_weapons(changes) and not changes.claims["no-signal"]:
        first = ranked(changes.gains)[0]
        if not first.helps:
            return "Against overfitting nothing that was tried helps by enough to matter."
        return f"Winner against overfitting: {first.change}. Code: {first.line}"
    remedy = f" First remedy: {changes.remedy}" if changes.remedy else ""
    return f"{changes.verdict}: {ADVICE.get(changes.verdict, OTHERWISE)}.{remedy}"
