"""How well the words of a query fit memories: BM25 with the document frequencies of a namespace.

FTS5 counts how well one word fits a memory; the weight of the word is ours. What a common word gives the memories that
others found is looked up in its postings, or counted in the terms that the index keeps of each, as is cheaper.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, cast

import apsw

from memory_mcp.domain.models import Filters
from memory_mcp.search.lexical import bm25
from memory_mcp.storage.sqlite.db.conditions import condition
from memory_mcp.storage.sqlite.db.rows import to_json
from memory_mcp.storage.sqlite.lexical import private

MAX_FILTERED: Final = 1_000
"""Memories that filters let through and that are scored one and all, when rare words do not fill the answer."""
MAX_FOUND: Final = 20_000
"""Memories that a common word, or a phrase, may bring into a search, the newest."""

TERMS_PER_POSTING: Final = 8
"""How many terms of memories are read through in the time that a posting takes."""
TERMS_PER_MEMORY: Final = 12
"""How many terms are, in the time that it takes to look for a memory among postings; see docs/benchmarks.md."""

MAX_CACHED_NAMESPACE: Final = 8_000
"""Memories of a namespace whose postings are cached; in a larger one each search meets other words."""
MAX_CACHED_POSTINGS: Final = 500_000
"""Postings that are cached, 12 bytes each."""
POSTINGS_PER_WORD: Final = 30
"""What caching a word takes beside its postings, in postings."""

Share = tuple[int, float]
"""A memory, and what it gets for a word."""


@dataclass(slots=True)
class PostingCache:
    """What holds of the index while the store does not change, and would be read again by every search."""

    counts: dict[str, int] = field(default_factory=dict)
    """How many memories hold a term, by what FTS5 was asked."""
    shares: dict[str, tuple[array[int], array[float]]] = field(default_factory=dict)
    """The memories that hold a word and what each gets for it at weight 1, by what FTS5 was asked."""
    postings: int = 0  # in all shares: a search asks several times, and counting takes longer the more words there are

    def add(self, match: str, shares: Iterable[Share]) -> None:
        """Add what a word gives, in the place of all others where there is no room."""
        keys, values = array("q"), array("f")
        for key, share in shares:
            keys.append(key)
            values.append(share)
        if self.postings > MAX_CACHED_POSTINGS:
            self.shares.clear()
            self.postings = 0
        self.shares[match] = keys, values  # when all were read: half of them would be believed
        self.postings += len(keys) + POSTINGS_PER_WORD


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the query, as FTS5 is asked for it."""

    match: str
    memories: int
    """How many of the namespace hold it."""
    weight: float
    """What it counts in this namespace, times k1 + 1 at most."""
    text: str
    """How it stands among the terms of a memory, each of which has a blank on either side."""


