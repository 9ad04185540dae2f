"""Finds the folders that a peer's own settings list: projects, vaults."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from memory_mcp.imports.model import Peer

MAX_BYTES: Final = 1 << 20
"""Of such settings; larger ones are not read."""


def folders(peer: Peer, home: Path) -> list[Path]:
    """Return the folders that are there."""
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
