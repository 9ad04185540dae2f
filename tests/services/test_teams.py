"""Teams on fronts that are killed and replaced, and a store that is restored: what docs/teams.md says."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.fleet import NEW, OLD, FailedCallError, Fleet, TeamFront, TeamSession, prepared, running, team, teams
from benchmarks.kit import FRONT, daemon
from benchmarks.teams import Plan, run
from memory_mcp.storage.postgres.db.schema import migrations
from tests.services.postgres import Postgres, serving
from tests.services.servers import free_port
from tests.services.valkey import Valkey

pytestmark = pytest.mark.services
ROOT = Path(__file__).parents[2]
LATER = "CREATE TABLE later (it integer); SELECT pg_sleep(1.5)"
"""The migration of a version that does not exist yet; it takes a while."""
PATIENCE_S = 60
DEGRADED = 3
"""The exit code of a command that did its work without vectors."""


@dataclass(frozen=True, slots=True)
class Place:
    """A database as deploy/compose makes it, and what its fronts are told."""

    server: Postgres
    folder: Path
    environment: dict[str, str]

    def url(self, user: str) -> str:
        return self.server.of("memories", user)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """Run a server of this file's own: the roles are the whole server's."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name, serving("fsync = off", "full_page_writes = off") as server:
        measuring = {key: value for key, value in os.environ.items() if key.startswith("COVERAGE_")}
        yield Place(
            server,
            Path(name),
            measuring
            | {
                "HOME": name,
                "PATH": f"{server.programs}:{FRONT.parent}:/usr/bin:/bin",
                "MCP_MEMORY_STORAGE_BACKEND": "postgres",
                "MCP_MEMORY_POSTGRES_URL": prepared(server, Path(name)),
                "MCP_MEMORY_EMBEDDER_ADDRESS": f"unix:{name}/e.sock",
            },
        )


async def test_a_killed_front_costs_nothing(place: Place, valkey: Valkey) -> None:
    """The short form of `benchmarks.teams`: calls are answered by another front, and nothing acknowledged is lost."""
    made = teams(place.url("memory_front"), 4)
    environment = place.environment | {"MCP_MEMORY_REDIS_URL": valkey.url}
    program = FRONT.with_name("embedder-daemon")
    async with daemon(str(place.folder), "--engine", "hash", program=(program,)):
        with running(2, environment) as fleet:
            plan = Plan(seconds=10, sessions=20, rate=12, fronts=2, teams=4, kill_every_s=6, known=10)
            outcome = await run(plan, fleet, made, ["Ada buys wine", "Bob sells tea", "the mill is old"], 0)
    assert len(outcome.kills) == 1
    assert len(outcome.took) == 120
    assert outcome.retries > 0
    assert (outcome.failed, outcome.lost, outcome.foreign) == ([], [], [])


def newer(folder: Path) -> dict[str, str]:
    """Make a version with one more migration; return what lets Python find it before ours."""
    code = folder / "newer"
    shutil.copytree(ROOT / "memory_mcp", code / "memory_mcp", ignore=shutil.ignore_patterns("__pycache__"))
    (code / "memory_mcp" / "storage" / "postgres" / "db" / "migrations" / "9999_later.sql").write_text(LATER)
    return {"PYTHONPATH": str(code)}


class Writer:
    """A client that stores one memory after another, and repeats what was refused."""

    def __init__(self, session: TeamSession, name: str) -> None:
        self._session = session
        self._name = name
        self.acknowledged: list[str] = []
        self.refused: list[str] = []

    async def write(self) -> None:
        """Write until it is cancelled."""
        while True:
            memory_id = f"{self._name}-{len(self.acknowledged)}"
            try:
                await self._session.call("memory_store", id=memory_id, content=f"memory {memory_id}")
            except FailedCallError as error:
                self.refused.append(str(error))
                await asyncio.sleep(0.05)
                continue
            self.acknowledged.append(memory_id)

    async def until_more(self, count: int) -> None:
        """Wait until so many more are acknowledged."""
        wanted = len(self.acknowledged) + count
        async with asyncio.timeout(PATIENCE_S):
            while len(self.acknowledged) < wanted:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.05)


@asynccontextmanager
async def writing(fleet: Fleet, token: str) -> AsyncIterator[list[Writer]]:
    """Let clients of both protocol versions write meanwhile, where a balancer sends them."""
    writers = [Writer(TeamSession(fleet, token, era), f"writer-{number}") for number, era in enumerate((OLD, NEW))]
    tasks = [asyncio.create_task(work) for work in (fleet.watch(), *(writer.write() for writer in writers))]
    try:
        yield writers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(fleet: Fleet, front: TeamFront, *, ready: bool) -> None:
    """Wait until a front says so."""
    async with asyncio.timeout(PATIENCE_S):
        while await fleet.is_ready(front) is not ready:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.1)


