"""memory_search."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, Field

from memory_mcp.domain.models import MAX_QUERY
from memory_mcp.services.retrieval import Answer, Mode, Query
from memory_mcp.services.router import Intent
from memory_mcp.services.selection import Hit
from memory_mcp.tools.base import Call, Result, Tool
from memory_mcp.tools.fields import FilterArguments, MemoryFields, not_blank, shown


class SearchArguments(FilterArguments):
    """What to look for."""

    aliases: ClassVar = {"q": "query", "n_results": "limit", "top_k": "limit", "k": "limit"}

    query: Annotated[
        str,
        Field(min_length=1, max_length=MAX_QUERY, description="A question or words, any language"),
        AfterValidator(not_blank),
    ]
    limit: Annotated[int, Field(ge=1, le=100, description="Results at most")] = 10
    mode: Annotated[Mode, Field(description="auto joins meaning and words")] = "auto"
    min_score: Annotated[float | None, Field(ge=0, le=1, description="Leave out weaker results")] = None
    recency: Annotated[
        float, Field(ge=0, le=1, description="How far newer comes before better; 0: only among equals")
    ] = 0.0
    collapse: Annotated[bool, Field(description="Show near duplicates once")] = False
    max_chars: Annotated[
        int | None, Field(ge=1, le=10_000_000, description="Characters of content to return in all")
    ] = None


class SearchHit(MemoryFields):
    """A memory that was found."""

    score: float = Field(description="0-1, of what was done")
    semantic: float | None = Field(description="Cosine of the best passage, 0-1, joined with its conversation's")
    keyword: float | None = Field(description="How well words fit, 0-1, shared with the conversation")
    passage: str | None = Field(description="The passage that fits, where the content is long")
    duplicates: list[str] = Field(description="Ids of the near duplicates that it stands for")

    def text(self) -> str:
        """Show the memory, and how many it stands for."""
        return super().text() + (f" (and {len(self.duplicates)} near duplicates)" if self.duplicates else "")


class Missed(BaseModel):
    """What lies below `min_score`."""

    count: int = Field(description="Results that a search without min_score would have had")
    best_score: float


class SearchResult(Result):
    """What was found, and how."""

    results: list[SearchHit]
    mode: Literal["semantic", "keyword", "hybrid"]
    intent: Intent = Field(description="What the query was taken for")
    degraded: Literal[False] | str = Field(description="False, or why vectors were not used")
    pending: int = Field(description="Memories of the namespace whose vectors are still to come")
    weak: bool = Field(description="Nothing fits well: what was asked for may not be stored")
    near_misses: Missed | None = Field(description="Only where min_score left nothing")

    def text(self) -> str:
        """List the hits, best first."""
        hits = [f"{i}. [{hit.score:.2f}] {hit.text()}" for i, hit in enumerate(self.results, 1)]
        return "\n".join(hits + self.remarks())

    def remarks(self) -> list[str]:
        """Say what is worth knowing beside the hits."""
        lines = [] if self.results else [self._nothing()]
        if self.results and self.weak:
            lines.append("Note: nothing fits well. These are the nearest; what was asked for may not be stored.")
        if self.degraded:
            lines.append(f"Note: {self.degraded}")
        if self.pending:
            lines.append(f"Note: {self.pending} memories are still without vectors, keywords find them.")
        return lines

    def _nothing(self) -> str:
        if self.near_misses is None:
            return "Nothing found."
        missed = self.near_misses
        return f"Nothing reaches min_score; {missed.count} results lie below it, the best with {missed.best_score:.2f}."


async def memory_search(call: Call, arguments: SearchArguments) -> SearchResult:
    """Find memories by meaning and words.

    Raises:
        InvalidArgumentError: `time_expr` is not understood.
    """
    query = Query(
        arguments.query,
        await arguments.filters(call),
        limit=arguments.limit,
        mode=arguments.mode,
        min_score=arguments.min_score or 0.0,
        recency=arguments.recency,
        collapse=arguments.collapse,
    )
    return _result(await call.services.retrieval.search(query), arguments.max_chars)


def _result(answer: Answer, max_chars: int | None) -> SearchResult:
    missed = answer.near_misses
    return SearchResult(
        results=_within([_hit(hit) for hit in answer.hits], max_chars),
        mode=answer.mode,
        intent=answer.intent,
        degraded=answer.degraded or False,
        pending=answer.pending,
        weak=answer.weak,
        near_misses=Missed(count=missed.count, best_score=round(missed.best_score, 4)) if missed else None,
    )


def _hit(hit: Hit) -> SearchHit:
    return SearchHit.model_validate(
        shown(hit.memory)
        | {
            "score": round(hit.ranked.score, 4),
            "semantic": None if hit.ranked.semantic is None else round(hit.ranked.semantic, 4),
            "keyword": None if hit.ranked.keyword is None else round(hit.ranked.keyword, 4),
            "passage": hit.passage,
            "duplicates": list(hit.duplicates),
        }
    )


def _within(hits: list[SearchHit], max_chars: int | None) -> list[SearchHit]:
    """Keep the best hits whose contents fit, the last of them cut; its passage goes with what is cut."""
    if max_chars is None:
        return hits
    kept: list[SearchHit] = []
    left = max_chars
    for hit in hits:
        if left <= 0:
            break
        cut = hit.content[:left]
        passage = hit.passage[: len(cut)] if hit.passage else None
        kept.append(hit if cut == hit.content else hit.model_copy(update={"content": cut, "passage": passage}))
        left -= len(cut)
    return kept


SEARCH = Tool(
    "memory_search",
    "Recall memories by meaning and by words. Use it before answering what may depend on earlier sessions.",
    SearchArguments,
    SearchResult,
    memory_search,
    read_only=True,
    cached=True,
    idempotent=True,
)
