"""Files of other memory systems, as they write them."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE memories (
  id INTEGER PRIMARY KEY AUTOINCREMENT, content_hash TEXT UNIQUE NOT NULL, content TEXT NOT NULL, tags TEXT,
  memory_type TEXT, metadata TEXT, created_at REAL, updated_at REAL, created_at_iso TEXT, updated_at_iso TEXT
  {more}
)
"""
LATER = ", deleted_at REAL, store TEXT DEFAULT 'default', parent_id TEXT, version INTEGER, superseded_by TEXT"


@dataclass
class MemoryService:
    """A database of mcp-memory-service, open and in use."""

    path: Path
    is_old: bool = False
    """Whether it has the columns of version 8 alone."""

    def __post_init__(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(self.path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = wal")
        self._db.execute("PRAGMA wal_autocheckpoint = 0")  # the file itself stays all but empty
        self._db.execute(SCHEMA.format(more="" if self.is_old else LATER))

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
        marks = ", ".join("?" * len(values))
        self._db.execute(f"INSERT INTO memories ({', '.join(values)}) VALUES ({marks})", tuple(values.values()))  # noqa: S608 - our own names

    def close(self) -> None:
        """Close it; the log is emptied into the file."""
        self._db.close()
