"""The excerpt shown in place of a long content: where the query's words are closest together.

Words match in every spelling that keyword search accepts: in plain letters (café, Mueller), split or joined
(PROJ-1234, getUserName, Wi-Fi), and, as a last resort, inside other words.
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
from memory_mcp.search.lexical.stop_words import FUNCTION_WORDS

MAX_WORDS: Final = 16
"""Maximum number of query words to look for; the longest ones win."""
MAX_PLACES: Final = 200
"""Maximum number of occurrences of one word."""
LONGEST: Final = 20
"""An excerpt that would begin inside a word of at most this many letters begins with that word."""
SHORT: Final = 3
"""Words of at most this many letters say nothing about a text's subject."""
LOOSE: Final = range(4, 33)
"""Lengths of words that also match with spaces or hyphens inside: wifi as Wi-Fi, 1701234567 as 170 1234567."""
HASH: Final = 7
"""Git abbreviates hashes to at least this many hexadecimal digits; a memory may contain no more of a hash."""

MOST: Final = 0.5
"""The share of the query's words above which a passage counts as a match."""

_UNSPACED: Final = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ua4cf\uac00-\ud7ff\uf900-\ufaff]")
"""Scripts without spaces between words, or with suffixes written onto words: they match by pairs of letters."""
_PREFIXED: Final = re.compile("[\u0590-\u08ff]")
"""Hebrew and Arabic write articles and prepositions together with the word."""
_BORDER: Final = re.compile(
    "(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])"
)
_HEX: Final = re.compile(f"(?=.*[0-9])[0-9a-f]{{{HASH},64}}")
_SIGNS: Final = str.maketrans("＋＃", "+#")
"""`normal` turns the signs of C++ and C# into letters; the searched text keeps the signs."""
_END: Final = "(?![^ +#])"
_REST: Final = "[^ ]{0,20}"
"""The rest of a word whose beginning matched."""

_Word = tuple[str, str]
"""A word's two plain spellings: one letter for an umlaut, or two: muller, mueller."""
_WordPlace = tuple[int, int, str]
"""Start, end and the word."""


