"""The gRPC client against a daemon with faults; what counts is told from what does not."""

from __future__ import annotations

import asyncio
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from embedder_api.v1 import embedder_pb2 as pb
from embedder_api.v1.contract import CHOICE_KEY, CODE_OF, STATUS_OF, WIRE_VERSION, ErrorCode
from grpc import StatusCode

from memory_common.tls_files import TlsFiles
from memory_mcp.domain.errors import EmbedderError, SettingsError, SpaceMismatchError
from memory_mcp.domain.models import Condition, Embedding, Lane, Task
from memory_mcp.embedder.client import FAULTY, FIXES, SENTENCES, GrpcEmbedder, to_finding
from memory_mcp.settings import load
from tests.certificates import Authority
from tests.fakes.daemon import FakeDaemon


@pytest.fixture
async def daemon() -> AsyncIterator[FakeDaemon]:
    """Give a daemon with faults on demand."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    async with FakeDaemon(folder / "e.sock") as fake:
        yield fake
    shutil.rmtree(folder)


@pytest.fixture
async def client(daemon: FakeDaemon) -> AsyncIterator[GrpcEmbedder]:
    """Give a client of it."""
    client = GrpcEmbedder(daemon.address)
    yield client
    await client.close()


async def embed(client: GrpcEmbedder, *texts: str, budget_s: float = 5, lane: Lane = Lane.INTERACTIVE) -> Embedding:
    """Embed as a store does."""
    return await client.embed(
        texts or ("text",), task=Task.DOCUMENT, lane=lane, budget_s=budget_s, expected_space="fake-384"
    )


async def answers(client: GrpcEmbedder) -> bool:
    """Say whether the daemon gives vectors now."""
    try:
        return (await embed(client)).items[0].vector is not None
    except EmbedderError:
        return False


def test_every_code_has_its_status_sentence_and_fix() -> None:
    """The tables of the wire and of the client know the same codes, in both directions."""
    assert {STATUS_OF[code] for code in ErrorCode} == set(CODE_OF)
    assert all(CODE_OF[STATUS_OF[code]] is code for code in ErrorCode)
    assert set(SENTENCES) == set(FIXES) == set(ErrorCode)


@pytest.mark.parametrize("code", list(ErrorCode))
async def test_a_status_becomes_a_sentence_of_ours(daemon: FakeDaemon, client: GrpcEmbedder, code: ErrorCode) -> None:
    """Each status of the wire is told in our words, with a fix, and counted where it speaks of the daemon's health."""
    await daemon.change(status=STATUS_OF[code])
    with pytest.raises(EmbedderError) as caught:
        await embed(client)
    assert str(caught.value).startswith(SENTENCES[code])
    assert caught.value.fix == FIXES[code]
    assert caught.value.faulty == (code in FAULTY)
    assert isinstance(caught.value, SpaceMismatchError) == (code is ErrorCode.SPACE_MISMATCH)


async def test_an_unknown_status_is_a_failure_of_the_daemon(daemon: FakeDaemon, client: GrpcEmbedder) -> None:
    """A status outside the contract counts as an internal failure, and its text stays behind."""
    await daemon.change(status=StatusCode.UNIMPLEMENTED)
    with pytest.raises(EmbedderError) as caught:
        await embed(client)
    assert str(caught.value) == SENTENCES[ErrorCode.INTERNAL]


async def test_an_overloaded_daemon_says_how_long_to_wait(daemon: FakeDaemon, client: GrpcEmbedder) -> None:
    """The retry-after of the daemon reaches the message."""
    await daemon.change(status=StatusCode.RESOURCE_EXHAUSTED)
    with pytest.raises(EmbedderError, match="250 ms"):
        await embed(client)


async def test_a_hung_daemon_costs_the_budget_and_no_more(daemon: FakeDaemon, client: GrpcEmbedder) -> None:
    """A daemon that accepts and never answers is given up when the budget is spent."""
    await daemon.change(hang=True)
    async with asyncio.timeout(60):
        with pytest.raises(EmbedderError, match="in time"):
            await embed(client, budget_s=0.2)
    await daemon.change(hang=False)


async def test_a_slow_daemon_is_given_up_at_the_budget_and_waited_for_within_it(
    daemon: FakeDaemon, client: GrpcEmbedder
) -> None:
    """An answer that takes longer than the budget is a failure, one that comes within it is none."""
    await daemon.change(latency_s=0.3)
    with pytest.raises(EmbedderError, match="in time"):
        await embed(client, budget_s=0.1)
    assert (await embed(client, budget_s=10)).items[0].vector


