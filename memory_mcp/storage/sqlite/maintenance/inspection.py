"""Doctor's checks of the file: they never create, migrate or write it, and wait only briefly for locks.

`look` runs first, the others only if it finds the file healthy. Each function opens the file itself, so that a hanging
one does not block the others.
"""

from __future__ import annotations

import contextlib
import shlex
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import apsw

from memory_mcp.domain.checks import OTHERS, READ_ONLY, skipped
from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.models import Condition, Finding, Space, Written
from memory_mcp.health.registry import Registry
from memory_mcp.search.lexical.stems import LANGUAGE_CHARS, is_english
from memory_mcp.storage import queue as queued
from memory_mcp.storage.sqlite.db import changes
from memory_mcp.storage.sqlite.db.encryption import Keys, StoreConnection, no_keys
from memory_mcp.storage.sqlite.db.file import BUSY_MS, Patience, in_transaction, left_beside, open_as_is, translated
from memory_mcp.storage.sqlite.db.reading import connect_reading
from memory_mcp.storage.sqlite.db.schema import check_identity, migrations, too_old
from memory_mcp.storage.sqlite.maintenance import findings
from memory_mcp.storage.sqlite.maintenance.verify import problems
from memory_mcp.storage.sqlite.records import reads
from memory_mcp.storage.sqlite.vectors.exact import active_space

Newest = Callable[[], Path | None]
"""Finds the newest backup."""

LOCK_SHARE: Final = 0.5
"""Share of a check's time that may be spent waiting for a lock."""
VERIFY_SHARE: Final = 0.8
LANGUAGE_SAMPLE: Final = 200
"""Memories whose language is looked at, the newest: what is asked for is mostly among them."""
_NEWEST: Final = "SELECT substr(content, 1, ?) FROM memories WHERE deleted_at IS NULL ORDER BY key DESC LIMIT ?"
STEPS: Final = 20_000
"""Steps of SQLite's virtual machine between two looks at the clock: less than a millisecond."""


def register(
    registry: Registry,
    path: Path,
    newest: Newest,
    keys: Keys,
    *,
    read_only: bool,
    verify_s: float | None,
    skip: str = "",
) -> None:
    """Register the checks of a file; `skip` says why there is no file to check.

    `verify_s` is the time limit of verifying, if it differs.
    """
    of_file = ("store",)
    add = registry.add_blocking
    add("store", partial(look, path, newest, keys=keys, read_only=read_only), skip=skip)
    verifying = partial(verify, path, newest, keys=keys, read_only=read_only)
    add("verify", verifying, needs=of_file, seconds=verify_s)
    add("lock", partial(lock, path, keys=keys), needs=of_file, skip=READ_ONLY if read_only else "")
    add("queue", partial(queue, path, keys=keys, read_only=read_only), needs=of_file)
    add("languages", partial(languages, path, keys=keys, read_only=read_only), needs=of_file)


@contextlib.contextmanager
def _reading(path: Path, seconds: float, *, keys: Keys, read_only: bool) -> Iterator[apsw.Connection]:
    """Open a snapshot of the file; if read-only, not even shared memory changes.

    Raises:
        StoreError: it cannot be opened or read.
    """
    patience_ms = _patience_ms(seconds)
    with (
        translated(path, patience_ms),
        contextlib.closing(connect_reading(path, Patience(patience_ms), keys, read_only=read_only)) as db,
    ):
        db.execute("BEGIN")
        yield db


def _patience_ms(seconds: float) -> int:
    return min(BUSY_MS, int(1_000 * LOCK_SHARE * seconds))


def look(path: Path, newest: Newest, seconds: float, *, keys: Keys = no_keys, read_only: bool = False) -> Finding:
    """Check that the file opens, its version, and that it is private."""
    if not path.exists():
        return _missing(path, newest())
    try:
        with _reading(path, seconds, keys=keys, read_only=read_only) as db:
            version = check_identity(db, path)
            db.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    except StoreError as error:
        return _unusable(path, error, newest())
    if version == 0:
        return skipped(findings.NONE)
    if version < len(migrations()):
        return _old(path, version, read_only=read_only)
    if path.stat().st_mode & OTHERS:
        cause = f"other users of this machine can open {path}"
        return Finding(Condition.DEGRADED, "not private", cause, f"chmod 600 {shlex.quote(str(path))}")
    return findings.opened(path)


def _old(path: Path, version: int, *, read_only: bool) -> Finding:
    if read_only:
        cause, fix = too_old(path, version).rsplit("; ", 1)
        return Finding(Condition.FAILED, "old", cause, fix)
    cause = f"{path} is of an earlier version (schema {version}; current is {len(migrations())})"
    return Finding(
        Condition.DEGRADED, "old", cause, "none needed: the next client or command backs it up and migrates it"
    )


