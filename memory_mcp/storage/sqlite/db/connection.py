"""One SQLite file, opened at the first use: one thread writes and some read.

Each connection has its own thread. Work is passed to it as a function of the connection, so that an operation costs one
thread switch however many statements it has.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

import apsw

from memory_common import tracing
from memory_mcp.domain.errors import DiskFullError, LockedError, StoreError
from memory_mcp.storage.disk import is_writable
from memory_mcp.storage.sqlite.db import changes
from memory_mcp.storage.sqlite.db.encryption import Keys, StoreConnection, no_keys
from memory_mcp.storage.sqlite.db.file import (
    Patience,
    connect,
    create_private,
    identity,
    in_memory,
    in_transaction,
    left_beside,
    noticing_full,
    roll_back,
    translated,
)
from memory_mcp.storage.sqlite.db.readers import Readers
from memory_mcp.storage.sqlite.db.reading import (
    SETTLED,
    Reading,
    Way,
    is_settled,
    may_pass,
    open_reading,
    state,
    way_at_rest,
)
from memory_mcp.storage.sqlite.db.schema import ConvertedError, check_identity, migrations, too_old

T = TypeVar("T")
Upgrade = Callable[[apsw.Connection, Path], None]
"""Brings a file to this version's schema, inside a transaction that keeps others out: `maintenance.copies.upgrade`."""


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


READERS: Final = max(1, min(4, _processors() - 1))
"""Maximum number of reading threads; one processor is left for the event loop. On two processors a second reader made
eight HTTP clients slower. Two of them cost 14 MB more and about 5% more work per search, because they take
turns with the interpreter's lock; four cost 43 MB and 15%."""


def _in_snapshot(db: apsw.Connection, work: Callable[[apsw.Connection], T]) -> T:
    with noticing_full(db):
        db.execute("BEGIN")
        try:
            return work(db)
        finally:
            roll_back(db)


@contextlib.contextmanager
def _patient(path: Path) -> Iterator[None]:
    """Report a lock that a migration may hold: stopping that process would restart the migration."""
    try:
        yield
    except apsw.BusyError as error:
        raise StoreError(
            f"another process is migrating {path} to this version, which takes minutes for a large file; "
            "wait until it is done, then try again"
        ) from error


