"""Daemons on a network: who may call them, and a front that goes on whatever happens to them."""

from __future__ import annotations

import asyncio
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import grpc
import pytest
from embedder_api.v1 import embedder_pb2 as pb
from embedder_api.v1.embedder_pb2_grpc import EmbedderStub

from memory_common.tls_files import TlsFiles
from memory_mcp.domain.errors import EmbedderError, SpaceMismatchError
from memory_mcp.domain.models import Lane, Task
from memory_mcp.embedder.client import GrpcEmbedder
from tests.certificates import Authority
from tests.daemon.daemonkit import Process
from tests.e2e.client import PATIENCE_S, RawClient
from tests.names import Names

NAME = "daemons.test"
CALLERS = 8


@dataclass
class Network:
    """Some daemons on one port of several addresses of the loopback, and what they need."""

    folder: Path
    port: int
    authority: Authority
    theirs: TlsFiles
    ours: TlsFiles
    daemons: dict[str, Process] = field(default_factory=dict)

    def start(self, host: str, **more: str) -> Process:
        """Start a daemon."""
        settings = {
            "EMBEDDER_LOG_FORMAT": "json",
            "EMBEDDER_TLS_CERT": str(self.theirs.cert),
            "EMBEDDER_TLS_KEY": str(self.theirs.key),
            "EMBEDDER_TLS_CLIENT_CA": str(self.theirs.ca),
            "EMBEDDER_TLS_ALLOWED_NAMES": "front.test, spiffe://test/front",
            "EMBEDDER_MAX_CONNECTION_AGE_S": "1",
            "XDG_DATA_HOME": str(self.folder / host),
        }
        self.daemons[host] = Process(self.folder, "--engine", "hash", address=f"{host}:{self.port}", **settings | more)
        return self.daemons[host]

    def end(self) -> None:
        """End all."""
        for process in self.daemons.values():
            process.popen.kill()
            process.popen.communicate()


@pytest.fixture
def network() -> Iterator[Network]:
    """Make certificates, and a port that nobody has."""
    folder = Path(tempfile.mkdtemp(prefix="mm-", dir="/tmp"))
    authority = Authority(folder)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    made = Network(folder, port, authority, authority.make("daemon", NAME), authority.make("front", "front.test"))
    yield made
    made.end()
    shutil.rmtree(folder)


@asynccontextmanager
async def client_of(address: str, files: TlsFiles | None) -> AsyncIterator[GrpcEmbedder]:
    """Make a client, and close it."""
    client = GrpcEmbedder(address, files)
    yield client
    await client.close()


async def embed(client: GrpcEmbedder, text: str = "text", expected_space: str | None = None) -> None:
    """Embed a text as a search does."""
    answer = await client.embed(
        [text], task=Task.QUERY, lane=Lane.INTERACTIVE, budget_s=PATIENCE_S, expected_space=expected_space
    )
    assert answer.items[0].vector


async def refusal(network: Network, host: str, files: TlsFiles | None) -> EmbedderError:
    """Return why a client gets no vectors."""
    async with client_of(f"dns:///{host}:{network.port}", files) as client:
        with pytest.raises(EmbedderError) as caught:
            await embed(client)
    return caught.value


class Load:
    """Callers that embed one text after the other, and remember what failed."""

    def __init__(self, client: GrpcEmbedder) -> None:
        self._client = client
        self.answered = 0
        self.failed: list[EmbedderError] = []

    async def call(self, number: int) -> None:
        """Embed until cancelled."""
        while True:
            try:
                await embed(self._client, f"{number} {self.answered}")
                self.answered += 1
            except EmbedderError as error:
                self.failed.append(error)
                return

    async def more(self, calls: int = 200) -> None:
        """Wait for so many more answers, or a failure."""
        wanted = self.answered + calls
        await self.until(lambda: self.answered >= wanted)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition, or a failure."""
        async with asyncio.timeout(PATIENCE_S):
            while not (condition() or self.failed):  # noqa: ASYNC110 - other processes tell of no event
                await asyncio.sleep(0.02)
        assert self.failed == []


@asynccontextmanager
async def under_load(client: GrpcEmbedder) -> AsyncIterator[Load]:
    """Call all the time."""
    load = Load(client)
    callers = [asyncio.create_task(load.call(number)) for number in range(CALLERS)]
    yield load
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    assert load.failed == []


def asked(network: Network, host: str) -> int:
    """Return how many calls a daemon has had."""
    files = network.ours
    made = grpc.ssl_channel_credentials(files.ca.read_bytes(), files.key.read_bytes(), files.cert.read_bytes())
    options = [("grpc.ssl_target_name_override", NAME)]
    with grpc.secure_channel(f"{host}:{network.port}", made, options) as channel:
        stub = EmbedderStub(channel)  # type: ignore[no-untyped-call]  # generated without types
        stats: pb.StatsResponse = stub.Stats(pb.StatsRequest(), timeout=PATIENCE_S)
        return stats.interactive.requests


def all_renewed(network: Network, client: GrpcEmbedder, hosts: Iterable[str], times: int) -> bool:
    """Whether all daemons and the client have read what is in the files now."""
    logs = [network.daemons[host].log.read_text() for host in hosts]
    held = client._connection._tls
    read = [file.read_bytes() for file in (network.ours.cert, network.ours.key, network.ours.ca)]
    return held is not None and list(held.material) == read and all(log.count("renewed") >= times for log in logs)


async def test_no_call_fails_whatever_happens_to_the_daemons(network: Network) -> None:
    """One is killed, one is added, and everybody's certificates and authority are replaced, all under load."""
    hosts = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
    both = network.folder / "both.pem"
    both.write_bytes(network.authority.file.read_bytes())
    network.theirs, network.ours = replace(network.theirs, ca=both), replace(network.ours, ca=both)
    for host in hosts:
        network.start(host)
    for host in hosts:
        network.daemons[host].ready()
    with Names(NAME, *hosts) as names:
        address = f"dns://127.0.0.1:{names.port}/{NAME}:{network.port}"
        async with client_of(address, network.ours) as client, under_load(client) as load:
            await load.more()
            await load.until(lambda: all(asked(network, host) for host in hosts))

            network.daemons[hosts[0]].popen.kill()
            await load.more()
            names.addresses.remove(hosts[0])

            network.start("127.0.0.5").ready()
            names.addresses.append("127.0.0.5")
            await load.until(lambda: asked(network, "127.0.0.5") > 0)

            new = Authority(network.folder, "New authority")
            both.write_bytes(network.authority.file.read_bytes() + new.file.read_bytes())
            await load.until(lambda: all_renewed(network, client, names.addresses, 1))
            new.make("daemon", NAME)
            new.make("front", "front.test")
            await load.until(lambda: all_renewed(network, client, names.addresses, 2))
            both.write_bytes(new.file.read_bytes())
            await load.until(lambda: all_renewed(network, client, names.addresses, 3))
            before = {host: asked(network, host) for host in names.addresses}
            await load.until(lambda: all(asked(network, host) > before[host] for host in before))

            old = network.authority.make("late", "front.test")
            error = await refusal(network, "127.0.0.5", old)
            assert "is not trusted: another authority" in str(error)


