"""Whose tokens a server over HTTP accepts: its own, and those of an identity provider if one is configured."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from memory_mcp.domain.ports import Identities, Tokens
from memory_mcp.domain.ports.identities import Caller
from memory_mcp.domain.principal import Reach

T = TypeVar("T")


async def ask(tokens: Tokens, question: Callable[[], T]) -> T:
    """Return the answer of some tokens to an event loop, which is not to wait for a server."""
    return await asyncio.to_thread(question) if tokens.waits else question()


class OwnTokens:
    """See `domain.ports.Identities`: the tokens that `memory-mcp token create` has made."""

    def __init__(self, tokens: Tokens, default: Reach) -> None:
        """`default` is the reach of those that are bound to no namespace."""
        self._tokens = tokens
        self._default = default

    async def identify(self, bearer: str) -> Caller | None:
        """Return the holder; raises SettingsError or StoreError as `Tokens.holder` does."""
        token = await ask(self._tokens, partial(self._tokens.holder, bearer))
        return None if token is None else Caller(token.principal(self._default), token.expires_at)

    async def is_valid(self, identity: Caller) -> bool:
        return await ask(self._tokens, partial(self._tokens.is_valid, identity.principal.id))


class ByShape:
    """See `domain.ports.Identities`: asks the provider's about its tokens, and our own about all others."""

    def __init__(self, own: Identities, provider: Identities, is_providers: Callable[[str], bool]) -> None:
        self._own = own
        self._provider = provider
        self._is_providers = is_providers

    async def identify(self, bearer: str) -> Caller | None:
        """Return the holder; raises what the one that was asked raises."""
        return await (self._provider if self._is_providers(bearer) else self._own).identify(bearer)

    async def is_valid(self, identity: Caller) -> bool:
        return await (self._provider if identity.principal.issuer else self._own).is_valid(identity)
