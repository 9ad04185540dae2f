"""What every store writes of an exported memory, and under which id."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from memory_mcp.domain.models import LONGEST_NUMBERED, Memory, Record, Revision
from memory_mcp.domain.names import free
from memory_mcp.storage.rows import digest, metadata_digest, to_json, to_micros

MemoryValues = tuple[str, str, str | None, str, str, bytes, str, bytes | None, int, int, int]
"""id, namespace, conversation_id, type, content, digest, metadata, its digest, created_at, updated_at, revision."""
RevisionValues = tuple[int, str, str, str, str, int]
"""revision, content, tags, type, metadata, updated_at."""


def numbered(record: Record, digest_of: Callable[[Memory], bytes | None]) -> Record:
    """Return the record with the first id that is free or was given to it by an earlier import.

    Args:
        record: what is imported.
        digest_of: returns the digest of what is stored under a memory's id, live or deleted; None if nothing is.
    """
    memory, text = record.memory, digest(record.memory.content)

    def is_anothers(memory_id: str) -> bool:
        return digest_of(replace(memory, id=memory_id)) not in {None, text}

    return replace(record, memory=replace(memory, id=free(memory.id, is_anothers, LONGEST_NUMBERED)))


def memory_row(memory: Memory) -> MemoryValues:
    return (
        memory.id,
        memory.namespace,
        memory.conversation_id,
        memory.type,
        memory.content,
        digest(memory.content),
        to_json(memory.metadata),
        metadata_digest(memory.metadata),
        to_micros(memory.created_at),
        to_micros(memory.updated_at),
        memory.revision,
    )


def revision_row(was: Revision) -> RevisionValues:
    tags, metadata = to_json(list(was.tags)), to_json(was.metadata)
    return was.revision, was.content, tags, was.type, metadata, to_micros(was.updated_at)
