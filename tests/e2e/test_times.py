"""Times through the public doors: a client on stdio and the command line, in zones of every form."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

import pytest

from tests.e2e.client import RawClient, ToolError
from tests.e2e.conftest import Command
from tests.fakes.daemon import FakeDaemon

ZONES = ["CET-1CEST,M3.5.0,M10.5.0/3", "JST-9", "UTC+3", "Nowhere/Atlantis", "Asia/Kolkata", ""]
PHRASES = [
    "yesterday",
    "last 7d",
    "24h",
    "2 hours ago",
    "in May 2023",
    "since Monday",
    "vorletzte Woche",
    "hace tres días",
]
PHRASES += [
    "tre giorni fa",
    "昨晚",
    "上周五",
    "先週の金曜日",
    "il y a deux semaines",
    "há três dias",
    "from sunday to tuesday",
]
IN_PART = [
    "last purple week",
    "two days before",
    "at 3",
    "2024-13-01",
    "all but yesterday",
    "昨天也许",
    "05/03/2023",
    "1.2",
]


@pytest.mark.parametrize("zone", ZONES)
async def test_times_are_understood_in_each_zone(
    daemon: FakeDaemon, start: Callable[..., RawClient], zone: str
) -> None:
    """TZ is what the C library reads, and no phrase ends in an internal error."""
    client = start(TZ=zone)
    await client.initialize()
    stored = await client.tool("memory_store", content="red apples")
    for phrase in PHRASES:
        await client.tool("memory_list", time_expr=phrase)
    assert (await client.tool("memory_list", time_expr="5 minutes"))["memories"][0]["id"] == stored["id"]
    assert (await client.tool("memory_list", time_expr="before 5 minutes ago"))["memories"] == []


async def test_what_is_understood_in_part_deletes_nothing(daemon: FakeDaemon, client: RawClient) -> None:
    """Each refusal names the argument and what is understood."""
    await client.tool("memory_store", content="precious")
    for phrase in IN_PART:
        with pytest.raises(ToolError, match=r"time_expr: .*'last week'"):
            await client.tool("memory_delete", time_expr=phrase)
    assert (await client.tool("memory_list"))["total"] == 1


async def test_a_deletion_names_the_interval_it_took(daemon: FakeDaemon, start: Callable[..., RawClient]) -> None:
    """In its text in local time with the offset, in its result in UTC, and in a dry run too."""
    client = start(TZ="CET-1CEST,M3.5.0,M10.5.0/3")
    await client.initialize()
    for day in (1, 10, 11):
        await client.tool("memory_store", content=f"day {day}", id=f"d{day}", created_at=f"2024-05-{day:02}T12:00")
    for dry_run in (True, False):
        arguments = {"time_expr": "May 1-10 2024", "dry_run": dry_run}
        answer = await client.request("tools/call", {"name": "memory_delete", "arguments": arguments})
        text, result = answer["result"]["content"][0]["text"], answer["result"]["structuredContent"]
        assert "from 2024-05-01 00:00+02:00 until 2024-05-11 00:00+02:00" in text
        assert sorted(result["ids"]) == ["d1", "d10"]
        assert result["interval"] == {"after": "2024-04-30T22:00:00Z", "before": "2024-05-10T22:00:00Z"}
    assert (await client.tool("memory_list"))["total"] == 1


async def test_a_deletion_without_both_ends_names_the_one(daemon: FakeDaemon, client: RawClient) -> None:
    """What is open has no bound; without a time there is no interval."""
    await client.tool("memory_store", content="old", id="old", created_at="2020-01-01", tags=["t"])
    before = await client.tool("memory_delete", time_expr="before May 2021", dry_run=True)
    assert (before["ids"], before["interval"]["after"]) == (["old"], None)
    after = await client.tool("memory_delete", after="2019", dry_run=True)
    assert (after["ids"], after["interval"]["before"]) == (["old"], None)
    assert (await client.tool("memory_delete", tags=["t"], dry_run=True))["interval"] is None
    assert (await client.tool("memory_delete", id="old", dry_run=True))["interval"] is None


async def test_the_span_of_weekdays_is_this_weeks(daemon: FakeDaemon, client: RawClient) -> None:
    """From one weekday to the one two days later are three days, whatever day it is today."""
    result = await client.tool("memory_delete", time_expr="from sunday to tuesday", dry_run=True, tags=["none"])
    after, before = (datetime.fromisoformat(result["interval"][end]) for end in ("after", "before"))
    assert (before - after).days == 3
    assert (after.weekday(), before.weekday()) == (6, 2)  # in UTC, which is this front's zone


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("20240501", "2024-05-01T00:00:00Z"),
        ("2024", "2024-01-01T00:00:00Z"),
        ("2024-05", "2024-05-01T00:00:00Z"),
        ("20240501T101500Z", "2024-05-01T10:15:00Z"),
        ("2024-W18-3", "2024-05-01T00:00:00Z"),
        ("2024-05-01t10:15:00.25z", "2024-05-01T10:15:00.250000Z"),
        (1714558500, "2024-05-01T10:15:00Z"),
        ("1714558500000", "2024-05-01T10:15:00Z"),
    ],
)
async def test_digits_are_iso_8601_first(daemon: FakeDaemon, client: RawClient, given: object, stored: str) -> None:
    """As created_at, and as after and before."""
    await client.tool("memory_store", content="x", id="x", created_at=given)
    assert (await client.tool("memory_get", id="x"))["created_at"] == stored
    assert (await client.tool("memory_list", after=given))["total"] == 1
    assert (await client.tool("memory_list", before=given))["total"] == 0


async def test_other_digits_and_words_are_refused(daemon: FakeDaemon, client: RawClient) -> None:
    """The error says what is accepted; for words it names time_expr where there is one."""
    for given in ("12", "99999", 12, 20240501, 1e300, True, ["2024"], {"a": 1}, "2024-13-01", "yesterday"):
        with pytest.raises(ToolError, match=r"created_at: .*(2024-05-01|year|month)"):
            await client.tool("memory_store", content="x", created_at=given)
        for name in ("after", "before"):
            with pytest.raises(ToolError, match=rf"{name}: .*(2024-05-01|month)"):
                await client.tool("memory_list", **{name: given})
    with pytest.raises(ToolError, match=r"after: .*use time_expr for words such as 'yesterday'"):
        await client.tool("memory_list", after="last week")
    assert (await client.tool("memory_list"))["total"] == 0


async def test_the_command_line_reads_the_same_moments(command: Command, environment: dict[str, str]) -> None:
    """ISO 8601 first, then words, of which a span begins; a wrong zone is UTC."""
    environment["TZ"] = "UTC+3"
    await command("store", "red apples", "--id", "a", "--created-at", "20240501")
    assert (await command("get", "a", "--json")).data["created_at"] == "2024-05-01T03:00:00Z"
    for after, total in (("2024-05", 1), ("20240502", 0), ("last week", 0), ("May 2024", 1), ("a year ago", 0)):
        assert (await command("list", "--after", after, "--json")).data["total"] == total
    for wrong in ("12", "99999", "gibberish", "before May 2020"):
        ended = await command("list", "--after", wrong)
        assert (ended.code, repr(wrong) in ended.err) == (2, True)
    deleted = await command("delete", "--time-expr", "2024-05-01..2024-05-10")
    assert re.search(r"from 2024-05-01 00:00-03:00 until 2024-05-11 00:00-03:00: a", deleted.out)


async def test_the_import_reads_iso_8601_only(command: Command) -> None:
    """A line with digits that are no date is refused by its number."""
    line = '{"id": "a", "namespace": "default", "content": "x", "tags": [], "type": "note", "metadata": {}, '
    line += (
        '"conversation_id": null, "revision": 1, "revisions": [], "updated_at": "2024-05-01T00:00:00Z", "created_at": '
    )
    for given, code in (('"12"', 2), ("12", 2), ('"yesterday"', 2), ('"20240501"', 3)):
        text = f'{{"memory_mcp_export": 1}}\n{line}{given}}}\n{{"memory_mcp_export_end": 1}}\n'
        ended = await command("import", "-", stdin=text)
        assert ended.code in {code, 1} if code == 2 else ended.code == code
        assert ("line 2" in ended.err) == (code == 2)
