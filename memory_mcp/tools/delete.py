"""memory_delete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from memory_mcp.domain.errors import InvalidArgumentError
from memory_mcp.tools.base import Call, Result, Tool
from memory_mcp.tools.fields import FilterArguments, MemoryId
from memory_mcp.tools.json_text import as_object, as_tags, is_left_out


class DeleteArguments(FilterArguments):
    """Which memories."""

    id: Annotated[MemoryId | None, Field(description="This memory, and no filters")] = None
    dry_run: Annotated[bool, Field(description="Only say which")] = False

    @classmethod
    def refuse_empty(cls, given: Mapping[str, object]) -> None:
        """Refuse an empty filter, which would select more if it were ignored; beside an id it selects nothing more.

        Raises:
            InvalidArgumentError: names it.
        """
        has_id = not is_left_out("id", given.get("id", ""))
        for name, value in given.items():
            if _is_empty(name, value) and not (has_id and name in FilterArguments.model_fields):
                raise InvalidArgumentError(
                    name, "is empty, so more would be deleted than was meant; give a value or leave it out"
                )


def _is_empty(name: str, value: object) -> bool:
    """Whether a value selects nothing, or a list of tags has an empty one among others."""
    if is_left_out(name, value):
        return True
    try:
        if name == "metadata":
            return not as_object(value)
        if name == "tags":
            tags = as_tags(value)
            return not tags or any(isinstance(tag, str) and not tag.strip() for tag in tags)
    except ValueError:  # the validation says what is wrong with it
        pass
    return False


class DeleteResult(Result):
    """Which memories were, or would be, deleted."""

    ids: list[str]
    dry_run: bool

    def text(self) -> str:
        """Count them."""
        return f"{'Would delete' if self.dry_run else 'Deleted'} {len(self.ids)} memories: {', '.join(self.ids[:20])}"


async def memory_delete(call: Call, arguments: DeleteArguments) -> DeleteResult:
    """Delete a memory, or all that filters say.

    Raises:
        InvalidArgumentError: neither an id nor a filter was given, or both.
        NotFoundError: there is none of this id.
    """
    filters = await arguments.filters(call)
    if filters.is_narrow == (arguments.id is not None):  # a namespace alone is no filter, nor is an empty one
        raise InvalidArgumentError("id", "give an id, or at least one filter, and not both; nothing was deleted")
    memories, dry_run = call.services.memories, arguments.dry_run
    if arguments.id is None:
        ids = await memories.delete_all(filters, dry_run=dry_run, on_progress=call.progress)
    else:
        ids = await memories.delete(arguments.id, replace(call.reach, namespace=filters.namespace), dry_run=dry_run)
    return DeleteResult(ids=ids, dry_run=arguments.dry_run)


DELETE = Tool(
    "memory_delete",
    "Delete one memory by id, or all that match filters.",
    DeleteArguments,
    DeleteResult,
    memory_delete,
    destructive=True,
    reveals=True,
    idempotent=True,
)
