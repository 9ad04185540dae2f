"""What the fake store searches with: filters and cosines, in plain Python."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from operator import ge as gte
from operator import gt, lt
from operator import le as lte

from embedder_api.v1 import wire

from memory_mcp.domain.comparisons import Comparison, comparisons
from memory_mcp.domain.models import DOCUMENT, Chunk, Filters, Match, Memory
from memory_mcp.domain.names import folded


def fits(memory: Memory, filters: Filters) -> bool:
    """Say whether a memory is what the filters ask for."""
    wanted, held = set(map(folded, filters.tags)), set(map(folded, memory.tags))
    tagged = not wanted or (wanted <= held if filters.tag_match == "all" else bool(wanted & held))
    begun = filters.after is None or memory.created_at >= filters.after
    ended = filters.before is not None and memory.created_at >= filters.before
    return (
        tagged
        and begun
        and not ended
        and memory.namespace == filters.namespace
        and filters.type in {None, memory.type}
        and filters.documents in {None, memory.type == DOCUMENT}
        and filters.conversation_id in {None, memory.conversation_id}
        and _holds(memory.metadata, filters.metadata)
    )


def _holds(held: Mapping[str, object], wanted: Mapping[str, object]) -> bool:
    return all(_meets(held, name, asked) for name, value in wanted.items() for asked in comparisons(name, value))


def _meets(held: Mapping[str, object], name: str, asked: Comparison) -> bool:
    operands = [_comparable(operand) for operand in asked.operands]
    equal = name in held and _comparable(held[name]) in operands
    if asked.operator in {"in", "ne"}:
        return equal == (asked.operator == "in")
    return name in held and _in_range(held[name], asked.operator, asked.operands[0])


def _in_range(value: object, operator: str, bound: object) -> bool:
    compare = {"gte": gte, "gt": gt, "lte": lte, "lt": lt}[operator]
    if isinstance(value, str) and isinstance(bound, str):
        return bool(compare(value, bound))
    if isinstance(value, bool) or not isinstance(value, int | float) or not isinstance(bound, int | float):
        return False
    return bool(compare(value, bound))


def _comparable(value: object) -> object:
    """Make values equal where JSON has them equal: 1 and 1.0, but not 1 and true."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number else json.dumps(value, sort_keys=True)


def best_passages(vector: bytes, parts: Mapping[int, Sequence[Chunk]]) -> list[Match]:
    """Return each memory's best passage, the best first; `parts` are all passages by the memory's key."""
    query = wire.unpack(vector)
    scored = [
        (_cosine(query, wire.unpack(passage.vector)), key, (passage.start, passage.end) if len(of) > 1 else None)
        for key, of in parts.items()
        for passage in of
        if passage.vector is not None
    ]
    best: dict[int, Match] = {}
    for score, key, span in sorted(scored, key=lambda entry: -entry[0]):
        best.setdefault(key, Match(key, max(0.0, min(1.0, score)), span))
    return list(best.values())


def cosine_to(vector: bytes, other: bytes) -> float:
    """Return the cosine of two vectors."""
    return _cosine(wire.unpack(vector), wire.unpack(other))


def cosine_among(
    vector: bytes, own: Sequence[Chunk], sides: Sequence[Sequence[Sequence[Chunk]]], shares: Sequence[float]
) -> float:
    """Return the cosine to the nearest of a memory's passages joined with the first one of each neighbour."""
    parts = [(1.0, max((p.vector for p in own if p.vector), key=lambda one: cosine_to(vector, one)))]
    for side in sides:
        for weight, passages in zip(shares, side, strict=False):
            ordered = sorted(passages, key=lambda passage: passage.start)
            parts += [(weight, passage.vector) for passage in ordered if passage.vector][:1]
    rows = [[weight * number for number in wire.unpack(row)] for weight, row in parts]
    return _cosine(wire.unpack(vector), [sum(column) for column in zip(*rows, strict=True)])


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True)) / (math.hypot(*one) * math.hypot(*other))
