"""Export and import of memories: complete, with their history, without vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, cast

from memory_mcp.domain.duplicates import check_import, deleted_before
from memory_mcp.domain.errors import ConflictError
from memory_mcp.domain.models import Embedded, Memory, Record, Stored
from memory_mcp.storage import outcomes
from memory_mcp.storage.importing import memory_row, numbered, revision_row
from memory_mcp.storage.postgres.db.changes import log_change
from memory_mcp.storage.postgres.db.entries import IndexEntry, lock
from memory_mcp.storage.postgres.db.session import PgSession
from memory_mcp.storage.postgres.records.accepting import check_record
from memory_mcp.storage.postgres.records.filing import Became, Filing
from memory_mcp.storage.postgres.records.reads import MEMORY_COLUMNS, load, revisions
from memory_mcp.storage.postgres.records.writes import insert, insert_tags, remove, take_turns
from memory_mcp.storage.rows import digest, to_memory

_INSERT_REVISION: Final = """
  INSERT INTO revisions (namespace, key, revision, content, tags, type, metadata, updated_at)
  VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""


def export(db: PgSession, after: int, limit: int) -> list[Record]:
    """Return the first live memories after this key, with their history."""
    db.reach_all()
    rows = db.rows(
        f"""SELECT {MEMORY_COLUMNS} FROM memories AS m WHERE m.key > %s AND m.deleted_at IS NULL
            ORDER BY m.key LIMIT %s""",  # noqa: S608 - a constant
        (after, limit),
    )
    memories = [to_memory(row) for row in rows]
    held = revisions(db, [memory.key for memory in memories])
    return [Record(memory, held.get(memory.key, ())) for memory in memories]


def import_records(db: PgSession, items: Sequence[tuple[Record, Embedded]]) -> list[Became]:
    """Write exported memories, unless the store has them."""
    db.reach(*{record.memory.namespace for record, _ in items})
    take_turns(db, [(record.memory.namespace, record.memory.id) for record, _ in items])
    filing = Filing(db)
    imported = [_import_or_refuse(db, filing, record, embedded) for record, embedded in items]
    filing.flush()
    return [filing.told(one) for one in imported]


def _import_or_refuse(db: PgSession, filing: Filing, record: Record, embedded: Embedded) -> Became | int:
    try:
        return _import(db, filing, record, embedded)
    except ConflictError as error:  # raised before anything of this item was written
        return error


def _import(db: PgSession, filing: Filing, record: Record, embedded: Embedded) -> Stored | int:
    check_record(record)
    if record.may_be_numbered:
        record = numbered(record, lambda memory: found[1] if (found := _found(db, memory)) else None)
    memory, text = record.memory, digest(record.memory.content)
    found = _found(db, memory)
    if found is not None:
        lock(db, [found[0]])
        found = _found(db, memory)  # others may have changed it meanwhile
    if found is not None and found[2] and record.replaces_deleted:
        remove(db, [(found[0], memory.id, memory.namespace)])
        found = None
    if found is not None:
        return _known(db, filing, memory, text, found)
    key = _insert(db, record)
    insert_tags(db, memory.namespace, key, memory.tags)
    filing.file(IndexEntry.of(replace(memory, key=key)), memory.id, embedded)
    log_change(db, "import", memory.namespace, [memory.id], memory.tags)
    return key


def _known(db: PgSession, filing: Filing, memory: Memory, text: bytes, found: tuple[int, bytes, bool]) -> Stored:
    key, held, is_deleted = found
    if held != text:
        raise outcomes.imported_id_of_other(memory)
    if is_deleted:
        raise deleted_before(memory.id, memory.namespace)
    filing.flush()  # it may be of this call
    known = load(db, key)
    check_import(memory, known)
    return Stored(memory.id, created=False, embedded=known.embedded)


def _found(db: PgSession, memory: Memory) -> tuple[int, bytes, bool] | None:
    row = db.row(
        "SELECT key, digest, deleted_at IS NOT NULL FROM memories WHERE namespace = %s AND id = %s",
        (memory.namespace, memory.id),
    )
    return cast("tuple[int, bytes, bool] | None", row)


def _insert(db: PgSession, record: Record) -> int:
    memory = record.memory
    key = insert(
        db,
        memory_row(memory),
    )
    if record.revisions:
        db.run_many(_INSERT_REVISION, [(memory.namespace, key, *revision_row(was)) for was in record.revisions])
    return key
