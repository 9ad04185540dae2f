"""Row-level security: the second wall behind a principal's reach, with the roles that docs/postgres.md sets up."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

import psycopg
import pytest

from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.models import Filters
from memory_mcp.domain.ports import Snapshot, SupportsBackup, SupportsDocuments
from memory_mcp.storage.postgres.maintenance import inspection
from tests.contracts.library import ingest
from tests.contracts.shelf import HERE, SHARES, SPACE, listed, near, put, towards, worded
from tests.services.postgres import Postgres, as_nobody, store_at
from tests.services.servers import answers, free_port, running

pytestmark = pytest.mark.services
DOCS: Final = Path(__file__).parents[2] / "docs" / "postgres.md"
ROLES: Final = "memory_owner", "memory_front"
WALLED: Final = """
  SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'memory_mcp'::regnamespace AND relkind IN ('r', 'p')
    AND relname NOT IN ('schema_version', 'change_log', 'leases', 'spaces')
"""
"""Every table but those that tell nothing of a namespace."""
THERE: Final = Filters("there")


@pytest.fixture(scope="module")
def walled(postgres: Postgres) -> Postgres:
    """Set up a database by the statements that the documentation tells an administrator to run."""
    block = re.search(r"```sql\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    statements = [one.strip() for one in block.group(1).replace("'…'", "'s3cret'").split(";") if one.strip()]
    cut = next(place for place, one in enumerate(statements) if one.startswith("\\connect"))
    postgres.sql("postgres", *statements[:cut])
    postgres.sql("memories_of_a_team", *statements[cut + 1 :])
    asyncio.run(_told_a_front(postgres))
    return postgres


async def _told_a_front(server: Postgres) -> None:
    """Let the owner's first start make the tables, and a front that could not store something."""
    keeper, store = store_at(server.of("memories_of_a_team", "memory_owner")), store_at(front(server))
    with pytest.raises(StoreError, match=r"may not create .*run `memory-mcp status` once with"):
        await store.generation()
    assert await keeper.generation() == 0
    await put(store, "theirs", towards(90), namespace="there")
    for one in (keeper, store):
        await one.close()


def front(server: Postgres) -> str:
    """Return the address that a front is given."""
    return server.of("memories_of_a_team", "memory_front")


async def test_a_front_without_rights_stores_and_finds(walled: Postgres) -> None:
    """A role that owns nothing does all that a front does."""
    keeper, store = store_at(walled.of("memories_of_a_team", "memory_owner")), store_at(front(walled))
    memory = await put(store, "mine", towards(0), tags=("a",))
    assert await near(store) == await worded(store, "mine") == ["mine"]
    assert await near(store, THERE) == ["theirs"]
    assert await worded(store, "mine", THERE) == []
    assert await listed(store) == ["mine"]
    assert await listed(store, THERE) == ["theirs"]
    assert (await store.totals()).memories == 2
    await store.delete([memory.id], HERE, dry_run=False)
    assert await listed(keeper) == []
    assert await listed(keeper, THERE) == ["theirs"]
    for one in (keeper, store):
        await one.close()


@pytest.mark.parametrize("role", ROLES)
def test_a_query_without_a_namespace_returns_no_row(walled: Postgres, role: str) -> None:
    """Whoever forgets to say which namespaces it reaches gets nothing, the owner of the tables too."""
    with psycopg.connect(walled.of("memories_of_a_team", role)) as connection:
        walled_tables = rows(connection, WALLED)
        assert len(walled_tables) >= 10
        for (table,) in walled_tables:
            assert rows(connection, f"TABLE {table}") == []
        connection.execute("SELECT set_config('memory_mcp.reach', '{there}', true)")
        assert rows(connection, "SELECT DISTINCT namespace FROM memory_mcp.memories") == [("there",)]
        connection.execute("SELECT set_config('memory_mcp.reach', '{here}', true)")
        assert rows(connection, "SELECT count(*) FROM memory_mcp.memories WHERE deleted_at IS NULL") == [(0,)]
        connection.commit()
        assert rows(connection, "SELECT count(*) FROM memory_mcp.memories") == [(0,)]


