"""The health check of the sources: none is asked for it."""

from __future__ import annotations

from typing import Final

from memory_mcp.domain.checks import Inquiry, View
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.domain.principal import Principal, Scope
from memory_mcp.embedder.breaker import BreakerState
from memory_mcp.health.checkup import in_thread
from memory_mcp.health.registry import Registry
from memory_mcp.sources.registry import ConfiguredSources, may_ask

PART: Final = "sources"


def register(registry: Registry, sources: ConfiguredSources) -> None:
    """Register the check of the sections and the breakers."""

    async def look(inquiry: Inquiry) -> Finding:
        return await in_thread(lambda: found(sources, inquiry.principal))

    registry.add(PART, look, view=View.LIVE | View.MACHINE)


def found(sources: ConfiguredSources, principal: Principal | None = None) -> Finding:
    """Return the finding on the sources that a caller may ask; broken sections are for admins of all namespaces."""
    right, broken = sources.examined()
    made = [each for each in right if principal is None or may_ask(principal, each.section)]
    if principal is not None and (principal.reach.bound or not principal.may(Scope.ADMIN)):
        broken = ()
    names = ", ".join(each.name for each in made)
    if broken:
        cause = "; ".join(each.problem for each in broken)
        return Finding(Condition.DEGRADED, "wrong", cause, "correct config.toml", detail=names)
    failing = [each for each in made if each.state is not BreakerState.CLOSED]
    if failing:
        causes = "; ".join(f"{each.name}: {each.trouble[0]}" for each in failing)
        return Finding(Condition.DEGRADED, "open", causes, failing[0].trouble[1], detail=names)
    return Finding(Condition.OK, "ready" if made else "none", detail=names)
