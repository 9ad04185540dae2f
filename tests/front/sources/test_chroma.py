"""A folder of Chroma's, by its SQLite file alone; and what is kept of a server, whose answers real services test."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from memory_mcp.domain.errors import EmbedderError
from memory_mcp.domain.sources import SourceError, SourceQuery
from memory_mcp.sources.chroma_reader import apply_log
from tests.fakes.embedder import FakeEmbedder, vectors_of
from tests.front.sources.chroma_file import add, opened
from tests.front.sources.conftest import Make
from tests.front.sources.web_server import listen, serving


@pytest.fixture
def database(tmp_path: Path) -> sqlite3.Connection:
    """Make a folder like Chroma's; what is added to it stays in the write-ahead log."""
    made = opened(tmp_path)
    add(
        made,
        1,
        "m1",
        "The boat lies in the harbour.",
        title="Harbour",
        url="https://x.test/1",
        created_at=1_777_777_777,
    )
    made.execute("PRAGMA journal_mode = wal")
    made.execute("PRAGMA wal_autocheckpoint = 0")
    add(made, 2, "m1", "Assam tea in the morning.")
    add(made, 3, "m2", "東京オフィスの鍵は受付で受け取る。")
    add(made, 4, "m2", None)
    return made


async def test_documents_are_found_by_their_words(make: Make, tmp_path: Path, database: sqlite3.Connection) -> None:
    """In any language, those in the write-ahead log as well, with what their metadata says."""
    source = make(kind="chroma", path=str(tmp_path))
    (boat,) = (await source.ask(SourceQuery("Where are the boats?", 3))).items
    assert (boat.text, boat.title, boat.uri) == ("The boat lies in the harbour.", "Harbour", "https://x.test/1")
    assert boat.at == datetime.fromtimestamp(1_777_777_777, UTC)
    (tea,) = (await source.ask(SourceQuery("tea", 3))).items
    assert (tea.title, tea.uri, tea.at) == ("doc2", "chroma:notes/doc2", datetime(2026, 5, 3, 10, tzinfo=UTC))
    (key,) = (await source.ask(SourceQuery("鍵は受付", 3))).items
    assert key.uri == "chroma:others/doc3"
    assert len((await source.ask(SourceQuery("", 9))).items) == 3
    assert "by words" in source.adapter.note


async def test_a_folder_is_left_as_it_was(make: Make, tmp_path: Path, database: sqlite3.Connection) -> None:
    """Nothing is written, not even the log is put away."""
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    await make(kind="chroma", path=str(tmp_path), collections="notes").ask(SourceQuery("tea", 3))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


async def test_a_change_of_the_folder_is_seen(
    make: Make, tmp_path: Path, database: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kept answer and the index go."""
    monkeypatch.setattr("memory_mcp.sources.chroma_folder.RESTING", 0)
    source = make(kind="chroma", path=str(tmp_path))
    assert (await source.ask(SourceQuery("kettle", 3))).items == ()
    add(database, 5, "m1", "The kettle is on the shelf.")
    assert len((await source.ask(SourceQuery("kettle", 3))).items) == 1


async def test_an_old_index_answers_for_what_it_holds(
    make: Make, tmp_path: Path, database: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it says of a changed folder, while it rests, is not kept for what the folder holds now."""
    monkeypatch.setattr("memory_mcp.sources.chroma_folder.RESTING", 1_000_000)
    source = make(kind="chroma", path=str(tmp_path))
    assert (await source.ask(SourceQuery("tea", 3))).items
    add(database, 5, "m1", "The kettle is on the shelf.")
    assert (await source.ask(SourceQuery("kettle", 3))).items == ()
    monkeypatch.setattr(source.adapter, "_rested_at", 0.0)
    assert len((await source.ask(SourceQuery("kettle", 3))).items) == 1


async def test_only_the_wanted_collections_are_read(make: Make, tmp_path: Path, database: sqlite3.Connection) -> None:
    """One that is not there is named."""
    source = make(kind="chroma", path=str(tmp_path), collections=["others"])
    assert len((await source.ask(SourceQuery("", 9))).items) == 1
    with pytest.raises(SourceError, match="no collection 'nothing'"):
        await make(kind="chroma", path=str(tmp_path), collections=["nothing"]).ask(SourceQuery("tea", 9))


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "there is no "),
        (b"no database at all", "not a SQLite file"),
        (b"SQLite format 3\0" + b"\xff" * 5_000, "damaged"),
    ],
)
async def test_a_file_that_is_none_costs_its_own_part(make: Make, tmp_path: Path, content: bytes, cause: str) -> None:
    """It is read in the sandbox, and its trouble is told."""
    (tmp_path / "chroma.sqlite3").write_bytes(content)
    with pytest.raises(SourceError, match=cause) as failed:
        await make(kind="chroma", path=str(tmp_path)).ask(SourceQuery("tea", 3))
    assert failed.value.fix


