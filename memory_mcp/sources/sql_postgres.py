"""A statement on PostgreSQL, in a read-only transaction with a time limit of the server's own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Hashable
from typing import Final

import asyncpg

from memory_mcp.domain.sources import SourceAnswer, SourceQuery
from memory_mcp.health.checkup import in_thread
from memory_mcp.sources import sql
from memory_mcp.sources.adapter import FaultError
from memory_mcp.sources.items import MAX_TEXT
from memory_mcp.sources.secrets import Fill
from memory_mcp.sources.sql import COLUMNS, SqlSection

_CONNECT_S: Final = 5.0
_CLOSE_S: Final = 1.0
_CHECK: Final = "check the url, user and password in its section"


class PostgresSource:
    """See `adapter.SourceAdapter`. It keeps one connection; questions take turns."""

    is_repeatable = True
    note = ""

    def __init__(self, section: SqlSection, fill: Fill) -> None:
        self._section = section
        self._fill = fill
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._turn = asyncio.Lock()

    @property
    def target(self) -> str:
        """See the port."""
        return self._section.place

    def version(self) -> Hashable:
        """See the port."""
        return None

    async def ask(self, query: SourceQuery) -> SourceAnswer:
        """See the port."""
        async with self._turn:
            try:
                return await self._answer(await self._connected(), query)
            except asyncio.CancelledError:
                self._drop()  # which also ends the statement on the server
                raise
            except (asyncpg.ReadOnlySQLTransactionError, asyncpg.InsufficientPrivilegeError) as error:
                raise FaultError(
                    "its statement does more than its user may, or more than read", "write a SELECT that only reads"
                ) from error
            except asyncpg.QueryCanceledError as error:
                raise FaultError(
                    "its statement takes too long", "make it faster (an index?), or raise its timeout_ms"
                ) from error
            except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
                raise FaultError(f"{self.target} refuses us", _CHECK) from error
            except asyncpg.PostgresError as error:
                self._drop()
                raise FaultError(
                    f"{self.target} answers with the error {error.sqlstate} ({type(error).__name__})",
                    "check the statement in its section",
                ) from error
            except (OSError, asyncpg.InterfaceError, TimeoutError) as error:
                self._drop()
                raise FaultError(
                    f"{self.target} cannot be reached", "check that it runs, and its url", is_passing=True
                ) from error

    async def close(self) -> None:
        """See the port."""
        if self._connection is not None:
            with contextlib.suppress(OSError, asyncpg.InterfaceError, TimeoutError):
                await self._connection.close(timeout=_CLOSE_S)
            self._connection = None

    async def _connected(self) -> asyncpg.Connection[asyncpg.Record]:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(
                await in_thread(lambda: self._fill(self._section.url)),
                timeout=_CONNECT_S,
                statement_cache_size=0,  # a pooler between us keeps none
                server_settings={
                    "application_name": "memory-mcp",
                    "default_transaction_read_only": "on",
                    "statement_timeout": str(self._section.timeout_ms),
                },
            )
        return self._connection

    async def _answer(self, connection: asyncpg.Connection[asyncpg.Record], query: SourceQuery) -> SourceAnswer:
        async with connection.transaction(readonly=True):
            statement, parameters = sql.numbered(self._section.statement)
            described = await connection.prepare(statement)
            names = [attribute.name for attribute in described.get_attributes()]
            asked = _bounded(statement, [name for name in COLUMNS if name in names])
            given = {"query": query.text, "limit": query.limit}
            rows = await connection.fetch(asked, *(given[name] for name in parameters))
        columns = list(rows[0].keys()) if rows else []
        return sql.answer(columns, [tuple(row.values()) for row in rows[: query.limit + 1]], query.limit)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


def _bounded(statement: str, columns: list[str]) -> str:
    """Return a statement whose server cuts long texts: the client cannot refuse a part of a row."""
    if "text" not in columns:
        raise FaultError("its statement has no column `text`", "name one: SELECT body AS text …")
    picked = ", ".join(
        f'left("{name}"::text, {MAX_TEXT}) AS "{name}"' if name in {"text", "title", "uri"} else f'"{name}"'
        for name in columns
    )
    return f"SELECT {picked} FROM (\n{statement}\n) AS found LIMIT 101"  # noqa: S608 - the user's own statement
