"""Days, weeks, months, seasons, holidays: what a calendar shows."""

from __future__ import annotations

import calendar
from collections.abc import Callable
from datetime import date, timedelta
from fractions import Fraction
from functools import partial
from typing import Final

from memory_mcp.services.times.engine import AmbiguousError
from memory_mcp.services.times.grammar.base import Now, rule
from memory_mcp.services.times.holidays import holiday
from memory_mcp.services.times.periods import add_months, monday, period
from memory_mcp.services.times.shapes import MonthDay, Slashed, Wrong
from memory_mcp.services.times.spans import Cycle, Span, of_days, weekends, weekly, yearly
from memory_mcp.services.times.words import Unit

SEASONS: Final = {"spring": 3, "summer": 6, "autumn": 9, "winter": 12}
"""The month in which each begins, of three (meteorological, in the northern hemisphere)."""


def weekday(number: int) -> Cycle:
    """Return the days of a weekday, Monday is 0."""
    return weekly("day", number)


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


def month(number: int) -> Cycle:
    """Return a month of every year, January is 1."""
    return yearly("month", lambda year: period("month", date(year, number, 1)))


def whole(count: object, low: int, high: int) -> int:
    """Return a number.

    Raises:
        ValueError: it is none, or out of bounds.
    """
    if not isinstance(count, Fraction) or count.denominator != 1 or not low <= count <= high:
        raise ValueError(f"a number from {low} to {high} is wanted there")
    return int(count)


@rule("nope", "wrong:wrong")
def _wrong(_: Now, wrong: Wrong) -> None:
    """Say why what looks like a date is none."""
    raise ValueError(wrong.why)


# Days of a month


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


@rule("nope", "in m:month n:num")
def _in_month(_: Now, m: int, n: Fraction) -> None:
    """Refuse "in Oct 23"."""
    kind = AmbiguousError if n < 100 else ValueError  # noqa: PLR2004 - of two digits
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


# What comes every year or week


@rule("cycle", "md:md")
def _md_cycle(_: Now, md: MonthDay) -> Cycle:
    return day_of(md)


@rule("named", "w:weekday on? the? md:md", "md:md w:weekday")
def _checked_md(now: Now, w: int, md: MonthDay) -> Span:
    """Read "Friday, 3 May", which must be a Friday when it was the last time."""
    return _checked_date(now, w, day_of(md).latest(now.moment))


@rule("cycle", "n:month")
def _month(_: Now, n: int) -> Cycle:
    return month(n)


@rule("cycle", "u:unit of? n:month")
def _month_of(_: Now, u: Unit, n: int) -> Cycle:
    """Read "the month of May"."""
    if u.name != "month":
        raise ValueError(f"no {u.name} has the name of a month")
    return month(n)


@rule("cycle", "n:num month_mark")
def _marked_month(_: Now, n: Fraction) -> Cycle:
    return month(whole(n, 1, 12))


@rule("cycle", "n:weekday")
def _weekday(_: Now, n: int) -> Cycle:
    return weekday(n)


@rule("cycle", "u:unit")
def _weekend(_: Now, u: Unit) -> Cycle:
    """Read "the weekend"."""
    if u.name != "weekend":
        raise ValueError(f"it does not say which {u.name}")
    return weekends()


@rule("cycle", "name:season")
def _season(_: Now, name: str) -> Cycle:
    def of_year(year: int) -> Span:
        first = date(year, SEASONS[name], 1)
        return of_days("season", first, add_months(first, 3))

    return yearly("season", of_year)


@rule("cycle", "name:holiday", "at name:holiday")
def _holiday(_: Now, name: str) -> Cycle:
    return yearly("day", lambda year: period("day", holiday(name, year)))


def _part_of_year(unit: str, months: int, number: int) -> Cycle:
    if number > 12 // months:
        raise ValueError(f"a year has no {unit} {number}")
    return yearly(unit, lambda year: period(unit, date(year, months * (number - 1) + 1, 1)))


@rule("cycle", "n:quarter")
def _quarter(_: Now, n: int) -> Cycle:
    return _part_of_year("quarter", 3, n)


@rule("cycle", "nth? c:num quarter_mark", "the? n:ordinal|nth_only u:unit", "the? c:num suffix u:unit")
def _nth_quarter(now: Now, n: int = 0, c: Fraction | None = None, u: Unit | None = None) -> Cycle:
    """Read "first quarter"."""
    if u not in {None, Unit("quarter")}:
        raise ValueError("it does not say of what")
    return _quarter(now, whole(c, 1, 4) if c is not None else n)


@rule("cycle", "n:halfyear")
def _half_year(_: Now, n: int) -> Cycle:
    return _part_of_year("half", 6, n)


@rule("cycle", "weekmark n:num", "n:num suffix weekmark", "nth n:num weekmark")
def _week(_: Now, n: Fraction) -> Cycle:
    return week(n)


def week(number: Fraction) -> Cycle:
    """Return a week of every year, by its number (ISO 8601)."""
    whole(number, 1, 53)
    return yearly("week", lambda year: week_of_year(number, year))


def week_of_year(number: Fraction, year: int) -> Span:
    """Return a week of a year, by its number (ISO 8601).

    Raises:
        ValueError: the year does not have it.
    """
    try:
        return period("week", date.fromisocalendar(year, whole(number, 1, 53), 1))
    except ValueError:
        raise ValueError(f"there is no week {number} in {year}") from None


