"""The front as a process: what it maps, when it answers, what it prints, how it ends."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from memory_mcp.server.lazy_services import LazyServices
from memory_mcp.server.mcp.stdio import GOODBYE_S
from memory_mcp.settings import load
from tests.e2e.client import Json, RawClient
from tests.e2e.conftest import FRONT
from tests.e2e.forking import Forks
from tests.fakes.daemon import FakeDaemon

FORBIDDEN = ("torch", "transformers", "tokenizers", "onnxruntime", "openvino", "numpy")

LISTING_FRONT = """
import json, signal, sys
file, sys.argv = sys.argv[1], ["memory-mcp", "serve"]
def tell(*_):
    with open(file, "w") as out:
        json.dump(sorted(sys.modules), out)
signal.signal(signal.SIGUSR1, tell)
from memory_mcp.__main__ import main
main()
"""

NOISY_FRONT = """
import ctypes, os, sys
from memory_mcp.tools import TOOLS
libc = ctypes.CDLL(None)
def noisy(run):
    async def wrapped(call, arguments):
        print("python noise")
        os.write(1, b"descriptor noise\\n")
        libc.puts(b"C noise")
        libc.fflush(None)
        return await run(call, arguments)
    return wrapped
for tool in TOOLS:
    object.__setattr__(tool, "run", noisy(tool.run))
from memory_mcp.__main__ import main
sys.argv = ["memory-mcp", "serve"]
main()
"""


async def call_every_tool(client: RawClient) -> None:
    """Use the front as a client would, long content and time expressions included."""
    stored = await client.tool("memory_store", content="word " * 2_000)
    await client.tool("memory_store_many", items=[{"content": "one"}, {"content": "two"}])
    await client.tool("memory_search", query="word", time_expr="today")
    await client.tool("memory_list")
    await client.tool("memory_get", id=stored["id"], history=True)
    await client.tool("memory_update", id=stored["id"], tags=["x"])
    await client.tool("memory_delete", id=stored["id"])
    await client.tool("memory_ingest", content="# Voles\n\nVoles dig in March.", media_type="text/markdown")
    await client.tool("memory_health")


async def modules_of(client: RawClient, file: Path) -> list[str]:
    """Ask a listing front what it has imported."""
    (await client.process()).send_signal(signal.SIGUSR1)
    async with asyncio.timeout(60):
        while not file.exists() or not file.read_text().endswith("]"):
            await client.request("ping")
    modules: list[str] = json.loads(file.read_text())
    file.unlink()
    return modules


@pytest.fixture
async def listing(folder: Path, environment: dict[str, str]) -> RawClient:
    """Make a front that says what it has imported."""
    return RawClient([sys.executable, "-c", LISTING_FRONT, str(folder / "modules.json")], environment)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="there is no /proc here; the modules are tested")
async def test_the_front_maps_no_model_library(daemon: FakeDaemon, client: RawClient) -> None:
    """After every tool was called, the process maps no library of torch, tokenizers, numpy or the like."""
    await call_every_tool(client)
    process = await client.process()
    mapped = Path(f"/proc/{process.pid}/maps").read_text().lower()
    assert "vec0" in mapped
    assert [name for name in FORBIDDEN if name in mapped] == []


async def test_the_front_imports_no_model_library(daemon: FakeDaemon, folder: Path, listing: RawClient) -> None:
    """After every tool was called, none of these libraries was imported, and of the SDK only what serves."""
    await listing.initialize()
    await call_every_tool(listing)
    modules = await modules_of(listing, folder / "modules.json")
    assert "apsw" in modules
    assert [name for name in modules if name.partition(".")[0] in {*FORBIDDEN, "prometheus_client"}] == []
    unused = {
        "memory_mcp.server.web",
        "jinja2",
        "starlette.staticfiles",
        "mcp.client",
        "mcp.server.mcpserver",
        "httpx2",
        "cryptography",
        "rich",
        "uvicorn",
        "python_multipart",
    }
    assert unused.isdisjoint(modules)
    await listing.end()


async def test_the_handshake_needs_neither_store_nor_wire(folder: Path, listing: RawClient) -> None:
    """`initialize` is answered before gRPC, SQLite, structlog or the daemon's client were imported."""
    await listing.initialize()
    modules = await modules_of(listing, folder / "modules.json")
    late = {
        "grpc",
        "apsw",
        "structlog",
        "tenacity",
        "memory_mcp.search.times.reading",
        "rich",
        "semantic_text_splitter",
        "numpy",
    }
    late |= {
        "Stemmer",
        "memory_mcp.server.http",
        "memory_mcp.storage.tokens",
        "limits",
        "cachetools",
        "prometheus_client",
        "uvicorn",
        "python_multipart",
    }
    assert late.isdisjoint(modules)
    assert not (folder / "memory.db").exists()
    await listing.end()


