"""memory_health."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from memory_mcp.domain.errors import SettingsError
from memory_mcp.domain.models import Finding
from memory_mcp.domain.principal import Scope
from memory_mcp.tools.base import Arguments, Call, Result, Tool


class HealthArguments(Arguments):
    """Nothing is asked."""


class PartHealth(BaseModel):
    """How one part is."""

    state: str
    cause: str = Field(description="Why it is not in order; empty when it is")
    fix: str = Field(description="What fixes it")
    detail: str

    @classmethod
    def of(cls, finding: Finding, *, detailed: bool) -> PartHealth:
        """Make a result of a finding."""
        return cls(state=finding.state, cause=finding.cause, fix=finding.fix, detail=finding.detail if detailed else "")


class HealthResult(Result):
    """How every part is."""

    status: Literal["ok", "degraded", "failed"]
    daemon: PartHealth
    breaker: PartHealth
    space: PartHealth
    store: PartHealth
    queue: PartHealth

    def text(self) -> str:
        """Say what is wrong and what fixes it."""
        parts = {name: getattr(self, name) for name in type(self).model_fields if name != "status"}
        lines = [f"{name}: {part.state}. {part.cause} Mend: {part.fix}" for name, part in parts.items() if part.cause]
        return "\n".join([f"Status: {self.status}.", *lines])


def without_settings(error: SettingsError) -> HealthResult:
    """Say what is wrong with the settings: nothing else can be asked then."""
    store = PartHealth(state="unusable", cause=str(error), fix="correct the setting, then restart", detail="")
    other = PartHealth(state="unknown", cause="the settings do not fit", fix="see store", detail="")
    return HealthResult(status="failed", daemon=other, breaker=other, space=other, store=store, queue=other)


async def memory_health(call: Call, arguments: HealthArguments) -> HealthResult:
    """Say how the program is; who is no admin is not told of the machine, and who is bound of no other namespace."""
    del arguments
    report = await call.services.health.report(call.reach.namespace if call.reach.bound else None)
    detailed = call.principal.may(Scope.ADMIN)
    return HealthResult(
        status=report.status.value,
        **{name: PartHealth.of(finding, detailed=detailed) for name, finding in report.parts.items()},
    )


HEALTH = Tool(
    "memory_health",
    "Say whether the memory works in full, what is wrong, and what fixes it.",
    HealthArguments,
    HealthResult,
    memory_health,
    read_only=True,
    idempotent=True,
    without_services=without_settings,
)
