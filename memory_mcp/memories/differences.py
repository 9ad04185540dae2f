"""What changed from one text to another, word by word."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import groupby
from typing import Final, Literal, NamedTuple

COMPARED: Final = 2_000_000
"""Words of the one times words of the other beyond which a stretch is shown as replaced: comparing takes seconds."""

_LINES: Final = re.compile(r".*\n|.+")
_WORDS: Final = re.compile(r"[\u2e80-\ua4cf\uac00-\ud7ff]|[^\s\u2e80-\ua4cf\uac00-\ud7ff]+\s*|\s+")
"""Words with the blanks after them; scripts without spaces by the letter."""

Kind = Literal["same", "removed", "added"]


class Piece(NamedTuple):
    """A stretch of text that is in both, or in one of them."""

    kind: Kind
    text: str


_Compare = Callable[[Sequence[str], Sequence[str]], Iterator[Piece]]


def differences(old: str, new: str) -> list[Piece]:
    """Return both texts as one: without what was added it is the old one, without what was removed the new one."""
    pieces = (piece for piece in _compared(_LINES.findall(old), _LINES.findall(new), _by_words) if piece.text)
    return [Piece(kind, "".join(piece.text for piece in some)) for kind, some in groupby(pieces, lambda it: it.kind)]


def _by_words(old: Sequence[str], new: Sequence[str]) -> Iterator[Piece]:
    """Compare lines that differ."""
    return _compared(_WORDS.findall("".join(old)), _WORDS.findall("".join(new)), _replaced)


def _replaced(old: Sequence[str], new: Sequence[str]) -> Iterator[Piece]:
    pieces = (Piece("removed", "".join(old)), Piece("added", "".join(new)))
    return (piece for piece in pieces if piece.text)


def _compared(old: Sequence[str], new: Sequence[str], deeper: _Compare) -> Iterator[Piece]:
    """Yield what is alike, and what `deeper` makes of the rest; equal beginnings and ends cost nothing."""
    first = _alike(old, new)
    last = _alike(old[first:][::-1], new[first:][::-1])
    yield Piece("same", "".join(old[:first]))
    yield from _inside(old[first : len(old) - last], new[first : len(new) - last], deeper)
    yield Piece("same", "".join(old[len(old) - last :]))


def _inside(old: Sequence[str], new: Sequence[str], deeper: _Compare) -> Iterator[Piece]:
    if len(old) * len(new) > COMPARED:
        yield from deeper(old, new)
        return
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            yield Piece("same", "".join(old[a:b]))
        else:
            yield from deeper(old[a:b], new[c:d])


def _alike(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many elements both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (mine, yours) in pairs if mine != yours), min(len(one), len(other)))
