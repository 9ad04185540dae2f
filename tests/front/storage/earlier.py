"""How versions before schema 6 wrote a memory: today's code names columns that their files have not got."""

from __future__ import annotations

from typing import TYPE_CHECKING

import apsw

from memory_mcp.domain.models import DEFAULT_TYPE
from memory_mcp.storage.sqlite.db.rows import to_json
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
    keywords.enter(db, key, keywords.count_in(db, new.namespace), new.content)
    return key


def no_duplicate(*_: object) -> None:
    """Find none, in place of `writes._duplicate`: the texts of these tests differ."""


def write_so(patch: pytest.MonkeyPatch) -> None:
    """Let this process write as they did, while the patch holds."""
    patch.setattr(writes, "_insert", insert)
    patch.setattr(writes, "_duplicate", no_duplicate)
