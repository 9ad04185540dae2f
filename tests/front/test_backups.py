"""Which backups are taken and kept, and what else is done once an hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_mcp.domain.errors import NotFoundError, StoreError
from memory_mcp.domain.models import Condition, MissedChanges
from memory_mcp.health.registry import Registry
from memory_mcp.maintenance.backups import DAILY, WEEKLY, Backups, to_keep
from memory_mcp.maintenance.upkeep import EVERY_S, FIRST_S, LEASE, RETENTION, Upkeep, register
from tests.contracts.shelf import HERE, events, listed, put
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore

DAY_S = 86_400.0
START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
moments = st.sets(st.integers(0, 24 * 100).map(lambda hours: START + timedelta(hours=hours)), max_size=60)


@given(moments)
def test_the_newest_of_each_day_and_week_are_kept(held: set[datetime]) -> None:
    """Of the latest 7 days and 4 weeks that have any; the newest of all is always among them."""
    kept = to_keep(held)
    assert kept <= held
    assert len(kept) <= DAILY + WEEKLY
    assert not held or max(held) in kept
    newest_days = {max(m for m in held if m.date() == day) for day in sorted({m.date() for m in held})[-DAILY:]}
    weeks = sorted({m.isocalendar()[:2] for m in held})[-WEEKLY:]
    newest_weeks = {max(m for m in held if m.isocalendar()[:2] == week) for week in weeks}
    assert kept == newest_days | newest_weeks


def test_a_year_of_daily_backups_leaves_a_month_of_them() -> None:
    """Taken each evening and dropped each time: a week of days, and a month of weeks."""
    held: set[datetime] = set()
    for day in range(365):
        held = to_keep(held | {START + timedelta(days=day, hours=18)})
    last = START + timedelta(days=364, hours=18)
    assert sorted(held, reverse=True)[:DAILY] == [last - timedelta(days=day) for day in range(DAILY)]
    assert sorted(held)[:2] == [
        last - timedelta(days=15),
        last - timedelta(days=8),
    ]  # Sundays; the last day is a Monday
    assert len(held) == DAILY + 2


@pytest.fixture
def clock() -> FakeClock:
    """Start in 2026."""
    clock = FakeClock()
    clock.now = START.timestamp()
    return clock


async def test_two_backups_of_a_second_have_two_names(tmp_path: Path, clock: FakeClock) -> None:
    """Neither is refused, and both are backups by their names."""
    store = FakeStore(clock)
    await put(store, "one")
    backups = Backups(store, tmp_path, clock)
    paths = [await backups.take(), await backups.take()]
    assert sorted(paths) == sorted(held.path for held in backups.held())


async def test_only_a_backup_of_the_folder_is_verified(tmp_path: Path, clock: FakeClock) -> None:
    """By the name of its file: no path leads elsewhere."""
    store = FakeStore(clock)
    await put(store, "one")
    backups = Backups(store, tmp_path / "backups", clock)
    path = await backups.take()
    assert await backups.verify(path.name) == []
    (tmp_path / path.name).write_bytes(path.read_bytes())
    for name in (f"../{path.name}", str(path), "memories-20260302T000000Z-9.db"):
        with pytest.raises(NotFoundError, match="there is no backup"):
            await backups.verify(name)


async def test_a_backup_is_due_after_a_day_with_writes(tmp_path: Path, clock: FakeClock) -> None:
    """The first at once; then none within a day, and none of a store that did not change."""
    store = FakeStore(clock)
    backups = Backups(store, tmp_path, clock)
    assert await backups.take_if_due() is None
    await put(store, "one")
    assert await backups.take_if_due() == tmp_path / "memories-20260302T000000Z-1.db"
    await put(store, "two")
    clock.advance(DAY_S - 1)
    assert await backups.take_if_due() is None
    clock.advance(1)
    assert await backups.take_if_due() is not None
    clock.advance(DAY_S)
    assert await backups.take_if_due() is None
    assert [held.generation for held in backups.held()] == [2, 1]


async def test_a_clock_that_was_set_back_does_not_stop_backups(tmp_path: Path, clock: FakeClock) -> None:
    """A backup from the future is none of the last day."""
    store = FakeStore(clock)
    backups = Backups(store, tmp_path, clock)
    await put(store, "one")
    clock.advance(400 * DAY_S)
    await backups.take_if_due()
    clock.advance(-400 * DAY_S)
    await put(store, "two")
    assert await backups.take_if_due() is not None


async def test_backups_of_a_clock_that_ran_ahead_neither_count_nor_crowd_out(tmp_path: Path, clock: FakeClock) -> None:
    """After months of backups from the future, one a day is taken and kept; those stay until their time comes."""
    store = FakeStore(clock)
    backups = Backups(store, tmp_path, clock)
    clock.advance(400 * DAY_S)
    for number in range(60):
        await put(store, f"ahead {number}")
        await backups.take_if_due()
        clock.advance(DAY_S)
    ahead = backups.held()
    clock.now = START.timestamp()
    for number in range(3):
        await put(store, f"right {number}")
        path = await backups.take_if_due()
        assert path is not None
        await put(store, f"later {number}")
        assert await backups.take_if_due() is None
        assert path.exists()
        clock.advance(DAY_S)
    assert set(ahead) < set(backups.held())


async def test_what_a_restore_kept_aside_goes_after_a_month(tmp_path: Path, clock: FakeClock) -> None:
    """All of it stays for 30 days, and the latest for good."""
    store = FakeStore(clock)
    backups = Backups(store, tmp_path, clock)
    await put(store, "one")
    path = await backups.take()
    asides = [await backups.restore(path) for _ in range(2)]
    clock.advance(DAY_S)
    asides.append(await backups.restore(path))
    for days, left in ((29, asides), (2, asides[2:]), (400, asides[2:])):
        clock.advance(days * DAY_S)
        await put(store, f"after {days} more days")
        await backups.take_if_due()
        assert sorted(tmp_path.glob("before-restore-*")) == sorted(filter(None, left))


async def test_old_backups_go_and_strangers_stay(tmp_path: Path, clock: FakeClock) -> None:
    """Only files with a backup's own name are ever removed."""
    store = FakeStore(clock)
    backups = Backups(store, tmp_path, clock)
    strangers = ["memories-mine.db", "before-restore-20200101T000000Z.db", "memories-20200101T000000Z-1.db.txt"]
    for name in strangers:
        (tmp_path / name).write_text("mine")
    for number in range(40):
        await put(store, f"memory {number}")
        await backups.take_if_due()
        clock.advance(DAY_S)
    assert len(backups.held()) <= DAILY + WEEKLY
    assert all((tmp_path / name).exists() for name in strangers)


