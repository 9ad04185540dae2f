"""`memory-mcp backup` and `memory-mcp restore`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import click

from memory_mcp.application.export_format import HEADERS
from memory_mcp.cli.session import administer, as_json_option, say
from memory_mcp.tools.services import Services

_HEADERS: Final = tuple(map(json.dumps, HEADERS))


@click.command()
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False), required=False)
@as_json_option
def backup(*, target: Path | None, as_json: bool) -> None:
    """Copy the store to TARGET, or into the backup folder, while clients keep working."""
    wanted = target and target.absolute()

    async def work(services: Services) -> tuple[Path, str]:
        return await services.backups.take(wanted), await services.backups.are_exports()

    path, why = administer("backup", work)
    exported = f"{why}, so this is an export without vectors: {path}; `memory-mcp import {path}` reads it"
    say(exported if why else f"backed up to {path}", {"path": str(path), "exported_because": why}, as_json=as_json)


@click.command()
@click.argument("source", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@as_json_option
def restore(*, source: Path, as_json: bool) -> None:
    """Replace the store with a backup, for all clients at once; the old store is kept."""
    if _is_export(source):
        raise click.UsageError(f"{source} is an export, not a backup; `memory-mcp import {source}` reads it")
    aside = administer("restore", lambda services: services.backups.restore(source.absolute()), writes=True)
    kept = f"; the previous version is kept as {aside}" if aside else ""
    say(f"restored {source}{kept}", {"kept": str(aside) if aside else None}, as_json=as_json)


def _is_export(source: Path) -> bool:
    try:
        with source.open(encoding="utf-8-sig", errors="replace") as file:
            return file.readline(max(map(len, _HEADERS))).startswith(_HEADERS)
    except OSError:
        return False  # the store reports what is wrong with it
