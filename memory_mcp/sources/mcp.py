"""The kind `mcp`: another MCP server's tool, or its resources, over stdio or HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Annotated, Final, Self, TypeVar
from urllib.parse import urlsplit

import httpx2
from mcp import Client
from mcp.client import Transport
from mcp.client.session import IncomingMessage
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, Implementation, Resource
from pydantic import AfterValidator, Field, model_validator

from memory_mcp.domain.sources import SourceAnswer, SourceError, SourceItem, SourceQuery
from memory_mcp.environment import HOP_HEADER, HOP_VARIABLE
from memory_mcp.health.checkup import in_thread
from memory_mcp.sources import picking
from memory_mcp.sources.adapter import FaultError, Toolbox
from memory_mcp.sources.bounded_http import BoundedTransport
from memory_mcp.sources.http import valid_url
from memory_mcp.sources.matching import best
from memory_mcp.sources.mcp_stdio import stdio
from memory_mcp.sources.picking import Paths
from memory_mcp.sources.secrets import masked
from memory_mcp.sources.sections import SourceSection, read
from memory_mcp.sources.web import MARK, certificates

T = TypeVar("T")

IDLE_S: Final = 300.0
START_S: Final = 60.0
"""How long a server may take to start, which goes on where a question gives up."""
CLOSE_S: Final = 5.0
"""How long a connection may take to close; longer than a server on stdio may take to end."""
_PATIENCE: Final = 0.8
"""The part of `timeout_ms` after which a server that answered nothing counts as hanging."""
MAX_LISTED: Final = 1_000
"""Resources that are looked at by name."""
MAX_READ: Final = 20
"""Resources that are read for one question."""
_RUNS: Final = "check that it runs, and its section"


class McpSection(SourceSection):
    """Keys of `[sources.NAME]` with `kind = "mcp"`."""

    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = {}
    """All of its environment."""
    cwd: str | None = None
    url: Annotated[str, AfterValidator(lambda url: valid_url(url) if url else url)] = ""
    headers: Mapping[str, str] = {}
    tool: str = ""
    """The tool that is asked; without one, resources are read."""
    arguments: Mapping[str, object] = Field(default_factory=lambda: {"query": "{query}"})
    resources: str = ""
    """The beginning of the resources' URIs; empty for all."""
    repeatable: bool = False
    """Whether the tool changes nothing, so that it may be asked again after a failure."""
    items: str = ""
    text: str = "$.text"
    title: str = "$.title"
    uri: str = "$.uri"
    time: str = ""
    score: str = ""

    @model_validator(mode="after")
    def _one_server(self) -> Self:
        if bool(self.command) == bool(self.url):
            raise ValueError("give command for a server on stdio, or url for one over HTTP")
        return self


