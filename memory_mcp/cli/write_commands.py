"""`memory-mcp store`, `update` and `delete`: the tools of the same names."""

from __future__ import annotations

import sys

import click

from memory_mcp.cli import DEGRADED, FAILED
from memory_mcp.cli.options import CONTENT, call, options_of
from memory_mcp.cli.output import note, print_json
from memory_mcp.cli.session import as_json_option
from memory_mcp.tools.base import Result
from memory_mcp.tools.delete import DELETE
from memory_mcp.tools.store import STORE, StoreResult
from memory_mcp.tools.update import UPDATE, UpdateResult


@click.command()
@click.argument("content", type=CONTENT)
@options_of(STORE, "content")
@as_json_option
def store(*, as_json: bool, **options: object) -> int:
    """Remember CONTENT (- is stdin)."""
    return _written(call(STORE, options), as_json=as_json)


@click.command()
@click.argument("id")
@options_of(UPDATE, "id")
@as_json_option
def update(*, as_json: bool, **options: object) -> int:
    """Change the memory ID; what it was stays readable."""
    return _written(call(UPDATE, options), as_json=as_json)


@click.command()
@click.argument("id", required=False)
@options_of(DELETE, "id")
@click.option("--yes", is_flag=True, help="Delete by filters without asking for confirmation.")
@as_json_option
def delete(*, yes: bool, as_json: bool, **options: object) -> int:
    """Delete the memory ID, or all that match the filters; `memory-mcp undelete` restores them for 30 days."""
    if options["id"] is None and not (options["dry_run"] or yes) and sys.stdin.isatty() and not _confirmed(options):
        note("nothing was deleted")
        return FAILED
    _show(call(DELETE, options), as_json=as_json)
    return 0


def _written(result: StoreResult | UpdateResult, *, as_json: bool) -> int:
    _show(result, as_json=as_json)
    return 0 if result.embedded else DEGRADED


def _show(result: Result, *, as_json: bool) -> None:
    if as_json:
        print_json(result)
    else:
        click.echo(result.text())


def _confirmed(options: dict[str, object]) -> bool:
    count = call(DELETE, {**options, "dry_run": True}).count
    return count == 0 or click.confirm(f"Delete {count} memories?", err=True)
