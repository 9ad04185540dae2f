"""The Python part of migration 9: files documents in partitions of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import apsw

from memory_mcp.domain.documents import DOCUMENT
from memory_mcp.storage.sqlite.db.partitions import partition_of
from memory_mcp.storage.sqlite.lexical import keywords
from memory_mcp.storage.sqlite.vectors import chunks


def set_apart(db: apsw.Connection) -> None:
    """Move live memories of the type of documents, with their terms and vectors."""
    rows = db.execute("SELECT key, namespace, content FROM memories WHERE type = ? AND deleted_at IS NULL", (DOCUMENT,))
    for key, namespace, content in cast("Iterator[tuple[int, str, str]]", rows):
        partition = partition_of(namespace, DOCUMENT)
        keywords.leave(db, key)
        keywords.count_out(db, namespace)
        keywords.enter(db, key, keywords.count_in(db, partition), content)
        chunks.refile(db, key, partition)
