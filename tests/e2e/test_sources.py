"""`memory-mcp sources`, and what health and metrics say of sources."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from memory_mcp.domain.principal import Scope
from tests.e2e.client import RawClient
from tests.e2e.conftest import FRONT, Command
from tests.e2e.web import WebFront
from tests.fakes.clock import until
from tests.fakes.daemon import FakeDaemon
from tests.front.sources import chroma_file
from tests.front.sources.web_server import WebServer, web_server

SECRET = "s3cret-of-the-wiki"  # noqa: S105 - invented
PACKAGE = """
from memory_mcp.domain.sources import SourceAnswer, SourceItem
from memory_mcp.sources.sections import SourceSection, read


class ShelfSection(SourceSection):
    books: tuple[str, ...]


class Shelf:
    target, is_repeatable, note = "the shelf", True, ""

    def __init__(self, section):
        self.section = section

    def version(self):
        return None

    async def ask(self, query):
        return SourceAnswer(tuple(SourceItem(book) for book in self.section.books if query.text in book))

    async def close(self):
        pass


def make(name, given, tools):
    return Shelf(read(ShelfSection, name, given))
"""


@pytest.fixture
async def server() -> AsyncIterator[WebServer]:
    """Run a web server."""
    async with web_server() as made:
        yield made


@pytest.fixture
def configure(environment: dict[str, str], folder: Path, server: WebServer) -> Callable[[str], None]:
    """Return what writes the configuration; `HOST` stands for the web server."""

    def write(text: str) -> None:
        file = folder / "config.toml"
        file.write_text(text.replace("HOST", server.url("")))
        environment.update(MCP_MEMORY_CONFIG=str(file), WIKI_KEY=SECRET)

    return write


NOTES = """
[sources.notes]
kind = "sql"
path = "/x.db"
statement = "DELETE FROM notes"
"""
WIKI = """
[sources.wiki]
kind = "http"
url = "HOST/notes?q={query}"
headers = { Authorization = "Bearer ${env:WIKI_KEY}", X-Plain = "plain-secret" }
items = "$.results[*]"
text = "$.body"
title = "$.name"
"""


async def test_sources_are_listed_and_tested(
    command: Command, configure: Callable[[str], None], folder: Path, server: WebServer
) -> None:
    """Without their secrets, and without a store; one that is not there is named."""
    configure(WIKI)
    told = await command("sources", "list")
    assert (told.code, told.err) == (0, "")
    assert told.out == f"wiki\thttp\t{server.url('/notes')}\tread\t\n"
    told = await command("sources", "test", "wiki", "boat", "--limit", "2", "--json")
    assert told.code == 0
    assert [item["title"] for item in told.data["items"]] == ["Boat 0", "Boat 1"]
    assert told.data["left_out"] == 3
    assert server.requests[0][2]["authorization"] == f"Bearer {SECRET}"
    assert not (folder / "memory.db").exists()
    told = await command("sources", "test", "wiky")
    assert (told.code, told.err) == (1, "memory-mcp: there is no source 'wiky'; choose one of: wiki\n")
    told = await command("config", "--json")
    assert {each["name"]: each["value"] for each in told.data["settings"]}["MCP_MEMORY_SOURCES"] == ["wiki"]
    assert "secret" not in told.out


async def test_a_broken_section_costs_only_itself(
    command: Command, configure: Callable[[str], None], start: Callable[..., RawClient]
) -> None:
    """The list shows the others, with exit code 3; a test of it is wrong usage; health names it."""
    configure(WIKI + NOTES)
    told = await command("sources", "list")
    assert told.code == 3
    assert told.out.startswith("wiki\t")
    assert "[sources.notes] statement" in told.err
    assert (await command("sources", "test", "notes")).code == 2
    assert (await command("list")).code == 0
    live = start()
    await live.initialize()
    health = await live.tool("memory_health")
    assert health["sources"]["state"] == "wrong"
    assert "[sources.notes] statement" in health["sources"]["cause"]


async def test_a_source_that_fails_is_one_line(command: Command, configure: Callable[[str], None]) -> None:
    """With what fixes it."""
    configure(WIKI.replace("/notes", "/locked"))
    told = await command("sources", "test", "wiki", "boat")
    assert (told.code, told.out) == (1, "")
    assert told.err.count("\n") == 1
    assert told.err.rstrip().endswith("answers 401 Unauthorized; check the secret in its headers")
    assert SECRET not in told.err


async def test_a_folder_of_chroma_says_that_it_goes_by_words(
    command: Command, configure: Callable[[str], None], folder: Path
) -> None:
    """Exit code 3: it worked, without vectors."""
    chroma_file.write(folder, ["Assam in the morning"])
    configure(f'[sources.old]\nkind = "chroma"\npath = "{folder}"\n')
    told = await command("sources", "test", "old", "mornings")
    assert told.code == 3
    assert told.out == "doc1\tAssam in the morning\tchroma:notes/doc1\t2026-05-03T10:00:00+00:00\n"
    assert "by words" in told.err


async def test_a_package_adds_a_kind(
    command: Command, configure: Callable[[str], None], environment: dict[str, str], folder: Path
) -> None:
    """By an entry point; its section is checked like ours."""
    about = folder / "site" / "shelf-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: shelf\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[memory_mcp.sources]\nshelf = shelf:make\n")
    (folder / "site" / "shelf.py").write_text(PACKAGE)
    environment["PYTHONPATH"] = str(folder / "site")
    configure('[sources.mine]\nkind = "shelf"\nbooks = ["Moby-Dick", "Emma"]\n')
    assert (await command("sources", "test", "mine", "Emma")).out == "\tEmma\t\t\n"
    configure('[sources.mine]\nkind = "shelf"\n')
    assert "[sources.mine] books: field required" in (await command("sources", "test", "mine")).err


async def test_no_source_is_no_part(daemon: FakeDaemon, client: RawClient, command: Command) -> None:
    """Health says nothing of what is not there, and the list says how to add one."""
    assert "sources" not in await client.tool("memory_health")
    assert "config.toml adds one" in (await command("sources", "list")).err


FAULTY = """
[sources.hanging]
kind = "http"
url = "HOST/hang"
timeout_ms = 3000

