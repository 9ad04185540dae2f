"""Encrypts a file, or decrypts it: writes it anew beside, and puts that in its place while nobody writes.

A crash leaves the old file or the new one, whole. Whoever has the old one open finds it marked, and opens the new one.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

import apsw

from memory_mcp.domain.errors import DiskFullError, StoreError
from memory_mcp.storage.sqlite.db.encryption import Keys, StoreConnection, is_encrypted, write_anew
from memory_mcp.storage.sqlite.db.file import Patience, is_full, noticing_full, open_as_is, translated
from memory_mcp.storage.sqlite.db.reading import connect_reading
from memory_mcp.storage.sqlite.db.schema import CONVERTED, check_identity, migrations
from memory_mcp.storage.sqlite.maintenance.copies import sync_folder
from memory_mcp.storage.sqlite.maintenance.verify import damage, problems

_SIDE_FILES: Final = ("-wal", "-shm")
_NUMBER: Final = "0" * 32
"""In place of a copy's random one: a draft that a killed conversion left is found again."""


def _draft_of(path: Path) -> Path:
    """Return the new file while it is written."""
    return path.with_name(f".{path.name}.{_NUMBER}.partial")


def discard_draft(path: Path) -> None:
    """Remove the draft of a conversion that failed or was killed."""
    for suffix in ("", "-journal", *_SIDE_FILES):
        Path(f"{_draft_of(path)}{suffix}").unlink(missing_ok=True)


def is_converted(path: Path, keys: Keys, key: str) -> bool:
    """Whether a file is already encrypted with a key, or plain if that is empty.

    Raises:
        StoreError: it cannot be opened or read.
    """
    with translated(path):
        if not key or not is_encrypted(path):
            return is_encrypted(path) == bool(key)
        with contextlib.closing(open_as_is(path, keys)) as db:
            return db.key == key


def convert(path: Path, keys: Keys, key: str) -> None:
    """Encrypt a file with a key, or decrypt it with an empty one.

    Raises:
        LockedError: it is encrypted, and none of the keys fits.
        StoreError: it cannot be read or written, or is inconsistent; it is what it was.
    """
    draft = _draft_of(path)
    with translated(path), contextlib.closing(open_as_is(path, keys)) as old, _all_in_file(old, path):
        try:
            _write_draft(path, keys, draft, key)
            _swap(old, path, draft, key)
        finally:
            discard_draft(path)


@contextlib.contextmanager
def _all_in_file(db: StoreConnection, path: Path) -> Iterator[None]:
    """Keep others from writing, with an empty log: everything is in the file itself.

    Raises:
        apsw.BusyError: somebody wrote or read without a pause.
    """
    patience = Patience()
    for calls in count():
        db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        db.execute("BEGIN IMMEDIATE")
        try:
            if _is_empty(Path(f"{path}-wal")):
                yield
                return
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")
        if not patience(calls):
            raise apsw.BusyError("others write all the time")


def _is_empty(log: Path) -> bool:
    try:
        return log.stat().st_size == 0
    except FileNotFoundError:
        return True


def _write_draft(path: Path, keys: Keys, draft: Path, key: str) -> None:
    """Write the new file, and verify it.

    Raises:
        DiskFullError: there is no space for it.
    """
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    with contextlib.closing(open_as_is(path, keys)) as held:
        try:
            write_anew(held, draft, key)
        except (apsw.Error, OSError) as error:
            if is_full(error, draft):
                raise DiskFullError(draft.parent) from error
            raise
    with contextlib.closing(connect_reading(draft, keys=lambda **_: (key,), read_only=True)) as new:
        is_current = check_identity(new, draft) == len(migrations())
        if found := problems(new) if is_current else damage(new):
            raise StoreError(f"{path} is inconsistent, and nothing was changed: {found[0]}; run memory-mcp doctor")


def _swap(old: StoreConnection, path: Path, draft: Path, key: str) -> None:
    """Put the new file in place; nobody can open it before the side files of the old one are gone."""
    with contextlib.closing(open_as_is(draft, lambda **_: (key,))) as new:
        new.execute("BEGIN EXCLUSIVE")
        draft.rename(path)
        for suffix in _SIDE_FILES:
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        sync_folder(path.parent)
    with contextlib.suppress(apsw.ReadOnlyError), noticing_full(old):  # a file without a log is open nowhere else
        old.pragma("user_version", CONVERTED)
        old.execute("COMMIT")
