"""memory_delete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Final, Self

from pydantic import Field, PrivateAttr

from memory_mcp.domain.errors import InvalidArgumentError
from memory_mcp.domain.localtime import local
from memory_mcp.tools.base import Call, Result, Tool
from memory_mcp.tools.fields import FilterArguments, MemoryId
from memory_mcp.tools.fitting import ROOM
from memory_mcp.tools.json_text import as_object, as_tags, is_left_out
from memory_mcp.tools.sizes import count_fitting

NAMED: Final = 20
"""Ids listed in the text."""


class DeleteArguments(FilterArguments):
    """Which memories."""

    id: Annotated[MemoryId | None, Field(description="This memory alone, without filters")] = None
    dry_run: Annotated[bool, Field(description="Show what would be deleted")] = False

    @classmethod
    def refuse_empty(cls, given: Mapping[str, object]) -> None:
        """Refuse an empty filter: ignoring it would delete more. Beside an id it is harmless.

        Raises:
            InvalidArgumentError: names the filter.
        """
        has_id = not is_left_out("id", given.get("id", ""))
        for name, value in given.items():
            if _is_empty(name, value) and not (has_id and name in FilterArguments.model_fields):
                raise InvalidArgumentError(
                    name, "is empty, which would delete more than intended; give a value or leave it out"
                )


def _is_empty(name: str, value: object) -> bool:
    """Whether a filter is empty, or a list of tags contains an empty tag."""
    if is_left_out(name, value):
        return True
    try:
        if name == "metadata":
            return not as_object(value)
        if name == "tags":
            tags = as_tags(value)
            return not tags or any(isinstance(tag, str) and not tag.strip() for tag in tags)
    except ValueError:  # validation reports it
        pass
    return False


class DeletedInterval(Result):
    """The creation times that a filter selects."""

    after: datetime | None = Field(description="At or after")
    before: datetime | None

    def text(self) -> str:
        """Return both ends in local time with its UTC offset."""
        if self.after is None:
            return f"created before {local(self.before)}" if self.before else ""
        return f"created from {local(self.after)} {f'until {local(self.before)}' if self.before else 'on'}"


class DeleteResult(Result):
    """The memories that were, or would be, deleted."""

    ids: list[str]
    left_out: int = Field(
        default=0,
        exclude_if=lambda count: not count,
        description="Number of further memories whose ids do not fit here",
    )
    dry_run: bool
    interval: DeletedInterval | None = Field(description="Present if a time filter was given")

    _all: Sequence[str] = PrivateAttr(default=())

    def of(self, ids: Sequence[str]) -> Self:
        """Return it with the ids of all, those left out among them."""
        self._all = ids
        return self

    @property
    def count(self) -> int:
        """The number of memories in all."""
        return len(self.ids) + self.left_out

    @property
    def concerns(self) -> Sequence[str]:
        """Return those that were, or would be, deleted."""
        return self._all or self.ids

    def text(self) -> str:
        """Return the count, the interval of creation times and the first ids."""
        done = "Would delete" if self.dry_run else "Deleted"
        when = f" {self.interval.text()}" if self.interval else ""
        named = ", ".join(self.ids[:NAMED])
        more = f" and {self.count - NAMED} more" if self.count > NAMED else ""
        noun = "memory" if self.count == 1 else "memories"
        return f"{done} {self.count} {noun}{when}{': ' if self.ids else '.'}{named}{more}"


async def memory_delete(call: Call, arguments: DeleteArguments) -> DeleteResult:
    """Delete a memory, or all that match the filters.

    Raises:
        InvalidArgumentError: neither an id nor a filter was given, or both.
        NotFoundError: no memory has this id.
    """
    call.reach.to_write(arguments.namespace)  # also where a filter would reach the wrong project
    filters = await arguments.filters(call.reach)
    if filters.is_narrow == (arguments.id is not None):  # neither a namespace alone nor an empty filter counts
        raise InvalidArgumentError("id", "give either an id or at least one filter, not both; nothing was deleted")
    memories, dry_run = call.services.memories, arguments.dry_run
    if arguments.id is None:
        ids = await memories.delete_all(filters, dry_run=dry_run, on_progress=call.progress)
    else:
        ids = await memories.delete(arguments.id, replace(call.reach, namespace=filters.namespace), dry_run=dry_run)
    listed = ids[: count_fitting(ids, ROOM)] if call.is_bounded else ids
    timed = filters.after is not None or filters.before is not None
    interval = DeletedInterval(after=filters.after, before=filters.before) if timed else None
    return DeleteResult(ids=listed, left_out=len(ids) - len(listed), dry_run=dry_run, interval=interval).of(ids)


DELETE = Tool(
    "memory_delete",
    "Delete one memory by id, or all that match.",
    DeleteArguments,
    DeleteResult,
    memory_delete,
    destructive=True,
    reveals=True,
    idempotent=True,
)
