"""Keyword search in one partition of a store's index: what every store does alike, over the two ports below.

Words are looked up rarest first. Common words say little and cost much, so they only score the memories that the rare
ones found.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Protocol

from memory_mcp.domain.keywords import Cutoff, KeywordQuery, Phrase, QueryTerm
from memory_mcp.domain.models import DocumentFrequencies, KeywordMatches
from memory_mcp.domain.spelling import holds
from memory_mcp.search.lexical import bm25
from memory_mcp.search.lexical.query import share_known
from memory_mcp.search.lexical.stems import FOREIGN, LANGUAGES, mark

MAX_WORDS: Final = 64
"""Maximum number of query words to look up, the heaviest ones: a long text would otherwise take as many lookups."""
MAX_COMPARED: Final = 500
"""Maximum number of memories, the newest, whose text is read to find a quoted phrase in another spelling."""
MAX_FILTERED: Final = 1_000
"""Largest number of filtered memories that are all scored if rare words find too few."""
MAX_FOUND: Final = 20_000
"""Largest number of memories, the newest, that a common word or a phrase adds to a search."""

_FOREIGN: Final = QueryTerm(FOREIGN, 1.0)


@dataclass(frozen=True, slots=True)
class Word:
    """A form of a query's term that the partition has."""

    term: str
    is_prefix: bool
    memories: int
    """Its document frequency in the partition."""
    weight: float
    """Its weight in this partition; its score is at most weight * (k1 + 1)."""


class TermIndex(Protocol):
    """One partition's part of the keyword index, in one snapshot."""

    @property
    def memories(self) -> int:
        """Live memories of the partition."""
        ...

    def counts(self, forms: Sequence[QueryTerm]) -> Sequence[int]:
        """Return how many memories have each of these terms, or a term with this prefix."""
        ...


class Scoring(Protocol):
    """One search: its filters, and the BM25 scores of memories so far."""

    sums: dict[int, float]

    def add(self, words: Sequence[Word]) -> None:
        """Add the words' scores to every memory that has one of them."""
        ...

    def add_newest(self, word: Word) -> None:
        """Add a common word's score to all found before, and to the newest MAX_FOUND other memories that have it."""
        ...

    def score(self, words: Sequence[Word], keys: Collection[int]) -> None:
        """Add the words' scores to these memories only."""
        ...

    def filtered(self) -> list[int] | None:
        """Return all memories that pass the filters; None without filters, or if too many pass to score them all."""
        ...

    def with_sequences(self, groups: Iterable[Iterable[Sequence[str]]], limit: int) -> list[int]:
        """Return the newest memories that have, of each group, a sequence of consecutive terms."""
        ...

    def contents(self, keys: Collection[int]) -> Iterable[tuple[int, str]]:
        """Read the texts of memories."""
        ...


def keyword_search(index: TermIndex, search: Scoring, query: KeywordQuery, limit: int) -> KeywordMatches:
    """Return the memories with terms of the query and all of its phrases, best first."""
    if not index.memories:
        return KeywordMatches(0.0, {}, known=0.0, words=0)
    words = _weighed(index, query.terms)
    max_score = (bm25.K1 + 1) * sum(most for most, _ in words)
    held = [(term.term, bool(found)) for term, (_, found) in zip(query.terms, words, strict=True) if not term.is_extra]
    present = sorted((word for _, found in words for word in found), key=lambda word: -word.weight)[:MAX_WORDS]
    present.sort(key=lambda word: word.memories)
    if query.phrases:
        search.score(present, _holding_phrases(search, query.phrases, limit))
    else:
        _find(index, search, present, query.cutoff, limit)
    found = {key: search.sums[key] for key in best(search.sums, limit)}
    return KeywordMatches(max_score, found, share_known(held), len(held))


def document_frequencies(index: TermIndex, words: Mapping[str, QueryTerm]) -> DocumentFrequencies:
    """Return how many memories of the partition contain each of these words in any of its forms."""
    if not index.memories or not words:
        return DocumentFrequencies(index.memories, {})
    forms = {word: [form for form in (term, *term.others) if not form.is_prefix] for word, term in words.items()}
    counts = iter(index.counts([form for each in forms.values() for form in each]))
    held = {word: min(index.memories, sum(next(counts) for _ in each)) for word, each in forms.items()}
    return DocumentFrequencies(index.memories, held)


