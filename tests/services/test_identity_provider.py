"""A server over HTTP behind a real identity provider: who is let in, what they reach, what is written down of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator

import httpx2
import pytest
from joserfc.jwk import RSAKey

from memory_mcp.domain.principal import Scope
from memory_mcp.oidc.identities import SKEW_S
from tests.e2e.client import Json, ToolError
from tests.e2e.conftest import Command, command, environment, folder, forks, serve
from tests.e2e.test_postgres import database
from tests.e2e.web import ACCEPT, HELLO, WebClient, WebFront
from tests.fakes.issuer import signed, signed_with_public_key, unsigned
from tests.front.sources.web_server import web_server
from tests.services.postgres import Postgres
from tests.services.provider import Provider, provider_of

pytestmark = pytest.mark.services
__all__ = ["command", "database", "environment", "folder", "forks", "serve"]

Serve = Callable[..., WebFront]
GRANTS = [
    {"claim": "sub", "value": "ann", "scopes": ["read", "write"], "namespaces": ["person-{sub}"]},
    {"claim": "groups", "value": "team-a", "scopes": ["read", "write"], "namespaces": ["team-a"]},
    {"claim": "scope", "value": "memory.read", "scopes": ["read"], "namespaces": ["all-hands"]},
]
SECRET = "the code of the safe is 1234"  # noqa: S105 - a memory


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """Run one provider for all tests but those that want short tokens."""
    with provider_of() as made:
        yield made


def behind(serve: Serve, provider: Provider, **more: str) -> WebFront:
    """Serve, with the provider's tokens."""
    settings = {"MCP_MEMORY_OIDC_ISSUER": provider.issuer, "MCP_MEMORY_OIDC_GRANTS": json.dumps(GRANTS)}
    return serve(**(settings | more))


def get(url: str, token: str = "", path: str = "/mcp") -> httpx2.Response:
    """Ask for something, with or without a token."""
    headers = ACCEPT | ({"Authorization": f"Bearer {token}"} if token else {})
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}
    if path == "/mcp":
        return httpx2.post(url, headers=headers, json=hello)
    return httpx2.get(url.replace("/mcp", path), headers=headers)


async def lines_of(command: Command, *filters: str) -> list[Json]:
    """Return the audit."""
    listed = await command("audit", "list", "--json", *filters)
    assert listed.code == 0, listed.err
    found: list[Json] = listed.data["lines"]
    return found


async def test_people_reach_what_their_claims_say(serve: Serve, provider: Provider, command: Command) -> None:
    """Their own namespace and their teams', some to read alone, and no other; the audit knows who did what."""
    front = behind(serve, provider)
    ann = WebClient(front.url, provider.token("ann", front.url, groups=["team-a"], scope="memory.read", name="Ann A"))
    bob = WebClient(front.url, provider.token("bob", front.url, groups=["team-a", "team-b"]))
    with ann, bob, front.client("keeper") as keeper:
        keeper.tool("memory_store", content="Closed in August", id="notice", namespace="all-hands")
        keeper.tool("memory_store", content="of another team", id="theirs", namespace="team-b")
        assert ann.tool("memory_store", content=SECRET, id="mine")["created"]
        assert bob.tool("memory_store", content="we use tabs", id="ours")["created"]
        assert [one["id"] for one in ann.tool("memory_list")["memories"]] == ["mine"]
        assert [one["id"] for one in ann.tool("memory_list", namespace="team-a")["memories"]] == ["ours"]
        assert ann.tool("memory_get", id="ours")["content"] == "we use tabs"
        assert ann.tool("memory_get", id="notice")["content"] == "Closed in August"
        assert ann.complete("namespace", "") == ["all-hands", "person-ann", "team-a"]
        for attempt in ({"content": "x", "namespace": "all-hands"}, {"content": "x", "namespace": "team-b"}):
            with pytest.raises(ToolError, match="can only"):
                ann.tool("memory_store", **attempt)
        with pytest.raises(ToolError, match="can only read"):
            ann.tool("memory_delete", id="notice")
        for who, foreign in ((ann, "theirs"), (bob, "mine"), (bob, "notice")):
            with pytest.raises(ToolError, match="no memory"):
                who.tool("memory_get", id=foreign)
        assert bob.complete("namespace", "") == ["team-a"]
        ann.tool("memory_search", query="safe code")
        with pytest.raises(ToolError):
            bob.tool("memory_update", id="mine", content="stolen")
    assert front.end() == 0

    lines = await lines_of(command)
    assert SECRET not in json.dumps(lines)
    assert "safe" not in json.dumps(lines)
    [stored] = await lines_of(command, "--id", "mine", "--request", "memory_store")
    assert (stored["name"], stored["issuer"], stored["kind"], stored["outcome"]) == (
        "Ann A",
        provider.issuer,
        "write",
        "ok",
    )
    of_bob = [(line["request"], line["outcome"], line["ids"]) for line in await lines_of(command, "--who", "bob")]
    assert ("memory_update", "not_found", ["mine"]) in of_bob
    assert ("memory_get", "not_found", ["mine"]) in of_bob
    [searched] = await lines_of(command, "--request", "memory_search")
    assert (searched["principal"], searched["ids"]) == (stored["principal"], ["mine"])
    assert {line["issuer"] for line in lines} == {provider.issuer, ""}


