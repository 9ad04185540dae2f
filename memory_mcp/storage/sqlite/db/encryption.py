"""Opens encrypted files: recognizes them, and sets the key that fits before anything is read.

A file is encrypted page by page, and its log too; only the sizes and format numbers in its header stay readable.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, TypeVar
from urllib.parse import urlencode

import apsw

from memory_mcp.domain.errors import LockedError, StoreError

CIPHER: Final = "chacha20"
"""Of SQLite3 Multiple Ciphers: XChaCha20 with a Poly1305 tag on each page."""
KEY: Final = re.compile(r"[0-9a-f]{64}")
"""A key: 256 random bits."""
_PLAIN: Final = b"SQLite format 3\0"
_FRACTIONS: Final = bytes([64, 32, 32])
"""The bytes 21 to 23 of every SQLite file, which encryption leaves as they are (https://sqlite.org/fileformat.html)."""
_HEADER: Final = 24

C = TypeVar("C", bound=apsw.Connection)


class Keys(Protocol):
    """Fetches the keys of a store, the one to write with first."""

    def __call__(self, *, again: bool = False) -> tuple[str, ...]:
        """Return the keys; `again` does not remember them from before.

        Raises:
            LockedError: there is none.
        """
        ...


def no_keys(*, again: bool = False) -> tuple[str, ...]:
    """Have no keys: for a store that is not encrypted."""
    del again
    raise LockedError("no key was given")


class StoreConnection(apsw.Connection):
    """A connection that knows the key of its file."""

    key: str = ""
    """Empty for a plain file."""

    def set_key(self, key: str) -> None:
        """Encrypt or decrypt with this key from now on; call it before anything is read or written."""
        if not hasattr(apsw, "mc_version"):  # another SQLite would ignore the pragmas and write plain text
            raise StoreError("the SQLite of this interpreter has no encryption; reinstall memory-mcp")
        if not KEY.fullmatch(key):  # anything else would be taken for a password
            raise StoreError("a key is not 64 hexadecimal digits; see memory-mcp encrypt --help")
        self.pragma("cipher", CIPHER)
        self.pragma("key", f"raw:{key}")
        self.key = key


def key_of(db: apsw.Connection) -> str:
    """Return the key of a connection's file; empty for a plain one."""
    return db.key if isinstance(db, StoreConnection) else ""


def is_encrypted(path: Path) -> bool:
    """Whether a file is an encrypted database; False where it is missing or cannot be read.

    It is read through SQLite: closing a descriptor of our own would drop the locks that this process has on the file.
    """
    try:
        file = apsw.VFSFile("unix", str(path), [apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_MAIN_DB, 0])
    except apsw.Error:
        return False
    try:
        header = file.xRead(_HEADER, 0)
    except apsw.Error:
        return False
    finally:
        file.xClose()
    return len(header) == _HEADER and not header.startswith(_PLAIN) and header.endswith(_FRACTIONS)


def with_key(path: Path, keys: Keys, open_with: Callable[[str], C]) -> C:
    """Open a file with the key that fits, a plain one with an empty key.

    Args:
        path: of the file.
        keys: are fetched if it is encrypted.
        open_with: opens it; raises NotADBError if the key does not fit.

    Raises:
        LockedError: no key fits.
        apsw.Error, StoreError: what `open_with` raises.
    """
    if not is_encrypted(path):
        try:
            return open_with("")
        except apsw.NotADBError:
            if not is_encrypted(path):  # it was converted meanwhile
                raise
    try:
        return _with_any(path, keys, open_with)
    except LockedError:
        if is_encrypted(path):
            raise
        return open_with("")


def _with_any(path: Path, keys: Keys, open_with: Callable[[str], C]) -> C:
    for again in (False, True):
        for key in keys(again=again):
            try:
                return open_with(key)
            except apsw.NotADBError:
                continue
    raise LockedError(
        f"{path} is encrypted with another key, or damaged; name a file that holds its key "
        "(MCP_MEMORY_ENCRYPTION_KEY_FILE), or move it away and restore a backup"
    )


def write_anew(db: StoreConnection, target: Path, key: str) -> None:
    """Write a snapshot to an empty file.

    Args:
        db: reads the snapshot, in no transaction; it understands URIs.
        target: is encrypted with the key, or plain if that is empty.
        key: of the target.

    Raises:
        apsw.FullError, StoreError: the file cannot be written; SQLite's own message would quote the key.
    """
    how = urlencode({"cipher": CIPHER, "key": f"raw:{key}"} if key else {"key": "", "reserve": 0})
    try:
        db.execute("VACUUM INTO ?", (f"{target.absolute().as_uri()}?{how}",))
    except apsw.FullError:
        raise
    except apsw.Error as error:
        raise StoreError(f"{target} cannot be written ({type(error).__name__}); check its disk and folder") from None
    with target.open("rb") as file:
        os.fsync(file.fileno())  # SQLite syncs it for nobody
    if is_encrypted(target) != bool(key):
        raise StoreError(f"{target} was not written as it should be; reinstall memory-mcp")
