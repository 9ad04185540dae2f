"""What readers make of values that other programs wrote."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from pathlib import Path
from typing import Final, cast

from memory_mcp.imports.model import Remark

IDS: Final = uuid.UUID("5b0d1c52-0d0c-5b1e-9a55-0c8d6a1f7e10")
"""Ours, for peers whose ids are none, or are numbers that every other database has too."""
FROM_MS: Final = 1e11
"""A number from here on counts milliseconds: as seconds it would be the year 5138."""
NO_TIME: Final = "it has no time; the file's is taken"
REPLACED: Final = "bytes that are not UTF-8 were replaced"


def own_id(*names: object) -> str:
    """Return the id of what these names name."""
    return str(uuid.uuid5(IDS, "\n".join(map(str, names))))


def iso(written: object) -> datetime | None:
    """Return a time in ISO 8601 as it is written, with its zone if it has one."""
    try:
        at = datetime.fromisoformat(str(written).strip())
    except ValueError:
        return None
    return at if MINYEAR < at.year < MAXYEAR else None  # no zone moves it out of the calendar


def in_utc(at: datetime) -> datetime:
    """Return a time in UTC; one without a zone is in UTC already."""
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def moment(value: object, aware: Callable[[datetime], datetime] = in_utc) -> datetime | None:
    """Return a time, given as seconds or milliseconds since 1970 or in ISO 8601; `aware` knows the missing zone."""
    if not isinstance(value, int | float):
        at = iso(value)
        return None if at is None else aware(at)
    try:
        return datetime.fromtimestamp(value / 1000 if value >= FROM_MS else value, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def json_file(path: Path) -> object:
    """Return what the JSON of a file says; None if it is none."""
    try:
        return json.loads(path.read_text("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return None


def parsed(written: object) -> object:
    """Return what JSON says; itself if it is none."""
    try:
        return json.loads(written) if isinstance(written, str) and written else written
    except (ValueError, RecursionError):
        return written


def told(written: object) -> str:
    """Return a text; empty for a missing one."""
    return "" if written is None else str(written)


def listed(written: object) -> list[str]:
    """Return the texts of a JSON list; of another text, itself."""
    held = parsed(written)
    items = held if isinstance(held, list) else [held]
    return [item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in items if item]


def members(written: object) -> dict[str, object]:
    """Return the members of a JSON object; those of something else are one, named as what it is."""
    held = parsed(written)
    if isinstance(held, Mapping):
        return dict(cast("Mapping[str, object]", held))
    return {"metadata": held} if held else {}


def objects(held: object) -> list[dict[str, object]]:
    """Return the objects of a list."""
    return [each for each in cast("list[object]", held) if isinstance(each, dict)] if isinstance(held, list) else []


def joined(own: Mapping[str, object], columns: Mapping[str, object]) -> dict[str, object]:
    """Return the user's own members with the filled columns; nested where one would hide another."""
    filled = {name: value for name, value in columns.items() if value not in (None, "", [])}
    return {**own, **filled} if own.keys().isdisjoint(filled) else {"metadata": dict(own), **filled}


def remarks(source_id: str, *, is_utf8: bool, has_time: bool) -> list[Remark]:
    """Return what is to be said of a record."""
    said = [] if is_utf8 else [Remark("lost", REPLACED, source_id)]
    return said if has_time else [*said, Remark("guessed", NO_TIME, source_id)]
