"""Copies of the whole file: backups while others write, and restores while others have the file open.

SQLite's backup interface copies pages within a transaction on each side. So a copy is a snapshot, and whoever has the
file open during a restore sees the old store or the new one, never a mixture.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import apsw

from memory_mcp.domain.errors import DiskFullError, StoreError
from memory_mcp.domain.paths import followed
from memory_mcp.storage.sqlite.db import changes
from memory_mcp.storage.sqlite.db.encryption import Keys, StoreConnection, is_encrypted, key_of, no_keys, write_anew
from memory_mcp.storage.sqlite.db.file import (
    connect,
    create_private,
    identity,
    in_transaction,
    is_full,
    noticing_full,
    open_as_is,
    translated,
)
from memory_mcp.storage.sqlite.db.partitions import NAMESPACES
from memory_mcp.storage.sqlite.db.reading import connect_reading
from memory_mcp.storage.sqlite.db.schema import Steps, check_identity, migrate, migrations
from memory_mcp.storage.sqlite.maintenance import unify
from memory_mcp.storage.sqlite.maintenance.verify import damage, problems
from memory_mcp.storage.sqlite.records import writes

ALL_PAGES: Final = -1
STALE_S: Final = 86_400.0
"""Seconds after which nobody is still at work on a copy that has not got its name."""
PARTITIONED: Final = 9
"""The version that gave the table `namespaces` another name."""
_RENAMED: Final = {"namespaces": "partitions"}
STEPS: Final[Steps] = {6: unify.unify, PARTITIONED: writes.set_documents_apart}
"""Of the migrations. What an earlier one would have filled, the last fills anew."""
_PARTIAL: Final = re.compile(r"\..+\.[0-9a-f]{32}\.partial(-wal|-shm|-journal)?")


def verify(path: Path, keys: Keys = no_keys, *, read_only: bool = False) -> list[str]:
    """Return one sentence per inconsistency in the file.

    Raises:
        StoreError: it cannot be opened or read.
    """
    with translated(path), contextlib.closing(_opened(path, keys, read_only=read_only)) as db:
        return problems(db)


def tidy(path: Path, keys: Keys = no_keys) -> None:
    """Checkpoint and truncate the write-ahead log as far as other processes allow; remove abandoned copies.

    Raises:
        StoreError: the file cannot be opened or written.
    """
    with translated(path):
        _sweep(path.parent)
        before = identity(path)
        with contextlib.closing(connect(path, keys=keys)) as db, contextlib.suppress(apsw.BusyError):
            if identity(path) == before:  # else the log may be that of a file which has replaced the open one
                db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)


def _opened(path: Path, keys: Keys, *, read_only: bool) -> StoreConnection:
    """Open a store; if read-only, no file of it changes."""
    return connect_reading(path, keys=keys, read_only=True) if read_only else connect(path, keys=keys)


def backup(source: Path, target: Path, keys: Keys = no_keys, *, read_only: bool = False) -> None:
    """Copy a snapshot of the source to a new file with the same key, and verify the copy.

    Raises:
        StoreError: the source cannot be read, the target cannot be written, or the copy is inconsistent.
    """
    with translated(target):
        partial = _beginning(target)
        try:
            with translated(source), contextlib.closing(_opened(source, keys, read_only=read_only)) as held:
                _copy(held, partial)
            with contextlib.closing(connect(partial, keys=keys)) as copied:
                _check(copied, source)
                copied.pragma("journal_mode", "DELETE")
            os.link(partial, target)  # which fails where something is, unlike a rename
            sync_folder(target.parent)
        except FileExistsError as error:
            raise StoreError(f"{target} exists already; choose another file") from error
        finally:
            _discard(partial)


def upgrade(db: apsw.Connection, path: Path) -> None:
    """Bring a file to this version's schema, inside the caller's transaction, after a copy of what was there.

    Raises:
        StoreError: it is another program's or a newer version's, is damaged, or there is no room for a copy.
    """
    version = check_identity(db, path)
    if 0 < version < len(migrations()):
        _keep_before_migration(path, version, lambda **_: (key_of(db),))
    migrate(db, path, STEPS)


def _keep_before_migration(path: Path, version: int, keys: Keys) -> None:
    """Copy a file of an earlier schema beside it, in place of a copy from a migration that failed.

    Raises:
        StoreError: there is no space for a copy, or the file is damaged.
    """
    kept = path.with_name(f"{path.stem}.schema-{version}{path.suffix}")
    partial = _beginning(kept)
    try:
        with translated(path), contextlib.closing(connect(path, keys=keys)) as held:
            _copy(held, partial)
        partial.rename(kept)
        sync_folder(kept.parent)
    finally:
        _discard(partial)


def restore(source: Path, live: Path, aside: Path, now: int, keys: Keys = no_keys) -> None:
    """Replace the live file by the backup, after copying it to `aside`; its change log continues counting.

    An encrypted store stays encrypted, with its key; a missing one becomes what the backup is.

    Raises:
        StoreError: it is not a backup, is inconsistent or is of a newer version; nothing was changed.
    """
    source = followed(source)
    if not source.is_file():
        raise _no_file(source)
    with translated(live):
        prepared = _beginning(live.with_name(f"{live.name}.restore"))
    try:
        with translated(source), contextlib.closing(_given(source, keys)) as given:
            _copy(given, prepared, _key_of_restored(given, live, keys))
        with translated(prepared), contextlib.closing(connect(prepared, keys=keys)) as new:
            in_transaction(new, lambda db: migrate(db, prepared, STEPS))
            _check(new, source)
            with translated(live):
                _replace(live, new, aside, now, keys)
    finally:
        _discard(prepared)


def _key_of_restored(given: StoreConnection, live: Path, keys: Keys) -> str:
    """Return the key that a store will have after the backup was restored over it.

    Raises:
        StoreError: the backup is encrypted, and the store is not.
    """
    if is_encrypted(live):
        with contextlib.closing(open_as_is(live, keys)) as held:
            return held.key
    if given.key and live.exists() and live.stat().st_size:
        raise StoreError(
            "the backup is encrypted and the store is not, and nothing was changed; run memory-mcp encrypt first"
        )
    return given.key


def verify_backup(source: Path, keys: Keys = no_keys) -> list[str]:
    """Return one sentence per inconsistency in a backup; of an earlier version's, only whether SQLite can read all.

    Raises:
        StoreError: it is not a backup, or cannot be read.
    """
    source = followed(source)
    if not source.is_file():
        raise _no_file(source)
    with translated(source), contextlib.closing(_given(source, keys)) as given:
        is_current = check_identity(given, source) == len(migrations())
        return problems(given) if is_current else damage(given)


def _no_file(source: Path) -> StoreError:
    return StoreError(f"there is no file {source}; name a file that memory-mcp backup created")


def _discard(partial: Path) -> None:
    """Remove the temporary file of a finished or failed copy."""
    for suffix in ("", "-wal", "-shm"):
        Path(f"{partial}{suffix}").unlink(missing_ok=True)


def _given(path: Path, keys: Keys) -> StoreConnection:
    """Open a backup without changing any file."""
    db = connect_reading(path, keys=keys, read_only=False)
    if check_identity(db, path) == 0:
        db.close()
        raise StoreError(f"{path} is not a store of memories; name a file that memory-mcp backup created")
    return db


def _replace(live: Path, new: StoreConnection, aside: Path, now: int, keys: Keys) -> None:
    create_private(live)
    try:
        _write_over(live, new, aside, now, keys)
    except (apsw.NotADBError, apsw.CorruptError):  # too damaged for anyone to read: all we can do is move it away
        _put_away(live, aside)
        create_private(live)
        _write_over(live, new, aside, now, keys)


def _write_over(live: Path, new: StoreConnection, aside: Path, now: int, keys: Keys) -> None:
    """Write the new store over the live one; others are locked out from the snapshot in `aside` on."""
    with (
        contextlib.closing(connect(live, keys=keys, new_key=new.key)) as old,
        noticing_full(old),
        old.backup("main", new, "main") as copying,
    ):
        copying.step(1)  # from here on nobody else writes
        before = _keep(live, aside, keys)
        in_transaction(new, lambda db: _count_on(db, before, now))
        copying.step(ALL_PAGES)


def _put_away(live: Path, aside: Path) -> None:
    if aside.exists():
        raise _taken(aside)
    aside.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):  # not all three need exist
            Path(f"{live}{suffix}").rename(f"{aside}{suffix}")


@dataclass(frozen=True, slots=True)
class _Before:
    """Where a restored store continues counting, so that no number or generation is used twice."""

    numbers: Mapping[str, int]
    """The last number assigned in each table."""
    namespaces: frozenset[str]


def _keep(live: Path, aside: Path, keys: Keys) -> _Before:
    """Copy the live file to `aside` unless it is empty; of a damaged file, copy the pages."""
    with contextlib.closing(connect(live, keys=keys)) as reader:
        version = check_identity(reader, live)
        if version == 0:
            return _Before({}, frozenset())
        before = _Before(_numbers(reader), _namespaces(reader, version))
        partial = _beginning(aside)
        try:
            _copy(reader, partial)
            os.link(partial, aside)  # which fails where something is, unlike a rename
        except FileExistsError as error:
            raise _taken(aside) from error
        finally:
            _discard(partial)
        sync_folder(aside.parent)
        return before


def _taken(path: Path) -> StoreError:
    return StoreError(f"{path} exists already, and nothing was changed; try again in a second")


def _numbers(db: apsw.Connection) -> dict[str, int]:
    rows = db.execute("SELECT name, seq FROM sqlite_sequence")
    return {_RENAMED.get(name, name): last for name, last in cast("Iterator[tuple[str, int]]", rows)}


def _namespaces(db: apsw.Connection, version: int) -> frozenset[str]:
    sql = "SELECT namespace FROM namespaces" if version < PARTITIONED else NAMESPACES
    return frozenset(name for (name,) in cast("Iterator[tuple[str]]", db.execute(sql)))


def _count_on(db: apsw.Connection, before: _Before, now: int) -> None:
    """Let every table continue counting after both stores, and log a change in all namespaces of both."""
    numbers = _numbers(db)
    for name, last in before.numbers.items():
        if name in numbers:
            db.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", (last, name))
        else:
            db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, last))
    for namespace in sorted(before.namespaces | _namespaces(db, len(migrations()))) or [""]:
        changes.log_change(db, now, "restore", namespace, [])


def _beginning(target: Path) -> Path:
    """Create a private temporary file that will become `target`."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _sweep(target.parent)
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}.partial")
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    return partial


