"""Where the fronts of this user serve the page: private files that `memory-mcp open` reads.

Who asks a front for a link makes an empty file first; the front writes the link beside it, and the asker goes where
that says. So both know that they belong to the same user: another program that has taken the port of a front that died
can neither write such a file nor have a link to itself written, and another user's can have no link made.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from memory_common import whole_file
from memory_mcp.domain.errors import ForbiddenError, InvalidArgumentError

PRIVATE_FOLDER: Final = 0o700
PRIVATE_FILE: Final = 0o600
REPLY: Final = re.compile(r"[0-9a-f]{32}")
ASKED_SUFFIX: Final = ".asked"
LINK_SUFFIX: Final = ".link"
LEAFLET_SUFFIX: Final = ".html"
CODE_S: Final = 60.0
"""Seconds that a sign-in link works."""
LEAFLET: Final = '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={address}">'
LEFT: Final = (ASKED_SUFFIX, LINK_SUFFIX, LEAFLET_SUFFIX)


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """A front that serves the page."""

    url: str
    pid: int
    store: str


def link(url: str, code: str) -> str:
    """Return the address that signs in; what follows # is sent to no server and kept in no log."""
    return f"{url}/sign-in#{code}"


class Register:
    """A folder of the user's with one file for each front."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextlib.contextmanager
    def registered(self, front: Whereabouts) -> Iterator[None]:
        """Keep a front in the register for as long as the context lasts; a folder that cannot be written is left."""
        path = self._folder / f"{front.pid}.json"
        with contextlib.suppress(OSError):
            self._make()
            self._prune()
            whole_file.write(path, json.dumps(asdict(front)).encode())
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def of_store(self, store: str) -> list[Whereabouts]:
        """Return the fronts of a store that may still run, newest first."""
        found = [front for path in self._files() if (front := _read(path)) and front.store == store]
        return [front for front in found if _runs(front.pid)]

    def check_asked(self, name: str) -> None:
        """Refuse a reply that nobody of this user waits for.

        Raises:
            InvalidArgumentError: it is not such a name.
            ForbiddenError: there is no such file, or it was replied to already.
        """
        if not REPLY.fullmatch(name):
            raise InvalidArgumentError("reply", "must be 32 hexadecimal digits")
        try:
            self._asked(name).unlink()
        except OSError as error:
            raise ForbiddenError("nobody asked for this link; run `memory-mcp open`") from error

    def reply(self, name: str, address: str) -> None:
        """Write a link to the file that its asker reads; see `check_asked`.

        Raises:
            OSError: the file cannot be written.
        """
        self._make()
        self._prune()
        whole_file.write(self._folder / f"{name}{LINK_SUFFIX}", address.encode())

    def new_reply(self) -> str:
        """Ask for a link under a name that nobody has used, and return it.

        Raises:
            OSError: the folder cannot be written.
        """
        self._make()
        name = secrets.token_hex(16)
        self._asked(name).touch(mode=PRIVATE_FILE)
        return name

    def _asked(self, name: str) -> Path:
        return self._folder / f"{name}{ASKED_SUFFIX}"

    def take(self, name: str) -> str | None:
        """Return the link of a reply and remove its file; None if there is none."""
        path = self._folder / f"{name}{LINK_SUFFIX}"
        with contextlib.suppress(OSError):
            address = path.read_text(encoding="utf-8")
            path.unlink()
            return address
        return None

    def leaflet(self, address: str) -> Path:
        """Return a private file that leads a browser to a link: an argument of a program is there for all to see.

        Raises:
            OSError: it cannot be written.
        """
        self._make()
        path = self._folder / f"{secrets.token_hex(16)}{LEAFLET_SUFFIX}"
        whole_file.write(path, LEAFLET.format(address=address).encode())
        return path

    def _prune(self) -> None:
        """Remove what nobody needs any longer."""
        for path in self._folder.iterdir():
            with contextlib.suppress(OSError):
                if _is_over(path):
                    path.unlink()

    def _make(self) -> None:
        self._folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)

    def _files(self) -> list[Path]:
        with contextlib.suppress(OSError):
            return sorted(self._folder.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
        return []


def _read(path: Path) -> Whereabouts | None:
    with contextlib.suppress(OSError, ValueError):
        match json.loads(path.read_bytes()):
            case {"url": str(url), "pid": int(pid), "store": str(store)}:
                return Whereabouts(url, pid, store)
    return None


def _is_over(path: Path) -> bool:
    """Return whether a link in a file no longer works, or the front of a file has ended."""
    if path.suffix in LEFT:
        return time.time() - path.stat().st_mtime > CODE_S
    return path.suffix == ".json" and not ((front := _read(path)) and _runs(front.pid))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's now
        return False
    return True
