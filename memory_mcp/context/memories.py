"""What the store knows: the best evidence for a query."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Final

from memory_mcp.context.evidence import passage_chars, whole_words
from memory_mcp.context.models import ContextRequest, Evidence
from memory_mcp.context.policy import ContextPolicy
from memory_mcp.context.remembered import Remembered, of_memory
from memory_mcp.domain.documents import SectionPlace
from memory_mcp.domain.models import DOCUMENT, Memory, Neighbours
from memory_mcp.domain.ports import Snapshot, Snapshots
from memory_mcp.memories.chunking import DEFAULT_CHUNKS
from memory_mcp.search.excerpts import around, best_chunk
from memory_mcp.search.models import Hit, SearchAnswer, SearchQuery
from memory_mcp.search.pipeline import SearchPipeline

SCANNED_CHARS: Final = 50_000
"""Of a long memory, before and behind the passage that is nearest in meaning."""
EMBED_SHARE: Final = 0.6
"""Of the time that a request has, what its vector may take: words must still find something after that."""


async def search(
    request: ContextRequest, pipeline: SearchPipeline, store: Snapshots, policy: ContextPolicy
) -> Remembered:
    """Return the best memories and sections for a query, of all namespaces."""
    limit = min(policy.most_hits, max(policy.fewest_hits, request.max_tokens // policy.tokens_per_hit))
    query = SearchQuery(
        request.query,
        request.filters,
        limit=limit,
        embed_budget_s=EMBED_SHARE * request.budget_ms / 1000,
    )
    namespaces = (request.filters.namespace, *request.joined)
    answers = await asyncio.gather(*(pipeline.run(_within(query, each, request)) for each in namespaces))
    passages = _Passages(request, policy)
    found = [
        passages.evidence(hit.memory, hit.place, hit, answer, is_joined=bool(index))
        for index, answer in enumerate(answers)
        for hit in answer.hits
        if not request.has_seen(hit.memory)
    ]
    ranked = sorted(found, key=lambda each: -(each.score or 0.0)) if request.joined else found
    beside, following = await store.read(
        lambda it: _neighbourhood(it.within(*namespaces), ranked, request, passages, policy)
    )
    return Remembered(
        ranked, beside, following, answers[0].degraded, weak=all(answer.weak or not answer.hits for answer in answers)
    )


def _within(query: SearchQuery, namespace: str, request: ContextRequest) -> SearchQuery:
    documents = None if request.with_documents else False
    return replace(query, filters=replace(query.filters, namespace=namespace, documents=documents))


def _neighbourhood(
    snapshot: Snapshot, ranked: Sequence[Evidence], request: ContextRequest, passages: _Passages, policy: ContextPolicy
) -> tuple[dict[int, list[Evidence]], dict[int, Neighbours]]:
    """Return what stands beside the first hits, and what follows what.

    Where memories are filtered, nothing stands beside a hit: it might be what the filter keeps out.
    """
    keys = [each.key for each in ranked if each.key is not None]
    following = snapshot.neighbours(keys)
    if request.max_tokens < policy.neighbours_from or replace(request.filters, conversation_id=None).is_narrow:
        return {}, following
    first = {key: following[key] for key in islice(keys, policy.hits_with_neighbours) if key in following}
    wanted = {key: (*of.before[:1], *of.after[:1]) for key, of in first.items()}
    memories = snapshot.fetch([key for keys in wanted.values() for key in keys])
    places = snapshot.section_places([key for key, memory in memories.items() if memory.type == DOCUMENT])
    joined = {each.key: each.is_joined for each in ranked}
    beside = {
        key: [
            passages.evidence(memories[each], places.get(each), is_joined=joined[key])
            for each in keys
            if each in memories and not request.has_seen(memories[each])
        ]
        for key, keys in wanted.items()
    }
    return beside, following


class _Passages:
    """Makes evidence of memories; a long one gives its best passage."""

    def __init__(self, request: ContextRequest, policy: ContextPolicy) -> None:
        self._query = request.query
        self._chars = passage_chars(request, policy)

    def evidence(
        self,
        memory: Memory,
        place: SectionPlace | None,
        hit: Hit | None = None,
        answer: SearchAnswer | None = None,
        *,
        is_joined: bool = False,
    ) -> Evidence:
        """Return what a memory says."""
        is_long = len(memory.content) > self._chars
        passage = partial(self._best, memory.content, hit, answer) if is_long else None
        made = of_memory(memory, place, is_joined=is_joined)
        return replace(made, passage=passage, score=None if hit is None else hit.ranked.score)

    def _best(self, content: str, hit: Hit | None, answer: SearchAnswer | None) -> str:
        by_words = answer is not None and (answer.mode == "keyword" or answer.intent == "identifier")
        nearest = hit.passage if hit else None
        near = _worded(content, self._query) if nearest is None else _near(nearest, content)
        passage = best_chunk(near, nearest, self._query, DEFAULT_CHUNKS.chars, by_words=by_words)
        return whole_words(around(passage, near, self._query, self._chars), content)


def _near(passage: str, content: str) -> str:
    """Return the part of a content around a passage: to look for words everywhere takes its time."""
    at = content.index(passage)
    return content[max(0, at - SCANNED_CHARS) : at + len(passage) + SCANNED_CHARS]


def _worded(content: str, query: str) -> str:
    """Return the part of a content that has most of the query's words as they stand; all of it where none does."""
    if len(content) <= 2 * SCANNED_CHARS:
        return content
    words = set(query.lower().split())
    parts = [content[at : at + 2 * SCANNED_CHARS] for at in range(0, len(content), SCANNED_CHARS)]
    held = [sum(len(word) for word in words if word in part.lower()) for part in parts]
    return parts[held.index(max(held))] if any(held) else content
