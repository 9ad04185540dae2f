"""How many memories were created when, by hours, days, weeks, months or years of the local time zone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final

from memory_mcp.domain.models import Filters
from memory_mcp.domain.ports import Snapshot, Snapshots

FIRST: Final = datetime(11, 1, 2, tzinfo=UTC)
LAST: Final = datetime(9980, 1, 1, tzinfo=UTC)
"""Within these, every decade begins at a time that Python knows; what lies beyond is not shown."""


_TINY: Final = timedelta(microseconds=1)


class TimeUnit(StrEnum):
    """What is counted together."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"
    DECADE = "decade"


LONGEST: Final = (
    (TimeUnit.HOUR, timedelta(days=4)),
    (TimeUnit.DAY, timedelta(days=400)),
    (TimeUnit.WEEK, timedelta(days=366 * 6)),
    (TimeUnit.MONTH, timedelta(days=366 * 30)),
    (TimeUnit.YEAR, timedelta(days=366 * 400)),
)
"""The longest interval that is shown in a unit, so that a chart has some hundred bars at most."""


@dataclass(frozen=True, slots=True)
class Bar:
    """The memories of one unit of time."""

    since: datetime
    until: datetime
    memories: int


@dataclass(frozen=True, slots=True)
class Density:
    """The memories of an interval."""

    unit: TimeUnit
    bars: tuple[Bar, ...]
    first: datetime | None = None
    """When the first memory of all was created that the filters let pass, whatever the interval."""
    last: datetime | None = None

    @property
    def memories(self) -> int:
        """How many there are in all bars."""
        return sum(bar.memories for bar in self.bars)


class Timeline:
    """Counts memories by the time of their creation."""

    def __init__(self, store: Snapshots) -> None:
        self._store = store

    async def density(self, filters: Filters, unit: TimeUnit | None = None) -> Density:
        """Count the memories that pass the filters, from `after` to `before` where these are given.

        The interval is widened to whole units; without a unit, the finest that its length allows is taken.
        """

        def count(snapshot: Snapshot) -> Density:
            extent = snapshot.extent(replace(filters, after=None, before=None))
            if extent is None:
                return Density(unit or TimeUnit.DAY, ())
            first, last = extent
            since = _within(filters.after or first)
            until = max(_within(filters.before or last + _TINY), since + _TINY)
            chosen = unit_for(until - since, unit)
            edges = list(edges_of(since, until, chosen))
            counts = snapshot.density(replace(filters, after=None, before=None), edges)
            bars = zip(edges, edges[1:], counts, strict=False)
            return Density(chosen, tuple(Bar(*bar) for bar in bars), first, last)

        return await self._store.read(count)


def _within(moment: datetime) -> datetime:
    return min(max(moment, FIRST), LAST)


def unit_for(length: timedelta, wished: TimeUnit | None = None) -> TimeUnit:
    """Return the finest unit for an interval; a coarser one if that is wished for."""
    finest = next((unit for unit, longest in LONGEST if length <= longest), TimeUnit.DECADE)
    order = list(TimeUnit)
    return finest if wished is None else max(finest, wished, key=order.index)


def edges_of(since: datetime, until: datetime, unit: TimeUnit) -> Iterator[datetime]:
    """Yield where the units begin that cover an interval, and where the last one ends."""
    edge = _begin(since, unit)
    yield edge
    while edge < until:
        edge = _next(edge, unit)
        yield edge


def _begin(moment: datetime, unit: TimeUnit) -> datetime:
    """Return when the unit began in which a moment lies."""
    if unit is TimeUnit.HOUR:
        local = moment.astimezone()
        return moment - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    return _midnight(_BEGINS[unit](moment.astimezone().date()))


def _next(edge: datetime, unit: TimeUnit) -> datetime:
    """Return when the next unit begins; an hour is as long as a clock takes, whatever the clocks show."""
    if unit is TimeUnit.HOUR:
        return edge + timedelta(hours=1)
    day = edge.astimezone().date()
    return _midnight(_BEGINS[unit](_BEGINS[unit](day) + _MORE[unit]))


def _midnight(day: date) -> datetime:
    """Return when a local day begins."""
    local = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - in the zone of the C library, as `domain.localtime`
    return datetime.fromtimestamp(local.timestamp(), UTC)  # astimezone() is an hour off where clocks skip midnight


_BEGINS: Final[dict[TimeUnit, Callable[[date], date]]] = {
    TimeUnit.DAY: lambda day: day,
    TimeUnit.WEEK: lambda day: day - timedelta(days=day.weekday()),
    TimeUnit.MONTH: lambda day: day.replace(day=1),
    TimeUnit.YEAR: lambda day: day.replace(month=1, day=1),
    TimeUnit.DECADE: lambda day: day.replace(year=max(1, day.year // 10 * 10), month=1, day=1),
}
"""The first day of the unit with a day."""
_MORE: Final = {
    TimeUnit.DAY: timedelta(days=1),
    TimeUnit.WEEK: timedelta(days=7),
    TimeUnit.MONTH: timedelta(days=32),
    TimeUnit.YEAR: timedelta(days=367),
    TimeUnit.DECADE: timedelta(days=3_660),
}
"""From a unit's first day into the next one."""
