"""What a store says of a memory that is missing, deleted, or not what the caller expects; every store of ours alike."""

from __future__ import annotations

from memory_mcp.domain.errors import ConflictError, NotFoundError
from memory_mcp.domain.models import Change, Memory
from memory_mcp.storage.rows import to_json


def not_stored(memory_id: str) -> NotFoundError:
    return NotFoundError(f"id: no memory {memory_id!r} is stored")


def not_deleted(memory_id: str) -> NotFoundError:
    return NotFoundError(f"id: no deleted memory {memory_id!r} is kept")


def not_restorable(memory: Memory) -> NotFoundError:
    return NotFoundError(f"id: no deleted memory {memory.id!r} of revision {memory.revision} is kept")


def was_deleted() -> NotFoundError:
    return NotFoundError("id: this memory was deleted")


def id_of_deleted(memory_id: str) -> ConflictError:
    return ConflictError(f"id: {memory_id!r} is the id of a deleted memory; omit the id, or undelete that memory")


def id_of_other(memory_id: str) -> ConflictError:
    return ConflictError(
        f"id: {memory_id!r} belongs to a memory with other content; omit the id, or update that memory"
    )


def imported_id_of_other(memory: Memory) -> ConflictError:
    return ConflictError(
        f"id: {memory.id!r} belongs to a memory with other content in the namespace {memory.namespace!r}"
    )


def check_revision(expected: int | None, memory: Memory) -> None:
    """Check that a memory has the revision that a caller expects.

    Raises:
        ConflictError: it has another one.
    """
    if expected is not None and expected != memory.revision:
        raise ConflictError(f"expected_revision: {expected} was expected, the memory is at revision {memory.revision}")


def differs(old: Memory, change: Change) -> bool:
    """Whether a change has an effect."""
    return (
        change.content not in {None, old.content}
        or change.type not in {None, old.type}
        or (change.metadata is not None and to_json(change.metadata) != to_json(old.metadata))  # True is not 1
        or (change.tags is not None and set(change.tags) != set(old.tags))
    )
