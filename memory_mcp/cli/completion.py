"""`memory-mcp completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from memory_mcp.cli import COMPLETE_VARIABLE, PROGRAM, commands

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(*, shell: str) -> None:
    """Print the script that completes commands, options, tags and namespaces in SHELL.

    \b
    bash:  eval "$(memory-mcp completion bash)"    # in ~/.bashrc
    zsh:   eval "$(memory-mcp completion zsh)"     # in ~/.zshrc
    fish:  memory-mcp completion fish > ~/.config/fish/completions/memory-mcp.fish
    """  # noqa: D301 - click does not rewrap a paragraph marked \b
    maker = get_completion_class(shell)
    assert maker is not None  # noqa: S101 - click supports all three shells
    click.echo(maker(commands, {}, PROGRAM, COMPLETE_VARIABLE).source())
