"""Packs blocks into sections, the texts of one memory each, so that an edit changes few of them.

A section ends with its heading. Within a long run of one heading the cuts follow from the text around them, never from
a count that began at the start: among the places where a section may end, the one whose next piece has the least
digest is taken. Behind an insertion the same places are found again, and the sections keep their text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Final
from zlib import crc32

from memory_mcp.documents.readers.model import TextBlock

LEAST: Final = 1_000
"""Characters from which on a section may end within a run of blocks."""
USUAL: Final = 2_000
"""Characters of a section at most; only a block that stands alone may have more."""
MOST: Final = 8_000
"""Characters of any section."""
_MOST_ALONE: Final = 6_900
"""Characters of a block that stands alone, without its header row."""
MOST_REPEATED: Final = 1_000
"""Characters of a table's header row; it stands on each section of the table."""

_BREAK: Final = re.compile(r"(\n+|(?<=[.!?…])[ \t]+|(?<=[。！？]))")
_WORD: Final = re.compile(r"[^ ]+")
_LONG_SENTENCE: Final = 1_000
_LONGEST_PHRASE: Final = 500
_LIST_ITEM: Final = re.compile(r"\s*(?:[-*•]|\d{1,9}[.)]) ")


@dataclass(frozen=True, slots=True)
class Section:
    """The text of one memory; its heading is not in it."""

    text: str
    heading: tuple[str, ...]
    page: int | None
    """The first block's."""
    created_at: datetime | None
    """The first block's."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A block, or a part of a long one, which no cut goes through."""

    text: str
    block: TextBlock
    joint: str
    """What stands between it and the piece before."""
    rank: int
    """How well a section ends before it: 0 between blocks, 1 between lines, 2 sentences, 3 words."""
    header: str
    """The header row, where the piece before has another."""

    size: int
    """Characters, all in all."""


def _piece(text: str, block: TextBlock, joint: str, rank: int, header: str) -> _Piece:
    return _Piece(text, block, joint, rank, header, len(text) + len(joint) + len(header))


def sections(blocks: Iterable[TextBlock]) -> Iterator[Section]:
    """Yield the sections of one document, in order, while its blocks are read."""
    run: list[_Piece] = []
    size = 0
    before: TextBlock | None = None
    for block in blocks:
        if before is not None and _starts_anew(block, before):
            yield from _packed(run, is_whole=True)
            size, before = 0, None
        for piece in _pieces(block, before):
            run.append(piece)
            size += piece.size
        if size > 2 * MOST:
            yield from _packed(run, is_whole=False)
            size = sum(piece.size for piece in run)
        before = block
    yield from _packed(run, is_whole=True)


def _starts_anew(block: TextBlock, before: TextBlock) -> bool:
    if block.stands_alone or before.stands_alone or block.heading != before.heading:
        return True
    return block.page != before.page and not block.heading


def _pieces(block: TextBlock, before: TextBlock | None) -> Iterator[_Piece]:
    header = block.repeated[:MOST_REPEATED]
    is_same_table = before is not None and header == before.repeated[:MOST_REPEATED]
    yield from _cut(block, _joint(block, before, is_same_table=is_same_table), "" if is_same_table else header)


def _joint(block: TextBlock, before: TextBlock | None, *, is_same_table: bool) -> str:
    if before is None:
        return ""
    is_row = bool(block.repeated) and is_same_table
    is_item = _LIST_ITEM.match(block.text) is not None and _LIST_ITEM.match(before.text) is not None
    return "\n" if is_row or is_item else "\n\n"


def _cut(block: TextBlock, joint: str, header: str) -> Iterator[_Piece]:
    """Yield a block's pieces: itself, or the sentences of a long one."""
    if len(block.text) <= (_MOST_ALONE if block.stands_alone else USUAL):
        yield _piece(block.text, block, joint, 0, header)
        return
    rank = 0
    for text, next_joint, next_rank in _parts(block.text):
        if text:
            yield _piece(text, block, joint, rank, header)
            joint, rank, header = next_joint, next_rank, ""
        else:
            joint += next_joint


def _parts(text: str) -> Iterator[tuple[str, str, int]]:
    """Yield the sentences of a text, or the words of a long one, each with what stands behind it, and its rank."""
    broken = _BREAK.split(text)
    for sentence, behind in zip(broken[::2], [*broken[1::2], ""], strict=True):
        rank = 1 if "\n" in behind else 2
        if len(sentence) <= _LONG_SENTENCE:
            yield sentence, behind, rank
            continue
        *first, last = _phrases(sentence)
        yield from ((phrase, blank, 3) for phrase, blank in first)
        yield last[0], behind, rank


def _phrases(sentence: str) -> list[tuple[str, str]]:
    """Cut a long sentence before words that their own digest chooses, one of eight; each with the blanks behind it."""
    phrases: list[tuple[str, str]] = []
    start = 0
    for word in _WORD.finditer(sentence):
        is_chosen = crc32(word[0].encode("utf-8", "replace")) % 8 == 0
        while word.end() - start > _LONGEST_PHRASE or (is_chosen and start < word.start()):
            end = word.start() if word.start() > start else start + _LONGEST_PHRASE
            phrase = sentence[start:end]
            phrases.append((phrase.rstrip(" "), phrase[len(phrase.rstrip(" ")) :]))
            start = end
    return [*phrases, (sentence[start:], "")]


def _packed(run: list[_Piece], *, is_whole: bool) -> Iterator[Section]:
    """Yield sections and take their pieces out of the run; of one that goes on, leave what the next cut depends on."""
    if not run:
        return
    least, usual = (_MOST_ALONE // 2, _MOST_ALONE) if run[0].block.stands_alone else (LEAST, USUAL)
    start, left = 0, sum(piece.size for piece in run)
    while left > (usual if is_whole else 2 * usual):
        end = _end(run, start, least, usual)
        yield _section(run[start:end])
        left -= sum(piece.size for piece in run[start:end])
        start = end
    if is_whole and start < len(run):
        yield _section(run[start:])
        start = len(run)
    del run[:start]


def _end(run: list[_Piece], start: int, least: int, usual: int) -> int:
    """Return where the section that begins at `start` ends: of the places within the bounds the best one.

    Where few places are far enough, the nearer ones count too: cuts that are out of step need a choice to meet.
    """
    places: list[int] = []
    enough = 0
    size = run[start].size
    for place in range(start + 1, len(run)):
        if size > usual:
            break
        places.append(place)
        enough += size >= least
        size += run[place].size
    if enough > 2:
        places = places[-enough:]
    return min(places, key=lambda place: (run[place].rank, _digest(run[place].text)), default=start + 1)


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()


def _section(pieces: list[_Piece]) -> Section:
    first = pieces[0]
    header = first.block.repeated[:MOST_REPEATED]
    written = [f"{header}\n" if header else "", first.text]
    for piece in pieces[1:]:
        written += [piece.joint, f"{piece.header}\n" if piece.header else "", piece.text]
    return Section("".join(written).strip("\n"), first.block.heading, first.block.page, first.block.created_at)
