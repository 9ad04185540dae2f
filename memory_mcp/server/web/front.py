"""The page beside a front that serves HTTP: made when it is first asked for, and found by `memory-mcp open`."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from memory_mcp.context.project import reach_of
from memory_mcp.environment import own_folder
from memory_mcp.server.http.app import Front
from memory_mcp.server.http.guard import CheckNames
from memory_mcp.server.web.headers import SafeHeaders
from memory_mcp.server.web.session import Activity, Codes, Monotonic
from memory_mcp.server.web.whereabouts import Register, Whereabouts, link
from memory_mcp.settings import SQLITE, Settings

IDLE_S: Final = 15 * 60.0
"""Seconds without a page after which a front ends that `open` has started."""
LOOKING_S: Final = 1.0

Announce = Callable[[str], None]
"""Is given a link to sign in with, once the front listens; called in a thread, so it may take its time."""


def register_of_user() -> Register:
    """Return where the fronts of this user say where they are."""
    return Register(own_folder("state") / "page")


def store_of(settings: Settings) -> str:
    """Return what tells the stores of this user apart."""
    file = settings.sqlite_path.resolve()
    place = file if settings.storage_backend == SQLITE else (settings.postgres_url, file)
    return f"{settings.storage_backend}:{hashlib.sha256(str(place).encode()).hexdigest()}"  # an address has a password


class PageFront:
    """The page of one front; see `server.http.app.ServePage`."""

    def __init__(
        self,
        *,
        announce: Announce | None = None,
        ends_when_idle: bool = False,
        clock: Monotonic = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Make it.

        Args:
            announce: opens the page, if somebody waits for it.
            ends_when_idle: whether the front ends after `IDLE_S` without a page.
            clock: seconds that only grow.
            sleep: waits on the same clock.
        """
        self._announce = announce
        self._ends_when_idle = ends_when_idle
        self._clock = clock
        self._sleep = sleep
        self.activity = Activity(clock)
        self._codes = Codes(clock)
        self._register = register_of_user()

    def app(self, front: Front, check: CheckNames) -> ASGIApp:
        """Return the page, whose parts are imported with its first request that passes the check."""
        made: list[ASGIApp] = []

        async def page(scope: Scope, receive: Receive, send: Send) -> None:
            if refusal := await check(Request(scope)):
                await SafeHeaders(refusal)(scope, receive, send)
                return
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
                url=front.url,
                port=front.port,
                register=self._register,
                activity=self.activity,
                codes=self._codes,
                clock=self._clock,
            )
        )

    @contextlib.asynccontextmanager
    async def running(self, front: Front, end: Callable[[], None]) -> AsyncIterator[None]:
        """Stand in the register while the front runs, where this machine's browsers can reach it."""
        self.activity.touch()
        async with contextlib.AsyncExitStack() as stack:
            if front.binding.is_local:
                stack.enter_context(
                    self._register.registered(Whereabouts(front.url, os.getpid(), store_of(front.settings)))
                )
            if self._announce:
                # A browser may be slow to come back, and a text browser comes back only when its user is done.
                address = link(front.url, self._codes.make())
                threading.Thread(target=self._announce, args=(address,), daemon=True, name="open").start()
            if self._ends_when_idle:
                stack.callback(asyncio.create_task(self._watch(end)).cancel)
            yield

    def ending(self) -> None:
        """Let open streams end: the front does."""
        self.activity.end()

    async def _watch(self, end: Callable[[], None]) -> None:
        """Let the front end when nobody has looked at a page for long."""
        while self.activity.idle_s() < IDLE_S:
            await self._sleep(LOOKING_S)
        end()
