"""Encrypts all files of a store, or decrypts them, one after another; run again, it goes on where it stopped."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from memory_mcp.domain.errors import LockedError, SettingsError, StoreError
from memory_mcp.storage.keys import MOST_KEYS, KeyPlace, new_key
from memory_mcp.storage.sqlite.db.encryption import Keys, is_encrypted
from memory_mcp.storage.sqlite.db.file import connect, create_private, in_transaction, translated
from memory_mcp.storage.sqlite.maintenance import copies
from memory_mcp.storage.sqlite.maintenance.conversion import convert, discard_draft, is_converted

DERIVED: Final = ("-signs", "-map")
"""Suffixes of the files that hold what was derived from vectors; an encrypted store keeps it in memory."""

OnFile = Callable[[Path], None]
"""Is told of each file that is about to be converted."""


@dataclass(frozen=True, slots=True)
class Encryption:
    """Encrypts one store with its copies."""

    store: Path
    folder: Path
    """Of the backups."""
    place: KeyPlace

    def files(self) -> list[Path]:
        """Return the store's file, if there is one, and all copies of it that we made."""
        beside = self.store.parent.glob(f"{self.store.stem}.schema-*{self.store.suffix}")
        backups = [path for name in ("memories-*.db", "before-restore-*.db") for path in self.folder.glob(name)]
        return [path for path in (self.store, *sorted(beside), *sorted(backups)) if path.is_file()]

    def is_encrypted(self) -> bool:
        """Whether the store is encrypted; a missing one is not."""
        return is_encrypted(self.store)

    def encrypt(self, on_file: OnFile, *, rekey: bool = False) -> list[Path]:
        """Encrypt every file with the first key, a new one if there is none or `rekey`; return what was changed.

        A missing store is created. Older keys stay behind the new one, for copies that lie elsewhere.

        Raises:
            LockedError: a file is encrypted already, and no key fits; nothing was changed.
            SettingsError: a new key cannot be put into a variable.
            StoreError: a file or the key cannot be read or written, or an earlier conversion has not ended.
        """
        with self._alone():
            keys = self.place.load()
            self._check_keys(keys)
            if rekey:
                self._check_rekey(keys)
            if not keys or rekey:
                keys = (new_key(), *keys)[:MOST_KEYS]
                self.place.save(keys)
            if not self.store.exists():
                self._create(keys[0])
            return self._convert(keys, keys[0], on_file)

    def decrypt(self, on_file: OnFile) -> list[Path]:
        """Decrypt every file; return what was changed. The keys stay where they are.

        Raises:
            LockedError: no key fits; nothing was changed.
            StoreError: a file cannot be read or written.
        """
        with self._alone():
            keys = self.place.load() if any(map(is_encrypted, self.files())) else ()
            self._check_keys(keys)
            return self._convert(keys, "", on_file)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep a second one from choosing another key meanwhile.

        Raises:
            StoreError: another one is at work.
        """
        self.store.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = os.open(self.store.parent, os.O_RDONLY)
        try:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StoreError("another memory-mcp encrypt or decrypt is running; wait until it is done") from error
            yield
        finally:
            os.close(folder)

    def _check_keys(self, keys: Sequence[str]) -> None:
        """Check that every file can be opened."""
        for path in self.files():
            if is_encrypted(path) and not keys:
                raise LockedError(
                    f"{path} is encrypted, and {self.place} holds no key, so nothing was changed; put its key there"
                )
            is_converted(path, _given(keys), "".join(keys[:1]))

    def _check_rekey(self, keys: Sequence[str]) -> None:
        if self.place.variable is not None:
            raise SettingsError(
                "--rekey cannot write to MCP_MEMORY_ENCRYPTION_KEY; put the new key before the old one there, and run "
                "memory-mcp encrypt"
            )
        if not all(is_converted(path, _given(keys), "".join(keys[:1])) for path in self.files()):
            raise StoreError("not every file has the latest key yet; run memory-mcp encrypt, then --rekey again")

    def _create(self, key: str) -> None:
        create_private(self.store)
        with translated(self.store), contextlib.closing(connect(self.store, new_key=key)) as db:
            in_transaction(db, lambda db: copies.upgrade(db, self.store))

    def _convert(self, keys: Sequence[str], key: str, on_file: OnFile) -> list[Path]:
        """Convert what is not yet as it should be, also what a client has copied meanwhile."""
        changed: list[Path] = []
        for path in self.files():
            discard_draft(path)
        while left := [path for path in self.files() if not is_converted(path, _given(keys), key)]:
            for path in left:
                on_file(path)
                convert(path, _given(keys), key)
                changed.append(path)
        if key:
            for suffix in DERIVED:
                self.store.with_name(f"{self.store.name}{suffix}").unlink(missing_ok=True)
        return changed


def _given(keys: Sequence[str]) -> Keys:
    def given(*, again: bool = False) -> tuple[str, ...]:
        del again
        return tuple(keys)

    return given
