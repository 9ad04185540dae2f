"""Clients that are killed: their fronts go too, in the middle of whatever they do."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from memory_mcp.server.mcp.stdio import GOODBYE_S
from tests.e2e.client import PATIENCE_S, Json
from tests.e2e.conftest import FRONT
from tests.e2e.web import HELLO
from tests.fakes.daemon import FakeDaemon

CLIENT = """
import subprocess, sys
front, alive, *lines = sys.argv[1:]
pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
fronts = [subprocess.Popen([front, "serve"], pass_fds=[int(alive)], **pipes) for _ in range(5)]
for number, one in enumerate(fronts):
    one.stdin.write("\\n".join([*lines[:number + 1], ""]).encode())
    one.stdin.flush()
for one in fronts:
    one.stdout.readline()
print("ready", flush=True)
sys.stdin.read()
"""
"""Five sessions: each does one thing more than the one before it."""

STORE = {"name": "memory_store_many", "arguments": {"items": [{"content": "slow"}]}}
LINES: list[Json] = [
    {"id": 1, "method": "initialize", "params": HELLO},
    {"method": "notifications/initialized"},
    {"id": 2, "method": "tools/list"},
    {"id": 3, "method": "resources/subscribe", "params": {"uri": "memory://recent/10"}},
    {"id": 4, "method": "tools/call", "params": STORE},
]


@pytest.mark.parametrize("sessions", [5, pytest.param(100, marks=pytest.mark.slow)])
async def test_killed_clients_leave_no_process(
    daemon: FakeDaemon, environment: dict[str, str], folder: Path, sessions: int
) -> None:
    """Sessions that were just opened, that subscribe, and that wait for a hung daemon are gone soon after."""
    await daemon.change(hang=True)
    lines = [json.dumps({"jsonrpc": "2.0", **line}) for line in LINES]
    for _ in range(sessions // 5):
        reader, writer = os.pipe()
        client = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", CLIENT, str(FRONT), str(writer), *lines),
            env=environment,
            pass_fds=[writer],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        os.close(writer)
        assert client.stdout is not None
        async with asyncio.timeout(2 * PATIENCE_S):
            assert await client.stdout.readline() == b"ready\n"
        client.kill()
        await client.wait()
        with os.fdopen(reader, "rb") as alive:  # every front holds the other end until it has ended
            async with asyncio.timeout(GOODBYE_S + PATIENCE_S):
                assert await asyncio.to_thread(alive.read) == b""
    await daemon.change(hang=False)
