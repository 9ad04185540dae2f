"""Fixtures of the contracts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from memory_mcp.domain.ports import Store
from memory_mcp.storage.sqlite.repository import SqliteStore
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore


@pytest.fixture
def clock() -> FakeClock:
    """Give the store's clock."""
    return FakeClock()


@pytest.fixture(params=["sqlite", "fake"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Store]:
    """Give one store after the other, empty."""
    made: dict[str, Callable[[], Store]] = {
        "sqlite": lambda: SqliteStore(tmp_path / "memories.db", clock),
        "fake": lambda: FakeStore(clock),
    }
    empty = made[request.param]()
    yield empty
    await empty.close()
