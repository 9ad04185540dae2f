"""Writes the keyword index: the terms of live memories, each prefixed by its partition's number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, cast

import apsw

from memory_mcp.search.lexical.analyzer import DEFAULT_INDEX, Analyzer, IndexPolicy
from memory_mcp.storage.sqlite.db.partitions import PARTITION
from memory_mcp.storage.tokenizer import porter

PROBE_TERMS: Final = 12
"""Number of terms by which a memory is recognized in the index."""


def count_in(db: apsw.Connection, partition: str) -> int:
    """Count one more live memory of the partition; return the partition's number."""
    number = db.execute(
        """INSERT INTO partitions (namespace, memories) VALUES (?, 1)
           ON CONFLICT (namespace) DO UPDATE SET memories = memories + 1 RETURNING number""",
        (partition,),
    ).get
    return cast("int", number)


def count_out(db: apsw.Connection, partition: str) -> None:
    """Count one live memory less."""
    db.execute("UPDATE partitions SET memories = memories - 1 WHERE namespace = ?", (partition,))


def number_of(db: apsw.Connection, partition: str) -> int:
    """Return the number of a partition that has or had memories."""
    return cast("int", db.execute("SELECT number FROM partitions WHERE namespace = ?", (partition,)).get)


def enter(db: apsw.Connection, key: int, number: int, content: str) -> None:
    """Add a memory to the index under its partition's number."""
    _enter(db, Analyzer(porter(db)), key, number, content)


def leave(db: apsw.Connection, key: int) -> None:
    """Remove a memory from the index."""
    db.execute("DELETE FROM keywords WHERE rowid = ?", (key,))


def is_indexed(db: apsw.Connection, key: int, number: int, content: str) -> bool:
    """Whether the index has the first terms of a memory's content, in order."""
    first = Analyzer(porter(db)).content_terms(content)[:PROBE_TERMS]
    sql = "SELECT count(*) FROM keywords WHERE rowid = ? AND keywords MATCH ?"
    return not first or db.execute(sql, (key, in_a_row(number, first))).get == 1


def rebuild(db: apsw.Connection, policy: IndexPolicy = DEFAULT_INDEX) -> None:
    """Make the index anew, of all live memories."""
    db.execute("DELETE FROM keywords")
    analyzer = Analyzer(porter(db), policy)
    rows = db.execute(
        f"""SELECT m.key, n.number, m.content FROM memories AS m JOIN partitions AS n ON n.namespace = {PARTITION}
            WHERE m.deleted_at IS NULL ORDER BY m.key"""  # noqa: S608 - a constant
    )
    for key, number, content in cast("Iterator[tuple[int, int, str]]", rows):
        _enter(db, analyzer, key, number, content)


def _enter(db: apsw.Connection, analyzer: Analyzer, key: int, number: int, content: str) -> None:
    text = "".join(f" {filed(number, term)} " for term in analyzer.content_terms(content))  # see scoring.Search
    db.execute("INSERT INTO keywords (rowid, terms) VALUES (?, ?)", (key, text))


def filed(number: int, term: str) -> str:
    """Return the index's form of a term in the partition with this number."""
    return f"{number:d}:{term}"


def in_a_row(number: int, terms: Sequence[str]) -> str:
    """Return the FTS5 expression for these consecutive terms; no term contains a quote."""
    return '"' + " ".join(filed(number, term) for term in terms) + '"'
