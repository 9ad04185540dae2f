"""Spans of time, and what comes again and again (weekdays, months, holidays) before it is known which one is meant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from memory_mcp.search.times.zone import midnight, to_local

YEARS_LOOKED_AT: Final = 9
"""On both sides: 29 February may be eight years away."""


@dataclass(frozen=True, slots=True)
class Span:
    """Instants from `start` until before `end` (aware, UTC), and the kind of period that they are."""

    start: datetime
    end: datetime
    unit: str
    point: datetime | None = None
    """Where the words name an instant ("3 pm"), which ends or begins a longer span exactly."""

    @property
    def first(self) -> datetime:
        """Where a span that begins with this one begins."""
        return self.point or self.start

    @property
    def last(self) -> datetime:
        """Where a span that ends with this one ends."""
        return self.point or self.end

    @property
    def day(self) -> date:
        """The local day on which it begins."""
        return to_local(self.start).date()


@dataclass(frozen=True, slots=True, eq=False)
class Cycle:
    """What comes every year or every week."""

    unit: str
    around: Callable[[date], Iterator[Span]]
    """The occurrences in the years or weeks around a day, in order."""
    of_year: Callable[[int], Span] | None = None
    """The one of a year, where there is one; raises ValueError where that year has none."""

    def latest(self, moment: datetime) -> Span:
        """Return the latest occurrence that has begun at a moment."""
        return _last([span for span in self.around(to_local(moment).date()) if span.start <= moment])

    def over(self, moment: datetime, skipped: int = 0) -> Span:
        """Return the latest occurrence that has ended at a moment, or one that was `skipped` times earlier."""
        ended = [span for span in self.around(to_local(moment).date()) if span.end <= moment]
        return _last(ended[: len(ended) - skipped])

    def coming(self, moment: datetime) -> Span:
        """Return the first occurrence that begins after a moment."""
        return _last([span for span in self.around(to_local(moment).date()) if span.start > moment][:1])

    def within(self, whole: Span) -> Span:
        """Return the only occurrence that begins in a span.

        Raises:
            ValueError: there is none, or more than one.
        """
        if self.of_year and whole.unit == "year":
            return self.of_year(whole.day.year)
        found = [span for span in self.around(whole.day) if whole.start <= span.start < whole.end]
        if len(found) != 1 or (self.of_year is None and whole.end - whole.start > timedelta(days=8)):
            raise ValueError("it does not say which one is meant")
        if found[0].end - found[0].start >= whole.end - whole.start:
            raise ValueError("it says the same time twice")
        return found[0]


def _last(spans: list[Span]) -> Span:
    if not spans:
        raise ValueError("there is no such time")
    return spans[-1]


def yearly(unit: str, of_year: Callable[[int], Span]) -> Cycle:
    """Return what comes once a year, but in years of which `of_year` raises ValueError."""

    def around(day: date) -> Iterator[Span]:
        for year in range(day.year - YEARS_LOOKED_AT, day.year + YEARS_LOOKED_AT + 1):
            try:
                yield of_year(year)
            except (ValueError, OverflowError):
                continue

    return Cycle(unit, around, of_year)


def weekly(unit: str, weekday: int, days: int = 1) -> Cycle:
    """Return what begins on a weekday (Monday is 0) and takes some days."""

    def around(day: date) -> Iterator[Span]:
        monday = day - timedelta(days=day.weekday())
        for weeks in range(-3, 4):
            first = monday + timedelta(days=7 * weeks + weekday)
            yield of_days(unit, first, first + timedelta(days=days))

    return Cycle(unit, around)


def weekends() -> Cycle:
    """Return the Saturdays and Sundays."""
    return weekly("weekend", 5, 2)


def of_days(unit: str, first: date, end: date) -> Span:
    """Return the span of the local days from `first` until before `end`.

    Raises:
        ValueError: it ends before it begins.
    """
    return ordered(Span(midnight(first), midnight(end), unit))


def ordered(span: Span) -> Span:
    """Return the span.

    Raises:
        ValueError: it ends before it begins.
    """
    if span.start >= span.end:
        raise ValueError("it ends before it begins")
    return span
