"""`memory-mcp serve`."""

from __future__ import annotations

import click

from memory_mcp import settings


@click.command()
def serve() -> None:
    """Serve one MCP client on stdin and stdout; this is what clients start."""
    loaded = settings.load()
    for sentence in settings.unknown_variables():
        click.echo(f"memory-mcp: {sentence}", err=True)
    from memory_mcp.server.run import serve_stdio  # noqa: PLC0415 - the SDK, for this command alone

    serve_stdio(loaded)
