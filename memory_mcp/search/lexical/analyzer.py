"""From a text to terms, those that the keyword index holds and those that a query looks for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, cast

import apsw

from memory_mcp.domain import spelling
from memory_mcp.domain.quotations import quotations
from memory_mcp.domain.spelling import RUNS
from memory_mcp.search.lexical.spellings import (
    hashes,
    identifier_parts,
    joined,
    name_parts,
    names,
    neighbours,
    parts_at_joiners,
    short_forms,
)
from memory_mcp.search.lexical.stems import FOREIGN, Stems, language_of, mark
from memory_mcp.search.lexical.stop_words import FUNCTION_WORDS

TOKENIZER: Final = ("porter", ["ascii"])
"""SQLite's own, for texts that `spelling.fold` made plain: English endings are cut, all but ASCII are letters."""

MAX_TERM: Final = 128
"""Characters of a term; a longer one is cut, so that no blob of letters fills the index."""

FUNCTION_WEIGHT: Final = 0.25
"""What a function word counts in a query: less is found when they are left out, or count in full."""

HALF: Final = 0.5
"""What a spelling counts that the query does not write itself, and a word that a compound begins or ends with."""

_HANGUL: Final = re.compile("[\uac00-\ud7a3]+")


@dataclass(frozen=True, slots=True)
class QueryTerm:
    """A term that a query looks for."""

    term: str
    weight: float
    is_prefix: bool = False
    """Whether every term that begins like this will do: the index has no single characters of a run."""
    others: tuple[QueryTerm, ...] = ()
    """What stands for the same word in the languages that the namespace holds."""
    is_extra: bool = False
    """Whether it is another spelling of what the query's words say: where no memory holds it, nothing is missing."""


@dataclass(frozen=True, slots=True)
class Quoted:
    """What a query has in quotes."""

    text: str
    rows: list[list[str]]
    """The terms in a row that it may be filed under, one for each language."""
    words: list[list[str]]
    """Of each word the terms of all its spellings."""


class Terms:
    """Makes terms with a connection's tokenizer."""

    def __init__(self, db: apsw.Connection) -> None:
        self._tokenizer = db.fts5_tokenizer(*TOKENIZER)

    def of_content(self, content: str) -> list[str]:
        """Return a content's terms: its words in order, then what else it shall be found by.

        These are the parts of identifiers (getUserName: get, user, name), compounds in one piece, hashes as they are,
        the bigrams of Korean words, the last character of each run that is not words, and words with umlauts as ASCII
        writes them (Mueller). In a language of its own they are that language's mark, the stems of plain spellings and
        the tails of long words too.
        """
        text = spelling.normal(content)
        language = language_of(unicodedata.normalize("NFC", content))
        if language is None:
            return [*self._words(text), *self._more(content, text), *self._spelt_out(text)]
        stems = Stems(language)
        words = list(self._stemmed(text, stems))
        written = [word for word, _ in words if not _is_run(word)]
        tails = (stems.tail(word) for word in written)
        return [
            *(term for _, term in words),
            FOREIGN,
            mark(language),
            *(tail[:MAX_TERM] for tail in tails if tail),
            *(other[:MAX_TERM] for word in written for other in stems.others(word)),
            *self._more(content, text),
        ]

    def of_query(self, query: str, languages: Collection[str] = ()) -> list[QueryTerm]:
        """Return the distinct terms of a query, with those that stand for the same words in some languages."""
        text = spelling.normal(query)
        weights: dict[str, float] = {}
        written: dict[str, str] = {}
        for word, term in self._written(text):
            weights.setdefault(term, FUNCTION_WEIGHT if word.lower() in FUNCTION_WORDS else 1.0)
            written.setdefault(term, word)
        if all(weight < 1 for weight in weights.values()):
            weights = dict.fromkeys(weights, 1.0)
        spoken = [Stems(language) for language in languages]
        others = {
            term: tuple(_others(word, weights[term], spoken)) for term, word in written.items() if not _is_run(word)
        }
        for bigram in _hangul_bigrams(text):
            weights.setdefault(bigram, 1.0)
        for term, spelt in dict(self._spellings(text)).items():
            if term in weights:  # a memory with umlauts holds both
                weights[term] = weights[spelt] = weights[term] / 2
        words = [
            QueryTerm(term, weight, is_prefix=_is_one_character(term), others=others.get(term, ()))
            for term, weight in weights.items()
        ]
        return [*words, *self._extras(query, text, weights.keys(), spoken)]

    def content_words(self, query: str, languages: Collection[str] = ()) -> dict[str, QueryTerm]:
        """Return the words of a query but function words, as it writes them, with what they look for."""
        spoken = [Stems(language) for language in languages]
        return {
            word: QueryTerm(term, 1.0, others=tuple(_others(word, 1.0, spoken)))
            for word, term in self._written(spelling.normal(query))
            if word.lower() not in FUNCTION_WORDS and not _is_run(word)
        }

    def quoted(self, query: str, languages: Collection[str] = ()) -> list[Quoted]:
        """Return what the query puts in quotes."""
        spoken = [Stems(language) for language in languages]
        return [
            Quoted(
                text,
                [self._words(text), *([term for _, term in self._stemmed(text, stems)] for stems in spoken)],
                [self._in_any_spelling(word, term, spoken) for word, term in self._written(text)],
            )
            for text in quotations(spelling.normal(query))[0]
        ]

    def _in_any_spelling(self, word: str, term: str, spoken: Sequence[Stems]) -> list[str]:
        if _is_run(word):
            return [term]
        foreign = [form for stems in spoken for form in (stems.of(word), *stems.others(word))]
        return [term, *self._stems(spelling.spelt_out(word)), *(form[:MAX_TERM] for form in foreign)]

    def _extras(self, query: str, text: str, taken: Collection[str], spoken: Sequence[Stems]) -> Iterator[QueryTerm]:
        """Yield the other spellings of a query's names; `text` is the query's normal form."""
        for word, weight in _weighted(query, text).items():
            for term in self._stems(word):
                if term not in taken:  # as a whole: compounds of every language would be many lookups for little
                    whole = tuple(QueryTerm(stems.of(word)[:MAX_TERM], weight) for stems in spoken)
                    yield QueryTerm(term, weight, others=whole, is_extra=True)
        for digits in hashes(text):
            short = tuple(QueryTerm(form, 1.0) for form in short_forms(digits))
            yield QueryTerm(digits, 1.0, is_prefix=True, others=short, is_extra=True)

    def _stemmed(self, text: str, stems: Stems) -> Iterator[tuple[str, str]]:
        """Yield each word of the text as it is written, with its term in a language."""
        for piece, is_run in _pieces(text):
            if is_run:
                yield from ((bigram, bigram) for bigram in _bigrams(piece))
            else:
                yield from ((word, stems.of(word)[:MAX_TERM]) for word in spelling.words(piece))

    def _words(self, text: str) -> list[str]:
        return [term for piece, is_run in _pieces(text) for term in (_bigrams(piece) if is_run else self._stems(piece))]

    def _stems(self, text: str) -> list[str]:
        stems = self._tokenizer(
            (text if text.isascii() else spelling.fold(text)).encode(),
            apsw.FTS5_TOKENIZE_DOCUMENT,
            None,
            include_offsets=False,
            include_colocated=False,
        )
        return [stem[:MAX_TERM] for stem in cast("list[str]", stems)]

    def _written(self, text: str) -> Iterator[tuple[str, str]]:
        """Yield each word of the text as it is written, with its term."""
        for piece, is_run in _pieces(text):
            if is_run:
                yield from ((bigram, bigram) for bigram in _bigrams(piece))
            else:
                yield from ((word, term) for word in spelling.words(piece) for term in self._stems(word))

    def _more(self, content: str, text: str) -> Iterator[str]:
        """Yield what a content is found by in whatever language; `text` is its normal form."""
        named = names(text)
        yield from self._stems(" ".join([*identifier_parts(named), *joined(text, named), *parts_at_joiners(content)]))
        yield from hashes(named)
        if text.isascii():
            return
        yield from (run[-1] for run in RUNS.findall(text) if len(run) > 1)
        yield from _hangul_bigrams(text)

    def _spelt_out(self, text: str) -> list[str]:
        return self._stems(" ".join(spelling.spelt_out(word) for word in _with_two_spellings(text)))

    def _spellings(self, text: str) -> Iterator[tuple[str, str]]:
        """Yield the term of each word with umlauts, and the one of its ASCII spelling."""
        for word in _with_two_spellings(text):
            stems, spelt = self._stems(word), self._stems(spelling.spelt_out(word))
            yield from (pair for pair in zip(stems, spelt, strict=False) if pair[0] != pair[1])


