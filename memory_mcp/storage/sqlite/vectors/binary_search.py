"""Searches of large namespaces: the vectors' sign bits select candidates, their full vectors decide the order.

The vector table is the record. The binary index only says which vectors are worth reading: a deleted vector is not in
the table any more, and vectors newer than the index are added to it before the search.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Final, cast

import apsw
import numpy as np

from memory_mcp.domain.models import Filters, Space
from memory_mcp.storage.rows import to_json
from memory_mcp.storage.sqlite.db.conditions import condition
from memory_mcp.storage.sqlite.db.encryption import key_of
from memory_mcp.storage.sqlite.db.partitions import PARTITION, searched
from memory_mcp.storage.sqlite.vectors.binary_index import GONE, Numbers, Origin, Signs, load, save, signs_of
from memory_mcp.storage.sqlite.vectors.private import ChunkRow, chunk_rows, read

READ_PER_RESULT: Final = 8
"""Vectors to read for each requested memory; see docs/benchmarks.md."""
MIN_READ: Final = 400
"""Vectors to read at least; see docs/benchmarks.md."""
SUFFICIENT_SHARE: Final = 0.9
"""Share of the vectors to read that suffices, as some are deleted or do not pass the filters."""
MAX_PREFILTERED_SHARE: Final = 0.05
"""Largest share of a space's chunks that a narrow filter may select for the search to list them first."""
MAX_UNSAVED_SHARE: Final = 0.05
"""Largest share of the index that a process keeps in its own memory; beyond it, the process rewrites the file."""

Scored = list[tuple[int, int, float]]
"""(chunk id, memory key, cosine), best first."""


class BinaryVectorIndex:
    """The sign bits of one database's active space, kept up to date by the thread that reads it."""

    def __init__(self, path: Path, *, saves: bool = True) -> None:
        self._path = path.with_name(f"{path.name}-signs")
        self._saves = saves
        """Whether the file may be written."""
        self._signs: Signs | None = None
        self._saved = 0
        """Rows in the file when it was last read or written."""
        self._rows: dict[int, Numbers] = {}

    def nearest(
        self, db: apsw.Connection, number: int, vector: bytes, space: Space, filters: Filters, limit: int
    ) -> Scored:
        """Return the nearest chunks that pass the filters, of at least `limit` memories if that many match."""
        signs = self._current(db, number, space)
        rows = self._of(signs, _number_of(db, searched(filters)))
        if filters.is_narrow:
            listed = _listed(db, filters, int(MAX_PREFILTERED_SHARE * signs.origin.rows))
            if listed is not None:
                rows, filters = signs.rows_at(listed), Filters(filters.namespace)
        return self._nearest(db, number, vector, filters, limit, rows)

    def _nearest(
        self, db: apsw.Connection, number: int, vector: bytes, filters: Filters, limit: int, rows: Numbers
    ) -> Scored:
        signs = cast("Signs", self._signs)
        wanted = max(MIN_READ, READ_PER_RESULT * limit, math.isqrt(signs.origin.rows))
        count, found, looked = wanted, cast("Scored", []), 0
        while looked < len(rows):
            chosen = signs.nearest(vector, count, rows)[looked:]
            looked += len(chosen)
            found += self._read(db, number, vector, filters, chosen)
            if len(found) >= SUFFICIENT_SHARE * wanted and len({key for _, key, _ in found}) >= limit:
                break
            count = 4 * looked
        return sorted(found, key=lambda one: -one[2])

    def _of(self, signs: Signs, namespace: int) -> Numbers:
        if namespace not in self._rows:
            self._rows[namespace] = signs.rows_of(namespace)
        return self._rows[namespace]

    def _read(self, db: apsw.Connection, number: int, vector: bytes, filters: Filters, rows: Numbers) -> Scored:
        """Score the vectors of these rows that still exist and pass the filters."""
        signs = cast("Signs", self._signs)
        ids = cast("list[int]", signs.chunks[rows].tolist())
        vectors = read(db, number, 64 * signs.origin.words, ids)
        if len(vectors) < len(ids):
            self._forget(rows, vectors.keys())
        fitting = _fitting(db, filters, vectors)
        cosines = _cosines(vector, [vectors[passage] for passage, _ in fitting])
        return [(passage, key, cosine) for (passage, key), cosine in zip(fitting, cosines, strict=True)]

    def _forget(self, rows: Numbers, existing: Collection[int]) -> None:
        """Mark the rows whose vectors no longer exist."""
        signs = cast("Signs", self._signs)
        signs.namespaces[[row for row in rows.tolist() if int(signs.chunks[row]) not in existing]] = GONE
        self._rows.clear()

    def _current(self, db: apsw.Connection, number: int, space: Space) -> Signs:
        """Return signs that include every vector of this snapshot."""
        signs = self._signs if self._fits(db, self._signs, space) else None
        if signs is None:
            loaded = None if key_of(db) else load(self._path)
            signs = loaded if self._fits(db, loaded, space) else None
            self._saved = signs.origin.rows if signs else 0
            self._rows.clear()
        if signs is None:
            signs = _made(db, number, space)
            self._save(db, signs)
        elif (seq := _generation(db)) != signs.origin.seq:
            signs = self._caught_up(db, number, signs, seq)
        self._signs = signs
        return signs

    def _fits(self, db: apsw.Connection, signs: Signs | None, space: Space) -> bool:
        if signs is None or signs.origin.space != space.id or signs.origin.words * 64 != space.dimensions:
            return False
        return signs.origin.mark == _mark(db, signs.origin.seq)

    def _caught_up(self, db: apsw.Connection, number: int, signs: Signs, seq: int) -> Signs:
        last = cast("int | None", db.execute("SELECT max(id) FROM passages").get) or 0
        origin = Origin(signs.origin.space, signs.origin.words, 0, seq, _mark(db, seq), last)
        newer = _newer(db, number, signs.origin.last)
        if not newer:
            signs.origin = Origin(signs.origin.space, signs.origin.words, signs.origin.rows, seq, origin.mark, last)
            return signs
        passages, namespaces, vectors = zip(*newer, strict=True)
        columns = signs_of(np.frombuffer(b"".join(vectors), "<f4").reshape(len(newer), -1))
        extended = signs.extended(origin, np.array(passages), np.array(namespaces, np.int32), columns)
        self._rows.clear()
        if len(extended.chunks) - self._saved > MAX_UNSAVED_SHARE * len(extended.chunks):
            self._save(db, extended)
        return extended

    def _save(self, db: apsw.Connection, signs: Signs) -> None:
        if not self._saves or key_of(db):  # the signs tell what vectors are like, and those what was said
            return
        with contextlib.suppress(OSError):  # the search works without the file
            save(signs, self._path)
            self._saved = signs.origin.rows


