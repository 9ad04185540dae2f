"""A front that serves HTTP, and a bare client of it: one session of 2025-11-25, in JSON-RPC."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self

import httpx2

from memory_mcp.domain.principal import Scope
from memory_mcp.storage.tokens import TokenFile
from tests.e2e.client import PATIENCE_S, Json, ToolError

ACCEPT = {"Accept": "application/json, text/event-stream"}
HELLO: Json = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "0"},
}
ALL = (Scope.READ, Scope.WRITE)


class WebFront:
    """One process that serves HTTP, and its tokens."""

    def __init__(self, front: Path, environment: dict[str, str], folder: Path, *arguments: str) -> None:
        self.tokens = TokenFile(folder / "tokens.json")
        self.process = subprocess.Popen(
            [str(front), "serve", "--http", "127.0.0.1:0", *arguments],
            env=environment | {"MCP_MEMORY_TOKENS_PATH": str(folder / "tokens.json")},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._said: SimpleQueue[str] = SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()
        lines = iter(lambda: self._said.get(timeout=PATIENCE_S), "")
        self.url = next(found[0] for line in lines if (found := re.search(r"https?://\S+", line)))

    def _listen(self) -> None:
        """Read what it logs, so that it never waits for a reader; an empty line is the end."""
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                self._said.put(line)
        self._said.put("")

    def rest(self) -> list[str]:
        """Return what it has logged since it began to serve, once it has ended."""
        return list(iter(lambda: self._said.get(timeout=PATIENCE_S), ""))

    def token(
        self,
        name: str,
        namespace: str | None = None,
        scopes: tuple[Scope, ...] = ALL,
        expires_at: datetime | None = None,
    ) -> str:
        """Make a token."""
        return self.tokens.create(name, scopes, namespace, expires_at)[0]

    def client(self, name: str, namespace: str | None = None, scopes: tuple[Scope, ...] = ALL) -> WebClient:
        """Return a client with a token of its own."""
        return WebClient(self.url, self.token(name, namespace, scopes))

    def end(self) -> int:
        """Ask it to end, and wait for it."""
        self.process.terminate()
        return self.process.wait(timeout=PATIENCE_S)


class WebClient:
    """A session; it begins with the first request."""

    def __init__(self, url: str, token: str) -> None:
        headers = ACCEPT | {"Authorization": f"Bearer {token}"}
        self.http = httpx2.Client(headers=headers, timeout=PATIENCE_S)
        self._url = url
        self._id = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()

    def post(self, message: Json) -> httpx2.Response:
        """Send one message and return what HTTP says."""
        return self.http.post(self._url, json={"jsonrpc": "2.0", **message})

    def page(self, path: str) -> httpx2.Response:
        """Get another page of the server."""
        return self.http.get(self._url.replace("/mcp", path))

    def hello(self) -> None:
        """Shake hands."""
        answer = self.post({"id": 0, "method": "initialize", "params": HELLO})
        assert answer.status_code == 200, answer.text
        self.http.headers["Mcp-Session-Id"] = answer.headers["mcp-session-id"]
        self.http.headers["MCP-Protocol-Version"] = "2025-11-25"
        self.post({"method": "notifications/initialized"})

    def request(self, method: str, params: Json | None = None) -> Json:
        """Send a request and return its answer, errors included."""
        if "Mcp-Session-Id" not in self.http.headers:
            self.hello()
        self._id += 1
        answer = self.post({"id": self._id, "method": method, "params": params or {}})
        assert answer.status_code == 200, answer.text
        messages = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
        found: Json = next(message for message in messages if message.get("id") == self._id)
        return found

    def tool(self, name: str, **arguments: object) -> Any:
        """Call a tool and return its structured result; raise ToolError with its text."""
        result = self.request("tools/call", {"name": name, "arguments": arguments})["result"]
        if result.get("isError"):
            raise ToolError(result["content"][0]["text"])
        return result["structuredContent"]

    def read(self, uri: str) -> Any:
        """Return a resource's JSON."""
        return json.loads(self.request("resources/read", {"uri": uri})["result"]["contents"][0]["text"])

    def complete(self, name: str, prefix: str) -> list[str]:
        """Return the completions of an argument."""
        ref = {"type": "ref/resource", "uri": "memory://tag/{tag}"}
        params = {"ref": ref, "argument": {"name": name, "value": prefix}}
        values: list[str] = self.request("completion/complete", params)["result"]["completion"]["values"]
        return values


def past() -> datetime:
    """Return a moment that is over."""
    return datetime(2020, 1, 1, tzinfo=UTC)