async def test_a_key_alone_opens_nothing(walled: Postgres) -> None:
    """What is read by keys is found within the namespaces that were named, as often as it is asked for."""
    store = store_at(front(walled))
    memory = await put(store, "keyed", towards(0), namespace="keyed", conversation_id="talk")
    await put(store, "beside", towards(10), namespace="keyed", conversation_id="talk")
    keys = [memory.key]

    def opened(snapshot: Snapshot, name: str | None = None) -> list[int]:
        if name is not None:
            snapshot = snapshot.within(name)
        return [
            len(snapshot.fetch(keys)),
            len(snapshot.outlines(keys, 100)),
            len(snapshot.neighbours(keys)),
            len(snapshot.first_vectors(keys)),
            len(snapshot.compare(towards(0), SPACE, keys)),
            len(snapshot.contextual_similarity(towards(0), SPACE, keys, SHARES)),
        ]

    for namespace, expected in (("there", 0), ("keyed", 1), ("keyed", 1)):
        assert await store.read(partial(opened, name=namespace)) == [expected] * 6
    assert await store.read(opened) == [0, 0, 1, 0, 0, 0]  # that keys lie beside a key is remembered, and tells nothing
    await store.close()


def test_nothing_is_written_outside_the_reach(walled: Postgres) -> None:
    """A row of another namespace is neither added nor moved there."""
    with psycopg.connect(front(walled), autocommit=True) as connection:
        for statement in (
            "INSERT INTO memory_mcp.tags VALUES ('here', 'x', (SELECT key FROM memory_mcp.memories LIMIT 1), 'x')",
            "UPDATE memory_mcp.memories SET namespace = 'here'",
        ):
            with connection.transaction(force_rollback=True):
                connection.execute("SELECT set_config('memory_mcp.reach', '{there}', true)")
                with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level"):
                    connection.execute(statement)


def test_the_front_owns_nothing(walled: Postgres) -> None:
    """Its role has no table, cannot go around the policies, and cannot lift them."""
    with psycopg.connect(front(walled), autocommit=True) as connection:
        owned = "SELECT count(*) FROM pg_class WHERE pg_get_userbyid(relowner) = current_user"
        assert rows(connection, owned) == [(0,)]
        bypass = "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        assert rows(connection, bypass) == [(False, False)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("ALTER TABLE memory_mcp.memories DISABLE ROW LEVEL SECURITY")


@pytest.mark.parametrize("table", ["memories", "sections"])
def test_doctor_tells_of_a_table_without_its_wall(walled: Postgres, table: str) -> None:
    """One too whose rows lie in a namespace through another table's."""
    assert inspection.roles(front(walled), 10).condition == "ok"
    walled.sql("memories_of_a_team", f"ALTER TABLE memory_mcp.{table} NO FORCE ROW LEVEL SECURITY")
    try:
        assert "off for 1 of the tables" in inspection.roles(front(walled), 10).cause
    finally:
        walled.sql("memories_of_a_team", f"ALTER TABLE memory_mcp.{table} FORCE ROW LEVEL SECURITY")


def rows(connection: psycopg.Connection[tuple[object, ...]], statement: str) -> list[tuple[object, ...]]:
    """Return what a statement gives."""
    return connection.execute(statement).fetchall()


@pytest.fixture
def pooled(walled: Postgres) -> Iterator[str]:
    """Run pgbouncer in transaction mode, with one connection to the server for all."""
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
    if program is None:
        pytest.skip("pgbouncer is not installed (Debian: apt-get install pgbouncer)")
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="pooler-", dir="/tmp"))
    users, config = folder / "users.txt", folder / "pgbouncer.ini"
    users.write_text('"memory_front" "s3cret"\n')
    config.write_text(
        f"""[databases]
* = host=127.0.0.1 port={walled.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = 1
ignore_startup_parameters = options
"""
    )
    folder.chmod(0o755)
    try:
        with running(
            as_nobody(program, str(config)), lambda: answers(port), signal.SIGTERM
        ):  # at once, whoever is connected
            yield walled.of("memories_of_a_team", "memory_front", port)
    finally:
        shutil.rmtree(folder)


