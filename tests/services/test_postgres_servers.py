"""Servers that refuse, hang or are not there: each call ends, is run as often as it helps, and says what to do."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from memory_mcp.domain.errors import SettingsError, StoreError
from memory_mcp.settings import load
from memory_mcp.storage import factory, inspections
from memory_mcp.storage.postgres.db import changes, locks
from memory_mcp.storage.postgres.db.brief import connected
from memory_mcp.storage.postgres.db.connecting import BoundedConnection
from memory_mcp.storage.postgres.db.listening import Announcements
from memory_mcp.storage.postgres.db.session import PgSession
from tests.services.postgres import DATABASE, Postgres, emptied, serving, store_at

pytestmark = pytest.mark.services


@pytest.mark.parametrize(
    ("statement", "said"),
    [("SELECT 1 / 0", "division by zero"), ("SELECT set_config('statement_timeout', '20', true), pg_sleep(30)", None)],
)
@pytest.mark.parametrize("asked", [True, False])
async def test_what_the_server_refuses_is_run_once(
    postgres: Postgres, statement: str, said: str | None, *, asked: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    """The connection is used again, and the driver's own words go nowhere."""
    await emptied(postgres, None).close()
    store, runs = store_at(postgres.of_stores), 0
    pids = []

    def work(db: PgSession) -> None:
        nonlocal runs
        runs += 1
        pids.append(db.value("SELECT pg_backend_pid()"))
        if said is None:
            db.execute("SET LOCAL statement_timeout = 20")
        if asked:
            db.rows(statement)
        else:
            db.execute(statement)

    for call in (store._database.write, store._database.read):
        with pytest.raises(StoreError, match=said or "took too long"):
            await call(work)
    assert runs == 2
    assert len(set(pids)) == 1
    await store.close()
    assert capfd.readouterr().err == ""


@contextmanager
def stopped(server: Postgres) -> Iterator[None]:
    """Let a server hang, with all that belongs to it."""
    main = int((server.folder / "data" / "postmaster.pid").read_text().splitlines()[0])
    with psycopg.connect(server.url, autocommit=True) as connection:
        others = "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        pids = [main, *(pid for (pid,) in connection.execute(others).fetchall())]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def test_a_server_that_hangs_holds_no_call_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open connections are given up, and when the server goes on, so does the store."""
    with serving("fsync = off") as server:
        store = store_at(server.url, patience_s=0.1)
        assert await store.generation() == 0
        monkeypatch.setattr(BoundedConnection, "answer_s", 0.2)
        with stopped(server):
            async with asyncio.timeout(60):
                with pytest.raises(StoreError, match="cannot be reached"):
                    await store.generation()
        monkeypatch.undo()
        async with asyncio.timeout(60):
            assert await store.generation() == 0
        await store.close()