@pytest.mark.parametrize("name", ["mcp.Client", "mcp.types", "mcp.server.MCPServer", "mcp.server.Server"])
def test_what_was_left_out_is_there_when_it_is_asked_for(name: str) -> None:
    """Who imports our server and then the SDK's own names finds them."""
    package, _, wanted = name.rpartition(".")
    code = f"import sys, memory_mcp.server.mcp.run; n = len(sys.modules); from {package} import {wanted}"
    code += "; sys.exit(len(sys.modules) == n)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_threads_may_ask_at_once_for_what_was_left_out() -> None:
    """Those that come second wait for the first."""
    code = """
import threading, memory_mcp.server
def ask():
    barrier.wait()
    from mcp.server import Server
    from mcp import Client
    found.append((Server, Client))
barrier, found = threading.Barrier(8), []
threads = [threading.Thread(target=ask) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert len(found) == 8
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


async def test_garbage_is_collected_again_once_all_is_imported(folder: Path) -> None:
    """Only what a start imports is never looked through."""
    gc.disable()
    services = LazyServices(load(sqlite_path=folder / "memory.db"))
    try:
        await services.get()
        assert gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()
        await services.close()


async def test_the_interpreter_has_no_model_library() -> None:
    """Nothing of the kind is installed where the front runs, but for numpy, which large stores search with."""
    code = "import sys, importlib.util as u; sys.exit(any(u.find_spec(n) for n in sys.argv[1:]))"
    assert subprocess.run([sys.executable, "-c", code, *(set(FORBIDDEN) - {"numpy"})], check=False).returncode == 0


async def test_handshake_and_list_work_while_the_store_is_locked_and_the_daemon_hangs(
    daemon: FakeDaemon, folder: Path, start: Callable[..., RawClient]
) -> None:
    """Another process holds the database for itself, the daemon hangs: `initialize` and `tools/list` answer."""
    import apsw  # noqa: PLC0415 - only here, to play the other process

    await daemon.change(hang=True)
    first = start()
    await first.initialize()
    await first.tool("memory_list")
    await first.end()
    locker = apsw.Connection(str(folder / "memory.db"))
    locker.pragma("locking_mode", "EXCLUSIVE")
    locker.execute("BEGIN EXCLUSIVE")
    second = start()
    async with asyncio.timeout(8):  # less than the store's patience with a lock
        await second.initialize()
        assert len((await second.request("tools/list"))["result"]["tools"]) == 10
    locker.execute("ROLLBACK")
    locker.close()
    await daemon.change(hang=False)


async def test_stdout_carries_the_protocol_and_nothing_else(daemon: FakeDaemon, environment: dict[str, str]) -> None:
    """A tool that prints, writes to descriptor 1 and calls C's puts leaves every line of stdout a message."""
    client = RawClient([sys.executable, "-c", NOISY_FRONT], environment)
    await client.initialize()
    await call_every_tool(client)  # next_message parses every line
    assert await client.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_cleanly(client: RawClient, number: signal.Signals) -> None:
    """SIGTERM and SIGINT end the front with 0, although its stdin is still open."""
    await client.tool("memory_store", content="kept")
    process = await client.process()
    process.send_signal(number)
    async with asyncio.timeout(60):
        assert await process.wait() == 0


