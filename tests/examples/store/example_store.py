"""A store that a package adds; what it keeps the contracts with is the tests' fake (`tests/contracts` runs on it)."""

from __future__ import annotations

from memory_mcp.domain.ports import Store
from memory_mcp.settings import Settings
from tests.fakes.store import FakeStore


def make(settings: Settings) -> Store:
    """Return the store; a real one would open its file, or its connection, at the first call."""
    del settings
    return FakeStore()
