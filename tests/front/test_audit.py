"""The audit: what has a line, when it is on disk, and what health says where it cannot be."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from memory_mcp.app import make_services
from memory_mcp.application.request import Request, ToolCall
from memory_mcp.application.stack import make_dispatcher
from memory_mcp.domain.audit import MAX_AUDITED_IDS, AuditFilters, AuditLine
from memory_mcp.domain.errors import ForbiddenError, StoreError
from memory_mcp.domain.models import Condition
from memory_mcp.domain.principal import Principal, Reach, Scope
from memory_mcp.maintenance.audit import MOST_WAITING
from memory_mcp.settings import load
from memory_mcp.tools.delete import DELETE
from memory_mcp.tools.search import SEARCH
from memory_mcp.tools.services import Services
from memory_mcp.tools.store import STORE, STORE_MANY
from tests.fakes.audit import FakeAudit
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.store import FakeStore

ANN = Principal("u-1", "ann", frozenset({Scope.READ, Scope.WRITE}), Reach.bound_to("ann"), "https://id.example.org")
READER = Principal("u-2", "reader", frozenset({Scope.READ}), Reach.bound_to("ann"))
SECRET = "the safe opens with 1234"  # noqa: S105 - a memory


class Server:
    """A front over HTTP without HTTP."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.store = FakeStore()
        self.settings = load(sqlite_path=folder / "memory.db", **settings)
        self.services = make_services(self.settings, self.store, FakeEmbedder())
        self.dispatcher = make_dispatcher(self.settings, self._get, rate_limited=False, is_audited=True)

    async def _get(self) -> Services:
        return self.services

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write in the background; at the end everything is written."""
        task = asyncio.create_task(self.services.audit.run())
        await asyncio.sleep(0)
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    @property
    def lines(self) -> list[AuditLine]:
        """Return what is on disk."""
        return self.store.audit.kept

    async def finding(self) -> Condition:
        """Return what health says of the audit."""
        return self.services.audit.finding().condition


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """Give a server."""
    return Server(tmp_path)


async def test_a_write_is_on_disk_before_it_is_answered(server: Server) -> None:
    """With who, what and which; what was stored, and how it is tagged, stands nowhere."""
    given = {"content": SECRET, "id": "mine", "tags": ["hidden"]}
    await server.dispatcher.dispatch(ToolCall(ANN, STORE, given))
    [line] = server.lines
    assert (line.principal, line.name, line.issuer) == ("u-1", "ann", "https://id.example.org")
    assert (line.request, line.kind, line.outcome, line.ids) == ("memory_store", "write", "ok", ("mine",))
    assert line.namespace == "ann"
    assert not {"1234", "hidden"} & set(str(line).split("'"))
    assert SECRET not in str(line)


async def test_reads_and_refusals_are_written_soon(server: Server) -> None:
    """A search has the ids that it found and not its words; who may not is there too; lists of tools are not."""
    async with server.running():
        await server.dispatcher.dispatch(ToolCall(ANN, STORE, {"content": SECRET, "id": "mine"}))
        await server.dispatcher.dispatch(ToolCall(ANN, SEARCH, {"query": "safe"}))
        with pytest.raises(ForbiddenError):
            await server.dispatcher.dispatch(
                ToolCall(READER, STORE, {"content": "x", "id": "theirs", "namespace": "bob"})
            )
        await server.dispatcher.run(Request(ANN, "tools/list", _nothing))
        await server.dispatcher.run(Request(ANN, "jobs", _nothing, (Scope.READ,), "read"))
    assert [(line.name, line.request, line.outcome, line.ids) for line in server.lines] == [
        ("ann", "memory_store", "ok", ("mine",)),
        ("ann", "memory_search", "ok", ("mine",)),
        ("reader", "memory_store", "forbidden", ("theirs",)),
    ]
    assert [line.namespace for line in server.lines] == ["ann", "ann", "bob"]


async def _nothing() -> None:
    """Do nothing."""


async def test_ids_are_bounded(server: Server) -> None:
    """The number of the others is there."""
    items = [{"content": f"number {number}", "id": f"memory-{number:03}"} for number in range(150)]
    await server.dispatcher.dispatch(ToolCall(ANN, STORE_MANY, {"items": items}))
    assert (len(server.lines[0].ids), server.lines[0].more) == (MAX_AUDITED_IDS, 50)
    await server.dispatcher.dispatch(ToolCall(ANN, DELETE, {"type": "note"}))
    assert (len(server.lines[1].ids), server.lines[1].more) == (MAX_AUDITED_IDS, 50)


async def test_the_count_is_of_all_that_was_deleted(server: Server) -> None:
    """Not of those whose ids fit a model's answer."""
    for start in range(0, 1_000, 100):
        items = [{"content": f"number {number}", "id": f"{number:0128}"} for number in range(start, start + 100)]
        await server.dispatcher.dispatch(ToolCall(ANN, STORE_MANY, {"items": items}))
    deleted = await server.dispatcher.dispatch(ToolCall(ANN, DELETE, {"type": "note"}))
    assert (deleted.count, deleted.left_out > 0) == (1_000, True)
    assert (len(server.lines[-1].ids), server.lines[-1].more) == (MAX_AUDITED_IDS, 900)


