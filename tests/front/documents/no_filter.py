"""A reader on a processor for which there is no seccomp filter."""

from __future__ import annotations

from collections.abc import Iterator

from memory_mcp.documents.readers.model import Block, Header, Item, Source
from memory_mcp.documents.sandbox import seccomp

seccomp.ARCHITECTURES.clear()


def read(source: Source) -> Iterator[Item]:
    yield Header()
    yield Block(source.file.read().decode())
