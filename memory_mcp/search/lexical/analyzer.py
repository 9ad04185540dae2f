"""From a content to the terms that it is filed under, and the parts of that which a query shares."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from memory_mcp.domain import spelling
from memory_mcp.domain.keywords import Tokenize
from memory_mcp.domain.spelling import RUNS
from memory_mcp.search.lexical.spellings import hashes, identifier_parts, joined, names, parts_at_joiners
from memory_mcp.search.lexical.stems import FOREIGN, Stems, language_of, mark

MAX_TERM: Final = 128
"""Characters of a term; a longer one is cut, so that no blob of letters fills the index."""

HANGUL: Final = re.compile("[\uac00-\ud7a3]+")


@dataclass(frozen=True, slots=True)
class IndexPolicy:
    """Which terms a content is filed under besides its words; another one wants the index made anew.

    Figures are recall@10 / nDCG@10; see docs/benchmarks.md.
    """

    identifier_parts: bool = True
    """Whether getUserName is also filed as get, user and name. It gives code +0.013 / +0.006."""
    languages: bool = True
    """Whether texts are filed under the stems of their language, and their compounds by the last part too. It gives
    XQuAD German +0.003 / +0.005, and costs 0.8 ms there."""


DEFAULT_INDEX: Final = IndexPolicy()


class Analyzer:
    """Makes terms of texts with a store's tokenizer; the policy says which terms a content has besides its words."""

    def __init__(self, tokenize: Tokenize, policy: IndexPolicy = DEFAULT_INDEX) -> None:
        self._tokenize = tokenize
        self._policy = policy

    def content_terms(self, content: str) -> list[str]:
        """Return a content's terms: its words in order, then what else it shall be found by.

        These are the parts of identifiers (getUserName: get, user, name), compounds in one piece, hashes as they are,
        the bigrams of Korean words, the last character of each run that is not words, and words with umlauts as ASCII
        writes them (Mueller). In a language of its own they are that language's mark, the stems of plain spellings and
        the tails of long words too.
        """
        text = spelling.normal(content)
        language = language_of(unicodedata.normalize("NFC", content)) if self._policy.languages else None
        if language is None:
            return [*self.sequence(text), *self._more(content, text), *self._spelt_out(text)]
        stems = Stems(language)
        words = list(stemmed(text, stems))
        written = [word for word, _ in words if not is_unspaced(word)]
        tails = (stems.tail(word) for word in written)
        return [
            *(term for _, term in words),
            FOREIGN,
            mark(language),
            *(tail[:MAX_TERM] for tail in tails if tail),
            *(other[:MAX_TERM] for word in written for other in stems.others(word)),
            *self._more(content, text),
        ]

    def terms(self, text: str) -> list[str]:
        """Return the terms of a normal text's words; a run that is not words gives one."""
        folded = text if text.isascii() else spelling.fold(text)
        return [term[:MAX_TERM] for term in self._tokenize(folded.encode())]

    def sequence(self, text: str) -> list[str]:
        """Return the terms of a normal text in order; a run that is not words gives its bigrams."""
        return [
            term for piece, unspaced in _pieces(text) for term in (bigrams(piece) if unspaced else self.terms(piece))
        ]

    def written(self, text: str) -> Iterator[tuple[str, str]]:
        """Yield each word of a normal text as it is written, with its term."""
        for piece, unspaced in _pieces(text):
            if unspaced:
                yield from ((bigram, bigram) for bigram in bigrams(piece))
            else:
                yield from ((word, term) for word in spelling.words(piece) for term in self.terms(word))

    def spellings(self, text: str) -> Iterator[tuple[str, str]]:
        """Yield the term of each word with umlauts, and the one of its ASCII spelling."""
        for word in _with_two_spellings(text):
            terms, spelt = self.terms(word), self.terms(spelling.spelt_out(word))
            yield from (pair for pair in zip(terms, spelt, strict=False) if pair[0] != pair[1])

    def _more(self, content: str, text: str) -> Iterator[str]:
        """Yield what a content is found by in whatever language; `text` is its normal form."""
        named = names(text)
        parts = identifier_parts(named) if self._policy.identifier_parts else ()
        yield from self.terms(" ".join([*parts, *joined(text, named), *parts_at_joiners(content)]))
        yield from hashes(named)
        if text.isascii():
            return
        yield from (run[-1] for run in RUNS.findall(text) if len(run) > 1)
        yield from hangul_bigrams(text)

    def _spelt_out(self, text: str) -> list[str]:
        return self.terms(" ".join(spelling.spelt_out(word) for word in _with_two_spellings(text)))


def stemmed(text: str, stems: Stems) -> Iterator[tuple[str, str]]:
    """Yield each word of a normal text as it is written, with its term in a language."""
    for piece, unspaced in _pieces(text):
        if unspaced:
            yield from ((bigram, bigram) for bigram in bigrams(piece))
        else:
            yield from ((word, stems.of(word)[:MAX_TERM]) for word in spelling.words(piece))


def is_unspaced(word: str) -> bool:
    """Say whether a word is one or two characters of a script that puts no spaces between words."""
    return not word.isascii() and bool(RUNS.match(word))


def bigrams(run: str) -> list[str]:
    """Return each two characters that follow each other, or the single one."""
    return [run[at : at + 2] for at in range(max(1, len(run) - 1))]


def hangul_bigrams(text: str) -> Iterator[str]:
    """Yield the bigrams of a text's Korean words, whose endings no stemmer here cuts."""
    if not text.isascii():
        yield from (bigram for word in HANGUL.findall(text) if len(word) > 1 for bigram in bigrams(word))


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the text in pieces; True with those whose script puts no spaces between words."""
    place = 0
    if not text.isascii():
        for run in RUNS.finditer(text):
            yield text[place : run.start()], False
            yield run[0], True
            place = run.end()
    yield text[place:], False


def _with_two_spellings(text: str) -> list[str]:
    if text.isascii() or spelling.spelt_out(text) == text:
        return []
    return [word for word in spelling.words(text) if spelling.spelt_out(word) != word]
