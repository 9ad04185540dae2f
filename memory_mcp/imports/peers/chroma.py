"""Chroma 0.5 to 1.5: the collections in `chroma.sqlite3`, a memory for each document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import apsw

from memory_mcp.imports.model import PeerItem, PeerRecord, Remark, Source, UnreadableError
from memory_mcp.imports.peers.database import as_blob, columns_of, decoded, opened
from memory_mcp.imports.peers.habits import understood
from memory_mcp.imports.peers.values import moment, own_id, remarks

NAMESPACES: Final = Remark("guessed", "each collection becomes a namespace")
DOCUMENT: Final = "chroma:document"
NEEDED: Final = {
    "collections": {"id", "name"},
    "segments": {"id", "scope", "collection"},
    "embeddings": {"id", "segment_id", "embedding_id", "created_at"},
    "embedding_metadata": {"id", "key", "string_value", "int_value", "float_value", "bool_value"},
}
ARRAYS: Final = "embedding_metadata_array"
"""Lists, since 1.5."""
ROWS: Final = f"""
SELECT e.id, {as_blob("c.name")}, {as_blob("e.embedding_id")}, {as_blob("e.created_at")}
FROM collections c
JOIN segments s ON s.collection = c.id AND s.scope = 'METADATA'
JOIN embeddings e ON e.segment_id = s.id
ORDER BY c.name, e.id
"""  # noqa: S608 - constants
MEMBERS: Final = ", ".join(map(as_blob, ("key", "bool_value", "int_value", "float_value", "string_value")))
WAITING: Final = """
SELECT count(*) FROM embeddings_queue q JOIN segments s ON s.scope = 'METADATA' AND q.topic LIKE '%/' || s.collection
LEFT JOIN max_seq_id m ON m.segment_id = s.id WHERE typeof(q.seq_id) = 'integer' AND q.seq_id > coalesce(m.seq_id, 0)
"""
UNAPPLIED: Final = "the last changes wait in Chroma's queue; query it once with its own program to have them applied"


@dataclass(frozen=True, slots=True)
class ChromaRow:
    """A document with its metadata."""

    collection: str
    source_id: str
    document: str | None
    metadata: Mapping[str, object]
    at: datetime | None
    """When it came to the collection."""
    is_utf8: bool


def read(source: Source) -> Iterator[PeerItem]:
    """Yield the documents of all collections.

    Raises:
        UnreadableError: it is no database of Chroma.
    """
    path = source.file()
    at = source.written_at(path)
    with chroma(path) as db:
        yield from unapplied(db)
        yield NAMESPACES
        for row in rows(db):
            yield from _items(row, source, at)


@contextmanager
def chroma(path: Path) -> Iterator[apsw.Connection]:
    """Open a database of Chroma.

    Raises:
        UnreadableError: it is none, or one of another version.
    """
    with opened(path) as db:
        if any(not needed <= columns_of(db, table) for table, needed in NEEDED.items()):
            raise UnreadableError(f"{path.name} does not have the tables of Chroma 0.5 to 1.5; name its chroma.sqlite3")
        yield db


def unapplied(db: apsw.Connection) -> Iterator[Remark]:
    """Say whether there are changes that Chroma has taken, but not made yet."""
    if columns_of(db, "embeddings_queue") and columns_of(db, "max_seq_id"):
        waiting = db.execute(WAITING).get
        if waiting:
            yield Remark("lost", UNAPPLIED)


def rows(db: apsw.Connection) -> Iterator[ChromaRow]:
    """Yield the documents, by collections and as they came."""
    tables = ["embedding_metadata", *([ARRAYS] if columns_of(db, ARRAYS) else [])]
    for key, *texts in db.execute(ROWS):
        (collection, source_id, at), is_utf8 = decoded(texts)
        metadata: dict[str, object] = {}
        for table in tables:
            statement = f"SELECT {MEMBERS} FROM {table} WHERE id = ? ORDER BY rowid"  # noqa: S608 - constants
            for values in db.execute(statement, (key,)):
                (label, *typed), is_text = decoded(values)
                is_utf8 = is_utf8 and is_text
                _take(metadata, str(label), _value(*typed), is_item=table == ARRAYS)
        document = metadata.pop(DOCUMENT, None)
        yield ChromaRow(
            str(collection),
            str(source_id),
            None if document is None else str(document),
            metadata,
            moment(at),  # SQLite wrote it, in UTC
            is_utf8,
        )


def _take(metadata: dict[str, object], label: str, value: object, *, is_item: bool) -> None:
    if not is_item:
        metadata[label] = value
    elif isinstance(held := metadata.setdefault(label, []), list):
        held.append(value)


def _value(boolean: object, whole: object, real: object, written: object) -> object:
    """Return a member's value."""
    if boolean is not None:
        return bool(boolean)
    return next((value for value in (whole, real, written) if value is not None), None)


def _items(row: ChromaRow, source: Source, file_time: datetime) -> Iterator[PeerItem]:
    if row.document is None:
        yield Remark("bad", "it has no document", row.source_id)
        return
    found = understood(row.metadata, source, row.source_id)
    dated = found.created_at or row.at
    yield from remarks(row.source_id, is_utf8=row.is_utf8, has_time=dated is not None)
    yield from found.remarks
    created = dated or file_time
    yield PeerRecord(
        row.source_id,
        row.document,
        created,
        max(created, found.updated_at or created),
        found.tags,
        found.type,
        found.rest,
        found.conversation_id,
        row.collection,
        id=own_id("chroma", row.collection, row.source_id),  # there an id is unique in its collection alone
        is_dated=dated is not None,
    )