async def test_a_poll_does_not_wait_for_an_address_that_is_silent() -> None:
    """Whoever waits for writes polls as it is told, while the connection is still being made."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        listening = Announcements(f"postgresql://nobody:s3cret@127.0.0.1:{silent.getsockname()[1]}/nowhere")
        begun = time.monotonic()
        for _ in range(3):
            await listening.wait(0.01)
        assert time.monotonic() - begun < 5  # libpq's own patience, thrice of which it would be
        await listening.close()


def test_a_brief_look_leaves_no_setting_behind(postgres: Postgres) -> None:
    """A pooler gives the connection to somebody else after the transaction."""
    with connected(postgres.url, 1) as connection:
        connection.execute("COMMIT")
        assert connection.execute("SHOW statement_timeout").fetchone() == ("0",)


def test_every_lock_has_a_number_of_its_own() -> None:
    """Else who builds a graph would keep everybody from writing documents."""
    numbers = [value for name, value in vars(locks).items() if name.isupper()]
    assert len(numbers) == len(set(numbers)) > 1


async def test_graphs_are_mended_at_the_server_itself(postgres: Postgres) -> None:
    """A session's lock would stay with a pooler's connection."""
    from memory_mcp.storage.postgres.db.connection import PostgresDatabase  # noqa: PLC0415 - as in `store_at`

    await emptied(postgres, None).close()
    direct = f"{postgres.of_stores}?application_name=direct"
    database = PostgresDatabase(postgres.of_stores, direct_url=direct)
    name = await database.run(lambda connection: connection.execute("SHOW application_name").fetchone())
    assert name == ("direct",)
    await database.close()


async def test_a_lost_write_is_asked_after_when_it_has_ended(postgres: Postgres) -> None:
    """Behind a pooler that died the server may still be at work, and has not yet come to what tells of the write."""
    await emptied(postgres, None).close()
    store, other = store_at(postgres.of_stores), store_at(postgres.of_stores)
    begun, may_end, seen = asyncio.Event(), threading.Event(), []
    loop = asyncio.get_running_loop()

    def writing(db: PgSession) -> None:
        seen.append(db)
        _ = db.begun
        loop.call_soon_threadsafe(begun.set)
        assert may_end.wait(60)

    task = asyncio.create_task(store._database.write(writing))
    await begun.wait()
    assert await other._database.read(lambda db: changes.is_running(db, seen[0]))
    may_end.set()
    await task
    assert not await other._database.read(lambda db: changes.is_running(db, seen[0]))
    for one in (store, other):
        await one.close()


@pytest.mark.parametrize("missing", ["psycopg", "psycopg_pool"])
def test_a_missing_driver_names_its_extra(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """For the store, and for doctor."""
    for name in [name for name in sys.modules if name.startswith("memory_mcp.storage.postgres")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    settings = load(storage_backend="postgres", postgres_url="postgresql://u:s3cret@127.0.0.1:1/x")
    with pytest.raises(SettingsError, match=r"pip install 'memory-mcp\[postgres\]'"):
        factory.make_store(settings)
    if missing == "psycopg":
        with pytest.raises(SettingsError, match=r"pip install 'memory-mcp\[postgres\]'"):
            inspections.written(settings, 1)


async def test_without_the_extension_an_administrator_is_named(postgres: Postgres) -> None:
    """Who owns the database may not make it."""
    postgres.sql("postgres", "CREATE ROLE settler LOGIN PASSWORD 's3cret'", "CREATE DATABASE bare OWNER settler")
    store = store_at(postgres.of("bare", "settler"))
    with pytest.raises(StoreError, match=r"as an administrator .*CREATE EXTENSION vector"):
        await store.generation()
    await store.close()


@pytest.mark.parametrize(
    ("says", "code", "sentence"),
    [
        ("cannot set transaction read-write mode during recovery", "feature_not_supported", "name the primary"),
        ('could not extend file "base/1/2"', "disk_full", "disk.* is full"),
    ],
)
async def test_what_a_server_cannot_do_is_named(postgres: Postgres, says: str, code: str, sentence: str) -> None:
    """What PostgreSQL calls an unsupported feature is a standby; a full disk is said to be one."""
    await emptied(postgres, None).close()
    store = store_at(postgres.of_stores)
    raised = f"DO $$ BEGIN RAISE EXCEPTION '{says}' USING ERRCODE = '{code}'; END $$"
    with pytest.raises(StoreError, match=sentence):
        await store._database.write(lambda db: db.rows(raised))
    await store.close()


def test_only_those_who_may_make_and_drop_tables_of_vectors(postgres: Postgres) -> None:
    """The functions have their owner's rights: others may not run them, and no space that is used is dropped."""
    asyncio.run(_made(postgres))
    postgres.sql(
        DATABASE,
        "DROP ROLE IF EXISTS reporter",
        "CREATE ROLE reporter LOGIN PASSWORD 's3cret'",
        "GRANT USAGE ON SCHEMA memory_mcp TO reporter",
    )
    try:
        with psycopg.connect(postgres.of(DATABASE, "reporter"), autocommit=True) as connection:
            for statement in ("SELECT memory_mcp.drop_vectors(1)", "SELECT memory_mcp.make_vectors(9, 3)"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement)
        with pytest.raises(psycopg.errors.RaiseException, match="is active, or unknown"):
            postgres.sql(DATABASE, "SELECT memory_mcp.drop_vectors(1)")
    finally:
        postgres.sql(DATABASE, "DROP OWNED BY reporter", "DROP ROLE reporter")


async def _made(server: Postgres) -> None:
    store = emptied(server, None)
    await store.generation()
    await store.close()
