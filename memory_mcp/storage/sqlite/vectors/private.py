"""sqlite-vec's own tables; nothing else of ours touches them.

It keeps vectors in chunks of one partition each: a chunk has a bitmap of the slots in use, the ids of the passages in
them and a blob of vectors, one after another. A further table says in which chunk and slot a passage's vector lies.
Its virtual table takes twice as long to read single vectors, and does not count them without reading each. Its version
is pinned; `tests/architecture/test_private_tables.py` names each table and column, and fails when an upgrade drops one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

import apsw

from memory_mcp.storage.rows import to_json

_ChunkSlot = tuple[int, int, int]
"""Chunk, slot and passage."""
ChunkRow = tuple[bytes, bytes, int, bytes]
"""The bits of the slots in use, the passages by slot (int64), the namespace's number and the vectors by slot."""


def read(db: apsw.Connection, number: int, dimensions: int, passages: Iterable[int]) -> dict[int, bytes]:
    """Return the vectors of these passages in the space of this number; those without one are left out."""
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


def _read(db: apsw.Connection, table: str, size: int, places: list[_ChunkSlot]) -> Iterator[tuple[int, bytes]]:
    at = places[0][0]
    with db.blob_open("main", table, "vectors", at, False) as chunk:  # noqa: FBT003 - apsw's own signature
        for chunk_id, slot, passage in places:
            if chunk_id != at:
                chunk.reopen(chunk_id)
                at = chunk_id
            chunk.seek(slot * size)
            yield passage, chunk.read(size)


def slots_in_use(db: apsw.Connection, number: int, partition: str) -> dict[int, int]:
    """Return the bits of the slots in use, by chunk, of a partition.

    Counting the bits takes a microsecond for hundreds of vectors, counting rows as much for each.
    """
    rows = db.execute(
        f"SELECT chunk_id, validity FROM vectors_{number:d}_chunks WHERE partition00 = ?",  # noqa: S608 - a number of ours
        (partition,),
    )
    return {chunk: int.from_bytes(bits, "little") for chunk, bits in cast("Iterator[tuple[int, bytes]]", rows)}


def passages_of(db: apsw.Connection, number: int, chunk: int) -> memoryview[int]:
    """Return the ids of the passages in a chunk, by slot; only those of slots in use mean anything."""
    sql = f"SELECT rowids FROM vectors_{number:d}_chunks WHERE chunk_id = ?"  # noqa: S608 - a number of ours
    return memoryview(cast("bytes", db.execute(sql, (chunk,)).get)).cast("q")


def chunk_rows(db: apsw.Connection, number: int) -> Iterator[ChunkRow]:
    """Read a whole space, chunk by chunk."""
    rows = db.execute(
        f"""SELECT c.validity, c.rowids, n.number, v.vectors FROM vectors_{number:d}_chunks AS c
            CROSS JOIN vectors_{number:d}_vector_chunks00 AS v ON v.rowid = c.chunk_id
            CROSS JOIN partitions AS n ON n.namespace = c.partition00"""  # noqa: S608 - a number of ours
    )
    return cast("Iterator[ChunkRow]", rows)


def located_sql(number: int) -> str:
    """Return SQL for the `id` of each passage that a vector is filed under, whether or not its chunk is there."""
    return f"(SELECT rowid AS id FROM vectors_{number:d}_rowids)"  # noqa: S608 - a number of ours


def held_sql(number: int) -> str:
    """Return SQL for the `id` of each passage whose vector lies in a chunk, and the `partition` of the chunk."""
    return f"""
      (SELECT r.rowid AS id, c.partition00 AS partition FROM vectors_{number:d}_rowids AS r
       JOIN vectors_{number:d}_chunks AS c ON c.chunk_id = r.chunk_id
       JOIN vectors_{number:d}_vector_chunks00 AS b ON b.rowid = r.chunk_id)"""  # noqa: S608 - a number of ours


def count_hidden(db: apsw.Connection, number: int) -> int:
    """Count the vectors whose slot is marked as free, and the slots marked as used without a vector."""
    rows = db.execute(
        f"""SELECT c.validity, count(r.rowid) FROM vectors_{number:d}_chunks AS c
            LEFT JOIN vectors_{number:d}_rowids AS r ON r.chunk_id = c.chunk_id GROUP BY c.chunk_id"""  # noqa: S608 - a number of ours
    )
    return sum(
        abs(int.from_bytes(bits, "little").bit_count() - count)
        for bits, count in cast("Iterator[tuple[bytes, int]]", rows)
    )
