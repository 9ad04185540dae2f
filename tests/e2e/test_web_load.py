"""Two hundred HTTP sessions at once: nothing lost, nobody waits without end, memory flat."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from tests.daemon.daemonkit import Process
from tests.e2e.client import Json
from tests.e2e.web import ACCEPT, HELLO, WebFront

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="memory is read from /proc")


class Session:
    """One session that stores and searches, in its own namespace's conversation."""

    def __init__(self, http: httpx2.AsyncClient, url: str, name: str) -> None:
        self._http = http
        self._url = url
        self._headers: dict[str, str] = {}
        self._id = 0
        self.name = name
        self.stored: list[str] = []
        self.waits: list[float] = []

    async def request(self, method: str, params: Json) -> Json:
        """Send a request and return its result."""
        self._id += 1
        message = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        answer = await self._http.post(self._url, headers=self._headers, json=message)
        assert answer.status_code == 200, answer.text
        if "mcp-session-id" in answer.headers:
            self._headers["Mcp-Session-Id"] = answer.headers["mcp-session-id"]
        [line] = [line for line in answer.text.splitlines() if line.startswith("data: {")]
        result: Json = json.loads(line[6:])["result"]
        assert not result.get("isError"), result
        return result

    async def hello(self) -> None:
        """Shake hands."""
        await self.request("initialize", HELLO)
        note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        await self._http.post(self._url, headers=self._headers, json=note)

    async def turn(self) -> None:
        """Store one memory and read it back."""
        text = f"session {self.name} says {len(self.stored)}"
        began = time.perf_counter()
        stored = await self.tool("memory_store", content=text)
        self.stored.append(stored["id"])
        assert (await self.tool("memory_get", id=stored["id"]))["content"] == text
        self.waits.append(time.perf_counter() - began)

    async def tool(self, name: str, **arguments: object) -> Json:
        """Call a tool."""
        found: Json = (await self.request("tools/call", {"name": name, "arguments": arguments}))["structuredContent"]
        return found

    async def work(self, begin_s: float, thinking_s: float) -> None:
        """Take turns until cancelled, with the pauses of somebody who reads and thinks."""
        await asyncio.sleep(begin_s)
        while True:
            await self.turn()
            await asyncio.sleep(thinking_s)


def resident(front: WebFront) -> int:
    """Return the front's resident memory in bytes."""
    return int(Path(f"/proc/{front.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(
    ("sessions", "seconds", "thinking_s"), [(20, 3, 1.0), pytest.param(200, 60, 10.0, marks=pytest.mark.slow)]
)
async def test_many_sessions_lose_nothing(
    start_daemon: Callable[..., Process],
    serve: Callable[..., WebFront],
    sessions: int,
    seconds: int,
    thinking_s: float,
) -> None:
    """Every acknowledged memory is there, and memory stays; `thinking_s` lies between two turns of a session.

    Without a pause the wait would be the number of sessions, whatever the server does; how long it is, is printed.
    """
    start_daemon("hash").ready()
    front = serve(MCP_MEMORY_RATE_LIMIT_ENABLED="false")
    headers = ACCEPT | {"Authorization": f"Bearer {front.token('load')}"}
    limits = httpx2.Limits(max_connections=sessions, max_keepalive_connections=sessions)
    async with httpx2.AsyncClient(headers=headers, timeout=60, limits=limits) as http:
        crowd = [Session(http, front.url, str(number)) for number in range(sessions)]
        alone = Session(http, front.url, "alone")
        for session in (alone, *crowd):
            await session.hello()
        for _ in range(20):
            await alone.turn()
        before = resident(front)
        work = [asyncio.create_task(one.work(thinking_s * n / sessions, thinking_s)) for n, one in enumerate(crowd)]
        ended, _ = await asyncio.wait(work, timeout=seconds)
        assert [task.exception() for task in ended] == []
        for task in work:
            task.cancel()
        after = resident(front)
        acknowledged = {memory_id for session in (alone, *crowd) for memory_id in session.stored}
        total = (await alone.tool("memory_list", limit=1))["total"]
        assert total in range(len(acknowledged), len(acknowledged) + sessions + 1)  # some were cut off in the middle
    waits = sorted(wait for session in crowd for wait in session.waits)
    idle = sorted(alone.waits)[len(alone.waits) // 2]
    print(  # noqa: T201 - figures for the benchmarks
        f"\n{sessions} sessions, {seconds} s: {len(waits)} turns, alone p50 {idle * 1000:.0f} ms, "
        f"p50 {waits[len(waits) // 2] * 1000:.0f} ms, p99 {waits[len(waits) * 99 // 100] * 1000:.0f} ms, "
        f"memory {before // 1_000_000} to {after // 1_000_000} MB"
    )
    assert after < before + 50_000_000
