"""Progress of an installation on a terminal: the current step, its latest line, and the time of each step."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from memory_mcp.provision.process import Hear
from memory_mcp.provision.progress import InstallProgress, Lines


def progress() -> InstallProgress:
    """Return the kind of progress that suits stdout."""
    return Terminal() if sys.stdout.isatty() else Lines(click.echo)


class Terminal:
    """Shows the current step, and one line for each finished step."""

    def say(self, sentence: str) -> None:
        """Print a sentence."""
        click.echo(sentence)

    @contextmanager
    def step(self, title: str) -> Iterator[Hear]:
        """Show the title, the latest line and the elapsed seconds; at the end the title and the total."""
        from rich.console import Console  # noqa: PLC0415 - needed only on a terminal
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
