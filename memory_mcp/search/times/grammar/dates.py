"""Days of months and dates: what is written with numbers of days."""

from __future__ import annotations

import calendar
from datetime import date, timedelta
from fractions import Fraction
from typing import Final

from memory_mcp.search.times.engine import AmbiguousError
from memory_mcp.search.times.grammar.base import Now, rule
from memory_mcp.search.times.periods import period
from memory_mcp.search.times.shapes import MonthDay, Slashed, Wrong, year_of
from memory_mcp.search.times.spans import Cycle, Span, yearly

YEARS_OF_DAYS: Final = 800
"""Days in which every weekday meets every day of a month up to the 28th."""


def day_of(month_day: MonthDay) -> Cycle:
    """Return a day of every year that has it.

    Raises:
        ValueError: no year has it.
    """
    month, day = month_day.month, month_day.day
    if day > calendar.monthrange(2024, month)[1]:  # a leap year
        raise ValueError(f"there is no {day} {calendar.month_name[month]}")
    return yearly("day", lambda year: period("day", _date(year, month, day)))


def _date(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        raise ValueError(f"there is no {year:04}-{month:02}-{day:02}") from None


def _said(count: object) -> str:
    if isinstance(count, Fraction) and count.denominator != 1:
        return f"{float(count):g}"
    return str(count)


def whole(count: object, low: int, high: int) -> int:
    """Return a number.

    Raises:
        ValueError: it is none, or out of bounds.
    """
    if not isinstance(count, Fraction) or count.denominator != 1 or not low <= count <= high:
        raise ValueError(f"{_said(count)} is no whole number from {low} to {high}")
    return int(count)


@rule("nope", "wrong:wrong")
def _wrong(_: Now, wrong: Wrong) -> None:
    """Say why what looks like a date is none."""
    raise ValueError(wrong.why)


@rule("dom", "the? n:num suffix?")
def _day_number(_: Now, n: Fraction) -> int:
    return whole(n, 1, 31)


@rule("dom", "the? n:ordinal")
def _day_ordinal(_: Now, n: int) -> int:
    return n


@rule("md", "d:dom of? m:month", "m:month d:sure_dom", "d:dom hyphen m:month", "m:month hyphen d:dom")
def _day_and_month(_: Now, d: int, m: int) -> MonthDay:
    return MonthDay(m, d)


@rule("sure_dom", "the? n:ordinal")
def _sure_ordinal(_: Now, n: int) -> int:
    return n


@rule("sure_dom", "the? n:num suffix", "the n:num")
def _sure_number(_: Now, n: Fraction) -> int:
    return whole(n, 1, 31)


@rule("sure_dom", "n:num")
def _american_number(now: Now, n: Fraction) -> int:
    """Read "May 24", which is a day where the month comes first and a year elsewhere ("Mai 24")."""
    if now.day_first:
        raise ValueError(f"{n} may be a day or a year, write the day before the month or a year of four digits")
    return whole(n, 1, 31)


@rule("nope", "in month n:num")
def _in_month(_: Now, n: Fraction) -> None:
    """Refuse "in Oct 23"."""
    kind = AmbiguousError if n < 100 else ValueError  # 100 and more is no day
    raise kind(f"{n} may be a day or a year, write 'on' for the day or a year of four digits")


@rule("md", "md:monthday")
def _month_day(_: Now, md: MonthDay) -> MonthDay:
    return md


@rule("md", "m:num month_mark d:num day_mark")
def _marked(_: Now, m: Fraction, d: Fraction) -> MonthDay:
    return MonthDay(whole(m, 1, 12), whole(d, 1, 31))


@rule("year_of", "y:year year_mark?", "in? the? year_word y:year")
def _year_number(_: Now, y: int) -> int:
    return y


@rule("full_date", "md:md of? y:year_of", "y:year_of of? md:md", "md:md hyphen y:year", "y:year hyphen md:md")
def _full_date(_: Now, md: MonthDay, y: int) -> Span:
    return period("day", _date(y, md.month, md.day))


@rule("full_date", "day:date")
def _digits(_: Now, day: date) -> Span:
    return period("day", day)


@rule("full_date", "s:slashed")
def _slashed(now: Now, s: Slashed) -> Span:
    found = [s.elsewhere] if now.day_first else [s.us, s.elsewhere]
    days = sorted({day for day in found if day})
    if len(days) > 1:
        raise ValueError(f"{s.text} may be {days[0]} or {days[1]}, write the one that is meant")
    if not days:
        raise ValueError(f"there is no {s.text}")
    return period("day", days[0])


@rule("full_date", "w:weekday on? the? x:full_date", "x:full_date w:weekday", "x:full_date the? w:weekday")
def _checked_date(_: Now, w: int, x: Span) -> Span:
    if x.day.weekday() != w:
        raise ValueError(f"{x.day} is a {calendar.day_name[x.day.weekday()]}")
    return x


@rule("short_year", "n:num")
def _short_year(_: Now, n: Fraction) -> int:
    """Read the year of "3 June 24"; two digits that could be a day of a month are one where a day is named already."""
    return year_of(str(whole(n, 10, 99)))


@rule("full_date", "d:dom of? m:month slash? y:short_year", "d:dom hyphen m:month hyphen y:short_year")
def _day_first_date(_: Now, d: int, m: int, y: int) -> Span:
    return period("day", _date(y, m, d))


@rule("named", "w:weekday the? n:num suffix")
def _weekday_number(now: Now, w: int, n: Fraction) -> Span:
    """Read "Friday the 7th", the latest that there was."""
    number = whole(n, 1, 31)
    for day in (now.today - timedelta(days=days) for days in range(YEARS_OF_DAYS)):
        if day.day == number and day.weekday() == w:
            return period("day", day)
    raise ValueError(f"there was no {calendar.day_name[w]} the {number} in {YEARS_OF_DAYS} days")


@rule("named", "w:weekday on? the? md:md", "md:md w:weekday")
def _checked_md(now: Now, w: int, md: MonthDay) -> Span:
    """Read "Friday, 3 May", which must be a Friday when it was the last time."""
    return _checked_date(now, w, day_of(md).latest(now.moment))
