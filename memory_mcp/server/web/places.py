"""What a person calls a document, and where it lies."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote, urlsplit

from memory_mcp.documents.ingesting import FILE
from memory_mcp.domain.documents import Document

UPLOAD: Final = "upload:"
"""Begins the URI of a file that came from a browser, which tells no path."""


def named(document: Document) -> str:
    """Return what a person calls a document."""
    return document.title or _file_name(document.uri)


def place(uri: str) -> str:
    """Return where a file lies, as people write it."""
    parts = urlsplit(uri)
    return unquote(parts.path) if uri.startswith(FILE) else unquote(uri.removeprefix(UPLOAD))


def _file_name(uri: str) -> str:
    return place(uri).rstrip("/").rpartition("/")[2] or uri
