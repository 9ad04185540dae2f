"""What the page has begun and nobody waits for."""

from __future__ import annotations

import asyncio

import pytest

from memory_mcp.domain.errors import ConflictError, NotFoundError, RateLimitedError, StoreError
from memory_mcp.server.web.operations import AT_ONCE, KEPT, Operation, Operations, OperationState


async def _ended(operations: Operations, operation: Operation) -> OperationState:
    task = operations._tasks.get(operation.id)
    if task is not None:
        await asyncio.wait({task}, timeout=60)
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


async def _asks(operation: Operation) -> None:
    await operation.confirmed("plan")
    await asyncio.Event().wait()


async def test_plans_that_wait_are_in_nobody_elses_way() -> None:
    """Their owner has no further one; what they become counts when the word is given."""
    operations = Operations()
    waiting = [operations.start("me", "import", "", _asks) for _ in range(AT_ONCE)]
    await asyncio.sleep(0)
    with pytest.raises(RateLimitedError, match="waiting for your confirmation"):
        operations.start("me", "import", "", _asks)
    running = [operations.start("you", "backup", "", _for_ever) for _ in range(AT_ONCE)]
    with pytest.raises(RateLimitedError, match="under way"):
        operations.confirm("me", waiting[0].id)
    operations.cancel("you", running[0].id)
    await _ended(operations, running[0])
    operations.confirm("me", waiting[0].id)
    for operation in waiting + running:
        operations.cancel(operation.owner, operation.id)
        await _ended(operations, operation)


async def test_what_a_token_began_ends_with_it() -> None:
    """A plan that waits is not carried out, and what is under way goes no further."""
    operations, allowed = Operations(), [True]

    async def work(operation: Operation) -> None:
        operation.advance(1)
        await operation.confirmed("plan")

    planned = operations.start("me", "import", "", work, is_allowed=lambda: allowed[0])
    await asyncio.sleep(0)
    allowed[0] = False
    operations.confirm("me", planned.id)
    assert await _ended(operations, planned) is OperationState.FAILED
    assert "was revoked" in planned.error
    assert await _ended(operations, operations.start("me", "x", "", work, is_allowed=lambda: False)) is (
        OperationState.FAILED
    )


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
