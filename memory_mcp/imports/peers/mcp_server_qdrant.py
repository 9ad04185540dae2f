"""mcp-server-qdrant: the points of a local folder, with a document and metadata each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from memory_mcp.imports.model import PeerItem, PeerRecord, Remark, Source, UnreadableError
from memory_mcp.imports.peers.habits import understood
from memory_mcp.imports.peers.points import Point, points
from memory_mcp.imports.peers.values import own_id

NAMESPACES: Final = Remark("guessed", "each collection becomes a namespace")
UNDATED: Final = "it has no time; that of its collection's file is taken"


def read(source: Source) -> Iterator[PeerItem]:
    """Yield a memory for each point that has a document.

    Raises:
        UnreadableError: no point has one.
    """
    files = source.files()
    if not files:
        raise UnreadableError("it holds no collection/NAME/storage.sqlite; name the folder of QDRANT_LOCAL_PATH")
    yield NAMESPACES
    found = others = 0
    for point in points(source, files):
        if isinstance(point, Remark):
            yield point
            continue
        document = point.payload.get("document")
        if not isinstance(document, str):
            others += 1
            yield Remark("bad", "it has no document", point.source_id)
            continue
        found += 1
        yield from _items(point, document, source)
    if others and not found:
        raise UnreadableError("none of its points has a document, as those of mcp-server-qdrant have; is it mem0's?")
    yield Remark("lost", "it can neither change nor delete: what is outdated there comes too")


def _items(point: Point, document: str, source: Source) -> Iterator[PeerItem]:
    metadata = point.payload.get("metadata")
    found = understood(metadata if isinstance(metadata, dict) else {}, source, point.source_id)
    yield from found.remarks
    if found.created_at is None:
        yield Remark("guessed", UNDATED, point.source_id)
    created = found.created_at or point.file_at
    yield PeerRecord(
        point.source_id,
        document,
        created,
        max(created, found.updated_at or created),
        found.tags,
        found.type,
        found.rest,
        found.conversation_id,
        point.collection,
        id="" if "-" in point.source_id else own_id("qdrant", point.collection, point.source_id),
        is_dated=found.created_at is not None,
    )
