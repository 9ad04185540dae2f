"""A SQLite store's file, looked at from outside: whether everything in it agrees."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import apsw

from memory_mcp.search.lexical.analyzer import Analyzer
from memory_mcp.storage.sqlite.db.file import vec0_path
from memory_mcp.storage.sqlite.db.partitions import PARTITION
from memory_mcp.storage.sqlite.maintenance.verify import problems
from memory_mcp.storage.tokenizer import porter

LIVE = "SELECT key FROM memories WHERE deleted_at IS NULL"


@contextlib.contextmanager
def opened(path: Path) -> Iterator[apsw.Connection]:
    """Open the file without the store."""
    db = apsw.Connection(str(path))
    try:
        db.enable_load_extension(True)  # noqa: FBT003 - apsw's own signature
        db.load_extension(vec0_path())
        yield db
    finally:
        db.close()


def column(db: apsw.Connection, sql: str) -> list[Any]:
    """Return the first column of a query, sorted."""
    return sorted(row[0] for row in db.execute(sql))


def audit(path: Path) -> None:
    """Assert that the file is sound and that all of its indexes say the same."""
    with opened(path) as db:
        assert problems(db) == []
        db.execute("INSERT INTO keywords (keywords) VALUES ('integrity-check')")
        assert _indexed(db) == _to_index(db)
        seqs = column(db, "SELECT seq FROM changes")
        floor = column(db, "SELECT seq FROM change_floor") or [0]
        assert seqs == list(range(floor[0] + 1, floor[0] + len(seqs) + 1))


def _indexed(db: apsw.Connection) -> set[tuple[str, int, int]]:
    """Return (term, memory key, place) of all that the keyword index holds."""
    db.execute("CREATE VIRTUAL TABLE temp.held USING fts5vocab (main, keywords, instance)")
    return set(cast("Iterator[tuple[str, int, int]]", db.execute('SELECT term, doc, "offset" FROM held')))


def _to_index(db: apsw.Connection) -> set[tuple[str, int, int]]:
    """Return what an index that was built anew would hold."""
    analyzer = Analyzer(porter(db))
    rows = db.execute(
        f"""SELECT number, key, content FROM memories AS m JOIN partitions AS n ON n.namespace = {PARTITION}
            WHERE deleted_at IS NULL"""  # noqa: S608 - a constant
    )
    return {
        (f"{number}:{term}", key, place)
        for number, key, content in cast("Iterator[tuple[int, int, str]]", rows)
        for place, term in enumerate(analyzer.content_terms(content))
    }


def changes(path: Path) -> list[tuple[str, str]]:
    """Return the change log as (kind, memory id), in order."""
    with opened(path) as db:
        rows = db.execute("SELECT kind, memory_ids FROM changes ORDER BY seq").fetchall()
    return [(str(kind), memory_id) for kind, ids in rows for memory_id in json.loads(str(ids))]
