"""The keys of a section of the kind `chroma`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, model_validator

from memory_mcp.sources.http import valid_url
from memory_mcp.sources.sections import NameList, SourceSection


class ChromaSection(SourceSection):
    """Keys of `[sources.NAME]` with `kind = "chroma"`."""

    url: Annotated[str, AfterValidator(lambda url: valid_url(url.rstrip("/")) if url else url)] = ""
    """A server's, `http://localhost:8000`."""
    path: str = ""
    """A folder's, the one with `chroma.sqlite3`."""
    collections: NameList = ()
    """A folder may leave them out: then all are searched."""
    tenant: str = "default_tenant"
    database: str = "default_database"
    headers: Mapping[str, str] = {}
    title: NameList = ("title",)
    """Keys of the metadata, the first that a document has; likewise the next two."""
    uri: NameList = ("uri", "url")
    time: NameList = ("created_at", "timestamp", "date")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if bool(self.url) == bool(self.path):
            raise ValueError("give url for a server, or path for a folder")
        if self.url and not self.collections:
            raise ValueError("collections: name at least one of the server's collections")
        return self
