"""Assembles a block of context: asks the memories and every source at once, and packs what has come."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any

from memory_mcp.context import beginnings, memories, notes
from memory_mcp.context.evidence import of_item
from memory_mcp.context.gathering import MORE_TIME, Gathered, gather
from memory_mcp.context.models import MEMORY, ContextBlock, ContextRequest, Evidence, SourceState
from memory_mcp.context.packing import Candidates, Packed, pack
from memory_mcp.context.policy import DEFAULT_CONTEXT, ContextPolicy
from memory_mcp.context.remembered import Remembered
from memory_mcp.context.states import ContextState, Progress, Requests
from memory_mcp.domain.errors import InvalidArgumentError
from memory_mcp.domain.ports import ContextSource, ContextSources, Snapshots
from memory_mcp.domain.principal import Principal
from memory_mcp.domain.request import REQUEST_ID
from memory_mcp.domain.sources import SourceAnswer, SourceQuery
from memory_mcp.search.pipeline import SearchPipeline


class ContextService:
    """Answers requests for context."""

    def __init__(
        self,
        store: Snapshots,
        search: SearchPipeline,
        sources: ContextSources | None = None,
        *,
        requests: Requests | None = None,
        policy: ContextPolicy = DEFAULT_CONTEXT,
    ) -> None:
        self._store = store
        self._search = search
        self._sources = sources
        self._policy = policy
        self.requests = requests or Requests()

    async def assemble(self, request: ContextRequest) -> ContextBlock:
        """Return what an assistant should know, within its budget and on time.

        Raises:
            InvalidArgumentError: a named source is not configured, or not for this caller.
            MemoryMcpError: the memories cannot be read, and no source has an answer.
        """
        progress = self.requests.begin(request.request_id or REQUEST_ID.get())
        try:
            return await self._assembled(request, progress)
        except asyncio.CancelledError:
            progress.to(ContextState.CANCELLED)
            raise
        except BaseException:
            progress.to(ContextState.FAILED)
            raise

    def source_names(self, principal: Principal) -> list[str]:
        """Return the names of the sources that a caller may ask."""
        return [source.name for source in self._reachable(principal)]

    async def _assembled(self, request: ContextRequest, progress: Progress) -> ContextBlock:
        asked = self._asked(request)
        progress.to(ContextState.PLANNED)
        progress.to(ContextState.GATHERING)
        seconds = request.budget_ms / 1000 - self._policy.packing_s(request.max_tokens, request.budget_ms)
        gathered = await gather(asked, seconds, request.budget_ms)
        remembered = _remembered(gathered)
        degraded = _degraded(gathered.states, remembered)
        packed = await self._packed(request, self._candidates(request, remembered, gathered), degraded, progress)
        progress.to(ContextState.PACKED)
        progress.to(ContextState.LATE if gathered.is_late or packed.is_late else ContextState.ANSWERED)
        return ContextBlock(
            packed.text,
            packed.tokens if packed.text else 0,
            packed.items,
            packed.left_out,
            gathered.states,
            _said(degraded, f"not all was looked at; {MORE_TIME}" if packed.is_late else None),
            weak=remembered.weak and all(item.id for item in packed.items),
        )

    async def _packed(
        self, request: ContextRequest, candidates: Candidates, degraded: str | None, progress: Progress
    ) -> Packed:
        """Return the block, with room for what is said below it; to find the passages of long texts takes its time."""
        room = request.max_tokens - notes.cost(degraded, request.max_tokens)
        until_s = max(
            request.budget_ms / 1000,
            progress.elapsed_s + self._policy.packing_s(request.max_tokens, request.budget_ms),
        )
        return await asyncio.to_thread(pack, candidates, room, lambda: progress.is_over(until_s))

    def _asked(self, request: ContextRequest) -> dict[str, Coroutine[Any, Any, object]]:
        chosen = self._chosen(request)
        question = SourceQuery(request.query, request_id=request.request_id or REQUEST_ID.get())
        asked: dict[str, Coroutine[Any, Any, object]] = {MEMORY: self._recall(request)}
        return asked | {source.name: source.ask(question) for source in chosen}

    def _recall(self, request: ContextRequest) -> Coroutine[Any, Any, Remembered]:
        if request.query:
            return memories.search(request, self._search, self._store, self._policy)
        return beginnings.recall(request, self._store, self._policy)

    def _chosen(self, request: ContextRequest) -> Sequence[ContextSource]:
        known = {source.name: source for source in self._reachable(request.principal)}
        if request.sources is None:
            return list(known.values())
        for name in request.sources:
            if name not in known:
                raise InvalidArgumentError("sources", _unknown(name, list(known)))
        return [known[name] for name in dict.fromkeys(request.sources)]

    def _reachable(self, principal: Principal) -> Sequence[ContextSource]:
        return () if self._sources is None else self._sources.reachable(principal)

    def _candidates(self, request: ContextRequest, remembered: Remembered, gathered: Gathered) -> Candidates:
        foreign = [
            [of_item(item, name, request, self._policy) for item in answer.items]
            for name, answer in gathered.answers.items()
            if isinstance(answer, SourceAnswer)
        ]
        stride = self._policy.source_stride if request.query else 0
        ranked = list(_merged(remembered.evidence, foreign, stride))
        return Candidates(ranked, remembered.beside, remembered.following)


def _unknown(name: str, known: Sequence[str]) -> str:
    choice = (
        f"choose one of: {', '.join(known)}" if known else "no source is configured ([sources.NAME] in config.toml)"
    )
    return f"unknown name {name!r}; {choice}"


def _remembered(gathered: Gathered) -> Remembered:
    """Return what the store knows.

    Raises:
        MemoryMcpError: it cannot be read, and nothing else has an answer.
    """
    answer = gathered.answers.get(MEMORY)
    if isinstance(answer, Remembered):
        return answer
    others = any(isinstance(each, SourceAnswer) and each.items for each in gathered.answers.values())
    if (error := gathered.errors.get(MEMORY)) is not None and not others:
        raise error
    return Remembered(weak=True)


def _merged(own: Sequence[Evidence], foreign: Sequence[Sequence[Evidence]], stride: int) -> Iterator[Evidence]:
    """Yield memories in order, and after each `stride` of them the next item of each source; at 0 sources come last."""
    places = [(index, 0, evidence) for index, evidence in enumerate(own)]
    places += [
        ((rank + 1) * stride - 1 if stride else len(own), 1 + number, evidence)
        for number, items in enumerate(foreign)
        for rank, evidence in enumerate(items)
    ]
    return (evidence for _, _, evidence in sorted(places, key=lambda place: place[:2]))


def _degraded(states: Sequence[SourceState], remembered: Remembered) -> str | None:
    """Return what is missing, and what fixes it."""
    missing = [f"{state.name}: {state.cause}; {state.fix}" for state in states if state.state != "ok"]
    return _said(remembered.degraded, *missing)


def _said(*reasons: str | None) -> str | None:
    return " · ".join(filter(None, reasons)) or None