def test_a_client_is_told_where_to_sign_in(serve: Serve, provider: Provider) -> None:
    """By the challenge, and by the document that it names, which anybody may read."""
    front = behind(serve, provider)
    refused = get(front.url)
    said = refused.headers["www-authenticate"]
    where = front.url.replace("/mcp", "/.well-known/oauth-protected-resource/mcp")
    assert refused.status_code == 401
    assert f'resource_metadata="{where}"' in said
    assert 'scope="memory.read"' in said
    assert "error=" not in said
    for url in (where, where.removesuffix("/mcp")):
        document = httpx2.get(url).raise_for_status().json()
        assert document["resource"] == front.url
        assert document["authorization_servers"] == [provider.issuer]
        assert document["scopes_supported"] == ["memory.read"]
    assert httpx2.get(where, headers={"Host": "evil.example"}).status_code == 421


def test_wrong_and_forged_tokens_are_refused(serve: Serve, provider: Provider) -> None:
    """For another server, by another provider, by nobody; a token that grants nothing is no wrong one."""
    front = behind(serve, provider)
    (kid, public), mine = provider.key(), RSAKey.generate_key(2048)
    good = provider.token("ann", front.url)
    claims = {"iss": provider.issuer, "aud": front.url, "sub": "ann", "exp": 4_000_000_000}
    with provider_of() as other:
        foreign = other.token("ann", front.url)
    for what, token in {
        "another audience": provider.token("ann", "https://other.example.org"),
        "another provider": foreign,
        "another key": signed(claims, mine, {"alg": "RS256", "kid": kid}),
        "its own key": signed(claims, mine, {"alg": "RS256", "jwk": mine.as_dict(private=False)}),
        "alg none": unsigned(claims, kid),
        "key confusion": signed_with_public_key(claims, public, kid),
        "no signature": good.rpartition(".")[0] + ".",
    }.items():
        refused = get(front.url, token)
        assert (refused.status_code, 'error="invalid_token"' in refused.headers["www-authenticate"]) == (401, True), (
            what
        )
        assert get(front.url, token, "/metrics").status_code == 401, what
    assert get(front.url, good).status_code == 200
    nobody = get(front.url, provider.token("eve", front.url, groups=["others"]))
    assert nobody.status_code == 403
    assert 'error="insufficient_scope"' in nobody.headers["www-authenticate"]
    assert get(front.url, good, "/metrics").status_code == 403


