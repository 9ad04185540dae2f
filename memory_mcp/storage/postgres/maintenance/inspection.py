"""Doctor's checks of the database: each connects by itself, changes nothing and creates no schema.

`look` runs first, the others only where it finds the store well.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar, cast

from psycopg import sql

from memory_mcp.domain.checks import skipped
from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.models import Condition, Finding, Space, Written
from memory_mcp.domain.urls import without_password
from memory_mcp.health.registry import Registry
from memory_mcp.search.lexical.stems import LANGUAGE_CHARS, is_english
from memory_mcp.storage import queue as queued
from memory_mcp.storage.postgres.db import changes, schema
from memory_mcp.storage.postgres.db.brief import connected, reading
from memory_mcp.storage.postgres.db.session import PgSession
from memory_mcp.storage.postgres.lexical.tallies import vectors_in
from memory_mcp.storage.postgres.vectors import graphs
from memory_mcp.storage.postgres.vectors.active import active_space
from memory_mcp.storage.postgres.vectors.queue import counts
from memory_mcp.storage.postgres.vectors.values import table

T = TypeVar("T")
OLDEST: Final = 15
"""The oldest major version of PostgreSQL that still gets fixes when this was written."""
PGVECTOR: Final = (0, 8)
"""The first version with iterative scans, without which filters lose answers."""
FEW: Final = 5
"""Connections left: as many as one front may open, and one more."""
SKEW_S: Final = 5.0
"""Seconds by which two clocks may differ before times look wrong to people."""
LANGUAGE_SAMPLE: Final = 200
"""Memories whose language is looked at, the newest."""
NONE_YET: Final = "there is no store yet; the first memory creates it"


def register(registry: Registry, url: str, *, read_only: bool) -> None:
    """Register the checks of a database."""
    of_store = ("store",)
    registry.add_blocking("store", partial(look, url, read_only=read_only))
    for name, check in (
        ("server", server),
        ("roles", roles),
        ("clock", clock),
        ("connections", connections),
        ("queue", queue),
        ("languages", languages),
        ("vectors", vectors),
        ("graphs", graphs_whole),
    ):
        registry.add_blocking(name, partial(check, url), needs=of_store)


def _asked(url: str, seconds: float, work: Callable[[PgSession], T]) -> T:
    """Ask the store's tables, of all namespaces."""
    with reading(url, seconds) as db:
        db.reach_all()
        return work(db)


def look(url: str, seconds: float, *, read_only: bool = False) -> Finding:
    """Check that the database answers, and the version of its tables."""
    place = without_password(url)
    try:
        with connected(url, seconds) as connection:
            version = schema.version_of(connection)
    except StoreError as error:
        return Finding(Condition.FAILED, "unusable", *error.told())
    newest = len(schema.migrations())
    if version == 0:
        return skipped(f"{NONE_YET}, in {place}")
    if version > newest:
        cause, fix = schema.too_new(place, version).rsplit("; ", 1)
        return Finding(Condition.FAILED, "new", cause, fix)
    if version < newest:
        cause = f"{place} is of an earlier version (schema {version}; current is {newest})"
        waits = "none needed: the next client whose user owns the tables migrates it"
        fix = "start once without MCP_MEMORY_READ_ONLY" if read_only else waits
        return Finding(Condition.DEGRADED, "old", cause, fix)
    return Finding(Condition.OK, "open", detail=f"{place}, schema {version}")


def server(url: str, seconds: float) -> Finding:
    """Check the versions of PostgreSQL and of pgvector."""
    with connected(url, seconds) as connection:
        row = connection.execute(
            """SELECT current_setting('server_version_num')::int / 10000, current_setting('server_version'),
                 (SELECT extversion FROM pg_extension WHERE extname = 'vector'), pg_is_in_recovery()"""
        ).fetchone()
    major, told, vector, is_standby = cast("tuple[int, str, str | None, bool]", row)
    if vector is None or tuple(map(int, vector.split(".")[:2])) < PGVECTOR:
        cause = f"pgvector is {vector or 'missing'}, but searches with filters need 0.8 or newer"
        return Finding(
            Condition.FAILED, "old", cause, "install it at the server, then run ALTER EXTENSION vector UPDATE"
        )
    if is_standby:
        cause = "the database is a standby, which cannot be written"
        return Finding(Condition.FAILED, "standby", cause, "name the primary in MCP_MEMORY_POSTGRES_URL")
    if major < OLDEST:
        return Finding(
            Condition.DEGRADED, "old", f"PostgreSQL {told} gets no fixes any more", f"upgrade it to {OLDEST} or newer"
        )
    return Finding(Condition.OK, "fitting", detail=f"PostgreSQL {told} with pgvector {vector}")


