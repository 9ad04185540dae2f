"""memory_update."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

from memory_mcp.domain.errors import InvalidArgumentError
from memory_mcp.domain.models import MAX_CONTENT, Change
from memory_mcp.tools.base import Arguments, Call, Result, Tool
from memory_mcp.tools.fields import PENDING, Content, MemoryId, NewMetadata, NewTags, Type
from memory_mcp.tools.get import WholeMemory
from memory_mcp.tools.json_text import as_tags, is_left_out


def _none_if_blank(tags: object) -> object:
    """Treat all-blank tags as left out; only an empty list clears the tags."""
    listed = None if tags is None else as_tags(tags)
    return None if listed and all(isinstance(tag, str) and not tag.strip() for tag in listed) else listed


class UpdateArguments(Arguments):
    """The memory, and the new values of its fields."""

    aliases: ClassVar = {"text": "content", "information": "content"}

    id: Annotated[MemoryId, Field(description="From a search or list")]
    content: Annotated[Content | None, Field(description="Replaces the content")] = None
    tags: Annotated[NewTags | None, BeforeValidator(_none_if_blank), Field(description="Replaces all tags")] = None
    type: Annotated[Type | None, Field(description="Replaces the kind")] = None
    metadata: Annotated[NewMetadata | None, Field(description="Replaces all metadata")] = None
    expected_revision: Annotated[int | None, Field(ge=1, description="Fail if changed since this revision")] = None

    @classmethod
    def refuse_empty(cls, given: Mapping[str, object]) -> None:
        """Refuse an empty expected_revision: ignoring it could overwrite somebody else's change.

        Raises:
            InvalidArgumentError: names the argument.
        """
        name = "expected_revision"
        if is_left_out(name, given.get(name)):
            raise InvalidArgumentError(name, "is empty; give the revision that you read, or leave it out")


class UpdateResult(Result):
    """The memory after the update."""

    id: str
    revision: int
    embedded: bool
    content: str | None = Field(description="The new content; null if unchanged")
    next_offset: int | None = Field(description="Where memory_get continues the content; null at its end")
    tags: list[str]
    type: str
    metadata: Mapping[str, object]
    conversation_id: str | None
    created_at: datetime
    updated_at: datetime

    @property
    def concerns(self) -> Sequence[str]:
        """Return its id."""
        return [self.id]

    def text(self) -> str:
        """Return the new revision."""
        vector = "" if self.embedded else f"; {PENDING}"
        return f"{self.id} is now at revision {self.revision}{vector}."


async def memory_update(call: Call, arguments: UpdateArguments) -> UpdateResult:
    """Change a memory; its old revision stays readable.

    Raises:
        NotFoundError: no memory has this id.
        ConflictError: its revision is not the expected one.
        InvalidArgumentError: no change was given.
    """
    change = Change(
        content=arguments.content,
        tags=None if arguments.tags is None else tuple(arguments.tags),
        type=arguments.type,
        metadata=arguments.metadata,
    )
    if change == Change():
        raise InvalidArgumentError("arguments", "give at least one of content, tags, type, metadata")
    memory = await call.services.memories.update(arguments.id, call.reach, change, arguments.expected_revision)
    fields = WholeMemory.of(
        memory, max_chars=None if call.is_bounded else MAX_CONTENT, is_bounded=call.is_bounded
    ).model_dump()
    if arguments.content is None:
        fields |= {"content": None, "next_offset": None}
    return UpdateResult.model_validate(fields)


UPDATE = Tool(
    "memory_update",
    "Change a memory; its old revision stays readable.",
    UpdateArguments,
    UpdateResult,
    memory_update,
    destructive=True,
    reveals=True,
)
