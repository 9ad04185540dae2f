"""Opens zip archives (OOXML, OpenDocument, EPUB) within bounds on members, unpacked bytes and ratio."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO, Final, cast

from memory_mcp.documents.readers.model import Refusal, RefusedError

MAX_MEMBERS: Final = 10_000
MAX_DIRECTORY_BYTES: Final = 4 * 2**20
"""Bytes of the archive's list of members, which zipfile reads at once: about 400 for each member."""
MAX_MEMBER_BYTES: Final = 96 * 2**20
"""Unpacked bytes of one member."""
MAX_OPENED_BYTES: Final = 256 * 2**20
"""Unpacked bytes of all members that are opened, each as often as it is; pictures and films are not."""
MAX_RATIO: Final = 300
"""Unpacked to packed bytes, from `RATIO_COUNTS_FROM` on. Wordy XML has 10 to 50, DEFLATE's utmost is 1,032."""
RATIO_COUNTS_FROM: Final = 8 * 2**20

_ENCRYPTED: Final = 0x1
_BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError, OverflowError)
"""What zipfile raises, depending on where an archive is broken."""


class Member:
    """An open member: a stream of bytes that raises RefusedError alone."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, empty at the end; RefusedError where the archive is broken there."""
        try:
            return self._stream.read(size)
        except _BROKEN as error:
            raise _damaged() from error

    def close(self) -> None:
        self._stream.close()


class Archive:
    """A zip archive. Names are compared without regard to case, backslashes or a slash in front, as OOXML wants it."""

    def __init__(self, zip_file: zipfile.ZipFile) -> None:
        self._zip = zip_file
        self._members = {_folded(info.filename): info for info in zip_file.infolist() if not info.is_dir()}
        self._opened_bytes = 0

    @property
    def names(self) -> list[str]:
        """The members' names as they are written, in the archive's order."""
        return [info.filename for info in self._members.values()]

    def __contains__(self, name: str) -> bool:
        return _folded(name) in self._members

    @contextmanager
    def open(self, name: str) -> Iterator[Member]:
        """Open a member that is read in pieces.

        Raises:
            RefusedError: the member is missing or broken, needs a password, or is larger than the bounds.
        """
        info = self._members.get(_folded(name))
        if info is None:
            raise RefusedError(
                Refusal.DAMAGED, "The file is damaged: a part that it needs is missing. Save it once more."
            )
        self._check(info)
        try:
            member = Member(self._zip.open(info))
        except _BROKEN as error:
            raise _damaged() from error
        try:
            yield member
        finally:
            member.close()

    def read(self, name: str) -> bytes:
        """Return a whole member, for small ones. Raises RefusedError as `open` does."""
        with self.open(name) as member:
            return member.read(MAX_MEMBER_BYTES + 1)

    def _check(self, info: zipfile.ZipInfo) -> None:
        """Refuse by what the list of members says; zipfile never unpacks more than that."""
        if info.flag_bits & _ENCRYPTED:
            raise RefusedError(Refusal.PASSWORD_NEEDED, "The file needs a password. Save a copy without one.")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise RefusedError(
                Refusal.NO_READER, "The file is compressed in a way that no reader supports. Save it once more."
            )
        self._opened_bytes += info.file_size
        if info.file_size > MAX_MEMBER_BYTES or self._opened_bytes > MAX_OPENED_BYTES:
            raise _unpacks(
                f"to more than {MAX_MEMBER_BYTES if info.file_size > MAX_MEMBER_BYTES else MAX_OPENED_BYTES:,} bytes"
            )
        if info.file_size > max(RATIO_COUNTS_FROM, info.compress_size * MAX_RATIO):
            raise _unpacks(f"to more than {MAX_RATIO} times its size")


class _ShortReads:
    """A file that refuses to read much at once: zipfile takes the whole list of members in one read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size if 0 <= size <= MAX_DIRECTORY_BYTES else MAX_DIRECTORY_BYTES + 1)
        if len(data) > MAX_DIRECTORY_BYTES:
            raise _too_many()
        return data


@contextmanager
def opened(file: BinaryIO) -> Iterator[Archive]:
    """Open a zip archive for the time of a `with` block. Raises RefusedError."""
    try:
        zip_file = zipfile.ZipFile(cast("BinaryIO", _ShortReads(file)))
    except _BROKEN as error:
        raise _damaged() from error
    with zip_file:
        if len(zip_file.infolist()) > MAX_MEMBERS:
            raise _too_many()
        yield Archive(zip_file)


def _folded(name: str) -> str:
    return name.replace("\\", "/").lstrip("/").casefold()


def _damaged() -> RefusedError:
    return RefusedError(
        Refusal.DAMAGED, "The file is damaged: it does not unpack. Get it once more from where it is from."
    )


def _unpacks(how: str) -> RefusedError:
    return RefusedError(
        Refusal.UNPACKS_TOO_LARGE, f"A part of the file unpacks {how}. Save the text alone as a file of its own."
    )


def _too_many() -> RefusedError:
    return RefusedError(
        Refusal.TOO_LARGE, f"The archive holds more than {MAX_MEMBERS:,} parts. Split it into several files."
    )
