"""A fake of the store port: dictionaries for the file, every cosine computed, words counted."""

from __future__ import annotations

import contextlib
import json
import math
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, timedelta
from typing import TypeVar, cast

from memory_mcp.domain.duplicates import check_merged, check_retry, differing
from memory_mcp.domain.errors import ConflictError, InvalidArgumentError, NotFoundError, SpaceMismatchError
from memory_mcp.domain.models import (
    DEFAULT_TYPE,
    BackgroundScores,
    Change,
    Chunk,
    Condition,
    DocumentFrequencies,
    Embedded,
    Filters,
    Finding,
    KeywordMatches,
    Match,
    Memory,
    Metadata,
    Neighbours,
    NewMemory,
    Page,
    PendingChunk,
    QueueCounts,
    Revision,
    Space,
    Statistics,
    Stored,
    Totals,
)
from memory_mcp.domain.names import folded
from memory_mcp.domain.ports import Snapshot
from memory_mcp.search.lexical.analyzer import FUNCTION_WORDS
from tests.fakes.searching import best_passages, cosine_among, cosine_to, fits, holds_phrase, phrases, words
from tests.fakes.shelves import EPOCH, text_of, tidy
from tests.fakes.upkeep import FakeUpkeep

T = TypeVar("T")

LONGEST_LEASE_S = 3600


