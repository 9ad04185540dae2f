"""What `memory-mcp doctor` asks of each part of the program."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from memory_mcp.domain.models import Finding

Seen: TypeAlias = Finding | str
"""How a part is, or in a phrase why there is nothing to judge."""

OTHERS: Final = 0o077
"""The bits of a file's mode that let anybody but its owner in."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the screen; the part that it looks at gives the function."""

    name: str
    look: Callable[[float], Awaitable[Seen]]
    """Is told the seconds that it may take, and is left alone when it takes more."""
    needs: tuple[str, ...] = ()
    """Checks before it in the list that must have found their part well: else this one could only repeat them."""
    seconds: float | None = None
    """Its own time, in place of what all the others have."""
