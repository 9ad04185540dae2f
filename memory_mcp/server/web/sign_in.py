"""Signing in: by a link that `memory-mcp open` has asked for, or by pasting a token; and out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from memory_mcp.application.request import Request
from memory_mcp.domain.errors import ForbiddenError, InvalidArgumentError, MemoryMcpError, StoreError
from memory_mcp.domain.principal import Principal, Reach, Scope, Token
from memory_mcp.server.http.identities import ask
from memory_mcp.server.web.answering import guarded
from memory_mcp.server.web.parts import Parts, check_site, json_body, refused
from memory_mcp.server.web.session import Opened, PageSession
from memory_mcp.server.web.texts import text
from memory_mcp.server.web.whereabouts import link

MAX_BODY: Final = 4_096


class SignIn:
    """The endpoints."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        return [
            Route("/sign-in/link", self._make_link, methods=["POST"]),
            Route("/sign-in", self._sign_in, methods=["POST"]),
            Route("/sign-out", guarded(self._parts, self._sign_out, changes=True), methods=["POST"]),
            Route("/session", guarded(self._parts, self._describe, changes=False), methods=["GET"]),
        ]

    async def _make_link(self, request: HttpRequest) -> Response:
        """Write a link to the private file that is named; who can read it belongs to this user."""
        try:
            check_site(request)
            given = await json_body(request, MAX_BODY)
            reply = str(given.get("reply", ""))
            register = self._parts.given.register
            register.check_asked(reply)
            register.reply(reply, link(self._parts.given.url, self._parts.codes.make()))
        except MemoryMcpError as error:
            return refused(error)
        except OSError as error:
            return refused(StoreError(f"the sign-in link cannot be written: {error}"))
        return Response(status_code=204)

    async def _sign_in(self, request: HttpRequest) -> Response:
        try:
            check_site(request)
            given = await json_body(request, MAX_BODY)
            try:
                opened = await ask(self._parts.given.tokens, partial(self._open, given))
            except ForbiddenError:
                await self._count_failure(request)
                raise
        except MemoryMcpError as error:
            return refused(error)
        response = JSONResponse({"secret": opened.secret, **self._facts(opened.session)})
        response.set_cookie(
            self._parts.cookie,
            opened.cookie,
            path="/",
            httponly=True,
            samesite="strict",
            # Behind a proxy the browser alone knows that it speaks TLS.
            secure=any(
                each.startswith("https:") for each in (self._parts.given.url, request.headers.get("origin", ""))
            ),
        )
        return response

    def _open(self, given: Mapping[str, object]) -> Opened:
        """Open a session for a code or a token.

        Raises:
            ForbiddenError: neither is good.
            InvalidArgumentError: neither was given.
        """
        match given:
            case {"code": str(code)}:
                if not self._parts.codes.redeem(code):
                    raise ForbiddenError(text("session.code_refused"))
                return self._parts.sessions.open(None)
            case {"token": str(secret)}:
                return self._parts.sessions.open(self._holder(secret.strip()))
        raise InvalidArgumentError("token", "is required")

    def _holder(self, secret: str) -> Token:
        if token := self._parts.given.tokens.holder(secret):
            return token
        raise ForbiddenError(text("session.token_refused"))

    async def _sign_out(self, request: HttpRequest, session: PageSession) -> Response:
        del request
        self._parts.sessions.close(session)
        response = Response(status_code=204)
        response.delete_cookie(self._parts.cookie, path="/", httponly=True, samesite="strict")
        return response

    async def _describe(self, request: HttpRequest, session: PageSession) -> Response:
        del request
        return JSONResponse(self._facts(session))

    def _facts(self, session: PageSession) -> dict[str, object]:
        visit = self._parts.visit(session)
        return {
            "csrf": session.csrf,
            "name": session.principal.name,
            "scopes": [*(scope.value for scope in Scope if visit.may(scope)), *_more(session.principal)],
            "namespace": session.principal.reach.namespace,
            "bound": session.principal.reach.bound,
            "read_only": visit.settings.read_only,
        }

    async def _count_failure(self, request: HttpRequest) -> None:
        """Count a failed attempt from an address; good ones pass, so that nobody can lock others out.

        Raises:
            RateLimitedError: there were too many.
        """

        async def nothing() -> None:
            """Only the middleware is asked."""

        place = request.client.host if request.client else ""
        nobody = Principal(f"page:{place}", "nobody", frozenset(), Reach("default"))
        await self._parts.given.dispatcher.run(Request(nobody, "sign-in", nothing, kind="write"))


def _more(principal: Principal) -> list[str]:
    """Return what the navigation asks for beyond scopes."""
    return ["operator"] if principal.is_operator else []