class FakeMoment:
    """A store's own answers, without waiting: none of its methods ever waits for anything."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Callable[..., object]:
        def answer(*arguments: object, **named: object) -> object:
            asked = getattr(self._store, name)(*arguments, **named)
            try:
                asked.send(None)
            except StopIteration as answered:
                return answered.value
            raise AssertionError(f"{name} waits")

        return answer


class FakeStore(FakeUpkeep):
    """Memories in this object; see `domain.ports.Store` for what each method promises."""

    async def add(self, items: Sequence[tuple[NewMemory, Embedded]]) -> list[Stored | ConflictError]:
        """Keep memories; an exact duplicate only gives its tags to the first."""
        last = max(self._memories, default=0)
        return [self._add(new, embedded, last) for new, embedded in items]

    def _add(self, new: NewMemory, embedded: Embedded, last: int) -> Stored | ConflictError:
        try:
            known = self._twin(new, last) if new.id is None else self._by_id(new, new.id)
            return self._create(new, embedded) if known is None else self._merge(known, new)
        except ConflictError as error:
            return error

    def _by_id(self, new: NewMemory, memory_id: str) -> Memory | None:
        owner = self._owners.get((new.namespace, memory_id))
        if owner is None:
            return None
        known = self._memories.get(owner)
        if known is None or text_of(known)[2] != text_of(new)[2]:
            raise ConflictError(f"id: {memory_id!r} belongs to another content or to a deleted memory")
        check_retry(new, known)
        return known

    def _twin(self, new: NewMemory, last: int) -> Memory | None:
        keys = sorted(self._texts.get(text_of(new), ()))
        if new.conversation_id is not None:
            earlier = [] if new.created_at is None else [key for key in keys if key <= last]
            keys = [*self._just_before(new), *earlier]
        held = (self._memories.get(key) for key in keys)
        alike = (memory for memory in held if memory is not None and text_of(memory) == text_of(new))
        return next((memory for memory in alike if not differing(new, memory)), None)

    def _just_before(self, new: NewMemory) -> list[int]:
        talk = self._live(Filters(new.namespace, conversation_id=new.conversation_id))
        until = new.created_at or self._now()
        return [turn.key for turn in sorted(talk, key=_place) if turn.created_at <= until][-1:]

    def _create(self, new: NewMemory, embedded: Embedded) -> Stored:
        memory = Memory(
            key=next(self._keys),
            id=new.id or uuid.uuid4().hex,
            namespace=new.namespace,
            content=new.content,
            tags=tidy(new.tags),
            type=new.type or DEFAULT_TYPE,
            metadata=dict(new.metadata or {}),
            conversation_id=new.conversation_id,
            created_at=(new.created_at or self._now()).astimezone(UTC),
            updated_at=self._now(),
            revision=1,
            embedded=False,
        )
        self._keep(memory)
        self._file(memory.key, embedded.chunks, embedded.space)
        self._note("store", memory.namespace, [memory.id], memory.tags)
        return Stored(memory.id, created=True, embedded=self._seen(memory).embedded)

    def _merge(self, known: Memory, new: NewMemory) -> Stored:
        tags = tidy([*known.tags, *new.tags])
        check_merged(known, len(tags) - len(known.tags))
        if tags != known.tags:
            self._memories[known.key] = replace(known, tags=tags, updated_at=self._now())
            self._note("tag", known.namespace, [known.id], tags)
        merged = tuple(tag for tag in tags if tag not in known.tags)
        return Stored(known.id, created=False, embedded=self._seen(known).embedded, merged=merged)

    async def get(self, memory_id: str, namespace: str, *, any_namespace: bool = False) -> Memory:
        """Return a memory of this namespace, else of any other if that may be."""
        return self._seen(self._find(memory_id, namespace, any_namespace=any_namespace))

    def _find(self, memory_id: str, namespace: str, *, any_namespace: bool) -> Memory:
        alike = (memory for memory in self._live() if memory.id == memory_id)
        found = [memory for memory in alike if any_namespace or memory.namespace == namespace]
        if not found:
            raise NotFoundError(f"id: no memory {memory_id!r} is stored")
        return min(found, key=lambda memory: memory.namespace != namespace)

    async def revisions(self, memory: Memory) -> list[Revision]:
        """Return what the memory was before, oldest first."""
        return list(self._revisions.get(memory.key, ()))

    async def update(
        self, memory: Memory, change: Change, embedded: Embedded | None, expected_revision: int | None
    ) -> Memory:
        """Replace fields and keep the old revision."""
        old = self._memories.get(memory.key)
        if old is None:
            raise NotFoundError("id: this memory was deleted")
        if expected_revision not in {None, old.revision}:
            raise ConflictError(f"expected_revision: the memory is at revision {old.revision}")
        if not _differs(old, change):
            return self._seen(old)
        was = Revision(old.revision, old.content, old.tags, old.type, old.metadata, old.updated_at)
        self._revisions.setdefault(old.key, []).append(was)
        new = replace(
            old,
            content=old.content if change.content is None else change.content,
            tags=old.tags if change.tags is None else tidy(change.tags),
            type=old.type if change.type is None else change.type,
            metadata=old.metadata if change.metadata is None else dict(change.metadata),
            updated_at=self._now(),
            revision=old.revision + 1,
        )
        self._keep(new)
        if embedded is not None and new.content != old.content:
            self._drop_passages(old.key)
            self._file(old.key, embedded.chunks, embedded.space)
        self._note("update", old.namespace, [old.id], [*old.tags, *(change.tags or ())])
        return self._seen(new)

    async def delete(
        self, memory_ids: Sequence[str] | None, filters: Filters, *, dry_run: bool, any_namespace: bool = False
    ) -> list[str]:
        """Delete softly by ids, else by filters."""
        named = dict.fromkeys(memory_ids or ())
        found = [self._find(memory_id, filters.namespace, any_namespace=any_namespace) for memory_id in named]
        by_id = [memory for memory in found if fits(memory, replace(filters, namespace=memory.namespace))]
        to_delete = self._live(filters) if memory_ids is None else by_id
        for memory in () if dry_run else to_delete:
            self._deleted[memory.key] = self._memories.pop(memory.key), self._now()
            self._drop_passages(memory.key)
            self._note("delete", memory.namespace, [memory.id], memory.tags)
        return [memory.id for memory in to_delete]

    async def deleted(self, memory_id: str, namespace: str, *, any_namespace: bool = False) -> Memory:
        """Return a memory that was deleted."""
        alike = (memory for memory, _ in self._deleted.values() if memory.id == memory_id)
        found = [memory for memory in alike if any_namespace or memory.namespace == namespace]
        if not found:
            raise NotFoundError(f"id: no deleted memory {memory_id!r} is kept")
        return self._seen(min(found, key=lambda memory: (memory.namespace != namespace, memory.key)))

    async def undelete(self, memory: Memory, embedded: Embedded) -> Memory:
        """Bring a deleted memory back."""
        held = self._deleted.get(memory.key)
        if held is None or held[0].revision != memory.revision:
            raise NotFoundError(f"id: no deleted memory {memory.id!r} is kept")
        self._keep(self._deleted.pop(memory.key)[0])
        self._file(memory.key, embedded.chunks, embedded.space)
        self._note("undelete", memory.namespace, [memory.id], memory.tags)
        return self._seen(self._memories[memory.key])

    async def page(self, filters: Filters, *, limit: int, cursor: str | None) -> Page:
        """Return memories newest first."""
        found = sorted(self._live(filters), key=_place, reverse=True)
        start = None if cursor is None else self._start(filters.namespace, cursor)
        rest = [memory for memory in found if start is None or _place(memory) < start]
        shown = tuple(self._seen(memory) for memory in rest[:limit])
        return Page(shown, _cursor(shown[-1]) if len(rest) > limit else None, len(found))

    def _start(self, namespace: str, cursor: str) -> tuple[int, float]:
        created, memory_id = _parse(cursor)
        return created, self._owners.get((namespace, memory_id), math.inf)

    async def read(self, work: Callable[[Snapshot], T]) -> T:
        """Do work that asks several things; nothing can come between."""
        return work(cast("Snapshot", FakeMoment(self)))

    async def fetch(self, keys: Sequence[int]) -> dict[int, Memory]:
        """Return the memories of these keys that still exist."""
        return {key: self._seen(self._memories[key]) for key in keys if key in self._memories}

    async def nearest(self, vector: bytes, space: Space, filters: Filters, limit: int) -> list[Match]:
        """Return the memories whose best passage is nearest by cosine."""
        return self._ranked(vector, space, (memory.key for memory in self._live(filters)))[:limit]

    async def compare(self, vector: bytes, space: Space, keys: Sequence[int]) -> list[Match]:
        """Return what `nearest` would say of these memories."""
        return self._ranked(vector, space, keys)

    def _ranked(self, vector: bytes, space: Space, keys: Iterable[int]) -> list[Match]:
        self._check(space)
        if self._space is None:
            return []
        parts: dict[int, list[Chunk]] = {key: [] for key in keys}
        for _, key, passage in self._current():
            if key in parts:
                parts[key].append(passage)
        return best_passages(vector, parts)

    def _check(self, space: Space) -> None:
        if self._space is not None and self._space.id != space.id:
            raise SpaceMismatchError(f"the store's vectors are of the space {self._space.id}, not {space.id}")

    async def neighbours(self, keys: Sequence[int]) -> dict[int, Neighbours]:
        """Return what lies on each side of each memory in its conversation."""
        found = {}
        for memory in (self._memories[key] for key in keys if key in self._memories):
            if memory.conversation_id is not None:
                talk = sorted(self._live(Filters(memory.namespace, conversation_id=memory.conversation_id)), key=_place)
                turns = [turn.key for turn in talk]
                at = turns.index(memory.key)
                found[memory.key] = Neighbours(tuple(turns[max(0, at - 2) : at][::-1]), tuple(turns[at + 1 : at + 3]))
        return found

    async def contextual_similarity(self, vector: bytes, space: Space, keys: Sequence[int]) -> dict[int, float]:
        """Return the cosine to each memory's meaning among its neighbours."""
        self._check(space)
        around = await self.neighbours(keys)
        return {
            key: cosine_among(vector, self._of(key), [[self._of(n) for n in side] for side in (of.before, of.after)])
            for key, of in around.items()
            if any(passage.vector for passage in self._of(key))
        }

    async def background_scores(self, vector: bytes, space: Space, namespace: str, count: int) -> BackgroundScores:
        """Return the cosines to the first passages of a namespace."""
        self._check(space)
        held = [
            passage.vector
            for _, key, passage in self._current()
            if passage.vector is not None and self._memories[key].namespace == namespace
        ]
        return BackgroundScores(len(held), tuple(cosine_to(vector, one) for one in held[:count]))

    async def tags_among(self, words: Sequence[str], namespace: str) -> frozenset[str]:
        """Return those words that are tags of the namespace."""
        known = {folded(tag) for memory in self._live(Filters(namespace)) for tag in memory.tags}
        return frozenset(word for word in words if folded(word) in known)

    async def keyword_search(self, query: str, filters: Filters, limit: int) -> KeywordMatches:
        """Return the memories that hold words of the query; a score is the sum of the rarities that they hold."""
        texts = {memory.key: words(memory.content) for memory in self._live(Filters(filters.namespace))}
        rarity = {
            word: math.log(1 + len(texts) / (1 + sum(word in text for text in texts.values())))
            for word in set(words(query))
            if texts
        }
        quoted = phrases(query)
        fitting = [
            memory.key
            for memory in self._live(filters)
            if all(holds_phrase(texts[memory.key], phrase) for phrase in quoted)
        ]
        held = {key: math.fsum(rarity[word] for word in rarity.keys() & set(texts[key])) for key in fitting}
        ranked = sorted((key for key in held if held[key] > 0), key=lambda key: -held[key])[:limit]
        return KeywordMatches(math.fsum(rarity.values()), tuple(Match(key, held[key]) for key in ranked))

    async def document_frequencies(self, query: str, namespace: str) -> DocumentFrequencies:
        """Return how many memories hold each word."""
        texts = [set(words(memory.content)) for memory in self._live(Filters(namespace))]
        content_words = [word for word in query.split() if word not in FUNCTION_WORDS]
        return DocumentFrequencies(
            len(texts), {word: sum(word.lower() in text for text in texts) for word in content_words} if texts else {}
        )

    async def statistics(self, namespace: str, tags: int) -> Statistics:
        """Count what a namespace holds."""
        live = self._live(Filters(namespace))
        spelled = self._spelled(namespace)
        used = Counter(folded(tag) for memory in live for tag in memory.tags)
        times = [memory.created_at for memory in live]
        talks = {memory.conversation_id for memory in live} - {None}
        most = sorted(used.items(), key=lambda entry: (-entry[1], entry[0]))[:tags]
        shown = {spelled[tag]: count for tag, count in most}
        return Statistics(len(live), len(talks), shown, min(times, default=None), max(times, default=None))

    async def totals(self) -> Totals:
        """Count what the store holds; it has no files."""
        live = list(self._live())
        return Totals(len(live), len({memory.namespace for memory in live}), 0)

    async def tags_like(self, prefix: str, namespace: str, limit: int) -> list[str]:
        """Return tags that begin so."""
        spelled = self._spelled(namespace)
        return [spelled[tag] for tag in sorted(spelled) if tag.startswith(folded(prefix))][:limit]

    def _spelled(self, namespace: str) -> dict[str, str]:
        """Return each tag's spelling in the first memory that has it, by what it is compared by."""
        live = sorted(self._live(Filters(namespace)), key=lambda memory: -memory.key)
        return {folded(tag): tag for memory in live for tag in memory.tags}

    async def namespaces_like(self, prefix: str, limit: int) -> list[str]:
        """Return namespaces that begin so."""
        names = {memory.namespace for memory in self._live() if memory.namespace.startswith(prefix)}
        return sorted(names)[:limit]

    async def space(self) -> Space | None:
        """Return the space of the store's vectors."""
        return self._space

    async def queue(self, namespace: str | None) -> QueueCounts:
        """Count what waits for vectors."""
        waiting = [
            (number, key, passage.error)
            for number, key, passage in self._current()
            if passage.vector is None and namespace in {None, self._memories[key].namespace}
        ]
        failed = sorted((number, key, error) for number, key, error in waiting if error)
        pending = len({key for _, key, error in waiting if not error})
        if not failed:
            return QueueCounts(pending, 0)
        _, last, error = failed[-1]
        return QueueCounts(pending, len({key for _, key, _ in failed}), error, self._memories[last].id)

    async def pending(self, limit: int) -> list[PendingChunk]:
        """Return the oldest passages that wait for a vector."""
        waiting = [
            PendingChunk(number, passage.start, passage.end, self._memories[key].content)
            for number, key, passage in self._current()
            if passage.vector is None and not passage.error
        ]
        return waiting[:limit]

    async def retry_failed(self, made_by: str | None) -> int:
        """Queue refused passages again."""
        again = [
            (number, passage)
            for number, _, passage in self._current()
            if passage.error and (made_by is None or not passage.error.endswith(f"[{made_by}]"))
        ]
        for number, passage in again:
            self._passages[number] = (self._passages[number][0], replace(passage, error=None), None)
        return len(again)

    async def set_vectors(self, space: Space, results: Sequence[tuple[int, Sequence[Chunk]]]) -> None:
        """Give queued passages their vectors."""
        if space != (self._space or space):
            return
        waiting = {passage.passage_id for passage in await self.pending(len(self._passages))}
        changed: dict[str, dict[str, None]] = {}
        for number, passages in results:
            if number in waiting:
                waiting.discard(number)
                key, *_ = self._passages.pop(number)
                self._file(key, passages, space)
                changed.setdefault(self._memories[key].namespace, {})[self._memories[key].id] = None
        for namespace, ids in changed.items():
            self._note("embed", namespace, ids)

    async def acquire_lease(self, name: str, owner: str, seconds: float) -> bool:
        """Take or prolong a lease."""
        now = self._clock()
        holder, until = self._leases.get(name, (owner, now))
        if holder != owner and now < until <= now + LONGEST_LEASE_S:
            return False
        self._leases[name] = (owner, now + seconds)
        return True

    async def findings(self, namespace: str | None) -> dict[str, Finding]:
        """Say that all is well but what waits."""
        counts = await self.queue(namespace)
        queue = Finding(Condition.OK, "empty")
        if counts.pending or counts.failed:
            queue = Finding(Condition.DEGRADED, "failed" if counts.failed else "pending", counts.last_error or "waits")
        return {"store": Finding(Condition.OK, "open"), "queue": queue}

    async def close(self) -> None:
        """Nothing to let go of."""


def _differs(old: Memory, change: Change) -> bool:
    return (
        change.content not in {None, old.content}
        or change.type not in {None, old.type}
        or (change.tags is not None and tidy(change.tags) != old.tags)
        or (change.metadata is not None and _json(change.metadata) != _json(old.metadata))
    )


def _json(metadata: Metadata) -> str:
    return json.dumps(metadata, sort_keys=True)


def _place(memory: Memory) -> tuple[int, int]:
    return (memory.created_at - EPOCH) // timedelta(microseconds=1), memory.key


def _cursor(memory: Memory) -> str:
    return json.dumps([_place(memory)[0], memory.id])


def _parse(cursor: str) -> tuple[int, str]:
    with contextlib.suppress(ValueError):
        match json.loads(cursor):
            case [int(created), str(memory_id)]:
                return created, memory_id
    raise InvalidArgumentError("cursor", "is none that this store gave")
