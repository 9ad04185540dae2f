"""Scores memories by BM25 with the document frequencies of a namespace.

FTS5 computes a word's term-frequency part, and we supply the word's weight. To score the memories that other words
found by a common word, we read its postings or count it in each memory's indexed terms, whichever is cheaper.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, cast

import apsw

from memory_mcp.domain.models import Filters
from memory_mcp.storage.keyword_search import MAX_FILTERED, MAX_FOUND, Word, count_terms
from memory_mcp.storage.postings import MAX_CACHED_NAMESPACE, PostingCache, Share, Shares, give, give_among
from memory_mcp.storage.rows import to_json
from memory_mcp.storage.sqlite.db.conditions import condition
from memory_mcp.storage.sqlite.lexical import private
from memory_mcp.storage.sqlite.lexical.keywords import filed, in_a_row

TERMS_PER_POSTING: Final = 8
"""Cost of reading a posting, in terms of a memory that are scanned in the same time."""
TERMS_PER_MEMORY: Final = 12
"""Cost of looking up a memory among postings, in the same unit; see docs/benchmarks.md."""


@dataclass(slots=True)
class Search:
    """See `storage.keyword_search.Scoring`."""

    db: apsw.Connection
    filters: Filters
    number: int
    """The partition's."""
    memories: int
    """Live memories of the partition."""
    stored: int
    """Live memories of all namespaces, which FTS5's idf is based on."""
    cache: PostingCache
    sums: dict[int, float] = field(default_factory=dict)

    @property
    def is_cached(self) -> bool:
        """Whether postings are cached: not if filters narrow them."""
        return self.memories <= MAX_CACHED_NAMESPACE and not self.filters.is_narrow

    def add(self, words: Sequence[Word]) -> None:
        for word in words:
            if self.is_cached:
                give(self.sums, zip(*self._cached(word), strict=True), word.weight)
            else:
                give(self.sums, self._shares(word, -1))

    def add_newest(self, word: Word) -> None:
        if self.is_cached:
            self.add([word])
            return
        found = set(self.sums)
        self.score([word], found)
        self.sums |= {key: share for key, share in self._shares(word, MAX_FOUND) if key not in found}

    def score(self, words: Sequence[Word], keys: Collection[int]) -> None:
        if not words or not keys:
            return
        if self.is_cached:
            for word in words:
                give_among(self.sums, self._cached(word), word.weight, keys)
            return
        mean = _mean_length(self.db, self._match(words[0]))
        read_through = len(keys) * len(words) * (mean - TERMS_PER_MEMORY)
        if read_through < TERMS_PER_POSTING * sum(word.memories for word in words):
            self._count(words, keys, mean)
            return
        for word in words:
            give(self.sums, self._shares(word, -1, keys))

    def _cached(self, word: Word) -> Shares:
        match = self._match(word)
        known = self.cache.shares.get(match)
        return known or self.cache.add(match, self._shares(replace(word, weight=1.0), -1))

    def _match(self, word: Word) -> str:
        """Return a word's FTS5 expression."""
        return in_a_row(self.number, [word.term]) + " *" * word.is_prefix

    def _text(self, word: Word) -> str:
        """Return a word's form in a memory's indexed terms, with the blank on either side."""
        return f" {filed(self.number, word.term)}" + " " * (not word.is_prefix)

    def _shares(self, word: Word, limit: int, among: Collection[int] | None = None) -> Iterator[Share]:
        """Ask FTS5 what the newest memories get that hold a word; `among` leaves out all others, filters or not."""
        scale = -word.weight / private.idf(self.stored, word.memories)
        sql, parameters = self._narrowed("? * bm25(keywords)", among)
        return cast("Iterator[Share]", self.db.execute(sql, (scale, self._match(word), *parameters, limit)))

    def _count(self, words: Sequence[Word], keys: Collection[int], mean: float) -> None:
        """Score memories as bm25() would, by counting the words in each one's terms."""
        sought = [(self._text(word), word.weight) for word in words]
        count_terms(self.sums, private.terms_of(self.db, keys), sought, mean)

    def with_sequences(self, groups: Iterable[Iterable[Sequence[str]]], limit: int) -> list[int]:
        match = " AND ".join(f"({' OR '.join(in_a_row(self.number, terms) for terms in group)})" for group in groups)
        sql, parameters = self._narrowed("NULL", None)
        rows = self.db.execute(sql, (match, *parameters, limit))
        return [key for key, _ in cast("Iterator[tuple[int, None]]", rows)]

    def contents(self, keys: Collection[int]) -> Iterator[tuple[int, str]]:
        sql = "SELECT key, content FROM memories WHERE key IN (SELECT value FROM json_each(?))"
        return cast("Iterator[tuple[int, str]]", self.db.execute(sql, (to_json(list(keys)),)))

    def filtered(self) -> list[int] | None:
        if not self.filters.is_narrow:
            return None
        where = condition(self.filters)
        rows = self.db.execute(
            f"SELECT m.key FROM memories AS m WHERE {where.sql} LIMIT ?",  # noqa: S608 - only parameters
            (*where.parameters, MAX_FILTERED + 1),
        ).fetchall()
        return None if len(rows) > MAX_FILTERED else [key for (key,) in cast("list[tuple[int]]", rows)]

    def _narrowed(self, value: str, among: Collection[int] | None) -> tuple[str, Sequence[apsw.SQLiteValue]]:
        """Return SQL for (key, value) of the matches of an expression, and the parameters in its middle."""
        narrowing = "WHERE keywords MATCH ?"
        parameters: Sequence[apsw.SQLiteValue] = ()
        if among is not None:  # the + makes SQLite scan the postings: seeking each key would cost more
            narrowing += " AND +keywords.rowid IN (SELECT value FROM json_each(?))"
            parameters = [to_json(list(among))]
        elif (
            self.filters.is_narrow
        ):  # otherwise all match: the index has live memories only, and terms carry the namespace
            where = condition(self.filters)
            narrowing = f"CROSS JOIN memories AS m ON m.key = keywords.rowid {narrowing} AND {where.sql}"
            parameters = where.parameters
        sql = f"SELECT keywords.rowid, {value} FROM keywords {narrowing} ORDER BY keywords.rowid DESC LIMIT ?"  # noqa: S608 - only parameters
        return sql, parameters


def _mean_length(db: apsw.Connection, match: str) -> float:
    """Return the mean number of terms of the store's memories, which FTS5 tells its auxiliary functions."""
    db.register_fts5_function("mean_length", _mean_of_row)
    sql = "SELECT mean_length(keywords) FROM keywords WHERE keywords MATCH ? LIMIT 1"
    return cast("float", db.execute(sql, (match,)).get)


def _mean_of_row(api: apsw.FTS5ExtensionApi, *_: apsw.SQLiteValue) -> float:
    return api.column_total_size(0) / api.row_count
