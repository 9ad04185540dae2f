"""The port Records: writing memories and reading them."""

from __future__ import annotations

import base64
import json
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from memory_mcp.domain.errors import ConflictError, InvalidArgumentError, NotFoundError
from memory_mcp.domain.models import Change, Condition, Filters, Memory, NewMemory, Stored
from memory_mcp.domain.ports import Store
from tests.contracts.shelf import HERE, keyword_search, listed, near, new, offer, page_of, put, towards, whole, worded
from tests.fakes.clock import FakeClock

NAUGHTY = Path(__file__).parents[3] / "shared/data/robustness/blns.json"
DAY = datetime(2024, 5, 17, 12, 30, 15, 123456, tzinfo=UTC)
COMPOSED, DECOMPOSED = "caf\u00e9 Zo\u00eb", "cafe\u0301 Zoe\u0308"
FOREIGN = [
    *("", "nonsense", "!!!", "é", "1", "\0", "=" * 24),
    *(base64.urlsafe_b64encode(b).decode() for b in (b"1", b"a.b", b"1.2.3", b"9" * 30 + b".1", b"\xff" * 99)),
]
STRANGE = {
    "NUL": "before\0after",
    "only NUL": "\0",
    "right to left": "\u202eשלום עולם\u202c مرحبا",
    "emoji": "👩‍👩‍👧‍👦 👍🏽 𝔘𝔫𝔦𝔠𝔬𝔡𝔢",
    "combining marks": "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢",
    "decomposed": DECOMPOSED,
    "line ends": "one\r\ntwo\rthree\u2028four\u0085",
    "blanks": " \t both ends \n ",
    "JSON": '{"a": 1}',
    "byte order mark": "\ufeffmark\ufffe\uffff",
    "long": "word " * 200_000,
    "one long word": "x" * 1_000_000,
}


async def test_a_memory_comes_back_as_it_was_given(store: Store, clock: FakeClock) -> None:
    """Every field of a memory is kept, and the store adds its own."""
    clock.advance(1_000.5)
    metadata: dict[str, Any] = {"n": 1, "r": 0.5, "t": True, "z": None, "s": "ü", "l": [1, {}], "o": {"a": []}}
    given = NewMemory("text", "here", ("b", "a"), "fact", metadata, "talk", DAY, "my-id")
    assert await store.add([(given, whole("text", towards(0)))]) == [Stored("my-id", created=True, embedded=True)]
    memory = await store.get("my-id", "here")
    assert memory == Memory(
        key=memory.key,
        id="my-id",
        namespace="here",
        content="text",
        tags=("a", "b"),
        type="fact",
        metadata=metadata,
        conversation_id="talk",
        created_at=DAY,
        updated_at=datetime(1970, 1, 1, 0, 16, 40, 500_000, tzinfo=UTC),
        revision=1,
        embedded=True,
    )
    assert json.dumps(memory.metadata, sort_keys=True) == json.dumps(metadata, sort_keys=True)


async def test_what_is_left_out_has_defaults(store: Store, clock: FakeClock) -> None:
    """Without an id the store makes one, and without a time it takes its clock's."""
    clock.advance(86_400)
    one, two = await put(store, "one"), await put(store, "two")
    assert one.id
    assert two.id not in {one.id, ""}
    assert (one.tags, one.type, one.metadata, one.conversation_id) == ((), "note", {}, None)
    assert one.created_at == one.updated_at == datetime(1970, 1, 2, tzinfo=UTC)
    assert two.key > one.key


async def test_nothing_stored_is_nothing_found(store: Store) -> None:
    """An empty store answers every question."""
    assert (await page_of(store, HERE, limit=1, cursor=None)).total == 0
    assert await store.read(lambda it: it.space()) is None
    assert await near(store) == await worded(store, "word") == []
    assert await store.pending(9) == []
    assert await store.read(lambda it: it.everywhere().fetch([1, 2])) == {}
    assert await store.add([]) == []
    assert await store.delete(None, HERE, dry_run=False) == []
    with pytest.raises(NotFoundError, match="nobody"):
        await store.get("nobody", "here")


