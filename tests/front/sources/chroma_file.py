"""A folder like Chroma's, written without Chroma."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

SCHEMA = """
    CREATE TABLE collections(id TEXT PRIMARY KEY, name TEXT NOT NULL, dimension INTEGER, database_id TEXT);
    CREATE TABLE segments(id TEXT PRIMARY KEY, type TEXT, scope TEXT, collection TEXT);
    CREATE TABLE embeddings(id INTEGER PRIMARY KEY, segment_id TEXT, embedding_id TEXT, seq_id BLOB,
        created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
    CREATE TABLE embedding_metadata(id INTEGER REFERENCES embeddings(id), key TEXT NOT NULL, string_value TEXT,
        int_value INTEGER, float_value REAL, bool_value INTEGER, PRIMARY KEY (id, key));
    INSERT INTO collections VALUES ('c1', 'notes', 384, 'd'), ('c2', 'others', 384, 'd');
    INSERT INTO segments VALUES ('v1', 'vector', 'VECTOR', 'c1'), ('m1', 'metadata', 'METADATA', 'c1'),
        ('m2', 'metadata', 'METADATA', 'c2');
"""
"""As Chroma 0.6 to 1.5 write it, without the tables that are not read."""


def opened(folder: Path) -> sqlite3.Connection:
    """Make the file of an empty Chroma; it has the segments m1 and m2."""
    database = sqlite3.connect(folder / "chroma.sqlite3", check_same_thread=False)
    database.executescript(SCHEMA)
    return database


def add(database: sqlite3.Connection, number: int, segment: str, text: str | None, **metadata: object) -> None:
    """Add a document."""
    row = (number, segment, f"doc{number}", b"\0", "2026-05-03 10:00:00")
    database.execute("INSERT INTO embeddings VALUES (?, ?, ?, ?, ?)", row)
    for key, value in {"chroma:document": text, **metadata}.items():
        column = "int_value" if isinstance(value, int) else "string_value"
        statement = f"INSERT INTO embedding_metadata(id, key, {column}) VALUES (?, ?, ?)"  # noqa: S608 - one of two names
        database.execute(statement, (number, key, value))
    database.commit()


def write(folder: Path, texts: Iterable[str]) -> None:
    """Write a folder that holds some texts."""
    database = opened(folder)
    for number, text in enumerate(texts, 1):
        add(database, number, "m1", text)
    database.close()
