"""Lengths of time ("three days", "an hour and a half", "a few weeks") and what is counted in them from now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Final

from memory_mcp.search.times import BEGINNING
from memory_mcp.search.times.grammar.base import Now, rule
from memory_mcp.search.times.periods import MONTHS, UNITS, Length, around, length, period, turned
from memory_mcp.search.times.shapes import Thousands
from memory_mcp.search.times.spans import Cycle, Span, ordered, weekends, weekly
from memory_mcp.search.times.words import Unit

Count = Fraction | tuple[Fraction, Fraction]
MOST_MONTHS: Final = 12_000
"""Of a length: 2023年前 is before 2023, not so many years ago."""
_FINER: Final = {"day": "hour", "week": "day", "month": "week", "quarter": "week", "year": "month", "decade": "year"}
"""What "half a" or "one and a half" of a unit is told in."""
FEW: Final = (Fraction(2), Fraction(5))
"""A few are two to five."""
RECENT_DAYS: Final = 14
"""Of "recently"."""
OTHER_DAYS: Final = 7
"""Of "the other day"."""


@dataclass(frozen=True, slots=True)
class Lasting:
    """From `low` to `high`, which are equal where the words are exact; `unit` is the finest that was named."""

    low: Length
    high: Length
    unit: str


@rule("count", "c:num", "c:few")
def _count(_: Now, c: Count) -> Count:
    return c


@rule("count", "c:thousands")
def _thousands(now: Now, c: Thousands) -> Count:
    """Read 1,000 in English and 1.000 in languages that put the day before the month."""
    if (c.sign == ".") != now.day_first:
        raise ValueError(f"write {c.number} without the '{c.sign}'")
    return Fraction(c.number)


@rule("count", "a")
def _one(_: Now) -> Count:
    return Fraction(1)


@rule("count", "low:num dash|or high:num")
def _from_to(_: Now, low: Count, high: Count) -> Count:
    if isinstance(low, tuple) or isinstance(high, tuple) or low >= high:
        raise ValueError("it counts from more to less")
    return low, high


@rule("any_unit", "u:unit", "u:units")
def _unit(_: Now, u: Unit) -> Unit:
    return u


def _lasting(count: Count, unit: Unit) -> Lasting:
    low, high = count if isinstance(count, tuple) else (count, count)
    if MONTHS.get(unit.name, 0) * high > MOST_MONTHS:
        raise ValueError(f"it is longer than {MOST_MONTHS // 12} years")
    finer = unit.name if low.denominator == high.denominator == 1 else _FINER.get(unit.name, "minute")
    return Lasting(length(low * unit.count, unit.name), length(high * unit.count, unit.name), finer)


@rule("dur", "c:count u:any_unit", "c:count months u:unit")
def _so_many(_: Now, c: Count, u: Unit) -> Lasting:
    return _lasting(c, u)


@rule("dur", "c:count u:any_unit and? more:dur")
def _and_more(_: Now, c: Count, u: Unit, more: Lasting) -> Lasting:
    first = _lasting(c, u)
    if first.low != first.high or UNITS.index(more.unit) >= UNITS.index(first.unit):
        raise ValueError("its units do not grow finer")
    return Lasting(first.low + more.low, first.high + more.high, more.unit)


@rule("dur", "half a? u:unit", "a? half u:unit")
def _half(_: Now, u: Unit) -> Lasting:
    return _lasting(Fraction(1, 2), u)


@rule("dur", "c:num u:any_unit and_half", "c:num and_half u:any_unit", "a u:any_unit and_half", "a and_half u:any_unit")
def _and_a_half(_: Now, u: Unit, c: Fraction = Fraction(1)) -> Lasting:
    return _lasting(c + Fraction(1, 2), u)


@rule("dur", "u:unit")
def _quarter_hour(_: Now, u: Unit) -> Lasting:
    """Read "quarter of an hour"."""
    if u.name != "minute" or u.count == 1:
        raise ValueError(f"it does not say how many {u.name}s")
    return _lasting(Fraction(1), u)


@rule("days", "c:count day_mark")
def _marked_days(_: Now, c: Count) -> Lasting:
    """Read 3日, which is a length only beside a word that asks for one."""
    return _lasting(c, Unit("day"))


def back(now: Now, d: Lasting) -> Span:
    """Return the time that was so long ago: its day, week, month or year, or the hour around it."""
    first, last = (around(far.from_moment(now.moment, -1), d.unit) for far in (d.high, d.low))
    return first if first == last else Span(first.start, last.end, "range")


@rule("ago", "d:dur ago_post", "d:days ago_post", "ago_pre d:dur", "ago_pre d:dur ago_post", "d:dur ago_both")
@rule("ago", "around d:dur|days ago_post", "around ago_pre d:dur", "ago_pre around d:dur")
def ago(now: Now, d: Lasting) -> Span:
    """Read "3 days ago"."""
    return back(now, d)


@rule("ago", "exactly d:dur ago_post", "ago_pre exactly d:dur", "exactly ago_pre d:dur", "d:dur exactly ago_post")
def _exactly(now: Now, d: Lasting) -> Span:
    """Read "exactly a year ago", which is that day and not that year."""
    if d.low != d.high or d.low.seconds:
        return back(now, d)
    return period("day", d.low.from_day(now.today, -1))


@rule("ago", "c:num w:weekdays ago_post", "ago_pre c:num w:weekdays")
def _weekdays_ago(now: Now, c: Count, w: int) -> Span:
    if isinstance(c, tuple) or c.denominator != 1 or c > 3:
        raise ValueError("give the date of a weekday that is so long ago")
    return weekly("day", w).over(now.moment, int(c) - 1)


@rule("ago", "between low:num and high:num u:any_unit ago_post", "between ago_pre low:num and high:num u:any_unit")
@rule("ago", "from? low:num to high:num u:any_unit ago_post", "ago_pre low:num to high:num u:any_unit")
def _between_ago(now: Now, low: Count, high: Count, u: Unit) -> Span:
    return back(now, _lasting(_from_to(now, low, high), u))


@rule("ago", "d:dur|days ago_post of? day:day", "day:day ago_pre d:dur", "ago_pre d:dur day:day")
def _day_ago(now: Now, d: Lasting, day: int) -> Span:
    """Read "a year ago today"."""
    start = turned("day", now.today, day).day
    if d.low != d.high:
        raise ValueError("it is no one day")
    return period("day", d.low.from_day(start, -1))


@rule("ahead", "future d:dur", "d:dur from_now", "d:days from_now")
def _ahead(now: Now, d: Lasting) -> Span:
    first, last = (around(far.from_moment(now.moment, 1), d.unit) for far in (d.low, d.high))
    return first if first == last else Span(first.start, last.end, "range")


def until_now(now: Now, far: Length) -> Span:
    """Return the span of a length that ends now."""
    return ordered(Span(far.from_moment(now.moment, -1), now.moment, "rolling"))


@rule(
    "rolling",
    "in? the? roll|roll_dur|last|last_pre d:dur|days within_post?",
    "in? the? roll_many d:dur|days within_post?",
)
@rule("rolling", "within d:dur", "d:dur|days within_post", "since d:dur", "since ago_pre d:dur", "d:dur since_post")
@rule("rolling", "d:dur|days age_less_post")
def _rolling(now: Now, d: Lasting) -> Span:
    if d.unit == "weekend":
        raise ValueError("weekends in a row have other days between them")
    return until_now(now, d.high)


@rule("rolling", "in? the? this c:num|few u:any_unit")
def _these(now: Now, c: Count, u: Unit) -> Span:
    """Read "these three days"; one of them is that of the calendar."""
    if c == 1:
        raise ValueError("it is one of the calendar")
    return until_now(now, _lasting(c, u).high)


@rule(
    "rolling",
    "in? the? this? c:num|few roll|roll_many|last_pre|last u:units",
    "in? the? c:num|few u:units roll_many|last_post|last",
)
def _counted_rolling(now: Now, c: Count, u: Unit) -> Span:
    """Read "les 3 derniers jours"."""
    return _rolling(now, _lasting(c, u))


@rule("rolling", "in? the? roll_many u:units", "in? the? roll|last|last_pre u:units", "this roll_many u:units")
def _few(now: Now, u: Unit) -> Span:
    """Read "in den letzten Tagen"."""
    return _rolling(now, _lasting(FEW, u))


@rule("rolling", "in? the? roll|last_pre u:unit within_post?")
def _last_one(now: Now, u: Unit) -> Span:
    if u.name == "weekend":
        return turned("weekend", now.today, -1)
    return until_now(now, _lasting(Fraction(1), u).high)


@rule("rolling", "within of? the? last|roll|last_pre u:unit", "within of? the? u:unit last_post|last")
def _within_last(now: Now, u: Unit) -> Span:
    """Read "innerhalb der letzten Woche", which is no week of the calendar."""
    return _last_one(now, u)


@rule("rolling", "in? the? last u:unit")
def _last_short(now: Now, u: Unit) -> Span:
    """Read "last hour"; last week and the longer ones are those of the calendar."""
    if u.name not in {"second", "minute", "hour", "day"} and u.count == 1:  # a fortnight is none of the calendar
        raise ValueError("it is one of the calendar")
    return until_now(now, _lasting(Fraction(1), u).high)


@rule("rolling", "in? the? roll|last u:unit and_half")
def _last_and_a_half(now: Now, u: Unit) -> Span:
    """Read "the last hour and a half"."""
    return until_now(now, _lasting(Fraction(3, 2), u).high)


@rule("rolling", "recently")
def _recently(now: Now) -> Span:
    return until_now(now, Length(days=RECENT_DAYS))


@rule("rolling", "other_day")
def _other_day(now: Now) -> Span:
    return Span(turned("day", now.today, -OTHER_DAYS).start, now.this("day").start, "rolling")


@rule("bare", "d:dur")
def _bare(now: Now, d: Lasting) -> Span:
    """Read "48h"."""
    return _rolling(now, d)


@rule("older", "age_more d:dur old?", "more d:dur old", "d:dur|days age_more_post", "more d:dur ago_post")
@rule("older", "more ago_pre d:dur", "ago_pre more d:dur")
def _older(now: Now, d: Lasting) -> Span:
    """Read "older than 30 days"."""
    return ordered(Span(BEGINNING, d.low.from_moment(now.moment, -1), "open"))


@rule(
    "older", "age_less d:dur old?", "less d:dur old", "less d:dur ago_post", "less ago_pre d:dur", "ago_pre less d:dur"
)
def _newer(now: Now, d: Lasting) -> Span:
    return until_now(now, d.high)


@rule("shifted", "d:dur before x:anchor", "x:anchor of? d:dur|days before_post")
def _before(now: Now, d: Lasting, x: Span | Cycle) -> Span:
    """Read "two days before yesterday"."""
    return _shift(now.settle(x), d, -1)


@rule("shifted", "x:dayname of? d:dur|days ago_post")
def _day_ago_post(_: Now, d: Lasting, x: Span) -> Span:
    """Read "yesterday a year ago"; "Friday a week ago" is the Friday within that week."""
    return _shift(x, d, -1)


@rule("shifted", "d:dur from_then x:dayname", "d:dur from_then c:cycle")
def _from_then(now: Now, d: Lasting, x: Span | None = None, c: Cycle | None = None) -> Span:
    """Read "a week from Monday", which is the coming one."""
    start = x or (c.coming(now.moment) if c and c.of_year is None else None)
    if start is None:
        raise ValueError("it does not say which one is meant")
    return _shift(start, d, 1)


@rule("shifted", "d:dur after x:anchor", "x:anchor of? d:dur|days after_post")
def _after(now: Now, d: Lasting, x: Span | Cycle) -> Span:
    return _shift(now.settle(x), d, 1)


def _shift(x: Span, d: Lasting, sign: int) -> Span:
    if x.point is not None:
        first, last = (around(far.from_moment(x.point, sign), d.unit) for far in (d.low, d.high))
    elif x.unit == "day":
        first, last = (period("day", far.from_day(x.day, sign)) for far in (d.low, d.high))
    elif x.unit == d.unit:
        first, last = (period(x.unit, far.from_day(x.day, sign)) for far in (d.low, d.high))
    else:
        raise ValueError(f"a {x.unit} has no one day to count from")
    start, end = min(first.start, last.start), max(first.end, last.end)
    return Span(start, end, first.unit, first.point if first == last else None)


@rule("shifted", "det u:unit before x:anchor", "x:anchor before_post u:unit", "det last u:unit before x:anchor")
def _one_before(now: Now, u: Unit, x: Span | Cycle) -> Span:
    """Read "the week before Christmas"."""
    whole = now.settle(x)
    if u.name == "weekend":
        return weekends().over(whole.start)
    if whole.unit == u.name:
        return turned(u.name, whole.day, -1)
    return ordered(Span(length(Fraction(1), u.name).from_moment(_of_days(whole).start, -1), whole.start, "range"))


@rule("shifted", "det u:unit after x:anchor", "x:anchor after_post u:unit", "det next u:unit after x:anchor")
def _one_after(now: Now, u: Unit, x: Span | Cycle) -> Span:
    whole = now.settle(x)
    if u.name == "weekend":
        return weekends().coming(whole.end - datetime.resolution)
    if whole.unit == u.name:
        return turned(u.name, whole.day, 1)
    return ordered(Span(whole.end, length(Fraction(1), u.name).from_moment(_of_days(whole).end, 1), "range"))


def _of_days(whole: Span) -> Span:
    if whole.unit != "day":
        raise ValueError("it is no day that a week could end at")
    return whole


@rule("shifted", "the? c:cycle before x:anchor")
def _cycle_before(now: Now, c: Cycle, x: Span | Cycle) -> Span:
    """Read "the Friday before Easter"."""
    return c.over(now.settle(x).start)


@rule("shifted", "the? c:cycle after x:anchor")
def _cycle_after(now: Now, c: Cycle, x: Span | Cycle) -> Span:
    return c.coming(now.settle(x).end - datetime.resolution)
