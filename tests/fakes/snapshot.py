"""A fake of the snapshot port: every cosine computed, every word counted."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from memory_mcp.domain.documents import SectionPlace
from memory_mcp.domain.errors import InvalidArgumentError, SpaceMismatchError
from memory_mcp.domain.keywords import KeywordQuery, QueryTerm, Tokenize
from memory_mcp.domain.models import (
    BackgroundScores,
    Chunk,
    DocumentFrequencies,
    Filters,
    KeywordMatches,
    Match,
    Memory,
    Neighbours,
    Outline,
    Page,
    QueueCounts,
    Space,
)
from memory_mcp.domain.names import folded
from memory_mcp.domain.ports import Snapshot
from memory_mcp.domain.spelling import holds
from memory_mcp.domain.trash import Trashed, TrashPage
from memory_mcp.search.lexical.query import share_known
from memory_mcp.search.lexical.stems import LANGUAGES, mark
from tests.fakes.charts import FakeCharts
from tests.fakes.documents import FakeDocuments
from tests.fakes.searching import best_passages, cosine_among, cosine_to
from tests.fakes.shelves import EPOCH, OnShelves, place
from tests.fakes.terms import share, terms_of, tokenize

T = TypeVar("T")


class FakeSnapshot(FakeCharts):
    """See `domain.ports.Snapshot`; nothing can change while its answers are computed."""

    of_documents = False

    def documents(self) -> FakeSnapshot:
        """Return what searches documents."""
        found = FakeSnapshot(self.shelves)
        found.of_documents = True
        return found

    def _searched(self, filters: Filters) -> list[Memory]:
        return self.shelves.live(replace(filters, documents=self.of_documents))

    def within(self, *namespaces: str) -> FakeSnapshot:
        """Return itself: there is no wall."""
        del namespaces
        return self

    def everywhere(self) -> FakeSnapshot:
        """Return itself."""
        return self

    def fetch(self, keys: Sequence[int]) -> dict[int, Memory]:
        """Return the memories of these keys that still exist."""
        return {key: self.shelves.seen(self.shelves.memories[key]) for key in keys if key in self.shelves.memories}

    def outlines(self, keys: Sequence[int], most_bytes: int) -> dict[int, Outline]:
        """Return when memories were created and how long they are."""
        sized = {key: (memory, len(memory.content.encode())) for key, memory in self.fetch(keys).items()}
        return {
            key: Outline(memory.created_at, size, memory.content if size <= most_bytes else None)
            for key, (memory, size) in sized.items()
        }

    def section_places(self, keys: Sequence[int]) -> dict[int, SectionPlace]:
        """Return where memories lie in documents."""
        shown = FakeDocuments(self.shelves).shown
        found = {key: self.shelves.sections[key] for key in keys if key in self.shelves.sections}
        of = {at.document: shown(at.document) for at in found.values()}
        return {
            key: SectionPlace(at.document, of[at.document].title, of[at.document].uri, at.heading, at.page)
            for key, at in found.items()
        }

    def nearest(self, vector: bytes, space: Space, filters: Filters, limit: int) -> list[Match]:
        """Return the memories whose best passage is nearest by cosine."""
        return self._ranked(vector, space, (memory.key for memory in self._searched(filters)))[:limit]

    def compare(self, vector: bytes, space: Space, keys: Sequence[int]) -> list[Match]:
        """Return what `nearest` would say of these memories."""
        return self._ranked(vector, space, keys)

    def _ranked(self, vector: bytes, space: Space, keys: Iterable[int]) -> list[Match]:
        self._check(space)
        if self.shelves.space is None:
            return []
        parts: dict[int, list[Chunk]] = {key: [] for key in keys}
        for _, key, passage in self.shelves.current():
            if key in parts:
                parts[key].append(passage)
        return best_passages(vector, parts)

    def _check(self, space: Space) -> None:
        if self.shelves.space is not None and self.shelves.space.id != space.id:
            raise SpaceMismatchError(f"the store's vectors are of the space {self.shelves.space.id}, not {space.id}")

    def neighbours(self, keys: Sequence[int]) -> dict[int, Neighbours]:
        """Return what lies on each side of each memory in its conversation."""
        found = {}
        for memory in (self.shelves.memories[key] for key in keys if key in self.shelves.memories):
            if memory.conversation_id is not None:
                talk = sorted(
                    self.shelves.live(Filters(memory.namespace, conversation_id=memory.conversation_id)), key=place
                )
                turns = [turn.key for turn in talk]
                at = turns.index(memory.key)
                found[memory.key] = Neighbours(tuple(turns[max(0, at - 2) : at][::-1]), tuple(turns[at + 1 : at + 3]))
        return found

    def contextual_similarity(
        self, vector: bytes, space: Space, keys: Sequence[int], shares: Sequence[float]
    ) -> dict[int, float]:
        """Return the cosine to each memory's meaning among its neighbours."""
        self._check(space)
        around = self.neighbours(keys)
        return {
            key: cosine_among(
                vector,
                self.shelves.of(key),
                [[self.shelves.of(n) for n in side] for side in (of.before, of.after)],
                shares,
            )
            for key, of in around.items()
            if any(passage.vector for passage in self.shelves.of(key))
        }

    def background_scores(self, vector: bytes, space: Space, namespace: str, count: int) -> BackgroundScores:
        """Return the cosines to the first passages of a namespace."""
        self._check(space)
        keys = {memory.key for memory in self._searched(Filters(namespace))}
        held = [
            passage.vector for _, key, passage in self.shelves.current() if passage.vector is not None and key in keys
        ]
        return BackgroundScores(len(held), tuple(cosine_to(vector, one) for one in held[:count]))

    def tags_among(self, words: Sequence[str], namespace: str) -> frozenset[str]:
        """Return those words that are tags of the namespace."""
        known = {folded(tag) for memory in self.shelves.live(Filters(namespace)) for tag in memory.tags}
        return frozenset(word for word in words if folded(word) in known)

    def tokenizer(self) -> Tokenize:
        """Return what makes words to terms; no endings are cut."""
        return tokenize

    def languages(self, namespace: str) -> tuple[str, ...]:
        """Return the languages whose mark a memory of the namespace has."""
        held = frozenset().union(*self._terms(namespace).values())
        return tuple(language for language in LANGUAGES if mark(language) in held)

    def keyword_search(self, query: KeywordQuery, filters: Filters, limit: int) -> KeywordMatches:
        """Return the memories that hold terms of the query; a score is the sum of the shares of rarity they hold."""
        terms = self._terms(filters.namespace)
        shares = [(term, {key: share(held, term) for key, held in terms.items()}) for term in query.terms]
        rarity = [math.log(1 + len(terms) / (1 + sum(map(bool, each.values())))) for _, each in shares]
        known = [any(each.values()) or not term.is_extra for term, each in shares]
        scores = {
            memory.key: math.fsum(rare * each[memory.key] for rare, (_, each) in zip(rarity, shares, strict=True))
            for memory in self._searched(filters)
            if all(holds(memory.content, phrase.text) for phrase in query.phrases)
        }
        ranked = sorted((key for key in scores if scores[key] > 0), key=lambda key: -scores[key])[:limit]
        most = math.fsum(
            rare * term.weight for rare, (term, _), counts in zip(rarity, shares, known, strict=True) if counts
        )
        written = [(term.term, any(each.values())) for term, each in shares if not term.is_extra]
        found = {key: scores[key] for key in ranked}
        return KeywordMatches(most, found, share_known(written) if terms else 0.0, len(written))

    def document_frequencies(self, words: Mapping[str, QueryTerm], namespace: str) -> DocumentFrequencies:
        """Return how many memories hold each word."""
        terms = self._terms(namespace)
        forms = {word: [one for one in (term, *term.others) if not one.is_prefix] for word, term in words.items()}
        counted = {
            word: sum(one.term in held for one in some for held in terms.values()) for word, some in forms.items()
        }
        return DocumentFrequencies(
            len(terms), {word: min(len(terms), count) for word, count in counted.items()} if terms else {}
        )

    def _terms(self, namespace: str) -> dict[int, frozenset[str]]:
        return {memory.key: terms_of(memory.content) for memory in self._searched(Filters(namespace))}

    def page(self, filters: Filters, *, limit: int, cursor: str | None) -> Page:
        """Return memories newest first."""
        found = sorted(self.shelves.live(filters), key=place, reverse=True)
        start = None if cursor is None else self._start(filters.namespace, cursor)
        rest = [memory for memory in found if start is None or place(memory) < start]
        shown = tuple(self.shelves.seen(memory) for memory in rest[:limit])
        return Page(shown, _cursor(place(shown[-1])[0], shown[-1].id) if len(rest) > limit else None, len(found))

    def trash(self, namespace: str, *, limit: int, cursor: str | None) -> TrashPage:
        """Return the deleted memories, the latest first."""
        kept = [Trashed(memory, at) for memory, at in self.shelves.deleted.values() if memory.namespace == namespace]
        found = sorted(kept, key=_deleted_place, reverse=True)
        start = None if cursor is None else self._start(namespace, cursor)
        rest = [one for one in found if start is None or _deleted_place(one) < start]
        shown = tuple(replace(one, memory=self.shelves.seen(one.memory)) for one in rest[:limit])
        last = _cursor(_deleted_place(shown[-1])[0], shown[-1].memory.id) if len(rest) > limit else None
        return TrashPage(shown, last, len(found))

    def first_vectors(self, keys: Sequence[int]) -> dict[int, bytes]:
        """Return the vector of each memory's first embedded passage."""
        current = sorted(self.shelves.current(), key=lambda held: -held[2].start)
        return {key: passage.vector for _, key, passage in current if key in keys and passage.vector is not None}

    def _start(self, namespace: str, cursor: str) -> tuple[int, float]:
        created, memory_id = _parse(cursor)
        return created, self.shelves.owners.get((namespace, memory_id), math.inf)

    def space(self) -> Space | None:
        """Return the space of the store's vectors."""
        return self.shelves.space

    def queue(self, namespace: str | None) -> QueueCounts:
        """Count what waits for vectors."""
        waiting = [
            (number, key, passage.error)
            for number, key, passage in self.shelves.current()
            if passage.vector is None and namespace in {None, self.shelves.memories[key].namespace}
        ]
        failed = sorted((number, key, error) for number, key, error in waiting if error)
        pending = len({key for _, key, error in waiting if not error})
        if not failed:
            return QueueCounts(pending, 0)
        _, last, error = failed[-1]
        return QueueCounts(pending, len({key for _, key, _ in failed}), error, self.shelves.memories[last].id)


class FakeSnapshots(OnShelves):
    """See `domain.ports.Snapshots`."""

    async def read(self, work: Callable[[Snapshot], T], *, is_short: bool = False) -> T:
        """Do work at once; nothing can come between."""
        return work(FakeSnapshot(self.shelves))


def _cursor(moment: int, memory_id: str) -> str:
    return json.dumps([moment, memory_id])


def _deleted_place(one: Trashed) -> tuple[int, int]:
    return (one.deleted_at - EPOCH) // timedelta(microseconds=1), one.memory.key


def _parse(cursor: str) -> tuple[int, str]:
    with contextlib.suppress(ValueError):
        match json.loads(cursor):
            case [int(created), str(memory_id)]:
                return created, memory_id
    raise InvalidArgumentError("cursor", "is none that this store gave")