async def test_new_fronts_take_over_from_old_ones_while_clients_write(place: Place) -> None:
    """Beside the old fronts, new ones wait for the migration, during which writes wait and memories are read.

    Then the old ones are not ready, the new ones are; what an old one refused was not written, and is repeated.
    """
    version, unlimited = newer(place.folder), place.environment | {"MCP_MEMORY_RATE_LIMIT_ENABLED": "0"}
    fleet = Fleet([TeamFront(unlimited, free_port()), TeamFront(unlimited | version, free_port())])
    old, new = fleet.fronts
    token = team(place.url("memory_front"), "writers").token
    try:
        for front in fleet.fronts:
            front.start()
        await until(fleet, old, ready=True)
        assert await new_is_alive(fleet, new)
        async with writing(fleet, token) as writers:
            await asyncio.gather(*(writer.until_more(3) for writer in writers))
            assert not await fleet.is_ready(new)
            migrating = await migration(place, version)
            reader = TeamSession(Fleet([old], clients=fleet.clients), token, NEW)
            reads = await reads_until_it_stops(fleet, old, reader, "writer-0-0")
            assert (await migrating.wait(), reads > 1) == (0, True)
            await until(fleet, new, ready=True)
            await until(fleet, old, ready=False)
            await asyncio.gather(*(writer.until_more(3) for writer in writers))
        for writer in writers:
            for memory_id in writer.acknowledged:
                found = await TeamSession(Fleet([new], clients=fleet.clients), token, NEW).call(
                    "memory_get", id=memory_id
                )
                assert found["content"] == f"memory {memory_id}"
    finally:
        await fleet.close()
        for front in fleet.fronts:
            front.kill()
        place.server.sql(
            "memories",
            "DROP TABLE IF EXISTS memory_mcp.later",
            f"UPDATE memory_mcp.schema_version SET version = {len(migrations())}",  # noqa: S608 - a number
        )


async def reads_until_it_stops(fleet: Fleet, old: TeamFront, reader: TeamSession, memory_id: str) -> int:
    """Read a memory at a front until that is of an old version, and so not ready; return how often it was read."""
    reads = 0
    async with asyncio.timeout(PATIENCE_S):
        while await fleet.is_ready(old):
            with contextlib.suppress(TimeoutError):  # nobody answers any more
                async with asyncio.timeout(2):
                    await reader.call("memory_get", id=memory_id)
                    reads += 1
            await asyncio.sleep(0.1)
    return reads


async def new_is_alive(fleet: Fleet, front: TeamFront) -> bool:
    """Wait until a front that is not ready answers."""
    async with asyncio.timeout(PATIENCE_S):
        while not await fleet.is_alive(front):  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.1)
    return True


async def migration(place: Place, version: dict[str, str]) -> asyncio.subprocess.Process:
    """Begin it as the job does: the new version reads once as the owner of the tables."""
    environment = place.environment | version | {"MCP_MEMORY_POSTGRES_URL": place.url("memory_owner")}
    command = [sys.executable, "-m", "memory_mcp", "list", "--limit", "1"]
    quiet = asyncio.subprocess.DEVNULL
    return await asyncio.create_subprocess_exec(*command, env=environment, stdin=quiet, stdout=quiet, cwd="/")


def test_the_drill_of_the_page_brings_everything_back(place: Place) -> None:
    """Its commands make a backup as a front, restore it beside the store, and find every memory there."""
    page = (ROOT / "docs" / "teams.md").read_text(encoding="utf-8")
    [drill] = re.findall(r"```sh\n([^`]*pg_restore[^`]*)```", page)
    server = place.server
    environment = place.environment | {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(server.port),
        "PGUSER": "postgres",
        "PGPASSWORD": "s3cret",
        "DUMP": str(place.folder / "memories.dump"),
        "DRILL_URL": server.of("drill", "memory_front"),
    }
    store = [str(FRONT), "store", "the drill", "--namespace", "elsewhere"]
    assert subprocess.run(store, env=place.environment, check=False, capture_output=True).returncode == DEGRADED
    done = subprocess.run(["bash", "-e", "-c", drill], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    before, after = re.findall(r"^ *(\d+)$", done.stdout, re.MULTILINE)
    assert before == after
    assert int(before) > 0
