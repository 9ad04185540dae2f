"""Chroma 0.5 to 1.5: the collections in `chroma.sqlite3`, a memory for each document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import apsw

from memory_mcp.imports.model import PeerItem, PeerRecord, Remark, Source, UnreadableError
from memory_mcp.imports.peers.database import columns_of, opened, text
from memory_mcp.imports.peers.habits import understood
from memory_mcp.imports.peers.values import REPLACED, own_id

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
ROWS: Final = """
SELECT CAST(c.name AS BLOB), e.id, CAST(e.embedding_id AS BLOB), e.created_at
FROM collections c
JOIN segments s ON s.collection = c.id AND s.scope = 'METADATA'
JOIN embeddings e ON e.segment_id = s.id
ORDER BY c.name, e.id
"""
MEMBERS: Final = "SELECT CAST(key AS BLOB), bool_value, int_value, float_value, CAST(string_value AS BLOB)"
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
    at: datetime
    """When it came to the collection."""
    is_utf8: bool


def read(source: Source) -> Iterator[PeerItem]:
    """Yield the documents of all collections.

    Raises:
        UnreadableError: it is no database of Chroma.
    """
    path = source.file()
    with chroma(path) as db:
        yield from unapplied(db)
        yield NAMESPACES
        for row in rows(db):
            yield from _items(row, source)


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
    for name, key, embedding_id, at in db.execute(ROWS):
        (collection, _), (source_id, is_utf8) = text(name), text(embedding_id)
        metadata: dict[str, object] = {}
        for table in tables:
            for member, *values in db.execute(f"{MEMBERS} FROM {table} WHERE id = ? ORDER BY rowid", (key,)):
                (label, is_plain), (value, is_text) = text(member), _value(*values)
                is_utf8 = is_utf8 and is_plain and is_text
                if table == ARRAYS:
                    held = metadata.setdefault(label, [])
                    if isinstance(held, list):
                        held.append(value)
                else:
                    metadata[label] = value
        document = metadata.pop(DOCUMENT, None)
        yield ChromaRow(
            collection, source_id, None if document is None else str(document), metadata, _time(at), is_utf8
        )


def _value(boolean: int | None, whole: int | None, real: float | None, written: bytes | None) -> tuple[object, bool]:
    """Return a member's value, and whether it was UTF-8."""
    if boolean is not None:
        return bool(boolean), True
    if whole is not None or real is not None:
        return real if whole is None else whole, True
    return (None, True) if written is None else text(written)


def _time(written: object) -> datetime:
    """Return the time of a row, which SQLite wrote in UTC."""
    return datetime.fromisoformat(str(written)).replace(tzinfo=UTC)


def _items(row: ChromaRow, source: Source) -> Iterator[PeerItem]:
    if row.document is None:
        yield Remark("bad", "it has no document", row.source_id)
        return
    if not row.is_utf8:
        yield Remark("lost", REPLACED, row.source_id)
    found = understood(row.metadata, source, row.source_id)
    yield from found.remarks
    created = found.created_at or row.at
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
    )
