"""Health checks of one part of the program; `health.registry` collects them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Flag, auto
from typing import Final, TypeAlias

from memory_mcp.domain.models import Condition, Finding
from memory_mcp.domain.principal import Principal

SETTINGS: Final = "settings"
"""The part that doctor looks at first: where it is ill, nothing that begins with the settings can be judged."""
OTHERS: Final = 0o077
"""The mode bits that give access to anybody but the owner."""
READ_ONLY: Final = "this process does not write: MCP_MEMORY_READ_ONLY"
"""The reason to skip a check that matters only to writers."""
STORE_UNREADABLE: Final = Finding(Condition.FAILED, "unknown", "the store cannot be read", "see store")
"""The finding for a part that only the store can report on."""


class View(Flag):
    """Where a check is shown."""

    LIVE = auto()
    """`memory_health` and `memory-mcp status`: cheap checks of what this process has open; none walks files."""
    MACHINE = auto()
    """`memory-mcp doctor`: checks of this machine, without a running front or an open store."""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """One round of checks."""

    seconds: float
    """Timeout of each check."""
    namespace: str | None = None
    """The only namespace to report on; None for all."""
    principal: Principal | None = None
    """Who asks; None for who sits at the machine."""


Look: TypeAlias = Callable[[Inquiry], Awaitable[Finding]]
"""Returns the finding of one part; an exception becomes a finding."""
LookAtSeveral: TypeAlias = Callable[[Inquiry], Awaitable[Mapping[str, Finding]]]
"""Returns the findings of several parts, by name."""


@dataclass(frozen=True, slots=True)
class Check:
    """A registered check."""

    names: tuple[str, ...]
    """The parts that it reports on; each is one line of output."""
    look: LookAtSeveral
    view: View
    needs: tuple[str, ...] = ()
    """Parts that must be OK; otherwise this check would only repeat their trouble, and is skipped."""
    seconds: float | None = None
    """Its own timeout, instead of the inquiry's."""


def skipped(why: str) -> Finding:
    """Return a SKIPPED finding with the reason."""
    return Finding(Condition.SKIPPED, "", detail=why)
