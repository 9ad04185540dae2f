"""How commands print: tables, colour, a pager and relative dates on a terminal, plain lines elsewhere, or JSON."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from io import StringIO
from typing import TYPE_CHECKING, Final

import click

from memory_mcp.cli import streams
from memory_mcp.domain.localtime import local

if TYPE_CHECKING:
    from pydantic import BaseModel

CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Control characters: a memory must not control the terminal."""

UNITS: Final = (("year", 31_557_600), ("month", 2_629_800), ("day", 86_400), ("hour", 3_600), ("minute", 60))
"""Length of each unit in seconds."""


def on_terminal() -> bool:
    """Return whether stdout is a terminal."""
    return sys.stdout.isatty()


def print_json(result: BaseModel) -> None:
    """Print a tool's structured result as JSON: what MCP clients get, but unbounded."""
    streams.print_json(result.model_dump_json(by_alias=True))


def note(sentence: str) -> None:
    """Print a remark on stderr, so that stdout has only data."""
    click.echo(sentence, err=True)


def count_up(done: int, total: int | None = None, *, what: str = "memories") -> None:
    """Show a counter on one line of a terminal; print nothing elsewhere."""
    if sys.stderr.isatty():
        click.echo(f"\r{done}{f' of {total}' if total else ''} {what}", nl=done == total, err=True)


def counted(count: int, one: str, many: str) -> str:
    """Return a number with its word."""
    return f"{count:,} {one if count == 1 else many}"


def when(moment: datetime) -> str:
    """Return a time: relative on a terminal, else in ISO 8601."""
    return ago(moment, datetime.now(UTC)) if on_terminal() else moment.isoformat(timespec="seconds")


def ago(moment: datetime, now: datetime) -> str:
    """Return how long ago a time was, in its largest unit; a future time in local time."""
    seconds = (now - moment).total_seconds()
    if seconds < 0:
        return local(moment)
    for unit, length in UNITS:
        if count := int(seconds // length):
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "just now"


def clean(text: str) -> str:
    """Replace control characters if stdout is a terminal."""
    return CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text) if on_terminal() else text


def bold(text: str) -> str:
    """Return the text in bold if stdout is a terminal."""
    return click.style(text, bold=True) if on_terminal() else text


def print_rows(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on a terminal, else tab-separated lines; the first column is never cut."""
    if on_terminal():
        print_long(_table(headers, rows) if rows else "")
        return
    for row in rows:
        click.echo("\t".join(" ".join(cell.split()) for cell in row), color=True)  # else click strips escapes


def print_long(text: str) -> None:
    """Print a text; on a terminal, long ones go through the user's pager."""
    if on_terminal() and text.count("\n") >= shutil.get_terminal_size().lines:
        click.echo_via_pager(text, color=True)
    elif text:
        click.echo(text, nl=not text.endswith("\n"), color=True)


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    from rich.console import Console  # noqa: PLC0415 - 40 ms, needed only on a terminal
    from rich.table import Table  # noqa: PLC0415 - likewise
    from rich.text import Text  # noqa: PLC0415 - likewise

    table = Table(box=None, header_style="bold", pad_edge=False)
    for header in headers:
        table.add_column(header, overflow="fold", no_wrap=header == headers[0])
    for row in rows:
        table.add_row(*(Text(clean(cell)) for cell in row))  # Text does not interpret markup
    written = StringIO()
    Console(file=written, force_terminal=True, width=shutil.get_terminal_size().columns).print(table)
    return written.getvalue()
