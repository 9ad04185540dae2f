"""What every language model promises, over both adapters, each on a real connection to a fake server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import pytest

from memory_mcp.domain.chat import ChatEnd, ChatError, ChatMessage, ChatPart
from memory_mcp.llm.configured import ConfiguredModel
from memory_mcp.llm.transport import MAX_LINE, Waits
from tests.fakes.models import BROKEN, FAILED, FakeOllama, FakeOpenAi, ModelServer

PROMPT = (ChatMessage("system", "Be brief.", 3), ChatMessage("user", "Where is the key?", 5))
QUICK = Waits(connect_s=1, first_s=0.3, next_s=0.3, short_s=0.3, notice_s=0.1, retry_s=0.01)
"""For what never comes."""
PATIENT = Waits(notice_s=0.05, retry_s=0.01)


@pytest.fixture(params=[FakeOllama, FakeOpenAi])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[ModelServer]:
    """Start one kind of server after the other."""
    async with request.param() as fake:
        yield fake


async def answer(
    url: str, waits: Waits = PATIENT, name: str = "small", on_loading: Callable[[], None] = lambda: None
) -> list[ChatPart]:
    """Ask, and return the whole answer."""
    model = ConfiguredModel(url, name, on_loading, waits)
    try:
        async with asyncio.timeout(60):
            return [part async for part in model.answer(PROMPT)]
    finally:
        await model.close()


async def failure(url: str, waits: Waits = PATIENT, name: str = "small") -> str:
    """Ask, and return what is said to have failed, with its fix."""
    with pytest.raises(ChatError) as caught:
        await answer(url, waits, name)
    return caught.value.with_fix()


@pytest.mark.parametrize("ending", ["", "/v1"])
async def test_an_answer_comes_in_parts(server: ModelServer, ending: str) -> None:
    """The last part says that it is complete, and the server got both messages; the URL may end as OpenAI's does."""
    parts = await answer(server.url + ending)
    assert "".join(part.text for part in parts) == "Under the mat [1]."
    assert [part.end for part in parts if part.end] == [ChatEnd.COMPLETE]
    assert server.asked[0]["messages"] == [{"role": each.role, "content": each.content} for each in PROMPT]


async def test_a_part_does_not_wait_for_the_next(server: ModelServer) -> None:
    """The first is there while the server has not thought of the second."""
    server.going_on.clear()
    model = ConfiguredModel(server.url, "small", lambda: None, PATIENT)
    async with aclosing(model.answer(PROMPT)) as parts:
        assert (await anext(parts)).text == "Under "
    await model.close()


async def test_an_answer_that_is_cut_says_so(server: ModelServer) -> None:
    """It reached its bound."""
    server.reason = "length"
    assert (await answer(server.url))[-1].end is ChatEnd.CUT


async def test_an_event_stream_may_end_without_a_reason() -> None:
    """Its last line says so, even if the connection stays open."""
    async with FakeOpenAi(reason=None) as server:
        server.leaving.clear()
        assert (await answer(server.url, QUICK))[-1] == ChatPart("", ChatEnd.COMPLETE)


async def test_a_model_that_loads_is_waited_for(server: ModelServer) -> None:
    """The user is told, once, and the answer is whole."""
    server.loaded.clear()
    notices: list[str] = []

    def on_loading() -> None:
        notices.append("loading")
        server.loaded.set()

    parts = await answer(server.url, on_loading=on_loading)
    assert "".join(part.text for part in parts) == "Under the mat [1]."
    assert notices == ["loading"]


async def test_what_is_not_there_is_named_with_its_fix(server: ModelServer) -> None:
    """The model, with how to get it."""
    said = await failure(server.url, name="huge")
    assert "'huge'" in said
    assert said.endswith("`ollama pull huge`" if isinstance(server, FakeOllama) else "/v1/models lists")


async def test_too_much_for_the_context_fails(server: ModelServer) -> None:
    """Instead of an answer from a part of the passages."""
    server.context = 5
    said = await failure(server.url)
    assert said.startswith("the passages and the question do not fit into the context of 'small'; send fewer")


