"""What every request passes: rights, limits, the response cache, observers and the error net, without any protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from memory_mcp.app import make_services
from memory_mcp.application.dispatcher import Dispatcher
from memory_mcp.application.request import Request, ToolCall
from memory_mcp.application.stack import make_dispatcher, make_local_dispatcher
from memory_mcp.domain.errors import (
    Code,
    EmbedderError,
    ForbiddenError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    RateLimitedError,
    SettingsError,
)
from memory_mcp.domain.principal import Principal, Reach, Scope, local_user
from memory_mcp.domain.request import REQUEST_ID
from memory_mcp.settings import Settings, load
from memory_mcp.tools.base import Call, Result, Tool
from memory_mcp.tools.health import HEALTH, HealthArguments
from memory_mcp.tools.listing import LIST
from memory_mcp.tools.search import SEARCH
from memory_mcp.tools.services import Services
from memory_mcp.tools.store import STORE
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.store import FakeStore

USER = local_user("default")
READER = Principal("r", "reader", frozenset({Scope.READ}), Reach("default"))
WRITER = Principal("w", "writer", frozenset({Scope.WRITE}), Reach("default"))


class Meter:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.lookups: list[bool] = []

    def called(self, tool: str, outcome: str, seconds: float) -> None:
        """Remember a call."""
        assert seconds >= 0
        self.calls.append((tool, outcome))

    def looked_up(self, hit: bool) -> None:  # noqa: FBT001 - a callback of one argument
        """Remember a lookup."""
        self.lookups.append(hit)


@pytest.fixture
def embedder() -> FakeEmbedder:
    """Make an embedder."""
    return FakeEmbedder()


@pytest.fixture
def services(embedder: FakeEmbedder, tmp_path: Path) -> Services:
    """Join the parts to fakes of what lies outside."""
    return make_services(load(sqlite_path=tmp_path / "memory.db"), FakeStore(), embedder)


@pytest.fixture
def meter() -> Meter:
    """Make a meter."""
    return Meter()


Make = Callable[..., Dispatcher]


@pytest.fixture
def make(services: Services, meter: Meter) -> Make:
    """Make dispatchers of servers."""

    async def get() -> Services:
        return services

    def make(settings: Settings | None = None, *, rate_limited: bool = False) -> Dispatcher:
        return make_dispatcher(settings or load(), get, rate_limited=rate_limited, meter=meter)

    return make


def tool(run: Callable[[Call, HealthArguments], Any]) -> Tool[HealthArguments, Any]:
    """Return a tool that does something of its own."""
    return replace(HEALTH, name="own", run=run)


async def test_a_tool_is_called(make: Make) -> None:
    """Its result is typed, and nothing of a protocol."""
    dispatcher = make()
    stored = await dispatcher.dispatch(ToolCall(USER, STORE, {"content": "one wine"}))
    assert (await dispatcher.dispatch(ToolCall(USER, LIST, {}))).memories[0].id == stored.id
    assert await dispatcher.present(ToolCall(USER, LIST, {}), lambda page: page.total) == 1


@pytest.mark.parametrize(
    ("principal", "call", "missing"),
    [(READER, (STORE, {"content": "x"}), "write"), (WRITER, (SEARCH, {"query": "x"}), "read")],
)
async def test_a_missing_scope_is_refused(
    make: Make, meter: Meter, principal: Principal, call: tuple[Any, dict[str, object]], missing: str
) -> None:
    """Before the tool runs; the metrics hear of it."""
    with pytest.raises(ForbiddenError, match=missing):
        await make().dispatch(ToolCall(principal, *call))
    assert meter.calls == [(call[0].name, "forbidden")]


async def test_what_is_no_tool_passes_the_same(make: Make) -> None:
    """A request names the scopes that it needs."""

    async def work() -> str:
        return "done"

    dispatcher = make()
    assert await dispatcher.run(Request(READER, "page", work, (Scope.READ,))) == "done"
    with pytest.raises(ForbiddenError, match="admin"):
        await dispatcher.run(Request(READER, "page", work, (Scope.ADMIN,)))


async def test_a_minute_has_so_many_requests(make: Make) -> None:
    """Of each kind, for each principal; what does not reach the store is not counted."""

    async def work() -> None: ...

    dispatcher = make(load(rate_limit_read=2), rate_limited=True)
    for _ in range(2):
        await dispatcher.run(Request(USER, "resource", work, kind="read"))
    for _ in range(3):
        await dispatcher.run(Request(USER, "list", work))
    with pytest.raises(RateLimitedError) as caught:
        await dispatcher.dispatch(ToolCall(USER, SEARCH, {"query": "wine"}))
    assert 1 <= caught.value.retry_after_s <= 60
    await dispatcher.dispatch(ToolCall(READER, SEARCH, {"query": "wine"}))
    await dispatcher.dispatch(ToolCall(USER, STORE, {"content": "one wine"}))


@pytest.mark.parametrize(
    ("chosen", "default", "limited"), [(None, False, False), (True, False, True), (False, True, False)]
)
async def test_the_settings_decide_on_limits(make: Make, chosen: bool | None, default: bool, limited: bool) -> None:  # noqa: FBT001 - parameters of a test
    """What the transport wants holds where they leave it open."""
    dispatcher = make(load(rate_limit_enabled=chosen, rate_limit_read=1), rate_limited=default)
    await dispatcher.dispatch(ToolCall(USER, LIST, {}))
    if limited:
        with pytest.raises(RateLimitedError):
            await dispatcher.dispatch(ToolCall(USER, LIST, {}))
    else:
        await dispatcher.dispatch(ToolCall(USER, LIST, {}))


async def test_the_same_question_has_the_same_answer(make: Make, meter: Meter, embedder: FakeEmbedder) -> None:
    """Until something is written; another caller, and one who wants it whole, ask for themselves."""
    dispatcher = make()
    question = ToolCall(USER, SEARCH, {"query": "wine"})
    await dispatcher.dispatch(ToolCall(USER, STORE, {"content": "one wine"}))
    first = await dispatcher.dispatch(question)
    assert await dispatcher.dispatch(question) is first
    assert await dispatcher.dispatch(ToolCall(USER, SEARCH, {"q": "wine", "k": 10})) is first
    for other in (replace(question, principal=READER), replace(question, is_bounded=False)):
        assert await dispatcher.dispatch(other) is not first
    await dispatcher.dispatch(ToolCall(USER, STORE, {"content": "two wines"}))
    assert len((await dispatcher.dispatch(question)).results) == 2
    assert meter.lookups == [False, True, True, False, False, False]


async def test_a_view_of_a_kept_answer_is_made_of_the_same_rendering(make: Make) -> None:
    """A hit costs no rendering, whatever the protocol makes of it."""
    dispatcher, question = make(), ToolCall(USER, LIST, {})
    one = await dispatcher.present(question, lambda page: page.rendered)
    assert await dispatcher.present(question, lambda page: page.rendered) is one


async def test_a_degraded_answer_is_not_kept(make: Make, meter: Meter, embedder: FakeEmbedder) -> None:
    """The embedder may be back a moment later."""
    dispatcher, question = make(), ToolCall(USER, SEARCH, {"query": "wine"})
    await dispatcher.dispatch(ToolCall(USER, STORE, {"content": "one wine"}))
    embedder.failure = EmbedderError("asleep")
    assert not (await dispatcher.dispatch(question)).is_whole
    embedder.failure = None
    assert (await dispatcher.dispatch(question)).is_whole
    assert meter.lookups == [False, False]


async def test_every_failure_names_its_request(make: Make, meter: Meter) -> None:
    """The id that the logs of front and daemon have; each request has its own."""
    ids: list[str] = []

    async def run(call: Call, arguments: HealthArguments) -> Result:
        del call, arguments
        ids.append(REQUEST_ID.get())
        raise NotFoundError("no memory is there; look elsewhere")

    dispatcher = make()
    for _ in range(2):
        with pytest.raises(NotFoundError) as caught:
            await dispatcher.dispatch(ToolCall(USER, tool(run), {}))
        assert caught.value.request_id == ids[-1]
    assert len({*ids, ""}) == 3
    assert REQUEST_ID.get() == ""
    assert meter.calls == [("own", "not_found")] * 2


async def test_a_bug_is_told_by_its_request_alone(make: Make, meter: Meter) -> None:
    """In the tool, in the view of its result, or in what is no tool."""

    async def run(call: Call, arguments: HealthArguments) -> Result:
        raise RuntimeError("secret")

    async def work() -> None:
        raise RuntimeError("secret")

    def view(result: Result) -> None:
        raise RuntimeError("secret")

    dispatcher = make()
    for failing in (
        dispatcher.dispatch(ToolCall(USER, tool(run), {})),
        dispatcher.present(ToolCall(USER, LIST, {}), view),
        dispatcher.run(Request(USER, "page", work)),
    ):
        with pytest.raises(InternalError) as caught:
            await failing
        assert caught.value.request_id in str(caught.value)
        assert "secret" not in str(caught.value)
    assert meter.calls == [("own", Code.INTERNAL), ("memory_list", Code.INTERNAL)]


async def test_a_cancelled_call_ends_its_tool(make: Make, meter: Meter) -> None:
    """Who does not wait for the answer any more stops the work."""
    begun, ended = asyncio.Event(), asyncio.Event()

    async def run(call: Call, arguments: HealthArguments) -> Result:
        del call, arguments
        begun.set()
        try:
            return await asyncio.Future()
        finally:
            ended.set()

    waiting = asyncio.create_task(make().dispatch(ToolCall(USER, tool(run), {})))
    await begun.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with asyncio.timeout(60):
        await ended.wait()
    assert meter.calls == [("own", "cancelled")]


async def test_progress_reaches_who_asked(make: Make) -> None:
    """As it was given."""
    heard: list[tuple[int, int]] = []

    async def progress(done: int, total: int) -> None:
        heard.append((done, total))

    async def run(call: Call, arguments: HealthArguments) -> Result:
        await call.progress(1, 2)
        return await HEALTH.run(call, arguments)

    await make().dispatch(ToolCall(USER, tool(run), {}, progress))
    assert heard == [(1, 2)]


async def test_health_answers_without_services(meter: Meter) -> None:
    """Where the settings do not fit, it says so; other tools fail."""

    async def get() -> Services:
        raise SettingsError("MCP_MEMORY_X: is wrong; unset it")

    dispatcher = make_dispatcher(load(), get, rate_limited=False, meter=meter)
    assert (await dispatcher.dispatch(ToolCall(USER, HEALTH, {}))).status == "failed"
    with pytest.raises(SettingsError):
        await dispatcher.dispatch(ToolCall(USER, STORE, {"content": "x"}))


async def test_a_command_meets_the_same_rules(services: Services) -> None:
    """Wrong arguments and missing scopes; what nobody expected is left to the command line."""
    dispatcher = make_local_dispatcher(services)

    async def run(call: Call, arguments: HealthArguments) -> Result:
        raise RuntimeError("as it was raised")

    assert (await dispatcher.dispatch(ToolCall(USER, STORE, {"content": "one wine"}))).created
    with pytest.raises(InvalidArgumentError, match="limit"):
        await dispatcher.dispatch(ToolCall(USER, SEARCH, {"query": "x", "limit": 0}))
    with pytest.raises(ForbiddenError):
        await dispatcher.dispatch(ToolCall(READER, STORE, {"content": "x"}))
    with pytest.raises(RuntimeError, match="as it was raised"):
        await dispatcher.dispatch(ToolCall(USER, tool(run), {}))
