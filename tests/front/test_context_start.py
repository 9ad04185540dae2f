"""A block for the start of a session, from a real store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

import pytest

from memory_mcp.context.beginnings import Listing, listed
from memory_mcp.context.gathering import gather
from memory_mcp.context.models import MEMORY, ContextRequest
from memory_mcp.context.policy import DEFAULT_CONTEXT
from memory_mcp.domain.documents import SectionPlace
from memory_mcp.domain.models import Filters, NewMemory
from memory_mcp.domain.sources import SourceItem
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.fakes.sources import FakeSource
from tests.front.test_context import LOCAL, Start, ask, memory, start, stored, texts

__all__ = ["start"]


@pytest.fixture
def los_angeles(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the user live where the evening is the next day in UTC."""
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


async def test_the_last_session_is_a_day_of_the_user(start: Start, los_angeles: None) -> None:
    """As its header is: an evening is not cut at midnight in UTC."""
    del los_angeles
    services = start()
    hours = ("2026-05-03T22:30Z", "2026-05-04T02:30Z")
    for said in hours:
        await services.memories.store(NewMemory(f"A note of {said}.", "n", created_at=datetime.fromisoformat(said)))
    assert texts(await ask(services, "")) == [
        "§ last session, 3 May 2026",
        "[1] A note of 2026-05-04T02:30Z.",
        "[2] A note of 2026-05-03T22:30Z.",
    ]


@pytest.mark.parametrize("match", ["any", "all"])
async def test_an_old_pinned_memory_is_found_by_its_tag(start: Start, match: Literal["any", "all"]) -> None:
    """However many newer ones without that tag are pinned."""
    services = start()
    newer = (memory(f"pin {number}", 1 + number, tags=("pinned",)) for number in range(DEFAULT_CONTEXT.pinned))
    await stored(services, memory("Never push.", 0, tags=("pinned", "Proj")), *newer)
    block = await ask(services, "", filters=Filters("n", tags=("proj",), tag_match=match))
    assert texts(block) == ["§ pinned, 3 May 2026", "[1] Never push."]


async def test_the_places_of_sections_are_read_once(start: Start, tmp_path: Path) -> None:
    """Not for each memory."""
    services = start()
    await stored(
        services, *(memory(f"page {number}", number, type="document", tags=("pinned",)) for number in range(3))
    )
    asked: list[int] = []

    class Counting:
        def __init__(self, inner: Listing) -> None:
            self.page = inner.page

        def section_places(self, keys: Sequence[int]) -> Mapping[int, SectionPlace]:
            asked.append(len(keys))
            return {}

    request = ContextRequest("", Filters("n"), LOCAL)
    store = SqliteStore(tmp_path / "memory.db")
    found = await store.read(lambda it: listed(Counting(it), request, DEFAULT_CONTEXT))
    await store.close()
    assert (len(found), asked) == (3, [3])


async def test_a_source_gives_as_many_items_as_its_section_says(start: Start) -> None:
    """The question has no smaller limit of its own."""
    wiki = FakeSource("wiki", items=[SourceItem(f"boat {number}", uri=f"w:{number}") for number in range(40)])
    block = await ask(start(wiki))
    assert len(block.items) == 40


async def test_late_memories_cannot_be_left_out() -> None:
    """So the advice is more time alone, and the time told is what the caller gave."""
    gathered = await gather({MEMORY: asyncio.sleep(60)}, 0.0, 50)
    assert [(state.cause, state.fix) for state in gathered.states] == [
        ("did not answer in time (50 ms)", "allow more with budget_ms")
    ]
