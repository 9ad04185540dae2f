"""The change log forgets what is old, and tells every reader who would have needed it."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory_mcp.domain.errors import ConflictError, NotFoundError
from memory_mcp.domain.models import Change, MissedChanges
from memory_mcp.domain.ports import Store
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.shelf import HERE, Copied, events, faults, offer, put, whole
from tests.fakes.clock import FakeClock
from tests.fakes.shelves import EPOCH
from tests.fakes.store import FakeStore

DAY = 86_400.0


def at(seconds: float) -> datetime:
    """Return the moment at which the store's clock shows so many seconds."""
    return EPOCH + timedelta(seconds=seconds)


async def prune(store: Store, before: datetime) -> int:
    """Prune until nothing is left to be pruned; return how many went."""
    pruned = 0
    while count := await store.prune_changes(before):
        pruned += count
    return pruned


async def test_old_writes_are_forgotten_and_new_ones_told(store: Store, clock: FakeClock) -> None:
    """Who has read up to the floor goes on as before; who has not is told to start over from the latest write."""
    for day in range(10):
        clock.now = day * DAY
        await put(store, f"text {day}", id=f"m{day}")
    assert await prune(store, at(7 * DAY)) == 7
    assert await prune(store, at(7 * DAY)) == 0
    assert [event.memory_ids for event in await events(store, 7)] == [("m7",), ("m8",), ("m9",)]
    assert [await store.events(after, 5) for after in (0, 6)] == [MissedChanges(10), MissedChanges(10)]
    assert await store.generation() == 10
    assert await prune(store, at(9 * DAY)) == 2
    assert await store.events(7, 5) == MissedChanges(10)
    assert [event.memory_ids for event in await events(store, 9)] == [("m9",)]
    assert await faults(store) == []


async def test_the_latest_write_is_never_forgotten(store: Store, clock: FakeClock) -> None:
    """However old everything is, the generation stays where it is and goes on from there."""
    for number in range(5):
        await put(store, f"text {number}")
    clock.advance(DAY)
    assert await prune(store, at(DAY)) == 4
    assert (await store.generation(), [event.seq for event in await events(store, 4)]) == (5, [5])
    await put(store, "new")
    assert await store.generation() == 6
    assert await prune(store, at(DAY)) == 1
    assert await events(store, 6) == []
    assert await faults(store) == []


async def test_nothing_is_forgotten_of_an_empty_store(store: Store, clock: FakeClock) -> None:
    """A store that was never written has no old writes."""
    clock.advance(DAY)
    assert await store.prune_changes(at(DAY)) == 0
    assert (await store.generation(), await events(store)) == (0, [])


async def test_a_clock_that_was_wrong_does_not_keep_the_log(store: Store, clock: FakeClock) -> None:
    """Writes that seem to be of the future go with what was written after them."""
    clock.now = 1_000 * DAY
    await put(store, "ahead")
    clock.now = DAY
    await put(store, "right")
    clock.now = 40 * DAY
    await put(store, "today")
    assert await prune(store, at(10 * DAY)) == 2
    assert [event.seq for event in await events(store, 2)] == [3]


async def test_a_restored_store_goes_on_behind_its_own_floor(copied: Copied, clock: FakeClock, tmp_path: Path) -> None:
    """Neither a backup with a longer log nor one with a shorter log lets a generation come twice."""
    for number in range(4):
        await put(copied, f"text {number}")
    await copied.backup(tmp_path / "long")
    clock.advance(DAY)
    await prune(copied, at(DAY))
    await copied.backup(tmp_path / "short")
    await copied.restore(tmp_path / "long", tmp_path / "aside")
    assert await copied.generation() == 5
    assert [event.kind for event in await events(copied, 3)] == ["store", "restore"]
    await copied.restore(tmp_path / "short", tmp_path / "aside-2")
    assert await copied.generation() == 6
    assert (await events(copied, 5))[0].kind == "restore"
    assert await copied.events(2, 9) == MissedChanges(6)
    assert await faults(copied) == []


