"""MCP_MEMORY_READ_ONLY=1: whatever is asked, no file is made or changed, and what is there is found."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from memory_mcp.storage.sqlite.db.reading import LOG_HEADER
from tests.disks import small_disk
from tests.e2e.client import RawClient, ToolError
from tests.e2e.conftest import FRONT, Command

NOBODY = 65534
RUNNING = """
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout
from memory_mcp.cli import run
ended = []
for arguments in json.load(sys.stdin):
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        code = run(arguments)
    ended.append((code, f"{arguments}: {out.getvalue()[-2000:]} {err.getvalue()}"))
print(json.dumps(ended))
"""
Snapshot = dict[str, tuple[str, int, int]]


def seen(folder: Path) -> Snapshot:
    """Return the content, the mode and the time of each file, and the time of each folder."""
    found = {}
    for path in (folder, *sorted(folder.rglob("*"))):
        status = path.stat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path.relative_to(folder))] = (content, status.st_mode, status.st_mtime_ns)
    return found


@pytest.fixture
def data(folder: Path, environment: dict[str, str]) -> Path:
    """Give the store a folder of its own; the backups too, which are let be."""
    environment["MCP_MEMORY_SQLITE_PATH"] = str(folder / "data" / "memory.db")
    return folder / "data"


async def _filled(command: Command) -> None:
    for content, memory_id in (("the first memory", "first"), ("another one", "second")):
        await command("store", content, "--id", memory_id, "--tag", "kept")


async def _used(client: RawClient) -> None:
    """Ask everything that a read-only front answers."""
    await client.initialize()
    names = [tool["name"] for tool in (await client.request("tools/list"))["result"]["tools"]]
    assert names == ["memory_search", "memory_list", "memory_get", "memory_context", "memory_health"]
    assert (await client.tool("memory_list", tags=["KEPT"]))["total"] == 2
    assert (await client.tool("memory_search", query="first memory"))["results"][0]["id"] == "first"
    assert "the first memory" in (await client.tool("memory_context", query="first memory"))["text"]
    assert (await client.tool("memory_get", id="first", history=True))["content"] == "the first memory"
    assert (await client.tool("memory_health"))["store"]["state"] == "open"
    for uri in ("memory://stats", "memory://tag/kept", "memory://memory/first"):
        assert "result" in await client.request("resources/read", {"uri": uri})
    assert "result" in await client.request("resources/subscribe", {"uri": "memory://recent/10"})


READING = (
    ["list"],
    ["search", "first"],
    ["get", "first"],
    ["context", "first"],
    ["status", "--json"],
    ["export", "-"],
    ["config"],
)
WRITING = (["store", "x"], ["delete", "first"], ["update", "first", "--type", "t"], ["undelete", "first"], ["reembed"])


def _check_codes(commands: Sequence[Sequence[str]], environment: dict[str, str], expected: set[int]) -> None:
    """Run commands one after the other, in one process that is soon started; each must end with an expected code."""
    told = json.dumps(commands)
    done = subprocess.run(
        [sys.executable, "-c", RUNNING], input=told, env=environment, capture_output=True, text=True, check=True
    )
    wrong = [ended for ended in json.loads(done.stdout) if ended[0] not in expected]
    assert not wrong, "\n".join(told for _, told in wrong)


async def _untouched(data: Path, start: Callable[..., RawClient], environment: dict[str, str]) -> None:
    """Use a front and every command, and find the folder as it was."""
    environment["MCP_MEMORY_READ_ONLY"] = "1"
    before = seen(data)
    client = start()
    await _used(client)
    assert seen(data) == before
    _check_codes(READING, environment, {0, 3})
    _check_codes([["doctor", "--whole", "--json"]], environment, {1, 3})  # there is no daemon
    _check_codes(WRITING, environment, {2})
    await client.end()
    assert seen(data) == before


async def test_a_store_at_rest_is_left_as_it_is(
    data: Path, start: Callable[..., RawClient], command: Command, environment: dict[str, str]
) -> None:
    """Nobody has it open: SQLite would make its log and its shared memory even for one who reads."""
    await _filled(command)
    assert [file.name for file in data.iterdir()] == ["memory.db"]
    await _untouched(data, start, environment)


async def test_a_backup_is_left_as_it_is(
    data: Path, folder: Path, start: Callable[..., RawClient], command: Command, environment: dict[str, str]
) -> None:
    """Its journal stays what it is."""
    await _filled(command)
    await command("backup", str(folder / "copy.db"))
    (data / "memory.db").unlink()
    (folder / "copy.db").rename(data / "memory.db")
    await _untouched(data, start, environment)
    with sqlite3.connect(data / "memory.db") as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    db.close()


@pytest.mark.parametrize("suffixes", [("-wal", "-shm"), ("-wal",)])
async def test_what_a_killed_front_left_is_left_as_it_is(
    suffixes: tuple[str, ...],
    data: Path,
    start: Callable[..., RawClient],
    command: Command,
    environment: dict[str, str],
) -> None:
    """With shared memory beside the log or without, as a machine that lost its power has them."""
    await _filled(command)
    await _write_and_die(start())
    for suffix in {"-wal", "-shm"} - set(suffixes):
        (data / f"memory.db{suffix}").unlink()
    assert (data / "memory.db-wal").stat().st_size > LOG_HEADER
    await _untouched(data, start, environment)


async def test_a_log_that_was_only_begun_is_left_as_it_is(
    data: Path, start: Callable[..., RawClient], command: Command, environment: dict[str, str]
) -> None:
    """A front died after the header of the log and before its first page."""
    await _filled(command)
    await _write_and_die(start())
    os.truncate(data / "memory.db-wal", LOG_HEADER)
    await _untouched(data, start, environment)


async def _write_and_die(writer: RawClient) -> None:
    """Write what no test looks for, and be killed."""
    await writer.initialize()
    await writer.tool("memory_update", id="second", type="fact")
    process = await writer.process()
    process.kill()
    await process.wait()


def _lasting(folder: Path) -> Snapshot:
    """Return what is on the disk, without the shared memory in which the other front marks what it reads."""
    return {name: status for name, status in seen(folder).items() if not name.endswith("-shm")}


async def test_a_store_that_another_front_writes_is_read(
    data: Path, start: Callable[..., RawClient], command: Command, environment: dict[str, str]
) -> None:
    """What the other front does not do itself is not done, and each of its writes is seen, whoever came first."""
    early = start(MCP_MEMORY_READ_ONLY="1")
    await early.initialize()
    assert (await early.tool("memory_list"))["total"] == 0
    await _filled(command)
    assert (await early.tool("memory_list"))["total"] == 2
    writer = start()
    await writer.initialize()
    for number in range(3):
        await writer.tool("memory_store", content=f"written {number}", id=f"w{number}")
        assert (await early.tool("memory_get", id=f"w{number}"))["content"] == f"written {number}"
    environment["MCP_MEMORY_READ_ONLY"] = "1"
    before = _lasting(data)
    late = start()
    await late.initialize()
    assert (await late.tool("memory_list"))["total"] == 5
    _check_codes(READING, environment, {0, 3})
    assert _lasting(data) == before
    await writer.end()
    for reader in (early, late):
        assert (await reader.tool("memory_search", query="written 2", mode="keyword"))["results"][0]["id"] == "w2"


async def test_a_store_that_is_written_and_closed_meanwhile_is_read_as_it_is_now(
    data: Path, start: Callable[..., RawClient], command: Command
) -> None:
    """Each command leaves the log empty behind it, so that the reader sees nothing but another file."""
    await _filled(command)
    reader = start(MCP_MEMORY_READ_ONLY="1")
    await reader.initialize()
    for number in range(5):
        await command("store", f"written {number} {'word ' * 2_000}")
        assert (await reader.tool("memory_list", limit=1))["total"] == number + 3
        assert (await reader.tool("memory_search", query=f"written {number}", mode="keyword"))["results"] != []
    assert [file.name for file in data.iterdir()] == ["memory.db"]


async def test_an_older_store_is_refused_and_left_as_it_is(
    data: Path, start: Callable[..., RawClient], command: Command, environment: dict[str, str]
) -> None:
    """In a sentence that says what helps; then it does."""
    await _filled(command)
    with sqlite3.connect(data / "memory.db") as db:
        db.execute("PRAGMA user_version = 5")
    db.close()
    environment["MCP_MEMORY_READ_ONLY"] = "1"
    before = seen(data)
    client = start()
    await client.initialize()
    for name, arguments in (("memory_list", {}), ("memory_search", {"query": "x"}), ("memory_get", {"id": "first"})):
        with pytest.raises(ToolError, match=r"earlier version \(schema 5, .* without MCP_MEMORY_READ_ONLY"):
            await client.tool(name, **arguments)
    health = await client.tool("memory_health")
    assert (health["status"], "earlier version" in health["store"]["cause"]) == ("failed", True)
    ended = await command("list")
    assert (ended.code, ended.out, "earlier version" in ended.err) == (1, "", True)
    store = (await command("doctor", "--json")).data["checks"]["store"]
    assert (store["condition"], "earlier version (schema 5" in store["cause"]) == ("failed", True)
    assert "without MCP_MEMORY_READ_ONLY" in store["fix"]
    assert seen(data) == before


async def test_a_missing_store_is_not_made(
    data: Path, start: Callable[..., RawClient], command: Command, environment: dict[str, str]
) -> None:
    """Nothing is found, and there is no folder either; an empty file stays empty."""
    environment["MCP_MEMORY_READ_ONLY"] = "1"
    client = start()
    await client.initialize()
    assert (await client.tool("memory_list"))["total"] == 0
    assert (await client.tool("memory_health"))["store"]["state"] == "none"
    assert (await command("list")).code == 0
    assert not data.exists()
    data.mkdir()
    (data / "memory.db").touch()
    before = seen(data)
    assert (await client.tool("memory_list"))["total"] == 0
    assert (await command("search", "x")).code in {0, 3}
    assert seen(data) == before


async def test_a_medium_that_cannot_be_written(
    data: Path, folder: Path, command: Command, start: Callable[..., RawClient], environment: dict[str, str]
) -> None:
    """A disk that is mounted read-only."""
    with small_disk(folder / "disk") as disk:
        await _filled(command)
        shutil.copytree(data, disk.folder / "data")
        subprocess.run(["mount", "-o", "remount,ro", str(disk.folder)], check=True)
        environment["MCP_MEMORY_SQLITE_PATH"] = str(disk.folder / "data" / "memory.db")
        await _untouched(disk.folder / "data", start, environment)
        del environment["MCP_MEMORY_READ_ONLY"]
        client = start()
        await client.initialize()
        with pytest.raises(ToolError, match=r"memory\.db"):
            await client.tool("memory_store", content="lost")
        assert (await client.tool("memory_list"))["total"] == 2
        health = await client.tool("memory_health")
        store = health["store"]
        assert (health["status"], store["state"]) == ("failed", "not writable"), store
        assert ("not writable" in store["cause"], "MCP_MEMORY_READ_ONLY=1" in store["fix"]) == (True, True)


@pytest.fixture
def locked(data: Path) -> Iterator[Path]:
    """Give a folder that another user may read alone; skip where we cannot be another user."""
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    data.mkdir()
    yield data
    data.chmod(0o700)


async def test_a_folder_of_somebody_else(
    locked: Path, folder: Path, command: Command, environment: dict[str, str]
) -> None:
    """Neither the folder nor the file may be written: not even shared memory can be made."""
    await _filled(command)
    for path in (folder, locked):
        path.chmod(0o755)
    (locked / "memory.db").chmod(0o444)
    before = seen(locked)
    environment["MCP_MEMORY_READ_ONLY"] = "1"
    ended = subprocess.run(
        ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", str(FRONT), "list", "--json"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if "Permission denied" in ended.stderr and "memory.db" not in ended.stderr:
        pytest.skip(f"another user cannot run our interpreter: {ended.stderr.strip()}")
    assert (ended.returncode, json.loads(ended.stdout)["total"]) == (0, 2), ended.stderr
    assert seen(locked) == before
