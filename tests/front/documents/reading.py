"""Reads documents as the reader process does, and tells what came out."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from memory_mcp.documents.readers import registry
from memory_mcp.documents.readers.model import DocumentItem, DocumentSource, Header, Refusal, RefusedError, TextBlock

DOCUMENTS: Final = Path(__file__).parents[4] / "shared/data/documents"


@dataclass(frozen=True)
class Told:
    """What a file yielded."""

    items: tuple[DocumentItem, ...]

    @property
    def headers(self) -> list[Header]:
        return [item for item in self.items if isinstance(item, Header)]

    @property
    def blocks(self) -> list[TextBlock]:
        return [item for item in self.items if isinstance(item, TextBlock)]

    @property
    def texts(self) -> list[str]:
        return [block.text for block in self.blocks]

    @property
    def headings(self) -> list[str]:
        return list(dict.fromkeys(heading for block in self.blocks for heading in block.heading))

    def document(self, part: str) -> list[TextBlock]:
        """Return the blocks of one document of the file."""
        found: list[TextBlock] = []
        current = ""
        for item in self.items:
            if isinstance(item, Header):
                current = item.part
            elif current == part:
                found.append(item)
        return found


def told(content: bytes | str, name: str = "", media_type: str | None = None) -> Told:
    data = content.encode() if isinstance(content, str) else content
    return Told(tuple(registry.read(DocumentSource(io.BytesIO(data), name, media_type))))


def refused(content: bytes | str, name: str = "", media_type: str | None = None) -> Refusal:
    """Return why a whole file is not read."""
    with pytest.raises(RefusedError) as caught:
        told(content, name, media_type)
    assert caught.value.sentence.endswith(".")
    return caught.value.refusal
