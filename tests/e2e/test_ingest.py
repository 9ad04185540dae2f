"""Documents through every door: stdio, HTTP and the command line."""

from __future__ import annotations

import base64
import json
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from memory_mcp.domain.principal import Scope
from tests.e2e.client import Json, RawClient, ToolError
from tests.e2e.conftest import Command, Started
from tests.e2e.web import WebFront
from tests.fakes.daemon import FakeDaemon

WATCH_OFF = "watch: no client may have folders watched; set MCP_MEMORY_INGEST_WATCH=1 to allow it"
GUIDE = "<title>Boat guide</title><h1>Moorings</h1><p>The heron berth is the quiet one.</p>"


@pytest.fixture
def notes(folder: Path) -> Path:
    """Make a folder with two files that are read, one that cannot be, and one that holds secrets."""
    made = folder / "notes"
    made.mkdir()
    (made / "guide.html").write_text(GUIDE, encoding="utf-8")
    (made / "plain.txt").write_text("Marmots whistle at noon.", encoding="utf-8")
    (made / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing")
    (made / ".env").write_text("KEY=1", encoding="utf-8")
    return made


async def test_a_client_has_a_folder_read(
    daemon: FakeDaemon, start: Callable[..., RawClient], notes: Path, folder: Path
) -> None:
    """A folder below the roots is read, with progress, and found; what lies elsewhere is refused by the setting."""
    client = start(MCP_MEMORY_INGEST_ROOTS=str(notes))
    await client.initialize()
    call = {"name": "memory_ingest", "arguments": {"path": str(notes), "tags": "boat"}, "_meta": {"progressToken": "p"}}
    answer = (await client.request("tools/call", call))["result"]
    result = answer["structuredContent"]
    assert result["files"] == {"done": 2, "unchanged": 0, "failed": 1, "left_out": 1}
    assert [Path(each["uri"]).name for each in result["documents"]] == ["broken.pdf", "guide.html", "plain.txt"]
    assert result["documents"][0]["state"] == "failed"
    assert "damaged" in result["documents"][0]["error"]
    assert answer["content"][0]["text"].startswith("2 files read (2 new sections), 0 unchanged, 1 failed, 1 left out")
    told = [n["params"] for n in client.notifications if n["method"] == "notifications/progress"]
    assert [each["progress"] for each in told] == sorted({each["progress"] for each in told})
    assert (told[-1]["progress"], told[-1]["total"]) == (4, 4)
    found = (await client.tool("memory_search", query="heron berth", tags=["boat"]))["results"][0]
    assert (found["document"]["title"], found["document"]["section"]) == ("Boat guide", "Moorings")
    document = await client.request("resources/read", {"uri": f"memory://document/{found['document']['id']}"})
    assert json.loads(document["result"]["contents"][0]["text"])["title"] == "Boat guide"
    for arguments, refusal in (
        ({"path": str(folder / "memory.db")}, "lies outside the folders.*MCP_MEMORY_INGEST_ROOTS"),
        ({"path": str(notes / ".." / "memory.db")}, "MCP_MEMORY_INGEST_ROOTS"),
        ({"path": str(notes), "watch": True}, WATCH_OFF),
        ({"path": "guide.html"}, "path: must be absolute"),
        ({"path": str(notes), "title": "x"}, "title: goes with content"),
        ({}, "path: give either path or content"),
        ({"content": "a@b", "encoding": "base64"}, "content: is not valid base64"),
        ({"content": "x", "uri": "FILE:///etc/passwd"}, "uri: must not begin with 'file:'"),
    ):
        with pytest.raises(ToolError, match=refusal):
            await client.tool("memory_ingest", **arguments)


async def test_a_clients_own_roots_are_read(daemon: FakeDaemon, start: Callable[..., RawClient], notes: Path) -> None:
    """A client that has roots is asked for them; nothing else is read."""
    client = start()
    await client.request(
        "initialize",
        {
            "protocolVersion": "2025-11-25",
            "capabilities": {"roots": {}},
            "clientInfo": {"name": "test", "version": "0"},
        },
    )
    await client.send_line(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}')

    async def ingested(root: str) -> Json:
        call = {"name": "memory_ingest", "arguments": {"path": str(notes / "plain.txt")}}
        message = {"jsonrpc": "2.0", "id": root, "method": "tools/call", "params": call}
        await client.send_line(json.dumps(message).encode())
        while (asked := await client.next_message()).get("method") != "roots/list":
            pass
        answer = {"jsonrpc": "2.0", "id": asked["id"], "result": {"roots": [{"uri": root}]}}
        await client.send_line(json.dumps(answer).encode())
        while (answered := await client.next_message()).get("id") != root:
            pass
        result: Json = answered["result"]
        return result

    assert (await ingested(notes.as_uri()))["structuredContent"]["files"]["done"] == 1
    assert (await ingested("file:///nowhere"))["isError"] is True


def test_over_http_content_is_taken_and_paths_are_not(
    serve: Callable[..., WebFront], daemon: FakeDaemon, notes: Path
) -> None:
    """Content is parsed, text or base64; a path needs the scope admin, and a root that the server's settings name."""
    front = serve(MCP_MEMORY_INGEST_ROOTS=str(notes))
    with front.client("me", "mine") as me, front.client("boss", scopes=(Scope.ADMIN,)) as boss:
        packed = base64.b64encode(GUIDE.encode()).decode()
        sent = {"content": packed, "encoding": "base64", "media_type": "text/html", "uri": "guide:1"}
        first = me.tool("memory_ingest", **sent)
        assert [each["uri"] for each in first["documents"]] == ["guide:1"]
        assert me.tool("memory_search", query="heron")["results"][0]["document"]["title"] == "Boat guide"
        changed = me.tool("memory_ingest", content="Now about otters.", uri="guide:1", title="Otters")
        assert changed["documents"][0]["id"] == first["documents"][0]["id"]
        with pytest.raises(ToolError, match="path: the token 'me' may only send content"):
            me.tool("memory_ingest", path=str(notes))
        with pytest.raises(ToolError, match="namespace: this token can only reach 'mine'"):
            me.tool("memory_ingest", content="x", namespace="other")
        assert boss.tool("memory_ingest", path=str(notes))["files"]["done"] == 2
        with pytest.raises(ToolError, match="MCP_MEMORY_INGEST_ROOTS"):
            boss.tool("memory_ingest", path="/etc/hostname")


async def test_a_person_reads_a_folder(daemon: FakeDaemon, command: Command, notes: Path) -> None:
    """One line tells of each bad file; documents are listed, found with their title, refreshed and removed."""
    ended = await command("ingest", str(notes), "--tag", "boat", "--watch")
    assert (ended.code, ended.out) == (
        3,
        "2 files read (2 new sections), 0 unchanged, 1 failed, "
        "1 left out (may hold secrets, ignored, unreadable, or no file).\n",
    )
    assert [line for line in ended.err.splitlines() if str(notes / "broken.pdf") in line] == [
        f"memory-mcp: {notes}/broken.pdf: The PDF is damaged: it does not open. Get it once more from where it is from."
    ]
    assert (await command("search", "heron")).out.split("\t")[2].startswith("[Boat guide, Moorings] ")
    listed = (await command("documents", "list", "--json")).data
    ids = {Path(each["uri"]).name: each["id"] for each in listed["documents"]}
    assert listed["watches"][0]["path"] == str(notes)
    shown = (await command("documents", "show", str(notes / "guide.html"), "--json")).data
    assert (shown["id"], shown["outline"][0]["section"]) == (ids["guide.html"], "Moorings")
    again = await command("documents", "refresh", ids["plain.txt"], "--json")
    assert (again.code, again.data["files"]["done"], again.data["sections"]) == (0, 1, 0)
    watch = listed["watches"][0]["id"]
    listed = (await command("documents", "list", "--json")).data
    mistyped = await command("documents", "remove", watch, ids["plain.txt"], "nothing")
    assert (mistyped.code, (await command("documents", "list", "--json")).data) == (1, listed)
    one = await command("documents", "remove", ids["broken.pdf"])
    assert f"{notes} is watched (watch {watch}): its files are read again unless" in one.out
    removed = await command("documents", "remove", str(notes), watch, "--json")
    assert (removed.data["removed"], len(removed.data["unwatched"])) == (2, 1)
    gone = await command("documents", "show", ids["plain.txt"])
    assert (gone.code, gone.err.count("`memory-mcp documents list` names all")) == (1, 1)


async def test_a_person_pipes_content(command: Command, folder: Path) -> None:
    """Stdin is a document with a title; without a daemon the exit code says so, and no file at all is a failure."""
    await command("store", "A memory of its own")
    piped = await command("ingest", "-", "--title", "Voles", "--json", stdin="Voles dig in March.")
    assert (piped.code, piped.data["files"]["done"], piped.data["pending"]) == (3, 1, 2)
    assert (await command("search", "voles")).out.split("\t")[2].startswith("[Voles] ")
    exported = await command("export", "-")
    assert ("Voles dig" in exported.out, exported.err) == (True, "exported 2 memories and 1 document\n")
    exported = await command("export", "-", "--no-documents")
    assert ("Voles dig" in exported.out, exported.err.startswith("exported 1 memory\n1 section")) == (False, True)
    missing = await command("ingest", str(folder / "nothing.txt"))
    assert (missing.code, missing.err.splitlines()) == (
        1,
        [f"memory-mcp: {folder}/nothing.txt: does not exist; check the path", "memory-mcp: nothing could be read"],
    )
    assert (await command("--set", "documents_enabled=0", "documents", "list")).code == 2


async def test_ctrl_c_cancels_the_job(daemon: FakeDaemon, begin: Started, notes: Path, folder: Path) -> None:
    """While the daemon computes; no other front goes on with it."""
    await daemon.change(hang=True)
    process = await begin("ingest", str(notes))
    await daemon.until(lambda: daemon.requests)
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert process.returncode == 130
    assert b"interrupted; what was read stays" in err
    with closing(sqlite3.connect(folder / "memory.db")) as db:
        assert db.execute("SELECT state FROM jobs").fetchall() == [("cancelled",)]


async def test_a_job_is_listed_and_cancelled_by_another_process(
    daemon: FakeDaemon, begin: Started, command: Command, notes: Path
) -> None:
    """Whichever process runs it; that one says that it was ended."""
    await daemon.change(hang=True)
    process = await begin("ingest", str(notes))
    await daemon.until(lambda: daemon.requests)
    [job] = (await command("documents", "jobs", "--json")).data["jobs"]
    assert (job["folders"], job["files"], job["error"]) == ([notes.as_uri()], 4, None)
    assert job["id"] in (await command("documents", "jobs")).out
    cancelled = await command("documents", "cancel", job["id"])
    assert (cancelled.code, cancelled.out) == (0, "cancelled the job; 1 of 4 files were read\n")
    _, err = await process.communicate()
    assert (process.returncode, b"the job cancelled: another process ended it" in err) == (1, True)
    again = await command("documents", "cancel", job["id"])
    assert again.out.startswith("the job had ended already: it is cancelled")
    assert (await command("documents", "cancel", "unknown")).code == 1
