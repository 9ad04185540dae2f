"""memory_search."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import asdict
from itertools import accumulate
from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, BaseModel, Field, WithJsonSchema

from memory_mcp.domain.models import MAX_QUERY
from memory_mcp.memories.chunking import DEFAULT_CHUNKS
from memory_mcp.search.intent import Intent
from memory_mcp.search.models import Hit, HitExplanation, SearchAnswer, SearchExplanation, SearchMode, SearchQuery
from memory_mcp.tools.base import Call, Result, Tool
from memory_mcp.tools.excerpts import excerpt, share
from memory_mcp.tools.fields import MARK, FilterArguments, MemoryFields, not_blank, shown
from memory_mcp.tools.fitting import RESERVE, Fitted, Measure, brief, first_of, fit
from memory_mcp.tools.sizes import LIMIT, tokens

EXPLAINED: Final = LIMIT // 2
"""Tokens that explanations may cost a model: those of the first results."""
LEAN: Final = 75
"""Tokens that each result keeps all the same, so that none is left out for them."""

MOST: Final = 0.5
"""The share of a query's words by which a passage is known to fit."""


class SearchArguments(FilterArguments):
    """What to look for."""

    aliases: ClassVar = {"q": "query", "n_results": "limit", "top_k": "limit", "k": "limit"}

    query: Annotated[
        str,
        Field(min_length=1, max_length=MAX_QUERY, description="Question or keywords, any language"),
        AfterValidator(not_blank),
    ]
    limit: Annotated[int, Field(ge=1, le=100, description="Number of results")] = 10
    mode: Annotated[SearchMode, Field(description="auto combines meaning and keywords")] = "auto"
    min_score: Annotated[float | None, Field(ge=0, le=1, description="Drop results that score lower")] = None
    recency: Annotated[float, Field(ge=0, le=1, description="Prefer newer memories; 0 only breaks ties")] = 0.0
    collapse: Annotated[bool, Field(description="Show near duplicates once")] = False
    max_chars: Annotated[int | None, Field(ge=1, le=10_000_000, description="Characters of content in total")] = None
    explain: Annotated[bool, Field(description="Diagnostics")] = False


class ExplainedHit(BaseModel):
    """What each step of the search contributed to one result: scores 0-1, ranks from 1; null where it did not see it.

    score = fused + time + length + turn + tag_lift; fused = weight * semantic + (1 - weight) * keyword; semantic joins `cosine` with `context`
    (the cosine in the conversation); keyword is what its `own` words and those of its `neighbours` make, at most 1.
    """

    id: str
    rank: int
    cosine: float | None
    cosine_rank: int | None
    context: float | None
    semantic: float | None
    semantic_rank: int | None
    own: float | None
    neighbours: float | None
    keyword: float | None
    keyword_rank: int | None
    prominence: float | None
    """By how many standard deviations the best passage of all stands out; it decides the weight."""
    weight: float
    fused: float
    fused_rank: int | None
    time: float
    length: float
    turn: float
    tag_lift: float
    age_shift: int
    """Places won by being newer, or lost (below 0)."""
    fit: str
    """Why the answer is weak or not; the same for all results."""

    @classmethod
    def of(cls, hit: HitExplanation, fit: str) -> ExplainedHit:
        """Round what the search says of a hit."""
        members = {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(hit).items()}
        return cls.model_validate(members | {"fit": fit})

    def sentence(self) -> str:
        """Say it in one line."""
        semantic = keyword = ""
        if self.semantic is not None:
            beside = "" if self.context is None else f", in context {self.context:.2f}"
            semantic = f"{self.weight:.2f} x semantic {self.semantic:.2f} (cosine {self.cosine:.2f}{beside})"
        if self.keyword is not None:
            own = f"own words {self.own:.2f}, neighbours {self.neighbours:.2f}"
            keyword = f"{1 - self.weight:.2f} x keyword {self.keyword:.2f} ({own})"
        parts = " + ".join(filter(None, (semantic, keyword))) or "found by its tags"
        adjusted = "".join(
            f", {name} {value:+.2f}"
            for name, value in (("time", self.time), ("length", self.length), ("turn", self.turn))
            if value
        )
        lift = f", tags +{self.tag_lift:.2f}" if self.tag_lift else ""
        age = f", age {self.age_shift:+d} places" if self.age_shift else ""
        return f"{parts} = {self.fused:.2f}{adjusted}{lift}{age}"


