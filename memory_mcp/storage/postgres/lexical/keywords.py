"""Writes the keyword index: the postings of live memories, their terms in order, and how common each term is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, cast

from memory_mcp.search.lexical.analyzer import Analyzer
from memory_mcp.storage.postgres.db.entries import IndexEntry
from memory_mcp.storage.postgres.db.session import PgSession
from memory_mcp.storage.postgres.lexical.tallies import ALL, Tally, add_tallies
from memory_mcp.storage.tokenizer import of_this_thread

_ENTER: Final = """
  WITH filed AS (
    INSERT INTO indexed (key, namespace, documents, terms)
    SELECT * FROM unnest(%s::bigint[], %s::text[], %s::boolean[], %s::text[]))
  INSERT INTO postings (namespace, documents, term, key, count, length)
  SELECT * FROM unnest(%s::text[], %s::boolean[], %s::text[], %s::bigint[], %s::integer[], %s::integer[])
"""


def enter(db: PgSession, entries: Sequence[IndexEntry]) -> None:
    """Add memories to the index."""
    analyzer = Analyzer(of_this_thread())
    indexed = [(entry, analyzer.content_terms(entry.content)) for entry in entries]
    postings = [
        (entry.namespace, entry.is_document, term, entry.key, count, len(terms))
        for entry, terms in indexed
        for term, count in Counter(terms).items()
    ]
    in_orders = [(entry.key, entry.namespace, entry.is_document, in_order(terms)) for entry, terms in indexed]
    if indexed:
        db.execute(_ENTER, [*_columns(in_orders, 4), *_columns(postings, 6)])
    _tally(db, ((entry.namespace, entry.is_document, terms) for entry, terms in indexed), 1)


def leave(db: PgSession, entries: Sequence[IndexEntry]) -> None:
    """Remove memories from the index."""
    rows = db.rows(
        "DELETE FROM indexed WHERE key = ANY(%s::bigint[]) RETURNING key, namespace, documents, terms",
        ([entry.key for entry in entries],),
    )
    gone = [
        (key, namespace, documents, _terms_of(terms)) for key, namespace, documents, terms in cast(_IndexedRows, rows)
    ]
    postings = [(namespace, documents, term, key) for key, namespace, documents, terms in gone for term in set(terms)]
    if postings:
        db.execute(
            """DELETE FROM postings AS p
               USING unnest(%s::text[], %s::boolean[], %s::text[], %s::bigint[]) AS g(namespace, documents, term, key)
               WHERE p.namespace = g.namespace AND p.documents = g.documents AND p.term = g.term AND p.key = g.key""",
            _columns(postings, 4),
        )
    _tally(db, ((namespace, documents, terms) for _, namespace, documents, terms in gone), -1)


def in_order(terms: Iterable[str]) -> str:
    """Return terms as the index keeps them in order: each between two blanks."""
    return "".join(f" {term} " for term in terms)


def _terms_of(text: str) -> list[str]:
    return [term for term in text.split(" ") if term]


_IndexedRows = list[tuple[int, str, bool, str]]


def _columns(rows: Sequence[tuple[object, ...]], count: int) -> list[list[object]]:
    """Return the columns of rows; there may be no row."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(count)]


def _tally(db: PgSession, indexed: Iterable[tuple[str, bool, Sequence[str]]], sign: int) -> None:
    """Count memories in or out."""
    tallies: Counter[Tally] = Counter()
    lengths: Counter[tuple[str, bool]] = Counter()
    for namespace, documents, terms in indexed:
        lengths[namespace, documents] += sign * len(terms)
        for name in {ALL, *terms}:
            tallies[namespace, documents, name] += sign
    add_tallies(db, tallies, lengths)
