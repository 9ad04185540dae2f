"""The guard of a server over HTTP: what strangers hear, and what becomes of a stream whose token is revoked."""

from __future__ import annotations

import asyncio

from starlette.types import Message, Receive, Scope, Send

from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.ports.identities import Caller
from memory_mcp.domain.principal import local_user
from memory_mcp.server.http.challenge import Challenge
from memory_mcp.server.http.guard import Guard


class FakeIdentities:
    """Lets everybody in until the token is revoked, or the database is away."""

    def __init__(self) -> None:
        self.is_revoked = False
        self.trouble: StoreError | None = None

    async def identify(self, bearer: str) -> Caller | None:
        del bearer
        if self.trouble:
            raise self.trouble
        return Caller(local_user("default"))

    async def is_valid(self, identity: Caller) -> bool:
        del identity
        return not self.is_revoked


async def _anybody(_: object) -> None:
    """Refuse no name."""


async def asked(guard: Guard) -> list[Message]:
    """Return what is sent in answer to a request."""
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"authorization", b"Bearer something")]
    scope = {"type": "http", "method": "GET", "path": "/mcp", "headers": headers, "query_string": b""}
    async with asyncio.timeout(60):
        await guard(scope, receive, send)
    return sent


async def test_a_stream_ends_when_its_token_is_revoked() -> None:
    """At the next message, which is not sent; the stream does not stay open without it."""
    identities = FakeIdentities()

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        identities.is_revoked = True
        await send({"type": "http.response.body", "body": b"second", "more_body": True})
        await receive()

    sent = await asked(Guard(stream, identities, _anybody, Challenge(), {}))
    assert [message.get("body") for message in sent] == [None, b"first", b""]
    assert sent[-1]["more_body"] is False


async def test_a_stranger_hears_nothing_of_the_database() -> None:
    """Neither where it is nor what is wrong with it; the log says that."""
    identities = FakeIdentities()
    identities.trouble = StoreError("postgresql://memory_front@10.1.2.3/memories cannot be reached; start PostgreSQL")

    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError

    start, body = await asked(Guard(never, identities, _anybody, Challenge(), {}))
    assert start["status"] == 503
    assert b"10.1.2.3" not in body["body"]
    assert b"try again" in body["body"]
