"""What a kind of source has to do; everything around it (deadline, breaker, cache …) is done for it by `guarded`."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Protocol

from memory_mcp.documents.sandbox.client import Sandbox
from memory_mcp.domain.ports import Embedder
from memory_mcp.domain.sources import SourceAnswer, SourceError, SourceQuery
from memory_mcp.sources.secrets import Fill


class FaultError(SourceError):
    """The source failed; where this passes by itself, a question that is safe to repeat is asked again."""

    def __init__(
        self,
        cause: str,
        fix: str,
        *,
        retry_after_s: float | None = None,
        is_passing: bool = False,
        is_of_query: bool = False,
    ) -> None:
        super().__init__(cause, fix, retry_after_s=retry_after_s)
        self.is_passing = is_passing
        self.is_of_query = is_of_query
        """Whether it is this question's fault, and says nothing about the source."""


class SourceAdapter(Protocol):
    """One kind's way to ask one source; connects nothing before the first question."""

    @property
    def target(self) -> str:
        """What is asked, for people: no secret, no query."""
        ...

    @property
    def is_repeatable(self) -> bool:
        """Whether a question that failed may be asked again."""
        ...

    @property
    def note(self) -> str:
        """What a person should know about the last answer, such as that it was found by words alone; else empty."""
        ...

    def version(self) -> Hashable:
        """Return what changes when kept answers are no longer right; costs next to nothing."""
        ...

    async def ask(self, query: SourceQuery) -> SourceAnswer:
        """Return what the source knows; cancelling stops the work.

        Raises:
            SourceError: it has no answer.
        """
        ...

    async def close(self) -> None:
        """End connections and processes."""
        ...


@dataclass(frozen=True, slots=True)
class Toolbox:
    """What an adapter may use."""

    fill: Fill
    """Puts secrets in place of their names."""
    embedder: Embedder
    embed_budget_s: float
    make_sandbox: Callable[[str], Sandbox]
    """Makes a sandbox around a reader, `module:function`, which starts at its first file."""


MakeAdapter = Callable[[str, Mapping[str, object], Toolbox], SourceAdapter]
"""Returns the adapter of a section, by its name and keys. Raises SettingsError.

A package offers one as an entry point in the group `memory_mcp.sources`, under the name of its kind.
"""
