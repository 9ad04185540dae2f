"""The periods of the calendar around a local day, and lengths of time."""

from __future__ import annotations

import calendar
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Final

from memory_mcp.search.times.spans import Span, of_days
from memory_mcp.search.times.zone import to_local, to_utc

MONTHS: Final = {"month": 1, "quarter": 3, "half": 6, "year": 12, "decade": 120, "century": 1200}
DAYS: Final = {"day": 1, "week": 7, "weekend": 7}
SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600}
UNITS: Final = (*SECONDS, *DAYS, *MONTHS)
"""From the finest to the coarsest, weekends beside weeks."""
HALF_AN_HOUR: Final = timedelta(minutes=30)
"""A moment stands for the hour around it."""
DAYS_IN_HALF_A_MONTH: Final = 15


@dataclass(frozen=True, slots=True)
class Length:
    """Calendar months and days, and seconds as a stopwatch counts them."""

    months: int = 0
    days: int = 0
    seconds: int = 0

    def __add__(self, other: Length) -> Length:
        return Length(self.months + other.months, self.days + other.days, self.seconds + other.seconds)

    def from_day(self, day: date, sign: int) -> date:
        """Return the day that is so far after another (sign 1), or before it (-1).

        Raises:
            ValueError: the length is not one of whole days.
        """
        if self.seconds:
            raise ValueError("hours and minutes do not lead from a day to another")
        return add_months(day, sign * self.months) + timedelta(days=sign * self.days)

    def from_moment(self, moment: datetime, sign: int) -> datetime:
        """Return the instant that is so far after another (sign 1), or before it (-1)."""
        if self.months or self.days:
            local = to_local(moment)
            day = add_months(local.date(), sign * self.months) + timedelta(days=sign * self.days)
            moment = to_utc(datetime.combine(day, local.time()))
        return moment + timedelta(seconds=sign * self.seconds)


def length(count: Fraction, unit: str) -> Length:
    """Return so many of a unit, fractions in the next finer one.

    Raises:
        ValueError: there is no such fraction of it ("1.3 months").
    """
    if unit in SECONDS:
        return Length(seconds=int(count * SECONDS[unit]))
    if unit in DAYS:
        days = count * DAYS[unit]
        return Length(days=int(days), seconds=int((days - int(days)) * 86_400))
    months = count * MONTHS[unit]
    if months.denominator > 2:
        raise ValueError(f"there is no such part of a {unit}")
    return Length(months=int(months), days=0 if months.denominator == 1 else DAYS_IN_HALF_A_MONTH)


def add_months(day: date, months: int) -> date:
    """Return the same day of another month, or that month's last."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise ValueError("it is outside the years 1 to 9999")
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _monthly(unit: str) -> Callable[[date], Span]:
    def around(day: date) -> Span:
        months = MONTHS[unit]
        since_year_0 = day.year * 12 + day.month - 1
        offset = 12 if unit == "century" else 0  # the 20th century began in 1901
        first = add_months(date(day.year, day.month, 1), -((since_year_0 - offset) % months))
        return of_days(unit, first, add_months(first, months))

    return around


def _day(day: date) -> Span:
    return of_days("day", day, day + timedelta(days=1))


def monday(day: date) -> date:
    """Return the first day of its week (ISO 8601)."""
    return day - timedelta(days=day.weekday())


def _week(day: date) -> Span:
    return of_days("week", monday(day), monday(day) + timedelta(days=7))


def _weekend(day: date) -> Span:
    return of_days("weekend", monday(day) + timedelta(days=5), monday(day) + timedelta(days=7))


_AROUND: Final[dict[str, Callable[[date], Span]]] = {
    "day": _day,
    "week": _week,
    "weekend": _weekend,
    **{unit: _monthly(unit) for unit in MONTHS},
}


def period(unit: str, day: date) -> Span:
    """Return the day, week, weekend (of its week), month, quarter, half, year, decade or century that a day is in.

    Raises:
        ValueError: the unit is an hour, minute or second.
    """
    if unit not in _AROUND:
        raise ValueError(f"no {unit} is named")
    return _AROUND[unit](day)


def turned(unit: str, day: date, count: int) -> Span:
    """Return the period `count` periods after the one that a day is in; raises as `period`."""
    if unit in DAYS:
        return period(unit, day + timedelta(days=count * DAYS[unit]))
    if unit not in MONTHS:
        raise ValueError(f"no {unit} is named")
    return period(unit, add_months(day.replace(day=1), count * MONTHS[unit]))


def around(moment: datetime, unit: str) -> Span:
    """Return the period of a unit that an instant is in; of units below a day the hour around it."""
    if unit in SECONDS:
        return Span(moment - HALF_AN_HOUR, moment + HALF_AN_HOUR, "time", moment)
    return period(unit, to_local(moment).date())


def third(span: Span, number: int) -> Span:
    """Return the beginning (0), middle (1) or end (2) of a period.

    Of a month they are the days 1-10, 11-20 and the rest; of a week Monday and Tuesday, Wednesday and Thursday, Friday
    to Sunday; of a decade the years 0-2, 3-5 and 6-9; of other units a third of their days or months.

    Raises:
        ValueError: the period is too short to have them.
    """
    cuts = _CUTS.get(span.unit)
    if cuts is None:
        raise ValueError("it has no beginning, middle and end that could be told apart")
    counted, steps = cuts
    bounds = [step_from(span.day, counted, step) for step in steps]
    edges = [span.day, *bounds, to_local(span.end).date()]
    return of_days("part", edges[number], edges[number + 1])


def step_from(day: date, unit: str, count: int) -> date:
    """Return the day `count` days or months later."""
    return day + timedelta(days=count) if unit == "day" else add_months(day, count)


_CUTS: Final[dict[str, tuple[str, tuple[int, int]]]] = {
    "week": ("day", (2, 4)),
    "month": ("day", (10, 20)),
    "quarter": ("month", (1, 2)),
    "season": ("month", (1, 2)),
    "half": ("month", (2, 4)),
    "year": ("month", (4, 8)),
    "decade": ("month", (36, 72)),
    "century": ("month", (396, 804)),
}
