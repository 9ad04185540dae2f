"""The day, month, season or year that a question names: "in May", "on 3 June", "last summer".

What is meant to be a filter goes through `times`, which understands far more and refuses the rest. Here a time that is
overlooked costs nothing, and one that is misread costs little, so patterns that are quick to try are enough.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Final

from memory_mcp.domain.errors import InvalidArgumentError
from memory_mcp.search.times import interval
from memory_mcp.search.times.zone import to_local

_MONTHS: Final = (
    "january|januar|jänner|janvier|enero|gennaio|janeiro",
    "february|februar|février|febrero|febbraio|fevereiro",
    "march|märz|mars|marzo|março",
    "april|avril|abril|aprile",
    "may|mai|mayo|maggio|maio",
    "june|juni|juin|junio|giugno|junho",
    "july|juli|juillet|julio|luglio|julho",
    "august|août|agosto",
    "september|septembre|septiembre|settembre|setembro",
    "october|oktober|octobre|octubre|ottobre|outubro",
    "november|novembre|noviembre|novembro",
    "december|dezember|décembre|diciembre|dicembre|dezembro",
)
_SEASONS: Final = {
    3: "spring|frühling|frühjahr|printemps|primavera",
    6: "summer|sommer|été|verano|estate|verão",
    9: "autumn|fall|herbst|automne|otoño|autunno|outono",
    12: "winter|hiver|invierno|inverno",
}
"""By the month that they begin with."""

_PREPOSITION: Final = (
    r"(?:in|on|during|since|until|till|by|around|early|mid|late|im|am|ab|seit|bis|anfang|mitte|ende|en|au|depuis|"
    r"el|desde|em|no|na|nel|nell|a|da|di|de)(?: the| of| dem| der|['’])?[ -]?"
)
_RELATIVE: Final = (
    r"yesterday|today|(?:last|this) (?:week(?:end)?|month|year|spring|summer|autumn|fall|winter)|"
    r"gestern|heute|(?:letzte|diese)[nrms]? (?:woche|monat|jahr|frühling|sommer|herbst|winter)"
)


@dataclass(frozen=True, slots=True)
class NamedTime:
    """Local days that a query names."""

    first: date
    last: date
    every_year: bool = False
    """Whether the year is left open: "in May"."""

    def __str__(self) -> str:
        """Return the first and the last day in ISO 8601, without a year that is left open."""
        days = (self.first.isoformat(), self.last.isoformat())
        return "/".join(day.partition("-")[2] if self.every_year else day for day in days)

    def days_from(self, moment: datetime) -> int:
        """Return how many days a moment (aware) is outside of them; 0 within."""
        try:
            day = to_local(moment).date()
            years = (day.year - 1, day.year, day.year + 1) if self.every_year else (self.first.year,)
            return min(max((first - day).days, (day - last).days, 0) for first, last in map(self._in, years))
        except (ValueError, OverflowError):  # the first and last years of the calendar have no neighbours
            return (date.max - date.min).days

    def _in(self, year: int) -> tuple[date, date]:
        first = _day(year, self.first.month, self.first.day)
        return first, first + (self.last - self.first)


def named_times(text: str, now: datetime) -> tuple[NamedTime, ...]:
    """Return the times that a text names.

    Args:
        text: English, German, French, Spanish, Italian or Portuguese; dates in digits in any language.
        now: the moment (aware) that "last week" is relative to.
    """
    found = _pattern().finditer(text.lower())  # a third of the time that ignoring the case takes
    return tuple(dict.fromkeys(time for match in found for time in _read(match, now)))


@cache
def _pattern() -> re.Pattern[str]:
    months, seasons = "|".join(_MONTHS), "|".join(_SEASONS.values())
    year, number = r"(?:19|20)\d\d", r"\d{1,2}"
    day = rf"{number}(?:st|nd|rd|th|\.|º|er)?"
    of = r"\ (?:of\ |de\ )?"
    preposition, relative = (words.replace(" ", r"\ ") for words in (_PREPOSITION, _RELATIVE))
    return re.compile(
        rf"""(?P<kanji_year>{year})年(?:(?P<kanji_month>{number})月(?:(?P<kanji_day>{number})日)?)?
        | (?<![\w.,/-])(?:
            (?P<relative>{relative})(?!\ {year})
          | (?:{preposition})?(?:
                (?P<iso>{year}-\d\d-\d\d)
              | (?P<dotted>{number}\.\s?{number}\.{year})
              | (?P<day>{day}){of}(?P<day_month>{months})(?:,?{of}(?P<day_year>{year}))?
              | (?P<month_first>{months})\ (?P<month_day>{day})(?!:)(?:,?\ (?P<month_day_year>{year}))?
              | (?P<month>{months}),?{of}(?P<month_year>{year})
              | (?P<season>{seasons}){of}(?P<season_year>{year})
            )
          | {preposition}(?:(?P<any_month>{months})|(?P<any_season>{seasons})|(?P<year>{year}))
          )(?![\w-])""",
        re.VERBOSE,
    )


def _read(match: re.Match[str], now: datetime) -> Iterator[NamedTime]:
    """Yield what a match names; nothing where there is no such day."""
    found = {name: value for name, value in match.groupdict().items() if value is not None}
    try:
        if time := _relative(found, now) or _numeric(found) or _of_year(found):
            yield time
    except (ValueError, OverflowError, InvalidArgumentError):  # 31 February; a year that the system does not know
        return


def _relative(found: dict[str, str], now: datetime) -> NamedTime | None:
    if "relative" not in found:
        return None
    start, end = interval(found["relative"], now)
    return NamedTime(to_local(start).date(), to_local(end - timedelta(seconds=1)).date())


def _numeric(found: dict[str, str]) -> NamedTime | None:
    if "iso" in found:
        day = date.fromisoformat(found["iso"])
        return NamedTime(day, day)
    if "dotted" in found:
        number, month, year = map(int, found["dotted"].split("."))
        return _month(month, year, number)
    if "kanji_year" in found:
        year = int(found["kanji_year"])
        day_number = found.get("kanji_day")
        if "kanji_month" not in found:
            return _year(year)
        return _month(int(found["kanji_month"]), year, int(day_number) if day_number else None)
    return _year(int(found["year"])) if "year" in found else None


def _of_year(found: dict[str, str]) -> NamedTime | None:
    for name, number, year in (
        ("day_month", "day", "day_year"),
        ("month_first", "month_day", "month_day_year"),
        ("month", "", "month_year"),
        ("any_month", "", ""),
    ):
        if name in found:
            day = found.get(number)
            return _month(_number_of(found[name]), _int(found.get(year)), _int(day))
    season = found.get("season") or found.get("any_season")
    return _season(season, _int(found.get("season_year"))) if season else None


def _int(text: str | None) -> int | None:
    return int(re.sub(r"\D", "", text)) if text else None


def _number_of(month: str) -> int:
    return next(number for number, names in enumerate(_MONTHS, 1) if month in names.split("|"))


def _month(month: int, year: int | None, day: int | None) -> NamedTime:
    some_year = year or _LEAP_YEAR
    first = date(some_year, month, day or 1)
    last = first if day else _next_month(first) - timedelta(days=1)
    return NamedTime(first, last, every_year=year is None)


def _season(name: str, year: int | None) -> NamedTime:
    begins = next(month for month, names in _SEASONS.items() if name in names.split("|"))
    first = date(year or _LEAP_YEAR, begins, 1)
    end = _next_month(_next_month(_next_month(first)))
    return NamedTime(first, end - timedelta(days=1), every_year=year is None)


def _year(year: int) -> NamedTime:
    return NamedTime(date(year, 1, 1), date(year, 12, 31))


_LEAP_YEAR: Final = 2000
"""Has every day that some year has."""


def _next_month(first: date) -> date:
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)


def _day(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:  # 29 February of another year
        return date(year, month, day - 1)
