"""An upper bound of what a text costs a model, without a model.

It is a bound of o200k_base, whose vocabulary is one of the largest. A text is cut into pieces as o200k_base cuts it,
and each piece into tokens by byte-pair encoding: the truth, but for pieces of more than `LONGEST_PIECE`.
"""

from __future__ import annotations

import mmap
import re
import struct
import unicodedata
from bisect import bisect_left
from collections.abc import Mapping
from functools import cache, lru_cache
from heapq import heappop, heappush
from itertools import accumulate
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).with_name("o200k.bin")
"""Made by `scripts/vocabulary.py`."""
LONGEST: Final = 128
"""Bytes of the longest token."""
LONGEST_PIECE: Final = 1_024
"""Bytes; a longer piece, such as base64, costs as much as it has bytes."""
ASCII: Final = 0x80
RANK_BYTES: Final = 3
CACHED: Final = 16_384
"""Pieces that are remembered; likewise parts of pieces, and characters."""

_HEADER: Final = struct.Struct(f"<{LONGEST}I")

_NO_CASE: Final = "ª"
_ACCENT: Final = "º"
"""Stands for all marks: one belongs to a word that it stands in, and else is a sign."""
_SHAPES_BY_CATEGORY: Final = {"Lu": "X", "Lt": "X", "Ll": "x", "L": _NO_CASE, "M": _ACCENT, "N": "9"}
_LINE_END: Final = "\x85"
_MARK_OF_ORDER: Final = "\ufeff"
"""Python takes the former for a blank; to this pattern, as in JavaScript, the latter is one."""


class _Shapes(dict[int, str]):
    """For each character beyond ASCII one that stands for all of its kind in the pattern."""

    def __missing__(self, code: int) -> str:
        shape = chr(code) if code < ASCII else _shape(chr(code))
        if len(self) < CACHED:
            self[code] = shape
        return shape


def _shape(character: str) -> str:
    if character == _MARK_OF_ORDER or (character.isspace() and character != _LINE_END):
        return "\t"
    category = unicodedata.category(character)
    return _SHAPES_BY_CATEGORY.get(category) or _SHAPES_BY_CATEGORY.get(category[0], "#")


_SHAPES: Final = _Shapes()
_LETTERS_DIGITS: Final = f"A-Za-z{_NO_CASE}0-9"
_BEFORE: Final = rf"[^\r\n{_LETTERS_DIGITS}]"
_UPPER: Final = f"A-Z{_NO_CASE}{_ACCENT}"
_LOWER: Final = f"a-z{_NO_CASE}{_ACCENT}"
_SUFFIX: Final = "(?:'(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL]))?"
_PIECES: Final = re.compile(
    rf"{_BEFORE}?[{_UPPER}]*[{_LOWER}]+{_SUFFIX}"
    rf"|{_BEFORE}?[{_UPPER}]+[{_LOWER}]*{_SUFFIX}"
    r"|[0-9]{1,3}"
    rf"| ?[^\s{_LETTERS_DIGITS}]+[\r\n/]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
    re.ASCII,
)
"""The pattern of o200k_base, for shapes."""


class Vocabulary:
    """The tokens with their ranks, sorted among those of the same size, in a file that all processes share."""

    def __init__(self, held: bytes | mmap.mmap) -> None:
        self._held = held
        self._counts = _HEADER.unpack_from(held)
        sizes = (size * count for size, count in enumerate(self._counts, 1))
        self._starts = list(accumulate(sizes, initial=_HEADER.size))
        ranks = (RANK_BYTES * count for count in self._counts)
        self._ranks = list(accumulate(ranks, initial=self._starts[-1]))

    @staticmethod
    def packed(ranks: Mapping[bytes, int]) -> bytes:
        """Return the bytes of a file with these tokens."""
        by_size = [sorted(token for token in ranks if len(token) == size) for size in range(1, LONGEST + 1)]
        tokens = [token for of_size in by_size for token in of_size]
        numbers = b"".join(ranks[token].to_bytes(RANK_BYTES, "little") for token in tokens)
        return _HEADER.pack(*map(len, by_size)) + b"".join(tokens) + numbers

    def rank(self, token: bytes) -> int | None:
        """Return a token's rank, the lowest of which are merged first; None for what is no token."""
        size, held = len(token), self._held
        if not 0 < size <= LONGEST:
            return None
        start, count = self._starts[size - 1], self._counts[size - 1]

        def at(index: int) -> bytes:
            return held[start + index * size : start + (index + 1) * size]

        place = bisect_left(range(count), token, key=at)
        if place == count or at(place) != token:
            return None
        rank = self._ranks[size - 1] + RANK_BYTES * place
        return int.from_bytes(held[rank : rank + RANK_BYTES], "little")


@cache
def vocabulary() -> Vocabulary:
    """Return the vocabulary; its file is mapped, not read."""
    with FILE.open("rb") as file:
        return Vocabulary(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def bound(text: str) -> int:
    """Return the most tokens that a text may cost."""
    if text.isascii():
        return sum(map(_cost, _PIECES.findall(text)))
    shapes = text.translate(_SHAPES)
    return sum(_cost(text[found.start() : found.end()]) for found in _PIECES.finditer(shapes))


@lru_cache(maxsize=CACHED)
def _cost(piece: str) -> int:
    token = piece.encode(errors="replace")
    if len(token) > LONGEST_PIECE:
        return len(token)
    return 1 if vocabulary().rank(token) is not None else _merged(token)


@lru_cache(maxsize=CACHED)
def _rank(part: bytes) -> int | None:
    return vocabulary().rank(part)


def _merged(piece: bytes) -> int:
    """Return into how many tokens byte-pair encoding cuts a piece: the pair of the lowest rank is merged first."""
    size = count = len(piece)
    ends = [*range(1, size + 1), 0]
    """By the place where a part begins, where it ends; 0 where none begins any more."""
    before = list(range(-1, size))
    pairs: list[tuple[int, int, int]] = []

    def offer(at: int) -> None:
        end = ends[ends[at]]
        if end and (rank := _rank(piece[at:end])) is not None:
            heappush(pairs, (rank, at, end))

    for at in range(size):
        offer(at)
    while pairs:
        _, at, end = heappop(pairs)
        if not ends[at] or ends[ends[at]] != end:
            continue  # one of the two has been merged with another
        ends[ends[at]], ends[at], before[end] = 0, end, at
        count -= 1
        offer(at)
        if at:
            offer(before[at])
    return count
