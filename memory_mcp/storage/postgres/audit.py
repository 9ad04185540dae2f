"""The audit in the memories' database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from memory_mcp.domain.audit import AuditFilters, AuditLine
from memory_mcp.storage.audit import PURGED_AT_ONCE, WRITTEN, conditions, to_line, to_row
from memory_mcp.storage.postgres.db.connection import PostgresDatabase
from memory_mcp.storage.postgres.db.session import PgSession
from memory_mcp.storage.rows import to_micros

_HOLDS_ID: Final = "ids::jsonb ? {memory_id}"
_APPEND: Final = f"INSERT INTO audit ({WRITTEN}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"  # noqa: S608 - constants
_PURGE: Final = "DELETE FROM audit WHERE key IN (SELECT key FROM audit WHERE at < %s ORDER BY at LIMIT %s)"


class PostgresAudit:
    """See `domain.ports.AuditLog`."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def append(self, lines: Sequence[AuditLine]) -> None:
        rows = [to_row(line) for line in lines]

        def work(db: PgSession) -> None:
            db.reach_all()
            db.run_many(_APPEND, rows)

        await self._database.write(work)

    async def lines(self, filters: AuditFilters, *, before: int | None, limit: int) -> list[AuditLine]:
        condition, values = conditions(filters, before, _HOLDS_ID)
        named = condition.format_map({name: f"%({name})s" for name in values})
        query = f"SELECT key, {WRITTEN} FROM audit WHERE {named} ORDER BY key DESC LIMIT %(limit)s"  # noqa: S608 - constants

        def work(db: PgSession) -> list[tuple[object, ...]]:
            db.reach_all()
            return db.rows(query, {**values, "limit": limit})

        return [to_line(row) for row in await self._database.read(work)]

    async def purge(self, before: datetime) -> int:
        def work(db: PgSession) -> int:
            db.reach_all()
            return db.changed(_PURGE, (to_micros(before), PURGED_AT_ONCE))

        return await self._database.write(work)
