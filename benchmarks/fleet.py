"""Fronts over HTTP, and clients that do what a balancer does: for `benchmarks.teams` and its short form, a test."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.kit import FRONT
from memory_mcp.domain.principal import Scope
from memory_mcp.storage.postgres.db.connection import PostgresDatabase
from memory_mcp.storage.postgres.tokens import TokenTable
from tests.services.postgres import Postgres, as_nobody
from tests.services.servers import free_port

Json = dict[str, Any]
PATIENCE_S = 30.0
"""Until a call that no front answers has failed."""
PROBE_S = 0.5
"""How often each front is asked whether it is ready."""
OLD, NEW = "2025-11-25", "2026-07-28"
ACCEPT = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
INFO = {"name": "teams", "version": "0"}
META = "io.modelcontextprotocol/"
ENVELOPE: Json = {f"{META}protocolVersion": NEW, f"{META}clientCapabilities": {}, f"{META}clientInfo": INFO}
ROLES = Path(__file__).parents[1] / "deploy" / "compose" / "roles.sql"
MOVED = frozenset({404, 502, 503, 504})
"""Statuses of a front that does not know the session, or serves nobody."""


class FailedCallError(Exception):
    """A call was answered by an error, or by nobody."""


class TeamFront:
    """A front at a port that stays the same when it is killed and started again."""

    def __init__(self, environment: dict[str, str], port: int) -> None:
        self._environment = environment
        self.port = port
        self.url = f"http://127.0.0.1:{port}/mcp"
        self.is_up = False
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [str(FRONT), "serve", "--http", f"127.0.0.1:{self.port}"]
        out = subprocess.DEVNULL
        self._process = subprocess.Popen(command, env=self._environment, stdin=out, stdout=out, stderr=out)

    def kill(self) -> None:
        """End it as a lost machine does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def cpu_s(self) -> float:
        """Return the seconds that processors have worked for it since it was started."""
        assert self._process is not None
        stat = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


@dataclass
class Fleet:
    """The fronts, and how clients find one."""

    fronts: Sequence[TeamFront]
    retries: int = 0
    """Requests that were sent once more, elsewhere."""
    clients: dict[int, httpx2.AsyncClient] = field(default_factory=dict)
    is_watched: bool = False

    def pick(self) -> TeamFront | None:
        """Return a front that is ready, in turns; any front where nobody probes them."""
        up = [front for front in self.fronts if front.is_up or not self.is_watched]
        return up[next(_turns) % len(up)] if up else None

    async def watch(self) -> None:
        """Probe all fronts, until it is cancelled."""
        self.is_watched = True
        while True:
            for front in self.fronts:
                front.is_up = await self.is_ready(front)
            await asyncio.sleep(PROBE_S)

    def client(self, front: TeamFront) -> httpx2.AsyncClient:
        """Return the connections to a front."""
        if front.port not in self.clients:
            limits = httpx2.Limits(max_connections=None, keepalive_expiry=30)
            self.clients[front.port] = httpx2.AsyncClient(timeout=PATIENCE_S, limits=limits)
        return self.clients[front.port]

    async def until_ready(self) -> None:
        """Wait until all of them say so."""
        async with asyncio.timeout(4 * PATIENCE_S):
            for front in self.fronts:
                while not await self.is_ready(front):  # noqa: ASYNC110 - another process sets no event
                    await asyncio.sleep(0.1)

    async def is_ready(self, front: TeamFront) -> bool:
        """Ask as a balancer does."""
        return await self._probed(front, "/readyz")

    async def is_alive(self, front: TeamFront) -> bool:
        """Ask as an orchestrator does."""
        return await self._probed(front, "/livez")

    async def _probed(self, front: TeamFront, path: str) -> bool:
        try:
            return (await self.client(front).get(front.url.replace("/mcp", path))).status_code == httpx2.codes.OK
        except httpx2.TransportError:
            return False

    async def close(self) -> None:
        for client in self.clients.values():
            await client.aclose()


_turns = itertools.count()


