"""A connection for a moment, for who looks at a database once: no pool, no threads, nothing is created or changed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Final

from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.urls import without_password
from memory_mcp.storage.postgres.db import schema
from memory_mcp.storage.postgres.db.connecting import connect
from memory_mcp.storage.postgres.db.errors import translated
from memory_mcp.storage.postgres.db.session import SCHEMA, Beginning, PgConnection, PgSession

_PATH: Final = f"SELECT set_config('search_path', '{SCHEMA},' || current_setting('search_path'), true)"
LEAST_S: Final = 2
"""The fewest seconds that libpq waits for a connection."""


@contextlib.contextmanager
def connected(url: str, seconds: float) -> Iterator[PgConnection]:
    """Read for some seconds, in one transaction.

    Raises:
        StoreError: the database cannot be reached or read.
    """
    with (
        translated(without_password(url)),
        connect(url, max(LEAST_S, int(seconds))) as connection,
    ):
        connection.answer_s = seconds + LEAST_S
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        connection.execute("SELECT set_config('statement_timeout', %s, true)", (str(int(1_000 * seconds)),))
        yield connection  # closing it ends the transaction, with whatever a pooler would keep


@contextlib.contextmanager
def reading(url: str, seconds: float) -> Iterator[PgSession]:
    """Open a snapshot of a store's tables.

    Raises:
        StoreError: the database cannot be reached or read, or has no store of this version.
    """
    with connected(url, seconds) as connection:
        version = schema.version_of(connection)
        if version > len(schema.migrations()):
            raise StoreError(schema.too_new(without_password(url), version))
        if version < len(schema.migrations()):
            raise StoreError(schema.too_old(without_password(url), version))
        connection.execute(_PATH)
        with connection.pipeline() as pipeline:
            yield PgSession(connection, pipeline, lambda: Beginning(int(time.time() * 1_000_000), 0))