async def test_a_server_that_fails_says_why(server: ModelServer) -> None:
    """The error stands in the stream: the status was sent before."""
    server.parts = ("Under ", FAILED)
    assert f"the model server at {server.url} failed: an error was encountered while" in await failure(server.url)


@pytest.mark.parametrize("parts", [("Under ", BROKEN), (BROKEN,)])
async def test_a_connection_that_breaks_is_no_answer(server: ModelServer, parts: tuple[str, ...]) -> None:
    """Neither in the middle nor at the beginning."""
    server.parts = parts
    assert f"the connection to {server.url} broke" in await failure(server.url)


async def test_an_answer_without_its_end_is_none(server: ModelServer) -> None:
    """The server closed it in good order, but did not say that it is whole."""
    whole = server.line("Under ")
    server.raw = whole
    assert f"the connection to {server.url} broke" in await failure(server.url)


@pytest.mark.parametrize("place", ["loaded", "going_on"])
async def test_a_server_that_hangs_is_given_up(server: ModelServer, place: str) -> None:
    """Before its answer, and in the middle of it."""
    getattr(server, place).clear()
    assert f"the model server at {server.url} takes too long" in await failure(server.url, QUICK)


async def test_giving_up_ends_the_loading() -> None:
    """The server sees that nobody waits any more."""
    async with FakeOllama() as server:
        server.loaded.clear()
        asking = asyncio.create_task(answer(server.url))
        await server.loading.wait()
        asking.cancel()
        async with asyncio.timeout(60):
            await server.given_up.wait()


async def test_nobody_there_is_said() -> None:
    """With the command that starts one."""
    async with FakeOllama() as server:
        url = server.url
    assert await failure(url) == (
        f"there is no model server at {url}; start it (`ollama serve`), or set MCP_MEMORY_LLM_URL to the one that runs"
    )


@pytest.mark.parametrize("raw", [b"<html>\n", b"data: <html>\n", b'data: {"choices": 1}\n{"message": 1}\n', b"\xff{\n"])
async def test_nonsense_is_no_answer(server: ModelServer, raw: bytes) -> None:
    """Whatever the server sends."""
    server.raw = raw
    assert (await failure(server.url)).startswith(("the connection to", server.url))


async def test_a_flood_is_bounded(server: ModelServer) -> None:
    """A line without an end does not fill the memory."""
    server.raw = b"x" * (MAX_LINE + 2)
    assert "far more than an answer" in await failure(server.url)


async def test_a_redirect_is_not_followed(server: ModelServer) -> None:
    """The passages go to the server that was named, and to no other."""
    async with FakeOpenAi() as other:
        server.redirect = other.url + other.chat_path
        await failure(server.url)
        assert other.paths == []


async def test_ollama_is_told_not_to_cut() -> None:
    """The size of the context is for what is sent: a third more, 2,048 for the answer, in steps of 4,096."""
    async with FakeOllama() as server:
        await answer(server.url)
        model = ConfiguredModel(server.url, "small", lambda: None)
        _ = [part async for part in model.answer([ChatMessage("user", "a word " * 2_000, 5_000)])]
        await model.close()
    short, long = server.asked
    assert (short["truncate"], short["shift"], short["think"], short["keep_alive"]) == (False, False, False, "10m")
    assert (short["options"]["num_ctx"], long["options"]["num_ctx"]) == (4096, 12_288)


async def test_a_tokenizer_that_makes_more_gets_room() -> None:
    """Some cut digits one by one: where Ollama refuses the prompt it is asked once more, with three times the size."""
    async with FakeOllama(prompt_tokens=12_000) as server:
        await answer(server.url)
        assert [asked["options"]["num_ctx"] for asked in server.asked] == [4096, 12_288]
        server.prompt_tokens = 13_000
        assert "do not fit into the context" in await failure(server.url)
        assert len(server.asked) == 4


async def test_an_old_ollama_that_cuts_is_caught() -> None:
    """It does not know `truncate`, but tells how much it read."""
    async with FakeOllama(prompt_tokens=5_000, is_old=True) as server:
        assert "do not fit into the context" in await failure(server.url)