@dataclass
class Reader:
    """Keeps a copy of a store by its change log."""

    seen: int = 0
    held: dict[str, str] = field(default_factory=dict)

    async def read(self, store: Store, limit: int = 100) -> None:
        """Follow the next writes."""
        told = await store.events(self.seen, limit)
        if isinstance(told, MissedChanges):
            await self.start_over(store)
            self.seen = told.generation
            return
        for event in told:
            self.seen = event.seq
            if event.kind == "restore":
                await self.start_over(store)
            for memory_id in event.memory_ids:
                await self.copy(store, memory_id)

    async def start_over(self, store: Store) -> None:
        """Copy everything."""
        self.held = {record.memory.id: record.memory.content for record in await store.export(0, 100)}

    async def copy(self, store: Store, memory_id: str) -> None:
        """Copy what one memory is now."""
        self.held.pop(memory_id, None)
        with contextlib.suppress(NotFoundError):
            self.held[memory_id] = (await store.get(memory_id, HERE.namespace)).content


@dataclass
class World:
    """A store that is written, pruned and restored, and readers who follow it when they like."""

    store: Copied
    clock: FakeClock
    folder: Path
    readers: list[Reader] = field(default_factory=lambda: [Reader(), Reader(), Reader()])
    steps: int = 0

    async def act(self, what: str, number: int) -> None:
        """Do one thing, a second after the last."""
        self.clock.advance(1)
        self.steps += 1
        await getattr(self, what)(number)

    async def write(self, number: int) -> None:
        """Store a memory, or rewrite it."""
        content = f"text {self.steps}"
        try:
            memory = await self.store.get(f"m{number}", HERE.namespace)
        except NotFoundError:
            if isinstance(await offer(self.store, content, id=f"m{number}"), ConflictError):  # it was deleted
                await put(self.store, content)
        else:
            await self.store.update(memory, Change(content=content), whole(content), None)

    async def delete(self, _: int) -> None:
        """Delete everything."""
        await self.store.delete(None, HERE, dry_run=False)

    async def prune(self, age: int) -> None:
        """Forget the writes of some seconds ago."""
        await self.store.prune_changes(at(self.clock() - age))

    async def backup(self, _: int) -> None:
        """Keep a copy in the place of the last one."""
        (self.folder / "copy").unlink(missing_ok=True)
        await self.store.backup(self.folder / "copy")

    async def restore(self, _: int) -> None:
        """Go back to the copy."""
        if (self.folder / "copy").exists():
            await self.store.restore(self.folder / "copy", self.folder / f"aside-{self.steps}")

    async def read(self, number: int) -> None:
        """Let one reader read on."""
        await self.readers[number % 3].read(self.store, 1 + number)


async def _follow(world: World, acts: list[tuple[str, int]]) -> None:
    for what, number in acts:
        await world.act(what, number)
    current = Reader()
    await current.start_over(world.store)
    for reader in world.readers:
        while reader.seen < await world.store.generation():
            await reader.read(world.store)
        assert reader.held == current.held
    assert await faults(world.store) == []
    await world.store.close()


ACTS = st.lists(
    st.tuples(
        st.sampled_from([*["write"] * 4, *["read", "prune"] * 2, "delete", "backup", "restore"]), st.integers(0, 5)
    ),
    min_size=5,
    max_size=30,
)
MAKE: dict[str, Callable[[Path, FakeClock], Copied]] = {
    "sqlite": lambda folder, clock: SqliteStore(folder / "m.db", clock),
    "fake": lambda _, clock: FakeStore(clock),
}


@pytest.mark.parametrize("kind", MAKE)
@settings(max_examples=60, deadline=None)
@given(acts=ACTS)
def test_whatever_is_pruned_no_reader_misses_a_write(kind: str, acts: list[tuple[str, int]]) -> None:
    """Readers that lag behind and start over when they are told to hold the same as the store in the end."""
    with tempfile.TemporaryDirectory() as folder:
        clock = FakeClock()
        world = World(MAKE[kind](Path(folder), clock), clock, Path(folder))
        asyncio.run(_follow(world, acts))
