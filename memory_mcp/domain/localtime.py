"""Formats times in the user's time zone with the UTC offset."""

from __future__ import annotations

import contextlib
from datetime import datetime


def local(moment: datetime) -> str:
    """Return a time as `2026-05-03 14:02+02:00`, in the zone that `TZ` or the system names.

    The zone comes from the C library, which also knows TZ in its POSIX form. Within a day of the years 1 and 9999 the
    local time may not exist in Python; the time is then given in its own zone.
    """
    with contextlib.suppress(OverflowError, ValueError, OSError):
        moment = moment.astimezone()
    return moment.isoformat(sep=" ", timespec="minutes")
