"""The keyword index: what the writes put into it, and how words are found in it.

Words are looked for one by one, rarest first; the common ones, which say little and cost much, only score the memories
that the rare ones found.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final, cast

import apsw

from memory_mcp.domain.models import DocumentFrequencies, Filters, KeywordMatches, Match
from memory_mcp.domain.spelling import holds as holds_words
from memory_mcp.search.lexical.analyzer import QueryTerm, Quoted, Terms
from memory_mcp.search.lexical.stems import FOREIGN, LANGUAGES, mark
from memory_mcp.storage.sqlite.lexical.scoring import BM25_K1, MAX_FOUND, PostingCache, Search, Word

MAX_WORDS: Final = 64
"""Words of a query that are looked up, those that count most."""

MAX_POSTINGS: Final = 1_500
COMMON_SHARE: Final = 0.02
"""Words bring memories into a search, rarest first, until they have brought so many, or this share of the namespace;
the others are common words."""

RESCORED_PER_RESULT: Final = 4
"""How many of the best candidates get the common words' share for each result that is asked for."""

MAX_COMPARED: Final = 500
"""Memories whose text is read for what is quoted, the newest: those that hold its words in any spelling."""

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
    text = "".join(f" {_filed(number, term)} " for term in terms.of_content(content))  # see scoring.Word
    db.execute("INSERT INTO keywords (rowid, terms) VALUES (?, ?)", (key, text))


def _filed(number: int, term: str) -> str:
    return f"{number:d}:{term}"


def keyword_search(db: apsw.Connection, query: str, filters: Filters, limit: int, kept: PostingCache) -> KeywordMatches:
    """Return the memories that hold words of the query, best first, and all that it puts in quotes.

    `kept` keeps what is read of the index, while the store does not change.
    """
    number, memories = _namespace(db, filters.namespace)
    if not memories:
        return KeywordMatches(0.0, ())
    terms = Terms(db)
    languages = _languages(db, number, kept)
    words = [_words(db, number, memories, wanted, kept) for wanted in terms.of_query(query, languages)]
    possible = (BM25_K1 + 1) * sum(best for best, _ in words)
    present = sorted((word for _, found in words for word in found), key=lambda word: -word.weight)[:MAX_WORDS]
    present.sort(key=lambda word: word.memories)
    stored = cast("int", db.execute("SELECT sum(memories) FROM namespaces").get)
    search = Search(db, filters, memories, stored, kept)
    quoted = terms.quoted(query, languages)
    if quoted:
        search.score(present, _quoting(search, number, quoted, limit))
    else:
        _find(search, present, max(MAX_POSTINGS, COMMON_SHARE * memories), limit)
    return KeywordMatches(possible, tuple(Match(key, search.sums[key]) for key in search.best(limit)))


def document_frequencies(db: apsw.Connection, query: str, namespace: str, kept: PostingCache) -> DocumentFrequencies:
    """Return how many memories of a namespace hold each word of the query but function words; `kept` as above."""
    number, memories = _namespace(db, namespace)
    if not memories:
        return DocumentFrequencies(0, {})
    content_words = Terms(db).content_words(query, _languages(db, number, kept))
    held = {word: _held_in_any_form(db, number, wanted, kept) for word, wanted in content_words.items()}
    return DocumentFrequencies(memories, {word: min(memories, count) for word, count in held.items()})


def _namespace(db: apsw.Connection, namespace: str) -> tuple[int, int]:
    """Return a namespace's number and how many memories it has."""
    row = db.execute("SELECT number, memories FROM namespaces WHERE namespace = ?", (namespace,)).fetchone()
    return cast("tuple[int, int]", row or (0, 0))


def _held_in_any_form(db: apsw.Connection, number: int, wanted: QueryTerm, kept: PostingCache) -> int:
    forms = (wanted, *wanted.others)
    return sum(_count(db, number, word, kept) for word in forms if not word.is_prefix)


def _find(search: Search, words: Sequence[Word], ceiling: float, limit: int) -> None:
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


def _quoting(search: Search, number: int, quoted: Sequence[Quoted], limit: int) -> list[int]:
    """Return the memories that hold all that is quoted: as it is filed, and where these are few in other spellings."""
    found = search.keys(" AND ".join(_any_of(number, phrase.rows) for phrase in quoted), MAX_FOUND)
    if len(found) >= limit:
        return found
    words = {_any_of(number, [[term] for term in forms]) for phrase in quoted for forms in phrase.words}
    likely = search.keys(" AND ".join(words), MAX_COMPARED)
    contents = search.contents(set(likely) - set(found))
    return found + [key for key, content in contents if all(holds_words(content, phrase.text) for phrase in quoted)]


def _languages(db: apsw.Connection, number: int, kept: PostingCache) -> list[str]:
    """Return the languages other than English that the namespace holds."""
    if not _held(db, _filed(number, FOREIGN), kept):
        return []
    return [language for language in LANGUAGES if _held(db, _filed(number, mark(language)), kept)]


def _words(
    db: apsw.Connection, number: int, memories: int, wanted: QueryTerm, kept: PostingCache
) -> tuple[float, list[Word]]:
    """Return the most that a word may count, and what stands for it in the namespace; nothing for an unknown word."""
    held = [(word, _count(db, number, word, kept)) for word in (wanted, *wanted.others)]
    exactly = min(memories, sum(count for word, count in held if not word.is_prefix))
    found = [
        Word(_match(number, word), count, word.weight * _idf(memories, max(exactly, count)), _text(number, word))
        for word, count in held
        if count
    ]
    if wanted.is_extra and not found:
        return 0.0, []
    return wanted.weight * _idf(memories, min((count for _, count in held if count), default=0)), found


def _idf(memories: int, held: int) -> float:
    return math.log(1 + (memories - held + 0.5) / (held + 0.5))


def _count(db: apsw.Connection, number: int, wanted: QueryTerm, kept: PostingCache) -> int:
    """Return how many memories of the namespace hold a word."""
    if wanted.is_prefix:
        return _counted(db, _BEGINNING, _match(number, wanted), kept)
    return _held(db, _filed(number, wanted.term), kept)


def _held(db: apsw.Connection, filed: str, kept: PostingCache) -> int:
    return _counted(db, _HOLDING, filed, kept)


def _counted(db: apsw.Connection, sql: str, asked: str, kept: PostingCache) -> int:
    if asked not in kept.counts:
        kept.counts[asked] = cast("int | None", db.execute(sql, (asked,)).get) or 0
    return kept.counts[asked]


def _match(number: int, wanted: QueryTerm) -> str:
    return _quoted(number, [wanted.term]) + (" *" if wanted.is_prefix else "")


def _text(number: int, wanted: QueryTerm) -> str:
    return f" {_filed(number, wanted.term)}" + " " * (not wanted.is_prefix)


def _any_of(number: int, phrases: Sequence[Sequence[str]]) -> str:
    return "(" + " OR ".join(_quoted(number, phrase) for phrase in phrases) + ")"


def _quoted(number: int, terms: Sequence[str]) -> str:
    """Return the FTS5 expression for these terms in a row; no term holds a quote."""
    return '"' + " ".join(_filed(number, term) for term in terms) + '"'
