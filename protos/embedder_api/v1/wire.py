"""Bytes and vectors: float32, little-endian, row-major, without numpy (the front has none)."""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Iterable, Sequence
from typing import Final

FLOAT32_BYTES: Final = 4


def pack(values: Iterable[float]) -> bytes:
    """Return one vector as float32 little-endian bytes."""
    row = array("f", values)
    if sys.byteorder == "big":
        row.byteswap()
    return row.tobytes()


def unpack(row: bytes) -> array[float]:
    """Return the floats of one vector's bytes."""
    values = array("f", row)
    if sys.byteorder == "big":
        values.byteswap()
    return values


def split_rows(vectors: bytes, dimensions: int, rows: int) -> list[bytes]:
    """Split a row-major matrix into rows.

    Raises:
        ValueError: the length is not `rows * dimensions * 4` bytes.
    """
    width = dimensions * FLOAT32_BYTES
    if len(vectors) != rows * width:
        raise ValueError(f"{len(vectors)} bytes are not {rows} vectors of {dimensions} float32")
    return [vectors[start : start + width] for start in range(0, rows * width, width or 1)]


def is_sound(row: bytes) -> bool:
    """Whether a vector can be compared: all values are finite, and not all are zero."""
    values: Sequence[float] = unpack(row)
    return math.isfinite(sum(map(abs, values))) and any(values)