def languages(index: TermIndex) -> tuple[str, ...]:
    """Return the languages, other than English, in which memories of the partition are indexed."""
    if not index.memories or not index.counts([_FOREIGN])[0]:
        return ()
    held = index.counts([QueryTerm(mark(language), 1.0) for language in LANGUAGES])
    return tuple(language for language, count in zip(LANGUAGES, held, strict=True) if count)


def best(sums: Mapping[int, float], count: int) -> list[int]:
    """Return the memories with the highest scores, best first."""
    keys = sorted(sums)
    keys.sort(key=sums.__getitem__, reverse=True)  # a stable sort: equal ones stay in the order of their keys
    return keys[:count]


def count_terms(
    sums: dict[int, float], rows: Iterable[tuple[int, str]], words: Iterable[tuple[str, float]], mean: float
) -> None:
    """Add the scores of words by counting them in the terms of memories.

    Args:
        sums: the scores so far.
        rows: the memories, each with its terms in order, which stand between two blanks each.
        words: each as it stands among these terms, with its blanks, and its weight.
        mean: how many terms a memory has.
    """
    sought = [(text, weight * (bm25.K1 + 1)) for text, weight in words]
    shortest = bm25.K1 * (1 - bm25.B)
    longer = bm25.K1 * bm25.B / mean / 2  # for each blank
    for key, terms in rows:
        damp = shortest + longer * terms.count(" ")
        for text, most in sought:
            if count := terms.count(text):
                sums[key] = sums.get(key, 0.0) + most * count / (count + damp)


def _weighed(index: TermIndex, terms: Sequence[QueryTerm]) -> list[tuple[float, list[Word]]]:
    """Return each term's largest weight and its forms in the partition; none if the term is unknown."""
    counts = iter(index.counts([form for term in terms for form in (term, *term.others)]))
    return [_words(index.memories, term, [(form, next(counts)) for form in (term, *term.others)]) for term in terms]


def _words(memories: int, term: QueryTerm, held: Sequence[tuple[QueryTerm, int]]) -> tuple[float, list[Word]]:
    exactly = min(memories, sum(count for form, count in held if not form.is_prefix))
    found = [
        Word(form.term, form.is_prefix, count, form.weight * bm25.idf(memories, max(exactly, count)))
        for form, count in held
        if count
    ]
    if term.is_extra and not found:
        return 0.0, []
    rarest = min((count for _, count in held if count), default=0)
    return term.weight * bm25.idf(memories, rarest), found


def _find(index: TermIndex, search: Scoring, words: Sequence[Word], cutoff: Cutoff, limit: int) -> None:
    """Score what the rare words find, then the best of it by common words; search for those if needed."""
    ceiling = max(cutoff.postings, cutoff.share * index.memories)
    brought = list(accumulate(word.memories for word in words))
    common = [word for word, so_far in zip(words, brought, strict=True) if so_far > ceiling]
    search.add(words[: len(words) - len(common)])
    if common and len(search.sums) < limit:
        filtered = search.filtered()
        if filtered is not None:
            search.score(common, filtered)
            return
        while common and len(search.sums) < limit:
            search.add_newest(common.pop(0))
    if common:
        most = cutoff.rescored_per_result * limit
        search.score(common, best(search.sums, most) if len(search.sums) > most else list(search.sums))


def _holding_phrases(search: Scoring, phrases: Sequence[Phrase], limit: int) -> list[int]:
    """Return the memories with all phrases: as indexed and, if these are few, in other spellings."""
    found = search.with_sequences([phrase.sequences for phrase in phrases], MAX_FOUND)
    if len(found) >= limit:
        return found
    words = dict.fromkeys(tuple((term,) for term in forms) for phrase in phrases for forms in phrase.spellings)
    likely = search.with_sequences(words, MAX_COMPARED)
    contents = search.contents(set(likely) - set(found))
    return found + [key for key, content in contents if all(holds(content, phrase.text) for phrase in phrases)]
