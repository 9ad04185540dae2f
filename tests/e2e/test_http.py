"""Streamable HTTP: who is let in, where it listens, and that it is the same server as on stdio."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from memory_mcp.domain.principal import Scope
from tests.e2e.client import RawClient, ToolError
from tests.e2e.forking import Forks
from tests.e2e.web import ACCEPT, HELLO, WebClient, WebFront, past
from tests.fakes.daemon import FakeDaemon

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
Serve = Callable[..., WebFront]


def test_who_shows_no_token_is_refused(serve: Serve) -> None:
    """None, a wrong one, one that is over, one that was revoked: 401, and how to ask; nothing is said of the reason."""
    front = serve()
    gone, over = front.token("gone"), front.token("over", expires_at=past())
    with WebClient(front.url, gone) as client:
        client.hello()
        front.tokens.revoke("gone")
        assert client.post(PING).status_code == 401
    for authorization in (None, "Basic eDp5", "Bearer", "Bearer mm_wrong", f"Bearer {gone}", f"Bearer {over}"):
        headers = ACCEPT | ({} if authorization is None else {"Authorization": authorization})
        refused = httpx2.post(front.url, headers=headers, json=PING)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith('Bearer realm="memory-mcp"')


def test_a_token_file_that_others_can_read_lets_nobody_in(serve: Serve) -> None:
    """The answer says what fixes it."""
    front = serve()
    with front.client("me") as client:
        client.hello()
        (path := front.tokens._path).chmod(0o644)
        refused = client.post(PING)
        assert (refused.status_code, f"chmod 600 {path}" in refused.text) == (503, True)


FOREIGN: list[tuple[dict[str, str], int]] = [
    ({"Host": "evil.example"}, 421),
    ({"Host": "127.0.0.1:1"}, 421),
    ({"Origin": "https://evil.example"}, 403),
    ({"Origin": "http://localhost.evil.example"}, 403),
]


def test_pages_of_others_are_kept_out(serve: Serve) -> None:
    """A name that was bent to this machine, or a page that is none of ours, is refused with a token too."""
    front = serve()
    with front.client("me") as client:
        for headers, status in FOREIGN:
            assert client.http.post(front.url, headers=headers, json=PING).status_code == status, headers


def test_what_is_too_large_or_elsewhere_is_refused(serve: Serve) -> None:
    """Bodies are bounded, whatever they say of their length, and there is one path."""
    front = serve(MCP_MEMORY_HTTP_MAX_BODY_BYTES="2000")
    with front.client("me") as client:
        kind = {"Content-Type": "application/json"}
        assert client.http.post(front.url, headers=kind, content=b" " * 2_001).status_code == 413
        assert client.http.post(front.url, headers=kind, content=iter([b" " * 1_001] * 2)).status_code == 413
        assert client.http.get(front.url.replace("/mcp", "/other")).status_code == 404
        with pytest.raises(ToolError, match="at most 64 characters"):
            client.tool("memory_store", content="x", type="t" * 65)


def test_a_session_is_its_callers_own(serve: Serve) -> None:
    """With another token it is not there."""
    front = serve()
    with front.client("one") as one, front.client("two") as two:
        one.hello()
        two.http.headers["Mcp-Session-Id"] = one.http.headers["Mcp-Session-Id"]
        assert two.post(PING).status_code == 404
        assert one.post(PING).status_code == 200


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_both_eras_are_served(daemon: FakeDaemon, serve: Serve, mode: Literal["legacy", "auto"]) -> None:
    """The SDK's own client lists, stores, finds and reads."""
    del daemon
    front = serve()
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {front.token('me')}"}) as http,
        Client(streamable_http_client(front.url, http_client=http), mode=mode) as client,
    ):
        assert client.protocol_version == {"legacy": "2025-11-25", "auto": "2026-07-28"}[mode]
        assert "memory_store" in [tool.name for tool in (await client.list_tools()).tools]
        await client.call_tool("memory_store", {"content": "The cat is called Miso"})
        found = (await client.call_tool("memory_search", {"query": "cat"})).structured_content
        assert found is not None
        assert [hit["content"] for hit in found["results"]] == ["The cat is called Miso"]
        assert found["degraded"] is False
        assert "Miso" in (await client.read_resource("memory://recent/10")).contents[0].text  # type: ignore[union-attr]  # it is text
        wrong = await client.call_tool("memory_search", {"query": "x", "limit": 0})
        assert wrong.is_error


