"""What a caller sees of a map: the places of the memories within reach, with a category each."""

from __future__ import annotations

import json
import secrets
import sys
from array import array
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from memory_mcp.domain.errors import NotFoundError
from memory_mcp.mapping.kept import KeptMap

CATEGORIES: Final = 7
"""Labels with a colour of their own: more cannot be told apart."""
OTHER: Final = CATEGORIES
NONE: Final = CATEGORIES + 1
"""The categories of all further labels, and of memories without one."""
MOST_SETS: Final = 8
"""Sets of points that are remembered, 0.8 MB for 100,000 memories each."""


@dataclass(frozen=True, slots=True)
class Category:
    """A line of the legend."""

    label: str
    points: int


@dataclass(frozen=True, slots=True)
class Points:
    """Some memories on the map, in no telling order: a point's number says nothing of other namespaces."""

    keys: array[int]
    xs: array[int]
    ys: array[int]
    categories: bytes
    legend: tuple[Category, ...]
    """By category."""
    unplaced: int
    """Memories that are not on the map yet."""
    drawn_at: datetime
    """When the map was laid out."""

    @staticmethod
    def of(kept: KeptMap, labelled: Sequence[tuple[int, str]]) -> Points:
        """Return the places of labelled memories."""
        counts = Counter(label for _, label in labelled)
        named = [label for label, _ in counts.most_common() if label]
        numbers = dict.fromkeys(named, OTHER) | {label: at for at, label in enumerate(named[:CATEGORIES])} | {"": NONE}
        index = kept.index
        found = [(key, at, numbers[label]) for key, label in labelled if (at := index.get(key)) is not None]
        categories = bytes(category for *_, category in found)
        labels = [*named[:CATEGORIES], *[""] * (CATEGORIES - len(named)), "", ""]
        return Points(
            array("q", (key for key, *_ in found)),
            array("H", (kept.xs[at] for _, at, _ in found)),
            array("H", (kept.ys[at] for _, at, _ in found)),
            categories,
            tuple(Category(label, categories.count(at)) for at, label in enumerate(labels)),
            len(labelled) - len(found),
            kept.drawn_at,
        )

    def message(self, name: str) -> bytes:
        """Return what a browser gets: a header's length (uint32), the header, all x, all y (uint16), all categories.

        The header's length is a multiple of four, so that the numbers lie where a browser can read them.
        """
        legend = [[each.label, each.points] for each in self.legend]
        header = json.dumps(
            {
                "sheet": name,
                "points": len(self.keys),
                "unplaced": self.unplaced,
                "legend": legend,
                "drawn": self.drawn_at.isoformat(),
            }
        ).encode()
        header += b" " * (-len(header) % 4)
        return b"".join(
            (len(header).to_bytes(4, "little"), header, _little(self.xs), _little(self.ys), self.categories)
        )


@dataclass(slots=True)
class PointSets:
    """The points that browsers were given, so that they can ask what lies there by number."""

    _held: OrderedDict[tuple[str, str], tuple[array[int], Sequence[str]]] = field(default_factory=OrderedDict)

    def add(self, caller: str, keys: array[int], namespaces: Sequence[str]) -> str:
        """Remember a caller's points, which lie in these namespaces, and return their name."""
        name = secrets.token_urlsafe(9)
        self._held[caller, name] = keys, namespaces
        if len(self._held) > MOST_SETS:
            self._held.popitem(last=False)
        return name

    def keys(self, caller: str, name: str, numbers: Sequence[int]) -> tuple[list[int], Sequence[str]]:
        """Return the keys of some of a caller's points, and the namespaces that they lie in.

        Raises:
            NotFoundError: they are not remembered any more.
        """
        held, namespaces = self._held.get((caller, name), (None, ()))
        if held is None or not all(0 <= number < len(held) for number in numbers):
            raise NotFoundError("these points are no longer known; load the map again")
        self._held.move_to_end((caller, name))
        return [held[number] for number in numbers], namespaces


def _little(numbers: array[int]) -> bytes:
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()
