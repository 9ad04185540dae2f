"""What is made of two times: from one to another, days of one month, both together."""

from __future__ import annotations

import calendar
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Final

from memory_mcp.search.times.grammar.base import Now, Value, rule
from memory_mcp.search.times.grammar.calendar import of_end, week_of_year
from memory_mcp.search.times.grammar.clocks import at, latest_at
from memory_mcp.search.times.grammar.dates import day_of, whole
from memory_mcp.search.times.periods import period, third
from memory_mcp.search.times.shapes import Clock, MonthDay
from memory_mcp.search.times.spans import Cycle, Span, of_days, ordered, yearly

LONGEST_OVER_NEW_YEAR: Final = timedelta(days=200)


@rule("end_now", "to|dash|until|up_to x:now_moment")
def _end_now(_: Now, x: Span) -> datetime:
    return x.last


@rule("end_now", "to_now")
def _to_now(now: Now) -> datetime:
    return now.moment


@rule("end_now", "to|dash|until|up_to here? n:day")
def _end_today(now: Now, n: int) -> datetime:
    if n:
        raise ValueError("it is another day")
    return now.tonight()


@rule("end_now", "to_today")
def _to_today(now: Now) -> datetime:
    return now.tonight()


@rule("range", "from|since|between? x:when e:end_now", "between x:when and e:now_end")
def _until_now(now: Now, x: Value, e: datetime) -> Span:
    """Read "yesterday 5 pm to now": an end that has a day of its own takes none from the beginning."""
    return ordered(Span(now.settle(x).first, e, "range"))


@rule("range", "from|since? the? midnight e:end_now")
def _midnight_until_now(now: Now, e: datetime) -> Span:
    return Span(now.this("day").start, e, "range")


@rule("range", "since|since_at c:clock|hour e:end_now")
def _since_clock_until_now(now: Now, c: Clock, e: datetime) -> Span:
    return ordered(Span(latest_at(now, c), e, "range"))


@rule("range", "from? c:clock e:end_now", "between c:clock and e:now_end")
def _clock_until_now(now: Now, c: Clock, e: datetime) -> Span:
    start = at(now.today, c)
    if start >= now.moment:
        raise ValueError("it has not begun today, write which day its beginning is on")
    return ordered(Span(start, e, "range"))


@rule("now_end", "x:now_moment")
def _now_end(_: Now, x: Span) -> datetime:
    return x.last


@rule("range", "between a:when and|to|dash b:when between_post?", "from a:when to|dash b:when until_post?")
@rule(
    "range", "a:when to|dash b:when until_post?", "a:full_date slash b:full_date", "a:named_moment slash b:named_moment"
)
def _range(now: Now, a: Value, b: Value) -> Span:
    first, last = _ends(now, a, b)
    return ordered(Span(first.first, last.last, "range"))


def _ends(now: Now, a: Value, b: Value) -> tuple[Span, Span]:
    """Return both ends; what comes every week or year is the one nearest to the other end, or the latest begun.

    Raises:
        ValueError: it would be most of a year over New Year, as turned-round dates are.
    """
    first, last = _nearest(now, a, b)
    exact = isinstance(a, Span) and isinstance(b, Span)
    if not exact and first.day.year != last.day.year and last.end - first.start > LONGEST_OVER_NEW_YEAR:
        raise ValueError("it ends before it begins, or lacks a year")
    return first, last


def _nearest(now: Now, a: Value, b: Value) -> tuple[Span, Span]:
    if isinstance(a, Span):
        return a, b if isinstance(b, Span) else _after_fixed(now, a, b)
    if isinstance(b, Span):
        if b.unit == "year":
            raise ValueError("write the year of its beginning")
        return a.latest(b.start), b
    if (a.of_year is None) != (b.of_year is None):
        raise ValueError("one end comes every week, the other every year")
    first = a.latest(now.moment)
    last = b.coming(first.start)
    if a.of_year is None and _mostly_ahead(now, first, last):
        first = a.over(first.start)
        last = b.coming(first.start)
    return first, last


def _mostly_ahead(now: Now, first: Span, last: Span) -> bool:
    """Whether more days of a span are to come than are over; from a weekday to itself none may be to come."""
    to_come, over = of_end(last) - now.today, now.today - first.day
    return to_come > (over if last.day.weekday() != first.day.weekday() else timedelta(0))


def _after_fixed(now: Now, a: Span, b: Cycle) -> Span:
    if a.unit == "year":
        raise ValueError("write the year of its end")
    last = b.coming(a.start)
    if b.of_year is None and a.start <= now.moment and _mostly_ahead(now, a, last):
        raise ValueError("it does not say which week it ends in")
    return last


