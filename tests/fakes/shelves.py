"""What the fake store keeps, and the small steps of which its methods are made."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count

from memory_mcp.domain.documents import PARTIAL, DocumentChange, FileStamp, Watch
from memory_mcp.domain.jobs import FileContent, JobFile, JobState, NewJob
from memory_mcp.domain.models import Chunk, Event, Filters, Memory, NewMemory, Revision, Space
from memory_mcp.domain.names import tags_once
from tests.fakes.searching import fits

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Text = tuple[str, str | None, str]
"""What duplicates have in common: the namespace, the conversation and the NFC text."""


@dataclass(frozen=True, slots=True)
class HeldFile:
    """A file that was read."""

    stamp: FileStamp
    seen_at: datetime
    missing_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class HeldDocument:
    """A document, as it was last put."""

    key: int
    id: str
    namespace: str
    digest: str
    change: DocumentChange
    revision: int
    tags: tuple[str, ...]
    dated_at: datetime
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class HeldSection:
    """Where a memory lies in a document."""

    document: str
    place: int
    heading: tuple[str, ...]
    page: int | None
    digest: bytes


@dataclass(slots=True)
class HeldJob:
    """A job with its files."""

    id: str
    new: NewJob
    created_at: datetime
    updated_at: datetime
    state: JobState = JobState.QUEUED
    error: str | None = None
    files: list[JobFile] = field(default_factory=list)
    contents: dict[int, FileContent] = field(default_factory=dict)


class Shelves:
    """Memories, their passages and vectors, and the log of changes."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.memories: dict[int, Memory] = {}
        self.deleted: dict[int, tuple[Memory, datetime]] = {}
        """With the time of the deletion."""
        self.owners: dict[tuple[str, str], int] = {}
        """The key that every (namespace, id) was given, those of deleted memories too."""
        self.texts: dict[Text, list[int]] = {}
        """The keys of the memories that ever had a text."""
        self.revisions: dict[int, list[Revision]] = {}
        self.passages: dict[int, tuple[int, Chunk, Space | None]] = {}
        """By passage id, the oldest first: the memory's key, the passage, and its space; None while it waits."""
        self.space: Space | None = None
        self.others: list[Space] = []
        self.log: list[Event] = []
        self.floor = 0
        """The last of the log that was pruned; what is behind it is not told any more."""
        self.leases: dict[str, tuple[str, float]] = {}
        self.files: dict[tuple[str, str], HeldFile] = {}
        """By namespace and URI."""
        self.documents: dict[str, HeldDocument] = {}
        self.sections: dict[int, HeldSection] = {}
        """By the key of the memory."""
        self.jobs: dict[str, HeldJob] = {}
        self.watches: dict[str, Watch] = {}
        self.keys = count(1)
        self.passage_ids = count(1)

    def now(self) -> datetime:
        """Return the time."""
        return EPOCH + timedelta(microseconds=int(self.clock() * 1_000_000))

    def note(self, kind: str, namespace: str, ids: Iterable[str], tags: Iterable[str] = ()) -> None:
        """Append to the log of changes."""
        seq = self.log[-1].seq + 1 if self.log else 1
        self.log.append(Event(seq, self.now(), namespace, kind, tuple(ids), tuple(sorted(set(tags)))))

    def namespaces(self) -> list[str]:
        """Return those that were ever written to, in order."""
        return sorted({event.namespace for event in self.log})

    def keep(self, memory: Memory) -> None:
        """Put a memory where it is found."""
        self.memories[memory.key] = memory
        self.texts.setdefault(text_of(memory), []).append(memory.key)
        self.owners[memory.namespace, memory.id] = memory.key

    def file(self, key: int, passages: Sequence[Chunk], space: Space | None) -> None:
        """Keep passages for the store's space; a vector or an error of another one leaves the passage waiting."""
        if any(passage.vector is not None for passage in passages):
            if self.space is None:
                filled = {owner for owner, _, of in self.passages.values() if of == space}
                self.passages = {n: one for n, one in self.passages.items() if one[2] or one[0] not in filled}
            self.space = self.space or space
            self.others = [other for other in self.others if other != self.space]
        for passage in passages:
            has_room = space == self.space
            kept = passage if has_room else replace(passage, vector=None)
            waits = not kept.error and kept.vector is None
            self.passages[next(self.passage_ids)] = (key, kept, None if waits or not has_room else space)

    def delete(self, memory: Memory) -> None:
        """Delete a memory softly."""
        self.deleted[memory.key] = self.memories.pop(memory.key), self.now()
        self.drop_passages(memory.key)
        self.note("delete", memory.namespace, [memory.id], memory.tags)

    def make_partial(self, document_id: str, reason: str) -> HeldDocument:
        """Let a document say that it is partial."""
        held = self.documents[document_id]
        change = replace(held.change, refusal=PARTIAL, error=reason)
        held = replace(held, change=change, revision=held.revision + 1, updated_at=self.now())
        self.documents[document_id] = held
        return held

    def drop_passages(self, key: int) -> None:
        """Forget the chunks of a memory, in every space."""
        self.passages = {n: held for n, held in self.passages.items() if held[0] != key}

    def current(self) -> list[tuple[int, int, Chunk]]:
        """Return (passage id, key, passage) of the store's space and of what waits for it."""
        return [(n, key, passage) for n, (key, passage, space) in self.passages.items() if space in {None, self.space}]

    def of(self, key: int) -> list[Chunk]:
        """Return a memory's chunks of the store's space, and those that wait for it."""
        held = (one for one in self.passages.values() if one[0] == key)
        return [passage for _, passage, space in held if space in {None, self.space}]

    def seen(self, memory: Memory) -> Memory:
        """Return a memory as a caller sees it: `embedded` says whether every chunk has its vector."""
        return replace(memory, embedded=all(passage.vector is not None for passage in self.of(memory.key)))

    def live(self, filters: Filters | None = None) -> list[Memory]:
        """Return the memories that are not deleted."""
        return [memory for memory in self.memories.values() if filters is None or fits(memory, filters)]


def text_of(memory: Memory | NewMemory) -> Text:
    """Return what makes an exact duplicate."""
    return memory.namespace, memory.conversation_id, unicodedata.normalize("NFC", memory.content)


def tidy(tags: Iterable[str]) -> tuple[str, ...]:
    """Return each tag once, in its first spelling, in order."""
    return tuple(sorted(tags_once(tags)))


def place(memory: Memory) -> tuple[int, int]:
    """Return what memories are ordered by in time."""
    return (memory.created_at - EPOCH) // timedelta(microseconds=1), memory.key


class OnShelves:
    """What the fakes of one store's ports share."""

    def __init__(self, shelves: Shelves) -> None:
        self.shelves = shelves
