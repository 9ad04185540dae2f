"""Between instants and the user's local time, by the C library's reading of TZ.

`datetime.astimezone` asks the C library, which knows every form of TZ: names, POSIX rules such as
`CET-1CEST,M3.5.0,M10.5.0/3`, and UTC for a name that it does not know. Libraries that guess the zone's name fail there.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def to_utc(local: datetime) -> datetime:
    """Return the instant of a local time (naive), or of one that has an offset.

    A local time that the clocks skip is read with the offset before the change, so midnight there is the first instant
    of its day; one that comes twice is the first, unless `fold` is 1 (PEP 495).

    Raises:
        OverflowError: the instant is outside the years 1 to 9999.
        ValueError: the same, or what the C library says of a year that it cannot represent.
    """
    try:
        seconds = int(local.replace(microsecond=0).timestamp())  # astimezone() is an hour off where clocks skip
    except OSError as error:
        raise ValueError("it is outside the years that this system knows") from error
    return _EPOCH + timedelta(seconds=seconds, microseconds=local.microsecond)


def to_local(instant: datetime) -> datetime:
    """Return the local time (naive) of an instant.

    Raises:
        OverflowError: the local time is outside the years 1 to 9999.
        ValueError: the same, or what the C library says of a year that it cannot represent.
    """
    try:
        return instant.astimezone().replace(tzinfo=None)
    except OSError as error:
        raise ValueError("it is outside the years that this system knows") from error


def midnight(day: date) -> datetime:
    """Return the instant at which a local day begins; raises as `to_utc`."""
    return to_utc(datetime.combine(day, time()))
