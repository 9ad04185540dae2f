"""Mornings, nights and clock times on a day, or today."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from typing import Final

from memory_mcp.search.times.engine import AmbiguousError
from memory_mcp.search.times.grammar.base import Now, Value, rule
from memory_mcp.search.times.grammar.calendar import weekday
from memory_mcp.search.times.grammar.clocks import NOON, Clocks, at
from memory_mcp.search.times.grammar.dates import whole
from memory_mcp.search.times.periods import HALF_AN_HOUR, period
from memory_mcp.search.times.shapes import Clock
from memory_mcp.search.times.spans import Span, ordered
from memory_mcp.search.times.zone import to_local, to_utc

HOURS: Final = {
    "early_morning": (0, 6),
    "mid_morning": (9, 11),
    "morning": (6, 12),
    "noon": (11, 14),
    "afternoon": (12, 18),
    "mid_afternoon": (14, 16),
    "evening": (17, 24),
    "night": (18, 30),
    "late_night": (22, 30),
}
"""Hours after midnight; a night ends in the next morning."""
MONTHS_OF_A_YEAR: Final = 12
NEW_NIGHT: Final = {"tonight": 6, "this_night": 12}
"""The hour from which the coming night is meant: "heute Nacht" said in the morning is the night that is just over."""
EVENING: Final = 17
EARLY: Final = 8
"""From 17 h on, a time until 8 h is in the next morning."""


def hour_around(moment: datetime) -> Span:
    """Return the hour around an instant, which its words name."""
    return Span(moment - HALF_AN_HOUR, moment + HALF_AN_HOUR, "time", moment)


def part(day: date, name: str) -> Span:
    """Return a part of a local day."""
    return Span(_hour(day, HOURS[name][0]), _hour(day, HOURS[name][1]), "part of a day", _noon(day, name))


def _noon(day: date, name: str) -> datetime | None:
    return _hour(day, 12) if name == "noon" else None


def _hour(day: date, hour: int) -> datetime:
    return to_utc(datetime.combine(day, time()) + timedelta(hours=hour))


def one_day(now: Now, value: Value) -> date:
    """Return the day that a span is.

    Raises:
        ValueError: it is longer or shorter than a day.
    """
    span = now.settle(value)
    if span.unit != "day":
        raise ValueError(f"a {span.unit} has no one morning or hour")
    return span.day


def between(day: date, clocks: Clocks) -> Span:
    """Return the span from one clock time to another, which may be in the next morning."""
    start, end = (at(day, clock) for clock in clocks)
    if end <= start and clocks[0].hour >= EVENING and clocks[1].hour <= EARLY:
        end = at(day + timedelta(days=1), clocks[1])
    if end <= start:
        raise ValueError("it ends before it begins")
    return Span(start, end, "range")


@rule("on_day", "d:dated_part")
def _part_of_day(_: Now, d: tuple[date, str]) -> Span:
    return part(*d)


@rule("on_day", "x:day_like of? c:clock|hour|late_hour", "c:clock|hour on? of? x:day_like")
def _at_clock(now: Now, x: Value, c: Clock) -> Span:
    return hour_around(at(one_day(now, x), c))


@rule("on_day", "x:day_like at c:dot_clock")
def _at_dotted(now: Now, x: Value, c: Clock) -> Span:
    return _at_clock(now, x, c)


@rule("on_day", "x:day_like c:dot_clock")
def _dotted(now: Now, x: Value, c: Clock) -> Span:
    """Read "gestern 15.30"."""
    if 1 <= c.minute <= MONTHS_OF_A_YEAR:
        raise ValueError(f"{c.hour}.{c.minute:02} may be a date, write {c.hour}:{c.minute:02} if it is a time")
    return _at_clock(now, x, c)


@rule("on_day", "x:day_like of? c:clocks|late_hours", "c:clocks on? of? x:day_like")
def _between_clocks(now: Now, x: Value, c: Clocks) -> Span:
    return between(one_day(now, x), c)


@rule("on_day", "x:day_like after|since c:clock|hour", "x:day_like c:clock after_post")
def _after_clock(now: Now, x: Value, c: Clock) -> Span:
    day = one_day(now, x)
    return ordered(Span(at(day, c), period("day", day).end, "range"))


@rule("on_day", "x:day_like before|until c:clock|hour", "x:day_like c:clock before_post|until_post")
def _before_clock(now: Now, x: Value, c: Clock) -> Span:
    day = one_day(now, x)
    return ordered(Span(period("day", day).start, at(day, c), "range"))


@rule("on_day", "d:dated_part c:clock")
def _clock_in_part(_: Now, d: tuple[date, str], c: Clock) -> Span:
    """Read "yesterday evening at 8 pm"."""
    span = hour_around(at(d[0], c))
    if not part(*d).start <= span.first <= part(*d).end:
        raise ValueError(f"{c.hour}:{c.minute:02} is not in the {d[1]}")
    return span


@rule("on_day", "d:dated_part at|around n:num", "d:dated_part of? at|around? c:hour|face")
def _hour_in_part(_: Now, d: tuple[date, str], n: Fraction | None = None, c: Clock | None = None) -> Span:
    """Read "this morning at 8": the hour that is in that part of the day."""
    return hour_around(at(d[0], _hour_of_part(c or Clock(whole(n, 0, 23)), d[1])))


def _hour_of_part(clock: Clock, name: str) -> Clock:
    first, end = HOURS[name]
    within = [each for each in (clock.hour, clock.hour + 12) if first <= each < min(end, 24)]
    if clock == Clock(NOON) and end == NOON:  # which ends the morning
        within = [NOON]
    if len(within) != 1:
        raise ValueError(f"{clock.hour} is no one hour of the {name}")
    return replace(clock, hour=within[0])


@rule("in_part", "at? n:num", "c:hour|clock|face")
def _in_part(_: Now, n: Fraction | None = None, c: Clock | None = None) -> Clock:
    return c or Clock(whole(n, 0, 23))


@rule("on_day", "d:dated_part from|between a:in_part to|and|dash b:in_part")
def _between_in_part(_: Now, d: tuple[date, str], a: Clock, b: Clock) -> Span:
    """Read "Tuesday afternoon between 2 and 4"."""
    return between(d[0], (_hour_of_part(a, d[1]), _hour_of_part(b, d[1])))


@rule("on_day", "d:dated_part before|until c:in_part")
def _before_in_part(_: Now, d: tuple[date, str], c: Clock) -> Span:
    """Read "this morning before 10"."""
    return ordered(Span(part(*d).start, at(d[0], _hour_of_part(c, d[1])), "range"))


@rule("on_day", "d:dated_part after c:in_part")
def _after_in_part(_: Now, d: tuple[date, str], c: Clock) -> Span:
    return ordered(Span(at(d[0], _hour_of_part(c, d[1])), part(*d).end, "range"))


@rule("dated_part", "in? on? the? x:day_part")
def _day_part(now: Now, x: tuple[int, str]) -> tuple[date, str]:
    if x[1] in NEW_NIGHT:
        return _this_night(now, NEW_NIGHT[x[1]]), "night"
    return now.today + timedelta(days=x[0]), x[1]


def _this_night(now: Now, new_from: int) -> date:
    """Return the day on which the night begins that is meant by "this night" before and after an hour of the day."""
    return now.today - timedelta(days=to_local(now.moment).hour < new_from)


@rule("dated_part", "this name:part")
def _this_part(now: Now, name: str) -> tuple[date, str]:
    return (_this_night(now, NEW_NIGHT["tonight"]) if name == "night" else now.today), name


@rule("dated_part", "on? the? x:weekday_part", "on? the? last x:weekday_part")
def _weekday_part(now: Now, x: tuple[int, str]) -> tuple[date, str]:
    return now.settle(weekday(x[0])).day, x[1]


@rule("dated_part", "in? on? the? name:part night_to the? x:day_like")
def _night_to(now: Now, name: str, x: Value) -> tuple[date, str]:
    """Read "in der Nacht auf Dienstag", which begins on Monday."""
    if name != "night":
        raise ValueError("only a night leads from one day to another")
    span = x if isinstance(x, Span) else x.latest(now.moment)
    return one_day(now, span) - timedelta(days=1), name


@rule("dated_part", "in? on? the? name:part from a:day_like night_to|to the? b:day_like")
def _night_from_to(now: Now, name: str, a: Value, b: Value) -> tuple[date, str]:
    """Read "in der Nacht von Montag auf Dienstag"."""
    day, name = _night_to(now, name, b)
    if one_day(now, a if isinstance(a, Span) else a.latest(_hour(day, 0))) != day:
        raise ValueError("there is more than a night between these days")
    return day, name


@rule(
    "dated_part",
    "x:day_like of? in? the? name:part",
    "x:day_like on|at|around the? name:part",
    "x:day_like hyphen name:part",
)
@rule("dated_part", "the? name:part of? on? the? x:day_like")
def _dated_part(now: Now, x: Value, name: str) -> tuple[date, str]:
    return one_day(now, x), name


@rule("nope", "n:day dayname")
def _two_days(_: Now, n: int) -> None:
    """Refuse "morgen gestern"; in "gestern morgen" the second word is a part of the day."""
    raise (AmbiguousError if n == 1 else ValueError)("it names two days")


@rule("day_like", "x:dayname", "on? the? x:base", "x:shifted")
def _day_like(_: Now, x: Value) -> Value:
    return x


@rule("named_moment", "m:moment", "at? m:moment")
def _moment(_: Now, m: datetime) -> Span:
    return hour_around(to_utc(m))


@rule("named_moment", "x:now_moment")
def _moment_now(_: Now, x: Span) -> Span:
    return x


@rule("now_moment", "now")
def _now(now: Now) -> Span:
    return hour_around(now.moment)


@rule("today_at", "x:today_clock")
def _today_at(_: Now, x: Span) -> Span:
    return x


@rule("today_clock", "c:clock")
def _clock_today(now: Now, c: Clock) -> Span:
    return hour_around(at(now.today, c))


@rule("today_at", "c:clocks")
def _clocks_today(now: Now, c: Clocks) -> Span:
    """Read "3 to 5 pm" as today's, but "10 pm to 2 am" as the latest night's that has begun."""
    span = between(now.today, c)
    if span.start > now.moment and to_local(span.end).date() > now.today:
        return between(now.today - timedelta(days=1), c)
    return span
