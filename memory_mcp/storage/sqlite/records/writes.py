"""Writes; every function works inside the caller's transaction and logs the change in it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, cast

import apsw

from memory_mcp.domain.documents import EMPTIED, PARTIAL
from memory_mcp.domain.duplicates import check_merged, check_retry, differing
from memory_mcp.domain.models import DEFAULT_TYPE, DOCUMENT, Change, Embedded, Filters, Memory, NewMemory, Stored
from memory_mcp.domain.names import folded, tags_once
from memory_mcp.storage import outcomes
from memory_mcp.storage.cursors import LAST
from memory_mcp.storage.documents.sections import mark_emptied
from memory_mcp.storage.rows import digest, metadata_digest, to_json, to_micros
from memory_mcp.storage.sqlite.db.changes import log_change
from memory_mcp.storage.sqlite.db.partitions import partition_of
from memory_mcp.storage.sqlite.lexical import keywords
from memory_mcp.storage.sqlite.records.reads import load, select_to_delete
from memory_mcp.storage.sqlite.vectors import chunks
from memory_mcp.storage.where import WhereClause, of_duplicates

PURGED_AT_ONCE: Final = 500
LONGEST_LEASE: Final = 3_600_000_000
"""Microseconds."""


def add(db: apsw.Connection, new: NewMemory, embedded: Embedded, now: int, last: int) -> Stored:
    """Write one memory, or add its tags to an exact duplicate as `Records.add` defines it.

    `last` is the key of the last memory before the call.

    Raises:
        ConflictError: its id belongs to a memory with other content or other fields.
    """
    text = digest(new.content)
    known = _duplicate(db, new, text, now, last) if new.id is None else _by_id(db, new.id, new.namespace, text)
    if known is not None:
        if new.id is not None:
            check_retry(new, known)
        return _merge(db, known, new, now)
    _, stored = create(db, new, embedded, text, now)
    return stored


def create(db: apsw.Connection, new: NewMemory, embedded: Embedded, text: bytes, now: int) -> tuple[int, Stored]:
    """Write a memory whatever is there; return its key, and the outcome."""
    memory_id = new.id or uuid.uuid4().hex
    key = _insert(db, new, memory_id, text, now)
    insert_tags(db, key, new.tags)
    complete = chunks.insert_all(db, key, partition_of(new.namespace, new.type), embedded)
    log_change(db, now, "store", new.namespace, [memory_id], new.tags)
    return key, Stored(memory_id, created=True, embedded=complete)


def _insert(db: apsw.Connection, new: NewMemory, memory_id: str, text: bytes, now: int) -> int:
    db.execute(
        """INSERT INTO memories
             (id, namespace, conversation_id, type, content, digest, metadata, metadata_digest, created_at,
              updated_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            memory_id,
            new.namespace,
            new.conversation_id,
            new.type or DEFAULT_TYPE,
            new.content,
            text,
            to_json(new.metadata or {}),
            metadata_digest(new.metadata or {}),
            now if new.created_at is None else to_micros(new.created_at),
            now,
        ),
    )
    key = db.last_insert_rowid()
    keywords.enter(db, key, keywords.count_in(db, partition_of(new.namespace, new.type)), new.content)
    return key


def _by_id(db: apsw.Connection, memory_id: str, namespace: str, text: bytes) -> Memory | None:
    row = db.execute(
        "SELECT key, digest = ?, deleted_at IS NOT NULL FROM memories WHERE id = ? AND namespace = ?",
        (text, memory_id, namespace),
    ).fetchone()
    if row is None:
        return None
    key, same, deleted = cast("tuple[int, int, int]", row)
    if deleted:
        raise outcomes.id_of_deleted(memory_id)
    if not same:
        raise outcomes.id_of_other(memory_id)
    return load(db, key)


def _duplicate(db: apsw.Connection, new: NewMemory, text: bytes, now: int, last: int) -> Memory | None:
    if new.conversation_id is None:
        key = _first_alike(db, new, text)
    else:
        key = _just_before(db, new, text, now)
        if key is not None and not differing(new, known := load(db, key)):
            return known
        key = None if new.created_at is None else _first_alike(db, new, text, last)
    return None if key is None else load(db, key)


def _first_alike(db: apsw.Connection, new: NewMemory, text: bytes, last: int = LAST) -> int | None:
    """Return the first memory, up to a key, with this text and every field that the new one sets.

    An index finds it by created_at or by metadata, because there may be one duplicate for every nightly import.
    """
    where: WhereClause[apsw.SQLiteValue] = WhereClause()
    for part, values in of_duplicates(new, text):
        where.add(part, *values)
    where.add("conversation_id IS ? AND key <= ?", new.conversation_id, last)
    return cast("int | None", db.execute(f"SELECT min(key) FROM memories WHERE {where.sql}", where.parameters).get)  # noqa: S608 - only parameters


