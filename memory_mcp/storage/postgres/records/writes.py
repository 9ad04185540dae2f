"""Changes memories; every function works inside the caller's transaction, and keeps every index and the change log."""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final, cast

from memory_mcp.domain.documents import EMPTIED, PARTIAL
from memory_mcp.domain.duplicates import check_merged, check_retry
from memory_mcp.domain.errors import ConflictError
from memory_mcp.domain.models import (
    DEFAULT_TYPE,
    DOCUMENT,
    Change,
    Embedded,
    Filters,
    Memory,
    NewMemory,
    Stored,
)
from memory_mcp.domain.names import folded, tags_once
from memory_mcp.storage import outcomes
from memory_mcp.storage.cursors import LAST
from memory_mcp.storage.documents.sections import mark_emptied
from memory_mcp.storage.postgres.db import locks
from memory_mcp.storage.postgres.db.changes import log_change
from memory_mcp.storage.postgres.db.entries import IndexEntry, lock
from memory_mcp.storage.postgres.db.portable import PortableSql
from memory_mcp.storage.postgres.db.session import PgSession
from memory_mcp.storage.postgres.records.accepting import check_change, check_new
from memory_mcp.storage.postgres.records.filing import Filing, refile, unfile
from memory_mcp.storage.postgres.records.reads import load, select_to_delete
from memory_mcp.storage.rows import digest, metadata_digest, to_json, to_micros
from memory_mcp.storage.where import WhereClause, of_duplicates

PURGED_AT_ONCE: Final = 500
LONGEST_LEASE: Final = 3_600_000_000
"""Microseconds."""
_INSERT: Final = """
  INSERT INTO memories (id, namespace, conversation_id, type, content, digest, metadata, metadata_digest, created_at,
    updated_at, revision)
  VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING key
"""


_BUCKETS: Final = 1_024
"""So many locks of texts and ids: a bulk store may not take more than the server has room for."""


def add(db: PgSession, items: Sequence[tuple[NewMemory, Embedded]]) -> list[Stored | ConflictError]:
    """Write memories, or add their tags to exact duplicates as `Records.add` defines it."""
    db.reach(*{new.namespace for new, _ in items})
    take_turns(db, [name for new, _ in items for name in _names(new)])
    last = _last(db, [new for new, _ in items])
    filing = Filing(db)
    added = [_add_or_refuse(db, filing, new, embedded, last) for new, embedded in items]
    filing.flush()
    return [filing.told(one) for one in added]


def take_turns(db: PgSession, names: Iterable[tuple[str, str]]) -> None:
    """Wait for other writers of what has the same names in a namespace, so that one sees what the other wrote."""
    hashes = {zlib.crc32(f"{namespace}\0{name}".encode()) % _BUCKETS for namespace, name in names}
    db.execute(  # in order, so that none waits in a ring
        "SELECT count(pg_advisory_xact_lock(%s, b)) FROM unnest(%s::int[]) AS b", (locks.TURNS, sorted(hashes))
    )


def _last(db: PgSession, items: Iterable[NewMemory]) -> int:
    """Return the key of the last memory before the call, where that decides what a duplicate is."""
    if all(new.conversation_id is None or new.created_at is None for new in items):
        return LAST
    return cast("int", db.value("SELECT coalesce(max(key), 0) FROM memories"))


def _names(new: NewMemory) -> list[tuple[str, str]]:
    """Return what a duplicate has in common with a memory."""
    text = new.conversation_id or digest(new.content).hex()
    return [(new.namespace, text), *([] if new.id is None else [(new.namespace, new.id)])]


def _add_or_refuse(
    db: PgSession, filing: Filing, new: NewMemory, embedded: Embedded, last: int
) -> Stored | ConflictError | int:
    """Return the key of a new memory, or what became of one that is not new."""
    try:
        return _add(db, filing, new, embedded, last)
    except ConflictError as error:  # raised before anything of this item was written
        return error