def _missing(path: Path, backup: Path | None) -> Finding:
    left = left_beside(path)
    if backup:
        return Finding(Condition.FAILED, "missing", f"{path} is missing, but there are backups of it", _restore(backup))
    if left:
        cause = f"{path} is missing, but its side files exist: {', '.join(left)}"
        return Finding(Condition.FAILED, "missing", cause, "put the file back, or restore a backup: memory-mcp restore")
    return skipped(f"{findings.NONE}, {path}")


def _unusable(path: Path, error: StoreError, backup: Path | None) -> Finding:
    if isinstance(error.__cause__, apsw.BusyError):
        return _held(path, error)
    if isinstance(error.__cause__, apsw.NotADBError | apsw.CorruptError) and backup:
        return Finding(Condition.FAILED, "damaged", str(error), _restore(backup))
    return findings.unusable(path, error)


def _held(path: Path, error: StoreError) -> Finding:
    fix = f"stop the process that holds the lock; to list candidates, run lsof {shlex.quote(str(path))}"
    return Finding(Condition.FAILED, "locked", str(error), fix)


def _restore(backup: Path | None) -> str:
    return f"memory-mcp restore {shlex.quote(str(backup))}" if backup else "restore a backup: memory-mcp restore"


def verify(path: Path, newest: Newest, seconds: float, *, keys: Keys = no_keys, read_only: bool = False) -> Finding:
    """Check that the file is consistent, as far as the time allows."""
    end = time.monotonic() + VERIFY_SHARE * seconds
    try:
        with _reading(path, seconds, keys=keys, read_only=read_only) as db:
            db.set_progress_handler(lambda: time.monotonic() > end, STEPS)
            found = problems(db)
    except StoreError as error:
        if isinstance(error.__cause__, apsw.InterruptError):
            return skipped(
                f"verifying it takes longer than {VERIFY_SHARE * seconds:.1f} s; run memory-mcp doctor --whole"
            )
        return _unusable(path, error, newest())
    if found:
        cause = f"{found[0]}{f' (and {len(found) - 1} more)' if found[1:] else ''}"
        return Finding(Condition.FAILED, "disagrees", cause, _restore(newest()))
    return Finding(Condition.OK, "agrees", detail="pages, keyword index, vectors, counts and change log are consistent")


def lock(path: Path, seconds: float, *, keys: Keys = no_keys) -> Finding:
    """Check that the file is writable; takes the write lock for a moment if it is free."""
    patience_ms = _patience_ms(seconds)
    try:
        with translated(path, patience_ms), contextlib.closing(_writable(path, keys, Patience(patience_ms))) as db:
            in_transaction(db, lambda _: None)
    except StoreError as error:
        if isinstance(error.__cause__, apsw.BusyError):
            return _held(path, error)
        return Finding(Condition.FAILED, "not writable", str(error), f"make {path} and its folder writable")
    return Finding(Condition.OK, "free", detail="it is writable")


def _writable(path: Path, keys: Keys, patience: Patience) -> StoreConnection:
    """Open the file for writing; closing it leaves a killed front's log as it is."""
    db = open_as_is(path, keys, patience)
    db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    return db


def queue(path: Path, seconds: float, *, keys: Keys = no_keys, read_only: bool = False) -> Finding:
    """Report the queue of memories that wait for vectors."""
    with _reading(path, seconds, keys=keys, read_only=read_only) as db:
        return queued.of_queue(reads.queue(db, None))


def languages(path: Path, seconds: float, *, keys: Keys = no_keys, read_only: bool = False) -> Finding:
    """Name the multilingual model where an English one made the vectors of a store that is mostly not English."""
    try:
        with _reading(path, seconds, keys=keys, read_only=read_only) as db:
            active = active_space(db)
            told = Counter(is_english(content) for (content,) in db.execute(_NEWEST, (LANGUAGE_CHARS, LANGUAGE_SAMPLE)))
    except StoreError:
        return skipped("the memories cannot be read: see verify")
    return queued.of_languages(active[1] if active else None, told[True], told[False])


def space(path: Path, seconds: float, *, keys: Keys = no_keys, read_only: bool = False) -> Space | None:
    """Return the active space; None before the first vector.

    Raises:
        StoreError: it cannot be read.
    """
    with _reading(path, seconds, keys=keys, read_only=read_only) as db:
        active = active_space(db)
    return active[1] if active else None


def written(path: Path, seconds: float, *, keys: Keys = no_keys, read_only: bool = False) -> Written | None:
    """Return when the store was last written; None if it never was.

    Raises:
        StoreError: it cannot be read.
    """
    with _reading(path, seconds, keys=keys, read_only=read_only) as db:
        return changes.written(db)
