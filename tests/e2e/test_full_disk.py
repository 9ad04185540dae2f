"""A disk without room, a real one: every door gives the same sentence, and what is stored can be read."""

from __future__ import annotations

import resource
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.disks import SmallDisk, small_disk
from tests.e2e.client import RawClient, ToolError
from tests.e2e.conftest import FRONT, Command

FULL = "the disk is full; nothing was lost: free some space"
LARGE = "x" * 300_000
OLD = 5


@pytest.fixture
def disk(folder: Path, environment: dict[str, str]) -> Iterator[SmallDisk]:
    """Put the store on a small disk."""
    with small_disk(folder / "disk") as small:
        environment["MCP_MEMORY_SQLITE_PATH"] = str(small.folder / "memory.db")
        yield small


async def _refused(client: RawClient, name: str, **arguments: object) -> None:
    with pytest.raises(ToolError, match=FULL):
        await client.tool(name, **arguments)


async def test_a_front_on_a_disk_that_fills_up(disk: SmallDisk, start: Callable[..., RawClient]) -> None:
    """Writes are refused, reads go on, health says so while it lasts, and then all is as before."""
    client = start()
    await client.initialize()
    await client.tool("memory_store", content="the first memory", id="first")
    assert (await client.tool("memory_health"))["store"]["state"] == "open"
    disk.fill()
    await _refused(client, "memory_store", content=LARGE)
    await _refused(client, "memory_update", id="first", content=LARGE)
    many = await client.tool("memory_store_many", items=[{"content": LARGE}, {"content": "small"}])
    assert all(FULL in item["error"] for item in many["items"])
    health = await client.tool("memory_health")
    assert (health["status"], health["store"]["state"]) == ("failed", "full")
    assert "the disk is full" in health["store"]["cause"]
    assert "free some space" in health["store"]["fix"]
    assert [hit["id"] for hit in (await client.tool("memory_search", query="memory"))["results"]] == ["first"]
    assert (await client.tool("memory_get", id="first"))["content"] == "the first memory"
    disk.empty()
    assert (await client.tool("memory_health"))["store"]["state"] == "open"
    await client.tool("memory_store", content=LARGE)
    assert (await client.tool("memory_list", limit=5))["total"] == 2


async def test_a_front_that_starts_on_a_full_disk(
    disk: SmallDisk, start: Callable[..., RawClient], command: Command
) -> None:
    """Nobody has the store open, and there is no room for what SQLite makes beside it: all the same, all of it."""
    await command("store", "the first memory", "--id", "first")
    disk.fill()
    client = start()
    await client.initialize()
    await _refused(client, "memory_store", content="small")
    await _refused(client, "memory_delete", id="first")
    assert (await client.tool("memory_get", id="first"))["content"] == "the first memory"
    assert (await client.tool("memory_list"))["total"] == 1
    assert (await client.tool("memory_health"))["store"]["state"] == "full"
    disk.empty()
    await client.tool("memory_store", content="small")
    assert (await client.tool("memory_list"))["total"] == 2
    assert (await client.tool("memory_health"))["store"]["state"] == "open"


async def test_a_store_that_cannot_be_made(disk: SmallDisk, start: Callable[..., RawClient], command: Command) -> None:
    """The first memory finds no room; later it does."""
    disk.fill()
    client = start()
    await client.initialize()
    await _refused(client, "memory_store", content="small")
    assert (await client.tool("memory_list"))["total"] == 0
    assert (await client.tool("memory_health"))["store"]["state"] == "full"
    disk.empty()
    await client.tool("memory_store", content="small")
    assert (await command("list", "--json")).data["total"] == 1


@pytest.mark.parametrize("spare", [0, 16_384, 163_840])
async def test_every_command_says_it(disk: SmallDisk, command: Command, folder: Path, spare: int) -> None:
    """With no room at all, and with some: nothing but the sentence, and what only reads works."""
    await command("store", "the first memory", "--id", "first")
    await command("export", str(folder / "out.jsonl"))
    exported = (folder / "out.jsonl").read_text().replace('"first"', '"second"').replace("the first memory", LARGE)
    (folder / "large.jsonl").write_text(exported)
    backup = folder / "copy.db"
    assert (await command("backup", str(backup))).code == 0
    disk.fill(spare)
    larger = ["store", "-"], ["update", "first", "--content", "-"], ["import", str(folder / "large.jsonl")]
    for arguments in (*larger, ["backup"], ["restore", str(backup)]):
        ended = await command(*arguments, stdin=LARGE)
        assert (ended.code, ended.out) == (1, ""), arguments
        assert ended.err.endswith(f"{FULL}\n"), ended.err
    if not spare:
        assert (await command("export", str(disk.folder / "out.jsonl"))).err.endswith(f"{FULL}\n")
    assert (await command("list", "--json")).data["total"] == 1
    assert (await command("search", "first", "--json")).data["results"][0]["id"] == "first"
    checks = (await command("doctor", "--json")).data["checks"]
    assert (checks["disk"]["condition"], checks["store"]["condition"]) == ("failed", "ok")
    assert checks["verify"]["condition"] == "ok"
    assert not [file.name for file in disk.folder.rglob("*") if "partial" in file.name]
    disk.empty()
    assert (await command("get", "first", "--json")).data["content"] == "the first memory"


async def test_tokens_on_a_full_disk(disk: SmallDisk, command: Command, environment: dict[str, str]) -> None:
    """None is made or revoked, and nothing is left behind."""
    environment["MCP_MEMORY_TOKENS_PATH"] = str(disk.folder / "tokens.json")
    for name in ("one", "two"):
        assert (await command("token", "create", name)).code == 0
    disk.fill()
    for arguments in (["create", "three"], ["revoke", "one"]):
        ended = await command("token", *arguments)
        assert (ended.code, ended.out, ended.err) == (1, "", f"memory-mcp: {disk.folder / 'tokens.json'}: {FULL}\n")
    assert [path.name for path in disk.folder.glob("*.new")] == []
    assert len((await command("token", "list")).out.splitlines()) == 2
    environment["MCP_MEMORY_TOKENS_PATH"] = "/proc/tokens.json"
    ended = await command("token", "create", "me")
    assert (ended.code, "cannot be written" in ended.err, "MCP_MEMORY_TOKENS_PATH" in ended.err) == (2, True, True)


async def test_an_older_store_is_not_migrated_without_room(disk: SmallDisk, command: Command) -> None:
    """The copy before the migration finds none: the sentence, and the store as it was."""
    assert (await command("store", "-", stdin=LARGE * 3)).code == 3
    path = disk.folder / "memory.db"
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {OLD}")
    db.close()
    disk.fill(500_000)
    ended = await command("list")
    assert (ended.code, FULL in ended.err) == (1, True)
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (OLD,)
    db.close()
    assert [file.name for file in disk.folder.glob("*.schema-*")] == []


async def test_a_limit_of_files_sizes_is_a_full_disk(environment: dict[str, str], command: Command) -> None:
    """Neither a quota nor such a limit shows in the free space: the write finds out."""
    await command("store", "the first memory")
    ended = subprocess.run(
        [str(FRONT), "store", "-"],
        input=LARGE,
        env={name: value for name, value in environment.items() if not name.startswith("COVERAGE")},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)),
    )
    assert (ended.returncode, ended.stdout, ended.stderr.endswith(f"{FULL}\n")) == (1, "", True), ended.stderr
    assert (await command("list", "--json")).data["total"] == 1
