"""The signs of many vectors, and the file that keeps them: what a large search looks through first.

Of every vector one bit for each dimension is kept: whether the number is positive. The bits in which two vectors differ
say nearly how far they are from each other, and a million of them are compared in milliseconds. Everything here is
derived from the table of vectors and can be made again; nothing is ever only here. It is the one module of this program
that needs numpy.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

MAGIC: Final = b"MEMSIGN1"
HEADER: Final = 4_096
"""Bytes before the arrays: the magic, then JSON, then zeros."""
BLOCK: Final = 1 << 15
"""Vectors that are compared at a time, so that what is between stays in the processor's cache."""
FEW: Final = 0.2
"""The share of all rows up to which it is faster to copy them together than to compare all."""
GONE: Final = -1
"""The namespace of a row whose vector was found to be deleted."""

Numbers = NDArray[np.int64]
Bits = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Origin:
    """What the signs were made of."""

    space: str
    words: int
    """64-bit words of one vector's signs."""
    rows: int
    seq: int
    """The store's generation."""
    mark: str
    """What the change log says of that generation: another database has another."""
    last: int
    """The largest passage id that was looked at."""
    sum: int = 0
    """CRC-32 of the arrays."""


@dataclass(slots=True)
class Signs:
    """The signs of a space's vectors, one row each in the order of their passages' ids."""

    origin: Origin
    chunks: Numbers
    namespaces: NDArray[np.int32]
    """The number of each row's namespace."""
    columns: Bits
    """(words, rows), because a word of many vectors is compared at once."""

    def rows_of(self, namespace: int) -> Numbers:
        """Return the rows of a namespace."""
        return np.flatnonzero(self.namespaces == namespace)

    def rows_at(self, passages: Iterable[int]) -> Numbers:
        """Return the rows of these passages; those without one are left out."""
        wanted = np.unique(np.fromiter(passages, np.int64))
        return np.flatnonzero(np.isin(self.chunks, wanted, assume_unique=True))

    def nearest(self, vector: bytes, count: int, rows: Numbers) -> Numbers:
        """Return at least `count` of these rows (all, if they are not so many) that differ least, those first."""
        wanted = signs_of(np.frombuffer(vector, "<f4")[None])[:, 0]
        if len(rows) == len(self.chunks):
            differing = _differing(self.columns, wanted)
        elif len(rows) > FEW * len(self.chunks):
            differing = _differing(self.columns, wanted)[rows]
        else:
            differing = _differing(self.columns[:, rows], wanted)
        ends = np.cumsum(np.bincount(differing))
        bar = int(np.searchsorted(ends, min(count, int(ends[-1]))))
        best = np.flatnonzero(differing <= bar)
        ordered = best[np.argsort(differing[best], kind="stable")]
        return rows[ordered]

    def extended(self, origin: Origin, passages: Numbers, namespaces: NDArray[np.int32], columns: Bits) -> Signs:
        """Return these and newer ones, without what is gone."""
        kept = np.flatnonzero(self.namespaces != GONE)
        return Signs(
            replace(origin, rows=len(kept) + len(passages)),
            np.concatenate([self.chunks[kept], passages]),
            np.concatenate([self.namespaces[kept], namespaces]),
            np.concatenate([self.columns[:, kept], columns], axis=1),
        )


def signs_of(vectors: NDArray[np.float32]) -> Bits:
    """Return the signs of (n, dimensions) vectors, dimensions a multiple of 64, as (dimensions / 64, n) words."""
    return np.ascontiguousarray(np.packbits(vectors > 0, axis=1).view("<u8").T)


def _differing(columns: Bits, wanted: Bits) -> NDArray[np.uint16]:
    """Return in how many signs each row differs."""
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
    """Put the signs into a file of this user alone, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    arrays = [np.ascontiguousarray(array) for array in (signs.columns, signs.chunks, signs.namespaces)]
    total = 0
    for array in arrays:
        total = zlib.crc32(array.data, total)
    header = MAGIC + json.dumps(asdict(replace(signs.origin, sum=total))).encode()
    draft = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        with open(os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:  # noqa: PTH123 - the mode
            file.write(header.ljust(HEADER, b"\0"))
            for array in arrays:
                file.write(array.data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def load(path: Path) -> Signs | None:
    """Map a file of signs into memory, where all processes share it; None when it is none, or damaged."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        file = np.asarray(np.memmap(path, np.uint8, mode="c"))  # what is marked as gone is so for this process alone
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
