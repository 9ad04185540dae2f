"""Weeks, months, seasons, holidays, years and their parts: what a calendar shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from functools import partial
from typing import Final

from memory_mcp.search.times.grammar.base import Now, rule
from memory_mcp.search.times.grammar.dates import day_of, whole
from memory_mcp.search.times.holidays import SPANS, holiday
from memory_mcp.search.times.periods import add_months, monday, period
from memory_mcp.search.times.shapes import MonthDay
from memory_mcp.search.times.spans import Cycle, Span, of_days, weekends, weekly, yearly
from memory_mcp.search.times.words import Unit

SEASONS: Final = {"spring": 3, "summer": 6, "autumn": 9, "winter": 12}
"""The month in which each begins, of three (meteorological, in the northern hemisphere)."""


def weekday(number: int) -> Cycle:
    """Return the days of a weekday, Monday is 0."""
    return weekly("day", number)


def month(number: int) -> Cycle:
    """Return a month of every year, January is 1."""
    return yearly("month", lambda year: period("month", date(year, number, 1)))


# What comes every year or week


@rule("cycle", "md:md")
def _md_cycle(_: Now, md: MonthDay) -> Cycle:
    return day_of(md)


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


@rule("some_holidays", "c:holidays_cycle")
def _some_holidays(_: Now, c: Cycle) -> Cycle:
    """Read "über Weihnachten", of which "über" is no small word."""
    return c


@rule("some_holidays", "c:holidays_cycle of? y:year_of")
def _holidays_of_year(now: Now, c: Cycle, y: int) -> Span:
    return _of_year(now, c, y)


@rule("cycle", "c:holidays_cycle")
def _holidays_again(_: Now, c: Cycle) -> Cycle:
    return c


@rule("holidays_cycle", "name:holidays")
def _holidays(_: Now, name: str) -> Cycle:
    def of_year(year: int) -> Span:
        first, days = SPANS[name]
        return of_days("range", first(year), first(year) + timedelta(days=days))

    cycle = yearly("range", of_year)
    return replace(cycle, of_year=None) if name == "new_year" else cycle  # which lies in two years


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


@rule("named", "name:season y:short_year")
def _season_of_short_year(now: Now, name: str, y: int) -> Span:
    return _of_year(now, _season(now, name), y)


@rule("named", "n:quarter slash? y:short_year")
def _quarter_of_short_year(now: Now, n: int, y: int) -> Span:
    return _of_year(now, _quarter(now, n), y)


@rule("named", "weekmark n:num slash y:short_year")
def _week_of_short_year(_: Now, n: Fraction, y: int) -> Span:
    return week_of_year(n, y)


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
