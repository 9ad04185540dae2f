"""From other systems' values to items: bounded, cleaned texts, and times in UTC."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Final

from memory_mcp.domain.sources import SourceAnswer, SourceItem

MAX_TEXT: Final = 20_000
"""Characters of an item; what is longer is cut."""
MAX_TITLE, MAX_URI = 300, 2_000
_UNWANTED: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_MILLISECONDS: Final = 1e11
"""A number above this is a time in milliseconds; in seconds it would be after the year 5000."""


def text_of(value: object) -> str:
    """Return a value as text; an object, list, number or truth value as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Mapping | list | tuple | int | float):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def time_of(value: object) -> datetime | None:
    """Return a time in UTC: of ISO 8601 (UTC where it has no zone), or of seconds or milliseconds since 1970."""
    try:
        if isinstance(value, datetime):
            return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        if isinstance(value, date):
            return datetime.combine(value, time(), UTC)
        if isinstance(value, str):
            if not value.replace(".", "", 1).isdigit() or len(value) <= 8:
                return time_of(datetime.fromisoformat(value))
            value = float(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1_000 if abs(value) > _MILLISECONDS else value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def score_of(value: object) -> float | None:
    """Return a number as a score, if it is one that JSON has."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    try:
        score = float(value)
    except (OverflowError, ValueError):  # too large, or a decimal that signals
        return None
    return score if math.isfinite(score) else None


def size_of(answer: SourceAnswer) -> int:
    """Return about how many bytes an answer takes in memory."""
    return 200 + sum(200 + 2 * (len(item.text) + len(item.title) + len(item.uri)) for item in answer.items)


def clean(text: str, length: int) -> str:
    """Return a text without control characters and lone surrogates, cut to a length."""
    return _UNWANTED.sub(" ", text[:length]).strip()


def bounded(answer: SourceAnswer, count: int, max_bytes: int) -> SourceAnswer:
    """Return an answer within its bounds, and count what was left out; items without text are dropped."""
    kept: list[SourceItem] = []
    size, left_out = 0, answer.left_out
    for item in _cleaned(answer.items):
        size += len(item.text.encode()) + len(item.title.encode()) + len(item.uri.encode())
        if len(kept) < count and size <= max_bytes:
            kept.append(item)
        else:
            left_out += 1
    return SourceAnswer(tuple(kept), left_out)


def _cleaned(items: Iterable[SourceItem]) -> Iterable[SourceItem]:
    for item in items:
        if text := clean(item.text, MAX_TEXT):
            title, uri = " ".join(clean(item.title, MAX_TITLE).split()), clean(item.uri, MAX_URI)
            yield SourceItem(text, title, "" if re.search(r"\s", uri) else uri, item.at, item.score)
