"""Cached answers that fronts share: another front's counts as one's own, for the same caller and the same state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from memory_mcp.app import make_services
from memory_mcp.application.dispatcher import Dispatcher
from memory_mcp.application.request import ToolCall
from memory_mcp.application.stack import make_dispatcher
from memory_mcp.domain.errors import NotFoundError, SettingsError
from memory_mcp.domain.models import Condition
from memory_mcp.domain.principal import Principal, Reach, Scope, local_user
from memory_mcp.settings import load
from memory_mcp.shared.tier import SharedTier
from memory_mcp.tools.delete import DELETE
from memory_mcp.tools.get import GET
from memory_mcp.tools.listing import LIST
from memory_mcp.tools.search import SEARCH
from memory_mcp.tools.services import Services
from memory_mcp.tools.store import STORE
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.shared import FakeSharedCache
from tests.fakes.store import FakeStore

USER = local_user("default")
READER = frozenset({Scope.READ})
TEXT = "Every Friday Ada buys a bottle of red wine from the shop at the corner. " * 40


class Front:
    """A front over a store, which tells how often its store answered."""

    def __init__(self, store: FakeStore, cache: FakeSharedCache, folder: Path) -> None:
        services = make_services(load(sqlite_path=folder / "memory.db"), store, FakeEmbedder())
        self.services: Services = replace(services, shared=SharedTier(cache=cache))
        self.lookups: list[bool] = []
        self.dispatcher: Dispatcher = make_dispatcher(load(), self._get, rate_limited=False, meter=self)

    async def _get(self) -> Services:
        return self.services

    def called(self, tool: str, outcome: str, seconds: float) -> None:
        """See `Meter`."""

    def looked_up(self, hit: bool) -> None:  # noqa: FBT001 - a callback of one argument
        """See `Meter`."""
        self.lookups.append(hit)

    async def ask(self, tool: Any, who: Principal = USER, **arguments: object) -> Any:
        """Call a tool."""
        return await self.asked(tool, arguments, who)

    async def asked(
        self, tool: Any, arguments: dict[str, object], who: Principal = USER, *, is_bounded: bool = True
    ) -> Any:
        """Call a tool."""
        return await self.dispatcher.dispatch(ToolCall(who, tool, arguments, is_bounded=is_bounded))


Make = Callable[..., Front]


@pytest.fixture
def cache() -> FakeSharedCache:
    """Make a cache."""
    return FakeSharedCache()


@pytest.fixture
def store() -> FakeStore:
    """Make a store."""
    return FakeStore()


@pytest.fixture
def make(store: FakeStore, cache: FakeSharedCache, tmp_path: Path) -> Make:
    """Make fronts of the store, or of another one."""
    return lambda other=None: Front(other or store, cache, tmp_path)


@pytest.mark.parametrize("is_bounded", [True, False])
async def test_an_answer_of_another_front_is_the_same(make: Make, *, is_bounded: bool) -> None:
    """In every form and every field, whatever was asked of whichever tool; then it is in this front's memory too."""
    one, two = make(), make()
    stored = await one.ask(STORE, content=TEXT, tags=["wine"], metadata={"n": [1.5, None]}, type="fact")
    for number in range(100):
        await one.ask(STORE, content=f"wine number {number} of very many", metadata={"cellar": number, "rack": "north"})
    questions: list[tuple[Any, dict[str, object]]] = [
        (SEARCH, {"query": "red wine of Ada", "explain": True, "limit": 50}),
        (SEARCH, {"query": "nothing like it", "min_score": 0.99}),
        (LIST, {"tags": ["wine"]}),
        (GET, {"id": stored.id, "history": True}),
        (LIST, {"limit": 100}),  # long: a model is not shown all fields
    ]
    for tool, arguments in questions:
        made = await one.asked(tool, arguments, is_bounded=is_bounded)
        for _ in range(2):
            shared = await two.asked(tool, arguments, is_bounded=is_bounded)
            assert shared == made
            assert shared.rendered == made.rendered
    long = await two.asked(*questions[-1], is_bounded=is_bounded)
    assert any(memory.detail for memory in long.memories) is is_bounded
    assert one.lookups == [False] * len(questions)
    assert two.lookups == [True, True] * len(questions) + [True]


