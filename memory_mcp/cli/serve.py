"""`memory-mcp serve`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from memory_mcp import settings
from memory_mcp.cli import WRONG_USAGE, importing
from memory_mcp.domain.errors import SettingsError, StoreError

if TYPE_CHECKING:
    from memory_mcp.domain.ports import Tokens

_file = click.Path(path_type=Path, dir_okay=False, exists=True)


def _loaded() -> tuple[settings.Settings, SettingsError | None]:
    """Return the settings, or the defaults and the error: a client without a handshake would show nobody the reason."""
    try:
        return settings.load(), None
    except SettingsError as error:
        return settings.defaults(), error


def _has_none(tokens: Tokens) -> bool:
    """Whether there is no token, as far as is known: a database may be away while a front starts, or not migrated."""
    try:
        return not tokens.all()
    except StoreError:
        return False


def _stdio_server() -> Callable[[settings.Settings, SettingsError | None], None]:
    """Import what serves stdio, without what the SDK needs for HTTP alone (2 MB), and build its models when used."""
    with importing():
        from memory_mcp.server.lean import building_later, without  # noqa: PLC0415 - needed only here

        with without("uvicorn", "python_multipart"), building_later():
            from memory_mcp.server.mcp.run import serve_stdio  # noqa: PLC0415 - the SDK, needed only here

    return serve_stdio


@click.command()
@click.option(
    "--http", metavar="HOST:PORT", help="Serve many clients over streamable HTTP at /mcp; each needs a token."
)
@click.option("--tls-cert", type=_file, help="The TLS certificate with its chain (PEM).")
@click.option("--tls-key", type=_file, help="The key of the certificate (PEM).")
@click.option("--plain-http", is_flag=True, help="Serve a public address without TLS.")
def serve(*, http: str | None, tls_cert: Path | None, tls_key: Path | None, plain_http: bool) -> int:
    """Serve one MCP client on stdin and stdout; this is what clients start."""
    if http is None and (tls_cert or tls_key or plain_http):
        raise click.UsageError("--tls-cert, --tls-key and --plain-http need --http HOST:PORT")
    loaded, problem = _loaded()
    if problem and http is not None:
        raise problem
    for sentence in settings.unknown_variables():
        click.echo(f"memory-mcp: {sentence}", err=True)
    if problem:
        click.echo(f"memory-mcp: {problem}", err=True)
    if http is None:
        if sys.stdin is None:
            raise click.ClickException("stdin is closed; an MCP client must start this command")
        serve_stdio = _stdio_server()

        serve_stdio(loaded, problem)
        return WRONG_USAGE if problem else 0
    with importing():
        from memory_mcp.app import make_provider, make_tokens  # noqa: PLC0415 - all parts, for HTTP alone
        from memory_mcp.server.http.binding import Binding  # noqa: PLC0415 - likewise
        from memory_mcp.server.http.run import serve_http  # noqa: PLC0415 - likewise
        from memory_mcp.server.web.front import PageFront  # noqa: PLC0415 - likewise

    tokens = make_tokens(loaded)
    if not loaded.oidc_issuer and _has_none(tokens):
        click.echo("memory-mcp: there is no token yet; `memory-mcp token create NAME` makes one", err=True)
    page = PageFront() if loaded.web_enabled else None
    serve_http(loaded, Binding.parse(http, tls_cert, tls_key, plain=plain_http), tokens, page, make_provider)
    return 0
