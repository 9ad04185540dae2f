"""One partition's part of the keyword index, and one search in it; see `storage.keyword_search`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from memory_mcp.domain.keywords import QueryTerm
from memory_mcp.domain.models import Filters
from memory_mcp.search.lexical import bm25
from memory_mcp.search.lexical.stems import FOREIGN
from memory_mcp.storage.keyword_search import MAX_FILTERED, MAX_FOUND, Word, count_terms
from memory_mcp.storage.postgres.db.conditions import condition
from memory_mcp.storage.postgres.db.session import Session
from memory_mcp.storage.postgres.lexical.keywords import in_order
from memory_mcp.storage.postgres.lexical.tallies import ALL

_LAST: Final = "\U0010ffff"
"""The last character, and so the end of what begins with a prefix."""

_SIZES: Final = "SELECT documents, name, memories, terms FROM tallies WHERE namespace = %s AND name = ANY(%s::text[])"
_HOLDING: Final = """
  SELECT name, false, memories FROM tallies WHERE namespace = %s AND documents = %s AND name = ANY(%s::text[])
"""
_BEGINNING: Final = """
  SELECT w.first, true, (
    SELECT count(DISTINCT key) FROM postings
    WHERE namespace = %s AND documents = %s AND term >= w.first AND term < w.last)
  FROM unnest(%s::text[], %s::text[]) AS w(first, last)
"""
_EXACT: Final = """
  SELECT p.key, w.weight, p.count, p.length FROM unnest(%s::text[], %s::float8[]) AS w(term, weight)
  CROSS JOIN LATERAL (
    SELECT key, count, length FROM postings WHERE namespace = %s AND documents = %s AND term = w.term OFFSET 0) AS p
"""
"""OFFSET keeps the planner from another way than one look-up for each word."""
_PREFIX: Final = """
  SELECT p.key, w.weight, p.count, p.length
  FROM unnest(%s::text[], %s::text[], %s::float8[]) AS w(first, last, weight)
  CROSS JOIN LATERAL (
    SELECT key, sum(count)::integer AS count, max(length) AS length FROM postings
    WHERE namespace = %s AND documents = %s AND term >= w.first AND term < w.last GROUP BY key OFFSET 0) AS p
"""
_SEQUENCE: Final = """
  SELECT i.key FROM (
    SELECT key FROM postings WHERE namespace = %s AND documents = %s AND term = (
      SELECT w.term FROM unnest(%s::text[]) AS w(term)
      LEFT JOIN tallies AS t ON t.namespace = %s AND t.documents = %s AND t.name = w.term
      ORDER BY t.memories NULLS FIRST LIMIT 1)) AS p
  JOIN indexed AS i USING (key) WHERE strpos(i.terms, %s) > 0
