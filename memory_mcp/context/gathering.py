"""Asks everything at once, and takes what has come by the deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from memory_mcp.context.models import MEMORY, SourceCondition, SourceState
from memory_mcp.domain.errors import MemoryMcpError
from memory_mcp.domain.sources import SourceError
from memory_mcp.logger import Logger

MORE_TIME: Final = "allow more with budget_ms"
LATE_FIX: Final = f"{MORE_TIME}, or leave it out with sources"

log = Logger(__name__)


@dataclass(frozen=True, slots=True)
class Gathered:
    """What has come, and what became of the rest."""

    answers: Mapping[str, object]
    states: Sequence[SourceState]
    errors: Mapping[str, BaseException]

    @property
    def is_late(self) -> bool:
        """Whether something had not come by the deadline."""
        return any(state.state == "late" for state in self.states)


async def gather(asked: Mapping[str, Coroutine[Any, Any, object]], seconds: float, budget_ms: int) -> Gathered:
    """Return each answer that comes within so many seconds; what is late is cancelled, as all is with the caller.

    Args:
        asked: the questions, by the name of who is asked.
        seconds: that are left for them.
        budget_ms: what the caller allowed in all; the cause of a late answer names it.
    """
    begun = time.monotonic()
    took: dict[str, float] = {}
    tasks = {name: asyncio.create_task(_timed(work, name, took, begun)) for name, work in asked.items()}
    try:
        await asyncio.wait(tasks.values(), timeout=max(0.0, seconds))
    finally:
        for task in tasks.values():
            task.cancel()
            task.add_done_callback(_looked_at)
    await asyncio.sleep(0)  # what is late hears of it now
    return _gathered(tasks, took, begun, budget_ms)


def _gathered(
    tasks: Mapping[str, asyncio.Task[object]], took: Mapping[str, float], begun: float, budget_ms: int
) -> Gathered:
    answers: dict[str, object] = {}
    errors: dict[str, BaseException] = {}
    states = []
    for name, task in tasks.items():
        ms = round(1000 * took.get(name, time.monotonic() - begun))
        if not task.done() or task.cancelled():
            fix = MORE_TIME if name == MEMORY else LATE_FIX
            states.append(SourceState(name, "late", ms, f"did not answer in time ({budget_ms} ms)", fix))
        elif error := task.exception():
            errors[name] = error
            states.append(_failed(name, error, ms))
        else:
            answers[name] = task.result()
            states.append(SourceState(name, "ok", ms))
    return Gathered(answers, states, errors)


async def _timed(work: Coroutine[Any, Any, object], name: str, took: dict[str, float], begun: float) -> object:
    try:
        return await work
    finally:
        took[name] = time.monotonic() - begun


def _looked_at(task: asyncio.Task[object]) -> None:
    """Take note of an error that comes too late, so that asyncio does not report it as lost."""
    if not task.cancelled():
        task.exception()


def _failed(name: str, error: BaseException, ms: int) -> SourceState:
    if isinstance(error, SourceError):
        state: SourceCondition = "open" if error.is_open else "failed"
        return SourceState(name, state, ms, str(error), error.fix, error.retry_after_s)
    if isinstance(error, MemoryMcpError):
        return SourceState(name, "failed", ms, str(error), error.fix)
    log.error("a source failed unexpectedly", source=name, error=type(error).__name__)
    return SourceState(
        name, "failed", ms, f"an unexpected {type(error).__name__}", f"report the bug; `memory-mcp sources test {name}`"
    )
