"""Moments as programs write them: ISO 8601 in its extended and basic format, and plausible Unix times."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final

ACCEPTED: Final = "2024-05-01, 2024-05, 2024-05-01T10:15+02:00 or 20240501T101500Z"
_DATE: Final = (
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d))?|(?P<month_>\d\d)(?P<day_>\d\d)"
    r"|-?[Ww](?P<week>\d\d)(?:-?(?P<weekday>[1-7]))?|-?(?P<ordinal>\d{3}))?"
)
_TIME: Final = (
    r"(?P<hour>\d\d)(?::(?P<minute>\d\d)(?::(?P<second>\d\d))?|(?P<minute_>\d\d)(?P<second_>\d\d)?)?"
    r"(?:[.,](?P<fraction>\d{1,12}))?"
)
_ZONE: Final = r"(?P<utc>[Zz])|(?P<sign>[+-])(?P<hours>\d\d)(?::?(?P<minutes>[0-5]\d))?"
_MOMENT: Final = re.compile(rf"{_DATE}(?:[Tt ]{_TIME}(?: ?(?:{_ZONE}))?)?", re.ASCII)
_DATE_AND_HOUR: Final = re.compile(r"((?:19|20)\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-4])", re.ASCII)
"""What as Unix seconds would lie between 2030 and 2037, and is rather a date and its hour."""
_UNIX: Final = re.compile(r"\d{10}(?:\d{3})?", re.ASCII)
MIN_UNIX_S: Final = 1_000_000_000
MAX_UNIX_S: Final = 10_000_000_000
"""2001-09-09 and 2286-11-20: the seconds of ten digits, and the milliseconds of thirteen."""


def moment(given: object) -> datetime:
    """Return the moment that a client gave; without an offset it is naive, for the user's own zone.

    A reduced precision is its beginning: 2024 and 2024-05 are the midnight that begins them. 24:00 is the midnight that
    ends a day, and a leap second the second after it.

    Args:
        given: ISO 8601, or Unix seconds of ten or milliseconds of thirteen digits, as a number or a text.

    Raises:
        ValueError: it is neither; says what is accepted.
    """
    if isinstance(given, datetime):
        return given
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise ValueError(f"must be a datetime of ISO 8601 as text, such as {ACCEPTED}")  # noqa: TRY004 - for pydantic
    if isinstance(given, str):
        if found := _DATE_AND_HOUR.fullmatch(given.strip()):
            meant = f"{found[1]}-{found[2]}-{found[3]}T{found[4]}"
            raise ValueError(f"{given!r} is no datetime of one meaning; give {meant}, or Unix seconds as a number")
        if not _UNIX.fullmatch(given.strip()):
            return _iso(given)
    return _unix(float(given))


def _unix(number: float) -> datetime:
    seconds = number / 1000 if number >= MAX_UNIX_S else number
    if not MIN_UNIX_S <= seconds < MAX_UNIX_S:
        raise ValueError(
            f"{number:.15g} is no datetime: a number must be Unix seconds from {MIN_UNIX_S} to {MAX_UNIX_S - 1}, or "
            f"milliseconds of 13 digits; give ISO 8601 as text, such as {ACCEPTED}"
        )
    return datetime.fromtimestamp(seconds, UTC)


def _iso(text: str) -> datetime:
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{_short(text)} is no datetime of ISO 8601, such as {ACCEPTED}")
    try:
        return _time(found, _day(found))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{_short(text)} is no datetime: {error}") from None


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")


def _day(found: re.Match[str]) -> date:
    year = int(found["year"])
    if found["week"]:
        return date.fromisocalendar(year, int(found["week"]), int(found["weekday"] or 1))
    if found["ordinal"]:
        day = date(year, 1, 1) + timedelta(days=int(found["ordinal"]) - 1)
        if day.year != year:
            raise ValueError(f"{year} has no day {found['ordinal']}")
        return day
    return date(year, int(found["month"] or found["month_"] or 1), int(found["day"] or found["day_"] or 1))


def _time(found: re.Match[str], day: date) -> datetime:
    hour, minute = int(found["hour"] or 0), int(found["minute"] or found["minute_"] or 0)
    second = int(found["second"] or found["second_"] or 0)
    microsecond = int((found["fraction"] or "").ljust(6, "0")[:6])
    if found["fraction"] and not (found["second"] or found["second_"]):
        raise ValueError("only seconds may have a fraction")
    late = timedelta()
    if hour == 24 and minute == second == microsecond == 0:
        hour, late = 0, timedelta(days=1)
    elif second == 60 and minute == 59:
        second, late = 59, timedelta(seconds=1)
    return datetime(day.year, day.month, day.day, hour, minute, second, microsecond, _zone(found)) + late


def _zone(found: re.Match[str]) -> timezone | None:
    if found["utc"]:
        return UTC
    if not found["sign"]:
        return None
    if int(found["hours"]) >= 24:
        raise ValueError(f"its offset {found['sign']}{found['hours']} must be less than 24 hours")
    offset = timedelta(hours=int(found["hours"]), minutes=int(found["minutes"] or 0))
    return timezone(-offset if found["sign"] == "-" else offset)
