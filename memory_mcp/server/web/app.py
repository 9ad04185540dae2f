"""The page's ASGI application: the shell, its static files, and what the shell asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from memory_mcp.server.web.answering import routes_of
from memory_mcp.server.web.headers import ASKED_AGAIN, CACHING, STATIC_PATH, SafeHeaders
from memory_mcp.server.web.live import Live
from memory_mcp.server.web.parts import Given, Parts
from memory_mcp.server.web.rendering import Templates
from memory_mcp.server.web.sign_in import SignIn
from memory_mcp.server.web.texts import as_json
from memory_mcp.server.web.views import VIEWS

STATIC: Final = Path(__file__).with_name("static")
GROUPS: Final = ("memories", "system")
ALL: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
CURRENT: Final = {CACHING: ASKED_AGAIN}


def make_page(given: Given) -> ASGIApp:
    """Return the page of a front."""
    parts = Parts(given)
    shell = _Shell(parts.templates)
    routes: list[BaseRoute] = [
        *(Route(view.path, shell.show, methods=["GET"]) for view in VIEWS),
        Route("/sign-in", shell.show, methods=["GET"]),
        Live(parts).route(),
        *(route for view in VIEWS for route in routes_of(parts, view)),
        *SignIn(parts).routes(),
        Route("/texts.json", _texts, methods=["GET"]),
        Mount(STATIC_PATH, StaticFiles(directory=STATIC)),
        Route("/{path:path}", shell.missing, methods=ALL),
    ]
    return SafeHeaders(Starlette(routes=routes))


class _Shell:
    """The document around every view: the same for everybody, and without content."""

    def __init__(self, templates: Templates) -> None:
        groups = {group: [view for view in VIEWS if view.nav and view.nav.group == group] for group in GROUPS}
        self._html = templates.render(
            "shell.html", {"groups": groups, "styles": [view.name for view in VIEWS if view.style]}
        )

    async def show(self, request: HttpRequest) -> Response:
        del request
        return HTMLResponse(self._html, headers=CURRENT)

    async def missing(self, request: HttpRequest) -> Response:
        """Answer for an address that is nobody's."""
        if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(self._html, 404, headers=CURRENT)
        return JSONResponse({"error": "there is no such page; MCP clients use /mcp"}, 404)


async def _texts(request: HttpRequest) -> Response:
    del request
    return Response(as_json(), media_type="application/json", headers=CURRENT)
