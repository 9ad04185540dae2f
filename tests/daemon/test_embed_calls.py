"""What callers meet: Embed, Info and Stats on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import grpc
import pytest
from embedder_api.v1 import contract, embedder_pb2, wire

from embedder_daemon import logs
from embedder_daemon.engines.base import EmbedTask, Encoded
from embedder_daemon.engines.hash_engine import HashEngine, hash_vector
from tests.daemon.daemonkit import FaultyEngine, FieldValue, GateEngine, serving


def _cosine(one: bytes, other: bytes) -> float:
    return sum(a * b for a, b in zip(wire.unpack(one), wire.unpack(other), strict=True))


async def test_rows_belong_to_their_texts(folder: Path) -> None:
    """Each text gets its own vector in order, with its count of tokens and characters."""
    texts = [f"word{number} " * (number % 7 + 1) for number in range(100)]
    async with serving(folder, HashEngine) as client:
        answer = await client.embed(*texts)
        assert wire.split_rows(answer.vectors, answer.dimensions, 100) == [hash_vector(text) for text in texts]
        assert [item.token_count for item in answer.items] == [number % 7 + 1 for number in range(100)]
        assert [item.consumed_chars for item in answer.items] == [len(text) for text in texts]
        assert answer.space_id == (await client.info()).space_id
        assert answer.timing.total_us >= answer.timing.compute_us > 0


def test_texts_that_share_words_are_near() -> None:
    """The hash engine's vectors rank a text with common words above one without."""
    cat, cats, ship = map(hash_vector, ("my cat sleeps", "Cat sleeps long!", "a ship sails"))
    assert _cosine(cat, cats) > 0.5
    assert abs(_cosine(cat, ship)) < 0.3
    assert all(wire.is_sound(hash_vector(text)) for text in ("", "!!!", "\0", "a" * 10_000))


async def test_texts_of_every_kind_get_a_vector(folder: Path) -> None:
    """NUL, right-to-left, emoji, combining marks and special tokens in a text are text."""
    texts = [
        "a\0b",
        "שלום עולם",
        "👩‍👩‍👧‍👦 👍🏽",
        "[SEP] [CLS] [PAD]",
        "e" + "\u0301" * 10_000,
        "\u200b",
        "x" * 1_000_000,
        "y" * 10_000_000,
    ]
    async with serving(folder, HashEngine) as client:
        answer = await client.embed(*texts)
        assert [item.error for item in answer.items] == [""] * len(texts)
        assert all(map(wire.is_sound, wire.split_rows(answer.vectors, 384, len(texts))))


async def test_blank_texts_are_item_errors(folder: Path) -> None:
    """A blank text has an error and no row, and its neighbours are served."""
    async with serving(folder, HashEngine) as client:
        answer = await client.embed("one", "", "two", " \t\n\u2003")
        assert [item.error.partition(":")[0] for item in answer.items] == ["", "empty", "", "empty"]
        assert answer.vectors == hash_vector("one") + hash_vector("two")
        only_blank = await client.embed("")
        assert (only_blank.vectors, only_blank.dimensions) == (b"", 384)
        assert (await client.stats()).item_errors == 3


async def test_a_long_text_is_cut_only_on_request(folder: Path) -> None:
    """Without truncate it is an item error that names max_tokens; with it, the item says where it was cut."""
    text = "ärger " * 300
    async with serving(folder, HashEngine) as client:
        refused = (await client.embed(text, "short")).items
        assert refused[0].error.startswith("too_long: ")
        assert "300" in refused[0].error
        assert "256" in refused[0].error
        assert (refused[0].token_count, refused[1].error) == (300, "")
        answer = await client.embed(text, truncate=True)
        item = answer.items[0]
        assert (item.token_count, item.truncated, item.consumed_chars) == (300, True, 256 * 6 - 1)
        assert answer.vectors == (await client.embed(text[: item.consumed_chars])).vectors


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"texts": []}, "1 to 256 texts"),
        ({"texts": ["x"] * 257}, "1 to 256 texts, but this one has 257"),
        ({"texts": ["x"], "lane": 7}, "lane 7"),
        ({"texts": ["x"], "task": 9}, "task 9"),
    ],
)
async def test_a_wrong_request_names_the_bound(folder: Path, fields: dict[str, FieldValue], words: str) -> None:
    """What is wrong with the whole request is INVALID_ARGUMENT."""
    async with serving(folder, HashEngine) as client:
        with pytest.raises(grpc.aio.AioRpcError, match=words) as caught:
            await client.stub.Embed(embedder_pb2.EmbedRequest(**fields), timeout=60)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_another_space_is_refused(folder: Path) -> None:
    """An expected space that is not served is FAILED_PRECONDITION, and both are named."""
    async with serving(folder, HashEngine) as client:
        served = (await client.embed("x")).space_id
        await client.embed("x", expected_space_id=served)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.embed("x", expected_space_id="other-1234")
        assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        details = caught.value.details() or ""
        assert served in details
        assert "other-1234" in details