def _add(db: PgSession, filing: Filing, new: NewMemory, embedded: Embedded, last: int) -> Stored | int:
    check_new(new)
    key = _locked(db, new, last)
    if key is None:
        return create(db, filing, new, embedded)
    filing.flush()  # it may be of this call
    known = load(db, key)
    if new.id is not None:
        check_retry(new, known)
    return _merge(db, known, new)


def _locked(db: PgSession, new: NewMemory, last: int) -> int | None:
    """Return the memory that the new one would repeat, as it is when nobody changes it any more."""
    text = digest(new.content)

    def known() -> int | None:
        return _duplicate(db, new, text, last) if new.id is None else _by_id(db, new.id, new.namespace, text)

    found, locked = known(), None
    while found is not None and found != locked:  # another writer may have changed or deleted it meanwhile
        lock(db, [found])
        found, locked = known(), found
    return found


def create(db: PgSession, filing: Filing, new: NewMemory, embedded: Embedded) -> int:
    """Write a memory whatever is there; return its key."""
    memory_id, metadata = new.id or uuid.uuid4().hex, new.metadata or {}
    key = insert(
        db,
        (
            memory_id,
            new.namespace,
            new.conversation_id,
            new.type or DEFAULT_TYPE,
            new.content,
            digest(new.content),
            to_json(metadata),
            metadata_digest(metadata),
            db.now if new.created_at is None else to_micros(new.created_at),
            db.now,
            1,
        ),
    )
    insert_tags(db, new.namespace, key, new.tags)
    filing.file(IndexEntry(key, new.namespace, new.type == DOCUMENT, new.content), memory_id, embedded)
    log_change(db, "store", new.namespace, [memory_id], new.tags)
    return key


def insert(db: PgSession, row: Sequence[object]) -> int:
    """Write the row of a memory; return its key."""
    return cast("int", db.value(_INSERT, row))


def _by_id(db: PgSession, memory_id: str, namespace: str, text: bytes) -> int | None:
    row = db.row(
        "SELECT key, digest = %s, deleted_at IS NOT NULL FROM memories WHERE namespace = %s AND id = %s",
        (text, namespace, memory_id),
    )
    if row is None:
        return None
    key, same, is_deleted = cast("tuple[int, bool, bool]", row)
    if is_deleted:
        raise outcomes.id_of_deleted(memory_id)
    if not same:
        raise outcomes.id_of_other(memory_id)
    return key


def _duplicate(db: PgSession, new: NewMemory, text: bytes, last: int) -> int | None:
    if new.conversation_id is None:
        return _first_alike(db, new, text)
    key = _just_before(db, new, text)
    if key is not None:
        return key
    return None if new.created_at is None else _first_alike(db, new, text, last)


def _alike(new: NewMemory, text: bytes) -> WhereClause[object]:
    """Return the condition for memories with this text and every field that the new one sets."""
    where: WhereClause[object] = WhereClause()
    for part, values in of_duplicates(new, text):
        where.add(part.replace("?", "%s"), *values)
    return where


def _first_alike(db: PgSession, new: NewMemory, text: bytes, last: int = LAST) -> int | None:
    """Return the first memory, up to a key, that the new one would repeat."""
    where = _alike(new, text)
    where.add("conversation_id IS NOT DISTINCT FROM %s::text AND key <= %s", new.conversation_id, last)
    return cast("int | None", db.value(f"SELECT min(key) FROM memories WHERE {where.sql}", where.parameters))  # noqa: S608 - only parameters


