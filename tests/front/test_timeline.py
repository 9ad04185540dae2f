"""How many memories were created when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_mcp.domain.models import Chunk, Embedded, Filters, NewMemory
from memory_mcp.memories.timeline import LONGEST, Density, Timeline, TimeUnit, edges_of, unit_for
from tests.fakes.store import FakeStore

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(-61_000_000_000, 252_000_000_000).map(lambda seconds: EPOCH + timedelta(seconds=seconds))


async def density(*moments: datetime, after: datetime | None = None, before: datetime | None = None) -> Density:
    """Count memories of these moments."""
    store = FakeStore()
    whole = Embedded((Chunk(0, 1),), None)
    await store.add([(NewMemory(f"{at}", "here", created_at=moment), whole) for at, moment in enumerate(moments)])
    return await Timeline(store).density(Filters("here", after=after, before=before))


async def test_nothing_has_no_bars() -> None:
    """An empty store is no error."""
    assert (await density()).bars == ()


@pytest.mark.usefixtures("in_berlin")
async def test_days_are_those_of_the_local_clock() -> None:
    """A day in which the clocks change has 23 or 25 hours, and counts what its date says."""
    nights = [datetime(2025, 3, 29, 22, 30, tzinfo=UTC), datetime(2025, 3, 29, 23, 30, tzinfo=UTC)]
    days = (await density(*nights, datetime(2025, 4, 20, tzinfo=UTC))).bars
    assert [(bar.since.astimezone().date().isoformat(), bar.memories) for bar in days[:2]] == [
        ("2025-03-29", 1),
        ("2025-03-30", 1),
    ]
    assert [(bar.until - bar.since) / timedelta(hours=1) for bar in days[:3]] == [24, 23, 24]
    back = (await density(datetime(2025, 10, 26, tzinfo=UTC), datetime(2025, 11, 20, tzinfo=UTC))).bars
    assert (back[0].until - back[0].since) / timedelta(hours=1) == 25


@pytest.mark.usefixtures("in_berlin")
async def test_the_hour_that_comes_twice_is_two() -> None:
    """Hours are as long as a clock takes, so that none counts the memories of two."""
    twice = [datetime(2025, 10, 26, hour, 30, tzinfo=UTC) for hour in (0, 1)]
    hours = await density(*twice)
    assert (hours.unit, [bar.memories for bar in hours.bars]) == (TimeUnit.HOUR, [1, 1])


async def test_an_interval_is_widened_to_whole_units_and_knows_the_rest() -> None:
    """What lies outside is not counted; the first and the last memory are told, so that one can zoom out."""
    moments = [datetime(2020, 1, 1, tzinfo=UTC), datetime(2025, 5, 5, 12, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)]
    found = await density(
        *moments, after=datetime(2025, 5, 5, 11, 30, tzinfo=UTC), before=datetime(2025, 5, 20, tzinfo=UTC)
    )
    assert (found.unit, found.memories, found.first, found.last) == (TimeUnit.DAY, 1, moments[0], moments[2])
    assert found.bars[0].memories == 1


@pytest.mark.parametrize(
    ("length", "unit"), [(timedelta(hours=1), TimeUnit.HOUR), *((most, unit) for unit, most in LONGEST)]
)
def test_the_unit_is_the_finest_of_which_some_hundred_fit(length: timedelta, unit: TimeUnit) -> None:
    """A wish can only make it coarser."""
    assert unit_for(length) is unit
    assert unit_for(length, TimeUnit.HOUR) is unit
    assert unit_for(timedelta(hours=1), unit) is unit


@given(MOMENTS, st.integers(1, 40_000), st.sampled_from(list(TimeUnit)))
def test_units_follow_one_another_and_cover_the_interval(since: datetime, hours: int, unit: TimeUnit) -> None:
    """Whatever the zone's history."""
    until = since + timedelta(hours=hours)
    edges = list(edges_of(since, until, unit_for(until - since, unit)))
    assert edges[0] <= since
    assert edges[-1] >= until
    assert all(one < other for one, other in pairwise(edges))
    assert 2 <= len(edges) <= 450


async def test_every_memory_is_counted_once() -> None:
    """Also the first, the last, and those of one moment."""
    moments = [
        datetime(12, 1, 3, tzinfo=UTC),
        *[datetime(2025, 5, 5, tzinfo=UTC)] * 3,
        datetime(9979, 12, 1, tzinfo=UTC),
    ]
    assert (await density(*moments)).memories == 5
