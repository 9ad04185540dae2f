"""The readers of OpenMemory, claude-mem and engram, on files that those systems may write."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_mcp.imports.model import PeerItem, PeerRecord, Remark, Source, UnreadableError
from memory_mcp.imports.peers import claude_mem, engram, openmemory, values
from tests.fakes.peer_databases import CLAUDE_MEM, ENGRAM, OPENMEMORY, PeerDatabase

Make = Callable[[str], PeerDatabase]
AT = "2024-05-06 07:08:09.000001"
SEEN = datetime(2024, 5, 6, 7, 8, 9, 1, UTC)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Make a database of a schema."""
    made: list[PeerDatabase] = []

    def of(schema: str) -> PeerDatabase:
        made.append(PeerDatabase(tmp_path / f"{len(made)}.db", schema))
        return made[-1]

    yield of
    for database in made:
        database.close()


def split(items: Iterator[PeerItem]) -> tuple[dict[str, PeerRecord], set[str]]:
    """Return the records by their ids there, and what was said."""
    found = list(items)
    records = {item.source_id: item for item in found if isinstance(item, PeerRecord)}
    return records, {item.what for item in found if isinstance(item, Remark)}


def test_openmemory_has_users_apps_and_states(make: Make) -> None:
    """All in one file; what was deleted is told apart, what was put away has a tag."""
    database = make(OPENMEMORY)
    common = {"app_id": "c0", "created_at": AT, "updated_at": AT, "metadata": '{"app": "mine", "n": 1}'}
    database.add("memories", id="1", user_id="a0", content="Likes tea", state="active", **common)
    database.add("memories", id="2", user_id="b0", content="Old", state="archived", archived_at=AT, **common)
    database.add("memories", id="3", user_id="a0", content="Wrong", state="deleted", **common)
    database.add("memories", id="4", user_id="a0", content=b"caf\xe9", state="paused", app_id="c0")
    for category in ("d0", "d1"):
        database.add("memory_categories", memory_id="1", category_id=category)
    records, said = split(openmemory.read(Source(database.path)))
    tea, old, wrong, cafe = records.values()
    assert (tea.tags, tea.namespace, tea.state, tea.created_at) == (("tea", "paints, enamel"), "mari", "live", SEEN)
    assert tea.metadata == {"metadata": {"app": "mine", "n": 1}, "app": "cursor"}  # neither hides the other
    assert (old.tags, old.namespace, old.metadata["archived_at"]) == (("archived",), "kofi", SEEN.isoformat())
    assert (wrong.state, cafe.state, cafe.tags) == ("deleted", "live", ("paused",))
    assert (cafe.content, cafe.is_dated) == ("caf\N{REPLACEMENT CHARACTER}", False)
    assert {values.REPLACED, values.NO_TIME} <= said


@pytest.mark.parametrize("schema", ["CREATE TABLE memories (id TEXT, content TEXT, primary_sector TEXT)", ENGRAM])
def test_another_system_is_refused(make: Make, schema: str) -> None:
    """Its name may be the same."""
    with pytest.raises(UnreadableError, match=r"another OpenMemory|no memories of mem0's OpenMemory"):
        split(openmemory.read(Source(make(schema).path)))
    with pytest.raises(UnreadableError, match="no observations of claude-mem"):
        split(claude_mem.read(Source(make(schema).path)))


