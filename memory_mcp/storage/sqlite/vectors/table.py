"""Reads single vectors directly from sqlite-vec's shadow tables, in half the time that its virtual table takes.

sqlite-vec stores vectors in blocks: a row of `…_rowids` gives a vector's block and slot, and a block's blob holds the
vectors one after the other. Its version is pinned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain
from typing import cast

import apsw

from memory_mcp.storage.sqlite.db.rows import to_json

_ChunkSlot = tuple[int, int, int]
"""Block, slot and chunk id."""


def read(db: apsw.Connection, number: int, dimensions: int, passages: Iterable[int]) -> dict[int, bytes]:
    """Return the vectors of these chunks in the space of this number; omits chunks without one."""
    places = cast(
        "list[_ChunkSlot]",
        db.execute(
            f"""SELECT r.chunk_id, r.chunk_offset, r.rowid FROM json_each(?) AS w
                CROSS JOIN vectors_{number:d}_rowids AS r ON r.rowid = w.value
                ORDER BY r.chunk_id, r.chunk_offset""",  # noqa: S608 - a number of ours
            (to_json(list(passages)),),
        ).fetchall(),
    )
    return dict(_read(db, f"vectors_{number:d}_vector_chunks00", 4 * dimensions, places)) if places else {}


def cosines(db: apsw.Connection, vector: bytes, rows: bytes) -> list[float]:
    """Return the cosines of a vector to others (all float32, little-endian), computed in one statement."""
    found = db.execute(
        "SELECT 1 - vec_distance_cosine(?1, substr(?2, 1 + value, ?3)) FROM json_each(?4) ORDER BY key",
        (vector, rows, len(vector), _starts(len(vector), len(rows))),
    )
    return list(chain.from_iterable(cast("Iterator[tuple[float]]", found)))


@lru_cache(256)  # about as many as one search compares
def _starts(step: int, end: int) -> str:
    return to_json(list(range(0, end, step)))


def _read(db: apsw.Connection, table: str, size: int, places: list[_ChunkSlot]) -> Iterator[tuple[int, bytes]]:
    at = places[0][0]
    with db.blob_open("main", table, "vectors", at, False) as chunk:  # noqa: FBT003 - apsw's own signature
        for chunk_id, slot, passage in places:
            if chunk_id != at:
                chunk.reopen(chunk_id)
                at = chunk_id
            chunk.seek(slot * size)
            yield passage, chunk.read(size)
