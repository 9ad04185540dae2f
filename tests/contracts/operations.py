"""Random calls of a store, and what they answer in words that two stores can have in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from memory_mcp.domain.errors import MemoryMcpError
from memory_mcp.domain.models import (
    DOCUMENT,
    Change,
    Chunk,
    Embedded,
    Filters,
    Memory,
    Metadata,
    NewMemory,
    Space,
    Stored,
)
from memory_mcp.domain.ports import Store
from tests.contracts.shelf import OTHER_SPACE, SHARES, SPACE, events, faults, keyword_search, nearest, page_of, towards

Answer = object
DAY = datetime(2024, 5, 17, tzinfo=UTC)
EVERYWHERE = ("here", "there")


@dataclass(frozen=True, slots=True)
class Add:
    """Store a batch."""

    items: tuple[tuple[NewMemory, Embedded], ...]

    async def run(self, store: Store) -> Answer:
        """Return what was stored; of a conflict, that it is one."""
        stored = await store.add(self.items)
        return [item if isinstance(item, Stored) else "conflict" for item in stored]


@dataclass(frozen=True, slots=True)
class Update:
    """Change a memory."""

    memory_id: str
    change: Change
    embedded: Embedded
    expected_revision: int | None

    async def run(self, store: Store) -> Answer:
        """Return the memory and all that it was."""
        memory = await store.get(self.memory_id, "here")
        updated = await store.update(memory, self.change, self.embedded, self.expected_revision)
        return updated, await store.revisions(updated)


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete by ids or by filters."""

    memory_ids: tuple[str, ...] | None
    filters: Filters
    dry_run: bool

    async def run(self, store: Store) -> Answer:
        """Return the ids."""
        return sorted(await store.delete(self.memory_ids, self.filters, dry_run=self.dry_run))


@dataclass(frozen=True, slots=True)
class Read:
    """Go through the list, and search it."""

    filters: Filters
    limit: int
    degrees: int
    word: str

    async def run(self, store: Store) -> Answer:
        """Return every page, and what the searches found (not the passages: which of two equal ones, is open)."""
        space = await store.read(lambda it: it.space()) or SPACE
        vector, scores, words = towards(self.degrees), dict[int, float](), set[int]()
        for documents in (False, True):
            found = await nearest(store, vector, space, self.filters, 100, documents=documents)
            worded = await keyword_search(store, self.word, self.filters, 100, documents=documents)
            scores |= {match.key: round(match.score, 3) for match in found}
            words |= set(worded.scores)
        sampled = await store.read(
            lambda it: [part.background_scores(vector, space, "here", 1).chunks for part in (it, it.documents())]
        )
        around = await store.read(
            lambda it: it.everywhere().contextual_similarity(vector, space, sorted(scores), SHARES)
        )
        among = {key: round(score, 3) for key, score in around.items()}
        trash = await store.read(lambda it: it.trash(self.filters.namespace, limit=self.limit, cursor=None))
        return (
            (trash.memories, trash.total),
            await store.read(lambda it: it.everywhere().first_vectors(sorted(scores))),
            await _pages(store, self.filters, self.limit),
            scores,
            words,
            sampled,
            among,
            await store.read(lambda it: it.everywhere().neighbours(sorted(words))),
        )


async def _pages(store: Store, filters: Filters, limit: int) -> list[tuple[tuple[Memory, ...], int]]:
    pages, cursor = [], None
    while True:
        page = await page_of(store, filters, limit=limit, cursor=cursor)
        pages.append((page.memories, page.total))
        cursor = page.next_cursor
        if cursor is None:
            return pages


@dataclass(frozen=True, slots=True)
class Attach:
    """Give the oldest passages of the queue a vector, or an error."""

    limit: int
    degrees: int | None

    async def run(self, store: Store) -> Answer:
        """Return what waited, and the counts afterwards."""
        waiting = await store.pending(self.limit)
        vector = None if self.degrees is None else towards(self.degrees)
        error = None if vector else "refused"
        results = [
            (passage.passage_id, [Chunk(passage.start, passage.start + len(passage.text), vector, error)])
            for passage in waiting
        ]
        await store.set_vectors(SPACE, results)
        counts = await store.read(lambda it: [it.queue(namespace) for namespace in (*EVERYWHERE, None)])
        return [(passage.start, passage.text) for passage in waiting], counts, await store.read(lambda it: it.space())


@dataclass(frozen=True, slots=True)
class Undelete:
    """Bring a memory back."""

    memory_id: str
    degrees: int | None

    async def run(self, store: Store) -> Answer:
        """Return the memory and all that it was."""
        memory = await store.deleted(self.memory_id, "here")
        vector = None if self.degrees is None else towards(self.degrees)
        passages = Embedded((Chunk(0, len(memory.content), vector),), SPACE if vector else None)
        return await store.undelete(memory, passages), await store.revisions(memory)


