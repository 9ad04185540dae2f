"""memory_search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Final, Literal
from urllib.parse import unquote

from pydantic import AfterValidator, BaseModel, Field, WithJsonSchema

from memory_mcp.domain.documents import SectionPlace
from memory_mcp.domain.models import MAX_QUERY
from memory_mcp.memories.chunking import DEFAULT_CHUNKS
from memory_mcp.search.excerpts import around, best_chunk, excerpt
from memory_mcp.search.intent import Intent
from memory_mcp.search.joining import search_joined
from memory_mcp.search.models import (
    Hit,
    HitExplanation,
    QueryExplanation,
    SearchAnswer,
    SearchMode,
    SearchQuery,
)
from memory_mcp.tools.base import Call, Result, Tool
from memory_mcp.tools.explained import explained, made_of, sentence
from memory_mcp.tools.fields import MARK, FilterArguments, MemoryFields, not_blank, shown
from memory_mcp.tools.fitting import RESERVE, Fitted, Measure, brief, first_of, fit, start_of
from memory_mcp.tools.sizes import LIMIT

EXPLAINED: Final = LIMIT // 2
"""Maximum tokens for explanations; only the first results get one."""
LEAN: Final = 75
"""Tokens that each result keeps, so that explanations push none out."""

SHOWN_TITLE: Final = 200
"""Maximum characters, and tokens, of a document's title; likewise the next."""
SHOWN_SECTION: Final = 200
SHOWN_URI: Final = 500


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
    max_chars: Annotated[int | None, Field(ge=1, le=10_000_000, description="Maximum characters of all contents")] = (
        None
    )
    explain: Annotated[bool, Field(description="Diagnostics")] = False


class DocumentFields(BaseModel):
    """Where a section lies."""

    id: str
    title: str | None
    uri: str
    section: str = Field(description="Its headings")
    page: int | None

    def _file(self) -> str:
        return unquote(self.uri.rpartition("/")[2]) or self.uri

    def text(self) -> str:
        """Return the title or the file's name, the headings and the page, as far as there are any."""
        page = None if self.page is None else f"page {self.page}"
        return ", ".join(filter(None, (self.title or self._file(), self.section, page)))


class SearchHit(MemoryFields):
    """A memory with its scores."""

    score: float = Field(description="0-1, by the mode used")
    semantic: float | None = Field(description="Cosine of the best passage, 0-1, combined with its conversation's")
    keyword: float | None = Field(description="Keyword score, 0-1, including its conversation's share")
    passage: str | None = Field(description="The best passage, if the content is long")
    duplicates: list[str] = Field(description="Ids of the near duplicates it represents")
    namespace: str | None = Field(default=None, exclude_if=lambda name: name is None, description="If not the default")
    document: DocumentFields | None = Field(
        default=None, exclude_if=lambda document: document is None, description="Only of a document's section"
    )

    @property
    def passage_shown(self) -> str | None:
        """The passage, which the content contains too."""
        return self.passage

    def heading(self) -> str:
        """Return its score, its heading and the number of its near duplicates."""
        count = f"{len(self.duplicates) - 1} or more" if MARK in self.duplicates else str(len(self.duplicates))
        more = f" (and {count} near duplicates)" if self.duplicates else ""
        lies = f" in {self.namespace}" if self.namespace else ""
        lies += f" from {self.document.text()}" if self.document else ""
        return f"[{self.score:.2f}] {super().heading()}{lies}{more}"


class Missed(BaseModel):
    """The results below `min_score`."""

    count: int = Field(description="Number of results without min_score")
    best_score: float


class SearchResult(Result):
    """The results, and how they were found."""

    results: list[SearchHit]
    mode: Literal["semantic", "keyword", "hybrid"]
    intent: Intent = Field(description="Detected intent of the query")
    degraded: Literal[False] | str = Field(description="False, or why vectors were not used")
    pending: int = Field(description="Memories in the namespace that have no vector yet")
    weak: bool = Field(description="No result fits well; the answer may not be stored")
    near_misses: Missed | None = Field(description="Only if min_score left no result")
    shortened: int = Field(description="Number of shortened results; long ones are cut to their best passage")
    left_out: int = Field(description="Number of results left out because the answer would be too long")
    explain: Annotated[
        list[HitExplanation] | None,
        WithJsonSchema({"type": "array", "items": {"type": "object"}}),  # its fields are not advertised
        Field(exclude_if=lambda value: value is None, description="Only if requested"),
    ] = None
    """What each step contributed to each of the first results."""
    explain_query: Annotated[
        QueryExplanation | None,
        WithJsonSchema({"type": "object"}),
        Field(exclude_if=lambda value: value is None, description="Only where asked for"),
    ] = None
    """What was made of the query; members that are too long for a model's answer are empty."""
    explain_documents: Annotated[
        QueryExplanation | None,
        WithJsonSchema({"type": "object"}),
        Field(exclude_if=lambda value: value is None, description="The same of documents, beside others"),
    ] = None

    @property
    def is_whole(self) -> bool:
        """Whether vectors were used, if the mode needs them."""
        return not self.degraded

    @property
    def concerns(self) -> Sequence[str]:
        """Return the hits."""
        return [hit.id for hit in self.results]

    def text(self) -> str:
        """Return the hits, best first, and remarks."""
        hits = [f"{i}. {hit.text()}" for i, hit in enumerate(self.results, 1)]
        return "\n".join(hits + self.remarks() + self._explanation())

    def structured(self) -> dict[str, object]:
        """Return the structured result; hits in long lists are brief."""
        results = [brief(hit.model_dump(mode="json"), hit.detail) for hit in self.results]
        return super().structured() | {"results": results}

    def remarks(self) -> list[str]:
        """Return what is worth knowing about the answer as a whole."""
        lines = [] if self.results else [self._nothing()]
        if self.results and self.weak:
            lines.append("Note: no result fits well. These are the nearest; the answer may not be stored.")
        if self.degraded:
            lines.append(f"Note: {self.degraded}")
        if self.pending:
            lines.append(f"Note: {self.pending} memories have no vector yet; only keywords find them.")
        if self.shortened:
            lines.append(f"Note: {self.shortened} of these are shortened; memory_get returns one in full.")
        if self.left_out:
            lines.append(f"Note: {self.left_out} more did not fit; add filters or lower the limit.")
        return lines

    def _explanation(self) -> list[str]:
        about = [] if self.explain_query is None else made_of(self.explain_query, self.explain_documents)
        return about + [f"{hit.rank}. {sentence(hit)}" for hit in self.explain or ()]

    def _nothing(self) -> str:
        if self.near_misses is None:
            return "Nothing found."
        missed = self.near_misses
        return f"No result reaches min_score; {missed.count} are below it, the best at {missed.best_score:.2f}."