@rule("named", "c:cycle of? y:year_of", "y:year_of of? c:cycle", "c:cycle slash|hyphen y:year", "y:year hyphen c:cycle")
def _of_year(_: Now, c: Cycle, y: int) -> Span:
    if c.of_year is None:
        raise ValueError("a year has many of them")
    return c.of_year(y)


@rule("named", "name:season of? y:year slash|hyphen n:num", "name:season of? y:year slash|hyphen n:year")
def _winter(now: Now, name: str, y: int, n: Fraction | int) -> Span:
    """Read "winter 2023/24"."""
    if name != "winter" or int(n) not in {y + 1, (y + 1) % 100}:
        raise ValueError("only a winter lies in two years")
    made = _season(now, name).of_year
    assert made is not None  # noqa: S101 - seasons come every year
    return made(y)


# Years and more


@rule("named", "y:year")
def _bare_year(now: Now, y: int) -> Span:
    """Read "2024"; "1530" may as well be a time of day."""
    if not 1800 <= y < 2200:
        raise ValueError(f"write the year {y} if it is one")
    return _year(now, y)


@rule("named", "y:year year_mark", "in? the? year_word y:year")
def _year(_: Now, y: int) -> Span:
    return period("year", date(y, 1, 1))


@rule("named", "x:full_date")
def _named_date(_: Now, x: Span) -> Span:
    return x


@rule("named", "first:yearmonth")
def _year_month(_: Now, first: date) -> Span:
    return period("month", first)


@rule("named", "first:yearweek")
def _year_week(_: Now, first: date) -> Span:
    return period("week", first)


@rule("named", "y:decade decade_post?", "in? the? decade_pre y:decade", "in? the? decade_word y:decade decade_post?")
def _decade(_: Now, y: int) -> Span:
    if y % 100 == 0 and y < 2000:
        raise ValueError(f"{y}s may be ten or a hundred years")
    return period("decade", date(y, 1, 1))


@rule("named", "in? the? decade_word tens:decade2 decade_post?", "tens:decade2 decade_post", "decade_pre tens:decade2")
def _short_decade(now: Now, tens: int) -> Span:
    year = now.today.year // 100 * 100 + tens
    return period("decade", date(year if year <= now.today.year else year - 100, 1, 1))


@rule("named", "tens:decade2")
def _bare_decade(now: Now, tens: int) -> Span:
    if tens <= 60:
        raise ValueError(f"{tens}s may be seconds or a decade, write the {tens}s")
    return _short_decade(now, tens)


@rule("named", "in? the? decade_pre n:num")
def _los_90(now: Now, n: Fraction) -> Span:
    return _short_decade(now, 10 * whole(n / 10, 0, 9))


@rule("named", "in? the? decade_pre y:year")
def _los_1990(now: Now, y: int) -> Span:
    if y % 10:
        raise ValueError(f"no decade begins with {y}")
    return _decade(now, y)


@rule("named", "n:dom|roman u:unit", "u:unit n:dom|roman")
def _century(_: Now, n: int, u: Unit) -> Span:
    if u.name != "century":
        raise ValueError(f"it does not say which {u.name}")
    return period("century", date(100 * (n - 1) + 1, 1, 1))


# Parts of something


def nth_day_span(unit: str, whole_span: Span, number: int) -> Span:
    """Return a day, week (from its first day), month, quarter or weekday of a longer span, counted from 1."""
    first = whole_span.day
    steps: dict[str, Callable[[int], date]] = {
        "day": lambda n: first + timedelta(days=n),
        "week": lambda n: first + timedelta(days=7 * n),
        "month": partial(add_months, first),
        "quarter": lambda n: add_months(first, 3 * n),
        "half": lambda n: add_months(first, 6 * n),
        "year": lambda n: add_months(first, 12 * n),
        "decade": lambda n: add_months(first, 120 * n),
    }
    if unit not in steps:
        raise ValueError(f"a {unit} is not counted in a {whole_span.unit}")
    found = of_days(unit, steps[unit](number - 1), steps[unit](number))
    return _inside(found, whole_span)


def _inside(part: Span, of: Span) -> Span:
    if part.start < of.start or part.end > of.end or part.end - part.start >= of.end - of.start:
        raise ValueError(f"a {of.unit} has not so many")
    return part


def nth_weekday(number: int, of: Span, count: int) -> Span:
    """Return the first (1), second or last (-1) of a weekday in a span."""
    if of.unit in {"day", "week", "time"}:
        raise ValueError(f"a {of.unit} has not several of them")
    if count > 0:
        first = of.day + timedelta(days=(number - of.day.weekday()) % 7)
        return _inside(period("day", first + timedelta(days=7 * (count - 1))), of)
    end = of_end(of)
    return period("day", end - timedelta(days=(end.weekday() - number) % 7))


def of_end(span: Span) -> date:
    """Return the last local day of a span."""
    return Span(span.end - timedelta(seconds=1), span.end, "day").day


def week_of(span: Span) -> Span:
    """Return the week in which a day is."""
    if span.unit != "day":
        raise ValueError("it lies in more weeks than one")
    return period("week", monday(span.day))
