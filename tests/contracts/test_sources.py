"""The port ContextSource: what every kind of source keeps to, the fake included."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from memory_mcp.domain.ports import ContextSource
from memory_mcp.domain.sources import SourceError, SourceItem, SourceQuery
from tests.fakes.sources import FakeSource, open_breaker

ITEMS = tuple(SourceItem(f"the boat number {number}", uri=f"https://wiki.test/{number}") for number in range(5))


@pytest.fixture(params=["fake"])
async def source(request: pytest.FixtureRequest) -> AsyncIterator[ContextSource]:
    """Return a source of each kind that knows `ITEMS`."""
    made: ContextSource = {"fake": FakeSource(items=ITEMS)}[request.param]
    yield made
    await made.close()


async def test_a_source_answers_with_its_items_in_order(source: ContextSource) -> None:
    """The best first, at most as many as were asked for."""
    answer = await source.ask(SourceQuery("boat", limit=3))
    assert [item.text for item in answer.items] == [item.text for item in ITEMS[:3]]


async def test_a_source_has_a_name_and_a_kind(source: ContextSource) -> None:
    """Both stand in answers and metrics."""
    assert source.name
    assert source.kind


async def test_a_hanging_source_is_given_up_by_cancelling() -> None:
    """The caller sets the deadline; the source learns of it."""
    source = FakeSource(items=ITEMS, hangs=True)
    asking = asyncio.create_task(source.ask(SourceQuery("boat", limit=3)))
    await source.begun.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert source.cancelled == 1


async def test_an_open_source_says_when_it_is_asked_again() -> None:
    """Its breaker is no other failure."""
    with pytest.raises(SourceError) as failed:
        await FakeSource(error=open_breaker(5)).ask(SourceQuery("boat", limit=3))
    assert failed.value.is_open
    assert failed.value.retry_after_s == 5