def _just_before(db: PgSession, new: NewMemory, text: bytes) -> int | None:
    """Return the memory just before the new one in its conversation, if the new one would repeat it."""
    where = _alike(new, text)
    return cast(
        "int | None",
        db.value(
            f"""SELECT key FROM (
                  SELECT * FROM memories
                  WHERE namespace = %s AND conversation_id = %s AND deleted_at IS NULL AND created_at <= %s
                  ORDER BY created_at DESC, key DESC LIMIT 1) AS before
                WHERE {where.sql}""",  # noqa: S608 - only parameters
            (
                new.namespace,
                new.conversation_id,
                db.now if new.created_at is None else to_micros(new.created_at),
                *where.parameters,
            ),
        ),
    )


def _merge(db: PgSession, known: Memory, new: NewMemory) -> Stored:
    held = set(map(folded, known.tags))
    missing = sorted(tag for tag in tags_once(new.tags) if folded(tag) not in held)
    if missing:
        check_merged(known, len(missing))
        insert_tags(db, known.namespace, known.key, missing)
        db.execute("UPDATE memories SET updated_at = %s WHERE key = %s", (db.now, known.key))
        log_change(db, "tag", known.namespace, [known.id], [*known.tags, *missing])
    return Stored(known.id, created=False, embedded=known.embedded, merged=tuple(missing))


def insert_tags(db: PgSession, namespace: str, key: int, tags: Iterable[str]) -> None:
    """Add tags to a memory; skips those that it has already, ignoring case."""
    once = tags_once(tags)
    if once:
        db.execute(
            """INSERT INTO tags (namespace, folded, key, tag)
               SELECT %s, t.folded, %s, t.tag FROM unnest(%s::text[], %s::text[]) AS t (folded, tag)
               ON CONFLICT DO NOTHING""",
            (namespace, key, list(map(folded, once)), once),
        )


def update(db: PgSession, memory: Memory, change: Change, embedded: Embedded | None, expected: int | None) -> Memory:
    """Replace fields and keep the old revision.

    Raises:
        NotFoundError: the memory is gone.
        ConflictError: its revision is not the expected one.
    """
    check_change(change)
    db.reach(memory.namespace)
    old, key = load(db, memory.key), memory.key
    if old.id != memory.id:  # another store's backup was restored in the meantime
        raise outcomes.not_stored(memory.id)
    outcomes.check_revision(expected, old)
    if not outcomes.differs(old, change):
        return old
    _keep_revision(db, old)
    content = old.content if change.content is None else change.content
    memory_type = old.type if change.type is None else change.type
    metadata = old.metadata if change.metadata is None else change.metadata
    db.execute(
        """UPDATE memories SET content = %s, digest = %s, type = %s, metadata = %s, metadata_digest = %s,
             updated_at = %s, revision = revision + 1 WHERE key = %s""",
        (content, digest(content), memory_type, to_json(metadata), metadata_digest(metadata), db.now, key),
    )
    before = IndexEntry.of(old)
    refile(db, before, before.changed(memory_type, content), embedded)
    if change.tags is not None:
        db.execute("DELETE FROM tags WHERE key = %s", (key,))
        insert_tags(db, old.namespace, key, change.tags)
    log_change(db, "update", old.namespace, [old.id], [*old.tags, *(change.tags or ())])
    return load(db, key)


def _keep_revision(db: PgSession, old: Memory) -> None:
    db.execute(
        """INSERT INTO revisions (namespace, key, revision, content, tags, type, metadata, updated_at)
           SELECT namespace, key, revision, content, %s, type, metadata, updated_at FROM memories WHERE key = %s""",
        (to_json(list(old.tags)), old.key),
    )


def delete(db: PgSession, memory_ids: Sequence[str] | None, filters: Filters, *, any_namespace: bool) -> list[str]:
    """Mark memories as deleted and remove them from every index; return their ids."""
    selected = partial(select_to_delete, db, memory_ids, filters, any_namespace=any_namespace)
    keys = [memory.key for memory in selected()]
    lock(db, keys)
    locked = set(keys)
    to_delete = [memory for memory in selected() if memory.key in locked]  # others may have changed some meanwhile
    mark_deleted(db, to_delete)
    return [memory.id for memory in to_delete]