def _sweep(folder: Path) -> None:
    """Remove copies that a killed process left unfinished."""
    for path in folder.glob(".*.partial*"):
        if _PARTIAL.fullmatch(path.name):
            with contextlib.suppress(FileNotFoundError):  # another front was first
                if time.time() - path.stat().st_mtime > STALE_S:
                    path.unlink()


def _copy(held: StoreConnection, target: Path, key: str | None = None) -> None:
    """Copy a snapshot of an open file, with its key or another one.

    Raises:
        DiskFullError: there is no space for the copy.
    """
    if key is not None and key != held.key:
        write_anew(held, target, key)
        return
    with contextlib.closing(StoreConnection(str(target))) as copied:
        if held.key:
            copied.set_key(held.key)
        try:
            with noticing_full(copied), copied.backup("main", held, "main") as copying:
                copying.step(ALL_PAGES)
        except (apsw.FullError, apsw.IOError) as error:
            if is_full(error, target):
                raise DiskFullError(
                    target.parent
                ) from error  # translate it here, because the caller would blame the source
            raise
        copied.pragma("journal_mode", "DELETE")  # a single file without side files


def _check(db: apsw.Connection, source: Path) -> None:
    if found := problems(db):
        raise StoreError(f"the copy of {source} is inconsistent: {found[0]}; make another backup")


def sync_folder(folder: Path) -> None:
    """Make a new name in a folder survive a power loss."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
