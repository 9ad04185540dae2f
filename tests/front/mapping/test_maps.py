"""Maps, drawn by the real process from a store on disk."""

from __future__ import annotations

import asyncio
import json
import math
import random
import subprocess
import sys
from array import array
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from embedder_api.v1 import wire as vectors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory_mcp.domain.errors import NotFoundError
from memory_mcp.domain.models import Chunk, Embedded, Filters, NewMemory, Space
from memory_mcp.maintenance.leases import Lease
from memory_mcp.mapping import drawing, kept, wire
from memory_mcp.mapping.kept import KeptMap, StoreMark
from memory_mcp.mapping.points import Points
from memory_mcp.mapping.service import EVERY_S, LEASE, LEASE_S, Maps, MapState
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.fakes.clock import FakeClock

SPACE = Space("space-a", 16)
HERE = [Filters("here")]
EACH = 30
"""Memories of a group."""


def towards(group: int, noise: random.Random) -> bytes:
    """Return a vector of a group."""
    return vectors.pack([(5.0 if place == group else 0.0) + noise.gauss(0, 1) for place in range(SPACE.dimensions)])


async def fill(store: SqliteStore, namespace: str, groups: Sequence[int], space: Space = SPACE) -> list[str]:
    """Store a memory of each group, tagged by it."""
    noise = random.Random(f"{namespace} {len(groups)}")  # noqa: S311 - the same vectors each time
    items = []
    for place, group in enumerate(groups):
        content = f"{place} of {group} in {namespace}, one of {len(groups)}"
        chunk = Chunk(0, len(content), towards(group, noise))
        items.append((NewMemory(content, namespace, (f"group {group}",)), Embedded((chunk,), space)))
    return [stored.id for stored in await store.add(items) if not isinstance(stored, Exception)]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """Give three groups of memories in a namespace, and one in another."""
    made = SqliteStore(tmp_path / "memory.db")
    await fill(made, "here", [0, 1, 2] * EACH)
    await fill(made, "there", [3] * EACH)
    yield made
    await made.close()


def maps_of(store: SqliteStore) -> Maps:
    """Return the maps of a front."""
    return Maps(store, Lease(store, LEASE), store.path.with_name("memory.db-map"))


@pytest.fixture
async def maps(store: SqliteStore) -> AsyncIterator[Maps]:
    """Give the maps of a front."""
    made = maps_of(store)
    yield made
    await made.close()


async def drawn(maps: Maps, *, anew: bool = True) -> MapState:
    """Draw, and wait until that is over."""
    maps.draw(anew=anew)
    assert maps._task is not None
    await asyncio.wait_for(asyncio.shield(maps._task), 60)
    return (await maps.progress()).state


async def looked_at(maps: Maps) -> MapState:
    """Look at it, and wait until what that begins is over."""
    await maps.keep_up()
    if maps._task is not None:
        await asyncio.wait_for(asyncio.shield(maps._task), 60)
    return (await maps.progress()).state


async def seen(maps: Maps, *filters: Filters) -> Points:
    """Return the points, coloured by tag."""
    points = await maps.points(filters or HERE, "tag")
    assert points is not None
    return points


def spread(points: Points, category: int) -> tuple[float, float, float]:
    """Return the middle of a category, and how far its points lie from it on average."""
    own = [at for at, each in enumerate(points.categories) if each == category]
    x, y = (math.fsum(axis[at] for at in own) / len(own) for axis in (points.xs, points.ys))
    return x, y, math.fsum(math.hypot(points.xs[at] - x, points.ys[at] - y) for at in own) / len(own)


async def test_a_map_puts_together_what_means_the_same(maps: Maps) -> None:
    """Groups of vectors lie apart; the file is this user's alone."""
    assert (await maps.progress()).state is MapState.MISSING
    assert await drawn(maps) is MapState.READY
    points = await seen(maps)
    assert [each.label for each in points.legend[:3]] == ["group 0", "group 1", "group 2"]
    groups = [spread(points, category) for category in range(3)]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        apart = math.dist(groups[one][:2], groups[other][:2])
        assert apart > 2 * max(groups[one][2], groups[other][2])
    assert maps._path.stat().st_mode & 0o777 == 0o600


