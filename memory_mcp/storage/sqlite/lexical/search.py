"""Keyword search in the index.

Words are looked up one by one, rarest first. Common words say little and cost much, so they only score the memories
that the rare ones found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, cast

import apsw

from memory_mcp.domain.keywords import Cutoff, KeywordQuery, Phrase, QueryTerm
from memory_mcp.domain.models import DocumentFrequencies, Filters, KeywordMatches
from memory_mcp.domain.spelling import holds
from memory_mcp.search.lexical import bm25
from memory_mcp.search.lexical.query import share_known
from memory_mcp.search.lexical.stems import FOREIGN, LANGUAGES, mark
from memory_mcp.storage.sqlite.lexical.keywords import filed, in_a_row
from memory_mcp.storage.sqlite.lexical.scoring import MAX_FOUND, PostingCache, Search, Word

MAX_WORDS: Final = 64
"""Maximum number of query words to look up, the heaviest ones: a long text would otherwise take as many lookups."""

MAX_COMPARED: Final = 500
"""Maximum number of memories, the newest, whose text is read to find a quoted phrase in another spelling."""

_HOLDING: Final = "SELECT doc FROM keyword_terms WHERE term = ?"
_BEGINNING: Final = "SELECT count(*) FROM keywords WHERE keywords MATCH ?"


@dataclass(frozen=True, slots=True)
class PartitionIndex:
    """One partition's part of the keyword index, in one snapshot."""

    db: apsw.Connection
    number: int
    """The partition's."""
    memories: int
    """Live ones."""
    cache: PostingCache
    """What has been read from the index since the store last changed; searches add to it."""

    @classmethod
    def of(cls, db: apsw.Connection, partition: str, cache: PostingCache) -> PartitionIndex:
        """Look up a partition; one without memories is empty."""
        row = db.execute("SELECT number, memories FROM partitions WHERE namespace = ?", (partition,)).fetchone()
        return cls(db, *cast("tuple[int, int]", row or (0, 0)), cache)

    def words(self, term: QueryTerm) -> tuple[float, list[Word]]:
        """Return a term's largest weight and its forms in the namespace; empty if the term is unknown."""
        held = [(form, self._count(form)) for form in (term, *term.others)]
        exactly = min(self.memories, sum(count for form, count in held if not form.is_prefix))
        found = [
            Word(self._match(form), count, form.weight * bm25.idf(self.memories, max(exactly, count)), self._text(form))
            for form, count in held
            if count
        ]
        if term.is_extra and not found:
            return 0.0, []
        rarest = min((count for _, count in held if count), default=0)
        return term.weight * bm25.idf(self.memories, rarest), found

    def held_in_any_form(self, term: QueryTerm) -> int:
        """Count the memories with any form of a term; a memory with two forms counts twice."""
        return sum(self._count(form) for form in (term, *term.others) if not form.is_prefix)

    def held(self, term: str) -> int:
        """Count the memories with a term."""
        return self._counted(_HOLDING, filed(self.number, term))

    def _count(self, term: QueryTerm) -> int:
        return self._counted(_BEGINNING, self._match(term)) if term.is_prefix else self.held(term.term)

    def _counted(self, sql: str, asked: str) -> int:
        counts = self.cache.counts
        if asked not in counts:
            counts[asked] = cast("int | None", self.db.execute(sql, (asked,)).get) or 0
        return counts[asked]

    def _match(self, term: QueryTerm) -> str:
        return in_a_row(self.number, [term.term]) + (" *" if term.is_prefix else "")

    def _text(self, term: QueryTerm) -> str:
        return f" {filed(self.number, term.term)}" + " " * (not term.is_prefix)


def keyword_search(index: PartitionIndex, query: KeywordQuery, filters: Filters, limit: int) -> KeywordMatches:
    """Return the memories with terms of the query and all of its phrases, best first."""
    if not index.memories:
        return KeywordMatches(0.0, {}, known=0.0, words=0)
    words = [index.words(term) for term in query.terms]
    max_score = (bm25.K1 + 1) * sum(most for most, _ in words)
    held = [(term.term, bool(found)) for term, (_, found) in zip(query.terms, words, strict=True) if not term.is_extra]
    present = sorted((word for _, found in words for word in found), key=lambda word: -word.weight)[:MAX_WORDS]
    present.sort(key=lambda word: word.memories)
    stored = cast("int", index.db.execute("SELECT sum(memories) FROM partitions").get)
    search = Search(index.db, filters, index.memories, stored, index.cache)
    if query.phrases:
        search.score(present, _holding_phrases(search, index.number, query.phrases, limit))
    else:
        _find(search, present, query.cutoff, limit)
    return KeywordMatches(
        max_score, {key: search.sums[key] for key in search.best(limit)}, share_known(held), len(held)
    )


def document_frequencies(index: PartitionIndex, words: Mapping[str, QueryTerm]) -> DocumentFrequencies:
    """Return how many memories of the namespace contain each of these words in any of its forms."""
    if not index.memories:
        return DocumentFrequencies(0, {})
    held = {word: min(index.memories, index.held_in_any_form(term)) for word, term in words.items()}
    return DocumentFrequencies(index.memories, held)


def languages(index: PartitionIndex) -> tuple[str, ...]:
    """Return the languages, other than English, in which memories of the namespace are indexed."""
    if not index.memories or not index.held(FOREIGN):
        return ()
    return tuple(language for language in LANGUAGES if index.held(mark(language)))


def _find(search: Search, words: Sequence[Word], cutoff: Cutoff, limit: int) -> None:
    """Score what the rare words find, then the best of it by common words; search for those if needed."""
    ceiling = max(cutoff.postings, cutoff.share * search.memories)
    brought = list(accumulate(word.memories for word in words))
    common = [word for word, so_far in zip(words, brought, strict=True) if so_far > ceiling]
    for word in words[: len(words) - len(common)]:
        search.add(word)
    if common and len(search.sums) < limit:
        filtered = search.filtered()
        if filtered is not None:
            search.score(common, filtered)
            return
        while common and len(search.sums) < limit:
            search.add_newest(common.pop(0))
    if common:
        most = cutoff.rescored_per_result * limit
        search.score(common, search.best(most) if len(search.sums) > most else list(search.sums))


def _holding_phrases(search: Search, number: int, phrases: Sequence[Phrase], limit: int) -> list[int]:
    """Return the memories with all phrases: as indexed and, if these are few, in other spellings."""
    found = search.keys(" AND ".join(_any_of(number, phrase.sequences) for phrase in phrases), MAX_FOUND)
    if len(found) >= limit:
        return found
    words = {_any_of(number, [(term,) for term in forms]) for phrase in phrases for forms in phrase.spellings}
    likely = search.keys(" AND ".join(words), MAX_COMPARED)
    contents = search.contents(set(likely) - set(found))
    return found + [key for key, content in contents if all(holds(content, phrase.text) for phrase in phrases)]


def _any_of(number: int, sequences: Iterable[Sequence[str]]) -> str:
    return "(" + " OR ".join(in_a_row(number, terms) for terms in sequences) + ")"
