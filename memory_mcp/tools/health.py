"""memory_health."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from memory_mcp.domain.errors import SettingsError
from memory_mcp.domain.models import Finding
from memory_mcp.domain.principal import Scope
from memory_mcp.health.registry import worst
from memory_mcp.tools.base import Arguments, Call, Result, Tool


class HealthArguments(Arguments):
    """No arguments."""


class PartHealth(BaseModel):
    """The health of one part."""

    state: str
    cause: str = Field(description="What is wrong; empty if nothing is")
    fix: str = Field(description="What fixes it")
    detail: str

    @classmethod
    def of(cls, finding: Finding, *, detailed: bool) -> PartHealth:
        """Convert a finding; `detail` only if `detailed`."""
        return cls(
            state=finding.state or finding.condition,
            cause=finding.cause,
            fix=finding.fix,
            detail=finding.detail if detailed else "",
        )


class HealthResult(Result):
    """The health of all parts: each registered check adds a field of its name."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, PartHealth] = Field(init=False)

    status: Literal["ok", "degraded", "failed"] = Field(
        description="The worst status of any part; each part has its own field: daemon, store and more"
    )

    @classmethod
    def of(cls, status: str, parts: Mapping[str, PartHealth]) -> HealthResult:
        """Make a result from the parts by name."""
        return cls.model_validate({"status": status, **parts})

    def text(self) -> str:
        """Return what is wrong and what fixes it."""
        parts = self.__pydantic_extra__.items()
        lines = [f"{name}: {part.state}. {part.cause} Fix: {part.fix}" for name, part in parts if part.cause]
        return "\n".join([f"Status: {self.status}.", *lines])


def without_settings(error: SettingsError) -> HealthResult:
    """Return the health when the settings are invalid: no part can be built then, the store first of all."""
    part = PartHealth(state="unusable", cause=str(error), fix="correct the setting, then restart", detail="")
    return HealthResult.of("failed", {"settings": part, "store": part})


async def memory_health(call: Call, arguments: HealthArguments) -> HealthResult:
    """Report health. Only admins get details of the machine; a bound caller hears only of its own namespace."""
    del arguments
    report = await call.services.health.live(call.reach.namespace if call.reach.bound else None, call.principal)
    detailed = call.principal.may(Scope.ADMIN)
    project = call.principal.project
    found = report.parts if project is None else {**report.parts, "project": project}
    parts = {name: PartHealth.of(finding, detailed=detailed) for name, finding in found.items()}
    status = report.status if project is None else worst((report.status, project.condition))
    return HealthResult.of(status, parts)


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
