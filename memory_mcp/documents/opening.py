"""Opens files below allowed folders. The opened descriptor is what is checked: a swapped path changes nothing."""

from __future__ import annotations

import errno
import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from types import TracebackType
from typing import Final, Self

from memory_mcp.documents.beneath import LOOKING, open_beneath, open_real
from memory_mcp.documents.readers.model import Refusal, RefusedError
from memory_mcp.documents.secret_names import secret

MAX_FILE_BYTES: Final = 512 << 20
_READING: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
"""Blocks on no FIFO, should one have taken the file's place."""
_GET_PATH: Final = 50  # F_GETPATH of macOS
_OUTSIDE: Final = "lies outside the folders that may be read; add its folder to MCP_MEMORY_INGEST_ROOTS"
_LEADS_OUT: Final = "is a link that leads out of the folders that may be read; name the file itself"
_SENTENCES: Final[Mapping[int, tuple[Refusal, str]]] = {
    errno.EXDEV: (Refusal.OUTSIDE_ROOTS, _LEADS_OUT),
    errno.ELOOP: (Refusal.OUTSIDE_ROOTS, _LEADS_OUT),
    errno.ENOENT: (Refusal.MISSING, "does not exist; check the path"),
    errno.ENOTDIR: (Refusal.MISSING, "does not exist; check the path"),
    errno.ENAMETOOLONG: (Refusal.MISSING, "does not exist; check the path"),
    errno.ENXIO: (Refusal.NOT_A_FILE, "is not a file"),
    errno.EACCES: (Refusal.NO_ACCESS, "may not be read by this user; change its permissions"),
    errno.EPERM: (Refusal.NO_ACCESS, "may not be read by this user; change its permissions"),
}


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A regular file, opened for reading; close it, or use `with`."""

    descriptor: int
    path: Path | None
    """As it was asked for; None for content."""
    size: int
    """In bytes, when it was opened; likewise the next."""
    modified_ns: int
    """Unix time."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        os.close(self.descriptor)

    def is_unchanged(self) -> bool:
        """Whether size and time are those of the opening."""
        now = os.fstat(self.descriptor)
        return (now.st_size, now.st_mtime_ns) == (self.size, self.modified_ns)


def open_below(
    roots: Sequence[Path], path: Path, *, max_bytes: int = MAX_FILE_BYTES, secrets: bool = False
) -> OpenedFile:
    """Open a regular file below one of the roots; a relative link is followed while it stays below that root.

    It blocks on no FIFO, wakes no device, and reads nothing.

    Args:
        roots: the real paths of folders; one that has become a link is not followed.
        path: absolute.
        max_bytes: the largest size.
        secrets: open files that hold secrets by their name as well.

    Raises:
        RefusedError: OUTSIDE_ROOTS, MISSING, NOT_A_FILE, NO_ACCESS, SECRET, TOO_LARGE or EMPTY.
    """
    refused = outside(path)
    for root, relative in places(roots, path):
        try:
            return _opened(root, relative, path, max_bytes, secrets=secrets)
        except RefusedError as error:
            if error.refusal is not Refusal.OUTSIDE_ROOTS:
                raise
            refused = error
    raise refused


def open_content(content: bytes) -> OpenedFile:
    """Return content that came with a call as a file without a path.

    Raises:
        RefusedError: EMPTY.
        OSError: there is no room for it.
    """
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        return _checked(os.open(file.name, _READING | os.O_CLOEXEC), None, len(content))


def changed() -> RefusedError:
    """Return the refusal of a file that changed while it was read."""
    return RefusedError(Refusal.CHANGED, "it changed while it was read; try again when nothing writes it")


def outside(path: Path) -> RefusedError:
    """Return the refusal of a path that lies below no root."""
    return RefusedError(Refusal.OUTSIDE_ROOTS, f"{path.name} {_OUTSIDE}")


def places(roots: Sequence[Path], path: Path) -> Iterator[tuple[Path, PurePath]]:
    """Yield the roots that a path names, with the rest of the path; a root may be spelled through a link."""
    for root in roots:
        for spelled in dict.fromkeys((root, Path(os.path.realpath(root)))):
            if path.is_relative_to(spelled):
                yield root, path.relative_to(spelled)
                break


def refused_for(error: OSError | ValueError, name: str) -> RefusedError:
    """Return the refusal of a path that cannot be opened."""
    if not isinstance(error, OSError) or error.errno is None:
        return RefusedError(Refusal.MISSING, "a path cannot have a null character; check the path")
    unknown = Refusal.NO_ACCESS, f"cannot be opened ({error.strerror}); check its disk"
    refusal, sentence = _SENTENCES.get(error.errno, unknown)
    return RefusedError(refusal, f"{name} {sentence}")


def _opened(root: Path, relative: PurePath, path: Path, max_bytes: int, *, secrets: bool) -> OpenedFile:
    if not secrets:
        _refuse_secret(root / relative)
    try:
        folder = open_real(root, LOOKING)
        try:
            _refuse_special(folder, relative)
            descriptor = open_beneath(folder, relative, _READING)
        finally:
            os.close(folder)
    except (OSError, ValueError) as error:
        raise refused_for(error, path.name) from error
    opened = _checked(descriptor, path, max_bytes)
    try:
        if not secrets:
            _refuse_secret(_real_path(descriptor))  # a harmless name may be a link to it
    except BaseException:
        opened.close()
        raise
    return opened


def _refuse_secret(path: PurePath) -> None:
    if named := secret(path.parts):
        raise RefusedError(Refusal.SECRET, f"{path.name} may hold secrets ({named}); copy what is none elsewhere")


def _refuse_special(folder: int, relative: PurePath) -> None:
    """Refuse a device without opening it, where the system can: opening some has effects."""
    if LOOKING != os.O_RDONLY:
        descriptor = open_beneath(folder, relative, LOOKING)
        try:
            _refuse_no_file(os.fstat(descriptor), relative.name)
        finally:
            os.close(descriptor)


def _refuse_no_file(found: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = "is a folder" if stat.S_ISDIR(found.st_mode) else "is a device, pipe or socket"
        raise RefusedError(Refusal.NOT_A_FILE, f"{name} {kind}, not a file")


def _refuse_size(size: int, name: str, max_bytes: int) -> None:
    if size > max_bytes:
        raise RefusedError(Refusal.TOO_LARGE, f"{name} is larger than {max_bytes >> 20:,} MiB; split it")
    if not size:
        raise RefusedError(Refusal.EMPTY, f"{name} is empty")


def _checked(descriptor: int, path: Path | None, max_bytes: int) -> OpenedFile:
    """Return the descriptor as a file if it is one to read; close it otherwise."""
    name = path.name if path else "the content"
    try:
        found = os.fstat(descriptor)
        _refuse_no_file(found, name)
        _refuse_size(found.st_size, name, max_bytes)
    except BaseException:
        os.close(descriptor)
        raise
    return OpenedFile(descriptor, path, found.st_size, found.st_mtime_ns)


def _real_path(descriptor: int) -> Path:
    """Return where a descriptor's file lies now; where the system does not say, a path that is below nothing."""
    try:
        if sys.platform == "darwin":
            import fcntl  # noqa: PLC0415 - of Unix

            return Path(os.fsdecode(fcntl.fcntl(descriptor, _GET_PATH, bytes(1024)).rstrip(b"\0")))
        return Path(f"/proc/self/fd/{descriptor}").readlink()
    except OSError:
        return Path()