@pytest.mark.parametrize("moment", [datetime(1, 1, 1, tzinfo=UTC), DAY, datetime.max.replace(tzinfo=UTC)])
async def test_times_are_kept_to_the_microsecond(store: Store, moment: datetime) -> None:
    """A time of any year comes back as it was, in UTC."""
    assert (await put(store, "text", created_at=moment)).created_at == moment
    eastern = DAY.astimezone(timezone(timedelta(hours=5, minutes=30)))
    memory = await put(store, "other", created_at=eastern)
    assert memory.created_at == DAY
    assert memory.created_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize("kind", STRANGE)
async def test_any_text_comes_back_unchanged(store: Store, kind: str) -> None:
    """Texts of every script or of a million characters are stored as they are; a NUL may be refused by name."""
    text = STRANGE[kind]
    metadata, tags = {"text": text[:1_000], text[:50]: 1}, (text[:50],)
    stored = await offer(store, text, metadata=metadata, tags=tags)
    if "\0" in text and isinstance(stored, ConflictError):
        await _refuses_nul(store, text)
        return
    assert isinstance(stored, Stored)
    memory = await store.get(stored.id, "here")
    assert (memory.content, memory.metadata, memory.tags) == (text, metadata, tags)
    assert await listed(store, Filters("here", metadata=metadata, tags=tags)) == [text]
    [waiting] = await store.pending(9)
    assert waiting.text == text
    changed = await store.update(memory, Change(content="other"), whole("other"), None)
    assert [revision.content for revision in await store.revisions(changed)] == [text]


async def _refuses_nul(store: Store, text: str) -> None:
    """Every field with a NUL is refused by its name, and what stands beside it is stored."""
    fields: list[dict[str, Any]] = [
        {"tags": (text,)},
        {"type": text},
        {"metadata": {"a": [text]}},
        {"metadata": {text: 1}},
        {"conversation_id": text},
        {"id": text},
    ]
    for given in fields:
        [name] = given
        refused, kept = await store.add([(new("a", **given), whole("a")), (new(f"beside {given!r}"), whole("b"))])
        assert isinstance(refused, ConflictError)
        assert f"{name}: contains a NUL" in str(refused)
        assert isinstance(kept, Stored)
        assert kept.created
    memory = await put(store, "plain")
    with pytest.raises(InvalidArgumentError, match="content: contains a NUL"):
        await store.update(memory, Change(content=text), whole(text), None)
    with pytest.raises(InvalidArgumentError, match="NUL"):
        await listed(store, Filters("here", tags=(text,)))
    assert await store.get(memory.id, "here") == memory


@pytest.mark.skipif(not NAUGHTY.exists(), reason=f"{NAUGHTY} is not there")
async def test_every_naughty_string_is_kept_and_asked_for(store: Store) -> None:
    """Each string of the list is stored, found again unchanged, and may be a query."""
    strings: list[str] = json.loads(NAUGHTY.read_text(encoding="utf-8"))
    items = [(new(text, id=f"n{n}", conversation_id=f"c{n}"), whole(text)) for n, text in enumerate(strings)]
    assert all(isinstance(stored, Stored) and stored.created for stored in await store.add(items))
    assert await listed(store) == strings[::-1]
    for number, text in enumerate(strings):
        assert (await store.get(f"n{number}", "here")).content == text
        found = await keyword_search(store, text, HERE, 3)
        assert all(0 < score <= found.max_score for score in found.scores.values())


