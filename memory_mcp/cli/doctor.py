"""`memory-mcp doctor`."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from memory_mcp import settings
from memory_mcp.app import examine_machine
from memory_mcp.cli.session import CODES, as_json_option
from memory_mcp.cli.streams import print_data
from memory_mcp.domain.errors import SettingsError
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.machine_checks import DoctorOptions
from memory_mcp.settings import Settings

SECONDS: Final = 1.0
"""Maximum time of one check. Checks that wait for another take up to twice that; starting takes 0.4 s."""
WHOLE_S: Final = 86_400.0
COLOURS: Final = {
    Condition.OK: "green",
    Condition.DEGRADED: "yellow",
    Condition.FAILED: "red",
    Condition.SKIPPED: "bright_black",
}
WIDTH: Final = max(map(len, Condition))


@click.command()
@click.option(
    "--seconds",
    type=click.FloatRange(0.1, 60),
    default=SECONDS,
    show_default=True,
    help="Maximum time for each check.",
)
@click.option("--whole", is_flag=True, help="Verify the whole store, however long it takes.")
@click.option(
    "--venv",
    type=click.Path(path_type=Path),
    help="The daemon's environment [from the checkout, else the data folder].",
)
@as_json_option
def doctor(*, seconds: float, whole: bool, venv: Path | None, as_json: bool) -> int:
    """Check every part, and say what is wrong and what fixes it.

    Changes nothing. Exit codes: 0 all is well, 3 something is degraded, 1 something failed.
    """
    options = DoctorOptions(venv, WHOLE_S if whole else None)
    report = asyncio.run(examine_machine(_settings(), options, seconds))
    if as_json:
        checks = {name: asdict(finding) for name, finding in report.parts.items()}
        print_data({"status": report.status, "checks": checks})
    else:
        width = max(map(len, report.parts))
        for name, finding in report.parts.items():
            click.echo(_line(name.ljust(width), finding))
    return CODES[report.status]


def _settings() -> Settings | None:
    """Return the settings; None if they are invalid, which their own check reports."""
    try:
        return settings.load()
    except SettingsError:
        return None


def _line(name: str, finding: Finding) -> str:
    sign = click.style(finding.condition.ljust(WIDTH), fg=COLOURS[finding.condition])
    fix = f" -> {click.style(_plain(finding.fix), bold=True)}" if finding.fix else ""
    return f"{sign} {name}  {_plain(finding.cause or finding.detail)}{fix}"


def _plain(text: str) -> str:
    """Join a text into one line; paths and other programs' messages may have several."""
    return " ".join(text.split())