async def test_a_map_shows_a_caller_only_what_is_asked_for_on_its_behalf(store: SqliteStore, maps: Maps) -> None:
    """Points of other namespaces are not in the message, and numbers of another's points name nothing."""
    await drawn(maps)
    points = await seen(maps)
    everything = await seen(maps, Filters("here"), Filters("there"))
    assert (len(points.keys), len(everything.keys)) == (3 * EACH, 4 * EACH)
    name = maps.sets.add("me", points.keys, ["here"])
    assert {memory.namespace for memory in await maps.memories("me", name, range(3 * EACH))} == {"here"}
    for caller, numbers in (("other", [0]), ("me", [3 * EACH]), ("me", [-1])):
        with pytest.raises(NotFoundError, match="load the map again"):
            await maps.memories(caller, name, numbers)


async def test_a_message_holds_places_and_no_contents(maps: Maps) -> None:
    """A header, then numbers only: 5 bytes a point."""
    await drawn(maps)
    points = await seen(maps)
    message = points.message("name")
    size = int.from_bytes(message[:4], "little")
    header = json.loads(message[4 : 4 + size])
    assert (header["sheet"], header["points"], header["unplaced"], size % 4) == ("name", 3 * EACH, 0, 0)
    assert array("H", message[4 + size : 4 + size + 2 * 3 * EACH]) == points.xs
    assert len(message) == 4 + size + 5 * 3 * EACH
    assert b"in here" not in message


async def test_new_memories_find_their_place_and_move_none(store: SqliteStore, maps: Maps) -> None:
    """They are counted until they are placed, which happens when the map is looked at."""
    await drawn(maps)
    before = await seen(maps)
    await fill(store, "here", [1] * 5)
    assert (await seen(maps)).unplaced == 5
    await maps.keep_up()
    await drawn(maps, anew=False)
    after = await seen(maps)
    assert (len(after.keys), after.unplaced, after.drawn_at) == (3 * EACH + 5, 0, before.drawn_at)
    assert after.xs[: 3 * EACH] == before.xs
    x, y, far = spread(before, 1)
    assert all(math.hypot(after.xs[at] - x, after.ys[at] - y) < 3 * far for at in range(3 * EACH, 3 * EACH + 5))


async def test_many_new_memories_let_all_be_laid_out_anew(store: SqliteStore, maps: Maps) -> None:
    """As their landmarks may lie far from any of the old ones."""
    await drawn(maps)
    before = await seen(maps)
    await fill(store, "here", [4] * 80)
    assert await drawn(maps, anew=False) is MapState.READY
    assert (await seen(maps)).drawn_at > before.drawn_at


async def test_deleted_memories_vanish_at_once(store: SqliteStore, maps: Maps) -> None:
    """Though the file still has their places."""
    await drawn(maps)
    await store.delete(None, Filters("here", tags=("group 0",)), dry_run=False)
    assert len((await seen(maps)).keys) == 2 * EACH


async def test_memories_that_are_deleted_for_good_leave_the_map(store: SqliteStore, maps: Maps) -> None:
    """Their places and what was learned of their vectors, once it is looked at; in the trash they still count."""
    await drawn(maps)
    before = await maps.current()
    await store.delete(None, Filters("here", tags=("group 0",)), dry_run=False)
    await drawn(maps, anew=False)
    assert await maps.current() == before
    await store.purge(datetime.max.replace(tzinfo=UTC))
    await drawn(maps, anew=False)
    after = await maps.current()
    assert before is not None
    assert after is not None
    assert len(after.keys) == len(before.keys) - EACH
    assert after.model != before.model


async def test_a_map_of_another_models_vectors_is_none(store: SqliteStore, maps: Maps) -> None:
    """After the space was replaced, it is drawn again."""
    await drawn(maps)
    other = Space("space-b", 16)
    for memory in await store.missing_vectors(other, 0, 1_000):
        vector = towards(0, random.Random(memory.key))  # noqa: S311 - likewise
        await store.backfill(other, [(memory, [Chunk(0, len(memory.content), vector)])])
    assert await store.activate_space(other)
    assert await maps.points(HERE, "type") is None
    assert await drawn(maps, anew=False) is MapState.READY
    assert len((await seen(maps)).keys) == 3 * EACH


async def test_a_map_of_another_store_is_none(store: SqliteStore, maps: Maps, tmp_path: Path) -> None:
    """As when a file was put in its place: its keys mean other memories."""
    await drawn(maps)
    other = SqliteStore(tmp_path / "other.db")
    await fill(other, "here", [0, 1, 2] * (2 * EACH))
    moved = Maps(other, Lease(other, LEASE), maps._path)
    assert await moved.points(HERE, "type") is None
    assert await drawn(moved, anew=False) is MapState.READY
    assert len((await seen(moved)).keys) == 6 * EACH
    await other.close()