def _just_before(db: apsw.Connection, new: NewMemory, text: bytes, now: int) -> int | None:
    """Return the memory just before the new one in its conversation if it has the same text."""
    row = db.execute(
        """SELECT key, digest = ? FROM memories
           WHERE namespace = ? AND conversation_id = ? AND deleted_at IS NULL AND created_at <= ?
           ORDER BY created_at DESC, key DESC LIMIT 1""",
        (text, new.namespace, new.conversation_id, now if new.created_at is None else to_micros(new.created_at)),
    ).fetchone()
    key, is_alike = cast("tuple[int, int]", row or (0, 0))
    return key if is_alike else None


def _merge(db: apsw.Connection, known: Memory, new: NewMemory, now: int) -> Stored:
    held = set(map(folded, known.tags))
    missing = sorted(tag for tag in tags_once(new.tags) if folded(tag) not in held)
    if missing:
        check_merged(known, len(missing))
        insert_tags(db, known.key, missing)
        db.execute("UPDATE memories SET updated_at = ? WHERE key = ?", (now, known.key))
        log_change(db, now, "tag", known.namespace, [known.id], [*known.tags, *missing])
    return Stored(known.id, created=False, embedded=known.embedded, merged=tuple(missing))


def insert_tags(db: apsw.Connection, key: int, tags: Iterable[str]) -> None:
    """Add tags to a memory; skips those that it has already, ignoring case."""
    db.executemany(
        "INSERT OR IGNORE INTO tags (folded, key, tag) VALUES (?, ?, ?)", [(folded(tag), key, tag) for tag in tags]
    )


def update(
    db: apsw.Connection, memory: Memory, change: Change, embedded: Embedded | None, expected: int | None, now: int
) -> Memory:
    """Replace fields and keep the old revision.

    Raises:
        NotFoundError: the memory is gone.
        ConflictError: its revision is not the expected one.
    """
    old, key = load(db, memory.key), memory.key
    if old.id != memory.id:  # another store's backup was restored in the meantime
        raise outcomes.not_stored(memory.id)
    outcomes.check_revision(expected, old)
    if not outcomes.differs(old, change):
        return old
    _keep_revision(db, old)
    content = old.content if change.content is None else change.content
    metadata = old.metadata if change.metadata is None else change.metadata
    db.execute(
        """UPDATE memories SET content = ?, digest = ?, type = ?, metadata = ?, metadata_digest = ?, updated_at = ?,
             revision = revision + 1 WHERE key = ?""",
        (
            content,
            digest(content),
            old.type if change.type is None else change.type,
            to_json(metadata),
            metadata_digest(metadata),
            now,
            key,
        ),
    )
    partition = partition_of(old.namespace, old.type if change.type is None else change.type)
    _refile(db, old, partition, content)
    if change.tags is not None:
        db.execute("DELETE FROM tags WHERE key = ?", (key,))
        insert_tags(db, key, change.tags)
    if embedded is not None and content != old.content:
        chunks.drop_of(db, key)
        chunks.insert_all(db, key, partition, embedded)
    log_change(db, now, "update", old.namespace, [old.id], [*old.tags, *(change.tags or ())])
    return load(db, key)


def _refile(db: apsw.Connection, old: Memory, partition: str, content: str) -> None:
    """Bring a memory to another partition, and its new content to the keyword index."""
    before = partition_of(old.namespace, old.type)
    if partition != before:
        _move(db, old.key, content, before, partition)
    elif content != old.content:
        keywords.leave(db, old.key)
        keywords.enter(db, old.key, keywords.number_of(db, partition), content)


def _move(db: apsw.Connection, key: int, content: str, before: str, partition: str) -> None:
    keywords.leave(db, key)
    keywords.count_out(db, before)
    keywords.enter(db, key, keywords.count_in(db, partition), content)
    chunks.refile(db, key, partition)


def set_documents_apart(db: apsw.Connection) -> None:
    """Move live documents to partitions of their own; the Python part of migration 9."""
    rows = db.execute("SELECT key, namespace, content FROM memories WHERE type = ? AND deleted_at IS NULL", (DOCUMENT,))
    for key, namespace, content in cast("Iterator[tuple[int, str, str]]", rows):
        _move(db, key, content, namespace, partition_of(namespace, DOCUMENT))


def _keep_revision(db: apsw.Connection, old: Memory) -> None:
    db.execute(
        """INSERT INTO revisions (key, revision, content, tags, type, metadata, updated_at)
           SELECT key, revision, content, ?, type, metadata, updated_at FROM memories WHERE key = ?""",
        (to_json(list(old.tags)), old.key),
    )