def _fitting(db: apsw.Connection, filters: Filters, passages: Iterable[int]) -> list[tuple[int, int]]:
    """Return (chunk id, memory key) of those that pass the filters; all must be of the filters' namespace."""
    sql = "SELECT p.id, p.key FROM json_each(?) AS w CROSS JOIN passages AS p ON p.id = w.value"
    parameters: list[apsw.SQLiteValue] = [to_json(list(passages))]
    if filters.is_narrow:
        where = condition(filters)
        sql += f" CROSS JOIN memories AS m ON m.key = p.key WHERE {where.sql}"
        parameters += where.parameters
    return cast("list[tuple[int, int]]", db.execute(sql, parameters).fetchall())


def _number_of(db: apsw.Connection, partition: str) -> int:
    number = db.execute("SELECT number FROM partitions WHERE namespace = ?", (partition,)).get
    return cast("int", number)


def _generation(db: apsw.Connection) -> int:
    return cast("int | None", db.execute("SELECT max(seq) FROM changes").get) or 0


def _mark(db: apsw.Connection, seq: int) -> str:
    """Return a digest of a change, which tells it from another database's change of the same number."""
    row = db.execute("SELECT at, namespace, kind, memory_ids FROM changes WHERE seq = ?", (seq,)).fetchone()
    return hashlib.blake2b(repr(row).encode(), digest_size=16).hexdigest() if row else ""


def _listed(db: apsw.Connection, filters: Filters, most: int) -> list[int] | None:
    """Return the chunks that pass the filters; None if there are more than `most`."""
    where = condition(filters)
    rows = db.execute(
        f"SELECT p.id FROM memories AS m JOIN passages AS p ON p.key = m.key WHERE {where.sql} LIMIT ?",  # noqa: S608 - only parameters
        (*where.parameters, most + 1),
    ).fetchall()
    return None if len(rows) > most else [passage for (passage,) in cast("list[tuple[int]]", rows)]


def _newer(db: apsw.Connection, number: int, last: int) -> list[tuple[int, int, bytes]]:
    """Return (chunk id, partition's number, vector) of the chunks after `last`."""
    rows = db.execute(
        f"""SELECT p.id, n.number, v.embedding FROM passages AS p
            CROSS JOIN vectors_{number:d} AS v ON v.passage_id = p.id
            CROSS JOIN memories AS m ON m.key = p.key CROSS JOIN partitions AS n ON n.namespace = {PARTITION}
            WHERE p.id > ? ORDER BY p.id""",  # noqa: S608 - a number of ours and a constant
        (last,),
    )
    return cast("list[tuple[int, int, bytes]]", rows.fetchall())


def _cosines(vector: bytes, rows: Sequence[bytes]) -> list[float]:
    if not rows:
        return []
    query = np.frombuffer(vector, "<f4")
    vectors = np.frombuffer(b"".join(rows), "<f4").reshape(len(rows), -1)
    products = vectors @ query / (np.linalg.norm(vectors, axis=1) * np.linalg.norm(query))
    return cast("list[float]", products.tolist())


def _made(db: apsw.Connection, number: int, space: Space) -> Signs:
    """Read all vectors."""
    seq = _generation(db)
    last = cast("int | None", db.execute("SELECT max(id) FROM passages").get) or 0
    parts = [_of_chunk(chunk, space.dimensions) for chunk in chunk_rows(db, number)]
    passages = np.concatenate([np.empty(0, np.int64), *(part[0] for part in parts)])
    order = np.argsort(passages)
    return Signs(
        Origin(space.id, space.dimensions // 64, len(passages), seq, _mark(db, seq), last),
        passages[order],
        np.concatenate([np.empty(0, np.int32), *(part[1] for part in parts)])[order],
        np.concatenate([signs_of(np.empty((0, space.dimensions), np.float32)), *(part[2] for part in parts)], 1)[
            :, order
        ],
    )


def _of_chunk(chunk: ChunkRow, dimensions: int) -> tuple[Numbers, np.ndarray, np.ndarray]:
    bits, numbers, namespace, vectors = chunk
    used = np.flatnonzero(np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little"))
    held = np.frombuffer(vectors, "<f4").reshape(-1, dimensions)[used]
    return np.frombuffer(numbers, "<i8")[used], np.full(len(used), namespace, np.int32), signs_of(held)
