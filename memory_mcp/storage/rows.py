"""Converts between the values of a row and the domain's; every store of ours keeps them alike."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, cast

from memory_mcp.domain.models import Event, Memory, Metadata, Revision
from memory_mcp.domain.names import canonical

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_MemoryRow = tuple[int, str, str, str, str, str, str | None, int, int, int, str, int]
_EventRow = tuple[int, int, str, str, str, str]
_RevisionRow = tuple[int, str, str, str, str, int]


def to_micros(moment: datetime) -> int:
    """Return the exact number of microseconds since 1970 in UTC."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """Return the aware UTC datetime of microseconds since 1970."""
    return EPOCH + timedelta(microseconds=micros)


def to_json(value: object) -> str:
    """Return compact JSON; equal objects have equal texts, because filters compare texts."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _blake2b(text: str) -> bytes:
    import hashlib  # noqa: PLC0415 - 2 ms, which who only reads does not need

    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def digest(content: str) -> bytes:
    """Return the digest of the text's NFC form, for finding exact duplicates."""
    return _blake2b(unicodedata.normalize("NFC", content))


def metadata_digest(metadata: Metadata) -> bytes | None:
    """Return the digest for finding equal metadata; None for an empty object."""
    return _blake2b(canonical(metadata)) if metadata else None


def to_memory(row: Sequence[object]) -> Memory:
    """Convert a row of a store's MEMORY_COLUMNS to a memory."""
    key, id_, namespace, content, type_, metadata, conversation, created, updated, revision, tags, embedded = cast(
        "_MemoryRow", row
    )
    return Memory(
        key=key,
        id=id_,
        namespace=namespace,
        content=content,
        tags=tuple(cast("list[str]", json.loads(tags))),
        type=type_,
        metadata=cast("Metadata", json.loads(metadata)),
        conversation_id=conversation,
        created_at=from_micros(created),
        updated_at=from_micros(updated),
        revision=revision,
        embedded=bool(embedded),
    )


def to_revision(row: Sequence[object]) -> Revision:
    """Convert a row (revision, content, tags, type, metadata, updated_at) to a revision."""
    revision, content, tags, type_, metadata, updated = cast("_RevisionRow", row)
    return Revision(
        revision=revision,
        content=content,
        tags=tuple(cast("list[str]", json.loads(tags))),
        type=type_,
        metadata=cast("Metadata", json.loads(metadata)),
        updated_at=from_micros(updated),
    )


def to_event(row: Sequence[object]) -> Event:
    """Convert a row (seq, at, namespace, kind, memory_ids, tags) to a write of the change log."""
    seq, at, namespace, kind, ids, tags = cast("_EventRow", row)
    return Event(seq, from_micros(at), namespace, kind, tuple(json.loads(ids)), tuple(json.loads(tags)))