async def test_an_id_in_use_is_a_conflict_of_its_item_alone(store: Store) -> None:
    """Other content under an id is refused, and the rest of its batch is stored."""
    await put(store, "first", id="mine")
    before, conflict, after = await store.add(
        [
            (new("before"), whole("before")),
            (new("other", id="mine", tags=("lost",)), whole("other", towards(0))),
            (new("after"), whole("after")),
        ]
    )
    assert isinstance(before, Stored)
    assert isinstance(after, Stored)
    assert isinstance(conflict, ConflictError)
    assert "mine" in str(conflict)
    assert await listed(store) == ["after", "before", "first"]
    assert await near(store) == await listed(store, Filters("here", tags=("lost",))) == []


async def test_an_id_belongs_to_a_namespace(store: Store) -> None:
    """An id may be used in each namespace; who may look elsewhere gets the own one first, else any other's."""
    here = await put(store, "here", id="mine")
    there = await put(store, "there", id="mine", namespace="there")
    assert await store.get("mine", "here") == here
    assert await store.get("mine", "there") == there
    assert (await store.get("mine", "nowhere", any_namespace=True)).content in {"here", "there"}
    await store.delete(["mine"], HERE, dry_run=False)
    assert await store.get("mine", "here", any_namespace=True) == there
    assert await store.delete(["mine"], HERE, dry_run=True, any_namespace=True) == ["mine"]


async def test_who_may_not_look_elsewhere_finds_nothing_there(store: Store) -> None:
    """An id of another namespace is as unknown as any: to read, to delete, and to bring back."""
    there = await put(store, "there", id="theirs", namespace="there")
    for dry_run in (True, False):
        with pytest.raises(NotFoundError, match="theirs"):
            await store.delete(["theirs"], HERE, dry_run=dry_run)
    with pytest.raises(NotFoundError, match="theirs"):
        await store.get("theirs", "here")
    await store.delete(["theirs"], Filters("there"), dry_run=False)
    with pytest.raises(NotFoundError, match="theirs"):
        await store.deleted("theirs", "here")
    assert (await store.deleted("theirs", "here", any_namespace=True)).key == there.key


async def test_the_id_of_a_deleted_memory_is_not_given_again(store: Store) -> None:
    """An id that a deleted memory had is a conflict, with any content."""
    await put(store, "text", id="mine")
    await store.delete(["mine"], HERE, dry_run=False)
    assert isinstance(await offer(store, "text", id="mine"), ConflictError)
    assert await listed(store) == []


async def test_namespaces_do_not_see_each_other(store: Store) -> None:
    """A list and a search are of one namespace."""
    await put(store, "shared word one", towards(0))
    await put(store, "shared word two", towards(5), namespace="there")
    assert await listed(store) == await near(store) == await worded(store, "shared") == ["shared word one"]
    there = Filters("there")
    assert await listed(store, there) == await near(store, there) == await worded(store, "word", there)
    assert await worded(store, "shared", Filters("Here")) == []


async def test_pages_are_newest_first(store: Store) -> None:
    """The order is by time, then by arrival, and pages go through it without a gap."""
    order = [3, 1, 2, 2, 0]
    for arrival, days in enumerate(order):
        await put(store, f"day {days}, arrival {arrival}", created_at=DAY + timedelta(days=days))
    contents, cursor = [], None
    for remaining in (3, 1, 0):
        page = await page_of(store, HERE, limit=2, cursor=cursor)
        assert page.total == 5
        contents += [memory.content for memory in page.memories]
        cursor = page.next_cursor
        assert (cursor is None) == (remaining == 0)
    assert contents == [f"day {days}, arrival {arrival}" for days, arrival in [(3, 0), (2, 3), (2, 2), (1, 1), (0, 4)]]


async def test_a_full_last_page_has_no_cursor(store: Store) -> None:
    """A page that ends where the list ends says so."""
    for text in ("one", "two"):
        await put(store, text)
    page = await page_of(store, HERE, limit=2, cursor=None)
    assert (len(page.memories), page.next_cursor) == (2, None)


