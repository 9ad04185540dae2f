"""Files that a browser sends: one line of JSON that names them, then their bytes, on to the disk as they come.

A file's name is text: nothing is opened or made by it. What is too much is refused before a byte of it is read.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from memory_mcp.domain.errors import NO_ROOM, DiskFullError, InvalidArgumentError, RateLimitedError, StoreError, cut

MAX_LINE: Final = 256 << 10
"""Bytes of the line: a hundred long names."""
MAX_NAME: Final = 255
AT_ONCE: Final = 4
AT_ONCE_OF_ONE: Final = 2
_MB: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class UploadBounds:
    """What is accepted."""

    files: int
    file_bytes: int
    bytes: int
    """Of all together."""


class FileHead(BaseModel):
    """What is said of a file before its bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(max_length=MAX_NAME)]
    size: Annotated[int, Field(ge=0)]


class UploadHead(BaseModel):
    """The first line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: tuple[FileHead, ...]
    fields: dict[str, object] = Field(default_factory=dict)
    """The form's own."""


@dataclass(frozen=True, slots=True)
class Upload:
    """What came."""

    head: UploadHead
    paths: tuple[Path, ...]
    """Of the files, in order; named by their numbers."""


class Uploads:
    """How many a front takes at once: they fill its disk, and documents its memory."""

    def __init__(self) -> None:
        self._owners: list[str] = []
        self.reading = asyncio.Lock()
        """Is held by who has the files of one in memory."""

    @contextlib.contextmanager
    def one(self, owner: str) -> Iterator[None]:
        """Take an upload of somebody's for as long as the context lasts.

        Raises:
            RateLimitedError: too many come in already.
        """
        if len(self._owners) >= AT_ONCE or self._owners.count(owner) >= AT_ONCE_OF_ONE:
            raise RateLimitedError(f"{len(self._owners)} uploads are under way already; wait for them", 10)
        self._owners.append(owner)
        try:
            yield
        finally:
            self._owners.remove(owner)


async def receive(
    stream: AsyncIterator[bytes],
    folder: Path,
    bounds: UploadBounds,
    check_fields: Callable[[Mapping[str, object]], object] = lambda _: None,
) -> Upload:
    """Write the files of a request to a folder, once the form's fields have passed their check.

    Raises:
        MemoryMcpError: the fields have not.
        InvalidArgumentError: there are too many or too large ones, or the body is not what it says.
        DiskFullError: there is no room for them.
        StoreError: the folder cannot be written.
        ClientDisconnect: the browser has gone.
    """
    body = _Body(stream)
    head = _head(await body.line())
    _check(head, bounds)
    check_fields(head.fields)
    paths = [folder / str(number) for number in range(len(head.files))]
    for path, file in zip(paths, head.files, strict=True):
        await _write(path, body, file.size)
    if await body.is_more():
        raise InvalidArgumentError("files", "more bytes came than were announced; send them again")
    return Upload(head, tuple(paths))


def _head(line: bytes) -> UploadHead:
    try:
        return UploadHead.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"]) or "files"
        raise InvalidArgumentError(name, first["msg"]) from error


def _check(head: UploadHead, bounds: UploadBounds) -> None:
    if not head.files:
        raise InvalidArgumentError("files", "choose at least one file")
    if len(head.files) > bounds.files:
        raise InvalidArgumentError("files", f"{len(head.files)} are too many; send at most {bounds.files} at once")
    for file in head.files:
        if not file.name or any(unicodedata.category(sign) == "Cc" for sign in file.name):
            raise InvalidArgumentError("files", f"{cut(file.name)!r} is no name that can be shown; rename the file")
        if file.size > bounds.file_bytes:
            raise InvalidArgumentError(cut(file.name), f"has {_mb(file.size)}; the most is {_mb(bounds.file_bytes)}")
        if not file.size:
            raise InvalidArgumentError(cut(file.name), "is empty; leave it out")
    total = sum(file.size for file in head.files)
    if total > bounds.bytes:
        raise InvalidArgumentError("files", f"have {_mb(total)} together; send at most {_mb(bounds.bytes)} at once")


def _mb(count: int) -> str:
    return f"{count / _MB:,.1f} MB"


async def _write(path: Path, body: _Body, size: int) -> None:
    try:
        with path.open("xb") as file:
            async for piece in body.pieces(size):
                await asyncio.to_thread(_put, file, piece)
    except OSError as error:
        if error.errno in NO_ROOM:
            raise DiskFullError(path.parent) from error
        raise StoreError(
            f"{path.parent} cannot be written ({error.strerror or errno.errorcode}); see its disk"
        ) from error


def _put(file: BinaryIO, piece: bytes) -> None:
    file.write(piece)


class _Body:
    """A request's body, taken by lines and by counts."""

    def __init__(self, stream: AsyncIterator[bytes]) -> None:
        self._stream = stream
        self._held = b""

    async def line(self) -> bytes:
        while b"\n" not in self._held:
            if len(self._held) > MAX_LINE or not await self._more():
                raise InvalidArgumentError("files", f"the first line must name them, within {MAX_LINE:,} bytes")
        line, _, self._held = self._held.partition(b"\n")
        return line

    async def pieces(self, size: int) -> AsyncIterator[bytes]:
        """Yield so many bytes."""
        left = size
        while left:
            if not self._held and not await self._more():
                raise InvalidArgumentError("files", "fewer bytes came than were announced; send them again")
            piece, self._held = self._held[:left], self._held[left:]
            left -= len(piece)
            yield piece

    async def is_more(self) -> bool:
        return bool(self._held) or await self._more()

    async def _more(self) -> bool:
        """Wait for the next bytes; return whether there are any."""
        async for piece in self._stream:
            if piece:
                self._held += piece
                return True
        return False
