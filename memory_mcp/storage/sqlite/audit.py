"""The audit in the memories' file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import apsw

from memory_mcp.domain.audit import AuditFilters, AuditLine
from memory_mcp.storage.audit import PURGED_AT_ONCE, WRITTEN, conditions, to_line, to_row
from memory_mcp.storage.rows import to_micros
from memory_mcp.storage.sqlite.db.connection import Database

_HOLDS_ID: Final = "EXISTS (SELECT 1 FROM json_each(ids) WHERE value = {memory_id})"
_APPEND: Final = f"INSERT INTO audit ({WRITTEN}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants
_PURGE: Final = "DELETE FROM audit WHERE key IN (SELECT key FROM audit WHERE at < ? ORDER BY at LIMIT ?)"


class SqliteAudit:
    """See `domain.ports.AuditLog`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, lines: Sequence[AuditLine]) -> None:
        rows = [to_row(line) for line in lines]
        await self._database.write(lambda db: db.executemany(_APPEND, rows).fetchall())

    async def lines(self, filters: AuditFilters, *, before: int | None, limit: int) -> list[AuditLine]:
        condition, values = conditions(filters, before, _HOLDS_ID)
        named = condition.format_map({name: f":{name}" for name in values})
        query = f"SELECT key, {WRITTEN} FROM audit WHERE {named} ORDER BY key DESC LIMIT :limit"  # noqa: S608 - constants
        given = {**values, "limit": limit}
        rows = await self._database.read(lambda db: db.execute(query, given).fetchall())
        return [to_line(row) for row in rows]

    async def purge(self, before: datetime) -> int:
        def work(db: apsw.Connection) -> int:
            db.execute(_PURGE, (to_micros(before), PURGED_AT_ONCE))
            return db.changes()

        return await self._database.write(work)
