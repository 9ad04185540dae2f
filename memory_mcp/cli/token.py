"""`memory-mcp token`: who may call over HTTP."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import click
from pydantic import TypeAdapter

from memory_mcp import settings
from memory_mcp.app import make_tokens
from memory_mcp.cli.session import as_json_option, say
from memory_mcp.cli.streams import print_data
from memory_mcp.domain.models import MAX_NAMESPACE
from memory_mcp.domain.names import nfc
from memory_mcp.domain.ports import Tokens
from memory_mcp.domain.principal import MAX_TOKEN_NAME, Scope, Token, checked_name


@contextlib.contextmanager
def _tokens() -> Iterator[Tokens]:
    tokens = make_tokens(settings.load())
    try:
        yield tokens
    finally:
        tokens.close()


@click.group()
def token() -> None:
    """Create, list and revoke the bearer tokens of HTTP clients."""


def _short(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    most = MAX_TOKEN_NAME if parameter.name == "name" else MAX_NAMESPACE
    try:
        return None if value is None else checked_name(value, most)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@token.command()
@click.argument("name", callback=_short)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What it allows; may be repeated [read and write]. admin includes both.",
)
@click.option("--namespace", callback=_short, help="The only namespace it can reach [all].")
@click.option("--days", type=click.IntRange(1, 3650), help="Days until it expires [never].")
@as_json_option
def create(*, name: str, scopes: tuple[str, ...], namespace: str | None, days: int | None, as_json: bool) -> None:
    """Create a token for NAME and show it once."""
    allowed = [Scope(scope) for scope in dict.fromkeys(scopes or ("read", "write"))]
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    with _tokens() as tokens:
        secret, created = tokens.create(name, allowed, namespace, expires_at)
    say(
        f"{secret}\n{_describe(created)}; it is not shown again", {"token": secret, **_fields(created)}, as_json=as_json
    )


@token.command("list")
@as_json_option
def list_(*, as_json: bool) -> None:
    """List the tokens without their secrets."""
    with _tokens() as tokens:
        found = tokens.all()
    if as_json:
        print_data({"tokens": [_fields(each) for each in found]})
        return
    for each in found:
        click.echo(_describe(each))


@token.command()
@click.argument("name_or_id")
@as_json_option
def revoke(*, name_or_id: str, as_json: bool) -> None:
    """Revoke a token; its holder is refused from now on."""
    with _tokens() as tokens:
        revoked = tokens.revoke(nfc(name_or_id))
    say(f"revoked {revoked.name} ({revoked.id})", _fields(revoked), as_json=as_json)


def _describe(each: Token) -> str:
    reach = "all namespaces" if each.namespace is None else f"namespace {each.namespace}"
    until = "" if each.expires_at is None else f", until {each.expires_at:%Y-%m-%d %H:%M} UTC"
    return f"{each.name} ({each.id}): {', '.join(each.scopes)}; {reach}{until}"


def _fields(each: Token) -> dict[str, object]:
    fields: dict[str, object] = TypeAdapter(Token).dump_python(each, mode="json")
    return fields
