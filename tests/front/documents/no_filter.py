"""A reader on a processor for which there is no seccomp filter."""

from __future__ import annotations

from collections.abc import Iterator

from memory_mcp.documents.readers.model import DocumentItem, DocumentSource, Header, TextBlock
from memory_mcp.documents.sandbox import seccomp

seccomp.ARCHITECTURES.clear()


def read(source: DocumentSource) -> Iterator[DocumentItem]:
    yield Header()
    yield TextBlock(source.file.read().decode())
