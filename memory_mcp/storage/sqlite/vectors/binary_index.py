"""A binary index of vectors and its file; a large search goes through it first.

The index has one bit per dimension of every vector: whether the number is positive. The number of bits in which two
vectors differ approximates their distance, and a million vectors are compared in milliseconds. The index is derived
from the vector table and can always be rebuilt.
"""

from __future__ import annotations

import contextlib
import json
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from memory_common.whole_file import replacing

MAGIC: Final = b"MEMSIGN2"
HEADER: Final = 4_096
"""Bytes before the arrays: the magic, then JSON, then zeros."""
BLOCK: Final = 1 << 15
"""Vectors compared at a time, so that intermediate results stay in the processor's cache."""
MAX_GATHERED_SHARE: Final = 0.2
"""Share of all rows up to which gathering the wanted ones is faster than comparing all."""
GONE: Final = -1
"""The namespace number of a row whose vector was found to be deleted."""

Numbers = NDArray[np.int64]
Bits = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Origin:
    """What the signs were derived from."""

    space: str
    words: int
    """64-bit words per vector."""
    rows: int
    seq: int
    """The store's generation."""
    mark: str
    """A digest of the change log's entry `seq`, which differs in another database."""
    last: int
    """The largest chunk id covered."""
    sum: int = 0
    """CRC-32 of the arrays."""


@dataclass(slots=True)
class Signs:
    """The sign bits of a space's vectors, one row each, ordered by chunk id."""

    origin: Origin
    chunks: Numbers
    namespaces: NDArray[np.int32]
    """The number of each row's partition."""
    columns: Bits
    """(words, rows), because one word of many vectors is compared at a time."""

    def rows_of(self, namespace: int) -> Numbers:
        """Return the rows of a namespace."""
        return np.flatnonzero(self.namespaces == namespace)

    def rows_at(self, passages: Iterable[int]) -> Numbers:
        """Return the rows of these chunks; omits chunks without one."""
        wanted = np.unique(np.fromiter(passages, np.int64))
        return np.flatnonzero(np.isin(self.chunks, wanted, assume_unique=True))

    def nearest(self, vector: bytes, count: int, rows: Numbers) -> Numbers:
        """Return at least `count` of these rows (all if there are fewer) that differ least, nearest first."""
        wanted = signs_of(np.frombuffer(vector, "<f4")[None])[:, 0]
        if len(rows) == len(self.chunks):
            differing = _differing(self.columns, wanted)
        elif len(rows) > MAX_GATHERED_SHARE * len(self.chunks):
            differing = _differing(self.columns, wanted)[rows]
        else:
            differing = _differing(self.columns[:, rows], wanted)
        ends = np.cumsum(np.bincount(differing))
        bar = int(np.searchsorted(ends, min(count, int(ends[-1]))))
        best = np.flatnonzero(differing <= bar)
        ordered = best[np.argsort(differing[best], kind="stable")]
        return rows[ordered]

    def extended(self, origin: Origin, passages: Numbers, namespaces: NDArray[np.int32], columns: Bits) -> Signs:
        """Return these rows and newer ones, without deleted ones."""
        kept = np.flatnonzero(self.namespaces != GONE)
        return Signs(
            replace(origin, rows=len(kept) + len(passages)),
            np.concatenate([self.chunks[kept], passages]),
            np.concatenate([self.namespaces[kept], namespaces]),
            np.concatenate([self.columns[:, kept], columns], axis=1),
        )


def signs_of(vectors: NDArray[np.float32]) -> Bits:
    """Return the sign bits of (n, dimensions) vectors as (dimensions / 64, n) words; dimensions is a multiple of 64."""
    return np.ascontiguousarray(np.packbits(vectors > 0, axis=1).view("<u8").T)


def _differing(columns: Bits, wanted: Bits) -> NDArray[np.uint16]:
    """Return the number of bits in which each row differs."""
    words, rows = columns.shape
    sums = np.zeros(rows, np.uint16)
    mixed, counts = np.empty(BLOCK, np.uint64), np.empty(BLOCK, np.uint8)
    for start in range(0, rows, BLOCK):
        end = min(rows, start + BLOCK)
        size = end - start
        for word in range(words):
            np.bitwise_xor(columns[word, start:end], wanted[word], out=mixed[:size])
            sums[start:end] += np.bitwise_count(mixed[:size], out=counts[:size])
    return sums


def save(signs: Signs, path: Path) -> None:
    """Write the signs to a file that only this user can read, atomically.

    Raises:
        OSError: it cannot be written.
    """
    arrays = [np.ascontiguousarray(array) for array in (signs.columns, signs.chunks, signs.namespaces)]
    total = 0
    for array in arrays:
        total = zlib.crc32(array.data, total)
    header = MAGIC + json.dumps(asdict(replace(signs.origin, sum=total))).encode()
    with replacing(path) as file:
        file.write(header.ljust(HEADER, b"\0"))
        for array in arrays:
            file.write(array.data)


def load(path: Path) -> Signs | None:
    """Map a file of signs into memory, shared by all processes; None if it is missing, foreign or damaged."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        file = np.asarray(
            np.memmap(path, np.uint8, mode="c")
        )  # copy on write: rows marked as GONE are so only in this process
        if bytes(file[: len(MAGIC)]) != MAGIC:
            return None
        origin = Origin(**json.loads(bytes(file[len(MAGIC) : HEADER]).rstrip(b"\0")))
        body = file[HEADER:]
        if len(body) != origin.rows * (8 * origin.words + 8 + 4) or zlib.crc32(body.data) != origin.sum:
            return None
        ends = [8 * origin.words * origin.rows, 8 * (origin.words + 1) * origin.rows]
        columns = body[: ends[0]].view("<u8").reshape(origin.words, origin.rows)
        return Signs(origin, body[ends[0] : ends[1]].view("<i8"), body[ends[1] :].view("<i4"), columns)
    return None
