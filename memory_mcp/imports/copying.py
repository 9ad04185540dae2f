"""Makes the private copy of a peer's file, or of its files in a folder, as they are at one moment."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from memory_mcp.imports.model import Peer, UnreadableError, named

TRIES: Final = 5
"""Copies of files that another program writes."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many files there may be, and how large they are together."""

    files: int
    size: int
    """In bytes."""


COPIED: Final = Bounds(100_000, 8 << 30)
Stat = tuple[int, int] | None


def copied(peer: Peer, path: Path, folder: Path) -> Path:
    """Copy a file with those that belong to it, or a folder's files of this peer; return the copy.

    Raises:
        UnreadableError: it cannot be copied, is too large, is locked, or another program writes it all the time.
    """
    target = folder / path.name
    try:
        _refuse_locked(peer, path)
        for _ in range(TRIES):
            before = _stats(peer, path)
            _copy(path, target, before)
            if _stats(peer, path) == before:
                return target
            _remove(target, before)
    except OSError as error:
        raise UnreadableError(f"it cannot be copied ({error.strerror}); fix that and try again") from error
    raise UnreadableError("another program writes it all the time; close that program")


def _refuse_locked(peer: Peer, path: Path) -> None:
    """Refuse files whose program is at work.

    Raises:
        UnreadableError: it is.
    """
    locks = {file.parent / peer.lock for file in _files(peer, path)} if peer.lock else set()
    for lock in locks:
        with suppress(FileNotFoundError), lock.open("rb") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UnreadableError("the program that writes it is running; close it and try again") from error


def _stats(peer: Peer, path: Path) -> dict[Path, Stat]:
    """Return the files to copy, those that are not there too: they may come.

    Raises:
        UnreadableError: there are too many, or too much.
    """
    stats = {beside: _stat(beside) for file in _files(peer, path) for beside in _with_beside(peer, file)}
    if not stats:
        raise UnreadableError(f"it holds no {named(peer.files)}; give the path of the folder of {peer.name}")
    if len(stats) > COPIED.files or sum(size for _, size in filter(None, stats.values())) > COPIED.size:
        raise UnreadableError(
            f"it has more than {COPIED.files:,} files or {COPIED.size >> 30} GiB; name a smaller part of it"
        )
    return stats


def _files(peer: Peer, path: Path) -> Iterator[Path]:
    """Yield the files; links are not followed: they may lead anywhere."""
    if not path.is_dir():
        yield path
        return
    for pattern in peer.files:
        yield from (file for file in path.glob(pattern) if file.is_file() and not file.is_symlink())
    if any(path == Path.home() / place for place in peer.places):
        yield from (file for pattern in peer.temporary for file in _temporary().glob(pattern) if _is_own(file))


def _temporary() -> Path:
    return Path(tempfile.gettempdir()).resolve()


def _is_own(file: Path) -> bool:
    """Whether a file in a folder of everybody's is the user's."""
    return file.is_file() and not file.is_symlink() and file.stat().st_uid == os.getuid()


def _with_beside(peer: Peer, file: Path) -> list[Path]:
    return [file, *(file.with_name(file.name + ending) for ending in peer.beside)]


def _stat(file: Path) -> Stat:
    with suppress(FileNotFoundError):
        found = file.stat()
        return found.st_mtime_ns, found.st_size
    return None


def _copy(path: Path, target: Path, files: Mapping[Path, Stat]) -> None:
    if path.is_dir():
        target.mkdir(exist_ok=True)
    for file, was in files.items():
        copy = _place(path, target, file)
        if was is not None:
            copy.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # gone meanwhile: the next try
                shutil.copy2(file, copy)  # with its time, which stands for times that are missing


def _remove(target: Path, files: Mapping[Path, Stat]) -> None:
    """Remove a copy that is not of one moment."""
    if target.is_dir():
        shutil.rmtree(target)
    for file in files:
        (target.parent / file.name).unlink(missing_ok=True)


def _place(path: Path, target: Path, file: Path) -> Path:
    if not path.is_dir():
        return target.with_name(file.name)
    return target / file.relative_to(path if file.is_relative_to(path) else _temporary())
