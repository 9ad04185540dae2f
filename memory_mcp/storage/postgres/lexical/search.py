"""One partition's part of the keyword index, and one search in it; see `storage.keyword_search`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import itemgetter
from typing import Final, cast

from memory_mcp.domain.keywords import QueryTerm
from memory_mcp.domain.models import Filters
from memory_mcp.search.lexical import bm25
from memory_mcp.search.lexical.stems import FOREIGN
from memory_mcp.storage.keyword_search import MAX_FILTERED, MAX_FOUND, Word, count_terms
from memory_mcp.storage.postgres.db.conditions import condition
from memory_mcp.storage.postgres.db.session import PgSession
from memory_mcp.storage.postgres.lexical.keywords import in_order
from memory_mcp.storage.postgres.lexical.tallies import ALL
from memory_mcp.storage.postings import MAX_CACHED_NAMESPACE, PostingCache, Shares, give, give_among

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
_SHARE: Final = "SELECT p.mark, p.key, p.weight * %s * p.count / (p.count + %s + %s * p.length) AS share"
"""BM25 of a word in a memory; see `search.lexical.bm25`."""
_EXACT: Final = """
  SELECT w.term || '.' AS mark, p.key, w.weight, p.count, p.length
  FROM unnest(%s::text[], %s::float8[]) AS w(term, weight)
  CROSS JOIN LATERAL (
    SELECT key, count, length FROM postings WHERE namespace = %s AND documents = %s AND term = w.term OFFSET 0) AS p
"""
"""OFFSET keeps the planner from another way than one look-up for each word."""
_PREFIX: Final = """
  SELECT w.first || '*' AS mark, p.key, w.weight, p.count, p.length
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


@dataclass(slots=True)
class PartitionCache:
    """What was read of a partition's index; valid while the store does not change."""

    memories: int = 0
    terms: int = 0
    """Of all memories."""
    counts: dict[tuple[str, bool], int] = field(default_factory=lambda: {(FOREIGN, False): 0})
    """Document frequencies, by term and whether it is a prefix."""
    postings: PostingCache = field(default_factory=PostingCache)


def caches_of(db: PgSession, namespace: str) -> dict[bool, PartitionCache]:
    """Look up both partitions of a namespace: that of documents, and that of its other memories."""
    found = {True: PartitionCache(), False: PartitionCache()}
    rows = db.rows(_SIZES, (namespace, [ALL, FOREIGN]))
    for documents, name, memories, terms in cast("list[tuple[bool, str, int, int]]", rows):
        if name == ALL:
            found[documents].memories, found[documents].terms = memories, terms
        else:
            found[documents].counts[name, False] = memories
    return found


@dataclass(frozen=True, slots=True)
class PartitionTerms:
    """See `storage.keyword_search.TermIndex`."""

    db: PgSession
    partition: tuple[str, bool]
    """The namespace, and whether its documents are meant."""
    cache: PartitionCache

    @property
    def memories(self) -> int:
        return self.cache.memories

    def counts(self, forms: Sequence[QueryTerm]) -> list[int]:
        asked = {(form.term, form.is_prefix): 0 for form in forms}
        missing = [form for form in asked if form not in self.cache.counts]
        if missing:
            self.cache.counts.update(dict.fromkeys(missing, 0) | self._look_up(missing))
        return [self.cache.counts[form.term, form.is_prefix] for form in forms]

    def search(self, filters: Filters) -> WordSearch:
        """Begin a search."""
        return WordSearch(self.db, self.partition, filters, self.cache)

    def _look_up(self, forms: Sequence[tuple[str, bool]]) -> dict[tuple[str, bool], int]:
        sql, parameters = _HOLDING, [*self.partition, [term for term, is_prefix in forms if not is_prefix]]
        if prefixes := [term for term, is_prefix in forms if is_prefix]:
            sql += " UNION ALL " + _BEGINNING
            parameters += [*self.partition, prefixes, [prefix + _LAST for prefix in prefixes]]
        rows = cast("list[tuple[str, bool, int]]", self.db.rows(sql, parameters))
        return {(term, is_prefix): count for term, is_prefix, count in rows}


