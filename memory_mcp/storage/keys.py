"""Where a store's keys are kept: in a variable, in a file, or in the system's keychain.

The first key encrypts; the others open what was encrypted before, such as backups that lie elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final, NamedTuple

from memory_common.whole_file import replacing
from memory_mcp.domain.errors import LockedError, StoreError

if TYPE_CHECKING:  # pydantic, for which a hook has no time
    from memory_mcp.settings import Settings

SERVICE: Final = "memory-mcp"
"""The keychain's name for what is ours."""
MOST_KEYS: Final = 8
MOST_BYTES: Final = 4_096
"""Of a file of keys."""
AGAIN_S: Final = 30.0
"""Seconds for which the keychain is not asked again: it may ask a person each time."""
_FILE: Final = "keep it in a file: MCP_MEMORY_ENCRYPTION_KEY_FILE"
_KEY: Final = re.compile(r"[0-9a-fA-F]{64}")
_BETWEEN: Final = re.compile(r"[\s,]+")


class KeyPlace(NamedTuple):
    """Where the keys of a store are; a variable comes before a file, and that before the keychain."""

    store: Path
    variable: str | None = None
    """What MCP_MEMORY_ENCRYPTION_KEY says."""
    file: Path | None = None
    asks_keychain: bool = True
    """Whether the keychain may be asked, which may ask a person in turn."""

    def __str__(self) -> str:
        """Name the place, for people."""
        if self.variable is not None:
            return "MCP_MEMORY_ENCRYPTION_KEY"
        return str(self.file) if self.file else "the system's keychain"

    @property
    def is_keychain(self) -> bool:
        """Whether it is the system's keychain."""
        return self.variable is None and self.file is None

    def load(self) -> tuple[str, ...]:
        """Return the keys; none if nothing is kept there yet.

        Raises:
            LockedError: the place cannot be read, or holds something else.
        """
        if self.variable is not None:
            return self._parsed(self.variable)
        if self.file is not None:
            return self._parsed(self._read(self.file))
        if not self.asks_keychain:
            raise LockedError(f"the key may be in the keychain, which is not asked here; {_FILE}")
        return self._parsed(_from_keychain(self._account))

    def save(self, keys: Sequence[str]) -> None:
        """Keep these keys in place of all others, and read them back.

        Raises:
            LockedError: the place cannot be read, or holds something else.
            StoreError: it cannot be written; it holds what it held.
        """
        before = self.load()
        kept: tuple[str, ...] = ()
        self._put(keys)
        with contextlib.suppress(LockedError):  # what it has made of them may be no keys
            kept = self.load()
        if kept != tuple(keys):
            self._put(before)
            raise StoreError(f"{self} does not return the key that was saved, and nothing was changed; use a file")

    def _put(self, keys: Sequence[str]) -> None:
        """Write these keys to the place, unless that is a variable, which its user sets."""
        text = "\n".join(keys)
        if self.variable is not None:
            return
        if self.file is not None:
            try:
                with replacing(self.file) as file:
                    file.write(text.encode() + b"\n")
            except OSError as error:
                raise StoreError(
                    f"{self.file} cannot be written ({error.strerror}), and nothing was changed; make it writable"
                ) from error
        else:
            _into_keychain(self._account, text)

    @property
    def _account(self) -> str:
        return f"key of {self.store}"

    def _read(self, file: Path) -> str:
        try:
            with file.open("rb") as held:
                return held.read(MOST_BYTES).decode("ascii", "replace")
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise LockedError(f"{file} cannot be read ({error.strerror}); make it readable") from error

    def _parsed(self, text: str) -> tuple[str, ...]:
        keys = tuple(key for key in _BETWEEN.split(text) if key)
        if len(keys) > MOST_KEYS or not all(map(_KEY.fullmatch, keys)):
            raise LockedError(f"{self} holds no key of 64 hexadecimal digits; put the store's key there")
        return tuple(key.lower() for key in keys)


def key_place(settings: Settings) -> KeyPlace:
    """Return where the settings keep the keys of the store's file."""
    given = settings.encryption_key
    return KeyPlace(
        settings.sqlite_path,
        given.get_secret_value() if given else None,
        settings.encryption_key_file,
        settings.encryption_keychain_enabled,
    )


@cache
def remembered(place: KeyPlace) -> RememberedKeys:
    """Return the keys of a place, the same ones for all parts of a process: the keychain may ask a person each time."""
    return RememberedKeys(place)


class RememberedKeys:
    """The keys of a store, fetched when an encrypted file is met, and kept for as long as the process lives."""

    def __init__(self, place: KeyPlace, clock: Callable[[], float] = time.monotonic) -> None:
        self._place = place
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: tuple[str, ...] = ()
        self._failure = ""
        self._asked_at = float("-inf")

    def __call__(self, *, again: bool = False) -> tuple[str, ...]:
        """Return the keys; `again` does not use what is remembered.

        Raises:
            LockedError: there is none.
        """
        with self._lock:  # the keychain is asked once, whoever waits
            if (again or self._failure or not self._keys) and not self._was_just_asked():
                self._fetch()
            if self._failure:
                raise LockedError(self._failure)
            return self._keys

    def _was_just_asked(self) -> bool:
        return self._place.is_keychain and self._clock() - self._asked_at < AGAIN_S

    def _fetch(self) -> None:
        try:
            self._keys = self._place.load()
            self._failure = "" if self._keys else self._missing()
        except LockedError as error:
            self._failure = str(error)
        self._asked_at = self._clock()

    def _missing(self) -> str:
        return (
            f"{self._place.store} is encrypted, and its key is not in {self._place}; "
            "put it there, or name a file that holds it: MCP_MEMORY_ENCRYPTION_KEY_FILE"
        )


def new_key() -> str:
    """Return a key that nobody has."""
    return os.urandom(32).hex()


def _from_keychain(account: str) -> str:
    with _keychain() as keyring:
        return keyring.get_password(SERVICE, account) or ""


def _into_keychain(account: str, text: str) -> None:
    with _keychain() as keyring:
        keyring.set_password(SERVICE, account, text)


@contextlib.contextmanager
def _keychain() -> Iterator[ModuleType]:
    """Use the system's keychain.

    Raises:
        LockedError: there is none, or it refuses.
    """
    try:
        import keyring  # noqa: PLC0415 - optional, and only for an encrypted store
        from keyring.errors import KeyringError  # noqa: PLC0415 - likewise
    except ImportError as error:
        raise LockedError(
            f"the key may be in the keychain, but keyring is not installed; install memory-mcp[keychain], or {_FILE}"
        ) from error
    try:
        yield keyring
    except KeyringError as error:
        raise LockedError(f"the keychain cannot be used ({type(error).__name__}); unlock it, or {_FILE}") from error
