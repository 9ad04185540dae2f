"""The deployment on Ray Serve: three nodes of a real cluster on this machine, asked through the front's own client.

One cluster, which grows, is upgraded and loses a node: the tests build on each other, in this order.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from embedder_api.v1 import contract
from embedder_api.v1 import embedder_pb2 as pb
from embedder_api.v1.embedder_pb2_grpc import EmbedderStub

from memory_mcp.domain.errors import SpaceMismatchError
from memory_mcp.domain.models import Lane
from tests.daemon.daemonkit import Process
from tests.ray.kit import NODES, PATIENCE_S, PYTHON, Cluster, Load, client_of, embed

pytestmark = [
    pytest.mark.ray,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not PYTHON.exists(), reason="make test-ray makes Ray's environment"),
]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Make a folder whose path is short enough for a socket."""
    path = Path(tempfile.mkdtemp(prefix="mm-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def cluster(folder: Path) -> Iterator[Cluster]:
    """Start three nodes, and deploy on them."""
    made = Cluster(folder / "ray.log")
    yield made
    made.end()


async def test_vectors_are_the_daemons(cluster: Cluster, folder: Path) -> None:
    """The same bytes as from a daemon, and the same refusals: status, message, retry-after, deadline."""
    texts = ["the cat sat on the mat", "", "ein Hut", "word " * 500]
    daemon = Process(folder, "--engine", "hash").ready()
    try:
        expected = daemon.embed(*texts, truncate=True)
    finally:
        daemon.stop()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{cluster.port}", options=contract.CHANNEL_OPTIONS) as channel:
        stub = EmbedderStub(channel)  # type: ignore[no-untyped-call]  # generated without types
        answer = await stub.Embed(pb.EmbedRequest(texts=texts, truncate=True), timeout=PATIENCE_S)
        assert (answer.vectors, list(answer.items)) == (expected.vectors, list(expected.items))
        assert (await stub.Info(pb.InfoRequest(), timeout=PATIENCE_S)).state == pb.STATE_SERVING
        assert (await stub.Stats(pb.StatsRequest(), timeout=PATIENCE_S)).interactive.texts == len(texts)
        for request, metadata, status in (
            (pb.EmbedRequest(), (), grpc.StatusCode.INVALID_ARGUMENT),
            (pb.EmbedRequest(texts=texts, expected_space_id="none"), (), grpc.StatusCode.FAILED_PRECONDITION),
            (pb.EmbedRequest(texts=texts), ((contract.DEADLINE_KEY, "0"),), grpc.StatusCode.DEADLINE_EXCEEDED),
            (pb.EmbedRequest(texts=texts), ((contract.WIRE_KEY, "9"),), grpc.StatusCode.INVALID_ARGUMENT),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.Embed(request, timeout=PATIENCE_S, metadata=metadata)
            assert refused.value.code() is status
            assert dict(refused.value.trailing_metadata() or ())[contract.REPLICA_KEY]
            assert "Traceback" not in (refused.value.details() or "")


async def test_texts_that_wait_make_more_replicas(cluster: Cluster) -> None:
    """Eight calls of 256 texts make three replicas of one, while eight of one text, however often, leave one."""
    async with client_of(cluster.port) as client:
        async with Load(client, 1, Lane.INTERACTIVE) as load:
            await load.more(1000)
        assert len(await cluster.ask("replicas")) == 1
        async with Load(client, 256, Lane.BULK) as load:
            assert len(set(await cluster.until_replicas(NODES))) == NODES
        assert load.failed == []


async def test_another_model_rolls_in(cluster: Cluster) -> None:
    """While replicas change their model one by one, callers of any space go on; those of the old one are told."""
    async with client_of(cluster.port) as client:
        old = (await client.info(PATIENCE_S)).space_id
        await embed(client, "text", space=old)
        async with Load(client, 4, Lane.INTERACTIVE) as load:
            await cluster.ask("deploy", {"EMBEDDER_MODEL": "other"})
            await load.more(200)
        assert load.failed == []
        assert (await client.info(PATIENCE_S)).space_id != old
        with pytest.raises(SpaceMismatchError):
            await embed(client, "text", space=old)


async def test_a_node_may_be_killed(cluster: Cluster) -> None:
    """One of three nodes is killed under load: no call fails, and the others go on."""
    [*nodes] = await cluster.until_replicas(NODES)
    head = await cluster.ask("head")
    async with client_of(cluster.port) as client, Load(client, 4, Lane.INTERACTIVE) as load:
        await load.more(200)
        await cluster.ask("kill", next(node for node in nodes if node != head))
        await load.more(1000)
    assert load.failed == []
