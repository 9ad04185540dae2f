"""What a check of one part of the program is; `health.registry` holds them all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Flag, auto
from typing import Final, TypeAlias

from memory_mcp.domain.models import Condition, Finding

SETTINGS: Final = "settings"
"""The part that doctor looks at first: where it is ill, nothing that begins with the settings can be judged."""
OTHERS: Final = 0o077
"""The bits of a file's mode that let anybody but its owner in."""
READ_ONLY: Final = "nothing is written here: MCP_MEMORY_READ_ONLY"
"""Why there is nothing to judge where only writers would care."""
STORE_UNREADABLE: Final = Finding(Condition.FAILED, "unknown", "the store cannot be read", "see store")
"""How a part is that only the store could tell of."""


class View(Flag):
    """Where a check is shown."""

    LIVE = auto()
    """`memory_health` and `memory-mcp status`: cheap, asked of what this process has open; no file is walked."""
    MACHINE = auto()
    """`memory-mcp doctor`: what it finds on this machine, without a front or a store that is open."""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """One round of checks."""

    seconds: float
    """That each check may take; it is left alone when it takes more."""
    namespace: str | None = None
    """The only one to speak of; None for all."""


Look: TypeAlias = Callable[[Inquiry], Awaitable[Finding]]
"""Says how one part is; what it raises becomes a finding."""
LookAtSeveral: TypeAlias = Callable[[Inquiry], Awaitable[Mapping[str, Finding]]]
"""Says how several parts are that one question tells of, by their names."""


@dataclass(frozen=True, slots=True)
class Check:
    """What was registered."""

    names: tuple[str, ...]
    """The parts that it tells of: each is a line of the screen."""
    look: LookAtSeveral
    view: View
    needs: tuple[str, ...] = ()
    """Parts that must be well: else this check could only repeat what is wrong with them, and is left out."""
    seconds: float | None = None
    """Its own time, in place of the inquiry's."""


def skipped(why: str) -> Finding:
    """Say in a phrase why there is nothing to judge."""
    return Finding(Condition.SKIPPED, "", detail=why)
