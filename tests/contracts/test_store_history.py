"""All ports of a store together: two stores that are told the same answer the same."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from memory_mcp.domain.ports import Store
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.operations import Operation, answers, histories, without_nul
from tests.contracts.shelf import after_a_crash
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore
from tests.services.postgres import Postgres, emptied, store_at


async def _same(store: Store) -> Store:
    return store


@pytest.mark.services
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories.map(without_nul))
def test_the_database_and_the_fake_agree(postgres: Postgres, history: list[Operation]) -> None:
    """So do a database and the fake; what was on its disk is what a front finds after another one was killed."""

    async def again(store: Store) -> Store:
        await store.close()
        return store_at(postgres.of_stores, FakeClock())

    of_database = asyncio.run(answers(emptied(postgres, FakeClock()), history, again))
    assert of_database == asyncio.run(answers(FakeStore(FakeClock()), history, _same))


@settings(max_examples=50)
@given(history=histories)
def test_the_file_and_the_fake_agree(history: list[Operation]) -> None:
    """After any history with crashes, both stores give the same memories, revisions, scores, spaces and changes."""
    with tempfile.TemporaryDirectory() as folder:
        of_file = asyncio.run(answers(SqliteStore(Path(folder) / "m.db", FakeClock()), history, after_a_crash))
        of_fake = asyncio.run(answers(FakeStore(FakeClock()), history, _same))
    assert of_file == of_fake
