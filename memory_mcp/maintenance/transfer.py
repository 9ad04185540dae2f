"""Exports and imports complete memories, with ids, times, revisions, tags and conversations, and documents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

from memory_mcp.domain.documents import DocumentRecord, SectionPlace
from memory_mcp.domain.errors import ConflictError, EmbedderError
from memory_mcp.domain.models import Lane, Record, Stored
from memory_mcp.domain.ports import DocumentStore, RecordsAndIndex, SupportsDocuments
from memory_mcp.memories.indexing import Indexer

BATCH: Final = 64
"""Memories read or committed at a time."""
DOCUMENTS_AT_ONCE: Final = 8
"""Likewise; a document may have thousands of sections."""
NO_DOCUMENTS: Final = "this store keeps no documents; its sections are memories: import into another store, or go on"


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

    async def export_documents(self) -> AsyncIterator[DocumentRecord]:
        """Yield all documents in order of arrival; their sections are among the memories."""
        after = 0
        while (documents := self._documents()) and (
            records := await documents.export_documents(after, DOCUMENTS_AT_ONCE)
        ):
            for record in records:
                yield record
            after = records[-1].key

    async def count_watches(self) -> int:
        """Return the number of watched folders, which belong to a machine and are not moved."""
        documents = self._documents()
        return len(await documents.watches(None)) if documents else 0

    def _documents(self) -> DocumentStore | None:
        return self._store.documents if isinstance(self._store, SupportsDocuments) else None

    async def _places(self, keys: Sequence[int]) -> Mapping[int, SectionPlace]:
        return await self._store.read(lambda it: it.everywhere().section_places(keys), is_short=True)

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

    async def import_documents(self, records: Sequence[DocumentRecord]) -> list[bool | ConflictError]:
        """Write documents after the memories that are their sections; those that exist are left alone.

        Raises:
            StoreError: none of them was written.
        """
        documents = self._documents()
        return (
            [ConflictError(NO_DOCUMENTS)] * len(records)
            if documents is None
            else (await documents.import_documents(records))
        )
