"""The command line; a command's module is imported when the command runs, not before."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any, Final

import click
from click.exceptions import NoArgsIsHelpError
from embedder_api import __version__

from memory_mcp.domain.errors import MemoryMcpError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

PROGRAM: Final = "memory-mcp"
FAILED: Final = 1
WRONG_USAGE: Final = 2
DEGRADED: Final = 3
INTERRUPTED: Final = 130

COMMANDS: Final = {
    "backup": "memory_mcp.cli.copies:backup",
    "export": "memory_mcp.cli.transfer:export",
    "import": "memory_mcp.cli.transfer:import_",
    "reembed": "memory_mcp.cli.reembed:reembed",
    "restore": "memory_mcp.cli.copies:restore",
    "status": "memory_mcp.cli.status:status",
    "token": "memory_mcp.cli.token:token",
    "undelete": "memory_mcp.cli.undelete:undelete",
    "serve": "memory_mcp.cli.serve:serve",
    "daemon": "memory_mcp.cli.daemon:daemon",
}
"""Each command's place, `module:attribute`."""


class LazyGroup(click.Group):
    """A group whose commands are named by their place and imported on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands."""
        return sorted({*super().list_commands(ctx), *COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name=PROGRAM)
@click.option("--debug", is_flag=True, help="Show a traceback when something fails.")
def commands(*, debug: bool) -> None:
    """Long-term memory for AI assistants over MCP."""
    if not debug:
        sys.excepthook = _one_line


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0 done, 1 failed, 2 wrong usage, 3 degraded."""
    try:
        code: Any = commands.main(arguments, prog_name=PROGRAM, standalone_mode=False)
    except NoArgsIsHelpError as error:
        error.show()
        return WRONG_USAGE
    except click.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        _complain(error.format_message())
        return error.exit_code
    except MemoryMcpError as error:
        if sys.excepthook is not _one_line:  # --debug
            raise
        _complain(str(error))
        return WRONG_USAGE if isinstance(error, SettingsError) else FAILED
    return code if isinstance(code, int) else 0


def _complain(message: str) -> None:
    click.echo(f"{PROGRAM}: {' '.join(message.split())}", err=True)


def _one_line(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Replace Python's traceback of a failure that nobody expected."""
    del trace
    _complain(f"unexpected {kind.__name__}: {error}; `{PROGRAM} --debug …` shows where")