@pytest.mark.parametrize(
    ("fault", "match"),
    [
        ({"dimensions": 383}, "answer is invalid"),
        ({"said_dimensions": 0}, "answer is invalid"),
        ({"not_a_number": True}, "not finite"),
        ({"drop": True}, "not serving"),
    ],
)
async def test_nonsense_is_refused(
    daemon: FakeDaemon, client: GrpcEmbedder, fault: dict[str, object], match: str
) -> None:
    """A wrong dimension, NaN or a cut connection give no vector, and count against the daemon."""
    await daemon.change(**fault)
    with pytest.raises(EmbedderError, match=match) as caught:
        await embed(client)
    assert caught.value.faulty


async def test_a_space_that_the_daemon_does_not_check_is_checked_here(daemon: FakeDaemon, client: GrpcEmbedder) -> None:
    """Vectors of another space are refused whatever the daemon was told."""
    await daemon.change(space_id="other-384")
    with pytest.raises(SpaceMismatchError, match="other-384"):
        await embed(client)
    assert (await client.findings("fake-384"))["space"].condition is Condition.DEGRADED


async def test_what_is_wrong_with_one_text_stays_with_it(daemon: FakeDaemon, client: GrpcEmbedder) -> None:
    """An item error leaves the neighbours their vectors."""
    await daemon.change(reject={"bad"})
    good, bad, better = (await embed(client, "good", "bad", "better")).items
    assert bad.vector is None
    assert bad.error.startswith("failed")
    assert good.vector
    assert better.vector
    assert good.vector != better.vector


async def test_the_lane_and_the_space_reach_the_daemon(daemon: FakeDaemon, client: GrpcEmbedder) -> None:
    """The request says who waits, which space is expected, and who asks."""
    await embed(client, lane=Lane.BULK)
    [request] = daemon.requests
    assert request.lane == 2
    assert request.expected_space_id == "fake-384"
    assert request.client.startswith("memory-mcp/")
    assert request.truncate


async def test_a_daemon_that_comes_back_is_found_again(daemon: FakeDaemon, client: GrpcEmbedder) -> None:
    """After a restart of the daemon the same client works again, within the channel's backoff."""
    await embed(client)
    await daemon.stop()
    with pytest.raises(EmbedderError, match=r"no daemon listens|not serving"):
        await embed(client)
    await daemon.start()
    async with asyncio.timeout(60):
        while not await answers(client):
            pass  # each attempt waits a little by itself


@pytest.mark.parametrize(("version", "fix"), [(0, "`memory-mcp daemon restart`"), (99, "restart this client")])
async def test_a_daemon_of_another_wire_is_asked_for_nothing(
    daemon: FakeDaemon, client: GrpcEmbedder, version: int, fix: str
) -> None:
    """It gets no text; the answer names the command, and the one in its place works with the next call."""
    await daemon.change(wire_version=version)
    for _ in range(2):
        with pytest.raises(EmbedderError, match=f"speaks wire version {version}, this front 1") as caught:
            await embed(client)
        assert fix in caught.value.fix
        assert not caught.value.faulty
    assert daemon.requests == []
    finding = (await client.findings(None))["daemon"]
    assert (finding.condition, fix in finding.fix) == (Condition.DEGRADED, True)
    await daemon.stop()
    await daemon.change(wire_version=1)
    await daemon.start()
    async with asyncio.timeout(60):
        while not await answers(client):
            pass  # each attempt waits a little by itself


async def test_a_daemon_that_comes_back_is_asked_again_for_its_wire(daemon: FakeDaemon, client: GrpcEmbedder) -> None:
    """A client that has worked with one daemon finds out that the next one is of another version."""
    await embed(client)
    await daemon.stop()
    await daemon.change(wire_version=2)
    await daemon.start()
    texts = len(daemon.texts)
    async with asyncio.timeout(60):
        while True:
            with pytest.raises(EmbedderError) as caught:
                await embed(client)
            if "wire version" in str(caught.value):
                break
    assert len(daemon.texts) == texts


async def test_an_environment_to_build_again_is_told(daemon: FakeDaemon, client: GrpcEmbedder) -> None:
    """Vectors come all the same, and health names the command."""
    await daemon.change(outdated="Homebrew's PyTorch is 2.14.0 now")
    assert await answers(client)
    finding = (await client.findings(None))["daemon"]
    assert finding.condition is Condition.DEGRADED
    assert finding.cause == "Homebrew's PyTorch is 2.14.0 now"
    assert "`memory-mcp daemon install`" in finding.fix


async def test_another_users_folder_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a short default address, which lies where everybody may write, the folder has to be ours alone."""
    with tempfile.TemporaryDirectory(prefix="memory-mcp-", dir="/tmp") as folder:
        client = GrpcEmbedder(f"unix:{folder}/embedder.sock")
        Path(folder).chmod(0o777)
        with pytest.raises(EmbedderError, match=r"the folder of .* belongs to another user"):
            await embed(client)
        Path(folder).chmod(0o700)
        with pytest.raises(EmbedderError, match="no daemon listens"):
            await embed(client)
        await client.close()


async def test_whoever_takes_connections_and_says_nothing_is_no_absent_daemon() -> None:
    """The sentence and the fix are other ones than where nobody listens."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        server = await asyncio.start_unix_server(lambda _, writer: writer.close(), f"{folder}/e.sock")
        client = GrpcEmbedder(f"unix:{folder}/e.sock")
        async with server:
            with pytest.raises(EmbedderError, match=r"the daemon on .* does not answer") as caught:
                await embed(client)
        await client.close()
    assert "memory-mcp daemon logs" in caught.value.fix


