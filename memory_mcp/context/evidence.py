"""Makes evidence of what memories, documents and other systems hold."""

from __future__ import annotations

import re
from typing import Final

from memory_mcp.context.models import MEMORY, ContextRequest, Evidence
from memory_mcp.context.policy import ContextPolicy
from memory_mcp.domain.documents import DOCUMENT, SectionPlace
from memory_mcp.domain.models import Memory
from memory_mcp.domain.sources import SourceItem
from memory_mcp.search.excerpts import excerpt

CHARS_PER_TOKEN: Final = 4
READ_CHARS: Final = 20_000
"""Characters of another system's item that are looked at."""
LONGEST_WORD: Final = 40
LAST: Final = 9
"""The place of other systems' items among the headers of a block without a query."""
_BLANK: Final = re.compile(r"\s+")


def passage_chars(request: ContextRequest, policy: ContextPolicy) -> int:
    """Return how many characters of a longer text are shown."""
    share = round(policy.passage_share * request.max_tokens * CHARS_PER_TOKEN)
    return min(policy.most_passage_chars, max(policy.passage_chars, share))


def whole_words(part: str, content: str) -> str:
    """Return a part of a content without the halves of words at its ends."""
    start = content.find(part)
    if start > 0 and not content[start - 1].isspace():
        head = _BLANK.search(part, 0, LONGEST_WORD)
        part = part[head.end() :] if head else part
    if not content.endswith(part) and not part[-1:].isspace():
        tail = max(part.rfind(" ", -LONGEST_WORD), part.rfind("\n", -LONGEST_WORD))
        part = part[:tail] if tail > 0 else part
    return part


def of_memory(memory: Memory, place: SectionPlace | None, *, is_joined: bool = False) -> Evidence:
    """Return what a memory or section says, whole."""
    page = f"p. {place.page}" if place and place.page is not None else ""
    section = ", ".join(filter(None, (place.heading[-1] if place and place.heading else "", page)))
    return Evidence(
        source=MEMORY if place is None else DOCUMENT,
        text=memory.content,
        id=memory.id,
        uri=place.uri if place else f"memory://memory/{memory.id}",
        title=(place.title or place.uri.rpartition("/")[2]) if place else "",
        at=memory.created_at,
        namespace=memory.namespace,
        conversation=memory.conversation_id or "",
        place=(memory.created_at.timestamp(), memory.key),
        section=section,
        is_joined=is_joined,
        key=memory.key,
    )


def of_item(item: SourceItem, source: str, request: ContextRequest, policy: ContextPolicy) -> Evidence:
    """Return what an item says; a long one gives the passage with the query's words."""
    chars = passage_chars(request, policy)
    text = item.text[:READ_CHARS]

    def passage() -> str:
        return whole_words(excerpt(text, request.query, chars), text)

    return Evidence(
        source=source,
        text=text[:chars],
        uri=item.uri,
        title=item.title or item.uri,
        score=item.score,
        at=item.at,
        conversation=item.uri or item.title,
        place=(item.at.timestamp() if item.at else 0.0, 0),
        order=0 if request.query else LAST,
        passage=passage if len(item.text) > chars else None,
    )