def test_a_client_is_told_which_scope_would_do(serve: Serve, provider: Provider) -> None:
    """Where the provider could grant it; a tool that needs none is answered."""
    writing = {"claim": "scope", "value": "memory.write", "scopes": ["read", "write"], "namespaces": ["all-hands"]}
    front = behind(serve, provider, MCP_MEMORY_OIDC_GRANTS=json.dumps([GRANTS[2], writing]))
    with WebClient(front.url, provider.token("ann", front.url, scope="memory.read")) as reader:
        assert reader.tool("memory_list")["total"] == 0
        arguments = {"name": "memory_store", "arguments": {"content": "x"}}
        refused = reader.post({"id": 7, "method": "tools/call", "params": arguments})
        assert refused.status_code == 403
        assert 'error="insufficient_scope", scope="memory.write"' in refused.headers["www-authenticate"]
    with WebClient(front.url, provider.token("ann", front.url, scope="memory.read memory.write")) as writer:
        assert writer.tool("memory_store", content="x")["created"]


async def test_open_streams_end_when_the_token_does(serve: Serve) -> None:
    """The server ends them, though nothing happens on them; this token has expired already, but clocks may differ."""
    with provider_of(seconds=8 - SKEW_S) as provider:
        front = behind(serve, provider)
        token = await asyncio.to_thread(provider.token, "ann", front.url)
        with WebClient(front.url, token) as client:
            client.hello()
            async with (
                asyncio.timeout(60),
                httpx2.AsyncClient(headers=dict(client.http.headers), timeout=None) as http,
                http.stream("GET", front.url) as stream,
            ):
                assert stream.status_code == 200
                async for _ in stream.aiter_raw():
                    pass


def test_a_public_server_has_to_know_its_name(serve: Serve, provider: Provider) -> None:
    """Behind a proxy the resource is the public URL: tokens for the inner address are refused."""
    front = behind(serve, provider, MCP_MEMORY_HTTP_PUBLIC_URL="https://memory.example.org")
    assert get(front.url, provider.token("ann", front.url)).status_code == 401
    assert get(front.url, provider.token("ann", "https://memory.example.org/mcp")).status_code == 200
    challenge = get(front.url).headers["www-authenticate"]
    assert 'resource_metadata="https://memory.example.org/.well-known/oauth-protected-resource/mcp"' in challenge


async def test_fronts_of_a_database_share_their_tokens(
    database: str, serve: Serve, command: Command, postgres: Postgres
) -> None:
    """One that a command has made, all let in at once; one that was revoked, none does."""
    del database, postgres
    made = (await command("token", "create", "phone", "--namespace", "home", "--json")).data
    fronts = [serve(), serve()]
    assert [get(front.url, made["token"]).status_code for front in fronts] == [200, 200]
    later = (await command("token", "create", "boss", "--scope", Scope.ADMIN, "--json")).data
    assert [get(front.url, later["token"]).status_code for front in fronts] == [200, 200]
    with WebClient(fronts[0].url, made["token"]) as phone:
        phone.tool("memory_store", content=SECRET, id="mine")
    assert (await command("token", "revoke", "phone")).code == 0
    assert [get(front.url, made["token"]).status_code for front in fronts] == [401, 401]
    [line] = await lines_of(command, "--id", "mine")
    assert (line["name"], line["request"]) == ("phone", "memory_store")


async def test_a_token_goes_no_further(serve: Serve, provider: Provider) -> None:
    """A source that is asked for somebody gets nothing of their token."""
    async with web_server() as source:
        wiki = {
            "kind": "http",
            "url": f"http://127.0.0.1:{source.port}/notes?q={{query}}",
            "items": "$[*]",
            "text": "$.body",
            "namespaces": ["person-ann"],
        }
        front = behind(serve, provider, MCP_MEMORY_SOURCES=json.dumps({"wiki": wiki}))
        token = await asyncio.to_thread(provider.token, "ann", front.url)
        with WebClient(front.url, token) as ann:
            asked = await asyncio.to_thread(ann.tool, "memory_context", query="boat", budget_ms=10_000)
        assert [each["name"] for each in asked["sources"]] == ["memory", "wiki"]
        assert source.requests
        sent = str(source.requests)
        assert token not in sent
        assert token.split(".")[1] not in sent
        assert not any("authorization" in {name.lower() for name in headers} for _, _, headers, _ in source.requests)