@dataclass(frozen=True, slots=True)
class Purge:
    """Remove for good what is deleted."""

    async def run(self, store: Store) -> Answer:
        """Return how many it was."""
        return await store.purge(datetime(1970, 1, 2, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Reembed:
    """Fill a space, all of it or not, and make it the store's if it is full."""

    space: Space
    limit: int
    degrees: int | None

    async def run(self, store: Store) -> Answer:
        """Return what was lacking, and which spaces there are then."""
        lacking = await store.missing_vectors(self.space, 0, 100)
        vector = None if self.degrees is None else towards(self.degrees)
        await store.backfill(
            self.space,
            [
                (memory, [Chunk(0, len(memory.content), vector, None if vector else "refused")])
                for memory in lacking[: self.limit]
            ],
        )
        left = await store.count_missing_vectors(self.space)
        return (
            lacking,
            left,
            await store.activate_space(self.space),
            await store.read(lambda it: it.space()),
            await store.other_spaces(),
        )


@dataclass(frozen=True, slots=True)
class Drop:
    """Remove a space."""

    space: Space

    async def run(self, store: Store) -> Answer:
        """Return which are left."""
        await store.drop_space(self.space)
        return await store.other_spaces()


@dataclass(frozen=True, slots=True)
class Crash:
    """End without a word, and open again what was on the disk."""

    async def run(self, store: Store) -> Answer:
        """Return the queue."""
        return await store.read(lambda it: it.queue(None))


Operation = Add | Update | Delete | Read | Attach | Undelete | Purge | Reembed | Drop | Crash
Reopen = Callable[[Store], Awaitable[Store]]

_words = ("apple", "pear", "caf\u00e9", "cafe\u0301", "plum\0cherry")
_ids = st.sampled_from(["a", "b", "c", "d"])
_namespaces = st.sampled_from(EVERYWHERE)
_contents = st.lists(st.sampled_from(_words), min_size=1, max_size=2).map(" ".join)
_tags = st.lists(st.sampled_from(["red", "blue"]), max_size=2).map(tuple)
_types = st.sampled_from(["note", "fact", DOCUMENT])
_metadata: st.SearchStrategy[Metadata] = st.sampled_from([{}, {"v": 1}, {"v": True}, {"v": None, "w": "x"}])
_conversations = st.sampled_from([None, "talk"])
_degrees = st.integers(0, 17).map(lambda step: step * 10)
_spaces = st.sampled_from([SPACE, OTHER_SPACE])
_times = st.integers(0, 3).map(lambda days: DAY + timedelta(days=days))


@st.composite
def _embedded(draw: st.DrawFn, content: str) -> Embedded:
    cut = draw(st.integers(0, len(content) - 1))
    spans = [(0, cut), (cut, len(content))] if cut else [(0, len(content))]
    angles = [draw(st.none() | _degrees) for _ in spans]
    passages = [Chunk(*span, None if at is None else towards(at)) for span, at in zip(spans, angles, strict=True)]
    space = draw(st.sampled_from([SPACE, SPACE, SPACE, OTHER_SPACE]))
    return Embedded(tuple(passages), space if any(passage.vector for passage in passages) else None)


@st.composite
def _item(draw: st.DrawFn) -> tuple[NewMemory, Embedded]:
    content = draw(_contents)
    new = NewMemory(
        content=content,
        namespace=draw(_namespaces),
        tags=draw(_tags),
        type=draw(_types),
        metadata=draw(_metadata),
        conversation_id=draw(_conversations),
        created_at=draw(_times),
        id=draw(_ids),
    )
    return new, draw(_embedded(content))


@st.composite
def _update(draw: st.DrawFn) -> Update:
    content = draw(_contents)
    change = Change(
        content=content if draw(st.booleans()) else None,
        tags=draw(st.none() | _tags),
        type=draw(st.none() | _types),
        metadata=draw(st.none() | _metadata),
    )
    return Update(draw(_ids), change, draw(_embedded(content)), draw(st.sampled_from([None, None, 1, 2])))


_filters = st.builds(
    Filters,
    namespace=_namespaces,
    tags=_tags,
    tag_match=st.sampled_from(["any", "all"]),
    type=st.none() | _types,
    metadata=st.just({}) | _metadata,
    conversation_id=_conversations,
    after=st.none() | _times,
    before=st.none() | _times,
)
_operation: st.SearchStrategy[Operation] = st.one_of(
    st.lists(_item(), min_size=1, max_size=4).map(lambda items: Add(tuple(items))),
    _update(),
    st.builds(Delete, st.none() | st.lists(_ids, max_size=2, unique=True).map(tuple), _filters, st.booleans()),
    st.builds(Read, _filters, st.integers(1, 4), _degrees.map(lambda at: at + 3), st.sampled_from(["apple", "cherry"])),
    st.builds(Attach, st.integers(1, 5), st.none() | _degrees),
    st.builds(Undelete, _ids, st.none() | _degrees),
    st.builds(Reembed, _spaces, st.sampled_from([1, 100]), st.none() | _degrees),
    st.one_of(st.just(Purge()), st.builds(Drop, _spaces), st.just(Crash())),
)
histories = st.lists(_operation, min_size=5, max_size=25)


def without_nul(history: Sequence[Operation]) -> list[Operation]:
    """Return the same history with texts that every store keeps."""
    return [_without_nul(operation) for operation in history]


def _without_nul(operation: Operation) -> Operation:
    if isinstance(operation, Add):
        items = [(replace(new, content=new.content.replace("\0", "-")), embedded) for new, embedded in operation.items]
        return Add(tuple(items))
    if isinstance(operation, Update) and operation.change.content is not None:
        return replace(operation, change=replace(operation.change, content=operation.change.content.replace("\0", "-")))
    return operation


async def answers(store: Store, history: Sequence[Operation], reopen: Reopen) -> list[Answer]:
    """Run a history on a store, which is closed at the end; an expected failure is an answer."""
    given: list[Answer] = []
    for operation in history:
        if isinstance(operation, Crash):
            store = await reopen(store)
        given.append(await _answer(store, operation))
    given += [await _answer(store, Read(Filters(namespace), 100, 3, "apple")) for namespace in EVERYWHERE]
    given += [await faults(store), [(e.seq, e.kind, e.memory_ids, e.tags) for e in await events(store, 0, 1_000)]]
    await store.close()
    return given


async def _answer(store: Store, operation: Operation) -> Answer:
    try:
        return await operation.run(store)
    except MemoryMcpError as error:
        return type(error)
