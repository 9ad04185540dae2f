"""Writes the keyword index: the postings of live memories, their terms in order, and how common each term is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import cast

from memory_mcp.search.lexical.analyzer import Analyzer
from memory_mcp.storage.postgres.db.entries import IndexEntry
from memory_mcp.storage.postgres.db.session import Session
from memory_mcp.storage.postgres.lexical.tallies import ALL, Tally, add_tallies
from memory_mcp.storage.tokenizer import of_this_thread


def enter(db: Session, entries: Sequence[IndexEntry]) -> None:
    """Add memories to the index."""
    analyzer = Analyzer(of_this_thread())
    indexed = [(entry, analyzer.content_terms(entry.content)) for entry in entries]
    db.execute(
        """INSERT INTO indexed (key, namespace, documents, terms)
           SELECT * FROM unnest(%s::bigint[], %s::text[], %s::boolean[], %s::text[])""",
        _columns((entry.key, entry.namespace, entry.is_document, in_order(terms)) for entry, terms in indexed),
    )
    postings = [
        (entry.namespace, entry.is_document, term, entry.key, count, len(terms))
        for entry, terms in indexed
        for term, count in Counter(terms).items()
    ]
    if postings:
        db.execute(
            """INSERT INTO postings (namespace, documents, term, key, count, length)
               SELECT * FROM
                 unnest(%s::text[], %s::boolean[], %s::text[], %s::bigint[], %s::integer[], %s::integer[])""",
            _columns(postings),
        )
    _tally(db, ((entry.namespace, entry.is_document, terms) for entry, terms in indexed), 1)


def leave(db: Session, entries: Sequence[IndexEntry]) -> None:
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
            _columns(postings),
        )
    _tally(db, ((namespace, documents, terms) for _, namespace, documents, terms in gone), -1)


def in_order(terms: Iterable[str]) -> str:
    """Return terms as the index keeps them in order: each between two blanks."""
    return "".join(f" {term} " for term in terms)


def _terms_of(text: str) -> list[str]:
    return [term for term in text.split(" ") if term]


_IndexedRows = list[tuple[int, str, bool, str]]


def _columns(rows: Iterable[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _tally(db: Session, indexed: Iterable[tuple[str, bool, Sequence[str]]], sign: int) -> None:
    """Count memories in or out."""
    tallies: Counter[Tally] = Counter()
    lengths: Counter[tuple[str, bool]] = Counter()
    for namespace, documents, terms in indexed:
        lengths[namespace, documents] += sign * len(terms)
        for name in {ALL, *terms}:
            tallies[namespace, documents, name] += sign
    add_tallies(db, tallies, lengths)
