"""Large namespaces are searched by the signs of their vectors: as exactly, and whatever happens to the signs' file."""

from __future__ import annotations

import asyncio
import math
import random
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from embedder_api.v1 import wire
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory_mcp.domain.models import DOCUMENT, Change, Chunk, Embedded, Filters, NewMemory, Space, Stored
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.shelf import nearest

DIMENSIONS = 64
SPACE = Space("signs-64", DIMENSIONS)
LARGE = 50
"""Vectors from which on these stores use signs."""
Rows = dict[str, bytes]
"""Vectors by content."""


def vectors(count: int, seed: int = 0) -> list[bytes]:
    """Make vectors in all directions."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    return [wire.pack([chance.gauss(0, 1) for _ in range(DIMENSIONS)]) for _ in range(count)]


def entry(content: str, row: bytes, namespace: str = "n", tags: Sequence[str] = ()) -> tuple[NewMemory, Embedded]:
    """Make what is to be stored of one passage."""
    return NewMemory(content, namespace, tags=tuple(tags)), Embedded((Chunk(0, len(content), row),), SPACE)


async def fill(store: SqliteStore, count: int, namespace: str = "n", seed: int = 0, tags: Sequence[str] = ()) -> Rows:
    """Store so many memories; return their vectors."""
    rows = {f"{namespace} {seed} {i}": row for i, row in enumerate(vectors(count, seed))}
    outcomes = await store.add([entry(content, row, namespace, tags) for content, row in rows.items()])
    assert all(isinstance(outcome, Stored) for outcome in outcomes)
    return rows


def exact(rows: Rows, query: bytes, limit: int) -> list[str]:
    """Return the contents whose vectors are nearest, by computing every cosine."""
    wanted = wire.unpack(query)

    def cosine(content: str) -> float:
        row = wire.unpack(rows[content])
        return sum(a * b for a, b in zip(row, wanted, strict=True)) / (math.hypot(*row) * math.hypot(*wanted))

    return sorted(rows, key=cosine, reverse=True)[:limit]


async def found(
    store: SqliteStore, query: bytes, limit: int = 10, filters: Filters | None = None, *, documents: bool = False
) -> list[str]:
    """Return the contents that the store finds, best first."""
    matches = await nearest(store, query, SPACE, filters or Filters("n"), limit, documents=documents)
    memories = await store.read(lambda it: it.fetch([match.key for match in matches]))
    return [memories[match.key].content for match in matches]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name the database."""
    return tmp_path / "memories.db"


@pytest.fixture
def signs(path: Path) -> Path:
    """Name the file of signs."""
    return path.with_name("memories.db-signs")


@pytest.fixture
async def make(path: Path) -> AsyncIterator[Callable[[], SqliteStore]]:
    """Give a way to open the database as one more front."""
    made: list[SqliteStore] = []

    def opened() -> SqliteStore:
        made.append(SqliteStore(path, large=LARGE))
        return made[-1]

    yield opened
    for store in made:
        await store.close()


@pytest.fixture
def queries() -> Iterator[bytes]:
    """Give questions."""
    return iter(vectors(100, seed=99))


async def test_signs_find_what_computing_everything_finds(
    make: Callable[[], SqliteStore], signs: Path, queries: Iterator[bytes]
) -> None:
    """The ten nearest of a large namespace are the right ones in order, and the file of signs is the user's alone."""
    store = make()
    rows = await fill(store, 400)
    for _ in range(20):
        query = next(queries)
        assert await found(store, query) == exact(rows, query, 10)
    assert signs.stat().st_mode & 0o777 == 0o600