async def test_a_call_without_a_deadline_is_served(folder: Path) -> None:
    """A caller that sets no deadline waits as long as it takes."""
    async with serving(folder, HashEngine) as client:
        assert (await client.stub.Embed(embedder_pb2.EmbedRequest(texts=["x"]))).vectors == hash_vector("x")


async def test_a_message_over_the_limit_keeps_the_channel(folder: Path) -> None:
    """Too large a message is refused with the limit, and the next call on the channel works."""
    async with serving(folder, HashEngine) as client:
        options = [("grpc.max_send_message_length", -1)]
        async with grpc.aio.insecure_channel(f"unix:{client.path}", options=options) as channel:
            call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
                "/embedder_api.v1.Embedder/Embed"
            )
            with pytest.raises(grpc.aio.AioRpcError, match=str(contract.MAX_MESSAGE_BYTES)) as caught:
                await call(bytes(contract.MAX_MESSAGE_BYTES + 1), timeout=60)
            assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            request = embedder_pb2.EmbedRequest(texts=["x"]).SerializeToString()
            answer = embedder_pb2.EmbedResponse.FromString(await call(request, timeout=60))
            assert answer.vectors == hash_vector("x")


@pytest.mark.parametrize("text", [b"\xff\xfe", b"cut \xe2\x82", "lone \ud800".encode(errors="surrogatepass")])
async def test_bytes_that_are_no_text_are_refused(folder: Path, text: bytes) -> None:
    """What is not UTF-8, lone surrogates included, is INVALID_ARGUMENT, and the channel stays usable."""
    async with serving(folder, HashEngine) as client:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = client.channel.unary_unary(
            "/embedder_api.v1.Embedder/Embed"
        )
        with pytest.raises(grpc.aio.AioRpcError, match="not UTF-8") as caught:
            await call(b"\x0a" + bytes([len(text)]) + text, timeout=60)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert (await client.embed("x")).vectors == hash_vector("x")


async def test_info_and_stats_tell_what_is_served(folder: Path) -> None:
    """Info names limits, versions and space; Stats counts requests and texts by lane."""
    async with serving(folder, HashEngine, max_queued_texts=300) as client:
        await client.embed("a", "b c", lane=embedder_pb2.LANE_BULK)
        await client.embed("d", task=embedder_pb2.TASK_QUERY)
        info, stats = await client.info(), await client.stats()
        assert (info.engine, info.dimensions, info.max_tokens, info.model) == ("hash", 384, 256, "hash-384")
        assert (info.limits.max_texts, info.limits.max_queued_texts) == (256, 300)
        assert info.wire_version == contract.WIRE_VERSION
        assert set(info.versions) >= {"python", "grpcio"}
        assert (stats.bulk.requests, stats.bulk.texts, stats.interactive.requests) == (1, 2, 1)
        assert (stats.rows, stats.tokens, stats.batches) == (3, 4, 2)


async def test_stats_show_padding_and_batches_by_lane(folder: Path) -> None:
    """Rows of four and two tokens in one batch waste a quarter; each lane counts its own batches."""
    async with serving(folder, HashEngine) as client:
        assert (await client.stats()).padding_waste == 0.0
        await client.embed("a b c d", "e f", lane=embedder_pb2.LANE_BULK)
        await client.embed("a b c d", "e f", lane=embedder_pb2.LANE_BULK)
        stats = await client.stats()
        assert (stats.tokens, stats.padded_tokens, stats.padding_waste) == (6, 8, 0.25)
        assert (stats.bulk.batches, stats.interactive.batches) == (1, 0)
        assert (stats.shed, stats.bisected, stats.out_of_memory) == (0, 0, 0)


