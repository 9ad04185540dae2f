"""A store in PostgreSQL, through the command line: everything works as on a file, and a store moves to it and back."""

from __future__ import annotations

import json
import shlex
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.client import Json
from tests.e2e.conftest import Command
from tests.fakes.daemon import FakeDaemon
from tests.services.postgres import Postgres

pytestmark = pytest.mark.services

KEEPER = "keeper"
"""A role that owns its database, and is nobody special at the server."""


@pytest.fixture
def database(postgres: Postgres, environment: dict[str, str]) -> Iterator[str]:
    """Let the commands use an empty database; return its name."""
    name = f"commands_{uuid.uuid4().hex[:8]}"
    roles = f"""DO $$ BEGIN
      IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{KEEPER}') THEN
        CREATE ROLE {KEEPER} LOGIN PASSWORD 's3cret';
      END IF; END $$"""
    postgres.sql("postgres", roles, f"CREATE DATABASE {name} OWNER {KEEPER}")
    postgres.sql(name, "CREATE EXTENSION vector")
    environment["MCP_MEMORY_STORAGE_BACKEND"] = "postgres"
    environment["MCP_MEMORY_POSTGRES_URL"] = postgres.of(name, KEEPER)
    yield name
    postgres.sql("postgres", f"DROP DATABASE {name} WITH (FORCE)")


async def written(command: Command, folder: Path) -> None:
    """Write memories with a history, in two namespaces, and a document of two sections."""
    (folder / "notes").mkdir()
    (folder / "notes" / "voles.md").write_text("# Voles\nThey dig.\n# Moles\nThey dig deeper.\n")
    for arguments in (
        ["store", "the first", "--id", "a", "--tags", "red,Blue", "--metadata", '{"n": 1}'],
        ["store", "the second", "--id", "b", "--created-at", "2024-02-29"],
        ["store", "elsewhere", "--id", "a", "--namespace", "there"],
        ["store", "gone", "--id", "c"],
        ["update", "a", "--content", "the first, mended", "--tags", "green"],
        ["delete", "c"],
        ["ingest", str(folder / "notes")],
    ):
        ended = await command(*arguments)
        assert ended.code in {0, 3}, ended.err


async def lines(command: Command) -> list[Json]:
    """Return the lines of an export."""
    exported = await command("export", "-")
    assert exported.code == 0, exported.err
    return [json.loads(line) for line in exported.out.splitlines()]


async def test_every_command_works(database: str, daemon: FakeDaemon, command: Command, folder: Path) -> None:
    """What is written is found, listed, restored and counted; no command tells the password."""
    del daemon
    assert (await command("status", "--json")).data["store"]["memories"] == 0
    await written(command, folder)
    found = (await command("search", "mended", "--json")).data
    assert (found["results"][0]["id"], found["degraded"]) == ("a", False)
    got = (await command("get", "a", "--history", "--json")).data
    assert ([one["content"] for one in got["revisions"]], got["tags"]) == (["the first"], ["green"])
    assert (await command("undelete", "c")).code == 0
    assert (await command("list", "--json")).data["total"] == 5
    [document] = (await command("documents", "list", "--json")).data["documents"]
    outline = (await command("documents", "show", document["id"], "--json")).data["outline"]
    assert [one["section"] for one in outline] == ["Voles", "Moles"]
    assert (await command("ingest", str(folder / "notes"), "--json")).data["files"]["unchanged"] == 1
    assert (await command("reembed", "--json")).code == 0
    status = await command("status", "--json")
    assert (status.data["store"]["memories"], status.data["queue"]["pending"]) == (6, 0)
    assert (await command("documents", "remove", document["id"], "--json")).data["removed"] == 1
    config, shown = await command("config"), await command("doctor")
    assert f"{KEEPER}@127.0.0.1" in config.out
    assert not [told for told in (config, shown, status) if "s3cret" in told.out + told.err]
    checks = (await command("doctor", "--json")).data["checks"]
    parts = ("store", "server", "roles", "clock", "connections", "queue", "languages", "vectors", "graphs")
    assert {checks[part]["condition"] for part in parts} == {"ok"}
    assert f"the user {KEEPER!r}, which owns the tables" in checks["roles"]["detail"].replace('"', "'")
    assert "MCP_MEMORY_BACKUP_FOLDER" in checks["backups"]["detail"]


