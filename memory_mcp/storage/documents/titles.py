"""What documents are called, to look for one by its name; works inside the caller's session."""

from __future__ import annotations

from typing import cast

from memory_mcp.domain.documents import DocumentTitle
from memory_mcp.storage.cursors import LAST
from memory_mcp.storage.documents.sections import FIRST_FILE, uri_of
from memory_mcp.storage.documents.session import SqlSession


def titles(db: SqlSession, namespace: str, before: int | None, limit: int) -> list[DocumentTitle]:
    """Return the last documents before a key, newest first."""
    rows = db.rows(
        f"""SELECT d.key, d.id, d.title, d.part, {FIRST_FILE.format(column="uri")} FROM documents AS d
            WHERE d.namespace = ?1 AND d.key < ?2 ORDER BY d.key DESC LIMIT ?3""",  # noqa: S608 - a constant
        namespace,
        LAST if before is None else before,
        limit,
    )
    return [
        DocumentTitle(key, document_id, title, uri_of(uri, part))
        for key, document_id, title, part, uri in cast("list[tuple[int, str, str | None, str, str | None]]", rows)
    ]