class _Worker:
    """A thread with its own connection."""

    def __init__(self, path: Path, name: str, upgrade: Upgrade, keys: Keys) -> None:
        self._path = path
        self._keys = keys
        self._upgrade = upgrade
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._patience = Patience()
        self._ended = False
        self._db: StoreConnection | None = None
        self._identity: tuple[int, int] | None = None
        """Device and inode of the open file; None while an empty store replaces a missing one."""

    def submit(self, work: Callable[[apsw.Connection], T]) -> Future[T]:
        """Run the work on the connection; opens it first if necessary."""
        return self._thread.submit(self._run, work)

    def _run(self, work: Callable[[apsw.Connection], T]) -> T:
        end = self._patience.end_at()
        with translated(self._path):
            while True:
                try:
                    return work(self._current())
                except (apsw.Error, StoreError) as error:
                    if not (self._passes(error) and self._patience.lasts_until(end)):
                        raise
                    self._close()

    def _passes(self, error: Exception) -> bool:
        """Whether the file can be used once it is opened again: it was converted, and nothing was written."""
        reason: int = getattr(error, "extendedresult", 0)  # which apsw's types lack
        return reason == apsw.SQLITE_READONLY_DBMOVED or isinstance(error, ConvertedError)

    def _current(self) -> StoreConnection:
        """Return the connection to the existing file.

        Raises:
            ConvertedError: the file that was opened was encrypted or decrypted since.
            StoreError: it is another file than the one that was opened.
        """
        if self._identity is None and self._path.exists():  # somebody has created it in the meantime
            self._close()
        if self._db is None:
            before = identity(self._path)
            self._db = self._open()
            self._identity = identity(self._path)
            if before not in {None, self._identity}:  # which of them is open?
                self._close()
                raise ConvertedError(f"{self._path} was replaced while it was opened; try again")
        else:
            self.check_in_place()
        return self._db

    def check_in_place(self) -> None:
        """Check that the path still leads to the open file; who asks with the write lock knows that it will.

        Raises:
            ConvertedError, StoreError: as `_current`.
        """
        if self._db is None or (found := identity(self._path)) == self._identity:
            return
        if found is not None and self._goes_on(self._db):
            raise ConvertedError(f"{self._path} was encrypted or decrypted meanwhile; try again")
        raise StoreError(
            f"{self._path} was moved, deleted or replaced while it was open, and nothing was written; "
            "put it back, or stop all clients that use it and restore a backup (memory-mcp restore)"
        )

    def _goes_on(self, db: apsw.Connection) -> bool:
        """Whether the path leads to the same store in another file: it has the last write of the open one.

        A conversion leaves no log, so that the file alone tells; beside a stranger's, the open one's log may lie.

        Raises:
            LockedError: it is encrypted, and no key fits.
        """
        last = changes.latest(db)
        try:
            new = open_reading(self._path, self._patience, SETTLED, self._keys, vectors=False).db
            with contextlib.closing(new):
                return last is None or changes.holds(new, last)
        except LockedError:
            raise
        except (apsw.Error, StoreError):
            return False

    def _open(self) -> StoreConnection:
        create_private(self._path)
        db = connect(self._path, self._patience, self._keys)
        try:
            if (version := check_identity(db, self._path)) < len(migrations()):
                with _patient(self._path) if version else contextlib.nullcontext():
                    in_transaction(db, lambda db: self._upgrade(db, self._path))
        except BaseException:
            db.close()
            raise
        return db

    def end_waiting(self) -> None:
        """Abort work that waits for a lock."""
        self._patience.end()

    async def close(self) -> None:
        """Close the connection and end the thread; aborts work that waits for a lock."""
        if self._ended:
            return
        self._ended = True
        self.end_waiting()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None


class _Reader(_Worker):
    """Reads from a file that may be missing, read-only, or on a full disk."""

    def __init__(self, path: Path, upgrade: Upgrade, keys: Keys, *, creates: bool, read_only: bool) -> None:
        super().__init__(path, "sqlite-read", upgrade, keys)
        self._creates = creates
        self._read_only = read_only
        self._reading: Reading | None = None
        """Detects changes by others, for a connection that leaves no marks."""

    @property
    def allows_others(self) -> bool:
        """Whether another reading connection may be opened besides this one.

        Not before this one is open, because the file may have to be migrated first; and not for a connection that
        changes nothing, because it depends on what others do to the file.
        """
        return self._db is not None and self._reading is None

    def _run(self, work: Callable[[apsw.Connection], T]) -> T:
        end = self._patience.end_at()
        with translated(self._path):
            while True:
                db = None
                try:
                    db = self._current()
                    done = work(db)
                except (apsw.Error, StoreError) as error:
                    if self._passes(error) and self._patience.lasts_until(end):
                        self._close()
                    elif db is None or not self._is_overtaken():
                        raise
                else:
                    if not self._is_overtaken():
                        return done

    def _passes(self, error: Exception) -> bool:
        """Whether the file can be read once it is opened again; the log's owner may have closed or opened it."""
        changes_nothing = self._read_only or self._reading is not None
        return super()._passes(error) or (changes_nothing and may_pass(error, self._path))

    def _current(self) -> StoreConnection:
        db = super()._current()
        return super()._current() if self._is_overtaken() else db

    def _is_overtaken(self) -> bool:
        """Whether a connection that changes nothing has missed a change; closes it if so."""
        if self._reading is None or not self._reading.is_overtaken():
            return False
        self._close()
        return True

    def _close(self) -> None:
        super()._close()
        self._reading = None

    def _open(self) -> StoreConnection:
        if (self._read_only or not self._creates) and not self._path.exists():
            return self._nothing()
        if self._read_only:
            return self._open_unchanged()
        try:
            return super()._open()
        except (apsw.FullError, apsw.CantOpenError, apsw.ReadOnlyError) as error:
            if not is_settled(self._path) or (is_writable(self._path) and not isinstance(error, apsw.FullError)):
                raise
            return self._open_unchanged(way_at_rest(self._path))  # the existing contents can still be read

    def _open_unchanged(self, way: Way | None = None) -> StoreConnection:
        """Open the file without changing it.

        Raises:
            StoreError: it needs a migration first.
        """
        reading = open_reading(self._path, self._patience, way, self._keys)
        if (version := check_identity(reading.db, self._path)) < len(migrations()):
            reading.db.close()
            if version:
                raise StoreError(too_old(self._path, version))
            reading = Reading(self._nothing(), self._path, state(self._path))
        self._reading = reading
        return reading.db

    def _nothing(self) -> StoreConnection:
        """Return an empty store in place of a missing file that is not to be created.

        Raises:
            StoreError: the file existed before.
        """
        if left := left_beside(self._path):
            raise StoreError(
                f"{self._path} is missing, but its side files exist: {', '.join(left)}; "
                "put the file back, or restore a backup: memory-mcp restore"
            )
        db = in_memory()
        in_transaction(db, lambda db: self._upgrade(db, self._path))
        return db


