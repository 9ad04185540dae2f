"""`memory-mcp context`: the tool memory_context."""

from __future__ import annotations

import click

from memory_mcp.cli import DEGRADED
from memory_mcp.cli.options import call, options_of
from memory_mcp.cli.output import clean, note, print_json, print_long
from memory_mcp.cli.session import as_json_option
from memory_mcp.tools.context import CONTEXT, NOTHING


@click.command()
@click.argument("query", nargs=-1)
@options_of(CONTEXT, "query")
@as_json_option
def context(*, query: tuple[str, ...], as_json: bool, **options: object) -> int:
    """Print a block of notes for a model.

    With QUERY, the best evidence; without it, what to know at the start of a session: what is tagged `pinned`, tasks
    that are not done, decisions and facts, and the last session.
    """
    result = call(CONTEXT, {"query": " ".join(query), **options})
    if as_json:
        print_json(result)
    else:
        print_block(result.text_)
        for remark in result.remarks():
            note(remark)
    return DEGRADED if result.degraded else 0


def print_block(text: str) -> None:
    """Print the block; that there is none is no data."""
    if text:
        print_long(clean(text))
    else:
        note(NOTHING)
