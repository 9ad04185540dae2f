"""Files new memories in every index, many in one exchange with the server."""

from __future__ import annotations

from collections.abc import Sequence

from memory_mcp.domain.errors import ConflictError
from memory_mcp.domain.models import Embedded, Stored
from memory_mcp.storage.postgres.db.entries import IndexEntry
from memory_mcp.storage.postgres.db.session import PgSession
from memory_mcp.storage.postgres.lexical import keywords
from memory_mcp.storage.postgres.vectors import chunks

Became = Stored | ConflictError


class Filing:
    """Memories that were written in this transaction and are in no index yet."""

    def __init__(self, db: PgSession) -> None:
        self._db = db
        self._waiting: list[tuple[IndexEntry, Embedded]] = []
        self._stored: dict[int, Stored] = {}
        self._ids: dict[int, str] = {}

    def file(self, entry: IndexEntry, memory_id: str, embedded: Embedded) -> None:
        """Count a memory, and file it at the next `flush`."""
        self._ids[entry.key] = memory_id
        self._db.counted[entry.partition] += 1
        self._waiting.append((entry, embedded))

    def flush(self) -> None:
        """File what waits: before the memories are read again, and at the end."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        keywords.enter(self._db, [entry for entry, _ in waiting])
        complete = chunks.insert_all(self._db, waiting)
        for (entry, _), whole in zip(waiting, complete, strict=True):
            self._stored[entry.key] = Stored(self._ids[entry.key], created=True, embedded=whole)

    def told(self, outcome: Became | int) -> Became:
        """Return what became of a memory, which may be the key of a filed one."""
        return self._stored[outcome] if isinstance(outcome, int) else outcome


def unfile(db: PgSession, entries: Sequence[IndexEntry]) -> None:
    """Take memories out of every index."""
    if not entries:
        return
    for entry in entries:
        db.counted[entry.partition] -= 1
    keywords.leave(db, entries)
    chunks.drop_of(db, entries)


def refile(db: PgSession, before: IndexEntry, after: IndexEntry, embedded: Embedded | None) -> None:
    """Bring a memory whose content or type has changed to where it belongs; `embedded` has a new content's chunks."""
    if before != after:
        keywords.leave(db, [before])
        keywords.enter(db, [after])
    if before.partition != after.partition:
        db.counted[before.partition] -= 1
        db.counted[after.partition] += 1
    if embedded is not None and before.content != after.content:
        chunks.drop_of(db, [before])
        chunks.insert_all(db, [(after, embedded)])
    elif before.partition != after.partition:
        chunks.refile(db, before, after)
