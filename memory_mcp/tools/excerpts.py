"""The part of a long content that is shown in its place: where the words of the query stand closest together.

A query's words are looked for in every spelling that a search finds them by: in plain letters (café, Mueller), with
their parts apart or in one piece (PROJ-1234, getUserName, Wi-Fi), and, where nothing else helps, inside other words.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, islice, pairwise
from typing import Final

from memory_mcp.domain.spelling import fold, normal, spelt_out, word_spans

MAX_WORDS: Final = 16
"""Words of a query that are looked for, the longest ones."""
MAX_PLACES: Final = 200
"""Places of one word that are looked at."""
LONGEST: Final = 20
"""Letters of the word that an excerpt may begin with, where it would begin in the middle of it."""
SHORT: Final = 3
"""Letters of a word that tells nothing of what a text is about."""
LOOSE: Final = range(4, 33)
"""Letters of a word that may be written with blanks or hyphens in it: wifi as Wi-Fi, 1701234567 as 170 1234567."""
HASH: Final = 7
"""Hexadecimal digits that git shows of a hash at least; what is stored may be no more of it."""

_UNSPACED: Final = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ua4cf\uac00-\ud7ff\uf900-\ufaff]")
"""Letters of scripts that put no spaces between words, or whose words carry endings: pairs of them are looked for."""
_PREFIXED: Final = re.compile("[\u0590-\u08ff]")
"""Hebrew and Arabic, whose articles and prepositions are written together with the word."""
_BORDER: Final = re.compile(
    "(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])"
)
_HEX: Final = re.compile(f"(?=.*[0-9])[0-9a-f]{{{HASH},64}}")
_SIGNS: Final = str.maketrans("＋＃", "+#")
"""The signs of C++ and C#, which `normal` makes letters; a searched text keeps them as they are."""
_END: Final = "(?![^ +#])"
_REST: Final = "[^ ]{0,20}"
"""What may follow where a word begins."""

_Word = tuple[str, str]
"""A word in plain letters, and with two for one where ASCII writers put them: muller, mueller."""
_WordPlace = tuple[int, int, str]
"""Start, end and the word."""


