"""Converts filters to SQL conditions on `memories AS m`; values are always parameters."""

from __future__ import annotations

from typing import Final

from memory_mcp.domain.comparisons import Comparison, comparisons
from memory_mcp.domain.models import Filters
from memory_mcp.domain.names import folded
from memory_mcp.storage.rows import to_json
from memory_mcp.storage.where import WhereClause, of_filters

_SIGNS: Final = {"gte": ">=", "gt": ">", "lte": "<=", "lt": "<"}


def condition(filters: Filters) -> WhereClause[object]:
    """Return the condition for live memories that match the filters.

    Raises:
        InvalidArgumentError: a filter on metadata is invalid.
    """
    where: WhereClause[object] = WhereClause()
    for part, values in of_filters(filters):
        where.add(part.replace("?", "%s"), *values)
    _add_tags(where, filters)
    for name, wanted in filters.metadata.items():
        for comparison in comparisons(name, wanted):
            _add_metadata(where, name, comparison)
    return where


def _add_tags(where: WhereClause[object], filters: Filters) -> None:
    if not filters.tags:
        return
    wanted = sorted(set(map(folded, filters.tags)))
    needed = len(wanted) if filters.tag_match == "all" else 1
    where.add(
        """m.key IN (SELECT t.key FROM tags AS t WHERE t.namespace = %s AND t.folded = ANY(%s)
                     GROUP BY t.key HAVING count(*) >= %s)""",
        filters.namespace,
        wanted,
        needed,
    )


def _add_metadata(where: WhereClause[object], name: str, comparison: Comparison) -> None:
    """Compare a top-level member with values of the same JSON type; numbers compare exactly."""
    if comparison.operator == "in":
        where.add("m.members -> %s = ANY(%s::jsonb[])", name, [to_json(value) for value in comparison.operands])
        return
    [operand] = comparison.operands
    if comparison.operator == "ne":
        where.add("(m.members -> %s = %s::jsonb) IS NOT TRUE", name, to_json(operand))
        return
    sign = _SIGNS[comparison.operator]
    kind, value = (
        ("string", '(m.members ->> %s) COLLATE "C"')
        if isinstance(operand, str)
        else (
            "number",
            "(m.members ->> %s)::numeric",
        )
    )
    bound = "%s" if isinstance(operand, str) else "%s::numeric"
    where.add(
        f"CASE jsonb_typeof(m.members -> %s) WHEN '{kind}' THEN {value} {sign} {bound} ELSE false END",
        name,
        name,
        operand if isinstance(operand, str) else to_json(operand),
    )