class SearchHit(MemoryFields):
    """A memory that was found."""

    score: float = Field(description="0-1, of what was done")
    semantic: float | None = Field(description="Cosine of the best passage, 0-1, joined with its conversation's")
    keyword: float | None = Field(description="How well words fit, 0-1, shared with the conversation")
    passage: str | None = Field(description="The passage that fits, where the content is long")
    duplicates: list[str] = Field(description="Ids of the near duplicates that it stands for")

    @property
    def passage_shown(self) -> str | None:
        """The passage, beside the content that has it too."""
        return self.passage

    def heading(self) -> str:
        """Return its score, what it is, and how many it stands for."""
        count = f"{len(self.duplicates) - 1} or more" if MARK in self.duplicates else str(len(self.duplicates))
        more = f" (and {count} near duplicates)" if self.duplicates else ""
        return f"[{self.score:.2f}] {super().heading()}{more}"


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
    shortened: int = Field(description="Results that are not whole, long ones cut to the passage that fits")
    left_out: int = Field(description="Results that are missing, because not even without their contents all fit")
    explain: Annotated[
        list[ExplainedHit] | None,
        WithJsonSchema({"type": "array", "items": {"type": "object"}}),  # its members are not advertised
        Field(exclude_if=lambda explained: explained is None, description="Only where asked for"),
    ] = None

    @property
    def is_whole(self) -> bool:
        """Whether vectors were used, if they were to be."""
        return not self.degraded

    def text(self) -> str:
        """List the hits, best first."""
        hits = [f"{i}. {hit.text()}" for i, hit in enumerate(self.results, 1)]
        return "\n".join(hits + self.remarks() + self._explanation())

    def structured(self) -> dict[str, object]:
        """Return the structured result; among many, each hit is brief."""
        results = [brief(hit.model_dump(mode="json"), hit.detail) for hit in self.results]
        return super().structured() | {"results": results}

    def remarks(self) -> list[str]:
        """Say what is worth knowing beside the hits."""
        lines = [] if self.results else [self._nothing()]
        if self.results and self.weak:
            lines.append("Note: nothing fits well. These are the nearest; what was asked for may not be stored.")
        if self.degraded:
            lines.append(f"Note: {self.degraded}")
        if self.pending:
            lines.append(f"Note: {self.pending} memories are still without vectors, keywords find them.")
        if self.shortened:
            lines.append(f"Note: {self.shortened} of these are shortened; memory_get reads all of one.")
        if self.left_out:
            lines.append(f"Note: {self.left_out} more did not fit; add filters, or ask for fewer (limit).")
        return lines

    def _explanation(self) -> list[str]:
        if not self.explain:
            return []
        return [f"Fit: {self.explain[0].fit}", *(f"{hit.rank}. {hit.sentence()}" for hit in self.explain)]

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
    query = SearchQuery(
        arguments.query,
        await arguments.filters(call),
        limit=arguments.limit,
        mode=arguments.mode,
        min_score=arguments.min_score or 0.0,
        recency=arguments.recency,
        collapse=arguments.collapse,
        explain=arguments.explain,
    )
    return _result(await call.services.search.run(query), arguments, call)


