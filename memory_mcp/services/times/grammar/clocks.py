"""Times of day: clock times, mornings and nights, on a day or today."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta, timezone
from fractions import Fraction
from typing import Final

from memory_mcp.services.times.engine import AmbiguousError
from memory_mcp.services.times.grammar.base import Now, Value, rule
from memory_mcp.services.times.grammar.calendar import weekday, whole
from memory_mcp.services.times.periods import HALF_AN_HOUR, period
from memory_mcp.services.times.shapes import Clock
from memory_mcp.services.times.spans import Span, ordered
from memory_mcp.services.times.zone import to_local, to_utc

HOURS: Final = {
    "early_morning": (0, 6),
    "morning": (6, 12),
    "noon": (11, 14),
    "afternoon": (12, 18),
    "evening": (17, 24),
    "night": (18, 30),
}
"""Hours after midnight; a night ends in the next morning."""
NEW_NIGHT: Final = {"tonight": 6, "this_night": 12}
"""The hour from which the coming night is meant: "heute Nacht" said in the morning is the night that is just over."""
_SPOKEN: Final = {"early_morning": 0, "morning": 0, "noon": 12, "afternoon": 12, "evening": 12, "night": 12}
"""What "3 in the afternoon" adds to its hour, where that is less than 12."""
EVENING: Final = 17
EARLY: Final = 8
"""From 17 h on, a time until 8 h is in the next morning."""
Clocks = tuple[Clock, Clock]


def at(day: date, clock: Clock) -> datetime:
    """Return the instant of a clock time on a local day."""
    local = datetime.combine(day, time(clock.hour, clock.minute, clock.second))
    if clock.offset is None:
        return to_utc(local)
    return to_utc(local.replace(tzinfo=timezone(timedelta(minutes=clock.offset))))


def latest_at(now: Now, clock: Clock) -> datetime:
    """Return the latest instant of a clock time that is not in the future."""
    today = at(now.today, clock)
    return today if today <= now.moment else at(now.today - timedelta(days=1), clock)


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


# Clock times


@rule("colon_clock", "c:clock24 oclock|oclock_h?")
def _colon(_: Now, c: Clock) -> Clock:
    return c


@rule("uhr", "n:num oclock", "n:num oclock m:num minute_mark?")
@rule("hour", "n:num oclock|oclock_h", "n:num oclock|oclock_h m:num minute_mark?")
def _hours(_: Now, n: Fraction, m: Fraction = Fraction(0)) -> Clock:
    return Clock(whole(n, 0, 23), whole(m, 0, 59))


@rule("uhr", "n:num oclock and_half")
@rule("hour", "n:num oclock|oclock_h and_half")
def _half_past(_: Now, n: Fraction) -> Clock:
    return Clock(whole(n, 0, 23), 30)


@rule("twelve", "n:num oclock_12? half:ampm")
def _twelve(_: Now, n: Fraction, half: str) -> Clock:
    return _of_twelve(Clock(whole(n, 1, 12)), half)


@rule("twelve", "c:colon_clock half:ampm")
def _twelve_colon(_: Now, c: Clock, half: str) -> Clock:
    return _of_twelve(c, half)


def _of_twelve(clock: Clock, half: str) -> Clock:
    if not 1 <= clock.hour <= 12:
        raise ValueError(f"there is no {clock.hour} {half}")
    return replace(clock, hour=clock.hour % 12 + (12 if half == "pm" else 0))


@rule("spoken", "n:num oclock_12? in? of? the? part:part", "c:hour in? of? the? part:part", "part:ampm_pre of? c:hour")
@rule("spoken", "c:colon_clock in? of? the? part:part", "part:ampm_pre of? c:colon_clock")
def _spoken(_: Now, part: str, n: Fraction | None = None, c: Clock | None = None) -> Clock:
    """Read "3 in the afternoon"."""
    clock = c or Clock(whole(n, 1, 12))
    if part == "night" and clock.hour < 6:
        raise ValueError(f"{clock.hour} at night may be either side of midnight")
    if part == "noon" and clock.hour in {11, 12}:
        return clock
    if clock.hour == 12:
        return replace(clock, hour=12 if part in {"noon", "afternoon"} else 0)
    return replace(clock, hour=clock.hour + (_SPOKEN[part] if clock.hour < 12 else 0))


@rule("named_clock", "noon")
def _noon_clock(_: Now) -> Clock:
    return Clock(12)


@rule("clock", "at|around? c:twelve", "at|around? c:spoken", "at|around? c:colon_clock", "at|around? c:uhr")
@rule("clock", "at|around c:hour")
@rule("clock", "at|around? c:named_clock", "on? the? c:named_clock")
def _clock(_: Now, c: Clock) -> Clock:
    return c


@rule("clock", "at? c:twelve z:zone", "at? c:colon_clock z:zone", "at? c:uhr z:zone", "at? c:spoken z:zone")
def _zoned(_: Now, c: Clock, z: int) -> Clock:
    return replace(c, offset=z)


# From one clock time to another


@rule("clocks", "from|between? at? n:num to|and|dash b:clock")
def _bare_hour(_: Now, n: Fraction, b: Clock) -> Clocks:
    """Read "3 to 5 pm" and "15 bis 17 Uhr": the first is the latest such hour before the second."""
    first = whole(n, 0, 23)
    hours = [hour for hour in (first, first + 12) if hour < b.hour + b.minute / 60]
    if not hours or (first + 12 < 24 and first == 0 and b.hour > 12):
        raise ValueError("it ends before it begins")
    return Clock(hours[-1] if b.hour >= 12 else hours[0], offset=b.offset), b


@rule("clocks", "from|between? at? a:spoken|twelve to|and|dash b:hour|colon_clock until_post?")
def _carried(_: Now, a: Clock, b: Clock) -> Clocks:
    """Read 下午3点到5点: the second is the first such hour after the first."""
    later = [hour for hour in (b.hour, b.hour + 12) if a.hour < hour < 24]
    if not later:
        raise ValueError("it ends before it begins")
    return a, replace(b, hour=later[0])


@rule("late_hour", "at|around n:num")
def _late_hour(_: Now, n: Fraction) -> Clock:
    return Clock(whole(n, 13, 23))


@rule("late_hours", "from|between at? a:num to|and|dash at? b:num")
def _late_hours(_: Now, a: Fraction, b: Fraction) -> Clocks:
    """Read "tra le 15 e le 17": hours after noon need no further word, nor do those from "9 to 17"."""
    first, last = whole(a, 0, 23), whole(b, 13, 23)
    if first >= last:
        raise ValueError("it ends before it begins")
    return Clock(first), Clock(last)


@rule(
    "clocks", "from|between a:clock|hour|midnight to|and|dash b:clock|hour", "a:clock to|dash b:clock|hour until_post?"
)
def _clocks(_: Now, b: Clock, a: Clock | str = "") -> Clocks:
    if isinstance(a, str):  # midnight
        a = Clock(0)
    return replace(a, offset=b.offset if a.offset is None else a.offset), b


# On a day


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


@rule("on_day", "d:dated_part at|around n:num", "d:dated_part of? at|around? c:hour")
def _hour_in_part(_: Now, d: tuple[date, str], n: Fraction | None = None, c: Clock | None = None) -> Span:
    """Read "this morning at 8": the hour that is in that part of the day."""
    clock, (first, end) = c or Clock(whole(n, 0, 23)), HOURS[d[1]]
    within = [each for each in (clock.hour, clock.hour + 12) if first <= each < min(end, 24)]
    if len(within) != 1:
        raise ValueError(f"{clock.hour} is no one hour of the {d[1]}")
    return hour_around(at(d[0], replace(clock, hour=within[0])))


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


@rule("dated_part", "x:day_like of? in? the? name:part", "x:day_like on|at the? name:part", "x:day_like hyphen name:part")
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
