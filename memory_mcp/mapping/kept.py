"""The file that keeps a map, beside the store: keys and places, no contents.

It speaks of all namespaces, so it is this user's alone, and whoever reads it picks what a caller may see.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Final, cast

from memory_common import whole_file
from memory_mcp.mapping.errors import MapError

_MAGIC: Final = b"memory-mcp map 1\n"
_LONGEST_HEADER: Final = 4_096


@dataclass(frozen=True)
class KeptMap:
    """Where memories lie on the plane."""

    space_id: str
    """Of the vectors that were laid out."""
    drawn_at: datetime
    """When all of them were; later ones may have been added."""
    learned_from: int
    """How many there were."""
    keys: array[int]
    """Of the memories, ascending."""
    xs: array[int]
    """0 to 65,535; as many as keys."""
    ys: array[int]
    model: bytes
    """What places further vectors."""

    @cached_property
    def index(self) -> Mapping[int, int]:
        """The position of each key."""
        return dict(zip(self.keys, range(len(self.keys)), strict=True))

    def with_more(self, keys: array[int], xs: array[int], ys: array[int]) -> KeptMap:
        """Return the map with further memories."""
        places = dict(zip(self.keys, zip(self.xs, self.ys, strict=True), strict=True))
        places.update(zip(keys, zip(xs, ys, strict=True), strict=True))
        ordered = sorted(places)
        return KeptMap(
            self.space_id,
            self.drawn_at,
            self.learned_from,
            array("q", ordered),
            array("H", (places[key][0] for key in ordered)),
            array("H", (places[key][1] for key in ordered)),
            self.model,
        )


def write(path: Path, kept: KeptMap) -> None:
    """Replace the file.

    Raises:
        MapError: it cannot be written.
    """
    header = json.dumps(
        {
            "space": kept.space_id,
            "drawn_at": kept.drawn_at.isoformat(),
            "learned_from": kept.learned_from,
            "points": len(kept.keys),
            "model": len(kept.model),
        }
    )
    try:
        with whole_file.replacing(path) as file:
            file.write(_MAGIC + header.encode() + b"\n" + kept.model)
            for numbers in (kept.keys, kept.xs, kept.ys):
                file.write(_little(numbers).tobytes())
    except OSError as error:
        raise MapError(
            f"the map cannot be kept in {path} ({error.strerror}); make room or make the folder writable"
        ) from error


def read(path: Path) -> KeptMap | None:
    """Return what the file keeps; None where there is no such file, or it is broken: it is then drawn again."""
    try:
        with path.open("rb") as file:
            if file.readline(_LONGEST_HEADER) != _MAGIC:
                return None
            header = cast("dict[str, object]", json.loads(file.readline(_LONGEST_HEADER)))
            points, model = int(str(header["points"])), file.read(int(str(header["model"])))
            keys, xs, ys = (_read(file.read(size * points), kind) for kind, size in (("q", 8), ("H", 2), ("H", 2)))
        drawn_at, learned_from = datetime.fromisoformat(str(header["drawn_at"])), int(str(header["learned_from"]))
    except (OSError, ValueError, KeyError):
        return None
    if not len(keys) == len(xs) == len(ys) == points:
        return None
    return KeptMap(str(header["space"]), drawn_at, learned_from, keys, xs, ys, model)


def _read(content: bytes, kind: str) -> array[int]:
    numbers = array(kind, b"")
    numbers.frombytes(content)
    return _little(numbers)


def _little(numbers: array[int]) -> array[int]:
    """Return numbers in the other byte order where this machine's is not the file's."""
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers
