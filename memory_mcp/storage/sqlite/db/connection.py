"""One SQLite file, opened when it is first needed: a thread that writes and some that read.

A connection is used by one thread at a time; work is handed to it as a function of the connection, so that an
operation costs one thread switch however many statements it has.
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

from memory_mcp.domain.errors import DiskFullError, StoreError
from memory_mcp.storage.disk import is_writable
from memory_mcp.storage.sqlite.db.file import (
    Patience,
    connect,
    create_private,
    in_memory,
    in_transaction,
    left_beside,
    noticing_full,
    roll_back,
    translated,
)
from memory_mcp.storage.sqlite.db.readers import Readers
from memory_mcp.storage.sqlite.db.reading import Reading, Way, is_settled, may_pass, open_reading, state, way_at_rest
from memory_mcp.storage.sqlite.db.schema import check_identity, migrations, too_old

T = TypeVar("T")
Upgrade = Callable[[apsw.Connection, Path], None]
"""Brings a file to this version's schema, inside a transaction that keeps others out: `maintenance.copies.upgrade`."""


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


READERS: Final = min(4, _processors())
"""Threads that read at most. A second one adds 14 MB and about 5% to the work of a search, for the interpreter's lock
goes round; four add 43 MB and 15%."""


def _in_snapshot(db: apsw.Connection, work: Callable[[apsw.Connection], T]) -> T:
    with noticing_full(db):
        db.execute("BEGIN")
        try:
            return work(db)
        finally:
            roll_back(db)


@contextlib.contextmanager
def _patient(path: Path) -> Iterator[None]:
    """Say of a lock that it may be a migration's: who ends the process that holds it, begins it anew."""
    try:
        yield
    except apsw.BusyError as error:
        raise StoreError(
            f"{path} is being brought to this version by another process, which takes minutes where it is large; "
            "let it end, then try again"
        ) from error


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