async def test_signs_tell_documents_from_others(
    make: Callable[[], SqliteStore], signs: Path, queries: Iterator[bytes]
) -> None:
    """Each is searched by itself, with what came and moved since the file was made, by filters too."""
    store, documents = make(), dict(zip(map("document {}".format, range(160)), vectors(160, seed=5), strict=True))
    rows = await fill(store, 80)
    items = [entry(content, row, tags=["even"] * (at % 2 == 0)) for at, (content, row) in enumerate(documents.items())]
    items = [(replace(new, type=DOCUMENT), embedded) for new, embedded in items]
    await store.add(items[:80])
    await found(store, next(queries))
    assert signs.exists()
    await store.add(items[80:])
    moved = await store.read(lambda it: it.page(Filters("n", type="note"), limit=1, cursor=None))
    await store.update(moved.memories[0], Change(type=DOCUMENT), None, None)
    documents[moved.memories[0].content] = rows.pop(moved.memories[0].content)
    even = {content: documents[content] for content in map("document {}".format, range(0, 160, 2))}
    for _ in range(10):
        query = next(queries)
        assert await found(store, query) == exact(rows, query, 10)
        assert await found(store, query, documents=True) == exact(documents, query, 10)
        filters = Filters("n", tags=("even",))
        assert await found(store, query, filters=filters, documents=True) == exact(even, query, 10)
        assert await found(store, query, filters=filters) == []


async def test_few_memories_of_many_passages_are_searched_by_signs(
    make: Callable[[], SqliteStore], signs: Path, queries: Iterator[bytes]
) -> None:
    """It is the vectors that take the time: a namespace of some long memories is a large one, each found once."""
    store, per = make(), 8
    parts = vectors(10 * per)
    for number in range(10):
        passages = tuple(Chunk(at, at + 1, parts[per * number + at]) for at in range(per))
        await store.add([(NewMemory(f"memory {number}", "n"), Embedded(passages, SPACE))])
    query = next(queries)
    best = {f"{number}": row for number, row in enumerate(parts)}
    nearest = dict.fromkeys(f"memory {int(number) // per}" for number in exact(best, query, len(parts)))
    assert await found(store, query) == list(nearest)
    assert signs.exists()


async def test_small_namespaces_do_without_numpy(path: Path) -> None:
    """A search of a namespace that is not large imports no numpy and makes no file; one of a large one does."""
    code = f"""
import asyncio, sys
from pathlib import Path
from memory_mcp.domain.models import *
from memory_mcp.storage.sqlite.store import SqliteStore
async def main():
    store = SqliteStore(Path({str(path)!r}), large=3)
    space, row = Space("s", 64), bytes([0, 0, 128, 63]) * 64
    for i, large in enumerate((False, False, True)):
        await store.add([(NewMemory(str(i), "n"), Embedded((Chunk(0, 1, row),), space))])
        await store.read(lambda it: it.nearest(row, space, Filters("n"), 5))
        await store.read(lambda it: it.background_scores(row, space, "n", 5))
        assert ("numpy" in sys.modules) is large, i
    await store.close()
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    assert await process.wait() == 0


async def test_what_changes_is_found_at_once(make: Callable[[], SqliteStore], queries: Iterator[bytes]) -> None:
    """New, rewritten and deleted memories count in the next search, also where another front wrote them."""
    writer, reader = make(), make()
    rows = await fill(writer, 100)
    query = next(queries)
    assert await found(reader, query) == exact(rows, query, 10)
    rows |= await fill(writer, 30, seed=1)
    assert await found(reader, query) == exact(rows, query, 10)
    best, second, *_ = exact(rows, query, 2)
    matches = await nearest(reader, query, SPACE, Filters("n"), 2)
    memories = await reader.read(lambda it: it.fetch([match.key for match in matches]))
    await writer.delete([memories[matches[0].key].id], Filters("n"), dry_run=False)
    del rows[best]
    rows["rewritten"] = next(queries)
    changed = Embedded((Chunk(0, 9, rows["rewritten"]),), SPACE)
    await writer.update(memories[matches[1].key], Change(content="rewritten"), changed, None)
    del rows[second]
    for store in (reader, writer, make()):
        for question in (query, next(queries)):
            assert await found(store, question) == exact(rows, question, 10)


async def test_most_of_it_deleted(make: Callable[[], SqliteStore], queries: Iterator[bytes]) -> None:
    """When the nearest thousand are gone, the search goes on to those that are left."""
    store = make()
    rows = await fill(store, 1_200) | await fill(store, 60, seed=1, tags=["kept"])
    query = next(queries)
    assert await found(store, query) == exact(rows, query, 10)
    to_delete = [
        memory.id for memory in (await store.read(lambda it: it.page(Filters("n"), limit=2_000, cursor=None))).memories
    ]
    kept = {
        memory.id
        for memory in (
            await store.read(lambda it: it.page(Filters("n", tags=("kept",)), limit=100, cursor=None))
        ).memories
    }
    await store.delete([one for one in to_delete if one not in kept], Filters("n"), dry_run=False)
    left = {content: row for content, row in rows.items() if content.startswith("n 1 ")}
    for question in (query, next(queries)):
        assert await found(store, question, 60) == exact(left, question, 60)


async def test_filters_and_namespaces_are_part_of_the_search(
    make: Callable[[], SqliteStore], queries: Iterator[bytes]
) -> None:
    """Few, some and most memories of a tag come complete and in order, and no other namespace's among them."""
    store = make()
    await fill(store, 100, namespace="other", tags=["few", "most"])
    some = await fill(store, 200, seed=1, tags=["some"])
    few = await fill(store, 20, seed=2, tags=["few"])
    most = await fill(store, 300, seed=3, tags=["most"])
    for _ in range(3):
        query = next(queries)
        assert await found(store, query, 20, Filters("n", tags=("few",))) == exact(few, query, 20)
        assert await found(store, query, 10, Filters("n", tags=("some",))) == exact(some, query, 10)
        assert await found(store, query, 10, Filters("n", tags=("most",))) == exact(most, query, 10)
        assert await found(store, query, 10) == exact(some | few | most, query, 10)


