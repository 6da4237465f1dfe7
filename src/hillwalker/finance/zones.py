"""The exchange's day: times keep the clock they are written in, unless they are converted on request.

A day's prices stamped at midnight in Tokyo are 15:00 of the day before in UTC. Nothing here guesses: such times are
refused, and `time_zone` converts them.
"""

from __future__ import annotations

import datetime
import re
import zoneinfo
from typing import Any

import numpy as np

from hillwalker.errors import InputError, explain

_OFFSET = re.compile(r":\d\d(\.\d+)?\s?([+-]\d\d:?\d\d|Z)$")


def check_zone(name: str | None) -> None:
    """Raise InputError unless this is None or the name of a time zone."""
    try:
        if name is not None:
            zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(
            explain(f"time_zone={name!r}.", "the name of a time zone.", 'time_zone="America/New_York"')
        ) from None


def refuse_late(zone: str, chosen: str | None, hours: Any) -> None:
    """Raise InputError where times are in UTC, at noon or later, and no zone was chosen for them."""
    late = np.asarray(hours) >= 12
    if chosen is None and zone.upper() in ("UTC", "ETC/UTC", "GMT") and late.any():
        raise InputError(
            explain(
                f"{late.sum()} times in UTC at noon or later, which are another day where the exchange may be.",
                "times in the exchange's own time zone.",
                'read_prices(source, time_zone="Asia/Tokyo"), or "America/New_York"',
            )
        )


def local(cells: Any, time_zone: str | None) -> list[Any]:
    """Return cells with those that carry an offset from UTC as datetimes of the exchange's own clock, without it.

    >>> local(["2024-01-02 00:00:00+09:00", "2024-01-03"], None)
    [datetime.datetime(2024, 1, 2, 0, 0), '2024-01-03']
    >>> local(["2024-01-01T15:00:00Z"], "Asia/Tokyo")
    [datetime.datetime(2024, 1, 2, 0, 0)]
    """
    stamps = {row: stamp for row, cell in enumerate(cells) if (stamp := _aware(cell)) is not None}
    if stamps and time_zone is None and not any(stamp.utcoffset() for stamp in stamps.values()):
        refuse_late("UTC", None, [stamp.hour for stamp in stamps.values()])
    if time_zone is not None:
        zone = zoneinfo.ZoneInfo(time_zone)
        stamps = {row: stamp.astimezone(zone) for row, stamp in stamps.items()}
    return [stamps[row].replace(tzinfo=None) if row in stamps else cell for row, cell in enumerate(cells)]


def _aware(cell: Any) -> datetime.datetime | None:
    """Return the cell as a datetime if it has an offset from UTC."""
    if isinstance(cell, datetime.datetime):
        return cell if cell.utcoffset() is not None else None
    if isinstance(cell, str) and _OFFSET.search(cell.strip()):
        try:
            return datetime.datetime.fromisoformat(cell.strip())
        except ValueError:
            return None
    return None
