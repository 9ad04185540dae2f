"""One PostgreSQL database, reached at the first use: a few connections, each used by one thread at a time.

Everything that a transaction needs is set inside it, so that a pooler in transaction mode may stand between. Work is
passed in as a function of the transaction and may be run again: after a lost connection, or where two writes met.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar, cast

import psycopg
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool, PoolTimeout

from memory_common import tracing
from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.urls import without_password
from memory_mcp.storage.postgres.db import changes, locks, schema
from memory_mcp.storage.postgres.db.connecting import STATEMENT_MS, BoundedConnection, connect, parameters
from memory_mcp.storage.postgres.db.errors import LostWriteError, is_of_connection, is_passing, translated
from memory_mcp.storage.postgres.db.session import CLOCK, SCHEMA, Beginning, PgConnection, PgSession

T = TypeVar("T")

CONNECTIONS: Final = 4
"""Most connections of one front, opened when needed and closed when idle."""
PATIENCE_S: Final = 10.0
"""How long a call waits for a server that restarts."""
IDLE_S: Final = 120.0
"""After so long an unused connection is closed: an idle front holds none."""
IDLE_IN_TRANSACTION_MS: Final = 60_000
"""The server ends what takes longer: a front that hangs holds nothing up."""
POOL_S: Final = 0.5
"""Until a call whose connections are all lost makes one of its own."""
SOON_S: Final = 0.01
"""The same for a call that has no time left to wait."""
AGAIN_S: Final = 0.1
"""Until a server that does not answer is asked once more."""
ATTEMPTS: Final = 10
"""How often a write that met others is run in all."""

_SET: Final = f"""
  SELECT set_config('search_path', '{SCHEMA},' || current_setting('search_path'), true),
    set_config('statement_timeout', '{STATEMENT_MS:d}', true),
    set_config('idle_in_transaction_session_timeout', '{IDLE_IN_TRANSACTION_MS:d}', true),
    set_config('plan_cache_mode', 'force_custom_plan', true), set_config('synchronous_commit', 'on', true),
    set_config('jit', 'off', true), set_config('hnsw.iterative_scan', 'relaxed_order', true),
    set_config('hnsw.ef_search', '200', true), set_config('hnsw.max_scan_tuples', '100000', true)
"""
_LOCKED: Final = f"SELECT pg_advisory_xact_lock_shared({locks.MIGRATIONS:d})"
_MOMENT: Final = f"""
  SELECT version, {CLOCK}, (SELECT seq FROM {SCHEMA}.change_log), pg_backend_pid()
  FROM {SCHEMA}.schema_version
