"""Reads plain text: a block for each paragraph, as lines and indentation stand in the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TextIO

from memory_mcp.documents.readers import charsets
from memory_mcp.documents.readers.model import DocumentItem, DocumentSource, Header, TextBlock
from memory_mcp.documents.readers.plain import empty, plain

MAX_BLOCK: Final = 64 * 1024
"""Characters: a paragraph without an end is cut there."""


def read(source: DocumentSource) -> Iterator[DocumentItem]:
    with charsets.opened(source.file) as text:
        blocks = (TextBlock(paragraph) for paragraph in paragraphs(text))
        first = next(blocks, None)
        if first is None:
            raise empty()
        yield Header()
        yield first
        yield from blocks


def paragraphs(text: TextIO) -> Iterator[str]:
    """Yield what stands between blank lines, cleaned; none is blank."""
    lines: list[str] = []
    size = 0
    while line := text.readline(MAX_BLOCK):
        size += len(line)
        if line.isspace() or size > MAX_BLOCK:
            yield from _joined(lines)
            lines.clear()
            size = len(line)
        lines.append(line)
    yield from _joined(lines)


def _joined(lines: list[str]) -> Iterator[str]:
    paragraph = plain("".join(lines))
    if paragraph.strip():
        yield paragraph
