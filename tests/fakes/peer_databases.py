"""Databases of OpenMemory, claude-mem and engram, with the columns that readers ask for."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

OPENMEMORY = """
CREATE TABLE users (id UUID NOT NULL PRIMARY KEY, user_id VARCHAR NOT NULL);
CREATE TABLE apps (id UUID NOT NULL PRIMARY KEY, owner_id UUID NOT NULL, name VARCHAR NOT NULL);
CREATE TABLE categories (id UUID NOT NULL PRIMARY KEY, name VARCHAR NOT NULL);
CREATE TABLE memory_categories (memory_id UUID NOT NULL, category_id UUID NOT NULL);
CREATE TABLE memories (
  id UUID NOT NULL PRIMARY KEY, user_id UUID NOT NULL, app_id UUID NOT NULL, content VARCHAR NOT NULL, vector VARCHAR,
  metadata JSON, state VARCHAR(8), created_at DATETIME, updated_at DATETIME, archived_at DATETIME, deleted_at DATETIME
);
INSERT INTO users VALUES ('a0', 'mari'), ('b0', 'kofi');
INSERT INTO apps VALUES ('c0', 'a0', 'cursor');
INSERT INTO categories VALUES ('d0', 'tea'), ('d1', 'paints, enamel');
"""
CLAUDE_MEM = """
CREATE TABLE sdk_sessions (
  id INTEGER PRIMARY KEY, content_session_id TEXT NOT NULL, memory_session_id TEXT UNIQUE, project TEXT NOT NULL
);
CREATE TABLE observations (
  id INTEGER PRIMARY KEY, memory_session_id TEXT NOT NULL, project TEXT NOT NULL, text TEXT, type TEXT NOT NULL,
  title TEXT, subtitle TEXT, facts TEXT, narrative TEXT, concepts TEXT, files_read TEXT, files_modified TEXT,
  created_at TEXT NOT NULL, created_at_epoch INTEGER NOT NULL, merged_into_project TEXT, metadata TEXT
);
CREATE TABLE session_summaries (
  id INTEGER PRIMARY KEY, memory_session_id TEXT NOT NULL, project TEXT NOT NULL, request TEXT, learned TEXT,
  next_steps TEXT, created_at TEXT NOT NULL, created_at_epoch INTEGER NOT NULL
);
CREATE TABLE user_prompts (
  id INTEGER PRIMARY KEY, content_session_id TEXT NOT NULL, prompt_text TEXT NOT NULL, created_at TEXT NOT NULL,
  created_at_epoch INTEGER NOT NULL
);
INSERT INTO sdk_sessions VALUES (1, 'content-1', 'mem-1', 'boat');
"""
ENGRAM = """
CREATE TABLE sessions (
  id TEXT PRIMARY KEY, project TEXT NOT NULL, directory TEXT NOT NULL, started_at TEXT NOT NULL, ended_at TEXT,
  summary TEXT
);
CREATE TABLE observations (
  id INTEGER PRIMARY KEY, session_id TEXT NOT NULL, type TEXT NOT NULL, title TEXT NOT NULL, content TEXT NOT NULL,
  tool_name TEXT, project TEXT, scope TEXT NOT NULL DEFAULT 'project', topic_key TEXT,
  revision_count INTEGER NOT NULL DEFAULT 1, duplicate_count INTEGER NOT NULL DEFAULT 1, created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL, deleted_at TEXT
);
CREATE TABLE user_prompts (
  id INTEGER PRIMARY KEY, session_id TEXT NOT NULL, content TEXT NOT NULL, project TEXT, created_at TEXT NOT NULL
);
INSERT INTO sessions VALUES ('s1', 'boat', '/boat', '2025-01-02 03:04:05', '2025-01-02 04:04:05', 'Filed the notes.');
"""


@dataclass
class PeerDatabase:
    """A database of another system, open and in use: what was added is in its log alone."""

    path: Path
    schema: str

    def __post_init__(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(self.path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = wal")
        self._db.execute("PRAGMA wal_autocheckpoint = 0")
        self._db.executescript(self.schema)

    def add(self, table: str, **columns: object) -> None:
        """Insert a row; bytes become a text that is not UTF-8."""
        marks = ", ".join("CAST(? AS TEXT)" if isinstance(value, bytes) else "?" for value in columns.values())
        self._db.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", tuple(columns.values()))  # noqa: S608 - our own names

    def run(self, statement: str) -> None:
        """Change something else."""
        self._db.execute(statement)

    def close(self) -> None:
        """Close it; the log is emptied into the file."""
        self._db.close()
