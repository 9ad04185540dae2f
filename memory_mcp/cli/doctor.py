"""`memory-mcp doctor`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from memory_mcp import settings
from memory_mcp.checks import checks_without_settings, make_checks
from memory_mcp.cli.session import CODES, as_json_option
from memory_mcp.cli.streams import print_data
from memory_mcp.domain.checks import Seen
from memory_mcp.domain.errors import SettingsError
from memory_mcp.embedder.client import GrpcEmbedder
from memory_mcp.health import checkup
from memory_mcp.provision.checks import place
from memory_mcp.provision.versions import Versions

SECONDS: Final = 1.0
"""That one check may take; with those that wait for another, it is twice that, and 0.4 s for the start."""
WHOLE_S: Final = 86_400.0
SKIPPED: Final = "skipped"
COLOURS: Final = {"ok": "green", "degraded": "yellow", "failed": "red", SKIPPED: "bright_black"}


@click.command()
@click.option(
    "--seconds",
    type=click.FloatRange(0.1, 60),
    default=SECONDS,
    show_default=True,
    help="How long each check may take.",
)
@click.option("--whole", is_flag=True, help="Verify the whole store, however long that takes.")
@click.option(
    "--venv", type=click.Path(path_type=Path), help="The daemon's environment [the checkout's, else the data folder's]."
)
@as_json_option
def doctor(*, seconds: float, whole: bool, venv: Path | None, as_json: bool) -> int:
    """Look at every part; say what is wrong and what fixes it.

    Nothing is changed. The exit code is 0 when all is well, 3 when something is degraded, 1 when something failed.
    """
    environment = Versions(place(venv and venv.absolute()))
    seen = asyncio.run(_examine(environment, seconds, WHOLE_S if whole else None))
    worst = checkup.status(seen)
    if as_json:
        checks = {name: _fields(each) for name, each in seen.items()}
        print_data({"status": worst, "checks": checks})
    else:
        width = max(map(len, seen))
        for name, each in seen.items():
            click.echo(_line(name.ljust(width), each))
    return CODES[worst]


async def _examine(environment: Versions, seconds: float, verify_s: float | None) -> Mapping[str, Seen]:
    try:
        config = settings.load()
    except SettingsError:  # the check of the settings tells it
        return await checkup.examine(checks_without_settings(environment), seconds)
    client = GrpcEmbedder(config.embedder_address)
    try:
        return await checkup.examine(make_checks(config, client, environment, verify_s), seconds)
    finally:
        await client.close()


def _fields(seen: Seen) -> dict[str, str]:
    if isinstance(seen, str):
        return {"condition": SKIPPED, "state": "", "cause": "", "fix": "", "detail": seen}
    return asdict(seen)


def _line(name: str, seen: Seen) -> str:
    told = _fields(seen)
    sign = click.style(told["condition"].ljust(len(SKIPPED) + 1), fg=COLOURS[told["condition"]])
    fix = f" -> {click.style(_plain(told['fix']), bold=True)}" if told["fix"] else ""
    return f"{sign} {name}  {_plain(told['cause'] or told['detail'])}{fix}"


def _plain(text: str) -> str:
    """Make one line, whatever a path or another program's message holds."""
    return " ".join(text.split())
