"""The part of a long content that is shown in its place: where the words of the query stand closest together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

MAX_WORDS: Final = 16
"""Words of a query that are looked for, the longest ones."""
MAX_PLACES: Final = 200
"""Places of one word that are looked at."""
LONGEST: Final = 20
"""Letters of the word that an excerpt may begin with, where it would begin in the middle of it."""
SHORT: Final = 3
"""Letters of a word that tells nothing of what a text is about."""

_WORD: Final = re.compile(r"\w+")
_UNSPACED: Final = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ua4cf\uac00-\ud7ff\uf900-\ufaff]")
"""Letters of scripts that put no spaces between words, or whose words carry endings: pairs of them are looked for."""

_REST: Final = re.compile(r"\w{0,20}")
"""What may follow where a word begins."""

_Place = tuple[int, int, str]
"""Start, end and the word."""


def excerpt(content: str, query: str, size: int) -> str:
    """Return `size` characters of a content around most of the query's words, or its beginning where it has none."""
    if len(content) <= size:
        return content
    start, end = _densest(_places(content, _words(query)), size)
    begin = max(0, min(start - max(0, size - (end - start)) // 2, len(content) - size))
    word = content.rfind(" ", max(0, begin - LONGEST), begin) + 1
    begin = word if word and end - word <= size else begin
    return content[begin : begin + size]


def share(text: str, query: str) -> float:
    """Return which share of the letters of a query's words a text holds, 0-1; short words, said everywhere, aside."""
    words = [word for word in _words(query) if len(word) > SHORT or _UNSPACED.search(word) or not word.isalpha()]
    lower = text.lower()
    return sum(len(word) for word in words if word in lower) / max(1, sum(map(len, words)))


def _words(query: str) -> list[str]:
    """Return what is looked for: a query's words, long ones without their last letters, which inflection changes."""
    found = set[str]()
    for word in _WORD.findall(query.lower()):
        if _UNSPACED.search(word):
            found.update(word[at : at + 2] for at in range(max(1, len(word) - 1)))
        else:
            found.add(word[: max(4, len(word) - 2)])
    return sorted(found, key=lambda word: (-len(word), word))[:MAX_WORDS]


def _places(content: str, words: Sequence[str]) -> list[_Place]:
    lower = content.lower()
    text = lower if len(lower) == len(content) else content  # a few letters have no lower case of the same length
    return sorted(place for word in words for place in _places_of(word, text))


def _places_of(word: str, text: str) -> Iterator[_Place]:
    at = text.find(word)
    for _ in range(MAX_PLACES):
        if at < 0:
            return
        rest = _REST.match(text, at + len(word))
        end = rest.end() if rest else at + len(word)
        yield at, end, word
        at = text.find(word, end)


def _densest(places: Sequence[_Place], size: int) -> tuple[int, int]:
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
