"""Export and import of memories: complete, with their history, without vectors."""

from __future__ import annotations

from typing import Final, cast

import apsw

from memory_mcp.domain.duplicates import check_import, deleted_before
from memory_mcp.domain.models import Embedded, Memory, Record, Stored
from memory_mcp.storage import outcomes
from memory_mcp.storage.importing import memory_row, numbered, revision_row
from memory_mcp.storage.rows import digest, to_memory
from memory_mcp.storage.sqlite.db.changes import log_change
from memory_mcp.storage.sqlite.db.partitions import partition_of
from memory_mcp.storage.sqlite.lexical import keywords
from memory_mcp.storage.sqlite.records.reads import MEMORY_COLUMNS, load, revisions
from memory_mcp.storage.sqlite.records.writes import insert_tags, remove
from memory_mcp.storage.sqlite.vectors import chunks

_INSERT: Final = """
  INSERT INTO memories
    (id, namespace, conversation_id, type, content, digest, metadata, metadata_digest, created_at, updated_at,
     revision)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_INSERT_REVISION: Final = """
  INSERT INTO revisions (key, revision, content, tags, type, metadata, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)
"""


def export(db: apsw.Connection, after: int, limit: int) -> list[Record]:
    """Return the first live memories after this key, with their history."""
    rows = db.execute(
        f"""SELECT {MEMORY_COLUMNS} FROM memories AS m WHERE m.key > ? AND m.deleted_at IS NULL
            ORDER BY m.key LIMIT ?""",  # noqa: S608 - a constant
        (after, limit),
    )
    return [Record(memory, tuple(revisions(db, memory.key))) for memory in map(to_memory, rows)]


def import_records(db: apsw.Connection, record: Record, embedded: Embedded, now: int) -> Stored:
    """Write one exported memory unless the store has it.

    Raises:
        ConflictError: its id belongs to a memory with other content, to a deleted one, or to one without its fields.
    """
    if record.may_be_numbered:
        record = numbered(record, lambda memory: found[1] if (found := _found(db, memory)) else None)
    memory, text = record.memory, digest(record.memory.content)
    found = _found(db, memory)
    if found is not None and found[2] and record.replaces_deleted:
        remove(db, [(found[0], memory.id, memory.namespace)], now)
        found = None
    if found is not None:
        key, held, is_deleted = found
        if held != text:
            raise outcomes.imported_id_of_other(memory)
        if is_deleted:
            raise deleted_before(memory.id, memory.namespace)
        known = load(db, key)
        check_import(memory, known)
        return Stored(memory.id, created=False, embedded=known.embedded)
    key = _insert(db, record)
    insert_tags(db, key, memory.tags)
    partition = partition_of(memory.namespace, memory.type)
    keywords.enter(db, key, keywords.count_in(db, partition), memory.content)
    complete = chunks.insert_all(db, key, partition, embedded)
    log_change(db, now, "import", memory.namespace, [memory.id], memory.tags)
    return Stored(memory.id, created=True, embedded=complete)


def _found(db: apsw.Connection, memory: Memory) -> tuple[int, bytes, int] | None:
    row = db.execute(
        "SELECT key, digest, deleted_at IS NOT NULL FROM memories WHERE id = ? AND namespace = ?",
        (memory.id, memory.namespace),
    ).fetchone()
    return cast("tuple[int, bytes, int] | None", row)


def _insert(db: apsw.Connection, record: Record) -> int:
    memory = record.memory
    db.execute(
        _INSERT,
        memory_row(memory),
    )
    key = db.last_insert_rowid()
    db.executemany(_INSERT_REVISION, ((key, *revision_row(was)) for was in record.revisions))
    return key
