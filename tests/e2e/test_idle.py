"""What a front costs while nobody asks anything of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.client import RawClient
from tests.fakes.daemon import FakeDaemon

WATCHED_S: Final = 10
MOST: Final = 0.03
"""Of one core, more than a front without a subscription: to ask the store whether it changed takes a tenth of that."""


async def used(client: RawClient) -> float:
    """Return the seconds of processor time that a front has had."""
    process = await client.process()
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc here to read processor time from")
async def test_a_subscription_costs_next_to_nothing(daemon: FakeDaemon, start: Callable[..., RawClient]) -> None:
    """A front whose client is subscribed to every kind of resource idles as one does whose client is not."""
    del daemon
    plain, subscribed = start(), start()
    for client in (plain, subscribed):
        await client.initialize()
        await client.tool("memory_list")  # everything is imported
    stored = await plain.tool("memory_store", content="text", tags=["x"])
    for of in ("stats", "recent/10", "tag/x", f"memory/{stored['id']}"):
        assert "result" in await subscribed.request("resources/subscribe", {"uri": f"memory://{of}"})
    before = [await used(client) for client in (plain, subscribed)]
    await asyncio.sleep(WATCHED_S)  # this is the time that is measured
    without, with_one = await used(plain) - before[0], await used(subscribed) - before[1]
    assert with_one - without <= MOST * WATCHED_S, (without, with_one)