"""  # noqa: S608 - constants
_READ: Final = ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", _SET, _MOMENT)
_WRITE: Final = ("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", _SET, _LOCKED, _MOMENT)
"""What begins a transaction; it is sent with the first question."""


class PostgresDatabase:
    """The database, for asynchronous callers."""

    def __init__(
        self,
        url: str,
        clock: Callable[[], float] | None = None,
        *,
        read_only: bool = False,
        connections: int = CONNECTIONS,
        patience_s: float = PATIENCE_S,
        direct_url: str | None = None,
    ) -> None:
        """Open nothing yet.

        Args:
            url: may lead to a pooler.
            clock: stands in for the server's, in seconds since 1970.
            read_only: write nothing.
            connections: the most at once.
            patience_s: how long a call waits for a server that restarts.
            direct_url: leads to the server itself.
        """
        self.url = url
        self.place = without_password(url)
        self.is_read_only = read_only
        self._direct_url = direct_url or url
        self._clock = clock
        self._most = connections
        self._patience_s = patience_s
        self._opening = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None
        self._pool: ConnectionPool[PgConnection] | None = None
        self._closed = False
        self._away_since = self._seen_away = -math.inf
        """When the server was first, and last, found away."""

    async def read(self, work: Callable[[PgSession], T], *, patience_s: float | None = None) -> T:
        """Run work that only reads, on one snapshot; `patience_s` is its own wait for a server that is away.

        Raises:
            StoreError: the database cannot be reached or read, or a newer version has migrated it.
        """
        with tracing.child("read the store", database="postgresql"):
            return await self._in_thread(lambda: self._read(work, patience_s))

    async def write(self, work: Callable[[PgSession], T]) -> T:
        """Run work in one transaction; on return it is on disk. The work may be run more than once.

        Raises:
            StoreError: the database cannot be reached or written; the work was rolled back.
            LostWriteError: nobody knows whether it was.
        """
        self._check_writable()
        with tracing.child("write the store", database="postgresql"):
            return await self._in_thread(lambda: self._write(work))

    def read_here(self, work: Callable[[PgSession], T], *, patience_s: float | None = None) -> T:
        """Do as `read` does, in the thread that calls."""
        return self._translated(lambda: self._read(work, patience_s))

    def write_here(self, work: Callable[[PgSession], T]) -> T:
        """Do as `write` does, in the thread that calls."""
        self._check_writable()
        return self._translated(lambda: self._write(work))

    def close_here(self) -> None:
        """Close the connections that `read_here` and `write_here` have opened."""
        self._closed = True
        if self._pool is not None:
            self._pool.close()

    async def run(self, work: Callable[[PgConnection], T]) -> T:
        """Run work outside any transaction, on a connection of its own to the server: what a transaction cannot do."""
        return await self._in_thread(lambda: self._alone(work))

    async def close(self) -> None:
        """Close all connections, when what runs has ended."""
        self._closed = True
        if self._pool is not None:
            await asyncio.to_thread(self._pool.close)
        if self._threads is not None:
            await asyncio.to_thread(self._threads.shutdown)

    def _check_writable(self) -> None:
        if self.is_read_only:
            raise StoreError(f"{self.place} is read-only; unset MCP_MEMORY_READ_ONLY to write")

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._most, thread_name_prefix="postgres")
        return await asyncio.wrap_future(self._threads.submit(self._translated, work))

    def _translated(self, work: Callable[[], T]) -> T:
        with translated(self.place):
            return work()

    def _alone(self, work: Callable[[PgConnection], T]) -> T:
        self._opened()
        with connect(self._direct_url) as connection:
            connection.answer_s = None
            return work(connection)

    def _connect(self) -> BoundedConnection:
        return connect(self.url)

    def _opened(self) -> ConnectionPool[PgConnection]:
        """Return the pool; the first call creates or migrates the schema, with a connection of its own.

        Raises:
            StoreError: the schema is newer than this program, or may not be migrated.
        """
        if self._pool is None:  # calls that find no server wait for it beside each other
            with self._connect() as connection:
                self._check_or_migrate(connection)
        with self._opening:
            if self._closed:
                raise StoreError("the store is closed")
            if self._pool is None:
                self._pool = ConnectionPool(
                    parameters(self.url),
                    connection_class=BoundedConnection,
                    kwargs={"autocommit": True, "prepare_threshold": None},
                    min_size=0,
                    max_size=self._most,
                    max_idle=IDLE_S,
                    open=True,
                )
            return self._pool

    def _check_or_migrate(self, connection: BoundedConnection) -> None:
        version = schema.version_of(connection)
        if version == len(schema.migrations()):
            return
        if self.is_read_only and version < len(schema.migrations()):
            raise StoreError(schema.too_old(self.place, version))
        connection.answer_s = None  # a large store takes long
        schema.migrate(connection, self.place)

    def _until(self) -> float:
        """Return when a call gives up waiting for the server: in one outage all calls together wait that long once."""
        now = time.monotonic()
        return (self._away_since if now - self._seen_away <= self._patience_s else now) + self._patience_s

    def _note_away(self) -> None:
        now = time.monotonic()
        if now - self._seen_away > self._patience_s:
            self._away_since = now
        self._seen_away = now

    def _read(self, work: Callable[[PgSession], T], patience_s: float | None = None) -> T:
        until = self._until() if patience_s is None else time.monotonic() + patience_s
        while True:
            with self._connection(until) as connection:
                try:
                    with connection.pipeline() as pipeline, _settled(pipeline):
                        done = work(self._begin(connection, pipeline, _READ))
                        connection.execute("ROLLBACK")
                except psycopg.OperationalError as error:
                    if not _is_lost(connection, error) or time.monotonic() > until:
                        raise
                else:
                    return done
                finally:
                    _roll_back(connection)
            time.sleep(AGAIN_S)

    def _write(self, work: Callable[[PgSession], T]) -> T:
        until = self._until()
        for attempt in range(1, ATTEMPTS + 1):
            with self._connection(until) as connection:
                try:
                    return self._written(connection, work, until)
                except psycopg.Error as error:
                    may_succeed = _is_lost(connection, error) or is_passing(error)
                    if not may_succeed or attempt == ATTEMPTS or time.monotonic() > until:
                        raise
                finally:
                    _roll_back(connection)
            time.sleep(AGAIN_S)
        raise AssertionError("the last attempt returns or raises")

    def _written(self, connection: PgConnection, work: Callable[[PgSession], T], until: float) -> T:
        """Run work and commit it; raise what kept it from being written."""
        with connection.pipeline() as pipeline, _settled(pipeline):
            session = self._begin(connection, pipeline, _WRITE)
            done = work(session)
            changes.finish(session)
            _ = session.begun  # also when nothing was asked
            try:
                connection.execute("COMMIT")
                pipeline.sync()
            except psycopg.OperationalError as error:
                if not (_is_lost(connection, error) and self._is_kept(session, until)):
                    raise
            return done

    @contextlib.contextmanager
    def _connection(self, until: float) -> Iterator[PgConnection]:
        pool = self._opened()
        try:
            connection = pool.getconn(min(POOL_S, max(SOON_S, until - time.monotonic())))
        except PoolTimeout:  # it makes longer and longer pauses while the server is away
            with self._connect_by(until) as connection:
                yield connection
            return
        try:
            yield connection
        finally:
            pool.putconn(connection)

    def _connect_by(self, until: float) -> PgConnection:
        """Connect when the server is back, or raise what keeps it away."""
        while True:
            try:
                connection = self._connect()
            except psycopg.OperationalError:
                self._note_away()
                if time.monotonic() > until:
                    raise
            else:
                self._seen_away = -math.inf
                return connection
            time.sleep(AGAIN_S)

    def _begin(self, connection: PgConnection, pipeline: psycopg.Pipeline, statements: Sequence[str]) -> PgSession:
        for statement in statements:
            begun = connection.execute(statement)

        def beginning() -> Beginning:
            version, now, generation, process = cast("tuple[int, int, int, int]", begun.fetchone())
            if version > len(schema.migrations()):
                raise StoreError(schema.too_new(self.place, version))
            if self._clock is None:
                return Beginning(now, generation, process)
            return Beginning(int(self._clock() * 1_000_000), generation, process, is_servers=False)

        return PgSession(connection, pipeline, beginning)

    def _is_kept(self, written: PgSession, until: float) -> bool:
        """Whether a transaction whose commit was not answered was committed; the server knows, when it is back.

        Raises:
            LostWriteError: it does not come back in time.
        """
        while time.monotonic() < until:
            with (
                contextlib.suppress(psycopg.OperationalError),
                self._connect() as connection,
                connection.pipeline() as pipeline,
            ):
                session = self._begin(connection, pipeline, _WRITE)
                if not changes.is_running(session, written):
                    return changes.is_kept(session, written)
            time.sleep(AGAIN_S)
        raise LostWriteError(self.place)


@contextlib.contextmanager
def _settled(pipeline: psycopg.Pipeline) -> Iterator[None]:
    """Read what is still to come after an error, so that the connection can be used again."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(psycopg.Error):  # the first error is the one that counts
            pipeline.sync()
        raise


def _is_lost(connection: PgConnection, error: psycopg.Error) -> bool:
    """Whether the server is gone from a connection, rather than refused something; such a connection is closed."""
    if is_of_connection(error):
        connection.close()
    return connection.closed


def _roll_back(connection: PgConnection) -> None:
    """End a transaction that was not committed."""
    if connection.closed or connection.info.transaction_status is TransactionStatus.IDLE:
        return
    with contextlib.suppress(psycopg.Error):  # the server ends it when the connection closes
        connection.execute("ROLLBACK")
