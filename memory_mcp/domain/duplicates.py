"""Rules for storing a memory that already exists; `Records.add` has the whole rule."""

from __future__ import annotations

from memory_mcp.domain.errors import ConflictError
from memory_mcp.domain.models import MAX_TAGS, Memory, NewMemory
from memory_mcp.domain.names import folded, same_json


def differing(new: NewMemory, known: Memory) -> list[str]:
    """Return the names of fields given for the new memory that differ in the known one with the same text."""
    differs = {
        "conversation_id": new.conversation_id not in {None, known.conversation_id},
        "created_at": new.created_at not in {None, known.created_at},
        "type": new.type not in {None, known.type},
        "metadata": new.metadata is not None and not same_json(new.metadata, known.metadata),
    }
    return [name for name, differ in differs.items() if differ]


def check_retry(new: NewMemory, known: Memory) -> None:
    """Check that storing a known memory's id and text again is only a retry.

    Raises:
        ConflictError: given fields differ; the message names them.
    """
    if names := differing(new, known):
        raise ConflictError(
            f"id: {known.id!r} already exists with another {' and '.join(names)}; nothing was stored: "
            "leave the id out to store a new memory, or change the existing one with memory_update"
        )


def check_merged(known: Memory, more: int) -> None:
    """Check that a duplicate may add tags to a memory; a memory that already has too many keeps them.

    Raises:
        ConflictError: it would have more than MAX_TAGS.
    """
    if len(known.tags) + more > MAX_TAGS:
        raise ConflictError(
            f"tags: {known.id!r} already has this text and {len(known.tags)} tags; {more} more would "
            f"exceed the maximum of {MAX_TAGS}; nothing was stored: leave tags out, or replace its tags "
            "with memory_update"
        )


def check_import(given: Memory, known: Memory) -> None:
    """Check that an imported memory with a known one's id and text has nothing that the known one lacks.

    Raises:
        ConflictError: fields differ; the message names them.
    """
    imported = NewMemory(
        given.content, given.namespace, type=given.type, metadata=given.metadata, created_at=given.created_at
    )
    names = differing(imported, known)
    names += ["conversation_id"] * (given.conversation_id != known.conversation_id)
    differs = [f"another {' and '.join(names)}"] if names else []
    if set(map(folded, given.tags)) - set(map(folded, known.tags)):
        differs.append("other tags")
    if differs:
        raise ConflictError(
            f"id: {known.id!r} in the namespace {known.namespace!r} already exists with {' and '.join(differs)}"
        )


def deleted_before(memory_id: str, namespace: str) -> ConflictError:
    """Return the conflict for an imported memory that was deleted from the store."""
    return ConflictError(
        f"id: {memory_id!r} in the namespace {namespace!r} was deleted; `memory-mcp undelete {memory_id}` restores it"
    )
