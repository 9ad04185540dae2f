"""The keyword index: what the writes put into it, and how words are found and scored in it.

A memory's score is BM25 with the document frequencies of its namespace: FTS5 counts how well one word fits a memory,
the weight of the word is ours. Words are looked for one by one, rarest first; the common ones, which say little and
cost much, only score the memories that the rare ones found, by the terms that the index keeps of each.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Final, cast

import apsw

from memory_mcp.domain.models import Filters, Match, Matching, Spread
from memory_mcp.storage.sqlite.queries import condition
from memory_mcp.storage.sqlite.rows import to_json
from memory_mcp.storage.sqlite.stems import FOREIGN, LANGUAGES, mark
from memory_mcp.storage.sqlite.terms import Terms, Wanted

_Postings = tuple["array[int]", "array[float]"]
"""Memories that hold a word, and what each gets for it at weight 1."""


@dataclass(slots=True)
class Kept:
    """What holds of the index while the store does not change, and would be read again by every search."""

    counts: dict[str, int] = field(default_factory=dict)
    """How many memories hold a term, by what FTS5 was asked."""
    shares: dict[str, _Postings] = field(default_factory=dict)
    """By what FTS5 was asked."""
    postings: int = 0  # in all shares: a search asks several times, and counting takes longer the more words there are


BM25_K1: Final = 1.2
BM25_B: Final = 0.75
"""FTS5's own constants (https://sqlite.org/fts5.html#the_bm25_function): no word counts more than k1 + 1 times."""
SMALLEST_IDF: Final = 1e-6
"""FTS5's weight of a word that most memories hold."""

MAX_WORDS: Final = 64
"""Words of a query that are looked up, those that count most."""

MAX_POSTINGS: Final = 1_500
COMMON_SHARE: Final = 0.02
"""Words bring memories into a search, rarest first, until they have brought so many, or this share of the namespace;
the others are common words."""

FEW: Final = 1_000
"""So many memories that filters let through are scored one and all when rare words do not fill the answer."""
MAX_FOUND: Final = 20_000
"""Memories that a common word, or a phrase, may bring into a search, the newest."""
RESCORED_PER_RESULT: Final = 4
"""How many of the best candidates get the common words' share for each result that is asked for."""

SMALL: Final = 8_000
"""Memories of a namespace up to which what its words give is kept; in a larger one each search meets other words."""
MOST_KEPT: Final = 500_000
"""Postings that are kept, 12 bytes each."""

BEGINNING: Final = 12
"""Terms by which a memory is known again."""

_HOLDING: Final = "SELECT doc FROM keyword_terms WHERE term = ?"
_BEGINNING: Final = "SELECT count(*) FROM keywords WHERE keywords MATCH ?"


def count_in(db: apsw.Connection, namespace: str) -> int:
    """Count one more live memory of the namespace; return the namespace's number."""
    number = db.execute(
        """INSERT INTO namespaces (namespace, memories) VALUES (?, 1)
           ON CONFLICT (namespace) DO UPDATE SET memories = memories + 1 RETURNING number""",
        (namespace,),
    ).get
    return cast("int", number)


def count_out(db: apsw.Connection, namespace: str) -> None:
    """Count one live memory less."""
    db.execute("UPDATE namespaces SET memories = memories - 1 WHERE namespace = ?", (namespace,))


def number_of(db: apsw.Connection, namespace: str) -> int:
    """Return the number of a namespace that has, or had, a memory."""
    return cast("int", db.execute("SELECT number FROM namespaces WHERE namespace = ?", (namespace,)).get)


def enter(db: apsw.Connection, key: int, number: int, content: str) -> None:
    """Put a memory into the index, under its namespace's number."""
    _enter(db, Terms(db), key, number, content)


def leave(db: apsw.Connection, key: int) -> None:
    """Take a memory out of the index."""
    db.execute("DELETE FROM keywords WHERE rowid = ?", (key,))


def holds(db: apsw.Connection, key: int, number: int, content: str) -> bool:
    """Say whether the index holds the first terms of a memory's content, in their order."""
    first = Terms(db).of_content(content)[:BEGINNING]
    sql = "SELECT count(*) FROM keywords WHERE rowid = ? AND keywords MATCH ?"
    return not first or db.execute(sql, (key, _quoted(number, first))).get == 1


