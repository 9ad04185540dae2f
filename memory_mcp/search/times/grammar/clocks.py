"""Times of day: clock times, mornings and nights, on a day or today."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta, timezone
from fractions import Fraction
from typing import Final

from memory_mcp.search.times.grammar.base import Now, rule
from memory_mcp.search.times.grammar.dates import whole
from memory_mcp.search.times.shapes import Clock
from memory_mcp.search.times.zone import to_utc

NOON: Final = 12
_SPOKEN: Final = {
    "early_morning": 0,
    "morning": 0,
    "mid_morning": 0,
    "mid_afternoon": 12,
    "noon": 12,
    "afternoon": 12,
    "evening": 12,
    "night": 12,
}
"""What "3 in the afternoon" adds to its hour, where that is less than 12."""
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
@rule(
    "spoken", "c:face in? of? the? part:part", "c:colon_clock in? of? the? part:part", "part:ampm_pre of? c:colon_clock"
)
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


@rule("face", "half_past n:num")
def _half_after(_: Now, n: Fraction) -> Clock:
    return Clock(whole(n, 1, 12), 30)


@rule("face", "half_to n:num")
def _half_before(_: Now, n: Fraction) -> Clock:
    return _before_hour(n, 30)


@rule("face", "quarter_past n:num")
def _quarter_past(_: Now, n: Fraction) -> Clock:
    return Clock(whole(n, 1, 12), 15)


@rule("face", "quarter_to|three_quarters n:num")
def _quarter_to(_: Now, n: Fraction) -> Clock:
    return _before_hour(n, 45)


def _before_hour(n: Fraction, minute: int) -> Clock:
    return Clock((whole(n, 1, 12) - 2) % 12 + 1, minute)


@rule("twelve", "c:face half:ampm")
def _twelve_face(_: Now, c: Clock, half: str) -> Clock:
    return _of_twelve(c, half)


@rule("nope", "at|around? face", "when at|around? face", "at|around? face on? the? when")
def _face_alone(_: Now) -> None:
    """Refuse "half past two"."""
    raise ValueError("the time may be in the morning or after noon")


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


def late(n: Fraction) -> Clock:
    """Return an hour after noon, which needs no further word.

    Raises:
        ValueError: it may as well be one before noon, or is none.
    """
    if n <= NOON:
        raise ValueError(f"{n} may be in the morning or after noon, write {n} am, {n} pm or {n}:00")
    return Clock(whole(n, 13, 23))


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


@rule("clocks", "a:hour dash b:hour")
def _hours_of_day(_: Now, a: Clock, b: Clock) -> Clocks:
    """Read "15h-17h"; "3h-5h" may be lengths."""
    if b.hour <= NOON:
        raise ValueError("they may be lengths")
    return a, b


@rule("late_hour", "at|around n:num")
def _late_hour(_: Now, n: Fraction) -> Clock:
    return late(n)


@rule("late_hours", "from|between at? a:num to|and|dash at? b:num")
def _late_hours(_: Now, a: Fraction, b: Fraction) -> Clocks:
    """Read "tra le 15 e le 17": hours after noon need no further word, nor do those from "9 to 17"."""
    first, last = Clock(whole(a, 0, 23)), late(b)
    if first.hour >= last.hour:
        raise ValueError("it ends before it begins")
    return first, last


@rule(
    "clocks", "from|between a:clock|hour|midnight to|and|dash b:clock|hour", "a:clock to|dash b:clock|hour until_post?"
)
def _clocks(_: Now, b: Clock, a: Clock | str = "") -> Clocks:
    if isinstance(a, str):  # midnight
        a = Clock(0)
    return replace(a, offset=b.offset if a.offset is None else a.offset), b
