"""memory_get."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from memory_mcp.domain.models import Memory, Revision
from memory_mcp.tools.base import Arguments, Call, Tool
from memory_mcp.tools.fields import MemoryFields, MemoryId, shown


class GetArguments(Arguments):
    """Which memory."""

    id: Annotated[MemoryId, Field(description="As a search or list gave it")]
    history: Annotated[bool, Field(description="Also what it was before each update")] = False


class RevisionFields(BaseModel):
    """What the memory was before an update."""

    revision: int
    content: str
    tags: list[str]
    type: str
    metadata: Mapping[str, object]
    updated_at: datetime


class WholeMemory(MemoryFields):
    """A memory with its state."""

    revision: int
    embedded: bool
    revisions: list[RevisionFields] | None = Field(None, description="Oldest first, when asked for")

    def text(self) -> str:
        """Show all of it."""
        return f"{self.id}, revision {self.revision}: {self.content}"

    @classmethod
    def of(cls, memory: Memory, revisions: list[Revision] | None = None) -> WholeMemory:
        """Make a result of the store's memory."""
        past = None if revisions is None else [_fields(revision) for revision in revisions]
        return cls.model_validate(
            shown(memory) | {"revision": memory.revision, "embedded": memory.embedded, "revisions": past}
        )


def _fields(revision: Revision) -> dict[str, Any]:
    return {name: getattr(revision, name) for name in RevisionFields.model_fields}


async def memory_get(call: Call, arguments: GetArguments) -> WholeMemory:
    """Return one memory.

    Raises:
        NotFoundError: there is none of this id.
    """
    memory = await call.services.memories.get(arguments.id, call.reach)
    return WholeMemory.of(memory, await call.services.memories.revisions(memory) if arguments.history else None)


GET = Tool(
    "memory_get",
    "Read one memory by its id.",
    GetArguments,
    WholeMemory,
    memory_get,
    read_only=True,
    cached=True,
    idempotent=True,
)