@pytest.mark.parametrize("name", ["with space", "é ü 日本", "100%", "a%20b", "a#b", "a?b"])
async def test_any_folder_name_can_be_reached(name: str) -> None:
    """An address is a URI to gRPC; the daemon's folder may hold what means something there."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder) / name / "e.sock"
        path.parent.mkdir()
        async with FakeDaemon(Path(folder) / "e.sock") as fake:
            (Path(folder) / "e.sock").rename(path)
            client = GrpcEmbedder(f"unix:{path}")
            assert await answers(client)
            await client.close()
            assert fake.texts == ["text"]


async def test_a_frozen_socket_does_not_hold_the_caller() -> None:
    """A listener that takes connections and never speaks costs the budget and no more."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/e.sock")
        listener.listen()
        client = GrpcEmbedder(f"unix:{folder}/e.sock")
        async with asyncio.timeout(60):
            with pytest.raises(EmbedderError, match="in time"):  # busy is not absent
                await embed(client, budget_s=0.3)
        await client.close()
    shutil.rmtree(folder)


async def test_findings_of_a_dead_daemon_name_the_command(tmp_path: Path) -> None:
    """Health says that nobody listens and how to start somebody."""
    client = GrpcEmbedder(f"unix:{tmp_path}/none.sock")
    finding = (await client.findings(None))["daemon"]
    assert finding.condition is Condition.DEGRADED
    assert finding.state == "unreachable"
    assert "memory-mcp daemon start" in finding.fix
    await client.close()


async def test_a_daemon_that_cannot_tell_is_none(daemon: FakeDaemon, client: GrpcEmbedder) -> None:
    """One of an older version, or one that hangs or is gone, has nothing to show; that is no failure of ours."""
    assert (await client.served()) is not None
    await daemon.change(status=StatusCode.UNIMPLEMENTED)
    assert (await client.served()) is None
    await daemon.stop()
    assert (await client.served()) is None


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ("not measured on this machine: run python -I -m embedder_daemon.autotune", True),
        ("the fastest of those measured on 2026-11-30: 1.0 ms, 362/s", False),
        ("", False),
    ],
)
def test_an_engine_that_no_measurement_chose_is_told(choice: str, told: bool) -> None:  # noqa: FBT001 - a table's column
    """It serves, so that is no fault; the sentence has the command that measures."""
    info = pb.InfoResponse(state=pb.STATE_SERVING, wire_version=WIRE_VERSION, versions={CHOICE_KEY: choice})
    finding = to_finding(info)
    assert finding.condition is Condition.OK
    assert finding.detail.endswith(f"; {choice}") is told


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"embedder_address": "dns:///gpu.example.org:50051"}, "want TLS"),
        ({"embedder_address": "dns:///127.0.0.1:50051", "embedder_tls_cert": "/c"}, "set all three, or none"),
        ({"embedder_tls_cert": "/c", "embedder_tls_key": "/k"}, "set all three, or none"),
        ({"embedder_address": "dns:///gpu"}, "HOST:PORT"),
        ({"embedder_address": "dns://gpu:50051"}, "HOST:PORT|must be like dns:///host:port"),
        ({"embedder_address": "gpu:50051"}, "must begin with 'unix:'"),
    ],
)
def test_an_address_on_a_network_wants_certificates(given: dict[str, object], wrong: str) -> None:
    """All of them, except on the loopback."""
    with pytest.raises(SettingsError, match=wrong):
        load(**given)
    load(embedder_address="dns:///localhost:50051")
    load(embedder_address="dns:///gpu:50051", embedder_tls_cert="/c", embedder_tls_key="/k", embedder_tls_ca="/a")


async def test_a_certificate_that_cannot_be_read_costs_vectors_alone(tmp_path: Path) -> None:
    """The error names the file, and the next call reads it again."""
    files = TlsFiles(tmp_path / "c", tmp_path / "k", tmp_path / "a")
    client = GrpcEmbedder("dns:///127.0.0.1:1", files)
    found = (await client.findings(None))["daemon"]
    assert f"{tmp_path / 'c'} cannot be read" in found.cause
    assert "MCP_MEMORY_EMBEDDER_TLS_CERT" in found.fix
    made = Authority(tmp_path).make("front", "front.test")
    for old, new in zip((made.cert, made.key, made.ca), (files.cert, files.key, files.ca), strict=True):
        old.rename(new)
    assert "no daemon" in (await client.findings(None))["daemon"].cause
    await client.close()
