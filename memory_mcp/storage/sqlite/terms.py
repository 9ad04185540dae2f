"""From a text to terms, those that the keyword index holds and those that a query looks for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, cast

import apsw

from memory_mcp.storage.sqlite.stems import FOREIGN, Stems, language_of, mark

TOKENIZER: Final = ("porter", ["unicode61", "remove_diacritics", "2"])
"""SQLite's own: words without case and diacritics, English endings cut."""

MAX_TERM: Final = 128
"""Characters of a term; a longer one is cut, so that no blob of letters fills the index."""

_ENGLISH: Final = """
    a about an and any are as at be been but by can could did do does for from had has have he her him his how
    i if in into is it its ll me might my no not of on or our re s she should so some such t than that the their
    them then there these they this to ve was we were what when where which who whom why will with would you
    your
"""
_GERMAN: Final = """
    aber als am auch auf aus bei beim das dass dem der des du durch ein eine einem einen einer eines er es für
    haben hatte hatten ihr ihre ihren ihrer im ist kann können mit nach nicht noch nur oder sein seine seinen
    seiner sich sie sind um und unter viele vom von wann waren warum was welche welchem welchen welcher
    welches wem wen wer werden wessen wie wieviel wir wird wo wurde wurden zu zum zur über
"""
FUNCTION_WORDS: Final = frozenset((_ENGLISH + _GERMAN).split())
"""None that says something in the other language or is a name: not may, us, war, hat, man, die, den."""
FUNCTION_WEIGHT: Final = 0.25
"""What a function word counts in a query: less is found when they are left out, or count in full."""

_RUNS: Final = re.compile(
    "["
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3038-\u303b"  # Han
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
    "\u3041-\u3096\u3099\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\U0001aff0-\U0001b16f"  # Kana
    "\u0e01-\u0e3a\u0e40-\u0e4e"  # Thai
    "\u0e81-\u0ebd\u0ec0-\u0ece\u0edc-\u0edf"  # Lao
    "\u1780-\u17d3\u17d7\u17dc\u17dd"  # Khmer
    "\u1000-\u103f\u104c-\u108f\u109a-\u109f\ua9e0-\ua9ef\ua9fa-\ua9fe\uaa60-\uaa7f"  # Myanmar
    "]+"
)
"""Scripts that put no spaces between words: the tokenizer would make one word of a sentence, or break it at a vowel."""
_HANGUL: Final = re.compile("[\uac00-\ud7a3]+")

_WORDS: Final = re.compile("[A-Za-z0-9]+")
_BORDER: Final = re.compile("[a-z][A-Z]|[A-Z]{2}[a-z]|[A-Za-z][0-9]|[0-9][A-Za-z]")
_PARTS: Final = re.compile("[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

_UMLAUTS: Final = re.compile("[äöüÄÖÜ]")
_LATIN_WORDS: Final = re.compile("[A-Za-z0-9\u00c0-\u024f]+")
_SHARP_S: Final = str.maketrans({"ß": "ss", "ẞ": "ss"})
_SPELT_OUT: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})

_QUOTED: Final = re.compile('"([^"]+)"|“([^“”]+)”|„([^„“”]+)[“”]')


@dataclass(frozen=True, slots=True)
class Wanted:
    """A term that a query looks for."""

    term: str
    weight: float
    begins: bool = False
    """Whether every term that begins like this will do: the index has no single characters of a run."""
    others: tuple[Wanted, ...] = ()
    """What stands for the same word in the languages that the namespace holds."""