def delete(
    db: apsw.Connection, memory_ids: Sequence[str] | None, filters: Filters, now: int, *, any_namespace: bool
) -> list[str]:
    """Mark memories as deleted and remove them from every index; return their ids."""
    to_delete = select_to_delete(db, memory_ids, filters, any_namespace=any_namespace)
    mark_deleted(db, to_delete, now)
    return [memory_id for _, memory_id, _ in to_delete]


def mark_deleted(db: apsw.Connection, to_delete: Iterable[tuple[int, str, str]], now: int) -> None:
    """Mark live memories, each with its key, id and namespace, as deleted, and remove them from every index."""
    for key, memory_id, namespace in to_delete:
        tags = [cast("tuple[str]", row)[0] for row in db.execute("SELECT tag FROM tags WHERE key = ?", (key,))]
        chunks.drop_of(db, key)
        sql = "UPDATE memories SET deleted_at = ? WHERE key = ? RETURNING type"
        memory_type = cast("str", db.execute(sql, (now, key)).get)
        keywords.leave(db, key)
        keywords.count_out(db, partition_of(namespace, memory_type))
        log_change(db, now, "delete", namespace, [memory_id], tags)


def undelete(db: apsw.Connection, memory: Memory, embedded: Embedded, now: int) -> Memory:
    """Restore a deleted memory to every index.

    Raises:
        NotFoundError: it is not deleted, or was purged.
    """
    db.execute(
        "UPDATE memories SET deleted_at = NULL WHERE key = ? AND id = ? AND revision = ? AND deleted_at IS NOT NULL",
        (memory.key, memory.id, memory.revision),
    )
    if db.changes() == 0:
        raise outcomes.not_restorable(memory)
    partition = partition_of(memory.namespace, memory.type)
    keywords.enter(db, memory.key, keywords.count_in(db, partition), memory.content)
    chunks.insert_all(db, memory.key, partition, embedded)
    log_change(db, now, "undelete", memory.namespace, [memory.id], memory.tags)
    return load(db, memory.key)


def purge(
    db: apsw.Connection, before: int, now: int, *, namespace: str | None, memory_ids: Sequence[str] | None
) -> int:
    """Purge memories deleted before a moment, up to PURGED_AT_ONCE; return how many."""
    where: WhereClause[apsw.SQLiteValue] = WhereClause()
    where.add("deleted_at < ?", before)
    if namespace is not None:
        where.add("namespace = ?", namespace)
    if memory_ids is not None:
        where.add("id IN (SELECT value FROM json_each(?))", to_json(list(memory_ids)))
    rows = db.execute(
        f"SELECT key, id, namespace FROM memories WHERE {where.sql} ORDER BY deleted_at LIMIT ?",  # noqa: S608 - only parameters
        (*where.parameters, PURGED_AT_ONCE),
    ).fetchall()
    to_delete = cast("list[tuple[int, str, str]]", rows)
    remove(db, to_delete, now)
    return len(to_delete)


def remove(db: apsw.Connection, to_delete: Sequence[tuple[int, str, str]], now: int) -> None:
    """Remove deleted memories, each with its key, id and namespace, for good."""
    keys = [(key,) for key, _, _ in to_delete]
    _empty_documents(db, [key for key, _, _ in to_delete], now)
    for table in ("revisions", "tags", "sections", "memories"):
        db.executemany(f"DELETE FROM {table} WHERE key = ?", keys)  # noqa: S608 - a table of ours
    for namespace in sorted({namespace for *_, namespace in to_delete}):
        log_change(db, now, "purge", namespace, [memory_id for _, memory_id, of in to_delete if of == namespace])


def _empty_documents(db: apsw.Connection, keys: Sequence[int], now: int) -> None:
    """Let documents that lose their last section be read again when their files are ingested."""
    db.execute(mark_emptied("SELECT value FROM json_each(?1)"), (to_json(list(keys)), PARTIAL, EMPTIED, now))


def acquire_lease(db: apsw.Connection, name: str, owner: str, now: int, expires_at: int) -> bool:
    """Acquire or renew a lease; False while another owner's has not expired.

    A lease that expires too far in the future dates from before the clock was set back, and is ignored.
    """
    db.execute(
        """INSERT INTO leases VALUES (?1, ?2, ?3) ON CONFLICT (name) DO UPDATE
           SET owner = excluded.owner, expires_at = excluded.expires_at
           WHERE owner = excluded.owner OR expires_at <= ?4 OR expires_at > ?4 + ?5""",
        (name, owner, expires_at, now, LONGEST_LEASE),
    )
    return db.changes() == 1
