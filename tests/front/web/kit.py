"""The page without a browser and without a server: its application, on fakes, asked as a browser asks."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2

from memory_mcp.app import make_services
from memory_mcp.application.stack import make_dispatcher
from memory_mcp.domain.principal import Reach, Scope
from memory_mcp.server.web.app import make_page
from memory_mcp.server.web.parts import CSRF_HEADER, SECRET_HEADER, Given
from memory_mcp.server.web.session import Activity, Codes
from memory_mcp.server.web.whereabouts import Register
from memory_mcp.settings import load
from memory_mcp.tools.services import Services
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.store import FakeStore
from tests.fakes.tokens import FakeTokens

PORT = 8123
URL = f"http://127.0.0.1:{PORT}"
READ_WRITE = (Scope.READ, Scope.WRITE)


class Clock:
    """A clock that goes when it is told."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class PageSite:
    """The page of a front whose store, embedder and tokens are fakes."""

    def __init__(self, folder: Path, change: Callable[[Services], Services] = lambda it: it, **settings: Any) -> None:
        self.clock = Clock()
        self.store = FakeStore()
        self.embedder = FakeEmbedder()
        self.tokens = FakeTokens(self.clock)
        self.settings = load(**{"sqlite_path": folder / "memory.db", "backup_folder": folder / "backups", **settings})
        self.services = change(make_services(self.settings, self.store, self.embedder))
        self.register = Register(folder / "page")
        self.activity = Activity(self.clock)
        self._folder = folder
        self.app = make_page(
            Given(
                settings=self.settings,
                dispatcher=make_dispatcher(self.settings, self._get, rate_limited=False),
                services=self._get,
                tokens=self.tokens,
                default=Reach("default"),
                url=URL,
                port=PORT,
                register=self.register,
                activity=self.activity,
                codes=Codes(self.clock),
                clock=self.clock,
            )
        )

    async def _get(self) -> Services:
        return self.services

    def http(self) -> httpx2.AsyncClient:
        """Return a browser that is not signed in."""
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self.app), base_url=URL)

    async def code(self, http: httpx2.AsyncClient) -> str:
        """Return a code to sign in with."""
        reply = self.register.new_reply()
        assert (await http.post("/sign-in/link", json={"reply": reply})).status_code == 204
        link = self.register.take(reply)
        assert link is not None
        return link.partition("#")[2]

    async def sign_in(self, scopes: tuple[Scope, ...] | None = None, namespace: str | None = None) -> SignedIn:
        """Sign in as the local user, or as the holder of a new token."""
        http = self.http()
        if scopes is None:
            given = {"code": await self.code(http)}
        else:
            given = {"token": self.tokens.create(os.urandom(4).hex(), scopes, namespace, None)[0]}
        answer = (await http.post("/sign-in", json=given)).raise_for_status().json()
        http.headers[SECRET_HEADER] = answer["secret"]
        http.headers[CSRF_HEADER] = answer["csrf"]
        return SignedIn(http, answer)


class SignedIn:
    """A browser that is signed in."""

    def __init__(self, http: httpx2.AsyncClient, facts: dict[str, Any]) -> None:
        self.http = http
        self.facts = facts

    async def view(self, path: str) -> str:
        """Return the HTML of a view."""
        return (await self.http.get(f"/view{path}")).raise_for_status().text

    async def act(self, name: str, /, **body: object) -> Any:
        """Do a change and return its answer."""
        return (await self.http.post(f"/do/{name}", json=body)).raise_for_status().json()

    async def refusal(self, name: str, /, **body: object) -> str:
        """Return why a change is refused."""
        answer = await self.http.post(f"/do/{name}", json=body)
        assert answer.is_client_error, answer.text
        return str(answer.json()["error"])
