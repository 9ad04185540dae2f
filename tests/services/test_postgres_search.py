"""Large searches on PostgreSQL: the walk over the graph, and how a graph is made again."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from typing import TypeVar

import psycopg
import pytest

from memory_mcp.domain.models import Chunk, Embedded, Filters, NewMemory, Space
from memory_mcp.storage.postgres.db.connection import PostgresDatabase
from memory_mcp.storage.postgres.db.session import PgSession
from memory_mcp.storage.postgres.vectors import graphs, nearest
from tests.services.postgres import Postgres, store_at

pytestmark = pytest.mark.services

T = TypeVar("T")
SPACE = Space("space-a", 16)
MANY, RARE = 1_000, 40
"""Memories, and how many of them have a tag."""


def _vector(seed: int) -> bytes:
    chance = random.Random(seed)  # noqa: S311 - no secret
    return struct.pack("<16f", *(chance.gauss(0, 1) for _ in range(16)))


async def _filled(server: Postgres, name: str, count: int) -> str:
    """Make a database of so many memories; return its address."""
    server.sql("postgres", f"CREATE DATABASE {name}")
    store = store_at(server.of(name))
    await store.add(
        [
            (
                NewMemory(f"text {number}", "here", tags=("rare",) if number % (MANY // RARE) == 0 else ("usual",)),
                Embedded((Chunk(0, 4, _vector(number)),), SPACE),
            )
            for number in range(count)
        ]
    )
    await store.close()
    return server.of(name)


async def _read(url: str, work: Callable[[PgSession], T]) -> T:
    database = PostgresDatabase(url)
    try:
        return await database.read(lambda db: _reaching(db, work))
    finally:
        await database.close()


def _reaching(db: PgSession, work: Callable[[PgSession], T]) -> T:
    db.reach("here")
    return work(db)


def _keys(db: PgSession, seed: int, filters: Filters, limit: int, large: int) -> list[int]:
    return [match.key for match in nearest.nearest(db, 1, _vector(seed), filters, limit, large=large)]


async def test_the_walk_finds_what_comparing_all_finds(postgres: Postgres) -> None:
    """With a filter too, as many are found as are wanted; where few pass, they are the nearest exactly."""
    url = await _filled(postgres, "walked", MANY)

    def share(db: PgSession, *tags: str) -> float:
        filters = Filters("here", tags=tags, documents=False)
        pairs = [(_keys(db, -seed, filters, 20, 0), _keys(db, -seed, filters, 20, MANY)) for seed in range(1, 9)]
        assert all(len(walked) == 20 for walked, _ in pairs)
        return sum(len(set(walked) & set(exact)) for walked, exact in pairs) / (20 * len(pairs))

    assert await _read(url, share) > 0.95
    assert await _read(url, lambda db: share(db, "usual")) > 0.95
    assert await _read(url, lambda db: share(db, "rare")) == 1
    everything = await _read(url, lambda db: _keys(db, -1, Filters("here", documents=False), MANY, 0))
    assert len(set(everything)) == MANY  # more than the walk ends with


async def test_a_graph_that_was_left_half_done_is_made_anew(postgres: Postgres) -> None:
    """Who builds is stopped; the next one goes on with what is not whole, while everybody reads and writes."""
    url = await _filled(postgres, "half_done", 10)
    with psycopg.connect(url, autocommit=True) as builder, psycopg.connect(url) as other:
        builder.execute("DROP INDEX memory_mcp.vectors_1_0_nearest")
        other.execute("LOCK memory_mcp.vectors_1_0 IN ROW EXCLUSIVE MODE")  # as a write does: a build waits for it
        builder.execute("SET lock_timeout = '300ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            graphs.mend(builder)
        assert graphs.broken(builder) == ["vectors_1_0"]
    mended = store_at(url)
    await mended.tidy()
    await mended.close()
    with psycopg.connect(url, autocommit=True) as connection:
        assert graphs.broken(connection) == []
