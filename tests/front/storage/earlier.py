"""How versions before schema 9 wrote a memory: today's code names columns that their files have not got."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import apsw

from memory_mcp.domain.models import DEFAULT_TYPE
from memory_mcp.storage.rows import to_json
from memory_mcp.storage.sqlite.lexical import keywords
from memory_mcp.storage.sqlite.records import writes

if TYPE_CHECKING:
    import pytest

    from memory_mcp.domain.models import NewMemory


def insert(db: apsw.Connection, new: NewMemory, memory_id: str, text: bytes, now: int) -> int:
    """Write the row of a memory, in place of `writes._insert`."""
    written = (memory_id, new.namespace, new.conversation_id, new.type or DEFAULT_TYPE, new.content, text)
    db.execute(
        """INSERT INTO memories
             (id, namespace, conversation_id, type, content, digest, metadata, created_at, updated_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (*written, to_json(new.metadata or {}), now, now),
    )
    key = db.last_insert_rowid()
    keywords.enter(db, key, count_in(db, new.namespace), new.content)
    return key


def count_in(db: apsw.Connection, namespace: str) -> int:
    """Count one more memory of a namespace, as versions before schema 9 did; return the namespace's number."""
    number = db.execute(
        """INSERT INTO namespaces (namespace, memories) VALUES (?, 1)
           ON CONFLICT (namespace) DO UPDATE SET memories = memories + 1 RETURNING number""",
        (namespace,),
    ).get
    assert isinstance(number, int)
    return number


def count_out(db: apsw.Connection, namespace: str) -> None:
    """Count one memory less, in place of `keywords.count_out`."""
    db.execute("UPDATE namespaces SET memories = memories - 1 WHERE namespace = ?", (namespace,))


def no_duplicate(*_: object) -> None:
    """Find none, in place of `writes._duplicate`: the texts of these tests differ."""


def seeing_partitions(connect: Callable[..., apsw.Connection]) -> Callable[..., apsw.Connection]:
    """Let what reads find the table of namespaces by its name of today; the file does not change."""

    def connected(path: Path, *given: object) -> apsw.Connection:
        db = connect(path, *given)
        db.execute("CREATE TEMP VIEW partitions AS SELECT * FROM main.namespaces")
        return db

    return connected


def write_so(patch: pytest.MonkeyPatch) -> None:
    """Let this process write as they did, while the patch holds."""
    patch.setattr(writes, "_insert", insert)
    patch.setattr(writes, "_duplicate", no_duplicate)
    patch.setattr(keywords, "count_out", count_out)
