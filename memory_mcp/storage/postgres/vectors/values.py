"""Vectors as parameters of pgvector, in its binary form."""

from __future__ import annotations

import sys
from array import array
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.adapt import Dumper
from psycopg.pq import Format


@dataclass(frozen=True, slots=True)
class Vector:
    """A vector of little-endian 32-bit floats, as the wire has it."""

    row: bytes

    @property
    def dimensions(self) -> int:
        """Return how many numbers it has."""
        return len(self.row) // 4


class VectorDumper(Dumper):
    """Writes pgvector's binary form; the statement says which type a parameter has."""

    format = Format.BINARY
    oid = 0

    def dump(self, obj: Vector) -> bytes:
        """Return the number of dimensions, two bytes of nothing and the numbers, all big-endian."""
        numbers = array("f", obj.row)
        if sys.byteorder == "little":
            numbers.byteswap()
        return len(numbers).to_bytes(2, "big") + bytes(2) + numbers.tobytes()


def received(sent: bytes) -> bytes:
    """Return the little-endian row of pgvector's binary form."""
    numbers = array("f", sent[4:])
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers.tobytes()


def table(space: int) -> sql.Identifier:
    """Return the table of a space's vectors."""
    return sql.Identifier(f"vectors_{space:d}")


psycopg.adapters.register_dumper(Vector, VectorDumper)