async def test_a_forward_pass_that_raises_fails_its_texts_only(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The item error is a fixed sentence, the log has the reason, and the next call is served."""
    logs.configure("info", "json")  # on the stderr that is captured here
    async with serving(folder, FaultyEngine) as client:
        for word in ("raise", "lose"):
            answer = await client.embed(f"please {word}")
            assert answer.items[0].error.startswith("failed: ")
            assert "secret" not in answer.items[0].error
            assert answer.vectors == b""
        assert (await client.embed("fine")).vectors == hash_vector("fine")
    assert "secret of the engine" in capfd.readouterr().err


async def test_a_vector_that_is_none_never_leaves(folder: Path) -> None:
    """NaN and zero rows become item errors; the rows beside them are served."""
    async with serving(folder, FaultyEngine) as client:
        answer = await client.embed("a nan", "fine", "a zero")
        assert [item.error.partition(":")[0] for item in answer.items] == ["not_finite", "", "not_finite"]
        assert answer.vectors == hash_vector("fine")


async def test_an_unexpected_error_keeps_its_text(folder: Path) -> None:
    """An exception in the tokenizer is INTERNAL with a fixed sentence."""

    class Broken(HashEngine):
        def encode(self, texts: Sequence[str], task: EmbedTask) -> list[Encoded]:
            raise ValueError(f"leaks {texts} {task}")

    async with serving(folder, Broken) as client:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.embed("private")
        assert caught.value.code() is grpc.StatusCode.INTERNAL
        details = caught.value.details()
        assert details
        assert "leaks" not in details


async def test_texts_are_never_logged(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither a served text nor one whose batch failed appears in the log."""
    logs.configure("debug", "json")  # on the stderr that is captured here
    async with serving(folder, FaultyEngine) as client:
        await client.embed("confidential words", "confidential raise")
    lines = capfd.readouterr().err
    assert "a forward pass failed" in lines
    assert "confidential" not in lines


async def test_overload_is_refused_with_a_time(folder: Path) -> None:
    """Texts beyond max_queued_texts get RESOURCE_EXHAUSTED and a retry-after, and room comes back."""
    engine = GateEngine(is_open=False)
    async with serving(folder, lambda: engine, max_queued_texts=256) as client:
        first = asyncio.create_task(client.embed(*["x"] * 200))
        await client.until_stats(lambda stats: stats.interactive.requests == 1, "the first call is in")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.embed(*["y"] * 57)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        retry_after = dict(caught.value.trailing_metadata())[contract.RETRY_AFTER_KEY]
        assert 50 <= int(retry_after) <= 30_000
        assert (await client.stats()).refused == 1
        engine.gate.set()
        assert len((await first).items) == 200
        assert len((await client.embed(*["y"] * 57)).items) == 57


async def test_a_passed_deadline_drops_the_waiting_texts(folder: Path) -> None:
    """Texts whose caller's deadline passed while they waited are never computed, and are counted."""
    engine = GateEngine(is_open=False)
    async with serving(folder, lambda: engine) as client:
        first = asyncio.create_task(client.embed("first"))
        await client.until_stats(lambda _: engine.entered.is_set(), "the first batch runs")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.embed("late one", "late two", within_s=0.2)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await client.until_stats(lambda stats: stats.expired == 2, "both texts are counted")
        assert (await client.stats()).interactive.queued_texts == 0
        engine.gate.set()
        await first
        assert sum(map(len, engine.batches)) == 1


async def test_a_thousand_cancelled_calls_leave_nothing(folder: Path) -> None:
    """Calls that their callers cancel make room at once, and the daemon serves on."""
    engine = GateEngine(is_open=False)
    async with serving(folder, lambda: engine, max_queued_texts=4096) as client:
        calls = [client.stub.Embed(embedder_pb2.EmbedRequest(texts=["x", "y"])) for _ in range(1000)]
        waits = [asyncio.ensure_future(call) for call in calls]
        await client.until_stats(lambda stats: stats.interactive.requests == 1000, "all are in")
        for call in calls:
            call.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        await client.until_stats(lambda stats: stats.interactive.queued_texts == 0, "none waits")
        engine.gate.set()
        assert len((await client.embed(*["z"] * 256)).items) == 256


async def test_a_caller_of_another_wire_is_refused(folder: Path) -> None:
    """Metadata of another version is INVALID_ARGUMENT and nothing is computed; with ours, or none, it works."""
    async with serving(folder, HashEngine) as client:
        request = embedder_pb2.EmbedRequest(texts=["x"])
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.stub.Embed(request, metadata=((contract.WIRE_KEY, "99"),))
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert caught.value.details() == "the caller speaks wire version 99, this daemon 1"
        assert (await client.stats()).interactive.requests == 0
        ours = await client.stub.Embed(request, metadata=((contract.WIRE_KEY, str(contract.WIRE_VERSION)),))
        assert ours.vectors == (await client.embed("x")).vectors
