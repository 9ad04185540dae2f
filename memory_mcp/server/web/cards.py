"""Memories in lists: a passage with the query's words marked, and what is told beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NamedTuple
from urllib.parse import quote, urlencode

from memory_mcp.domain.models import Memory
from memory_mcp.domain.principal import Reach
from memory_mcp.search.excerpts import WordFinder, around, best_chunk
from memory_mcp.search.models import HitExplanation
from memory_mcp.server.web.score_parts import ScorePart, score_parts
from memory_mcp.tools.fields import MemoryFields
from memory_mcp.tools.search import DocumentFields, SearchHit, SearchResult

SHOWN: Final = 360
"""Characters of a content in a list."""
LONGEST_WORD: Final = 24
"""Letters of a word that is left out where a passage begins inside it."""
TELLING: Final = 0.5
"""The weight from which a term of a query is marked."""


class MarkedText(NamedTuple):
    """A stretch of text."""

    text: str
    is_found: bool
    """Whether it is one of the query's words."""


@dataclass(frozen=True, slots=True)
class Why:
    """Why a hit has its score."""

    parts: Sequence[ScorePart]
    told: HitExplanation


@dataclass(frozen=True, slots=True)
class Card:
    """A memory in a list."""

    id: str
    namespace: str
    named: str
    """The namespace, where an address has to name it."""
    href: str
    pieces: Sequence[MarkedText]
    is_inside: bool
    """Whether the content begins before that."""
    is_cut: bool
    """Whether it goes on."""
    type: str
    tags: Sequence[str]
    conversation_id: str | None
    created_at: datetime
    score: float | None = None
    document: DocumentFields | None = None
    why: Why | None = None
    deleted_at: datetime | None = None


def address(memory_id: str, namespace: str, query: str = "") -> str:
    """Return the page of a memory; an id that a path cannot hold stands in the query."""
    parts = memory_id.split("/")
    fits = all(part.strip(".") for part in parts)
    given = {"id": "" if fits else memory_id, "namespace": namespace, "query": query}
    path = "/".join(quote(part, safe="") for part in parts) if fits else ""
    asked = urlencode({name: value for name, value in given.items() if value})
    return f"/memories/{path}{'?' * bool(asked)}{asked}"


def named(namespace: str, reach: Reach) -> str:
    """Return a namespace where an address has to name it."""
    return "" if namespace == reach.namespace else namespace


def card(memory: Memory, reach: Reach, deleted_at: datetime | None = None) -> Card:
    """Return a stored memory as a card."""
    fields = MemoryFields.model_validate(memory, from_attributes=True)
    return listed_card(fields, memory.namespace, reach, deleted_at)


def listed_card(memory: MemoryFields, namespace: str, reach: Reach, deleted_at: datetime | None = None) -> Card:
    """Return a memory of a list."""
    shown = memory.content[:SHOWN]
    return Card(
        id=memory.id,
        namespace=namespace,
        named=named(namespace, reach),
        href=address(memory.id, named(namespace, reach)),
        pieces=(MarkedText(shown, is_found=False),),
        is_inside=False,
        is_cut=len(shown) < len(memory.content),
        type=memory.type,
        tags=memory.tags,
        conversation_id=memory.conversation_id,
        created_at=memory.created_at,
        deleted_at=deleted_at,
    )


def hit_cards(result: SearchResult, query: str, namespace: str, reach: Reach) -> list[Card]:
    """Return the hits of a search, each with why it has its score."""
    finder = WordFinder(_words(result, query))
    why = {told.id: Why(score_parts(told, result), told) for told in result.explain or ()}
    cards = []
    for hit in result.results:
        shown, lies = _passage(hit, result, query), hit.namespace or namespace
        plain = listed_card(hit, lies, reach)
        cards.append(
            replace(
                plain,
                href=address(hit.id, plain.named, query),
                pieces=marked(shown, finder),
                is_inside=not hit.content.startswith(shown),
                is_cut=not hit.content.endswith(shown),
                score=hit.score,
                document=hit.document,
                why=why.get(hit.id),
            )
        )
    return cards


def _passage(hit: SearchHit, result: SearchResult, query: str) -> str:
    """Return the part of a content that is shown."""
    if len(hit.content) <= SHOWN:
        return hit.content
    by_words = result.mode == "keyword" or result.intent == "identifier"
    passage = best_chunk(hit.content, hit.passage, query, SHOWN, by_words=by_words)
    shown = around(passage, hit.content, query, SHOWN)
    start = hit.content.find(shown)
    begins_a_word = start == 0 or hit.content[start - 1].isspace()
    return shown if begins_a_word else shown[shown.find(" ", 0, LONGEST_WORD) + 1 :]


def _words(result: SearchResult, query: str) -> str:
    """Return the query with the stems that it was searched by, so that other endings are marked too."""
    told = (result.explain_query, result.explain_documents)
    terms = {term: weight for one in told if one is not None for term, weight in one.terms.items()}
    stems = (term for term, weight in terms.items() if weight >= TELLING and term.isalnum())
    return " ".join([query, *stems])


def marked(text: str, finder: WordFinder) -> list[MarkedText]:
    """Return a text with a query's words marked."""
    return list(_marked(text, finder.spans(text)))


def _marked(text: str, spans: Sequence[tuple[int, int]]) -> Iterator[MarkedText]:
    end = 0
    for start, stop in spans:
        if start > end:
            yield MarkedText(text[end:start], is_found=False)
        yield MarkedText(text[start:stop], is_found=True)
        end = stop
    if end < len(text):
        yield MarkedText(text[end:], is_found=False)
