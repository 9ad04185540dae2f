"""What a terminal shows of an installation: the step that runs, its latest line, and how long each step took."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from memory_mcp.provision.process import Hear
from memory_mcp.provision.progress import InstallProgress, Lines


def progress() -> InstallProgress:
    """Return what fits stdout."""
    return Terminal() if sys.stdout.isatty() else Lines(click.echo)


class Terminal:
    """Shows a step while it runs, and one line for each that is done."""

    def say(self, sentence: str) -> None:
        """Write a sentence."""
        click.echo(sentence)

    @contextmanager
    def step(self, title: str) -> Iterator[Hear]:
        """Show the title, the step's latest line and the seconds; then the title and how long it took."""
        from rich.console import Console  # noqa: PLC0415 - for terminals alone
        from rich.text import Text  # noqa: PLC0415 - likewise

        console, began = Console(), time.monotonic()

        def shown(line: str) -> Text:
            text = Text(f"{title}  {time.monotonic() - began:.0f} s  ")
            text.append(line, style="dim")
            text.truncate(console.width - 4, overflow="ellipsis")
            return text

        ending = "failed"
        try:
            with console.status(shown("")) as status:
                yield lambda line: status.update(shown(line))
            ending = f"{time.monotonic() - began:.0f} s"
        finally:
            click.echo(f"{title} ({ending})")
