"""Unpacks the files of a peer from an archive, in the sandbox. What an archive says of itself is not believed."""

from __future__ import annotations

import bz2  # noqa: F401 - as gzip: tarfile imports them late, when nothing can be imported any more
import gzip
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import partial
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO, Final

from memory_mcp.imports.copying import Bounds
from memory_mcp.imports.model import Remark, UnreadableError

UNPACKED: Final = Bounds(100_000, 2 << 30)
MAX_PATH: Final = 1_000
"""Characters of a member's path."""
AT_ONCE: Final = 1 << 20
BY_HAND: Final = "unpack it and give the folder's path"
DAMAGED: Final = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, LZMAError, EOFError)
NAMES: Final = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")


@dataclass(frozen=True, slots=True)
class ArchiveMember:
    """A file in an archive."""

    path: str
    at: datetime
    opened: Callable[[], IO[bytes] | None] | None
    """None: it is a link, which is not followed."""


def is_archive(path: Path) -> bool:
    """Whether a file is a zip, or a tar, compressed or not; or is named so, and then damaged."""
    return path.name.lower().endswith(NAMES) or _is_zip(path) or tarfile.is_tarfile(path)


def _is_zip(path: Path) -> bool:
    """Whether it begins as one: `is_zipfile` looks at the end alone, which another file's text may resemble."""
    with path.open("rb") as file:
        return file.read(4) in ZIP


def unpacked(
    archive: Path, folder: Path, patterns: Collection[str], bounds: Bounds = UNPACKED
) -> tuple[dict[Path, datetime], list[Remark]]:
    """Unpack the files whose names match the last part of a pattern.

    Returns:
        The files with their times, and what was left out.

    Raises:
        UnreadableError: it is damaged, encrypted, or too large.
    """
    try:
        return _unpack(archive, folder, patterns, bounds)
    except DAMAGED as error:
        raise UnreadableError("the archive is damaged; make or download it again") from error
    except (RuntimeError, NotImplementedError) as error:  # zipfile's words for a password, and a rare method
        raise UnreadableError(f"the archive is encrypted, or packed as nobody else does; {BY_HAND}") from error
    except OSError as error:  # two of its paths contradict each other, or the disk is full
        raise UnreadableError(f"the archive cannot be unpacked ({error.strerror}); {BY_HAND}") from error


def _unpack(
    archive: Path, folder: Path, patterns: Collection[str], bounds: Bounds
) -> tuple[dict[Path, datetime], list[Remark]]:
    names = {PurePosixPath(pattern).name for pattern in patterns}
    times: dict[Path, datetime] = {}
    remarks: list[Remark] = []
    left = bounds.size
    for number, member in enumerate(_members(archive), 1):
        if number > bounds.files:
            raise UnreadableError(f"it holds more than {bounds.files:,} files; {BY_HAND}")
        if not any(fnmatchcase(PurePosixPath(member.path).name, name) for name in names):
            continue
        if not is_safe(member.path):
            remarks.append(Remark("lost", "a file of the archive whose path leads out of it", member.path[:200]))
        elif member.opened is None:
            remarks.append(Remark("lost", "a link in the archive, which is not followed", member.path[:200]))
        else:
            left -= _write(member.opened, folder / member.path, left)
            times[folder / member.path] = member.at
        if left < 0:
            raise UnreadableError(f"it holds more than {bounds.size >> 20:,} MiB; {BY_HAND}")
    return times, remarks


def is_safe(path: str) -> bool:
    """Whether a path stays below the folder that it is unpacked to."""
    parts = path.split("/")
    is_plain = not any(part in {"", ".."} or len(part.encode("utf-8", "replace")) > 255 for part in parts)
    return is_plain and len(path) <= MAX_PATH and "\0" not in path


def _write(opened: Callable[[], IO[bytes] | None], target: Path, left: int) -> int:
    """Unpack a member, as far as there is room; return how large it really is, or that it is too large."""
    size = 0
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as written:
        source = opened()
        while source and (piece := source.read(AT_ONCE)):
            size += len(piece)
            if size > left:
                break
            written.write(piece)
    return size


def _members(archive: Path) -> Iterator[ArchiveMember]:
    """Yield the regular files and the links; folders and devices are passed over."""
    if _is_zip(archive):
        with zipfile.ZipFile(archive) as zipped:
            for info in zipped.infolist():
                if not info.is_dir():
                    is_link = stat.S_ISLNK(info.external_attr >> 16)
                    opened = None if is_link else partial(zipped.open, info)
                    yield ArchiveMember(info.filename, _zip_time(info.date_time), opened)
        return
    with tarfile.open(archive) as taped:
        yield from _taped(taped)


def _taped(taped: tarfile.TarFile) -> Iterator[ArchiveMember]:
    """Yield a tar's members; a file with several names has its content at the first, and hard links to it."""
    files: dict[str, tarfile.TarInfo] = {}
    for member in taped:
        if member.isreg():
            files[member.name] = member
        if member.isreg() or member.islnk() or member.issym():
            at = datetime.fromtimestamp(max(0, member.mtime), UTC)
            held = None if member.issym() else files.get(member.linkname if member.islnk() else member.name)
            opened = None if held is None else partial(taped.extractfile, held)
            yield ArchiveMember(member.name.removeprefix("./"), at, opened)


def _zip_time(written: tuple[int, int, int, int, int, int]) -> datetime:
    """Return a time that zips keep without a zone; one that is none is their first."""
    try:
        return datetime(*written).astimezone(UTC)
    except ValueError:
        return datetime(1980, 1, 1, tzinfo=UTC)
