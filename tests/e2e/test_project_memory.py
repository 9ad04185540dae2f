"""MCP_MEMORY_NAMESPACE=auto: a project's memories, with those of `default` beside them in searches alone."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.e2e.client import Json, RawClient, ToolError
from tests.e2e.conftest import FRONT
from tests.e2e.web import WebFront
from tests.fakes.daemon import FakeDaemon

AUTO = {"MCP_MEMORY_NAMESPACE": "auto"}
BOAT = "github.com/me/boat"
Work = Callable[..., Awaitable["ProjectClient"]]


class ProjectClient(RawClient):
    """A client that may have folders open, and tells when it is asked."""

    roots: list[str] | None = None
    """None: it does not answer."""
    asked = 0

    async def hello(self, capabilities: Json) -> None:
        """Shake hands."""
        about = {"protocolVersion": "2025-11-25", "clientInfo": {"name": "test", "version": "0"}}
        await self.request("initialize", about | {"capabilities": capabilities})
        await self.send_line(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}')

    async def next_message(self) -> Json:
        """Answer what the front asks, and return what it says."""
        while (message := await super().next_message()).get("method") == "roots/list":
            self.asked += 1
            if self.roots is not None:
                result = {"roots": [{"uri": uri} for uri in self.roots]}
                await self.send_line(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode())
        return message


def repository(folder: Path, remote: str) -> Path:
    """Make what we read of a clone."""
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "HEAD").touch()
    (folder / ".git" / "config").write_text(f'[remote "origin"]\n\turl = {remote}\n')
    return folder


@pytest.fixture
def boat(folder: Path) -> Path:
    """Make a clone."""
    return repository(folder / "boat", "https://github.com/me/boat.git")


@pytest.fixture
async def work(folder: Path, environment: dict[str, str]) -> AsyncIterator[Work]:
    """Start fronts in working folders, and end them."""
    started: list[ProjectClient] = []

    async def run(place: Path, *, opened: list[Path] | None = None, answers: bool = True) -> ProjectClient:
        client = ProjectClient([str(FRONT), "serve"], environment | AUTO, folder=place)
        started.append(client)
        if opened is not None and answers:
            client.roots = [path.as_uri() for path in opened]
        await client.hello({"roots": {"listChanged": True}} if opened is not None else {})
        return client

    yield run
    for client in started:
        await client.end()


async def found(client: RawClient, query: str, **more: object) -> dict[str, str | None]:
    """Search; return the namespace that each content is marked with."""
    results = (await client.tool("memory_search", query=query, **more))["results"]
    return {hit["content"]: hit.get("namespace") for hit in results}


async def test_clones_share_their_memories(daemon: FakeDaemon, folder: Path, boat: Path, work: Work) -> None:
    """Another project sees nothing of them; all see the default's, and are told that it is not theirs."""
    other = repository(folder / "elsewhere", "git@github.com:me/boat")
    (other / "src").mkdir()
    (folder / "plain").mkdir()
    first, clone, plain = await work(boat), await work(other / "src"), await work(folder / "plain")
    await first.tool("memory_store", content="the key hangs behind the clock")
    await first.tool("memory_store", content="I like my tea without a key of sugar", namespace="default")
    mine = {"the key hangs behind the clock": None, "I like my tea without a key of sugar": "default"}
    assert await found(first, "key") == await found(clone, "key") == mine
    assert await found(plain, "key") == {"I like my tea without a key of sugar": "default"}
    assert list(await found(clone, "key behind the clock", limit=1)) == ["the key hangs behind the clock"]
    block = await clone.tool("memory_context", query="key")
    marks = {item["id"]: item.get("namespace") for item in block["items"]}
    assert sorted(marks.values(), key=str) == [None, "default"]
    assert "from default" in block["text"]
    assert "from default" in (await clone.tool("memory_context"))["text"]
    alone = await clone.tool("memory_context", namespace=BOAT)
    assert [item.get("namespace") for item in alone["items"]] == [None]
    assert await found(clone, "key", namespace="default") == {"I like my tea without a key of sugar": None}
    text = (await clone.request("tools/call", {"name": "memory_search", "arguments": {"query": "tea"}}))["result"]
    assert " in default" in text["content"][0]["text"]


async def test_nothing_else_touches_the_default(daemon: FakeDaemon, boat: Path, work: Work) -> None:
    """Lists, counts, resources and deletions are the project's alone; a change by id is refused, and says why."""
    client = await work(boat)
    shared = await client.tool("memory_store", content="tea", tags=["x"], id="shared", namespace="default")
    own = await client.tool("memory_store", content="clock", tags=["x"])
    assert [it["id"] for it in (await client.tool("memory_list"))["memories"]] == [own["id"]]
    stats = await client.request("resources/read", {"uri": "memory://stats"})
    assert json.loads(stats["result"]["contents"][0]["text"])["memories"] == 1
    with pytest.raises(ToolError, match=r"lies in 'default'.*MCP_MEMORY_NAMESPACE"):
        await client.tool("memory_update", id=shared["id"], content="coffee")
    with pytest.raises(ToolError, match="lies in 'default'"):
        await client.tool("memory_delete", id=shared["id"])
    assert (await client.tool("memory_get", id=shared["id"]))["content"] == "tea"
    assert (await client.tool("memory_delete", tags=["x"]))["ids"] == [own["id"]]
    assert (await client.tool("memory_delete", id=shared["id"], namespace="default"))["ids"] == [shared["id"]]


