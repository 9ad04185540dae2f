"""`memory-mcp backup` and `memory-mcp restore`."""

from __future__ import annotations

from pathlib import Path

import click

from memory_mcp.cli.session import as_json_option, say, with_services


@click.command()
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False), required=False)
@as_json_option
def backup(*, target: Path | None, as_json: bool) -> None:
    """Copy the store to TARGET, or into the folder of backups; nobody has to stop meanwhile."""
    path = with_services(lambda services: services.backups.take(target and target.absolute()))
    say(f"the backup is {path}", {"path": str(path)}, as_json=as_json)


@click.command()
@click.argument("source", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@as_json_option
def restore(*, source: Path, as_json: bool) -> None:
    """Put a backup in the store's place, for all clients at once; what was there is kept aside."""
    aside = with_services(lambda services: services.backups.restore(source.absolute()), writes=True)
    kept = f"; what was there is kept as {aside}" if aside else ""
    say(f"{source} is restored{kept}", {"kept": str(aside) if aside else None}, as_json=as_json)
