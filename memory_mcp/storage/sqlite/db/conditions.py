"""Converts filters to SQL conditions on `memories AS m`; values are always parameters."""

from __future__ import annotations

from typing import Final

import apsw

from memory_mcp.domain.comparisons import Comparison, comparisons
from memory_mcp.domain.models import Filters
from memory_mcp.domain.names import folded
from memory_mcp.storage.rows import to_json
from memory_mcp.storage.where import WhereClause, of_filters

_SIGNS: Final = {"gte": ">=", "gt": ">", "lte": "<=", "lt": "<"}


def condition(filters: Filters) -> WhereClause[apsw.SQLiteValue]:
    """Return the condition for live memories that match the filters.

    Raises:
        InvalidArgumentError: a filter on metadata is invalid.
    """
    where: WhereClause[apsw.SQLiteValue] = WhereClause()
    for part, values in of_filters(filters):
        where.add(part, *values)
    _add_tags(where, filters)
    for name, wanted in filters.metadata.items():
        for comparison in comparisons(name, wanted):
            _add_metadata(where, name, comparison)
    return where


def _add_tags(where: WhereClause[apsw.SQLiteValue], filters: Filters) -> None:
    if not filters.tags:
        return
    wanted = sorted(set(map(folded, filters.tags)))
    needed = len(wanted) if filters.tag_match == "all" else 1
    where.add(
        """m.key IN (SELECT key FROM tags WHERE folded IN (SELECT value FROM json_each(?))
                     GROUP BY key HAVING count(*) >= ?)""",
        to_json(wanted),
        needed,
    )


def _add_metadata(where: WhereClause[apsw.SQLiteValue], name: str, comparison: Comparison) -> None:
    """Compare a top-level member with values of the same JSON type (integers and reals are one type).

    SQLite reads a stored integer of more than 64 bits as the nearest real, which must not equal any requested integer.
    """
    sign = _SIGNS.get(comparison.operator, "IS")
    negation = "NOT " if comparison.operator == "ne" else ""
    where.add(
        f"""{negation}EXISTS (
          SELECT 1 FROM json_each(m.metadata) AS held, json_each(?) AS wanted
          WHERE held.key = ? AND held.value {sign} wanted.value
            AND replace(held.type, 'real', 'integer') = replace(wanted.type, 'real', 'integer')
            AND NOT ('{sign}' = 'IS' AND held.type || typeof(held.value) || wanted.type = 'integerrealinteger'))""",  # noqa: S608 - our signs
        to_json(comparison.operands),
        name,
    )
