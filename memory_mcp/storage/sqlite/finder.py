"""Which way a search by vector goes: sqlite-vec's own for small namespaces, by signs first for large ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import apsw

from memory_mcp.domain.models import Filters, Match, Sample, Space
from memory_mcp.storage.sqlite import context, search

if TYPE_CHECKING:
    from memory_mcp.storage.sqlite.large import Large

LARGE: Final = 20_000
"""Memories of a namespace from which on it is searched by signs; sqlite-vec takes about 10 ms for so many."""


class Finder:
    """Searches by vector for one reading thread."""

    def __init__(self, path: Path, large: int = LARGE) -> None:
        self._path = path
        self._large = large
        self._signs: Large | None = None

    def nearest(self, db: apsw.Connection, vector: bytes, space: Space, filters: Filters, limit: int) -> list[Match]:
        """Return the memories whose best passage is nearest by cosine, best first.

        Raises:
            SpaceMismatchError: the store's vectors are of another space.
        """
        number = search.vectors_of(db, space)
        if number is None or not self._is_large(db, space, filters.namespace):
            return search.nearest(db, vector, space, filters, limit)
        found = self._by_signs().nearest(db, number, vector, space, filters, limit)
        return search.best_matches(db, found, limit)

    def sample(self, db: apsw.Connection, vector: bytes, space: Space, namespace: str, count: int) -> Sample:
        """Return the cosines to some passages of a namespace.

        Raises:
            SpaceMismatchError: the store's vectors are of another space.
        """
        number = search.vectors_of(db, space)
        if number is None or not self._is_large(db, space, namespace):
            return context.sample(db, vector, space, namespace, count)
        return self._by_signs().sample(db, number, vector, space, namespace, count)

    def _is_large(self, db: apsw.Connection, space: Space, namespace: str) -> bool:
        if space.dimensions % 64:
            return False  # too few signs, or none of a whole word
        held = cast("int | None", db.execute("SELECT memories FROM namespaces WHERE namespace = ?", (namespace,)).get)
        return held is not None and held >= self._large

    def _by_signs(self) -> Large:
        if self._signs is None:
            from memory_mcp.storage.sqlite.large import Large  # noqa: PLC0415 - numpy, which small stores do without

            self._signs = Large(self._path)
        return self._signs