def rebuild(db: apsw.Connection) -> None:
    """Fill the empty index with all live memories."""
    terms = Terms(db)
    rows = db.execute(
        """SELECT m.key, n.number, m.content FROM memories AS m JOIN namespaces AS n USING (namespace)
           WHERE m.deleted_at IS NULL ORDER BY m.key"""
    )
    for key, number, content in cast("Iterator[tuple[int, int, str]]", rows):
        _enter(db, terms, key, number, content)


def _enter(db: apsw.Connection, terms: Terms, key: int, number: int, content: str) -> None:
    text = "".join(f" {_filed(number, term)} " for term in terms.of_content(content))  # see _Search._read
    db.execute("INSERT INTO keywords (rowid, terms) VALUES (?, ?)", (key, text))


def _filed(number: int, term: str) -> str:
    return f"{number:d}:{term}"


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of the query, as FTS5 is asked for it."""

    match: str
    memories: int
    """How many of the namespace hold it."""
    weight: float
    """What it counts in this namespace, times k1 + 1 at most."""
    text: str
    """How it stands among the terms of a memory."""


@dataclass(slots=True)
class _Search:
    """One search: where it looks, and the sums of what each memory has got so far."""

    db: apsw.Connection
    filters: Filters
    memories: int
    """Live memories of the namespace."""
    stored: int
    """Live memories of all namespaces, which FTS5 weighs words by."""
    kept: Kept
    sums: dict[int, float] = field(default_factory=dict)

    def add(self, word: _Word) -> None:
        """Give every memory that holds the word its share."""
        sums, so_far = self.sums, self.sums.get  # a thousand rows and more: names of their own are faster
        if not self.keeps:
            for key, share in self._shares(word, -1):
                sums[key] = so_far(key, 0.0) + share
            return
        weight = word.weight
        for key, share in zip(*self._kept(word), strict=True):
            sums[key] = so_far(key, 0.0) + weight * share

    @property
    def keeps(self) -> bool:
        """Whether what words give is kept: not where filters leave out what holds them."""
        return self.memories <= SMALL and not self.filters.is_narrow

    def _kept(self, word: _Word) -> _Postings:
        kept = self.kept
        if word.match not in kept.shares:
            keys, shares = array("q"), array("f")
            for key, share in self._shares(replace(word, weight=1.0), -1):
                keys.append(key)
                shares.append(share)
            if kept.postings > MOST_KEPT:
                kept.shares.clear()
                kept.postings = 0
            kept.shares[word.match] = keys, shares
            kept.postings += len(keys)
        return kept.shares[word.match]

    def add_newest(self, word: _Word) -> None:
        """Give the newest memories that hold a common word its share, and all that were found before."""
        found = set(self.sums)
        self.score([word], found)
        self.sums |= {key: share for key, share in self._shares(word, MAX_FOUND) if key not in found}

    def _shares(self, word: _Word, limit: int) -> Iterator[tuple[int, float]]:
        scale = -word.weight / _idf_of_fts5(self.stored, word.memories)
        sql, parameters = self._narrowed("? * bm25(keywords)")
        rows = self.db.execute(sql, (scale, word.match, *parameters, limit))
        return cast("Iterator[tuple[int, float]]", rows)

    def score(self, words: Sequence[_Word], keys: Collection[int]) -> None:
        """Give these memories the words' share, and no other."""
        if not self.keeps:
            self._read(words, keys)
            return
        sums, wanted = self.sums, frozenset(keys)
        for word in words:
            weight = word.weight
            for key, share in zip(*self._kept(word), strict=True):
                if key in wanted:
                    sums[key] = sums.get(key, 0.0) + weight * share

    def _read(self, words: Sequence[_Word], keys: Collection[int]) -> None:
        """Score memories as bm25() would, by their terms, each of which has a blank on either side."""
        if not words or not keys:
            return
        sums, sought = self.sums, [(word.text, word.weight * (BM25_K1 + 1)) for word in words]
        shortest = BM25_K1 * (1 - BM25_B)
        longer = BM25_K1 * BM25_B / _mean_length(self.db, words[0]) / 2  # for each blank
        rows = self.db.execute(
            "SELECT id, c0 FROM keywords_content WHERE id IN (SELECT value FROM json_each(?))", (to_json(list(keys)),)
        )
        for key, terms in cast("Iterator[tuple[int, str]]", rows):
            damp = shortest + longer * terms.count(" ")
            for text, most in sought:
                if text in terms:
                    count = terms.count(text)
                    sums[key] = sums.get(key, 0.0) + most * count / (count + damp)

    def keys(self, match: str) -> list[int]:
        """Return the newest memories that an FTS5 expression finds."""
        sql, parameters = self._narrowed("NULL")
        rows = self.db.execute(sql, (match, *parameters, MAX_FOUND))
        return [key for key, _ in cast("Iterator[tuple[int, None]]", rows)]

    def few(self) -> list[int] | None:
        """Return all memories that the filters let through, None when they are more than a few."""
        if not self.filters.is_narrow:
            return None
        where = condition(self.filters)
        rows = self.db.execute(
            f"SELECT m.key FROM memories AS m WHERE {where.sql} LIMIT ?",  # noqa: S608 - only parameters
            (*where.parameters, FEW + 1),
        ).fetchall()
        return None if len(rows) > FEW else [key for (key,) in cast("list[tuple[int]]", rows)]

    def best(self, count: int) -> list[int]:
        """Return the memories with the largest sums, best first."""
        keys = sorted(self.sums)
        keys.sort(key=self.sums.__getitem__, reverse=True)  # which leaves equal ones in the order of their keys
        return keys[:count]

    def _narrowed(self, value: str) -> tuple[str, Sequence[apsw.SQLiteValue]]:
        """Return the SQL that gives (key, value) of what an expression finds, and its parameters in the middle."""
        narrowing = "WHERE keywords MATCH ?"
        parameters: Sequence[apsw.SQLiteValue] = ()
        if self.filters.is_narrow:  # else all do: the index holds live memories, and the terms are the namespace's
            where = condition(self.filters)
            narrowing = f"CROSS JOIN memories AS m ON m.key = keywords.rowid {narrowing} AND {where.sql}"
            parameters = where.parameters
        sql = f"SELECT keywords.rowid, {value} FROM keywords {narrowing} ORDER BY keywords.rowid DESC LIMIT ?"  # noqa: S608 - only parameters
        return sql, parameters