class Failing(FakeAudit):
    """An audit whose store cannot be written for a while."""

    fails = True

    async def append(self, lines: Sequence[AuditLine]) -> None:
        """Keep lines, or fail."""
        if self.fails:
            raise StoreError("the disk is full; free some space")
        await super().append(lines)


async def test_a_line_that_cannot_be_written_is_not_lost_in_silence(server: Server) -> None:
    """The write is answered, health tells, and the line follows when the store is back."""
    failing = Failing()
    trail = server.services.audit
    trail._kept = failing
    async with server.running():
        stored = await server.dispatcher.dispatch(ToolCall(ANN, STORE, {"content": SECRET, "id": "mine"}))
        assert stored.created
        finding = trail.finding()
        assert (finding.condition, finding.state) == (Condition.DEGRADED, "waiting")
        assert "1 lines of the audit wait" in finding.cause
        assert "audit" in (await server.services.health.live(None, None)).parts
        failing.fails = False
    assert [line.ids for line in failing.kept] == [("mine",)]
    assert await server.finding() is Condition.OK


class Slow(FakeAudit):
    """An audit whose store takes until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()

    async def append(self, lines: Sequence[AuditLine]) -> None:
        """Keep lines once that is allowed."""
        self.begun.set()
        await self.may_end.wait()
        await super().append(lines)


async def test_a_cancelled_call_keeps_its_line(server: Server) -> None:
    """The memory was stored, whether or not anybody waits for the answer; the line is there once."""
    slow = Slow()
    trail = server.services.audit
    trail._kept = slow
    async with server.running():
        call = ToolCall(ANN, STORE, {"content": SECRET, "id": "mine"})
        calling = asyncio.create_task(server.dispatcher.dispatch(call))
        await asyncio.wait_for(slow.begun.wait(), 30)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        slow.may_end.set()
    assert [line.ids for line in slow.kept] == [("mine",)]


async def test_what_waits_is_bounded_and_counted(server: Server) -> None:
    """The oldest lines are lost for new ones; health says how many."""
    trail = server.services.audit
    line = AuditLine(trail.now(), "u", "n", "", "memory_get", "read", "ok")
    for _ in range(MOST_WAITING + 3):
        trail.note(line)
    finding = trail.finding()
    assert (finding.condition, "3 lines of the audit were lost" in finding.cause) == (Condition.FAILED, True)


async def test_the_audit_is_purged(tmp_path: Path) -> None:
    """After its days."""
    server = Server(tmp_path, audit_days=1)
    trail = server.services.audit
    await server.dispatcher.dispatch(ToolCall(ANN, STORE, {"content": "x"}))
    assert await trail.purge() == 0
    trail._clock = lambda: 2e9 + 86_401
    assert await trail.purge() == 1
    assert await trail.lines(AuditFilters(), before=None, limit=1) == []


async def test_a_process_that_writes_none_purges_none(tmp_path: Path) -> None:
    """How long a line is kept is the server's to say."""
    server = Server(tmp_path, audit_days=1)
    trail = server.services.audit
    await server.store.audit.append([AuditLine(trail.now(), "u", "n", "", "memory_get", "read", "ok")])
    trail._clock = lambda: 2e9 + 86_401 * 1_000
    assert (await trail.purge(), len(server.lines)) == (0, 1)
    trail.begin()
    assert (await trail.purge(), len(server.lines)) == (1, 0)


async def test_it_can_be_off(tmp_path: Path) -> None:
    """Old lines are listed and purged all the same; health has no part."""
    server = Server(tmp_path, audit_enabled=False, audit_days=1)
    await server.store.audit.append([AuditLine(server.services.audit.now(), "u", "n", "", "x", "read", "ok")])
    await server.dispatcher.dispatch(ToolCall(ANN, STORE, {"content": "x"}))
    assert len(await server.services.audit.lines(AuditFilters(), before=None, limit=10)) == 1
    server.services.audit._clock = lambda: 2e9 + 86_401 * 1_000
    assert await server.services.audit.purge() == 1
    assert "audit" not in (await server.services.health.live(None, None)).parts


async def test_health_tells_where_none_can_be_written(tmp_path: Path) -> None:
    """A server that only reads writes none of its reads."""
    server = Server(tmp_path, read_only=True)
    await server.dispatcher.dispatch(ToolCall(ANN, SEARCH, {"query": "safe"}))
    assert (server.lines, await server.finding()) == ([], Condition.DEGRADED)
    assert "audit" in (await server.services.health.live(None, None)).parts