@rule("range", "from|between? weekmark a:num to|dash|and weekmark? b:num of|slash? y:year_of")
def _weeks_of(_: Now, a: Fraction, b: Fraction, y: int) -> Span:
    return ordered(Span(week_of_year(a, y).start, week_of_year(b, y).end, "range"))


@rule(
    "range",
    "from|between? a:cycle to|and|dash b:cycle until_post? of? x:longer",
    "x:longer from|between? a:cycle to|and|dash b:cycle",
)
def _range_within(_: Now, a: Cycle, b: Cycle, x: Span) -> Span:
    """Read "Monday to Wednesday last week"."""
    first = a.within(x)
    last = b.coming(first.start)
    if last.end > x.end:
        raise ValueError(f"it ends after the {x.unit}")
    return Span(first.start, last.end, "range")


@rule("range", "from? weekmark a:num to|dash weekmark? b:num", "between weekmark a:num and b:num")
def _weeks(now: Now, a: Fraction, b: Fraction) -> Span:
    """Read "KW 10-12"."""
    return yearly("range", lambda year: _weeks_of(now, a, b, year)).latest(now.moment)


@rule("range", "from? n:edge to|dash e:edge x:edged")
def _edges(now: Now, n: int, e: int, x: Value) -> Span:
    """Read "Anfang bis Mitte Januar"."""
    whole_span = now.settle(x)
    return ordered(Span(third(whole_span, n).start, third(whole_span, e).end, "range"))


# Days of one month


@rule("days_of", "a:dom to|dash b:dom of? m:month", "m:month a:dom to|dash b:dom")
@rule("days_of", "between a:dom and b:dom of? m:month", "between m:month a:dom and b:dom")
@rule("days_of", "m:marked_month a:num day_mark? to|dash b:num day_mark until_post?")
def _days_of(_: Now, a: int, b: int, m: int) -> tuple[int, int, int]:
    first, last = int(a), int(b)
    if first >= last:
        raise ValueError("it ends before it begins")
    for day in (first, last):
        if not 1 <= day <= calendar.monthrange(2024, m)[1]:  # a leap year
            raise ValueError(f"there is no {day} {calendar.month_name[m]}")
    return m, first, last


@rule("days_of", "a:dom and|slash b:dom of? m:month", "m:month a:dom and b:dom")
def _two_days_of(now: Now, a: int, b: int, m: int) -> tuple[int, int, int]:
    """Read "March 3rd and 4th"."""
    if a + 1 != b:
        raise ValueError("there is time between them that is not named")
    return _days_of(now, a, b, m)


@rule("marked_month", "n:num month_mark")
def _marked_month(_: Now, n: Fraction) -> int:
    return whole(n, 1, 12)


def _days(year: int, days: tuple[int, int, int]) -> Span:
    number, first, last = days
    return of_days("range", date(year, number, first), date(year, number, last) + timedelta(days=1))


@rule("range", "from? d:days_of")
def _some_days(now: Now, d: tuple[int, int, int]) -> Span:
    return yearly("range", lambda year: _days(year, d)).latest(now.moment)


@rule("range", "from? d:days_of of? y:year_of", "in? y:year_of of? from? d:days_of")
def _some_days_of_year(_: Now, d: tuple[int, int, int], y: int) -> Span:
    return _days(y, d)


@rule("range", "from? a:dom to|dash b:full_date", "between a:dom and b:full_date")
def _day_to_date(_: Now, a: int, b: Span) -> Span:
    """Read "1.-10.5.2024"."""
    return ordered(Span(period("day", b.day.replace(day=a)).start, b.end, "range"))


@rule("range", "from? a:dom to|dash b:md", "between a:dom and b:md")
def _day_to_day(now: Now, a: int, b: MonthDay) -> Span:
    last = day_of(b).latest(now.moment)
    return ordered(Span(period("day", last.day.replace(day=a)).start, last.end, "range"))


@rule("range", "from|between? a:dom to|and|dash b:dom of x:longer")
def _days_of_month(_: Now, a: int, b: int, x: Span) -> Span:
    if x.unit != "month":
        raise ValueError(f"a {x.unit} has no such days")
    return _days(x.day.year, (x.day.month, a, b))


@rule("union", "a:when and|or b:when")
def _union(now: Now, a: Value, b: Value) -> Span:
    """Read "yesterday and today"."""
    first, last = _ends(now, a, b) if isinstance(a, Cycle) or isinstance(b, Cycle) else (a, b)
    early, late = sorted((first, last), key=lambda span: span.start)
    if early.end != late.start:
        raise ValueError("there is time between them that is not named")
    return Span(early.start, late.end, "range")