def _result(answer: SearchAnswer, arguments: SearchArguments, call: Call) -> SearchResult:
    missed = answer.near_misses
    room = min(EXPLAINED, LIMIT - RESERVE - LEAN * len(answer.hits)) if call.is_bounded else None
    explained, cost = _explained(answer.explanation, room)
    if call.is_bounded or arguments.max_chars is not None:
        reserve = RESERVE + cost
        fitted = fitting(
            answer, arguments.query, max_chars=arguments.max_chars, reserve=reserve, is_bounded=call.is_bounded
        )
    else:
        fitted = Fitted([_hit(hit) for hit in answer.hits])
    return SearchResult(
        results=fitted.memories,
        mode=answer.mode,
        intent=answer.intent,
        degraded=answer.degraded or False,
        pending=answer.pending,
        weak=answer.weak,
        near_misses=Missed(count=missed.count, best_score=round(missed.best_score, 4)) if missed else None,
        shortened=fitted.shortened,
        left_out=fitted.left_out,
        explain=explained if explained is None else explained[: len(fitted.memories)],
    )


def _explained(explanation: SearchExplanation | None, most: int | None) -> tuple[list[ExplainedHit] | None, int]:
    """Return what is said of the first hits, in at most so many tokens, and what it costs."""
    if explanation is None:
        return None, 0
    hits = [ExplainedHit.of(hit, explanation.fit) for hit in explanation.hits]
    costs = list(accumulate(tokens(hit.model_dump_json()) for hit in hits))
    kept = len(hits) if most is None else bisect_right(costs, most)
    return hits[:kept], costs[kept - 1] if kept else 0


def fitting(
    answer: SearchAnswer, query: str, *, max_chars: int | None = None, reserve: int = RESERVE, is_bounded: bool = True
) -> Fitted[SearchHit]:
    """Return the hits, those that are too long cut to the passage that fits or to where the query's words are."""
    by_words = answer.mode == "keyword" or answer.intent == "identifier"

    def cut(hit: SearchHit, limit: int, measure: Measure) -> SearchHit:
        passage = _passage(hit, query, by_words=by_words)
        if measure.is_exact:  # as many characters were asked for
            content, fits = _around(passage, hit.content, query, limit), len(passage) <= limit
        else:
            content = _within(passage, query, limit, measure)
            fits = measure.of(content) + measure.of(passage) <= limit
        update = {"content": content, "passage": passage if fits else None, "shortened": True}
        return hit.model_copy(update=update)

    most = LIMIT // (4 * max(1, len(answer.hits)))
    hits = [_hit(hit) for hit in answer.hits]
    if is_bounded:
        hits = [hit.model_copy(update={"duplicates": first_of(hit.duplicates, most)}) for hit in hits]
    return fit(hits, cut, max_chars=max_chars, reserve=reserve, only_contents=not is_bounded)


def _passage(hit: SearchHit, query: str, *, by_words: bool) -> str:
    """Return the passage that is nearest in meaning, unless others have the query's words and it has none."""
    worded = excerpt(hit.content, query, DEFAULT_CHUNKS.chars)
    if hit.passage is None or by_words:
        return worded
    return worded if share(hit.passage, query) == 0 and share(worded, query) >= MOST else hit.passage


def _within(passage: str, query: str, limit: int, measure: Measure) -> str:
    """Return as much of a passage as fits, around the query's words."""
    size = measure.fitting(passage, limit)
    while measure.of(part := excerpt(passage, query, size)) > limit:
        size -= 1 + size // 8  # the characters there cost more than those at its beginning
    return part


def _around(passage: str, content: str, query: str, size: int) -> str:
    """Return that many characters of a content with a passage of it in their middle, or some of the passage."""
    if len(passage) >= size:
        return excerpt(passage, query, size)
    start = content.index(passage) - (size - len(passage)) // 2
    start = max(0, min(start, len(content) - size))
    return content[start : start + size]


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


SEARCH = Tool(
    "memory_search",
    "Recall memories by meaning and keywords. Use it before answering what may depend on earlier sessions.",
    SearchArguments,
    SearchResult,
    memory_search,
    read_only=True,
    cached=True,
    idempotent=True,
)