class TeamSession:
    """One client: of 2025-11-25 with a session at one front, or of 2026-07-28 with none."""

    def __init__(self, fleet: Fleet, token: str, era: str) -> None:
        self._fleet = fleet
        self._headers = ACCEPT | {"Authorization": f"Bearer {token}", "MCP-Protocol-Version": era}
        self._is_old = era == OLD
        self._home: TeamFront | None = None
        self._ids = itertools.count(1)
        self._beginning = asyncio.Lock()

    async def call(self, tool: str, **arguments: object) -> Json:
        """Call a tool, at another front where one is gone; what writes has an id, so that it is written once.

        Raises:
            FailedCallError: the answer is an error, or nobody answers.
        """
        until = time.monotonic() + PATIENCE_S
        while True:
            front = await self._front() if self._is_old else self._fleet.pick()
            if front is not None and (answer := await self._asked(front, tool, arguments)) is not None:
                return answer
            if time.monotonic() > until:
                raise FailedCallError(f"{tool}: no front answers")
            self._fleet.retries += 1
            await asyncio.sleep(0.02)

    async def _asked(self, front: TeamFront, tool: str, arguments: Json) -> Json | None:
        """Return the result; None if this front is gone, or does not know the session any more."""
        params: Json = {"name": tool, "arguments": arguments}
        headers = self._headers
        if not self._is_old:
            params["_meta"] = ENVELOPE
            headers = headers | {"Mcp-Method": "tools/call", "Mcp-Name": tool}
        response = await self._post(front, {"id": next(self._ids), "method": "tools/call", "params": params}, headers)
        if response is None:
            if self._home is front:
                self._home = None
            return None
        return _result(response.text, tool)

    async def _post(self, front: TeamFront, message: Json, headers: dict[str, str]) -> httpx2.Response | None:
        try:
            response = await self._fleet.client(front).post(
                front.url, json={"jsonrpc": "2.0", **message}, headers=headers
            )
        except httpx2.TransportError:
            front.is_up = False
            return None
        if response.status_code in MOVED:
            return None
        if response.status_code >= httpx2.codes.BAD_REQUEST:
            raise FailedCallError(f"{response.status_code}: {response.text}")
        return response

    async def _front(self) -> TeamFront | None:
        """Return the front of the session, which is begun if there is none; None if that fails."""
        async with self._beginning:
            if self._home is not None and self._fleet.is_watched and not self._home.is_up:
                self._home = None  # a balancer sends nothing to a front that is not ready
            if self._home is None and (front := self._fleet.pick()):
                params = {"protocolVersion": OLD, "capabilities": {}, "clientInfo": INFO}
                self._headers.pop("Mcp-Session-Id", None)
                hello = {"id": 0, "method": "initialize", "params": params}
                response = await self._post(front, hello, self._headers)
                if response is None:
                    return None
                self._headers["Mcp-Session-Id"] = response.headers["mcp-session-id"]
                if await self._post(front, {"method": "notifications/initialized"}, self._headers) is None:
                    return None
                self._home = front
            return self._home


def _result(body: str, tool: str) -> Json | None:
    """Return a call's structured result; None if the answer ends before it."""
    lines = [body] if body.startswith("{") else [line[6:] for line in body.splitlines() if line.startswith("data: {")]
    for message in map(json.loads, lines):
        if "id" not in message:
            continue
        result = message.get("result")
        if result is None or result.get("isError"):
            raise FailedCallError(f"{tool}: {message}")
        found: Json = result["structuredContent"]
        return found
    return None


@dataclass(frozen=True, slots=True)
class Team:
    """A namespace, and a token bound to it."""

    name: str
    token: str
    marker: str
    """A word that all its memories have, and no other's."""

    def foreign(self, answer: Json) -> set[str]:
        """Return the markers of others in an answer."""
        return set(re.findall(r"mark\d+er", json.dumps(answer))) - {self.marker}


def teams(url: str, count: int) -> list[Team]:
    """Make the teams' tokens, in the database that all fronts share."""
    return [team(url, f"team-{number}", f"mark{number}er") for number in range(count)]


def team(url: str, name: str, marker: str = "") -> Team:
    """Make a team's token."""
    tokens = TokenTable(PostgresDatabase(url))
    try:
        return Team(name, tokens.create(name, (Scope.READ, Scope.WRITE), name, None)[0], marker)
    finally:
        tokens.close()


def prepared(server: Postgres, folder: Path) -> str:
    """Make roles and a database as deploy/compose does, and the tables as their owner; return the fronts' address."""
    for name in ("postgres_owner_password", "postgres_front_password"):
        (folder / name).write_text("s3cret")
        (folder / name).chmod(0o644)  # another user runs psql
    folder.chmod(0o755)
    environment = {"SECRETS": str(folder), "PATH": os.environ["PATH"], "PGPASSWORD": "s3cret"}
    psql = [str(server.programs / "psql"), "-X", "-v", "ON_ERROR_STOP=1", "-f", "-", server.url]
    with ROLES.open(encoding="utf-8") as script:
        subprocess.run(as_nobody(*psql), stdin=script, env=environment, check=True, capture_output=True, cwd="/")
    owner = {"MCP_MEMORY_STORAGE_BACKEND": "postgres", "MCP_MEMORY_POSTGRES_URL": server.of("memories", "memory_owner")}
    made = [str(FRONT), "list", "--limit", "1"]
    subprocess.run(made, env=owner | {"HOME": str(folder)}, check=True, capture_output=True)
    return server.of("memories", "memory_front")


@contextmanager
def running(count: int, environment: dict[str, str]) -> Iterator[Fleet]:
    """Run so many fronts of one environment."""
    fleet = Fleet([TeamFront(environment, free_port()) for _ in range(count)])
    try:
        for front in fleet.fronts:
            front.start()
        yield fleet
    finally:
        for front in fleet.fronts:
            front.kill()
