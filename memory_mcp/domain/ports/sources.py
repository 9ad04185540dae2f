"""The port to a context source: another system that is asked, and never written to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from memory_mcp.domain.principal import Principal
from memory_mcp.domain.sources import SourceAnswer, SourceFigures, SourceQuery, SourceStatus


class ContextSource(Protocol):
    """One configured source, with its breaker, retries, rate limit and cache inside."""

    @property
    def name(self) -> str:
        """The NAME of its section `[sources.NAME]`."""
        ...

    @property
    def kind(self) -> str:
        """`http`, `mcp`, `chroma`, `sql`, or what a package adds."""
        ...

    async def ask(self, query: SourceQuery) -> SourceAnswer:
        """Return what it knows; the caller sets the deadline by cancelling, which stops the work at the source.

        Raises:
            SourceError: it has no answer.
        """
        ...

    async def close(self) -> None:
        """End connections and processes of its own."""
        ...


class ContextSources(Protocol):
    """All configured sources; connects nothing before the first question."""

    def reachable(self, principal: Principal) -> Sequence[ContextSource]:
        """Return those that a caller may ask, in the order of the configuration."""
        ...

    async def prepare(self) -> None:
        """Import what they need, so that the first question does not wait for it; connects nothing."""
        ...

    async def statuses(self, principal: Principal) -> Sequence[SourceStatus]:
        """Return how those do that a caller may ask, then, for admins of all namespaces, the broken sections."""
        ...

    def figures(self) -> Sequence[SourceFigures]:
        """Return their counters since the process began."""
        ...

    async def close(self) -> None:
        """Close all of them."""
        ...
