"""memory_get."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Final

from pydantic import Field

from memory_mcp.domain.errors import InvalidArgumentError
from memory_mcp.domain.localtime import local
from memory_mcp.domain.models import MAX_CONTENT, MAX_METADATA, Memory, Revision
from memory_mcp.tools.base import Arguments, Call, Tool
from memory_mcp.tools.fields import MARK, MemoryFields, MemoryId, Shown, kind_of, shown
from memory_mcp.tools.fitting import RESERVE, fit, from_beginning
from memory_mcp.tools.sizes import LIMIT, tokens

MAX_REVISIONS: Final = 40
"""Latest revisions that a model gets; their contents share half of the answer."""


class GetArguments(Arguments):
    """The memory, and the part of it to read."""

    id: Annotated[MemoryId, Field(description="From a search or list")]
    history: Annotated[bool, Field(description="Include earlier revisions")] = False
    revision: Annotated[int | None, Field(ge=1, description="Read this revision")] = None
    offset: Annotated[int, Field(ge=0, description="Start here: next_offset of the last answer")] = 0
    max_chars: Annotated[int | None, Field(ge=1, le=MAX_CONTENT, description="Maximum characters")] = None


class RevisionFields(Shown):
    """The memory as it was before an update."""

    revision: int
    updated_at: datetime

    def heading(self) -> str:
        """Return its number, time, type, tags and metadata."""
        about = "; ".join([local(self.updated_at), *kind_of(self.type)])
        tags = f" [{', '.join(self.tags)}]" if self.tags else ""
        metadata = f" {_json(self.metadata)}" if self.metadata else ""
        return f"revision {self.revision} ({about}){tags}{metadata}"


class WholeMemory(MemoryFields):
    """A memory in full, with its state and history."""

    revision: int
    embedded: bool
    next_offset: int | None = Field(None, description="Where the content continues; null at its end")
    revisions: list[RevisionFields] | None = Field(None, description="Oldest first; only if history was requested")
    older_revisions: int = Field(0, description="Number of earlier revisions not shown")

    def heading(self) -> str:
        """Return every field but the content, one a line."""
        facts = {
            "id": self.id,
            "revision": f"{self.revision}{'' if self.embedded else ' (no vector yet; searchable by keywords only)'}",
            "type": self.type,
            "tags": ", ".join(self.tags),
            "metadata": _json(self.metadata) if self.metadata else "",
            "conversation": self.conversation_id,
            "created": local(self.created_at),
            "updated": local(self.updated_at) if self.revision > 1 else "",
        }
        return "\n".join(f"{name}: {fact}" for name, fact in facts.items() if fact)

    @property
    def concerns(self) -> Sequence[str]:
        """Return its id."""
        return [self.id]

    def text(self) -> str:
        """Return the memory, how to read on, and its revisions."""
        parts = [self.heading(), self.content]
        if self.next_offset is not None:
            parts.append(f"(There is more: call again with offset={self.next_offset})")
        if MARK in self.tags or MARK in self.metadata:
            parts.append(f"(Tags or metadata are shortened: call again with max_chars={MAX_METADATA})")
        if self.revisions is not None:
            parts += [was.text() for was in self.revisions] or ["(It was never updated)"]
        if any(was.shortened for was in self.revisions or ()):
            parts.append("(Revisions are shortened: call again with revision=N to read one in full)")
        if self.older_revisions:
            parts.append(f"({self.older_revisions} older revisions are not shown: call again with revision=N, from 1)")
        return "\n\n".join(parts)

    @classmethod
    def of(
        cls,
        memory: Memory,
        *,
        offset: int = 0,
        max_chars: int | None = None,
        reserve: int = 0,
        is_bounded: bool = True,
    ) -> WholeMemory:
        """Make a result that is complete or, beside `reserve` tokens, fits an answer.

        `max_chars` bounds the content, and metadata of at most as many characters stays whole. If not `is_bounded`,
        everything but the content stays whole.
        """
        whole = cls.model_validate(
            shown(memory)
            | {"content": memory.content[offset:], "revision": memory.revision, "embedded": memory.embedded}
        )
        asked = max_chars is not None and len(_json(whole.metadata)) <= max_chars
        [fitted] = fit(
            [whole],
            from_beginning,
            max_chars=max_chars,
            reserve=RESERVE + reserve,
            only_contents=asked or not is_bounded,
        ).memories
        end = offset + len(fitted.content)
        return fitted.model_copy(update={"next_offset": end if end < len(memory.content) else None})


def _json(metadata: Mapping[str, object]) -> str:
    return json.dumps(metadata, ensure_ascii=False)


async def memory_get(call: Call, arguments: GetArguments) -> WholeMemory:
    """Return one memory, or as much of it as was requested or fits.

    Raises:
        NotFoundError: no memory has this id.
        InvalidArgumentError: there is no such revision, or the offset is beyond the content.
    """
    current = await call.services.memories.get(arguments.id, call.reach)
    wants_history = arguments.history or arguments.revision not in (None, current.revision)
    history = await call.services.memories.revisions(current) if wants_history else []
    memory = _at(current, history, arguments.revision)
    if arguments.offset > len(memory.content):
        raise InvalidArgumentError("offset", f"must be at most {len(memory.content)}, the length of the content")
    revisions = _revisions(history, is_bounded=call.is_bounded) if arguments.history else None
    spent = sum(tokens(was.model_dump_json()) for was in revisions or ())
    max_chars = arguments.max_chars or (None if call.is_bounded else MAX_CONTENT)
    whole = WholeMemory.of(
        memory,
        offset=arguments.offset,
        max_chars=max_chars,
        reserve=min(spent, LIMIT // 2) if call.is_bounded else 0,
        is_bounded=call.is_bounded,
    )
    older = 0 if revisions is None else len(history) - len(revisions)
    return whole.model_copy(update={"revisions": revisions, "older_revisions": older})


def _at(memory: Memory, history: Sequence[Revision], number: int | None) -> Memory:
    """Return the memory as it was at a revision.

    Raises:
        InvalidArgumentError: there is no such revision; names the existing ones.
    """
    if number is None or number == memory.revision:
        return memory
    was = next((was for was in history if was.revision == number), None)
    if was is None:
        first = min((was.revision for was in history), default=memory.revision)
        raise InvalidArgumentError(
            "revision", f"there is no revision {number}; choose one from {first} to {memory.revision}"
        )
    return replace(
        memory,
        revision=was.revision,
        content=was.content,
        tags=was.tags,
        type=was.type,
        metadata=was.metadata,
        updated_at=was.updated_at,
    )


def _revisions(history: list[Revision], *, is_bounded: bool) -> list[RevisionFields]:
    """Return the latest revisions, oldest first, shortened to half an answer."""
    latest = [RevisionFields.model_validate(was, from_attributes=True) for was in reversed(history)]
    if is_bounded:
        latest = fit(latest[:MAX_REVISIONS], from_beginning, reserve=LIMIT // 2).memories
    return latest[::-1]


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
