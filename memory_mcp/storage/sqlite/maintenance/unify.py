"""The Python part of migration 6: converts all stored names to Unicode's composed form, and removes duplicate tags.

Tags of a memory, conversations and namespaces that become equal are merged. Memories are never merged: if two ids
become equal, the memory with the composed spelling (else the live one, else the older one) keeps the id, and the other
id gets a number appended. Equal keys of metadata get numbers in the same way.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import apsw

from memory_mcp.domain.models import LONGEST_NUMBERED
from memory_mcp.domain.names import folded, free, nfc, nfc_members, tags_once
from memory_mcp.storage.rows import metadata_digest, to_json
from memory_mcp.storage.sqlite.db.changes import log_change
from memory_mcp.storage.sqlite.lexical import keywords
from memory_mcp.storage.sqlite.vectors import chunks

_Names = tuple[int, str, str, str | None, str, str]


@dataclass(slots=True)
class _Touched:
    """What the change log records about a namespace."""

    ids: dict[str, None] = field(default_factory=dict)
    tags: dict[str, None] = field(default_factory=dict)


def unify(db: apsw.Connection) -> None:
    """Convert all names, and fill the empty keyword index."""
    touched: defaultdict[str, _Touched] = defaultdict(_Touched)
    _compose_memories(db, touched)
    _digest_metadata(db)
    _compose_revisions(db)
    _count_namespaces(db)
    _fold_tags(db, touched)
    now = time.time_ns() // 1_000
    for namespace, of in sorted(touched.items()):
        log_change(db, now, "update", namespace, of.ids, of.tags)
    keywords.rebuild(db)


def _compose_memories(db: apsw.Connection, touched: defaultdict[str, _Touched]) -> None:
    rows = cast(
        "Iterator[_Names]",
        db.execute(
            """SELECT key, id, namespace, conversation_id, type, metadata FROM memories
               ORDER BY deleted_at IS NOT NULL, key"""
        ),
    )
    for names in [row for row in rows if any(name and nfc(name) != name for name in row[1:])]:
        key, id_, namespace, conversation, type_, metadata = names
        there = nfc(namespace)
        given = id_ if (nfc(id_), there) == (id_, namespace) else _free_id(db, nfc(id_), there)
        if there != namespace:
            chunks.refile(db, key, there)
        db.execute(
            "UPDATE memories SET id = ?, namespace = ?, conversation_id = ?, type = ?, metadata = ? WHERE key = ?",
            (given, there, conversation and nfc(conversation), nfc(type_), _composed(metadata), key),
        )
        touched[namespace].ids[id_] = None
        touched[there].ids[given] = None


def _digest_metadata(db: apsw.Connection) -> None:
    rows = db.execute("SELECT key, metadata FROM memories WHERE metadata <> '{}'")
    db.executemany(
        "UPDATE memories SET metadata_digest = ? WHERE key = ?",
        ((metadata_digest(json.loads(text)), key) for key, text in cast("Iterator[tuple[int, str]]", rows)),
    )


def _free_id(db: apsw.Connection, wanted: str, namespace: str) -> str:
    def is_taken(memory_id: str) -> bool:
        taken = db.execute("SELECT 1 FROM memories WHERE id = ? AND namespace = ?", (memory_id, namespace)).get
        return taken is not None

    return free(wanted, is_taken, LONGEST_NUMBERED)


def _compose_revisions(db: apsw.Connection) -> None:
    rows = db.execute("SELECT tags, type, metadata, key, revision FROM revisions")
    changed = [
        (to_json(composed), nfc(type_), _composed(metadata), key, revision)
        for tags, type_, metadata, key, revision in cast("Iterator[tuple[str, str, str, int, int]]", rows)
        if (composed := _tags(json.loads(tags))) != json.loads(tags) or nfc(type_) != type_ or nfc(metadata) != metadata
    ]
    db.executemany("UPDATE revisions SET tags = ?, type = ?, metadata = ? WHERE key = ? AND revision = ?", changed)


def _tags(tags: list[str]) -> list[str]:
    return tags_once(map(nfc, tags))


def _count_namespaces(db: apsw.Connection) -> None:
    """Replace the old namespaces by those that the memories are in now."""
    rows = cast("list[tuple[str]]", db.execute("SELECT namespace FROM partitions ORDER BY number").fetchall())
    for (namespace,) in rows:
        if (there := nfc(namespace)) != namespace:
            db.execute("INSERT OR IGNORE INTO partitions (namespace, memories) VALUES (?, 0)", (there,))
            db.execute("DELETE FROM partitions WHERE namespace = ?", (namespace,))
            db.execute(
                """UPDATE partitions SET memories = (
                     SELECT count(*) FROM memories AS m WHERE m.namespace = ?1 AND m.deleted_at IS NULL)
                   WHERE namespace = ?1""",
                (there,),
            )


def _fold_tags(db: apsw.Connection, touched: defaultdict[str, _Touched]) -> None:
    """Copy all tags; of two that became equal, the memory keeps the first in order of display."""
    rows = db.execute(
        """SELECT t.tag, t.key, m.id, m.namespace FROM tags_before AS t JOIN memories AS m USING (key)
           ORDER BY t.key, t.tag"""
    )
    for tag, key, memory_id, namespace in cast("Iterator[tuple[str, int, str, str]]", rows):
        db.execute("INSERT OR IGNORE INTO tags (folded, key, tag) VALUES (?, ?, ?)", (folded(tag), key, nfc(tag)))
        if nfc(tag) != tag or db.changes() == 0:
            touched[namespace].ids[memory_id] = None
            touched[namespace].tags.update({tag: None, nfc(tag): None})
    db.execute("DROP TABLE tags_before")


def _composed(metadata: str) -> str:
    return metadata if nfc(metadata) == metadata else to_json(nfc_members(json.loads(metadata)))
