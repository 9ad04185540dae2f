"""Opens what lies beneath a folder's descriptor, and nothing else, whatever happens to the path meanwhile.

The kernel does it where it has `openat2` (Linux 5.6); elsewhere each part of the path is opened in turn, from the
descriptor of the one before. Both follow a relative link that stays beneath, and refuse the others: EXDEV.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from functools import cache
from pathlib import Path, PurePath
from typing import Final

LOOKING: Final[int] = getattr(os, "O_PATH", os.O_RDONLY)
"""Opens a folder to open others from it, and where O_PATH exists a file of any kind without waking a device."""
_ENTERING: Final = LOOKING | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPENAT2: Final = 437  # on every architecture
_NO_MAGIC_LINKS, _BENEATH = 0x02, 0x08
_MOST_LINKS: Final = 40  # as in the kernel
_TRIES: Final = 64


def open_beneath(folder: int, path: PurePath, flags: int) -> int:
    """Open a relative path from a folder's descriptor.

    Raises:
        OSError: EXDEV where it leads out of the folder; otherwise as `os.open`.
        ValueError: it has a null character.
    """
    if "\0" in str(path):
        raise ValueError("a path has no null characters")
    return (by_kernel if has_openat2() else by_parts)(folder, path, flags | os.O_CLOEXEC)


def open_real(folder: Path, flags: int) -> int:
    """Open a folder by its real path; a link that has taken the place of it, or of one above it, is not followed.

    Raises:
        OSError: EXDEV where there is a link; otherwise as `os.open`.
    """
    flags |= os.O_DIRECTORY | os.O_CLOEXEC
    try:
        if any_link := getattr(os, "O_NOFOLLOW_ANY", 0):  # of macOS
            return os.open(folder, flags | any_link)
        opened = os.open(folder.anchor, _ENTERING)
        for part in folder.parts[1:]:
            above = opened
            try:
                opened = os.open(part, _ENTERING, dir_fd=above)
            finally:
                os.close(above)
        try:
            return os.open(".", flags, dir_fd=opened)
        finally:
            os.close(opened)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR} and Path(os.path.realpath(folder)) != folder:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV)) from error
        raise


@cache
def has_openat2() -> bool:
    """Whether the kernel has it, and lets us."""
    if sys.platform != "linux":
        return False
    try:
        folder = os.open("/", LOOKING | os.O_CLOEXEC)
        os.close(_openat2(folder, b".", LOOKING | os.O_CLOEXEC))
        os.close(folder)
    except OSError:
        return False
    return True


def by_kernel(folder: int, path: PurePath, flags: int) -> int:
    """Open by `openat2`; it asks to try again where `..` met a rename elsewhere."""
    for _ in range(_TRIES):
        try:
            return _openat2(folder, os.fsencode(path), flags)
        except OSError as error:
            if error.errno not in {errno.EAGAIN, errno.EINTR}:
                raise
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def _openat2(folder: int, path: bytes, flags: int) -> int:
    how = struct.pack("=QQQ", flags, 0, _BENEATH | _NO_MAGIC_LINKS)
    libc = _libc()
    opened = libc.syscall(_OPENAT2, folder, path, how, ctypes.c_size_t(len(how)))
    if opened < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(opened)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def by_parts(folder: int, path: PurePath, flags: int) -> int:
    """Open part by part. A link that appears after its part was looked at is not followed: O_NOFOLLOW."""
    if path.is_absolute():
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
    folders = [os.dup(folder)]
    waiting, links = list(reversed(path.parts)), 0
    try:
        while waiting:
            part = waiting.pop()
            if part == "..":
                _leave(folders)
            elif part != "." and (target := _target(folders[-1], part)) is not None:
                links += 1
                waiting += reversed(_checked(target, links))
            elif waiting:
                folders.append(os.open(part, _ENTERING, dir_fd=folders[-1]))
            else:
                return os.open(part, flags | os.O_NOFOLLOW, dir_fd=folders[-1])
        return os.open(".", flags, dir_fd=folders[-1])
    finally:
        for each in folders:
            os.close(each)


def _leave(folders: list[int]) -> None:
    if len(folders) == 1:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
    os.close(folders.pop())


def _target(folder: int, part: str) -> str | None:
    """Return where a link leads; None for what is none."""
    try:
        return os.readlink(part, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.EINVAL:
            return None
        raise


def _checked(target: str, links: int) -> tuple[str, ...]:
    """Return the parts of a link's target; a trailing slash, which asks for a folder, becomes a part."""
    if links > _MOST_LINKS:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if target.startswith("/"):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
    return (*PurePath(target).parts, *(["."] if target.endswith("/") else []))
