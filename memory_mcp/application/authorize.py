"""Refuses what a principal may not do."""

from __future__ import annotations

from memory_mcp.application.request import Handler, Request, T


class Authorize:
    """Passes on requests whose principal has every required scope; raises ForbiddenError for the others."""

    def __init__(self, proceed: Handler) -> None:
        self._proceed = proceed

    async def __call__(self, request: Request[T]) -> T:
        for scope in request.scopes:
            request.principal.require(scope)
        return await self._proceed(request)