def matching(db: apsw.Connection, query: str, filters: Filters, limit: int, kept: Kept) -> Matching:
    """Return the memories that hold words of the query, best first, and all that it puts in quotes.

    `kept` keeps what is read of the index, while the store does not change.
    """
    number, memories = _namespace(db, filters.namespace)
    if not memories:
        return Matching(0.0, ())
    terms = Terms(db)
    languages = _languages(db, number, kept)
    words = [_words(db, number, memories, wanted, kept) for wanted in terms.of_query(query, languages)]
    possible = (BM25_K1 + 1) * sum(best for best, _ in words)
    present = sorted((word for _, found in words for word in found), key=lambda word: -word.weight)[:MAX_WORDS]
    present.sort(key=lambda word: word.memories)
    stored = cast("int", db.execute("SELECT sum(memories) FROM namespaces").get)
    search = _Search(db, filters, memories, stored, kept)
    phrases = terms.phrases(query, languages)
    if phrases:
        search.score(present, search.keys(" AND ".join(_any_of(number, phrase) for phrase in phrases)))
    else:
        _find(search, present, max(MAX_POSTINGS, COMMON_SHARE * memories), limit)
    return Matching(possible, tuple(Match(key, search.sums[key]) for key in search.best(limit)))


def spread(db: apsw.Connection, query: str, namespace: str, kept: Kept) -> Spread:
    """Return how many memories of a namespace hold each word of the query but function words; `kept` as above."""
    number, memories = _namespace(db, namespace)
    if not memories:
        return Spread(0, {})
    telling = Terms(db).telling(query, _languages(db, number, kept))
    held = {word: _held_in_any_form(db, number, wanted, kept) for word, wanted in telling.items()}
    return Spread(memories, {word: min(memories, count) for word, count in held.items()})


def _namespace(db: apsw.Connection, namespace: str) -> tuple[int, int]:
    """Return a namespace's number and how many memories it has."""
    row = db.execute("SELECT number, memories FROM namespaces WHERE namespace = ?", (namespace,)).fetchone()
    return cast("tuple[int, int]", row or (0, 0))


