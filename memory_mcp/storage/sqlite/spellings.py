"""The other ways to write a name: getUserName, get_user_name, get user name; Wi-Fi, wifi; PROJ-1234, PROJ 1234.

All functions take a normal text (`domain.spelling`). What a content is filed under besides its words, and what a query
asks for besides them, is made by the same ones, so that either spelling finds the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Final

from memory_mcp.domain.spelling import words
from memory_mcp.storage.sqlite.stems import function_words_of_all

_ASCII_WORDS: Final = re.compile("[A-Za-z0-9]+")
_BORDER: Final = re.compile("[a-z][A-Z]|[A-Z]{2}[a-z]|[A-Za-z][0-9]|[0-9][A-Za-z]")
_PARTS: Final = re.compile("[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

_LETTER: Final = r"[^\s!-/:-@\[-`{-~\u00a0-\u00bf\u2000-\u206f\u3000-\u303f]"
"""Any character but ASCII's and the usual punctuation: a vowel sign is no \\w."""
_COMPOUND: Final = re.compile(rf"(?<!{_LETTER}){_LETTER}+(?:[-._\u2010]{_LETTER}+)+")
_SEPARATORS: Final = re.compile("[-._\u2010]")
_OF_NUMBERS: Final = re.compile(r"\d[-._\u2010]\d")

_DIGIT: Final = re.compile(r"\d")
_DOTTED: Final = re.compile(r"(?<![\d.])\d+(?:\.\d+)+(?![\d])")
"""Versions, addresses, decimals: their digits alone are another number."""
_GROUPED: Final = re.compile(r"(?<![\w.,])\d{1,3}(?:,\d{3})+(?!\d)")
_SEPARATED: Final = re.compile(
    r"(?<![\w.-])(?:\d+([-./ ])\d+(?:\1\d+)*|\+\d+(?:[-. ]\(?\d+\)?)+|(?:\+?\d{1,3}[-. ]?)?\(\d+\)[-. ]?\d+(?:[-. ]\d+)*)"
)
"""Dates and telephone numbers."""
_FEWEST_DIGITS, _MOST_DIGITS = 7, 15
"""Of a number whose digits are separated: a telephone's without its area, and the longest (ITU-T E.164)."""

_LETTER_AND_NUMBER: Final = re.compile(r"(?<!\w)(?:([A-Za-z]+)[ -](\d+)|(\d+) ([A-Za-z]{1,3}))(?!\w)")
_NAME_WITH_DOT: Final = re.compile(r"(?<![^\s(\[{/'\"`,])\.(?=[A-Za-z])(\w+)")
_NAME_WITH_PLUS: Final = re.compile(r"[A-Za-z]\w+\+\+(?![\w+])")

_HASH: Final = re.compile(r"(?<!\w)(?=[a-f]*\d)[0-9a-f]{7,64}(?!\w)", re.IGNORECASE)
"""What may be a commit's hash or its beginning: git shows seven digits at least."""
_WITH_JOINERS: Final = re.compile("[\u0600-\u06ff]+(?:\u200c[\u0600-\u06ff]+)+")
SHORT_HASHES: Final = range(7, 13)
"""How many of a hash's digits are usual: seven in small repositories, twelve in Linux's."""

MOST_PAIRED: Final = 32
"""Words of a query whose neighbours are tried as one word; a longer query is a text."""


@cache
def _short_words() -> re.Pattern[str]:
    """Return what finds words of one or two letters that say something."""
    function_words = "|".join(word for word in function_words_of_all() if len(word) <= 2 and word.isascii())
    return re.compile(rf"(?<![\w'’])(?!(?:{function_words})\b)[a-z]{{1,2}}(?![\w'’])", re.IGNORECASE | re.ASCII)


_WORD_BEFORE: Final = re.compile("(?<![A-Za-z0-9'])([A-Za-z]{1,32})[ -]$")
_WORD_AFTER: Final = re.compile("[ -]([A-Za-z]{1,32})(?![A-Za-z0-9'])")


