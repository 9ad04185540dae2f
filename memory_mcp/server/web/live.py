"""What is written meanwhile, by any process: a stream of the change log within the caller's reach."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

from starlette.requests import Request as HttpRequest
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from memory_mcp.application.request import Request
from memory_mcp.domain.errors import RateLimitedError
from memory_mcp.domain.models import Event, MissedChanges
from memory_mcp.domain.principal import Reach, Scope
from memory_mcp.server.web.answering import VIEW_PATH, guarded
from memory_mcp.server.web.parts import Parts
from memory_mcp.server.web.session import PageSession

EVERY_S: Final = 15.0
"""Seconds of silence after which a line says that the stream goes on."""
MOST_IDS: Final = 200
"""Of one event; a view that is told more reads anew."""
MOST_STREAMS: Final = 40
"""Of one principal: some in each of its sessions."""
MOST_WAITING: Final = 1_000
"""Writes that wait for a slow browser; then it is told that it has missed some."""

LiveWrites = Sequence[Event] | MissedChanges
Waiting = asyncio.Queue[LiveWrites | None]
"""None is the end."""


class Live:
    """The stream of one front's page; each browser has one for all its tabs' views."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._open: Counter[str] = Counter()
        """The streams of each principal."""

    def route(self) -> Route:
        return Route(f"{VIEW_PATH}/live", guarded(self._parts, self._answer, changes=False), methods=["GET"])

    async def _answer(self, request: HttpRequest, session: PageSession) -> Response:
        del request

        async def allowed() -> None:
            """Only the middleware is asked."""

        if self._open[session.principal.id] >= MOST_STREAMS:
            raise RateLimitedError("the page is open too many times; close some tabs", EVERY_S)
        await self._parts.given.dispatcher.run(Request(session.principal, "live", allowed, (Scope.READ,), "read"))
        return StreamingResponse(self._lines(session), media_type="application/x-ndjson")

    async def _lines(self, session: PageSession) -> AsyncIterator[bytes]:
        """Yield a line for each write, for as long as the session is valid and the front runs."""
        waiting: Waiting = asyncio.Queue(MOST_WAITING)
        services = await self._parts.given.services()
        with self._counted(session), self._parts.given.activity.streaming(partial(_put, waiting, None)):
            async with services.watching.listening(partial(_put, waiting)):
                yield _line({"kind": "hello"})
                while (lines := await _next(waiting, session.principal.reach)) is not None:
                    for line in lines:
                        yield line

    @contextmanager
    def _counted(self, session: PageSession) -> Iterator[None]:
        self._open[session.principal.id] += 1
        try:
            yield
        finally:
            self._open[session.principal.id] -= 1


def _put(waiting: Waiting, written: LiveWrites | None) -> None:
    """Let what is written wait; a browser that does not read is told that it has missed some."""
    if waiting.full():
        waiting.get_nowait()
        written = None if written is None else MissedChanges(0)
    waiting.put_nowait(written)


async def _next(waiting: Waiting, reach: Reach) -> list[bytes] | None:
    """Wait for writes, but no longer than `EVERY_S`; return None at the end."""
    try:
        async with asyncio.timeout(EVERY_S):
            written = await waiting.get()
    except TimeoutError:
        return [_line({"kind": "ping"})]
    if written is None:
        return None
    if isinstance(written, MissedChanges):
        return [_line({"kind": "missed"})]
    return [_line(_fields(event)) for event in written if reach.includes(event.namespace)]


def _fields(event: Event) -> dict[str, object]:
    return {
        "kind": event.kind,
        "namespace": event.namespace,
        "ids": event.memory_ids[:MOST_IDS],
        "count": len(event.memory_ids),
        "tags": event.tags,
        "at": event.at.isoformat(),
    }


def _line(fields: dict[str, object]) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
