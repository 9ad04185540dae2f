"""Exports and imports complete memories: ids, times, revisions, tags, conversations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

from memory_mcp.domain.documents import SectionPlace
from memory_mcp.domain.errors import ConflictError, EmbedderError
from memory_mcp.domain.models import Lane, Record, Stored
from memory_mcp.domain.ports import RecordsAndIndex
from memory_mcp.memories.indexing import Indexer

BATCH: Final = 64
"""Memories read or committed at a time."""


class Transfer:
    """Reads and writes records."""

    def __init__(self, store: RecordsAndIndex, indexer: Indexer) -> None:
        self._store = store
        self._indexer = indexer
        self._failure: EmbedderError | None = None
        """The embedder's failure; after it, the rest goes to the queue."""
        self.sections = 0

    async def export(self, *, without_documents: bool = False) -> AsyncIterator[Record]:
        """Yield all live memories in order of arrival; `sections` counts those of documents."""
        after = 0
        while records := await self._store.export(after, BATCH):
            keys = [record.memory.key for record in records]
            places = await self._places(keys)
            self.sections += len(places)
            for record in records:
                if not (without_documents and record.memory.key in places):
                    yield record
            after = keys[-1]

    async def _places(self, keys: Sequence[int]) -> Mapping[int, SectionPlace]:
        return await self._store.read(lambda it: it.section_places(keys), is_short=True)

    async def import_records(self, records: Sequence[Record]) -> list[Stored | ConflictError]:
        """Write a batch; existing memories are left alone.

        Raises:
            StoreError: nothing of the batch was written.
        """
        contents = [record.memory.content for record in records]
        if self._failure is None:
            embedded, self._failure = await self._indexer.embed(
                contents, lane=Lane.BULK, space=await self._store.read(lambda it: it.space(), is_short=True)
            )
        else:
            embedded = await self._indexer.cut(contents)
        return await self._store.import_records(list(zip(records, embedded, strict=True)))