@dataclass(slots=True)
class WordSearch:
    """See `storage.keyword_search.Scoring`."""

    db: PgSession
    partition: tuple[str, bool]
    filters: Filters
    cache: PartitionCache
    sums: dict[int, float] = field(default_factory=dict)

    @property
    def is_cached(self) -> bool:
        """Whether postings are cached: not if filters narrow them."""
        return self.cache.memories <= MAX_CACHED_NAMESPACE and not self.filters.is_narrow

    @property
    def mean(self) -> float:
        """Return how many terms a memory has."""
        return max(1, self.cache.terms) / max(1, self.cache.memories)

    def add(self, words: Sequence[Word]) -> None:
        if self.is_cached:
            for word, shares in self._cached(words):
                give(self.sums, zip(*shares, strict=True), word.weight)
        else:
            give(self.sums, self._together(words, ""))

    def add_newest(self, word: Word) -> None:
        if self.is_cached:
            self.add([word])
            return
        found = set(self.sums)
        self.score([word], found)
        newest = self._together([word], f"ORDER BY found.key DESC LIMIT {MAX_FOUND:d}")
        self.sums |= {key: share for key, share in newest if key not in found}

    def score(self, words: Sequence[Word], keys: Collection[int]) -> None:
        if self.is_cached:
            for word, shares in self._cached(words):
                give_among(self.sums, shares, word.weight, keys)
        elif words and keys:
            rows = self.db.rows("SELECT key, terms FROM indexed WHERE key = ANY(%s::bigint[])", (list(keys),))
            count_terms(self.sums, iter(cast("list[tuple[int, str]]", rows)), map(_text, words), self.mean)

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
        rows = self.db.rows("SELECT key, content FROM memories WHERE key = ANY(%s::bigint[])", (list(keys),))
        return iter(cast("list[tuple[int, str]]", rows))

    def _any_of(self, group: Iterable[Sequence[str]], parameters: list[object]) -> str:
        """Return SQL for the memories that have a sequence of the group; adds its parameters."""
        sequences = list(group)
        for terms in sequences:
            parameters += [*self.partition, list(terms), *self.partition, in_order(terms)]
        return "(" + " UNION ".join([_SEQUENCE] * len(sequences)) + ")"

    def _together(self, words: Sequence[Word], ending: str) -> Iterable[tuple[int, float]]:
        """Return what memories get for the words, together."""
        if not words:
            return ()
        found, parameters = self._found(words)
        joined, narrowing = self._narrowing()
        sql = f"""SELECT found.key, sum(found.share) FROM ({found}) AS found {joined} GROUP BY found.key {ending}"""  # noqa: S608 - only parameters
        return cast("Iterable[tuple[int, float]]", self.db.rows(sql, [*parameters, *narrowing]))

    def _cached(self, words: Sequence[Word]) -> Iterator[tuple[Word, Shares]]:
        """Return what memories get for each word at weight 1; several words are read at once."""
        postings, marks = self.cache.postings, {_mark(word): word for word in words}
        read = {mark: shares for mark in marks if (shares := postings.shares.get(mark))}
        if missing := [replace(word, weight=1.0) for mark, word in marks.items() if mark not in read]:
            sql, parameters = self._found(missing)
            rows = cast("list[tuple[str, int, float]]", self.db.rows(f"{sql} ORDER BY 1", parameters))
            found = {mark: [row[1:] for row in group] for mark, group in groupby(rows, key=itemgetter(0))}
            read |= {_mark(word): postings.add(_mark(word), found.get(_mark(word), ())) for word in missing}
        return ((word, read[_mark(word)]) for word in words)

    def _found(self, words: Sequence[Word]) -> tuple[str, list[object]]:
        """Return SQL for (mark, key, share) of each word and each memory that has it, and its parameters."""
        parts: list[str] = []
        parameters: list[object] = [bm25.K1 + 1, bm25.K1 * (1 - bm25.B), bm25.K1 * bm25.B / self.mean]
        if exact := [word for word in words if not word.is_prefix]:
            parts.append(_EXACT)
            parameters += [[word.term for word in exact], [word.weight for word in exact], *self.partition]
        if prefixes := [word for word in words if word.is_prefix]:
            parts.append(_PREFIX)
            first = [word.term for word in prefixes]
            last = [term + _LAST for term in first]
            parameters += [first, last, [word.weight for word in prefixes], *self.partition]
        return f"{_SHARE} FROM ({' UNION ALL '.join(parts)}) AS p", parameters

    def _narrowing(self) -> tuple[str, Sequence[object]]:
        """Return SQL that leaves out what does not pass the filters, and its parameters.

        Without a filter all pass: the index has live memories only, and the partition is looked up in it.
        """
        if not self.filters.is_narrow:
            return "", ()
        where = condition(self.filters)
        return f"JOIN memories AS m ON m.key = found.key WHERE {where.sql}", where.parameters


def _mark(word: Word) -> str:
    """Return what tells a word from the prefix of the same letters."""
    return word.term + (".*"[word.is_prefix])


def _text(word: Word) -> tuple[str, float]:
    """Return a word as it stands among a memory's terms, with the blanks that count, and its weight."""
    return f" {word.term}" + " " * (not word.is_prefix), word.weight
