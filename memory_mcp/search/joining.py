"""A search of two namespaces: both are searched alike, and what they find is put in one order.

Word frequencies, languages and background scores are those of a namespace, so that each is searched with its own. The
scores are on one scale, 0-1. It costs two searches, at the same time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from heapq import merge

from memory_mcp.search.models import Hit, NearMisses, SearchAnswer, SearchExplanation, SearchQuery
from memory_mcp.search.pipeline import SearchPipeline
from memory_mcp.search.policy import DEFAULT_POLICY, SelectionPolicy
from memory_mcp.search.results import collapsed, in_order


async def search_joined(pipeline: SearchPipeline, query: SearchQuery, also: str | None) -> SearchAnswer:
    """Return the best memories of the query's namespace and of one more, if there is one."""
    if also is None or also == query.filters.namespace:
        return await pipeline.run(query)
    beside = replace(query, filters=replace(query.filters, namespace=also))
    return joined(query, *await asyncio.gather(pipeline.run(query), pipeline.run(beside)))


def joined(query: SearchQuery, own: SearchAnswer, beside: SearchAnswer) -> SearchAnswer:
    """Return one answer for two of the same query; the second one's hits say where they lie."""
    foreign = [replace(hit, namespace=hit.memory.namespace) for hit in beside.hits]
    hits = _selected(query, own.hits, foreign)
    first = own if own.hits or not beside.hits else beside
    return SearchAnswer(
        hits=tuple(hits),
        mode=first.mode,
        intent=first.intent,
        degraded=own.degraded or beside.degraded,
        pending=own.pending + beside.pending,
        weak=own.weak and beside.weak,
        near_misses=None if hits else _missed(query.limit, own.near_misses, beside.near_misses),
        explanation=_explained(hits, first, beside if first is own else own),
    )


def _selected(
    query: SearchQuery, own: Sequence[Hit], foreign: Sequence[Hit], policy: SelectionPolicy = DEFAULT_POLICY.selection
) -> list[Hit]:
    """Return the first hits of both, each once; age decides as it does in one namespace."""
    if query.recency:
        hits = in_order([*own, *foreign], query.recency, policy)
    else:  # each list in its own order: tags that the query names decide it too

        def rank(hit: Hit) -> tuple[float, datetime]:
            return round(hit.ranked.score, policy.equal_digits), hit.memory.created_at

        hits = list(merge(own, foreign, key=rank, reverse=True))
    return collapsed(hits, query.limit, policy) if query.collapse else hits[: query.limit]


def _missed(limit: int, *answers: NearMisses | None) -> NearMisses | None:
    missed = [one for one in answers if one is not None]
    if not missed:
        return None
    return NearMisses(min(limit, sum(one.count for one in missed)), max(one.best_score for one in missed))


def _explained(hits: Sequence[Hit], first: SearchAnswer, other: SearchAnswer) -> SearchExplanation | None:
    """Return why; what was made of the query is told as in the namespace that found something."""
    if first.explanation is None or other.explanation is None:
        return None
    answers = ((first, first.explanation), (other, other.explanation))
    why = {hit.memory.key: told for answer, of in answers for hit, told in zip(answer.hits, of.hits, strict=True)}
    told = tuple(replace(why[hit.memory.key], rank=rank) for rank, hit in enumerate(hits, 1))
    return replace(first.explanation, hits=told)
