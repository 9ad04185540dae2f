"""An upper bound of what a text costs a model, without a model.

It is a bound of o200k_base, whose vocabulary is one of the largest. A text is cut into pieces as o200k_base cuts it. A
piece that is a token costs 1. Any other ends, in byte-pair encoding, as tokens of which no two neighbours are a token
together; the most tokens that this allows are an upper bound, about 3 % above the truth in English and code. Letters
of scripts other than Latin, Greek and Cyrillic are counted one by one.
"""

from __future__ import annotations

import mmap
import re
import struct
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).with_name("o200k.bin")
"""Made by `scripts/vocabulary.py`."""
LONGEST: Final = 48
"""Bytes of the longest token that is looked up; a longer piece costs as much as it has bytes."""
CACHED: Final = 16_384
"""Pieces that are remembered."""

LETTERS: Final = frozenset(
    chr(code)
    for first, last in ((0x41, 0x5A), (0x61, 0x7A), (0xC0, 0x17F), (0x370, 0x52F))
    for code in range(first, last + 1)
    if chr(code).isalpha()
)
_HEADER: Final = struct.Struct(f"<{LONGEST}I")


def _class(letters: Sequence[str]) -> str:
    return re.escape("".join(sorted(letters)))


_UPPER: Final = _class([letter for letter in LETTERS if letter.isupper()])
_LOWER: Final = _class([letter for letter in LETTERS if not letter.isupper()])
_SUFFIX: Final = "(?:'(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL]))?"
_PIECES: Final = re.compile(
    rf"(?:[^\r\n\w]|_)?[{_UPPER}]*[{_LOWER}]+{_SUFFIX}"
    rf"|(?:[^\r\n\w]|_)?[{_UPPER}]+[{_LOWER}]*{_SUFFIX}"
    r"|\d{1,3}"
    rf"| ?[^\s\d{_UPPER}{_LOWER}]+[\r\n/]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""The pattern of o200k_base, for these letters."""


class Vocabulary:
    """The tokens, sorted among those of the same size, in a file that all processes share."""

    def __init__(self, held: Sequence[int] | mmap.mmap) -> None:
        self._held = bytes(held) if not isinstance(held, mmap.mmap) else held
        self._counts = _HEADER.unpack_from(self._held)
        self._starts = [_HEADER.size]
        for size, count in enumerate(self._counts, 1):
            self._starts.append(self._starts[-1] + size * count)

    @staticmethod
    def packed(by_size: Mapping[int, Sequence[bytes]]) -> bytes:
        """Return the bytes of a file with these tokens."""
        sizes = range(1, LONGEST + 1)
        header = _HEADER.pack(*(len(by_size.get(size, ())) for size in sizes))
        return header + b"".join(b"".join(sorted(by_size.get(size, ()))) for size in sizes)

    def __contains__(self, token: bytes) -> bool:
        size, held = len(token), self._held
        if not 0 < size <= LONGEST:
            return False
        start, count = self._starts[size - 1], self._counts[size - 1]

        def at(index: int) -> bytes:
            return held[start + index * size : start + (index + 1) * size]

        place = bisect_left(range(count), token, key=at)
        return place < count and at(place) == token


@cache
def vocabulary() -> Vocabulary:
    """Return the vocabulary; its file is mapped, not read."""
    with FILE.open("rb") as file:
        return Vocabulary(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def bound(text: str) -> int:
    """Return the most tokens that a text may cost."""
    return sum(map(_cost, _PIECES.findall(text)))


@lru_cache(maxsize=CACHED)
def _cost(piece: str) -> int:
    token = piece.encode(errors="replace")
    if token in vocabulary():
        return 1
    if all(character.isascii() or character in LETTERS for character in piece):
        return _most_tokens(token) if len(token) <= LONGEST else len(token)
    return sum(_cost(character) if len(piece) > 1 else len(token) for character in piece)


def _most_tokens(piece: bytes) -> int:
    """Return into how many tokens a piece can be cut so that no two neighbours are one token together."""
    known, end = vocabulary(), len(piece)
    tokens = {(i, j) for i in range(end) for j in range(i + 1, end + 1) if piece[i:j] in known}
    most: dict[tuple[int, int], int] = {}
    for i, j in sorted(tokens, key=lambda span: span[1]):
        before = [most[h, i] for h in range(i) if (h, i) in most and (h, j) not in tokens]
        if before or i == 0:
            most[i, j] = 1 + max(before, default=0)
    return max((count for (_, j), count in most.items() if j == end), default=end)
