"""The ports of the shared tier; `tests/services` runs the same tests on a real server."""

from __future__ import annotations

import asyncio

import pytest

from memory_mcp.domain.ports import RateCounter, SharedCache
from memory_mcp.domain.ports.shared import MAX_SHARED_BYTES
from memory_mcp.shared.rates import LocalRates
from tests.fakes.shared import FakeSharedCache

PATIENCE_S = 60.0


@pytest.fixture
def rates() -> RateCounter:
    """Return what counts for one front."""
    return LocalRates()


@pytest.fixture
def cache() -> SharedCache:
    """Return a cache."""
    return FakeSharedCache()


async def until_held(cache: SharedCache, key: bytes) -> bytes:
    """Return what is put there soon."""
    async with asyncio.timeout(PATIENCE_S):
        while (held := await cache.get(key)) is None:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.005)
    return held


async def test_a_minute_has_so_many_calls(rates: RateCounter) -> None:
    """Of each kind, for each caller; what is refused says when to come again, and is not counted."""
    assert [await rates.hit("me", "read", 2) for _ in range(2)] == [0, 0]
    assert [1 <= await rates.hit("me", "read", 2) <= 60 for _ in range(2)] == [True, True]
    assert await rates.hit("you", "read", 2) == 0
    assert await rates.hit("me", "write", 2) == 0
    assert await rates.hit("me", "read", 3) == 0


async def test_calls_at_once_are_counted_each(rates: RateCounter) -> None:
    """None slips through between another's look and its count."""
    waits = await asyncio.gather(*(rates.hit("me", "bulk", 5) for _ in range(20)))
    assert waits.count(0) == 5


async def test_bytes_are_found_under_their_key(cache: SharedCache) -> None:
    """Whole, whatever they hold; the latest count."""
    assert await cache.get(b"k" * 32) is None
    cache.put(b"k" * 32, b"\x00one\xff")
    assert await until_held(cache, b"k" * 32) == b"\x00one\xff"
    cache.put(b"l" * 32, b"")
    assert await until_held(cache, b"l" * 32) == b""
    assert await cache.get(b"m" * 32) is None


async def test_what_is_too_large_is_not_put(cache: SharedCache) -> None:
    """The bound is a value's; what is put afterwards tells that the first would be there by now."""
    cache.put(b"k" * 32, b"x" * (MAX_SHARED_BYTES + 1))
    cache.put(b"l" * 32, b"x" * MAX_SHARED_BYTES)
    assert len(await until_held(cache, b"l" * 32)) == MAX_SHARED_BYTES
    assert await cache.get(b"k" * 32) is None
