"""The context of a memory: its neighbours in the conversation, its vector mixed with theirs, a namespace's sample."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Final, cast

import apsw

from memory_mcp.domain.models import Neighbours, Space
from memory_mcp.storage.rows import to_json
from memory_mcp.storage.sqlite.vectors import private
from memory_mcp.storage.sqlite.vectors.exact import cosines, vectors_of
from memory_mcp.storage.vectors import sampled

REACH: Final = 2
"""Neighbours on each side; measured, more of them improve nothing."""


FINEST: Final = 16
"""A neighbour's weight is a multiple of 1 / PARTS."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Contextual vectors that do not depend on the query; valid while the store does not change."""

    shares: tuple[float, ...]
    """The weight of a neighbour by its distance; the memory's own weight is 1."""
    kept: dict[int, bytes]


@cache
def _in_context(shares: tuple[float, ...]) -> str:
    """Return SQL for the weighted sum of a memory's vector (?2) and its neighbours' (?3 before, ?4 after, ?5, …).

    sqlite-vec can add vectors but not scale them, and a cosine ignores length. So each vector is added a whole number
    of times: for weights 1/2 and 1/4, 4 * own + 2 * (before + after) + (second before + second after).
    """
    counts = [max(1, round(FINEST * share)) for share in shares]
    common = math.gcd(FINEST, *counts)
    total = _times("?2", FINEST // common)
    for distance, times in enumerate(counts):
        count, before = times // common, 3 + 2 * distance
        total = f"vec_add({total}, vec_add({_times(f'?{before}', count)}, {_times(f'?{before + 1}', count)}))"
    return f"SELECT ?1, {total}"


def _times(vector: str, count: int) -> str:
    """Return SQL that adds a vector `count` times."""
    if count == 1:
        return vector
    half = _times(vector, count // 2)
    doubled = f"vec_add({half}, {half})"
    return f"vec_add({doubled}, {vector})" if count % 2 else doubled


def neighbours(db: apsw.Connection, keys: Sequence[int]) -> dict[int, Neighbours]:
    """Return the live neighbours of each memory in its conversation; a key without a conversation is absent."""

    def side(comparison: str, order: str) -> str:
        return f"""(SELECT json_group_array(key) FROM (
            SELECT n.key FROM memories AS n
            WHERE n.namespace = m.namespace AND n.conversation_id = m.conversation_id AND n.deleted_at IS NULL
              AND n.conversation_id IS NOT NULL AND (n.created_at, n.key) {comparison} (m.created_at, m.key)
            ORDER BY n.created_at {order}, n.key {order} LIMIT {REACH}))"""  # noqa: S608 - constants

    rows = db.execute(
        f"""SELECT m.key, {side("<", "DESC")}, {side(">", "ASC")} FROM memories AS m
            WHERE m.key IN (SELECT value FROM json_each(?))
              AND m.conversation_id IS NOT NULL AND m.deleted_at IS NULL""",  # noqa: S608 - constants
        (to_json(list(keys)),),
    )
    return {
        key: Neighbours(_numbers(before), _numbers(after))
        for key, before, after in cast("Iterator[tuple[int, str, str]]", rows)
    }


def _numbers(listed: str) -> tuple[int, ...]:
    """Parse SQLite's JSON array of integers."""
    return tuple(int(number) for number in listed[1:-1].split(",") if number)


def contextual_similarity(
    db: apsw.Connection, vector: bytes, space: Space, around: Mapping[int, Neighbours], sums: Sums
) -> dict[int, float]:
    """Return the cosine of each memory's contextual vector; absent without a vector.

    Raises:
        SpaceMismatchError: the store's vectors are of another space.
    """
    number = vectors_of(db, space)
    if number is None:
        return {}
    kept, summed = sums.kept, dict[int, bytes]()
    if missing := {key: of for key, of in around.items() if key not in kept}:
        best = _best_vectors(db, number, vector, list(missing))
        known = {*missing, *(key for of in missing.values() for key in (*of.before, *of.after))}
        first = first_vectors(db, number, space.dimensions, known)
        summed = _among_neighbours(db, sums.shares, missing, first, best)
        kept.update((key, row) for key, row in summed.items() if key not in best)
    rows = {key: row for key in around if (row := summed.get(key) or kept.get(key)) is not None}
    return dict(zip(rows, cosines(db, vector, b"".join(rows.values())), strict=True))


def _among_neighbours(
    db: apsw.Connection,
    shares: tuple[float, ...],
    around: Mapping[int, Neighbours],
    first: Mapping[int, bytes],
    best: Mapping[int, bytes],
) -> dict[int, bytes]:
    """Return each memory's contextual vector; its own part is the vector of its first chunk unless `best` has one."""
    own = {**first, **best}
    nothing = bytes(len(next(iter(first.values()), b"")))

    def beside(of: Neighbours) -> Iterator[bytes]:
        for distance in range(len(shares)):
            for side in (of.before, of.after):
                yield first.get(side[distance], nothing) if distance < len(side) else nothing

    rows = db.executemany(
        _in_context(shares), ((key, own[key], *beside(of)) for key, of in around.items() if key in own)
    )
    return dict(cast("Iterator[tuple[int, bytes]]", rows))


def first_vectors(db: apsw.Connection, number: int, dimensions: int, keys: Iterable[int]) -> dict[int, bytes]:
    """Return the vector of each memory's first embedded chunk."""
    rows = db.execute(
        """SELECT (SELECT id FROM passages WHERE key = w.value AND state = 'embedded' AND space = ?
                   ORDER BY first LIMIT 1), w.value
           FROM json_each(?) AS w""",
        (number, to_json(sorted(keys))),
    )
    owners = dict(cast("Iterator[tuple[int | None, int]]", rows))
    vectors = private.read(db, number, dimensions, [passage for passage in owners if passage is not None])
    return {owners[passage]: vector for passage, vector in vectors.items()}


def _best_vectors(db: apsw.Connection, number: int, vector: bytes, keys: Sequence[int]) -> dict[int, bytes]:
    """Return the nearest chunk's vector of each memory with several chunks."""
    rows = db.execute(
        f"""SELECT p.key, v.embedding FROM passages AS p CROSS JOIN vectors_{number:d} AS v ON v.passage_id = p.id
            WHERE p.key IN (SELECT value FROM json_each(?)
                            WHERE (SELECT count(*) FROM passages AS s WHERE s.key = value) > 1)
            ORDER BY vec_distance_cosine(v.embedding, ?) DESC""",  # noqa: S608 - a number of ours
        (to_json(list(keys)), vector),
    )
    return dict(cast("Iterator[tuple[int, bytes]]", rows))  # the last row of a key wins, which is its nearest


@dataclass(frozen=True, slots=True)
class PartitionVectors:
    """The positions of one partition's vectors in one space."""

    total: int
    slots: Mapping[int, int]
    """The bitmap of used slots, by sqlite-vec's block."""


def held(db: apsw.Connection, number: int, partition: str) -> PartitionVectors:
    """Return which vectors a partition has."""
    slots = private.slots_in_use(db, number, partition)
    return PartitionVectors(sum(map(int.bit_count, slots.values())), slots)


def chosen(db: apsw.Connection, number: int, dimensions: int, held: PartitionVectors, count: int) -> bytes:
    """Return `count` of the vectors, spread evenly.

    An unchanged store returns the same ones again, so that equal searches have equal results.
    """
    passages = _passages_at(db, number, held.slots, sampled(held.total, count))
    return b"".join(private.read(db, number, dimensions, passages).values())


def _passages_at(db: apsw.Connection, number: int, slots: Mapping[int, int], places: Sequence[int]) -> list[int]:
    """Return the chunks at these positions among the used slots; `places` is ascending."""
    ends = list(accumulate(map(int.bit_count, slots.values())))
    wanted: dict[int, list[int]] = {}
    chunk_ids, at = list(slots), 0
    for place in places:
        while place >= ends[at]:
            at += 1
        wanted.setdefault(chunk_ids[at], []).append(place - (ends[at - 1] if at else 0))
    return [passage for chunk, nths in wanted.items() for passage in _in_chunk(db, number, chunk, slots[chunk], nths)]


def _in_chunk(db: apsw.Connection, number: int, chunk: int, bits: int, nths: Sequence[int]) -> list[int]:
    numbers = private.passages_of(db, number, chunk)
    used = [numbers[slot] for slot in range(bits.bit_length()) if bits >> slot & 1]
    return [used[nth] for nth in nths]
