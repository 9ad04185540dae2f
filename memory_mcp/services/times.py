"""What people say of time ("last week", "in May 2023", "letzte Woche") as an interval, in the user's zone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from memory_mcp.domain.errors import InvalidArgumentError

HALF_PART_OF_DAY: Final = timedelta(hours=3)
"""dateparser gives the middle of a morning, afternoon or evening."""


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _year(moment: datetime) -> tuple[datetime, datetime]:
    first = _midnight(moment).replace(month=1, day=1)
    return first, first.replace(year=first.year + 1)


def _month(moment: datetime) -> tuple[datetime, datetime]:
    first = _midnight(moment).replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1)


def _week(moment: datetime) -> tuple[datetime, datetime]:
    monday = _midnight(moment) - timedelta(days=moment.weekday())
    return monday, monday + timedelta(days=7)


def _day(moment: datetime) -> tuple[datetime, datetime]:
    return _midnight(moment), _midnight(moment) + timedelta(days=1)


def _part_of_day(moment: datetime) -> tuple[datetime, datetime]:
    return moment - HALF_PART_OF_DAY, moment + HALF_PART_OF_DAY


def _hour(moment: datetime) -> tuple[datetime, datetime]:
    return moment - timedelta(minutes=30), moment + timedelta(minutes=30)


PERIODS: Final[dict[str, Callable[[datetime], tuple[datetime, datetime]]]] = {
    "year": _year,
    "month": _month,
    "week": _week,
    "day": _day,
    "part_of_day": _part_of_day,
    "time": _hour,
}


def interval(expression: str, now: datetime) -> tuple[datetime, datetime]:
    """Return the [start, end) that an expression means, as aware UTC datetimes.

    Args:
        expression: in any language that dateparser knows.
        now: a naive datetime of the system's zone, whose days and weeks are meant.

    Raises:
        InvalidArgumentError: it is no time that could be understood.
    """
    try:
        moment, period = _parsed(expression, now)
        start, end = PERIODS[period](moment)
        return start.astimezone(UTC), end.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidArgumentError(
            "time_expr", f"{expression!r} is no time that is understood; use after and before (ISO 8601) instead"
        ) from error


def _parsed(expression: str, now: datetime) -> tuple[datetime, str]:
    """Return a naive moment of the system's zone and the kind of period around it."""
    from dateparser.date import DateDataParser  # noqa: PLC0415 - half a second, for this argument alone

    settings = {"RELATIVE_BASE": now, "PREFER_DATES_FROM": "past", "RETURN_TIME_AS_PERIOD": True}
    found = DateDataParser(settings=settings).get_date_data(expression)
    if found.date_obj is None or found.period not in PERIODS:
        raise ValueError("no time was recognised")
    if found.date_obj.tzinfo is None:
        return found.date_obj, found.period
    return found.date_obj.astimezone().replace(tzinfo=None), found.period  # the expression names a zone


async def understand(expression: str) -> tuple[datetime, datetime]:
    """Return the [start, end) that an expression means now and here; see `interval`."""
    return await asyncio.to_thread(interval, expression, datetime.now().astimezone().replace(tzinfo=None))
