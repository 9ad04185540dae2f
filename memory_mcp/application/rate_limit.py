"""Rate limits: reads, writes and bulk writes of each principal in any minute."""

from __future__ import annotations

from memory_mcp.application.dispatcher import GetServices
from memory_mcp.application.request import Handler, Request, RequestKind, T
from memory_mcp.domain.errors import RateLimitedError, SettingsError
from memory_mcp.settings import Settings


class RateLimit:
    """Counts each principal's requests, with the other fronts where they share a server."""

    def __init__(self, proceed: Handler, settings: Settings, services: GetServices) -> None:
        self._proceed = proceed
        self._services = services
        self._per_minute: dict[RequestKind, int] = {
            "read": settings.rate_limit_read,
            "write": settings.rate_limit_write,
            "bulk": settings.rate_limit_bulk,
        }

    async def __call__(self, request: Request[T]) -> T:
        """Answer a request unless its principal has used up the minute.

        Raises:
            RateLimitedError: says when to try again.
        """
        if request.kind is not None:
            await self._count(request.kind, request.principal.id)
        return await self._proceed(request)

    async def _count(self, kind: RequestKind, principal: str) -> None:
        try:
            services = await self._services()
        except SettingsError:
            return  # nothing can be asked of the store, and who asks is told why
        allowed = self._per_minute[kind]
        if wait_s := await services.shared.rates.hit(principal, kind, allowed):
            raise RateLimitedError(f"the limit is {allowed} {kind} requests a minute", wait_s)
