"""What is made of one time: since, until, before, after, so far; and a whole expression."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction

from memory_mcp.search.times import BEGINNING
from memory_mcp.search.times.engine import AmbiguousError
from memory_mcp.search.times.grammar.base import Now, Value, rule
from memory_mcp.search.times.grammar.clocks import at, late, latest_at
from memory_mcp.search.times.shapes import Clock
from memory_mcp.search.times.spans import Span, ordered
from memory_mcp.search.times.words import Unit

# A time, with the small words that may stand before it


@rule(
    "when",
    "x:some_holidays",
    "x:named_moment",
    "x:on_day in_post?",
    "x:shifted in_post?",
    "x:dayname in_post?",
    "det x:base in_post?",
    "x:rest",
    "x:so_far_of",
)
def _when(_: Now, x: Value) -> Value:
    return x


@rule(
    "so_far_of",
    "so_far x:when",
    "x:dayname so_far",
    "det x:base so_far",
    "earlier x:when",
    "the? x:current so_far|to_date",
    "so_far x:current",
)
def _so_far(now: Now, x: Value) -> Span:
    """Read "so far this month", "earlier today"."""
    span = now.settle(x)
    if not span.start < now.moment <= span.end:
        raise ValueError("it is over, or has not begun")
    return Span(span.start, now.moment, "range")


@rule("so_far_of", "u:unit to_date|so_far", "so_far u:unit", "the? u:unit to_date")
def _to_date(now: Now, u: Unit) -> Span:
    return Span(now.this(u.name).start, now.moment, "range")


@rule("so_far_of", "name:ytd")
def _ytd(now: Now, name: str) -> Span:
    return Span(now.this(name).start, now.moment, "range")


@rule("rest", "later x:when")
def _later(now: Now, x: Value) -> Span:
    return ordered(Span(now.moment, now.settle(x).end, "range"))


# Without an end of its own, or a beginning


def _until_tonight(now: Now, start: datetime) -> Span:
    if start > now.moment:
        raise ValueError("it has not begun yet")
    return Span(start, now.tonight(), "open")


@rule("open", "since x:when since_post?", "x:when since_post")
def _since(now: Now, x: Value) -> Span:
    return _until_tonight(now, now.settle(x).first)


@rule("open", "since c:clock since_post?", "c:clock since_post", "since_at c:clock|hour|bare_late_hour since_post?")
def _since_clock(now: Now, c: Clock) -> Span:
    return _until_tonight(now, latest_at(now, c))


@rule("bare_late_hour", "n:num")
def _bare_late_hour(_: Now, n: Fraction) -> Clock:
    return late(n)


@rule("nope", "from? when to|dash|until clock")
def _until_some_clock(_: Now) -> None:
    """Refuse "yesterday to noon"."""
    raise ValueError("it does not say on which day it ends")


@rule("nope", "since|since_at|before|after|until at? n:num")
def _bare_number(_: Now, n: Fraction) -> None:
    """Refuse "since 9"."""
    raise ValueError(f"{n} alone is no time, write for instance {n}:00 or a date")


@rule("nope", "since n:num letter_h", "since n:num letter_h num")
def _since_h(_: Now, n: Fraction) -> None:
    """Refuse "depuis 8h"; there is no 48 o'clock."""
    kind = AmbiguousError if n < 24 else ValueError
    raise kind(f"{n}h may be {n} hours or {n} o'clock, write the one that is meant")


@rule("open", "since midnight")
def _since_midnight(now: Now) -> Span:
    return _until_tonight(now, now.this("day").start)


@rule("open", "from x:when since_post")
def _from_on(now: Now, x: Value) -> Span:
    return _since(now, x)


@rule("open", "from c:clock since_post")
def _from_clock_on(now: Now, c: Clock) -> Span:
    return _since_clock(now, c)


@rule("nope", "from when", "from clock")
def _from_alone(_: Now) -> None:
    """Refuse "from Monday": it may be since Monday, or what is from that day."""
    raise ValueError("'from' without 'to' may mean since then or only then, write 'since' or leave it out")


@rule("open", "after c:clock")
def _after_clock(now: Now, c: Clock) -> Span:
    return _until_tonight(now, at(now.today, c))


@rule("open", "after x:when", "x:when after_post")
def _after(now: Now, x: Value) -> Span:
    return _until_tonight(now, now.settle(x).last)


@rule("open", "before c:clock|hour", "until c:clock|hour until_post?")
def _before_clock(now: Now, c: Clock) -> Span:
    """Read "before 5 pm", of today."""
    return ordered(Span(now.this("day").start, at(now.today, c), "range"))


@rule("open", "before x:when", "x:when before_post")
def _before(now: Now, x: Value) -> Span:
    return Span(BEGINNING, now.settle(x).first, "open")


@rule(
    "open",
    "until x:when until_post?",
    "x:when until_post",
    "up_to x:now_moment",
    "up_to x:named",
    "up_to the? x:cycle",
    "up_to x:on_day",
)
def _until(now: Now, x: Value) -> Span:
    return Span(BEGINNING, now.settle(x).last, "open")


# All of an expression


@rule("rolling_to_now", "x:rolling|bare e:end_now")
def _rolling_to_now(_: Now, x: Span, e: datetime) -> Span:
    """Read "past week to now", which is no week of the calendar either."""
    return Span(x.start, e, "range")


@rule(
    "time",
    "x:rolling_to_now",
    "x:rolling",
    "x:older",
    "x:when",
    "x:today_at",
    "x:range",
    "x:union",
    "x:open",
    "x:bare",
    "nope",
)
def _time(now: Now, x: Value) -> Span:
    return ordered(now.settle(x))
