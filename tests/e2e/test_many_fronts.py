"""Eight clients of one store at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.e2e.client import RawClient, ToolError
from tests.fakes.daemon import FakeDaemon

FRONTS = 8


@dataclass(slots=True)
class Turns:
    """What one front did."""

    done: int = 0
    updates: int = 0
    conflicts: int = 0


async def _work(client: RawClient, name: str, shared: str, turns: Turns) -> None:
    """Store, search, and count up in the shared memory, again and again."""
    while True:
        text = f"front {name} says {turns.done}"
        await client.tool("memory_store", content=text)
        found = await client.tool("memory_search", query=text)
        assert text in [hit["content"] for hit in found["results"]]
        memory = await client.tool("memory_get", id=shared)
        try:
            await client.tool(
                "memory_update",
                id=shared,
                content=f"{int(memory['content']) + 1}",
                expected_revision=memory["revision"],
            )
            turns.updates += 1
        except ToolError as error:
            if "expected_revision" not in str(error):
                raise
            turns.conflicts += 1
        turns.done += 1


@pytest.mark.parametrize("seconds", [4, pytest.param(60, marks=pytest.mark.slow)])
async def test_eight_fronts_write_and_search(daemon: FakeDaemon, start: Callable[..., RawClient], seconds: int) -> None:
    """No lock reaches a caller, no update is lost, and the slowest front gets a third of the fastest's turns."""
    del daemon
    clients = [start() for _ in range(FRONTS)]
    await asyncio.gather(*(client.initialize() for client in clients))
    shared = (await clients[0].tool("memory_store", content="0"))["id"]
    await asyncio.gather(*(client.tool("memory_get", id=shared) for client in clients))  # it opens the store
    turns = [Turns() for _ in clients]
    work = [
        asyncio.create_task(_work(client, str(number), shared, turns[number])) for number, client in enumerate(clients)
    ]
    ended, _ = await asyncio.wait(work, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    for task in work:
        task.cancel()
    assert [task.exception() for task in ended] == []
    checker = start()
    await checker.initialize()
    memory = await checker.tool("memory_get", id=shared)
    counted = sum(turn.updates for turn in turns)
    assert int(memory["content"]) == memory["revision"] - 1
    assert memory["revision"] - 1 - counted in range(FRONTS + 1)  # each may have been cut off in the middle of one
    assert min(turn.done for turn in turns) * 3 >= max(turn.done for turn in turns)