async def test_a_database_of_another_program_is_refused(make: Make, tmp_path: Path) -> None:
    """By its tables."""
    sqlite3.connect(tmp_path / "chroma.sqlite3").execute("CREATE TABLE x(y)")
    with pytest.raises(SourceError, match="not those of Chroma"):
        await make(kind="chroma", path=str(tmp_path)).ask(SourceQuery("tea", 3))


async def test_an_index_is_made_once_for_callers_who_give_up(
    make: Make, tmp_path: Path, database: sqlite3.Connection
) -> None:
    """A large folder takes longer than a caller waits; the next one finds it read."""
    source = make(kind="chroma", path=str(tmp_path))
    asking = asyncio.create_task(source.ask(SourceQuery("tea", 3)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert len((await source.ask(SourceQuery("tea", 3))).items) == 1


def test_a_log_is_applied_as_sqlite_does(tmp_path: Path, database: sqlite3.Connection) -> None:
    """Up to its last whole transaction: the same rows, also where the log was cut or damaged."""
    file, log = (Path(f"{tmp_path}/chroma.sqlite3{end}").read_bytes() for end in ("", "-wal"))
    for number, kept in enumerate([log, log[: len(log) - 4_000], log[:40], b"", log[:5_000] + b"?" + log[5_001:]]):
        ours = bytearray(file)
        apply_log(ours, kept)
        ours[18:20] = b"\1\1"
        copies = [tmp_path / f"{number}{name}" for name in ("ours.db", "theirs.db")]
        copies[0].write_bytes(ours)
        copies[1].write_bytes(file)
        Path(f"{copies[1]}-wal").write_bytes(kept)
        dumps = [list(sqlite3.connect(copy).iterdump()) for copy in copies]
        assert dumps[0] == dumps[1]


class Server:
    """As much of Chroma's REST API as one collection needs; it does not rank."""

    texts = tuple(f"the boat number {number}" for number in range(8))

    def __init__(self) -> None:
        self.vectors: Sequence[Sequence[float]] = [[1.0, 0.0]] * len(self.texts)
        self.asked: list[str] = []
        """The last step of each question's path."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            for stage in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{stage}.complete"})
            return
        what = Request(scope).url.path.rpartition("/")[2]
        self.asked.append(what)
        ids = [f"id{number}" for number in range(len(self.texts))]
        found = {"ids": ids, "documents": self.texts, "metadatas": [{}] * len(ids)}
        answers: dict[str, object] = {
            "get": found | {"embeddings": self.vectors},
            "query": {name: [each] for name, each in found.items()} | {"distances": [[0.0] * len(ids)]},
        }
        await JSONResponse(answers.get(what, {"id": "1"}))(scope, receive, send)


@contextlib.asynccontextmanager
async def chroma_server() -> AsyncIterator[tuple[Server, dict[str, object]]]:
    """Run a server, and return the section of its collection."""
    server, listening = Server(), listen()
    async with serving(server, listening):
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        yield server, {"kind": "chroma", "url": url, "collections": "notes", "cache_s": 0}


async def test_a_comparison_of_vectors_grows_old(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A collection that was filled anew with our vectors is asked by them."""
    monkeypatch.setattr("memory_mcp.sources.chroma.VERDICT_S", 0.0)
    embedder = FakeEmbedder()
    async with chroma_server() as (server, section):
        source = make(embedder, **section)
        await source.ask(SourceQuery("boat", 1))
        assert "not of our model" in source.adapter.note
        server.vectors = await vectors_of(embedder, Server.texts)
        await source.ask(SourceQuery("boat", 1))
        assert source.adapter.note == ""
        assert server.asked[-1] == "query"


async def test_a_comparison_of_vectors_is_kept_until_the_embedder_fails(make: Make) -> None:
    """Then our model may be another one."""
    embedder = FakeEmbedder()
    async with chroma_server() as (server, section):
        server.vectors = await vectors_of(embedder, Server.texts)
        source = make(embedder, **section)
        for _ in range(2):
            await source.ask(SourceQuery("boat", 1))
        assert server.asked == ["notes", "get", "query", "query"]
        embedder.failure = EmbedderError("the daemon is gone")
        await source.ask(SourceQuery("boat", 1))
        assert "the daemon is gone" in source.adapter.note
        embedder.failure = None
        await source.ask(SourceQuery("boat", 1))
        assert source.adapter.note == ""
        assert server.asked[-2:] == ["get", "query"]
