"""Formats times and days in the user's time zone with the UTC offset."""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import Final

MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def local(moment: datetime) -> str:
    """Return a time as `2026-05-03 14:02+02:00`, in the zone that `TZ` or the system names."""
    return _in_zone(moment).isoformat(sep=" ", timespec="minutes")


def local_date(moment: datetime) -> str:
    """Return a day as `3 May 2026`, in the same zone."""
    day = _in_zone(moment)
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def _in_zone(moment: datetime) -> datetime:
    """Return a time in the zone of `local`.

    The zone comes from the C library, which also knows TZ in its POSIX form. Within a day of the years 1 and 9999 the
    local time may not exist in Python; the time is then given in its own zone.
    """
    with contextlib.suppress(OverflowError, ValueError, OSError):
        return moment.astimezone()
    return moment
