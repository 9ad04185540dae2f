"""Views, actions and streams over HTTP, for who is signed in."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable
from functools import partial
from html import escape
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from memory_mcp.application.request import Request
from memory_mcp.domain.errors import InvalidArgumentError, MemoryMcpError
from memory_mcp.server.http.identities import ask
from memory_mcp.server.web.parts import Parts, check_csrf, check_site, json_body, query_of, refused, signed_out
from memory_mcp.server.web.session import PageSession
from memory_mcp.server.web.view import Action, AnyView, Stream
from memory_mcp.tools.base import Arguments, parse

VIEW_PATH: Final = "/view"
"""Before a page's address: what it shows."""
NO_CONTENT: Final = 204

Endpoint = Callable[[HttpRequest], Awaitable[Response]]
SessionWork = Callable[[HttpRequest, PageSession], Awaitable[Response]]


def guarded(parts: Parts, work: SessionWork, *, changes: bool) -> Endpoint:
    """Return an endpoint that asks who is signed in first, and says what went wrong."""

    async def endpoint(request: HttpRequest) -> Response:
        try:
            check_site(request)
            if (session := await ask(parts.given.tokens, partial(parts.session, request))) is None:
                return signed_out()
            if changes:
                check_csrf(request, session)
            answer = partial(_answer, work, request, session)
            response = await parts.given.dispatcher.run(Request(session.principal, "page", answer))
        except MemoryMcpError as error:
            return refused(error)
        if isinstance(response, StreamingResponse):
            response.body_iterator = _while_valid(parts, session, response.body_iterator)
        return response

    return endpoint


async def _while_valid(
    parts: Parts, session: PageSession, pieces: AsyncIterable[str | bytes | memoryview]
) -> AsyncIterator[str | bytes | memoryview]:
    """Yield a long answer's pieces for as long as its session is valid: a download may take an hour."""
    try:
        async for piece in pieces:
            if not await ask(parts.given.tokens, partial(parts.sessions.is_valid, session)):
                return
            yield piece
    finally:
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()


async def _answer(work: SessionWork, request: HttpRequest, session: PageSession) -> Response:
    try:
        return await work(request, session)
    except ClientDisconnect:
        return Response(status_code=NO_CONTENT)  # nobody reads it


def routes_of(parts: Parts, view: AnyView) -> list[Route]:
    """Return all that a view answers."""
    shown = guarded(parts, _show(parts, view), changes=False)
    made = [Route(f"{VIEW_PATH}{view.path}", shown, methods=["GET"])]
    for action in view.actions:
        done = guarded(parts, _do(parts, action), changes=True)
        made.append(Route(f"/do/{action.name}", done, methods=["POST"]))
    for stream in view.streams:
        run = guarded(parts, _run(parts, stream), changes=stream.method == "POST")
        made.append(Route(f"/raw/{stream.name}", run, methods=[stream.method]))
    return made


def _show(parts: Parts, view: AnyView) -> SessionWork:
    async def show(request: HttpRequest, session: PageSession) -> Response:
        visit = parts.visit(session)
        visit.principal.require(view.scope)
        if view.of_operator:
            visit.principal.require_operator()
        given = query_of(request)
        part = given.pop("part", None)
        if part is not None and part not in view.parts:
            raise InvalidArgumentError("part", "is no part of this view")
        arguments: Arguments = parse(view.arguments, given | request.path_params)
        values = await view.load(visit, arguments)
        template = f"{view.name}.{part}.html" if part else f"{view.name}.html"
        html = visit.render(template, {"query": arguments, **values})
        return HTMLResponse(html if part else _framed(view, html))

    return show


def _framed(view: AnyView, html: str) -> str:
    """Return a view's HTML in its element, which names its script."""
    script = f' data-script="/static/{view.name}.js"' if view.script else ""
    return f'<div class="view" data-view="{escape(view.name)}"{script}>{html}</div>'


def _do(parts: Parts, action: Action[Arguments]) -> SessionWork:
    async def do(request: HttpRequest, session: PageSession) -> Response:
        body = await json_body(request, parts.given.settings.http_max_body_bytes)
        answer = await action.run(parts.visit(session), parse(action.arguments, body))
        return JSONResponse({"message": answer.message, "data": answer.data, "html": answer.html})

    return do


def _run(parts: Parts, stream: Stream) -> SessionWork:
    async def run(request: HttpRequest, session: PageSession) -> Response:
        return await stream.run(parts.visit(session), request)

    return run
