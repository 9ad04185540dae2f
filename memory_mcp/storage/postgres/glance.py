"""A short look into a store, for a process that lives for a moment; see `storage.sqlite.glance`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from memory_mcp.storage.documents import sections
from memory_mcp.storage.postgres.db.brief import reading
from memory_mcp.storage.postgres.db.portable import PortableSql
from memory_mcp.storage.postgres.db.session import PgSession
from memory_mcp.storage.postgres.records import reads

if TYPE_CHECKING:
    from memory_mcp.domain.documents import SectionPlace
    from memory_mcp.domain.models import Filters, Page


class DatabasePages:
    """What a snapshot tells without a search."""

    def __init__(self, db: PgSession) -> None:
        self._db = db

    def page(self, filters: Filters, *, limit: int, cursor: str | None) -> Page:
        """Return memories newest first."""
        return reads.page(self._db, filters, limit, cursor)

    def section_places(self, keys: Sequence[int]) -> dict[int, SectionPlace]:
        """Return where sections lie in their documents, by key."""
        return sections.places(PortableSql(self._db), keys)


@contextlib.contextmanager
def pages(url: str, seconds: float) -> Iterator[DatabasePages]:
    """Open an existing store for some seconds.

    Raises:
        StoreError: it cannot be reached or read, or is of another version.
    """
    with reading(url, seconds) as db:
        yield DatabasePages(db)
