"""memory_health."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from memory_mcp.domain.models import Finding
from memory_mcp.tools.base import Arguments, Call, Result, Tool


class HealthArguments(Arguments):
    """Nothing is asked."""


class PartHealth(BaseModel):
    """How one part is."""

    state: str
    cause: str = Field(description="Why it is not in order; empty when it is")
    mend: str = Field(description="What mends it")
    detail: str

    @classmethod
    def of(cls, finding: Finding) -> PartHealth:
        """Make a result of a finding."""
        return cls(state=finding.state, cause=finding.cause, mend=finding.mend, detail=finding.detail)


class HealthResult(Result):
    """How every part is."""

    status: Literal["ok", "degraded", "failed"]
    daemon: PartHealth
    breaker: PartHealth
    space: PartHealth
    store: PartHealth
    queue: PartHealth

    def text(self) -> str:
        """Say what is wrong and what mends it."""
        parts = {name: getattr(self, name) for name in type(self).model_fields if name != "status"}
        lines = [f"{name}: {part.state}. {part.cause} Mend: {part.mend}" for name, part in parts.items() if part.cause]
        return "\n".join([f"Status: {self.status}.", *lines])


async def memory_health(call: Call, arguments: HealthArguments) -> HealthResult:
    """Say how the program is."""
    del arguments
    report = await call.services.health.report()
    return HealthResult(
        status=report.status.value,
        **{name: PartHealth.of(finding) for name, finding in report.parts.items()},
    )


HEALTH = Tool(
    "memory_health",
    "Say whether the memory works in full, what is wrong, and what mends it.",
    HealthArguments,
    HealthResult,
    memory_health,
    read_only=True,
    idempotent=True,
)
