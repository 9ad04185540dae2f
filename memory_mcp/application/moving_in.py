"""Moves in from another system, for the command line and the page: a plan first, a comparison last."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from memory_mcp import environment
from memory_mcp.application.export_format import parse
from memory_mcp.domain.errors import InvalidArgumentError
from memory_mcp.domain.models import Record
from memory_mcp.imports import finding, reading
from memory_mcp.imports.model import Peer
from memory_mcp.imports.moving import Moved, MovingIn
from memory_mcp.imports.planning import Plan, Target
from memory_mcp.settings import Settings
from memory_mcp.tools.services import Services


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user said of a move."""

    with_deleted: bool = False
    again: bool = False
    """Whether what was deleted here since it was imported is imported once more."""
    also: tuple[str, ...] = ()
    source_tz: str = ""


@dataclass(frozen=True, slots=True)
class Reporting:
    """Who hears how far a move is."""

    begun: Callable[[], None]
    """The run has stored something, and can be undone."""
    stored: Callable[[int], None]
    compared: Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Move:
    """What to import, and how."""

    peer: Peer
    path: Path
    target: Target
    wishes: reading.Wishes
    again: bool

    async def plan(self) -> Plan:
        """Read the source to its end, and return what an import would do.

        Raises:
            TransferError: it cannot be read.
        """
        plan = self._empty_plan()
        async for _ in self._records(plan):
            pass
        return plan

    async def run(self, plan: Plan, services: Services, reporting: Reporting) -> Moved:
        """Import what was planned, then read the source again and compare.

        Raises:
            TransferError: the source can no longer be read.
        """
        moving = MovingIn(services.transfer(), services.memories, again=self.again, on_begin=reporting.begun)
        moved = await moving.store(self._records(self._empty_plan()), reporting.stored)
        await moving.verify(self._records(self._empty_plan()), moved, reporting.compared)
        await moving.find_deleted((planned for planned in plan.records if not planned.taken), self.peer.name, moved)
        return moved

    def _empty_plan(self) -> Plan:
        return Plan(self.peer, self.target, parse)

    async def _records(self, plan: Plan) -> AsyncIterator[Record]:
        """Read the source, count it in the plan, and yield what is to be imported."""
        async with aclosing(reading.read(self.peer, self.path, self.wishes)) as items:
            async for item in items:
                if (record := plan.record(item)) is not None:
                    yield record
                await asyncio.sleep(0)  # a pipe that is full never waits, and a server has others to answer


def make_move(peer: Peer, given: Path | None, wanted: Wanted, settings: Settings, namespace: str) -> Move:
    """Return the move of what lies at a path, or in the peer's usual place; nothing is read yet.

    Raises:
        InvalidArgumentError: the peer has nothing of what is asked for beyond the usual.
        TransferError: it is not there, or there are several.
    """
    if unknown := [extra for extra in wanted.also if extra not in peer.extras]:
        choices = f"it has {', '.join(peer.extras)}" if peer.extras else "it has nothing to ask for; leave out --also"
        raise InvalidArgumentError("also", f"{peer.name} has no {unknown[0]!r} to import; {choices}")
    target = Target(namespace, uuid.uuid4().hex[:12], wanted.with_deleted)
    wishes = reading.Wishes(wanted.also, wanted.source_tz, environment.time_zone(), settings.ingest_unsandboxed)
    return Move(peer, finding.find(peer, given), target, wishes, wanted.again)
