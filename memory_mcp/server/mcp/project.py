"""Says who calls over stdio; the namespace `auto` is the project of the folder that is open in the client."""

from __future__ import annotations

import asyncio
from typing import Final

import mcp_types as types
from mcp.server.session import ServerSession

from memory_mcp.context.project import Project, here
from memory_mcp.domain.principal import AUTO, Principal, local_user
from memory_mcp.server.mcp.adapter import READING, Context
from memory_mcp.server.mcp.roots import roots_in_time

ROOTS_S: Final = 1.0
"""Seconds that a first call waits for the client's roots. They are asked for when it lists the tools."""
LATE: Final = "the client did not say in time which folders are open in it"
FIX: Final = "restart the client, or set MCP_MEMORY_NAMESPACE to a name"


class LocalCallers:
    """Names the local user as the caller of each request of one session."""

    def __init__(self, namespace: str, *, is_source: bool = False) -> None:
        self._user = None if namespace == AUTO else local_user(namespace, is_source=is_source)
        self._is_source = is_source
        self._finding: asyncio.Task[Principal] | None = None
        self._waits = True
        """Whether calls still wait for the roots; after one has waited in vain, none does."""

    async def __call__(self, ctx: Context) -> Principal:
        """Return the caller; only a request that reaches the store waits for the client, and for a bounded time."""
        if self._user is not None:
            return self._user
        finding = self._begin(ctx.session)
        if not (finding.done() or self._is_waiting(ctx.method)):
            return await self._guess()
        await asyncio.wait({finding}, timeout=ROOTS_S)
        if finding is self._finding:  # else the roots have changed meanwhile, and their finding has not been waited for
            self._waits = finding.done()
        return finding.result() if finding.done() else await self._guess()

    async def _guess(self) -> Principal:
        return self._caller(await asyncio.to_thread(here), LATE)

    def _is_waiting(self, method: str) -> bool:
        return self._waits and (method == "tools/call" or method in READING)

    async def changed(self, ctx: Context, params: types.NotificationParams) -> None:
        """Ask again: the user has opened other folders in the client."""
        del params
        self._finding, self._waits = None, True
        if self._user is None:
            self._begin(ctx.session)

    def _begin(self, session: ServerSession) -> asyncio.Task[Principal]:
        if self._finding is None:
            self._finding = asyncio.create_task(self._find(session))
        return self._finding

    async def _find(self, session: ServerSession) -> Principal:
        """Return the caller with the project of the client's first root, else of the working directory."""
        roots = await roots_in_time(session)
        project = await asyncio.to_thread(here, roots or ())
        return self._caller(project, LATE if roots is None else "")

    def _caller(self, project: Project, doubt: str) -> Principal:
        finding = project.finding(doubt, FIX if doubt else "")
        reach = project.guessed() if doubt else project.reach
        return local_user(reach, finding, is_source=self._is_source)
