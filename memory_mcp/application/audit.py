"""Writes down who did what; never what was said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memory_mcp.application.dispatcher import GetServices
from memory_mcp.application.observe import OK, outcome_of
from memory_mcp.application.request import Handler, Request, T
from memory_mcp.domain.audit import MAX_AUDITED_IDS, AuditLine
from memory_mcp.domain.errors import SettingsError
from memory_mcp.domain.models import MAX_NAMESPACE
from memory_mcp.domain.names import nfc

if TYPE_CHECKING:
    from memory_mcp.maintenance.audit import AuditTrail

WRITES: Final = frozenset({"write", "bulk"})


class Audit:
    """Notes each request that reads, changes or may not; the line of a write is on disk before its answer is sent."""

    def __init__(self, proceed: Handler, services: GetServices) -> None:
        self._proceed = proceed
        self._services = services

    async def __call__(self, request: Request[T]) -> T:
        trail = await self._trail() if request.scopes else None
        if trail is None:
            return await self._proceed(request)
        try:
            answer = await self._proceed(request)
        except BaseException as error:
            trail.note(_line(request, outcome_of(error), trail))
            raise
        if not request.is_audited:
            return answer
        line = _line(request, OK, trail)
        if request.kind in WRITES:
            await trail.write(line)
        else:
            trail.note(line)
        return answer

    async def _trail(self) -> AuditTrail | None:
        try:
            trail = (await self._services()).audit
        except SettingsError:
            return None  # nothing can be asked of the store, and who asks is told why
        trail.begin()
        return trail if trail.is_written else None


def _line(request: Request[T], outcome: str, trail: AuditTrail) -> AuditLine:
    who, ids = request.principal, tuple(dict.fromkeys(request.concerns))
    return AuditLine(
        trail.now(),
        who.id,
        who.name,
        who.issuer,
        request.name,
        request.kind or "",
        outcome,
        ids[:MAX_AUDITED_IDS],
        max(0, len(ids) - MAX_AUDITED_IDS),
        _namespace(request),
    )


def _namespace(request: Request[T]) -> str:
    named = request.arguments.get("namespace")
    return nfc(named[:MAX_NAMESPACE]) if isinstance(named, str) else request.principal.reach.namespace