class Terms:
    """Makes terms with a connection's tokenizer."""

    def __init__(self, db: apsw.Connection) -> None:
        self._tokenizer = db.fts5_tokenizer(*TOKENIZER)

    def of_content(self, content: str) -> list[str]:
        """Return a content's terms: its words in order, then what else it shall be found by.

        These are the parts of identifiers (getUserName: get, user, name), the bigrams of Korean words, the last
        character of each run that is not words, and words with umlauts as ASCII writes them (Mueller; German stems
        know that). In a language of its own they are that language's mark and the tails of long words too.
        """
        text = _normal(content)
        language = language_of(unicodedata.normalize("NFC", content))
        if language is None:
            return [*self._words(text), *self._more(text), *self._spelt_out(text)]
        stems = Stems(language)
        words = list(self._stemmed(text, stems))
        tails = (stems.tail(word) for word, _ in words if not _is_run(word))
        return [
            *(term for _, term in words),
            FOREIGN,
            mark(language),
            *(tail[:MAX_TERM] for tail in tails if tail),
            *self._more(text),
        ]

    def of_query(self, query: str, languages: Collection[str] = ()) -> list[Wanted]:
        """Return the distinct terms of a query, with those that stand for the same words in some languages."""
        text = _normal(query)
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
        return [
            Wanted(term, weight, begins=_is_one_character(term), others=others.get(term, ()))
            for term, weight in weights.items()
        ]

    def telling(self, query: str, languages: Collection[str] = ()) -> dict[str, Wanted]:
        """Return the words of a query but function words, as it writes them, with what they look for."""
        spoken = [Stems(language) for language in languages]
        return {
            word: Wanted(term, 1.0, others=tuple(_others(word, 1.0, spoken)))
            for word, term in self._written(_normal(query))
            if word.lower() not in FUNCTION_WORDS and not _is_run(word)
        }

    def phrases(self, query: str, languages: Collection[str] = ()) -> list[list[list[str]]]:
        """Return what the query puts in quotes, each as the terms in a row that it may be filed under."""
        quoted = ["".join(groups) for groups in _QUOTED.findall(_normal(query))]
        spoken = [Stems(language) for language in languages]
        return [
            [terms, *([term for _, term in self._stemmed(text, stems)] for stems in spoken)]
            for text in quoted
            if (terms := self._words(text))
        ]

    def _stemmed(self, text: str, stems: Stems) -> Iterator[tuple[str, str]]:
        """Yield each word of the text as it is written, with its term in a language."""
        for word, term in self._written(text):
            yield word, (term if _is_run(word) else stems.of(word)[:MAX_TERM])

    def _words(self, text: str) -> list[str]:
        return [term for piece, is_run in _pieces(text) for term in (_bigrams(piece) if is_run else self._stems(piece))]

    def _stems(self, text: str) -> list[str]:
        stems = self._tokenizer(
            text.encode(), apsw.FTS5_TOKENIZE_DOCUMENT, None, include_offsets=False, include_colocated=False
        )
        return [stem[:MAX_TERM] for stem in cast("list[str]", stems)]

    def _written(self, text: str) -> Iterator[tuple[str, str]]:
        """Yield each word of the text as it is written, with its term."""
        for piece, is_run in _pieces(text):
            if is_run:
                yield from ((bigram, bigram) for bigram in _bigrams(piece))
                continue
            raw = piece.encode()
            tokens = self._tokenizer(raw, apsw.FTS5_TOKENIZE_QUERY, None, include_colocated=False)
            for start, end, stem in cast("list[tuple[int, int, str]]", tokens):
                yield raw[start:end].decode(), stem[:MAX_TERM]

    def _more(self, text: str) -> Iterator[str]:
        if _BORDER.search(text):
            yield from self._stems(" ".join(_identifier_parts(text)))
        if text.isascii():
            return
        yield from (run[-1] for run in _RUNS.findall(text) if len(run) > 1)
        yield from _hangul_bigrams(text)

    def _spelt_out(self, text: str) -> list[str]:
        return self._stems(" ".join(_with_umlauts(text)).translate(_SPELT_OUT))

    def _spellings(self, text: str) -> Iterator[tuple[str, str]]:
        """Yield the term of each word with umlauts, and the one of its ASCII spelling."""
        for word in _with_umlauts(text):
            stems, spelt = self._stems(word), self._stems(word.translate(_SPELT_OUT))
            yield from (pair for pair in zip(stems, spelt, strict=False) if pair[0] != pair[1])


def _normal(text: str) -> str:
    """Return the text with one form for each character, and without NUL, which would end it."""
    if text.isascii():
        return text.replace("\0", " ")
    return unicodedata.normalize("NFKC", text.replace("\0", " ")).translate(_SHARP_S)


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the text in pieces; True with those whose script puts no spaces between words."""
    place = 0
    if not text.isascii():
        for run in _RUNS.finditer(text):
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


def _with_umlauts(text: str) -> list[str]:
    return [word for word in _LATIN_WORDS.findall(text) if _UMLAUTS.search(word)] if _UMLAUTS.search(text) else []


def _is_run(word: str) -> bool:
    return not word.isascii() and bool(_RUNS.match(word))


def _others(word: str, weight: float, spoken: Sequence[Stems]) -> Iterator[Wanted]:
    """Yield what stands for a word in each language; a compound that it is a part of counts half."""
    for stems in spoken:
        term, ending = stems.of(word)[:MAX_TERM], stems.ending(word)
        if ending is None or weight < 1 / 2:
            yield Wanted(term, weight)
            continue
        if stems.tail(word) is None:  # else the word itself has a tail, and is found by both of the following
            yield Wanted(term, weight / 2)
        yield Wanted(term, weight / 2, begins=True)
        yield Wanted(ending[:MAX_TERM], weight / 2, begins=True)


def _is_one_character(term: str) -> bool:
    return len(term) == 1 and bool(_RUNS.match(term) or _HANGUL.match(term))


def _identifier_parts(text: str) -> Iterable[str]:
    for word in _WORDS.findall(text):
        if _BORDER.search(word):
            parts = _PARTS.findall(word)
            if len(parts) == 2 or len(word) >= 2 * len(parts):  # a digest's snippets are no words
                yield from parts
