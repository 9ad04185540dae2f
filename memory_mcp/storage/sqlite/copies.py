"""Copies of the whole file: backups while others write, and restoring one under everyone's feet.

SQLite's backup interface copies pages within a transaction of each side, so that a copy is of one moment, and a
restored store is the old or the new one for whoever has the file open, never a mixture.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final, cast

import apsw

from memory_mcp.domain.errors import StoreError
from memory_mcp.storage.sqlite import changes
from memory_mcp.storage.sqlite.file import connect, create_private, in_transaction, translated
from memory_mcp.storage.sqlite.schema import check_identity, migrate
from memory_mcp.storage.sqlite.verify import problems

ALL_PAGES: Final = -1


def verify(path: Path) -> list[str]:
    """Return a sentence for everything in the file that does not agree.

    Raises:
        StoreError: it cannot be opened or read.
    """
    with translated(path), contextlib.closing(connect(path)) as db:
        return problems(db)


def checkpoint(path: Path) -> None:
    """Bring the write-ahead log home and shorten it, as far as others let it.

    Raises:
        StoreError: the file cannot be opened or written.
    """
    with translated(path), contextlib.closing(connect(path)) as db, contextlib.suppress(apsw.BusyError):
        db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)


def backup(source: Path, target: Path) -> None:
    """Copy one moment of the source to a file that is not there yet, and verify the copy.

    Raises:
        StoreError: the source cannot be read, the target cannot be written, or the copy does not agree.
    """
    with translated(target):
        partial = _beginning(target)
        try:
            with translated(source), contextlib.closing(connect(source)) as held:
                _copy(held, partial)
            with contextlib.closing(connect(partial)) as copied:
                _check(copied, source)
                copied.pragma("journal_mode", "DELETE")
            os.link(partial, target)  # which fails where something is, unlike a rename
            _sync(target.parent)
        except FileExistsError as error:
            raise StoreError(f"{target} is there already; name another file") from error
        finally:
            partial.unlink(missing_ok=True)


def keep_before_migration(path: Path, version: int) -> None:
    """Copy a file of an earlier schema beside it, unless that was done before.

    Raises:
        StoreError: there is no room for a copy, or the file is damaged.
    """
    kept = path.with_name(f"{path.stem}.schema-{version}{path.suffix}")
    if kept.exists():
        return
    partial = _beginning(kept)
    try:
        with translated(path), contextlib.closing(connect(path)) as held:
            _copy(held, partial)
        partial.rename(kept)
        _sync(kept.parent)
    finally:
        partial.unlink(missing_ok=True)


def restore(source: Path, live: Path, aside: Path, now: int) -> None:
    """Make the live file what the backup is, after a copy of it went to `aside`; its change log goes on counting.

    Raises:
        StoreError: the backup is none, does not agree or is of a newer version; nothing was changed.
    """
    if not source.is_file():
        raise StoreError(f"there is no file {source}")
    prepared = _beginning(live.with_name(f"{live.name}.restore"))
    try:
        with translated(source), contextlib.closing(_reading(source)) as given:
            _copy(given, prepared)
        with translated(prepared), contextlib.closing(connect(prepared)) as new:
            in_transaction(new, lambda db: migrate(db, prepared))
            _check(new, source)
            _replace(live, new, aside, now)
    finally:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{prepared}{suffix}").unlink(missing_ok=True)


def _reading(path: Path) -> apsw.Connection:
    """Open a file without changing anything about it."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    if check_identity(db, path) == 0:
        raise StoreError(f"{path} is no store of memories; name a file that memory-mcp backup made")
    return db


def _replace(live: Path, new: apsw.Connection, aside: Path, now: int) -> None:
    """Write the new store over the live one, everyone else kept out from the moment that is kept aside."""
    create_private(live)
    old = _opened(live)
    if old is None:  # too damaged to be opened, by anyone: it can only be put away
        _put_away(live, aside)
        create_private(live)
        old = connect(live)
    with translated(live), contextlib.closing(old), old.backup("main", new, "main") as copying:
        copying.step(1)  # from here on nobody else writes
        generation = _keep(live, aside)
        in_transaction(new, lambda db: _count_on(db, generation, now))
        copying.step(ALL_PAGES)


def _opened(live: Path) -> apsw.Connection | None:
    try:
        return connect(live)
    except (apsw.NotADBError, apsw.CorruptError):
        return None


def _put_away(live: Path, aside: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):  # there need not be all three
            Path(f"{live}{suffix}").rename(f"{aside}{suffix}")


def _keep(live: Path, aside: Path) -> int:
    """Copy what is there to `aside`, unless it is nothing, and return its generation."""
    with contextlib.closing(connect(live)) as reader:
        if check_identity(reader, live) == 0:
            return 0
        partial = _beginning(aside)
        _copy(reader, partial)
        partial.rename(aside)
        _sync(aside.parent)
        return changes.generation(reader)


def _count_on(db: apsw.Connection, generation: int, now: int) -> None:
    """Go on counting changes after both stores, so that no generation ever means two things."""
    number = max(generation, changes.generation(db)) + 1
    names = [
        name
        for (name,) in cast(
            "list[tuple[str]]", db.execute("SELECT namespace FROM namespaces ORDER BY namespace").fetchall()
        )
    ]
    for offset, namespace in enumerate(names or [""]):
        db.execute(
            "INSERT INTO changes (seq, at, namespace, kind, memory_ids, tags) VALUES (?, ?, ?, 'restore', '[]', '[]')",
            (number + offset, now, namespace),
        )


def _beginning(target: Path) -> Path:
    """Make a new private file for what will be `target`."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    partial.unlink(missing_ok=True)
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    return partial


def _copy(held: apsw.Connection, target: Path) -> None:
    """Copy one moment of an open file."""
    with contextlib.closing(apsw.Connection(str(target))) as copied:
        with copied.backup("main", held, "main") as copying:
            copying.step(ALL_PAGES)
        copied.pragma("journal_mode", "DELETE")  # one file, nothing beside it


def _check(db: apsw.Connection, source: Path) -> None:
    if found := problems(db):
        raise StoreError(f"the copy of {source} does not agree: {found[0]}; take another backup")


def _sync(folder: Path) -> None:
    """Make a new name in a folder survive a power loss."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
