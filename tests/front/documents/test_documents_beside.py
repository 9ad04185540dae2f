"""Documents beside other memories: each is ranked as if the others were not there, and the best of both come first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from memory_mcp.documents.ingesting import IngestRequest
from memory_mcp.domain.models import DOCUMENT, Filters, NewMemory
from memory_mcp.domain.principal import local_user
from memory_mcp.search.joining import search_joined
from memory_mcp.search.models import SearchAnswer, SearchMode, SearchQuery
from memory_mcp.tools.base import Call
from memory_mcp.tools.search import SearchArguments, SearchResult, memory_search
from memory_mcp.tools.services import Services
from tests.front.documents.ingesting_kit import HERE, Kit, quiet

TURNS = (
    "Ann: which violin teacher do you recommend?",
    "Ben: Mrs Lindqvist, she is patient",
    "Ann: and the violin itself?",
    "Ben: the one from the harbour shop",
    *(f"Ann: something else, number {number}" for number in range(16)),
)
REPORT = (
    "# Harbour\nThe harbour report says that the violin shop of the harbour pays {0} crowns.\n# Teacher\nIt has {0}.\n"
)
ASKED = "which violin teacher does the harbour shop recommend"


async def talk(services: Services, *contents: str, namespace: str = "here", **fields: object) -> None:
    """Store turns of a conversation."""
    for content in contents:
        new = NewMemory(content, namespace, conversation_id="c")
        await services.memories.store(replace(new, **fields))  # type: ignore[arg-type]  # the caller names them


async def ingest(kit: Kit, namespace: str = "here", *tags: str) -> None:
    """Ingest the folder."""
    job = await kit.ingesting.ingest_paths([kit.folder], IngestRequest(namespace, tags, "me", (kit.folder,)))
    await kit.ingesting.finish(job.id, replace(HERE, namespace=namespace), quiet)


async def ask(services: Services, text: str, mode: SearchMode = "auto", namespace: str = "here") -> SearchAnswer:
    """Search for all that fits."""
    return await services.search.run(SearchQuery(text, Filters(namespace), limit=100, mode=mode))


def scores(answer: SearchAnswer, *, documents: bool) -> list[tuple[str, float]]:
    """Return the contents of a kind with their scores, in their order."""
    hits = [hit for hit in answer.hits if (hit.memory.type == DOCUMENT) == documents]
    return [(hit.memory.content, round(hit.ranked.score, 6)) for hit in hits]


@pytest.mark.parametrize("mode", ["auto", "hybrid", "semantic", "keyword"])
async def test_neither_changes_the_scores_of_the_other(kit: Kit, services: Services, mode: SearchMode) -> None:
    """A namespace with turns, one with reports and one with both agree on every score."""
    for number in range(12):
        kit.write(f"{number}.md", REPORT.format(number))
    await talk(services, *TURNS, namespace="turns")
    await ingest(kit, "reports")
    await talk(services, *TURNS)
    await ingest(kit)
    both = await ask(services, ASKED, mode)
    assert scores(both, documents=False) == scores(await ask(services, ASKED, mode, "turns"), documents=False) != []
    assert scores(both, documents=True) == scores(await ask(services, ASKED, mode, "reports"), documents=True) != []
    in_order = [round(hit.ranked.score, 4) for hit in both.hits]
    assert in_order == sorted(in_order, reverse=True)


@pytest.mark.parametrize(
    ("asked", "best"),
    [("what the harbour report says of the violin shop", "report"), ("patient Lindqvist", "Lindqvist")],
)
async def test_what_fits_best_comes_first(kit: Kit, services: Services, asked: str, best: str) -> None:
    """Whichever kind it is of; the answer is not weak where one of both fits."""
    for number in range(12):
        kit.write(f"{number}.md", REPORT.format(number))
    await talk(services, *TURNS)
    await ingest(kit)
    answer = await ask(services, asked)
    assert best in answer.hits[0].memory.content
    assert not answer.weak
    assert (await ask(services, "quantum chromodynamics lattice")).weak


@pytest.mark.parametrize("mode", ["auto", "semantic", "keyword"])
async def test_a_conversation_of_both_kinds_is_found_once(kit: Kit, services: Services, mode: SearchMode) -> None:
    """Neighbours are of either kind, and none is shown twice."""
    await talk(services, *TURNS[:2])
    await talk(services, *TURNS[2:], type=DOCUMENT)
    answer = await ask(services, ASKED, mode)
    contents = [hit.memory.content for hit in answer.hits]
    assert {TURNS[0], TURNS[3]} <= set(contents[:3])
    assert len(contents) == len(set(contents))
    in_order = [round(hit.ranked.score, 4) for hit in answer.hits]
    assert in_order == sorted(in_order, reverse=True)


async def test_tags_of_a_browse_are_found_in_both(kit: Kit, services: Services) -> None:
    """Each memory once, those that carry the tag first."""
    kit.write("a.md", "# Harbour\nThe harbour is closed.\n")
    await ingest(kit, "here", "sailing")
    await talk(services, "The boat is sold", tags=("sailing",))
    await talk(services, "sailing is nice", "the weather")
    contents = [hit.memory.content for hit in (await ask(services, "sailing")).hits]
    assert set(contents[:2]) == {"The boat is sold", "Harbour\n\nThe harbour is closed."}
    assert len(contents) == len(set(contents))


async def explained(services: Services, **arguments: object) -> SearchResult:
    """Search through the tool, with explanations."""
    asked = SearchArguments.model_validate({"query": ASKED, "explain": True, **arguments})
    result = await memory_search(Call(services, local_user("here"), _unheard), asked)
    assert isinstance(result, SearchResult)
    return result


async def _unheard(done: int, total: int) -> None:
    del done, total


async def test_an_explanation_tells_the_weights_of_both(kit: Kit, services: Services) -> None:
    """The steps of a hit add up with the weight of its kind; where there is one kind, it is the query's."""
    kit.write("a.md", "".join(REPORT.format(number) for number in range(30)))
    await ingest(kit)
    alone = await explained(services)
    assert alone.explain_query is not None
    assert alone.explain_documents is None
    await talk(services, *TURNS)
    result = await explained(services)
    assert result.explain_query is not None
    assert result.explain_documents is not None
    assert result.explain_documents.weight == alone.explain_query.weight != result.explain_query.weight
    assert "Documents: Weight: semantic" in result.text()
    kinds = set()
    for hit, steps in zip(result.results, result.explain or (), strict=True):
        kinds.add(hit.type)
        weight = (result.explain_documents if hit.type == DOCUMENT else result.explain_query).weight
        fused = weight * (steps.semantic or 0) + (1 - weight) * (steps.keyword or 0)
        assert steps.fused == pytest.approx(fused, abs=2e-4)
    assert kinds == {DOCUMENT, "note"}
    typed = await explained(services, type=DOCUMENT)
    assert typed.explain_documents is None
    assert {hit.type for hit in typed.results} == {DOCUMENT}


