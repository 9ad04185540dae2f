"""`memory-mcp config`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Final

import click
from embedder_api.described import Described

from memory_mcp import settings
from memory_mcp.cli import PROGRAM, WRONG_USAGE
from memory_mcp.cli.output import note, print_rows
from memory_mcp.cli.session import as_json_option

PATIENCE_S: Final = 10.0


@click.command()
@as_json_option
def config(*, as_json: bool) -> int:
    """Show every setting: its value, where that comes from, its unit and what it is.

    The daemon's are those that a daemon would have that is started from here; names that are no settings are reported.
    """
    ours, wrong = settings.described(), settings.unknown_in_file()
    daemons, strangers = _of_daemon()
    unknown = [*wrong, *settings.unknown_variables(), *strangers]
    if as_json:
        file = settings.config_file()
        data = {"file": str(file), "settings": _as_json(ours), "daemon": _as_json(daemons), "unknown": unknown}
        click.echo(json.dumps(data, ensure_ascii=False))
    else:
        print_rows(("setting", "value", "from", "unit", "what it is"), [_row(each) for each in (*ours, *daemons)])
        for sentence in unknown:
            note(f"{PROGRAM}: {sentence}")
    return WRONG_USAGE if wrong else 0


def _of_daemon() -> tuple[list[Described], list[str]]:
    """Ask the daemon's own code, in a process of its own, because the front never imports it; else say why not."""
    command = [sys.executable, "-P", "-m", "embedder_daemon.describe"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)  # noqa: S603 - ours
    except subprocess.TimeoutExpired:
        return [], [f"the daemon's settings were not told in {PATIENCE_S:g} s; try again"]
    if done.returncode:
        return [], [f"the daemon's settings: {done.stderr.strip()}"]
    told = json.loads(done.stdout)
    return [Described(**each) for each in told["settings"]], told["unknown"]


def _as_json(described: Sequence[Described]) -> list[Mapping[str, object]]:
    return [asdict(each) for each in described]


def _row(each: Described) -> tuple[str, ...]:
    return each.name, _shown(each.value), each.origin, each.unit, each.sentence


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)
