"""A fake context source: it answers, hangs until it is cancelled, fails, or is open."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from memory_mcp.domain.ports import ContextSource
from memory_mcp.domain.principal import Principal
from memory_mcp.domain.sources import SourceAnswer, SourceError, SourceFigures, SourceItem, SourceQuery, SourceStatus


@dataclass
class FakeSource:
    """See `domain.ports.ContextSource`. An item matches a question that shares a word with it, or none at all."""

    name: str = "wiki"
    kind: str = "fake"
    items: Sequence[SourceItem] = ()
    error: SourceError | None = None
    """What it fails with."""
    hangs: bool = False
    """Whether it answers only after `release`."""
    reachable_by: frozenset[str] | None = None
    """The names of those who may ask it; None for everybody."""
    asked: list[SourceQuery] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by the first question."""
    cancelled: int = 0
    """How many questions were given up before they were answered."""
    is_closed: bool = False
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self, query: SourceQuery) -> SourceAnswer:
        """Return the items that share a word with the question, in their order."""
        self.asked.append(query)
        self.begun.set()
        try:
            if self.hangs:
                await self._released.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            self._fail(self.error)
        found = [item for item in self.items if _shares_a_word(item.text, query.text)]
        return SourceAnswer(tuple(found[: query.limit]), left_out=max(0, len(found) - query.limit))

    def is_reachable_by(self, principal: Principal) -> bool:
        """Say whether a caller may ask it."""
        return self.reachable_by is None or principal.name in self.reachable_by

    @staticmethod
    def _fail(error: SourceError) -> NoReturn:
        raise error

    def release(self) -> None:
        """Let the questions that hang be answered."""
        self._released.set()

    async def close(self) -> None:
        """Let go of everything."""
        self.is_closed = True


@dataclass
class FakeSources:
    """See `domain.ports.ContextSources`."""

    sources: Sequence[FakeSource] = ()

    def reachable(self, principal: Principal) -> Sequence[ContextSource]:
        """Return those that the caller may ask, in the order given."""
        return [each for each in self.sources if each.is_reachable_by(principal)]

    async def prepare(self) -> None:
        """Nothing has to be imported."""

    async def statuses(self, principal: Principal) -> Sequence[SourceStatus]:
        """Say what each fails with."""
        return [_status(each) for each in self.sources if each.is_reachable_by(principal)]

    def figures(self) -> Sequence[SourceFigures]:
        """Nothing is counted."""
        return ()

    async def close(self) -> None:
        """Close all of them."""
        for source in self.sources:
            await source.close()


def _status(source: FakeSource) -> SourceStatus:
    failed, answered = int(source.error is not None), len(source.asked)
    outcomes = {"failed": answered} if failed else {"ok": answered}
    figures = SourceFigures(source.name, source.kind, "open" if failed else "closed", failed, outcomes, 0.01 * answered)
    problem, fix = (str(source.error), source.error.fix) if source.error else ("", "")
    last_s = 0.01 if answered and not failed else None
    return SourceStatus(
        source.name, source.kind, f"https://{source.name}.test", "read", (), figures, last_s, problem, fix
    )


def open_breaker(retry_after_s: float) -> SourceError:
    """Return what a source fails with while its breaker is open."""
    return SourceError("its last calls failed", "wait", retry_after_s=retry_after_s, is_open=True)


def _shares_a_word(text: str, question: str) -> bool:
    words = set(question.casefold().split())
    return not words or bool(words & set(text.casefold().split()))
