"""A front that ingests documents, with its services, on a store that is looked at in the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from memory_mcp.app import make_services
from memory_mcp.settings import load
from memory_mcp.storage.sqlite.store import SqliteStore
from memory_mcp.tools.services import Services
from tests.front.documents.ingesting_kit import Kit
from tests.front.storage.audit import audit


@pytest.fixture
async def kit(tmp_path: Path) -> AsyncIterator[Kit]:
    """Give a front with an empty folder."""
    folder = tmp_path / "docs"
    folder.mkdir()
    kit = Kit(SqliteStore(tmp_path / "memory.db"), folder)
    yield kit
    await kit.store.close()
    audit(tmp_path / "memory.db")


@pytest.fixture
def services(kit: Kit, tmp_path: Path) -> Services:
    """Give the services of the same store."""
    return make_services(load(sqlite_path=tmp_path / "memory.db"), kit.store, kit.embedder)