async def test_only_named_callers_with_a_certificate_get_in(network: Network) -> None:
    """Everybody else is told what to do; a certificate of another name than the daemon's is not trusted either."""
    network.theirs = network.authority.make("daemon", "127.0.0.1")
    network.start("127.0.0.1").ready()
    async with client_of(f"dns:///127.0.0.1:{network.port}", network.ours) as client:
        await embed(client)
        with pytest.raises(SpaceMismatchError, match=rf"other-space.*\[{socket.gethostname()}:{network.port}\]"):
            await embed(client, expected_space="other-space")
    async with client_of(
        f"dns:///127.0.0.1:{network.port}", network.authority.make("uri", "spiffe://test/front")
    ) as it:
        await embed(it)

    error = await refusal(network, "127.0.0.1", network.authority.make("guest", "guest.test"))
    assert "the daemon does not let us call" in str(error)
    assert "guest.test" in str(error)
    assert "EMBEDDER_TLS_ALLOWED_NAMES" in error.fix
    foreign = Authority(network.folder, "Foreign authority")
    trusted = network.ours.ca
    for files, cause in (
        (replace(foreign.make("stranger", "front.test"), ca=trusted), "does not trust ours"),
        (replace(network.ours, ca=foreign.file), "is not trusted: another authority"),
        (network.authority.make("old", "front.test", is_expired=True), "does not trust ours"),
        (None, "wants a certificate"),
    ):
        error = await refusal(network, "127.0.0.1", files)
        assert cause in str(error)
        assert "EMBEDDER_TLS_CLIENT_CA" in error.fix
    with Names("wrong.test", "127.0.0.1") as names:
        async with client_of(f"dns://127.0.0.1:{names.port}/wrong.test:{network.port}", network.ours) as client:
            with pytest.raises(EmbedderError, match=r"wrong\.test.* has another name") as caught:
                await embed(client)
    assert "certificate has this name" in caught.value.fix


async def test_two_daemons_never_share_a_port(network: Network) -> None:
    """A second one of the user has nothing to do, and another user's is told."""
    network.start("127.0.0.1").ready()
    first = network.daemons.pop("127.0.0.1")
    second = network.start("127.0.0.1")
    assert second.wait() == 0
    assert "nothing to do" in second.log.read_text()
    third = network.start("127.0.0.1", XDG_DATA_HOME=str(network.folder / "another"))
    assert third.wait() == 10
    assert "another program" in third.log.read_text()
    assert first.stop() == 0


async def test_a_front_stores_and_searches_through_the_network(
    network: Network, start: Callable[..., RawClient]
) -> None:
    """Without TLS on the loopback, where the daemon was told so; without a daemon, health says what to do."""
    plain = dict.fromkeys(("EMBEDDER_TLS_CERT", "EMBEDDER_TLS_KEY", "EMBEDDER_TLS_CLIENT_CA"), "")
    network.start("127.0.0.1", **plain, EMBEDDER_INSECURE_LOOPBACK="1").ready()
    client = start(MCP_MEMORY_EMBEDDER_ADDRESS=f"dns:///127.0.0.1:{network.port}")
    await client.initialize()
    assert (await client.tool("memory_store", content="the key lies under the mat"))["embedded"] is True
    found = await client.tool("memory_search", query="the key lies under the mat")
    assert found["degraded"] is False
    network.daemons["127.0.0.1"].popen.kill()
    network.daemons["127.0.0.1"].popen.wait()
    health = await client.until("memory_health", "status", value="degraded")
    assert "EMBEDDER_ADDRESS" in health["daemon"]["fix"]