class Database:
    """The file, for asynchronous callers.

    Without `creates`, a missing file stays missing and reads as empty; with `read_only`, nothing on the disk changes.
    """

    def __init__(
        self,
        path: Path,
        upgrade: Upgrade,
        keys: Keys = no_keys,
        *,
        creates: bool = True,
        read_only: bool = False,
        readers: int = READERS,
    ) -> None:
        self.path = path
        self.keys = keys
        self.is_read_only = read_only
        self.is_full = False
        """Whether the last write failed because the disk was full."""
        most = readers if creates and not read_only else 1
        self._readers = Readers(lambda: _Reader(path, upgrade, keys, creates=creates, read_only=read_only), most)
        self._writer = _Worker(path, "sqlite-write", upgrade, keys)

    async def read(self, work: Callable[[apsw.Connection], T], *, is_search: bool = False) -> T:
        """Run work that only reads, on one snapshot; concurrent searches run in parallel.

        Raises:
            StoreError: the file cannot be opened or read, or a newer version has migrated it.
        """
        checked = self._checked(work)
        with tracing.child("read the store", database="sqlite"):
            return await self._readers.run(lambda db: _in_snapshot(db, checked), is_search=is_search)

    async def write(self, work: Callable[[apsw.Connection], T]) -> T:
        """Run work in one transaction; on return it is on disk.

        Raises:
            StoreError: the file cannot be opened or written; the work was rolled back.
        """
        if self.is_read_only:
            raise StoreError(f"{self.path} is read-only; unset MCP_MEMORY_READ_ONLY to write")
        checked = self._checked(work)

        def in_place(db: apsw.Connection) -> T:
            self._writer.check_in_place()
            return checked(db)

        try:
            with tracing.child("write the store", database="sqlite"):
                done = await asyncio.wrap_future(self._writer.submit(lambda db: in_transaction(db, in_place)))
        except DiskFullError:
            self.is_full = True
            raise
        self.is_full = False
        return done

    def _checked(self, work: Callable[[apsw.Connection], T]) -> Callable[[apsw.Connection], T]:
        """Let work begin, in its transaction, by asking whether a newer version has migrated the open file.

        What it finds there may mean something else since, without an error. The question costs some microseconds.
        """

        def checked(db: apsw.Connection) -> T:
            check_identity(db, self.path)
            return work(db)

        return checked

    async def close(self) -> None:
        """Close all connections."""
        await self._writer.close()
        await self._readers.close()
