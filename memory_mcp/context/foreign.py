"""What other systems know, as evidence; its texts are untrusted."""

from __future__ import annotations

from memory_mcp.context.memories import CHARS_PER_TOKEN, whole_words
from memory_mcp.context.models import ContextRequest, Evidence
from memory_mcp.context.policy import ContextPolicy
from memory_mcp.domain.sources import SourceItem
from memory_mcp.search.excerpts import excerpt

READ_CHARS = 20_000
"""Characters of one item that are looked at."""


def evidence_of(item: SourceItem, source: str, request: ContextRequest, policy: ContextPolicy) -> Evidence:
    """Return what an item says; a long one gives the passage with the query's words."""
    chars = max(policy.passage_chars, round(policy.passage_share * request.max_tokens * CHARS_PER_TOKEN))
    text = item.text[:READ_CHARS]
    is_long = len(item.text) > chars
    return Evidence(
        source=source,
        text=whole_words(excerpt(text, request.query, chars), text) if is_long else text,
        uri=item.uri,
        title=item.title or item.uri,
        score=item.score,
        at=item.at,
        conversation=item.uri or item.title,
        place=(item.at.timestamp() if item.at else 0.0, 0),
        order=0 if request.query else LAST,
        is_cut=is_long,
    )


LAST = 9
"""The place of other systems' items among the headers of a block without a query."""
