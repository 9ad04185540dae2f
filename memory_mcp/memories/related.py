"""What lies around a memory: its conversation, what says nearly the same, its place in a document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from memory_mcp.domain import spelling
from memory_mcp.domain.documents import SectionPlace
from memory_mcp.domain.models import DOCUMENT, Filters, Match, Memory
from memory_mcp.domain.ports import Snapshot

ALIKE: Final = 0.85
"""The cosine from which two memories count as near duplicates."""
MOST: Final = 6
"""Near duplicates at most."""


@dataclass(frozen=True, slots=True)
class Alike:
    """A near duplicate."""

    memory: Memory
    score: float
    """The cosine of its best chunk, 0-1."""
    has_same_words: bool
    """Whether only case, accents, blanks or punctuation differ."""


@dataclass(frozen=True, slots=True)
class Related:
    """What lies around a memory in its namespace."""

    before: tuple[Memory, ...]
    """Its neighbours in the conversation, oldest first."""
    after: tuple[Memory, ...]
    alike: tuple[Alike, ...] | None
    """The most alike first; None where the memory has no vector to compare."""
    place: SectionPlace | None
    """Where it lies in a document."""


def related_to(snapshot: Snapshot, memory: Memory) -> Related:
    """Look around a memory."""
    beside = snapshot.neighbours([memory.key]).get(memory.key)
    near = _nearest(snapshot, memory)
    keys = [match.key for match in near or ()]
    known = snapshot.fetch([*keys, *(beside.before if beside else ()), *(beside.after if beside else ())])
    return Related(
        before=tuple(known[key] for key in reversed(beside.before) if key in known) if beside else (),
        after=tuple(known[key] for key in beside.after if key in known) if beside else (),
        alike=None if near is None else _alike(memory, [(known[it.key], it.score) for it in near if it.key in known]),
        place=snapshot.section_places([memory.key]).get(memory.key),
    )


def _nearest(snapshot: Snapshot, memory: Memory) -> list[Match] | None:
    space, vector = snapshot.space(), snapshot.first_vectors([memory.key]).get(memory.key)
    if space is None or vector is None:
        return None
    is_section = memory.type == DOCUMENT
    searched = snapshot.documents() if is_section else snapshot
    matches = searched.nearest(vector, space, Filters(memory.namespace), MOST + 1)
    return [match for match in matches if match.key != memory.key and match.score >= ALIKE][:MOST]


def _alike(memory: Memory, others: list[tuple[Memory, float]]) -> tuple[Alike, ...]:
    words = spelling.plain_words(memory.content)
    return tuple(Alike(other, score, spelling.plain_words(other.content) == words) for other, score in others)
