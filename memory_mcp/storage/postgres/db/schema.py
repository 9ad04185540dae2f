"""The schema: numbered SQL files, each run once, under a lock that all fronts share."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final, cast

import psycopg

from memory_mcp.domain.errors import StoreError
from memory_mcp.storage.postgres.db import locks
from memory_mcp.storage.postgres.db.session import SCHEMA, PgConnection

_CREATE: Final = f"""
  CREATE SCHEMA IF NOT EXISTS {SCHEMA};
  CREATE TABLE IF NOT EXISTS {SCHEMA}.schema_version (version integer NOT NULL);
"""
_VECTOR: Final = "CREATE EXTENSION IF NOT EXISTS vector"
_PATH: Final = f"""
  SELECT set_config('search_path', format('{SCHEMA}, %I, pg_temp', n.nspname), true)
  FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'vector'
"""  # noqa: S608 - a constant
"""Functions that run with their owner's rights keep it, so that nothing of a caller's, not even a temporary table, is
taken for ours."""


@cache
def migrations() -> tuple[str, ...]:
    """Return the SQL of all migrations in order; their number is the schema's version."""
    files = sorted(Path(__file__).with_name("migrations").glob("*.sql"))
    return tuple(file.read_text(encoding="utf-8") for file in files)


def version_of(connection: PgConnection) -> int:
    """Return the version of a database's schema; 0 where there is none yet."""
    known = connection.execute(f"SELECT to_regclass('{SCHEMA}.schema_version') IS NOT NULL").fetchone()
    if known != (True,):
        return 0
    row = connection.execute(f"SELECT max(version) FROM {SCHEMA}.schema_version").fetchone()  # noqa: S608 - a constant
    return cast("int", row[0] or 0) if row else 0


def too_new(place: str, version: int) -> str:
    """Return the error for a database that a newer version has migrated."""
    return (
        f"{place} was written by a newer memory-mcp (schema {version}, this one knows {len(migrations())}); "
        "nothing was changed; upgrade memory-mcp and restart"
    )


def too_old(place: str, version: int) -> str:
    """Return the error for a database of an earlier version that may not be written."""
    if not version:
        return f"there is no store in {place} yet; the first memory creates it: start once without MCP_MEMORY_READ_ONLY"
    return (
        f"{place} is of an earlier version (schema {version}, current is {len(migrations())}) and cannot be migrated "
        "read-only; start once without MCP_MEMORY_READ_ONLY"
    )


def migrate(connection: PgConnection, place: str) -> None:
    """Bring the schema to this version in one transaction; what another front did meanwhile is not done again.

    Raises:
        StoreError: a newer version has migrated it, or this user may not.
    """
    try:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (locks.MIGRATIONS,))
            done = version_of(connection)
            if done > len(migrations()):
                raise StoreError(too_new(place, done))
            if done < len(migrations()):
                _run(connection, done)
    except psycopg.errors.InsufficientPrivilege as error:
        if "create extension" in str(error):
            raise StoreError(
                f"{place} lacks the extension vector, which its user may not create; as an administrator of the "
                "server, run there: CREATE EXTENSION vector"
            ) from error
        raise StoreError(
            f"{place}: its user may not create or change the tables of memory-mcp ({str(error).splitlines()[0]}); run "
            "`memory-mcp status` once with MCP_MEMORY_POSTGRES_URL naming a user who owns them"
        ) from error
    except psycopg.errors.UndefinedFile as error:
        raise StoreError(f"{place}: the server lacks pgvector 0.8 or newer; install it there") from error


def _run(connection: PgConnection, done: int) -> None:
    connection.execute(_VECTOR)
    connection.execute(_CREATE)
    connection.execute(_PATH)
    connection.execute("SET LOCAL statement_timeout = 0")
    connection.execute("SELECT set_config('memory_mcp.reaches_all', 'on', true)")
    for script in migrations()[done:]:
        connection.execute(script)
    connection.execute("DELETE FROM schema_version")
    connection.execute("INSERT INTO schema_version (version) VALUES (%s)", (len(migrations()),))