[sources.hanging_too]
kind = "http"
url = "HOST/hang?too"
timeout_ms = 3000

[sources.failing]
kind = "http"
url = "HOST/busy"

[sources.flooding]
kind = "http"
url = "HOST/huge"
"""


async def test_four_faulty_sources_cost_only_their_own_parts(
    daemon: FakeDaemon, configure: Callable[[str], None], start: Callable[..., RawClient], server: WebServer
) -> None:
    """What arrived is in the block, what did not is named with what fixes it, and what hangs is given up."""
    configure(WIKI + FAULTY)
    front = start()
    await front.initialize()
    await front.tool("memory_store", content="The boat was painted green.")
    block = await front.tool("memory_context", query="boat", budget_ms=20_000)
    states = {each["name"]: each for each in block["sources"]}
    assert "the boat number 0" in block["text"]
    assert "painted green" in block["text"]
    assert {item["source"] for item in block["items"]} == {"memory", "wiki"}
    assert {name: state["state"] for name, state in states.items() if name != "memory"} == {
        "wiki": "ok",
        "hanging": "failed",
        "hanging_too": "failed",
        "failing": "failed",
        "flooding": "failed",
    }
    assert states["failing"]["retry_after"] == pytest.approx(7, abs=1)
    assert all(states[name]["cause"] and states[name]["fix"] for name in states if states[name]["state"] == "failed")
    block = await front.tool("memory_context", query="boats", budget_ms=400)
    assert {each["name"] for each in block["sources"] if each["state"] == "late"} == {"hanging", "hanging_too"}
    assert block["degraded"]
    await until(lambda: server.let_go == server.hung)


@pytest.mark.parametrize("kind", ["stdio", "http"])
async def test_a_source_asks_no_sources(
    daemon: FakeDaemon,
    configure: Callable[[str], None],
    start: Callable[..., RawClient],
    serve: Callable[..., WebFront],
    server: WebServer,
    kind: str,
) -> None:
    """Where another memory-mcp asks, we would be our own source."""
    configure(WIKI)
    if kind == "stdio":
        front = start(MCP_MEMORY_HOP="1")
        await front.initialize()
        block = await front.tool("memory_context", query="boat")
    else:
        with serve().client("peer") as peer:
            peer.http.headers["MCP-Memory-Hop"] = "1"
            block = await asyncio.to_thread(peer.tool, "memory_context", query="boat")
    assert [each["name"] for each in block["sources"]] == ["memory"]
    assert server.requests == []


async def test_we_are_not_our_own_source(
    daemon: FakeDaemon, configure: Callable[[str], None], start: Callable[..., RawClient], environment: dict[str, str]
) -> None:
    """A memory-mcp whose source is itself asks once, and not for ever."""
    names = ("HOME", "MCP_MEMORY_SQLITE_PATH", "MCP_MEMORY_EMBEDDER_ADDRESS")
    given = {name: environment[name] for name in names} | {"MCP_MEMORY_CONFIG": "ITSELF"}
    inline = ", ".join(f'{name} = "{value}"' for name, value in given.items())
    section = f"""
[sources.self]
kind = "mcp"
command = "{FRONT}"
args = ["serve"]
env = {{ {inline} }}
tool = "memory_context"
timeout_ms = 60000
"""
    configure(section)
    configure(section.replace("ITSELF", environment["MCP_MEMORY_CONFIG"]))
    front = start()
    await front.initialize()
    await front.tool("memory_store", content="The boat was painted green.")
    block = await front.tool("memory_context", query="boat", budget_ms=60_000)
    assert {each["name"]: each["state"] for each in block["sources"]} == {"memory": "ok", "self": "ok"}
    assert {item["source"] for item in block["items"]} <= {"memory", "self"}
    (inner,) = [child for child in psutil.Process((await front.process()).pid).children() if "serve" in child.cmdline()]
    assert inner.children() == []


async def test_sources_are_counted(
    daemon: FakeDaemon, configure: Callable[[str], None], serve: Callable[..., WebFront], server: WebServer
) -> None:
    """By name and outcome; a bound token is offered none that does not list its namespace."""
    configure(WIKI + "[sources.team]\nkind = 'http'\nurl = 'HOST/notes'\nnamespaces = 'quokka'\n")
    front = serve()
    with front.client("watcher", scopes=(Scope.ADMIN,)) as admin, front.client("one", namespace="quokka") as bound:
        for _ in range(2):
            await asyncio.to_thread(admin.tool, "memory_context", query="boat", budget_ms=20_000, sources=["wiki"])
        block = await asyncio.to_thread(bound.tool, "memory_context", query="boat", budget_ms=20_000)
        assert "wiki" not in str(block["sources"])
        assert "team" in str(block["sources"])
        page = await asyncio.to_thread(admin.page, "/metrics")
    assert 'memory_mcp_source_questions_total{outcome="cached",source="wiki"} 1.0' in page.text
    assert 'memory_mcp_source_questions_total{outcome="ok",source="wiki"} 1.0' in page.text
    assert 'memory_mcp_source_breaker_open{source="team"} 0.0' in page.text
