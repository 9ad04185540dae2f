"""A short look into a store, for a process that lives for a moment: no threads, no waiting, nothing is changed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import apsw

from memory_mcp.domain.errors import StoreError
from memory_mcp.storage.sqlite.db.encryption import Keys, no_keys
from memory_mcp.storage.sqlite.db.file import Patience, translated
from memory_mcp.storage.sqlite.db.reading import connect_reading
from memory_mcp.storage.sqlite.db.schema import check_identity, too_old
from memory_mcp.storage.sqlite.records import reads

if TYPE_CHECKING:  # a tenth of a second, which who lists memories does not need
    from memory_mcp.domain.documents import SectionPlace
    from memory_mcp.domain.models import Filters, Page
    from memory_mcp.domain.ports import Snapshot
    from memory_mcp.storage.sqlite.vectors.search import VectorSearch

T = TypeVar("T")


class Pages:
    """What a snapshot tells without a search."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db

    def page(self, filters: Filters, *, limit: int, cursor: str | None) -> Page:
        """Return memories newest first."""
        return reads.page(self._db, filters, limit, cursor)

    def section_places(self, keys: Sequence[int]) -> dict[int, SectionPlace]:
        """Return where sections lie in their documents, by key."""
        from memory_mcp.storage.documents import sections  # noqa: PLC0415 - hardly ever
        from memory_mcp.storage.sqlite.documents import SqliteSession  # noqa: PLC0415 - likewise

        return sections.places(SqliteSession(self._db), keys)


class Glance:
    """An open store that is only read, as it is at this moment."""

    def __init__(self, db: apsw.Connection, path: Path) -> None:
        self._db = db
        self._path = path
        self._finder: VectorSearch | None = None

    def pages(self) -> Pages:
        """Return what can be listed."""
        return Pages(self._db)

    async def read(self, work: Callable[[Snapshot], T], *, is_short: bool = False) -> T:
        """Run a function over the snapshot, here and now."""
        from memory_mcp.storage.sqlite.snapshot import SqliteSnapshot  # noqa: PLC0415 - for searches alone
        from memory_mcp.storage.sqlite.vectors.search import VectorSearch  # noqa: PLC0415 - likewise

        del is_short
        self._finder = self._finder or VectorSearch(self._path, saves=False)
        return work(SqliteSnapshot(self._db, self._finder))


@contextlib.contextmanager
def glance(path: Path, patience_ms: int, keys: Keys = no_keys, *, searches: bool) -> Iterator[Glance]:
    """Open an existing store for a moment; `read` needs one that `searches`.

    Raises:
        StoreError: it cannot be opened or read, is locked for longer than that, or is of an earlier version.
        LockedError: it is encrypted, and no key fits.
    """
    with translated(path, patience_ms):
        db = connect_reading(path, Patience(patience_ms), keys, read_only=False, vectors=searches)
        try:
            db.execute("BEGIN")
            yield Glance(db, path)
        except apsw.SQLError as error:
            raise StoreError(too_old(path, check_identity(db, path))) from error
        finally:
            db.close()
