"""The shared tier on a real server: the contract, what may happen to the server, and fronts that share it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import redis

from memory_common.tls_files import TlsFiles
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.domain.ports import RateCounter, SharedCache
from memory_mcp.domain.principal import LOCAL
from memory_mcp.shared.cache import RedisCache
from memory_mcp.shared.rates import RedisRates
from memory_mcp.shared.server import WAIT_S, AwayError, RedisServer
from tests.certificates import Authority
from tests.contracts.test_shared_tier import (
    PATIENCE_S,
    test_a_minute_has_so_many_calls,
    test_bytes_are_found_under_their_key,
    test_calls_at_once_are_counted_each,
    test_what_is_too_large_is_not_put,
    until_held,
)
from tests.services.valkey import Valkey

pytestmark = pytest.mark.services
__all__ = [
    "test_a_minute_has_so_many_calls",
    "test_bytes_are_found_under_their_key",
    "test_calls_at_once_are_counted_each",
    "test_what_is_too_large_is_not_put",
]
KEY = b"k" * 32
Connect = Callable[..., Awaitable[RedisServer]]


@asynccontextmanager
async def connected(url: str, wait_s: float = PATIENCE_S) -> AsyncIterator[RedisServer]:
    """Connect to a server, and wait until that is done or has failed; a busy machine is no fault of the server's."""
    server = RedisServer(url, wait_s)
    await server.look()
    yield server
    await server.close()


@pytest.fixture
async def server(valkey: Valkey) -> AsyncIterator[RedisServer]:
    """Connect to the server."""
    async with connected(valkey.url) as made:
        yield made


@pytest.fixture
def rates(server: RedisServer) -> RateCounter:
    """Return what counts for all fronts."""
    return RedisRates(server)


@pytest.fixture
def cache(server: RedisServer) -> SharedCache:
    """Return the cache of all fronts."""
    return RedisCache(server)


async def until(server: RedisServer, condition: Condition) -> Finding:
    """Ask until the server is in a condition."""
    async with asyncio.timeout(PATIENCE_S):
        while (found := await server.look()).condition is not condition:  # noqa: ASYNC110 - the breaker's pause
            await asyncio.sleep(0.02)
    return found


async def test_fronts_share_limits_and_answers(server: RedisServer, valkey: Valkey) -> None:
    """What one counted and cached, another knows; whoever sits at a machine is counted there alone."""
    async with connected(valkey.url) as other:
        one, two = RedisRates(server), RedisRates(other)
        assert [await rates.hit("me", "read", 2) for rates in (one, two)] == [0, 0]
        assert all([await rates.hit("me", "read", 2) for rates in (one, two)])
        assert [await rates.hit(LOCAL, "read", 1) for rates in (one, two)] == [0, 0]
        RedisCache(server).put(KEY, b"answer")
        assert await until_held(RedisCache(other), KEY) == b"answer"


async def test_what_lies_there_ends_by_itself(server: RedisServer, valkey: Valkey) -> None:
    """Every key has an age, and names nobody."""
    await RedisRates(server).hit("ada@example.org", "read", 2)
    RedisCache(server).put(KEY, b"answer")
    await until_held(RedisCache(server), KEY)
    with redis.Redis(port=valkey.port) as client:
        keys = client.keys()
        assert len(keys) == 3
        assert all(0 < client.ttl(key) <= 600 for key in keys)
        assert not any(b"ada" in key for key in keys)


async def test_bytes_under_a_foreign_key_are_no_answer(server: RedisServer, valkey: Valkey) -> None:
    """Each value says which key it belongs to."""
    with redis.Redis(port=valkey.port) as client:
        client.set(b"memory-mcp:answer:" + KEY, b"x" * 40)
    assert await RedisCache(server).get(KEY) is None


async def test_a_killed_server_is_missed_and_found_again(server: RedisServer, valkey: Valkey) -> None:
    """Meanwhile each front counts for itself, and nothing is cached; the finding says what to do."""
    rates, cache = RedisRates(server), RedisCache(server)
    assert await rates.hit("me", "read", 1) == 0
    valkey.kill()
    assert await rates.hit("me", "read", 1) == 0
    assert await rates.hit("me", "read", 1) > 0
    cache.put(KEY, b"answer")
    assert await cache.get(KEY) is None
    found = await server.look()
    assert (found.condition, found.state) == (Condition.DEGRADED, "local")
    assert f"127.0.0.1:{valkey.port}/0 cannot be reached" in found.cause
    assert "MCP_MEMORY_REDIS_URL" in found.fix
    valkey.start()
    await until(server, Condition.OK)
    cache.put(KEY, b"answer")
    assert await until_held(cache, KEY) == b"answer"


