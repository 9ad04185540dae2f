"""`memory-mcp config`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from memory_common.described import Described
from memory_mcp import settings
from memory_mcp.cli import PROGRAM, WRONG_USAGE
from memory_mcp.cli.output import note, print_rows
from memory_mcp.cli.session import as_json_option
from memory_mcp.cli.streams import print_data
from memory_mcp.domain.errors import EmbedderError
from memory_mcp.embedder.described import ReportedSettings, ask

PATIENCE_S: Final = 10.0


@click.command()
@as_json_option
def config(*, as_json: bool) -> int:
    """Show every setting with its value, origin, unit and meaning.

    The daemon's settings are those of a daemon started from here. Unknown names are reported.
    """
    ours, wrong = settings.described(), settings.unknown_in_file()
    daemons, file = _of_daemon(), str(settings.config_file())
    unknown = [*wrong, *settings.unknown_variables(), *daemons.wrong]
    if as_json:
        of_daemon = {"daemon_file": daemons.file or None, "daemon": _as_json(daemons.settings)}
        data = {"file": file, "settings": _as_json(ours), **of_daemon, "unknown": unknown}
        print_data(data)
    else:
        rows = [_row(each) for each in (*ours, *daemons.settings)]
        print_rows(("setting", "value", "from", "unit", "meaning"), rows)
        for program, its_file in (("settings", file), ("daemon's settings", daemons.file)):
            if its_file:
                note(f"reading the {program} from {its_file}{'' if Path(its_file).is_file() else ' (does not exist)'}")
        for sentence in unknown:
            note(f"{PROGRAM}: {sentence}")
    return WRONG_USAGE if wrong else 0


def _of_daemon() -> ReportedSettings:
    try:
        return ask(PATIENCE_S)
    except EmbedderError as error:
        return ReportedSettings("", [], [str(error)])


def _as_json(described: Sequence[Described]) -> list[Mapping[str, object]]:
    return [asdict(each) for each in described]


def _row(each: Described) -> tuple[str, ...]:
    return each.name, _shown(each.value), each.origin, each.unit, each.sentence


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)