NEEDS: dict[str, set[Scope]] = {
    "memory_store": {Scope.WRITE},
    "memory_store_many": {Scope.WRITE},
    "memory_search": {Scope.READ},
    "memory_list": {Scope.READ},
    "memory_get": {Scope.READ},
    "memory_update": {Scope.READ, Scope.WRITE},
    "memory_delete": {Scope.READ, Scope.WRITE},
    "memory_context": {Scope.READ},
    "memory_ingest": {Scope.WRITE},
    "memory_health": {Scope.READ},
}


def test_a_missing_scope_is_named(serve: Serve) -> None:
    """Every tool and every request that looks at memories needs its scope; lists need none."""
    front = serve()
    for scopes in ((Scope.READ,), (Scope.WRITE,), (Scope.READ, Scope.WRITE), (Scope.ADMIN,)):
        held = set(Scope) if Scope.ADMIN in scopes else set(scopes)
        with front.client("-".join(scopes), scopes=scopes) as client:
            names_what_it_needs(client, held)


def names_what_it_needs(client: WebClient, held: set[Scope]) -> None:
    """Ask for everything; just what lacks its scope is refused for it."""
    assert {tool["name"] for tool in client.request("tools/list")["result"]["tools"]} == NEEDS.keys()
    for name, needed in NEEDS.items():
        result = client.request("tools/call", {"name": name, "arguments": {"no": 1}})["result"]
        said = result["content"][0]["text"]
        assert result["isError"] is True
        assert ("this needs the scope" in said) is not needed.issubset(held), (held, name, said)
        assert "no: is not an argument" in said or any(f"'{scope.value}'" in said for scope in needed - held)
    for method, params in (
        ("resources/read", {"uri": "memory://stats"}),
        ("resources/subscribe", {"uri": "memory://stats"}),
        ("prompts/get", {"name": "save_session"}),
    ):
        answer = client.request(method, params)
        assert ("result" in answer) is (Scope.READ in held), (held, method)
        assert "result" in answer or "'read'" in answer["error"]["message"]


def test_only_an_admin_is_told_of_the_machine(serve: Serve, folder: Path) -> None:
    """memory_health names files to who runs the server, and to no other."""
    front = serve()
    with front.client("boss", scopes=(Scope.ADMIN,)) as boss, front.client("me") as me:
        assert str(folder) in boss.tool("memory_health")["store"]["detail"]
        assert {part["detail"] for name, part in me.tool("memory_health").items() if name != "status"} == {""}


@pytest.mark.parametrize("address", ["0.0.0.0:0", "192.0.2.1:0", ":::0", "example.org:80"])
def test_a_public_address_wants_tls(forks: Forks, environment: dict[str, str], address: str) -> None:
    """Without it the front says what to give, and exits as for wrong usage."""
    done = forks.text(["serve", "--http", address], environment)
    assert (done.returncode, "--tls-cert" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["nonsense"], "give HOST:PORT"),
        (["127.0.0.1:99999"], "give HOST:PORT"),
        (["192.0.2.1:0", "--plain-http"], "cannot listen on"),
        (["0.0.0.0:0", "--plain-http"], "MCP_MEMORY_HTTP_ALLOWED_HOSTS"),
    ],
)
def test_a_wrong_address_is_named(forks: Forks, environment: dict[str, str], arguments: list[str], named: str) -> None:
    """One line, with the fix."""
    done = forks.text(["serve", "--http", *arguments], environment)
    lines = [line for line in done.stderr.splitlines() if "no token yet" not in line]
    assert (done.returncode, len(lines), named in done.stderr) == (2, 1, True), done.stderr


