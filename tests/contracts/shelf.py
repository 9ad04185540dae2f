"""Short words for tests of stores: small vectors, whole passages, single memories."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

from embedder_api.v1 import wire

from memory_mcp.domain.errors import ConflictError
from memory_mcp.domain.models import (
    Chunk,
    DocumentFrequencies,
    Embedded,
    Event,
    Filters,
    KeywordMatches,
    Match,
    Memory,
    MissedChanges,
    NewMemory,
    Page,
    Space,
    Stored,
)
from memory_mcp.domain.ports import Snapshot, Snapshots, Store, SupportsBackup
from memory_mcp.search.lexical.query import QueryAnalyzer
from memory_mcp.search.policy import DEFAULT_POLICY, LexicalPolicy
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.fakes.clock import FakeClock

MakeStore = Callable[[], Store]
DIMENSIONS = 8
SPACE = Space("space-a", DIMENSIONS)
OTHER_SPACE = Space("space-b", DIMENSIONS)
SHARES = (1 / 2, 1 / 4)
"""Weights of neighbours."""
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


async def page_of(store: Store, filters: Filters, *, limit: int, cursor: str | None) -> Page:
    """Return memories newest first."""
    return await store.read(lambda it: it.page(filters, limit=limit, cursor=cursor))


async def listed(store: Store, filters: Filters = HERE, limit: int = 1_000) -> list[str]:
    """Return the contents of a namespace, newest first."""
    return [memory.content for memory in (await page_of(store, filters, limit=limit, cursor=None)).memories]


def part(snapshot: Snapshot, *, documents: bool) -> Snapshot:
    """Return what searches documents, or all other memories."""
    return snapshot.documents() if documents else snapshot


async def nearest(
    store: Snapshots, vector: bytes, space: Space, filters: Filters, limit: int, *, documents: bool = False
) -> list[Match]:
    """Ask a snapshot of this moment."""
    return await store.read(lambda it: part(it, documents=documents).nearest(vector, space, filters, limit))


async def keyword_search(
    store: Snapshots,
    query: str,
    filters: Filters,
    limit: int,
    policy: LexicalPolicy = DEFAULT_POLICY.lexical,
    *,
    documents: bool = False,
) -> KeywordMatches:
    """Analyse a query and ask a snapshot of this moment."""

    def search(snapshot: Snapshot) -> KeywordMatches:
        asked = part(snapshot, documents=documents)
        terms = QueryAnalyzer.of(asked, filters.namespace, policy).keyword_query(query)
        return asked.keyword_search(terms, filters, limit)

    return await store.read(search)


async def document_frequencies(store: Snapshots, query: str, namespace: str) -> DocumentFrequencies:
    """Ask a snapshot of this moment for the words of a query."""
    return await store.read(
        lambda snapshot: snapshot.document_frequencies(
            QueryAnalyzer.of(snapshot, namespace, DEFAULT_POLICY.lexical).content_words(query), namespace
        )
    )


async def near(
    store: Snapshots, filters: Filters = HERE, limit: int = 10, degrees: float = 0, *, documents: bool = False
) -> list[str]:
    """Return the contents that are nearest, best first."""
    matches = await nearest(store, towards(degrees), SPACE, filters, limit, documents=documents)
    return await _contents(store, [match.key for match in matches])


async def worded(
    store: Snapshots,
    query: str,
    filters: Filters = HERE,
    limit: int = 10,
    policy: LexicalPolicy = DEFAULT_POLICY.lexical,
    *,
    documents: bool = False,
) -> list[str]:
    """Return the contents that hold words of the query, best first."""
    found = await keyword_search(store, query, filters, limit, policy, documents=documents)
    return await _contents(store, list(found.scores))


async def _contents(store: Snapshots, keys: list[int]) -> list[str]:
    memories = await store.read(lambda snapshot: snapshot.everywhere().fetch(keys))
    return [memories[key].content for key in keys]


class Copied(Store, SupportsBackup, Protocol):
    """A store that can be copied to a file."""


@runtime_checkable
class CanVerify(Protocol):
    """A store that compares its own parts; the program asks `inspection`, which opens no store."""

    async def verify(self) -> list[str]:
        """Return a sentence for everything that does not agree."""
        ...


async def faults(store: object) -> list[str]:
    """Return what does not agree in a store; nothing where it cannot say."""
    return await store.verify() if isinstance(store, CanVerify) else []
