"""What every embedder promises, over the real client, the guarded client and the fake."""

from __future__ import annotations

import asyncio
import math
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from embedder_api.v1 import wire

from memory_mcp.domain.errors import EmbedderError, SpaceMismatchError
from memory_mcp.domain.models import Embedding, Lane, Space, Task
from memory_mcp.domain.ports import Embedder
from memory_mcp.embedder.breaker import Breaker, BreakerPolicy
from memory_mcp.embedder.client import GrpcEmbedder
from memory_mcp.embedder.guarded import GuardedEmbedder
from tests.fakes.daemon import FakeDaemon
from tests.fakes.embedder import FakeEmbedder


async def embed(embedder: Embedder, *texts: str, expected_space: str | None = None) -> Embedding:
    """Embed as a store does."""
    return await embedder.embed(
        texts, task=Task.DOCUMENT, lane=Lane.INTERACTIVE, budget_s=5, expected_space=expected_space
    )


def cosine(left: bytes | None, right: bytes | None) -> float:
    """Compare two normalised vectors."""
    assert left is not None
    assert right is not None
    return math.fsum(a * b for a, b in zip(wire.unpack(left), wire.unpack(right), strict=True))


@pytest.fixture(params=["client", "guarded", "fake"])
async def embedder(request: pytest.FixtureRequest) -> AsyncIterator[Embedder]:
    """Give one implementation after the other."""
    if request.param == "fake":
        yield FakeEmbedder()
        return
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    async with FakeDaemon(folder / "e.sock") as daemon:
        client: Embedder = GrpcEmbedder(daemon.address)
        if request.param == "guarded":
            breaker = Breaker(BreakerPolicy(), time.monotonic)
            client = GuardedEmbedder(client, breaker, slow_share=0.8, probe_budget_s=1)
        yield client
        await client.close()
    shutil.rmtree(folder)


async def test_what_is_served_is_told(embedder: Embedder) -> None:
    """State, space and counters, and nothing that guards it is open."""
    await embed(embedder, "the cat")
    served = await embedder.served()
    assert served is not None
    assert (served.state, served.space_id, served.counters["rows"]) == ("serving", "fake-384", 1)
    assert (embedder.breaker().state, embedder.breaker().trips) == ("closed", 0)


async def test_one_vector_for_each_text_in_order(embedder: Embedder) -> None:
    """Each text gets its own vector, the same at every time."""
    together = await embed(embedder, "the cat", "a dog", "the cat")
    [alone] = (await embed(embedder, "a dog")).items
    assert [len(item.vector or b"") for item in together.items] == [384 * 4] * 3
    assert together.items[0] == together.items[2]
    assert together.items[1].vector == alone.vector
    assert together.space == Space("fake-384", 384)


async def test_texts_that_share_words_are_near(embedder: Embedder) -> None:
    """A text is nearer to one that shares its words than to one that does not."""
    answer = await embed(embedder, "my cat sleeps", "my cat eats", "quarterly revenue figures")
    cat, other_cat, revenue = (item.vector for item in answer.items)
    assert cosine(cat, other_cat) > cosine(cat, revenue)


async def test_another_space_is_refused(embedder: Embedder) -> None:
    """Vectors of another space than the expected one are never handed out."""
    with pytest.raises(SpaceMismatchError, match="fake-384"):
        await embed(embedder, "text", expected_space="another")
    assert (await embed(embedder, "text", expected_space="fake-384")).items[0].vector


async def test_a_long_text_says_how_far_it_was_read(embedder: Embedder) -> None:
    """A cut text has a vector and tells where it was cut."""
    [item] = (await embed(embedder, "word " * 1000)).items
    assert item.vector
    assert item.truncated
    assert 0 < item.consumed_chars < 5000


async def test_health_names_the_daemon(embedder: Embedder) -> None:
    """An embedder in order says so."""
    findings = await embedder.findings(None)
    assert findings["daemon"].state == "serving"
    assert findings["daemon"].cause == ""


async def test_nothing_keeps_a_healthy_embedder_from_being_called(embedder: Embedder) -> None:
    """A probe of a healthy embedder changes nothing."""
    await embedder.probe()
    assert embedder.retry_in_s() is None


async def test_a_dead_daemon_is_an_embedder_error(tmp_path: Path) -> None:
    """A socket that is not there is named at once, with the fix."""
    client = GrpcEmbedder(f"unix:{tmp_path}/nobody.sock")
    with pytest.raises(EmbedderError, match="no daemon listens on") as caught:
        async with asyncio.timeout(2):
            await embed(client, "text")
    assert "memory-mcp daemon start" in caught.value.fix
    await client.close()
