"""`memory-mcp audit`: who did what over HTTP."""

from __future__ import annotations

from datetime import datetime

import click
from pydantic import TypeAdapter

from memory_mcp.cli.session import administer, as_json_option
from memory_mcp.cli.streams import print_data
from memory_mcp.domain.audit import MAX_AUDIT_LINES, AuditFilters, AuditLine
from memory_mcp.domain.names import nfc
from memory_mcp.tools.services import Services

_MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])


@click.group()
def audit() -> None:
    """Show who did what over HTTP."""


@audit.command("list")
@click.option("--who", help="Of this caller alone, by name or id.")
@click.option("--request", help="Of this tool or method alone.")
@click.option("--kind", type=click.Choice(["read", "write", "bulk"]), help="Of this kind alone.")
@click.option("--id", "memory_id", help="About this memory or document alone.")
@click.option("--after", type=_MOMENT, help="From this time on, local.")
@click.option("--before", type=_MOMENT, help="From before this time, local.")
@click.option("--limit", type=click.IntRange(1, MAX_AUDIT_LINES), default=100, show_default=True, help="How many.")
@click.option("--older-than", type=click.IntRange(1), help="Those with a smaller number: the next page.")
@as_json_option
def list_(  # noqa: PLR0913 - its filters
    *,
    who: str | None,
    request: str | None,
    kind: str | None,
    memory_id: str | None,
    after: datetime | None,
    before: datetime | None,
    limit: int,
    older_than: int | None,
    as_json: bool,
) -> None:
    """List the newest lines of the audit, newest first."""
    filters = AuditFilters(_utc(after), _utc(before), _composed(who), request, kind, _composed(memory_id))

    async def work(services: Services) -> list[AuditLine]:
        return await services.audit.lines(filters, before=older_than, limit=limit)

    lines = administer("audit", work)
    if as_json:
        print_data({"lines": [_fields(line) for line in lines]})
        return
    for line in lines:
        click.echo(_told(line))


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone()


def _composed(text: str | None) -> str | None:
    return None if text is None else nfc(text)


def _fields(line: AuditLine) -> dict[str, object]:
    fields: dict[str, object] = TypeAdapter(AuditLine).dump_python(line, mode="json")
    return fields


def _told(line: AuditLine) -> str:
    who = f"{line.name} ({line.principal}{f' of {line.issuer}' if line.issuer else ''})"
    ids = f": {', '.join(line.ids)}" if line.ids else ""
    more = f" and {line.more} more" if line.more else ""
    what = f"{line.request} {line.outcome} in {line.namespace}"
    return f"{line.key}  {line.at.astimezone():%Y-%m-%d %H:%M:%S}  {who}  {what}{ids}{more}"