def excerpt(content: str, query: str, size: int) -> str:
    """Return `size` characters of a content around most of the query's words, or its beginning where it has none."""
    if len(content) <= size:
        return content
    start, end = _densest(sorted(_Searched(content).places(_wanted(query))), size)
    begin = max(0, min(start - max(0, size - (end - start)) // 2, len(content) - size))
    word = content.rfind(" ", max(0, begin - LONGEST), begin) + 1
    begin = word if word and end - word <= size else begin
    return content[begin : begin + size]


def share(text: str, query: str) -> float:
    """Return which share of the letters of a query's words a text holds, 0-1; short words, said everywhere, aside."""
    words = _words(query)
    content_words = [
        word for word in words if len(word[0]) > SHORT or _UNSPACED.search(word[0]) or not word[0].isalpha()
    ]
    searched, words = _Searched(text), content_words or _wanted(query)
    held = [word for word in words if next(searched.places([word]), None) is not None]
    return sum(len(word[0]) for word in held) / max(1, sum(len(word[0]) for word in words))


def _wanted(query: str) -> list[_Word]:
    """Return what is looked for: a query's words, and each two neighbours in one piece."""
    words = _words(query)
    if len(words) > MAX_WORDS:
        return sorted(words, key=lambda word: (-len(word[0]), word))[:MAX_WORDS]
    pieces = ((one[0] + other[0], one[1] + other[1]) for one, other in pairwise(words))
    return list(dict.fromkeys([*words, *(piece for piece in pieces if not _UNSPACED.search(piece[0]))]))


def _words(query: str) -> list[_Word]:
    """Return the words of a query, identifiers in their parts, scripts without blanks in pairs of letters."""
    found: list[str] = []
    text = normal(query)
    for start, end in word_spans(text):
        word = text[start:end].translate(_SIGNS)
        parts = _BORDER.split(word)
        is_name = not _HEX.fullmatch(word.lower()) and (len(parts) == 2 or len(word) >= 2 * len(parts))
        for part in parts if is_name else [word]:
            is_unspaced = _UNSPACED.search(part)
            found += [part[at : at + 2] for at in range(max(1, len(part) - 1))] if is_unspaced else [part]
    return [word for word in dict.fromkeys((_plain(each), _plain(spelt_out(each))) for each in found) if word[0]]


def _plain(text: str) -> str:
    """Return a text in plain letters, each in its parts; a text's characters give the same one by one."""
    return "".join(character if character in "+#" else _letter(character) for character in text)


def _letter(character: str) -> str:
    return unicodedata.normalize("NFD", fold(normal(character)))


@dataclass(frozen=True)
class _Searched:
    """A text in which words are looked for."""

    text: str

    @cached_property
    def _spellings(self) -> list[_Spelling]:
        plain = _Spelling.of(self.text, {ord(character): _plain(character) for character in set(self.text)})
        apart = {ord(character): _plain(spelt_out(character)) for character in set(self.text)}
        other = _Spelling.of(self.text, apart)
        return [plain] if other == plain else [plain, other]

    def places(self, words: Sequence[_Word]) -> Iterator[_WordPlace]:
        """Yield where the words stand, each in the first of its spellings that is there."""
        for word in words:
            found = (
                [(*spelling.span(match), word[0]) for match in islice(re.finditer(pattern, spelling.text), MAX_PLACES)]
                for pattern in (each for form in dict.fromkeys(word) for each in _patterns(form))
                for spelling in self._spellings
            )
            yield from next((places for places in found if places), ())


@dataclass(frozen=True)
class _Spelling:
    """A text in plain spelling, and where each of its characters came from."""

    text: str
    ends: tuple[int, ...]
    """For each character of the original the place where it ends here; none where all are where they were."""

    @classmethod
    def of(cls, text: str, table: dict[int, str]) -> _Spelling:
        plain = text.translate(table)
        if all(len(letters) == 1 for letters in table.values()):
            return cls(plain, ())
        return cls(plain, tuple(accumulate(len(table[ord(character)]) for character in text)))

    def span(self, found: re.Match[str]) -> tuple[int, int]:
        """Return where in the original what was found begins and ends."""
        if not self.ends:
            return found.span()
        return bisect_right(self.ends, found.start()), bisect_right(self.ends, found.end() - 1) + 1


def _patterns(word: str) -> Iterator[str]:
    """Yield the patterns that a word is found by, the surest first.

    Long words go without their last letters, which inflection changes; short ones and numbers are whole.
    """
    if _UNSPACED.search(unicodedata.normalize("NFC", word)):
        yield re.escape(word)
        return
    is_number = any(character.isdigit() for character in word)
    end = "(?![0-9])" if word[-1].isdigit() else _END
    if len(word) <= SHORT or is_number:
        yield _at_border(word) + end
    if _HEX.fullmatch(word):
        yield _at_border(word[:HASH]) + _REST
    if len(word) in LOOSE and is_number:
        yield _loosely(word) + end
    if is_number or (len(word) <= SHORT and not (_PREFIXED.match(word) and len(word) == SHORT)):
        return
    stem = word[: max(4, len(word) - 2)]
    yield _at_border(stem) + _REST
    if len(word) in LOOSE:
        yield _loosely(word) + end
    yield re.escape(stem) + _REST


def _loosely(word: str) -> str:
    return " ?".join([_at_border(word[0]), *map(re.escape, word[1:])])


def _at_border(letters: str) -> str:
    """Return the pattern for letters that begin a word, or digits that begin a number, which may follow letters.

    `re` skips to letters quickly, not to a border, which therefore is looked for behind them.
    """
    inner = "[0-9]" if letters[0].isdigit() else "[^ +#]"
    return f"{re.escape(letters)}(?<!{inner}{'.' * len(letters)})"


def _densest(places: Sequence[_WordPlace], size: int) -> tuple[int, int]:
    """Return the span of at most `size` characters with the most different letters of words; 0, 0 if there is none."""
    best, span, first = 0, (0, 0), 0
    held = Counter[str]()
    for last, (_, end, word) in enumerate(places):
        held[word] += 1
        while end - places[first][0] > size and first < last:
            held[places[first][2]] -= 1
            first += 1
        weight = sum(len(each) for each, count in held.items() if count)
        if weight > best:
            best, span = weight, (places[first][0], end)
    return span