async def test_a_cancelled_request_is_not_waited_for(daemon: FakeDaemon, client: RawClient) -> None:
    """A client that cancels what it asked and goes leaves no front behind, although no answer was ever sent."""
    await client.tool("memory_list")
    await daemon.change(hang=True)
    await client.send_line(
        b'{"jsonrpc": "2.0", "id": 999, "method": "tools/call", '
        b'"params": {"name": "memory_search", "arguments": {"query": "slow"}}}'
    )
    async with asyncio.timeout(60):
        while not daemon.requests:
            await client.request("ping")
    await client.send_line(b'{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 999}}')
    async with asyncio.timeout(GOODBYE_S - 1):
        assert await client.end() == 0
    await daemon.change(hang=False)


@pytest.mark.parametrize("tool", ["memory_search", "memory_store", "memory_store_many"])
async def test_a_cancelled_call_leaves_the_session_alive(daemon: FakeDaemon, client: RawClient, tool: str) -> None:
    """A call is cancelled in the middle of its embedding: the others go on, and it stores nothing."""
    await client.tool("memory_store", content="first")
    await daemon.change(hang=True)
    before = len(daemon.requests)
    arguments = {
        "memory_search": {"query": "slow"},
        "memory_store": {"content": "slow"},
        "memory_store_many": {"items": [{"content": "slow"}]},
    }[tool]
    call = {"jsonrpc": "2.0", "id": 999, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
    await client.send_line(json.dumps(call).encode())
    async with asyncio.timeout(60):
        while len(daemon.requests) == before:
            await client.request("ping")
    await client.send_line(b'{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 999}}')
    assert (await client.tool("memory_list"))["total"] == 1
    await daemon.change(hang=False)
    assert (await client.tool("memory_store", content="after"))["created"] is True


async def test_a_client_that_does_not_read_cannot_hold_it(client: RawClient, environment: dict[str, str]) -> None:
    """SIGTERM ends a front whose stdout is full."""
    for i in range(20):
        await client.tool("memory_store", content=f"{i} " + "x" * 100_000)
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "deaf", "version": "0"}}
    listing: Json = {"name": "memory_list", "arguments": {}}
    requests = [("initialize", hello), *[("tools/call", listing)] * 8]
    with subprocess.Popen(  # noqa: ASYNC220 - asyncio's own would read what nobody is to read
        [FRONT, "serve"], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as deaf:
        assert deaf.stdin is not None
        assert deaf.stdout is not None
        for i, (method, params) in enumerate(requests):
            message = {"jsonrpc": "2.0", "id": i, "method": method, "params": params}
            deaf.stdin.write(json.dumps(message).encode() + b"\n")
        deaf.stdin.flush()
        assert json.loads(deaf.stdout.readline())["id"] == 0
        assert deaf.stdout.read(1) == b"{"  # the first list is on its way, and will never have been read
        deaf.terminate()
        assert deaf.wait(60) == 0


async def test_a_client_that_closed_its_ear_has_gone(folder: Path, environment: dict[str, str]) -> None:
    """When nobody reads its stdout any more, the front ends although its stdin is open."""
    read_end, write_end = os.pipe()
    process = await asyncio.create_subprocess_exec(
        FRONT, "serve", env=environment, stdin=subprocess.PIPE, stdout=write_end, stderr=subprocess.DEVNULL
    )
    os.close(write_end)
    os.close(read_end)
    assert process.stdin is not None
    process.stdin.write(b"nonsense that wants an answer\n")
    async with asyncio.timeout(60):
        assert await process.wait() == 0
    process.stdin.close()


async def test_a_dead_parent_ends_it(environment: dict[str, str]) -> None:
    """When who started it was killed, it goes, although somebody else holds its stdin open."""
    to_front, from_front = os.pipe(), os.pipe()
    code = "import subprocess as s, sys; s.run([sys.argv[1], 'serve'], stdin=int(sys.argv[2]), stdout=int(sys.argv[3]))"
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code, str(FRONT), str(to_front[0]), str(from_front[1])),
        env=environment,
        pass_fds=(to_front[0], from_front[1]),
    )
    os.close(to_front[0])
    os.close(from_front[1])
    with os.fdopen(to_front[1], "wb", buffering=0) as stdin, os.fdopen(from_front[0], "rb") as stdout:
        stdin.write(b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n')
        assert json.loads(await asyncio.to_thread(stdout.readline))["id"] == 1
        parent.kill()
        await parent.wait()
        async with asyncio.timeout(60):
            assert await asyncio.to_thread(stdout.read) == b""


async def test_the_end_of_input_ends_it(client: RawClient) -> None:
    """When the client closes its side, the front goes, with 0."""
    assert await client.end() == 0


def test_requests_from_a_pipe_are_answered_before_it_ends(folder: Path, environment: dict[str, str]) -> None:
    """A script may pipe its requests in: what was asked before the end of input is answered."""
    messages = [
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "pipe", "version": "0"},
            },
        },
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {
            "jsonrpc": "2.0",
            "id": 2,
            "method": "tools/call",
            "params": {"name": "memory_store", "arguments": {"content": "piped"}},
        },
    ]
    done = subprocess.run(
        [str(FRONT), "serve"],
        input="\n".join(map(json.dumps, messages)).encode(),
        env=environment,
        capture_output=True,
        timeout=60,
        check=True,
    )
    answers = {message["id"]: message for message in map(json.loads, done.stdout.splitlines())}
    assert answers[2]["result"]["structuredContent"]["created"] is True


