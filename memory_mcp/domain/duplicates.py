"""When a memory that is to be stored is one that is there already; `Store.add` has the whole rule."""

from __future__ import annotations

from memory_mcp.domain.errors import ConflictError
from memory_mcp.domain.models import Memory, NewMemory
from memory_mcp.domain.names import same_json


def differing(new: NewMemory, known: Memory) -> list[str]:
    """Name the fields that the new memory was given and the known one, of the same text, has otherwise."""
    differs = {
        "conversation_id": new.conversation_id not in {None, known.conversation_id},
        "created_at": new.created_at not in {None, known.created_at},
        "type": new.type not in {None, known.type},
        "metadata": new.metadata is not None and not same_json(new.metadata, known.metadata),
    }
    return [name for name, differ in differs.items() if differ]


def check_retry(new: NewMemory, known: Memory) -> None:
    """Check that storing under a known memory's id, with its text, asks for nothing else than what is there.

    Raises:
        ConflictError: fields were given that differ; the message names them.
    """
    if names := differing(new, known):
        raise ConflictError(
            f"id: {known.id!r} is there with another {' and '.join(names)}; nothing was stored: "
            "leave the id out for a memory of its own, or change that one with memory_update"
        )