@pytest.fixture
def in_chicago(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Move this process to Chicago."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "America/Chicago")
        time.tzset()
        yield
    time.tzset()


def export(folder: Path, shown: str, generated_at: str, changed: datetime) -> Source:
    """Make the export of OpenMemory with one memory, in a file that was changed at a time."""
    path = folder / "memories.json"
    memory = {"id": "0-1", "user_id": "a-0", "content": "Likes tea", "state": "active", "created_at": shown}
    held = {
        "user": {"id": "a-0", "user_id": "mari"},
        "memories": [memory],
        "export_meta": {"generated_at": generated_at},
    }
    path.write_text(json.dumps(held), encoding="utf-8")
    os.utime(path, (changed.timestamp(), changed.timestamp()))
    return Source(path, times={path: changed})


@pytest.mark.parametrize(
    ("zone", "real"),
    [
        ("UTC", datetime(2024, 1, 2, 3, 4, tzinfo=UTC)),
        ("America/Chicago", datetime(2024, 1, 2, 3, 4, tzinfo=UTC)),
        ("Asia/Kolkata", datetime(2024, 7, 2, 3, 4, tzinfo=UTC)),
    ],
)
def test_shifted_times_of_an_export_are_moved_back(tmp_path: Path, zone: str, real: datetime) -> None:
    """The zone of the machine that made it shows in the clock of the zip."""
    exporter = ZoneInfo(zone)
    shown = real.replace(tzinfo=exporter).astimezone(UTC)  # as the peer takes UTC for local
    made = datetime(2026, 1, 20, 10, 0, 12, tzinfo=UTC)
    clock = made.astimezone(exporter).replace(tzinfo=None).astimezone()  # as a zip tells it, read on this machine
    records, said = split(openmemory.read(export(tmp_path, shown.isoformat(), made.isoformat(), clock)))
    (record,) = records.values()
    assert (record.created_at, record.namespace, record.source_id) == (real, "mari", "01")
    assert any("moved back" in what for what in said) == (shown != real)


@pytest.mark.parametrize("zone", ["", "America/Chicago"])
def test_a_zone_that_is_known_has_its_summer_time(tmp_path: Path, in_chicago: None, zone: str) -> None:
    """The user's, or this machine's where its clock agrees: what was written in summer is moved by an hour less."""
    del in_chicago
    summer = datetime(2024, 7, 2, 3, 4, tzinfo=UTC)
    made = datetime(2026, 1, 20, 10, 0, 12, tzinfo=UTC)
    shown = summer.replace(tzinfo=ZoneInfo("America/Chicago")).astimezone(UTC)
    source = export(tmp_path, shown.isoformat(), made.isoformat(), made)
    records, _ = split(openmemory.read(replace(source, zone=zone)))
    assert records["01"].created_at == summer


def test_an_export_without_its_clock_says_so(tmp_path: Path) -> None:
    """The file was changed long after: its time tells nothing."""
    later = datetime(2026, 3, 1, tzinfo=UTC)
    source = export(tmp_path, "2024-01-02T03:04:00+00:00", "2026-01-20T10:00:12+00:00", later)
    records, said = split(openmemory.read(source))
    assert openmemory.UNKNOWN_SHIFT in said
    assert records["01"].created_at == datetime(2024, 1, 2, 3, 4, tzinfo=UTC)
    (tmp_path / "memories.json").write_text('{"memories": ')
    with pytest.raises(UnreadableError, match="no memories of mem0's OpenMemory"):
        split(openmemory.read(source))


def observed(database: PeerDatabase, number: int, **columns: object) -> None:
    """Add an observation of claude-mem."""
    common = {"memory_session_id": "mem-1", "project": "boat", "type": "discovery", "created_at": AT}
    database.add("observations", id=number, created_at_epoch=1_714_979_289_500, **common | columns)


def test_claude_mem_says_each_thing_once(make: Make) -> None:
    """A title that begins the text is not repeated; facts stand for a missing one."""
    database = make(CLAUDE_MEM)
    observed(database, 1, title="First line", narrative="First\n  line of two", concepts='["a", "b, c"]')
    observed(database, 2, title="Keel", narrative="It is of lead.", facts='["lead"]', metadata='{"title": "mine"}')
    observed(database, 3, title="Facts", facts='["one", "two"]', merged_into_project="harbour")
    observed(database, 4, text="As old versions have it", concepts="no JSON")
    records, _ = split(claude_mem.read(Source(database.path)))
    first, keel, facts, old = records.values()
    assert (first.content, first.tags) == ("First\n  line of two", ("a", "b, c"))
    assert keel.content == "Keel\n\nIt is of lead."
    assert keel.metadata == {"metadata": {"title": "mine"}, "title": "Keel", "facts": ["lead"]}
    assert (facts.content, facts.namespace) == ("Facts\n\none\ntwo", "harbour")
    assert (old.content, old.tags) == ("As old versions have it", ("no JSON",))
    assert (old.created_at, old.conversation_id) == (datetime(2024, 5, 6, 7, 8, 9, 500_000, UTC), "mem-1")


def test_claude_mem_has_summaries_and_prompts_on_request(make: Make) -> None:
    """A prompt knows its project by its session; it may quote what was deleted."""
    database = make(CLAUDE_MEM)
    common = {"created_at": AT, "created_at_epoch": 1_714_979_289_500}
    summary = {"request": "Find the leak", "learned": "", "next_steps": "Caulk it"}
    database.add("session_summaries", id=1, memory_session_id="mem-1", project="boat", **summary, **common)
    database.add("user_prompts", id=1, content_session_id="content-1", prompt_text="Where is the leak?", **common)
    database.add("user_prompts", id=2, content_session_id="gone", prompt_text="And now?", **common)
    records, said = split(claude_mem.read(Source(database.path)))
    assert records.keys() == {"summary-1"}
    assert records["summary-1"].content == "Request: Find the leak\n\nNext steps: Caulk it"
    assert claude_mem.NO_PROMPTS.what in said
    records, said = split(claude_mem.read(Source(database.path, extras=frozenset({"prompts"}))))
    prompts = [(each.content, each.namespace, each.conversation_id) for each in [*records.values()][1:]]
    assert prompts == [("Where is the leak?", "boat", "mem-1"), ("And now?", "", None)]
    assert claude_mem.NO_PROMPTS.what not in said


def test_old_versions_of_claude_mem_have_other_columns(make: Make) -> None:
    """And no summaries."""
    database = make(
        "CREATE TABLE sdk_sessions (id INTEGER PRIMARY KEY, claude_session_id TEXT, sdk_session_id TEXT, project TEXT);"
        "CREATE TABLE observations (id INTEGER PRIMARY KEY, sdk_session_id TEXT, project TEXT, text TEXT, type TEXT,"
        " created_at TEXT, created_at_epoch INTEGER);"
        "CREATE TABLE user_prompts (claude_session_id TEXT, id INTEGER PRIMARY KEY, prompt_text TEXT, created_at TEXT)"
    )
    database.add("sdk_sessions", id=7, claude_session_id="of client", sdk_session_id="old", project="boat")
    columns = {"sdk_session_id": "old", "project": "boat", "type": "change", "created_at_epoch": 1_714_979_289}
    database.add("observations", id=1, text="Painted", **columns)
    database.add("user_prompts", id=1, claude_session_id="of client", prompt_text="Paint it", created_at=AT)
    records, _ = split(claude_mem.read(Source(database.path, extras=frozenset({"prompts"}))))
    painted, prompt = records.values()
    assert (painted.content, painted.type, painted.conversation_id) == ("Painted", "change", "old")
    assert painted.created_at == datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert (prompt.namespace, prompt.conversation_id, prompt.created_at) == ("boat", "old", SEEN)


def test_engram_says_what_it_lost(make: Make) -> None:
    """Texts that were overwritten, or cut within a character."""
    database = make(ENGRAM)
    common = {"session_id": "s1", "type": "manual", "title": "T", "created_at": AT, "updated_at": "2025-01-01 00:00:00"}
    cut = "caf\xe9".encode()[:-1] + b"... [truncated]"
    database.add("observations", id=1, content=cut, project="boat", **common)
    database.add("observations", id=2, content="New", topic_key="t/k", revision_count=3, **common)
    database.add("observations", id=3, content="Wrong", deleted_at=AT, **common)
    database.add("user_prompts", id=1, session_id="s1", content="Keep it", project="", created_at="never")
    records, said = split(engram.read(Source(database.path)))
    assert "of observations, these columns are not taken: duplicate_count" in said
    assert records.keys() == {"obs-1", "obs-2", "obs-3", "prompt-1"}
    assert records["obs-1"].content == "caf\N{REPLACEMENT CHARACTER}... [truncated]"
    assert {engram.CUT, engram.OVERWRITTEN, values.REPLACED, values.NO_TIME} <= said
    assert records["obs-2"].metadata == {"title": "T", "topic_key": "t/k", "scope": "project", "revisions": 3}
    assert (records["obs-2"].created_at, records["obs-2"].updated_at) == (SEEN, datetime(2025, 1, 1, tzinfo=UTC))
    assert (records["obs-3"].state, records["prompt-1"].type) == ("deleted", "prompt")
    records, _ = split(engram.read(Source(database.path, extras=frozenset({"summaries"}))))
    summary = records["session-s1"]
    assert (summary.content, summary.namespace, summary.conversation_id) == ("Filed the notes.", "boat", "s1")
    assert summary.created_at == datetime(2025, 1, 2, 4, 4, 5, tzinfo=UTC)
    database.run("UPDATE sessions SET ended_at = '2026-01-02 00:00:00'")
    again, _ = split(engram.read(Source(database.path, extras=frozenset({"summaries"}))))
    assert again["session-s1"].id == summary.id  # it went on, and is no other
    assert len({record.id for record in again.values()}) == len(again)


def test_engrams_export_says_the_same(make: Make, tmp_path: Path) -> None:
    """Go leaves out what is empty, and escapes what HTML knows; a member that is none costs itself."""
    database = make(ENGRAM)
    common = {"session_id": "s1", "type": "manual", "title": "T", "created_at": AT, "updated_at": AT}
    database.add("observations", id=1, content="<b> & more", scope="personal", **common)
    of_database, _ = split(engram.read(Source(database.path)))
    row = {"id": 1, "content": "<b> & more", "scope": "personal", "revision_count": 1, **common}
    written = json.dumps({"version": "0.1.0", "observations": [row, "odd"], "prompts": None})
    exported = tmp_path / "export.json"
    exported.write_text(written.replace("<", "\\u003c").replace("&", "\\u0026"), encoding="utf-8")
    of_export, _ = split(engram.read(Source(exported)))
    assert of_export == of_database
    exported.write_text('{"observations": 1}')
    with pytest.raises(UnreadableError, match="no observations of engram"):
        split(engram.read(Source(exported)))


@given(st.datetimes(datetime(1975, 1, 1), datetime(5000, 1, 1)), st.sampled_from([1, 1000]))  # noqa: DTZ001 - in UTC
def test_a_time_is_the_same_however_it_is_written(naive: datetime, per_second: int) -> None:
    """As text with and without a zone, in seconds, and in milliseconds."""
    at = naive.replace(tzinfo=UTC, microsecond=0)
    assert values.moment(at.timestamp() * per_second) == at
    assert values.moment(at.astimezone(ZoneInfo("Asia/Kolkata")).isoformat()) == at
    assert values.moment(naive.replace(microsecond=0).isoformat(" ")) == at


@given(st.one_of(st.floats(), st.integers(), st.text(), st.none(), st.lists(st.integers())))
def test_what_is_no_time_is_none(value: object) -> None:
    """Whatever it is."""
    found = values.moment(value)
    assert found is None or found.utcoffset() is not None


@given(st.datetimes(), st.sampled_from(["", "Z", "+14:00", "-14:00"]))
def test_a_time_that_is_read_is_one_in_every_zone(naive: datetime, zone: str) -> None:
    """At the ends of the calendar there would be none, and the reader would die of it."""
    written = naive.isoformat() + zone
    at = values.iso(written)
    assert (at is None) == (naive.year in {1, 9999})
    for offset in "Pacific/Kiritimati", "Etc/GMT+12":
        assert at is None or at.astimezone(ZoneInfo(offset)) is not None
    assert (values.moment(written) is None) == (at is None)