def joined(text: str) -> list[str]:
    """Return the compounds and numbers of a text in one piece, each once.

    These are words with hyphens, dots or underscores between them; a word of one or two letters with its neighbour
    (wi fi, Node JS), and letters with a number (proj 1234); dates, telephone numbers and numbers with thousands marked.
    What is written with points between digits keeps them, and so do names that begin with one (.NET).
    """
    found = [*_compounds(text), *_short_with_neighbours(text), *_numbers(text), *_names_with_signs(text)]
    return list(dict.fromkeys(found))


def _compounds(text: str) -> Iterator[str]:
    for compound in _COMPOUND.findall(text):
        if not _OF_NUMBERS.search(compound):
            yield _SEPARATORS.sub("", compound)


def _is_function_word(word: str) -> bool:
    return word.lower() in function_words_of_all()


def _short_with_neighbours(text: str) -> Iterator[str]:
    for short in _short_words().finditer(text):
        before = _WORD_BEFORE.search(text, max(0, short.start() - 34), short.start())
        after = _WORD_AFTER.match(text, short.end())
        if before and not _is_function_word(before[1]):
            yield before[1] + short[0]
        if after and not _is_function_word(after[1]):
            yield short[0] + after[1]


def _numbers(text: str) -> Iterator[str]:
    if not _DIGIT.search(text):
        return
    for before, number, amount, unit in _LETTER_AND_NUMBER.findall(text):
        if not _is_function_word(before or unit):
            yield before + number + amount + unit
    yield from (number.replace(".", "．") for number in _DOTTED.findall(text))
    yield from (number.replace(",", "") for number in _GROUPED.findall(text))
    for found in _SEPARATED.finditer(text):
        digits = re.sub(r"\D", "", found[0])
        if _FEWEST_DIGITS <= len(digits) <= _MOST_DIGITS:
            yield digits


def _names_with_signs(text: str) -> Iterator[str]:
    yield from (f"．{name}" for name in _NAME_WITH_DOT.findall(text))
    if "++" in text:
        yield from (name.replace("+", "＋") for name in _NAME_WITH_PLUS.findall(text))


def neighbours(text: str) -> Iterator[str]:
    """Yield each two words of a short query as one: a memory may hold them so."""
    written = list(words(text))[: MOST_PAIRED + 1]
    if len(written) <= MOST_PAIRED:
        for one, other in pairwise(written):
            if not _is_function_word(one) and not _is_function_word(other):
                yield one + other


def hashes(text: str) -> list[str]:
    """Return what may be a commit's hash, or the beginning of one, in lower case."""
    return [found.lower() for found in _HASH.findall(text)] if _DIGIT.search(text) else []


def short_forms(digits: str) -> list[str]:
    """Return what a hash may be shortened to."""
    return [digits[:length] for length in SHORT_HASHES if length < len(digits)]


def name_parts(text: str) -> Iterator[str]:
    """Yield the words that an identifier in camel case is made of, which a memory may hold one by one."""
    return (part for part in identifier_parts(text) if len(part) > 1 and part.isalpha())


def parts_at_joiners(text: str) -> Iterator[str]:
    """Yield what stands on both sides of a zero-width non-joiner in Persian, which some write as a blank."""
    if "\u200c" in text:
        for word in _WITH_JOINERS.findall(text):
            yield from word.split("\u200c")


def identifier_parts(text: str) -> Iterator[str]:
    """Yield the parts of identifiers: of getUserName get, User and Name, of PROJ1234 PROJ and 1234."""
    if not _BORDER.search(text):
        return
    for word in _ASCII_WORDS.findall(text):
        if _BORDER.search(word):
            parts = _PARTS.findall(word)
            if len(parts) == 2 or len(word) >= 2 * len(parts):  # a digest's snippets are no words
                yield from parts
