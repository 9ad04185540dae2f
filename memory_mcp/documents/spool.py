"""Keeps what is read of a file out of memory: on the disk, once there is much of it."""

from __future__ import annotations

import pickle
import tempfile
from array import array
from collections.abc import Sequence
from os import SEEK_END
from threading import Lock
from typing import Final, Generic, TypeVar, cast, overload

from memory_mcp.documents.readers.model import Refusal, RefusedError

IN_MEMORY: Final = 1 << 18
"""Bytes of a spool that are kept in memory; one with more lies in a temporary file without a name."""

T = TypeVar("T")


class Spool:
    """Values of this process; any thread may use it."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - its user closes it
        self._lock = Lock()

    def put(self, value: object) -> int:
        """Keep a value; return where it lies.

        Raises:
            RefusedError: NOT_READABLE: there is no room.
        """
        written = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        try:
            with self._lock:
                self._file.seek(0, SEEK_END)
                place = self._file.tell()
                self._file.write(written)
        except OSError as error:
            folder = tempfile.gettempdir()
            sentence = f"what is read of it has no room in {folder} ({error.strerror}); free some there"
            raise RefusedError(Refusal.NOT_READABLE, sentence) from error
        return place

    def get(self, place: int) -> object:
        """Return the value that lies there."""
        with self._lock:
            self._file.seek(place)
            return pickle.load(self._file)  # noqa: S301 - this process wrote it

    def close(self) -> None:
        """Drop everything."""
        with self._lock:
            self._file.close()


class Spooled(Sequence[T], Generic[T]):
    """A sequence in a spool, which may hold others too."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._places = array("Q")

    def append(self, value: T) -> None:
        """Keep one more.

        Raises:
            RefusedError: NOT_READABLE: there is no room.
        """
        self._places.append(self._spool.put(value))

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        if isinstance(index, slice):
            return [cast("T", self._spool.get(place)) for place in self._places[index]]
        return cast("T", self._spool.get(self._places[index]))

    def __len__(self) -> int:
        return len(self._places)
