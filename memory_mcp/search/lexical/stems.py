"""The stems of words in European languages, and how compounds are found by their parts.

A text in one of them is filed under that language's stems ("de:haus"), any other text under SQLite's own (English). A
query says too little to tell its language: it asks for the stems of every language that the namespace holds, each of
which has a mark ("de:") that says so. Nothing changes where all is English.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from itertools import chain
from typing import Final, Protocol

from memory_mcp.domain import spelling
from memory_mcp.search.lexical.stop_words import AMBIGUOUS_MARKERS, marked_languages, markers

_NAMES: Final = {
    "da": "danish",
    "de": "german",
    "el": "greek",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hu": "hungarian",
    "it": "italian",
    "nl": "dutch",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
}
"""Snowball's name of each language."""
LANGUAGES: Final = tuple(_NAMES)
_COMPOUNDING: Final = frozenset({"da", "de", "nl", "no", "sv"})
"""They write compounds as one word."""

_WORDS: Final = re.compile(r"[^\W\d_]+")
_ASCII_WORDS: Final = re.compile("[a-z]+")
"""The same of a text in lower case that is ASCII, which takes half the time."""
_SCRIPTS: Final = (("ru", re.compile("[а-яёА-ЯЁ]")), ("el", re.compile("[α-ωά-ώΑ-Ω]")))
_AFTER_LATIN: Final = "\u0250"
"""The first letter after those of Latin scripts."""
_OTHER_SCRIPTS: Final = frozenset(language for language, _ in _SCRIPTS)
"""Languages whose marks Snowball drops, or nobody leaves out."""
_LETTERS: Final = {
    "ß": "de",
    "ñ": "es",
    "å": "sv",
    "ő": "hu",
    "ű": "hu",
    "ł": "pl",
    "ą": "pl",
    "ã": "pt",
    "õ": "pt",
    "ș": "ro",
    "ț": "ro",
}
"""Letters that tell a language where it has no words to be told by."""

LANGUAGE_CHARS: Final = 1_000
"""Characters that a text's language is told by."""

STEM_CACHE: Final = 4_096
"""Stems that are remembered."""

MAX_STEMMED_LETTERS: Final = 64
"""Letters of a word that are stemmed: a blob of letters is no word."""
MIN_COMPOUND_LETTERS: Final = 8
"""Letters of a compound's stem, at least."""
MIN_PART_LETTERS: Final = 4
"""Letters of the stem of a compound's part, at least."""


def language_of(text: str) -> str | None:
    """Return the language that a text is filed under, None for English, another one, and what cannot be told."""
    start = text[:LANGUAGE_CHARS]
    if not start.isascii():
        for language, letters in _SCRIPTS:
            if 2 * len(letters.findall(start)) > len("".join(_WORDS.findall(start))):
                return language
    spoken = _spoken(start.lower())
    if not spoken:
        return None
    best = min(spoken, key=lambda language: (-spoken[language], language))  # ties fall alike in every process
    return None if best == "en" or spoken[best] <= spoken["en"] else best


def is_english(text: str) -> bool | None:
    """Whether a text is in English, by its words and its script; None if neither tells."""
    start = text[:LANGUAGE_CHARS]
    letters = "".join(_WORDS.findall(start))
    if language_of(start) or 2 * sum(letter >= _AFTER_LATIN for letter in letters) > len(letters):
        return False
    return True if _spoken(start.lower())["en"] else None


def _spoken(text: str) -> Counter[str]:
    """Count the different markers of each language, and the letters that only one has."""
    is_ascii = text.isascii()
    spoken = Counter[str]() if is_ascii else Counter(_LETTERS[letter] for letter in text if letter in _LETTERS)
    found = (_ASCII_WORDS if is_ascii else _WORDS).findall(text)
    words = markers().intersection(found)  # each once: names repeat theirs (Los Angeles)
    if len(words) > 1 or spoken or any(map(_is_telling, words)):
        languages = marked_languages()
        spoken.update(chain.from_iterable([languages[word] for word in words]))
    return spoken


def _is_telling(word: str) -> bool:
    """Say whether a marker is enough by itself."""
    return len(word) > 2 and len(marked_languages()[word]) == 1 and word not in AMBIGUOUS_MARKERS


FOREIGN: Final = ":"
"""The term that every text of any of these languages has: to look for one costs less than for fifteen."""


def mark(language: str) -> str:
    """Return the term that every text of a language has."""
    return f"{language}:"


class Stems:
    """Makes the terms of one language."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._compounds = language in _COMPOUNDING

    def of(self, word: str) -> str:
        """Return the term of a word as it is written."""
        return mark(self._language) + self._stem(word)

    def others(self, word: str) -> list[str]:
        """Return the terms of a word's plain spellings, where they are others than its own.

        Snowball reads accents: it makes another stem of "annulee" than of "annulée".
        """
        if word.isascii() or self._language in _OTHER_SCRIPTS:
            return []
        own, plain = self.of(word), [self.of(form) for form in dict.fromkeys(spelling.plain_forms(word))]
        return [term for term in dict.fromkeys(plain) if term != own]

    def tail(self, word: str) -> str | None:
        """Return the term that a long word is found by through what it ends with: a compound's last part."""
        stem = self._stem(word)
        return self._backwards(stem) if self._compounds and len(stem) >= MIN_COMPOUND_LETTERS else None

    def ending(self, word: str) -> str | None:
        """Return what the tails of compounds that end with a word begin with, None for a word that makes none."""
        stem = self._stem(word)
        return self._backwards(stem) if self._compounds and len(stem) >= MIN_PART_LETTERS else None

    def _stem(self, word: str) -> str:
        return _stem(self._language, word[:MAX_STEMMED_LETTERS].lower())

    def _backwards(self, stem: str) -> str:
        return f"{mark(self._language)}:{stem[::-1]}"


@lru_cache(STEM_CACHE)  # a search asks for each of its words in every language that the namespace holds, several times
def _stem(language: str, word: str) -> str:
    return spelling.fold(_stemmer(_NAMES[language]).stemWord(word))  # one for each call: threads must not share it


class _Stemmer(Protocol):
    def stemWord(self, word: str) -> str: ...  # noqa: N802 - Snowball's name


def _stemmer(name: str) -> _Stemmer:
    import Stemmer  # type: ignore[import-not-found]  # noqa: PLC0415 - 3 MB of library, for what is not English

    stemmer: _Stemmer = Stemmer.Stemmer(name)
    return stemmer
