"""What both stores share of the audit's rows."""

from __future__ import annotations

import json
from typing import Final, cast

from memory_mcp.domain.audit import AuditFilters, AuditLine
from memory_mcp.storage.rows import from_micros, to_json, to_micros

WRITTEN: Final = "at, principal, name, issuer, request, kind, outcome, ids, more, namespace"
PURGED_AT_ONCE: Final = 1_000
"""Rows deleted in one transaction; other writers wait for it."""
_AuditRow = tuple[int, int, str, str, str, str, str, str, str, int, str]


def to_row(line: AuditLine) -> tuple[object, ...]:
    """Return the values of the columns `WRITTEN`."""
    who = (storable(line.principal), storable(line.name), line.issuer)
    ids = to_json([storable(each) for each in line.ids])
    return to_micros(line.at), *who, line.request, line.kind, line.outcome, ids, line.more, storable(line.namespace)


def storable(text: str) -> str:
    """Replace what PostgreSQL keeps in no text: callers name anything, such as an id that was then refused."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


def to_line(row: tuple[object, ...]) -> AuditLine:
    """Convert a row of the key and the columns `WRITTEN`."""
    key, at, principal, name, issuer, request, kind, outcome, ids, more, namespace = cast("_AuditRow", row)
    who = {"principal": principal, "name": name, "issuer": issuer, "namespace": namespace}
    kept = tuple(cast("list[str]", json.loads(ids)))
    return AuditLine(from_micros(at), **who, request=request, kind=kind, outcome=outcome, ids=kept, more=more, key=key)


def conditions(filters: AuditFilters, before: int | None, holds_id: str) -> tuple[str, dict[str, object]]:
    """Return the condition for the wanted rows, with named parameters.

    Args:
        filters: say which.
        before: the key above them; None for the newest.
        holds_id: SQL that looks for the parameter `memory_id` in the column `ids`.
    """
    moments = {"after": filters.after, "until": filters.before}
    given: dict[str, object] = {name: to_micros(moment) for name, moment in moments.items() if moment}
    given |= {name: getattr(filters, name) for name in ("principal", "request", "kind", "memory_id")}
    given["key"] = before
    tests = {
        "after": "at >= {after}",
        "until": "at < {until}",
        "principal": "(principal = {principal} OR name = {principal})",
        "request": "request = {request}",
        "kind": "kind = {kind}",
        "memory_id": holds_id,
        "key": "key < {key}",
    }
    wanted = {name: value for name, value in given.items() if value is not None}
    return " AND ".join(tests[name] for name in wanted) or "true", wanted
