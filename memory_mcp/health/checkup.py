"""Makes all checks at once, each within its time: what hangs costs its own line and nothing else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import TypeVar

from memory_mcp.domain.checks import Check, Seen
from memory_mcp.domain.errors import MemoryMcpError
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.health.report import worst

T = TypeVar("T")


async def examine(checks: Sequence[Check], seconds: float) -> dict[str, Seen]:
    """Return what each check saw, by name.

    One that needs another begins when that one has ended, so that it takes the seconds twice where no chain is longer.
    """
    running: dict[str, asyncio.Task[Seen]] = {}
    for check in checks:
        needed = {name: running[name] for name in check.needs}
        running[check.name] = asyncio.create_task(_made(check, needed, check.seconds or seconds))
    return {name: await task for name, task in running.items()}


def status(seen: Mapping[str, Seen]) -> Condition:
    """Return the worst condition that was found."""
    return worst(finding.condition for finding in seen.values() if isinstance(finding, Finding))


async def _made(check: Check, needed: Mapping[str, asyncio.Task[Seen]], seconds: float) -> Seen:
    for name, task in needed.items():
        before = await task
        if isinstance(before, str) or before.condition is not Condition.OK:
            return f"see {name}"
    try:
        async with asyncio.timeout(seconds):
            return await check.look(seconds)
    except TimeoutError:
        return Finding(
            Condition.DEGRADED,
            "silent",
            f"there was no answer within {seconds:g} s",
            "look whether a disk or a process hangs, or give it more time: memory-mcp doctor --seconds 30",
        )
    except MemoryMcpError as error:
        return Finding(Condition.FAILED, "failed", str(error))
    except OSError as error:
        return Finding(Condition.FAILED, "unreadable", str(error), "check that path and its permissions")
    except Exception as error:  # noqa: BLE001 - a check that breaks is a finding, and the others are told all the same
        cause = f"the check itself failed: {type(error).__name__}: {error}"
        return Finding(Condition.FAILED, "broken", cause, "install memory-mcp again, or report it")


def blocking(look: Callable[[float], Seen]) -> Callable[[float], Awaitable[Seen]]:
    """Make a check of a function that may block for ever."""

    async def looked(seconds: float) -> Seen:
        return await in_thread(lambda: look(seconds))

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
