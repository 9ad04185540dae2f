"""A fake of the embedding index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from memory_mcp.domain.errors import ConflictError
from memory_mcp.domain.models import Chunk, Memory, MissingVectors, PendingChunk, Space
from tests.fakes.shelves import OnShelves


class FakeEmbeddingIndex(OnShelves):
    """See `domain.ports.EmbeddingIndex`."""

    async def pending(self, limit: int) -> list[PendingChunk]:
        """Return the oldest passages that wait for a vector."""
        waiting = [
            PendingChunk(number, passage.start, passage.end, self.shelves.memories[key].content)
            for number, key, passage in self.shelves.current()
            if passage.vector is None and not passage.error
        ]
        return waiting[:limit]

    async def retry_failed(self, made_by: str | None) -> int:
        """Queue refused passages again."""
        again = [
            (number, passage)
            for number, _, passage in self.shelves.current()
            if passage.error and (made_by is None or not passage.error.endswith(f"[{made_by}]"))
        ]
        for number, passage in again:
            self.shelves.passages[number] = (self.shelves.passages[number][0], replace(passage, error=None), None)
        return len(again)

    async def set_vectors(self, space: Space, results: Sequence[tuple[int, Sequence[Chunk]]]) -> None:
        """Give queued passages their vectors."""
        if space != (self.shelves.space or space):
            return
        waiting = {passage.passage_id for passage in await self.pending(len(self.shelves.passages))}
        changed: dict[str, dict[str, None]] = {}
        for number, passages in results:
            if number in waiting:
                waiting.discard(number)
                key, *_ = self.shelves.passages.pop(number)
                self.shelves.file(key, passages, space)
                changed.setdefault(self.shelves.memories[key].namespace, {})[self.shelves.memories[key].id] = None
        for namespace, ids in changed.items():
            self.shelves.note("embed", namespace, ids)

    async def other_spaces(self) -> list[Space]:
        """Return the spaces that are not the store's."""
        return list(self.shelves.others)

    def _lacking(self, space: Space) -> list[Memory]:
        filled = {key for key, _, of in self.shelves.passages.values() if of == space}
        return [memory for key, memory in sorted(self.shelves.memories.items()) if key not in filled]

    async def missing_vectors(self, space: Space, after: int, limit: int) -> list[MissingVectors]:
        """Return live memories that have no passage in a space."""
        found = [MissingVectors(memory.key, memory.content) for memory in self._lacking(space) if memory.key > after]
        return found[:limit]

    async def count_missing_vectors(self, space: Space) -> int:
        """Count the live memories that have no passage in a space."""
        return len(self._lacking(space))

    async def backfill(self, space: Space, items: Sequence[tuple[MissingVectors, Sequence[Chunk]]]) -> None:
        """Give memories their passages in a space."""
        self._know(space)
        filled: dict[str, list[str]] = {}
        for wanted, passages in items:
            if any((memory.key, memory.content) == (wanted.key, wanted.content) for memory in self._lacking(space)):
                if space == self.shelves.space:
                    self._drop_waiting(wanted.key)
                for passage in passages:
                    self.shelves.passages[next(self.shelves.passage_ids)] = (wanted.key, passage, space)
                memory = self.shelves.memories[wanted.key]
                filled.setdefault(memory.namespace, []).append(memory.id)
        if space == self.shelves.space:
            for namespace, ids in filled.items():
                self.shelves.note("embed", namespace, ids)

    def _drop_waiting(self, key: int) -> None:
        self.shelves.passages = {
            n: held for n, held in self.shelves.passages.items() if held[0] != key or held[2] is not None
        }

    def _know(self, space: Space) -> None:
        if space != self.shelves.space and space not in self.shelves.others:
            self.shelves.others.append(space)

    async def activate_space(self, space: Space) -> bool:
        """Make a filled space the store's."""
        if space == self.shelves.space:
            return True
        if self._lacking(space):
            return False
        self._know(space)
        waiting = {key for key, _, of in self.shelves.passages.values() if of is None}
        self.shelves.passages = {
            n: held
            for n, held in self.shelves.passages.items()
            if held[2] is not None and not (held[0] in waiting and held[2] == self.shelves.space)
        }
        self.shelves.others = [
            other for other in [*self.shelves.others, self.shelves.space] if other not in {None, space}
        ]
        self.shelves.space = space
        for namespace in self.shelves.namespaces():
            self.shelves.note("space", namespace, [])
        return True

    async def drop_space(self, space: Space) -> None:
        """Remove the vectors of a space that is not the store's."""
        if space == self.shelves.space:
            raise ConflictError(f"the space {space.id} is the store's")
        self.shelves.others = [other for other in self.shelves.others if other != space]
        self.shelves.passages = {n: held for n, held in self.shelves.passages.items() if held[2] != space}
