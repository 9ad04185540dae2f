"""A fake of what reads documents in a sandbox: Markdown of headings and paragraphs, refusals on demand."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable

from memory_mcp.documents.opening import OpenedFile
from memory_mcp.documents.readers.model import DocumentItem, Header, Refusal, RefusedError, TextBlock

REFUSED = "REFUSED"
"""Begins a file that is refused once this was read."""
PART = "PART "
"""Begins a line that begins another document, with its part."""


class FakeReader:
    """Reads UTF-8: "# Heading", paragraphs, "PART name" for another document of the file."""

    def __init__(self) -> None:
        self.read_names: list[str] = []
        self.before_read: Callable[[], None] = lambda: None
        """Happens at each file; it may raise."""

    async def read(
        self, file: OpenedFile, name: str, media_type: str | None = None
    ) -> AsyncGenerator[DocumentItem, None]:
        """Yield what the file holds."""
        self.read_names.append(name)
        self.before_read()
        text = os.pread(file.descriptor, file.size, 0).decode()
        yield Header(title=name, media_type=media_type or "text/markdown")
        heading: tuple[str, ...] = ()
        for line in filter(None, text.splitlines()):
            await asyncio.sleep(0)
            if line.startswith(REFUSED):
                raise RefusedError(Refusal.DAMAGED, "it is damaged; save it again")
            if line.startswith(PART):
                yield Header(part=line.removeprefix(PART), title=line)
            elif line.startswith("# "):
                heading = (line[2:],)
            else:
                yield TextBlock(line, heading, stands_alone=True)
