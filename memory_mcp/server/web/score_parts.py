"""Why a hit has its score, as a bar shows it: what each step added to it, or took from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from memory_mcp.search.models import HitExplanation, QueryExplanation
from memory_mcp.tools.search import SearchResult

LEAST: Final = 0.005
"""What would be shown as 0.00 is left out."""


@dataclass(frozen=True, slots=True)
class ScorePart:
    """What one step contributed."""

    name: str
    """In the catalogue: search.part.NAME."""
    value: float
    """Below 0 where it took something."""
    share: float
    """Of the bar, 0-1; 0 where it took something."""


class _Weights(NamedTuple):
    """How both kinds of score were joined."""

    semantic: float
    floor: float


def score_parts(hit: HitExplanation, result: SearchResult) -> list[ScorePart]:
    """Return the parts of a hit's score, whose sum is the score but for rounding."""
    weight = min(_weights(result), key=lambda one: abs(_fused(hit, one) - hit.fused))
    values = {
        "meaning": weight.semantic * _above(hit.semantic, weight.floor),
        "words": (1 - weight.semantic) * (hit.own or 0.0),
        "neighbours": (1 - weight.semantic) * (hit.neighbours or 0.0),
        "time": hit.time,
        "turn": hit.turn,
        "tags": hit.tag_lift,
        "length": hit.length,
    }
    shown = {name: value for name, value in values.items() if abs(value) >= LEAST}
    whole = max(1.0, sum(value for value in shown.values() if value > 0))
    return [ScorePart(name, value, max(0.0, value) / whole) for name, value in shown.items()]


def _weights(result: SearchResult) -> list[_Weights]:
    """Return how the parts of a search may have joined their scores; a hit is of one of them."""
    told = [query for query in (result.explain_query, result.explain_documents) if query is not None]
    return [weights for query in told for weights in _of_query(query)] or [_Weights(0.5, 0.0)]


def _of_query(query: QueryExplanation) -> list[_Weights]:
    alone = {"semantic": 1.0, "keyword": 0.0}.get(query.mode, query.weight)
    found = [_Weights(alone, query.floor)]
    return found if query.tagged_weight is None else [*found, _Weights(query.tagged_weight, query.floor)]


def _above(semantic: float | None, floor: float) -> float:
    return 0.0 if semantic is None else max(0.0, semantic - floor) / (1 - floor)


def _fused(hit: HitExplanation, weight: _Weights) -> float:
    return weight.semantic * _above(hit.semantic, weight.floor) + (1 - weight.semantic) * (hit.keyword or 0.0)
