"""The graphs of large searches, one for each part of a space's table; they are mended while everybody reads and writes.

A space's table is made with them. What is missing or was left half done is made anew, part by part, so that who goes on
after a kill begins with the first that is not whole. Without its graph a part is searched exactly, which is slow alone.
"""

from __future__ import annotations

from typing import Final, cast

from psycopg import sql

from memory_mcp.storage.postgres.db import locks
from memory_mcp.storage.postgres.db.session import SCHEMA, PgConnection

_OWNED: Final = "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('memory_mcp.spaces')"
_BROKEN: Final = f"""
  SELECT s.number, part, s.dimensions FROM {SCHEMA}.spaces AS s CROSS JOIN generate_series(0, 7) AS part
  WHERE NOT EXISTS (
    SELECT 1 FROM pg_index AS i WHERE i.indisvalid
      AND i.indexrelid = to_regclass(format('{SCHEMA}.vectors_%s_%s_nearest', s.number, part)))
  ORDER BY s.number, part
"""  # noqa: S608 - constants


def broken(connection: PgConnection) -> list[str]:
    """Return the parts of tables that have no whole graph."""
    return [f"vectors_{space}_{part}" for space, part, _ in _broken(connection)]


def mend(connection: PgConnection) -> None:
    """Make the graphs that are not whole; does nothing while another front does, or for who does not own the tables.

    Args:
        connection: outside any transaction, and to the server itself: a pooler would leave the lock behind.
    """
    if connection.execute(_OWNED).fetchone() != (True,):
        return
    if connection.execute("SELECT pg_try_advisory_lock(%s)", (locks.GRAPHS,)).fetchone() != (True,):
        return
    try:
        connection.execute("SET statement_timeout = 0")  # a graph takes as long as it takes
        for space, part, dimensions in _broken(connection):
            _make(connection, f"vectors_{space:d}_{part:d}", dimensions)
    finally:
        connection.execute("RESET statement_timeout")
        connection.execute("SELECT pg_advisory_unlock(%s)", (locks.GRAPHS,))


def _broken(connection: PgConnection) -> list[tuple[int, int, int]]:
    return cast("list[tuple[int, int, int]]", connection.execute(_BROKEN).fetchall())


def _make(connection: PgConnection, part: str, dimensions: int) -> None:
    graph = sql.Identifier(SCHEMA, f"{part}_nearest")
    connection.execute(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(graph))
    connection.execute(
        sql.SQL("CREATE INDEX CONCURRENTLY {} ON {} USING hnsw ((embedding::halfvec({})) halfvec_cosine_ops)").format(
            sql.Identifier(f"{part}_nearest"), sql.Identifier(SCHEMA, part), sql.Literal(dimensions)
        )
    )
