"""Short words for tests of stores: small vectors, whole passages, single memories."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from embedder_api.v1 import wire

from memory_mcp.domain.errors import ConflictError
from memory_mcp.domain.models import Chunk, Embedded, Event, Filters, Memory, MissedChanges, NewMemory, Space, Stored
from memory_mcp.domain.ports import Store
from memory_mcp.storage.sqlite.repository import SqliteStore
from tests.fakes.clock import FakeClock

MakeStore = Callable[[], Store]
DIMENSIONS = 8
SPACE = Space("space-a", DIMENSIONS)
OTHER_SPACE = Space("space-b", DIMENSIONS)
HERE = Filters("here")


def towards(degrees: float) -> bytes:
    """Return a vector that many degrees from `towards(0)`."""
    angle = math.radians(degrees)
    return wire.pack([math.cos(angle), math.sin(angle), *[0.0] * (DIMENSIONS - 2)])


def whole(content: str, vector: bytes | None = None, space: Space = SPACE) -> Embedded:
    """Return the content as one passage."""
    return Embedded((Chunk(0, len(content), vector),), space if vector else None)


def new(content: str, **fields: Any) -> NewMemory:
    """Return a memory to be stored, in the namespace "here"."""
    return replace(NewMemory(content, HERE.namespace), **fields)


async def put(store: Store, content: str, vector: bytes | None = None, **fields: Any) -> Memory:
    """Store one memory and return it."""
    stored = await offer(store, content, vector, **fields)
    assert isinstance(stored, Stored)
    return await store.get(stored.id, fields.get("namespace", HERE.namespace))


async def offer(store: Store, content: str, vector: bytes | None = None, **fields: Any) -> Stored | ConflictError:
    """Store one memory and return the answer."""
    [stored] = await store.add([(new(content, **fields), whole(content, vector))])
    return stored


async def events(store: Store, after: int = 0, limit: int = 1_000) -> list[Event]:
    """Return the first writes after a generation, none of which was pruned."""
    told = await store.events(after, limit)
    assert not isinstance(told, MissedChanges)
    return told


async def after_a_crash(store: Store) -> SqliteStore:
    """Open what is on the disk at this moment, as a process finds it after another one was killed."""
    assert isinstance(store, SqliteStore)
    await store.generation()  # which makes the file
    path = store.path
    image = path.with_name(f"{path.stem}x{path.suffix}")
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}{suffix}", f"{image}{suffix}")
    await store.close()
    return SqliteStore(image, FakeClock())


async def listed(store: Store, filters: Filters = HERE, limit: int = 1_000) -> list[str]:
    """Return the contents of a namespace, newest first."""
    return [memory.content for memory in (await store.page(filters, limit=limit, cursor=None)).memories]


async def near(store: Store, filters: Filters = HERE, limit: int = 10, degrees: float = 0) -> list[str]:
    """Return the contents that `nearest` finds, best first."""
    matches = await store.nearest(towards(degrees), SPACE, filters, limit)
    return await _contents(store, [match.key for match in matches])


async def worded(store: Store, query: str, filters: Filters = HERE, limit: int = 10) -> list[str]:
    """Return the contents that `matching` finds, best first."""
    return await _contents(store, [match.key for match in (await store.keyword_search(query, filters, limit)).matches])


async def _contents(store: Store, keys: list[int]) -> list[str]:
    memories = await store.fetch(keys)
    return [memories[key].content for key in keys]
