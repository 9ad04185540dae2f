"""Fixtures of the contracts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import cast

import pytest

from memory_mcp.domain.ports import Store, SupportsBackup
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.shelf import Copied
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore
from tests.services.postgres import emptied


@pytest.fixture
def clock() -> FakeClock:
    """Give the store's clock."""
    return FakeClock()


STORES = (
    "sqlite",
    pytest.param("fake", marks=pytest.mark.no_cover),  # none of it ships, and tracing it takes longer than the tests
    pytest.param("postgres", marks=pytest.mark.services),
)


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Store]:
    """Give one store after the other, empty."""
    made: dict[str, Callable[[], Store]] = {
        "sqlite": lambda: SqliteStore(tmp_path / "memories.db", clock),
        "fake": lambda: FakeStore(clock),
        "postgres": lambda: emptied(request.getfixturevalue("postgres"), clock),
    }
    empty = made[request.param]()
    yield empty
    await empty.close()


@pytest.fixture
def nul(store: Store) -> str:
    """Give a NUL, or the next character where the store refuses it, which `test_store.py` checks."""
    return "\1" if type(store).__name__ == "PostgresStore" else "\0"


@pytest.fixture
def copied(store: Store) -> Copied:
    """Give the stores that can be copied to a file."""
    if isinstance(store, SupportsBackup) and type(store).__name__ != "PostgresStore":
        return cast("Copied", store)
    pytest.skip("this store cannot be copied to a file, or its own tool brings it back (tests/services)")
