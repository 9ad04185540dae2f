"""Resource subscriptions in both protocol versions; writes by any process notify the subscriber."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

import anyio
import mcp_types as types

from memory_mcp.application.dispatcher import GetServices
from memory_mcp.domain.errors import InvalidArgumentError
from memory_mcp.domain.principal import Principal
from memory_mcp.server.mcp.adapter import Context
from memory_mcp.server.mcp.private import connection_of

MOST: Final = 100
"""Maximum resources for one connection or one listening request."""
HELD: Final = "memory-mcp/subscriptions"

HeldSubscription = dict[str, contextlib.AsyncExitStack]
Notify = Callable[[str], Awaitable[None]]


class Subscriptions:
    """Keeps each connection's subscriptions until it unsubscribes or closes."""

    def __init__(self, services: GetServices) -> None:
        self._services = services

    async def subscribe(
        self, principal: Principal, ctx: Context, params: types.SubscribeRequestParams
    ) -> types.EmptyResult:
        """Answer `resources/subscribe` (2025-11-25)."""
        subscriptions = _subscriptions_of(ctx)
        if params.uri not in subscriptions:
            _bound(len(subscriptions) + 1)
            stack = contextlib.AsyncExitStack()
            subscriptions[params.uri] = stack

            async def notify(uri: str) -> None:
                with contextlib.suppress(
                    anyio.ClosedResourceError, anyio.BrokenResourceError
                ):  # the client has just gone
                    await ctx.session.send_resource_updated(uri)

            try:
                await self._watch(stack, params.uri, principal, notify)
            except BaseException:
                del subscriptions[params.uri]
                raise
        return types.EmptyResult()

    async def unsubscribe(
        self, principal: Principal, ctx: Context, params: types.UnsubscribeRequestParams
    ) -> types.EmptyResult:
        """Answer `resources/unsubscribe` (2025-11-25); unsubscribing twice is not an error."""
        del principal
        stack = _subscriptions_of(ctx).pop(params.uri, None)
        if stack is not None:
            await stack.aclose()
        return types.EmptyResult()

    async def listen(
        self, principal: Principal, ctx: Context, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        """Answer `subscriptions/listen` (2026-07-28) for as long as the client listens."""
        from mcp.server.subscriptions import (  # noqa: PLC0415 - not before the handshake
            InMemorySubscriptionBus,
            ListenHandler,
            ResourceUpdated,
        )

        uris = params.notifications.resource_subscriptions or []
        _bound(len(uris))
        bus = InMemorySubscriptionBus()

        async def notify(uri: str) -> None:
            await bus.publish(ResourceUpdated(uri))

        async with contextlib.AsyncExitStack() as stack:
            for uri in dict.fromkeys(uris):
                await self._watch(stack, uri, principal, notify)
            return await ListenHandler(bus)(ctx, params)

    async def _watch(self, stack: contextlib.AsyncExitStack, uri: str, principal: Principal, notify: Notify) -> None:
        from memory_mcp.application.resources import watching  # noqa: PLC0415 - not before the handshake

        services = await self._services()
        await stack.enter_async_context(watching(services, uri, principal.reach.namespace, notify))


def _bound(count: int) -> None:
    if count > MOST:
        raise InvalidArgumentError(
            "uri", f"at most {MOST} resources can be subscribed to at once; unsubscribe from one first"
        )


def _subscriptions_of(ctx: Context) -> HeldSubscription:
    """Return the subscriptions of a request's connection; they end with it."""
    connection = connection_of(ctx.session)
    if HELD not in connection.state:
        subscriptions: HeldSubscription = {}
        connection.state[HELD] = subscriptions
        connection.exit_stack.push_async_callback(_end, subscriptions)
    return connection.state[HELD]  # type: ignore[no-any-return]  # a dict of Any; this entry is ours


async def _end(held: HeldSubscription) -> None:
    for stack in held.values():
        await stack.aclose()
    held.clear()