def excerpt(content: str, query: str, size: int) -> str:
    """Return `size` characters around most of the query's words, or the beginning if there are none."""
    if len(content) <= size:
        return content
    start, end = _densest(sorted(_Searched(content).places(_search_words(_words(query)))), size)
    begin = max(0, min(start - max(0, size - (end - start)) // 2, len(content) - size))
    word = content.rfind(" ", max(0, begin - LONGEST), begin) + 1
    begin = word if word and end - word <= size else begin
    return content[begin : begin + size]


class WordFinder:
    """Finds a query's words in texts, but its function words."""

    def __init__(self, query: str) -> None:
        words = _words(query)
        self._words = _search_words([word for word in words if word[0] not in FUNCTION_WORDS] or words)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return where the words stand, in order and apart from each other."""
        spans: list[tuple[int, int]] = []
        for start, end, _ in sorted(_Searched(text).places(self._words)):
            if spans and start <= spans[-1][1]:
                spans[-1] = spans[-1][0], max(end, spans[-1][1])
            else:
                spans.append((start, end))
        return spans


def best_chunk(content: str, nearest: str | None, query: str, chars: int, *, by_words: bool) -> str:
    """Return the passage that is nearest in meaning, unless others have the query's words and it has none."""
    if nearest is not None and not by_words and share(nearest, query) > 0:
        return nearest
    worded = excerpt(content, query, chars)
    return worded if nearest is None or by_words or share(worded, query) >= MOST else nearest


def around(passage: str, content: str, query: str, size: int) -> str:
    """Return `size` characters of a content with the passage in the middle, or part of a longer passage."""
    if len(passage) >= size:
        return excerpt(passage, query, size)
    start = content.index(passage) - (size - len(passage)) // 2
    start = max(0, min(start, len(content) - size))
    return content[start : start + size]


def share(text: str, query: str) -> float:
    """Return the share (0-1) of the query's letters whose words occur in the text; short words are ignored."""
    words = _words(query)
    content_words = [
        word for word in words if len(word[0]) > SHORT or _UNSPACED.search(word[0]) or not word[0].isalpha()
    ]
    searched, words = _Searched(text), content_words or _search_words(words)
    present = [word for word in words if next(searched.places([word]), None) is not None]
    return sum(len(word[0]) for word in present) / max(1, sum(len(word[0]) for word in words))


def _search_words(words: Sequence[_Word]) -> list[_Word]:
    """Return the words to look for: the query's words, and every two neighbours joined."""
    if len(words) > MAX_WORDS:
        return sorted(words, key=lambda word: (-len(word[0]), word))[:MAX_WORDS]
    pieces = ((one[0] + other[0], one[1] + other[1]) for one, other in pairwise(words))
    return list(dict.fromkeys([*words, *(piece for piece in pieces if not _UNSPACED.search(piece[0]))]))


def _words(query: str) -> list[_Word]:
    """Return a query's words: identifiers in parts, scripts without spaces as pairs of letters."""
    words: list[str] = []
    text = normal(query)
    for start, end in word_spans(text):
        word = text[start:end].translate(_SIGNS)
        parts = _BORDER.split(word)
        is_name = not _HEX.fullmatch(word.lower()) and (len(parts) == 2 or len(word) >= 2 * len(parts))
        for part in parts if is_name else [word]:
            is_unspaced = _UNSPACED.search(part)
            words += [part[at : at + 2] for at in range(max(1, len(part) - 1))] if is_unspaced else [part]
    return [word for word in dict.fromkeys((_plain(each), _plain(spelt_out(each))) for each in words) if word[0]]


def _plain(text: str) -> str:
    """Return a text in decomposed plain letters; converting it character by character gives the same."""
    return "".join(character if character in "+#" else _letter(character) for character in text)


def _letter(character: str) -> str:
    return unicodedata.normalize("NFD", fold(normal(character)))


@dataclass(frozen=True)
class _Searched:
    """A text to search for words."""

    text: str

    @cached_property
    def _spellings(self) -> list[_Spelling]:
        plain = _Spelling.of(self.text, {ord(character): _plain(character) for character in set(self.text)})
        apart = {ord(character): _plain(spelt_out(character)) for character in set(self.text)}
        other = _Spelling.of(self.text, apart)
        return [plain] if other == plain else [plain, other]

    def places(self, words: Sequence[_Word]) -> Iterator[_WordPlace]:
        """Yield the words' occurrences, each in its first spelling that occurs."""
        for word in words:
            by_spelling = (
                [(*spelling.span(match), word[0]) for match in islice(re.finditer(pattern, spelling.text), MAX_PLACES)]
                for pattern in (each for form in dict.fromkeys(word) for each in _patterns(form))
                for spelling in self._spellings
            )
            yield from next((places for places in by_spelling if places), ())


@dataclass(frozen=True)
class _Spelling:
    """A text in plain spelling, with a map back to the original's characters."""

    text: str
    ends: tuple[int, ...]
    """For each original character, where it ends here; empty if all offsets are the same."""

    @classmethod
    def of(cls, text: str, table: dict[int, str]) -> _Spelling:
        plain = text.translate(table)
        if all(len(letters) == 1 for letters in table.values()):
            return cls(plain, ())
        return cls(plain, tuple(accumulate(len(table[ord(character)]) for character in text)))

    def span(self, found: re.Match[str]) -> tuple[int, int]:
        """Return a match's span in the original."""
        if not self.ends:
            return found.span()
        return bisect_right(self.ends, found.start()), bisect_right(self.ends, found.end() - 1) + 1


def _patterns(word: str) -> Iterator[str]:
    """Yield the patterns that find a word, most reliable first.

    Long words lose their last letters, which inflection changes; short words and numbers stay whole.
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
    """Return the pattern for letters at the start of a word, or digits at the start of a number (letters may precede).

    `re` finds letters quickly but not word boundaries, so the boundary is checked by a lookbehind after them.
    """
    inner = "[0-9]" if letters[0].isdigit() else "[^ +#]"
    return f"{re.escape(letters)}(?<!{inner}{'.' * len(letters)})"


def _densest(places: Sequence[_WordPlace], size: int) -> tuple[int, int]:
    """Return the span of at most `size` characters with the most letters of distinct words; 0, 0 without words."""
    best, span, first = 0, (0, 0), 0
    counts = Counter[str]()
    for last, (_, end, word) in enumerate(places):
        counts[word] += 1
        while end - places[first][0] > size and first < last:
            counts[places[first][2]] -= 1
            first += 1
        weight = sum(len(each) for each, count in counts.items() if count)
        if weight > best:
            best, span = weight, (places[first][0], end)
    return span
