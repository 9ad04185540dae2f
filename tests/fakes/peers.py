"""Files of other memory systems, as they write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.fakes.peer_databases import PeerDatabase

SCHEMA = """
CREATE TABLE memories (
  id INTEGER PRIMARY KEY AUTOINCREMENT, content_hash TEXT UNIQUE NOT NULL, content TEXT NOT NULL, tags TEXT,
  memory_type TEXT, metadata TEXT, created_at REAL, updated_at REAL, created_at_iso TEXT, updated_at_iso TEXT
  {more}
)
"""
LATER = ", deleted_at REAL, store TEXT DEFAULT 'default', parent_id TEXT, version INTEGER, superseded_by TEXT"


class MemoryService:
    """A database of mcp-memory-service, open and in use."""

    def __init__(self, path: Path, *, is_old: bool = False) -> None:
        """Make one; an old one has the columns of version 8 alone."""
        self.path = path
        self._database = PeerDatabase(path, SCHEMA.format(more="" if is_old else LATER))

    def add(self, source_id: str, content: object, metadata: Any = None, **columns: object) -> None:
        """Insert a row."""
        values = {
            "content_hash": source_id,
            "content": content,
            "metadata": metadata if isinstance(metadata, str) else json.dumps(metadata or {}),
            "created_at": 1_700_000_000.25,
            "updated_at": 1_700_000_000.25,
            **columns,
        }
        self._database.add("memories", **values)

    def delete(self, source_id: str) -> None:
        """Mark a row as deleted."""
        self._database.run(f"UPDATE memories SET deleted_at = 1.75e9 WHERE content_hash = '{source_id}'")  # noqa: S608 - our own

    def close(self) -> None:
        """Close it; the log is emptied into the file."""
        self._database.close()
