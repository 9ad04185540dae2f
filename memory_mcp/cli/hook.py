"""`memory-mcp hook`, as far as somebody asks what it is: `__main__` runs it without the command line."""

from __future__ import annotations

import click

from memory_mcp.domain.hooks import HOOK_EVENTS, HookEvent
from memory_mcp.hooks.run import HookCall, run


@click.command()
@click.argument("event", type=click.Choice([event.value for event in HookEvent]))
@click.option(
    "--client",
    type=click.Choice(list(HOOK_EVENTS)),
    required=True,
    help="The client that runs it; it decides the form of the answer.",
)
@click.option("--namespace", metavar="NAME", help="The namespace; auto is the project's [MCP_MEMORY_NAMESPACE].")
def hook(*, event: str, client: str, namespace: str | None) -> int:
    """Tell a client's session what it should know; clients run this.

    session-start prints what is pinned, open tasks, decisions, facts and the last session; prompt-submit prints what
    fits the prompt. Both read the client's JSON on stdin, print one JSON object, or nothing when nothing fits, and
    exit with 0 whatever happens. `memory-mcp install --client NAME --hooks` sets them up.
    """
    return run(HookCall(HookEvent(event), client, namespace))
