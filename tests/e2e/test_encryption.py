"""An encrypted store through its doors: commands, clients, hooks, doctor."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.client import RawClient, ToolError
from tests.e2e.conftest import Command
from tests.fakes.daemon import FakeDaemon

MARKER = "the zebra in the wardrobe"


@pytest.fixture
def key(folder: Path, environment: dict[str, str]) -> Path:
    """Keep the key in a file."""
    environment["MCP_MEMORY_ENCRYPTION_KEY_FILE"] = str(folder / "key")
    return folder / "key"


def readable(folder: Path) -> list[str]:
    """Return the names of the files in which the memory can be read."""
    words = MARKER.encode().split()
    return sorted(
        file.name
        for file in folder.rglob("*")
        if file.is_file() and any(word in file.read_bytes() for word in (b"zebra", b"wardrobe", *words[1:2]))
    )


async def test_clients_go_on_while_the_store_is_encrypted(
    daemon: FakeDaemon, key: Path, folder: Path, command: Command, start: Callable[..., RawClient]
) -> None:
    """Two clients have it open, one of them writes all the time; afterwards no file can be read."""
    del daemon
    clients = [start(), start()]
    for client in clients:
        await client.initialize()
    await clients[0].tool("memory_store", content=MARKER)
    assert (await command("backup")).code == 0
    writing = asyncio.create_task(_write(clients[1]))
    done = await command("encrypt", "--yes", "--json")
    assert (done.code, len(done.data["changed"]), done.data["place"]) == (0, 2, str(key))
    writing.cancel()
    for client in clients:
        found = await client.tool("memory_search", query="zebra", mode="keyword")
        assert found["results"][0]["content"] == MARKER
        health = await client.tool("memory_health")
        assert "encrypted" in json.dumps(health)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    shown = await command("encrypt", "--show-key")
    assert shown.out.strip() == key.read_text().strip()
    exported = await command("export")
    assert MARKER in exported.out
    assert "the export is plain text, though the store is encrypted" in exported.err
    rekeyed = await command("encrypt", "--rekey", "--yes")
    assert (rekeyed.code, len(key.read_text().split())) == (0, 2)
    assert (await clients[1].tool("memory_search", query="zebra", mode="keyword"))["results"]
    assert (await command("backup")).code == 0
    for client in clients:
        await client.end()
    assert readable(folder) == []
    assert (await command("decrypt", "--yes")).code == 0
    assert "memory.db" in readable(folder)


async def _write(client: RawClient) -> None:
    for number in range(1_000_000):
        await client.tool("memory_store", content=f"note {number}")


async def test_without_the_key_a_front_answers_and_says_what_fixes_it(
    key: Path, folder: Path, environment: dict[str, str], command: Command, start: Callable[..., RawClient]
) -> None:
    """The handshake and the list of tools come; each tool is `locked` until the key is there, without a restart."""
    assert (await command("store", MARKER)).code in {0, 3}
    assert (await command("encrypt", "--yes")).code == 0
    content = key.read_text()
    key.write_text("")
    client = start()
    assert "result" in await client.initialize()
    assert len((await client.request("tools/list"))["result"]["tools"]) == 10
    answer = await client.request("tools/call", {"name": "memory_list", "arguments": {}})
    assert answer["result"]["isError"]
    assert answer["result"]["_meta"]["memory-mcp/error"] == "locked"
    with pytest.raises(ToolError, match=f"its key is not in {key}; put it there"):
        await client.tool("memory_store", content="more")
    assert "locked" in json.dumps(await client.tool("memory_health"))
    listed = await command("list")
    assert (listed.code, listed.out, listed.err.count("\n")) == (1, "", 1)
    doctor = await command("doctor", "--json")
    assert doctor.data["checks"]["store"]["state"] == "locked"
    environment["MCP_MEMORY_ENCRYPTION_KEY"] = "0" * 64
    assert "another key" in (await command("list")).err
    again = await command("encrypt", "--yes")
    assert (again.code, again.err.count("\n")) == (1, 1)
    del environment["MCP_MEMORY_ENCRYPTION_KEY"]
    key.write_text(content)
    assert (await client.tool("memory_list"))["memories"][0]["content"] == MARKER
    assert MARKER not in " ".join(file.name for file in folder.iterdir())


async def test_nothing_happens_without_consent(key: Path, folder: Path, command: Command) -> None:
    """What a lost key means is said first."""
    assert (await command("store", MARKER)).code in {0, 3}
    asked = await command("encrypt", stdin="n\n")
    assert asked.code != 0
    assert "the memories are lost" in asked.err
    assert "memory.db" in "".join(readable(folder))
    assert not key.exists()
    assert "holds no key yet" in (await command("encrypt", "--show-key")).err


async def test_hooks_use_a_file_and_never_the_keychain(
    key: Path, folder: Path, environment: dict[str, str], command: Command
) -> None:
    """A keychain may ask a person; a hook that would have to is silent, and its log says why."""
    environment |= {"MCP_MEMORY_HOOK_START_MS": "60000", "MCP_MEMORY_HOOK_PROMPT_MS": "60000"}
    assert (await command("store", MARKER)).code in {0, 3}
    assert (await command("encrypt", "--yes")).code == 0
    hook = ("hook", "session-start", "--client", "claude-code")
    about = json.dumps({"session_id": "s-1", "cwd": str(folder), "source": "startup"})
    assert MARKER in (await command(*hook, stdin=about)).out
    assert not readable(folder / ".local")
    del environment["MCP_MEMORY_ENCRYPTION_KEY_FILE"]
    environment["PYTHON_KEYRING_BACKEND"] = "tests.no_such_backend"  # whoever asked it would fail otherwise
    silent = await command(*hook, stdin=about.replace("s-1", "s-2"))
    assert (silent.code, silent.out) == (0, "")
    log = (folder / ".local" / "state" / "memory-mcp" / "hooks" / "hooks.log").read_text()
    assert "which is not asked here" in log.splitlines()[-1]
    assert key.exists()


async def test_a_keychain_that_is_not_there_is_named(
    folder: Path, environment: dict[str, str], command: Command
) -> None:
    """On a machine without one, the key goes into a file; nothing was changed."""
    environment["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    assert (await command("store", MARKER)).code in {0, 3}
    done = await command("encrypt", "--yes")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "MCP_MEMORY_ENCRYPTION_KEY_FILE" in done.err
    assert "memory.db" in "".join(readable(folder))


async def test_another_store_is_sent_to_its_database(environment: dict[str, str], command: Command) -> None:
    """Its files are its server's."""
    environment |= {"MCP_MEMORY_STORAGE_BACKEND": "postgres", "MCP_MEMORY_POSTGRES_URL": "postgresql://u:p@h/n"}
    done = await command("encrypt", "--yes")
    assert "encrypt the disks of its database" in done.err
