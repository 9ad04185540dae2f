"""Finds what a peer keeps: in its usual places, or in the folders that its own settings list."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from memory_mcp.domain.errors import TransferError
from memory_mcp.imports.model import Peer

MAX_BYTES: Final = 1 << 20
"""Of a peer's settings; larger ones are not read."""


def find(peer: Peer, given: Path | None) -> Path:
    """Return the peer's file or folder.

    Raises:
        TransferError: it is not there, or there are several.
    """
    if given is not None:
        return _checked(peer, given)
    if not (peer.places or peer.listed_in):
        raise TransferError(f"{peer.name} has no usual place; give the path of the file, or - for stdin")
    home = Path.home()
    found = _listed(peer, home) or [path for place in peer.places for path in home.glob(place)]
    if len(found) > 1:  # they may be parts of one, or one may be outdated: only the user knows
        newest_first = sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)
        named = ", ".join(map(str, newest_first))
        raise TransferError(
            f"{peer.name} has memories in several places; give the path of one, the newest first: {named}"
        )
    if found:
        return found[0]
    places = " or ".join(str(home / place) for place in (*peer.places, *(file for file, _ in peer.listed_in)))
    raise TransferError(f"{peer.name} has nothing at {places}; give the path of its file or folder")


def _checked(peer: Peer, path: Path) -> Path:
    if path.is_file() or path.is_dir():
        return path.resolve()  # a folder's own name counts
    raise TransferError(f"there is no {path}; give the path of the file or folder of {peer.name}")


def _listed(peer: Peer, home: Path) -> list[Path]:
    """Return the folders that a peer's settings list and that are there."""
    named = (Path(folder) for file, member in peer.listed_in for folder in _named(home / file, member))
    return sorted({folder for folder in named if folder.is_absolute() and folder.is_dir()})


def _named(file: Path, member: str) -> Iterator[str]:
    """Yield the paths that a member's values are, or have."""
    listed = None
    with suppress(OSError, ValueError, RecursionError), file.open("rb") as opened:
        listed = json.loads(opened.read(MAX_BYTES))
    members = listed.get(member) if isinstance(listed, dict) else None
    for value in members.values() if isinstance(members, dict) else ():
        path = value.get("path") if isinstance(value, dict) else value
        if isinstance(path, str):
            yield path