def mark_deleted(db: PgSession, to_delete: Sequence[Memory]) -> None:
    """Mark memories as deleted that were read after they were locked, and remove them from every index."""
    keys = [memory.key for memory in to_delete]
    db.execute("UPDATE memories SET deleted_at = %s WHERE key = ANY(%s::bigint[])", (db.now, keys))
    unfile(db, [IndexEntry.of(memory) for memory in to_delete])
    for memory in to_delete:
        log_change(db, "delete", memory.namespace, [memory.id], memory.tags)


def undelete(db: PgSession, memory: Memory, embedded: Embedded) -> Memory:
    """Restore a deleted memory to every index.

    Raises:
        NotFoundError: it is not deleted, or was purged.
    """
    db.reach(memory.namespace)
    restored = db.changed(
        """UPDATE memories SET deleted_at = NULL
           WHERE key = %s AND id = %s AND revision = %s AND deleted_at IS NOT NULL""",
        (memory.key, memory.id, memory.revision),
    )
    if not restored:
        raise outcomes.not_restorable(memory)
    filing = Filing(db)
    filing.file(IndexEntry.of(memory), memory.id, embedded)
    filing.flush()
    log_change(db, "undelete", memory.namespace, [memory.id], memory.tags)
    return load(db, memory.key)


def purge(db: PgSession, before: int, namespace: str | None, memory_ids: Sequence[str] | None) -> int:
    """Purge memories deleted before a moment, up to PURGED_AT_ONCE; return how many."""
    if namespace is None:
        db.reach_all()
    else:
        db.reach(namespace)
    where: WhereClause[object] = WhereClause()
    where.add("deleted_at < %s", before)
    if namespace is not None:
        where.add("namespace = %s", namespace)
    if memory_ids is not None:
        where.add("id = ANY(%s)", list(memory_ids))
    rows = db.rows(
        f"""SELECT key, id, namespace FROM memories WHERE {where.sql} ORDER BY deleted_at LIMIT %s
            FOR UPDATE SKIP LOCKED""",  # noqa: S608 - only parameters
        (*where.parameters, PURGED_AT_ONCE),
    )
    to_delete = cast("list[tuple[int, str, str]]", rows)
    remove(db, to_delete)
    return len(to_delete)


def remove(db: PgSession, to_delete: Sequence[tuple[int, str, str]]) -> None:
    """Remove deleted memories, each with its key, id and namespace, for good."""
    keys = [key for key, _, _ in to_delete]
    sql = PortableSql(db)
    sql.run(mark_emptied(sql.keys(1)), to_json(keys), PARTIAL, EMPTIED, db.now)
    for table in ("revisions", "tags", "sections", "memories"):
        db.execute(f"DELETE FROM {table} WHERE key = ANY(%s)", (keys,))  # noqa: S608 - a table of ours
    for namespace in sorted({namespace for *_, namespace in to_delete}):
        log_change(db, "purge", namespace, [memory_id for _, memory_id, of in to_delete if of == namespace])


def acquire_lease(db: PgSession, name: str, owner: str, seconds: float) -> bool:
    """Acquire or renew a lease; False while another owner's has not expired.

    A lease that expires too far in the future dates from before the clock was set back, and is ignored.
    """
    moment = db.moment  # others may hold the row for long, and what expires meanwhile has expired
    taken = db.changed(
        f"""INSERT INTO leases AS l VALUES (%(name)s, %(owner)s, {moment} + %(micros)s) ON CONFLICT (name) DO UPDATE
            SET owner = excluded.owner, expires_at = {moment} + %(micros)s
            WHERE l.owner = excluded.owner OR l.expires_at <= {moment} OR l.expires_at > {moment} + %(longest)s""",  # noqa: S608 - constants
        {"name": name, "owner": owner, "now": db.now, "micros": int(seconds * 1_000_000), "longest": LONGEST_LEASE},
    )
    return taken == 1
