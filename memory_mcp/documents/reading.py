"""From an opened file to the sections of the documents in it."""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from itertools import pairwise
from typing import Final, Protocol, cast

from memory_mcp.documents.opening import OpenedFile
from memory_mcp.documents.readers.model import DocumentItem, Header, Refusal, RefusedError, TextBlock
from memory_mcp.documents.readers.sectioning import sections
from memory_mcp.documents.spool import Spool, Spooled
from memory_mcp.domain.documents import MAX_PART, MAX_TITLE, FileStamp, SectionDraft

MAX_SECTIONS: Final = 20_000
"""Of one file, and documents in it: they are written in one transaction."""
_READ_AT_ONCE: Final = 1 << 20


class ReadsDocuments(Protocol):
    """Reads a file in a sandbox; see `sandbox.client.Sandbox`."""

    def read(self, file: OpenedFile, name: str, media_type: str | None = None) -> AsyncGenerator[DocumentItem, None]:
        """Yield a header, its blocks, and so on.

        Raises:
            RefusedError: the file cannot be read.
            SandboxError: no file can.
        """
        ...


class ReadItems:
    """What the reader yields of a file."""

    def __init__(self, spool: Spool) -> None:
        self._items = Spooled[DocumentItem](spool)
        self._headers = array("Q")
        """Where they are among the items."""

    def append(self, item: DocumentItem) -> None:
        """Add the next one.

        Raises:
            RefusedError: TOO_LARGE: the file holds too many documents; NOT_READABLE: there is no room.
        """
        if isinstance(item, Header):
            if len(self._headers) == MAX_SECTIONS:
                raise RefusedError(Refusal.TOO_LARGE, f"it has more than {MAX_SECTIONS:,} documents; split it")
            self._headers.append(len(self._items))
        self._items.append(item)

    def documents(self) -> Iterator[tuple[Header, Iterator[SectionDraft]]]:
        """Yield document after document with its sections; of parts with the same name the first counts."""
        seen = set[str]()
        for at, end in pairwise([*self._headers, len(self._items)]):
            header = cast("Header", self._items[at])
            if header.part[:MAX_PART] not in seen:
                seen.add(header.part[:MAX_PART])
                yield header, _drafts(header, (cast("TextBlock", self._items[i]) for i in range(at + 1, end)))


def _drafts(header: Header, blocks: Iterable[TextBlock]) -> Iterator[SectionDraft]:
    """Yield the sections; the headings stand above the text, so that they are found too."""
    title = None if header.is_conversation else header.title
    for section in sections(blocks):
        heading = tuple(part[:MAX_TITLE] for part in section.heading)
        above = " › ".join(heading) or title or ""
        title = None
        text = section.text if _begins_with(section.text, above) else f"{above[:MAX_TITLE]}\n\n{section.text}"
        yield SectionDraft(text, heading, section.page, section.created_at or header.created_at)


def _begins_with(text: str, above: str) -> bool:
    return not above or text.lstrip("#* \n").startswith(above)


async def read_items(
    reader: ReadsDocuments, file: OpenedFile, name: str, media_type: str | None, spool: Spool
) -> ReadItems:
    """Return what is in a file.

    Raises:
        RefusedError: the file cannot be read.
        SandboxError: no file can.
    """
    read = ReadItems(spool)
    async with aclosing(reader.read(file, name, media_type)) as items:
        async for item in items:
            read.append(item)
    return read


def stamp_of(file: OpenedFile) -> FileStamp:
    """Read a file to its end, and return what it is; its descriptor stays at its beginning."""
    digest, at = hashlib.sha256(), 0
    while part := os.pread(file.descriptor, _READ_AT_ONCE, at):
        digest.update(part)
        at += len(part)
    return FileStamp(digest.hexdigest(), file.size, None if file.path is None else file.modified_ns)