def _weighted(query: str, text: str) -> dict[str, float]:
    """Return the other spellings of the names in a query, as words, with what each counts."""
    named = names(text)
    halves = [*name_parts(named), *parts_at_joiners(query), *neighbours(text, FUNCTION_WORDS)]
    return dict.fromkeys(halves, HALF) | dict.fromkeys(joined(text, named), 1.0)


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the text in pieces; True with those whose script puts no spaces between words."""
    place = 0
    if not text.isascii():
        for run in RUNS.finditer(text):
            yield text[place : run.start()], False
            yield run[0], True
            place = run.end()
    yield text[place:], False


def _bigrams(run: str) -> list[str]:
    """Return each two characters that follow each other, or the single one."""
    return [run[at : at + 2] for at in range(max(1, len(run) - 1))]


def _hangul_bigrams(text: str) -> Iterator[str]:
    if not text.isascii():
        yield from (bigram for word in _HANGUL.findall(text) if len(word) > 1 for bigram in _bigrams(word))


def _with_two_spellings(text: str) -> list[str]:
    if text.isascii() or spelling.spelt_out(text) == text:
        return []
    return [word for word in spelling.words(text) if spelling.spelt_out(word) != word]


def _is_run(word: str) -> bool:
    return not word.isascii() and bool(RUNS.match(word))


def _others(word: str, weight: float, spoken: Sequence[Stems]) -> Iterator[QueryTerm]:
    """Yield what stands for a word in each language; a compound that it is a part of counts half.

    A word with accents counts half as it is, and half in its plain spelling where that has another stem.
    """
    for stems in spoken:
        plain, share = stems.others(word), weight
        if plain:
            share = weight / 2
            yield from (QueryTerm(other[:MAX_TERM], share / len(plain)) for other in plain)
        term, ending = stems.of(word)[:MAX_TERM], stems.ending(word)
        if ending is None or weight < HALF:
            yield QueryTerm(term, share)
            continue
        if stems.tail(word) is None:  # else the word itself has a tail, and is found by both of the following
            yield QueryTerm(term, share / 2)
        yield QueryTerm(term, share / 2, is_prefix=True)
        yield QueryTerm(ending[:MAX_TERM], share / 2, is_prefix=True)


def _is_one_character(term: str) -> bool:
    return len(term) == 1 and bool(RUNS.match(term) or _HANGUL.match(term))