def roles(url: str, seconds: float) -> Finding:
    """Check that the wall between namespaces holds for this user."""
    with connected(url, seconds) as connection:
        row = connection.execute(
            """SELECT r.rolname, r.rolsuper OR r.rolbypassrls,
                 (SELECT count(*) FROM pg_class AS c
                  WHERE c.relnamespace = 'memory_mcp'::regnamespace AND c.relkind IN ('r', 'p')
                    AND c.relname NOT IN ('schema_version', 'spaces', 'change_log', 'leases')
                    AND NOT (c.relrowsecurity AND c.relforcerowsecurity)),
                 EXISTS (SELECT FROM pg_class AS c
                         WHERE c.relnamespace = 'memory_mcp'::regnamespace AND c.relkind = 'r' AND c.relowner = r.oid)
               FROM pg_roles AS r WHERE r.rolname = current_user"""
        ).fetchone()
    user, bypasses, open_tables, is_owner = cast("tuple[str, bool, int, bool]", row)
    if open_tables:
        cause = f"row-level security is off for {open_tables} of the tables"
        return Finding(
            Condition.DEGRADED,
            "open",
            cause,
            "as their owner, run for each: ALTER TABLE … ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        )
    if bypasses:
        cause = f"the user {user!r} bypasses row-level security, so nothing stands behind the principal's reach"
        return Finding(
            Condition.DEGRADED,
            "bypassed",
            cause,
            "name another user in MCP_MEMORY_POSTGRES_URL (docs/postgres.md)",
        )
    owned = ", which owns the tables: a role that does not is safer (docs/postgres.md)" if is_owner else ""
    return Finding(Condition.OK, "walled", detail=f"row-level security holds for the user {user!r}{owned}")


def clock(url: str, seconds: float) -> Finding:
    """Compare the server's clock with this machine's."""
    with connected(url, seconds) as connection:
        begun = time.time()
        row = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
        between = (begun + time.time()) / 2
    skew = cast("tuple[float]", row)[0] - between
    told = f"the server's clock differs by {abs(skew):.1f} s from this machine's"
    if abs(skew) > SKEW_S:
        cause = f"{told}; new memories have the server's time"
        return Finding(Condition.DEGRADED, "apart", cause, "set both clocks by NTP")
    return Finding(Condition.OK, "together", detail=told)


def connections(url: str, seconds: float) -> Finding:
    """Count the connections that are left."""
    with connected(url, seconds) as connection:
        row = connection.execute(
            """SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
                 (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')"""
        ).fetchone()
    most, used = cast("tuple[int, int]", row)
    told = f"{used} of {most} connections are in use"
    if most - used < FEW:
        fix = "close clients, raise max_connections, or put pgbouncer in front (docs/postgres.md)"
        return Finding(Condition.DEGRADED, "few", told, fix)
    return Finding(Condition.OK, "enough", detail=told)


def queue(url: str, seconds: float) -> Finding:
    """Report the queue of memories that wait for vectors."""
    return queued.of_queue(_asked(url, seconds, lambda db: counts(db, None)))


def vectors(url: str, seconds: float) -> Finding:
    """Check that the vectors that are counted are there: a dump may have left them out."""

    def lacking(db: PgSession) -> list[str]:
        active = active_space(db)
        if active is None:
            return []
        rows = db.rows(
            sql.SQL(
                """SELECT DISTINCT t.namespace FROM tallies AS t WHERE t.name = %s AND t.memories > 0 AND NOT EXISTS (
                     SELECT FROM {} AS v WHERE v.namespace = t.namespace AND v.documents = t.documents) ORDER BY 1"""
            ).format(table(active[0])),
            (vectors_in(active[0]),),
        )
        return [namespace for (namespace,) in cast("list[tuple[str]]", rows)]

    if lost := _asked(url, seconds, lacking):
        cause = f"the vectors are gone from {', '.join(lost[:3])}{' and others' if len(lost) > 3 else ''}"
        fix = "restore a whole backup, or export the store and import it into an empty database"
        return Finding(Condition.FAILED, "lost", cause, fix)
    return Finding(Condition.OK, "there", detail="each namespace has the vectors that are counted")


def graphs_whole(url: str, seconds: float) -> Finding:
    """Check that large searches have their graphs."""
    with connected(url, seconds) as connection:
        parts = graphs.broken(connection)
    if parts:
        cause = f"{', '.join(parts)} have no graph, so searches compare every vector in them"
        fix = "run a client as the owner of the tables, which builds them (docs/postgres.md)"
        return Finding(Condition.DEGRADED, "missing", cause, fix)
    return Finding(Condition.OK, "whole", detail="each part of the vectors has its graph")


def languages(url: str, seconds: float) -> Finding:
    """Name the multilingual model where an English one made the vectors of a store that is mostly not English."""

    def sampled(db: PgSession) -> tuple[Space | None, Counter[bool | None]]:
        rows = db.rows(
            "SELECT left(content, %s) FROM memories WHERE deleted_at IS NULL ORDER BY key DESC LIMIT %s",
            (LANGUAGE_CHARS, LANGUAGE_SAMPLE),
        )
        active = active_space(db)
        return active[1] if active else None, Counter(is_english(cast("str", content)) for (content,) in rows)

    of, told = _asked(url, seconds, sampled)
    return queued.of_languages(of, told[True], told[False])


def space(url: str, seconds: float) -> Space | None:
    """Return the active space; None before the first vector.

    Raises:
        StoreError: it cannot be read.
    """
    active = _asked(url, seconds, active_space)
    return active[1] if active else None


def written(url: str, seconds: float) -> Written | None:
    """Return when the store was last written; None if it never was.

    Raises:
        StoreError: it cannot be read.
    """
    return _asked(url, seconds, changes.written)
