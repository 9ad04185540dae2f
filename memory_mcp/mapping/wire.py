"""What the front and the drawing process say to each other.

To the process: an order, a line of JSON; the model that it names, or else a sample of the vectors; then all vectors.
Vectors come in blocks: their number (`SIZE`), then their rows (float32, little-endian); an empty block ends them.
From it: lines with the share that is done, then a line with the sizes of what follows: the model, if it is new, all x
and all y (uint16, little-endian).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from struct import Struct
from typing import Final

SIZE: Final = Struct("<I")

ReportShare = Callable[[float], None]
"""Gets the share that is done, 0-1."""


@dataclass(frozen=True, slots=True)
class DrawingOrder:
    """What is to be drawn."""

    dimensions: int
    model: int = 0
    """Bytes of the model that follows; 0 where it is to be learned."""

    def line(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @staticmethod
    def parsed(line: bytes) -> DrawingOrder:
        return DrawingOrder(**json.loads(line))


@dataclass(frozen=True, slots=True)
class Drawn:
    """The sizes of the result."""

    model: int
    points: int


def progress(share: float) -> bytes:
    return b"%.3f\n" % share


def drawn(model: int, points: int) -> bytes:
    return b"drawn %d %d\n" % (model, points)


def heard(line: bytes) -> float | Drawn:
    """Return what the process says; raises ValueError for what it never says."""
    word, *sizes = line.split()
    return Drawn(*map(int, sizes)) if word == b"drawn" else float(word)
