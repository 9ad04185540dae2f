"""`daemon restart` while clients work: nothing fails, nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from memory_mcp import cli
from memory_mcp.cli import daemon
from memory_mcp.provision.launchd import LaunchAgent
from tests.e2e.client import PATIENCE_S, RawClient
from tests.fakes.supervisor import Launchd
from tests.provision.fakes import QuickPip

FRONT = Path(sys.executable).with_name("memory-mcp")
FRONTS = 4


@dataclass
class Count:
    """What one front saw."""

    stored: int = 0
    embedded: int = 0
    searched: int = 0
    by_meaning: int = 0


async def work(client: RawClient, name: str, count: Count, stopped: asyncio.Event) -> None:
    """Store and search until it is over; whatever fails raises."""
    while not stopped.is_set():
        told = await client.tool("memory_store", content=f"{name} notes number {count.stored}")
        assert told["created"]
        count.stored += 1
        count.embedded += told["embedded"]
        found = await client.tool("memory_search", query=f"notes number {count.stored - 1}", limit=5)
        assert found["results"]
        count.searched += 1
        count.by_meaning += found["mode"] == "hybrid"


async def restart(counts: list[Count]) -> None:
    """Type the command, and wait until every front searches by meaning again."""
    assert await asyncio.to_thread(cli.run, ["daemon", "restart"]) == 0
    before = [count.by_meaning for count in counts]
    async with asyncio.timeout(PATIENCE_S):
        while [count.by_meaning > seen for count, seen in zip(counts, before, strict=True)] != [True] * FRONTS:  # noqa: ASYNC110 - counters set no event
            await asyncio.sleep(0.01)


def daemons(home: Path) -> list[str]:
    """Return the command lines of this home's daemons, without the processes that watch them."""
    listed = subprocess.check_output(["ps", "-ww", "-A", "-o", "command="], text=True)
    return [line for line in listed.splitlines() if f"{home}/" in line and "-m embedder_daemon" in line]


@pytest.mark.parametrize("times", [2, pytest.param(100, marks=pytest.mark.slow)])
async def test_restarts_under_load(
    times: int,
    home: Path,
    fake_model: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Four fronts work: no store fails, every search is answered, each daemon ends with 0, and one is left."""
    system = Launchd()
    monkeypatch.setattr(daemon, "SystemRunner", lambda: QuickPip(system))
    monkeypatch.setattr(daemon, "find_service", lambda _: LaunchAgent(system, platform="darwin", home=home))
    monkeypatch.setattr(daemon, "user_log_path", lambda _: home / "Logs")
    measuring = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    environment = measuring | {"HOME": str(home), "PATH": "/usr/bin:/bin", "MCP_MEMORY_BREAKER_OPEN_S": "0.3"}
    counts = [Count() for _ in range(FRONTS)]
    clients = [RawClient([str(FRONT), "serve"], environment) for _ in range(FRONTS)]
    try:
        assert await asyncio.to_thread(cli.run, ["daemon", "install"]) == 0
        await asyncio.gather(*(client.initialize() for client in clients))
        stopped = asyncio.Event()
        async with asyncio.TaskGroup() as working:
            for number, (client, count) in enumerate(zip(clients, counts, strict=True)):
                working.create_task(work(client, f"front {number}", count, stopped))
            for _ in range(times):
                await restart(counts)
            stopped.set()
        with capsys.disabled():
            print(f"\n{times} restarts: {counts}")  # noqa: T201 - measured, not asserted
        (job,) = system.jobs.values()
        assert [run.code for run in job.runs] == [0] * times + [None]
        assert len(daemons(home)) == 1
        data = home / ".local" / "share" / "memory-mcp"
        assert [path.name for path in data.iterdir() if path.is_socket()] == ["embedder.sock"]
        listed = await clients[0].tool("memory_list", limit=1)
        assert listed["total"] == sum(count.stored for count in counts)
        await clients[0].until("memory_search", "pending", value=0, query="notes", mode="keyword")
    finally:
        for client in clients:
            await client.end()
        system.close()
    assert daemons(home) == []