async def test_a_restored_backup_keeps_what_was_there(tmp_path: Path, clock: FakeClock) -> None:
    """The newest backup comes back, and the file that is kept aside holds what it replaced."""
    store = FakeStore(clock)
    backups = Backups(store, tmp_path, clock)
    await put(store, "one")
    path = await backups.take()
    await put(store, "two")
    aside = await backups.restore(path)
    assert await listed(store) == ["one"]
    assert aside is not None
    await store.restore(aside, tmp_path / "again")
    assert await listed(store) == ["two", "one"]


def make(store: FakeStore, folder: Path, clock: FakeClock) -> Upkeep:
    """Make the upkeep of one front."""
    return Upkeep(store, Backups(store, folder, clock), clock=clock, monotonic=clock)


async def test_upkeep_is_done_a_minute_after_the_start_and_then_hourly(tmp_path: Path, clock: FakeClock) -> None:
    """What was deleted 30 days ago is purged and a backup is taken, but not by a front that only looks in."""
    store = FakeStore(clock)
    await put(store, "gone", id="a")
    await put(store, "stays", id="b")
    await store.delete(["a"], HERE, dry_run=False)
    clock.advance(RETENTION.total_seconds() + 1)
    upkeep = make(store, tmp_path, clock)
    await upkeep.run_if_due()
    assert (await store.deleted("a", "here")).content == "gone"
    clock.advance(FIRST_S)
    await upkeep.run_if_due()
    with pytest.raises(NotFoundError):
        await store.deleted("a", "here")
    assert len(list(tmp_path.iterdir())) == 1
    await store.delete(["b"], HERE, dry_run=False)
    clock.advance(EVERY_S - 1)
    await upkeep.run_if_due()
    assert (await store.deleted("b", "here")).content == "stays"


async def test_the_change_log_is_pruned_of_what_is_older_than_the_setting(clock: FakeClock) -> None:
    """Of ten days with a write each the last three are kept; who has read less is told to start over."""
    store = FakeStore(clock)
    upkeep = Upkeep(store, None, keep_changes=timedelta(days=3), clock=clock, monotonic=clock)
    for day in range(10):
        await put(store, f"text {day}")
        clock.advance(DAY_S)
    await upkeep.run_if_due()
    assert await store.events(6, 99) == MissedChanges(10)
    assert [event.seq for event in await events(store, 7)] == [8, 9, 10]


async def test_one_front_does_the_upkeep(tmp_path: Path, clock: FakeClock) -> None:
    """While another one holds the lease nothing is done, and the lease is given back afterwards."""
    store = FakeStore(clock)
    await put(store, "text")
    upkeep = make(store, tmp_path, clock)
    clock.advance(FIRST_S)
    await store.acquire_lease(LEASE, "another", 60)
    await upkeep.run_if_due()
    assert list(tmp_path.iterdir()) == []
    clock.advance(EVERY_S)
    await upkeep.run_if_due()
    assert len(list(tmp_path.iterdir())) == 1
    assert await store.acquire_lease(LEASE, "another", 60)


async def test_a_backup_that_fails_is_told_by_health(tmp_path: Path, clock: FakeClock) -> None:
    """The upkeep is degraded, with the cause and a fix, until a backup succeeds."""
    store = FakeStore(clock)
    await put(store, "text")
    upkeep = make(store, tmp_path / "file" / "folder", clock)
    (tmp_path / "file").write_text("in the way")
    clock.advance(FIRST_S)
    health = Registry()
    register(health, upkeep, read_only=False)
    with pytest.raises(StoreError):
        await upkeep.run_if_due()
    finding = (await health.live()).parts["upkeep"]
    assert (finding.condition, str(tmp_path / "file") in finding.cause) == (Condition.DEGRADED, True)
    assert "memory-mcp restore" in finding.fix
    (tmp_path / "file").unlink()
    clock.advance(EVERY_S)
    await upkeep.run_if_due()
    assert (await health.live()).parts["upkeep"].condition is Condition.OK
