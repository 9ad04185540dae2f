"""`memory-mcp encrypt` and `memory-mcp decrypt`."""

from __future__ import annotations

from pathlib import Path

import click

from memory_mcp import settings
from memory_mcp.app import make_encryption
from memory_mcp.cli.session import as_json_option, interruptible, say
from memory_mcp.domain.errors import LockedError, SettingsError

_yes = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")


@click.command()
@click.option("--rekey", is_flag=True, help="Encrypt everything anew, with a new key.")
@click.option("--show-key", is_flag=True, help="Print the key, to be kept in another place, and do nothing else.")
@_yes
@as_json_option
def encrypt(*, rekey: bool, show_key: bool, yes: bool, as_json: bool) -> None:
    """Encrypt the store and its backups with a key from the system's keychain, or from a file or variable.

    Clients go on meanwhile; a write may wait. If it is interrupted, run it again: it continues where it stopped.
    """
    encryption = make_encryption(_writable())
    place = encryption.place
    if show_key:
        keys = place.load()
        if not keys:
            raise LockedError(f"{place} holds no key yet; memory-mcp encrypt makes one")
        say(keys[0], {"key": keys[0]}, as_json=as_json)
        return
    if not yes:
        click.confirm(
            f"The key is kept in {place}. If it is lost, the memories are lost: nobody can recover them. "
            "Keep a copy elsewhere; `memory-mcp encrypt --show-key` prints it.\n"
            f"Encrypt {encryption.store} and its backups?",
            abort=True,
            err=True,
        )
    with interruptible():
        changed = encryption.encrypt(_report, rekey=rekey)
    done = f"encrypted {len(changed)} files" if changed else "everything is encrypted"
    say(
        f"{done}; the key is in {place}: keep a copy elsewhere (memory-mcp encrypt --show-key)",
        {"changed": list(map(str, changed)), "place": str(place)},
        as_json=as_json,
    )


@click.command()
@_yes
@as_json_option
def decrypt(*, yes: bool, as_json: bool) -> None:
    """Decrypt the store and its backups; the key stays where it is."""
    encryption = make_encryption(_writable())
    if not yes:
        click.confirm(f"Decrypt {encryption.store} and its backups?", abort=True, err=True)
    with interruptible():
        changed = encryption.decrypt(_report)
    done = f"decrypted {len(changed)} files" if changed else "nothing is encrypted"
    say(done, {"changed": list(map(str, changed))}, as_json=as_json)


def _writable() -> settings.Settings:
    loaded = settings.load()
    if loaded.read_only:
        raise SettingsError("this command writes, but MCP_MEMORY_READ_ONLY is set; unset it first")
    return loaded


def _report(path: Path) -> None:
    click.echo(f"converting {path}", err=True)
