"""What the fake store keeps, and the small steps of which its methods are made."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

from memory_mcp.domain.models import Chunk, Event, Filters, Memory, NewMemory, Revision, Space
from memory_mcp.domain.names import tags_once
from tests.fakes.searching import fits

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Text = tuple[str, str | None, str]
"""What duplicates have in common: the namespace, the conversation and the NFC text."""


class Shelves:
    """Memories, their passages and vectors, and the log of changes."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._memories: dict[int, Memory] = {}
        self._deleted: dict[int, tuple[Memory, datetime]] = {}
        """With the time of the deletion."""
        self._owners: dict[tuple[str, str], int] = {}
        """The key that every (namespace, id) was given, those of deleted memories too."""
        self._texts: dict[Text, list[int]] = {}
        """The keys of the memories that ever had a text."""
        self._revisions: dict[int, list[Revision]] = {}
        self._passages: dict[int, tuple[int, Chunk, Space | None]] = {}
        """By passage id, the oldest first: the memory's key, the passage, and its space; None while it waits."""
        self._space: Space | None = None
        self._others: list[Space] = []
        self._log: list[Event] = []
        self._floor = 0
        """The last of the log that was pruned; what is behind it is not told any more."""
        self._leases: dict[str, tuple[str, float]] = {}
        self._keys = count(1)
        self._passage_ids = count(1)

    def _now(self) -> datetime:
        return EPOCH + timedelta(microseconds=int(self._clock() * 1_000_000))

    def _note(self, kind: str, namespace: str, ids: Iterable[str], tags: Iterable[str] = ()) -> None:
        """Append to the log of changes."""
        seq = self._log[-1].seq + 1 if self._log else 1
        self._log.append(Event(seq, self._now(), namespace, kind, tuple(ids), tuple(sorted(set(tags)))))

    def _keep(self, memory: Memory) -> None:
        self._memories[memory.key] = memory
        self._texts.setdefault(text_of(memory), []).append(memory.key)
        self._owners[memory.namespace, memory.id] = memory.key

    def _file(self, key: int, passages: Sequence[Chunk], space: Space | None) -> None:
        """Keep passages for the store's space; a vector or an error of another one leaves the passage waiting."""
        if any(passage.vector is not None for passage in passages):
            if self._space is None:
                filled = {owner for owner, _, of in self._passages.values() if of == space}
                self._passages = {n: one for n, one in self._passages.items() if one[2] or one[0] not in filled}
            self._space = self._space or space
            self._others = [other for other in self._others if other != self._space]
        for passage in passages:
            has_room = space == self._space
            kept = passage if has_room else replace(passage, vector=None)
            waits = not kept.error and kept.vector is None
            self._passages[next(self._passage_ids)] = (key, kept, None if waits or not has_room else space)

    def _drop_passages(self, key: int) -> None:
        self._passages = {n: held for n, held in self._passages.items() if held[0] != key}

    def _current(self) -> list[tuple[int, int, Chunk]]:
        """Return (passage id, key, passage) of the store's space and of what waits for it."""
        return [
            (n, key, passage) for n, (key, passage, space) in self._passages.items() if space in {None, self._space}
        ]

    def _of(self, key: int) -> list[Chunk]:
        held = (one for one in self._passages.values() if one[0] == key)
        return [passage for _, passage, space in held if space in {None, self._space}]

    def _seen(self, memory: Memory) -> Memory:
        return replace(memory, embedded=all(passage.vector is not None for passage in self._of(memory.key)))

    def _live(self, filters: Filters | None = None) -> list[Memory]:
        return [memory for memory in self._memories.values() if filters is None or fits(memory, filters)]


def text_of(memory: Memory | NewMemory) -> Text:
    """Return what makes an exact duplicate."""
    return memory.namespace, memory.conversation_id, unicodedata.normalize("NFC", memory.content)


def tidy(tags: Iterable[str]) -> tuple[str, ...]:
    """Return each tag once, in its first spelling, in order."""
    return tuple(sorted(tags_once(tags)))
