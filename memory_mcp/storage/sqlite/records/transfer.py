"""Export and import of memories: complete, with their history, without vectors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final, cast

import apsw

from memory_mcp.domain.duplicates import check_import, deleted_before
from memory_mcp.domain.models import LONGEST_NUMBERED, Embedded, Memory, Record, Revision, Stored
from memory_mcp.domain.names import free
from memory_mcp.storage import outcomes
from memory_mcp.storage.rows import digest, metadata_digest, to_json, to_memory, to_micros
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
        record = _numbered(db, record)
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


def _numbered(db: apsw.Connection, record: Record) -> Record:
    """Return the record with the first id that is free or was given to it by an earlier import."""
    memory, text = record.memory, digest(record.memory.content)

    def is_anothers(memory_id: str) -> bool:
        found = _found(db, replace(memory, id=memory_id))
        return found is not None and found[1] != text

    return replace(record, memory=replace(memory, id=free(memory.id, is_anothers, LONGEST_NUMBERED)))


def _insert(db: apsw.Connection, record: Record) -> int:
    memory = record.memory
    db.execute(
        _INSERT,
        (
            memory.id,
            memory.namespace,
            memory.conversation_id,
            memory.type,
            memory.content,
            digest(memory.content),
            to_json(memory.metadata),
            metadata_digest(memory.metadata),
            to_micros(memory.created_at),
            to_micros(memory.updated_at),
            memory.revision,
        ),
    )
    key = db.last_insert_rowid()
    db.executemany(_INSERT_REVISION, _revision_rows(key, record.revisions))
    return key


def _revision_rows(key: int, held: tuple[Revision, ...]) -> Iterator[tuple[int, int, str, str, str, str, int]]:
    for was in held:
        tags, metadata, updated = to_json(list(was.tags)), to_json(was.metadata), to_micros(was.updated_at)
        yield key, was.revision, was.content, tags, was.type, metadata, updated
