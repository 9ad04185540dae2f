"""From an opened file to the sections of the documents in it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final, Protocol

from memory_mcp.documents.opening import OpenedFile
from memory_mcp.documents.readers.model import DocumentItem, Header, Refusal, RefusedError, TextBlock
from memory_mcp.documents.readers.sectioning import sections
from memory_mcp.domain.documents import MAX_TITLE, FileStamp, SectionDraft

MAX_SECTIONS: Final = 50_000
"""Of one file: they are written in one transaction."""
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


@dataclass(slots=True)
class ReadDocument:
    """A document as its reader yields it."""

    header: Header
    blocks: list[TextBlock] = field(default_factory=list)

    def drafts(self) -> Iterator[SectionDraft]:
        """Yield the sections; the headings stand above the text, so that they are found too."""
        title = None if self.header.is_conversation else self.header.title
        for section in sections(self.blocks):
            heading = tuple(part[:MAX_TITLE] for part in section.heading)
            above = " › ".join(heading) or title or ""
            title = None
            text = section.text if _begins_with(section.text, above) else f"{above[:MAX_TITLE]}\n\n{section.text}"
            yield SectionDraft(text, heading, section.page, section.created_at or self.header.created_at)


def _begins_with(text: str, above: str) -> bool:
    return not above or text.lstrip("#* \n").startswith(above)


async def read_documents(
    reader: ReadsDocuments, file: OpenedFile, name: str, media_type: str | None
) -> list[ReadDocument]:
    """Return the documents in a file, each part once.

    Raises:
        RefusedError: the file cannot be read.
        SandboxError: no file can.
    """
    found: dict[str, ReadDocument] = {}
    current: ReadDocument | None = None
    async with aclosing(reader.read(file, name, media_type)) as items:
        async for item in items:
            if isinstance(item, Header):
                current = found.setdefault(item.part, ReadDocument(item))
            elif current is not None:
                current.blocks.append(item)
    return list(found.values())


def check_sections(drafts: Iterable[SectionDraft]) -> Iterator[SectionDraft]:
    """Yield sections, until they are too many for one file.

    Raises:
        RefusedError: TOO_LARGE.
    """
    for number, draft in enumerate(drafts):
        if number == MAX_SECTIONS:
            raise RefusedError(Refusal.TOO_LARGE, f"it has more than {MAX_SECTIONS} sections; split it")
        yield draft


def stamp_of(file: OpenedFile) -> FileStamp:
    """Read a file to its end, and return what it is; its descriptor stays at its beginning."""
    digest, at = hashlib.sha256(), 0
    while part := os.pread(file.descriptor, _READ_AT_ONCE, at):
        digest.update(part)
        at += len(part)
    return FileStamp(digest.hexdigest(), file.size, None if file.path is None else file.modified_ns)
