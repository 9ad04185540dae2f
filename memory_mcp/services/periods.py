"""The periods of the calendar around a moment, as [start, end) of naive datetimes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

Span = tuple[datetime, datetime]

HALF_PART_OF_DAY: Final = timedelta(hours=3)
"""dateparser gives the middle of a morning, afternoon or evening."""


def midnight(moment: datetime) -> datetime:
    """Return when its day began."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def decade(moment: datetime) -> Span:
    """Return the ten years of one tens digit."""
    first = year(moment.replace(month=1, day=1, year=moment.year // 10 * 10))[0]
    return first, first.replace(year=first.year + 10)


def year(moment: datetime) -> Span:
    """Return its year."""
    first = midnight(moment).replace(month=1, day=1)
    return first, first.replace(year=first.year + 1)


def quarter(moment: datetime) -> Span:
    """Return its quarter of the year."""
    first = midnight(moment).replace(month=(moment.month - 1) // 3 * 3 + 1, day=1)
    return first, (first + timedelta(days=95)).replace(day=1)


def month(moment: datetime) -> Span:
    """Return its month."""
    first = midnight(moment).replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1)


def week(moment: datetime) -> Span:
    """Return its week, from Monday."""
    monday = midnight(moment) - timedelta(days=moment.weekday())
    return monday, monday + timedelta(days=7)


def weekend(moment: datetime) -> Span:
    """Return the Saturday and Sunday of its week."""
    monday, end = week(moment)
    return monday + timedelta(days=5), end


def day(moment: datetime) -> Span:
    """Return its day."""
    return midnight(moment), midnight(moment) + timedelta(days=1)


def _part_of_day(moment: datetime) -> Span:
    return moment - HALF_PART_OF_DAY, moment + HALF_PART_OF_DAY


def _hour(moment: datetime) -> Span:
    return moment - timedelta(minutes=30), moment + timedelta(minutes=30)


AROUND: Final[dict[str, Callable[[datetime], Span]]] = {
    "year": year,
    "month": month,
    "week": week,
    "day": day,
    "part_of_day": _part_of_day,
    "time": _hour,
}
"""By what dateparser calls them."""