@dataclass(slots=True)
class Search:
    """One search: where it looks, and the sums of what each memory has got so far."""

    db: apsw.Connection
    filters: Filters
    memories: int
    """Live memories of the namespace."""
    stored: int
    """Live memories of all namespaces, which FTS5 weighs words by."""
    cache: PostingCache
    sums: dict[int, float] = field(default_factory=dict)

    @property
    def is_cached(self) -> bool:
        """Whether the postings of words are cached: not where filters leave out what holds them."""
        return self.memories <= MAX_CACHED_NAMESPACE and not self.filters.is_narrow

    def add(self, word: Word) -> None:
        """Give every memory that holds the word its share."""
        if self.is_cached:
            self._give(self._cached(word), word.weight)
        else:
            self._give(self._shares(word, -1))

    def add_newest(self, word: Word) -> None:
        """Give the newest memories that hold a common word its share, and all that were found before."""
        if self.is_cached:
            self.add(word)
            return
        found = set(self.sums)
        self.score([word], found)
        self.sums |= {key: share for key, share in self._shares(word, MAX_FOUND) if key not in found}

    def score(self, words: Sequence[Word], keys: Collection[int]) -> None:
        """Give these memories the words' share, and no other."""
        if not words or not keys:
            return
        if self.is_cached:
            wanted = frozenset(keys)
            for word in words:
                self._give(((key, share) for key, share in self._cached(word) if key in wanted), word.weight)
            return
        mean = _mean_length(self.db, words[0])
        read_through = len(keys) * len(words) * (mean - TERMS_PER_MEMORY)
        if read_through < TERMS_PER_POSTING * sum(word.memories for word in words):
            self._count(words, keys, mean)
            return
        for word in words:
            self._give(self._shares(word, -1, keys))

    def _give(self, shares: Iterable[Share], weight: float = 1.0) -> None:
        sums, so_far = self.sums, self.sums.get  # a thousand shares and more: names of their own are faster
        for key, share in shares:
            sums[key] = so_far(key, 0.0) + weight * share

    def _cached(self, word: Word) -> Iterable[Share]:
        """Return what each memory gets for a word, at weight 1."""
        if word.match not in self.cache.shares:
            self.cache.add(word.match, self._shares(replace(word, weight=1.0), -1))
        return zip(*self.cache.shares[word.match], strict=True)

    def _shares(self, word: Word, limit: int, among: Collection[int] | None = None) -> Iterator[Share]:
        """Ask FTS5 what the newest memories get that hold a word; `among` leaves out all others, filters or not."""
        scale = -word.weight / private.idf(self.stored, word.memories)
        sql, parameters = self._narrowed("? * bm25(keywords)", among)
        return cast("Iterator[Share]", self.db.execute(sql, (scale, word.match, *parameters, limit)))

    def _count(self, words: Sequence[Word], keys: Collection[int], mean: float) -> None:
        """Score memories as bm25() would, by counting the words among the terms of each."""
        sums, sought = self.sums, [(word.text, word.weight * (bm25.K1 + 1)) for word in words]
        shortest = bm25.K1 * (1 - bm25.B)
        longer = bm25.K1 * bm25.B / mean / 2  # for each blank
        for key, terms in private.terms_of(self.db, keys):
            damp = shortest + longer * terms.count(" ")
            for text, most in sought:
                if count := terms.count(text):
                    sums[key] = sums.get(key, 0.0) + most * count / (count + damp)

    def keys(self, match: str, limit: int) -> list[int]:
        """Return the newest memories that an FTS5 expression finds."""
        sql, parameters = self._narrowed("NULL", None)
        rows = self.db.execute(sql, (match, *parameters, limit))
        return [key for key, _ in cast("Iterator[tuple[int, None]]", rows)]

    def contents(self, keys: Collection[int]) -> Iterator[tuple[int, str]]:
        """Read the texts of memories."""
        sql = "SELECT key, content FROM memories WHERE key IN (SELECT value FROM json_each(?))"
        return cast("Iterator[tuple[int, str]]", self.db.execute(sql, (to_json(list(keys)),)))

    def filtered(self) -> list[int] | None:
        """Return all memories that the filters let through, None when they are too many to score."""
        if not self.filters.is_narrow:
            return None
        where = condition(self.filters)
        rows = self.db.execute(
            f"SELECT m.key FROM memories AS m WHERE {where.sql} LIMIT ?",  # noqa: S608 - only parameters
            (*where.parameters, MAX_FILTERED + 1),
        ).fetchall()
        return None if len(rows) > MAX_FILTERED else [key for (key,) in cast("list[tuple[int]]", rows)]

    def best(self, count: int) -> list[int]:
        """Return the memories with the largest sums, best first."""
        keys = sorted(self.sums)
        keys.sort(key=self.sums.__getitem__, reverse=True)  # which leaves equal ones in the order of their keys
        return keys[:count]

    def _narrowed(self, value: str, among: Collection[int] | None) -> tuple[str, Sequence[apsw.SQLiteValue]]:
        """Return the SQL that gives (key, value) of what an expression finds, and its parameters in the middle."""
        narrowing = "WHERE keywords MATCH ?"
        parameters: Sequence[apsw.SQLiteValue] = ()
        if among is not None:  # read through the postings: to seek each key would cost more
            narrowing += " AND +keywords.rowid IN (SELECT value FROM json_each(?))"
            parameters = [to_json(list(among))]
        elif self.filters.is_narrow:  # else all do: the index holds live memories, the terms are the namespace's
            where = condition(self.filters)
            narrowing = f"CROSS JOIN memories AS m ON m.key = keywords.rowid {narrowing} AND {where.sql}"
            parameters = where.parameters
        sql = f"SELECT keywords.rowid, {value} FROM keywords {narrowing} ORDER BY keywords.rowid DESC LIMIT ?"  # noqa: S608 - only parameters
        return sql, parameters


def _mean_length(db: apsw.Connection, word: Word) -> float:
    """Return how many terms a memory of the store has, by what FTS5 tells a function of a row."""
    db.register_fts5_function("mean_length", _mean_of_row)
    sql = "SELECT mean_length(keywords) FROM keywords WHERE keywords MATCH ? LIMIT 1"
    return cast("float", db.execute(sql, (word.match,)).get)


def _mean_of_row(api: apsw.FTS5ExtensionApi, *_: apsw.SQLiteValue) -> float:
    return api.column_total_size(0) / api.row_count
