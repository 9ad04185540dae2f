"""The same change of many memories, and its undo.

A change is one write for each memory. An undo needs no record but the revisions that the change made: the inverse
stands in each memory's history. Where something changed meanwhile, that memory is left as it is, and named.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from memory_mcp.domain.errors import ConflictError, ForbiddenError, NotFoundError
from memory_mcp.domain.models import MAX_TAGS, Change, Memory, Revision
from memory_mcp.domain.names import canonical, folded, tags_once
from memory_mcp.domain.principal import Reach
from memory_mcp.memories.service import Memories

AT_ONCE: Final = 200
"""Memories of one call: it takes a second or two."""

ActionName = Literal["tag", "untag", "type", "delete", "restore"]
UndoneName = ActionName | Literal["edit"]
"""What can be taken back: an edit of one memory too."""
ItemT = TypeVar("ItemT")


@dataclass(frozen=True, slots=True)
class BulkAction:
    """A change; with tags to add or remove, or a type."""

    name: ActionName
    tags: tuple[str, ...] = ()
    type: str | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """A memory that was changed, and its revision from then on."""

    id: str
    revision: int


@dataclass(frozen=True, slots=True)
class NotChanged:
    """A memory that was left as it is, and why."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class BulkOutcome:
    """What became of each."""

    done: tuple[Changed, ...]
    refused: tuple[NotChanged, ...]
    unchanged: int
    """Those that already were as wanted."""


class Bulk:
    """Changes many memories within a reach, one after the other."""

    def __init__(self, memories: Memories, reach: Reach) -> None:
        self._memories = memories
        self._reach = reach

    async def apply(self, action: BulkAction, ids: Sequence[str]) -> BulkOutcome:
        """Change the memories that can be; what fails is refused alone."""
        return await _each(ids, lambda memory_id: self._change(action, memory_id), str)

    async def undo(self, name: UndoneName, done: Sequence[Changed]) -> BulkOutcome:
        """Take back what was done, except where something changed meanwhile."""
        return await _each(done, lambda one: self._undo(name, one), lambda one: one.id)

    async def _change(self, action: BulkAction, memory_id: str) -> Changed | None:
        if action.name == "restore":
            return _done(await self._memories.undelete(memory_id, self._reach))
        memory = await self._memories.get(memory_id, self._reach)
        if action.name == "delete":
            await self._memories.delete(memory_id, self._reach, dry_run=False)
            # As it was deleted: an edit that came in between must not stand in the undo's way.
            return _done(await self._memories.deleted(memory_id, self._reach))
        changed = await self._memories.update(memory_id, self._reach, _change_of(action, memory), memory.revision)
        return None if changed.revision == memory.revision else _done(changed)

    async def _undo(self, name: UndoneName, one: Changed) -> Changed:
        if name == "delete":
            memory = await self._as_left(await self._memories.deleted(one.id, self._reach), one)
            return _done(await self._memories.undelete(one.id, self._reach, memory.revision))
        memory = await self._as_left(await self._memories.get(one.id, self._reach), one)
        if name == "restore":
            await self._memories.delete(one.id, self._reach, dry_run=False)
            return _done(memory)
        return _done(await self._memories.revert(one.id, self._reach, one.revision - 1, memory.revision))

    async def _as_left(self, memory: Memory, one: Changed) -> Memory:
        """Return a memory that says what it said after the change: later ones may have been undone.

        Raises:
            ConflictError: it says something else.
        """
        if memory.revision != one.revision:
            was = await self._memories.revision(memory, one.revision)
            if was is None or _says(was) != _says(memory):
                raise ConflictError("it changed meanwhile")
        return memory


def _says(memory: Memory | Revision) -> tuple[object, ...]:
    return memory.content, frozenset(memory.tags), memory.type, canonical(memory.metadata)


def _done(memory: Memory) -> Changed:
    return Changed(memory.id, memory.revision)


def _change_of(action: BulkAction, memory: Memory) -> Change:
    if action.name == "type":
        return Change(type=action.type)
    named = set(map(folded, action.tags))
    if action.name == "untag":
        return Change(tags=tuple(tag for tag in memory.tags if folded(tag) not in named))
    tags = tuple(tags_once([*memory.tags, *action.tags]))
    if len(tags) > MAX_TAGS:
        raise ConflictError(f"it would have {len(tags)} tags, and {MAX_TAGS} is the maximum")
    return Change(tags=tags)


async def _each(
    items: Sequence[ItemT], change: Callable[[ItemT], Awaitable[Changed | None]], name: Callable[[ItemT], str]
) -> BulkOutcome:
    done, refused, unchanged = list[Changed](), list[NotChanged](), 0
    for item in items:
        try:
            changed = await change(item)
        except (ConflictError, NotFoundError, ForbiddenError) as error:
            refused.append(NotChanged(name(item), str(error)))
            continue
        unchanged += changed is None
        done += [] if changed is None else [changed]
    return BulkOutcome(tuple(done), tuple(refused), unchanged)