async def test_the_clients_folder_decides(daemon: FakeDaemon, folder: Path, boat: Path, work: Work) -> None:
    """Its first root does, before the working directory; when it opens another, that one does."""
    garden = repository(folder / "garden", "https://github.com/me/garden")
    client = await work(folder, opened=[folder / "nowhere", boat])
    await client.tool("memory_store", content="the key hangs behind the clock")
    assert (await client.tool("memory_health"))["project"]["state"] == "known"
    assert client.asked == 1
    client.roots = [garden.as_uri()]
    await client.send_line(b'{"jsonrpc": "2.0", "method": "notifications/roots/list_changed"}')
    assert await found(client, "key") == {}
    assert await found(client, "key", namespace=BOAT) == {"the key hangs behind the clock": None}


async def test_a_client_that_does_not_say(daemon: FakeDaemon, boat: Path, work: Work, folder: Path) -> None:
    """The lists do not wait for it; the first call does so for a second, and health says that it was in vain."""
    client = await work(boat, opened=[folder / "garden"], answers=False)
    assert (await client.request("tools/list"))["result"]["tools"]
    await client.tool("memory_store", content="the key hangs behind the clock")
    health = await client.tool("memory_health")
    assert health["status"] == "degraded"
    assert BOAT in health["project"]["cause"]
    assert "MCP_MEMORY_NAMESPACE" in health["project"]["fix"]
    assert await found(client, "key", namespace=BOAT)


def test_over_http_a_token_does_not_leave_its_namespace(
    daemon: FakeDaemon, boat: Path, serve: Callable[..., WebFront], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bound token neither meets the project nor the default; one for all has the server's own project."""
    monkeypatch.chdir(boat)
    front = serve(**AUTO)
    with front.client("me", "mine") as mine, front.client("all") as everybody:
        everybody.tool("memory_store", content="the key hangs behind the clock")
        everybody.tool("memory_store", content="no key for the tea", namespace="default")
        mine.tool("memory_store", content="my key")
        assert [hit["content"] for hit in mine.tool("memory_search", query="key")["results"]] == ["my key"]
        hits = everybody.tool("memory_search", query="key")["results"]
        assert {hit["content"]: hit.get("namespace") for hit in hits} == {
            "the key hangs behind the clock": None,
            "no key for the tea": "default",
        }
        assert everybody.tool("memory_list", namespace=BOAT)["total"] == 1


async def test_the_command_line_is_in_its_folders_project(
    daemon: FakeDaemon, boat: Path, environment: dict[str, str], folder: Path
) -> None:
    """A command in the project's folder stores and finds there; `install` writes the setting for a client."""

    async def run(*arguments: str) -> str:
        command = [str(FRONT), *arguments]
        done = await asyncio.to_thread(
            subprocess.run, command, cwd=boat, env=environment | AUTO, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    await run("store", "the key hangs behind the clock")
    await run("store", "tea without a key", "--namespace", "default")
    results = json.loads(await run("search", "key", "--json"))["results"]
    assert {hit["content"]: hit.get("namespace") for hit in results} == {
        "the key hangs behind the clock": None,
        "tea without a key": "default",
    }
    assert json.loads(await run("list", "--json"))["total"] == 1
    await run("install", "--client", "cursor", "--namespace", "auto")
    entry = json.loads((folder / ".cursor" / "mcp.json").read_text())["mcpServers"]["memory"]
    assert entry["env"] == AUTO


async def test_nothing_is_written_while_the_project_is_unknown(
    daemon: FakeDaemon, folder: Path, boat: Path, work: Work
) -> None:
    """A server that was started nowhere would store a project's memory where all projects read it."""
    client = await work(Path("/"), opened=[boat], answers=False)
    with pytest.raises(ToolError, match="has not said yet which folder is open"):
        await client.tool("memory_store", content="a secret of the boat")
    with pytest.raises(ToolError, match="has not said yet which folder is open"):
        await client.tool("memory_delete", tags=["x"])
    assert (await client.tool("memory_store", content="tea", namespace="default"))["created"] is True
    client.roots = [boat.as_uri()]
    await client.send_line(b'{"jsonrpc": "2.0", "method": "notifications/roots/list_changed"}')
    await client.tool("memory_store", content="a secret of the boat")
    assert await found(client, "secret", namespace=BOAT) == {"a secret of the boat": None}