async def memory_search(call: Call, arguments: SearchArguments) -> SearchResult:
    """Find memories by meaning and words.

    Raises:
        InvalidArgumentError: `time_expr` is not understood.
    """
    query = SearchQuery(
        arguments.query,
        await arguments.filters(call.reach),
        limit=arguments.limit,
        mode=arguments.mode,
        min_score=arguments.min_score or 0.0,
        recency=arguments.recency,
        collapse=arguments.collapse,
        explain=arguments.explain,
    )
    also = call.reach.also(arguments.namespace)
    return _result(await search_joined(call.services.search, query, also), arguments, call)


def _result(answer: SearchAnswer, arguments: SearchArguments, call: Call) -> SearchResult:
    missed = answer.near_misses
    room = min(EXPLAINED, LIMIT - RESERVE - LEAN * len(answer.hits)) if call.is_bounded else None
    about, documents, hits, cost = explained(answer.explanation, room)
    if call.is_bounded or arguments.max_chars is not None:
        reserve = RESERVE + cost
        fitted = fitting(
            answer, arguments.query, max_chars=arguments.max_chars, reserve=reserve, is_bounded=call.is_bounded
        )
    else:
        fitted = Fitted([_hit(hit, is_bounded=False) for hit in answer.hits])
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
        explain=None if hits is None else hits[: len(fitted.memories)],
        explain_query=about,
        explain_documents=documents,
    )


def fitting(
    answer: SearchAnswer, query: str, *, max_chars: int | None = None, reserve: int = RESERVE, is_bounded: bool = True
) -> Fitted[SearchHit]:
    """Return the hits; long ones are cut to the best passage or to the query's words."""
    by_words = answer.mode == "keyword" or answer.intent == "identifier"

    def cut(hit: SearchHit, limit: int, measure: Measure) -> SearchHit:
        passage = best_chunk(hit.content, hit.passage, query, DEFAULT_CHUNKS.chars, by_words=by_words)
        if measure.is_exact:  # the caller asked for exactly this many characters
            content, fits = around(passage, hit.content, query, limit), len(passage) <= limit
        else:
            content = _around_words(passage, query, limit, measure)
            fits = measure.of(content) + measure.of(passage) <= limit
        update = {"content": content, "passage": passage if fits else None, "shortened": True}
        return hit.model_copy(update=update)

    id_tokens = LIMIT // (4 * max(1, len(answer.hits)))
    hits = [_hit(hit, is_bounded=is_bounded) for hit in answer.hits]
    if is_bounded:
        hits = [
            hit.model_copy(update={"duplicates": first_of(hit.duplicates, id_tokens)}) if hit.duplicates else hit
            for hit in hits
        ]
    return fit(hits, cut, max_chars=max_chars, reserve=reserve, only_contents=not is_bounded)


def _around_words(passage: str, query: str, limit: int, measure: Measure) -> str:
    """Return as much of a passage as fits, around the query's words."""
    size = measure.fitting(passage, limit)
    while measure.of(part := excerpt(passage, query, size)) > limit:
        size -= 1 + size // 8  # the characters there cost more than those at its beginning
    return part


def _hit(hit: Hit, *, is_bounded: bool) -> SearchHit:
    return SearchHit.model_validate(
        shown(hit.memory)
        | {
            "score": round(hit.ranked.score, 4),
            "semantic": None if hit.ranked.semantic is None else round(hit.ranked.semantic, 4),
            "keyword": None if hit.ranked.keyword is None else round(hit.ranked.keyword, 4),
            "passage": hit.passage,
            "duplicates": list(hit.duplicates),
            "namespace": hit.namespace,
            "document": _document(hit.place, is_bounded=is_bounded),
        }
    )


def _document(place: SectionPlace | None, *, is_bounded: bool) -> dict[str, object] | None:
    if place is None:
        return None
    title, uri, section = place.title, place.uri, " › ".join(place.heading)
    if is_bounded:
        title, uri = title and start_of(title, SHOWN_TITLE), start_of(uri, SHOWN_URI)
        section = start_of(section[::-1], SHOWN_SECTION)[::-1]  # its end: the innermost headings
    return {"id": place.id, "title": title, "uri": uri, "section": section, "page": place.page}


SEARCH = Tool(
    "memory_search",
    "Recall memories by meaning and keywords. Use it before answering anything that may depend on earlier sessions.",
    SearchArguments,
    SearchResult,
    memory_search,
    read_only=True,
    cached=True,
    idempotent=True,
)