"""
"""Those that have the rarest term of a sequence are looked through."""


_Count = tuple[str, bool, int]


class PartitionTerms:
    """See `storage.keyword_search.TermIndex`."""

    def __init__(self, db: Session, partition: tuple[str, bool], sizes: Mapping[str, tuple[int, int]]) -> None:
        """Take the partition, and the memories and terms of ALL and of FOREIGN."""
        self._db = db
        self._partition = partition
        self.memories, self._terms = sizes.get(ALL, (0, 0))
        self._counts = {(FOREIGN, False): sizes.get(FOREIGN, (0, 0))[0]}

    def counts(self, forms: Sequence[QueryTerm]) -> list[int]:
        asked = {(form.term, form.is_prefix) for form in forms} - self._counts.keys()
        if asked:
            self._counts |= dict.fromkeys(asked, 0)
            self._look_up([term for term, is_prefix in asked if not is_prefix], [term for term, is_ in asked if is_])
        return [self._counts[form.term, form.is_prefix] for form in forms]

    def search(self, filters: Filters) -> WordSearch:
        """Begin a search."""
        return WordSearch(self._db, self._partition, filters, max(1, self._terms) / max(1, self.memories))

    def _look_up(self, terms: Sequence[str], prefixes: Sequence[str]) -> None:
        sql, parameters = _HOLDING, [*self._partition, terms]
        if prefixes:
            sql += " UNION ALL " + _BEGINNING
            parameters += [*self._partition, prefixes, [prefix + _LAST for prefix in prefixes]]
        rows = self._db.rows(sql, parameters)
        self._counts |= {
            (term, is_prefix): count for term, is_prefix, count in cast("list[tuple[str, bool, int]]", rows)
        }


def indexes_of(db: Session, namespace: str) -> dict[bool, PartitionTerms]:
    """Look up both partitions of a namespace: that of documents, and that of its other memories."""
    sizes: dict[bool, dict[str, tuple[int, int]]] = {True: {}, False: {}}
    rows = db.rows(_SIZES, (namespace, [ALL, FOREIGN]))
    for documents, name, memories, terms in cast("list[tuple[bool, str, int, int]]", rows):
        sizes[documents][name] = memories, terms
    return {documents: PartitionTerms(db, (namespace, documents), found) for documents, found in sizes.items()}


@dataclass(slots=True)
class WordSearch:
    """See `storage.keyword_search.Scoring`."""

    db: Session
    partition: tuple[str, bool]
    filters: Filters
    mean: float
    """Terms of a memory."""
    sums: dict[int, float] = field(default_factory=dict)

    def add(self, words: Sequence[Word]) -> None:
        for key, share in self._shares(words, ""):
            self.sums[key] = self.sums.get(key, 0.0) + share

    def add_newest(self, word: Word) -> None:
        found = set(self.sums)
        self.score([word], found)
        newest = self._shares([word], f"ORDER BY found.key DESC LIMIT {MAX_FOUND:d}")
        self.sums |= {key: share for key, share in newest if key not in found}

    def score(self, words: Sequence[Word], keys: Collection[int]) -> None:
        if words and keys:
            rows = self.db.execute("SELECT key, terms FROM indexed WHERE key = ANY(%s::bigint[])", (list(keys),))
            count_terms(self.sums, cast("Iterator[tuple[int, str]]", rows), map(_text, words), self.mean)

    def filtered(self) -> list[int] | None:
        if not self.filters.is_narrow:
            return None
        where = condition(self.filters)
        sql = f"SELECT m.key FROM memories AS m WHERE {where.sql} LIMIT {MAX_FILTERED + 1:d}"  # noqa: S608 - only parameters
        rows = self.db.rows(sql, where.parameters)
        return None if len(rows) > MAX_FILTERED else [key for (key,) in cast("list[tuple[int]]", rows)]

    def with_sequences(self, groups: Iterable[Iterable[Sequence[str]]], limit: int) -> list[int]:
        parameters: list[object] = []
        alternatives = [self._any_of(group, parameters) for group in groups]
        joined, narrowing = self._narrowing()
        sql = f"""SELECT found.key FROM ({" INTERSECT ".join(alternatives)}) AS found {joined}
                  ORDER BY found.key DESC LIMIT {limit:d}"""  # noqa: S608 - only parameters
        rows = self.db.rows(sql, [*parameters, *narrowing])
        return [key for (key,) in cast("list[tuple[int]]", rows)]

    def contents(self, keys: Collection[int]) -> Iterator[tuple[int, str]]:
        rows = self.db.execute("SELECT key, content FROM memories WHERE key = ANY(%s::bigint[])", (list(keys),))
        return cast("Iterator[tuple[int, str]]", rows)

    def _any_of(self, group: Iterable[Sequence[str]], parameters: list[object]) -> str:
        """Return SQL for the memories that have a sequence of the group; adds its parameters."""
        sequences = list(group)
        for terms in sequences:
            parameters += [*self.partition, list(terms), *self.partition, in_order(terms)]
        return "(" + " UNION ".join([_SEQUENCE] * len(sequences)) + ")"

    def _shares(self, words: Sequence[Word], ending: str) -> Iterable[tuple[int, float]]:
        """Return what memories get for the words, together."""
        if not words:
            return ()
        parts: list[str] = []
        parameters: list[object] = [bm25.K1 + 1, bm25.K1 * (1 - bm25.B), bm25.K1 * bm25.B / self.mean]
        exact = [word for word in words if not word.is_prefix]
        if exact:
            parts.append(_EXACT)
            parameters += [[word.term for word in exact], [word.weight for word in exact], *self.partition]
        if prefixes := [word for word in words if word.is_prefix]:
            parts.append(_PREFIX)
            first = [word.term for word in prefixes]
            last = [term + _LAST for term in first]
            parameters += [first, last, [word.weight for word in prefixes], *self.partition]
        joined, narrowing = self._narrowing()
        sql = f"""SELECT found.key, sum(found.weight * %s * found.count / (found.count + %s + %s * found.length))
                  FROM ({" UNION ALL ".join(parts)}) AS found {joined} GROUP BY found.key {ending}"""  # noqa: S608 - only parameters
        return cast("Iterable[tuple[int, float]]", self.db.execute(sql, [*parameters, *narrowing]))

    def _narrowing(self) -> tuple[str, Sequence[object]]:
        """Return SQL that leaves out what does not pass the filters, and its parameters.

        Without a filter all pass: the index has live memories only, and the partition is looked up in it.
        """
        if not self.filters.is_narrow:
            return "", ()
        where = condition(self.filters)
        return f"JOIN memories AS m ON m.key = found.key WHERE {where.sql}", where.parameters


def _text(word: Word) -> tuple[str, float]:
    """Return a word as it stands among a memory's terms, with the blanks that count, and its weight."""
    return f" {word.term}" + " " * (not word.is_prefix), word.weight