class McpSource:
    """See `adapter.SourceAdapter`. The server is started, or connected, by the first question and let go when idle."""

    note = ""

    def __init__(self, name: str, section: McpSection, tools: Toolbox, *, idle_s: float = IDLE_S) -> None:
        self._section = section
        self._fill = tools.fill
        self._idle_s = idle_s
        self._paths = Paths.of(name, section.model_copy(update={"items": section.items or "$"}))
        self._session: _McpSession | None = None
        self._sessions: set[_McpSession] = set()
        """All that have not ended yet."""
        self._changes = 0
        if section.url:
            certificates()  # read now, in a thread

    @property
    def target(self) -> str:
        """See the port."""
        if self._section.command:
            return self._section.command
        parts = urlsplit(self._section.url)
        return masked(f"{parts.scheme}://{parts.netloc}{parts.path}")

    @property
    def is_repeatable(self) -> bool:
        """See the port."""
        return not self._section.tool or self._section.repeatable

    def version(self) -> Hashable:
        """See the port: it grows with each change that the server reports."""
        return self._changes

    async def ask(self, query: SourceQuery) -> SourceAnswer:
        """See the port."""
        try:
            return await self._opened().use(lambda client: self._answer(client, query))
        except MCPError as error:
            raise FaultError(
                f"{self.target} answers with the error {error.error.code}",
                "check the tool and arguments in its section",
            ) from error

    async def close(self) -> None:
        """See the port."""
        await asyncio.gather(*(session.close() for session in self._sessions))
        self._session = None

    def _opened(self) -> _McpSession:
        if self._session is None or self._session.is_over:
            patience_s = _PATIENCE * self._section.timeout_ms / 1_000
            self._session = _McpSession(self._connected, self._idle_s, patience_s, self._sessions.discard)
            self._sessions.add(self._session)
        return self._session

    async def _answer(self, client: Client, query: SourceQuery) -> SourceAnswer:
        if not self._section.tool:
            return await self._from_resources(client, query)
        arguments = await in_thread(lambda: picking.filled(self._section.arguments, query, self._fill))
        result = await client.call_tool(self._section.tool, arguments if isinstance(arguments, dict) else {})
        if result.is_error:
            raise FaultError(
                f"its tool {self._section.tool} reports an error", "check the tool and arguments in its section"
            )
        return self._of_result(result, query.limit)

    def _of_result(self, result: CallToolResult, limit: int) -> SourceAnswer:
        if self._section.items:
            return picking.answer(_data(result), self._paths, limit)
        items = [item for block in result.content if (item := _of_block(block)) is not None]
        return SourceAnswer(tuple(items[:limit]), max(0, len(items) - limit))

    async def _from_resources(self, client: Client, query: SourceQuery) -> SourceAnswer:
        listed = await _listed(client, self._section.resources)
        named = best(query.text, listed, _about, MAX_READ, keeps_others=True)
        items = [item for resource in named for item in await _read(client, resource)]
        found = best(query.text, items, lambda item: f"{item.title}\n{item.text}", query.limit)
        return SourceAnswer(tuple(found), max(0, len(items) - len(found)) if not query.text else 0)

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[Client]:
        """Yield a client for as long as the context lasts; its server knows that we ask as a source."""
        section = self._section
        async with contextlib.AsyncExitStack() as stack:
            if section.command:
                command, environment = await in_thread(self._program)
                transport: Transport = stdio(command, environment, section.cwd, section.max_bytes)
            else:
                url, headers = await in_thread(self._address)
                http = await stack.enter_async_context(self._http_client(headers))
                transport = streamable_http_client(url, http_client=http, max_sse_event_size=section.max_bytes)
            client = Client(
                transport,
                client_info=Implementation(name="memory-mcp", version=MARK),
                message_handler=self._hear,
                cache=None,
            )
            yield await stack.enter_async_context(client)

    def _program(self) -> tuple[Sequence[str], Mapping[str, str]]:
        """Return the command and the environment, with their secrets."""
        environment = {name: self._fill(value) for name, value in self._section.env.items()}
        command = [self._section.command, *(self._fill(each) for each in self._section.args)]
        return command, environment | {HOP_VARIABLE: MARK}

    def _address(self) -> tuple[str, Mapping[str, str]]:
        """Return the URL and the headers, with their secrets."""
        headers = {name: self._fill(value) for name, value in self._section.headers.items()}
        return self._fill(self._section.url), headers | {HOP_HEADER: MARK}

    def _http_client(self, headers: Mapping[str, str]) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            headers={"accept-encoding": "identity", **headers},
            trust_env=False,
            timeout=None,
            transport=BoundedTransport(self._section.max_bytes),
        )

    async def _hear(self, message: IncomingMessage) -> None:
        """Count what may have changed the answers."""
        method = getattr(getattr(message, "root", message), "method", "")
        if isinstance(method, str) and (method.endswith("list_changed") or method == "notifications/resources/updated"):
            self._changes += 1


