"""Makes all checks at once, each within its time: what hangs costs its own line and nothing else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import TypeVar

from memory_mcp.domain.checks import Check, Inquiry, skipped
from memory_mcp.domain.errors import MemoryMcpError
from memory_mcp.domain.models import Condition, Finding

T = TypeVar("T")


async def examine(checks: Sequence[Check], inquiry: Inquiry) -> dict[str, Finding]:
    """Return what each check found, by the names of the parts.

    A check begins when those that it needs have ended, so that it takes the seconds twice where no chain is longer.
    What it needs and is not among the checks is not waited for.
    """
    running: dict[str, asyncio.Task[Mapping[str, Finding]]] = {}
    async with asyncio.TaskGroup() as group:
        for check in checks:  # no task begins before all are there
            task = group.create_task(_made(check, running, inquiry))
            running |= dict.fromkeys(check.names, task)
    return {name: task.result()[name] for name, task in running.items()}


async def _made(
    check: Check, running: Mapping[str, asyncio.Task[Mapping[str, Finding]]], inquiry: Inquiry
) -> Mapping[str, Finding]:
    for name in filter(running.__contains__, check.needs):
        if (await running[name])[name].condition is not Condition.OK:
            return dict.fromkeys(check.names, skipped(f"see {name}"))
    found = await _looked(check, replace(inquiry, seconds=check.seconds or inquiry.seconds))
    return dict.fromkeys(check.names, found) if isinstance(found, Finding) else found


async def _looked(check: Check, inquiry: Inquiry) -> Mapping[str, Finding] | Finding:
    """Return what was found, or why nothing could be."""
    try:
        async with asyncio.timeout(inquiry.seconds):
            found = await check.look(inquiry)
            return {name: found[name] for name in check.names}
    except TimeoutError:
        return Finding(
            Condition.DEGRADED,
            "silent",
            f"there was no answer within {inquiry.seconds:g} s",
            "check whether a disk or a process hangs, or allow more time: memory-mcp doctor --seconds 30",
        )
    except MemoryMcpError as error:
        return Finding(Condition.FAILED, "failed", str(error))
    except OSError as error:
        return Finding(Condition.FAILED, "unreadable", str(error), "check that path and its permissions")
    except Exception as error:  # noqa: BLE001 - a check that breaks is a finding, and the others are told all the same
        cause = f"the check itself failed: {type(error).__name__}: {error}"
        return Finding(Condition.FAILED, "broken", cause, "install memory-mcp again, or report it")


def blocking(look: Callable[[float], Finding]) -> Callable[[Inquiry], Awaitable[Finding]]:
    """Make a check of a function that may block for ever; it is told its seconds."""

    async def looked(inquiry: Inquiry) -> Finding:
        return await in_thread(lambda: look(inquiry.seconds))

    return looked


async def in_thread(work: Callable[[], T]) -> T:
    """Do work in a thread that the process does not wait for at its end, unlike asyncio's own."""
    outcome: Future[T] = Future()
    outcome.set_running_or_notify_cancel()  # whoever stops waiting does not change what the thread sets

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised where the outcome is awaited
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return await asyncio.wrap_future(outcome)
