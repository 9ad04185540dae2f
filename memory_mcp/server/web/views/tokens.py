"""The bearer tokens of clients over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, TypeVar

from pydantic import AfterValidator, Field

from memory_mcp.domain.errors import InvalidArgumentError
from memory_mcp.domain.models import MAX_NAMESPACE
from memory_mcp.domain.principal import MAX_TOKEN_NAME, Scope, Token, checked_name
from memory_mcp.server.web.texts import text
from memory_mcp.server.web.view import Action, Answer, Nav, NoArguments, PageView, Visit
from memory_mcp.tools.base import Arguments

T = TypeVar("T")
MAX_DAYS: Final = 3_650


def _token_name(name: str) -> str:
    return checked_name(name.strip(), MAX_TOKEN_NAME)


def _namespace(name: str) -> str:
    return checked_name(name.strip(), MAX_NAMESPACE)


async def load(visit: Visit, query: NoArguments) -> Mapping[str, object]:
    del query
    now = datetime.now(UTC)
    tokens = await _do(visit, "tokens", visit.tokens.all)
    return {
        "tokens": [(token, token.expires_at is not None and token.expires_at <= now) for token in tokens],
        "scopes": list(Scope),
        "max_name": MAX_TOKEN_NAME,
        "max_namespace": MAX_NAMESPACE,
        "max_days": MAX_DAYS,
    }


class NewToken(Arguments):
    name: Annotated[str, AfterValidator(_token_name)]
    scopes: tuple[Scope, ...]
    namespace: Annotated[str, AfterValidator(_namespace)] | None = None
    days: Annotated[int | None, Field(ge=1, le=MAX_DAYS)] = None


async def create(visit: Visit, given: NewToken) -> Answer:
    """Create a token; its secret is in this answer and nowhere else."""
    if not given.scopes:
        raise InvalidArgumentError("scopes", "choose at least one")
    expires_at = datetime.now(UTC) + timedelta(days=given.days) if given.days else None
    scopes = list(dict.fromkeys(given.scopes))

    def work() -> tuple[str, Token]:
        return visit.tokens.create(given.name, scopes, given.namespace, expires_at)

    secret, token = await _do(visit, "tokens.create", work)
    return Answer(text("tokens.created", name=token.name), {"secret": secret, "name": token.name, "id": token.id})


class TokenId(Arguments):
    id: str


async def revoke(visit: Visit, given: TokenId) -> Answer:
    """Revoke a token; its holder is refused from now on."""
    revoked = await _do(visit, "tokens.revoke", lambda: visit.tokens.revoke(given.id))
    return Answer(text("tokens.revoked", name=revoked.name))


async def _do(visit: Visit, name: str, work: Callable[[], T]) -> T:
    """Use the tokens in a thread: they may wait for a lock or for a server."""
    return await visit.operate(name, lambda _: asyncio.to_thread(work), None)


TOKENS: Final = PageView(
    "tokens",
    "/tokens",
    NoArguments,
    load,
    nav=Nav("system", "tokens"),
    scope=Scope.ADMIN,
    of_operator=True,
    script=True,
    parts=("list",),
    actions=(Action("tokens.create", NewToken, create), Action("tokens.revoke", TokenId, revoke)),
)