async def test_a_pooler_carries_no_reach_from_one_front_to_the_next(walled: Postgres, pooled: str) -> None:
    """Two fronts share one connection in turns, and neither sees what the other may."""
    one, other = store_at(pooled), store_at(pooled)
    for number in range(5):
        await put(one, f"one {number}", namespace="pooled-a")
        await put(other, f"other {number}", namespace="pooled-b")
        assert len(await listed(one, Filters("pooled-a"))) == number + 1
        assert len(await listed(other, Filters("pooled-b"))) == number + 1
    with psycopg.connect(pooled, autocommit=True, prepare_threshold=None) as connection:
        assert rows(connection, "SELECT count(*) FROM memory_mcp.memories") == [(0,)]
    before = await one.generation()
    await one.changed(0.01)
    await put(other, "more", namespace="pooled-b")
    assert await one.generation() == before + 1
    for store in (one, other):
        await store.close()


async def test_documents_and_jobs_stand_behind_the_wall_too(walled: Postgres) -> None:
    """Sections and the files of jobs, which name no namespace, belong to that of their document or job."""
    store = store_at(front(walled))
    assert isinstance(store, SupportsDocuments)
    [document] = await ingest(store.documents, "file:///a.txt", "d1", ("alpha one",), namespace="shelf")
    tables = ("documents", "document_files", "sections", "jobs", "job_files")
    with psycopg.connect(front(walled)) as connection:
        for reach, counted in (("", 0), ("{there}", 0), ("{shelf}", 1)):
            connection.execute("SELECT set_config('memory_mcp.reach', %s, true)", (reach,))
            for table in tables:
                assert rows(connection, f"SELECT count(*) FROM memory_mcp.{table}") == [(counted,)]  # noqa: S608 - ours
    await store.documents.remove_documents([document.id])
    await store.close()


async def test_a_front_without_rights_dumps_everything(
    walled: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All namespaces, through the wall; a dump that was cut is not taken for a whole one."""
    monkeypatch.setenv("PATH", f"{walled.programs}:/usr/bin:/bin")
    store, dump = store_at(f"{front(walled)}?options=-c%20work_mem%3D8MB"), tmp_path / "all.dump"
    assert isinstance(store, SupportsBackup)
    assert await store.copies_as() == dump.suffix
    await store.backup(dump)
    assert await store.verify_backup(dump) == []
    walled.sql("postgres", "DROP DATABASE IF EXISTS anew", "CREATE DATABASE anew OWNER memory_owner")
    walled.sql("anew", "CREATE EXTENSION vector")
    target = f"--dbname={walled.of('anew', 'memory_owner')}"
    told = [str(walled.programs / "pg_restore"), "--clean", "--if-exists", "--no-owner", target, str(dump)]
    subprocess.run(told, check=True, capture_output=True)
    restored = store_at(walled.of("anew", "memory_front"))
    assert await near(restored, THERE) == await worded(restored, "theirs", THERE) == ["theirs"]
    await restored.close()
    assert inspection.vectors(walled.of("anew", "memory_front"), 10).condition == "ok"
    walled.sql("anew", "TRUNCATE memory_mcp.vectors_1")
    lost = inspection.vectors(walled.of("anew", "memory_front"), 10)
    assert (lost.condition, "there" in lost.cause) == ("failed", True)
    os.truncate(dump, dump.stat().st_size // 2)
    assert len(await store.verify_backup(dump)) == 1
    await store.close()


async def test_a_dump_that_the_wall_held_back_is_refused(
    walled: Postgres, pooled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pooler that drops what it is told of the reach makes an empty one."""
    monkeypatch.setenv("PATH", f"{walled.programs}:/usr/bin:/bin")
    store, dump = store_at(pooled), tmp_path / "empty.dump"
    with pytest.raises(StoreError, match=r"is not whole \(it holds 0 of 1 changes\).*MCP_MEMORY_POSTGRES_DIRECT_URL"):
        await store.backup(dump)
    assert not dump.exists()
    await store.close()
