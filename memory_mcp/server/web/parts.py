"""What the page is made of, and who is asking."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from pydantic_core import from_json
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response

from memory_mcp.application.dispatcher import Dispatcher, GetServices
from memory_mcp.domain.errors import ForbiddenError, InvalidArgumentError, MemoryMcpError
from memory_mcp.domain.ports import Tokens
from memory_mcp.domain.principal import Reach
from memory_mcp.server.http.errors import to_response
from memory_mcp.server.web.operations import Operations
from memory_mcp.server.web.rendering import Templates
from memory_mcp.server.web.session import Activity, Codes, Monotonic, PageSession, Sessions
from memory_mcp.server.web.texts import text
from memory_mcp.server.web.uploads import Uploads
from memory_mcp.server.web.view import Visit
from memory_mcp.server.web.whereabouts import Register
from memory_mcp.settings import Settings

SECRET_HEADER: Final = "x-page-secret"  # noqa: S105 - a name
CSRF_HEADER: Final = "x-page-csrf"


@dataclass(frozen=True, slots=True)
class Given:
    """What a front gives the page."""

    settings: Settings
    dispatcher: Dispatcher
    services: GetServices
    tokens: Tokens
    default: Reach
    """Of the local user, and of tokens that are bound to no namespace."""
    url: str
    """Of the page, without a path."""
    port: int
    register: Register
    activity: Activity
    codes: Codes
    clock: Monotonic = field(default=time.monotonic)


class Parts:
    """What the page's endpoints share."""

    def __init__(self, given: Given) -> None:
        self.given = given
        self.codes = given.codes
        self.sessions = Sessions(given.tokens, given.default, given.clock)
        self.templates = Templates()
        self.operations = Operations()
        self.uploads = Uploads()
        self.cookie: Final = f"memory_mcp_{given.port}"

    def session(self, request: HttpRequest) -> PageSession | None:
        """Return who is signed in."""
        cookie, secret = request.cookies.get(self.cookie, ""), request.headers.get(SECRET_HEADER, "")
        session = self.sessions.find(cookie, secret) if cookie and secret else None
        if session:
            self.given.activity.touch()
        return session

    def visit(self, session: PageSession) -> Visit:
        """Return what a view gets."""
        given = self.given
        return Visit(
            session.principal,
            given.settings,
            given.dispatcher,
            given.services,
            self.templates,
            given.tokens,
            self.operations,
            self.uploads,
            partial(self.sessions.is_allowed, session),
        )


def signed_out() -> Response:
    """Return the answer for who is not signed in, or no longer."""
    return JSONResponse({"error": text("session.ended"), "code": "signed_out"}, 401)


def refused(error: MemoryMcpError) -> Response:
    """Return the answer for what was not done: the cause and what fixes it."""
    answer = to_response(error)
    answer.body = answer.render({"error": error.with_fix(), "code": error.code.value})
    answer.headers["content-length"] = str(len(answer.body))
    return answer


def check_csrf(request: HttpRequest, session: PageSession) -> None:
    """Require the token that a change must carry.

    Raises:
        ForbiddenError: it is missing or another one's.
    """
    if not secrets.compare_digest(request.headers.get(CSRF_HEADER, "").encode(), session.csrf.encode()):
        raise ForbiddenError(text("session.csrf"))


def check_site(request: HttpRequest) -> None:
    """Refuse what another site's page has sent; browsers say so, other programs need not.

    Raises:
        ForbiddenError: another site's page has sent it.
    """
    if request.headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
        raise ForbiddenError(text("session.cross_site"))


async def json_body(request: HttpRequest, max_bytes: int) -> Mapping[str, object]:
    """Return a body that is a JSON object.

    Raises:
        InvalidArgumentError: it is none, or too large.
        ClientDisconnect: the browser has gone.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > max_bytes:
            raise InvalidArgumentError("body", f"must be at most {max_bytes:,} bytes (MCP_MEMORY_HTTP_MAX_BODY_BYTES)")
    try:
        given: object = from_json(bytes(body) or b"{}")
    except ValueError as error:
        raise InvalidArgumentError("body", "must be JSON") from error
    if not isinstance(given, dict):
        raise InvalidArgumentError("body", "must be a JSON object")
    return {str(name): value for name, value in given.items()}


def query_of(request: HttpRequest) -> dict[str, object]:
    """Return the query; a name that occurs several times is a list."""
    found: dict[str, object] = {}
    for name in request.query_params:
        values = request.query_params.getlist(name)
        found[name] = values[0] if len(values) == 1 else values
    return found
