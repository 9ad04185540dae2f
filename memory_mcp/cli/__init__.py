"""The command line. A command's module is imported only when the command runs."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import sys
from typing import TYPE_CHECKING, Any, Final

import click
from click.exceptions import NoArgsIsHelpError
from click.shell_completion import CompletionItem
from embedder_api import __version__

from memory_mcp.cli.streams import as_text, show_all_characters
from memory_mcp.domain.errors import NO_ROOM, MemoryMcpError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

PROGRAM: Final = "memory-mcp"
COMPLETE_VARIABLE: Final = "_MEMORY_MCP_COMPLETE"
"""The variable by which click recognises a shell's request for completions."""
FAILED: Final = 1
WRONG_USAGE: Final = 2
DEGRADED: Final = 3
INTERRUPTED: Final = 130
EXIT_CODES: Final = {
    0: "done",
    FAILED: "failed; one line on stderr says why and what fixes it",
    WRONG_USAGE: "wrong usage or invalid settings",
    DEGRADED: "degraded: it worked, but without vectors or without some of the files",
    INTERRUPTED: "interrupted by Ctrl-C",
}

COMMANDS: Final = {
    "audit": "memory_mcp.cli.audit:audit",
    "ask": "memory_mcp.cli.ask:ask",
    "backup": "memory_mcp.cli.copies:backup",
    "completion": "memory_mcp.cli.completion:completion",
    "config": "memory_mcp.cli.config:config",
    "context": "memory_mcp.cli.context:context",
    "daemon": "memory_mcp.cli.daemon:daemon",
    "decrypt": "memory_mcp.cli.encryption:decrypt",
    "delete": "memory_mcp.cli.write_commands:delete",
    "doctor": "memory_mcp.cli.doctor:doctor",
    "documents": "memory_mcp.cli.documents:documents",
    "encrypt": "memory_mcp.cli.encryption:encrypt",
    "export": "memory_mcp.cli.transfer:export",
    "get": "memory_mcp.cli.query_commands:get",
    "hook": "memory_mcp.cli.hook:hook",
    "import": "memory_mcp.cli.transfer:import_",
    "ingest": "memory_mcp.cli.ingest:ingest",
    "install": "memory_mcp.cli.install:install",
    "list": "memory_mcp.cli.query_commands:list_",
    "open": "memory_mcp.cli.open:open_",
    "reembed": "memory_mcp.cli.reembed:reembed",
    "restore": "memory_mcp.cli.copies:restore",
    "search": "memory_mcp.cli.query_commands:search",
    "serve": "memory_mcp.cli.serve:serve",
    "sources": "memory_mcp.cli.sources:sources",
    "status": "memory_mcp.cli.status:status",
    "store": "memory_mcp.cli.write_commands:store",
    "token": "memory_mcp.cli.token:token",
    "undelete": "memory_mcp.cli.undelete:undelete",
    "update": "memory_mcp.cli.write_commands:update",
}
"""Where each command is, as `module:attribute`."""


class LazyGroup(click.Group):
    """A group that imports its commands on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands."""
        return sorted({*super().list_commands(ctx), *COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        if module not in sys.modules:
            with importing():
                importlib.import_module(module)
        command: click.Command = getattr(sys.modules[module], attribute)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete command names without importing any command."""
        commands = [CompletionItem(name) for name in self.list_commands(ctx) if name.startswith(incomplete)]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """Pause garbage collection while importing: modules stay, and collecting takes a quarter of a search's time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _debug(_: click.Context, __: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's signature
    if value:
        sys.excepthook = sys.__excepthook__


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name=PROGRAM)
@click.option(
    "--debug",
    is_flag=True,
    is_eager=True,  # before the command's module is imported, because that may fail too
    expose_value=False,
    callback=_debug,
    help="Show a traceback when something fails.",
)
@click.option("--set", "chosen", metavar="NAME=VALUE", multiple=True, help="Override a setting; may be repeated.")
@click.pass_context
def commands(ctx: click.Context, *, chosen: tuple[str, ...]) -> None:
    """Long-term memory for AI assistants over MCP."""
    if chosen:
        choose(chosen)
        ctx.call_on_close(lambda: choose(()))


def choose(chosen: Sequence[str]) -> None:
    """Apply the `--set` overrides; an empty sequence removes them.

    Raises:
        click.BadParameter, SettingsError: one is not NAME=VALUE, or its setting is unknown.
    """
    from memory_mcp import settings  # noqa: PLC0415 - imports pydantic, needed only with --set

    settings.choose(dict(_pair(each) for each in chosen))


def _pair(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not equals:
        raise click.BadParameter(f"{given!r} is not NAME=VALUE", param_hint="--set")
    return name, value


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code, one of EXIT_CODES."""
    sys.excepthook = _one_line
    if sys.stdout is None:
        _complain("stdout is closed; redirect it to /dev/null to discard it")
        return FAILED
    show_all_characters()
    code = _run(sys.argv[1:] if arguments is None else arguments)
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else Python flushes again at exit and reports the error itself
        if code != FAILED:  # else the error was already reported
            _complain(_message_of(error))
        return FAILED
    return code


def _run(arguments: Sequence[str]) -> int:
    try:
        code: Any = commands.main(as_text(arguments), PROGRAM, COMPLETE_VARIABLE, standalone_mode=False)
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
        _complain(error.with_fix())
        return WRONG_USAGE if isinstance(error, SettingsError) else FAILED
    except OSError as error:
        if sys.excepthook is not _one_line:
            raise
        _complain(_message_of(error))
        return FAILED
    return code if isinstance(code, int) else 0


def _message_of(error: OSError) -> str:
    """Return an error's message; those for stdout and a missing working folder would not name the cause."""
    if error.errno in NO_ROOM and error.filename is None:
        return f"cannot write to stdout ({error.strerror}); free some space or redirect it elsewhere"
    if isinstance(error, FileNotFoundError) and error.filename is None:
        return "the current folder no longer exists; change to another one or give absolute paths"
    return str(error)


def _complain(message: str) -> None:
    click.echo(f"{PROGRAM}: {' '.join(message.split())}", err=True)


def _one_line(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an unexpected failure on one line instead of a traceback."""
    del trace
    _complain(f"unexpected {kind.__name__}: {error}; `{PROGRAM} --debug …` shows where")