async def test_a_cursor_survives_writes(store: Store) -> None:
    """Memories that come and go between two pages shift nothing: none is shown twice, none is left out."""
    memories = [await put(store, f"m{number}", created_at=DAY + timedelta(days=number)) for number in range(6)]
    first = await page_of(store, HERE, limit=2, cursor=None)
    assert [memory.content for memory in first.memories] == ["m5", "m4"]
    await put(store, "newer", created_at=DAY + timedelta(days=9))
    await put(store, "older", created_at=DAY - timedelta(days=9))
    await store.delete([memories[4].id, memories[2].id], HERE, dry_run=False)
    rest = await page_of(store, HERE, limit=9, cursor=first.next_cursor)
    assert [memory.content for memory in rest.memories] == ["m3", "m1", "m0", "older"]
    assert (rest.total, rest.next_cursor) == (6, None)


async def test_a_cursor_tells_nothing_of_others(store: Store) -> None:
    """The same memories have the same cursors, however much was written in other namespaces meanwhile."""
    given: dict[str, list[str | None]] = {}
    for number, namespace in enumerate(("one", "two")):
        for other in range(5 * number):
            await put(store, f"secret {other}", namespace="other")
        for day in range(4):
            await put(store, f"m{day}", id=f"m{day}", namespace=namespace, created_at=DAY + timedelta(days=day // 2))
        pages = [await page_of(store, Filters(namespace), limit=limit, cursor=None) for limit in (1, 2, 3)]
        given[namespace] = [page.next_cursor for page in pages]
    assert given["one"] == given["two"]
    assert len(set(given["one"])) == 3


async def test_a_cursor_outlives_its_memory(store: Store) -> None:
    """When the memory before the place was purged, what was of the same moment comes rather twice than never."""
    for number in range(4):
        await put(store, f"m{number}", id=f"m{number}", created_at=DAY)
    first = await page_of(store, HERE, limit=2, cursor=None)
    await store.delete(["m2"], HERE, dry_run=False)
    rest = await page_of(store, HERE, limit=9, cursor=first.next_cursor)
    assert [memory.id for memory in rest.memories] == ["m1", "m0"]
    await store.purge(datetime.max.replace(tzinfo=UTC))
    rest = await page_of(store, HERE, limit=9, cursor=first.next_cursor)
    assert [memory.id for memory in rest.memories] == ["m3", "m1", "m0"]


@pytest.mark.parametrize("cursor", FOREIGN)
async def test_a_foreign_cursor_is_refused(store: Store, cursor: str) -> None:
    """A cursor that no store gave is the caller's mistake."""
    await put(store, "text")
    with pytest.raises(InvalidArgumentError, match="cursor"):
        await page_of(store, HERE, limit=1, cursor=cursor)


async def test_fetch_gives_what_is_there(store: Store) -> None:
    """Keys bring their memories, as get would, and unknown ones nothing."""
    memories = [await put(store, f"text {number}", towards(number), tags=("t",)) for number in range(3)]
    found = await store.read(lambda it: it.everywhere().fetch([memories[2].key, memories[0].key, 99_999]))
    assert found == {memories[0].key: memories[0], memories[2].key: memories[2]}
    assert await store.read(lambda it: it.everywhere().fetch([])) == {}


async def test_findings_speak_of_the_store_and_its_queue(store: Store) -> None:
    """A store in order says so of every part, and what waits is a degradation with a cause."""
    findings = await store.findings(None)
    assert {name: finding.condition for name, finding in findings.items()} == dict.fromkeys(
        ("store", "queue"), Condition.OK
    )
    await put(store, "waits")
    queue = (await store.findings(None))["queue"]
    assert queue.condition is Condition.DEGRADED
    assert queue.cause


def test_the_texts_that_are_one_differ() -> None:
    """The pair of NFC twins that these tests use is not equal as it stands."""
    assert COMPOSED != DECOMPOSED
    assert unicodedata.normalize("NFC", DECOMPOSED) == COMPOSED
