"""Input and output of commands when a terminal or pipe is not UTF-8."""

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


class InputFile(click.File):
    """A binary file; `-` is stdin."""

    def convert(
        self, value: str | os.PathLike[str] | IO[Any], param: click.Parameter | None, ctx: click.Context | None
    ) -> IO[Any]:
        """Open the file.

        Raises:
            click.ClickException: it is stdin, which is closed.
        """
        if value == "-" and sys.stdin is None:
            raise click.ClickException("stdin is closed; pipe the file into it or give a file name")
        return super().convert(value, param, ctx)


def show_all_characters() -> None:
    """Make stdout and stderr escape characters that their encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def use_utf8() -> None:
    """Switch stdout to UTF-8 whatever the locale: the output is for programs."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(
            encoding="utf-8", errors="backslashreplace"
        )  # undecodable bytes of a path stay JSON escapes


def print_json(text: str) -> None:
    """Print JSON text in UTF-8."""
    use_utf8()
    click.echo(text)


def print_data(data: object) -> None:
    """Print data as JSON, in UTF-8."""
    print_json(json.dumps(data, ensure_ascii=False))


def as_text(arguments: Sequence[str]) -> list[str]:
    """Decode the command line's arguments as UTF-8, whatever the locale.

    Raises:
        click.UsageError: one is not UTF-8.
    """
    return [_as_text(argument, before) for before, argument in zip(["", *arguments], arguments, strict=False)]


def _as_text(argument: str, before: str) -> str:
    """Decode an argument in which Python replaced undecodable bytes with lone surrogates."""
    try:
        return argument if is_text(argument) else os.fsencode(argument).decode()
    except UnicodeDecodeError:
        place = f"{before} " if before.startswith("-") else ""
        raise click.UsageError(f"{place}{cut(argument)!r} is not valid UTF-8; pass it as UTF-8") from None