async def test_a_write_by_any_front_makes_another_question(make: Make) -> None:
    """The answer from before is not found any more."""
    one, two = make(), make()
    stored = await one.ask(STORE, content="one wine")
    assert len((await one.ask(LIST)).memories) == 1
    await two.ask(DELETE, id=stored.id)
    assert (await one.ask(LIST)).memories == []
    assert (await two.ask(LIST)).memories == []
    assert (one.lookups, two.lookups) == ([False, False], [True])
    with pytest.raises(NotFoundError):
        await two.ask(GET, id=stored.id)


@pytest.mark.parametrize(
    "other",
    [
        Principal("b", "reader", READER, Reach("default")),
        Principal("a", "reader", READER | {Scope.WRITE}, Reach("default")),
        Principal("a", "reader", READER, Reach.bound_to("default")),
        Principal("a", "reader", READER, Reach("default", joined="more")),
        Principal("a", "reader", READER, Reach("other")),
        Principal("a", "reader", READER, Reach("default"), is_source=True),
    ],
)
async def test_another_caller_gets_nothing_of_it(make: Make, other: Principal) -> None:
    """Nor does the same one with other rights."""
    one, two = make(), make()
    await one.ask(STORE, content="one wine")
    await one.ask(LIST, Principal("a", "reader", READER, Reach("default")))
    await two.ask(LIST, other)
    assert two.lookups == [False]


async def test_stores_share_nothing(make: Make, store: FakeStore) -> None:
    """Even two that have seen as many writes, of memories with the same ids."""
    other = FakeStore()
    one, two = make(), make(other)
    await one.ask(STORE, content="red wine", id="same")
    await two.ask(STORE, content="white wine", id="same")
    assert await store.generation() == await other.generation()
    assert (await one.ask(LIST)).memories[0].content == "red wine"
    assert (await two.ask(LIST)).memories[0].content == "white wine"
    assert two.lookups == [False]


async def test_what_somebody_else_wrote_there_is_no_answer(make: Make, cache: FakeSharedCache) -> None:
    """Nor is an empty store's answer kept there: nothing tells it from another's."""
    one, two = make(), make()
    await one.ask(LIST)
    assert cache.held == {}
    await one.ask(STORE, content="one wine")
    made = await one.ask(LIST)
    cache.held = dict.fromkeys(cache.held, b'{"memories": 1}')
    assert await two.ask(LIST) == made
    assert two.lookups == [False]


async def test_a_cache_that_is_away_changes_no_answer(make: Make, cache: FakeSharedCache) -> None:
    """Each front has its own."""
    one = make()
    await one.ask(STORE, content="one wine")
    cache.is_away = True
    assert await one.ask(LIST) == await one.ask(LIST)
    assert one.lookups == [False, True]


async def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    """By health, with what fixes it, and without the password; calls are answered and limited all the same."""
    settings = load(sqlite_path=tmp_path / "memory.db", redis_url="valkeys://:hunter2@127.0.0.1:1/3")
    assert "hunter2" not in f"{settings!r} {settings.model_dump(mode='json')}"
    with pytest.raises(SettingsError, match=r"MCP_MEMORY_REDIS_URL: .*number of a database") as caught:
        load(redis_url="redis://:hunter2@127.0.0.1/name")
    assert "hunter2" not in str(caught.value)
    services = make_services(settings, FakeStore(), FakeEmbedder())
    assert await services.shared.rates.hit("me", "read", 1) == 0
    assert await services.shared.rates.hit("me", "read", 1) > 0
    found = (await services.health.live()).parts["shared"]
    assert (found.condition, found.state) == (Condition.DEGRADED, "local")
    assert "127.0.0.1:1/3 cannot be reached" in found.cause
    assert found.fix == "start it, or correct MCP_MEMORY_REDIS_URL"
    await services.shared.close()
