"""The ASGI application: the protocol and the pages beside it, all behind the guard."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from memory_mcp.application.dispatcher import Dispatcher, GetServices
from memory_mcp.context.project import reach_of
from memory_mcp.domain.ports import Identities, Tokens
from memory_mcp.http_settings import MCP_PATH
from memory_mcp.server.http.binding import Binding
from memory_mcp.server.http.challenge import Challenge, ProtectedResource
from memory_mcp.server.http.guard import CheckNames, Guard, also_by_address
from memory_mcp.server.http.identities import ByShape, OwnTokens
from memory_mcp.server.http.readiness import PROBES, Readiness
from memory_mcp.server.http.streamable import Streamable, check_names
from memory_mcp.server.lazy_services import LazyServices
from memory_mcp.settings import Settings

PATH: Final = MCP_PATH


@dataclass(frozen=True, slots=True)
class Front:
    """A server that is about to serve: what its page is made of."""

    settings: Settings
    dispatcher: Dispatcher
    services: GetServices
    tokens: Tokens
    binding: Binding
    port: int
    provider: Identities | None = None
    """Knows the tokens of the identity provider, if one is configured."""

    @property
    def url(self) -> str:
        """The address of its page."""
        host = f"[{self.binding.host}]" if ":" in self.binding.host else self.binding.host
        return f"{self.binding.scheme}://{host}:{self.port}"

    @property
    def public_url(self) -> str:
        """The address by which clients reach the protocol."""
        return f"{self.settings.http_public_url or self.url}{MCP_PATH}"

    @property
    def resource(self) -> ProtectedResource | None:
        """What clients are told of the identity provider; None where there is none."""
        issuer = self.settings.oidc_issuer
        if issuer is None or self.provider is None:
            return None
        return ProtectedResource(self.public_url, issuer, self.settings.oidc_grants)


class ServePage(Protocol):
    """Serves the page beside the protocol."""

    def app(self, front: Front, check: CheckNames) -> ASGIApp:
        """Return what answers its requests, once they have passed a check of their names."""
        ...

    def running(self, front: Front, end: Callable[[], None]) -> AbstractAsyncContextManager[None]:
        """Do what is done while the server runs; `end` lets it end."""
        ...

    def ending(self) -> None:
        """Close what would keep the server from ending."""
        ...


def make_app(
    front: Front,
    services: LazyServices,
    protocol: Streamable,
    readiness: Readiness,
    pages: Mapping[str, ASGIApp],
    page: ServePage | None,
) -> ASGIApp:
    """Return the application of a server.

    Args:
        front: the server.
        services: made while the server starts.
        protocol: answers at `PATH`, whatever the method.
        readiness: answers at `PROBES`, to everybody.
        pages: what answers a GET of each other path, the same check of Host, Origin and token before it.
        page: answers all other paths if the page is on; it asks who is signed in itself.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        services.warm()
        async with protocol.running():
            yield

    settings, binding = front.settings, front.binding
    hosts = binding.hosts(front.port, [*settings.http_allowed_hosts, *_public_host(settings)])
    origins = [*settings.http_allowed_origins, *_own_origins(binding, front.port)]
    names = also_by_address(check_names(hosts, origins), {*PROBES, *pages})
    resource = front.resource
    public = {path: JSONResponse(resource.metadata()) for path in resource.paths} if resource else {}
    behind_tokens: ASGIApp = Guard(_routed(protocol, pages), _identities(front), names, Challenge(resource), public)
    if page is not None:
        check = _of_page(binding, hosts, settings.http_allowed_origins)
        behind_tokens = _beside(behind_tokens, {PATH, *pages, *public}, page.app(front, check))
    app = Starlette(lifespan=lifespan)
    app.mount("/", _beside(readiness.behind(names), PROBES, behind_tokens))
    return app


def _public_host(settings: Settings) -> list[str]:
    return [urlsplit(settings.http_public_url).netloc] if settings.http_public_url else []


def _identities(front: Front) -> Identities:
    own = OwnTokens(front.tokens, reach_of(front.settings.namespace))
    return ByShape(own, front.provider, lambda bearer: bearer.count(".") == 2) if front.provider else own


def _of_page(binding: Binding, hosts: Sequence[str], origins: Sequence[str]) -> CheckNames:
    """Return the check of the page's requests: a browser names the page's own origin where it changes something."""
    return check_names(hosts, [*origins, *(f"{binding.scheme}://{host}" for host in hosts)])


def _beside(app: ASGIApp, paths: Collection[str], others: ASGIApp) -> ASGIApp:
    """Return what passes these paths on to one application, and all others to the other."""

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        await (app if scope["path"].rstrip("/") in paths else others)(scope, receive, send)

    return route


def _own_origins(binding: Binding, port: int) -> list[str]:
    return [f"{binding.scheme}://{host}" for host in binding.hosts(port, ("localhost",))] if binding.is_local else []


def _routed(protocol: ASGIApp, pages: Mapping[str, ASGIApp]) -> ASGIApp:
    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].rstrip("/") == PATH:
            await protocol(scope, receive, send)
        elif scope["method"] == "GET" and (page := pages.get(scope["path"])):
            await page(scope, receive, send)
        else:
            await JSONResponse({"error": f"there is no such page; MCP clients use {PATH}"}, 404)(scope, receive, send)

    return route
