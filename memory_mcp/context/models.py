"""What is asked for a block of context, what it is made of, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal

from memory_mcp.domain.models import Filters, Memory
from memory_mcp.domain.principal import Principal

MEMORY: Final = "memory"
"""What memories are called among the sources; a section of a document is a `document`."""

SourceCondition = Literal["ok", "late", "failed", "open"]


@dataclass(frozen=True, slots=True)
class ContextRequest:
    """What an assistant wants to know."""

    query: str
    """Empty: what it should know at the start of a session."""
    filters: Filters
    """Of the memories; the namespace is theirs alone, `joined` come beside it."""
    principal: Principal
    max_tokens: int = 1_000
    budget_ms: int = 500
    sources: Sequence[str] | None = None
    """Names of configured sources; None for all, none at all for ()."""
    joined: Sequence[str] = ()
    """Further namespaces that are read, and marked in the block."""
    omitted: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By namespace, the ids of the memories that the assistant has seen already."""
    with_documents: bool = True
    """Whether sections of documents may be among the memories."""
    request_id: str = ""
    """Of the log; empty for the current request's."""

    def has_seen(self, memory: Memory) -> bool:
        """Whether the assistant has seen a memory already."""
        return memory.id in self.omitted.get(memory.namespace, ())


@dataclass(frozen=True, slots=True)
class ContextItem:
    """A part of a block; parts with one number stand in one span."""

    number: int
    """The n of its [n] in the text."""
    source: str
    """`memory`, `document`, or the name of a configured source."""
    id: str
    """Of the memory; empty for what another system knows."""
    uri: str
    title: str
    score: float | None
    """None for what was not ranked: neighbours, and all of a block without a query."""
    tokens: int
    """Of its lines in the text, by the bound; headers count for nobody."""
    namespace: str
    """Of the memory; empty for what another system knows."""
    at: datetime | None


@dataclass(frozen=True, slots=True)
class SourceState:
    """What became of asking one source."""

    name: str
    state: SourceCondition
    took_ms: int
    cause: str = ""
    fix: str = ""
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class ContextBlock:
    """A text for a model that never exceeds its budget."""

    text: str
    """Empty where nothing was found."""
    tokens: int
    """An upper bound of what the text costs a model."""
    items: Sequence[ContextItem]
    left_out: int
    """Parts that were found and did not fit."""
    sources: Sequence[SourceState]
    """The memories and every source that was asked, with what became of it."""
    degraded: str | None
    """Why something is missing; None if nothing is."""
    weak: bool = False
    """Whether nothing fits the query well; what other systems found is not judged."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Something that may stand in a block; all of its texts are others' and are escaped later."""

    source: str
    text: str
    """All of it, or what `shown` has put in its place."""
    id: str = ""
    uri: str = ""
    title: str = ""
    score: float | None = None
    at: datetime | None = None
    namespace: str = ""
    conversation: str = ""
    """What it shares a header with; empty: its day alone."""
    place: tuple[float, int] = (0.0, 0)
    """Its place in the conversation or document."""
    heading: str = ""
    """What leads the header, as `pinned`; our own words."""
    section: str = ""
    """Where it lies in the document: the innermost heading, the page."""
    order: int = 0
    """Of its header among the others; the same for all where the newest comes first."""
    is_joined: bool = False
    """Whether it is from a namespace that only joins."""
    key: int | None = None
    """The store's number of the memory, to find its neighbours."""
    passage: Callable[[], str] | None = None
    """Finds the best passage of a longer text; it is asked for when there is room, as it takes its time."""

    def shown(self) -> Evidence:
        """Return it with the text that may be shown."""
        return self if self.passage is None else replace(self, text=self.passage())
