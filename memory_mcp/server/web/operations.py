"""What the page has begun and nobody waits for: backups, imports, verifications, with how far each is."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Final

from memory_mcp.domain.errors import (
    ConflictError,
    ForbiddenError,
    InternalError,
    MemoryMcpError,
    NotFoundError,
    RateLimitedError,
    cut,
)

KEPT: Final = 20
"""Of those that have ended."""
AT_ONCE: Final = 4
"""Under way for everybody, more would only wait for the same disk; and plans of one owner that wait for a word."""
PATIENCE_S: Final = 3_600.0
"""Seconds that a plan waits for its user's word."""


class OperationState(StrEnum):
    """What an operation does now."""

    RUNNING = "running"
    WAITING = "waiting"
    """For its user's word."""
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in {OperationState.DONE, OperationState.FAILED, OperationState.CANCELLED}


@dataclass(slots=True)
class Operation:
    """One of them; its work changes it while it goes on."""

    id: str
    owner: str
    """The id of the principal who began it; nobody else sees it."""
    kind: str
    """backup, verify or import."""
    subject: str
    """A file's or a system's name."""
    began: datetime
    step: str = ""
    """What it does now, by a name in the catalogue."""
    done: int = 0
    total: int | None = None
    can_cancel: bool = True
    state: OperationState = OperationState.RUNNING
    error: str = ""
    report: object = None
    """What the template shows of it; its type belongs to the kind."""
    ended: datetime | None = None
    is_allowed: Callable[[], bool] = lambda: True
    """Whether its owner's token still holds."""
    _word: asyncio.Event = field(default_factory=asyncio.Event)

    def enter(self, step: str, total: int | None = None) -> None:
        """Begin the next step; raises ForbiddenError as `advance`."""
        self._check_allowed()
        self.step, self.done, self.total = step, 0, total

    def advance(self, done: int) -> None:
        """Note how far it is.

        Raises:
            ForbiddenError: its owner's token was revoked, or has expired.
        """
        self._check_allowed()
        self.done = done

    def _check_allowed(self) -> None:
        if not self.is_allowed():
            raise ForbiddenError("the token that began this was revoked or has expired; sign in with another")

    async def confirmed(self, report: object) -> None:
        """Show a plan, and wait for its user's word.

        Raises:
            TimeoutError: it did not come.
        """
        self.report, self.state = report, OperationState.WAITING
        async with asyncio.timeout(PATIENCE_S):
            await self._word.wait()
        self.state = OperationState.RUNNING
        self._check_allowed()

    def confirm(self) -> None:
        """Give the word; see `Operations.confirm`.

        Raises:
            ConflictError: it does not wait for one.
        """
        if self.state is not OperationState.WAITING:
            raise ConflictError("this is under way already, or has ended; reload the page")
        self._word.set()


OperationWork = Callable[[Operation], Awaitable[object]]
"""Returns the report; raises MemoryMcpError."""


class Operations:
    """The operations of one front, in memory: a front that ends gives them up."""

    def __init__(self) -> None:
        self._held: dict[str, Operation] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(
        self,
        owner: str,
        kind: str,
        subject: str,
        work: OperationWork,
        *,
        can_cancel: bool = True,
        is_allowed: Callable[[], bool] = lambda: True,
    ) -> Operation:
        """Begin something; raises RateLimitedError as `check_room`."""
        self.check_room(owner)
        self._forget()
        operation = Operation(
            secrets.token_hex(8),
            owner,
            kind,
            subject,
            datetime.now(UTC),
            can_cancel=can_cancel,
            is_allowed=is_allowed,
        )
        self._held[operation.id] = operation
        task = asyncio.create_task(self._run(operation, work))
        self._tasks[operation.id] = task
        task.add_done_callback(partial(self._settle, operation))
        return operation

    def check_room(self, owner: str) -> None:
        """Refuse what would be too much for now; a plan that waits for a word is in nobody's way but its owner's.

        Raises:
            RateLimitedError: too much is under way.
        """
        self._check_running()
        if sum(operation.state is OperationState.WAITING for operation in self.of(owner)) >= AT_ONCE:
            raise RateLimitedError(
                f"{AT_ONCE} imports are already waiting for your confirmation; start or cancel them", 10
            )

    def _check_running(self) -> None:
        running = [each for each in self._tasks if self._held[each].state is not OperationState.WAITING]
        if len(running) >= AT_ONCE:
            raise RateLimitedError(f"{AT_ONCE} backups and imports are under way already", 10)

    def confirm(self, owner: str, operation_id: str) -> Operation:
        """Let a plan be carried out.

        Raises:
            NotFoundError: as `get`.
            ConflictError: it does not wait for a word.
            RateLimitedError: too much is under way.
        """
        operation = self.get(owner, operation_id)
        if operation.state is OperationState.WAITING:
            self._check_running()
        operation.confirm()
        return operation

    async def _run(self, operation: Operation, work: OperationWork) -> None:
        try:
            operation.report = await work(operation)
            operation.state = OperationState.DONE
        except MemoryMcpError as error:
            operation.state, operation.error = OperationState.FAILED, error.with_fix()
        except TimeoutError:  # nobody gave the word
            operation.state = OperationState.CANCELLED

    def _settle(self, operation: Operation, task: asyncio.Task[None]) -> None:
        """Note the end, also of what was cancelled before it began, or failed in a way that nobody foresaw."""
        del self._tasks[operation.id]
        operation.ended = datetime.now(UTC)
        if not operation.state.is_final:
            is_cancelled = task.cancelled() or task.exception() is None
            operation.state = OperationState.CANCELLED if is_cancelled else OperationState.FAILED
            operation.error = "" if is_cancelled else str(InternalError(operation.id))

    def _forget(self) -> None:
        ended = [operation.id for operation in self._held.values() if operation.state.is_final]
        for operation_id in ended[: max(0, len(ended) - KEPT + 1)]:
            del self._held[operation_id]

    def of(self, owner: str) -> list[Operation]:
        """Return somebody's operations, newest first."""
        return [operation for operation in reversed(self._held.values()) if operation.owner == owner]

    def get(self, owner: str, operation_id: str) -> Operation:
        """Return an operation.

        Raises:
            NotFoundError: there is none of this owner with this id.
        """
        operation = self._held.get(operation_id)
        if operation is None or operation.owner != owner:
            raise NotFoundError(f"there is no operation {cut(operation_id)!r} any more; begin it again")
        return operation

    def cancel(self, owner: str, operation_id: str) -> Operation:
        """End an operation; what it has written stays.

        Raises:
            NotFoundError: as `get`.
            ConflictError: it cannot be broken off.
        """
        operation = self.get(owner, operation_id)
        if operation.state.is_final:
            return operation
        if not operation.can_cancel:
            raise ConflictError("this cannot be cancelled; it ends by itself")
        self._tasks[operation_id].cancel()
        return operation