async def test_one_front_at_a_time_draws(store: SqliteStore, maps: Maps) -> None:
    """Another one's lease is respected; the map is there for all when it is done."""
    other = Lease(store, LEASE)
    assert await other.take(60)
    assert await drawn(maps) is MapState.ELSEWHERE
    await other.give_back()
    assert await drawn(maps) is MapState.READY
    second = maps_of(store)
    assert (await second.progress()).state is MapState.READY


async def test_after_kill_9_another_front_begins_again(tmp_path: Path) -> None:
    """As soon as the lease of the one that was killed has expired, if somebody still looks."""
    clock = FakeClock()
    store = SqliteStore(tmp_path / "memory.db", clock)
    await fill(store, "here", [0, 1] * 5)
    assert await Lease(store, LEASE).take(LEASE_S)
    maps = Maps(store, Lease(store, LEASE), tmp_path / "memory.db-map", clock=clock)
    assert await looked_at(maps) is MapState.ELSEWHERE
    assert await looked_at(maps) is MapState.ELSEWHERE
    clock.advance(LEASE_S + 1)
    assert await looked_at(maps) is MapState.READY
    await store.close()


def test_the_process_ends_with_the_front() -> None:
    """Whether it waits for vectors, or lays them out."""
    order = wire.DrawingOrder(4).line()
    noise = random.Random(1)  # noqa: S311 - the same vectors each time
    sample = wire.SIZE.pack(300) + b"".join(towards(0, noise) for _ in range(75))
    for message in (order, order + sample, order + sample + wire.SIZE.pack(0)):
        process = subprocess.Popen(
            [sys.executable, "-I", "-m", drawing.PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(message)
        process.stdin.close()
        process.stdout.close()
        assert process.wait(60) is not None


async def test_a_store_without_vectors_has_no_map_until_it_has_some(tmp_path: Path) -> None:
    """That is no failure: it is drawn when it is looked at again."""
    clock = FakeClock()
    store = SqliteStore(tmp_path / "memory.db")
    maps = Maps(store, Lease(store, LEASE), tmp_path / "memory.db-map", clock=clock)
    assert await looked_at(maps) is MapState.MISSING
    await store.add([(NewMemory("without a vector", "here"), Embedded((Chunk(0, 16),), None))])
    clock.advance(EVERY_S)
    assert await looked_at(maps) is MapState.MISSING
    await fill(store, "here", [0])
    assert await looked_at(maps) is MapState.MISSING
    clock.advance(EVERY_S)
    assert await looked_at(maps) is MapState.READY
    assert len((await seen(maps)).keys) == 1
    await store.close()


async def test_a_process_that_dies_is_reported(maps: Maps, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its exit status; nothing is kept, and it can be tried again."""
    monkeypatch.setattr(drawing, "PROGRAM", "memory_mcp.mapping.no_such_program")
    assert await drawn(maps) is MapState.FAILED
    assert "exit status 1" in (await maps.progress()).cause
    monkeypatch.undo()
    assert await drawn(maps) is MapState.READY


async def test_a_bug_is_told_without_its_text(maps: Maps, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its kind alone, and it can be tried again."""

    def fail(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(kept, "write", fail)
    maps.draw(anew=True)
    assert maps._task is not None
    await asyncio.wait([maps._task])
    progress = await maps.progress()
    assert (progress.state, "RuntimeError" in progress.cause, "secret" in progress.cause) == (
        MapState.FAILED,
        True,
        False,
    )
    monkeypatch.undo()
    assert await drawn(maps) is MapState.READY


async def test_closing_ends_the_process(maps: Maps) -> None:
    """Nothing goes on drawing behind a front that has ended."""
    others = set(psutil.Process().children())
    maps.draw(anew=True)
    async with asyncio.timeout(60):
        while not (started := set(psutil.Process().children()) - others):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
    await maps.close()
    assert not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in started)
    assert not maps._path.exists()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_is_no_map(tmp_path: Path, data: st.DataObject) -> None:
    """Whatever is cut off or overwritten, it is drawn again or read as a map of as many numbers."""
    path = tmp_path / "memory.db-map"
    whole = KeptMap(
        "s",
        StoreMark(5, "d"),
        datetime.now(UTC),
        3,
        array("q", [1, 2, 9]),
        array("H", [5, 6, 7]),
        array("H", [8, 9, 1]),
        b"model",
    )
    kept.write(path, whole)
    assert kept.read(path) == whole
    content = path.read_bytes()
    at = data.draw(st.integers(0, len(content) - 1))
    path.write_bytes(data.draw(st.sampled_from([content[:at], content[:at] + b"\xff" + content[at + 1 :], b""])))
    found = kept.read(path)
    assert found is None or len(found.keys) == len(found.xs) == len(found.ys) == 3