def _held_in_any_form(db: apsw.Connection, number: int, wanted: Wanted, kept: Kept) -> int:
    forms = (wanted, *wanted.others)
    return sum(_count(db, number, word, kept) for word in forms if not word.begins)


def _find(search: _Search, words: Sequence[_Word], ceiling: float, limit: int) -> None:
    """Score what the rare words find, then the best of it by the common ones; without enough, look for those too."""
    brought = list(accumulate(word.memories for word in words))
    common = [word for word, so_far in zip(words, brought, strict=True) if so_far > ceiling]
    for word in words[: len(words) - len(common)]:
        search.add(word)
    if common and len(search.sums) < limit:
        few = search.few()
        if few is not None:
            search.score(common, few)
            return
        while common and len(search.sums) < limit:
            search.add_newest(common.pop(0))
    if common:
        most = RESCORED_PER_RESULT * limit
        search.score(common, search.best(most) if len(search.sums) > most else list(search.sums))


def _languages(db: apsw.Connection, number: int, kept: Kept) -> list[str]:
    """Return the languages other than English that the namespace holds."""
    if not _held(db, _filed(number, FOREIGN), kept):
        return []
    return [language for language in LANGUAGES if _held(db, _filed(number, mark(language)), kept)]


def _words(db: apsw.Connection, number: int, memories: int, wanted: Wanted, kept: Kept) -> tuple[float, list[_Word]]:
    """Return the most that a word may count, and what stands for it in the namespace; nothing for an unknown word."""
    held = [(word, _count(db, number, word, kept)) for word in (wanted, *wanted.others)]
    exactly = min(memories, sum(count for word, count in held if not word.begins))
    found = [
        _Word(_match(number, word), count, word.weight * _idf(memories, max(exactly, count)), _text(number, word))
        for word, count in held
        if count
    ]
    return wanted.weight * _idf(memories, min((count for _, count in held if count), default=0)), found


def _idf(memories: int, held: int) -> float:
    return math.log(1 + (memories - held + 0.5) / (held + 0.5))


def _count(db: apsw.Connection, number: int, wanted: Wanted, kept: Kept) -> int:
    """Return how many memories of the namespace hold a word."""
    if wanted.begins:
        return _counted(db, _BEGINNING, _match(number, wanted), kept)
    return _held(db, _filed(number, wanted.term), kept)


def _held(db: apsw.Connection, filed: str, kept: Kept) -> int:
    return _counted(db, _HOLDING, filed, kept)


def _counted(db: apsw.Connection, sql: str, asked: str, kept: Kept) -> int:
    if asked not in kept.counts:
        kept.counts[asked] = cast("int | None", db.execute(sql, (asked,)).get) or 0
    return kept.counts[asked]


def _match(number: int, wanted: Wanted) -> str:
    return _quoted(number, [wanted.term]) + (" *" if wanted.begins else "")


def _text(number: int, wanted: Wanted) -> str:
    return f" {_filed(number, wanted.term)}" + " " * (not wanted.begins)


def _any_of(number: int, phrases: Sequence[Sequence[str]]) -> str:
    return "(" + " OR ".join(_quoted(number, phrase) for phrase in phrases) + ")"


def _quoted(number: int, terms: Sequence[str]) -> str:
    """Return the FTS5 expression for these terms in a row; no term holds a quote."""
    return '"' + " ".join(_filed(number, term) for term in terms) + '"'


def _mean_length(db: apsw.Connection, word: _Word) -> float:
    """Return how many terms a memory of the store has, by what FTS5 tells a function of a row."""
    db.register_fts5_function("mean_length", _mean_of_row)
    sql = "SELECT mean_length(keywords) FROM keywords WHERE keywords MATCH ? LIMIT 1"
    return cast("float", db.execute(sql, (word.match,)).get)


def _mean_of_row(api: apsw.FTS5ExtensionApi, *_: apsw.SQLiteValue) -> float:
    return api.column_total_size(0) / api.row_count


def _idf_of_fts5(stored: int, held: int) -> float:
    """Return the weight that FTS5's bm25() gives a word, to be taken out of its score."""
    return max(SMALLEST_IDF, math.log((stored - held + 0.5) / (held + 0.5)))
