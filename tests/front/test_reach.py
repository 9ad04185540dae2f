"""What a caller may use and change: one namespace, several, or all; some of them to read alone."""

from __future__ import annotations

import pytest

from memory_mcp.domain.errors import ForbiddenError, NotFoundError
from memory_mcp.domain.models import Change, NewMemory, Stored
from memory_mcp.domain.principal import Reach
from memory_mcp.memories.indexing import Indexer
from memory_mcp.memories.service import Memories
from tests.fakes.clock import FakeClock
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.store import FakeStore

ANN = Reach("ann", only=("ann", "team", "all-hands"), writable=("ann", "team"))


@pytest.fixture
async def memories() -> Memories:
    """Give memories in four namespaces; each is called as its namespace, and all have one id in common."""
    made = Memories(
        FakeStore(FakeClock()),
        Indexer(FakeEmbedder(), interactive_budget_s=1, bulk_budget_s=1),
        on_pending=lambda: None,
    )
    for namespace in ("ann", "team", "all-hands", "others"):
        for memory_id in (f"of-{namespace}", "shared-id"):
            stored = await made.store(NewMemory(f"{memory_id} in {namespace}", namespace=namespace, id=memory_id))
            assert isinstance(stored, Stored)
    return made


async def test_an_id_is_found_in_each_namespace_within_reach(memories: Memories) -> None:
    """The default namespace comes first; what lies elsewhere is unknown, with no other words than a wrong id."""
    for namespace in ("ann", "team", "all-hands"):
        assert (await memories.get(f"of-{namespace}", ANN)).namespace == namespace
    assert (await memories.get("shared-id", ANN)).namespace == "ann"
    said = []
    for memory_id in ("of-others", "of-nobody"):
        with pytest.raises(NotFoundError) as caught:
            await memories.get(memory_id, ANN)
        said.append(str(caught.value).replace(memory_id, "?"))
    assert said[0] == said[1]


async def test_what_may_only_be_read_is_not_changed(memories: Memories) -> None:
    """Neither updated, nor deleted, nor brought back; in the other namespaces it is."""
    await memories.update("of-team", ANN, Change(tags=("seen",)), None)
    assert await memories.delete("of-team", ANN, dry_run=False) == ["of-team"]
    assert (await memories.undelete("of-team", ANN)).namespace == "team"
    for attempt in (
        memories.update("of-all-hands", ANN, Change(tags=("seen",)), None),
        memories.delete("of-all-hands", ANN, dry_run=False),
        memories.delete("of-all-hands", ANN, dry_run=True),
    ):
        with pytest.raises(ForbiddenError, match="can only read"):
            await attempt
    with pytest.raises(NotFoundError):
        await memories.delete("of-others", ANN, dry_run=False)
    await memories.delete("of-all-hands", Reach("all-hands"), dry_run=False)
    with pytest.raises(ForbiddenError, match="can only read"):
        await memories.undelete("of-all-hands", ANN)


def test_a_namespace_is_named_within_reach() -> None:
    """To read any of them, to write those that may be changed; the errors name what may."""
    assert (ANN.of(None), ANN.of("all-hands"), ANN.to_write(None), ANN.to_write("team")) == (
        "ann",
        "all-hands",
        "ann",
        "team",
    )
    with pytest.raises(ForbiddenError, match="can only reach 'ann', 'team', 'all-hands'; name one of them"):
        ANN.of("others")
    with pytest.raises(ForbiddenError, match=r"can only read 'all-hands'; name one of those .*: 'ann', 'team'"):
        ANN.to_write("all-hands")
    many = Reach.bound_to(*(f"n{number}" for number in range(30)))
    with pytest.raises(ForbiddenError, match="'n19' and 10 more"):
        many.of("others")


async def test_namespaces_are_completed_within_reach(memories: Memories) -> None:
    """No other is offered."""
    assert await memories.namespaces_like("", ANN, 10) == ["all-hands", "ann", "team"]
    assert await memories.namespaces_like("a", ANN, 1) == ["all-hands"]
    assert await memories.namespaces_like("o", ANN, 10) == []
    assert await memories.namespaces_like("o", Reach("ann"), 10) == ["others"]
