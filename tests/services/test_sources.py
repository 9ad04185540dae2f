"""The sources `sql` and `chroma` on real servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import asyncpg
import pytest

from memory_mcp.documents.sandbox.client import Sandbox
from memory_mcp.domain.errors import EmbedderError
from memory_mcp.domain.sources import SourceError, SourceQuery
from memory_mcp.sources.adapter import Toolbox
from memory_mcp.sources.guarded import GuardedSource
from memory_mcp.sources.registry import ConfiguredSources
from memory_mcp.sources.secrets import filler
from tests.fakes.embedder import FakeEmbedder, vectors_of
from tests.services.conftest import Chroma
from tests.services.postgres import Postgres

pytestmark = pytest.mark.services

Make = Callable[[Mapping[str, object]], GuardedSource]
TEXTS = [f"the boat number {number} lies in the harbour" for number in range(9)] + ["Assam tea in the morning"]
STATEMENT = """
    SELECT body AS text, 'note:' || id::text AS uri, day AS time, length(body) AS score
    FROM notes WHERE body ILIKE '%' || :query || '%' ORDER BY id LIMIT :limit -- :limit
"""


@pytest.fixture
def embedder() -> FakeEmbedder:
    """Return an embedder."""
    return FakeEmbedder()


@pytest.fixture
async def make(embedder: FakeEmbedder) -> AsyncIterator[Make]:
    """Return what makes a source; each is closed at the end."""
    opened: list[ConfiguredSources] = []

    def made(section: Mapping[str, object]) -> GuardedSource:
        tools = Toolbox(filler({"PG": "s3cret"}.get), embedder, 1.0, lambda reader: Sandbox(reader=reader))
        opened.append(ConfiguredSources({"x": section}, lambda: tools))
        assert opened[-1].examined()[1] == []
        return opened[-1].all()[0]

    yield made
    for each in opened:
        await each.close()


@pytest.fixture
async def notes(postgres: Postgres) -> AsyncIterator[dict[str, object]]:
    """Fill a table, and return the section that asks it."""
    connection = await asyncpg.connect(postgres.url)
    await connection.execute("DROP TABLE IF EXISTS notes; CREATE TABLE notes(id serial, body text, day timestamptz)")
    await connection.executemany("INSERT INTO notes(body, day) VALUES ($1, now())", [(text,) for text in TEXTS])
    yield {"kind": "sql", "url": postgres.url.replace("s3cret", "${env:PG}"), "statement": STATEMENT, "cache_s": 0}
    await connection.close()


async def test_postgres_answers_with_rows(make: Make, notes: dict[str, object]) -> None:
    """By the names of their columns, with casts and comments in the statement; a question is a value, never SQL."""
    source = make(notes)
    answer = await source.ask(SourceQuery("BOAT", 3))
    assert [(item.text, item.uri) for item in answer.items] == [(TEXTS[n], f"note:{n + 1}") for n in range(3)]
    assert all(item.at is not None and item.score == len(item.text) for item in answer.items)
    assert (await source.ask(SourceQuery("'; DROP TABLE notes; --", 3))).items == ()
    assert len((await source.ask(SourceQuery("", 9))).items) == 9
    assert "s3cret" not in source.adapter.target


@pytest.mark.parametrize(
    "statement",
    [
        "WITH gone AS (DELETE FROM notes RETURNING body) SELECT body AS text FROM gone WHERE body <> :query",
        "SELECT setval('notes_id_seq', 99)::text AS text WHERE 'x' <> :query",
        "SELECT lo_create(0)::text AS text WHERE 'x' <> :query",
    ],
)
async def test_postgres_itself_refuses_writes(make: Make, notes: dict[str, object], statement: str) -> None:
    """Even of its superuser."""
    with pytest.raises(SourceError) as failed:
        await make(notes | {"statement": statement}).ask(SourceQuery("boat", 3))
    assert failed.value.fix
    assert len((await make(notes).ask(SourceQuery("", 20))).items) == 10


async def test_postgres_ends_what_takes_too_long(make: Make, notes: dict[str, object], postgres: Postgres) -> None:
    """By the source's deadline and by the caller's; nothing runs on."""
    slow = notes | {"statement": "SELECT pg_sleep(60)::text AS text WHERE 'x' <> :query"}
    with pytest.raises(SourceError, match=r"too long|within 300 ms"):
        await make(slow | {"timeout_ms": 300}).ask(SourceQuery("boat", 3))
    source = make(slow)
    asking = asyncio.create_task(source.ask(SourceQuery("boat", 3)))
    watcher = await asyncpg.connect(postgres.url)
    active = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'memory-mcp' AND state = 'active'"
    async with asyncio.timeout(60):
        while not await watcher.fetchval(active):
            pass
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        while await watcher.fetchval(active):
            pass
    await watcher.close()


async def test_postgres_cuts_long_texts_itself(make: Make, notes: dict[str, object]) -> None:
    """A hundred megabytes never reach us."""
    huge = notes | {"statement": "SELECT repeat('x', 100000000) AS text WHERE 'x' <> :query"}
    assert len((await make(huge).ask(SourceQuery("boat", 3))).items[0].text) == 20_000


async def test_a_postgres_that_refuses_us_is_named(make: Make, notes: dict[str, object], postgres: Postgres) -> None:
    """Without the password."""
    for url in (postgres.url.replace("s3cret", "wrong-one"), postgres.url.replace(str(postgres.port), "1")):
        with pytest.raises(SourceError) as failed:
            await make(notes | {"url": url}).ask(SourceQuery("boat", 3))
        assert "127.0.0.1" in str(failed.value)
        assert "wrong-one" not in failed.value.with_fix()


async def test_chroma_is_asked_by_our_vectors_where_they_are_its_own(
    make: Make, chroma: Chroma, embedder: FakeEmbedder
) -> None:
    """Eight documents, embedded again, give the vectors that it has."""
    chroma.fill("ours", TEXTS, await vectors_of(embedder, TEXTS))
    source = make({"kind": "chroma", "url": chroma.url, "collections": "ours", "cache_s": 0})
    answer = await source.ask(SourceQuery("tea in the morning", 1))
    (tea,) = answer.items
    assert (tea.text, tea.title, tea.uri) == (TEXTS[-1], "Text 9", "chroma:ours/ours-9")
    assert tea.score is not None
    assert tea.at is not None
    assert source.adapter.note == ""
    assert [len(texts) for texts, *_ in embedder.calls] == [len(TEXTS), 8, 1]
    embedder.failure = EmbedderError("the daemon is gone")
    assert (await source.ask(SourceQuery("tea", 1))).items[0].text == TEXTS[-1]
    assert "the daemon is gone" in source.adapter.note


async def test_chroma_is_asked_by_text_where_its_vectors_are_others(
    make: Make, chroma: Chroma, embedder: FakeEmbedder
) -> None:
    """It says so; words are found in any case."""
    vectors = await vectors_of(embedder, TEXTS)
    chroma.fill("others", TEXTS, [*vectors[1:], vectors[0]])
    chroma.fill("few", TEXTS[-2:], vectors[-2:])
    source = make({"kind": "chroma", "url": chroma.url, "collections": ["others", "few"], "cache_s": 0})
    answer = await source.ask(SourceQuery("assam TEA?", 3))
    assert [item.text for item in answer.items] == [TEXTS[-1]] * 2
    assert "not of our model" in source.adapter.note
    assert "fewer than 8 documents" in source.adapter.note
    assert len((await source.ask(SourceQuery("", 3))).items) == 3
    with pytest.raises(SourceError, match="404"):
        await make({"kind": "chroma", "url": chroma.url, "collections": "none"}).ask(SourceQuery("tea", 3))


async def test_a_folder_of_a_running_server_is_read(make: Make, chroma: Chroma, embedder: FakeEmbedder) -> None:
    """Its own files, while it has them open."""
    chroma.fill("folder", TEXTS, await vectors_of(embedder, TEXTS))
    source = make({"kind": "chroma", "path": str(chroma.folder), "collections": "folder"})
    answer = await source.ask(SourceQuery("tea", 3))
    assert [(item.text, item.title) for item in answer.items] == [(TEXTS[-1], "Text 9")]