async def test_a_hanging_server_is_asked_once(valkey: Valkey) -> None:
    """Of many calls at once and after, none waits for another's sake; when it goes on, it is used again."""
    async with connected(valkey.url, WAIT_S) as server:
        await until(server, Condition.OK)
        rates = RedisRates(server)
        with valkey.hanging():
            assert await asyncio.gather(*(rates.hit("me", "read", 9) for _ in range(9))) == [0] * 9
            assert await rates.hit("me", "read", 9) > 0
            assert "does not answer in time" in (await server.look()).cause
        await until(server, Condition.OK)


async def wrong_password(client: redis.Redis) -> None:
    """Want a password."""
    client.config_set("requirepass", "s3cret")


async def full(client: redis.Redis) -> None:
    """Leave no room, and drop nothing."""
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", 1)


async def replica(client: redis.Redis) -> None:
    """Only read."""
    client.replicaof("127.0.0.1", "1")


@pytest.mark.parametrize(
    ("spoil", "user", "cause"),
    [
        (wrong_password, "", "refuses the user or password"),
        (wrong_password, ":hunter2@", "refuses the user or password"),
        (full, "", "is full"),
        (replica, "", "is a replica"),
    ],
)
async def test_a_server_that_does_not_serve_us_is_named(
    valkey: Valkey, spoil: Callable[[redis.Redis], Awaitable[None]], user: str, cause: str
) -> None:
    """By what is wrong with it and what fixes that, and never by a password."""
    with redis.Redis(port=valkey.port) as client:
        await spoil(client)
    async with connected(valkey.url.replace("//", f"//{user}")) as server:
        found = await server.look()
        assert found.condition is Condition.DEGRADED
        assert cause in found.cause
        assert found.fix
        assert "hunter2" not in f"{found}"
        assert await RedisRates(server).hit("me", "read", 1) == 0


async def test_a_password_opens_the_server(valkey: Valkey) -> None:
    """The one of the URL."""
    with redis.Redis(port=valkey.port) as client:
        await wrong_password(client)
    async with connected(valkey.url.replace("//", "//:s3cret@")) as server:
        found = await server.look()
        assert found.condition is Condition.OK
        assert "s3cret" not in found.detail


async def test_a_user_of_its_own_needs_what_the_page_says(valkey: Valkey) -> None:
    """No command and no key beyond: limits and answers work, and nothing else may be read."""
    page = (Path(__file__).parents[2] / "docs" / "teams.md").read_text(encoding="utf-8")
    command = next(line for line in page.splitlines() if line.startswith("ACL SETUSER memory"))
    with redis.Redis(port=valkey.port) as client:
        client.execute_command(*command.replace("PASSWORD", "s3cret").split())
        client.set("another", "s program's")
    async with connected(valkey.url.replace("//", "//memory:s3cret@")) as server:
        assert (await server.look()).condition is Condition.OK
        rates, cache = RedisRates(server), RedisCache(server)
        assert [await rates.hit("me", "read", 1) > 0 for _ in range(2)] == [False, True]
        cache.put(KEY, b"answer")
        assert await until_held(cache, KEY) == b"answer"
        assert (await server.look()).condition is Condition.OK
        with pytest.raises(AwayError):
            await server.ask(lambda client: client.get("another"))
        assert "does not let this user" in (await server.look()).cause


@asynccontextmanager
async def behind_tls(port: int, files: TlsFiles) -> AsyncIterator[int]:
    """Decrypt what comes for a port: the tests' server has no TLS of its own."""

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while some := await source.read(65_536):
            sink.write(some)
        sink.close()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(copy(reader, outer), copy(inner, writer), return_exceptions=True)

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.cert, files.key)
    async with await asyncio.start_server(forward, "127.0.0.1", 0, ssl=context) as listening:
        yield listening.sockets[0].getsockname()[1]


@pytest.mark.parametrize(("name", "is_good"), [("127.0.0.1", True), ("another.test", False)])
async def test_an_encrypted_server_is_one_that_is_trusted(
    valkey: Valkey, tmp_path: Path, name: str, *, is_good: bool
) -> None:
    """Its certificate is checked, by the authority that the URL names, and by its name."""
    authority = Authority(tmp_path)
    async with behind_tls(valkey.port, authority.make("valkey", name)) as port:
        url = f"rediss://127.0.0.1:{port}/0"
        async with connected(f"{url}?ssl_ca_certs={authority.file}") as server:
            assert ((await server.look()).condition is Condition.OK) is is_good
            RedisCache(server).put(KEY, b"answer")
            assert not is_good or await until_held(RedisCache(server), KEY) == b"answer"
        async with connected(url) as server:
            assert "is not trusted by TLS" in (await server.look()).cause
