"""What commands are given and what they print, where a terminal or a pipe is not of UTF-8."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Sequence
from typing import IO, Any

import click

from memory_common.utf8 import is_text
from memory_mcp.domain.errors import cut


class Source(click.File):
    """A file of bytes, or stdin for `-`."""

    def convert(
        self, value: str | os.PathLike[str] | IO[Any], param: click.Parameter | None, ctx: click.Context | None
    ) -> IO[Any]:
        """Return the file, opened.

        Raises:
            click.ClickException: stdin is meant, and closed.
        """
        if value == "-" and sys.stdin is None:
            raise click.ClickException("stdin is closed; pipe the file into it or give a file name")
        return super().convert(value, param, ctx)


def show_all_characters() -> None:
    """Let stdout and stderr write what their encoding lacks as an escape, where Python would end in an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def use_utf8() -> None:
    """Let stdout write UTF-8 from now on, whatever the locale says: what follows is for programs."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")  # a path's bad bytes stay an escape of JSON


def print_json(text: str) -> None:
    """Print JSON, in UTF-8."""
    use_utf8()
    click.echo(text)


def print_data(data: object) -> None:
    """Print data as JSON, in UTF-8."""
    print_json(json.dumps(data, ensure_ascii=False))


def as_text(arguments: Sequence[str]) -> list[str]:
    """Return the command line's arguments as text, UTF-8 also where the locale is another.

    Raises:
        click.UsageError: one is not UTF-8.
    """
    return [_as_text(argument, before) for before, argument in zip(["", *arguments], arguments, strict=False)]


def _as_text(argument: str, before: str) -> str:
    """Return an argument, whose bytes Python has put into lone surrogates where it could not read them."""
    try:
        return argument if is_text(argument) else os.fsencode(argument).decode()
    except UnicodeDecodeError:
        place = f"{before} " if before.startswith("-") else ""
        raise click.UsageError(f"{place}{cut(argument)!r} is not valid UTF-8; pass it as UTF-8") from None
