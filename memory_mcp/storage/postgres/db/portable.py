"""SQL that all stores have in common, run in a session of PostgreSQL; see `storage.documents.session.SqlSession`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, cast

from memory_mcp.storage.documents.session import SqlValue
from memory_mcp.storage.postgres.db.session import PgSession

_PARAMETER: Final = re.compile(r"\?(\d+)")
_STATEMENTS: Final = 256
"""Kept ones: the texts of all that is ever run are fewer."""


class PortableSql:
    """A session that takes numbered parameters (`?1`)."""

    machine: Final = ", machine"

    def __init__(self, db: PgSession) -> None:
        self._db = db

    @property
    def now(self) -> int:
        return self._db.now

    def rows(self, sql: str, *parameters: SqlValue) -> list[tuple[SqlValue, ...]]:
        text, order = _translated(sql)
        return cast("list[tuple[SqlValue, ...]]", self._db.rows(text, _ordered(parameters, order)))

    def run(self, sql: str, *parameters: SqlValue) -> int:
        text, order = _translated(sql)
        return self._db.changed(text, _ordered(parameters, order))

    def run_many(self, sql: str, rows: Iterable[Sequence[SqlValue]]) -> None:
        text, order = _translated(sql)
        self._db.run_many(text, (_ordered(row, order) for row in rows))

    def texts(self, parameter: int) -> str:
        return f"SELECT jsonb_array_elements_text(?{parameter}::jsonb)"

    def keys(self, parameter: int) -> str:
        return f"SELECT jsonb_array_elements(?{parameter}::jsonb)::bigint"

    def is_here(self, table: str) -> str:
        return f"{table}.machine = current_setting('memory_mcp.machine')"

    def locking(self, table: str) -> str:
        return f"FOR UPDATE OF {table}"


@lru_cache(_STATEMENTS)
def _translated(sql: str) -> tuple[str, tuple[int, ...]]:
    """Return a statement with `%s` for its parameters, and which of them stands where, from 0."""
    order = tuple(int(number) - 1 for number in _PARAMETER.findall(sql))
    return _PARAMETER.sub("%s", sql.replace("%", "%%")), order


def _ordered(parameters: Sequence[SqlValue], order: Sequence[int]) -> list[SqlValue]:
    return [parameters[number] for number in order]
