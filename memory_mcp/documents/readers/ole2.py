"""Looks into an OLE2 container (the files of Office before 2007, and encrypted ones since) before anything reads it.

It tells what is refused, and refuses chains of sectors that run in circles: calamine would follow them for ever.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable
from struct import Struct
from typing import BinaryIO, Final, NamedTuple

from memory_mcp.documents.readers.model import Refusal, RefusedError

SIGNATURE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED: Final = "EncryptedPackage"
_LEGACY: Final = {"WordDocument": "DOCX", "PowerPoint Document": "PPTX"}

_HEADER: Final = Struct("<30xH12xIIIIIII")
"""Bits of a sector's size; sectors of the table; the directory's first; 0, bytes from which a stream has sectors of its
own; first and number of the small table; first of the sectors that go on with the list of the table's."""
_HEADER_BYTES: Final = 512
_TABLE_LIST: Final = slice(76, 512)
_ENTRY: Final = Struct("<64sH50xII4x")
"""Of the directory: name, its bytes, first sector, bytes of the stream."""
_MAX_BYTES: Final = 512 * 2**20
_ROUNDS: Final = 4
"""How often all sectors together are followed, at most: each belongs to one stream, and is followed once."""


class _Stream(NamedTuple):
    name: str
    start: int
    size: int


def is_ole2(file: BinaryIO) -> bool:
    """Say whether a file is such a container."""
    file.seek(0)
    return file.read(len(SIGNATURE)) == SIGNATURE


def refusal(file: BinaryIO) -> RefusedError | None:
    """Return why no reader reads a container; None for what may be an old workbook, which calamine reads."""
    try:
        names = _Container(file).checked_names()
    except (ValueError, IndexError):
        return RefusedError(Refusal.DAMAGED, "The file is damaged. Get it once more from where it is from.")
    if _ENCRYPTED in names:
        return RefusedError(Refusal.PASSWORD_NEEDED, "The file needs a password. Save a copy without one.")
    for name, better in _LEGACY.items():
        if name in names:
            return RefusedError(
                Refusal.NO_READER,
                f"The file is of an Office before 2007. Open it in its program and save it as {better}.",
            )
    return None


class _Container:
    """The tables and the directory of a container. Every method raises ValueError or IndexError where it is damaged."""

    def __init__(self, file: BinaryIO) -> None:
        file.seek(0)
        self._data = file.read(_MAX_BYTES)
        header = _HEADER.unpack_from(self._data.ljust(_HEADER_BYTES, b"\0"))
        self._bits, _, self._directory, _, self._own_from, self._small, _, more = header
        if self._bits not in (9, 12):
            raise ValueError("no size of sectors that there is")
        sectors = len(self._data) >> self._bits
        tables = _numbers(self._data[_TABLE_LIST])
        steps = 0
        while more < sectors:
            steps += 1
            if steps > sectors:
                raise ValueError("a list of tables that runs in circles")
            listed = _numbers(self._sector(more))
            tables.extend(listed[:-1])
            more = listed[-1]
        self._table = array("I")
        for sector in tables:
            if sector < sectors:
                self._table.extend(_numbers(self._sector(sector)))
        self._steps = 0

    def checked_names(self) -> set[str]:
        """Return the names of all streams, after a walk along each."""
        streams = [stream for sector in self._chain(self._directory, self._table) for stream in self._entries(sector)]
        small = array("I")
        for sector in self._chain(self._small, self._table):
            small.extend(_numbers(self._sector(sector)))
        for number, stream in enumerate(streams):
            is_own = number == 0 or stream.size >= self._own_from
            self._chain(stream.start, self._table if is_own else small)
        return {stream.name for stream in streams}

    def _sector(self, number: int) -> bytes:
        size = 1 << self._bits
        return self._data[(number + 1) * size : (number + 2) * size]

    def _entries(self, sector: int) -> Iterable[_Stream]:
        data = self._sector(sector)
        for name, name_bytes, start, size in _ENTRY.iter_unpack(data[: len(data) // _ENTRY.size * _ENTRY.size]):
            if name_bytes:
                yield _Stream(name[: max(0, name_bytes - 2)].decode("utf-16-le", "replace"), start, size)

    def _chain(self, start: int, table: array[int]) -> list[int]:
        """Return the sectors of a stream in order."""
        found = []
        while start < len(table):
            found.append(start)
            self._steps += 1
            if len(found) > len(table) or self._steps > _ROUNDS * (len(self._table) + len(table)):
                raise ValueError("sectors that run in circles")
            start = table[start]
        return found


def _numbers(data: bytes) -> array[int]:
    numbers = array("I", data[: len(data) // 4 * 4])
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