class _Worker:
    """A thread with its own connection."""

    def __init__(self, path: Path, name: str, upgrade: Upgrade) -> None:
        self._path = path
        self._upgrade = upgrade
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._patience = Patience()
        self._ended = False
        self._db: apsw.Connection | None = None
        self._identity: tuple[int, int] | None = None
        """Device and inode of the file that the connection has open; None where an empty store stands for it."""

    def submit(self, work: Callable[[apsw.Connection], T]) -> Future[T]:
        """Do the work on the connection, which is opened when it is not yet."""
        return self._thread.submit(self._run, work)

    def _run(self, work: Callable[[apsw.Connection], T]) -> T:
        with translated(self._path):
            return work(self._current())

    def _current(self) -> apsw.Connection:
        """Return the connection to the file that is there.

        Raises:
            StoreError: it is another file than the one that was opened.
        """
        if self._identity is None and self._path.exists():  # somebody has made it meanwhile
            self._close()
        if self._db is None:
            self._db = self._open()
            self._identity = _identity(self._path)
        elif _identity(self._path) != self._identity:
            raise StoreError(
                f"{self._path} was moved, deleted or replaced while it was open; nothing was written: "
                "put it back, or end all clients that use it and restore a backup (memory-mcp restore)"
            )
        return self._db

    def _open(self) -> apsw.Connection:
        create_private(self._path)
        db = connect(self._path, self._patience)
        try:
            if (version := check_identity(db, self._path)) < len(migrations()):
                with _patient(self._path) if version else contextlib.nullcontext():
                    in_transaction(db, lambda db: self._upgrade(db, self._path))
        except BaseException:
            db.close()
            raise
        return db

    def end_waiting(self) -> None:
        """Send away whoever waits for a lock."""
        self._patience.end()

    async def close(self) -> None:
        """Close the connection and end the thread; whoever waits for a lock there is sent away."""
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
    """Reads from what may not be there, may not be changed, or has no room beside it."""

    def __init__(self, path: Path, upgrade: Upgrade, *, creates: bool, read_only: bool) -> None:
        super().__init__(path, "sqlite-read", upgrade)
        self._creates = creates
        self._read_only = read_only
        self._reading: Reading | None = None
        """Of a connection that changes nothing."""

    @property
    def allows_others(self) -> bool:
        """Whether another connection for reading may be opened beside this one.

        While this one is not open, the file may have to be migrated; and a connection that changes nothing depends on
        what others do to the file.
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
                    changes_nothing = self._read_only or self._reading is not None
                    if changes_nothing and may_pass(error, self._path) and self._patience.lasts_until(end):
                        self._close()  # whose log it was has gone, or comes
                    elif db is None or not self._is_overtaken():
                        raise
                else:
                    if not self._is_overtaken():
                        return done

    def _current(self) -> apsw.Connection:
        db = super()._current()
        return super()._current() if self._is_overtaken() else db

    def _is_overtaken(self) -> bool:
        """Say whether a connection that changes nothing has missed a change, and close it then."""
        if self._reading is None or not self._reading.is_overtaken():
            return False
        self._close()
        return True

    def _close(self) -> None:
        super()._close()
        self._reading = None

    def _open(self) -> apsw.Connection:
        if (self._read_only or not self._creates) and not self._path.exists():
            return self._nothing()
        if self._read_only:
            return self._open_unchanged()
        try:
            return super()._open()
        except (apsw.FullError, apsw.CantOpenError, apsw.ReadOnlyError) as error:
            if not is_settled(self._path) or (is_writable(self._path) and not isinstance(error, apsw.FullError)):
                raise
            return self._open_unchanged(way_at_rest(self._path))  # what is there can be read all the same

    def _open_unchanged(self, way: Way | None = None) -> apsw.Connection:
        """Open the file so that nothing of it changes.

        Raises:
            StoreError: it would have to be migrated first.
        """
        reading = open_reading(self._path, self._patience, way)
        if (version := check_identity(reading.db, self._path)) < len(migrations()):
            reading.db.close()
            if version:
                raise StoreError(too_old(self._path, version))
            reading = Reading(self._nothing(), self._path, state(self._path))
        self._reading = reading
        return reading.db

    def _nothing(self) -> apsw.Connection:
        """Return an empty store in the place of the file that is not there and not to be made.

        Raises:
            StoreError: it was there.
        """
        if left := left_beside(self._path):
            raise StoreError(
                f"there is no {self._path}, but what lies beside one: {', '.join(left)}; "
                "put the file back, or restore a backup: memory-mcp restore"
            )
        db = in_memory()
        in_transaction(db, lambda db: self._upgrade(db, self._path))
        return db


class Database:
    """The file, for asynchronous callers.

    Who only reads may leave a missing one unmade, and finds nothing in it; `read_only`, nothing on the disk is changed.
    """

    def __init__(
        self, path: Path, upgrade: Upgrade, *, creates: bool = True, read_only: bool = False, readers: int = READERS
    ) -> None:
        self.path = path
        self.is_read_only = read_only
        self.is_full = False
        """Whether the last write found no room."""
        most = readers if creates and not read_only else 1
        self._readers = Readers(lambda: _Reader(path, upgrade, creates=creates, read_only=read_only), most)
        self._writer = _Worker(path, "sqlite-write", upgrade)

    async def read(self, work: Callable[[apsw.Connection], T], *, is_search: bool = False) -> T:
        """Do work that only reads; all of it sees one moment. Searches that come together run side by side.

        Raises:
            StoreError: the file cannot be opened or read.
        """

        def explained(db: apsw.Connection) -> T:
            try:
                return work(db)
            except apsw.SQLError:
                check_identity(db, self.path)  # the tables may be a newer version's
                raise

        return await self._readers.run(lambda db: _in_snapshot(db, explained), is_search=is_search)

    async def write(self, work: Callable[[apsw.Connection], T]) -> T:
        """Do work in one transaction; when this returns, it is on disk.

        Raises:
            StoreError: the file cannot be opened or written; nothing of the work was kept.
        """

        def checked(db: apsw.Connection) -> T:
            check_identity(db, self.path)  # a newer version may have migrated the file under us
            return work(db)

        if self.is_read_only:
            raise StoreError(f"{self.path} is only read (MCP_MEMORY_READ_ONLY); unset that to write")
        try:
            done = await asyncio.wrap_future(self._writer.submit(lambda db: in_transaction(db, checked)))
        except DiskFullError:
            self.is_full = True
            raise
        self.is_full = False
        return done

    async def close(self) -> None:
        """Close all connections."""
        await self._writer.close()
        await self._readers.close()
