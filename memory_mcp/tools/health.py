"""memory_health."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

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
        return cls(
            state=finding.state or finding.condition,
            cause=finding.cause,
            fix=finding.fix,
            detail=finding.detail if detailed else "",
        )


class HealthResult(Result):
    """How every part is: each that has registered a check is a field of its name."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, PartHealth] = Field(init=False)

    status: Literal["ok", "degraded", "failed"] = Field(
        description="The worst of all parts; each of them is a field beside it: daemon, store and more"
    )

    @classmethod
    def of(cls, status: str, parts: Mapping[str, PartHealth]) -> HealthResult:
        """Make a result of the parts, by their names."""
        return cls.model_validate({"status": status, **parts})

    def text(self) -> str:
        """Say what is wrong and what fixes it."""
        parts = self.__pydantic_extra__.items()
        lines = [f"{name}: {part.state}. {part.cause} Fix: {part.fix}" for name, part in parts if part.cause]
        return "\n".join([f"Status: {self.status}.", *lines])


def without_settings(error: SettingsError) -> HealthResult:
    """Say what is wrong with the settings: no other part can be made then, nor registers anything."""
    part = PartHealth(state="unusable", cause=str(error), fix="correct the setting, then restart", detail="")
    return HealthResult.of("failed", {"settings": part})


async def memory_health(call: Call, arguments: HealthArguments) -> HealthResult:
    """Say how the program is; who is no admin is not told of the machine, and who is bound of no other namespace."""
    del arguments
    report = await call.services.health.live(call.reach.namespace if call.reach.bound else None)
    detailed = call.principal.may(Scope.ADMIN)
    parts = {name: PartHealth.of(finding, detailed=detailed) for name, finding in report.parts.items()}
    return HealthResult.of(report.status, parts)


HEALTH = Tool(
    "memory_health",
    "Report what works, what does not, and how to fix it.",
    HealthArguments,
    HealthResult,
    memory_health,
    read_only=True,
    idempotent=True,
    without_services=without_settings,
)
