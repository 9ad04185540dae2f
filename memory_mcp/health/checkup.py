"""Runs all checks concurrently, each with a timeout: a hanging check affects only its own line."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import TypeVar

from memory_mcp.domain.checks import Check, Inquiry, skipped
from memory_mcp.domain.errors import MemoryMcpError
from memory_mcp.domain.models import Condition, Finding

T = TypeVar("T")


OnFinding = Callable[[str, Finding], None]
"""Gets each part's finding as soon as it is there."""


async def examine(
    checks: Sequence[Check], inquiry: Inquiry, told: OnFinding = lambda _name, _finding: None
) -> dict[str, Finding]:
    """Return each check's findings by the names of the parts.

    A check must come after those it needs, and starts when they have ended; a chain of two takes up to twice the
    seconds. It does not wait for a check that is not among these.
    """
    running: dict[str, asyncio.Task[Mapping[str, Finding]]] = {}
    async with asyncio.TaskGroup() as group:
        for check in checks:  # no task begins before all are there
            task = group.create_task(_made(check, running, inquiry))
            task.add_done_callback(partial(_tell, told))
            running |= dict.fromkeys(check.names, task)
    return {name: task.result()[name] for name, task in running.items()}


def _tell(told: OnFinding, made: asyncio.Task[Mapping[str, Finding]]) -> None:
    if not made.cancelled() and made.exception() is None:
        for name, finding in made.result().items():
            told(name, finding)


async def _made(
    check: Check, running: Mapping[str, asyncio.Task[Mapping[str, Finding]]], inquiry: Inquiry
) -> Mapping[str, Finding]:
    for name in filter(running.__contains__, check.needs):
        if (await running[name])[name].condition is not Condition.OK:
            return dict.fromkeys(check.names, skipped(f"see {name}"))
    result = await _run(check, replace(inquiry, seconds=check.seconds or inquiry.seconds))
    return dict.fromkeys(check.names, result) if isinstance(result, Finding) else result


async def _run(check: Check, inquiry: Inquiry) -> Mapping[str, Finding] | Finding:
    """Return the findings, or one that says why the check failed."""
    try:
        async with asyncio.timeout(inquiry.seconds):
            result = await check.look(inquiry)
            return {name: result[name] for name in check.names}
    except TimeoutError:
        return Finding(
            Condition.DEGRADED,
            "silent",
            f"no answer within {inquiry.seconds:g} s",
            "check whether a disk or process hangs, or allow more time: memory-mcp doctor --seconds 30",
        )
    except MemoryMcpError as error:
        return Finding(Condition.FAILED, "failed", str(error))
    except OSError as error:
        return Finding(Condition.FAILED, "unreadable", str(error), "check the path and its permissions")
    except Exception as error:  # noqa: BLE001 - a broken check is a finding; the others still report
        cause = f"the check itself failed: {type(error).__name__}: {error}"
        return Finding(Condition.FAILED, "broken", cause, "reinstall memory-mcp, or report the bug")


def blocking(look: Callable[[float], Finding]) -> Callable[[Inquiry], Awaitable[Finding]]:
    """Turn a function that may block for ever into a check; it gets its seconds."""

    async def looked(inquiry: Inquiry) -> Finding:
        return await in_thread(lambda: look(inquiry.seconds))

    return looked


async def in_thread(work: Callable[[], T]) -> T:
    """Run work in a daemon thread: unlike with asyncio's own threads, the process does not wait for it on exit."""
    outcome: Future[T] = Future()
    outcome.set_running_or_notify_cancel()  # a caller that stops waiting must not cancel it

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised where the outcome is awaited
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return await asyncio.wrap_future(outcome)
