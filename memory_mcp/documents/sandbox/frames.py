"""A child's items as JSON frames, each after its length. `decoding` is the other side."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from memory_mcp.documents.readers.model import DocumentItem, Header, RefusedError
from memory_mcp.documents.sandbox.control import LENGTH

MAX_FRAME: Final = 4 << 20
MAX_TEXT: Final = 500_000
"""Characters of a block; a longer one becomes several. JSON makes six bytes of one at most, so that its frame fits."""
MAX_NAME, MAX_REPEATED, MAX_SENTENCE = 1_000, 20_000, 500
MAX_DEPTH: Final = 64
"""Headings above a block."""


def encoded(item: DocumentItem) -> Iterator[bytes]:
    """Yield an item's frames: several where a block's text is too long for one."""
    if isinstance(item, Header):
        yield _packed(
            kind="header",
            part=item.part[:MAX_NAME],
            title=item.title and item.title[:MAX_NAME],
            media_type=item.media_type[:MAX_NAME],
            pages=item.pages or None,
            created_at=_time(item.created_at),
            refused=_refused(item.refused) if item.refused else None,
            is_conversation=item.is_conversation,
        )
        return
    for text in _pieces(item.text):
        yield _packed(
            kind="block",
            text=text,
            heading=[heading[:MAX_NAME] for heading in item.heading[:MAX_DEPTH]],
            page=item.page,
            repeated=item.repeated[:MAX_REPEATED],
            created_at=_time(item.created_at),
            stands_alone=item.stands_alone,
        )


def refused(error: RefusedError) -> bytes:
    """Return the frame of a refusal."""
    return _packed(**_refused(error))


def end() -> bytes:
    """Return the last frame."""
    return _packed(kind="end")


def _refused(error: RefusedError) -> dict[str, object]:
    return {"kind": "refused", "refusal": error.refusal, "sentence": error.sentence[:MAX_SENTENCE]}


def _pieces(text: str) -> Iterator[str]:
    """Yield a text in pieces that end at white space where there is some."""
    while len(text) > MAX_TEXT:
        at = max(text.rfind(space, MAX_TEXT // 2, MAX_TEXT) for space in " \n") + 1 or MAX_TEXT
        piece, text = text[:at], text[at:]
        if piece.strip():
            yield piece
    if text.strip():
        yield text


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _packed(**fields: object) -> bytes:
    content = json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace")
    return LENGTH.pack(len(content)) + content
