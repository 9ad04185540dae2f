"""`memory-mcp open`: the page, in a browser."""

from __future__ import annotations

import webbrowser
from dataclasses import dataclass
from typing import Final

import click
import httpx2

from memory_mcp import settings
from memory_mcp.cli.session import as_json_option, say
from memory_mcp.domain.errors import SettingsError
from memory_mcp.server.http.binding import LOOPBACK, Binding
from memory_mcp.server.web.front import PageFront, register_of_user, store_of
from memory_mcp.server.web.whereabouts import Register, Whereabouts

ASKING_S: Final = 5.0
NO_PAGE: Final = "memory-mcp: opening the page in your browser; if it does not appear, run `memory-mcp open --print`"
ENDS: Final = "it ends with Ctrl-C, or when no page has been open for 15 minutes"


@dataclass(frozen=True, slots=True)
class _Opener:
    """Takes the user to the page."""

    prints: bool
    as_json: bool
    register: Register

    def open(self, address: str, *, started: bool) -> None:
        """Show a link that signs in; it is good for one sign-in within a minute."""
        if self.prints or self.as_json:
            say(address, {"link": address, "started": started}, as_json=self.as_json)
            return
        click.echo(NO_PAGE, err=True)  # some browsers may not read the file, and say so nowhere but in their window
        if not self._in_browser(address):
            click.echo(f"no browser could be started; open this within a minute: {address}")

    def _in_browser(self, address: str) -> bool:
        try:
            return webbrowser.open(self.register.leaflet(address).as_uri())
        except OSError:
            return False


@click.command("open")
@click.option("--print", "prints", is_flag=True, help="Print the link instead of opening a browser.")
@as_json_option
def open_(*, prints: bool, as_json: bool) -> int:
    """Show what is remembered in a browser; starts a server on this machine if none runs."""
    loaded = settings.load()
    if not loaded.web_enabled:
        raise SettingsError("the page is turned off (MCP_MEMORY_WEB_ENABLED); turn it on first")
    opener = _Opener(prints, as_json, register_of_user())
    if address := _link_of_running(opener.register, store_of(loaded)):
        opener.open(address, started=False)
        return 0
    _serve(loaded, opener)
    return 0


def _link_of_running(register: Register, store: str) -> str | None:
    """Return a link to a front that serves this store's page; None if there is none."""
    for front in register.of_store(store):
        if address := _ask(register, front):
            return address
    return None


def _ask(register: Register, front: Whereabouts) -> str | None:
    """Let a front write a link where only this user reads it; None if it does not."""
    try:
        reply = register.new_reply()
        # Not verified: what proves the front is the file that it writes.
        httpx2.post(f"{front.url}/sign-in/link", json={"reply": reply}, timeout=ASKING_S, verify=False, trust_env=False)
    except (httpx2.HTTPError, OSError):
        return None
    return register.take(reply)


def _serve(loaded: settings.Settings, opener: _Opener) -> None:
    """Serve the page on a free port of this machine."""
    from memory_mcp.app import make_tokens  # noqa: PLC0415 - all parts, where no front runs
    from memory_mcp.server.http.run import serve_http  # noqa: PLC0415 - likewise

    def announce(address: str) -> None:
        click.echo(f"memory-mcp: the page is open to you alone; {ENDS}", err=True)
        opener.open(address, started=True)

    binding = Binding.parse(f"{LOOPBACK}:0", None, None, plain=False)
    serve_http(loaded, binding, make_tokens(loaded), PageFront(announce=announce, ends_when_idle=True))