def test_a_taken_port_is_named(forks: Forks, environment: dict[str, str]) -> None:
    """Two servers do not share an address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = forks.text(["serve", "--http", address], environment)
    assert (done.returncode, f"cannot listen on {address}" in done.stderr) == (2, True)


def test_tls_is_spoken(serve: Serve, folder: Path) -> None:
    """With a certificate the server answers by TLS alone."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    made = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*made.split(), "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    front = serve("--tls-cert", str(cert), "--tls-key", str(key))
    assert front.url.startswith("https://")
    headers = ACCEPT | {"Authorization": f"Bearer {front.token('me')}"}
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}
    trusting = ssl.create_default_context(cafile=str(cert))
    assert httpx2.post(front.url, headers=headers, json=hello, verify=trusting).status_code == 200


async def test_a_signal_ends_it_well(serve: Serve) -> None:
    """A stream that is open is cut; the exit code is 0."""
    front = serve()
    with front.client("me") as client:
        client.hello()
        async with (
            asyncio.timeout(60),
            httpx2.AsyncClient(headers=dict(client.http.headers)) as http,
            http.stream("GET", front.url) as stream,
        ):
            assert stream.status_code == 200
            front.process.terminate()
            assert await asyncio.to_thread(front.process.wait) == 0


def test_tokens_are_shown_once_and_kept_as_digests(forks: Forks, environment: dict[str, str], folder: Path) -> None:
    """The command makes, lists and revokes; the file is its owner's, and holds no token."""
    environment |= {"MCP_MEMORY_TOKENS_PATH": str(folder / "sub" / "tokens.json")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return forks.text(["token", *arguments], environment)

    made = json.loads(run("create", "phone", "--scope", "read", "--namespace", "home", "--days", "3", "--json").stdout)
    assert (made["name"], made["scopes"], made["namespace"]) == ("phone", ["read"], "home")
    assert len(made["token"]) >= 43
    file = folder / "sub" / "tokens.json"
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert made["token"] not in file.read_text()
    again = run("create", "phone")
    assert (again.returncode, again.stderr.count("\n"), "already" in again.stderr) == (1, 1, True)
    listed = run("list")
    assert made["token"] not in listed.stdout
    assert "phone" in listed.stdout
    assert "namespace home, until" in listed.stdout
    assert run("revoke", made["id"]).returncode == 0
    assert json.loads(run("list", "--json").stdout) == {"tokens": []}
    assert run("revoke", "phone").returncode == 1


def test_a_caller_who_asks_too_often_is_told_when_to_come_back(serve: Serve) -> None:
    """Each kind and each caller has its own minute; what does not reach the store is free."""
    front = serve(MCP_MEMORY_RATE_LIMIT_READ="3", MCP_MEMORY_RATE_LIMIT_BULK="1")
    with front.client("one") as one, front.client("two") as two:
        one.read("memory://stats")
        one.tool("memory_list")
        one.tool("memory_list")
        refused = one.request("tools/call", {"name": "memory_list", "arguments": {}})["result"]
        assert refused["isError"] is True
        assert "the limit is 3 read requests a minute" in refused["content"][0]["text"]
        assert 1 <= refused["_meta"]["memory-mcp/retry_after"] <= 60
        error = one.request("resources/read", {"uri": "memory://stats"})["error"]
        assert 1 <= error["data"]["memory-mcp/retry_after"] <= 60
        for _ in range(5):
            one.request("tools/list")
            one.tool("memory_store", content="text")
        one.tool("memory_store_many", items=[{"content": "more"}])
        with pytest.raises(ToolError, match="the limit is 1 bulk"):
            one.tool("memory_store_many", items=[{"content": "more"}])
        assert two.tool("memory_list")["total"] == 2


async def test_stdio_knows_no_limit(start: Callable[..., RawClient]) -> None:
    """The local user is not counted, unless the setting says so."""
    free, counted = (
        start(MCP_MEMORY_RATE_LIMIT_READ="1"),
        start(MCP_MEMORY_RATE_LIMIT_READ="1", MCP_MEMORY_RATE_LIMIT_ENABLED="true"),
    )
    for client in (free, counted):
        await client.initialize()
        await client.tool("memory_list")
    await free.tool("memory_list")
    with pytest.raises(ToolError, match="the limit is 1 read"):
        await counted.tool("memory_list")
