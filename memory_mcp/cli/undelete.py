"""`memory-mcp undelete`."""

from __future__ import annotations

import click

from memory_mcp import settings
from memory_mcp.application.request import Request
from memory_mcp.cli import DEGRADED
from memory_mcp.cli.session import answer, as_json_option, say
from memory_mcp.context.project import caller
from memory_mcp.domain.models import Memory
from memory_mcp.domain.names import nfc
from memory_mcp.tools.delete import DELETE
from memory_mcp.tools.services import Services


@click.command()
@click.argument("ids", nargs=-1, required=True)
@click.option("--namespace", help="The namespace to look in first [MCP_MEMORY_NAMESPACE].")
@as_json_option
def undelete(*, ids: tuple[str, ...], namespace: str | None, as_json: bool) -> int:
    """Bring back memories that were deleted in the last 30 days, by their IDS."""
    user = caller(settings.load(namespace=namespace).namespace)

    async def work(services: Services) -> list[Memory]:
        return [await services.memories.undelete(nfc(memory_id), user.reach) for memory_id in ids]

    memories = answer(
        lambda services: Request(user, "undelete", lambda: work(services), DELETE.scopes, "write"), writes=True
    )
    embedded = all(memory.embedded for memory in memories)
    say(
        f"restored: {', '.join(memory.id for memory in memories)}"
        + ("" if embedded else " (searchable by keywords only until they have vectors)"),
        {"ids": [memory.id for memory in memories], "embedded": embedded},
        as_json=as_json,
    )
    return 0 if embedded else DEGRADED