async def test_who_wants_no_documents_finds_none(kit: Kit, services: Services) -> None:
    """The other memories are ranked as ever; who names the type as well finds nothing."""
    kit.write("a.md", REPORT.format(1))
    await talk(services, *TURNS)
    await ingest(kit)
    notes = SearchQuery(ASKED, Filters("here", documents=False), limit=100)
    both = await ask(services, ASKED)
    assert scores(await services.search.run(notes), documents=True) == [] != scores(both, documents=True)
    assert scores(await services.search.run(notes), documents=False) == scores(both, documents=False) != []
    neither = replace(notes, filters=Filters("here", type=DOCUMENT, documents=False))
    assert (await services.search.run(neither)).hits == ()


async def test_two_namespaces_explain_the_documents_of_the_first(kit: Kit, services: Services) -> None:
    """One answer for both tells what was made of the query in the namespace that found something."""
    kit.write("a.md", REPORT.format(1))
    await talk(services, *TURNS)
    await ingest(kit)
    await talk(services, *TURNS[:2], namespace="beside")
    query = SearchQuery(ASKED, Filters("here"), limit=100, explain=True)
    alone, both = await services.search.run(query), await search_joined(services.search, query, "beside")
    assert alone.explanation is not None
    assert both.explanation is not None
    assert both.explanation.documents == alone.explanation.documents is not None
    assert len(both.explanation.hits) == len(both.hits) > len(alone.hits)
