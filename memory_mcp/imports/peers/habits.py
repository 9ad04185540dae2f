"""What users and their assistants make of free metadata: tags, types and times, in any of the usual spellings."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from memory_mcp.imports.model import Remark, Source
from memory_mcp.imports.peers.values import FROM_MS, iso, parsed

TAGS: Final = "tags"
TAG_KEY: Final = "tag_"
"""Begins a key that says by true that a tag is there: some stores take no lists."""
TYPES: Final = ("type", "category", "memory_type")
CREATED: Final = ("created_at", "timestamp", "date")
UPDATED: Final = "updated_at"
CONVERSATION: Final = "conversation_id"
MAX_TYPE: Final = 64
BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_SECONDS: Final = 1e8
"""1973: a smaller number is no time."""
_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d(?P<clock>[T ].+)?")


@dataclass(slots=True)
class Understood:
    """Metadata, and what of it has a field of its own."""

    rest: dict[str, object]
    tags: tuple[str, ...] = ()
    type: str = ""
    conversation_id: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    remarks: list[Remark] = field(default_factory=list)


def understood(metadata: Mapping[str, object], source: Source, source_id: str) -> Understood:
    """Take out of metadata what a memory has fields for; what is not understood stays."""
    found = Understood(dict(metadata))
    found.tags = tuple(dict.fromkeys((*_tags(found, source_id), *_tag_keys(found, source_id))))
    found.type = _taken(found, TYPES, MAX_TYPE)
    found.conversation_id = _taken(found, (CONVERSATION,), 256) or None
    found.created_at = next(filter(None, (_moment(found, key, source, source_id) for key in CREATED)), None)
    found.updated_at = _moment(found, UPDATED, source, source_id)
    return found


def _tags(found: Understood, source_id: str) -> list[str]:
    """Take a list, one in JSON, or a text with commas."""
    held = found.rest.get(TAGS)
    if isinstance(held, str):
        found.remarks.append(Remark("guessed", "its tags are a text; split at commas, or read as a list", source_id))
        held = _listed(held)
    if not (isinstance(held, list | tuple) and all(isinstance(tag, str) for tag in held)):
        return []
    del found.rest[TAGS]
    return [tag.strip() for tag in held if tag.strip()]


def _listed(written: str) -> list[object]:
    held = parsed(written)
    return held if isinstance(held, list) else [*written.split(",")]


def _tag_keys(found: Understood, source_id: str) -> list[str]:
    keys = [key for key, value in found.rest.items() if key.startswith(TAG_KEY) and value is True]
    if keys:
        found.remarks.append(Remark("guessed", f"keys that begin with {TAG_KEY} are taken as its tags", source_id))
    for key in keys:
        del found.rest[key]
    return [key.removeprefix(TAG_KEY) for key in keys]


def _taken(found: Understood, keys: tuple[str, ...], longest: int) -> str:
    """Take the first of these that is a text of a fitting length."""
    for key in keys:
        held = found.rest.get(key)
        if isinstance(held, str) and 0 < len(held) <= longest:
            return str(found.rest.pop(key))
    return ""


def _moment(found: Understood, key: str, source: Source, source_id: str) -> datetime | None:
    """Take a time; a date alone is its first moment in UTC."""
    held = found.rest.get(key)
    try:
        moment = _of_number(held) if isinstance(held, int | float) else _of_text(held)
        if moment is None:
            return None
        if moment.tzinfo is None:
            found.remarks.append(Remark(source.zone_guess.kind, source.zone_guess.what, source_id))
        moment = source.aware(moment)
    except (ValueError, OverflowError, OSError):
        return None
    del found.rest[key]
    return moment


def _of_number(held: float) -> datetime | None:
    """Return the time of seconds or milliseconds since 1970."""
    if isinstance(held, bool) or not math.isfinite(held) or held < FIRST_SECONDS:
        return None
    return BEGINNING + (timedelta(milliseconds=held) if held >= FROM_MS else timedelta(seconds=held))


def _of_text(held: object) -> datetime | None:
    if not isinstance(held, str) or (match := _ISO.fullmatch(held.strip())) is None:
        return None
    moment = iso(held)
    return moment if moment is None or match["clock"] else moment.replace(tzinfo=UTC)
