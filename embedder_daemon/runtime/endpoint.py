"""The socket as a file: its folder, its lock, and who owns its path."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from embedder_api.v1.address import SCHEME, default_address, socket_path

from embedder_daemon.errors import AddressError, BlockedError, FolderError
from memory_common.file_lock import FileLock

_POLL_S: Final = 0.2
Identity = tuple[int, int]
"""Device and inode of a file."""


def path_of(address: str) -> Path:
    """Return the socket's path.

    Raises:
        AddressError: the daemon cannot listen on the address.
    """
    try:
        return socket_path(address)
    except ValueError as error:
        raise AddressError(f"{error}: fix EMBEDDER_ADDRESS") from error


def prepare_folder(path: Path) -> None:
    """Create the socket's folder, private to the user; an existing one keeps its mode unless it is our own.

    Raises:
        FolderError: it cannot be created.
    """
    folder = path.parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if str(path) == default_address().removeprefix(SCHEME):
            folder.chmod(0o700)
    except OSError as error:
        raise FolderError(f"the socket's folder {folder} cannot be created: {error.strerror}") from error


def lock_of(path: Path) -> FileLock:
    """Return the lock `<path>.lock`, not yet acquired; a daemon holds it until its process ends.

    Raises:
        FolderError: it cannot be opened.
    """
    file = path.with_name(path.name + ".lock")
    try:
        return FileLock(file)
    except OSError as error:
        raise FolderError(f"the lock {file} cannot be opened: {error.strerror}") from error


async def take_when_free(lock: FileLock, stopped: asyncio.Event) -> bool:
    """Acquire the lock as soon as it is free; False if we are told to stop first."""
    while not lock.take():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_POLL_S):
                await stopped.wait()
        if stopped.is_set():
            return False
    return True


def check_way(path: Path) -> None:
    """Check that nothing but a socket is at the path; call it under the lock.

    Raises:
        BlockedError: a file, a folder or a link is there; it is not touched.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise FolderError(f"{path} cannot be accessed: {error.strerror}") from error
    if not stat.S_ISSOCK(mode):
        raise BlockedError(f"{path} is {_kind(mode)}, not a socket: move it away, or fix EMBEDDER_ADDRESS")


def _kind(mode: int) -> str:
    kinds = {stat.S_IFREG: "a regular file", stat.S_IFDIR: "a folder", stat.S_IFLNK: "a symbolic link"}
    return kinds.get(stat.S_IFMT(mode), "something else")


def bind(path: Path, listen: Callable[[str], object]) -> Identity:
    """Listen on a socket of mode 0600 at the path; replaces a stale one.

    The socket is bound under a temporary name and renamed. So clients never find a socket without a listener, and gRPC,
    which finally removes whatever is at the name that it bound, cannot remove another daemon's. The name is relative to
    the folder, so that it is shorter than the path, which just fits.

    Args:
        path: the socket's path; the lock is held and `check_way` has passed.
        listen: binds an address.

    Raises:
        FolderError: the folder cannot be written.
    """
    name = f".{os.getpid()}"
    try:
        with contextlib.chdir(path.parent), _umask(0o177):
            Path(name).unlink(missing_ok=True)
            listen(SCHEME + name)
            Path(name).rename(path.name)
        return identity(path)
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "see the lines above"
        raise FolderError(f"cannot bind a socket at {path} ({reason}): fix the folder's permissions") from error


@contextmanager
def _umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def identity(path: Path) -> Identity:
    """Return the identity of the file at the path."""
    status = path.lstat()
    return status.st_dev, status.st_ino


def stands(path: Path, ours: Identity) -> bool:
    """Whether the socket that we bound is still at the path."""
    try:
        return identity(path) == ours
    except OSError:
        return False


def remove(path: Path, ours: Identity) -> bool:
    """Remove the socket if it is still the one that we bound; returns whether it was."""
    with contextlib.suppress(FileNotFoundError):
        if identity(path) == ours:
            path.unlink()
            return True
    return False
