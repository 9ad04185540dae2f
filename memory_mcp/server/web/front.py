"""The page beside a front that serves HTTP: made when it is first asked for, and found by `memory-mcp open`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from memory_mcp.context.project import reach_of
from memory_mcp.environment import own_folder
from memory_mcp.server.http.app import Front
from memory_mcp.server.web.session import Activity, Monotonic
from memory_mcp.server.web.whereabouts import Register, Whereabouts
from memory_mcp.settings import Settings

IDLE_S: Final = 15 * 60.0
"""Seconds without a page after which a front ends that `open` has started."""
LOOKING_S: Final = 1.0

Announce = Callable[[Front], None]
"""Is told of a front that has begun to serve."""


def register_of_user() -> Register:
    """Return where the fronts of this user say where they are."""
    return Register(own_folder("state") / "page")


def store_of(settings: Settings) -> str:
    """Return what tells the stores of this user apart."""
    return f"{settings.storage_backend}:{settings.sqlite_path}"


class PageFront:
    """The page of one front; see `server.http.app.ServePage`."""

    def __init__(
        self,
        *,
        announce: Announce = lambda _: None,
        ends_when_idle: bool = False,
        clock: Monotonic = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Args: whom to tell that it serves, and whether it ends after `IDLE_S` without a page."""
        self._announce = announce
        self._ends_when_idle = ends_when_idle
        self._clock = clock
        self._sleep = sleep
        self._activity = Activity(clock)
        self._register = register_of_user()

    def app(self, front: Front) -> ASGIApp:
        """Return the page, whose parts are imported with its first request."""
        made: list[ASGIApp] = []

        async def page(scope: Scope, receive: Receive, send: Send) -> None:
            if not made:
                made.append(self._make(front))
            await made[0](scope, receive, send)

        return page

    def _make(self, front: Front) -> ASGIApp:
        from memory_mcp.server.web.app import make_page  # noqa: PLC0415 - with the first page
        from memory_mcp.server.web.parts import Given  # noqa: PLC0415 - likewise

        return make_page(
            Given(
                settings=front.settings,
                dispatcher=front.dispatcher,
                services=front.services,
                tokens=front.tokens,
                default=reach_of(front.settings.namespace),
                port=front.port,
                is_secure=front.binding.cert is not None,
                register=self._register,
                activity=self._activity,
                clock=self._clock,
            )
        )

    @contextlib.asynccontextmanager
    async def running(self, front: Front, end: Callable[[], None]) -> AsyncIterator[None]:
        """Stand in the register while the front runs."""
        self._activity.touch()
        with self._register.registered(Whereabouts(front.url, os.getpid(), store_of(front.settings))):
            self._announce(front)
            watching = asyncio.create_task(self._watch(end)) if self._ends_when_idle else None
            try:
                yield
            finally:
                if watching is not None:
                    watching.cancel()

    async def _watch(self, end: Callable[[], None]) -> None:
        """Let the front end when nobody has looked at a page for long."""
        while self._activity.idle_s() < IDLE_S:
            await self._sleep(LOOKING_S)
        end()