async def test_files_are_private(client: RawClient, folder: Path) -> None:
    """The database and what lies beside it are readable by their owner alone, whatever the umask."""
    await client.tool("memory_store", content="private")
    files = list(folder.glob("memory.db*"))
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert len(files) == 3


def test_a_setting_that_does_not_fit_is_one_line(forks: Forks, environment: dict[str, str]) -> None:
    """A bad setting is named with its variable, on one line, and the exit code is 2 once the client has gone."""
    for name, value in {
        "MCP_MEMORY_EMBED_BUDGET_S": "soon",
        "MCP_MEMORY_EMBEDDER_ADDRESS": "localhost:1",
        "MCP_MEMORY_NAMESPACE": "n" * 1000,
    }.items():
        done = forks.text(["serve"], environment | {name: value})
        assert done.returncode == 2
        assert done.stdout == ""
        assert name in done.stderr
        assert done.stderr.count("\n") == 1


def test_what_is_no_setting_is_named(forks: Forks, folder: Path, environment: dict[str, str]) -> None:
    """A typing error in the file keeps every call out, one in the environment is told, both with the nearest name."""
    config = folder / "config.toml"
    config.write_text('namespce = "x"\n')

    def serve(**more: str) -> subprocess.CompletedProcess[str]:
        return forks.text(["serve"], environment | more)

    broken = serve(MCP_MEMORY_CONFIG=str(config))
    assert broken.returncode == 2
    assert "namespce is not a setting, did you mean namespace?" in broken.stderr
    assert "there is no file" in serve(MCP_MEMORY_CONFIG=str(folder / "missing.toml")).stderr
    told = serve(MCP_MEMORY_NAMESPCE="x")
    assert told.returncode == 0
    assert "MCP_MEMORY_NAMESPCE is not a setting, did you mean MCP_MEMORY_NAMESPACE?" in told.stderr


def test_a_path_with_a_tilde_is_the_users_home(folder: Path, environment: dict[str, str]) -> None:
    """Clients start servers without a shell: ~ is understood here."""
    code = "from memory_mcp import settings; print(settings.load().sqlite_path)"
    env = environment | {"MCP_MEMORY_SQLITE_PATH": "~/x.db"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{folder}/x.db"


def test_a_config_file_is_read_and_the_environment_wins(folder: Path, environment: dict[str, str]) -> None:
    """Defaults < file < environment."""
    config = folder / "config.toml"
    config.write_text('namespace = "from-file"\nembed_budget_s = 2.5\n')
    code = "from memory_mcp import settings as s; x = s.load(); print(x.namespace, x.embed_budget_s, x.breaker_window)"
    env = environment | {"MCP_MEMORY_CONFIG": str(config), "MCP_MEMORY_NAMESPACE": "from-env"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["from-env", "2.5", "10"]