@pytest.mark.parametrize("damage", ["gone", "short", "foreign", "flipped", "empty", "another database's"])
async def test_a_file_of_signs_that_is_none_is_made_again(
    make: Callable[[], SqliteStore], signs: Path, tmp_path: Path, queries: Iterator[bytes], damage: str
) -> None:
    """Removed, cut, overwritten or another database's: the next front finds the same and fixes the file."""
    first = make()
    rows = await fill(first, 120)
    query = next(queries)
    await found(first, query)
    whole = signs.read_bytes()
    other = SqliteStore(tmp_path / "other.db", large=LARGE)
    await fill(other, 120, seed=5)
    await found(other, query)
    await other.close()
    broken = {
        "gone": None,
        "short": whole[:-1],
        "foreign": b"no signs" * 2_000,
        "flipped": whole[:5_000] + bytes([whole[5_000] ^ 255]) + whole[5_001:],
        "empty": b"",
        "another database's": (tmp_path / "other.db-signs").read_bytes(),
    }[damage]
    signs.unlink() if broken is None else signs.write_bytes(broken)
    assert await found(make(), query) == exact(rows, query, 10)
    assert signs.read_bytes() == whole


async def test_a_database_that_was_put_back_is_looked_at_anew(
    make: Callable[[], SqliteStore], path: Path, queries: Iterator[bytes]
) -> None:
    """An older copy under a newer file of signs, with other memories since: these are found."""
    first = make()
    rows = await fill(first, 60)
    await first.close()
    copy = path.read_bytes()
    second = make()
    await fill(second, 600, seed=1)
    await found(second, next(queries))
    await second.close()
    path.write_bytes(copy)
    third = make()
    rows |= await fill(third, 600, seed=2)
    for query in (next(queries), next(queries), next(queries)):
        assert await found(third, query, 3) == exact(rows, query, 3)


