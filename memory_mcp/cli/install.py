"""`memory-mcp install`: adds this server to a client's configuration."""

from __future__ import annotations

import sys

import click
from embedder_api.v1.address import is_listened_to, is_network, socket_path

from memory_mcp import settings
from memory_mcp.cli.session import as_json_option
from memory_mcp.cli.streams import print_data
from memory_mcp.domain.hooks import HOOK_EVENTS
from memory_mcp.domain.models import MAX_NAMESPACE
from memory_mcp.provision.clients import found
from memory_mcp.provision.clients.entries import NAME, Launch, Remote, launch
from memory_mcp.provision.clients.hooks import HINTS, HooksEditor
from memory_mcp.provision.clients.machine import this_machine
from memory_mcp.provision.clients.plan import ConfigChange, Editor
from memory_mcp.provision.clients.table import CLIENTS, Client, named

_NAMES = [client.name for client in CLIENTS]


def _plain(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Accept values that are safe in a file name and in a variable."""
    if value is not None and not (value.strip() and len(value) <= MAX_NAMESPACE and value.isprintable()):
        raise click.BadParameter(f"give 1 to {MAX_NAMESPACE} printable characters")
    if value is not None and parameter.name == "name" and not value.replace("-", "").replace("_", "").isalnum():
        raise click.BadParameter("give letters, digits, - and _")
    return value


@click.command()
@click.option("--client", "client_name", type=click.Choice(_NAMES), help="The client whose configuration to edit.")
@click.option("--namespace", callback=_plain, help="The namespace for this client's memories.")
@click.option("--http", metavar="URL", help="Connect to a running `serve --http` instead of starting a server.")
@click.option(
    "--hooks",
    "with_hooks",
    is_flag=True,
    help=f"Also tell its sessions what they should know, by its hooks ({', '.join(HOOK_EVENTS)}).",
)
@click.option("--name", default=NAME, callback=_plain, show_default=True, help="The name of the entry.")
@click.option("--print", "printing", is_flag=True, help="Print what to paste; edit nothing.")
@click.option("--dry-run", is_flag=True, help="Show the changes as a diff; edit nothing.")
@click.option("--uninstall", is_flag=True, help="Remove only our entry; with --hooks only our hooks.")
@as_json_option
@click.pass_context
def install(  # noqa: PLR0913 - one for each option
    ctx: click.Context,
    *,
    client_name: str | None,
    namespace: str | None,
    http: str | None,
    with_hooks: bool,
    name: str,
    printing: bool,
    dry_run: bool,
    uninstall: bool,
    as_json: bool,
) -> None:
    """Connect a client: add an entry to its configuration, and keep a copy of the old file beside it."""
    _check(http=http, namespace=namespace, with_hooks=with_hooks, printing=printing, uninstall=uninstall)
    client = named(client_name) if client_name else _ask_for_client(as_json=as_json)
    editor = Editor(client, this_machine(), name)
    remote = Remote(http) if http else None
    hooks = _Hooks(editor, launch(namespace), uninstall=uninstall) if with_hooks else None
    is_there = False
    if as_json:
        _as_data(editor, remote or launch(namespace), hooks, uninstall=uninstall, unchanged=printing or dry_run)
    elif uninstall:
        _uninstall(editor, remote, hooks, dry_run=dry_run)
    elif printing:
        _print(editor, remote or launch(namespace), hooks)
    else:
        is_there = _install(editor, remote or launch(namespace), dry_run=dry_run)
        if hooks:
            hooks.change(dry_run=dry_run)
    if is_there and remote is None:
        _offer_daemon(ctx)


def _check(*, http: str | None, namespace: str | None, with_hooks: bool, printing: bool, uninstall: bool) -> None:
    """Refuse options that do not go together.

    Raises:
        UsageError: names them.
    """
    if http and namespace:
        raise click.UsageError(
            "--namespace: over HTTP the token decides; use `memory-mcp token create --namespace` instead"
        )
    if http and with_hooks:
        raise click.UsageError("--hooks: hooks read the store on this machine; omit --http")
    if printing and uninstall:
        raise click.UsageError("--print cannot be combined with --uninstall; use --dry-run to see what would change")


def _print(editor: Editor, entry: Launch | Remote, hooks: _Hooks | None) -> None:
    """Print what to paste."""
    click.echo(f"add this to {editor.file.path}:", err=True)
    click.echo(editor.snippet(entry).rstrip("\n"))
    if isinstance(entry, Remote):
        click.echo(_token_hint(editor), err=True)
    if hooks:
        hooks.show()


class _Hooks:
    """The hooks of a client, and what is to be done with them."""

    def __init__(self, editor: Editor, wanted: Launch, *, uninstall: bool) -> None:
        if editor.client.name not in HOOK_EVENTS:
            raise click.UsageError(
                f"--hooks: {editor.client.title} has no hooks that we know; choose one of: {', '.join(HOOK_EVENTS)}"
            )
        self._editor = HooksEditor(editor.client, editor.machine)
        self._wanted = wanted
        self._uninstall = uninstall
        self.planned()  # a file that is broken is told before anything is changed

    def planned(self, *, apply: bool = False) -> list[ConfigChange]:
        """Return the changes to the files as they are now; Gemini CLI has its servers and hooks in one."""
        changes = self._editor.uninstall() if self._uninstall else self._editor.install(self._wanted)
        for change in changes if apply else ():
            change.apply()
        return changes

    def show(self) -> None:
        """Print what to paste."""
        click.echo(f"add this to {self._editor.file.path}:", err=True)
        click.echo(self._editor.snippet(self._wanted).rstrip("\n"))

    def change(self, *, dry_run: bool) -> None:
        """Make the changes, or show them."""
        changes = [change for change in self.planned(apply=not dry_run) if change.changes]
        if dry_run:
            click.echo("".join(change.diff() for change in changes), nl=False)
            return
        for change in changes:
            click.echo(
                f"removed our hooks from {change.file.path}"
                if self._uninstall
                else f"added our hooks to {change.file.path}{HINTS.get(self._editor.client.name, '')}"
            )
        if not changes:
            click.echo(f"{self._editor.file.path} already is as it should be; no hook was changed")


def _as_data(
    editor: Editor, wanted: Launch | Remote, hooks: _Hooks | None, *, uninstall: bool, unchanged: bool
) -> None:
    """Do the same with JSON output and without questions."""
    remote = wanted if isinstance(wanted, Remote) else None
    if hooks and uninstall:
        print_data({"client": editor.client.name, "hooks": _planned(hooks, unchanged=unchanged)})
        return
    change = editor.uninstall(remote) if uninstall else editor.install(wanted)
    kept = change.changes and not unchanged and change.before is not None and not uninstall
    if change.changes and not unchanged:
        change.apply()
    data: dict[str, object] = {
        "client": editor.client.name,
        "file": str(editor.file.path),
        "name": editor.name,
        "changes": change.changes,
        "diff": change.diff() if unchanged else None,
        "kept": str(editor.file.backup.path) if kept else None,
    }
    if hooks:
        data["hooks"] = _planned(hooks, unchanged=unchanged)
    print_data(data)


def _planned(hooks: _Hooks, *, unchanged: bool) -> list[dict[str, object]]:
    changes = hooks.planned(apply=not unchanged)
    return [{"file": str(each.file.path), "changes": each.changes} for each in changes]


def _ask_for_client(*, as_json: bool) -> Client:
    """Ask for one of the clients on this machine.

    Raises:
        UsageError: there is no terminal to ask on.
    """
    here = [client.name for client in found()]
    if as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        listed = f"found on this machine: {', '.join(here)}" if here else f"choose one of: {', '.join(_NAMES)}"
        raise click.UsageError(f"--client is required; {listed}")
    click.echo(f"found on this machine: {', '.join(here) or 'no known client'}")
    default = here[0] if len(here) == 1 else None
    return named(click.prompt("which client", type=click.Choice(_NAMES), default=default))


def _install(editor: Editor, wanted: Launch | Remote, *, dry_run: bool) -> bool:
    """Add the entry; return whether it is there now."""
    change, client = editor.install(wanted), editor.client
    if not change.changes:
        click.echo(f"{client.title} already has it, in {editor.file.path}; nothing was changed")
        return not dry_run
    if dry_run:
        click.echo(change.diff(), nl=False)
        return False
    change.apply()
    kept = "" if change.before is None else f"; the previous version is kept as {editor.file.backup.path.name}"
    click.echo(f"added {editor.name} to {editor.file.path}{kept}; restart {client.title}")
    if isinstance(wanted, Remote):
        click.echo(_token_hint(editor))
    return True


def _token_hint(editor: Editor) -> str:
    """Return how to make a token and where to put it."""
    client = editor.client
    hint = client.token.format(title=client.title, file=editor.file.path, folder=client.folder(editor.machine))
    return f"no token was written; `memory-mcp token create {client.name}` makes one; {hint}"


def _uninstall(editor: Editor, remote: Remote | None, hooks: _Hooks | None, *, dry_run: bool) -> None:
    if hooks:
        hooks.change(dry_run=dry_run)
        return
    change, client = editor.uninstall(remote), editor.client
    if not change.changes:
        click.echo(f"{editor.file.path} has no {editor.name} entry for memory-mcp; nothing was changed")
    elif dry_run:
        click.echo(change.diff(), nl=False)
    else:
        change.apply()
        click.echo(f"removed {editor.name} from {editor.file.path}; restart {client.title}")


def _offer_daemon(ctx: click.Context) -> None:
    """Offer to install the daemon if none answers."""
    address = settings.load().embedder_address
    if is_network(address) or is_listened_to(socket_path(address)):
        return
    without = "no embedder daemon is running, so memories are found by keywords only"
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        click.echo(f"{without}; run `memory-mcp daemon install`")
    elif click.confirm(f"{without}; install it now?", default=True):
        from memory_mcp.cli.daemon import daemon  # noqa: PLC0415 - needed only after a yes

        ctx.invoke(daemon.commands["install"])
