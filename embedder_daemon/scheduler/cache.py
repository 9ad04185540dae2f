"""A cache of recent vectors, by request. Pure: no clock, no queue, no model."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

_OVERHEAD: Final = 512  # bytes of an entry's key and objects, measured with CPython 3.11


@dataclass(frozen=True, slots=True)
class CachedVector:
    """A vector and the fields of its item."""

    vector: bytes
    """One row of float32 little-endian."""
    token_count: int
    truncated: bool
    consumed_chars: int


def keys(space_id: str, task: str, texts: Iterable[str], *, truncate: bool) -> Iterator[bytes]:
    """Yield a digest for each text, on demand, of everything that determines its item and vector."""
    start = hashlib.blake2b(f"{space_id}\0{task}\0{truncate:d}\0".encode(), digest_size=32)
    for text in texts:
        digest = start.copy()
        digest.update(text.encode(errors="surrogatepass"))
        yield digest.digest()


class Cache:
    """An LRU cache, bounded in bytes; a bound of 0 caches nothing."""

    def __init__(self, max_bytes: int) -> None:
        self.bytes = 0
        self._max_bytes = max_bytes
        self._entries: OrderedDict[bytes, CachedVector] = OrderedDict()

    def get(self, key: bytes) -> CachedVector | None:
        """Return the entry and mark it as most recently used."""
        if (known := self._entries.get(key)) is not None:
            self._entries.move_to_end(key)
        return known

    def put(self, key: bytes, known: CachedVector) -> None:
        """Add an entry; evicts the least recently used ones if necessary."""
        if key in self._entries:
            return
        self._entries[key] = known
        self.bytes += _size(known)
        while self.bytes > self._max_bytes:
            _, oldest = self._entries.popitem(last=False)
            self.bytes -= _size(oldest)


def _size(known: CachedVector) -> int:
    return len(known.vector) + _OVERHEAD
