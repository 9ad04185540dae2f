"""An upper bound of what a text costs a model, without a model.

It is a bound of o200k_base, whose vocabulary is one of the largest. A text is cut into pieces as o200k_base cuts it,
and each piece into tokens by byte-pair encoding. Of scripts other than Latin, Greek and Cyrillic each letter is a piece
of its own, which costs more than the truth: a third more in Chinese.
"""

from __future__ import annotations

import mmap
import re
import struct
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).with_name("o200k.bin")
"""Made by `scripts/vocabulary.py`."""
LONGEST: Final = 48
"""Bytes of the longest token that is looked up."""
LONGEST_PIECE: Final = 256
"""Bytes; a longer piece, such as base64, costs as much as it has bytes: merging takes the square of their number."""
RANK_BYTES: Final = 3
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
    return sum(map(_cost, _PIECES.findall(text)))


@lru_cache(maxsize=CACHED)
def _cost(piece: str) -> int:
    token = piece.encode(errors="replace")
    if vocabulary().rank(token) is not None:
        return 1
    if all(character.isascii() or character in LETTERS for character in piece):
        return _merged(token) if len(token) <= LONGEST_PIECE else len(token)
    return sum(_cost(character) if len(piece) > 1 else len(token) for character in piece)


def _merged(piece: bytes) -> int:
    """Return into how many tokens byte-pair encoding cuts a piece."""
    rank = vocabulary().rank
    parts = [piece[at : at + 1] for at in range(len(piece))]
    ranks = [rank(one + other) for one, other in pairwise(parts)]
    while (lowest := min((each for each in ranks if each is not None), default=None)) is not None:
        at = ranks.index(lowest)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
        ranks[at : at + 1] = []
        for beside in (at - 1, at):
            if 0 <= beside < len(ranks):
                ranks[beside] = rank(parts[beside] + parts[beside + 1])
    return len(parts)
