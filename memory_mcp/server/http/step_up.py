"""Asks for more rights where a client can get them: it has a token of the identity provider, and lacks a scope of it."""

from __future__ import annotations

import mcp_types as types
from starlette.responses import Response

from memory_mcp.domain.errors import ForbiddenError
from memory_mcp.domain.principal import Principal, Scope
from memory_mcp.server.http.challenge import Challenge
from memory_mcp.server.mcp.adapter import READING
from memory_mcp.server.mcp.messages import Message


def step_up(principal: Principal, message: Message | None, challenge: Challenge) -> Response | None:
    """Return the 403 that names what to ask the provider for; None where that would not help, or nothing is lacking.

    All others get the error of their call, which a model can read.
    """
    if not principal.issuer or not isinstance(message, types.JSONRPCRequest):
        return None
    lacking = [scope for scope in _needed(message) if not principal.may(scope)]
    if not lacking or challenge.resource is None or not challenge.resource.words_for(lacking):
        return None
    named = ", ".join(scope.value for scope in lacking)
    return challenge.forbidden(
        ForbiddenError(f"this needs the scope {named}, which this token does not grant"), lacking
    )


def _needed(message: types.JSONRPCRequest) -> tuple[Scope, ...]:
    """Return the scopes that a request needs; those of a tool that there is not are none."""
    if message.method in READING:
        return (Scope.READ,)
    if message.method != "tools/call":
        return ()
    from memory_mcp.tools import TOOLS  # noqa: PLC0415 - the whole program, after the start

    name = (message.params or {}).get("name")
    return next((tool.scopes for tool in TOOLS if tool.name == name), ())
