"""What is named from now (yesterday, last week, this summer) or within something longer (Friday last week)."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

from memory_mcp.search.times.grammar.base import Now, Value, rule
from memory_mcp.search.times.grammar.calendar import month, nth_day_span, nth_weekday, of_end, week_of, weekday
from memory_mcp.search.times.grammar.dates import whole
from memory_mcp.search.times.periods import period, third, turned
from memory_mcp.search.times.spans import Cycle, Span, of_days
from memory_mcp.search.times.words import Unit
from memory_mcp.search.times.zone import to_local

# From now


def _one(u: Unit) -> str:
    """Return the name of a unit that the calendar has; a fortnight is none."""
    if u.count != 1:
        raise ValueError("the calendar has no such period")
    return u.name


@rule("dayname", "all_day x:single_day", "x:single_day all_day")
def _all_day(_: Now, x: Span) -> Span:
    return x


@rule("single_day", "n:day")
def _single_day(now: Now, n: int) -> Span:
    return turned("day", now.today, n)


@rule("dayname", "here? n:day", "whose n:day")
def _day(now: Now, n: int) -> Span:
    return turned("day", now.today, n)


@rule("named", "n:weekday_last")
def _weekday_last(now: Now, n: int) -> Span:
    return weekday(n).within(turned("week", now.today, -1))


@rule("named", "n:weekday_this")
def _weekday_this(now: Now, n: int) -> Span:
    return weekday(n).within(now.this("week"))


@rule("named", "n:weekday_next")
def _weekday_next(now: Now, n: int) -> Span:
    return weekday(n).within(turned("week", now.today, 1))


@rule("named", "n:rel_year")
def _rel_year(now: Now, n: int) -> Span:
    return turned("year", now.today, n)


@rule("named", "last u:unit", "u:unit last_post")
def _last(now: Now, u: Unit) -> Span:
    return turned(_one(u), now.today, -1)


@rule("named", "u:turned")
def _turned(now: Now, u: Unit) -> Span:
    return turned(u.name, now.today, u.count)


@rule("this_unit", "this u:unit", "u:unit this_post", "this u:unit this_post")
def _this(now: Now, u: Unit) -> Span:
    return now.this(_one(u))


@rule("named", "x:this_unit")
def _named_this(_: Now, x: Span) -> Span:
    return x


@rule("named", "next u:unit", "u:unit next_post")
def _next(now: Now, u: Unit) -> Span:
    return turned(_one(u), now.today, 1)


@rule("named", "u:unit before_last", "last2 u:unit", "u:unit last2_post", "last last u:unit")
def _before_last(now: Now, u: Unit) -> Span:
    return turned(_one(u), now.today, -2)


@rule("current", "the u:unit")
def _current(now: Now, u: Unit) -> Span:
    """Read "the month" in "the end of the month"."""
    return now.this(u.name)


@rule("named", "last|roll c:cycle", "c:cycle last_post|last|roll", "last_pre c:cycle")
def _last_cycle(now: Now, c: Cycle) -> Span:
    return c.over(now.moment)


@rule("named", "last2 c:cycle", "c:cycle before_last|last2_post")
def _cycle_before_last(now: Now, c: Cycle) -> Span:
    return c.over(now.moment, 1)


@rule("named", "this c:cycle", "c:cycle this_post")
def _this_cycle(now: Now, c: Cycle) -> Span:
    if c.of_year is None:
        return c.within(now.this("week"))
    begun = c.latest(now.moment)
    if c.unit == "season" and begun.end > now.moment:
        return begun
    this_years = c.of_year(now.today.year)
    if c.unit != "season" or begun.day.year == now.today.year or to_local(begun.end).year != now.today.year:
        return this_years
    return min(begun, this_years, key=lambda span: abs(now.moment - span.start))  # the winter that is nearer


@rule("named", "next c:cycle", "c:cycle next_post")
def _next_cycle(now: Now, c: Cycle) -> Span:
    return c.coming(now.moment)


# Within something longer; `base` is what may stand there


@rule("base", "x:named", "x:ago", "x:ahead", "x:cycle", "x:inside", "x:edge_part", "x:part_of")
def _base(_: Now, x: Value) -> Value:
    return x


@rule("longer", "in? the? x:named", "x:current", "x:ago", "in? the? x:cycle", "in? the? x:edge_part")
def _longer(now: Now, x: Value) -> Span:
    return now.settle(x)


@rule("entire", "x:longer", "x:inside", "u:unit")
def _entire(now: Now, x: Span | None = None, u: Unit | None = None) -> Span:
    """Read "month" in "the last day of the month", where the article may be in "of" (des, del, du)."""
    if u:
        return now.this(u.name)
    assert x is not None  # noqa: S101 - one of them is in each pattern
    return x


@rule("inside", "c:cycle of? x:longer", "x:longer of? on? the? c:cycle")
def _within(_: Now, c: Cycle, x: Span) -> Span:
    """Read "Friday last week"."""
    return c.within(x)


@rule(
    "inside",
    "the? n:dom of x:entire",
    "x:longer of? n:num day_mark",
    "the? n:num suffix x:longer",
)
def _day_within(_: Now, n: int | Fraction, x: Span) -> Span:
    """Read "the 5th of last month"."""
    if x.unit != "month":
        raise ValueError(f"a {x.unit} has no such day")
    number = int(n)
    if number != n or not 1 <= number <= of_end(x).day:
        raise ValueError("the month has no such day")
    return period("day", x.day.replace(day=number))


@rule("edge_part", "n:edge the? x:edged", "n:edge hyphen? x:edged", "x:edged of? n:edge_post", "x:edged of? n:edge")
def _edge(now: Now, n: int, x: Value) -> Span:
    return third(now.settle(x), n)


@rule("edge_part", "early_word x:edged")
def _early(now: Now, x: Value) -> Span:
    return third(now.settle(x), 0)


@rule("edge_part", "late_word x:edged")
def _late(now: Now, x: Value) -> Span:
    return third(now.settle(x), 2)


@rule("edge_part", "n:edge of? the? u:unit", "u:unit n:edge_post")
def _edge_of_current(now: Now, u: Unit, n: int) -> Span:
    """Read "end of year"."""
    return third(now.this(u.name), n)


@rule("edge_part", "n:year_edge")
def _edge_of_year(now: Now, n: int) -> Span:
    """Read "Jahresende"."""
    return third(now.this("year"), n)


@rule("edge_part", "n:year_edge y:year_of", "y:year_of n:year_edge")
def _edge_of_some_year(_: Now, n: int, y: int) -> Span:
    return third(period("year", date(y, 1, 1)), n)


@rule("edge_part", "n:week_edge")
def _edge_of_week(now: Now, n: int) -> Span:
    return third(now.this("week"), n)


@rule("edge_part", "n:month_edge")
def _edge_of_month(now: Now, n: int) -> Span:
    return third(now.this("month"), n)


@rule("edged", "in? of? x:named", "of? x:current", "in? of? x:cycle", "x:decade_bare", "x:ago", "of? x:part_of")
def _edged(_: Now, x: Value) -> Value:
    return x


@rule("decade_bare", "the? tens:decade2 decade_post?")
def _decade_bare(now: Now, tens: int) -> Span:
    year = now.today.year // 100 * 100 + tens
    return period("decade", date(year if year <= now.today.year else year - 100, 1, 1))


@rule("part_of", "the? n:ordinal|nth_only u:unit of? x:longer", "the? c:num suffix u:unit of? x:longer")
@rule("part_of", "x:longer of? nth? the? c:num u:unit", "x:longer of? the? n:ordinal|nth_only u:unit")
def _nth_unit(_: Now, u: Unit, x: Span, n: int = 0, c: Fraction | None = None) -> Span:
    """Read "first week of May"."""
    number = whole(c, 1, 53) if c is not None else n
    if u.count != 1:
        return _fortnight(u, x, number)
    if u.name == "weekend":
        saturday = nth_weekday(5, x, number)
        return of_days("weekend", saturday.day, saturday.day + timedelta(days=2))
    return nth_day_span(u.name, x, number)


def _fortnight(u: Unit, x: Span, number: int) -> Span:
    """Read "la primera quincena de mayo", which ends with its 15th day."""
    if u != Unit("week", 2) or x.unit != "month" or number > 2:
        raise ValueError("it does not say which days are meant")
    middle = x.day + timedelta(days=15)
    return of_days("range", x.day, middle) if number == 1 else of_days("range", middle, of_end(x) + timedelta(days=1))


@rule("part_of", "the? n:ordinal|nth_only w:weekday of x:entire", "the? c:num suffix w:weekday of x:entire")
def _nth_weekday(_: Now, w: int, x: Span, n: int = 0, c: Fraction | None = None) -> Span:
    return nth_weekday(w, x, whole(c, 1, 5) if c is not None else n)


@rule("part_of", "the? last|roll|last_pre w:weekday of x:entire", "the? last_pre|roll|last w:weekday x:longer")
def _last_weekday(_: Now, w: int, x: Span) -> Span:
    return nth_weekday(w, x, -1)


@rule("part_of", "the? last|roll|last_pre u:unit of x:entire")
def _last_unit(_: Now, u: Unit, x: Span) -> Span:
    """Read "the last week of May", its last seven days."""
    return _end_of(x, u, 1)


@rule("part_of", "the? last|roll|last_pre c:num u:any_unit of x:entire")
def _last_units(_: Now, c: Fraction, u: Unit, x: Span) -> Span:
    return _end_of(x, u, whole(c, 1, 99))


def _end_of(x: Span, u: Unit, count: int) -> Span:
    _one(u)
    end = of_end(x) + timedelta(days=1)
    if u.name == "weekend":
        sunday = nth_weekday(6, x, -1)
        return of_days("weekend", sunday.day - timedelta(days=1), sunday.day + timedelta(days=1))
    if u.name in {"day", "week"}:
        return _shorter(of_days(u.name, end - timedelta(days=count * (7 if u.name == "week" else 1)), end), x)
    first = turned(u.name, of_end(x), 1 - count)
    return _shorter(Span(first.start, x.end, u.name), x)


@rule("part_of", "the? n:ordinal c:num u:any_unit of x:entire", "the? c:num n:ordinal u:any_unit of x:entire")
def _first_units(_: Now, n: int, c: Fraction, u: Unit, x: Span) -> Span:
    """Read "the first three days of May"."""
    _one(u)
    if n != 1:
        raise ValueError("only the first so many are meant")
    count = whole(c, 1, 99)
    last = nth_day_span(u.name, x, count)
    return _shorter(Span(x.start, last.end, "range"), x)


def _shorter(part: Span, of: Span) -> Span:
    if part.start < of.start:
        raise ValueError(f"a {of.unit} has not so many")
    return part


@rule("part_of", "workdays of? x:longer", "the? x:longer in_post? workdays")
def _workdays(_: Now, x: Span) -> Span:
    """Read "weekdays last week"."""
    if x.unit != "week":
        raise ValueError(f"a {x.unit} has other days between them")
    return of_days("range", x.day, x.day + timedelta(days=5))


@rule("part_of", "the? n:ordinal|nth_only m:month_week of? y:year_of?", "the? c:num suffix m:month_week of? y:year_of?")
def _month_week(now: Now, m: int, n: int = 0, c: Fraction | None = None, y: int = 0) -> Span:
    """Read "in der ersten Märzwoche"."""
    return _nth_unit(now, Unit("week"), _month(now, m, y), n, c)


@rule("part_of", "the? last|roll m:month_week of? y:year_of?")
def _last_month_week(now: Now, m: int, y: int = 0) -> Span:
    return _end_of(_month(now, m, y), Unit("week"), 1)


@rule("part_of", "the? n:ordinal m:month_half of? y:year_of?", "the? c:num suffix m:month_half of? y:year_of?")
def _month_half(now: Now, m: int, n: int = 0, c: Fraction | None = None, y: int = 0) -> Span:
    return _half_of(now, whole(c if c is not None else Fraction(n), 1, 2), _month(now, m, y))


def _month(now: Now, number: int, year: int) -> Span:
    return period("month", date(year, number, 1)) if year else month(number).latest(now.moment)


@rule("part_of", "the? n:which_half x:halved", "x:halved n:which_half", "n:which_half of? y:halved")
def _half_of(_: Now, n: int, x: Span | None = None, y: Span | None = None) -> Span:
    """Read "second half of 2024"."""
    split = x or y
    assert split is not None  # noqa: S101 - one of them is in each pattern
    steps = {"year": "half", "month": "day"}
    if split.unit == "year":
        return nth_day_span(steps["year"], split, n)
    if split.unit == "month":
        middle = split.day + timedelta(days=15)
        return (
            of_days("range", split.day, middle)
            if n == 1
            else of_days("range", middle, of_end(split) + timedelta(days=1))
        )
    raise ValueError(f"a {split.unit} is not halved")


@rule("halved", "of? in? the? x:named", "of? x:current", "of? in? the? x:cycle", "of? x:ago")
def _halved(now: Now, x: Value) -> Span:
    return now.settle(x)


@rule("which_half", "first_half")
def _first_half(_: Now) -> int:
    return 1


@rule("which_half", "second_half")
def _second_half(_: Now) -> int:
    return 2


@rule("part_of", "in? the? week_word of? x:anchor")
def _week_of(now: Now, x: Value) -> Span:
    """Read "the week of May 6"."""
    return week_of(now.settle(x))


@rule("week_word", "u:unit of", "u:unit of of")
def _week_word(_: Now, u: Unit) -> None:
    if u != Unit("week"):
        raise ValueError(f"a {u.name} is not named by a day in it")


@rule("anchor", "x:dayname", "on? the? x:named", "on? the? x:cycle", "x:inside", "the? x:part_of", "x:ago", "x:current")
def _anchor(_: Now, x: Value) -> Value:
    return x
