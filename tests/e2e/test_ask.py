"""`memory-mcp ask`, as a process, with real HTTP servers that answer as Ollama and OpenAI's form do."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest

from embedder_daemon.engines.hash_engine import hash_vector
from tests.e2e.conftest import Command, Started
from tests.fakes.daemon import FakeDaemon
from tests.fakes.models import BROKEN, FakeOllama, FakeOpenAi

KEY = "The key lies under the mat"
QUESTION = "Where is the key?"


@pytest.fixture
async def ollama(environment: dict[str, str], daemon: FakeDaemon) -> AsyncIterator[FakeOllama]:
    """Start a server, let the front know it, and let nothing be degraded."""
    daemon.faults.vectors[QUESTION] = hash_vector(KEY, daemon.faults.dimensions)
    async with FakeOllama() as fake:
        environment |= {"MCP_MEMORY_LLM_URL": fake.url, "MCP_MEMORY_LLM_MODEL": fake.model}
        yield fake


async def test_an_answer_streams_with_its_citations(ollama: FakeOllama, command: Command, begin: Started) -> None:
    """Each part is shown as it comes; then where the cited passages are from. The model got the passages as data."""
    await command("store", KEY, "--id", "key")
    ollama.going_on.clear()
    asking = await begin("ask", "Where", "is the key?")
    assert asking.stdout is not None
    assert await asyncio.wait_for(asking.stdout.readexactly(6), 60) == b"Under "
    ollama.going_on.set()
    rest, said = await asyncio.wait_for(asking.communicate(), 60)
    answer, source = rest.decode().splitlines()
    assert answer == "the mat [1]."
    assert source.startswith("[1] ")
    assert "key" in source
    assert (asking.returncode, said) == (0, b"")
    assert ollama.asked[0]["options"]["num_ctx"] == 4096
    rules, asked = ollama.asked[0]["messages"]
    assert (rules["role"], asked["role"]) == ("system", "user")
    assert KEY in asked["content"]
    assert asked["content"].endswith(f"Question: {QUESTION}")


async def test_a_citation_of_nothing_is_marked(ollama: FakeOllama, command: Command) -> None:
    """In the text and beside it. So are an answer without citations, one that was cut, and memories that leave."""
    await command("store", KEY)
    ollama.parts = ("Under the mat [1, ", "7] and [20].")
    asked = await command("ask", QUESTION)
    assert (asked.code, asked.out.splitlines()[0]) == (0, "Under the mat [1][7?] and [20?].")
    assert "the model cited what it was not sent, marked with a question mark: 7, 20\n" in asked.err
    ollama.parts, ollama.reason = ("Under the mat",), "length"
    anywhere = ollama.url.replace("127.0.0.1", "0.0.0.0")  # noqa: S104 - asked, not bound
    asked = await command("--set", f"llm_url={anywhere}", "ask", QUESTION)
    assert (asked.code, asked.out) == (3, "Under the mat\n")
    leaves, uncited, cut = asked.err.splitlines()
    assert leaves == "the question and what was found go to 0.0.0.0, unencrypted"
    assert "cites no passage" in uncited
    assert "cut at its maximum length" in cut


async def test_what_a_model_thinks_is_no_answer(ollama: FakeOllama, command: Command) -> None:
    """It is not shown, and what it cites does not count; a model that says nothing else has failed."""
    await command("store", KEY)
    ollama.parts = ("<thi", "nk>Perhaps [7]?", "</think>\n\n", "Under the mat [1].")
    asked = await command("ask", QUESTION)
    assert (asked.code, asked.out.splitlines()[0], asked.err) == (0, "Under the mat [1].", "")
    ollama.parts = ("<think>Perhaps [1].</think>", "\n")
    asked = await command("ask", QUESTION)
    assert (asked.code, asked.out) == (1, "")
    assert asked.err.startswith(f"memory-mcp: the model '{ollama.model}' answered nothing; ask again, or ")


async def test_json_has_the_answer_and_what_it_cites(ollama: FakeOllama, command: Command) -> None:
    """Alone on stdout, from the other form of API as well."""
    await command("store", KEY, "--id", "key")
    async with FakeOpenAi(parts=("Under ", "the mat [1][2].")) as server:
        asked = await command("--set", f"llm_url={server.url}/v1", "ask", QUESTION, "--json")
    data = asked.data
    assert (data["question"], data["answer"]) == (QUESTION, "Under the mat [1][2?].")
    assert [(item["n"], item["id"]) for item in data["citations"]] == [(1, "key")]
    assert (data["unknown_citations"], data["complete"], data["model"]) == ([2], True, ollama.model)
    assert ollama.paths == []


async def test_the_model_is_not_asked_about_nothing(ollama: FakeOllama, command: Command) -> None:
    """Where nothing was found that is said; with `--no-llm` the passages are all there is."""
    asked = await command("ask", QUESTION, "--json")
    assert (asked.code, asked.data["answer"], asked.data["citations"]) == (0, None, [])
    assert "nothing was found; the model was not asked\n" in asked.err
    await command("store", KEY)
    asked = await command("ask", QUESTION, "--no-llm")
    assert asked.code == 0
    assert f"[1] {KEY}" in asked.out
    blank = await command("ask", " \n", "--no-llm")
    assert (blank.code, blank.out) == (2, "")
    assert "QUESTION is blank" in blank.err
    assert ollama.paths == []


async def test_the_model_is_not_asked_where_nothing_fits(
    ollama: FakeOllama, daemon: FakeDaemon, command: Command
) -> None:
    """It would make an answer of what is only near. Without vectors words alone cannot tell, so it is asked."""
    await command("store", KEY)
    asked = await command("ask", "Which painter won last year?", "--json")
    assert (asked.code, asked.data["answer"], asked.data["context"]["weak"]) == (0, None, True)
    assert "Note: nothing fits well; the answer may not be stored.\nthe model was not asked; " in asked.err
    assert (await command("ask", QUESTION, "--json")).data["context"]["weak"] is False
    assert len(ollama.asked) == 1
    await daemon.stop()
    asked = await command("ask", "Does a key lie anywhere?", "--json")
    assert (asked.code, asked.data["answer"], asked.data["context"]["weak"]) == (3, "Under the mat [1].", True)


@pytest.mark.parametrize("question", [["", "  "], ["  "]])
async def test_a_blank_question_is_none(command: Command, question: list[str]) -> None:
    """It is not the start of a session either."""
    asked = await command("ask", "--no-llm", *question)
    assert (asked.code, asked.out) == (2, "")
    assert asked.err.endswith("QUESTION is blank; `memory-mcp context` shows what to know without one\n")


async def test_it_wants_a_model(command: Command) -> None:
    """And says how to name one, before anything else."""
    asked = await command("ask", QUESTION)
    assert (asked.code, asked.out) == (2, "")
    assert asked.err.startswith("memory-mcp: no language model is configured; set MCP_MEMORY_LLM_MODEL to one that")
    asked = await command("--set", "llm_url=localhost:11434", "ask", QUESTION)
    assert (asked.code, asked.out, asked.err.count("\n")) == (2, "", 1)
    assert asked.err.startswith("memory-mcp: MCP_MEMORY_LLM_URL: 'localhost:11434' is not an HTTP URL; give one like ")


async def test_loading_is_said_and_can_be_given_up(ollama: FakeOllama, command: Command, begin: Started) -> None:
    """Ctrl-C ends the waiting, here and at the server."""
    await command("store", KEY)
    ollama.loaded.clear()
    asking = await begin("ask", QUESTION)
    assert asking.stderr is not None
    assert await asyncio.wait_for(asking.stderr.readline(), 60) == "loading the model…\n".encode()
    asking.send_signal(signal.SIGINT)
    await asyncio.wait_for(ollama.given_up.wait(), 60)
    assert await asyncio.wait_for(asking.wait(), 60) == 130


async def test_a_failure_is_one_line_with_its_fix(ollama: FakeOllama, command: Command) -> None:
    """Beneath what had come; the other failures are the adapters', see the contract."""
    await command("store", KEY)
    ollama.parts = ("Under ", "the ", BROKEN)
    asked = await command("ask", QUESTION)
    assert (asked.code, asked.out) == (1, "Under the \n")
    assert asked.err.startswith(f"memory-mcp: the connection to {ollama.url} broke before the answer was complete; ")
