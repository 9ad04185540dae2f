"""The database of basic-memory, as far as it tells when notes were created."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

SCHEMA = """
CREATE TABLE project (id INTEGER PRIMARY KEY, path VARCHAR UNIQUE);
CREATE TABLE entity (file_path VARCHAR, created_at DATETIME, project_id INTEGER);
"""


def make(path: Path, notes: list[tuple[str, str, str]]) -> None:
    """Make it with notes: the project's folder, the path in it, and the time of its creation, which is local."""
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(SCHEMA)
        for project, place, created in notes:
            db.execute("INSERT OR IGNORE INTO project (path) VALUES (?)", (project,))
            db.execute("INSERT INTO entity SELECT ?, ?, id FROM project WHERE path = ?", (place, created, project))
