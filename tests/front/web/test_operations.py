"""What the page has begun and nobody waits for."""

from __future__ import annotations

import asyncio

import pytest

from memory_mcp.domain.errors import ConflictError, NotFoundError, RateLimitedError, StoreError
from memory_mcp.server.web.operations import AT_ONCE, KEPT, Operation, Operations, OperationState


async def _ended(operations: Operations, operation: Operation) -> OperationState:
    task = operations._tasks.get(operation.id)
    if task is not None:
        await asyncio.wait({task}, timeout=20)
    return operation.state


async def _for_ever(operation: Operation) -> None:
    await asyncio.Event().wait()


async def _fails(operation: Operation) -> None:
    raise StoreError("it is gone; put it back")


async def _at_once(operation: Operation) -> str:
    return "report"


async def test_how_it_ends_is_told() -> None:
    """Done with its report, failed with its reason, or cancelled."""
    operations = Operations()
    done = operations.start("me", "backup", "", _at_once)
    failed = operations.start("me", "backup", "", _fails)
    running = operations.start("me", "backup", "", _for_ever)
    assert await _ended(operations, done) is OperationState.DONE
    assert done.report == "report"
    assert await _ended(operations, failed) is OperationState.FAILED
    assert failed.error == "it is gone; put it back"
    operations.cancel("me", running.id)
    assert await _ended(operations, running) is OperationState.CANCELLED
    assert operations.cancel("me", running.id).state is OperationState.CANCELLED


async def test_nobody_sees_or_ends_what_another_has_begun() -> None:
    """Its id is of no use."""
    operations = Operations()
    mine = operations.start("me", "import", "", _for_ever)
    assert operations.of("you") == []
    with pytest.raises(NotFoundError):
        operations.cancel("you", mine.id)
    operations.cancel("me", mine.id)
    await _ended(operations, mine)


async def test_what_cannot_be_broken_off_says_so() -> None:
    """A backup ends by itself."""
    operations = Operations()
    held = operations.start("me", "backup", "", _for_ever, can_cancel=False)
    with pytest.raises(ConflictError, match="ends by itself"):
        operations.cancel("me", held.id)
    operations._tasks[held.id].cancel()
    await _ended(operations, held)


async def test_a_plan_waits_for_a_word() -> None:
    """Given twice, or before it is asked for, the word is refused."""
    operations = Operations()

    async def work(operation: Operation) -> str:
        await operation.confirmed("plan")
        return "done"

    planned = operations.start("me", "import", "", work)
    with pytest.raises(ConflictError):
        planned.confirm()
    await asyncio.sleep(0)
    assert (planned.state, planned.report) == (OperationState.WAITING, "plan")
    planned.confirm()
    assert await _ended(operations, planned) is OperationState.DONE
    with pytest.raises(ConflictError):
        planned.confirm()


async def test_there_is_a_bound_on_what_goes_on_and_on_what_is_kept() -> None:
    """More at once is refused for now; of those that ended the oldest are forgotten."""
    operations = Operations()
    running = [operations.start("me", "import", "", _for_ever) for _ in range(AT_ONCE)]
    with pytest.raises(RateLimitedError):
        operations.start("me", "import", "", _for_ever)
    for operation in running:
        operations.cancel("me", operation.id)
        await _ended(operations, operation)
    for _ in range(2 * KEPT):
        await _ended(operations, operations.start("me", "backup", "", _at_once))
    assert len(operations.of("me")) == KEPT
