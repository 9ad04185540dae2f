"""The commands that work with memories, as processes: beside a client, without a daemon, interrupted."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.client import RawClient
from tests.e2e.conftest import FRONT, Command, Started
from tests.fakes.daemon import FakeDaemon

LISTING = """
import io, json, sys
from contextlib import redirect_stdout
from memory_mcp.cli import run
with redirect_stdout(io.StringIO()):
    codes = [run(arguments) for arguments in json.load(sys.stdin)]
print(json.dumps({"codes": codes, "modules": sorted(sys.modules)}))
"""
DAEMON_COMMANDS = "install logs restart start status stop uninstall"
NEVER = {"mcp", "mcp_types", "numpy"}
NOT_HERE = {
    "rich",
    "structlog",
    "memory_mcp.search.times.reading",
    "Stemmer",
    "semantic_text_splitter",
    "uvicorn",
    "starlette",
}
"""What a terminal, a log line, words for a time, another language, long content or HTTP needs."""


async def test_a_memory_goes_through_every_command(daemon: FakeDaemon, client: RawClient, command: Command) -> None:
    """With `--json` each prints what the tool gives a client."""
    del daemon
    stored = await command("store", "-", "--tag", "fruit", "--json", stdin="caf\u00e9 with red apples\n")
    assert (stored.code, stored.data["created"], stored.data["embedded"]) == (0, True, True)
    memory_id = stored.data["id"]
    found = await command("search", "red", "apples", "--json")
    assert (found.code, found.data) == (0, await client.tool("memory_search", query="red apples"))
    assert found.data["results"][0]["content"] == "caf\u00e9 with red apples"
    assert (await command("list", "--json")).data == await client.tool("memory_list")
    updated = await command("update", memory_id, "--content", "-", "--json", stdin="green apples")
    assert (updated.code, updated.data["revision"]) == (0, 2)
    got = await command("get", memory_id, "--history", "--json")
    assert got.data == await client.tool("memory_get", id=memory_id, history=True)
    deleted = await command("delete", "--tag", "fruit", "--json")
    assert (deleted.code, deleted.data) == (0, {"ids": [memory_id], "dry_run": False, "interval": None})
    gone = await command("get", memory_id)
    assert (gone.code, gone.out, gone.err) == (1, "", f"memory-mcp: id: no memory {memory_id!r} is stored\n")


async def test_piped_output_is_lines_with_tabs(client: RawClient, command: Command) -> None:
    """A memory is a line whose first cell is its id; what is no data goes to stderr, and so does why it is degraded."""
    await client.tool("memory_store", content="red\tapples\nin a\x1b[31m line", id="a", tags=["x", "y"])
    found = await command("search", "apples")
    assert found.code == 3
    memory_id, created, content, tags, score = found.out.rstrip("\n").split("\t")
    assert (memory_id, content, tags) == ("a", "red apples in a\x1b[31m line", "x, y")
    assert created.endswith("+00:00")
    assert 0 < float(score) <= 1
    assert "no daemon listens" in found.err
    listed = await command("list")
    assert (listed.code, listed.out.split("\t")[0], listed.err) == (0, "a", "1 of 1 memory\n")
    shown = await command("get", "a")
    assert shown.out.startswith("id: a\ntype: note\ntags: x, y\n")
    assert shown.out.endswith("\n\nred\tapples\nin a\x1b[31m line\n")


async def test_a_history_shows_what_each_revision_was(command: Command) -> None:
    """Its type, tags and metadata beside its content."""
    await command("store", "apples", "--id", "a", "--type", "fact", "--tag", "x,y", "--metadata", '{"n": 1}')
    await command("update", "a", "--content", "pears", "--type", "plan", "--tag", "z", "--metadata", "{}")
    shown = (await command("get", "a", "--history")).out
    assert 'type: fact\ntags: x, y\nmetadata: {"n": 1}\n\napples' in shown
    one = (await command("get", "a", "--revision", "1")).out
    assert 'type: fact\ntags: x, y\nmetadata: {"n": 1}\n' in one
    assert one.endswith("\n\napples\n")


async def test_stdin_that_is_no_text_is_refused(command: Command) -> None:
    """In one line, before anything is stored."""
    ended = await command("store", "-", stdin="\udcff")
    assert (ended.code, ended.out, "stdin: line 1 is not UTF-8" in ended.err) == (2, "", True)


async def test_what_writes_is_refused_where_nothing_may(command: Command, environment: dict[str, str]) -> None:
    """MCP_MEMORY_READ_ONLY stands above store, update and delete."""
    environment["MCP_MEMORY_READ_ONLY"] = "1"
    for arguments in (["store", "x"], ["update", "x", "--type", "t"], ["delete", "x"]):
        ended = await command(*arguments)
        assert (ended.code, "MCP_MEMORY_READ_ONLY" in ended.err) == (2, True)


async def test_commands_import_what_they_need(client: RawClient, environment: dict[str, str], folder: Path) -> None:
    """The SDK and numpy never; what only a terminal, a log line or another language needs, not without these."""
    await client.tool("memory_store", content="red apples", id="a")
    runs = [["search", "apples"], ["list"], ["get", "a"], ["store", "short"], ["update", "a", "--type", "t"]]
    runs += [["delete", "a"], ["undelete", "a"], ["backup"], ["export", f"{folder}/out"], ["import", f"{folder}/out"]]
    runs += [["token", "list"], ["completion", "bash"], ["config"], ["status", "--json"], ["doctor", "--json"]]
    runs += [["daemon", "status"], ["reembed"], ["restore", f"{folder}/no"], ["install", "--client", "zed", "--print"]]
    done = subprocess.run(
        [sys.executable, "-c", LISTING],
        input=json.dumps(runs),
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)
    assert set(told["codes"]) <= {0, 1, 2, 3}, done.stderr
    assert {"memory_mcp.cli.query_commands", "apsw", "grpc"} <= set(told["modules"])
    assert (NEVER | NOT_HERE) & set(told["modules"]) == set()


async def test_debug_shows_where_it_failed(command: Command) -> None:
    """A traceback with `--debug`, else a line."""
    plain, debug = await command("get", "x"), await command("--debug", "get", "x")
    assert (plain.code, len(plain.err.splitlines())) == (1, 1)
    assert debug.code == 1
    assert "Traceback" in debug.err
    assert debug.err.endswith("NotFoundError: id: no memory 'x' is stored\n")


async def _interrupted(process: asyncio.subprocess.Process) -> None:
    """Press Ctrl-C, and see that it ends with one line at most."""
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    assert process.stderr is not None
    async with asyncio.timeout(60):
        err = await process.stderr.read()
        await process.stdout.read()
        assert (await process.wait(), err.strip()) == (130, b"")


async def test_ctrl_c_ends_a_search(daemon: FakeDaemon, client: RawClient, begin: Started) -> None:
    """While it waits for the daemon."""
    await client.tool("memory_store", content="red apples")
    seen = len(daemon.requests)
    await daemon.change(hang=True)
    process = await begin("--set", "embed_budget_s=600", "search", "apples")
    async with asyncio.timeout(60):
        while len(daemon.requests) == seen:
            await client.request("ping")
    await _interrupted(process)


async def test_ctrl_c_ends_an_import_that_reads(daemon: FakeDaemon, client: RawClient, begin: Started) -> None:
    """While it waits for more of stdin; what came before is in the store."""
    process = await begin("import", "-")
    line = {"revision": 1, "tags": [], "type": "note", "metadata": {}, "namespace": "default", "conversation_id": None}
    moment = "2024-01-01T00:00:00+00:00"
    records = [
        line | {"id": f"m{n}", "content": f"memory {n}", "created_at": moment, "updated_at": moment, "revisions": []}
        for n in range(64)
    ]
    assert process.stdin is not None
    process.stdin.write(b"\n".join(json.dumps(each).encode() for each in ({"memory_mcp_export": 1}, *records)) + b"\n")
    await process.stdin.drain()
    await client.until("memory_list", "total", value=64)
    await _interrupted(process)
    assert len(daemon.texts) >= 64


async def test_ctrl_c_ends_a_re_embedding(daemon: FakeDaemon, client: RawClient, begin: Started) -> None:
    """In the middle of a batch; it can be run again."""
    await client.tool("memory_store", content="red apples")
    seen = len(daemon.requests)
    await daemon.change(space_id="fake-other-weights", hang=True)
    process = await begin("reembed")
    async with asyncio.timeout(60):
        while len(daemon.requests) == seen:
            await client.request("ping")
    await _interrupted(process)


async def test_ctrl_c_ends_a_command_that_waits_for_its_input(begin: Started, folder: Path) -> None:
    """Before anything was opened."""
    process = await begin("store", "-")
    reading = Path(f"/proc/{process.pid}/wchan")
    if not reading.exists():
        pytest.skip("only Linux tells what a process waits for")
    async with asyncio.timeout(60):
        while "pipe" not in reading.read_text():  # noqa: ASYNC110 - the system has no event for it
            await asyncio.sleep(0)
    await _interrupted(process)
    assert not (folder / "memory.db").exists()


def test_a_shell_completes_commands_options_and_tags(environment: dict[str, str], folder: Path) -> None:
    """In bash, by what `memory-mcp completion bash` prints."""
    subprocess.run([FRONT, "store", "red apples", "--tag", "fruit"], env=environment, check=False, capture_output=True)
    any_namespace = [str(FRONT), "store", "a roof", "--tag", "house", "--namespace", "there"]
    subprocess.run(any_namespace, env=environment, check=False, capture_output=True)
    script = (
        'eval "$(memory-mcp completion bash)"; '
        'for words in "memory-mcp se" "memory-mcp search --tag-" "memory-mcp list --tag x,f" "memory-mcp daemon " '
        '"memory-mcp list --namespace=there --tag h" "memory-mcp --set namespace=there list --tag h"; do '
        'COMP_WORDS=($words); [[ $words == *" " ]] && COMP_WORDS+=(""); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); '
        'COMPREPLY=(); _memory_mcp_completion memory-mcp; echo "${COMPREPLY[@]}"; done'
    )
    environment["PATH"] = f"{FRONT.parent}:{environment['PATH']}"
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "search serve",
        "--tag-match",
        "x,fruit",
        "install logs restart start status stop uninstall",
        "house",
        "house",
    ]
