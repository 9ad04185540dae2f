"""Fronts and servers that die under load: nothing acknowledged is lost, and a caller sees a retry or one sentence."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest

from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.models import Filters, Stored
from memory_mcp.domain.ports import Store
from tests.contracts.shelf import events, listed, new, put, whole
from tests.services.postgres import DATABASE, Postgres, emptied, serving, store_at

pytestmark = pytest.mark.services
ROOT = Path(__file__).parents[2]
WRITERS = 3
MORE = 5
"""Writes of each writer after the fault: that its connections heal."""
PATIENCE_S = 60

FRONT = """
import asyncio, sys
from tests.contracts.shelf import new, whole
from tests.services.postgres import store_at

async def main():
    store = store_at(sys.argv[1])
    for number in range(100_000):
        [stored] = await store.add([(new(f"text {number}", tags=("a", "b")), whole(f"text {number}"))])
        print(stored.id, flush=True)

asyncio.run(main())
"""
"""Stores one memory after the other, and says which."""


@pytest.fixture(scope="module")
def durable() -> Iterator[Postgres]:
    """Run a server that may be killed, and that writes to the disk."""
    with serving("fsync = on") as server:
        yield server


async def happened(condition: Callable[[], bool]) -> None:
    """Let others run until then."""
    while not condition():  # noqa: ASYNC110 - what is waited for knows of no event
        await asyncio.sleep(0.01)


class Load:
    """Writers that store one memory after the other, and keep what was acknowledged."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.kept: list[str] = []
        self.refused: list[str] = []

    async def write(self, until: Callable[[], bool]) -> None:
        """Store until then; what is refused is counted, and not tried again."""
        while not until():
            content = f"text {len(self.kept)} {len(self.refused)} {os.urandom(8).hex()}"
            try:
                [stored] = await self.store.add([(new(content), whole(content))])
            except StoreError as error:
                self.refused.append(str(error))
            else:
                assert isinstance(stored, Stored)
                self.kept.append(content)

    async def survives(self, fault: Callable[[], Awaitable[None]]) -> None:
        """Let something happen while all write, and compare what is there with what was acknowledged."""
        done, after = False, 0

        def until() -> bool:
            return done and len(self.kept) >= after + WRITERS * MORE

        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
            for _ in range(WRITERS):
                group.create_task(self.write(until))
            await happened(lambda: len(self.kept) >= WRITERS)
            await fault()
            done, after = True, len(self.kept)
        there = await listed(self.store, limit=100_000)
        assert set(self.kept) <= set(there)
        assert len(there) == len(set(there))
        assert len(there) <= len(self.kept) + len(self.refused)
        logged = [event.seq for event in await events(self.store, limit=100_000)]
        assert logged == list(range(1, len(there) + 1))


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_a_server_that_restarts_loses_nothing(durable: Postgres, mode: str) -> None:
    """Whether it says goodbye or crashes, writers wait until it is back, and none of them notices."""
    load = Load(emptied(durable, None))
    await load.survives(lambda: asyncio.to_thread(durable.control, "-m", mode, "restart"))
    assert load.refused == []
    await load.store.close()


@pytest.mark.parametrize("how", ["terminated", "killed"])
async def test_backends_that_end_lose_nothing(durable: Postgres, how: str) -> None:
    """One that an administrator ends takes its transaction along; one that is killed takes all of the server along."""
    load = Load(emptied(durable, None))

    async def end() -> None:
        for _ in range(3 if how == "terminated" else 1):
            await asyncio.to_thread(_end_backends, durable, how)
            before = len(load.kept)
            await happened(partial(lambda known: len(load.kept) >= known + WRITERS, before))

    await load.survives(end)
    assert load.refused == []
    await load.store.close()


def _end_backends(server: Postgres, how: str) -> None:
    """End those that serve our database, or kill one of them."""
    ours = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'"
    with psycopg.connect(server.url, autocommit=True) as connection:
        pids = [pid for (pid,) in connection.execute(ours, (DATABASE,))]
        if how == "terminated":
            connection.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", (pids,))
    if how == "killed":
        os.kill(pids[0], signal.SIGKILL)


async def test_a_killed_front_leaves_what_it_acknowledged(durable: Postgres) -> None:
    """What it had said is there, whole; what it was about to say is there whole or not at all."""
    store = emptied(durable, None)
    await store.generation()
    command = [sys.executable, "-c", FRONT, durable.of_stores]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as front:  # noqa: ASYNC220 - nothing else runs here
        assert front.stdout is not None
        said = [front.stdout.readline().strip() for _ in range(20)]
        front.kill()
        said += [line.strip() for line in front.stdout if line.endswith("\n")]
    for memory_id in said:
        assert (await store.get(memory_id, "here")).tags == ("a", "b")
    tagged = await listed(store, Filters("here", tags=("a",)))
    assert len(tagged) == len(await listed(store)) == (await store.totals()).memories >= len(said)
    await put(store, "next")
    await store.close()


async def test_a_server_that_stays_away_is_said_in_one_sentence(durable: Postgres) -> None:
    """After some patience a caller learns what fixes it, and when the server is back the same store works."""
    emptied_store = emptied(durable, None)
    await put(emptied_store, "kept")
    await emptied_store.close()
    store = store_at(durable.of_stores, patience_s=0.3)
    assert await listed(store) == ["kept"]
    durable.control("-m", "fast", "stop")
    for call in (store.generation, lambda: store.add([(new("lost"), whole("lost"))])):
        with pytest.raises(StoreError, match=r"cannot be reached .*start PostgreSQL, or check MCP_MEMORY_") as caught:
            await call()
        assert "s3cret" not in str(caught.value)
    assert (await store.findings(None))["store"].condition == "failed"
    durable.control("start")
    assert await listed(store) == ["kept"]
    await put(store, "after")
    await store.close()


async def test_an_outage_is_waited_for_once_and_health_waits_for_none_of_it(durable: Postgres) -> None:
    """Health says what fixes it while calls still wait; when one gave up, the next ones do not wait again."""
    await emptied(durable, None).close()
    patient, waiting = (store_at(durable.of(DATABASE), patience_s=seconds) for seconds in (3_600, 2))
    for store in (patient, waiting):
        await store.generation()
    durable.control("-m", "fast", "stop")
    try:
        async with asyncio.timeout(PATIENCE_S):
            found = (await patient.findings(None))["store"]
            for _ in range(PATIENCE_S):
                with pytest.raises(StoreError, match="start PostgreSQL"):
                    await waiting.generation()
        assert found.fix == "start PostgreSQL, or check MCP_MEMORY_POSTGRES_URL"
        assert "cannot be reached" in found.cause
    finally:
        durable.control("start")
    await waiting.generation()
    for store in (patient, waiting):
        await store.close()


async def test_a_server_without_a_free_connection_says_so(durable: Postgres) -> None:
    """The sentence names what to do."""
    await emptied(durable, None).close()
    durable.sql("postgres", "DROP ROLE IF EXISTS crowd", "CREATE ROLE crowd LOGIN PASSWORD 's3cret' CONNECTION LIMIT 0")
    store = store_at(durable.of(DATABASE, "crowd"), patience_s=0.3)
    with pytest.raises(StoreError, match=r"too many connections .*close clients"):
        await store.generation()
    await store.close()
