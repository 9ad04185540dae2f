"""What a context source is asked and what it answers: other systems' data, never instructions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from memory_mcp.domain.errors import Code, MemoryMcpError

MAX_ITEMS: Final = 100
"""Of one answer; a source's `max_items` sets fewer."""


@dataclass(frozen=True, slots=True)
class SourceQuery:
    """A question to one source."""

    text: str
    """Empty: the source's newest items."""
    limit: int = MAX_ITEMS
    """At most this many items, the best first."""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class SourceItem:
    """One thing that a source knows; its texts are untrusted."""

    text: str
    title: str = ""
    uri: str = ""
    at: datetime | None = None
    """When it was said or changed, in UTC, if the source tells."""
    score: float | None = None
    """The source's own score, comparable with its other items only."""


@dataclass(frozen=True, slots=True)
class SourceAnswer:
    """What a source knows about a question."""

    items: tuple[SourceItem, ...]
    left_out: int = 0
    """Number of items beyond the bounds of size or count, where it is known."""
    is_cached: bool = False


@dataclass(frozen=True, slots=True)
class SourceFigures:
    """A source's counters since the process began."""

    name: str
    kind: str
    state: str
    """Of its breaker."""
    trips: int
    outcomes: Mapping[str, int]
    """Questions by outcome: ok, cached, failed, late, open, limited."""
    seconds: float
    """Spent on asking it."""


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """A configured source, how it does, and what is wrong with it."""

    name: str
    kind: str = ""
    """Empty if its section says none that is known; so is the target."""
    target: str = ""
    """What it asks, without secrets."""
    scope: str = ""
    namespaces: tuple[str, ...] = ()
    figures: SourceFigures | None = None
    """None: its section is wrong, and it cannot be asked."""
    last_s: float | None = None
    """Seconds that its latest answer took."""
    problem: str = ""
    """Why it had no answer lately, or what is wrong with its section."""
    fix: str = ""


class SourceError(MemoryMcpError):
    """A source has no answer; the message is the cause in one sentence, `fix` what mends it."""

    code: ClassVar[Code] = Code.SOURCE

    def __init__(self, cause: str, fix: str, *, retry_after_s: float | None = None, is_open: bool = False) -> None:
        super().__init__(cause)
        self.fix = fix
        self.retry_after_s = retry_after_s
        """Seconds until the source is asked again, if that is known."""
        self.is_open = is_open
        """Whether its breaker is open: it was not asked."""