async def test_a_store_moves_there_and_back_without_loss(
    database: str, daemon: FakeDaemon, command: Command, environment: dict[str, str], folder: Path
) -> None:
    """Every line is the same in SQLite, in PostgreSQL and in SQLite again; a second import changes nothing."""
    del database, daemon
    environment["MCP_MEMORY_STORAGE_BACKEND"] = "sqlite_vec"
    await written(command, folder)
    before = await lines(command)
    kinds = [next(iter(line)) for line in before]
    assert kinds == ["memory_mcp_export", *["id"] * 5, "document", "memory_mcp_export_end"]
    text = (await command("export", "-")).out
    for backend, file in (("postgres", "memory.db"), ("sqlite_vec", "again.db")):
        environment |= {"MCP_MEMORY_STORAGE_BACKEND": backend, "MCP_MEMORY_SQLITE_PATH": str(folder / file)}
        imported = await command("import", "--json", stdin=text)  # as the end of a pipe
        assert (imported.code, imported.data["created"], imported.data["documents"]) == (0, 5, 1)
        assert (await command("import", "-", "--json", stdin=text)).data["created"] == 0
        assert await lines(command) == before
        text = (await command("export", "-")).out
        assert (await command("ingest", str(folder / "notes"), "--json")).data["files"]["unchanged"] == 1


async def test_a_backup_is_a_dump_that_comes_back(
    database: str, postgres: Postgres, command: Command, environment: dict[str, str], folder: Path
) -> None:
    """It is private and whole, the password is on no command line, and `restore` names what reads it."""
    await written(command, folder)
    before = await lines(command)
    tools = folder / "tools"
    tools.mkdir()
    (tools / "pg_dump").write_text(f'#!/bin/sh\necho "$@" >> {folder}/told\nexec {postgres.programs}/pg_dump "$@"\n')
    (tools / "pg_dump").chmod(0o755)
    (tools / "pg_restore").symlink_to(postgres.programs / "pg_restore")
    environment["PATH"] = f"{tools}:/usr/bin:/bin"
    dump = Path((await command("backup", "--json")).data["path"])
    assert (dump.suffix, dump.stat().st_mode & 0o777, dump.parent.name) == (".dump", 0o600, "backups-postgres")
    assert (await command("backup", str(dump))).err == f"memory-mcp: {dump} exists already; choose another file\n"
    told = (folder / "told").read_text()
    assert ("--format=custom" in told, "s3cret" in told) == (True, False)
    refused = await command("restore", str(dump))
    assert (refused.code, "s3cret" in refused.err) == (1, False)
    advice = shlex.split(refused.err.partition("run: ")[2])
    assert advice[0] == "pg_restore"
    await command("delete", "a")
    asked = [part.replace(f"{KEEPER}@", f"{KEEPER}:s3cret@") for part in advice[1:]]
    subprocess.run([str(postgres.programs / advice[0]), *asked], check=True, capture_output=True, timeout=60)
    assert await lines(command) == before
    assert database in " ".join(advice)


async def test_without_a_fitting_pg_dump_a_backup_is_an_export(
    database: str, command: Command, environment: dict[str, str], folder: Path
) -> None:
    """The tool of an earlier version would fail; an export has all but the vectors."""
    del database
    await written(command, folder)
    (folder / "tools").mkdir()
    (folder / "tools" / "pg_dump").write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6'\n")
    for name in ("pg_dump", "pg_restore"):
        (folder / "tools" / name).touch()
        (folder / "tools" / name).chmod(0o755)
    environment["PATH"] = str(folder / "tools")
    backup = Path((await command("backup", "--json")).data["path"])
    assert (backup.suffix, backup.stat().st_mode & 0o777) == (".jsonl", 0o600)
    assert [json.loads(line) for line in backup.read_text().splitlines()] == await lines(command)
    refused = await command("restore", str(backup))
    assert (refused.code, f"`memory-mcp import {backup}` reads it" in refused.err) == (2, True)


async def test_a_session_is_told_what_the_database_knows(
    database: str, command: Command, environment: dict[str, str], folder: Path
) -> None:
    """At its start; with a prompt there is no time to connect, and one line says so."""
    del database
    await written(command, folder)
    environment["MCP_MEMORY_HOOK_START_MS"] = "30000"  # however busy this machine is
    started = await command("hook", "session-start", "--client", "claude-code", stdin='{"source": "startup"}')
    assert (started.code, "the first, mended" in started.out, started.err) == (0, True, "")
    prompt = await command("hook", "prompt-submit", "--client", "claude-code", stdin='{"prompt": "what was mended?"}')
    assert (prompt.code, prompt.out) == (0, "")
    assert "hook prompt-submit reads the SQLite store alone; take it out of the client's hooks" in prompt.err