async def test_a_folder_that_takes_no_file_is_searched_as_well(
    make: Callable[[], SqliteStore], signs: Path, queries: Iterator[bytes]
) -> None:
    """Where the file of signs cannot be written, the search answers all the same."""
    signs.mkdir()
    store = make()
    rows = await fill(store, 120)
    query = next(queries)
    assert await found(store, query) == exact(rows, query, 10)


async def test_signs_are_not_written_where_nothing_may(
    path: Path, make: Callable[[], SqliteStore], queries: Iterator[bytes]
) -> None:
    """A read-only store searches by signs that it keeps to itself."""
    store = make()
    rows = await fill(store, 120)
    await store.close()
    before = list(path.parent.iterdir())
    reader = SqliteStore(path, large=1, read_only=True)
    query = next(queries)
    assert await found(reader, query) == exact(rows, query, 10)
    await reader.close()
    assert list(path.parent.iterdir()) == before == [path]


async def test_a_sample_of_a_large_namespace(make: Callable[[], SqliteStore], queries: Iterator[bytes]) -> None:
    """A sample tells how many passages there are, and the same cosines while nothing changes."""
    store = make()
    await fill(store, 200)
    await fill(store, 70, namespace="other")
    query = next(queries)
    sample = await store.read(lambda it: it.background_scores(query, SPACE, "n", 32))
    assert (sample.chunks, len(sample.cosines)) == (200, 32)
    assert await store.read(lambda it: it.background_scores(query, SPACE, "n", 32)) == sample


STEPS = st.lists(st.tuples(st.sampled_from(["add", "delete", "ask"]), st.integers(0, 10_000)), max_size=12)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_whatever_is_done_signs_agree_with_computing_everything(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    """After any additions and deletions by two fronts, each finds exactly the nearest."""
    path = tmp_path_factory.mktemp("signs") / "memories.db"

    async def play() -> None:
        fronts = [SqliteStore(path, large=LARGE) for _ in range(2)]
        rows = await fill(fronts[0], 80)
        for number, (step, chance) in enumerate(steps):
            front, query = fronts[chance % 2], vectors(1, seed=chance)[0]
            if step == "add":
                rows |= await fill(front, chance % 40 + 1, seed=1_000 + number)
            elif step == "delete":
                to_delete = exact(rows, query, chance % 20)
                listed = (await front.read(lambda it: it.page(Filters("n"), limit=2_000, cursor=None))).memories
                ids = [memory.id for memory in listed if memory.content in to_delete]
                await front.delete(ids, Filters("n"), dry_run=False)
                rows = {content: row for content, row in rows.items() if content not in to_delete}
            assert await found(front, query) == exact(rows, query, 10)
        for front in fronts:
            await front.close()

    asyncio.run(play())


@pytest.mark.parametrize("large", [5, 1_000])
async def test_a_running_store_sees_what_another_filled(tmp_path: Path, large: int) -> None:
    """Vectors that another process gives what waited are found at once, and in the sample, by signs and without."""
    running, other = (SqliteStore(tmp_path / "memory.db", large=large) for _ in range(2))
    rows = await fill(running, 20)
    await running.add([(NewMemory(f"late {i}", "n"), Embedded((Chunk(0, 6),), None)) for i in range(10)])
    [query] = vectors(1, seed=7)
    await found(running, query)
    assert (await running.read(lambda it: it.background_scores(query, SPACE, "n", 100))).chunks == 20
    lacking = await other.missing_vectors(SPACE, 0, 100)
    late = {each.content: row for each, row in zip(lacking, vectors(10, seed=1), strict=True)}
    await other.backfill(SPACE, [(each, [Chunk(0, 6, late[each.content])]) for each in lacking])
    assert await other.activate_space(SPACE)
    assert await found(running, query, 30) == exact(rows | late, query, 30)
    assert (await running.read(lambda it: it.background_scores(query, SPACE, "n", 100))).chunks == 30
    await running.close()
    await other.close()
