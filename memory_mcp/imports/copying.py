"""Makes the private copy of a peer's file, or of its files in a folder, as they are at one moment."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
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
TOO_MUCH: Final = "it has more than {files:,} files or {gib} GiB; name a smaller part of it"
AT_ONCE: Final = 1 << 20
_OPENED: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Neither through a link, nor waiting for whoever writes into a pipe."""
Stat = tuple[int, int] | None


def copied(peer: Peer, path: Path, folder: Path) -> Path:
    """Copy a file with those that belong to it, or a folder's files of this peer; return the copy.

    Raises:
        UnreadableError: it cannot be copied, is too large, is locked, or another program writes it all the time.
    """
    target = folder / path.name
    try:
        path = path.resolve(strict=True)  # what the user names may be a link; what lies below it may not
        _refuse_locked(peer, path)
        for _ in range(TRIES):
            before = _stats(peer, path)
            _copy(path, target, before)
            if _stats(peer, path) == before:
                _copy_from_home(peer, target)
                return target
            _remove(path, target, before)
    except OSError as error:
        raise UnreadableError(f"it cannot be copied ({error.strerror}); fix that and try again") from error
    raise UnreadableError("another program writes it all the time; close that program")


def _copy_from_home(peer: Peer, target: Path) -> None:
    """Add what the user's folder says of a folder elsewhere, unless that has its own."""
    for place in peer.at_home if target.is_dir() else ():
        file, copy = Path.home() / place, target / place
        if file.is_file() and not any(target.glob(f"**/{file.name}")):
            copy.parent.mkdir(parents=True, exist_ok=True)
            copied(peer, file, copy.parent)


def _refuse_locked(peer: Peer, path: Path) -> None:
    """Refuse files whose program is at work.

    Raises:
        UnreadableError: it is.
    """
    locks = {file.parent / peer.lock for file in _files(peer, path)} if peer.lock else set()
    for lock in locks:
        with suppress(FileNotFoundError), os.fdopen(os.open(lock, _OPENED), "rb") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UnreadableError("the program that writes it is running; close it and try again") from error


def _stats(peer: Peer, path: Path) -> dict[Path, Stat]:
    """Return the files to copy, those that are not there too: they may come.

    Raises:
        UnreadableError: there are too many, or too much.
    """
    stats = {beside: _stat(path, beside) for file in _files(peer, path) for beside in _with_beside(peer, file)}
    if not stats:
        raise UnreadableError(f"it holds no {named(peer.files)}; give the path of the folder of {peer.name}")
    if len(stats) > COPIED.files or sum(size for _, size in filter(None, stats.values())) > COPIED.size:
        raise _too_much()
    return stats


def _too_much() -> UnreadableError:
    return UnreadableError(TOO_MUCH.format(files=COPIED.files, gib=COPIED.size >> 30))


def _files(peer: Peer, path: Path) -> Iterator[Path]:
    """Yield the files; links are not followed: they may lead anywhere."""
    if not path.is_dir():
        yield path
        return
    for pattern in peer.files:
        yield from (file for file in path.glob(pattern) if _is_below(path, file))
    if any(path == (Path.home() / place).resolve() for place in peer.places):
        yield from (file for pattern in peer.temporary for file in _temporary().glob(pattern) if _is_own(file))


def _temporary() -> Path:
    return Path(tempfile.gettempdir()).resolve()


def _is_own(file: Path) -> bool:
    """Whether a file in a folder of everybody's is the user's."""
    return _is_below(_temporary(), file) and file.lstat().st_uid == os.getuid()


def _is_below(root: Path, file: Path) -> bool:
    """Whether it is a regular file that no link leads to."""
    return file.is_file() and not any(part.is_symlink() for part in (file, *file.parents) if part.is_relative_to(root))


def _with_beside(peer: Peer, file: Path) -> list[Path]:
    return [file, *(file.with_name(file.name + ending) for ending in peer.beside)]


def _stat(path: Path, file: Path) -> Stat:
    """Return the time and the size of a file; None if it is not there.

    Raises:
        UnreadableError: it is a link, a pipe or a device: what is in it would be missing.
    """
    with suppress(FileNotFoundError):
        found = file.lstat()
        if not stat.S_ISREG(found.st_mode):
            name = file.relative_to(path) if file.is_relative_to(path) and file != path else file.name
            raise UnreadableError(f"{name} is a link or no file, which is not followed; put the file itself there")
        return found.st_mtime_ns, found.st_size
    return None


def _copy(path: Path, target: Path, files: Mapping[Path, Stat]) -> None:
    if path.is_dir():
        target.mkdir(exist_ok=True)
    left = COPIED.size
    for file, was in files.items():
        copy = _place(path, target, file)
        if was is not None:
            copy.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # gone meanwhile: the next try
                left -= copy_file(_root(path, file), file, copy, left)


def copy_file(root: Path, file: Path, copy: Path, left: int) -> int:
    """Copy a file with its time, which stands for times that are missing; return its size.

    Raises:
        UnreadableError: it is larger than what is left, or no regular file any more.
        OSError: it cannot be read, or a link leads to it.
    """
    size = 0
    with os.fdopen(_open_below(root, file), "rb") as source, copy.open("wb") as written:
        found = os.fstat(source.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise UnreadableError("another program changes it all the time; close that program")
        while piece := source.read(AT_ONCE):
            size += len(piece)
            if size > left:
                raise _too_much()
            written.write(piece)
    os.utime(copy, ns=(found.st_atime_ns, found.st_mtime_ns))
    return size


def _open_below(root: Path, file: Path) -> int:
    """Open a file folder by folder: none of them may have become a link meanwhile."""
    *folders, name = file.relative_to(root).parts
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in folders:
            below = os.open(folder, _OPENED | os.O_DIRECTORY, dir_fd=at)
            os.close(at)
            at = below
        return os.open(name, _OPENED, dir_fd=at)
    finally:
        os.close(at)


def _remove(path: Path, target: Path, files: Mapping[Path, Stat]) -> None:
    """Remove a copy that is not of one moment."""
    if target.is_dir():
        shutil.rmtree(target)
        return
    for file in files:
        _place(path, target, file).unlink(missing_ok=True)


def _root(path: Path, file: Path) -> Path:
    """Return the folder below which there may be no links."""
    if not path.is_dir():
        return path.parent
    return path if file.is_relative_to(path) else _temporary()


def _place(path: Path, target: Path, file: Path) -> Path:
    if not path.is_dir():
        return target.with_name(target.name + file.name.removeprefix(path.name))
    return target / file.relative_to(_root(path, file))
