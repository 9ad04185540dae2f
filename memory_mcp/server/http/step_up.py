"""Asks for more rights where a client can get them: it has the identity provider's token, and lacks a scope."""

from __future__ import annotations

from starlette.responses import Response

from memory_mcp.domain.errors import ForbiddenError
from memory_mcp.domain.principal import Principal, Scope
from memory_mcp.server.http.challenge import Challenge
from memory_mcp.server.mcp.adapter import READING
from memory_mcp.server.mcp.messages import Message, asked_for


def step_up(principal: Principal, message: Message | None, challenge: Challenge) -> Response | None:
    """Return the 403 that names what to ask the provider for; None where that would not help, or nothing is lacking.

    All others get the error of their call, which a model can read.
    """
    asked = asked_for(message)
    if not principal.issuer or asked is None:
        return None
    lacking = [scope for scope in _needed(*asked) if not principal.may(scope)]
    if not lacking or challenge.resource is None or not challenge.resource.words_for(lacking):
        return None
    named = " and ".join(repr(scope.value) for scope in lacking)
    return challenge.forbidden(ForbiddenError(f"this needs the scope {named}; sign in again for it"), lacking)


def _needed(method: str, name: object) -> tuple[Scope, ...]:
    """Return the scopes that a request needs; those of a tool that there is not are none."""
    if method in READING:
        return (Scope.READ,)
    if method != "tools/call":
        return ()
    from memory_mcp.tools import TOOLS  # noqa: PLC0415 - the whole program, after the start

    return next((tool.scopes for tool in TOOLS if tool.name == name), ())
