"""What a search's result says of why it is what it is, if it was asked for."""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import asdict, replace
from itertools import accumulate

from pydantic import TypeAdapter

from memory_mcp.search.models import HitExplanation, QueryExplanation, SearchExplanation
from memory_mcp.tools.sizes import tokens


def made_of(query: QueryExplanation, documents: QueryExplanation | None) -> list[str]:
    """Say what was made of a query, a line for each step; for documents too, where others were searched as well."""
    return _steps(query) + [f"Documents: {line}" for line in (_steps(documents)[1:] if documents else ())]


def _steps(query: QueryExplanation) -> list[str]:
    asked = {"quoted": query.quoted, "names": query.names, "tags": query.tags, "times": query.times}
    wanted = [query.intent, *(f"{name} {', '.join(values)}" for name, values in asked.items() if values)]
    lines = [f"Query: {'; '.join(wanted)}; ranked by {query.mode}"]
    if query.phrasings:
        lines.append(f"Embedded: {' | '.join(query.phrasings)}")
    if query.terms:
        lines.append(f"Terms: {', '.join(f'{term} {weight:.2g}' for term, weight in query.terms.items())}")
    weights = f"Weight: semantic {query.weight:.2f}, keyword {1 - query.weight:.2f}"
    if query.tagged_weight is not None:
        weights += f"; among the tagged: semantic {query.tagged_weight:.2f}"
    if query.floor:
        weights += f"; a semantic score of {query.floor:.2f} counts as 0"
    if query.prominence is not None:
        weights += f"; the best passage stands out by {query.prominence:.1f} standard deviations"
    if query.known is not None:
        weights += f"; {query.known:.0%} of the words are known"
    return [*lines, weights, query.fit[:1].upper() + query.fit[1:]]


def sentence(hit: HitExplanation) -> str:
    """Say in one line what made a hit's score."""
    kinds = []
    if hit.semantic is not None:
        beside = "" if hit.context is None else f", in context {hit.context:.2f}"
        kinds.append(f"semantic {hit.semantic:.2f} (cosine {hit.cosine:.2f}{beside})")
    if hit.keyword is not None:
        kinds.append(f"keyword {hit.keyword:.2f} (own words {hit.own:.2f}, neighbours {hit.neighbours:.2f})")
    shifts = {"time": hit.time, "length": hit.length, "turn": hit.turn, "tags": hit.tag_lift}
    moved = "".join(f", {name} {value:+.2f}" for name, value in shifts.items() if value)
    age = f", age {hit.age_shift:+d} places" if hit.age_shift else ""
    return f"fused {hit.fused:.2f} of {' and '.join(kinds) or 'nothing but its tags'}{moved}{age}"


Explained = tuple[QueryExplanation | None, QueryExplanation | None, list[HitExplanation] | None, int]
"""What is said of the query, for documents too, of the first hits, and the tokens that it costs."""


def explained(explanation: SearchExplanation | None, most: int | None) -> Explained:
    """Return what can be said in at most so many tokens."""
    if explanation is None:
        return None, None, None, 0
    rounded = _to_four_digits(asdict(explanation))
    made = TypeAdapter(SearchExplanation).validate_python(rounded)
    about, documents, hits = made.query, made.documents, list(made.hits)
    if most is None:
        return about, documents, hits, 0
    shorter = _within(about, most // 2)
    beside = None if documents is None else _within(documents, most // 4)
    costs = list(accumulate(map(_cost, hits), initial=sum(_cost(each) for each in (shorter, beside) if each)))
    kept = bisect_right(costs, most) - 1
    return shorter, beside, hits[:kept], costs[kept]


def _within(about: QueryExplanation, most: int) -> QueryExplanation | None:
    """Return what was made of a query, without its longest members where it costs more tokens than that."""
    brief_ones = (
        about,
        replace(about, phrasings=()),
        replace(about, phrasings=(), terms={}),
        replace(about, phrasings=(), terms={}, quoted=(), names=(), tags=(), times=()),
    )
    return next((one for one in brief_ones if _cost(one) <= most), None)


def _cost(explained: HitExplanation | QueryExplanation) -> int:
    return tokens(json.dumps(asdict(explained), ensure_ascii=False))


def _to_four_digits(value: object) -> object:
    match value:
        case float():
            return round(value, 4)
        case dict():
            return {name: _to_four_digits(each) for name, each in value.items()}
        case list() | tuple():
            return [_to_four_digits(each) for each in value]
        case _:
            return value
