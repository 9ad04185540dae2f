"""What searches and resources say of documents."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from memory_mcp.app import make_services
from memory_mcp.application import resources
from memory_mcp.application.resources import Address
from memory_mcp.domain.documents import SectionPlace
from memory_mcp.domain.errors import NotFoundError
from memory_mcp.domain.jobs import FileContent
from memory_mcp.domain.models import Filters, NewMemory
from memory_mcp.domain.principal import local_user
from memory_mcp.search.models import SearchQuery
from memory_mcp.search.policy import DEFAULT_POLICY
from memory_mcp.settings import load
from memory_mcp.storage.sqlite.snapshot import SqliteSnapshot
from memory_mcp.tools.base import Call
from memory_mcp.tools.search import SearchArguments, memory_search
from memory_mcp.tools.services import Services
from memory_mcp.tools.sizes import tokens
from tests.front.documents.ingesting_kit import Kit

NOTICE = "All rights reserved. This message may hold confidential words of the sender and of nobody else."


async def _unheard(done: int, total: int) -> None:
    del done, total


async def test_a_hit_says_where_it_lies(kit: Kit, services: Services) -> None:
    """In the structured result and in the text; a memory that is no section says nothing of it."""
    path = kit.write("plan.md", "# Budget\nThe harbour costs three million.\n# Time\nThe harbour is ready in May.\n")
    await kit.ingest()
    await services.memories.store(NewMemory("The harbour opens late", "here"))
    [document] = await kit.all()
    call = Call(services, local_user("here"), _unheard)
    asked = SearchArguments.model_validate({"query": "what does the harbour cost", "mode": "keyword"})
    result = await memory_search(call, asked)
    found = {hit["content"]: hit.get("document") for hit in result.structured()["results"]}  # type: ignore[attr-defined]
    assert found["Budget\n\nThe harbour costs three million."] == {
        "id": document.id,
        "title": "plan.md",
        "uri": path.as_uri(),
        "section": "Budget",
        "page": None,
    }
    assert found["The harbour opens late"] is None
    assert "from plan.md, Budget" in result.text()


async def test_a_search_is_narrowed_to_documents_or_to_one(kit: Kit, services: Services) -> None:
    """By the type, or by the document as the conversation."""
    kit.write("a.md", "# A\nThe harbour in A")
    kit.write("b.md", "# B\nThe harbour in B")
    await kit.ingest()
    await services.memories.store(NewMemory("The harbour in a note", "here"))
    _, second = await kit.all()
    for filters, expected in (
        (Filters("here", type="document"), {"A\n\nThe harbour in A", "B\n\nThe harbour in B"}),
        (Filters("here", conversation_id=second.id), {"B\n\nThe harbour in B"}),
    ):
        answer = await services.search.run(SearchQuery("harbour", filters))
        assert {hit.memory.content for hit in answer.hits} == expected


async def test_boilerplate_is_shown_once(kit: Kit, services: Services) -> None:
    """Other results take its places; equal memories that are no sections stay apart."""
    for number in range(6):
        kit.write(f"{number}.md", f"# Notice\n{NOTICE}\n# Text\nThe sender {number} writes of confidential things.\n")
    await kit.ingest()
    answer = await services.search.run(SearchQuery("confidential words of the sender", Filters("here"), limit=5))
    contents = [hit.memory.content for hit in answer.hits]
    assert len(contents) == 5
    assert contents.count(f"Notice\n\n{NOTICE}") == 1
    [notice] = [hit for hit in answer.hits if NOTICE in hit.memory.content]
    assert len(notice.duplicates) == 5
    for number in range(3):
        await services.memories.store(NewMemory("ferry timetable", "here", conversation_id=f"c{number}"))
    notes = await services.search.run(SearchQuery("ferry timetable", Filters("here"), limit=3))
    assert [hit.memory.content for hit in notes.hits].count("ferry timetable") == 3


async def test_more_candidates_are_asked_for_where_copies_take_all_places(kit: Kit, tmp_path: Path) -> None:
    """A search returns as many results as match, however many files repeat the best of them."""
    few = replace(DEFAULT_POLICY.candidates, fewest=5, keyword_matches=5, per_result=1, best_with_neighbours=0)
    policy = replace(DEFAULT_POLICY, candidates=few)
    services = make_services(load(sqlite_path=tmp_path / "memory.db"), kit.store, kit.embedder, policy)
    for number in range(12):
        kit.write(f"{number}.md", f"# Notice\n{NOTICE}\n# Text\n{number}\n")
    await kit.ingest()
    for number in range(4):
        await services.memories.store(NewMemory(f"the sender of parcel {number}", "here"))
    answer = await services.search.run(SearchQuery("confidential words of the sender", Filters("here"), limit=3))
    assert len(answer.hits) == 3


async def test_a_search_without_sections_asks_for_no_places(
    kit: Kit, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has no documents pays nothing for them."""

    def refuse(snapshot: SqliteSnapshot, keys: Sequence[int]) -> dict[int, SectionPlace]:
        raise AssertionError

    await services.memories.store(NewMemory("The harbour in a note", "here"))
    monkeypatch.setattr(SqliteSnapshot, "section_places", refuse)
    assert len((await services.search.run(SearchQuery("harbour", Filters("here")))).hits) == 1
    kit.write("a.md", "The harbour in A")
    await kit.ingest()
    with pytest.raises(AssertionError):
        await services.search.run(SearchQuery("harbour", Filters("here")))


async def test_long_names_are_cut(kit: Kit, services: Services) -> None:
    """A hit shows the end of its headings, and a resource as many sections as fit, whatever their characters cost."""
    emoji = "\N{OTTER}"
    headings = "".join(f"# {emoji * 900} H{number}\nThe harbour {number}\n" for number in range(120))
    text, tags = FileContent(headings.encode(), emoji * 900, "text/markdown"), [emoji * 90 + str(n) for n in range(20)]
    job = await kit.ingesting.ingest_content(text, kit.request(*tags), uri="x:" + emoji * 900)
    await kit.finish(job)
    [document] = await kit.all()
    asked = SearchArguments.model_validate({"query": "harbour", "mode": "keyword"})
    result = await memory_search(Call(services, local_user("here"), _unheard), asked)
    place = result.results[0].document
    assert place is not None
    assert place.section.startswith("…")
    assert re.search(r"H\d+$", place.section)
    assert (place.title or "").endswith("…")
    assert tokens(place.model_dump_json()) < 1_000
    shown = await resources.read(services, Address.parse(f"memory://document/{document.id}"), "here")
    assert tokens(shown) < 10_000
    assert 0 < len(json.loads(shown)["sections"]) <= 100


async def test_a_document_is_a_resource(kit: Kit, services: Services) -> None:
    """It lists its sections, whose ids are memories; another namespace has no such resource."""
    kit.write("plan.md", "".join(f"# H{number}\nText {number}\n" for number in range(150)))
    await kit.ingest()
    [document] = await kit.all()
    address = Address.parse(f"memory://document/{document.id}")
    shown = json.loads(await resources.read(services, address, "here"))
    assert (shown["title"], shown["state"], shown["total"], len(shown["sections"])) == ("plan.md", "ok", 150, 100)
    assert shown["sections"][1]["section"] == "H1"
    memory_id = shown["sections"][1]["id"]
    whole = json.loads(await resources.read(services, Address.parse(f"memory://memory/{memory_id}"), "here"))
    assert whole["content"] == "H1\n\nText 1"
    with pytest.raises(NotFoundError):
        await resources.read(services, address, "there")
