"""What was shown in each session, so that nothing is shown twice: a small private file per session, kept for days."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

KEPT_S: Final = 7 * 86_400.0
MOST_IDS: Final = 2_000
"""Ids that a file holds; of more, the oldest are forgotten."""
MOST_BYTES: Final = 1_000_000
PRUNED: Final = 1_000
"""Files that one pruning looks at, at most."""

MOST_NAME: Final = 100

ShownBefore = Mapping[str, frozenset[str]]
"""The ids of memories by their namespace."""


def _file_name(session: str) -> str:
    """Return the session's id, or its digest where it could not be a file's name."""
    if session.isascii() and session.replace("-", "").isalnum() and len(session) <= MOST_NAME:
        return session
    import hashlib  # noqa: PLC0415 - 2 ms, and clients' ids are plain

    return hashlib.sha256(session.encode("utf-8", "surrogatepass")).hexdigest()


class SessionRecord:
    """The record of one session; a file that cannot be read or written counts as empty."""

    def __init__(self, folder: Path, client: str, session: str) -> None:
        self._folder = folder
        self._file = folder / f"{client}-{_file_name(session)}.json" if session else None

    def shown(self) -> ShownBefore:
        """Return what was shown since the session's context began."""
        by_namespace: dict[str, set[str]] = {}
        for namespace, memory_id in self._read():
            by_namespace.setdefault(namespace, set()).add(memory_id)
        return {namespace: frozenset(ids) for namespace, ids in by_namespace.items()}

    def add(self, shown: Iterable[tuple[str, str]], *, begins: bool) -> None:
        """Note (namespace, id) of what is shown now; with `begins` the rest is forgotten."""
        if self._file is None:
            return
        with contextlib.suppress(OSError):  # it is shown again, then
            self._write(self._file, [*(() if begins else self._read()), *shown])

    def _write(self, file: Path, kept: list[tuple[str, str]]) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = file.with_suffix(f".{os.getpid()}.new")  # not synced to the disk: it is only a convenience
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as new:  # noqa: PTH123 - the mode
            new.write(json.dumps(kept[-MOST_IDS:]).encode())
        draft.replace(file)

    def _read(self) -> list[tuple[str, str]]:
        if self._file is None:
            return []
        with contextlib.suppress(OSError, ValueError, TypeError, RecursionError), self._file.open("rb") as file:
            held = json.loads(file.read(MOST_BYTES))
            return [(str(namespace), str(memory_id)) for namespace, memory_id in held]
        return []

    def prune(self, now: float | None = None) -> None:
        """Remove the files of sessions that showed nothing for so long."""
        oldest = (time.time() if now is None else now) - KEPT_S
        with contextlib.suppress(OSError):
            for _, file in zip(range(PRUNED), self._folder.iterdir(), strict=False):
                with contextlib.suppress(OSError):
                    if file.suffix in {".json", ".new"} and file.stat().st_mtime < oldest:
                        file.unlink()