class _McpSession:
    """A connection in a task of its own, which ends when it has been idle: the SDK's scopes belong to one task."""

    def __init__(
        self,
        connect: Callable[[], contextlib.AbstractAsyncContextManager[Client]],
        idle_s: float,
        patience_s: float,
        when_ended: Callable[[_McpSession], None],
    ) -> None:
        self._connect = connect
        self._idle_s = idle_s
        self._patience_s = patience_s
        self._client: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._end = asyncio.Event()
        self._using = 0
        self._idle: asyncio.TimerHandle | None = None
        self._silent_s = 0.0
        """How long questions have waited since the last answer, while no time passed twice."""
        self._counted_at = 0.0
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(lambda _: when_ended(self))

    @property
    def is_over(self) -> bool:
        """Whether it ended, or is about to."""
        return self._task.done() or self._end.is_set()

    async def use(self, work: Callable[[Client], Awaitable[T]]) -> T:
        """Do some work with the client.

        Raises:
            SourceError: there is no connection, or it broke.
        """
        self._begin()
        working = asyncio.ensure_future(self._worked(work))
        try:
            await asyncio.wait({working, self._task}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                self._raise_why()
            self._silent_s, self._counted_at = 0.0, time.monotonic()
            return await working
        except asyncio.CancelledError:
            self._give_up()
            raise
        finally:
            working.cancel()
            self._using -= 1
            if not self._using and not self.is_over:
                self._idle = asyncio.get_running_loop().call_later(self._idle_s, self.end)

    def end(self) -> None:
        """Let the connection end, and the server with it; one that is being made is given up."""
        self._end.set()
        if self._idle is not None:
            self._idle.cancel()
        if not self._client.done():
            self._task.cancel()

    async def close(self) -> None:
        """End the connection, and the server with it."""
        self.end()
        await asyncio.wait({self._task})
        if not self._task.cancelled():
            self._task.exception()  # seen

    def _begin(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        if not self._using:
            self._counted_at = time.monotonic()
        self._using += 1

    def _give_up(self) -> None:
        """Note that a question was given up; a server that stays silent is let go, so that the next one is another."""
        if self._client.done():
            now = time.monotonic()
            self._silent_s, self._counted_at = self._silent_s + now - self._counted_at, now
            if self._silent_s >= self._patience_s:
                self.end()

    async def _worked(self, work: Callable[[Client], Awaitable[T]]) -> T:
        return await work(await asyncio.shield(self._client))

    def _raise_why(self) -> None:
        error = None if self._task.cancelled() else self._task.exception()
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, SourceError):
            raise error
        how = f" ({type(error).__name__})" if error else ""
        raise FaultError(f"the connection to its server ended{how}", _RUNS, is_passing=True) from error

    async def _run(self) -> None:
        async with asyncio.timeout(START_S) as bound, self._connect() as client:
            bound.reschedule(None)
            self._client.set_result(client)
            self._counted_at = time.monotonic()
            await self._end.wait()
            bound.reschedule(asyncio.get_running_loop().time() + CLOSE_S)


def _data(result: CallToolResult) -> object:
    """Return a result's data: its structured content, else the JSON in its first text."""
    if result.structured_content is not None:
        return result.structured_content
    text = next((str(getattr(block, "text", "")) for block in result.content if block.type == "text"), "")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FaultError("its tool answers no JSON, but its section names `items`", "leave `items` out") from error


def _of_block(block: object) -> SourceItem | None:
    """Return a block of content as an item, if it has text."""
    resource = getattr(block, "resource", block)
    text, uri = getattr(resource, "text", None), getattr(resource, "uri", "")
    if isinstance(text, str):
        return SourceItem(text, uri=str(uri or ""))
    description = getattr(block, "description", None)
    if isinstance(description, str) and uri:  # a link to a resource is not followed
        return SourceItem(description, str(getattr(block, "title", None) or getattr(block, "name", "")), str(uri))
    return None


async def _listed(client: Client, beginning: str) -> list[Resource]:
    found: list[Resource] = []
    cursor: str | None = None
    while len(found) < MAX_LISTED:
        page = await client.list_resources(cursor=cursor)
        found += [each for each in page.resources if str(each.uri).startswith(beginning)]
        cursor = page.next_cursor
        if cursor is None:
            break
    return found[:MAX_LISTED]


async def _read(client: Client, resource: Resource) -> list[SourceItem]:
    content = await client.read_resource(str(resource.uri))
    title = resource.title or resource.name
    texts = (getattr(each, "text", None) for each in content.contents)
    return [SourceItem(text, title, str(resource.uri)) for text in texts if isinstance(text, str)]


def _about(resource: Resource) -> str:
    return " ".join([resource.name, resource.title or "", resource.description or "", str(resource.uri)])


def create(name: str, given: Mapping[str, object], tools: Toolbox) -> McpSource:
    """Return the source of a section."""
    return McpSource(name, read(McpSection, name, given), tools)
