"""What PostgreSQL cannot store is refused by name before anything is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from memory_mcp.domain.errors import ConflictError, InvalidArgumentError
from memory_mcp.domain.models import Change, Memory, NewMemory, Record, Revision
from memory_mcp.storage.postgres.db.errors import NUL


def check_new(new: NewMemory) -> None:
    """Check a memory to store.

    Raises:
        ConflictError: a field holds a NUL; the message names it.
    """
    _refuse(
        {
            "content": new.content,
            "id": new.id,
            "type": new.type,
            "conversation_id": new.conversation_id,
            "tags": new.tags,
            "metadata": new.metadata,
        }
    )


def check_record(record: Record) -> None:
    """Check an exported memory with its history, likewise."""
    memory = record.memory
    held = {"id": memory.id, "conversation_id": memory.conversation_id}
    versions: tuple[Memory | Revision, ...] = (memory, *record.revisions)
    for one in versions:
        _refuse(held | {"content": one.content, "type": one.type, "tags": one.tags, "metadata": one.metadata})


def check_change(change: Change) -> None:
    """Check the new values of an update.

    Raises:
        InvalidArgumentError: one holds a NUL.
    """
    fields = {"content": change.content, "type": change.type, "tags": change.tags, "metadata": change.metadata}
    name = _with_nul(fields)
    if name is not None:
        raise InvalidArgumentError(name, NUL)


def _refuse(fields: Mapping[str, object]) -> None:
    name = _with_nul(fields)
    if name is not None:
        raise ConflictError(f"{name}: {NUL}")


def _with_nul(fields: Mapping[str, object]) -> str | None:
    return next((name for name, value in fields.items() if any("\0" in text for text in _texts(value))), None)


def _texts(value: object) -> Iterator[str]:
    """Return every string in a value, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, held in value.items():
            yield from _texts(name)
            yield from _texts(held)
    elif isinstance(value, list | tuple):
        for held in value:
            yield from _texts(held)
